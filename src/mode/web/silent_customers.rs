//! Customers who have begun and said nothing yet. They are only in memory, unless the bot has
//! greeted them: so a crawler, or a person who only looks, leaves nothing behind. A customer who
//! says nothing for an hour and has no page open is forgotten.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::core::customer::{CustomerId, TokenHash};
use crate::core::session::Session;
use crate::wire::{ConversationId, IdMap};

/// How long a customer may say nothing before they are forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);

/// All customers who have said nothing yet.
#[derive(Default)]
pub(super) struct SilentCustomers {
    silent: IdMap<ConversationId, Silent>,
    /// When each customer is forgotten, in that order. Some of them have spoken meanwhile.
    deadlines: VecDeque<(Instant, ConversationId)>,
}

enum Silent {
    /// Nothing of the session is committed yet.
    New(Box<Newcomer>),
    /// The bot has greeted this customer: the journal has the conversation.
    Greeted(CustomerId),
}

/// A customer about whom the journal has nothing yet.
pub(super) struct Newcomer {
    pub(super) customer: CustomerId,
    pub(super) token: TokenHash,
    pub(super) session: Session,
}

/// A customer who is forgotten.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Forgotten {
    pub(super) customer: CustomerId,
    pub(super) conversation: ConversationId,
    /// Whether the journal has the conversation.
    pub(super) is_journaled: bool,
}

impl SilentCustomers {
    /// Adds a customer who has just begun.
    pub(super) fn insert(&mut self, newcomer: Newcomer, now: Now) {
        self.add(newcomer.session.id(), Silent::New(Box::new(newcomer)), now);
    }

    /// Adds a customer whom the bot has greeted.
    pub(super) fn insert_greeted(
        &mut self,
        conversation: ConversationId,
        customer: CustomerId,
        now: Now,
    ) {
        self.add(conversation, Silent::Greeted(customer), now);
    }

    fn add(&mut self, id: ConversationId, silent: Silent, now: Now) {
        self.deadlines.push_back((now.clock + FORGOTTEN_AFTER, id));
        self.silent.insert(id, silent);
    }

    /// The session of a customer about whom the journal has nothing.
    pub(super) fn session(&self, id: ConversationId) -> Option<&Session> {
        match self.silent.get(&id)? {
            Silent::New(newcomer) => Some(&newcomer.session),
            Silent::Greeted(_) => None,
        }
    }

    /// The same session, to change it.
    pub(super) fn session_mut(&mut self, id: ConversationId) -> Option<&mut Session> {
        match self.silent.get_mut(&id)? {
            Silent::New(newcomer) => Some(&mut newcomer.session),
            Silent::Greeted(_) => None,
        }
    }

    /// Whether the customer of this conversation has said nothing yet.
    pub(super) fn contains(&self, id: ConversationId) -> bool {
        self.silent.contains_key(&id)
    }

    /// The customer of this conversation says the first word. Returns the customer if the journal
    /// has nothing of them yet.
    pub(super) fn take(&mut self, id: ConversationId) -> Option<Newcomer> {
        match self.silent.remove(&id)? {
            Silent::New(newcomer) => Some(*newcomer),
            Silent::Greeted(_) => None,
        }
    }

    /// Takes the customers whose time is over. A customer with an open page gets another hour.
    pub(super) fn take_forgotten(
        &mut self,
        now: Now,
        is_watched: impl Fn(CustomerId) -> bool,
    ) -> Vec<Forgotten> {
        let mut forgotten = Vec::new();
        while let Some((_, id)) = self.deadlines.pop_front_if(|(at, _)| *at <= now.clock) {
            let Some(silent) = self.silent.remove(&id) else { continue };
            let (customer, is_journaled) = match &silent {
                Silent::New(newcomer) => (newcomer.customer, false),
                Silent::Greeted(customer) => (*customer, true),
            };
            if is_watched(customer) {
                self.add(id, silent, now);
            } else {
                forgotten.push(Forgotten { customer, conversation: id, is_journaled });
            }
        }
        forgotten
    }

    /// When the next customer may have to be forgotten.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.front().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Forgotten, Newcomer, SilentCustomers};
    use crate::core::clock::Now;
    use crate::core::customer::{CustomerId, Token};
    use crate::core::session::{Fresh, Session};
    use crate::wire::{ConversationId, Secret};

    const WATCHED: CustomerId = CustomerId::new([1; 16]);

    fn newcomer(n: u8, now: Now) -> Newcomer {
        let fresh =
            Fresh { id: ConversationId::new([n; 16]), secret: Secret::new([n; 32]), seed: 1 };
        Newcomer {
            customer: CustomerId::new([n; 16]),
            token: Token::new([n; 16]).hash(),
            session: Session::new(fresh, None, "desk:1".to_owned(), now),
        }
    }

    #[test]
    fn a_customer_who_says_nothing_for_an_hour_is_forgotten_unless_their_page_is_open() {
        let start = Now { clock: Instant::now(), wall: 0 };
        let at =
            |minutes: u64| Now { clock: start.clock + Duration::from_secs(minutes * 60), ..start };
        let id = |n| ConversationId::new([n; 16]);
        let forgotten = |n, is_journaled| Forgotten {
            customer: CustomerId::new([n; 16]),
            conversation: id(n),
            is_journaled,
        };
        let is_watched = |customer| customer == WATCHED;
        let mut silent_customers = SilentCustomers::default();
        for n in 1..=3 {
            silent_customers.insert(newcomer(n, start), start);
        }
        silent_customers.insert_greeted(id(4), CustomerId::new([4; 16]), start);
        silent_customers.insert_greeted(id(5), CustomerId::new([5; 16]), start);
        assert!(silent_customers.take(id(3)).is_some(), "they speak");
        assert!(silent_customers.take(id(5)).is_none(), "they speak, and the journal knows them");
        assert!(silent_customers.take_forgotten(at(59), is_watched).is_empty());
        let gone = silent_customers.take_forgotten(at(60), is_watched);
        assert_eq!(gone, [forgotten(2, false), forgotten(4, true)]);
        assert!(silent_customers.session(id(1)).is_some(), "their page is open");
        assert!(silent_customers.take_forgotten(at(119), is_watched).is_empty());
        assert_eq!(silent_customers.take_forgotten(at(120), |_| false), [forgotten(1, false)]);
        assert!(silent_customers.deadline().is_none());
    }
}
