//! What was emitted to one session's sockets directly, for as long as a client may come back and ask for it; and the
//! offsets by which it says how far it got.
//!
//! An offset names a place in the order of what a client was told: the position of the lane's log, and how many direct
//! events there had been. What was published to rooms stands in the log that all sessions of the lane share, so only
//! direct events are kept per session.

use std::collections::VecDeque;

use hither_cluster::{LogId, NodeId, Position, Publication};
use hither_socketio::{Event, Offset, SocketId};
use serde::{Deserialize, Serialize};

use crate::room::RoomEvent;

/// A place in the order of what a client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) position: Position,
    /// How many events the session had been told directly; 0 where that does not matter, for the event was for many.
    pub(crate) directs: u64,
}

impl Place {
    /// As the client is told.
    pub(crate) fn offset(self) -> Offset {
        let Position { log, entry } = self.position;
        Offset::new(format!("{:x}.{entry:x}.{:x}", log.0, self.directs))
    }

    /// As the client tells.
    pub(crate) fn parse(offset: &Offset) -> Option<Self> {
        let mut numbers = offset
            .as_str()
            .split('.')
            .map(|part| u64::from_str_radix(part, 16).ok());
        let (log, entry, directs) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let position = Position {
            log: LogId(log),
            entry,
        };
        numbers.next().is_none().then_some(Self { position, directs })
    }
}

/// An event for one socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Telling {
    pub(crate) event: Event,
    /// The publication that it was, if it was one that this socket had missed: its origin and number.
    pub(crate) published: Option<(NodeId, u64)>,
}

impl Telling {
    /// What was published to a room, told to a socket that had missed it.
    pub(crate) fn of(publication: &Publication<RoomEvent>) -> Self {
        Self {
            event: publication.payload.event.clone(),
            published: Some((publication.origin.clone(), publication.number)),
        }
    }
}

impl From<Event> for Telling {
    fn from(event: Event) -> Self {
        let published = None;
        Self { event, published }
    }
}

/// An event that was emitted to one socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Told {
    place: Place,
    socket: SocketId,
    telling: Telling,
}

/// The direct events of a session that its client may have missed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct History {
    told: VecDeque<Told>,
    bytes: usize,
    /// How many there were ever, kept or not.
    count: u64,
    /// The place of the last that is no longer kept.
    forgotten: Option<Place>,
    /// How often some were taken out of the middle, or from the end.
    #[serde(skip)]
    cuts: u64,
}

/// How far somebody has been told of a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HistoryMark {
    count: u64,
    cuts: u64,
}

/// What has changed of a history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct HistoryDelta {
    /// The number of the first that is kept; none if all is told anew.
    first: Option<u64>,
    count: u64,
    forgotten: Option<Place>,
    added: Vec<Run>,
}

/// Events for one socket, told in one log one after the other.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Run {
    log: LogId,
    socket: SocketId,
    /// Each with the entry of the log and its number.
    told: Vec<(u64, u64, Telling)>,
}

impl HistoryDelta {
    /// Whether nothing has changed since that mark.
    pub(super) fn is_empty(&self, since: HistoryMark) -> bool {
        self.added.is_empty() && self.first.is_some() && self.count == since.count
    }
}

fn cost(event: &Event) -> usize {
    let attachments: usize = event.args.attachments().iter().map(bytes::Bytes::len).sum();
    size_of::<Told>() + event.name.as_str().len() + event.args.json().len() + attachments
}

impl History {
    /// Remembers an event, within `limit` bytes, and returns its place.
    pub(crate) fn push(
        &mut self,
        position: Position,
        socket: &SocketId,
        telling: &Telling,
        limit: usize,
    ) -> Place {
        self.count += 1;
        let place = Place {
            position,
            directs: self.count,
        };
        self.bytes += cost(&telling.event);
        self.told.push_back(Told {
            place,
            socket: socket.clone(),
            telling: telling.clone(),
        });
        while self.bytes > limit
            && let Some(oldest) = self.told.pop_front()
        {
            self.bytes -= cost(&oldest.telling.event);
            self.forgotten = Some(oldest.place);
        }
        place
    }

    /// Memory held, in bytes, nearly.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn mark(&self) -> HistoryMark {
        HistoryMark {
            count: self.count,
            cuts: self.cuts,
        }
    }

    /// What has changed since a mark.
    pub(super) fn changes_since(&self, mark: HistoryMark) -> HistoryDelta {
        let is_cut = mark.cuts != self.cuts;
        let known = if is_cut { 0 } else { mark.count };
        // Few are new, and numbers only grow.
        let is_new = |told: &&Told| told.place.directs > known;
        let new = self.told.iter().rev().take_while(is_new).count();
        let mut added: Vec<Run> = Vec::new();
        for Told {
            place,
            socket,
            telling,
        } in self.told.range(self.told.len() - new..)
        {
            let Place { position, directs } = *place;
            let told = (position.entry, directs, telling.clone());
            match added.last_mut() {
                Some(run) if run.log == position.log && run.socket == *socket => run.told.push(told),
                _ => added.push(Run {
                    log: position.log,
                    socket: socket.clone(),
                    told: vec![told],
                }),
            }
        }
        let first = self
            .told
            .front()
            .map_or(self.count + 1, |told| told.place.directs);
        HistoryDelta {
            first: (!is_cut).then_some(first),
            count: self.count,
            forgotten: self.forgotten,
            added,
        }
    }

    /// Brings a replica's history up to date.
    pub(super) fn apply(&mut self, delta: HistoryDelta) {
        let first = delta.first.unwrap_or(u64::MAX);
        while self.told.front().is_some_and(|told| told.place.directs < first)
            && let Some(gone) = self.told.pop_front()
        {
            self.bytes -= cost(&gone.telling.event);
        }
        for Run { log, socket, told } in delta.added {
            for (entry, directs, telling) in told {
                self.bytes += cost(&telling.event);
                let position = Position { log, entry };
                self.told.push_back(Told {
                    place: Place { position, directs },
                    socket: socket.clone(),
                    telling,
                });
            }
        }
        self.count = delta.count;
        self.forgotten = delta.forgotten;
    }

    /// How many events there were.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Leaves a number out, so that what follows is told from what was before, though nothing came between.
    pub(crate) fn skip(&mut self) {
        self.count += 1;
    }

    /// The events for a socket after a place, each with the place at which it was told; none if some are no longer kept.
    /// `epoch` says when the session lived in the lane of a place.
    pub(crate) fn after<'a>(
        &'a self,
        socket: &'a SocketId,
        place: Place,
        epoch: impl Fn(Place) -> Option<usize> + 'a,
    ) -> Option<impl Iterator<Item = (Place, &'a Telling)>> {
        let order = move |place: Place| (epoch(place), place.position.entry, place.directs);
        let from = order(place);
        let complete = self.forgotten.is_none_or(|forgotten| order(forgotten) <= from);
        complete.then(|| {
            let missed = self
                .told
                .iter()
                .filter(move |told| told.socket == *socket && order(told.place) > from);
            missed.map(|told| (told.place, &told.telling))
        })
    }

    /// Takes out the events after a number of them, to be told again.
    pub(crate) fn take_after(&mut self, directs: u64) -> Vec<(SocketId, Telling)> {
        let first = self.told.partition_point(|told| told.place.directs <= directs);
        let taken: Vec<Told> = self.told.split_off(first).into();
        self.bytes -= taken.iter().map(|told| cost(&told.telling.event)).sum::<usize>();
        self.cuts += 1;
        taken
            .into_iter()
            .map(|told| (told.socket, told.telling))
            .collect()
    }

    /// Forgets the events of a socket that is gone for good.
    pub(crate) fn forget(&mut self, socket: &SocketId) {
        self.told.retain(|told| told.socket != *socket);
        self.bytes = self.told.iter().map(|told| cost(&told.telling.event)).sum();
        self.cuts += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(log: u64, entry: u64) -> Position {
        Position {
            log: LogId(log),
            entry,
        }
    }

    fn event(name: &str) -> Telling {
        Event::new(name.to_owned(), &()).unwrap().into()
    }

    fn missed(history: &History, socket: &str, place: Place) -> Option<Vec<String>> {
        let epoch = |place: Place| usize::try_from(place.position.log.0).ok();
        let socket = SocketId::new(socket);
        let missed = history.after(&socket, place, epoch)?;
        Some(
            missed
                .map(|(_, telling)| telling.event.name.to_string())
                .collect(),
        )
    }

    #[test]
    fn an_offset_says_what_it_said() {
        let place = Place {
            position: position(u64::MAX, 77),
            directs: 3,
        };
        assert_eq!(Place::parse(&place.offset()), Some(place));
        for odd in ["", "1", "1.2", "1.2.3.4", "x.1.1", "1..1"] {
            assert_eq!(Place::parse(&Offset::new(odd)), None, "{odd}");
        }
    }

    #[test]
    fn events_after_a_place_are_missed() {
        let mut history = History::default();
        let me = SocketId::new("me");
        history.push(position(1, 5), &me, &event("a"), 10_000);
        let b = history.push(position(1, 7), &me, &event("b"), 10_000);
        history.push(position(1, 7), &SocketId::new("other"), &event("c"), 10_000);
        history.push(position(2, 1), &me, &event("d"), 10_000);
        assert_eq!(missed(&history, "me", b).unwrap(), ["d"]);
        let room_event = |log, entry| Place {
            position: position(log, entry),
            directs: 0,
        };
        assert_eq!(missed(&history, "me", room_event(1, 6)).unwrap(), ["b", "d"]);
        assert_eq!(
            missed(&history, "me", room_event(1, 7)).unwrap(),
            ["b", "d"],
            "told after entry 7"
        );
        assert_eq!(missed(&history, "me", room_event(1, 8)).unwrap(), ["d"]);
        history.forget(&me);
        assert_eq!(missed(&history, "other", room_event(1, 0)).unwrap(), ["c"]);
    }

    #[test]
    fn events_can_be_taken_out_to_be_told_again() {
        let mut history = History::default();
        let me = SocketId::new("me");
        ["a", "b", "c"].iter().for_each(|name| {
            history.push(position(1, 1), &me, &event(name), 10_000);
        });
        let names: Vec<String> = history
            .take_after(1)
            .iter()
            .map(|(_, telling)| telling.event.name.to_string())
            .collect();
        assert_eq!(names, ["b", "c"]);
        assert_eq!(history.push(position(2, 1), &me, &event("b"), 10_000).directs, 4);
    }

    /// Whoever applies all changes has the same events at the same places.
    #[test]
    fn changes_lead_to_the_same_history() {
        let (mut history, mut mark) = (History::default(), HistoryMark::default());
        let mut replica = History::default();
        let mut tell = |history: &History| {
            let delta = history.changes_since(mark);
            let is_empty = delta.is_empty(mark);
            replica.apply(delta);
            mark = history.mark();
            let told = |history: &History| {
                let told = history.told.iter();
                told.map(|told| (told.place, told.socket.clone()))
                    .collect::<Vec<_>>()
            };
            assert_eq!(told(&replica), told(history));
            assert_eq!((replica.bytes, replica.count), (history.bytes, history.count));
            assert_eq!(replica.forgotten, history.forgotten);
            is_empty
        };
        let (me, other) = (SocketId::new("me"), SocketId::new("other"));
        let limit = 3 * cost(&event("a").event);
        assert!(tell(&history));
        history.push(position(1, 1), &me, &event("a"), limit);
        history.push(position(1, 2), &other, &event("b"), limit);
        assert!(!tell(&history));
        assert!(tell(&history));
        for entry in 2..9 {
            history.push(position(2, entry), &me, &event("c"), limit);
        }
        assert!(!tell(&history), "some are no longer kept");
        history.take_after(8);
        assert!(!tell(&history));
        history.push(position(3, 1), &me, &event("d"), limit);
        history.forget(&other);
        assert!(!tell(&history));
    }

    #[test]
    fn what_is_no_longer_kept_is_not_passed_over_in_silence() {
        let mut history = History::default();
        let me = SocketId::new("me");
        let limit = 2 * cost(&event("a").event);
        let places: Vec<Place> = (1..=4)
            .map(|entry| history.push(position(1, entry), &me, &event("a"), limit))
            .collect();
        assert_eq!(missed(&history, "me", places[0]), None);
        assert_eq!(missed(&history, "me", places[1]).unwrap().len(), 2);
        assert_eq!(missed(&history, "me", places[3]).unwrap().len(), 0);
    }
}
