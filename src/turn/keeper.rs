//! Commits a program's batches, and waits for space when the disk is full.
//!
//! While it waits, nothing is acknowledged, sent or shown. The socket thread keeps the connections
//! alive; a person's lines are refused, and a script is not read.

use std::time::Duration;

use crossbeam_channel::{Receiver, after, never, select};

use crate::core::record::{Batch, Committed};
use crate::core::report::Report;
use crate::edge::journal::{Fault, Journal};
use crate::edge::signals;
use crate::edge::term::{Event, Typed};
use crate::turn::seat::Front;

/// How often a full disk is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The journal, with what is needed to wait for space.
pub struct Keeper {
    /// The journal, for reading.
    pub journal: Journal,
    typed: Receiver<Typed>,
    shown: Receiver<Event>,
    signals: Receiver<i32>,
}

/// Why the program ends, if it cannot go on with its journal.
#[derive(Debug)]
pub enum Stop {
    /// The journal failed: one line for the person.
    Broken(String),
    /// A signal or a person ended the program while the disk was full; the exit code.
    Signal(u8),
}

impl Stop {
    /// The exit code of a program that ended like this.
    ///
    /// # Errors
    /// One line for the person, when the journal failed.
    pub fn exit_code(ended: Result<u8, Stop>) -> Result<u8, String> {
        match ended {
            Ok(code) | Err(Stop::Signal(code)) => Ok(code),
            Err(Stop::Broken(why)) => Err(why),
        }
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Broken(fault.to_string())
    }
}

impl Keeper {
    /// Takes over `journal`. The other arguments are the program's own inputs: they are watched
    /// while the disk is full.
    pub fn new(
        journal: Journal,
        typed: Receiver<Typed>,
        shown: Receiver<Event>,
        signals: Receiver<i32>,
    ) -> Keeper {
        Keeper { journal, typed, shown, signals }
    }

    /// Commits a batch. Returns its lines when they are durable.
    ///
    /// # Errors
    /// When it will never be durable.
    pub fn commit(&mut self, mut batch: Batch, screen: &dyn Front) -> Result<Vec<Committed>, Stop> {
        let mut told = false;
        let committed = loop {
            match self.journal.commit(batch) {
                Ok(committed) => break committed,
                Err((Fault::Full, back)) => batch = back,
                Err((Fault::Broken(why), _)) => return Err(Stop::Broken(why)),
            }
            if !std::mem::replace(&mut told, true) {
                let text =
                    "the disk is full: nothing is lost, and nothing goes on until there is room"
                        .to_owned();
                screen.show(Report::Error { text });
                screen.flush();
            }
            self.wait(screen)?;
        };
        if told {
            screen.show(Report::Notice { text: "there is room on the disk again".to_owned() });
        }
        Ok(committed)
    }

    fn wait(&self, screen: &dyn Front) -> Result<(), Stop> {
        let nothing = never();
        let typed = if screen.is_interactive() { &self.typed } else { &nothing };
        let again = after(TRY_AGAIN);
        loop {
            select! {
                recv(again) -> _ => return Ok(()),
                recv(self.signals) -> signal => {
                    return Err(Stop::Signal(signal.map_or(1, signals::exit_code)));
                }
                recv(self.shown) -> event => match event {
                    Ok(Event::Interrupt { again: true }) => return Err(Stop::Signal(130)),
                    Ok(Event::Interrupt { again: false }) => {
                        let text = "the disk is full; Ctrl-C again leaves the program";
                        screen.show(Report::Notice { text: text.to_owned() });
                        screen.flush();
                    }
                    // A ticket covers all earlier ones, so this one may be dropped: the next one is
                    // enough.
                    Ok(Event::Shown(_) | Event::ListRows(_)) => {}
                    Ok(Event::Gone(_)) if !screen.reads_lines() => {}
                    Ok(Event::Gone(_)) | Err(_) => return Err(Stop::Signal(1)),
                },
                recv(typed) -> typed => match typed {
                    Ok(Typed::Line(line) | Typed::LineTo(_, line)) => {
                        screen.refuse("the disk is full: this line is not taken", &line);
                    }
                    Ok(Typed::Draft(_) | Typed::Complete(_) | Typed::Enter) => {}
                    Ok(Typed::Refused(why)) => {
                        screen.show(Report::Error { text: why });
                        screen.flush();
                    }
                    Ok(Typed::End) | Err(_) => return Err(Stop::Signal(1)),
                },
            }
        }
    }
}
