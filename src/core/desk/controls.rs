//! What the controls of one customer say: who owns the conversation, and which control of this desk
//! has no answer yet.
//!
//! Rules: docs/PROTOCOL.md, "Bodies" and "States, and who decides".

use crate::core::department::{Department, Need};
use crate::core::report::{Elsewhere, Reason, Returned};
use crate::wire::{Asked, Body, DeskId, EndReason, Entry, Number, State};

use super::AFTER_CLOSED_MAX;
use super::team::SeatId;

/// Who owns a conversation, and how the former owner lost it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The bot, which got the customer back in this way.
    Bot(Returned),
    /// Nobody: the customer waits at this desk.
    Queued,
    /// The agent of this desk.
    Active,
    /// What the agent of another desk did with the customer, as the customer's side says.
    Elsewhere(Elsewhere),
    /// Nobody: the conversation ended for this reason.
    Closed(EndReason),
}

impl Phase {
    /// Before the first control the bot owns the conversation.
    pub(super) const FIRST: Phase = Phase::Bot(Returned::HandedBack);

    /// Whether the customer waits at this desk or talks with its agent.
    pub(super) fn is_with_desk(self) -> bool {
        matches!(self, Phase::Queued | Phase::Active)
    }

    /// The same as a state of the wire.
    pub(super) fn state(self) -> State {
        match self {
            Phase::Bot(_) => State::Bot,
            Phase::Queued => State::Queued,
            Phase::Active => State::Active,
            Phase::Elsewhere(Elsewhere::ClosedElsewhere) | Phase::Closed(_) => State::Closed,
            Phase::Elsewhere(_) => State::Bot,
        }
    }
}

/// A control of this desk without its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    /// The control's number.
    pub(super) number: Number,
    /// What the control asks for.
    pub(super) ask: Ask,
}

/// What a control of this desk asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// To get the customer.
    Accept {
        /// The seat that asked; `None`: the desk by itself, for every customer or to end it.
        by: Option<SeatId>,
    },
    /// To give the customer back to the bot.
    HandBack,
    /// To close the conversation.
    Close,
    /// To let the customer wait again, because their agent has left.
    Requeue,
}

impl Ask {
    /// What this entry of the desk asks for, if it is a control.
    fn of(body: &Body) -> Option<Ask> {
        match body {
            Body::Accept { .. } => Some(Ask::Accept { by: Some(SeatId::TERMINAL) }),
            Body::HandBack { .. } => Some(Ask::HandBack),
            Body::Close { .. } => Some(Ask::Close),
            Body::Requeue { .. } => Some(Ask::Requeue),
            _ => None,
        }
    }

    /// Whether this body is the kind of answer that the control asks for (docs/PROTOCOL.md,
    /// "Bodies").
    fn is_answered_by(self, body: &Body) -> bool {
        matches!(
            (self, body),
            (Ask::Accept { .. }, Body::Accepted { .. })
                | (Ask::HandBack, Body::HandedBack { .. })
                | (Ask::Close, Body::Closed { .. })
                | (Ask::Requeue, Body::Requested { .. })
        )
    }
}

/// What the controls of one conversation say.
pub(super) struct Controls {
    phase: Phase,
    /// The number of the customer's latest `requested`; 0 before the first.
    request: Number,
    /// The reason that this `requested` gave.
    reason: Option<Box<str>>,
    /// The department and the language that it named.
    need: Need,
    /// The department to which an agent sent the customer. It counts in place of the one that the
    /// `requested` named, until the customer asks anew.
    sent_to: Option<Department>,
    /// The number of the customer's `closed`; 0 before it.
    end: Number,
    /// This desk's control that has no answer yet.
    pending_control: Option<Pending>,
    /// The control that the customer's latest control answered or voided.
    answered_control: Option<Pending>,
}

impl Controls {
    /// Before the first control.
    pub(super) fn new() -> Controls {
        Controls {
            phase: Phase::FIRST,
            request: 0,
            reason: None,
            need: Need::default(),
            sent_to: None,
            end: 0,
            pending_control: None,
            answered_control: None,
        }
    }

    /// Who owns the conversation.
    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// The number of the customer's latest `requested`.
    pub(super) fn request(&self) -> Number {
        self.request
    }

    /// The reason that the latest `requested` gave.
    pub(super) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The department to which an agent sent the customer, or else the one that the latest
    /// `requested` named; and the language that it named.
    pub(super) fn need(&self) -> &Need {
        &self.need
    }

    /// An agent sends the customer to this department.
    pub(super) fn send_to(&mut self, department: Department) {
        self.need.department = Some(department.clone());
        self.sent_to = Some(department);
    }

    /// Whether an agent has sent the customer to a department.
    pub(super) fn is_sent(&self) -> bool {
        self.sent_to.is_some()
    }

    /// This desk's control that has no answer yet.
    pub(super) fn pending(&self) -> Option<Pending> {
        self.pending_control
    }

    /// This desk's control that the customer's latest control answered or voided.
    pub(super) fn answered(&self) -> Option<Pending> {
        self.answered_control
    }

    /// The latest answer is history: another entry follows it, or the desk takes up the
    /// conversation again.
    pub(super) fn clear_answered(&mut self) {
        self.answered_control = None;
    }

    /// This desk made a control.
    pub(super) fn ask(&mut self, number: Number, ask: Ask) {
        self.pending_control = Some(Pending { number, ask });
    }

    /// This desk's entries from number `from` on have numbers that are higher by `by` now.
    pub(super) fn renumber(&mut self, from: Number, by: Number) {
        if let Some(pending) =
            self.pending_control.as_mut().filter(|pending| pending.number >= from)
        {
            pending.number += by;
        }
    }

    /// Whether a new entry of the customer may answer the control that it names. An `of` with this
    /// desk's id must name its pending control, or a control that only the customer has
    /// (docs/PROTOCOL.md, "Bodies"). The latter have numbers up to `highest_lost`.
    pub(super) fn may_answer(&self, desk: DeskId, entry: &Entry, highest_lost: Number) -> bool {
        let is_refused = matches!(entry.body, Body::Refused { .. });
        let Some(of) = entry.body.answers().filter(|_| !is_refused) else { return true };
        let is_lost = (1..=highest_lost).contains(&of.number);
        let is_pending = self.pending_control.is_some_and(|pending| {
            pending.number == of.number && pending.ask.is_answered_by(&entry.body)
        });
        of.desk != desk || is_lost || is_pending
    }

    /// Whether the customer's next entry may be this one: after `closed` only a body that changes
    /// no state may follow (docs/PROTOCOL.md, "States, and who decides").
    pub(super) fn may_follow(&self, entry: &Entry) -> bool {
        let changes_nothing = matches!(entry.body, Body::Refused { .. } | Body::Unknown(_));
        self.end == 0 || changes_nothing && entry.number <= self.end + AFTER_CLOSED_MAX
    }

    /// Takes from an entry of the customer what the state is now, and whether it answers or voids
    /// this desk's pending control. `desk` is this desk.
    pub(super) fn learn(&mut self, desk: DeskId, entry: &Entry) {
        match &entry.body {
            // docs/PROTOCOL.md, "States, and who decides": `closed` is the end. A journal of
            // release 0.1.0 may have controls after it.
            body if self.end > 0 && !matches!(body, Body::Refused { .. }) => return,
            Body::Requested(request) => {
                self.phase = Phase::Queued;
                self.request = entry.number;
                self.reason = request.reason.as_deref().map(Into::into);
                self.need = Need::of(request);
                if request.of.is_none_or(|of| of.desk != desk) {
                    self.sent_to = None;
                    return;
                }
                if let Some(department) = &self.sent_to {
                    self.need.department = Some(department.clone());
                }
            }
            Body::Withdrawn {} => self.phase = Phase::Bot(Returned::Withdrawn),
            Body::HandedBack { of } if of.desk == desk => {
                self.phase = Phase::Bot(Returned::HandedBack)
            }
            Body::HandedBack { .. } => {
                self.phase = Phase::Elsewhere(Elsewhere::HandedBackElsewhere)
            }
            Body::Closed { of, reason } => {
                self.end = entry.number;
                self.phase = closed_phase(desk, *of, *reason);
            }
            Body::Accepted { of } if of.desk == desk => self.phase = Phase::Active,
            // docs/PROTOCOL.md, "States, and who decides": another desk had the customer then. The
            // entries that follow say who has them now.
            Body::Accepted { .. } => self.phase = Phase::Elsewhere(Elsewhere::TakenElsewhere),
            Body::Refused { of, .. } if of.desk == desk && self.is_pending(of.number) => {}
            _ => return,
        }
        // If our journal is an old copy, this may answer a control that only the customer has. A
        // control that the desk made later stays pending.
        let is_older = |of: &Asked| {
            of.desk == desk
                && self.pending_control.is_some_and(|pending| pending.number > of.number)
        };
        let is_older = entry.body.answers().is_some_and(is_older);
        self.answered_control = if is_older { None } else { self.pending_control.take() };
    }

    /// Learns from an entry of the journal. `own` says whether this desk made it.
    pub(super) fn recall(&mut self, desk: DeskId, own: bool, entry: &Entry) {
        match Ask::of(&entry.body) {
            Some(ask) if own => self.ask(entry.number, ask),
            _ if own => {}
            _ => self.learn(desk, entry),
        }
    }

    fn is_pending(&self, number: Number) -> bool {
        self.pending_control.is_some_and(|pending| pending.number == number)
    }
}

/// The state of a conversation after this control of the customer's side, and its reason, as this
/// desk sees it. `None` if the customer then waits or talks at this desk, or if the control changes
/// no state.
pub fn end_by(desk: DeskId, entry: &Entry) -> Option<(State, Reason)> {
    let mut controls = Controls::new();
    controls.phase = Phase::Queued;
    controls.learn(desk, entry);
    let reason = match controls.phase {
        Phase::Queued | Phase::Active => return None,
        Phase::Bot(how) => Reason::Returned(how),
        Phase::Elsewhere(what) => Reason::Elsewhere(what),
        Phase::Closed(why) => Reason::Ended(why),
    };
    Some((controls.phase.state(), reason))
}

/// How a conversation ended, as this desk sees it (docs/PROTOCOL.md, "States, and who decides").
fn closed_phase(desk: DeskId, of: Option<Asked>, reason: EndReason) -> Phase {
    match of {
        Some(of) if of.desk == desk => Phase::Closed(EndReason::AdminClosed),
        Some(_) => Phase::Elsewhere(Elsewhere::ClosedElsewhere),
        // Without a desk's `close` no agent closed it, whatever the reason says.
        None if reason == EndReason::AdminClosed => Phase::Closed(EndReason::UserEnded),
        None => Phase::Closed(reason),
    }
}
