//! How much a run measures.

/// Counts of rounds and of what each round does.
pub(crate) struct Extent {
    pub(crate) rounds: usize,
    pub(crate) trips: usize,
    pub(crate) entries: usize,
    pub(crate) connects: usize,
    pub(crate) starts: usize,
    pub(crate) queues: usize,
}

/// What the quoted figures are measured with.
pub(crate) const FULL: Extent =
    Extent { rounds: 9, trips: 3_000, entries: 200_000, connects: 3_000, starts: 15, queues: 3 };
/// `--quick`: a look.
pub(crate) const QUICK: Extent =
    Extent { rounds: 3, trips: 1_000, entries: 200_000, connects: 1_500, starts: 7, queues: 1 };
