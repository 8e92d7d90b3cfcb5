//! The extent of a run: how often it measures.

/// The number of rounds, and of the repetitions in each round.
pub(crate) struct Extent {
    pub(crate) rounds: usize,
    pub(crate) trips: usize,
    /// The trips with a pause before each.
    pub(crate) paused_trips: usize,
    pub(crate) entries: usize,
    pub(crate) connects: usize,
    pub(crate) starts: usize,
    pub(crate) queues: usize,
}

/// The extent of the runs whose figures the documents quote.
pub(crate) const FULL: Extent = Extent {
    rounds: 9,
    trips: 3_000,
    paused_trips: 200,
    entries: 200_000,
    connects: 3_000,
    starts: 15,
    queues: 3,
};
/// The extent of `--quick`.
pub(crate) const QUICK: Extent = Extent {
    rounds: 3,
    trips: 1_000,
    paused_trips: 100,
    entries: 200_000,
    connects: 1_500,
    starts: 7,
    queues: 1,
};
