//! Streams of a customer's events, and pages of former events, which are read from the journal.

use crate::core::clock::Now;
use crate::core::customer::CustomerId;
use crate::core::gateway::{Event, EventId, LATEST, Present, Reader, Replay};
use crate::core::http::Request;
use crate::core::session::Session;
use crate::edge::clock;
use crate::mode::around;
use crate::turn::keeper::Stop;
use crate::wire::{Conn, ConversationId};

use super::Web;
use super::browsers::{Answer, Carries};
use super::routes::Caller;
use super::world::admin_of;

impl Web {
    /// Opens a stream of a customer's events.
    pub(super) fn open_stream(
        &mut self,
        conn: Conn,
        Caller { customer, token }: Caller,
        request: &Request,
        now: Now,
    ) -> Result<(), Stop> {
        let Some(conversation) = self.edges.gateway.present(customer) else { return Ok(()) };
        self.take_up(conversation)?;
        self.sessions.watch(conversation);
        let is_json = request.header("accept").is_some_and(|it| it.contains("application/json"));
        let (reader, carries) = match is_json {
            true => (Reader::Held, Carries::Held),
            false => (Reader::Events, Carries::Events),
        };
        let after = request.query_value("after").or(request.header("last-event-id"));
        let replay = self.edges.gateway.replay(customer, after.and_then(EventId::parse));
        let events = self.events(customer, &replay, usize::MAX)?;
        let tag = request.query_value("now").and_then(|tag| u64::from_str_radix(tag, 16).ok());
        let spoken = self.sessions.get(conversation);
        let Some(session) = spoken.or(self.silent_customers.session(conversation)) else {
            return Ok(());
        };
        let origin = self.origins.of_api_page(request);
        self.edges.browsers.carry(conn, (carries, origin), self.edges.peers.net());
        let present = Present::of(session);
        let (told, events) = ((&present, tag.unwrap_or(0)), (&replay, &events[..]));
        self.edges.gateway.open(conn, (customer, token), reader, events, told, now);
        Ok(())
    }

    /// A connection is gone.
    pub(super) fn stream_closed(&mut self, conn: Conn, now: Now) {
        if let Some(customer) = self.edges.gateway.closed(conn, now) {
            self.stream_ended(customer);
        }
    }

    /// A stream of this customer has ended: the session need not stay in memory for it.
    pub(super) fn stream_ended(&mut self, customer: CustomerId) {
        if !self.edges.gateway.is_watched(customer)
            && let Some(conversation) = self.edges.gateway.present(customer)
        {
            self.sessions.unwatch(conversation);
            let is_unspoken = self.silent_customers.session(conversation).is_some();
            if self.sessions.get(conversation).is_none() && !is_unspoken {
                self.edges.gateway.forget(customer);
            }
        }
    }

    /// Answers with the customer's events before a given one.
    pub(super) fn former_events(
        &mut self,
        customer: CustomerId,
        before: u64,
    ) -> Result<Answer, Stop> {
        let replay = self.edges.gateway.page(customer, before);
        let most = before.saturating_sub(replay.first).min(LATEST);
        let mut list = Vec::new();
        let most = usize::try_from(most).unwrap_or(0);
        for event in self.events(customer, &replay, most)? {
            event.write_to_list(&mut list);
        }
        let more = replay.first > 1;
        let end = format!("],\"more\":{more}}}");
        Ok(Answer::json(200, [b"{\"events\":[", &*list, end.as_bytes()].concat()))
    }

    /// Reads the first events of a stream.
    fn events(
        &self,
        customer: CustomerId,
        replay: &Replay,
        most: usize,
    ) -> Result<Vec<Event>, Stop> {
        let journal = &self.edges.keeper.journal;
        let (mut events, mut number) = (Vec::new(), replay.first);
        let mut left = most;
        for (conversation, skipped) in &replay.parts {
            for line in journal.entries(*conversation, *skipped, left.min(i64::MAX as usize))? {
                let admin = |of| admin_of(journal, *conversation, of);
                let at = (customer, number);
                events.extend(self.edges.gateway.event(at, *conversation, &line, None, admin));
                number += 1;
                left -= 1;
            }
        }
        Ok(events)
    }

    /// Takes a session into memory, if it is not there.
    pub(super) fn take_up(&mut self, id: ConversationId) -> Result<(), Stop> {
        if self.sessions.get(id).is_some() || self.silent_customers.session(id).is_some() {
            return Ok(());
        }
        let journal = &self.edges.keeper.journal;
        let Some(story) = journal.story(id)? else { return Ok(()) };
        let session = Session::restore(
            &story,
            self.edges.desk.address.clone(),
            around::seed().map_err(Stop::Broken)?,
            |number| journal.own(id, number),
            clock::now(),
        )?;
        self.sessions.insert(session);
        Ok(())
    }
}
