use std::time::Duration;

use futures_util::future::join_all;
use hither_store::{Limit, MessageLimits, Rate, Retention, Store, StoreError};

use crate::support::{member, message, public_room, say};

pub async fn tokens_are_taken_all_or_none(store: Store) {
    let rate = Rate::per_hour(3600);
    let take = async |tokens| store.take("uploads of ana", rate, tokens).await;
    take(3000).await.unwrap();
    let Err(StoreError::Limited { limit, retry_after }) = take(1000).await else {
        panic!("more than there are");
    };
    assert_eq!(limit, Limit::Subject);
    let expected = Duration::from_secs(390)..=Duration::from_secs(400);
    assert!(expected.contains(&retry_after), "{retry_after:?}");
    take(590).await.unwrap();
    assert!(take(30).await.is_err());
    // Of somebody else there are as many as ever, and more than that there never are.
    store.take("uploads of bo", rate, 10_000).await.unwrap();
    assert!(store.take("uploads of bo", rate, 30).await.is_err());
    assert!(store.take(&"x".repeat(101), rate, 1).await.is_err());
    store.prune(Retention::default()).await.unwrap();
    assert!(
        take(1000).await.is_err(),
        "a bucket that is not full was forgotten"
    );
}

pub async fn a_person_has_one_bucket_for_all_rooms(store: Store) {
    // An hour for a token: what comes back meanwhile does not count.
    let (ana, bo) = (member(&store, "Ana").await, member(&store, "Bo").await);
    let (one, two) = (
        public_room(&store, "one", &ana).await,
        public_room(&store, "two", &ana).await,
    );
    store.join(one.id, bo.id).await.unwrap();
    let limited = store.clone().with_limits(MessageLimits {
        person: Rate::per_hour(6),
        room: Rate::per_hour(1000),
    });
    let nodes = [limited.clone(), limited];
    let first = message(one.id, &ana, "first");
    let appended = nodes[0].append(first.clone()).await.unwrap();
    let rest = (0..20).map(|count| {
        let room = if count % 3 == 0 { one.id } else { two.id };
        nodes[count % 2].append(message(room, &ana, "flood"))
    });
    let mut stored = 0;
    for outcome in join_all(rest).await {
        match outcome {
            Ok(_) => stored += 1,
            Err(StoreError::Limited { limit, retry_after }) => {
                assert_eq!(limit, Limit::Subject);
                let expected = Duration::from_secs(550)..=Duration::from_secs(601);
                assert!(expected.contains(&retry_after), "{retry_after:?}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(stored, 5);
    // What was stored is answered alike, at no cost; and nobody else is limited.
    assert_eq!(nodes[1].append(first).await.unwrap().number, appended.number);
    nodes[1].append(message(one.id, &bo, "calm")).await.unwrap();
    say(&store, &two, &ana, "without limits").await;
}

pub async fn a_room_has_one_bucket_for_all_people(store: Store) {
    let ana = member(&store, "Ana").await;
    let (room, other) = (
        public_room(&store, "one", &ana).await,
        public_room(&store, "two", &ana).await,
    );
    let store = store.with_limits(MessageLimits {
        person: Rate::per_hour(1000),
        room: Rate::per_hour(10),
    });
    let mut people = Vec::new();
    for name in ["Bo", "Cy", "Di"] {
        let person = member(&store, name).await;
        store.join(room.id, person.id).await.unwrap();
        people.push(person);
    }
    let flood = (0..30).map(|count| store.append(message(room.id, &people[count % 3], "flood")));
    let (stored, refused): (Vec<_>, Vec<_>) = join_all(flood).await.into_iter().partition(Result::is_ok);
    assert_eq!(stored.len(), 10);
    for error in refused {
        assert!(
            matches!(
                error,
                Err(StoreError::Limited {
                    limit: Limit::Room,
                    ..
                })
            ),
            "{error:?}"
        );
    }
    store.append(message(other.id, &ana, "elsewhere")).await.unwrap();
}
