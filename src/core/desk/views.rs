//! What the agent and their program can look at: the customers who talk and wait, the prompt, and
//! how far lines have come. Nothing here changes the desk.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::core::clock::Now;
use crate::core::delivery::Mark;
use crate::core::report::{Customers, Focus, Listed, Prompt, Told};
use crate::wire::{Author, ConversationId, Millis, Number};

use super::Desk;
use super::controls::{Ask, Phase};
use super::conversation::Conversation;

impl Desk {
    /// `/list`: a line for each customer. The agent's own who are owed an answer come first,
    /// longest first; then the queue, and then the agent's other customers.
    pub fn list(&self, now: Now) -> Vec<Listed> {
        let talking = |id: ConversationId| {
            let conversation = &self.conversations[id];
            let owed = conversation.owed();
            Listed::Talking {
                who: self.who(id),
                has_focus: self.seat.focus() == Some(id),
                is_connected: conversation.is_connected(),
                is_typing: conversation.typing.is_there(),
                unanswered: owed.since().map(|at| (owed.lines(), since(at, now))),
                last: owed.last().map(str::to_owned),
            }
        };
        let waiting = self.queue.positions().map(|(id, position)| {
            let conversation = &self.conversations[id];
            Listed::Waiting {
                who: self.who(id),
                position: self.queue.counts(id).then_some(position),
                is_connected: conversation.is_connected(),
                waited: since(conversation.owed().asked_at(), now),
                reason: conversation.reason().map(str::to_owned),
                last: conversation.owed().last().map(str::to_owned),
            }
        });
        let owed = self.owed_an_answer().into_iter().map(talking);
        let is_settled = |id: &ConversationId| self.conversations[*id].owed().lines() == 0;
        let settled = self.conversations.active().filter(is_settled).map(talking);
        let listed: Vec<Listed> = owed.chain(waiting).chain(settled).collect();
        if listed.is_empty() { vec![Listed::Nobody] } else { listed }
    }

    /// The agent's customers who are owed an answer, longest first.
    pub(super) fn owed_an_answer(&self) -> Vec<ConversationId> {
        let since = |id: &ConversationId| self.conversations[*id].owed().since();
        let mut owed: Vec<_> =
            self.conversations.active().filter(|id| since(id).is_some()).collect();
        owed.sort_by_key(since);
        owed
    }

    /// How many customers talk and wait. They would lose the desk if it ended now.
    pub fn customers(&self) -> Customers {
        Customers { talking: self.conversations.active().len(), waiting: self.queue.len() }
    }

    /// The conversation that gets the agent's next line.
    pub fn focus(&self) -> Option<ConversationId> {
        self.seat.focus()
    }

    /// The name that the customer in focus gave, if they gave one.
    pub fn name_in_focus(&self) -> Option<&str> {
        self.conversations.get(self.seat.focus()?)?.name.as_deref()
    }

    /// Who gets the agent's next line, and who else is there, as the prompt shows it.
    pub fn prompt(&self, now: Now) -> Prompt {
        Prompt {
            focus: self.seat.focus().map(|id| Focus {
                who: self.who(id),
                is_connected: self.conversations[id].is_connected(),
                is_typing: self.conversations[id].typing.is_there(),
            }),
            customers: self.customers(),
            waited: self.waited(now),
            unread: self.seat.unread(),
        }
    }

    /// How long the first customer in the queue has waited.
    pub(super) fn waited(&self, now: Now) -> Duration {
        let first = self.queue.iter().next();
        first.map_or(Duration::ZERO, |id| since(self.conversations[id].owed().asked_at(), now))
    }

    /// A message as the agent sees it: which customer's it is, and whether they have the focus.
    pub fn for_agent(&self, id: ConversationId, told: Told) -> Told {
        let known = self.conversations.get(id);
        Told {
            ordinal: known.map(|conversation| conversation.ordinal).or(told.ordinal),
            elsewhere: self.seat.focus() != Some(id),
            own: told.author == Author::Admin,
            ..told
        }
    }

    /// How far the agent's latest line in the conversation in focus has come, as far as the desk
    /// knows from the customer's side.
    pub fn mark(&self) -> Mark {
        let Some(conversation) = self.seat.focus().and_then(|id| self.conversations.get(id)) else {
            return Mark::None;
        };
        conversation.delivery.mark(conversation.own.latest_line_since_start())
    }

    /// Whether the agent's `/accept` of this customer has no answer yet.
    pub fn is_accepting(&self, id: ConversationId) -> bool {
        let pending = self.conversations.get(id).and_then(|known| known.controls.pending());
        pending.is_some_and(|pending| pending.ask == Ask::Accept { by_agent: true })
    }

    /// Whether the customer of this conversation waits or talks here.
    pub fn is_live(&self, id: ConversationId) -> bool {
        self.conversations.get(id).is_some_and(Conversation::is_live)
    }

    /// Whether the agent was shown that they have this customer.
    pub fn is_shown_active(&self, id: ConversationId) -> bool {
        self.conversations.get(id).is_some_and(|known| known.backlog.announced() == Phase::Active)
    }

    /// Whether a control of this desk is pending.
    pub fn is_asking(&self) -> bool {
        self.conversations
            .iter()
            .any(|(_, known)| known.controls.pending().is_some() && !known.is_asleep())
    }

    /// Whether the agent has a customer.
    pub fn is_talking(&self) -> bool {
        self.conversations.active().len() > 0
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

/// How long ago something was. A clock may be set back.
fn since(at: Millis, now: Now) -> Duration {
    Duration::from_millis(now.wall.saturating_sub(at))
}
