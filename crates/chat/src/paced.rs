//! How often a room is told of what happens in it again and again, such as that members come and go.
//!
//! Each such event goes to everybody in the room. So where much happens a room is told of it now and then, and not of each
//! change: what it costs does not grow with how much happens.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use hither_store::RoomId;

/// What rooms are to be told, `News` for each room, at intervals.
#[derive(Debug)]
pub(crate) struct Paced<News> {
    rooms: HashMap<RoomId, Pace<News>>,
    shortest: Duration,
    longest: Duration,
}

#[derive(Debug)]
struct Pace<News> {
    /// Before then the room is told nothing.
    until: Instant,
    /// How long it is told nothing once it has been told this.
    pause: Duration,
    /// What is to be told then.
    news: Option<News>,
}

impl<News> Paced<News> {
    /// A room is told something at once; then nothing for the shortest pause, and for twice as long each time, up to the
    /// longest, as long as there is more.
    pub(crate) fn new(shortest: Duration, longest: Duration) -> Self {
        Self {
            rooms: HashMap::new(),
            shortest,
            longest,
        }
    }

    /// A room is to be told something, with what it has not been told yet.
    pub(crate) fn add(&mut self, now: Instant, room: RoomId, merge: impl FnOnce(Option<News>) -> News) {
        let pace = self.rooms.entry(room).or_insert(Pace {
            until: now,
            pause: self.shortest,
            news: None,
        });
        pace.news = Some(merge(pace.news.take()));
    }

    /// Whether a room has not been told all yet.
    pub(crate) fn is_behind(&self, room: RoomId) -> bool {
        self.rooms.get(&room).is_some_and(|pace| pace.news.is_some())
    }

    /// When to ask what is due, if anything will be.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.rooms.values().map(|pace| pace.until).min()
    }

    /// What is to be told now.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<(RoomId, News)> {
        let longest = self.longest;
        let mut due = Vec::new();
        self.rooms.retain(|room, pace| {
            if pace.until > now {
                return true;
            }
            let Some(news) = pace.news.take() else {
                return false;
            };
            due.push((*room, news));
            pace.until = now + pace.pause;
            pace.pause = (pace.pause * 2).min(longest);
            true
        });
        due
    }

    /// All that has not been told yet.
    pub(crate) fn take(&mut self) -> Vec<(RoomId, News)> {
        let all = self.rooms.drain();
        all.filter_map(|(room, pace)| Some((room, pace.news?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A count each millisecond for 10 s, and what is told when, in milliseconds.
    fn told(paced: &mut Paced<u64>, room: RoomId) -> Vec<(u64, u64)> {
        let start = Instant::now();
        let mut told = Vec::new();
        let mut pass = |paced: &mut Paced<u64>, millisecond| {
            let due = paced.due(start + Duration::from_millis(millisecond));
            told.extend(due.into_iter().map(|(_, count)| (millisecond, count)));
        };
        for millisecond in 1..=10_000 {
            paced.add(start + Duration::from_millis(millisecond), room, |_| millisecond);
            pass(paced, millisecond);
        }
        while let Some(next) = paced.next() {
            let rest = next.duration_since(start).as_millis();
            pass(paced, u64::try_from(rest).unwrap());
        }
        told
    }

    #[test]
    fn a_room_in_which_much_happens_is_told_now_and_then_and_the_last_news_always() {
        let pause = Duration::from_secs(2);
        let mut paced = Paced::new(pause, pause);
        let at = [1, 2_001, 4_001, 6_001, 8_001];
        let expected: Vec<_> = at
            .map(|at| (at, at))
            .into_iter()
            .chain([(10_001, 10_000)])
            .collect();
        assert_eq!(told(&mut paced, RoomId::random()), expected);
    }

    #[test]
    fn pauses_grow_while_there_is_more_and_begin_anew_after_a_calm_one() {
        let room = RoomId::random();
        let mut paced = Paced::new(Duration::from_millis(100), Duration::from_secs(2));
        let at: Vec<_> = told(&mut paced, room).into_iter().map(|(at, _)| at).collect();
        assert_eq!(at, [1, 101, 301, 701, 1_501, 3_101, 5_101, 7_101, 9_101, 11_101]);
        let later = Instant::now() + Duration::from_secs(20);
        paced.add(later, room, |_| 1);
        assert_eq!(paced.due(later), [(room, 1)]);
        assert_eq!(paced.next(), Some(later + Duration::from_millis(100)));
    }

    #[test]
    fn news_are_merged_and_rooms_are_apart() {
        let (now, room, other) = (Instant::now(), RoomId::random(), RoomId::random());
        let pause = Duration::from_secs(1);
        let mut paced = Paced::new(pause, pause);
        let add = |paced: &mut Paced<Vec<u32>>, room, one| {
            paced.add(now, room, |known| [known.unwrap_or_default(), vec![one]].concat());
        };
        add(&mut paced, room, 1);
        assert_eq!(paced.due(now), [(room, vec![1])]);
        add(&mut paced, room, 2);
        add(&mut paced, room, 3);
        assert!(paced.is_behind(room) && !paced.is_behind(other));
        add(&mut paced, other, 4);
        assert_eq!(paced.due(now), [(other, vec![4])]);
        assert_eq!(paced.take(), [(room, vec![2, 3])]);
        assert_eq!((paced.next(), paced.is_behind(room)), (None, false));
    }
}
