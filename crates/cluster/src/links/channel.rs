//! The two kinds of traffic on a link.

/// Which of a node's parts a message between nodes is from, and for. The messages of each channel arrive in their order, and
/// each has a queue and a window of its own: what waits for credit in one holds up nothing in the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// What lanes, and the entities in them, say.
    Entities = 0,
    /// What the replicated core says.
    Replication = 1,
}

impl Channel {
    pub(super) const COUNT: usize = 2;

    /// In the order in which they are served: whoever waits for an acknowledgement waits for all that comes before it.
    pub(super) const ALL: [Self; Self::COUNT] = [Self::Replication, Self::Entities];

    pub(super) fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| *channel as u8 == number)
    }
}
