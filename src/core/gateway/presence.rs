//! Whether each customer is there. A customer is there while one of their pages has a stream, and
//! for [`GONE_AFTER`] after their last stream has ended or their last request has come. A reload or
//! a click on a link takes less time than that, so the desk does not hear of it.
//!
//! ```text
//!                   a stream opens
//!   Until(time) ─────────────────────▶ Watching
//!     │   ▲ ▲  ◀───────────────────────
//!     │   │ │   the last stream has ended
//!     │   │ └─ a request comes
//!     ▼   │
//!    Gone ┘
//! ```

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::Gateway;
use crate::core::clock::Now;
use crate::core::customer::CustomerId;
use crate::wire::ConversationId;

/// How long a customer without a stream counts as there.
pub const GONE_AFTER: Duration = Duration::from_secs(15);

/// Whether one customer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// The customer has a stream.
    Watching,
    /// The customer has no stream, and counts as there until this time.
    Until(Instant),
    /// The customer is not there.
    Gone,
}

/// When each customer without a stream will be gone, and the changes that the sessions do not know
/// yet.
#[derive(Default)]
pub(super) struct Absences {
    ends: BTreeSet<(Instant, CustomerId)>,
    news: Vec<(CustomerId, bool)>,
}

impl Gateway {
    /// Notes a request of a customer. A customer without a stream now counts as there for
    /// [`GONE_AFTER`].
    pub fn note_request(&mut self, id: CustomerId, now: Now) {
        let Some(customer) = self.customers.get(&id) else { return };
        if customer.streams.is_empty() {
            self.set_presence(id, Presence::Until(now.clock + GONE_AFTER));
        }
    }

    /// The present conversation of each customer who has gone (`false`) or come back (`true`) since
    /// the last call.
    pub fn take_presences(&mut self) -> Vec<(ConversationId, bool)> {
        let news = std::mem::take(&mut self.absences.news).into_iter();
        news.filter_map(|(id, is_here)| Some((self.present(id)?, is_here))).collect()
    }

    /// Notes that a stream of this customer has ended.
    pub(super) fn note_stream_end(&mut self, id: CustomerId, now: Now) {
        let Some(customer) = self.customers.get(&id) else { return };
        if customer.streams.is_empty() && customer.presence == Presence::Watching {
            self.set_presence(id, Presence::Until(now.clock + GONE_AFTER));
        }
    }

    /// Sets a customer's presence, and keeps a change for the sessions.
    pub(super) fn set_presence(&mut self, id: CustomerId, presence: Presence) {
        let Some(customer) = self.customers.get_mut(&id) else { return };
        let former = std::mem::replace(&mut customer.presence, presence);
        let Absences { ends, news } = &mut self.absences;
        if let Presence::Until(end) = former {
            ends.remove(&(end, id));
        }
        if let Presence::Until(end) = presence {
            ends.insert((end, id));
        }
        if (former == Presence::Gone) != (presence == Presence::Gone) {
            news.push((id, presence != Presence::Gone));
        }
    }

    /// Marks each customer as gone who had no stream for too long.
    pub(super) fn tick_presences(&mut self, now: Now) {
        while let Some((end, id)) = self.absences.ends.first().copied()
            && end <= now.clock
        {
            self.absences.ends.pop_first();
            self.set_presence(id, Presence::Gone);
        }
    }

    /// When [`tick_presences`](Gateway::tick_presences) has something to do next.
    pub(super) fn presence_deadline(&self) -> Option<Instant> {
        self.absences.ends.first().map(|(end, _)| *end)
    }

    /// Forgets the presence of a customer who leaves memory.
    pub(super) fn forget_presence(&mut self, id: CustomerId) {
        self.set_presence(id, Presence::Watching);
        self.absences.news.retain(|(of, _)| *of != id);
    }
}
