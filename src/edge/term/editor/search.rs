//! Ctrl-R: searches what was typed before, as readline does. Pure.
//!
//! While a search is on, the editor's text is the line that was found, with the cursor at the
//! match. If the person gives up the search, the draft comes back. If the person takes the found
//! line, the Down key brings the draft back.

use super::Editor;

/// A search under way.
pub(super) struct Search {
    /// The text that is searched for.
    query: String,
    /// The line of the history that was found.
    found: Option<usize>,
    /// No earlier line has the query; the shown text is the earliest one that has it.
    is_missing: bool,
    /// The text and its cursor before the search.
    draft: (String, usize),
    /// The place in the history before the search, as in [`Editor`](super::Editor).
    browsing: Option<(usize, String)>,
}

impl Editor {
    /// Whether a search is under way.
    pub(in crate::edge::term) fn is_searching(&self) -> bool {
        self.search.is_some()
    }

    /// The prompt while a search is under way.
    pub(in crate::edge::term) fn search_prompt(&self) -> Option<String> {
        let Search { query, is_missing, .. } = self.search.as_ref()?;
        let words = if *is_missing { "not found" } else { "search" };
        Some(format!("{words} '{query}'"))
    }

    /// Begins a search, or goes on to an older line.
    pub(in crate::edge::term) fn search(&mut self) {
        match &self.search {
            None => {
                self.search = Some(Search {
                    query: String::new(),
                    found: None,
                    is_missing: false,
                    draft: (self.text.clone(), self.cursor),
                    browsing: self.browsing.take(),
                });
            }
            Some(search) => self.find(search.found.unwrap_or(self.history.len()), true),
        }
    }

    /// Adds letters to the query.
    pub(in crate::edge::term) fn search_for(&mut self, more: &str) {
        let Some(search) = &mut self.search else { return };
        search.query.push_str(more);
        let before = search.found.map_or(self.history.len(), |at| at + 1);
        self.find(before, false);
    }

    /// Removes the last letter of the query.
    pub(in crate::edge::term) fn shorten_search(&mut self) {
        let Some(search) = &mut self.search else { return };
        search.query.pop();
        search.found = None;
        (self.text, self.cursor) = search.draft.clone();
        self.find(self.history.len(), false);
    }

    /// Ends the search: the line that was found is the text now.
    pub(in crate::edge::term) fn take_found(&mut self) {
        let Some(Search { found, draft, browsing, .. }) = self.search.take() else { return };
        self.browsing = match found {
            Some(at) => Some((at, browsing.map_or(draft.0, |(_, draft)| draft))),
            None => browsing,
        };
    }

    /// Ends the search: the text is the draft again. Returns whether there was a search.
    pub(in crate::edge::term) fn give_up_search(&mut self) -> bool {
        let Some(Search { draft, browsing, .. }) = self.search.take() else { return false };
        (self.text, self.cursor) = draft;
        self.browsing = browsing;
        true
    }

    /// Finds the newest line that is older than `before` and has the query. With `other`, it must
    /// differ from the present text.
    fn find(&mut self, before: usize, other: bool) {
        let Some(search) = &mut self.search else { return };
        search.is_missing = false;
        if search.query.is_empty() {
            return;
        }
        let is_it = |line: &String| {
            line.contains(&search.query) && !(other && search.found.is_some() && *line == self.text)
        };
        match (0..before).rev().find(|at| self.history.get(*at).is_some_and(is_it)) {
            Some(at) => {
                search.found = Some(at);
                self.text.clone_from(&self.history[at]);
                self.cursor = self.text.rfind(&search.query).unwrap_or(0);
                self.settle();
            }
            None => search.is_missing = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Editor;
    use crate::edge::term::keys::Key;

    fn editor() -> Editor {
        let mut editor = Editor::default();
        for line in ["my parcel is lost", "where is it?", "the parcel!", "the parcel!", "thanks"] {
            editor.insert(line);
            editor.take();
        }
        editor.insert("draft");
        editor
    }

    fn seen(editor: &Editor) -> (String, &str, usize) {
        (editor.search_prompt().unwrap_or_default(), editor.text(), editor.cursor())
    }

    #[test]
    fn each_letter_finds_the_newest_line_and_ctrl_r_an_older_one() {
        let mut editor = editor();
        editor.search();
        assert_eq!(seen(&editor), ("search ''".into(), "draft", 5));
        editor.search_for("par");
        assert_eq!(seen(&editor), ("search 'par'".into(), "the parcel!", 4));
        editor.search_for("c");
        editor.search();
        assert_eq!(seen(&editor), ("search 'parc'".into(), "my parcel is lost", 3));
        editor.search();
        assert_eq!(seen(&editor), ("not found 'parc'".into(), "my parcel is lost", 3));
        for _ in 0..3 {
            editor.shorten_search();
        }
        assert_eq!(seen(&editor), ("search 'p'".into(), "the parcel!", 4));
        editor.shorten_search();
        assert_eq!(seen(&editor), ("search ''".into(), "draft", 5));
        editor.search_for("no such line");
        assert_eq!(seen(&editor), ("not found 'no such line'".into(), "draft", 5));
    }

    #[test]
    fn the_draft_comes_back_after_a_search_or_with_the_down_key() {
        let mut editor = editor();
        editor.press(&Key::Left);
        editor.search();
        editor.search_for("lost");
        assert!(editor.give_up_search());
        assert_eq!((editor.text(), editor.cursor()), ("draft", 4));
        editor.search();
        editor.search_for("lost");
        editor.take_found();
        assert_eq!(seen(&editor), (String::new(), "my parcel is lost", 13));
        for _ in 0..4 {
            editor.press(&Key::Down);
        }
        assert_eq!(editor.text(), "draft");
        assert!(!editor.give_up_search());
    }
}
