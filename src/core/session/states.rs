//! The changes of state: a person is asked for, a desk's control takes effect or is refused, the
//! bot has the customer again, the conversation ends.
//!
//! Rules: docs/PROTOCOL.md, "States, and who decides".

use super::{Act, Phase, Session};
use crate::core::clock::Now;
use crate::core::delivery::Waited;
use crate::core::outcome::Fact;
use crate::core::record::{Origin, Record};
use crate::core::report::{CustomerNews, Reason, Returned};
use crate::wire::{Asked, Body, DeskId, EndReason, Entry, Number};

impl Session {
    /// The present desk is about to get the request in force. This is journaled before the request
    /// leaves: after a restart this side knows that the desk may have it.
    pub(super) fn offer(&mut self) {
        let request = self.own.request();
        if let Some((desk, marks)) = self.linked_desk() {
            marks.offered_request = request;
            self.journal(Record::Met(desk, request));
        }
    }

    /// The bot or the customer asks for a person. The bot gets no more lines from here on.
    pub(super) fn request_human(&mut self, reason: Option<String>, now: Now) {
        self.discard_bot();
        self.unheard = 0;
        let request = self.record(Body::Requested { reason }, now);
        self.own.set_request(request);
        self.end_stretch(request);
        self.phase = Phase::Queued { position: Default::default() };
        self.tell_state(None);
        self.offer();
        self.seek_desk();
    }

    /// A new entry of the present desk takes effect. It is recorded already.
    pub(super) fn obey(&mut self, desk: DeskId, entry: Entry, now: Now) {
        let of = Asked { desk, number: entry.number };
        match entry.body {
            Body::Message(said) => {
                self.unheard += u32::from(!said.greeting);
                self.tell_said(Origin::Peer(Some(desk)), entry.number, false);
            }
            Body::Accept { request, name } => match self.phase {
                Phase::Queued { .. } if request == self.own.request() => {
                    self.record(Body::Accepted { of }, now);
                    self.phase = Phase::Active { desk, admin: name };
                    self.tell_state(None);
                }
                _ => self.refuse(of, now),
            },
            Body::HandBack { request } if self.is_with(desk, request) => {
                self.record(Body::HandedBack { of }, now);
                self.return_to_bot(Returned::HandedBack);
            }
            Body::Close { request } if self.is_with(desk, request) => {
                self.close(Some(of), EndReason::AdminClosed, now)
            }
            Body::HandBack { .. } | Body::Close { .. } => self.refuse(of, now),
            _ => self.tell_news(CustomerNews::UnknownEntry),
        }
    }

    /// Whether this desk's agent got the conversation for this request, and owns it.
    pub(super) fn is_with(&self, desk: DeskId, request: Number) -> bool {
        matches!(self.phase, Phase::Active { desk: owner, .. } if owner == desk)
            && request == self.own.request()
    }

    /// A desk's control does not fit the state: the answer says why (docs/PROTOCOL.md, "Bodies").
    pub(super) fn refuse(&mut self, of: Asked, now: Now) {
        let why = match self.phase {
            Phase::Bot => "the customer went back to the bot",
            Phase::Queued { .. } => "the customer is waiting again",
            Phase::Active { .. } => "another agent has the customer",
            Phase::Closed => "the customer closed the conversation",
        };
        self.record(Body::Refused { of, why: why.to_owned() }, now);
        if !self.is_owned_by_desk() {
            self.own.owe_up_to(self.own.last());
            self.is_parting = true;
        }
    }

    /// Ends the conversation. `of` is the desk's `close` that this answers, if it answers one.
    pub(super) fn close(&mut self, of: Option<Asked>, reason: EndReason, now: Now) {
        self.discard_bot();
        let was_bot = self.phase == Phase::Bot;
        let number = self.record(Body::Closed { of, reason }, now);
        self.end_stretch(number);
        // What was said to the bot since the last handback stays here. So does its end.
        if !was_bot {
            self.own.owe_up_to(number);
            self.is_parting |= self.is_offered();
        }
        self.phase = Phase::Closed;
        self.tell_state(Some(Reason::Ended(reason)));
        self.rest_if_delivered();
    }

    /// The bot owns the conversation from the entry on that was just recorded.
    pub(super) fn return_to_bot(&mut self, how: Returned) {
        self.own.owe_up_to(self.own.last());
        self.is_parting |= self.is_offered();
        self.end_stretch(self.own.last());
        self.phase = Phase::Bot;
        self.resume_bot(Some(how), self.own.request());
        self.rest_if_delivered();
    }

    /// If an agent has the customer, our entry with this number ends that.
    pub(super) fn end_stretch(&mut self, number: Number) {
        if let Phase::Active { desk: owner, .. } = self.phase
            && let Some(marks) = self.desks.get_mut(owner)
        {
            marks.stretch_end = number;
        }
    }

    /// If the desk has been out of reach for too long, this side gives it up.
    pub(super) fn tick_idle(&mut self, now: Now) {
        match self.idle.tick(now) {
            Waited::TooLong => {
                let owed = self.undelivered();
                if self.phase != Phase::Closed {
                    self.close(None, EndReason::Inactivity, now);
                }
                self.is_parting = false;
                self.rest_if_delivered();
                self.act(Act::Tell(Fact::Undelivered(self.id, owed)));
            }
            Waited::Note(idle) => self.journal(Record::Idle(idle)),
            Waited::On => {}
        }
    }
}
