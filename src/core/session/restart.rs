//! Restores a session from the journal, after a restart of the program.

use super::output::Output;
use super::{Fresh, Session};
use crate::core::clock::Now;
use crate::core::delivery::Delivery;
use crate::core::department::Need;
use crate::core::record::{Story, What};
use crate::wire::{Body, DeskId, Entry, Number, Secret, State};

impl Session {
    /// The session of a story. `entry` reads our own entries from the journal.
    ///
    /// # Errors
    /// When an entry cannot be read.
    pub fn restore<E>(
        story: &Story,
        address: String,
        seed: u64,
        entry: impl Fn(Number) -> Result<Entry, E>,
        now: Now,
    ) -> Result<Session, E> {
        let fresh = Fresh { id: story.id, secret: Secret::new(story.secret), seed };
        let output = Output::restore(story, now);
        let mut session = Session::with(output, fresh, story.name.clone(), address, now);
        session.recall_desks(story);
        session.recall_controls(story);
        let is_with_bot = session.state() == State::Bot;
        session.bot.recover(story, is_with_bot, entry, &mut session.output)?;
        session.tell_state(None);
        session.seek_desk();
        Ok(session)
    }

    /// Restores the desks that the journal names. The journal does not say which of our entries
    /// were sent to them, so all count as sent.
    fn recall_desks(&mut self, story: &Story) {
        for (desk, request, acked) in &story.desks {
            let received =
                story.theirs.iter().find(|(of, _)| *of == Some(*desk)).map_or(0, |(_, last)| *last);
            self.desks.restore(*desk, *request, Delivery::restore(*acked, received, story.own));
        }
    }

    /// Repeats the changes of state that the journal has.
    fn recall_controls(&mut self, story: &Story) {
        let mut accepts = Vec::new();
        // The entry up to which the present desk must get our entries, since its talk with the
        // customer ended.
        let mut end = 0;
        for line in &story.controls {
            match &line.what {
                What::Entry(None, entry) if line.own => {
                    self.recall(entry, &accepts);
                    let is_end = !self.ownership.is_with_desk() && self.owed() == entry.number;
                    if is_end && self.is_offered() {
                        end = entry.number;
                    }
                }
                What::Entry(Some(desk), entry) => accepts.push((*desk, entry)),
                _ => {}
            }
        }
        self.ownership.restore_parting(self.desks.acked() < end);
    }

    /// Repeats the change of state of one of our own controls.
    fn recall(&mut self, entry: &Entry, accepts: &[(DeskId, &Entry)]) {
        let number = entry.number;
        match &entry.body {
            Body::Requested(request) => {
                self.keep_need(Need::of(request));
                self.end_stretch(number);
                self.ownership.queue(number);
            }
            Body::Accepted { of } => {
                let is_asked = |(desk, accept): &&(DeskId, &Entry)| {
                    *desk == of.desk && accept.number == of.number
                };
                let agent = accepts.iter().find(is_asked).and_then(|(_, accept)| {
                    let Body::Accept { name, .. } = &accept.body else { return None };
                    name.clone()
                });
                self.ownership.accept(of.desk, agent);
            }
            Body::Withdrawn {} | Body::HandedBack { .. } => {
                self.end_stretch(number);
                self.ownership.return_to_bot(number, false);
            }
            Body::Closed { .. } => {
                self.end_stretch(number);
                self.ownership.close(number, false);
            }
            Body::Refused { .. } => self.ownership.refuse(number),
            _ => {}
        }
    }
}
