//! Searches the journal for agents (`/find`, `/list ended`). It does so in a thread of its own, so
//! that a search of a large journal does not hold up the desk.

use std::path::PathBuf;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::core::desk::SeatId;
use crate::core::report::Found;
use crate::edge::journal::Search;

/// The most results of one search.
const FOUND_MAX: usize = 20;
/// The most searches that may wait.
const WAITING_MAX: usize = 64;

/// A report from a thread of the desk that belongs neither to the terminal nor to the network.
pub(super) enum Answer {
    /// A call of an agent failed, for this reason.
    Fault(String),
    /// The search for this seat has ended: what was found, or what went wrong.
    Found(SeatId, Result<Vec<Found>, String>),
}

impl From<String> for Answer {
    fn from(fault: String) -> Answer {
        Answer::Fault(fault)
    }
}

/// What to search for.
pub(super) enum Question {
    /// These words, or a customer's name.
    Words(String),
    /// The conversations that ended last.
    Ended,
}

/// The thread that searches.
pub(super) struct Finder(Sender<(SeatId, Question)>);

impl Finder {
    /// Starts the thread, which searches this journal.
    pub(super) fn start(file: PathBuf, answers: Sender<Answer>) -> Finder {
        let (questions, asked): (_, Receiver<(SeatId, Question)>) = bounded(WAITING_MAX);
        let search = Search::new(file);
        let answer = move || {
            for (at, question) in asked {
                let found = match question {
                    Question::Words(words) => search.find(&words, FOUND_MAX),
                    Question::Ended => search.ended(FOUND_MAX),
                };
                if answers.send(Answer::Found(at, found)).is_err() {
                    return;
                }
            }
        };
        let started = thread::Builder::new().name("finder".into()).spawn(answer);
        if let Err(error) = started {
            log::error!("cannot start the thread that searches: {error}");
        }
        Finder(questions)
    }

    /// Begins a search. False if too many searches wait.
    pub(super) fn ask(&self, at: SeatId, question: Question) -> bool {
        self.0.try_send((at, question)).is_ok()
    }
}
