//! The sentence that a person reads for each report that is not a message. Pure.

use std::time::Duration;

use super::layout::Shown;
use super::page_words::page_words;
use super::shop_words::shop_words;
use crate::core::department::Need;
use crate::core::record::Ending;
use crate::core::report::{
    Earlier, Elsewhere, EndingOutcome, Link, Presence, Reason, Report, Returned, TransferOutcome,
    excerpt,
};
use crate::core::text::{Line, Name};
use crate::wire::{Author, EndReason, State};

/// The most letters of a note that a sentence quotes.
const NOTE_LETTERS: usize = 60;

/// How much attention a sentence needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// A state, a link or a notice: no attention.
    News,
    /// A customer wants to talk.
    Call,
    /// A fault.
    Fault,
}

/// Who reads a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// An agent, or the person who runs a desk.
    Agent,
    /// A customer at a terminal, who reads the words of a shop.
    Customer {
        /// The connection to the desk was lost.
        was_lost: bool,
    },
    /// The person who set up the customer's side, or a script.
    Operator,
}

/// The sentence for a report, safe to show, in the words of its reader. `None` for a message
/// (`render` shows it), and for a report that this reader need not read.
pub(super) fn read_by(report: &Report, reader: Reader) -> Option<(Tone, Shown)> {
    let (me, was_lost) = match reader {
        Reader::Agent => return words(report, Author::Admin),
        Reader::Operator => return words(report, Author::User),
        Reader::Customer { was_lost } => (Author::User, was_lost),
    };
    let (tone, text) = words(report, me)?;
    match shop_words(report, was_lost) {
        None => Some((tone, text)),
        Some("") => None,
        Some(plain) => Some((tone, Shown::own(plain))),
    }
}

/// The technical sentence of a report, if its reader gets other words or none.
pub(super) fn detail(report: &Report, reader: Reader) -> Option<Shown> {
    let Reader::Customer { was_lost } = reader else { return None };
    shop_words(report, was_lost)?;
    words(report, Author::User).map(|(_, text)| text)
}

/// The sentence for a report, safe to show. `None` for a message (`render` shows it) and for a
/// report that is only for programs.
pub(super) fn words(report: &Report, me: Author) -> Option<(Tone, Shown)> {
    let text = match report {
        Report::Ready { listen: Some(listen), fingerprint: Some(key), .. } => {
            format!("listening on {listen}, key {key}")
        }
        Report::Ready { listen: Some(listen), .. } => format!("listening on {listen}"),
        Report::State {
            state,
            position,
            attended,
            admin,
            agent,
            on_hold,
            is_elsewhere,
            waits_again,
            reason,
            ordinal,
            customer,
            former,
            need,
            ..
        } => {
            let (admin, position, reason) = (admin.as_deref(), *position, reason.as_ref());
            if me == Author::Admin {
                let other = is_elsewhere.then(|| agent.as_deref().unwrap_or("an agent"));
                let who = format!("{}{}", called(*ordinal, customer.as_deref()), signs(need));
                if let Some(on_hold) = on_hold {
                    let text = hold_words(&who, *on_hold, other)?;
                    return Some((Tone::News, Shown::text(&text)));
                }
                let sentence = desk_state(&who, *state, position, reason, other);
                match former.as_ref().filter(|_| *state == State::Queued) {
                    Some(former) => format!("{sentence}; {}", back(former)),
                    None => sentence,
                }
            } else {
                let queue = (position, *attended, *waits_again);
                user_state(*state, queue, (admin, *on_hold), reason)?
            }
        }
        Report::Page { ordinal, customer, page, .. } => {
            page_words(&called(*ordinal, customer.as_deref()), page)?
        }
        // When the connection has ended for good, another report, an error, says why.
        Report::Link { parted: true, .. } => return None,
        Report::Link { why: Some(why), unreached: true, .. } => {
            format!("{}; trying again", Line(why))
        }
        Report::Link { link, desk, why, ordinal, customer, .. } => {
            let why = why.as_deref().map(|why| format!(": {}", Line(why))).unwrap_or_default();
            if me == Author::Admin {
                desk_link(&called(*ordinal, customer.as_deref()), *link, &why)
            } else {
                user_link(&Line(desk).to_string(), *link, &why)
            }
        }
        Report::Agent { agent, presence, why } => agent_words(agent, *presence, why.as_deref()),
        Report::Transfer { ordinal, customer, from, agent, outcome, note, is_to_me, .. } => {
            let who = called(*ordinal, customer.as_deref());
            let note = note.as_deref().map(|note| format!(": {}", Line(note)));
            let note = note.unwrap_or_default();
            let agents = (from.as_str(), agent.as_str());
            return transfer_words((&who, *ordinal), agents, *outcome, &note, *is_to_me);
        }
        Report::Ending { ordinal, customer, ending, outcome, .. } => {
            ending_words(&called(*ordinal, customer.as_deref()), *ending, *outcome)
        }
        Report::Tags { ordinal, customer, tags, .. } => {
            let who = called(*ordinal, customer.as_deref());
            match &tags[..] {
                [] => format!("{who} has no tags"),
                tags => format!("tags of {who}: {}", Line(&tags.join(", "))),
            }
        }
        Report::Notice { text } | Report::Found { text, .. } => text.clone(),
        Report::News { text } => text.to_string(),
        Report::Call { text } => return Some((Tone::Call, Shown::text(&text.to_string()))),
        Report::Fault { text } => return Some((Tone::Fault, Shown::text(&text.to_string()))),
        Report::Error { text } => return Some((Tone::Fault, Shown::text(text))),
        Report::Ready { listen: None, .. }
        | Report::Message(_)
        | Report::Delivered { .. }
        | Report::Seen { .. }
        | Report::Typing { .. }
        | Report::Unanswered { .. }
        | Report::Note { .. }
        | Report::Event(_) => {
            return None;
        }
    };
    Some((Tone::News, Shown::text(&text)))
}

/// A customer's ordinal and name, as the desk shows them: `#2 Ann`.
fn called(ordinal: Option<u32>, customer: Option<&str>) -> String {
    match (ordinal, customer.and_then(Name::new)) {
        (Some(ordinal), Some(customer)) => format!("#{ordinal} {customer}"),
        (Some(ordinal), None) => format!("#{ordinal}"),
        (None, Some(customer)) => customer.to_string(),
        (None, None) => "a customer".into(),
    }
}

/// The department and the language of a customer: ` (returns, de)`.
fn signs(need: &Need) -> String {
    let signs: Vec<_> = need.signs().collect();
    if signs.is_empty() { String::new() } else { format!(" ({})", signs.join(", ")) }
}

fn user_state(
    state: State,
    (position, attended, waits_again): (Option<u32>, Option<bool>, bool),
    (admin, on_hold): (Option<&str>, Option<bool>),
    reason: Option<&Reason>,
) -> Option<String> {
    let text = match (state, reason) {
        (State::Queued, _) => match (position, attended) {
            (Some(position), Some(false)) => {
                format!("nobody is here at the moment; you stay number {position} in the queue")
            }
            (Some(position), Some(true)) => {
                format!("somebody is here again; you are number {position} in the queue")
            }
            (Some(position), None) => format!("you are number {position} in the queue"),
            (None, _) if waits_again => "you are in the queue again; one moment, please".into(),
            (None, _) => "you asked for a person; one moment, please".into(),
        },
        // The role stands before the name: an agent's name may be any text.
        (State::Active, _) => {
            let agent = admin.and_then(Name::new).map(|name| format!("agent {name}"));
            match (agent, on_hold) {
                (None, None) => "an agent joined".into(),
                (Some(agent), None) => format!("{agent} joined"),
                (agent, Some(on_hold)) => {
                    let agent = agent.unwrap_or_else(|| "the agent".into());
                    let does = if on_hold { "asks you to wait a moment" } else { "is back" };
                    format!("{agent} {does}")
                }
            }
        }
        (State::Bot, Some(Reason::Returned(Returned::HandedBack))) => {
            "the agent handed you back to the bot".into()
        }
        (State::Bot, Some(Reason::Returned(Returned::Withdrawn))) => "back with the bot".into(),
        (State::Bot, _) => return None,
        (State::Closed, Some(Reason::Ended(EndReason::UserEnded))) => {
            "you ended the conversation".into()
        }
        (State::Closed, Some(Reason::Ended(EndReason::AdminClosed))) => {
            "customer care closed the conversation".into()
        }
        (State::Closed, Some(Reason::Ended(EndReason::Inactivity))) => {
            "the conversation is closed: nothing was said for 24 hours".into()
        }
        (State::Closed, _) => "the conversation is closed".into(),
    };
    Some(text)
}

/// The words for a customer who is back: `back after 12 min; had #2, note: a refund`.
fn back(former: &Earlier) -> String {
    let ago =
        former.ago.map_or_else(|| "back".to_owned(), |ago| format!("back after {}", time(ago)));
    let note = former
        .note
        .as_deref()
        .map(|note| format!(", note: {}", Line(&excerpt(note, NOTE_LETTERS))));
    format!("{ago}; had #{}{}", former.ordinal, note.unwrap_or_default())
}

/// A time in the largest unit that it fills.
fn time(time: Duration) -> String {
    match time.as_secs() / 60 {
        0 => "less than a minute".to_owned(),
        minutes @ 1..60 => format!("{minutes} min"),
        minutes @ 60..2_880 => format!("{} h", minutes / 60),
        minutes => format!("{} days", minutes / 1_440),
    }
}

/// `other` is another agent, who has the conversation.
fn hold_words(who: &str, on_hold: bool, other: Option<&str>) -> Option<String> {
    match (other, on_hold) {
        (None, true) => Some(format!("{who} is on hold, until your next line to them or /resume")),
        (None, false) => Some(format!("{who} is not on hold any more")),
        (Some(other), true) => Some(format!("{other} has {who}, who is on hold")),
        (Some(_), false) => None,
    }
}

/// `other` is another agent, who has the conversation.
fn desk_state(
    who: &str,
    state: State,
    position: Option<u32>,
    reason: Option<&Reason>,
    other: Option<&str>,
) -> String {
    match (state, reason) {
        (State::Queued, reason) => {
            let why = match reason {
                Some(Reason::Requested(why)) => format!(": {}", Line(why)),
                _ => String::new(),
            };
            match position {
                Some(position) => format!("{who} is waiting (number {position} in the queue){why}"),
                None => format!("{who} is waiting{why}"),
            }
        }
        (State::Active, _) if position.is_some() => format!("{who} waits again, before all others"),
        (State::Active, _) if other.is_some() => {
            format!("{} has {who}", other.unwrap_or_default())
        }
        (State::Active, _) => {
            format!("{who}: you have the conversation; /handback or /close ends it")
        }
        (State::Bot, Some(Reason::Returned(Returned::Withdrawn))) => {
            format!("{who} stopped waiting and is back with the bot")
        }
        (State::Bot, Some(Reason::Elsewhere(Elsewhere::TakenElsewhere))) => {
            format!("{who} talks to another desk")
        }
        (State::Bot, Some(Reason::Elsewhere(_))) => {
            format!("{who} is back with the bot (by another desk)")
        }
        (State::Bot, _) => format!("{who} is back with the bot"),
        (State::Closed, Some(Reason::Ended(EndReason::UserEnded))) => {
            format!("{who}: closed (by the customer)")
        }
        (State::Closed, Some(Reason::Ended(EndReason::AdminClosed))) => {
            format!("{who}: closed (by an agent)")
        }
        (State::Closed, Some(Reason::Ended(EndReason::Inactivity))) => {
            format!("{who}: closed (no sign of life for 24 hours)")
        }
        (State::Closed, Some(Reason::Elsewhere(_))) => format!("{who}: closed (by another desk)"),
        (State::Closed, _) => format!("{who}: closed"),
    }
}

fn agent_words(agent: &str, presence: Presence, why: Option<&str>) -> String {
    match (presence, why) {
        (Presence::Here, _) => format!("{agent} is here"),
        (Presence::Away, Some(why)) => format!("{agent} is away: {}", Line(why)),
        (Presence::Away, None) => format!("{agent} is away"),
        (Presence::Missed, _) => format!("{agent} is not connected"),
        (Presence::Gone, _) => {
            format!("{agent} has gone; any customers of theirs are in the queue again")
        }
        (Presence::Revoked, why) => {
            let by = why.map(|by| format!(" (revoked {})", Line(by))).unwrap_or_default();
            format!(
                "{agent} is no agent any more{by}; any customers of theirs are in the queue again"
            )
        }
    }
}

/// The sentence for the agent who has the customer, or (`is_to_me`) for the one who may get them.
/// `None` if another report says it.
fn transfer_words(
    (who, ordinal): (&str, Option<u32>),
    (from, agent): (&str, &str),
    outcome: TransferOutcome,
    note: &str,
    is_to_me: bool,
) -> Option<(Tone, Shown)> {
    let number = ordinal.map(|ordinal| ordinal.to_string()).unwrap_or_default();
    let (tone, text) = match (outcome, is_to_me) {
        (TransferOutcome::Offered, true) => (
            Tone::Call,
            format!("{from} offers you {who}{note}; /accept {number} or /decline {number}"),
        ),
        (TransferOutcome::Offered, false) => {
            (Tone::News, format!("{who} is offered to {agent}, and yours until {agent} accepts"))
        }
        (TransferOutcome::Accepted, true) => (Tone::News, format!("you have {who} from {from}")),
        // The state says who has the customer now.
        (TransferOutcome::Accepted, false) => return None,
        (TransferOutcome::Declined, true) => (Tone::News, format!("{who} stays with {from}")),
        (TransferOutcome::Declined, false) => {
            (Tone::Call, format!("{agent} does not take {who}, who stays with you"))
        }
        (TransferOutcome::Late, true) => {
            (Tone::News, format!("the offer of {who} is over, and {from} has them"))
        }
        (TransferOutcome::Late, false) => {
            (Tone::Call, format!("{agent} did not take {who} in time, who stays with you"))
        }
        (TransferOutcome::Void, _) => {
            (Tone::News, format!("the offer of {who} to {agent} is over"))
        }
        (TransferOutcome::TakenOver, true) => {
            (Tone::News, format!("you took {who} over from {from}"))
        }
        (TransferOutcome::TakenOver, false) => {
            (Tone::Call, format!("{agent} took {who} over{note}"))
        }
    };
    Some((tone, Shown::text(&text)))
}

fn ending_words(who: &str, ending: Ending, outcome: EndingOutcome) -> String {
    let (ends, command, not) = match ending {
        Ending::Close => ("the conversation is closed", "/close", "not closed"),
        Ending::HandBack => ("the bot gets them back", "/handback", "not handed back"),
    };
    match outcome {
        EndingOutcome::Begun => {
            format!(
                "{who}: {ends} in 5 s; /undo or a line to them keeps them, {command} again ends \
                 it now"
            )
        }
        EndingOutcome::Undone => format!("{who}: {not}; the conversation goes on"),
        EndingOutcome::AgentWrote => format!("{who}: {not}, because the agent wrote to them"),
        EndingOutcome::CustomerWrote => format!("{who}: {not}, because they wrote"),
        EndingOutcome::Reassigned => format!("{who}: {not}, because another agent is to have them"),
        EndingOutcome::AgentLeft => format!("{who}: {not}, because their agent is not connected"),
        EndingOutcome::CustomerLeft => format!("{who}: {not}, because they have left"),
    }
}

fn user_link(desk: &str, link: Link, why: &str) -> String {
    match link {
        Link::Connecting => format!("connecting to {desk}"),
        Link::Connected => format!("connected to {desk}"),
        Link::Lost => format!("connection to {desk} lost{why}; trying again"),
    }
}

fn desk_link(who: &str, link: Link, why: &str) -> String {
    match link {
        Link::Connecting => format!("{who} is connecting"),
        Link::Connected => format!("{who} is connected"),
        Link::Lost => format!("{who}'s connection is lost{why}"),
    }
}

#[cfg(test)]
mod tests;
