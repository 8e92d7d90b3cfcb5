//! What agents do for a customer besides talking: tags, and `/hold`.
//!
//! Tags never leave the desk. The desk tells the customer's side that the customer is on hold
//! (docs/PROTOCOL.md, "agent"), and sends the agent's text, if there is one. The text does not
//! count as an answer. The hold ends with the agent's next line, with `/resume`, or when the
//! conversation gets another owner or none.

use crate::core::clock::Now;
use crate::core::record::Record;
use crate::core::report::{AgentRefusal, EndingOutcome, Report};
use crate::core::text::is_same;
use crate::wire::ConversationId;

use super::conversation::Conversation;
use super::{Desk, SeatId};

/// The most tags of one conversation.
const TAGS_MAX: usize = 16;

impl Desk {
    /// `/tag [#N] TAG`: marks a conversation, whoever has it.
    ///
    /// # Errors
    /// When there is no such conversation, or it has too many tags.
    pub fn tag(&mut self, seat: SeatId, on: Option<u32>, tag: &str) -> Result<(), AgentRefusal> {
        let id = self.target(seat, on)?;
        let mut tags = self.conversations[id].tags.to_vec();
        if !tags.iter().any(|known| is_same(known, tag)) {
            if tags.len() == TAGS_MAX {
                return Err(AgentRefusal::TooManyTags { who: self.who(id), most: TAGS_MAX });
            }
            tags.push(tag.into());
        }
        self.set_tags(seat, id, tags);
        Ok(())
    }

    /// `/untag [#N] TAG`: removes a tag from a conversation.
    ///
    /// # Errors
    /// When there is no such conversation, or it has no such tag.
    pub fn untag(&mut self, seat: SeatId, on: Option<u32>, tag: &str) -> Result<(), AgentRefusal> {
        let id = self.target(seat, on)?;
        let mut tags = self.conversations[id].tags.to_vec();
        let before = tags.len();
        tags.retain(|known| !is_same(known, tag));
        if tags.len() == before {
            return Err(AgentRefusal::NoSuchTag { who: self.who(id), tag: tag.to_owned() });
        }
        self.set_tags(seat, id, tags);
        Ok(())
    }

    /// `/hold [#N] [TEXT]`: puts the customer on hold, and sends them the text, if there is one.
    ///
    /// # Errors
    /// When the agent does not have the customer.
    pub fn hold(
        &mut self,
        seat: SeatId,
        on: Option<u32>,
        text: Option<&str>,
        now: Now,
    ) -> Result<(), AgentRefusal> {
        let id = self.target_to_talk(seat, on)?;
        self.keep(id, EndingOutcome::AgentWrote, now);
        text.iter().for_each(|text| self.record_said(id, text, true, now));
        self.set_hold(id, true);
        Ok(())
    }

    /// `/resume [#N] [TEXT]`: the agent goes on with a customer who was on hold.
    ///
    /// # Errors
    /// When the agent does not have the customer, or they are not on hold.
    pub fn go_on(
        &mut self,
        seat: SeatId,
        on: Option<u32>,
        text: Option<&str>,
        now: Now,
    ) -> Result<(), AgentRefusal> {
        let id = self.target_to_talk(seat, on)?;
        if !self.conversations[id].is_on_hold {
            return Err(AgentRefusal::NotOnHold(self.who(id)));
        }
        self.keep(id, EndingOutcome::AgentWrote, now);
        self.set_hold(id, false);
        text.iter().for_each(|text| self.record_said(id, text, true, now));
        Ok(())
    }

    /// Begins or ends the hold: journals it, and tells the customer's side and the agents who see
    /// the conversation.
    pub(super) fn set_hold(&mut self, id: ConversationId, is_on_hold: bool) {
        if !self.forget_hold(id, is_on_hold) {
            return;
        }
        self.send_agent(id);
        let mut report = self.state_at(id, None, None);
        if let Report::State { on_hold, .. } = &mut report {
            *on_hold = Some(is_on_hold);
        }
        self.tell(id, report);
    }

    /// Begins or ends the hold in the journal only, and tells nobody. Returns whether this is a
    /// change.
    pub(super) fn forget_hold(&mut self, id: ConversationId, is_on_hold: bool) -> bool {
        let Some(conversation) = self.conversations.get_mut(id) else { return false };
        let is_news = std::mem::replace(&mut conversation.is_on_hold, is_on_hold) != is_on_hold;
        if is_news {
            self.journal(id, Record::Hold(is_on_hold));
        }
        is_news
    }

    fn set_tags(&mut self, seat: SeatId, id: ConversationId, tags: Vec<Box<str>>) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        conversation.tags = tags.clone().into();
        let report = Desk::tags_report(id, conversation);
        self.journal(id, Record::Tags(tags));
        self.tell_also(seat, id, report);
    }

    /// The tags of this conversation, if it has any.
    pub fn tags(&self, id: ConversationId) -> Option<Report> {
        let conversation = self.conversations.get(id)?;
        (!conversation.tags.is_empty()).then(|| Desk::tags_report(id, conversation))
    }

    fn tags_report(id: ConversationId, conversation: &Conversation) -> Report {
        let (ordinal, customer) = (Some(conversation.ordinal), Some(conversation.called(id)));
        Report::Tags { conversation: id, ordinal, customer, tags: conversation.tags() }
    }
}
