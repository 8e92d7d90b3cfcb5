//! Whose link came or went, as the admin is told: at once, but of a customer who does nothing else
//! only now and then.

use std::time::{Duration, Instant};

use super::Desk;
use crate::core::clock::Now;
use crate::core::report::Link;
use crate::wire::ConversationId;

/// So often the admin is told of one customer's link within [`LINKS_WITHIN`]; then of how it is
/// once that is over.
const LINKS_TOLD: u32 = 10;
/// See [`LINKS_TOLD`].
const LINKS_WITHIN: Duration = Duration::from_secs(60);

/// What the admin knows of a customer's link.
pub(super) struct Links {
    told: Option<Link>,
    /// Why it was lost.
    why: Option<Box<str>>,
    /// Told so often since then.
    count: u32,
    since: Instant,
    /// Among those that the admin may have to be told of.
    due: bool,
}

impl Links {
    pub(super) fn new(now: Now) -> Links {
        Links { told: None, why: None, count: 0, since: now.clock, due: false }
    }

    /// How it is now, if the admin is to be told; when to ask again, if that is not now.
    fn tell(&mut self, link: Link, now: Now) -> Result<bool, Instant> {
        if self.told == Some(link) {
            return Ok(false);
        }
        if now.clock >= self.since + LINKS_WITHIN {
            (self.count, self.since) = (0, now.clock);
        }
        if self.count == LINKS_TOLD {
            return Err(self.since + LINKS_WITHIN);
        }
        (self.count, self.told) = (self.count + 1, Some(link));
        Ok(true)
    }
}

impl Desk {
    /// This customer's link came or went; the reason, if it went.
    pub(super) fn flap(&mut self, id: ConversationId, why: Option<&str>) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        conversation.links.why = why.map(Into::into);
        if !std::mem::replace(&mut conversation.links.due, true) {
            self.flapped.push(id);
        }
    }

    /// Tells how the links are now that came or went, of who waits or talks.
    pub(super) fn tell_links(&mut self, now: Now) {
        self.tell_links_again = None;
        for id in std::mem::take(&mut self.flapped) {
            self.watch(id, now);
            let Some(conversation) = self.conversations.get_mut(&id) else { continue };
            conversation.links.due = false;
            let link = if conversation.link.is_some() { Link::Connected } else { Link::Lost };
            if !conversation.is_live() {
                conversation.links.told = Some(link);
                continue;
            }
            match conversation.links.tell(link, now) {
                Ok(true) => {
                    let why = conversation.links.why.take();
                    self.tell_link(id, link, why.map(Into::into));
                }
                Ok(false) => {}
                Err(at) => {
                    conversation.links.due = true;
                    self.flapped.push(id);
                    self.tell_links_again =
                        Some(self.tell_links_again.map_or(at, |before| before.min(at)));
                }
            }
        }
    }
}
