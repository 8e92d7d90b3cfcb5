//! A conversation as a restart would find it, of records in memory: what the journal on the disk
//! makes of them.

use std::time::Duration;

use handoff::core::record::{Line, Record, Returning, Story, What};
use handoff::wire::{Body, ConversationId, DeskId, Entry};

/// The story of one conversation, of its records and their places in the commit order.
pub fn story<'a>(
    id: ConversationId,
    records: impl IntoIterator<Item = (usize, &'a Record)>,
) -> Story {
    let mut story = Story {
        id,
        secret: [0; 32],
        name: None,
        ordinal: 1,
        own: 0,
        typed: 0,
        held: 0,
        delivered: 0,
        theirs: Vec::new(),
        idle: Duration::ZERO,
        asking: None,
        returning: Returning::Done,
        desks: Vec::new(),
        controls: Vec::new(),
    };
    for (place, record) in records {
        let mut control = |own: bool, desk: Option<DeskId>, entry: &Entry| {
            if !matches!(entry.body, Body::Message(_)) {
                let what = What::Entry(desk, entry.clone());
                story.controls.push(Line { place: place as u64, own, what });
            }
        };
        match record {
            Record::Begun { secret, name } => (story.secret, story.name) = (*secret, name.clone()),
            Record::Own(entry) => {
                control(true, None, entry);
                (story.own, story.idle) = (entry.number, Duration::ZERO);
                if matches!(entry.body, Body::Message(_)) {
                    story.typed = entry.number;
                }
            }
            Record::Theirs(desk, entry) => {
                control(false, *desk, entry);
                story.theirs.retain(|(of, _)| of != desk);
                story.theirs.push((*desk, entry.number));
                story.idle = Duration::ZERO;
            }
            Record::Asking(number) => story.asking = *number,
            Record::Returning(how) => story.returning = *how,
            Record::Met(desk, request) => {
                let acked =
                    story.desks.iter().find(|(of, ..)| of == desk).map_or(0, |(.., acked)| *acked);
                story.desks.retain(|(of, ..)| of != desk);
                story.desks.push((*desk, *request, acked));
            }
            Record::Acked(desk, number) => {
                story
                    .desks
                    .iter_mut()
                    .filter(|(of, ..)| of == desk)
                    .for_each(|known| known.2 = *number);
            }
            Record::Delivered(number) => story.delivered = *number,
            Record::Held(number) => story.held = *number,
            Record::Moved { from, by } => {
                let numbers = story.controls.iter_mut().filter(|line| line.own).map(|line| {
                    match &mut line.what {
                        What::Entry(_, entry) => &mut entry.number,
                        What::Note(_) => unreachable!("a note is no control"),
                    }
                });
                let moved = numbers
                    .chain([&mut story.own, &mut story.typed])
                    .filter(|number| **number >= *from);
                moved.for_each(|number| *number += by);
            }
            Record::Idle(idle) => story.idle = *idle,
            Record::Note(_) | Record::Focus => {}
        }
    }
    story.own = story.own.max(story.held);
    story
}
