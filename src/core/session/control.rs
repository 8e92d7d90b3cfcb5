//! The changes of state: a request for a person, a desk's control that takes effect or is refused,
//! the way back to the bot, and the end of the conversation.
//!
//! Rules: docs/PROTOCOL.md, "States, and who decides". This side decides: each change is an entry
//! of its own.

use super::{Act, Session};
use crate::core::clock::Now;
use crate::core::department::{Language, Need};
use crate::core::outcome::Fact;
use crate::core::record::{Origin, Record};
use crate::core::reply::Handoff;
use crate::core::report::{CustomerNews, Reason, Returned, why_refused};
use crate::wire::{Asked, Body, DeskId, EndReason, Entry, Number, Request, State};

impl Session {
    /// The bot or the customer asks for a person. The bot gets no more lines from here on
    /// (docs/RASA.md, "Handing over").
    pub(super) fn request_human(&mut self, handoff: Handoff, now: Now) {
        self.bot.discard(&mut self.output);
        let Handoff { reason, mut need } = handoff;
        // The bot knows the customer's language better than their browser does.
        let page = self.visit.as_ref().and_then(|visit| visit.page.language.as_deref());
        need.language = need.language.or_else(|| Language::new(page?));
        self.keep_need(need);
        self.request(reason, None, now);
    }

    /// Keeps the department and the language of our latest request.
    pub(super) fn keep_need(&mut self, need: Need) {
        self.need = (!need.is_empty()).then(|| Box::new(need));
    }

    /// No agent of the desk has the customer any more, so they wait again. `of` is the desk's
    /// `requeue` that this answers, if it answers one.
    pub(super) fn request_again(&mut self, of: Option<Asked>, now: Now) {
        self.request(None, of, now);
    }

    fn request(&mut self, reason: Option<String>, of: Option<Asked>, now: Now) {
        self.unheard = 0;
        let need = self.need.as_deref().cloned().unwrap_or_default();
        let department = need.department.map(|department| department.as_str().into());
        let language = need.language.map(|language| language.as_str().into());
        let request = Request { reason, department, language, of };
        let request = self.output.record(Body::Requested(request), now);
        self.end_stretch(request);
        self.ownership.queue(request);
        self.position.begin();
        self.tell_state(None);
        self.offer();
        self.seek_desk();
    }

    /// If a desk is connected, it is about to get our latest request. This is journaled before the
    /// request leaves, so that after a restart this side knows that the desk may have it.
    pub(super) fn offer(&mut self) {
        let request = self.ownership.request();
        if let Some((_, desk, _)) = self.connected_desk() {
            self.desks.offer(request);
            self.output.journal(Record::Met(desk, request));
        }
    }

    /// A new entry of the present desk takes effect. The entry is recorded already.
    pub(super) fn obey(&mut self, desk: DeskId, entry: Entry, now: Now) {
        let of = Asked { desk, number: entry.number };
        match entry.body {
            Body::Message(said) => {
                self.unheard += u32::from(!said.greeting);
                self.typing.stop();
                self.output.show_said(Origin::Peer(Some(desk)), entry.number, false);
            }
            Body::Accept { request, name }
                if self.state() == State::Queued && request == self.ownership.request() =>
            {
                self.output.record(Body::Accepted { of }, now);
                self.ownership.accept(desk, name);
                self.tell_state(None);
            }
            Body::HandBack { request } if self.ownership.may_end(desk, request) => {
                self.output.record(Body::HandedBack { of }, now);
                self.return_to_bot(Returned::HandedBack);
            }
            Body::Close { request } if self.ownership.may_end(desk, request) => {
                self.close(Some(of), EndReason::AdminClosed, now)
            }
            Body::Requeue { request } if self.ownership.is_active_at(desk, request) => {
                self.output.tell_news(CustomerNews::AgentLeft);
                self.request_again(Some(of), now);
            }
            Body::Accept { .. }
            | Body::HandBack { .. }
            | Body::Close { .. }
            | Body::Requeue { .. } => self.refuse(of, now),
            _ => self.output.tell_news(CustomerNews::UnknownEntry),
        }
    }

    /// Answers a desk's control that does not fit the state, and says why.
    fn refuse(&mut self, of: Asked, now: Now) {
        let why = why_refused(self.state()).to_owned();
        let number = self.output.record(Body::Refused { of, why }, now);
        self.ownership.refuse(number);
    }

    /// Ends the conversation. `of` is the desk's `close` that this answers, if it answers one.
    pub(super) fn close(&mut self, of: Option<Asked>, reason: EndReason, now: Now) {
        self.bot.discard(&mut self.output);
        let number = self.output.record(Body::Closed { of, reason }, now);
        self.end_stretch(number);
        self.ownership.close(number, self.is_offered());
        self.tell_state(Some(Reason::Ended(reason)));
        self.rest_if_delivered();
    }

    /// From our latest entry on, the bot owns the conversation. A return tells it so before the
    /// next question (docs/RASA.md, "Handing back").
    pub(super) fn return_to_bot(&mut self, how: Returned) {
        let number = self.output.last();
        self.end_stretch(number);
        self.ownership.return_to_bot(number, self.is_offered());
        self.bot.resume(Some(how), self.ownership.handoff(), &mut self.output);
        self.rest_if_delivered();
    }

    /// If an agent has the customer, our entry with this number ends that.
    pub(super) fn end_stretch(&mut self, number: Number) {
        self.typing.stop();
        if let Some(desk) = self.ownership.desk() {
            self.desks.end_stretch(desk, number);
        }
    }

    /// Whether any desk may have the latest request.
    pub(super) fn is_offered(&self) -> bool {
        self.desks.is_offered(self.ownership.request())
    }

    /// Ends the conversation if the desk was out of reach, or the customer not there, for too long.
    pub(super) fn tick_idle(&mut self, now: Now) {
        if !self.output.is_idle_for_too_long(now) {
            return;
        }
        let owed = self.undelivered();
        if self.state() != State::Closed {
            self.close(None, EndReason::Inactivity, now);
        }
        self.ownership.end_parting();
        self.rest_if_delivered();
        self.output.act(Act::Tell(Fact::Undelivered(self.id(), owed)));
    }
}
