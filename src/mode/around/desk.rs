//! The way to the desk: dials for sessions, checks that the peer is the trusted desk, and gives its
//! messages to the session that dialled.

use std::net::SocketAddr;

use crate::core::clock::Now;
use crate::core::report::LinkFault;
use crate::core::session::WELCOME_WITHIN;
use crate::core::sessions::Sessions;
use crate::edge::journal::Journal;
use crate::edge::tls::{Fingerprint, Security, Trust};
use crate::net;
use crate::turn::peers::Peers;
use crate::wire::{Conn, ConversationId, GATEWAY, Message, Token};

/// The desk of all sessions of a process.
pub(in crate::mode) struct Desk {
    pub(in crate::mode) address: String,
    pub(in crate::mode) settings: net::Settings,
    pub(in crate::mode) trust: Trust,
    /// The token that proves that the desk may trust this gateway.
    token: Option<Token>,
    /// Whether the notice was shown that the desk does not trust this gateway.
    has_told_distrust: bool,
    /// Added to what a customer reads about a desk that cannot be trusted.
    advice: &'static str,
}

impl Desk {
    /// The desk at this address, and the condition under which it is trusted. `token` is a
    /// gateway's.
    pub(in crate::mode) fn new(
        address: String,
        (trust, security): (Trust, Security),
        token: Option<Token>,
        advice: &'static str,
    ) -> Desk {
        let settings = Peers::settings(security);
        Desk { address, settings, trust, token, has_told_distrust: false, advice }
    }

    /// Dials the desk for a session.
    pub(in crate::mode) fn dial(&self, peers: &Peers, sessions: &mut Sessions, id: ConversationId) {
        let conn = peers.net().dial(&self.address, self.settings.clone());
        sessions.dialled(id, conn);
    }

    /// A dialled connection is open. Returns news about the desk's key.
    pub(in crate::mode) fn connected(
        &mut self,
        (conn, peer, key): (Conn, SocketAddr, Option<Fingerprint>),
        peers: &mut Peers,
        sessions: &mut Sessions,
        journal: &Journal,
        now: Now,
    ) -> Option<String> {
        match self.trust.judge(&self.address, peer, key) {
            Ok(news) => {
                peers.opened(conn, now.clock);
                peers.net().expect(conn, Some(WELCOME_WITHIN), "welcome");
                if let Some(session) = sessions.on(conn) {
                    let is_new = session.is_new_to_desks();
                    // A journal that cannot be read ends the program at the next turn.
                    let former = is_new.then(|| journal.former(session.id()).ok().flatten());
                    session.connected(conn, self.token.as_ref(), former.flatten());
                }
                news
            }
            Err(why) => {
                peers.close(conn);
                self.distrust(conn, &why, sessions);
                None
            }
        }
    }

    /// Bytes came from the desk. Returns a notice, the first time that the desk does not trust this
    /// gateway.
    pub(in crate::mode) fn received(
        &mut self,
        (conn, bytes): (Conn, Vec<u8>),
        peers: &mut Peers,
        sessions: &mut Sessions,
        now: Now,
    ) -> Option<String> {
        let (mut broken, mut is_trusted) = (None, true);
        peers.received(conn, bytes, now.clock, |message| match message {
            Ok(_) if broken.is_some() => {}
            Ok(message) => {
                if let Message::Welcome(welcome) = &message {
                    is_trusted = welcome.features.iter().any(|feature| feature == GATEWAY);
                }
                if !sessions.received(conn, message, now) {
                    broken = Some("the desk broke the protocol".to_owned());
                }
            }
            Err(error) => broken = Some(format!("the desk sent {error}")),
        });
        if let Some(why) = broken {
            peers.close(conn);
            sessions.disconnected(conn, &*why, now);
        }
        let is_news = self.token.is_some()
            && !is_trusted
            && !std::mem::replace(&mut self.has_told_distrust, true);
        is_news.then(|| {
            format!(
                "the desk at {} does not trust this gateway: it counts all customers as one \
                 address, and believes no identity; give it --trust-gateway with the same token",
                self.address
            )
        })
    }

    /// A connection to the desk is gone, or the dial failed.
    pub(in crate::mode) fn closed(
        &mut self,
        conn: Conn,
        why: &net::Closed,
        peers: &mut Peers,
        sessions: &mut Sessions,
        now: Now,
    ) {
        peers.gone(conn);
        match why {
            net::Closed::Plaintext => self.distrust(conn, &other_side_is_plaintext(), sessions),
            net::Closed::Distrusted(why) => self.distrust(conn, why, sessions),
            _ => {}
        }
        let fault = match why {
            net::Closed::Dial(why) => LinkFault::Unreached(why.clone()),
            why => LinkFault::Other(why.to_string()),
        };
        sessions.disconnected(conn, fault, now);
    }

    /// The peer is not the trusted desk. Nothing dials it again until the customer asks for that.
    fn distrust(&self, conn: Conn, why: &str, sessions: &mut Sessions) {
        if let Some(session) = sessions.on(conn) {
            session.distrust(conn, &format!("{why}{}", self.advice));
        }
    }
}

/// The advice for a person when the desk speaks plaintext and this side TLS.
pub(in crate::mode) fn other_side_is_plaintext() -> String {
    format!(
        "{}; give --plaintext anywhere here too, but only if a tunnel leads to it",
        net::Closed::Plaintext
    )
}
