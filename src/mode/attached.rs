//! Facts: the form in which a desk sends reports to an attached terminal. Both sides use this code.

use serde::{Deserialize, Serialize};

use crate::core::report::{CustomerNews, News, Report, Told};
use crate::edge::term::{self, Tone};
use crate::net::{Dialect, Keepalive};
use crate::wire::seat::{AGENTS, SeatFact, SeatMessage};
use crate::wire::{self, Author, Custom};

/// The protocol of agents' terminals, as the socket thread knows it: its frames are those of the
/// wire.
pub(super) fn dialect_of_agents(wire: Dialect) -> Dialect {
    let bytes = wire::frame(&SeatMessage::Ping {});
    Dialect { name: AGENTS, keepalive: Keepalive { bytes, ..wire.keepalive }, ..wire }
}

/// A message, with the parts that only a person is shown.
#[derive(Serialize, Deserialize)]
struct Message {
    told: Told,
    ordinal: Option<u32>,
    elsewhere: bool,
    own: bool,
}

/// A report as a fact: for a program an event, for a person the text. `None` if a person is not
/// shown the report.
pub(super) fn fact_of(report: Report, is_json: bool) -> Option<SeatFact> {
    if is_json {
        return Some(SeatFact::Event(json(&report)));
    }
    if let Report::Message(told) = report {
        let (ordinal, elsewhere, own) = (told.ordinal, told.elsewhere, told.own);
        return Some(SeatFact::Message(json(&Message { told, ordinal, elsewhere, own })));
    }
    let (tone, text) = term::sentence(&report, Author::Admin)?;
    Some(match tone {
        Tone::News => SeatFact::Notice(text),
        Tone::Call => SeatFact::Call(text),
        Tone::Fault => SeatFact::Error(text),
    })
}

/// The report in a fact. Of a fact that only a later version can read, the report says so.
pub(super) fn report_of(fact: SeatFact) -> Report {
    let unknown = || Report::Notice { text: CustomerNews::UnknownEntry.to_string() };
    match fact {
        SeatFact::Event(event) => Report::Event(event),
        SeatFact::Message(message) => match serde_json::from_str(message.as_str()) {
            Ok(Message { told, ordinal, elsewhere, own }) => {
                Report::Message(Told { ordinal, elsewhere, own, ..told })
            }
            Err(_) => unknown(),
        },
        SeatFact::Notice(text) => Report::Notice { text },
        SeatFact::Call(text) => Report::Call { text: News::Sentence(text) },
        SeatFact::Error(text) => Report::Error { text },
        SeatFact::Unknown => unknown(),
    }
}

fn json(report: &impl Serialize) -> Custom {
    let json = serde_json::to_string(report).expect("a report has string keys");
    Custom::new(&json).expect("what was written can be read")
}
