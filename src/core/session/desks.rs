//! The desks that had this conversation, and the numbers that each of them and this side have of
//! each other's entries.
//!
//! Rules: docs/PROTOCOL.md, "hello" and "Delivery". A conversation may meet several desks: one that
//! lost its journal is another desk.

use std::collections::BTreeMap;

use crate::core::delivery::Delivery;
use crate::wire::{DESKS_MAX, DeskId, Number};

/// The desks that had this conversation.
#[derive(Default)]
pub(super) struct Desks {
    /// In the order in which they were met. The present desk is the last.
    met: Vec<(DeskId, Marks)>,
}

/// What this side knows of one desk.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    /// The latest `requested` that this desk may have.
    pub(super) offered_request: Number,
    /// Our entry that ended the last stretch in which this desk's agent had the customer; 0 before
    /// the first end.
    pub(super) stretch_end: Number,
    pub(super) delivery: Delivery,
}

impl Desks {
    /// The present desk.
    pub(super) fn present(&self) -> Option<(DeskId, &Marks)> {
        self.met.last().map(|(desk, marks)| (*desk, marks))
    }

    /// The present desk.
    pub(super) fn present_mut(&mut self) -> Option<(DeskId, &mut Marks)> {
        self.met.last_mut().map(|(desk, marks)| (*desk, marks))
    }

    /// The marks of a desk that had this conversation.
    pub(super) fn get_mut(&mut self, desk: DeskId) -> Option<&mut Marks> {
        self.met.iter_mut().find(|(met, _)| *met == desk).map(|(_, marks)| marks)
    }

    /// This desk is the present one from now on.
    pub(super) fn meet(&mut self, desk: DeskId) -> &mut Marks {
        let at = self.met.iter().position(|(met, _)| *met == desk);
        let known = at.map_or((desk, Marks::default()), |at| self.met.remove(at));
        &mut self.met.push_mut(known).1
    }

    /// The present desk acknowledged our entries up to this number.
    pub(super) fn acked(&self) -> Number {
        self.present().map_or(0, |(_, marks)| marks.delivery.acked())
    }

    /// Whether any desk may have heard of this `requested`.
    pub(super) fn may_know(&self, request: Number) -> bool {
        request > 0 && self.met.iter().any(|(_, marks)| marks.offered_request == request)
    }

    /// For the hello: up to which number this side has the entries of the desks that were met last.
    pub(super) fn received(&self) -> BTreeMap<DeskId, Number> {
        let latest = self.met.iter().rev().take(DESKS_MAX);
        latest.map(|(desk, marks)| (*desk, marks.delivery.received())).collect()
    }
}
