//! A desk contradicts what this side remembers: the conversation goes on in a new one, with all
//! that the desk has not acknowledged.
//!
//! Rule: docs/PROTOCOL.md, "What goes on after a fork".

use super::{Fresh, Phase, Session};
use crate::core::clock::Now;
use crate::core::record::Record;
use crate::core::report::CustomerNews;
use crate::wire::{Body, Entry, Number};

impl Session {
    /// The new conversation that takes the place of this one, after
    /// [`Errand::StartOver`](super::Errand::StartOver). `entry` reads our own entries of this
    /// one from the journal. `None` when the customer neither waits for a person nor talks to
    /// one, and when this conversation itself began in this way: a desk that contradicts
    /// everything would have us begin for ever.
    ///
    /// The first `outputs` of the new conversation record all that it has: commit them as one
    /// batch. A process that dies before that finds the old conversation in its journal, one
    /// that dies afterwards the new one.
    ///
    /// # Errors
    /// When an entry cannot be read.
    pub fn start_over<E>(
        &self,
        fresh: Fresh,
        entry: impl Fn(Number) -> Result<Entry, E>,
        now: Now,
    ) -> Result<Option<Session>, E> {
        if !self.is_owned_by_desk() || self.is_second {
            return Ok(None);
        }
        let mut fresh = Session::new(fresh, self.name.clone(), self.address.clone(), now);
        fresh.is_second = true;
        fresh.tell_news(CustomerNews::StartedOver);
        let (transcript, since): (Vec<_>, Vec<_>) =
            self.undelivered().partition(|number| *number < self.own.request());
        for number in transcript {
            fresh.carry(entry(number)?);
        }
        let reason = match entry(self.own.request())?.body {
            Body::Requested { reason } => reason,
            _ => None,
        };
        fresh.request_human(reason, now);
        for number in since {
            fresh.carry(entry(number)?);
        }
        Ok(Some(fresh))
    }

    /// Takes a message over from the former conversation, as it was said there. Controls stay
    /// behind: they speak of what desks did there.
    fn carry(&mut self, Entry { at, body, .. }: Entry) {
        let Body::Message(said) = body else { return };
        let number = self.own.next();
        if self.phase != Phase::Bot {
            self.own.note_line_to_person(number, said.text.len());
        }
        self.tell_own(number, true);
        self.journal(Record::Own(Entry { number, at, body: Body::Message(said) }));
    }
}
