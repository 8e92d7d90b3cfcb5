//! The journal of `--ephemeral`, of the model and of the fuzz targets: in memory, gone with the
//! process.
//!
//! What a restart would find is folded as it comes (`Story::apply`). Entries and notes are kept as
//! text, which takes a fraction of what they take as values.

use std::collections::HashMap;

use crate::core::record::{Batch, Committed, Line, Offset, Record, Restart, Story, What};
use crate::wire::{Body, ConversationId, DeskId, Entry, Number};

#[derive(Default)]
pub(super) struct Memory {
    conversations: HashMap<ConversationId, Kept>,
    /// In the order they were begun.
    order: Vec<ConversationId>,
    focus: Option<ConversationId>,
    /// How many entries and notes there are.
    count: u64,
}

struct Kept {
    /// Its controls are among the lines.
    story: Story,
    lines: Vec<Stored>,
    /// Where our own entries are in `lines`. Numbers that a customer alone holds are left out.
    own: Vec<u32>,
}

/// An entry or a note.
struct Stored {
    offset: Offset,
    origin: Origin,
    is_control: bool,
    number: Number,
    at: u64,
    /// The body as JSON, or the note.
    text: Box<str>,
}

#[derive(Clone, Copy, PartialEq)]
enum Origin {
    Own,
    Theirs(Option<DeskId>),
    Note,
}

impl Memory {
    pub(super) fn commit(&mut self, batch: Batch) -> Vec<Committed> {
        let before = self.count;
        for (id, record) in &batch {
            self.add(*id, record);
        }
        Committed::of(batch, (before + 1..=self.count).map(Offset))
    }

    fn add(&mut self, id: ConversationId, record: &Record) {
        let order = &mut self.order;
        let kept = self.conversations.entry(id).or_insert_with(|| {
            order.push(id);
            let story = Story::new(id, order.len() as u32);
            Kept { story, lines: Vec::new(), own: Vec::new() }
        });
        let offset = Offset(self.count + 1);
        kept.story.apply(offset, record);
        kept.story.controls = Vec::new();
        let stored = match record {
            Record::Own(entry) => {
                kept.own.push(kept.lines.len() as u32);
                Stored::entry(offset, Origin::Own, entry)
            }
            Record::Theirs(desk, entry) => Stored::entry(offset, Origin::Theirs(*desk), entry),
            Record::Note(note) => Stored {
                offset,
                origin: Origin::Note,
                is_control: false,
                number: 0,
                at: 0,
                text: note.as_str().into(),
            },
            Record::Moved { from, by } => return kept.move_from(*from, *by),
            Record::Focus => return self.focus = Some(id),
            _ => return,
        };
        kept.lines.push(stored);
        self.count += 1;
    }

    pub(super) fn own(&self, id: ConversationId, number: Number) -> Option<Entry> {
        let kept = self.conversations.get(&id)?;
        let number_of = |at: &u32| kept.lines[*at as usize].number;
        let found = kept.own.binary_search_by_key(&number, number_of).ok()?;
        Some(kept.lines[kept.own[found] as usize].to_entry())
    }

    pub(super) fn theirs(
        &self,
        id: ConversationId,
        desk: Option<DeskId>,
        number: Number,
    ) -> Option<Entry> {
        let is_it = |line: &&Stored| line.origin == Origin::Theirs(desk) && line.number == number;
        let lines = &self.conversations.get(&id)?.lines;
        lines.iter().rev().find(is_it).map(Stored::to_entry)
    }

    pub(super) fn lines(&self, id: ConversationId, after: Offset) -> Vec<Line> {
        let Some(kept) = self.conversations.get(&id) else { return Vec::new() };
        let from = kept.lines.partition_point(|line| line.offset <= after);
        kept.lines[from..].iter().map(Stored::to_line).collect()
    }

    pub(super) fn offset_of(&self, id: ConversationId, own: Number) -> Option<Offset> {
        let is_it = |line: &&Stored| line.origin == Origin::Own && line.number == own;
        self.conversations.get(&id)?.lines.iter().rev().find(is_it).map(|line| line.offset)
    }

    pub(super) fn conversation(&self, ordinal: u32) -> Option<ConversationId> {
        self.order.get((ordinal as usize).checked_sub(1)?).copied()
    }

    pub(super) fn names(&self) -> Vec<(u32, ConversationId, Option<String>)> {
        let name = |id: &ConversationId| {
            let story = &self.conversations[id].story;
            (story.ordinal, *id, story.name.clone())
        };
        self.order.iter().map(name).collect()
    }

    pub(super) fn story(&self, id: ConversationId) -> Option<Story> {
        self.conversations.get(&id).map(Kept::to_story)
    }

    pub(super) fn restart(&self) -> Restart {
        let stories = self.order.iter().map(|id| self.conversations[id].to_story());
        Restart {
            stories: stories.filter(|story| !story.is_over()).collect(),
            focus: self.focus,
            begun: self.order.len() as u32,
        }
    }
}

impl Kept {
    fn move_from(&mut self, from: Number, by: Number) {
        for at in &self.own {
            let line = &mut self.lines[*at as usize];
            if line.number >= from {
                line.number += by;
            }
        }
    }

    fn to_story(&self) -> Story {
        let controls = self.lines.iter().filter(|line| line.is_control).map(Stored::to_line);
        Story { controls: controls.collect(), ..self.story.clone() }
    }
}

impl Stored {
    fn entry(offset: Offset, origin: Origin, entry: &Entry) -> Stored {
        let text = serde_json::to_string(&entry.body).expect("a body has string keys");
        let is_control = !matches!(entry.body, Body::Message(_));
        Stored { offset, origin, is_control, number: entry.number, at: entry.at, text: text.into() }
    }

    fn to_entry(&self) -> Entry {
        let body = serde_json::from_str(&self.text).expect("it was a body that became this text");
        Entry { number: self.number, at: self.at, body }
    }

    fn to_line(&self) -> Line {
        let what = match self.origin {
            Origin::Own => What::Entry(None, self.to_entry()),
            Origin::Theirs(desk) => What::Entry(desk, self.to_entry()),
            Origin::Note => What::Note(self.text.to_string()),
        };
        let own = !matches!(self.origin, Origin::Theirs(_));
        Line { offset: self.offset, own, what }
    }
}
