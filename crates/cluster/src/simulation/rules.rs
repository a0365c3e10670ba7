//! What happens in a simulation, and what is done wrong on purpose.

/// Which misfortunes there are, and what is sabotaged.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rules {
    /// Nodes die, and may come back under their name.
    pub(super) crashes: bool,
    /// Links are cut, with what is under way, and come back.
    pub(super) cuts: bool,
    /// Members are counted out by some though they live, and come back.
    pub(super) partitions: bool,
    /// How many publications a log keeps.
    pub(super) log: Option<usize>,
    pub(super) sabotage: Option<Sabotage>,
}

/// A mistake that the simulation has to notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sabotage {
    /// Entities are frozen although publications are on their way that only this node hears.
    NoBarrier,
    /// What was published since the snapshot is not served.
    NoCatchUp,
    /// What was served is counted, without regard to origins.
    CountForMarks,
    /// An entity is forgotten as soon as its snapshot is sent.
    RemoveUnconfirmed,
    /// An owner is sure at any time.
    NeverDoubt,
}
