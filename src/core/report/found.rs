//! What a search of a desk's journal finds (`/find`, `/list ended`), as data and as a sentence.

use jiff::tz::TimeZone;
use serde::Serialize;

use super::{EXCERPT_LETTERS, Elsewhere, Reason, Returned, excerpt, local, rfc3339};
use crate::core::text::Line;
use crate::wire::{Author, ConversationId, EndReason, Identity, Millis, State};

/// The most letters of a line in a result.
const LINE_LETTERS: usize = 80;

/// A conversation, or a line or a note in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// The conversation.
    pub conversation: ConversationId,
    /// The conversation's number at the desk.
    #[serde(rename = "n")]
    pub ordinal: u32,
    /// What the customer is called there.
    pub customer: String,
    /// When it was said, or when the conversation had its last entry or its end.
    #[serde(serialize_with = "rfc3339")]
    pub at: Millis,
    /// The line that was found; for people only.
    #[serde(skip)]
    pub line: String,
    /// Who wrote that line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    /// The own name of the agent who wrote the line, or who had the conversation last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Of a conversation that has ended at the desk: where it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Why it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Whether the desk turned the blocked customer away in this conversation.
    #[serde(rename = "turned_away", skip_serializing_if = "std::ops::Not::not")]
    pub is_turned_away: bool,
    /// Whether an agent has blocked the customer in this conversation, and the block is in force.
    #[serde(rename = "blocked", skip_serializing_if = "std::ops::Not::not")]
    pub is_blocked: bool,
    /// The note that was found, or the last note of a conversation that has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// How agents have marked the conversation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The email address that the customer gave, of a conversation that was found by who the
    /// customer is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Box<str>>,
    /// Who the customer is at the shop, as a trusted gateway has checked it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Box<Identity>>,
}

impl Found {
    /// A conversation of which nothing else is known.
    pub fn new(conversation: ConversationId, ordinal: u32, customer: String, at: Millis) -> Found {
        Found {
            conversation,
            ordinal,
            customer,
            at,
            line: String::new(),
            author: None,
            agent: None,
            state: None,
            reason: None,
            is_turned_away: false,
            is_blocked: false,
            note: None,
            tags: Vec::new(),
            email: None,
            identity: None,
        }
    }

    /// All texts by which the customer is known: name, tags, email address and identity.
    pub fn about(&self) -> String {
        let identity = self.identity.as_deref();
        let user = identity.and_then(|identity| identity.user.as_deref());
        let attributes = identity.into_iter().flat_map(|identity| identity.attributes.values());
        let tags = self.tags.iter().map(String::as_str);
        let texts = tags.chain(self.email.as_deref()).chain(user).chain(attributes.map(|it| &**it));
        texts.fold(self.customer.clone(), |about, text| about + " " + text)
    }

    /// The line for a person, with times of this zone.
    pub fn sentence(&self, zone: &TimeZone) -> String {
        let name = Line(&self.customer);
        let mut parts = vec![format!("#{} {name}  {}", self.ordinal, local(self.at, zone))];
        let agent = self.agent.as_deref();
        parts.extend(self.author.map(|author| {
            let author = match author {
                Author::User => "customer",
                Author::Bot => "bot",
                Author::Admin => agent.unwrap_or("agent"),
            };
            format!("{author}: {}", Line(&excerpt(&self.line, LINE_LETTERS)))
        }));
        parts.extend(self.end().map(|end| match agent {
            Some(agent) => format!("{agent}: {end}"),
            None => end.to_owned(),
        }));
        parts.extend(self.identity.as_deref().map(verified));
        parts.extend(self.email.as_deref().map(|email| format!("gave {}", Line(email))));
        if !self.tags.is_empty() {
            parts.push(format!("[{}]", Line(&self.tags.join(", "))));
        }
        let letters = if self.end().is_some() { EXCERPT_LETTERS } else { LINE_LETTERS };
        let note = self.note.as_deref().map(|note| excerpt(note, letters));
        parts.extend(note.map(|note| format!("note: {}", Line(&note))));
        parts.join("  ")
    }

    /// How the conversation ended, if it has.
    fn end(&self) -> Option<&'static str> {
        Some(match (self.state?, self.reason.as_ref()) {
            _ if self.is_blocked => "closed, and the customer is blocked",
            _ if self.is_turned_away => "turned away: the customer was blocked",
            (State::Closed, Some(Reason::Ended(EndReason::UserEnded))) => "closed by the customer",
            // The sentence names the agent. An agent may be called 'desk', too.
            (State::Closed, Some(Reason::Ended(EndReason::AdminClosed)))
                if self.agent.is_some() =>
            {
                "closed"
            }
            (State::Closed, Some(Reason::Ended(EndReason::AdminClosed))) => "closed by an agent",
            (State::Closed, Some(Reason::Ended(EndReason::Inactivity))) => {
                "closed (no sign of life for 24 hours)"
            }
            (State::Closed, Some(Reason::Elsewhere(_))) => "closed by another desk",
            (State::Closed, _) => "closed",
            (_, Some(Reason::Returned(Returned::Withdrawn))) => "the customer stopped waiting",
            (_, Some(Reason::Elsewhere(Elsewhere::TakenElsewhere))) => "taken by another desk",
            (_, Some(Reason::Elsewhere(_))) => "handed back to the bot by another desk",
            _ => "handed back to the bot",
        })
    }
}

/// Who the customer is: `verified: ann, plan: gold`.
pub fn verified(Identity { user, attributes }: &Identity) -> String {
    let Some(user) = user else { return "not verified".to_owned() };
    let attributes =
        attributes.iter().map(|(name, value)| format!(", {}: {}", Line(name), Line(value)));
    format!("verified: {}{}", Line(user), attributes.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_says_who_wrote_the_line_or_who_had_the_customer_and_how_it_ended() {
        let found = || Found::new(ConversationId::NONE, 3, "Ann".to_owned(), 1_782_907_560_000);
        let said = |author, agent: Option<&str>| {
            let agent = agent.map(str::to_owned);
            Found { line: "hi\nthere".to_owned(), author: Some(author), agent, ..found() }
                .sentence(&TimeZone::fixed(jiff::tz::offset(2)))
        };
        assert_eq!(said(Author::User, None), "#3 Ann  2026-07-01 14:06  customer: hi there");
        assert_eq!(said(Author::Bot, None), "#3 Ann  2026-07-01 14:06  bot: hi there");
        assert_eq!(said(Author::Admin, None), "#3 Ann  2026-07-01 14:06  agent: hi there");
        assert_eq!(said(Author::Admin, Some("kim")), "#3 Ann  2026-07-01 14:06  kim: hi there");
        let ended = |state, reason, is_blocked| {
            let (state, reason, agent) = (Some(state), Some(reason), Some("kim".to_owned()));
            let (note, tags) = (Some("kim: paid".to_owned()), vec!["vip".to_owned()]);
            Found { state, reason, agent, is_blocked, note, tags, ..found() }
                .sentence(&TimeZone::UTC)
        };
        assert_eq!(
            ended(State::Closed, Reason::Ended(EndReason::UserEnded), false),
            "#3 Ann  2026-07-01 12:06  kim: closed by the customer  [vip]  note: kim: paid"
        );
        assert_eq!(
            ended(State::Closed, Reason::Ended(EndReason::AdminClosed), true),
            "#3 Ann  2026-07-01 12:06  kim: closed, and the customer is blocked  [vip]  note: kim: \
             paid"
        );
        assert_eq!(
            ended(State::Closed, Reason::Ended(EndReason::AdminClosed), false),
            "#3 Ann  2026-07-01 12:06  kim: closed  [vip]  note: kim: paid"
        );
        assert_eq!(
            ended(State::Bot, Reason::Returned(Returned::HandedBack), false),
            "#3 Ann  2026-07-01 12:06  kim: handed back to the bot  [vip]  note: kim: paid"
        );
    }
}
