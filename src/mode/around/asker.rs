//! The way to the bot: takes requests from sessions, and returns each answer to the session that
//! asked.

use std::collections::HashMap;

use serde_json::Value;

use crate::bot::{self, Bot};
use crate::core::clock::Now;
use crate::core::reply::Triggers;
use crate::core::session::{Resumed, said_without_bot};
use crate::core::sessions::Sessions;
use crate::edge::journal::{Fault, Journal};
use crate::wire::{ConversationId, Number, Said};

/// Asks the bot for all sessions of a process.
pub(in crate::mode) struct Asker {
    bot: Bot,
    triggers: Triggers,
    /// Requests under way. The key is the request's ticket at the bot; the value is its
    /// conversation and its ticket in that conversation's session.
    under_way: HashMap<u64, (ConversationId, u64)>,
    /// How many requests there were so far, which is also the latest ticket at the bot.
    count: u64,
    /// Whether the bot's warning was shown; it is the same each time.
    has_warned: bool,
}

impl Asker {
    /// The way to this bot, which hands over by these triggers.
    pub(in crate::mode) fn new(bot: Bot, triggers: Triggers) -> Asker {
        Asker { bot, triggers, under_way: HashMap::new(), count: 0, has_warned: false }
    }

    /// Asks the bot a session's question.
    pub(in crate::mode) fn ask(
        &mut self,
        id: ConversationId,
        ticket: u64,
        text: String,
        metadata: Option<Value>,
    ) {
        self.send(id, ticket, bot::Request::Ask { sender: id.to_string(), text, metadata });
    }

    /// Tells the bot that it owns the conversation again, and what people said without it since
    /// our own entry `since`.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(in crate::mode) fn give_back(
        &mut self,
        journal: &Journal,
        id: ConversationId,
        ticket: u64,
        since: Number,
    ) -> Result<(), Fault> {
        let lines = journal.lines_from(id, since)?;
        let line = |said: Said| bot::Line {
            author: said.author,
            name: said.name.as_deref().map(str::to_owned),
            text: said.text.to_string(),
        };
        let said = said_without_bot(&lines, since).into_iter().map(line).collect();
        self.send(id, ticket, bot::Request::Return { sender: id.to_string(), said });
        Ok(())
    }

    /// Gives an answer of the bot to the session that asked. Returns a warning about the bot, the
    /// first time that there is one.
    pub(in crate::mode) fn answered(
        &mut self,
        answer: bot::Answer,
        sessions: &mut Sessions,
        now: Now,
    ) -> Option<String> {
        let (id, ticket) = self.under_way.remove(&answer.ticket)?;
        let mut warning = None;
        match answer.outcome {
            bot::Outcome::Said(said) => {
                let reply = said.map(|items| self.triggers.read(items));
                let reply = reply.map_err(|fault| fault.to_string());
                if let Some(session) = sessions.input(id) {
                    session.answered(ticket, reply, now);
                }
            }
            bot::Outcome::Returned(returned) => {
                if let Some(text) = returned.as_ref().ok().and_then(|taken| taken.warning.clone())
                    && !std::mem::replace(&mut self.has_warned, true)
                {
                    warning = Some(text);
                }
                if let Some(session) = sessions.input(id) {
                    session.returned(ticket, resumed(returned), now);
                }
            }
        }
        warning
    }

    fn send(&mut self, id: ConversationId, ticket: u64, request: bot::Request) {
        self.count += 1;
        self.under_way.insert(self.count, (id, ticket));
        self.bot.send(self.count, request);
    }
}

/// The end of a return, in the session's terms.
fn resumed(returned: Result<bot::Taken, bot::Fault>) -> Resumed {
    match returned.map(|taken| taken.how) {
        Ok(bot::Resumed::Yes) => Resumed::Yes,
        Ok(bot::Resumed::WithoutLines) => Resumed::WithoutLines,
        Ok(bot::Resumed::StillPaused) => Resumed::StillPaused,
        // The bot has the lines; the next return sets its form going.
        Ok(bot::Resumed::WithoutForm(fault)) => Resumed::Failed(fault.to_string()),
        Err(fault @ bot::Fault::NoApi { .. }) => Resumed::NoApi(fault.to_string()),
        Err(fault) if fault.is_refusal() => Resumed::Unreached(fault.to_string()),
        Err(fault) => Resumed::Failed(fault.to_string()),
    }
}
