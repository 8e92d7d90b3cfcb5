//! Who owns the conversation, and up to which number the desk must get our entries.
//!
//! Rules: docs/PROTOCOL.md, "States, and who decides" and "When the user's side dials and hangs
//! up". Each change of state is one method, which a running session and a restart both call.

use crate::wire::{DeskId, Number, State};

/// Who owns the conversation, and which entries the desk must still get. 0 stands for no entry.
pub(super) struct Ownership {
    owner: Owner,
    /// Our latest `requested`.
    request: Number,
    /// Our `requested` by which the bot last lost the conversation.
    handoff: Number,
    /// While no desk owns the conversation, the desk is owed our entries up to this one. Later
    /// entries were said to the bot, and wait for the next handoff.
    owed_up_to: Number,
    /// No desk owns the conversation, but a desk may have had the request that is over. This side
    /// dials that desk until it has acknowledged our entries and sent its own.
    is_parting: bool,
}

enum Owner {
    Bot,
    /// Nobody: the customer waits for an agent.
    Queued,
    /// An agent of this desk.
    Active {
        desk: DeskId,
        agent: Agent,
    },
    /// Nobody: the conversation has ended.
    Closed,
}

/// Which agent of a desk has the customer.
#[derive(PartialEq)]
enum Agent {
    /// An agent.
    There {
        /// The agent's name, if there is one.
        name: Option<Box<str>>,
        /// The agent has asked the customer to be patient.
        is_on_hold: bool,
    },
    /// No agent: the customer waits for another one.
    Left,
}

impl Ownership {
    /// A new conversation: the bot owns it.
    pub(super) fn new() -> Ownership {
        Ownership { owner: Owner::Bot, request: 0, handoff: 0, owed_up_to: 0, is_parting: false }
    }

    /// The state, as both sides name it.
    pub(super) fn state(&self) -> State {
        match self.owner {
            Owner::Bot => State::Bot,
            Owner::Queued => State::Queued,
            Owner::Active { .. } => State::Active,
            Owner::Closed => State::Closed,
        }
    }

    /// The name of the agent who owns the conversation, if one does and gave a name.
    pub(super) fn agent(&self) -> Option<&str> {
        match &self.owner {
            Owner::Active { agent: Agent::There { name, .. }, .. } => name.as_deref(),
            _ => None,
        }
    }

    /// Whether the agent has asked the customer to be patient.
    pub(super) fn is_on_hold(&self) -> bool {
        matches!(self.owner, Owner::Active { agent: Agent::There { is_on_hold: true, .. }, .. })
    }

    /// Whether the customer is with a desk whose agent has left.
    pub(super) fn is_left(&self) -> bool {
        matches!(self.owner, Owner::Active { agent: Agent::Left, .. })
    }

    /// The desk whose agent owns the conversation.
    pub(super) fn desk(&self) -> Option<DeskId> {
        match self.owner {
            Owner::Active { desk, .. } => Some(desk),
            _ => None,
        }
    }

    /// Whether the customer waits for an agent or talks to one.
    pub(super) fn is_with_desk(&self) -> bool {
        matches!(self.owner, Owner::Queued | Owner::Active { .. })
    }

    /// Whether an agent of this desk owns the conversation, by the request with this number.
    pub(super) fn is_active_at(&self, desk: DeskId, request: Number) -> bool {
        self.desk() == Some(desk) && request == self.request
    }

    /// Whether a desk may end the stretch that began with this request: one of its agents owns the
    /// conversation, or nobody does yet.
    pub(super) fn may_end(&self, desk: DeskId, request: Number) -> bool {
        let is_queued = matches!(self.owner, Owner::Queued) && request == self.request;
        is_queued || self.is_active_at(desk, request)
    }

    /// Our latest `requested`.
    pub(super) fn request(&self) -> Number {
        self.request
    }

    /// Our `requested` with which the bot last lost the conversation: the lines after it went to
    /// people.
    pub(super) fn handoff(&self) -> Number {
        self.handoff
    }

    /// Whether the customer waits without having asked for it: they had an agent before.
    pub(super) fn waits_again(&self) -> bool {
        matches!(self.owner, Owner::Queued) && self.request != self.handoff
    }

    /// The number up to which the desk must get our entries. `last` is our highest number.
    pub(super) fn owed(&self, last: Number) -> Number {
        if self.is_with_desk() { last } else { self.owed_up_to }
    }

    /// Whether entries that the desk has not acknowledged count as undelivered.
    pub(super) fn is_owing(&self) -> bool {
        self.needs_desk() || matches!(self.owner, Owner::Closed)
    }

    /// Whether this side needs the desk: it dials the desk, and does not hang up (docs/PROTOCOL.md,
    /// "When the user's side dials and hangs up").
    pub(super) fn needs_desk(&self) -> bool {
        self.is_with_desk() || self.is_parting
    }

    /// Applies our `requested` with this number: the customer waits for an agent.
    pub(super) fn queue(&mut self, number: Number) {
        if !self.is_with_desk() {
            self.handoff = number;
        }
        self.request = number;
        self.owner = Owner::Queued;
    }

    /// Applies our `accepted`: an agent of this desk has the customer.
    pub(super) fn accept(&mut self, desk: DeskId, name: Option<String>) {
        let name = name.map(Into::into);
        self.owner = Owner::Active { desk, agent: Agent::There { name, is_on_hold: false } };
    }

    /// This agent of the desk has the customer now, or (`None`) no agent has. Returns whether that
    /// is a change.
    pub(super) fn change_agent(&mut self, there: Option<(Option<String>, bool)>) -> bool {
        let Owner::Active { agent, .. } = &mut self.owner else { return false };
        let changed = there.map_or(Agent::Left, |(name, is_on_hold)| Agent::There {
            name: name.map(Into::into),
            is_on_hold,
        });
        let former = std::mem::replace(agent, changed);
        former != *agent
    }

    /// Applies our `handed_back` or `withdrawn` with this number: the bot has the customer.
    /// `is_offered` says whether a desk may have the request that this ends.
    pub(super) fn return_to_bot(&mut self, number: Number, is_offered: bool) {
        self.owed_up_to = number;
        self.is_parting |= is_offered;
        self.owner = Owner::Bot;
    }

    /// Applies our `closed` with this number. `is_offered` says whether a desk may have the latest
    /// request.
    pub(super) fn close(&mut self, number: Number, is_offered: bool) {
        // The entries since the last handback, which were said to the bot, are not sent, and
        // neither is the `closed`.
        if !matches!(self.owner, Owner::Bot) {
            self.owed_up_to = number;
            self.is_parting |= is_offered;
        }
        self.owner = Owner::Closed;
    }

    /// Applies our `refused` with this number. The desk is owed it, with all entries before it.
    pub(super) fn refuse(&mut self, number: Number) {
        if !self.is_with_desk() {
            self.owed_up_to = number;
            self.is_parting = true;
        }
    }

    /// Ends the parting: everything is delivered, or this side has given the desk up. Returns
    /// whether there was a parting to end.
    pub(super) fn end_parting(&mut self) -> bool {
        std::mem::take(&mut self.is_parting)
    }

    /// After a restart: whether the desk must still learn that its talk with the customer ended.
    pub(super) fn restore_parting(&mut self, is_parting: bool) {
        self.is_parting = is_parting;
    }
}
