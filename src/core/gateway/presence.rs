//! Whether each customer is there: they are while they have a stream, and for a while after the last
//! one has ended or a request came. A change of the page or a reload takes less time, so the desk
//! does not hear of it.
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

/// A customer without a stream counts as there for this long.
pub const GONE_AFTER: Duration = Duration::from_secs(15);

/// Whether one customer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// They have a stream.
    Watching,
    /// They have none, and are there until this time.
    Until(Instant),
    /// They are not there.
    Gone,
}

/// The customers who leave soon if no stream comes, and what the sessions do not know yet.
#[derive(Default)]
pub(super) struct Absences {
    ends: BTreeSet<(Instant, CustomerId)>,
    news: Vec<(CustomerId, bool)>,
}

impl Gateway {
    /// A request of a customer came: without a stream they are there for a while from now on.
    pub fn note_request(&mut self, id: CustomerId, now: Now) {
        let Some(customer) = self.customers.get(&id) else { return };
        if customer.streams.is_empty() {
            self.set_presence(id, Presence::Until(now.clock + GONE_AFTER));
        }
    }

    /// The present conversations of the customers who have gone, and (`true`) of those who are back,
    /// since the last call.
    pub fn take_presences(&mut self) -> Vec<(ConversationId, bool)> {
        let news = std::mem::take(&mut self.absences.news).into_iter();
        news.filter_map(|(id, is_here)| Some((self.present(id)?, is_here))).collect()
    }

    /// A stream of this customer has ended.
    pub(super) fn note_stream_end(&mut self, id: CustomerId, now: Now) {
        let Some(customer) = self.customers.get(&id) else { return };
        if customer.streams.is_empty() && customer.presence == Presence::Watching {
            self.set_presence(id, Presence::Until(now.clock + GONE_AFTER));
        }
    }

    /// Whether the customer is there changes, or for how long.
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

    /// Whoever had no stream for too long has gone.
    pub(super) fn tick_presences(&mut self, now: Now) {
        while let Some((end, id)) = self.absences.ends.first().copied()
            && end <= now.clock
        {
            self.absences.ends.pop_first();
            self.set_presence(id, Presence::Gone);
        }
    }

    /// When the next customer has gone, if no stream comes.
    pub(super) fn presence_deadline(&self) -> Option<Instant> {
        self.absences.ends.first().map(|(end, _)| *end)
    }

    /// The customer leaves memory.
    pub(super) fn forget_presence(&mut self, id: CustomerId) {
        self.set_presence(id, Presence::Watching);
        self.absences.news.retain(|(of, _)| *of != id);
    }
}
