//! What a restart finds in the journal.

use super::{Fresh, Marks, OwnEntries, Phase, Session};
use crate::core::clock::Now;
use crate::core::delivery::{Delivery, Idle};
use crate::core::outcome::Outcome;
use crate::core::record::{Story, What};
use crate::wire::{Body, DeskId, Entry, Number, Secret};

impl Session {
    /// A conversation as a restart finds it in the journal; `entry` reads our own entries from
    /// there.
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
        let mut session = Session::new(fresh, story.name.clone(), address, now);
        session.out = Outcome::default();
        session.own = OwnEntries::restore(story.own);
        session.idle = Idle { before: story.idle, since: now.clock, noted: story.idle };
        for (desk, request, acked) in &story.desks {
            let received =
                story.theirs.iter().find(|(of, _)| *of == Some(*desk)).map_or(0, |(_, last)| *last);
            // Of what the journal has, nobody knows what left.
            let delivery = Delivery::restore(*acked, received, story.own);
            *session.desks.meet(*desk) =
                Marks { offered_request: *request, stretch_end: 0, delivery };
        }
        let mut accepts = Vec::new();
        // Where the last stretch ended that a desk may have heard of.
        let mut end = 0;
        for line in &story.controls {
            match &line.what {
                What::Entry(None, entry) if line.own => {
                    session.recall(entry, &accepts);
                    if !session.is_owned_by_desk()
                        && session.is_offered()
                        && session.own.owed() == entry.number
                    {
                        end = entry.number;
                    }
                }
                What::Entry(Some(desk), entry) => accepts.push((*desk, entry.clone())),
                _ => {}
            }
        }
        let acked = session.desks.acked();
        session.is_parting = acked < end;
        session.recover_bot(story, entry)?;
        session.tell_state(None);
        session.seek_desk();
        Ok(session)
    }

    /// What one of our own control entries made of the state, when it was recorded.
    fn recall(&mut self, entry: &Entry, accepts: &[(DeskId, Entry)]) {
        let ends = matches!(
            entry.body,
            Body::Requested { .. }
                | Body::Withdrawn {}
                | Body::HandedBack { .. }
                | Body::Closed { .. }
        );
        if ends {
            self.end_stretch(entry.number);
        }
        match &entry.body {
            Body::Requested { .. } => {
                self.own.set_request(entry.number);
                self.phase = Phase::Queued { position: Default::default() };
            }
            Body::Accepted { of } => {
                let accept = accepts
                    .iter()
                    .find(|(desk, accept)| *desk == of.desk && accept.number == of.number);
                let admin = accept.and_then(|(_, accept)| match &accept.body {
                    Body::Accept { name, .. } => name.clone(),
                    _ => None,
                });
                self.phase = Phase::Active { desk: of.desk, admin };
            }
            Body::Withdrawn {} | Body::HandedBack { .. } => {
                self.phase = Phase::Bot;
                self.own.owe_up_to(entry.number);
            }
            Body::Closed { .. } => {
                if self.phase != Phase::Bot {
                    self.own.owe_up_to(entry.number);
                }
                self.phase = Phase::Closed;
            }
            Body::Refused { .. } if !self.is_owned_by_desk() => self.own.owe_up_to(entry.number),
            _ => {}
        }
    }
}
