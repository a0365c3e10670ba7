//! Who counts as present: whoever is in some node's list, and for a while who just was.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Bound,
    time::Instant,
};

use hither_socketio::Json;

use super::{
    LINGER, Person, PersonKey, PresencePage,
    wire::{Place, Seat},
};

/// The list that applications see.
#[derive(Debug, Default)]
pub(super) struct Roll {
    rooms: HashMap<Place, BTreeMap<PersonKey, Present>>,
    /// Who was gone since when, oldest first. Who came back since is found out when it is due.
    going: VecDeque<(Instant, Seat)>,
    /// What applications have not been told.
    gathered: BTreeMap<Place, BTreeMap<PersonKey, Turn>>,
}

#[derive(Debug)]
struct Present {
    card: Json,
    gone_since: Option<Instant>,
}

/// What became of a person since applications were told.
#[derive(Debug)]
struct Turn {
    /// The card with which applications know the person; none if they do not.
    before: Option<Json>,
}

/// What became of a room.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) place: Place,
    pub(super) joined: Vec<Person>,
    pub(super) left: Vec<Person>,
    pub(super) count: usize,
}

impl Roll {
    /// What the lists of all nodes say of a seat now.
    pub(super) fn set(&mut self, now: Instant, seat: &Seat, card: Option<&Json>) {
        let (place, key) = seat;
        match card {
            Some(card) => {
                let room = self.rooms.entry(place.clone()).or_default();
                let before = room.get_mut(key);
                match before {
                    Some(present) => {
                        present.gone_since = None;
                        if present.card != *card {
                            let before = std::mem::replace(&mut present.card, card.clone());
                            self.note(seat, Some(before));
                        }
                    }
                    None => {
                        let present = Present {
                            card: card.clone(),
                            gone_since: None,
                        };
                        room.insert(key.clone(), present);
                        self.note(seat, None);
                    }
                }
            }
            None => {
                let present = self.rooms.get_mut(place).and_then(|room| room.get_mut(key));
                if let Some(present) = present
                    && present.gone_since.is_none()
                {
                    present.gone_since = Some(now);
                    self.going.push_back((now, seat.clone()));
                }
            }
        }
    }

    fn note(&mut self, (place, key): &Seat, before: Option<Json>) {
        self.gathered
            .entry(place.clone())
            .or_default()
            .entry(key.clone())
            .or_insert(Turn { before });
    }

    /// Strikes those out who are gone for long enough.
    pub(super) fn tick(&mut self, now: Instant) {
        while let Some((since, _)) = self.going.front()
            && now.saturating_duration_since(*since) >= LINGER
        {
            let Some((since, seat)) = self.going.pop_front() else {
                return;
            };
            let (place, key) = &seat;
            let Some(room) = self.rooms.get_mut(place) else {
                continue;
            };
            let is_gone = |present: &Present| present.gone_since == Some(since);
            if room.get(key).is_some_and(is_gone)
                && let Some(gone) = room.remove(key)
            {
                if room.is_empty() {
                    self.rooms.remove(place);
                }
                self.note(&seat, Some(gone.card));
            }
        }
    }

    /// What changed since this was asked last, room by room.
    pub(super) fn changes(&mut self) -> Vec<Change> {
        let gathered = std::mem::take(&mut self.gathered);
        let change = |(place, turns): (Place, BTreeMap<PersonKey, Turn>)| {
            let room = self.rooms.get(&place);
            let (mut joined, mut left) = (Vec::new(), Vec::new());
            for (key, Turn { before }) in turns {
                let now = room.and_then(|room| room.get(&key)).map(|present| &present.card);
                match (before, now) {
                    (before, Some(card)) if before.as_ref() != Some(card) => joined.push(Person {
                        key,
                        card: card.clone(),
                    }),
                    (Some(card), None) => left.push(Person { key, card }),
                    _ => {}
                }
            }
            (!joined.is_empty() || !left.is_empty()).then(|| Change {
                count: room.map_or(0, BTreeMap::len),
                place,
                joined,
                left,
            })
        };
        gathered.into_iter().filter_map(change).collect()
    }

    pub(super) fn count(&self, place: &Place) -> usize {
        self.rooms.get(place).map_or(0, BTreeMap::len)
    }

    pub(super) fn list(&self, place: &Place, after: Option<&PersonKey>, limit: usize) -> PresencePage {
        let Some(room) = self.rooms.get(place) else {
            return PresencePage {
                persons: Vec::new(),
                count: 0,
                more: false,
            };
        };
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = room.range((start, Bound::Unbounded));
        let person = |(key, present): (&PersonKey, &Present)| Person {
            key: key.clone(),
            card: present.card.clone(),
        };
        let persons = rest.by_ref().take(limit).map(person).collect();
        PresencePage {
            persons,
            count: room.len(),
            more: rest.next().is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::Room;
    use hither_socketio::NamespaceName;

    fn seat(key: &str) -> Seat {
        let place = Place {
            namespace: NamespaceName::new("/chat").unwrap(),
            room: Room::from("tea"),
        };
        (place, PersonKey::new(key.to_owned()).unwrap())
    }

    fn card(name: &str) -> Json {
        Json::encode(name).unwrap()
    }

    fn told(roll: &mut Roll) -> Vec<(Vec<String>, Vec<String>, usize)> {
        let names = |persons: &[Person]| {
            persons
                .iter()
                .map(|person| person.card.parse().unwrap())
                .collect()
        };
        let changes = roll.changes();
        changes
            .iter()
            .map(|change| (names(&change.joined), names(&change.left), change.count))
            .collect()
    }

    #[test]
    fn who_is_back_before_long_was_never_gone() {
        let (mut roll, now) = (Roll::default(), Instant::now());
        roll.set(now, &seat("1"), Some(&card("Ana")));
        assert_eq!(told(&mut roll), [(vec!["Ana".into()], vec![], 1)]);
        roll.set(now, &seat("1"), None);
        roll.set(now + LINGER / 2, &seat("1"), Some(&card("Ana")));
        roll.tick(now + LINGER);
        assert_eq!(told(&mut roll), []);
        assert_eq!(roll.count(&seat("1").0), 1);
    }

    #[test]
    fn who_goes_again_lingers_from_then_on() {
        let (mut roll, now) = (Roll::default(), Instant::now());
        roll.set(now, &seat("1"), Some(&card("Ana")));
        roll.set(now, &seat("1"), None);
        roll.set(now + LINGER / 2, &seat("1"), Some(&card("Ana")));
        roll.set(now + LINGER / 2, &seat("1"), None);
        told(&mut roll);
        roll.tick(now + LINGER);
        assert_eq!(told(&mut roll), []);
        roll.tick(now + LINGER * 3 / 2);
        assert_eq!(told(&mut roll), [(vec![], vec!["Ana".into()], 0)]);
    }

    #[test]
    fn another_card_is_told_once_and_what_was_undone_not_at_all() {
        let (mut roll, now) = (Roll::default(), Instant::now());
        roll.set(now, &seat("1"), Some(&card("Ana")));
        told(&mut roll);
        roll.set(now, &seat("1"), Some(&card("Anna")));
        assert_eq!(told(&mut roll), [(vec!["Anna".into()], vec![], 1)]);
        roll.set(now, &seat("1"), Some(&card("Ana")));
        roll.set(now, &seat("1"), Some(&card("Anna")));
        assert_eq!(told(&mut roll), []);
    }

    #[test]
    fn lists_come_in_pages() {
        let (mut roll, now) = (Roll::default(), Instant::now());
        for key in ["1", "2", "3"] {
            roll.set(now, &seat(key), Some(&card(key)));
        }
        let place = seat("1").0;
        let first = roll.list(&place, None, 2);
        assert_eq!((first.persons.len(), first.count, first.more), (2, 3, true));
        let rest = roll.list(&place, Some(&first.persons[1].key), 2);
        assert_eq!((rest.persons.len(), rest.count, rest.more), (1, 3, false));
    }
}
