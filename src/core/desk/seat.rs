//! Who sits in front of the desk, a person at a terminal or a script, and which customer gets their
//! next line: the focus.
//!
//! The focus moves when the agent says so, when a customer whom the agent asked for is theirs, and
//! when any customer becomes theirs while no customer has it. It goes away with the customer.

use crate::core::record::Record;
use crate::core::report::{AgentRefusal, Choice};
use crate::wire::ConversationId;

use super::Desk;

/// Who sits in front of the desk.
#[derive(Default)]
pub(super) struct Seat {
    focus: Option<ConversationId>,
}

impl Seat {
    /// After a restart the focus is where it was.
    pub(super) fn restore(focus: Option<ConversationId>) -> Seat {
        Seat { focus }
    }

    /// The conversation that gets the agent's next line.
    pub(super) fn focus(&self) -> Option<ConversationId> {
        self.focus
    }
}

impl Desk {
    /// `/switch N`: the next line goes to this active conversation.
    ///
    /// # Errors
    /// When it is not active.
    pub fn switch(&mut self, ordinal: u32) -> Result<(), AgentRefusal> {
        let id = self.find(ordinal)?;
        if !self.is_active(id) {
            return Err(AgentRefusal::NotYours(self.who(id)));
        }
        self.look_at(id);
        Ok(())
    }

    /// `/next`: the next line goes to the next active conversation, round and round.
    ///
    /// # Errors
    /// When there is no other.
    pub fn switch_to_next(&mut self) -> Result<(), AgentRefusal> {
        let after = self.seat.focus.map_or(0, |id| self.conversations[id].ordinal);
        match self.conversations.active_after(after) {
            Some(id) if self.seat.focus != Some(id) => {
                self.look_at(id);
                Ok(())
            }
            _ => Err(AgentRefusal::NoOther),
        }
    }

    /// The conversation that gets the agent's next line.
    pub fn focus(&self) -> Option<ConversationId> {
        self.seat.focus
    }

    /// The customer who gets the agent's next line, as the prompt shows them.
    pub fn prompt(&self) -> String {
        match self.seat.focus {
            Some(id) if self.conversations[id].connection.is_none() => {
                format!("offline, {}", self.who(id))
            }
            Some(id) => self.who(id),
            None => match (self.conversations.active().len(), self.queue.len()) {
                (0, 0) => "nobody".to_owned(),
                (0, waiting) => format!("nobody, {waiting} waiting"),
                (open, 0) => format!("nobody, {open} open"),
                (open, waiting) => format!("nobody, {open} open, {waiting} waiting"),
            },
        }
    }

    /// The agent's next line goes to this conversation.
    pub(super) fn look_at(&mut self, id: ConversationId) {
        self.seat.focus = Some(id);
        self.journal(id, Record::Focus);
    }

    /// Whether the conversation in focus can still take a line.
    pub(super) fn is_focus_live(&self) -> bool {
        self.seat.focus.is_some_and(|id| self.is_active(id))
    }

    /// If the focus is on this conversation, the agent's next line goes nowhere.
    pub(super) fn lose_focus(&mut self, id: ConversationId) {
        if self.seat.focus == Some(id) {
            self.seat.focus = None;
        }
    }

    /// The conversation in focus, if it can take a line: a desk sends no message while a control is
    /// pending (docs/PROTOCOL.md, "States, and who decides").
    pub(super) fn conversation_in_focus(&self) -> Result<ConversationId, AgentRefusal> {
        let Some(id) = self.seat.focus else {
            let choice = match (self.conversations.active().next(), self.queue.iter().next()) {
                (Some(_), _) => Choice::Next,
                (None, Some(_)) => Choice::Accept,
                (None, None) => Choice::Nobody,
            };
            return Err(AgentRefusal::NoFocus(choice));
        };
        match self.conversations[id].controls.pending() {
            None => Ok(id),
            Some(_) => Err(AgentRefusal::OnTheWayOut(self.who(id))),
        }
    }
}
