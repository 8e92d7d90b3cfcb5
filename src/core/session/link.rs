//! The state of the connection to the desk, and what is known about the desk's address.
//!
//! ```text
//!                     dial            dialled, hello          welcome
//!   Down ──▶ Wanted ───────▶ Opening ───────────────▶ Opening ────────▶ Up
//!             ▲ ▲             (no connection yet)        │ busy          │
//!             │ └── Waiting ◀────────────────────────────┘               │
//!             └──────────────── a connection is lost ────────────────────┘
//! ```
//!
//! This side hangs up by `Closing`, and is `Down` when the connection is gone.

use std::time::Instant;

use crate::core::clock::Now;
use crate::core::dialling::Verdict;
use crate::core::report;
use crate::wire::{Conn, Number};

/// The connection to the desk.
pub(super) struct Link {
    stage: Stage,
    /// What the last connection showed about the desk's address, for all sessions that dial it.
    verdict: Option<Verdict>,
    /// The link as it was shown last. Several failed attempts in a row are shown once.
    last_shown: Option<report::Link>,
    /// The desk's last answer was that it is full.
    is_desk_full: bool,
    /// The `newest` of the hello on this connection.
    newest: Number,
    /// The desk acknowledged our entries up to this number on this connection.
    acked: Number,
}

enum Stage {
    /// No connection is wanted, or the desk is given up.
    Down,
    /// The desk is full: a connection is wanted at this time.
    Waiting(Instant),
    /// A connection is wanted. [`dialling`](crate::core::dialling) says when this session dials.
    Wanted,
    /// A dial is under way, or the hello has no answer yet.
    Opening(Option<Conn>),
    /// The present desk has sent its welcome.
    Up(Conn),
    /// This side has hung up, and the connection is not gone yet.
    Closing(Conn),
}

impl Link {
    pub(super) fn new() -> Link {
        Link {
            stage: Stage::Down,
            verdict: None,
            last_shown: None,
            is_desk_full: false,
            newest: 0,
            acked: 0,
        }
    }

    /// The link as it was shown last.
    pub(super) fn last_shown(&self) -> Option<report::Link> {
        self.last_shown
    }

    /// The connection, if the desk has sent its welcome on it.
    pub(super) fn up(&self) -> Option<Conn> {
        match self.stage {
            Stage::Up(conn) => Some(conn),
            _ => None,
        }
    }

    /// The connection, if the desk has not answered on it yet.
    pub(super) fn opening(&self) -> Option<Conn> {
        match self.stage {
            Stage::Opening(conn) => conn,
            _ => None,
        }
    }

    /// Whether there is no connection, not even one that is opening or closing.
    pub(super) fn is_disconnected(&self) -> bool {
        matches!(self.stage, Stage::Down | Stage::Waiting(_) | Stage::Wanted)
    }

    /// Whether there is no connection, and none is wanted.
    pub(super) fn is_down(&self) -> bool {
        matches!(self.stage, Stage::Down)
    }

    /// Whether a connection is wanted now.
    pub(super) fn is_wanted(&self) -> bool {
        matches!(self.stage, Stage::Wanted)
    }

    /// When to dial a full desk again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Waiting(at) => Some(at),
            _ => None,
        }
    }

    /// Does what is due by `now`.
    pub(super) fn tick(&mut self, now: Now) {
        if self.deadline().is_some_and(|at| at <= now.clock) {
            self.want();
        }
    }

    /// A connection is wanted.
    pub(super) fn want(&mut self) {
        self.stage = Stage::Wanted;
    }

    /// A dial was asked for.
    pub(super) fn dial(&mut self) {
        self.stage = Stage::Opening(None);
    }

    /// The dial is under way as `conn`.
    pub(super) fn dialled(&mut self, conn: Conn) {
        self.stage = Stage::Opening(Some(conn));
    }

    /// This side sends its hello, with this `newest`.
    pub(super) fn introduce(&mut self, newest: Number) {
        (self.newest, self.acked) = (newest, 0);
    }

    /// The desk has sent its welcome.
    pub(super) fn welcome(&mut self, conn: Conn) {
        self.stage = Stage::Up(conn);
        self.verdict = Some(Verdict::Answered);
    }

    /// The desk is full: this side dials it again at this time.
    pub(super) fn wait(&mut self, until: Instant) {
        self.stage = Stage::Waiting(until);
        self.verdict = Some(Verdict::Answered);
        self.is_desk_full = true;
    }

    /// The dial failed, or the connection was lost. With `is_needed`, this side dials again.
    pub(super) fn lose(&mut self, is_needed: bool) {
        self.stage = if is_needed { Stage::Wanted } else { Stage::Down };
        self.verdict = Some(Verdict::Failed);
        self.is_desk_full = false;
    }

    /// This side gives the desk up.
    pub(super) fn give_up(&mut self) {
        self.stage = Stage::Down;
        self.verdict = Some(Verdict::Unknown);
    }

    /// No connection is wanted any more. Returns the connection to close.
    pub(super) fn hang_up(&mut self) -> Option<Conn> {
        let open = self.up().or(self.opening());
        match open {
            Some(conn) => {
                self.stage = Stage::Closing(conn);
                self.verdict.get_or_insert(Verdict::Unknown);
            }
            None if matches!(self.stage, Stage::Waiting(_) | Stage::Wanted) => {
                self.stage = Stage::Down;
            }
            None => {}
        }
        open
    }

    /// The program is ending. Returns the connection to close.
    pub(super) fn leave(&mut self) -> Option<Conn> {
        let open = self.up().or(self.opening());
        self.stage = Stage::Down;
        self.verdict.get_or_insert(Verdict::Unknown);
        open
    }

    /// A connection is gone. Returns whether this side had hung up on it.
    pub(super) fn end(&mut self, conn: Conn) -> bool {
        let is_ours = matches!(self.stage, Stage::Closing(closing) if closing == conn);
        if is_ours {
            self.stage = Stage::Down;
        }
        is_ours
    }

    /// The desk acknowledged our entries up to this number on this connection.
    pub(super) fn note_ack(&mut self, number: Number) {
        self.acked = self.acked.max(number);
    }

    /// Whether the desk may not know yet that our entry `end` ended its talk with the customer: on
    /// this connection it has not acknowledged that entry, or not the whole backlog.
    pub(super) fn may_not_know(&self, end: Number) -> bool {
        self.acked < end.max(self.newest)
    }

    /// What connections have shown about the desk's address since the last call.
    pub(super) fn take_verdict(&mut self) -> Option<Verdict> {
        self.verdict.take()
    }

    /// Notes that the link is shown like this. Returns whether that is a change.
    pub(super) fn show(&mut self, link: report::Link) -> bool {
        self.last_shown.replace(link) != Some(link)
    }

    /// Whether the link was shown as lost.
    pub(super) fn is_shown_lost(&self) -> bool {
        self.last_shown == Some(report::Link::Lost)
    }

    /// Whether the desk's last answer was that it is full.
    pub(super) fn is_desk_full(&self) -> bool {
        self.is_desk_full
    }
}
