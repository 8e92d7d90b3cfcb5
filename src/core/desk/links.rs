//! Which changes of a customer's link the desk shows to agents: each one at once, but only some of
//! them if the link changes all the time. When a gateway's customer has left its pages, the link
//! counts as lost, although the gateway keeps the connection (docs/PROTOCOL.md, "presence").

use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::core::report::Link;
use crate::wire::ConversationId;

use super::Desk;
use super::controls::Phase;

/// The desk shows this many changes of one customer's link within [`NOTICES_WITHIN`]. After that it
/// shows how the link is when that time is over.
const NOTICES_MAX: u32 = 10;
/// See [`NOTICES_MAX`].
const NOTICES_WITHIN: Duration = Duration::from_secs(60);

/// The cause that is shown when the customer's side is connected but its link counts as lost.
const LEFT_PAGE: &str = "the customer has left the page";

/// What agents were shown about one customer's link.
pub(super) struct LinkNotices {
    /// The link as it was shown last.
    shown_link: Option<Link>,
    /// Why the link was lost.
    cause: Option<Box<str>>,
    /// How many changes were shown since `count_start`.
    notice_count: u32,
    /// When the desk began to count.
    count_start: Instant,
    /// Whether [`ChangedLinks`] has this conversation.
    is_due: bool,
}

/// What to do about a link that was made or lost.
enum NextStep {
    /// Nothing.
    None,
    /// Show the link's state; with the cause, if the link was lost.
    Show(Option<Box<str>>),
    /// Look again at this time.
    Later(Instant),
}

impl LinkNotices {
    pub(super) fn new(now: Now) -> LinkNotices {
        LinkNotices {
            shown_link: None,
            cause: None,
            notice_count: 0,
            count_start: now.clock,
            is_due: false,
        }
    }

    /// Notes that the link was made, or was lost for the reason `why`. Returns whether the caller
    /// must add the conversation to [`ChangedLinks`].
    fn change(&mut self, why: Option<&str>) -> bool {
        self.cause = why.map(Into::into);
        !std::mem::replace(&mut self.is_due, true)
    }

    /// What to do about the link's present state. A link is shown only while its customer waits or
    /// talks (`is_live`).
    fn next_step(&mut self, link: Link, is_live: bool, now: Now) -> NextStep {
        self.is_due = false;
        if !is_live {
            self.shown_link = Some(link);
        }
        if self.shown_link == Some(link) {
            return NextStep::None;
        }
        if now.clock >= self.count_start + NOTICES_WITHIN {
            (self.notice_count, self.count_start) = (0, now.clock);
        }
        if self.notice_count == NOTICES_MAX {
            self.is_due = true;
            return NextStep::Later(self.count_start + NOTICES_WITHIN);
        }
        (self.notice_count, self.shown_link) = (self.notice_count + 1, Some(link));
        NextStep::Show(self.cause.take())
    }
}

/// Conversations whose link has changed since it was last shown.
#[derive(Default)]
pub(super) struct ChangedLinks {
    conversations: Vec<ConversationId>,
    /// When to look again at the links that change too often; `None` if there are none.
    next_look: Option<Instant>,
}

impl ChangedLinks {
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
    /// Notes that this customer's link was made, or was lost for the reason `why`.
    pub(super) fn note_link(&mut self, id: ConversationId, why: Option<&str>) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        if conversation.link_notices.change(why) {
            self.changed_links.conversations.push(id);
        }
    }

    /// Notes that a gateway's customer has left its pages, or is back. The gateway keeps the
    /// connection, so entries, acks and the customer's slot do not change.
    pub(super) fn note_presence(&mut self, id: ConversationId, is_here: bool, now: Now) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        if std::mem::replace(&mut conversation.has_left_page, !is_here) != is_here {
            return;
        }
        if !is_here {
            conversation.typing.stop();
        }
        self.note_arrival_or_absence(id, now);
    }

    /// Acts on the arrival or the absence of a customer whose side has a connection: notes the
    /// link, and lets a customer who has arrived wait in the queue.
    pub(super) fn note_arrival_or_absence(&mut self, id: ConversationId, now: Now) {
        if !self.conversations[id].is_connected() {
            return self.note_link(id, Some(LEFT_PAGE));
        }
        self.note_link(id, None);
        self.end_absence(id);
        let conversation = &self.conversations[id];
        let is_waiting = conversation.backlog.announced() == Phase::Queued
            && conversation.controls.pending().is_none();
        if !is_waiting {
            return;
        }
        if !self.queue.has(id) {
            self.wait_again(id, now);
        } else if !self.turn_away(id, true, now) {
            self.accept_by_itself(id, now);
        }
    }

    /// A customer begins to wait or to talk. Notes the link as lost if the customer has left the
    /// page already.
    pub(super) fn review_link(&mut self, id: ConversationId) {
        let conversation = &self.conversations[id];
        if conversation.has_connection() && !conversation.is_connected() {
            self.note_link(id, Some(LEFT_PAGE));
        }
    }

    /// Shows agents the present state of the links that have changed.
    pub(super) fn tell_links(&mut self, now: Now) {
        for id in self.changed_links.take() {
            self.note_absence(id, now);
            let Some(conversation) = self.conversations.get_mut(id) else { continue };
            let is_live = conversation.is_live();
            // The link of a customer who has left the page counts as lost only while the customer
            // waits or talks here.
            let is_there = conversation.is_connected() || !is_live && conversation.has_connection();
            let link = if is_there { Link::Connected } else { Link::Lost };
            match conversation.link_notices.next_step(link, is_live, now) {
                NextStep::None => {}
                NextStep::Show(why) => self.tell_link(id, link, why.map(Into::into)),
                NextStep::Later(at) => self.changed_links.look_again(id, at),
            }
        }
    }
}
