//! Counting who is in which rooms, for lists of rooms.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use hither::{Io, NamespaceName, QueryError};
use tokio::sync::Mutex;

use crate::{config::ChatConfig, protocol::RoomSummary, room_name::RoomName};

/// How old a count may be at least.
const SHORTEST_USE: Duration = Duration::from_secs(1);
/// A count is used so many times as long as it took: however large the rooms, counting takes a small share of the time.
const USE_PER_COST: u32 = 20;
/// Rooms that are counted at a time.
const ROOMS_AT_A_TIME: usize = 8;

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
    /// The rooms that are suggested and those in which there are sockets whose sessions this node owns, each with its members
    /// on all nodes, the fullest first.
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
        let rooms = count(io, namespace, config)
            .await
            .map(Arc::from)
            .map_err(Arc::new);
        let ended = Instant::now();
        let usable = ((ended - began) * USE_PER_COST).max(SHORTEST_USE);
        *latest = Some(Count {
            rooms: rooms.clone(),
            outdated: ended + usable,
        });
        rooms
    }
}

async fn count(
    io: &Io,
    namespace: &NamespaceName,
    config: &ChatConfig,
) -> Result<Vec<RoomSummary>, QueryError> {
    let here = io.rooms_here(namespace).await;
    let here = here.iter().filter_map(|room| RoomName::new(room.as_str()).ok());
    let summaries = stream::iter(listed(&config.suggested_rooms, here, config.max_listed_rooms))
        .map(|room| async move {
            let members = io.members(namespace, Some(&room.room())).await?.len();
            Ok(RoomSummary { room, members })
        })
        .buffer_unordered(ROOMS_AT_A_TIME)
        .try_collect()
        .await?;
    Ok(sorted(summaries, &config.suggested_rooms))
}

/// The suggestions go before the rest when there are too many.
fn listed(suggested: &[RoomName], here: impl Iterator<Item = RoomName>, max: usize) -> BTreeSet<RoomName> {
    let mut rooms: BTreeSet<RoomName> = suggested.iter().take(max).cloned().collect();
    for room in here {
        if rooms.len() >= max {
            break;
        }
        rooms.insert(room);
    }
    rooms
}

/// The fullest first, without those that were left since they were found.
fn sorted(mut summaries: Vec<RoomSummary>, suggested: &[RoomName]) -> Vec<RoomSummary> {
    summaries.retain(|summary| summary.members > 0 || suggested.contains(&summary.room));
    summaries.sort_by(|one, other| {
        other
            .members
            .cmp(&one.members)
            .then_with(|| one.room.cmp(&other.room))
    });
    summaries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str) -> RoomName {
        RoomName::new(name).unwrap()
    }

    fn names(rooms: &BTreeSet<RoomName>) -> Vec<&str> {
        rooms.iter().map(RoomName::as_str).collect()
    }

    #[test]
    fn suggestions_and_rooms_in_use_up_to_a_limit() {
        let suggested = [room("lobby"), room("random")];
        let here = || ["art", "lobby", "music", "news"].into_iter().map(room);
        assert_eq!(
            names(&listed(&suggested, here(), 9)),
            ["art", "lobby", "music", "news", "random"]
        );
        assert_eq!(names(&listed(&suggested, here(), 3)), ["art", "lobby", "random"]);
        assert_eq!(names(&listed(&suggested, here(), 1)), ["lobby"]);
    }

    #[test]
    fn the_fullest_first_and_only_suggestions_empty() {
        let summary = |name, members| RoomSummary {
            room: room(name),
            members,
        };
        let list = sorted(
            vec![
                summary("lobby", 0),
                summary("b", 2),
                summary("left", 0),
                summary("c", 5),
                summary("a", 2),
            ],
            &[room("lobby")],
        );
        assert_eq!(
            list,
            [
                summary("c", 5),
                summary("a", 2),
                summary("b", 2),
                summary("lobby", 0)
            ]
        );
    }
}
