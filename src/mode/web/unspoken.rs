//! Customers who have begun and said nothing yet. They are in memory alone: a crawler, or somebody
//! who only looks, leaves nothing in the journal. After an hour they are forgotten.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::core::customer::{CustomerId, TokenHash};
use crate::core::session::Session;
use crate::wire::ConversationId;

/// Who says nothing for this long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);

/// All of them.
#[derive(Default)]
pub(super) struct Unspoken {
    newcomers: HashMap<ConversationId, Newcomer>,
    /// When each is forgotten, in that order. Some have spoken meanwhile.
    deadlines: VecDeque<(Instant, ConversationId)>,
}

/// One of them. Nothing of the session is committed yet.
pub(super) struct Newcomer {
    pub(super) customer: CustomerId,
    pub(super) token: TokenHash,
    pub(super) session: Session,
}

impl Unspoken {
    pub(super) fn insert(&mut self, newcomer: Newcomer, now: Now) {
        let id = newcomer.session.id();
        self.deadlines.push_back((now.clock + FORGOTTEN_AFTER, id));
        self.newcomers.insert(id, newcomer);
    }

    pub(super) fn session(&self, id: ConversationId) -> Option<&Session> {
        self.newcomers.get(&id).map(|newcomer| &newcomer.session)
    }

    pub(super) fn session_mut(&mut self, id: ConversationId) -> Option<&mut Session> {
        self.newcomers.get_mut(&id).map(|newcomer| &mut newcomer.session)
    }

    /// The customer of this conversation says the first word.
    pub(super) fn take(&mut self, id: ConversationId) -> Option<Newcomer> {
        self.newcomers.remove(&id)
    }

    /// Those whose time is over are forgotten.
    pub(super) fn take_forgotten(&mut self, now: Now) -> Vec<CustomerId> {
        let mut forgotten = Vec::new();
        while let Some((_, id)) = self.deadlines.pop_front_if(|(at, _)| *at <= now.clock) {
            forgotten.extend(self.newcomers.remove(&id).map(|newcomer| newcomer.customer));
        }
        forgotten
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.front().map(|(at, _)| *at)
    }
}
