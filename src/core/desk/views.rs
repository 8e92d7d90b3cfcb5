//! What an agent or a program can look at: the customers who talk and wait, the prompt, and how far
//! lines have come. Nothing here changes the desk.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::core::clock::Now;
use crate::core::delivery::Mark;
use crate::core::report::{Customers, Focus, LeftBehind, Listed, Prompt, Told, in_brief};
use crate::wire::{Author, ConversationId, DeskId, IdSet, Millis, Number};

use super::controls::{Ask, Phase};
use super::conversation::Conversation;
use super::{Desk, SeatId};

impl Desk {
    /// The desk's id.
    pub fn id(&self) -> DeskId {
        self.id
    }

    /// Whether the desk has agents besides its own terminal.
    pub fn is_shared(&self) -> bool {
        self.team.is_shared()
    }

    /// `/list`: a line for each customer. First come the customers who are offered to the agent,
    /// then the agent's own customers who are owed an answer, longest first, then the queue, then
    /// the agent's other customers, and last the customers of other agents.
    pub fn list(&self, seat: SeatId, now: Now) -> Vec<Listed> {
        let listed: Vec<Listed> =
            self.order(seat).into_iter().map(|of| self.listed(seat, of, now)).collect();
        if listed.is_empty() { vec![Listed::Nobody] } else { listed }
    }

    /// The beginning of that list, to show beside the conversation: at most `most` lines. The last
    /// line counts the customers whom the others leave out.
    pub fn first_of_list(&self, seat: SeatId, now: Now, most: usize) -> Vec<String> {
        let order = self.order(seat);
        let shown = if order.len() > most { most.saturating_sub(1) } else { order.len() };
        let first = order[..shown].iter().map(|of| self.listed(seat, *of, now));
        let listed: Vec<Listed> =
            if order.is_empty() { vec![Listed::Nobody] } else { first.collect() };
        in_brief(&listed, order.len() - shown)
    }

    /// The customers in the order of the list, those in the queue with their positions.
    fn order(&self, seat: SeatId) -> Vec<(ConversationId, Option<u32>)> {
        let waiting = self.queue.positions().map(|(id, _, position)| (id, Some(position)));
        // While a backlog arrives, an accepted customer still stands in the queue.
        let queued: IdSet<ConversationId> = self.queue.iter().collect();
        let is_in_queue = |id: &ConversationId| queued.contains(id);
        let owed = self.owed_an_answer(seat).into_iter().filter(|id| !is_in_queue(id));
        let is_settled =
            |id: &ConversationId| self.conversations[*id].owed().lines() == 0 && !is_in_queue(id);
        let settled = self.own_conversations(seat).filter(is_settled);
        let is_others = |id: &ConversationId| {
            !self.is_own(seat, *id) && !self.conversations[*id].is_unowned() && !is_in_queue(id)
        };
        let (offered, others): (Vec<_>, Vec<_>) = self
            .conversations
            .active()
            .filter(is_others)
            .partition(|id| self.is_offered(seat, *id));
        let talking = |id| (id, None);
        let first = offered.into_iter().chain(owed).map(talking).chain(waiting);
        first.chain(settled.map(talking)).chain(others.into_iter().map(talking)).collect()
    }

    fn listed(
        &self,
        seat: SeatId,
        (id, position): (ConversationId, Option<u32>),
        now: Now,
    ) -> Listed {
        let conversation = &self.conversations[id];
        let owed = conversation.owed();
        let last = owed.last().map(str::to_owned);
        let is_connected = conversation.is_connected();
        let need = conversation.need().cloned().unwrap_or_default();
        let sees_draft = || self.lead_at(seat).is_ok() && !self.is_own(seat, id);
        match position {
            Some(position) => Listed::Waiting {
                who: self.who(id),
                agent: self.owner_name(id).filter(|_| self.team.is_shared()),
                is_offered: self.is_offered(seat, id),
                position: self.queue.counts(id).then_some(position),
                is_connected,
                waited: self.waited(id, now),
                need,
                is_unattended: self.unattended(id).is_some(),
                reason: conversation.reason().map(str::to_owned),
                last,
                tags: conversation.tags(),
            },
            None => Listed::Talking {
                who: self.who(id),
                agent: self.owner_name(id).filter(|_| !self.is_own(seat, id)),
                is_offered: self.is_offered(seat, id),
                has_focus: self.focus(seat) == Some(id),
                is_connected,
                is_typing: conversation.typing.is_there(),
                draft: conversation.typing.draft().filter(|_| sees_draft()).map(str::to_owned),
                is_on_hold: conversation.is_on_hold,
                readers: self.readers(seat, id),
                need,
                is_answered: owed.is_answered(),
                unanswered: owed.since().map(|at| (owed.lines(), since(at, now))),
                last,
                tags: conversation.tags(),
            },
        }
    }

    /// The agent's customers who are owed an answer, longest first.
    pub(super) fn owed_an_answer(&self, seat: SeatId) -> Vec<ConversationId> {
        let since = |id: &ConversationId| self.conversations[*id].owed().since();
        let mut owed: Vec<_> =
            self.own_conversations(seat).filter(|id| since(id).is_some()).collect();
        owed.sort_by_key(since);
        owed
    }

    /// The other agents who have this conversation open at a seat.
    fn readers(&self, seat: SeatId, id: ConversationId) -> Vec<String> {
        let own = [self.team.agent_at(seat), self.conversations[id].owner()];
        let others = self.team.readers(id).filter(|agent| !own.contains(&Some(*agent)));
        let mut names: Vec<_> = others.map(|agent| self.agent_name(agent)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// How many customers talk to the agent at this seat, and how many wait for that agent.
    pub fn customers(&self, seat: SeatId) -> Customers {
        let Some(agent) = self.team.agent_at(seat) else {
            return Customers { talking: 0, waiting: 0 };
        };
        let talking = self.conversations.count_of(agent);
        Customers { talking, waiting: self.waiting_for(agent) }
    }

    /// Which customers lose their agent if this seat is left; `None` if there are none, or the
    /// agent has another seat. A conversation that is about to end does not count.
    pub fn left_behind(&self, seat: SeatId) -> Option<LeftBehind> {
        let agent = self.team.agent_at(seat)?;
        let is_asked = |id: &ConversationId| self.conversations[*id].controls.pending().is_some();
        let stays = |id: &ConversationId| self.planned(*id).is_none() && !is_asked(id);
        let customers = self.conversations_of(agent).filter(stays).count();
        let is_last = customers > 0 && self.team.seats_of(agent).len() == 1;
        is_last.then_some(LeftBehind { customers, grace: self.options.agent_grace })
    }

    /// The conversation that gets the next line of this seat.
    pub fn focus(&self, seat: SeatId) -> Option<ConversationId> {
        self.team.focus(seat)
    }

    /// The name that the customer in focus gave, if they gave one.
    pub fn name_in_focus(&self, seat: SeatId) -> Option<&str> {
        self.conversations.get(self.focus(seat)?)?.name.as_deref()
    }

    /// Who gets the agent's next line, and who else is there, as the prompt shows it.
    pub fn prompt(&self, seat: SeatId, now: Now) -> Prompt {
        Prompt {
            focus: self.focus(seat).map(|id| Focus {
                who: self.who(id),
                is_connected: self.conversations[id].is_connected(),
                is_typing: self.conversations[id].typing.is_there(),
                is_on_hold: self.conversations[id].is_on_hold,
                ending: self.planned(id),
            }),
            customers: self.customers(seat),
            waited: Prompt::shown_wait(self.longest_wait(seat, now).unwrap_or_default()),
            unread: self.team.agent_at(seat).map_or(0, |agent| self.team.member(agent).unread()),
        }
    }

    /// After this time the waiting time in the prompt of this seat changes, if nothing else changes
    /// the prompt earlier.
    pub fn prompt_changes_in(&self, seat: SeatId, now: Now) -> Option<Duration> {
        let waited = self.longest_wait(seat, now)?;
        Some(Prompt::next_step(waited) - waited)
    }

    /// The longest time that a customer has waited for the agent at this seat.
    fn longest_wait(&self, seat: SeatId, now: Now) -> Option<Duration> {
        let agent = self.team.agent_at(seat)?;
        self.longest_waiting_for(agent).map(|id| self.waited(id, now))
    }

    /// How long a customer has waited.
    pub(super) fn waited(&self, id: ConversationId, now: Now) -> Duration {
        since(self.conversations[id].owed().asked_at(), now)
    }

    /// A message as the agent sees it: whose it is, whether that customer has the focus, and, if
    /// there are several agents, which agent wrote it.
    pub fn for_agent(&self, seat: SeatId, id: ConversationId, told: Told) -> Told {
        let known = self.conversations.get(id);
        Told {
            agent: told.agent.filter(|_| self.team.is_shared()),
            ordinal: known.map(|conversation| conversation.ordinal).or(told.ordinal),
            elsewhere: self.focus(seat) != Some(id),
            own: told.author == Author::Admin,
            ..told
        }
    }

    /// A note as the agent sees it. If it is about another customer than the one in focus, it names
    /// them.
    pub fn note_at(&self, seat: SeatId, id: ConversationId, note: &str) -> String {
        if self.focus(seat) == Some(id) || !self.knows(id) {
            return format!("note: {note}");
        }
        format!("note in {}: {note}", self.who(id))
    }

    /// How far the agent's latest line in the conversation in focus has come, as far as the desk
    /// knows from the customer's side.
    pub fn mark(&self, seat: SeatId) -> Mark {
        let Some(conversation) = self.focus(seat).and_then(|id| self.conversations.get(id)) else {
            return Mark::None;
        };
        conversation.delivery.mark(conversation.own.latest_line_since_start())
    }

    /// Whether the agent's `/accept` of this customer has no answer yet.
    pub fn is_accepting(&self, id: ConversationId) -> bool {
        let pending = self.conversations.get(id).and_then(|known| known.controls.pending());
        pending.is_some_and(|pending| matches!(pending.ask, Ask::Accept { by: Some(_) }))
    }

    /// Whether the customer of this conversation waits or talks here.
    pub fn is_live(&self, id: ConversationId) -> bool {
        self.conversations.get(id).is_some_and(Conversation::is_live)
    }

    /// Whether the agent at this seat was shown that they have this customer.
    pub fn is_shown_active(&self, seat: SeatId, id: ConversationId) -> bool {
        let is_announced = |known: &Conversation| known.backlog.announced() == Phase::Active;
        self.is_own(seat, id) && self.conversations.get(id).is_some_and(is_announced)
    }

    /// Whether a control of this desk is pending in a conversation of the agent at this seat.
    pub fn is_asking(&self, seat: SeatId) -> bool {
        let agent = self.team.agent_at(seat);
        self.conversations.asked().any(|known| known.owner() == agent)
    }

    /// Whether the agent at this seat has a customer.
    pub fn is_talking(&self, seat: SeatId) -> bool {
        self.own_conversations(seat).next().is_some()
    }

    /// The customers in the queue, longest first, as the agent knows them.
    pub fn waiting(&self) -> Vec<String> {
        self.queue.iter().map(|id| self.who(id)).collect()
    }

    /// This desk's entries that a customer's side has not acknowledged: their conversations and
    /// numbers.
    pub fn undelivered(&self) -> Vec<(ConversationId, RangeInclusive<Number>)> {
        let first = |known: &Conversation| known.delivery.acked() + 1;
        let awake = self.conversations.iter().filter(|(_, known)| !known.is_asleep());
        let undelivered = awake.map(|(id, known)| (id, first(known)..=known.own.last()));
        undelivered.filter(|(_, numbers)| !numbers.is_empty()).collect()
    }

    /// A customer as the agent knows them, if they are in memory.
    pub fn called(&self, id: ConversationId) -> Option<String> {
        self.knows(id).then(|| self.who(id))
    }

    /// A customer as the agent knows them: ordinal and name.
    pub fn who(&self, id: ConversationId) -> String {
        let conversation = &self.conversations[id];
        format!("#{} {}", conversation.ordinal, conversation.called(id))
    }
}

/// How long ago something was; zero if the clock was set back.
fn since(at: Millis, now: Now) -> Duration {
    Duration::from_millis(now.wall.saturating_sub(at))
}
