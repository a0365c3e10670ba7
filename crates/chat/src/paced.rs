//! How often the members of a large room are told how many are there.
//!
//! Each such event goes to everybody in the room. So in a room where many come and go, members are told of it now and then,
//! and not of each change: what it costs does not grow with how much happens.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use hither_store::RoomId;

/// How long a room is told nothing more after it was told a count.
const PAUSE: Duration = Duration::from_secs(2);

/// The rooms that were told a count a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Crowds(HashMap<RoomId, Pause>);

#[derive(Debug)]
struct Pause {
    until: Instant,
    /// What is to be told then.
    count: Option<usize>,
}

impl Crowds {
    /// So many are in a room now. Says whether to tell it at once.
    pub(crate) fn count(&mut self, now: Instant, room: RoomId, count: usize) -> bool {
        match self.0.get_mut(&room) {
            Some(pause) if pause.until > now => {
                pause.count = Some(count);
                false
            }
            _ => {
                self.pause(now, room);
                true
            }
        }
    }

    /// Whether members of a room have not been told of all that changed: then names alone would mislead them.
    pub(crate) fn is_behind(&self, room: RoomId) -> bool {
        self.0.get(&room).is_some_and(|pause| pause.count.is_some())
    }

    /// When something is to be told, if anything is.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.values().map(|pause| pause.until).min()
    }

    /// What is to be told now.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<(RoomId, usize)> {
        let mut due = Vec::new();
        self.0.retain(|room, pause| {
            if pause.until > now {
                return true;
            }
            due.extend(pause.count.take().map(|count| (*room, count)));
            false
        });
        for (room, _) in &due {
            self.pause(now, *room);
        }
        due
    }

    fn pause(&mut self, now: Instant, room: RoomId) {
        let pause = Pause {
            until: now + PAUSE,
            count: None,
        };
        self.0.insert(room, pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_in_which_much_happens_is_told_now_and_then_and_the_last_count_always() {
        let (start, room, other) = (Instant::now(), RoomId::random(), RoomId::random());
        let mut crowds = Crowds::default();
        let mut told = Vec::new();
        // 10,000 come within 10 s, one each millisecond.
        for count in 1..=10_000_u64 {
            let now = start + Duration::from_millis(count);
            told.extend(crowds.due(now).into_iter().map(|(_, count)| count));
            if crowds.count(now, room, count as usize) {
                told.push(count as usize);
            }
        }
        assert!(crowds.is_behind(room) && !crowds.is_behind(other));
        assert!(crowds.count(start, other, 3), "one room is another's business");
        let mut ends = Vec::new();
        while let Some(next) = crowds.next() {
            ends.extend(crowds.due(next));
        }
        assert_eq!(told, [1, 2_000, 4_000, 6_000, 8_000]);
        assert_eq!(ends, [(room, 10_000)]);
        assert!(!crowds.is_behind(room));
    }
}
