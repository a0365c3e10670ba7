//! Rooms whose lists of members may be wrong on clients of this node.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use hither::Room;
use tokio::sync::Notify;
use tracing::warn;

/// Rooms that may be noted at a time. Far more than come into doubt one by one; after the loss of a node, rooms beyond these
/// are not corrected.
const CAPACITY: usize = 1 << 16;

/// Rooms whose members have to be told to this node's clients anew. Noted by whoever comes to doubt a list, worked off by
/// one task.
#[derive(Default)]
pub(crate) struct DoubtfulRooms {
    rooms: Mutex<BTreeSet<Room>>,
    noted: Notify,
}

impl DoubtfulRooms {
    pub(crate) fn note(&self, rooms: impl IntoIterator<Item = Room>) {
        let mut noted = self.lock();
        for room in rooms {
            if noted.len() == CAPACITY {
                warn!(
                    CAPACITY,
                    "too many rooms are in doubt; some clients may show members that are gone"
                );
                break;
            }
            noted.insert(room);
        }
        drop(noted);
        self.noted.notify_one();
    }

    /// Completes when there are some. For one task.
    pub(crate) async fn any(&self) {
        while self.lock().is_empty() {
            self.noted.notified().await;
        }
    }

    pub(crate) fn take(&self) -> BTreeSet<Room> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Room>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn rooms_are_noted_once_until_they_are_taken() {
        let doubtful = DoubtfulRooms::default();
        doubtful.note(["b", "a"].map(Room::from));
        doubtful.note(["a"].map(Room::from));
        assert_eq!(
            doubtful.take().iter().map(Room::as_str).collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert!(doubtful.take().is_empty());
    }

    #[test]
    fn any_waits_for_the_first() {
        let doubtful = DoubtfulRooms::default();
        assert_eq!(doubtful.any().now_or_never(), None);
        doubtful.note(["a"].map(Room::from));
        assert_eq!(doubtful.any().now_or_never(), Some(()));
        doubtful.take();
        assert_eq!(doubtful.any().now_or_never(), None);
    }

    #[test]
    fn takes_no_more_than_it_can_hold() {
        let doubtful = DoubtfulRooms::default();
        doubtful.note((0..CAPACITY + 2).map(|number| Room::from(number.to_string())));
        assert_eq!(doubtful.take().len(), CAPACITY);
    }
}
