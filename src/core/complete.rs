//! What the Tab key adds to a command: the rest of the command's name, or of a name after it.

use unicode_segmentation::UnicodeSegmentation;

use super::text::is_same;

/// What a command takes as its first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing that can be completed.
    Nothing,
    /// A customer's name or number.
    Customer,
    /// An agent's name, `queue`, or a department.
    TransferTarget,
    /// The name of a canned reply.
    Reply,
}

/// The commands of the customer's side.
pub const USER: [(&str, Takes); 10] = [
    ("again", Takes::Nothing),
    ("bot", Takes::Nothing),
    ("end", Takes::Nothing),
    ("help", Takes::Nothing),
    ("history", Takes::Nothing),
    ("human", Takes::Nothing),
    ("json", Takes::Nothing),
    ("new", Takes::Nothing),
    ("quit", Takes::Nothing),
    ("wait", Takes::Nothing),
];

/// The commands of the desk.
pub const ADMIN: [(&str, Takes); 29] = [
    ("accept", Takes::Customer),
    ("agents", Takes::Nothing),
    ("away", Takes::Nothing),
    ("block", Takes::Nothing),
    ("close", Takes::Nothing),
    ("decline", Takes::Customer),
    ("find", Takes::Nothing),
    ("handback", Takes::Nothing),
    ("help", Takes::Nothing),
    ("here", Takes::Nothing),
    ("history", Takes::Customer),
    ("hold", Takes::Nothing),
    ("json", Takes::Nothing),
    ("list", Takes::Nothing),
    ("next", Takes::Nothing),
    ("note", Takes::Nothing),
    ("quit", Takes::Nothing),
    ("r", Takes::Reply),
    ("resume", Takes::Nothing),
    ("say", Takes::Nothing),
    ("switch", Takes::Customer),
    ("tag", Takes::Nothing),
    ("take", Takes::Customer),
    ("transfer", Takes::TransferTarget),
    ("unblock", Takes::Nothing),
    ("undo", Takes::Nothing),
    ("untag", Takes::Nothing),
    ("wait", Takes::Nothing),
    ("watch", Takes::Customer),
];

/// The result of the Tab key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// The text for the line, at its end.
    pub insert: String,
    /// The ways in which the line can go on, if there are several.
    pub choices: Vec<String>,
}

/// Completes a command of which `line` has been typed. `names` gives the names that commands take.
///
/// ```
/// use handoff::core::complete::{ADMIN, Takes, complete};
///
/// let names = |takes| match takes {
///     Takes::Customer => vec!["Ann".to_owned(), "Anna".to_owned(), "Bob".to_owned()],
///     _ => Vec::new(),
/// };
/// assert_eq!(complete("/acc", &ADMIN, names).insert, "ept ");
/// assert_eq!(complete("/accept b", &ADMIN, names).insert, "ob");
/// let several = complete("/accept a", &ADMIN, names);
/// assert_eq!((several.insert.as_str(), several.choices.len()), ("nn", 2));
/// ```
pub fn complete(
    line: &str,
    commands: &[(&str, Takes)],
    names: impl Fn(Takes) -> Vec<String>,
) -> Completion {
    let Some(command) = line.strip_prefix('/') else { return Completion::default() };
    match command.split_once(' ') {
        None => {
            let all = commands.iter().map(|(name, _)| (*name).to_owned());
            let mut completion = among(command, all.collect());
            let whole = format!("{command}{}", completion.insert);
            let takes = commands.iter().find(|(name, _)| *name == whole).map(|(_, takes)| *takes);
            let is_whole = completion.choices.is_empty();
            if is_whole && takes.is_some_and(|takes| takes != Takes::Nothing) {
                completion.insert.push(' ');
            }
            completion
        }
        Some((name, begun)) => {
            let takes = commands.iter().find(|(known, _)| *known == name).map(|(_, takes)| *takes);
            let takes = takes.filter(|takes| *takes != Takes::Nothing);
            takes.map_or_else(Completion::default, |takes| among(begun.trim_start(), names(takes)))
        }
    }
}

/// Completes a name that begins with `begun`, in any letter case.
fn among(begun: &str, names: Vec<String>) -> Completion {
    let fitting = names.into_iter().filter_map(|name| Some((rest(&name, begun)?.to_owned(), name)));
    let (rests, names): (Vec<_>, Vec<_>) = fitting.unzip();
    let first = rests.first().cloned().unwrap_or_default();
    let insert = rests.iter().skip(1).fold(first, |shared, rest| common(&shared, rest));
    Completion { insert, choices: if names.len() > 1 { names } else { Vec::new() } }
}

/// The rest of a name after this beginning.
fn rest<'a>(name: &'a str, begun: &str) -> Option<&'a str> {
    if begun.is_empty() {
        return Some(name);
    }
    let ends = name.grapheme_indices(true).map(|(at, letter)| at + letter.len());
    ends.into_iter().find(|end| is_same(&name[..*end], begun)).map(|end| &name[end..])
}

/// The longest common beginning of two texts, in whole letters.
fn common(one: &str, other: &str) -> String {
    let shared = one.graphemes(true).zip(other.graphemes(true));
    shared.take_while(|(one, other)| one == other).map(|(letter, _)| letter).collect()
}

#[cfg(test)]
mod tests {
    use super::{ADMIN, Completion, Takes, USER, complete};
    use crate::core::command::{Admin, User};

    fn desk(line: &str) -> Completion {
        complete(line, &ADMIN, |takes| match takes {
            Takes::Customer => vec!["Zoë".to_owned(), "Mary Ann".to_owned()],
            Takes::TransferTarget => vec!["robin".to_owned(), "queue".to_owned()],
            _ => Vec::new(),
        })
    }

    #[test]
    fn tab_adds_what_is_certain_and_lists_what_is_not() {
        assert_eq!(desk("/tr").insert, "ansfer ");
        assert_eq!(desk("/transfer r").insert, "obin");
        assert_eq!(desk("/switch zo").insert, "ë");
        assert_eq!(desk("/switch mary ").insert, "Ann");
        let several = desk("/a");
        assert_eq!((several.insert.as_str(), several.choices.len()), ("", 3));
        assert_eq!(desk("/note hel"), Completion::default());
        assert_eq!(desk("/nothing"), Completion::default());
        assert_eq!(desk("hello"), Completion::default());
    }

    #[test]
    fn every_command_that_tab_knows_exists() {
        let is_unknown = |error: String| error.contains("there is no command");
        for (name, _) in ADMIN {
            assert!(!Admin::parse(&format!("/{name}")).is_err_and(is_unknown), "{name}");
        }
        for (name, _) in USER {
            assert!(!User::parse(&format!("/{name}")).is_err_and(is_unknown), "{name}");
        }
    }
}
