//! Starting over, because a desk contradicts this side's journal: a new conversation replaces this
//! one, with all messages that the desk has not acknowledged.
//!
//! Rule: docs/PROTOCOL.md, "Delivery", After a fork.

use super::{Fresh, Session};
use crate::core::clock::Now;
use crate::core::reply::Handoff;
use crate::core::report::CustomerNews;
use crate::wire::{Body, Entry, Number};

impl Session {
    /// The new conversation that replaces this one, after
    /// [`Errand::StartOver`](super::Errand::StartOver). `entry` reads our own entries of this one
    /// from the journal.
    ///
    /// `None` when the customer neither waits for a person nor talks to one. Also `None` when this
    /// conversation itself began in this way: otherwise a desk that contradicts every conversation
    /// would cause new ones without end.
    ///
    /// The first `outcome` of the new conversation has all its records: commit them as one batch. A
    /// process that dies before that commit has the old conversation in its journal, a process that
    /// dies later the new one.
    ///
    /// # Errors
    /// When an entry cannot be read.
    pub fn start_over<E>(
        &self,
        fresh: Fresh,
        entry: impl Fn(Number) -> Result<Entry, E>,
        now: Now,
    ) -> Result<Option<Session>, E> {
        if !self.ownership.is_with_desk() || self.is_second {
            return Ok(None);
        }
        let name = self.name.as_deref().map(str::to_owned);
        let mut session = Session::new(fresh, name, self.address.to_string(), now);
        session.is_second = true;
        session.visit = self.visit.clone();
        session.is_here = self.is_here;
        session.output.tell_news(CustomerNews::StartedOver);
        let request = self.ownership.request();
        let (transcript, since): (Vec<_>, Vec<_>) =
            self.undelivered().partition(|number| *number < request);
        for number in transcript {
            session.carry(entry(number)?);
        }
        let handoff = match entry(request)?.body {
            Body::Requested(request) => Handoff::of(&request),
            _ => Handoff::default(),
        };
        session.request_human(handoff, now);
        for number in since {
            session.carry(entry(number)?);
        }
        Ok(Some(session))
    }

    /// Takes over a message of the former conversation unchanged. Controls are not taken over,
    /// because they belong to what desks did in that conversation.
    fn carry(&mut self, former: Entry) {
        let Body::Message(said) = &former.body else { return };
        let bytes = said.text.len();
        let number = self.output.carry(former);
        if self.ownership.is_with_desk() {
            self.outbox.push(number, bytes);
        }
    }
}
