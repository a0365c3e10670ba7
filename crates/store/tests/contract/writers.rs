use std::collections::BTreeSet;

use futures_util::future::join_all;
use hither_store::{NewMessage, PersonId, Span, Store, StoreUrl};

use crate::support::{member, message, number, public_room};

pub async fn many_writers_leave_no_gap(store: Store) {
    let ana = member(&store, "Ana").await;
    let (one, two) = (
        public_room(&store, "one", &ana).await,
        public_room(&store, "two", &ana).await,
    );
    let said = join_all((0..400).map(async |turn| {
        let room = if turn % 3 == 0 { &two } else { &one };
        let appended = store.append(message(room.id, &ana, "x")).await.unwrap();
        (room.id, appended.number.get())
    }))
    .await;
    for room in [&one, &two] {
        let numbers: Vec<_> = said
            .iter()
            .filter(|(of, _)| *of == room.id)
            .map(|(_, number)| *number)
            .collect();
        let distinct: BTreeSet<_> = numbers.iter().copied().collect();
        assert_eq!(distinct.len(), numbers.len());
        assert_eq!(distinct, (1..=numbers.len() as u64).collect());
        assert_eq!(
            store.room(room.id).await.unwrap().last,
            number(numbers.len() as u64)
        );
    }
}

pub async fn one_who_is_refused_harms_no_neighbour(store: Store) {
    let (ana, bo) = (member(&store, "Ana").await, member(&store, "Bo").await);
    let room = public_room(&store, "garden", &ana).await;
    let results = join_all((0..60).map(async |turn| match turn % 3 {
        0 => store.append(message(room.id, &bo, "refused")).await.is_ok(),
        1 => store.append(message(room.id, &ana, "stored")).await.is_ok(),
        _ => {
            let reply = NewMessage {
                reply_to: Some(number(1000)),
                ..message(room.id, &ana, "refused")
            };
            // The ban is refused after it has begun to write.
            store.append(reply).await.is_ok() || store.ban(room.id, PersonId::random()).await.is_ok()
        }
    }))
    .await;
    let stored = results.iter().filter(|stored| **stored).count();
    assert_eq!(stored, 20);
    let page = store.history(room.id, Span::Newest, 50).await.unwrap();
    assert_eq!(page.messages.len(), 20);
    assert!(page.messages.iter().all(|message| message.text == "stored"));
}

/// Opens the same new store many times at once: one of them makes the schema.
pub async fn open_together(url: &StoreUrl) {
    let stores = join_all((0..6).map(|_| Store::open(url))).await;
    let stores: Vec<_> = stores.into_iter().map(Result::unwrap).collect();
    let ana = member(&stores[0], "Ana").await;
    let room = public_room(&stores[1], "garden", &ana).await;
    // Through all of them, as nodes do.
    let said = join_all((0..240).map(|turn| stores[turn % 6].append(message(room.id, &ana, "x")))).await;
    let numbers: BTreeSet<_> = said
        .into_iter()
        .map(|appended| appended.unwrap().number.get())
        .collect();
    assert_eq!(numbers, (1..=240).collect());
}
