//! One conversation, as this desk knows it. Its parts keep their own rules; this file has the rules
//! that need more than one part.

use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::core::delivery::Delivery;
use crate::core::department::Need;
use crate::core::idle::{Idle, LIFETIME, Waited};
use crate::core::outcome::Due;
use crate::core::owed::Owed;
use crate::core::record::{Owner, Record, Story, What};
use crate::core::report::Earlier;
use crate::core::typing::Typing;
use crate::wire::{
    Address, Author, Body, Conn, ConversationId, DeskId, Entry, Millis, Number, Page, State,
};

use super::backlog::Backlog;
use super::capacity::Slot;
use super::controls::{Controls, Phase};
use super::links::LinkNotices;
use super::names;
use super::own_numbers::OwnNumbers;
use super::team::AgentId;
use super::transfer::Offer;
use super::undo::Planned;

/// The conversation that a customer had before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Former {
    /// Its number.
    pub ordinal: u32,
    /// The number of the conversation that the customer's side named. It is a later one if the desk
    /// has turned the customer away since.
    pub latest: u32,
    /// When its last entry came; 0 if that is no longer known.
    pub left_at: Millis,
    /// The last note in it.
    pub note: Option<String>,
    /// The agent who had the customer there, if that is known.
    pub agent: Option<Owner>,
}

impl Former {
    /// The conversation with this number, of which nothing else is known.
    pub fn at(ordinal: u32) -> Former {
        Former { ordinal, latest: ordinal, left_at: 0, note: None, agent: None }
    }
}

/// One conversation, as this desk knows it.
pub(super) struct Conversation {
    /// The conversation's number at this desk; 0 until it has an entry.
    pub(super) ordinal: u32,
    /// SHA-256 of the conversation's secret.
    pub(super) secret: [u8; 32],
    /// The customer's name, as the latest hello gave it.
    pub(super) name: Option<Box<str>>,
    /// The page on which the customer is, if they use a gateway.
    pub(super) page: Option<Box<Page>>,
    pub(super) controls: Controls,
    pub(super) backlog: Backlog,
    pub(super) delivery: Delivery,
    pub(super) own: OwnNumbers,
    /// The conversation that the customer had before, as they have proved.
    pub(super) former: Option<Box<Former>>,
    /// The customer's address, if it is theirs and not a gateway's.
    pub(super) address: Option<Address>,
    /// Whether the customer comes from a gateway that this desk trusts.
    pub(super) is_trusted: bool,
    /// The customer is blocked, and nothing of the conversation is shown.
    pub(super) is_turned_away: bool,
    /// The customer's connection, while there is one.
    pub(super) connection: Option<Conn>,
    /// The customer of a gateway has left its pages. The desk still sends everything for them over
    /// the connection.
    pub(super) has_left_page: bool,
    /// Since when the customer has not been connected; `None` while they are.
    pub(super) absent_since: Option<Instant>,
    pub(super) link_notices: LinkNotices,
    /// Whether the customer types, and when the desk last told the customer that the agent types.
    pub(super) typing: Typing,
    /// The agent who has the conversation while it is active, or is accepting it; `None`: its
    /// customer was given back to the queue. Only the roster sets this, because it keeps the
    /// conversations of each agent.
    owner: Option<AgentId>,
    /// The desk assigned the conversation to its owner, who is to answer by this time.
    pub(super) answer_by: Option<Instant>,
    /// The agent has asked the customer to be patient.
    pub(super) is_on_hold: bool,
    /// The tags that agents gave the conversation.
    pub(super) tags: Box<[Box<str>]>,
    /// The offer of the conversation to another agent, until that agent accepts it.
    pub(super) offer: Option<Box<Offer>>,
    /// How the conversation ends soon, if nobody undoes that.
    pub(super) planned: Option<Box<Planned>>,
    /// Whether the customer's side understands `agent` messages (docs/PROTOCOL.md, "agent").
    pub(super) knows_agents: bool,
    /// Whether the customer's side understands `requeue`, which lets the customer wait again.
    pub(super) knows_requeue: bool,
    /// Whether the customer's side lets the desk end the conversation while the customer waits.
    pub(super) may_end_queued: bool,
    /// The slot that the conversation takes, if it takes one.
    pub(super) slot: Option<Slot>,
    /// The lines of the customer that have no answer.
    owed: Owed,
    /// How many of these lines a script's `/wait` has taken.
    taken_lines: u32,
    /// Whether the desk's send list has this conversation.
    is_on_send_list: bool,
    /// Whether the desk's count list has this conversation.
    is_on_count_list: bool,
    /// For how long no entry was journaled.
    idle: Idle,
    /// The desk gave the customer up, because they were away for too long. A hello ends that.
    is_asleep: bool,
}

impl Conversation {
    /// A conversation without entries.
    pub(super) fn new(secret: [u8; 32], now: Now) -> Conversation {
        let mut delivery = Delivery::default();
        delivery.offer_all();
        Conversation {
            ordinal: 0,
            secret,
            name: None,
            page: None,
            controls: Controls::new(),
            backlog: Backlog::new(),
            delivery,
            own: OwnNumbers::default(),
            former: None,
            address: None,
            is_trusted: false,
            is_turned_away: false,
            connection: None,
            has_left_page: false,
            absent_since: None,
            link_notices: LinkNotices::new(now),
            typing: Typing::default(),
            owner: Some(AgentId::TERMINAL),
            answer_by: None,
            is_on_hold: false,
            tags: Box::default(),
            offer: None,
            planned: None,
            knows_agents: false,
            knows_requeue: false,
            may_end_queued: false,
            slot: None,
            owed: Owed::default(),
            taken_lines: 0,
            is_on_send_list: false,
            is_on_count_list: false,
            idle: Idle::new(now),
            is_asleep: false,
        }
    }

    /// A conversation as the journal of this desk has it.
    pub(super) fn restore(desk: DeskId, story: &Story, now: Now) -> Conversation {
        let mut conversation = Conversation {
            ordinal: story.ordinal,
            name: story.name.as_deref().map(Into::into),
            delivery: Delivery::restore(
                story.delivered.max(story.held),
                story.theirs.first().map_or(0, |(_, last)| *last),
                story.own,
            ),
            own: OwnNumbers::restore(story.own, story.held, story.typed),
            former: story.former.map(|latest| Box::new(Former::at(latest))),
            is_on_hold: story.is_on_hold,
            tags: story.tags.clone().into(),
            owed: story.owed.clone(),
            // A script that was started again waits for lines that come from now on.
            taken_lines: story.owed.lines(),
            idle: Idle { before: story.idle, since: now.clock, noted: story.idle },
            is_asleep: story.idle >= LIFETIME,
            absent_since: Some(now.clock),
            ..Conversation::new(story.secret, now)
        };
        for line in &story.controls {
            if let What::Entry(_, entry) = &line.what {
                conversation.controls.recall(desk, line.own, entry);
            }
        }
        if let Some(department) = story.department.clone() {
            conversation.controls.send_to(department);
        }
        conversation.backlog = Backlog::restore(&conversation.controls);
        conversation
    }

    /// Whether the customer is connected: there is a connection, and the customer has not left the
    /// gateway's pages.
    pub(super) fn is_connected(&self) -> bool {
        self.has_connection() && !self.has_left_page
    }

    /// Whether the customer's side is connected: it takes entries and answers controls, also while
    /// the customer of a gateway is away.
    pub(super) fn has_connection(&self) -> bool {
        self.connection.is_some()
    }

    /// The customer typed a line for the agent, or while they wait for one.
    pub(super) fn note_new_line(&mut self, text: &str, now: Now) {
        self.owed.add(text, now.wall);
        self.typing.stop();
    }

    /// The lines of the customer that have no answer.
    pub(super) fn owed(&self) -> &Owed {
        &self.owed
    }

    /// Takes one line that the customer typed since the agent's last line. False if there is none.
    pub(super) fn take_new_line(&mut self) -> bool {
        let is_there = self.taken_lines < self.owed.lines();
        self.taken_lines += u32::from(is_there);
        is_there
    }

    /// The entry with this number is a line that the agent typed.
    pub(super) fn note_own_line(&mut self, number: Number) {
        self.owed.settle();
        self.answer_by = None;
        self.taken_lines = 0;
        self.typing.note_line();
        self.own.note_line(number);
    }

    /// An entry is journaled: the idle time starts anew.
    pub(super) fn note_activity(&mut self, now: Now) {
        self.idle = Idle::new(now);
    }

    /// What to do about the idle time.
    pub(super) fn tick_idle(&mut self, now: Now) -> Waited {
        self.idle.tick(now)
    }

    /// Whether the desk gave the customer up.
    pub(super) fn is_asleep(&self) -> bool {
        self.is_asleep
    }

    /// The desk gives the customer up.
    pub(super) fn fall_asleep(&mut self) {
        self.is_asleep = true;
    }

    /// Called when the customer says hello. Returns whether the desk had given them up.
    pub(super) fn wake(&mut self) -> bool {
        std::mem::take(&mut self.is_asleep)
    }

    /// Puts the conversation on the desk's send list. False if it is there already.
    pub(super) fn join_send_list(&mut self) -> bool {
        !std::mem::replace(&mut self.is_on_send_list, true)
    }

    /// Takes the conversation off the desk's send list.
    pub(super) fn leave_send_list(&mut self) {
        self.is_on_send_list = false;
    }

    /// Puts the conversation on the desk's count list. False if it is there already.
    pub(super) fn join_count_list(&mut self) -> bool {
        !std::mem::replace(&mut self.is_on_count_list, true)
    }

    /// Takes the conversation off the desk's count list.
    pub(super) fn leave_count_list(&mut self) {
        self.is_on_count_list = false;
    }

    /// The next entry or ack that is due on the customer's connection, once everything is
    /// committed.
    pub(super) fn due(&mut self, conversation: ConversationId) -> Option<Due> {
        let conn = self.connection?;
        if let Some(number) = self.delivery.due(self.own.last()) {
            return Some(Due::Entry { conversation, conn, number });
        }
        // The customer's side may hang up when it gets our ack, so all our entries are sent before
        // it (docs/PROTOCOL.md, "Delivery", Sending).
        if !self.delivery.is_sent(self.own.last()) {
            return None;
        }
        self.delivery.take_ack().map(|number| Due::Ack { conn, number })
    }

    /// Learns from a new control of the customer.
    pub(super) fn learn_control(&mut self, desk: DeskId, entry: &Entry, now: Now) {
        let request = self.controls.request();
        self.controls.clear_answered();
        self.controls.learn(desk, entry);
        if self.controls.request() != request {
            self.owed.learn(&entry.body, now.wall);
            self.taken_lines = self.taken_lines.min(self.owed.lines());
        }
    }

    /// Whether this entry answers a control that it may answer, or none (docs/PROTOCOL.md,
    /// "Bodies"). True for every entry that the desk has already, because it is compared with the
    /// journal.
    pub(super) fn may_answer(&self, desk: DeskId, entry: &Entry) -> bool {
        entry.number <= self.delivery.received()
            || self.controls.may_answer(desk, entry, self.own.highest_lost())
    }

    /// Whether this entry may be the customer's next one.
    pub(super) fn may_follow(&self, entry: &Entry) -> bool {
        entry.number != self.delivery.received() + 1 || self.controls.may_follow(entry)
    }

    /// Whether the customer waits or talks here. True also if they did in the state that the agent
    /// was shown last: the backlog that ends it may not be complete.
    pub(super) fn is_live(&self) -> bool {
        let is_announced = self.backlog.announced().is_with_desk();
        (self.controls.phase().is_with_desk() || is_announced) && !self.is_asleep
    }

    /// Whether an agent of this desk has the customer, or had them last.
    pub(super) fn is_active(&self) -> bool {
        self.controls.phase() == Phase::Active && !self.is_asleep
    }

    /// The conversation that the customer had before, for the agents who read that they are back.
    pub(super) fn earlier(&self) -> Option<Earlier> {
        let Former { ordinal, left_at, note, .. } = self.former.as_deref()?.clone();
        let ago = self.owed.asked_at().saturating_sub(left_at);
        let ago = (left_at > 0).then(|| Duration::from_millis(ago));
        Some(Earlier { ordinal, ago, note })
    }

    /// The tags that agents gave the conversation.
    pub(super) fn tags(&self) -> Vec<String> {
        self.tags.iter().map(|tag| tag.to_string()).collect()
    }

    /// The agent who has the conversation while it is active, or is accepting it.
    pub(super) fn owner(&self) -> Option<AgentId> {
        self.owner
    }

    /// Gives the conversation to another agent, or to nobody. Returns who had it. Only the roster
    /// calls this.
    pub(super) fn set_owner(&mut self, owner: Option<AgentId>) -> Option<AgentId> {
        std::mem::replace(&mut self.owner, owner)
    }

    /// Whether a control of this desk has no answer yet, and the customer is not given up.
    pub(super) fn is_asked(&self) -> bool {
        self.controls.pending().is_some() && !self.is_asleep
    }

    /// The agent who has the customer, if one does.
    pub(super) fn agent(&self) -> Option<AgentId> {
        self.owner.filter(|_| self.is_active())
    }

    /// Whether this agent has the customer.
    pub(super) fn is_owned_by(&self, agent: AgentId) -> bool {
        self.agent() == Some(agent)
    }

    /// Whether the customer's side says that an agent has the customer, and none has: they were
    /// given back to the queue.
    pub(super) fn is_unowned(&self) -> bool {
        self.is_active() && self.owner.is_none()
    }

    /// Whether an agent has had the customer before.
    pub(super) fn had_agent(&self) -> bool {
        self.own.latest_line() > 0
    }

    /// Whether an agent may take the customer now.
    pub(super) fn is_up_for_accept(&self) -> bool {
        let is_kept = self.controls.pending().is_none() && self.planned.is_none();
        is_kept && (self.is_queued() || self.is_unowned())
    }

    /// Whether an agent may take the customer now, and the customer would hear of it at once. A
    /// customer who withdrew within a backlog stays in the queue until the backlog is complete.
    pub(super) fn is_ready(&self) -> bool {
        self.is_connected() && self.is_up_for_accept()
    }

    /// Whether the customer waits here.
    pub(super) fn is_queued(&self) -> bool {
        self.controls.phase() == Phase::Queued && !self.is_asleep
    }

    /// Whether the conversation may leave memory: the customer's side is not connected and not
    /// waited for, and has every line that an agent typed.
    pub(super) fn has_left(&self) -> bool {
        let is_over = !self.is_live() && self.delivery.acked() >= self.own.latest_line();
        !self.has_connection() && (self.is_asleep || is_over)
    }

    /// Why the customer waits, if the bot gave a reason.
    pub(super) fn reason(&self) -> Option<&str> {
        self.controls.reason().filter(|_| self.is_queued())
    }

    /// The department and the language of a customer who waits or talks here.
    pub(super) fn need(&self) -> Option<&Need> {
        let is_live = self.controls.phase().is_with_desk() && !self.is_asleep;
        is_live.then(|| self.controls.need())
    }

    /// The state of the conversation, as this desk knows it.
    pub(super) fn state(&self) -> State {
        if self.is_asleep { State::Closed } else { self.controls.phase().state() }
    }

    /// Renames the customer. Returns the record for the journal, if the name is new.
    pub(super) fn rename(&mut self, name: Option<String>) -> Option<Record> {
        let is_news = self.ordinal > 0 && self.name.as_deref() != name.as_deref();
        self.name = name.as_deref().map(Into::into);
        is_news.then_some(Record::Begun { secret: self.secret, name })
    }

    /// The customer's name at this desk.
    pub(super) fn called(&self, id: ConversationId) -> String {
        names::called(self.name.as_deref(), id)
    }
}

/// Whether a customer's side may make an entry with this body (docs/PROTOCOL.md, "Bodies").
pub(super) fn is_of_customer(body: &Body) -> bool {
    match body {
        Body::Message(said) => said.author != Author::Admin,
        Body::Accept { .. } | Body::HandBack { .. } | Body::Close { .. } | Body::Requeue { .. } => {
            false
        }
        _ => true,
    }
}
