//! What the admin does: take, talk, move between conversations, hand back, close, look.

use std::ops::RangeInclusive;

use super::{Act, Ask, Conversation, Desk, Open, Phase};
use crate::core::clock::Now;
use crate::core::delivery::Mark;
use crate::core::record::{Origin, Record};
use crate::core::text::Line;
use crate::wire::{Author, Body, Code, Conn, ConversationId, Entry, Message, Number, Said};

impl Desk {
    /// `/accept [N]`: takes the customer with this number, or who waits longest and is connected.
    ///
    /// # Errors
    /// When there is none; one sentence for the admin.
    pub fn accept(&mut self, ordinal: Option<u32>, now: Now) -> Result<ConversationId, String> {
        let id = match ordinal {
            Some(ordinal) => self.find(ordinal)?,
            None => self.next_in_queue().ok_or(match self.queue.is_empty() {
                true => "nobody is waiting",
                false => {
                    "nobody who waits is connected; /accept N takes one of them, for when \
                          they are back"
                }
            })?,
        };
        let conversation = &self.conversations[&id];
        let who = self.who(id);
        match (conversation.phase, conversation.open) {
            (Phase::Queued, None) => {
                self.ask(id, Ask::Accept { by_admin: true }, now);
                if self.conversations[&id].link.is_none() {
                    self.notice(format!(
                        "{who} is not connected; you have them when they are back"
                    ));
                }
                Ok(id)
            }
            (Phase::Queued, Some(_)) => {
                Err(format!("{who} is being accepted; waiting for the customer's side"))
            }
            (Phase::Active, _) => Err(format!("you have {who} already; /switch goes there")),
            _ => Err(format!("{who} is not waiting")),
        }
    }

    /// `/switch N`: the next line goes to this active conversation.
    ///
    /// # Errors
    /// When it is not active.
    pub fn switch(&mut self, ordinal: u32) -> Result<(), String> {
        let id = self.find(ordinal)?;
        if !self.is_active(id) {
            return Err(format!(
                "{} is not talking to you; /accept takes who is waiting",
                self.who(id)
            ));
        }
        self.look_at(id);
        Ok(())
    }

    /// `/next`: goes on to the next active conversation, round and round.
    ///
    /// # Errors
    /// When there is no other.
    pub fn switch_to_next(&mut self) -> Result<(), String> {
        let after = self.focus.map_or(0, |id| self.conversations[&id].ordinal);
        let round = self.talking.range(after + 1..).chain(self.talking.range(..=after));
        let found = round.map(|(_, id)| *id).next();
        match found {
            Some(id) if self.focus != Some(id) => {
                self.look_at(id);
                Ok(())
            }
            _ => Err("there is no other conversation; /list shows who is waiting".to_owned()),
        }
    }

    /// A line was typed: it goes to the conversation in focus.
    ///
    /// # Errors
    /// When there is none that can take it; the line is the caller's to keep then.
    pub fn say(&mut self, text: &str, now: Now) -> Result<(), String> {
        let id = self.talking()?;
        self.record_said(id, text, false, now);
        Ok(())
    }

    /// `/handback [NOTE]`: gives the conversation in focus back to the bot.
    ///
    /// # Errors
    /// When there is none.
    pub fn hand_back(&mut self, note: Option<&str>, now: Now) -> Result<(), String> {
        self.end(Ask::HandBack, note, now)
    }

    /// `/close [NOTE]`: closes the conversation in focus.
    ///
    /// # Errors
    /// When there is none.
    pub fn close(&mut self, note: Option<&str>, now: Now) -> Result<(), String> {
        self.end(Ask::Close, note, now)
    }

    /// `/list`: who talks and who waits, a line each.
    pub fn list(&self) -> Vec<String> {
        let away = |id: &ConversationId| {
            if self.conversations[id].link.is_none() { ", not connected" } else { "" }
        };
        let talking = self.active().map(|id| {
            let here = if self.focus == Some(*id) { ", gets your lines" } else { "" };
            format!("{} is talking to you{here}{}", self.who(*id), away(id))
        });
        let waiting = self.positions().map(|(id, position)| {
            let why = self.conversations[&id].why().map(|why| format!(": {}", Line(why)));
            let (who, why) = (self.who(id), why.unwrap_or_default());
            match self.uncounted.contains(&id) {
                true => format!(
                    "{who} is waiting, not connected, and counts in the queue again \
                                 once they are{why}"
                ),
                false => {
                    let away = away(&id);
                    format!("{who} is waiting, number {position} in the queue{away}{why}")
                }
            }
        });
        let lines: Vec<String> = talking.chain(waiting).collect();
        if lines.is_empty() {
            vec!["nobody is talking, nobody is waiting".to_owned()]
        } else {
            lines
        }
    }

    /// Who would lose the desk if it ended now, in words; `None` for nobody.
    pub fn open(&self) -> Option<String> {
        let customers = |count: usize, verb: &str| match count {
            0 => None,
            1 => Some(format!("1 customer is {verb}")),
            count => Some(format!("{count} customers are {verb}")),
        };
        let parts = [
            customers(self.active().count(), "talking to you"),
            customers(self.queue.len(), "waiting"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// Who gets the next line.
    pub fn focus(&self) -> Option<ConversationId> {
        self.focus
    }

    /// Who gets the next line, as the prompt shows it.
    pub fn prompt(&self) -> String {
        match self.focus {
            Some(id) if self.conversations[&id].link.is_none() => {
                format!("offline, {}", self.who(id))
            }
            Some(id) => self.who(id),
            None => match (self.active().count(), self.queue.len()) {
                (0, 0) => "nobody".to_owned(),
                (0, waiting) => format!("nobody, {waiting} waiting"),
                (open, 0) => format!("nobody, {open} open"),
                (open, waiting) => format!("nobody, {open} open, {waiting} waiting"),
            },
        }
    }

    /// What became of our latest line in the conversation in focus, as far as the customer's side
    /// has told.
    pub fn mark(&self) -> Mark {
        let Some(conversation) = self.focus.and_then(|id| self.conversations.get(&id)) else {
            return Mark::None;
        };
        conversation.delivery.mark(conversation.spoken)
    }

    /// The customer's lines up to this number are on the screen. The customer's side hears of it
    /// now, or after its next hello.
    pub fn shown(&mut self, id: ConversationId, number: Number) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        if !conversation.delivery.show(number) {
            return;
        }
        if let Some(conn) = conversation.link {
            self.act(Act::Send(conn, Message::Seen { number }));
        }
    }

    /// Whether the agent's `/accept` of this customer has no answer yet.
    pub fn is_accepting(&self, id: ConversationId) -> bool {
        let open = self.conversations.get(&id).and_then(|conversation| conversation.open);
        open.is_some_and(|open| open.asked == Ask::Accept { by_admin: true })
    }

    /// Whether somebody waits or talks in this conversation.
    pub fn is_live(&self, id: ConversationId) -> bool {
        self.conversations.get(&id).is_some_and(Conversation::is_live)
    }

    /// Whether the admin has this conversation.
    pub fn is_heard(&self, id: ConversationId) -> bool {
        self.conversations.get(&id).is_some_and(|conversation| conversation.told.0 == Phase::Active)
    }

    /// Takes one line that the customer in focus typed since our last one, for a script's `/wait`.
    pub fn hear(&mut self) -> bool {
        let Some(conversation) = self.focus.and_then(|id| self.conversations.get_mut(&id)) else {
            return false;
        };
        let heard = conversation.unheard > 0;
        conversation.unheard = conversation.unheard.saturating_sub(1);
        heard
    }

    /// Whether a control of ours has no answer yet.
    pub fn is_asking(&self) -> bool {
        self.conversations
            .values()
            .any(|conversation| conversation.open.is_some() && !conversation.asleep)
    }

    /// Whether somebody is talking to us.
    pub fn is_talking(&self) -> bool {
        !self.talking.is_empty()
    }

    /// Who is in the queue, longest first, as the admin knows them.
    pub fn waiting(&self) -> Vec<String> {
        self.queue.iter().map(|id| self.who(*id)).collect()
    }

    /// Our entries that a customer's side has not acknowledged: the conversations and their
    /// numbers.
    pub fn undelivered(&self) -> Vec<(ConversationId, RangeInclusive<Number>)> {
        let owed =
            self.conversations.iter().filter(|(_, c)| c.delivery.acked() < c.last && !c.asleep);
        owed.map(|(id, c)| (*id, c.delivery.acked() + 1..=c.last)).collect()
    }

    /// Says goodbye to everyone: the desk closes its doors.
    pub fn leave(&mut self) {
        let mut conns: Vec<Conn> = self.links.keys().copied().collect();
        conns.sort_unstable();
        for conn in conns {
            let text = "the desk is closing".to_owned();
            self.act(Act::Send(conn, Message::Bye { code: Code::Leaving, text }));
            self.act(Act::Close(conn));
        }
    }

    /// A customer as the admin knows them: number and name.
    pub fn who(&self, id: ConversationId) -> String {
        let conversation = &self.conversations[&id];
        format!("#{} {}", conversation.ordinal, conversation.called(id))
    }

    /// Asks the user's side for a change of owner.
    pub(super) fn ask(&mut self, id: ConversationId, asked: Ask, now: Now) {
        let Some(conversation) = self.conversations.get(&id) else { return };
        let request = conversation.request;
        let body = match asked {
            Ask::Accept { .. } => Body::Accept { request, name: self.options.name.clone() },
            Ask::HandBack => Body::HandBack { request },
            Ask::Close => Body::Close { request },
        };
        let number = self.record(id, body, now);
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.open = Some(Open { number, asked });
        }
    }

    pub(super) fn record_said(&mut self, id: ConversationId, text: &str, greeting: bool, now: Now) {
        let name = self.options.name.as_deref().map(Into::into);
        let said = Said { name, greeting, ..Said::text(Author::Admin, text) };
        let number = self.record(id, Body::Message(said), now);
        if !greeting && let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.unheard = 0;
            (conversation.spoken, conversation.typed) = (number, number);
        }
        self.tell_said(id, Origin::Own, number..=number, false);
    }

    /// The next line goes here.
    pub(super) fn look_at(&mut self, id: ConversationId) {
        self.focus = Some(id);
        self.journal(id, Record::Focus);
    }

    pub(super) fn is_focus_live(&self) -> bool {
        self.focus.is_some_and(|id| self.is_active(id))
    }

    pub(super) fn lose_focus(&mut self, id: ConversationId) {
        if self.focus == Some(id) {
            self.focus = None;
        }
    }

    /// Numbers and journals an entry of our own.
    fn record(&mut self, id: ConversationId, body: Body, now: Now) -> Number {
        let Some(conversation) = self.conversations.get_mut(&id) else { return 0 };
        conversation.last += 1;
        let number = conversation.last;
        self.journal(id, Record::Own(Entry { number, at: now.wall, body }));
        self.is_busy(id, now);
        self.touch(id);
        number
    }

    fn end(&mut self, asked: Ask, note: Option<&str>, now: Now) -> Result<(), String> {
        let id = self.talking()?;
        if let Some(note) = note {
            self.journal(id, Record::Note(note.to_owned()));
        }
        self.ask(id, asked, now);
        if self.conversations[&id].link.is_none() {
            self.notice(format!(
                "{} is not connected; it takes effect when they are back",
                self.who(id)
            ));
        }
        Ok(())
    }

    /// The conversation in focus, if it can take a line.
    fn talking(&self) -> Result<ConversationId, String> {
        let Some(id) = self.focus else {
            let hint = match (self.active().next(), self.queue.front()) {
                (Some(_), _) => "/next goes on to who is open",
                (None, Some(_)) => "/accept takes who is waiting",
                (None, None) => "nobody is waiting",
            };
            return Err(format!("you are talking to nobody; {hint}"));
        };
        match self.conversations[&id].open {
            None => Ok(id),
            Some(_) => {
                Err(format!("{} is on the way out; waiting for the customer's side", self.who(id)))
            }
        }
    }

    fn next_in_queue(&self) -> Option<ConversationId> {
        // Who withdrew in a backlog that is not over stays in the queue until it is.
        let waits = |conversation: &Conversation| {
            conversation.phase == Phase::Queued && conversation.open.is_none()
        };
        let ready =
            |conversation: &Conversation| conversation.link.is_some() && waits(conversation);
        self.queue.iter().find(|id| ready(&self.conversations[id])).copied()
    }

    /// Who talks to us, by their number.
    fn active(&self) -> impl Iterator<Item = &ConversationId> {
        self.talking.values()
    }

    fn is_active(&self, id: ConversationId) -> bool {
        self.conversations[&id].is_active()
    }

    fn find(&self, ordinal: u32) -> Result<ConversationId, String> {
        match self.ordinals.get(&ordinal) {
            Some(id) => Ok(*id),
            None if (1..=self.begun).contains(&ordinal) => {
                Err(format!("conversation {ordinal} has ended; /history {ordinal} shows it"))
            }
            None => Err(format!("there is no conversation {ordinal}; /list shows them")),
        }
    }
}
