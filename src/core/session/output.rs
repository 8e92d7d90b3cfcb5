//! The output of a session: the records and acts since the last outcome. Its entries get their
//! numbers here.

use std::time::Instant;

use super::{Act, Errand};
use crate::core::clock::Now;
use crate::core::department::Need;
use crate::core::idle::{Idle, Waited};
use crate::core::outcome::{Audience, Fact, Outcome, Passage};
use crate::core::record::{Origin, Record, Story};
use crate::core::report::{CustomerNews, News, Reason, Report};
use crate::wire::{Body, ConversationId, DeskId, Entry, Number, Said, State};

/// The output of one session, and the numbers of our entries in the conversation.
pub(super) struct Output {
    conversation: ConversationId,
    /// The highest number of our entries; 0 before the first one.
    last: Number,
    /// How long nothing was recorded.
    idle: Idle,
    outcome: Outcome<Errand>,
}

impl Output {
    /// A conversation without an entry.
    pub(super) fn new(conversation: ConversationId, now: Now) -> Output {
        Output { conversation, last: 0, idle: Idle::new(now), outcome: Outcome::default() }
    }

    /// A conversation after a restart.
    pub(super) fn restore(story: &Story, now: Now) -> Output {
        let idle = Idle { before: story.idle, since: now.clock, noted: story.idle };
        Output { last: story.own, idle, ..Output::new(story.id, now) }
    }

    /// The conversation's id.
    pub(super) fn conversation(&self) -> ConversationId {
        self.conversation
    }

    /// The highest number of our entries; 0 before the first one.
    pub(super) fn last(&self) -> Number {
        self.last
    }

    /// The outcome of all inputs since the last call.
    pub(super) fn take(&mut self) -> Outcome<Errand> {
        std::mem::take(&mut self.outcome)
    }

    /// Numbers and journals an entry of our own.
    pub(super) fn record(&mut self, body: Body, now: Now) -> Number {
        self.last += 1;
        self.idle = Idle::new(now);
        self.journal(Record::Own(Entry { number: self.last, at: now.wall, body }));
        self.last
    }

    /// Numbers, journals and shows a message of the customer or the bot.
    pub(super) fn say(&mut self, said: Said, now: Now) -> Number {
        let number = self.record(Body::Message(said), now);
        self.show_said(Origin::Own, number, false);
        number
    }

    /// Numbers, journals and shows a message of a former conversation. It keeps its time.
    pub(super) fn carry(&mut self, former: Entry) -> Number {
        self.last += 1;
        self.show_said(Origin::Own, self.last, true);
        self.journal(Record::Own(Entry { number: self.last, ..former }));
        self.last
    }

    /// Journals a new entry of a desk.
    pub(super) fn receive(&mut self, desk: DeskId, entry: Entry, now: Now) {
        self.idle = Idle::new(now);
        self.journal(Record::Theirs(Some(desk), entry));
    }

    /// Adds a record that is no entry.
    pub(super) fn journal(&mut self, record: Record) {
        self.outcome.records.push((self.conversation, record));
    }

    /// Adds an act.
    pub(super) fn act(&mut self, act: Act) {
        self.outcome.acts.push(act);
    }

    /// Shows a report to the seats that watch this conversation.
    pub(super) fn tell(&mut self, report: Report) {
        self.act(Act::Tell(Fact::Report(Audience::Conversation(self.conversation), report)));
    }

    /// Shows news that are no fault.
    pub(super) fn tell_news(&mut self, news: CustomerNews) {
        self.tell(Report::News { text: News::Customer(news) });
    }

    /// Shows news of a fault.
    pub(super) fn tell_fault(&mut self, news: CustomerNews) {
        self.tell(Report::Fault { text: News::Customer(news) });
    }

    /// Shows the conversation's state. `agent` is the agent's name, and whether the agent has just
    /// put the customer on hold, or taken them off hold. `position` also says whether an agent is
    /// here, if that is news to a customer who waits.
    pub(super) fn tell_state(
        &mut self,
        state: State,
        (agent, on_hold): (Option<&str>, Option<bool>),
        (position, attended): (Option<u32>, Option<bool>),
        reason: Option<Reason>,
    ) {
        self.tell(self.state(state, (agent, on_hold), (position, attended), reason));
    }

    /// The conversation's state, as [`tell_state`](Output::tell_state) shows it.
    pub(super) fn state(
        &self,
        state: State,
        (agent, on_hold): (Option<&str>, Option<bool>),
        (position, attended): (Option<u32>, Option<bool>),
        reason: Option<Reason>,
    ) -> Report {
        Report::State {
            conversation: self.conversation,
            ordinal: None,
            customer: None,
            former: None,
            state,
            position,
            attended,
            admin: agent.map(str::to_owned),
            agent: None,
            on_hold,
            is_elsewhere: false,
            waits_again: false,
            need: Need::default(),
            reason,
        }
    }

    /// Shows the message with this number. `is_history` says whether it is from a former
    /// conversation.
    pub(super) fn show_said(&mut self, origin: Origin, number: Number, is_history: bool) {
        self.act(Act::Tell(Fact::Said(Passage {
            conversation: self.conversation,
            origin,
            numbers: number..=number,
            history: is_history,
        })));
    }

    /// The two sides could talk until now: the time in which they cannot begins.
    pub(super) fn begin_idle(&mut self, now: Now) {
        self.idle = Idle::new(now);
    }

    /// Counts the time in which the two sides cannot talk, and journals it now and then. Returns
    /// whether it has lasted too long.
    pub(super) fn is_idle_for_too_long(&mut self, now: Now) -> bool {
        match self.idle.tick(now) {
            Waited::TooLong => true,
            Waited::Note(idle) => {
                self.journal(Record::Idle(idle));
                false
            }
            Waited::On => false,
        }
    }

    /// When to count that time again.
    pub(super) fn idle_deadline(&self) -> Instant {
        self.idle.deadline()
    }
}
