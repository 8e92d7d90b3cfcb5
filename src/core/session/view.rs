//! Questions that the program asks a session: for the screen, and whether the program may end.

use std::ops::RangeInclusive;

use super::{BotWork, Session};
use crate::core::delivery::Mark;
use crate::core::report::{DeskTrouble, Link};
use crate::wire::{Author, Body, ConversationId, Entry, Number, State};

impl Session {
    /// The conversation's id.
    pub fn id(&self) -> ConversationId {
        self.output.conversation()
    }

    /// Whether no desk has had this conversation yet.
    pub fn is_new_to_desks(&self) -> bool {
        self.desks.received().is_empty()
    }

    /// The state of the conversation.
    pub fn state(&self) -> State {
        self.ownership.state()
    }

    /// The name of the agent who owns the conversation, if one does and gave a name.
    pub fn agent(&self) -> Option<&str> {
        self.ownership.agent()
    }

    /// Whether the agent has left, and the customer waits for another one.
    pub fn has_agent_left(&self) -> bool {
        self.ownership.is_left()
    }

    /// Whether the agent has asked the customer to be patient.
    pub fn is_on_hold(&self) -> bool {
        self.ownership.is_on_hold()
    }

    /// Whether the agent types.
    pub fn is_agent_typing(&self) -> bool {
        self.typing.is_there()
    }

    /// What the bot is doing about this conversation.
    pub fn bot_work(&self) -> BotWork {
        self.bot.work()
    }

    /// The customer's position in the queue, as they know it.
    pub fn shown_position(&self) -> Option<u32> {
        if self.state() == State::Queued { self.position.shown() } else { None }
    }

    /// Whether the customer waits, and knows that all agents are away or gone.
    pub fn is_unattended(&self) -> bool {
        self.state() == State::Queued && self.position.is_unattended()
    }

    /// The link to the desk as it was shown last, while a desk is needed.
    pub fn shown_link(&self) -> Option<Link> {
        self.link.last_shown().filter(|_| self.ownership.needs_desk())
    }

    /// Our own numbers up to which the present desk has our entries, and up to which a person there
    /// has seen them.
    pub fn delivered_and_seen(&self) -> (Number, Number) {
        let present = self.desks.present();
        present.map_or((0, 0), |(_, delivery)| (delivery.acked(), delivery.seen_by_peer()))
    }

    /// The highest number of our own entries.
    pub fn newest(&self) -> Number {
        self.output.last()
    }

    /// How far the customer's latest line to a person has come, as far as the desk has said.
    pub fn mark(&self) -> Mark {
        let latest = self.outbox.latest();
        self.desks.present().map_or(Mark::None, |(_, delivery)| delivery.mark(latest))
    }

    /// Takes one line that the agent typed since the customer's last line, for a script's `/wait`.
    /// False if there is none. A greeting is not typed.
    pub fn hear(&mut self) -> bool {
        let heard = self.unheard > 0;
        self.unheard = self.unheard.saturating_sub(1);
        heard
    }

    /// The numbers of our own entries that a desk is owed and has not acknowledged.
    pub fn undelivered(&self) -> RangeInclusive<Number> {
        let owed = if self.ownership.is_owing() { self.owed() } else { 0 };
        self.desks.acked() + 1..=owed
    }

    /// The customer's lines to a person among our own entries with these numbers, the oldest first.
    /// `entry` reads an entry of our own.
    ///
    /// # Errors
    /// When an entry cannot be read.
    pub fn said_to_person<E>(
        &self,
        numbers: RangeInclusive<Number>,
        entry: impl Fn(Number) -> Result<Entry, E>,
    ) -> Result<Vec<String>, E> {
        let to_person = self.ownership.handoff() + 1..=self.owed();
        let mut texts = Vec::new();
        for number in numbers.filter(|number| to_person.contains(number)) {
            match entry(number)?.body {
                Body::Message(said) if said.author == Author::User => {
                    texts.push(said.text.to_string());
                }
                _ => {}
            }
        }
        Ok(texts)
    }

    /// Why the customer cannot be connected to the desk, while they need to be.
    pub fn desk_trouble(&self) -> Option<DeskTrouble> {
        match self.ownership.needs_desk() && self.link.is_shown_lost() {
            true if self.link.is_desk_full() => Some(DeskTrouble::Full),
            true => Some(DeskTrouble::Offline),
            false => None,
        }
    }

    /// Whether there is no connection, not even one that is opening or closing.
    pub fn is_disconnected(&self) -> bool {
        self.link.is_disconnected()
    }

    /// Whether this side has given the desk up, though it needs the desk.
    pub fn is_parted(&self) -> bool {
        self.ownership.needs_desk() && self.link.is_down()
    }

    /// Whether a question or a return to the bot is under way or waits.
    pub fn is_bot_busy(&self) -> bool {
        !self.bot.is_idle()
    }

    /// Whether nothing is owed to a desk and no request to the bot is under way, so that the
    /// program may end without losing anything.
    pub fn is_settled(&self) -> bool {
        self.bot.is_idle() && !self.ownership.needs_desk()
    }

    /// Whether the conversation is closed, and nobody is owed anything any more.
    pub fn is_over(&self) -> bool {
        self.state() == State::Closed && self.is_settled()
    }

    /// Whether this session owes nothing and awaits nothing, and the journal has all that it knows.
    pub fn is_at_rest(&self) -> bool {
        self.is_settled() && self.is_disconnected() && self.bot.is_at_rest()
    }

    /// The number up to which the desk must get our entries.
    pub(super) fn owed(&self) -> Number {
        self.ownership.owed(self.output.last())
    }
}
