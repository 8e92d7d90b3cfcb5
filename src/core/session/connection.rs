//! How the connection comes and goes: this side dials while it needs the desk, sends its hello,
//! hangs up when everything is delivered, and dials again after a loss.
//!
//! Rules: docs/PROTOCOL.md, "When the user's side dials and hangs up", "hello" and "bye".

use std::time::Duration;

use super::{Act, Errand, Session};
use crate::core::clock::Now;
use crate::core::dialling::Verdict;
use crate::core::outcome::Fact;
use crate::core::report::{self, CustomerNews, LEAVING, LinkFault, Report};
use crate::wire::{
    AGENT, Code, Conn, END_QUEUED, Former, Gateway, Hello, Message, PAGE, REQUEUE, State, Token,
    VERSION,
};

/// How long the desk may take to answer the hello. The loop sets this deadline on the connection.
pub const WELCOME_WITHIN: Duration = Duration::from_secs(5);

impl Session {
    /// Whether a connection to the desk is wanted.
    pub fn is_dial_wanted(&self) -> bool {
        self.link.is_wanted()
    }

    /// Asks for a dial of the desk.
    pub fn dial(&mut self) {
        self.link.dial();
        self.output.act(Act::Errand(Errand::Dial(self.id())));
    }

    /// The dial that was asked for is under way as `conn`.
    pub fn dialled(&mut self, conn: Conn) {
        self.link.dialled(conn);
        self.rest_if_delivered();
    }

    /// The connection is open: this side sends its hello. `token` is a gateway's. `former` is the
    /// customer's conversation before this one.
    pub fn connected(&mut self, conn: Conn, token: Option<&Token>, former: Option<Former>) {
        if self.link.opening() != Some(conn) {
            return;
        }
        let mut features = [AGENT, REQUEUE, END_QUEUED].map(str::to_owned).to_vec();
        features.extend(self.visit.is_some().then(|| PAGE.to_owned()));
        let hello = Hello {
            version: VERSION,
            conversation: self.id(),
            secret: self.secret,
            name: self.name.as_deref().map(str::to_owned),
            received: self.desks.received(),
            newest: self.owed(),
            features,
            gateway: token.map(|token| Gateway {
                token: token.clone(),
                address_key: self.visit.as_ref().and_then(|visit| visit.address_key),
            }),
            former,
            is_here: (!self.is_here).then_some(false),
        };
        self.link.introduce(hello.newest);
        self.is_known_here = self.is_here;
        self.output.act(Act::Send(conn, Message::Hello(Box::new(hello))));
    }

    /// The connection is gone, or the dial failed.
    pub fn disconnected(&mut self, conn: Conn, why: impl Into<LinkFault>, now: Now) {
        if self.link.opening().or(self.link.up()) == Some(conn) {
            self.retry(&why.into(), now);
        } else if self.link.end(conn) {
            self.seek_desk();
        }
    }

    /// The peer is not the trusted desk. It gets nothing, and this side does not dial it again by
    /// itself (docs/PROTOCOL.md, "Transport").
    pub fn distrust(&mut self, conn: Conn, why: &str) {
        if self.link.opening() == Some(conn) {
            self.part(conn, &LinkFault::Distrusted(why.to_owned()));
        }
    }

    /// The two journals have different entries under the same number: one of the journals was
    /// restored from an old copy (docs/PROTOCOL.md, "Delivery", After a fork).
    pub fn fork(&mut self, conn: Conn) {
        let why = LinkFault::Contradiction;
        self.output.act(Act::Send(conn, Message::Bye { code: Code::Fork, text: why.to_string() }));
        self.part(conn, &why);
        self.output.act(Act::Errand(Errand::StartOver(self.id())));
    }

    /// The program is ending: the desk gets a goodbye. The conversation goes on at the next start.
    pub fn leave(&mut self) {
        if let Some(conn) = self.link.leave() {
            let text = LEAVING.to_owned();
            self.output.act(Act::Send(conn, Message::Bye { code: Code::Leaving, text }));
            self.output.act(Act::Close(conn));
        }
    }

    /// Tells the desk on which page the gateway's customer is.
    pub(super) fn tell_page(&mut self, conn: Conn) {
        if let Some(visit) = &self.visit {
            self.output.act(Act::Send(conn, Message::Page(Box::new(visit.page.clone()))));
        }
    }

    /// Tells the desk whether the customer is there, if it does not know (docs/PROTOCOL.md,
    /// "presence").
    pub(super) fn tell_presence(&mut self, conn: Conn) {
        let is_here = self.is_here;
        if std::mem::replace(&mut self.is_known_here, is_here) != is_here {
            self.output.act(Act::Send(conn, Message::Presence { is_here }));
        }
    }

    /// What connections have shown about the desk's address since the last call.
    pub fn take_verdict(&mut self) -> Option<Verdict> {
        self.link.take_verdict()
    }

    /// Wants a connection at once, if this side needs the desk and has no connection.
    pub(super) fn seek_desk(&mut self) {
        if self.ownership.needs_desk() && self.link.is_disconnected() {
            self.tell_link(report::Link::Connecting, None);
            self.link.want();
        }
    }

    /// Hangs up when this side does not need the desk any more. A desk sends its entries before it
    /// acknowledges ours. So when it has acknowledged all of ours, none of its entries is under
    /// way.
    pub(super) fn rest_if_delivered(&mut self) {
        if self.ownership.needs_desk() {
            return;
        }
        if let Some((conn, _, delivery)) = self.connected_desk()
            && let Some(number) = delivery.take_ack()
        {
            self.output.act(Act::Send(conn, Message::Ack { number }));
        }
        if let Some(conn) = self.link.hang_up() {
            self.output.act(Act::Close(conn));
        }
    }

    /// Gives up the desk for this conversation: undelivered entries stay undelivered
    /// (docs/PROTOCOL.md, "bye").
    pub(super) fn part(&mut self, conn: Conn, why: &LinkFault) {
        self.output.act(Act::Close(conn));
        self.link.give_up();
        self.typing.stop();
        self.tell_link(report::Link::Lost, Some(why));
        let address = self.address.to_string();
        self.output.tell_fault(CustomerNews::Parted { address, why: why.clone() });
        // With the bot, or in a closed conversation, the customer need not know that the desk
        // misses entries.
        if !self.ownership.is_with_desk()
            && self.ownership.end_parting()
            && self.state() == State::Bot
        {
            let owed = self.desks.acked() + 1..=self.owed();
            self.output.act(Act::Tell(Fact::Undelivered(self.id(), owed)));
        }
    }

    /// The connection failed: this side dials again, if it still needs the desk.
    pub(super) fn retry(&mut self, why: &LinkFault, now: Now) {
        if self.link.up().is_some() {
            self.output.begin_idle(now);
        }
        self.link.lose(self.ownership.needs_desk());
        self.typing.stop();
        self.tell_loss(why);
    }

    /// Tells the customer that the desk is not connected, and what they can do while they wait.
    pub(super) fn tell_loss(&mut self, why: &LinkFault) {
        let is_news = !self.link.is_shown_lost();
        self.tell_link(report::Link::Lost, Some(why));
        if self.state() == State::Queued {
            self.position.forget();
            if is_news {
                self.output.tell_news(CustomerNews::SeekingDesk);
            }
        }
    }

    /// Shows the state of the link, if it differs from the state that was shown last.
    pub(super) fn tell_link(&mut self, link: report::Link, why: Option<&LinkFault>) {
        if self.link.show(link) {
            self.output.tell(Report::Link {
                conversation: self.id(),
                ordinal: None,
                customer: None,
                link,
                desk: self.address.to_string(),
                why: why.map(LinkFault::to_string),
                parted: link == report::Link::Lost && self.is_parted(),
                unreached: why.is_some_and(LinkFault::is_whole),
            });
        }
    }
}
