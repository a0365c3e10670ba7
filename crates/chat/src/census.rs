//! Counting who is in which rooms, for lists of rooms.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use hither::{FoundSocket, Io, NamespaceName, QueryError, SocketId};
use tokio::sync::Mutex;

use crate::{
    card::{self, RoomsCard},
    config::ChatConfig,
    protocol::RoomSummary,
    room_name::RoomName,
};

/// How long a count is good for at least.
const SHORTEST_USE: Duration = Duration::from_secs(1);
/// A count is used so many times as long as it took: with however many people, counting takes a small share of the time.
const USE_PER_COST: u32 = 20;

/// How many are in which rooms, counted when somebody asks and the last count is old. All who ask at once share a count.
#[derive(Default)]
pub(crate) struct Census {
    latest: Mutex<Option<Count>>,
}

/// A failure is kept like a result, so that a silent node is not waited for by one after the other.
struct Count {
    rooms: Result<Arc<[RoomSummary]>, Arc<QueryError>>,
    outdated: Instant,
}

impl Census {
    /// The fullest rooms of all nodes, and those that are suggested, with how many are in them.
    ///
    /// # Errors
    /// When a node does not answer in time.
    pub(crate) async fn rooms(
        &self,
        io: &Io,
        namespace: &NamespaceName,
        config: &ChatConfig,
    ) -> Result<Arc<[RoomSummary]>, Arc<QueryError>> {
        let mut latest = self.latest.lock().await;
        let began = Instant::now();
        if let Some(count) = latest.as_ref().filter(|count| began < count.outdated) {
            return count.rooms.clone();
        }
        let rooms = match io.members(namespace, None).await {
            Ok(everybody) => Ok(tally(&everybody, &config.suggested_rooms, config.max_listed_rooms).into()),
            Err(error) => Err(Arc::new(error)),
        };
        let ended = Instant::now();
        let usable = ((ended - began) * USE_PER_COST).max(SHORTEST_USE);
        *latest = Some(Count {
            rooms: rooms.clone(),
            outdated: ended + usable,
        });
        rooms
    }
}

/// The fullest rooms first, at most `max`, and then the suggestions that are not among them.
fn tally(everybody: &[FoundSocket], suggested: &[RoomName], max: usize) -> Vec<RoomSummary> {
    // A socket on its way from one node to another may be found on both.
    let cards: BTreeMap<&SocketId, RoomsCard> = everybody
        .iter()
        .filter_map(|found| Some((&found.id, card::read(found)?)))
        .collect();
    let mut members: BTreeMap<RoomName, usize> = suggested.iter().map(|room| (room.clone(), 0)).collect();
    for room in cards.into_values().flat_map(|card| card.rooms) {
        *members.entry(room).or_default() += 1;
    }
    let mut rooms: Vec<_> = members
        .into_iter()
        .map(|(room, members)| RoomSummary { room, members })
        .collect();
    // Stable: of rooms that are equally full the first by name come first.
    rooms.sort_by_key(|room| std::cmp::Reverse(room.members));
    let mut place = 0..;
    rooms.retain(|room| place.next().is_some_and(|place| place < max) || suggested.contains(&room.room));
    rooms
}

#[cfg(test)]
mod tests {
    use super::*;
    use hither::Json;

    fn found(id: &str, rooms: &str) -> FoundSocket {
        let card = Json::new(format!(r#"{{"user":"Ana","rooms":{rooms}}}"#)).unwrap();
        FoundSocket {
            id: SocketId::new(id),
            card: Some(card),
        }
    }

    fn counted(everybody: &[FoundSocket], suggested: &[&str], max: usize) -> Vec<(String, usize)> {
        let suggested: Vec<_> = suggested
            .iter()
            .map(|name| RoomName::new(name).unwrap())
            .collect();
        let rooms = tally(everybody, &suggested, max);
        rooms
            .into_iter()
            .map(|room| (room.room.to_string(), room.members))
            .collect()
    }

    fn rooms<const N: usize>(rooms: [(&str, usize); N]) -> Vec<(String, usize)> {
        rooms.map(|(room, members)| (room.to_owned(), members)).into()
    }

    #[test]
    fn everybody_counts_once_per_room() {
        let everybody = [
            found("1", r#"["art","music"]"#),
            found("2", "[]"),
            found("3", r#"["music"]"#),
            found("3", r#"["music"]"#),
        ];
        assert_eq!(
            counted(&everybody, &["lobby"], 9),
            rooms([("music", 2), ("art", 1), ("lobby", 0)])
        );
    }

    #[test]
    fn the_fullest_are_listed_and_all_suggestions() {
        let everybody = [
            found("1", r#"["a","b","c","d"]"#),
            found("2", r#"["d","c"]"#),
            found("3", r#"["d"]"#),
        ];
        assert_eq!(
            counted(&everybody, &["b", "e"], 2),
            rooms([("d", 3), ("c", 2), ("b", 1), ("e", 0)])
        );
    }

    #[test]
    fn who_shows_no_card_is_not_counted() {
        let stranger = FoundSocket {
            id: SocketId::new("1"),
            card: None,
        };
        assert_eq!(counted(&[stranger], &[], 9), []);
    }
}
