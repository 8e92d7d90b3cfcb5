//! The desks that had this conversation. For each of them: the numbers of our entries that the desk
//! has, and of its entries that this side has.
//!
//! Rules: docs/PROTOCOL.md, "hello" and "Delivery". A conversation may meet several desks: a desk
//! that lost its journal counts as another one.

use std::collections::BTreeMap;

use crate::core::delivery::Delivery;
use crate::wire::{DESKS_MAX, DeskId, Number};

/// The desks that had this conversation.
#[derive(Default)]
pub(super) struct Desks {
    /// The desks, in the order in which they were met. The present desk is the last.
    met: Vec<(DeskId, Marks)>,
}

/// What this side knows of one desk. 0 stands for no entry.
#[derive(Default)]
struct Marks {
    /// The latest `requested` that this desk may have.
    offered_request: Number,
    /// Our entry that ended this desk's last talk with the customer.
    stretch_end: Number,
    delivery: Delivery,
}

impl Desks {
    /// After a restart, adds the next desk, in the order in which they were met. It may have our
    /// `requested` with this number.
    pub(super) fn restore(&mut self, desk: DeskId, offered_request: Number, delivery: Delivery) {
        self.met.push((desk, Marks { offered_request, stretch_end: 0, delivery }));
    }

    /// The present desk.
    pub(super) fn present(&self) -> Option<(DeskId, &Delivery)> {
        self.met.last().map(|(desk, marks)| (*desk, &marks.delivery))
    }

    /// The present desk.
    pub(super) fn present_mut(&mut self) -> Option<(DeskId, &mut Delivery)> {
        self.met.last_mut().map(|(desk, marks)| (*desk, &mut marks.delivery))
    }

    /// The numbers of a desk that had this conversation.
    pub(super) fn get_mut(&mut self, desk: DeskId) -> Option<&mut Delivery> {
        self.marks_mut(desk).map(|marks| &mut marks.delivery)
    }

    /// Makes this desk the present one.
    pub(super) fn meet(&mut self, desk: DeskId) -> &mut Delivery {
        let at = self.met.iter().position(|(met, _)| *met == desk);
        let known = at.map_or((desk, Marks::default()), |at| self.met.remove(at));
        &mut self.met.push_mut(known).1.delivery
    }

    /// The number up to which the present desk has acknowledged our entries.
    pub(super) fn acked(&self) -> Number {
        self.present().map_or(0, |(_, delivery)| delivery.acked())
    }

    /// For the hello: the latest desks, each with the number up to which this side has its entries.
    pub(super) fn received(&self) -> BTreeMap<DeskId, Number> {
        let latest = self.met.iter().rev().take(DESKS_MAX);
        latest.map(|(desk, marks)| (*desk, marks.delivery.received())).collect()
    }

    /// Notes that the present desk may have our `requested` with this number.
    pub(super) fn offer(&mut self, request: Number) {
        if let Some((_, marks)) = self.met.last_mut() {
            marks.offered_request = request;
        }
    }

    /// Whether any desk may have our `requested` with this number.
    pub(super) fn is_offered(&self, request: Number) -> bool {
        request > 0 && self.met.iter().any(|(_, marks)| marks.offered_request == request)
    }

    /// Notes that the agent of this desk had the customer until our entry with this number.
    pub(super) fn end_stretch(&mut self, desk: DeskId, number: Number) {
        if let Some(marks) = self.marks_mut(desk) {
            marks.stretch_end = number;
        }
    }

    /// Our entry that ended the present desk's last talk with the customer; 0 before the first one.
    pub(super) fn stretch_end(&self) -> Number {
        self.met.last().map_or(0, |(_, marks)| marks.stretch_end)
    }

    fn marks_mut(&mut self, desk: DeskId) -> Option<&mut Marks> {
        self.met.iter_mut().find(|(met, _)| *met == desk).map(|(_, marks)| marks)
    }
}
