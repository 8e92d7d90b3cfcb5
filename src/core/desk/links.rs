//! Whose link came or went, as the agent is shown it: at once, but of a customer whose link changes
//! all the time only now and then.

use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::core::report::Link;
use crate::wire::ConversationId;

use super::Desk;

/// The desk shows this many changes of one customer's link within [`LINKS_WITHIN`]. After that it
/// shows how the link is when that time is over.
const LINKS_TOLD: u32 = 10;
/// See [`LINKS_TOLD`].
const LINKS_WITHIN: Duration = Duration::from_secs(60);

/// What the agent knows of one customer's link.
pub(super) struct LinkNotices {
    /// The link as it was shown last.
    shown: Option<Link>,
    /// Why the link was lost.
    why: Option<Box<str>>,
    /// How many changes were shown since `since`.
    count: u32,
    since: Instant,
    /// Whether [`Flapped`] has this conversation.
    is_due: bool,
}

/// What to do about a link that came or went.
enum News {
    /// Nothing.
    None,
    /// Show how it is, and why it was lost.
    Show(Option<Box<str>>),
    /// Look again at this time.
    Later(Instant),
}

impl LinkNotices {
    pub(super) fn new(now: Now) -> LinkNotices {
        LinkNotices { shown: None, why: None, count: 0, since: now.clock, is_due: false }
    }

    /// The link came, or went for this reason. True when [`Flapped`] must get the conversation.
    fn change(&mut self, why: Option<&str>) -> bool {
        self.why = why.map(Into::into);
        !std::mem::replace(&mut self.is_due, true)
    }

    /// What to do, if the link is like this now. Only the links of conversations that somebody
    /// waits or talks in are shown.
    fn news(&mut self, link: Link, is_live: bool, now: Now) -> News {
        self.is_due = false;
        if !is_live {
            self.shown = Some(link);
        }
        if self.shown == Some(link) {
            return News::None;
        }
        if now.clock >= self.since + LINKS_WITHIN {
            (self.count, self.since) = (0, now.clock);
        }
        if self.count == LINKS_TOLD {
            self.is_due = true;
            return News::Later(self.since + LINKS_WITHIN);
        }
        (self.count, self.shown) = (self.count + 1, Some(link));
        News::Show(self.why.take())
    }
}

/// Conversations whose link came or went, and the agent may not know it.
#[derive(Default)]
pub(super) struct Flapped {
    conversations: Vec<ConversationId>,
    /// When to look again at those whose links change too often; `None` if there are none.
    next_look: Option<Instant>,
}

impl Flapped {
    /// When to look again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next_look
    }

    fn take(&mut self) -> Vec<ConversationId> {
        self.next_look = None;
        std::mem::take(&mut self.conversations)
    }

    fn look_again(&mut self, id: ConversationId, at: Instant) {
        self.conversations.push(id);
        self.next_look = Some(self.next_look.map_or(at, |next| next.min(at)));
    }
}

impl Desk {
    /// This customer's link came, or went for this reason.
    pub(super) fn flap(&mut self, id: ConversationId, why: Option<&str>) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        if conversation.link_notices.change(why) {
            self.flapped.conversations.push(id);
        }
    }

    /// Shows the agent how the links are now that came or went.
    pub(super) fn tell_links(&mut self, now: Now) {
        for id in self.flapped.take() {
            self.watch(id, now);
            let Some(conversation) = self.conversations.get_mut(id) else { continue };
            let link = if conversation.connection.is_some() { Link::Connected } else { Link::Lost };
            let is_live = conversation.is_live();
            match conversation.link_notices.news(link, is_live, now) {
                News::None => {}
                News::Show(why) => self.tell_link(id, link, why.map(Into::into)),
                News::Later(at) => self.flapped.look_again(id, at),
            }
        }
    }
}
