//! The memory that bodies of requests may take.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies up to here are small.
const SMALL: usize = 16 << 10;

/// The memory that bodies of requests may take: a bound for all that [read](Self::read) with it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BodyBudget {
    /// For small bodies alone.
    small: Arc<Semaphore>,
    /// For all.
    all: Arc<Semaphore>,
}

/// A [`BodyBudget`] has no room for a body now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no room for another body now")]
pub struct NoRoom;

/// Room for a body, until it is dropped.
#[derive(Debug)]
pub struct BodyRoom {
    budget: Arc<Semaphore>,
    held: OwnedSemaphorePermit,
}

impl BodyBudget {
    /// For so many bytes at a time. A quarter of it is for bodies of 16 KiB and less.
    pub fn new(bytes: usize) -> Self {
        let bytes = bytes.min(Semaphore::MAX_PERMITS);
        Self {
            small: Arc::new(Semaphore::new(bytes / 4)),
            all: Arc::new(Semaphore::new(bytes - bytes / 4)),
        }
    }

    /// Room for a body, of this length if it is known.
    pub(super) fn enter(&self, length: Option<usize>) -> Result<BodyRoom, NoRoom> {
        let bytes = length.unwrap_or(0);
        match BodyRoom::new(&self.all, bytes) {
            Err(NoRoom) if length.is_some_and(|length| length <= SMALL) => BodyRoom::new(&self.small, bytes),
            entered => entered,
        }
    }
}

impl BodyRoom {
    fn new(budget: &Arc<Semaphore>, bytes: usize) -> Result<Self, NoRoom> {
        let bytes = u32::try_from(bytes).map_err(|_| NoRoom)?;
        let held = budget.clone().try_acquire_many_owned(bytes).map_err(|_| NoRoom)?;
        Ok(Self {
            budget: budget.clone(),
            held,
        })
    }

    /// There are so many bytes of the body by now.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let more = bytes.saturating_sub(self.held.num_permits());
        if more > 0 {
            self.held.merge(Self::new(&self.budget, more)?.held);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 1 << 20;

    #[test]
    fn large_bodies_do_not_keep_small_ones_out() {
        let budget = BodyBudget::new(4 * LARGE);
        let rooms: Vec<BodyRoom> = (0..3).map(|_| budget.enter(Some(LARGE)).unwrap()).collect();
        assert!(budget.enter(Some(LARGE)).is_err());
        assert!(budget.enter(Some(SMALL + 1)).is_err());
        let small: Vec<BodyRoom> = (0..64).map(|_| budget.enter(Some(SMALL)).unwrap()).collect();
        assert!(budget.enter(Some(SMALL)).is_err());
        drop(rooms);
        assert!(budget.enter(Some(LARGE)).is_ok());
        drop(small);
        assert_eq!(budget.small.available_permits(), LARGE);
        assert_eq!(budget.all.available_permits(), 3 * LARGE);
    }

    #[test]
    fn a_body_without_length_takes_room_as_it_comes() {
        let budget = BodyBudget::new(4 * LARGE);
        let mut room = budget.enter(None).unwrap();
        assert_eq!(room.grow_to(3 * LARGE), Ok(()));
        // Nothing is taken twice.
        assert_eq!(room.grow_to(3 * LARGE), Ok(()));
        assert_eq!(room.grow_to(3 * LARGE + 1), Err(NoRoom));
        drop(room);
        assert_eq!(budget.all.available_permits(), 3 * LARGE);
    }
}
