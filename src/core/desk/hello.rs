//! What the desk does with a hello: whether it accepts the hello, and from which numbers both sides
//! go on.
//!
//! Rules: docs/PROTOCOL.md, "hello" and "welcome".

use crate::core::clock::Now;
use crate::core::hash::sha256;
use crate::core::outcome::Act;
use crate::core::record::{Record, Story};
use crate::core::report::{DeskNews, Goodbye, held_by_customer};
use crate::wire::{
    AGENT, Address, Conn, ConversationId, END_QUEUED, GATEWAY, Hello, Message, Number, PAGE,
    REQUEUE, Secret, Token, VERSION, Welcome,
};

use super::conversation::{Conversation, Former};
use super::{Desk, LOST_MAX};

impl Desk {
    /// A customer's side says hello.
    pub(super) fn hello(&mut self, conn: Conn, hello: Hello, now: Now) {
        let Some(address) = self.connections.take_stranger(conn) else { return };
        let secret = sha256(hello.secret.bytes());
        let mark = hello.received.get(&self.id).copied().unwrap_or(0);
        if let Err(why) = self.judge(&hello, secret, mark) {
            return self.dismiss(conn, &why);
        }
        let id = hello.conversation;
        let is_trusted = self.is_trusted(&hello);
        let slot = match &hello.gateway {
            Some(gateway) if is_trusted => gateway.address_key.map(Address::from),
            _ => Some(address),
        };
        let knows = |name: &str| hello.features.iter().any(|feature| feature == name);
        // The address of an untrusted gateway says nothing about its customers.
        let is_customers_own = is_trusted || (hello.gateway.is_none() && !knows(PAGE));
        if !self.find_slot(conn, id, slot) {
            return;
        }
        self.resume(id, secret, mark, now);
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        conversation.delivery.offer_all();
        // docs/PROTOCOL.md, "welcome": an ack with the same number follows.
        conversation.delivery.owe_ack();
        let elsewhere =
            hello.received.iter().filter(|(desk, _)| **desk != self.id).map(|(_, number)| *number);
        conversation.backlog.begin(&hello, elsewhere.fold(0, Number::saturating_add));
        (conversation.knows_agents, conversation.knows_requeue) = (knows(AGENT), knows(REQUEUE));
        conversation.may_end_queued = knows(END_QUEUED);
        let renamed = conversation.rename(hello.name);
        (conversation.address, conversation.is_trusted) =
            (slot.filter(|_| is_customers_own), is_trusted);
        let was_asleep = conversation.wake();
        let former = conversation.connection.replace(conn);
        conversation.has_left_page = hello.is_here == Some(false);
        if let Some(record) = renamed {
            self.journal(id, record);
        }
        self.connections.admit(conn, id);
        // docs/PROTOCOL.md, "Delivery": a newer connection replaces the older one.
        if let Some(former) = former {
            self.connections.close(former);
            self.dismiss(former, &Goodbye::Replaced);
        }
        self.take_slot(id, slot);
        self.welcome(conn, id, is_trusted);
        if was_asleep {
            self.note_activity(id, now);
            self.wake(id, now);
        }
        self.send_agent(id);
        self.requeue(id, now);
        self.send_position(id);
        // This customer may have waited already when the desk was started.
        self.note_arrival_or_absence(id, now);
    }

    /// The customer's side has this desk's entries up to `mark`: the desk goes on from there.
    fn resume(&mut self, id: ConversationId, secret: [u8; 32], mark: Number, now: Now) {
        let conversation = self.conversations.get_or_begin(id, || Conversation::new(secret, now));
        match conversation.delivery.resume(mark, conversation.own.last()) {
            // The connection before this one lost the customer's latest `ack`.
            Ok(true) => self.tell_delivered(id, mark),
            Ok(false) => {}
            // Our journal is older than what we sent: it was restored from a backup.
            Err(_) => self.raise(id, mark),
        }
    }

    /// The customer of this conversation has proved that the former one was theirs, too.
    pub fn has_returned(&mut self, id: ConversationId, former: Former) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        let latest = former.latest;
        let known = conversation.former.replace(Box::new(former));
        let is_news = known.is_none_or(|known| known.latest != latest);
        if is_news && conversation.ordinal > 0 {
            self.journal(id, Record::Former(latest));
        }
    }

    /// Whether the hello comes from a gateway that this desk trusts.
    fn is_trusted(&self, hello: &Hello) -> bool {
        let Some(gateway) = &hello.gateway else { return false };
        // The hashes are compared, so that the time this takes reveals nothing about the token.
        let given = sha256(gateway.token.0.as_bytes());
        let is_it = |token: &Token| sha256(token.0.as_bytes()) == given;
        self.options.trusted_gateways.iter().any(is_it)
    }

    /// Answers the hello.
    fn welcome(&mut self, conn: Conn, id: ConversationId, is_trusted: bool) {
        let conversation = &self.conversations[id];
        let shown = conversation.delivery.shown();
        let welcome = Welcome {
            desk: self.id,
            received: conversation.delivery.received(),
            state: conversation.state(),
            features: is_trusted.then(|| GATEWAY.to_owned()).into_iter().collect(),
        };
        self.act(Act::Send(conn, Message::Welcome(welcome)));
        self.act(Act::Admit(conn));
        // The connection before this one may have lost our latest `seen` (docs/PROTOCOL.md, "ack,
        // seen, position, ping").
        if let Some(number) = shown {
            self.act(Act::Send(conn, Message::Seen { number }));
        }
        self.send_later(id);
    }

    /// Why the desk cannot accept this hello: the checks 1 to 3 of docs/PROTOCOL.md, "hello", in
    /// their order. The customer's side has this desk's entries up to `mark`.
    fn judge(&self, hello: &Hello, secret: [u8; 32], mark: Number) -> Result<(), Goodbye<'static>> {
        if hello.version != VERSION {
            return Err(Goodbye::OtherVersion(hello.version));
        }
        let Some(known) = self.conversations.get(hello.conversation) else {
            return if mark > LOST_MAX { Err(Goodbye::OtherMark) } else { Ok(()) };
        };
        if known.secret != secret {
            return Err(Goodbye::OtherSecret);
        }
        if mark > known.own.last() + LOST_MAX || mark < known.own.highest_lost() {
            return Err(Goodbye::OtherMark);
        }
        Ok(())
    }

    /// The customer has more of our entries than we can have sent, because our journal is an old
    /// copy. We continue with the numbers above these entries, and remember that only the customer
    /// has them. What the agent said since the restart has the same numbers, and gets new ones
    /// above them (docs/PROTOCOL.md, "hello", 3).
    fn raise(&mut self, id: ConversationId, mark: Number) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        let made = conversation.own.last();
        let from = conversation.delivery.highest_offered(made) + 1;
        let moves = made >= from;
        let by = conversation.own.raise(from, mark);
        conversation.delivery.set_back(mark);
        conversation.controls.renumber(from, by);
        let last = conversation.own.last();
        // A conversation without an entry is not journaled: a stranger leaves nothing.
        if conversation.ordinal == 0 {
            return;
        }
        if moves {
            self.journal(id, Record::Moved { from, by });
            self.out.renumber(id, from, by);
        }
        self.remember_lost(id, from);
        if moves {
            let who = self.who(id);
            self.tell_news_of(id, DeskNews::Moved { who, first: mark + 1, last });
        }
    }

    /// Journals that only the customer has our entries from number `first` on, and shows that.
    pub(super) fn remember_lost(&mut self, id: ConversationId, first: Number) {
        let lost = self.conversations[id].own.highest_lost();
        self.journal(id, Record::Held(lost));
        self.journal(id, Record::Note(held_by_customer(first, lost)));
        let who = self.who(id);
        self.tell_news_of(id, DeskNews::HeldByCustomer { who, first, last: lost });
    }
}

/// Whether this is the secret whose hash the journal has for this conversation.
pub fn is_secret_of(secret: &Secret, story: &Story) -> bool {
    sha256(secret.bytes()) == story.secret
}
