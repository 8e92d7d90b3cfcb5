//! The sentence that a person reads for each report that is not a message. Pure.

use super::layout::Shown;
use super::page_words::page_words;
use super::shop_words::shop_words;
use crate::core::record::Ending;
use crate::core::report::{
    Elsewhere, EndingOutcome, Link, Presence, Reason, Report, Returned, TransferOutcome,
};
use crate::core::text::{Line, Name};
use crate::wire::{Author, EndReason, State};

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
    /// An agent, or who runs a desk.
    Agent,
    /// A customer at a terminal: the words are those of a shop.
    Customer {
        /// The connection to the desk was lost.
        was_lost: bool,
    },
    /// Who set up the customers' side, or a script.
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

/// The technical sentence of a report, if its reader reads another one, or none.
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
            admin,
            agent,
            is_elsewhere,
            reason,
            ordinal,
            customer,
            former,
            ..
        } => {
            let (admin, position, reason) = (admin.as_deref(), *position, reason.as_ref());
            if me == Author::Admin {
                let other = agent.as_deref().filter(|_| *is_elsewhere);
                let who = called(*ordinal, customer.as_deref());
                let sentence = desk_state(&who, *state, position, reason, other);
                match former.filter(|_| *state == State::Queued) {
                    Some(former) => format!("{sentence}; had #{former} before"),
                    None => sentence,
                }
            } else {
                user_state(*state, position, admin, reason)?
            }
        }
        Report::Page { ordinal, customer, page, .. } => {
            page_words(&called(*ordinal, customer.as_deref()), page)?
        }
        // A link that is parted for ever has an error of its own, which says why.
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
            return Some(transfer_words(
                (&who, *ordinal),
                (from, agent),
                *outcome,
                &note,
                *is_to_me,
            ));
        }
        Report::Ending { ordinal, customer, ending, outcome, .. } => {
            ending_words(&called(*ordinal, customer.as_deref()), *ending, *outcome)
        }
        Report::Notice { text } => text.clone(),
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

fn user_state(
    state: State,
    position: Option<u32>,
    admin: Option<&str>,
    reason: Option<&Reason>,
) -> Option<String> {
    let text = match (state, reason) {
        (State::Queued, _) => match position {
            Some(position) => format!("you are number {position} in the queue"),
            None => "you asked for a person; one moment, please".into(),
        },
        // The role stands before the name: an agent's name may be any text.
        (State::Active, _) => match admin.and_then(Name::new) {
            Some(name) => format!("agent {name} joined"),
            None => "an agent joined".into(),
        },
        (State::Bot, Some(Reason::Returned(Returned::HandedBack))) => {
            "the agent handed you back to the bot".into()
        }
        (State::Bot, Some(Reason::Returned(Returned::Withdrawn))) => "back with the bot".into(),
        (State::Bot, _) => return None,
        (State::Closed, Some(Reason::Ended(EndReason::UserEnded))) => {
            "you ended the conversation".into()
        }
        (State::Closed, Some(Reason::Ended(EndReason::AdminClosed))) => {
            "the agent closed the conversation".into()
        }
        (State::Closed, Some(Reason::Ended(EndReason::Inactivity))) => {
            "the conversation is closed: nothing was said for 24 hours".into()
        }
        (State::Closed, _) => "the conversation is closed".into(),
    };
    Some(text)
}

/// `other` is another agent who has the conversation.
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
        (State::Active, _) if other.is_some() => {
            format!("{} has {who}", other.unwrap_or_default())
        }
        (State::Active, _) if position.is_some() => format!("{who} waits again, before all others"),
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
            format!("{who}: closed (by the desk)")
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
        (Presence::Revoked, _) => {
            format!("{agent} is no agent any more; any customers of theirs are in the queue again")
        }
    }
}

/// The sentence for the agent who has the customer, or (`is_to_me`) for the one who may get them.
fn transfer_words(
    (who, ordinal): (&str, Option<u32>),
    (from, agent): (&str, &str),
    outcome: TransferOutcome,
    note: &str,
    is_to_me: bool,
) -> (Tone, Shown) {
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
        (TransferOutcome::Accepted, false) => (Tone::News, format!("{agent} has taken {who}")),
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
    (tone, Shown::text(&text))
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
mod tests {
    use super::*;
    use crate::wire::ConversationId;

    const CONVERSATION: ConversationId = ConversationId::new([7; 16]);

    fn state(me: Author, state: State, position: Option<u32>, reason: Option<Reason>) -> String {
        let desk = me == Author::Admin;
        let (ordinal, customer) = (desk.then_some(2), desk.then(|| "Ann".to_owned()));
        let report = Report::State {
            conversation: CONVERSATION,
            ordinal,
            customer,
            former: None,
            state,
            position,
            admin: None,
            agent: None,
            is_elsewhere: false,
            reason,
        };
        words(&report, me).map(|(_, text)| text.to_string()).unwrap_or_default()
    }

    #[test]
    fn the_customer_reads_where_the_conversation_is() {
        use Author::User;
        let handed_back = Some(Reason::Returned(Returned::HandedBack));
        assert_eq!(
            state(User, State::Queued, None, None),
            "you asked for a person; one moment, please"
        );
        assert_eq!(state(User, State::Queued, Some(3), None), "you are number 3 in the queue");
        assert_eq!(state(User, State::Active, None, None), "an agent joined");
        assert_eq!(
            state(User, State::Bot, None, handed_back),
            "the agent handed you back to the bot"
        );
        assert_eq!(state(User, State::Bot, None, None), "");
        let closed = Some(Reason::Ended(EndReason::UserEnded));
        assert_eq!(state(User, State::Closed, None, closed), "you ended the conversation");
    }

    #[test]
    fn the_desk_reads_whose_it_is() {
        use Author::Admin;
        let ended = Some(Reason::Ended(EndReason::UserEnded));
        assert_eq!(
            state(Admin, State::Queued, Some(1), None),
            "#2 Ann is waiting (number 1 in the queue)"
        );
        assert!(
            state(Admin, State::Active, None, None)
                .starts_with("#2 Ann: you have the conversation")
        );
        assert_eq!(state(Admin, State::Bot, None, None), "#2 Ann is back with the bot");
        assert_eq!(state(Admin, State::Closed, None, ended), "#2 Ann: closed (by the customer)");
    }

    /// What a customer reads of a link that is lost.
    fn lost(why: &str, unreached: bool) -> String {
        let report = Report::Link {
            conversation: CONVERSATION,
            ordinal: None,
            customer: None,
            link: Link::Lost,
            desk: "desk:5000".into(),
            why: Some(why.to_owned()),
            parted: false,
            unreached,
        };
        let (_, text) = words(&report, Author::User).expect("a lost link is told");
        text.as_str().to_owned()
    }

    #[test]
    fn a_peer_cannot_write_a_second_line() {
        let wanted = "connection to desk:5000 lost: no\\u{a}handoff: all is well; trying again";
        assert_eq!(lost("no\nhandoff: all is well", false), wanted);
    }

    #[test]
    fn what_was_never_connected_is_not_called_lost() {
        let refused = "cannot reach desk:5000: connection refused";
        assert_eq!(lost(refused, true), format!("{refused}; trying again"));
    }
}
