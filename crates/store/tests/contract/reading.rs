use hither_store::{
    Message, MessageKind, Missing, NewMessage, Page, ReadMark, RoomId, Span, Store, StoreError, Timestamp,
};

use crate::support::{member, message, number, public_room, refused, say};

fn numbers(page: &Page) -> Vec<u64> {
    numbers_of(&page.messages)
}

fn numbers_of(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.number.get()).collect()
}

pub async fn history_goes_both_ways(store: Store) {
    let ana = member(&store, "Ana").await;
    let room = public_room(&store, "garden", &ana).await;
    let empty = store.history(room.id, Span::Newest, 50).await.unwrap();
    assert_eq!(
        (numbers(&empty), empty.more_before, empty.more_after),
        (vec![], false, false)
    );
    for text in 1..=20 {
        say(&store, &room, &ana, &text.to_string()).await;
    }
    let page = async |span, limit| {
        let page = store.history(room.id, span, limit).await.unwrap();
        assert_eq!(page.last, number(20));
        (numbers(&page), page.more_before, page.more_after)
    };
    assert_eq!(page(Span::Newest, 3).await, (vec![18, 19, 20], true, false));
    assert_eq!(page(Span::Newest, 100).await, ((1..=20).collect(), false, false));
    assert_eq!(
        page(Span::Before(number(18)), 2).await,
        (vec![16, 17], true, true)
    );
    assert_eq!(page(Span::Before(number(3)), 5).await, (vec![1, 2], false, true));
    assert_eq!(
        page(Span::After(number(18)), 5).await,
        (vec![19, 20], true, false)
    );
    assert_eq!(page(Span::After(number(0)), 2).await, (vec![1, 2], false, true));
    assert_eq!(page(Span::After(number(20)), 2).await, (vec![], true, false));
    assert_eq!(
        page(Span::Around(number(10)), 4).await,
        (vec![8, 9, 10, 11], true, true)
    );
    assert_eq!(
        page(Span::Around(number(1)), 4).await,
        (vec![1, 2, 3, 4], false, true)
    );
    assert_eq!(page(Span::Newest, 0).await, (vec![20], true, false));
    refused!(
        store.history(RoomId::random(), Span::Newest, 1),
        StoreError::NotFound(Missing::Room)
    );
}

pub async fn one_can_jump_to_a_time(store: Store) {
    let ana = member(&store, "Ana").await;
    let room = public_room(&store, "garden", &ana).await;
    let mut times = Vec::new();
    for text in ["a", "b", "c"] {
        times.push(store.append(message(room.id, &ana, text)).await.unwrap().time);
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    }
    let page = async |time| numbers(&store.history(room.id, Span::Since(time), 50).await.unwrap());
    assert_eq!(page(Timestamp(0)).await, [1, 2, 3]);
    assert_eq!(page(times[1]).await, [2, 3]);
    assert_eq!(page(Timestamp(times[1].0 + 1)).await, [3]);
    assert!(page(Timestamp(times[2].0 + 1)).await.is_empty());
}

pub async fn search_finds_words_in_one_room(store: Store) {
    let ana = member(&store, "Ana").await;
    let (room, other) = (
        public_room(&store, "one", &ana).await,
        public_room(&store, "two", &ana).await,
    );
    for text in [
        "The red rose",
        "a Rose is red",
        "nothing",
        "redder roses",
        "日本語 text",
        "it's 5€",
    ] {
        say(&store, &room, &ana, text).await;
    }
    say(&store, &other, &ana, "a red rose elsewhere").await;
    let found = async |query: &str| {
        let hits = store.search(room.id, query, None, 50).await.unwrap();
        hits.messages
            .iter()
            .map(|message| message.number.get())
            .collect::<Vec<_>>()
    };
    assert_eq!(found("RED rose").await, [2, 1]);
    // The last word may be the beginning of one, the others not.
    assert_eq!(found("rose red").await, [2, 1]);
    assert_eq!(found("rose").await, [4, 2, 1]);
    assert_eq!(found("red").await, [4, 2, 1]);
    assert_eq!(found("\"rose\" -is*:").await, [2]);
    assert_eq!(found("日本").await, [5]);
    // However much of it is there.
    say(&store, &room, &ana, "a rhododendron").await;
    for beginning in 1..="rhododendron".len() {
        let query = &"rhododendron"[..beginning];
        assert!(found(query).await.contains(&7), "{query}");
    }
    assert_eq!(found("rhod").await, [7]);
    assert_eq!(found("rhododendr").await, [7]);
    assert!(found("rhododendrons").await.is_empty());
    assert_eq!(found("it's").await, [6]);
    assert!(found("elsewhere").await.is_empty());
    // Not the words of which a database makes its queries.
    assert!(found("red OR nothing").await.is_empty());
    let hits = store.search(room.id, "red", None, 2).await.unwrap();
    assert!(hits.more);
    let rest = store
        .search(room.id, "red", Some(hits.messages[1].number), 2)
        .await
        .unwrap();
    assert_eq!(
        (rest.messages.len(), rest.messages[0].number, rest.more),
        (1, number(1), false)
    );
    refused!(store.search(room.id, "?!", None, 10), StoreError::Invalid(_));
}

pub async fn search_finds_what_was_said_long_ago(store: Store) {
    let ana = member(&store, "Ana").await;
    let room = public_room(&store, "long", &ana).await;
    for text in ["a rare bird", "another rare one"] {
        say(&store, &room, &ana, text).await;
    }
    // More than are looked through before the hits of a rare word are gathered.
    for _ in 0..12 {
        let said = (0..450).map(|_| store.append(message(room.id, &ana, "common words")));
        futures_util::future::try_join_all(said).await.unwrap();
    }
    say(&store, &room, &ana, "rare again").await;
    let found = async |query: &str, before: Option<u64>, limit| {
        let hits = store
            .search(room.id, query, before.map(number), limit)
            .await
            .unwrap();
        (numbers_of(&hits.messages), hits.more)
    };
    assert_eq!(found("rare", None, 50).await, (vec![5_403, 2, 1], false));
    assert_eq!(found("rare", None, 2).await, (vec![5_403, 2], true));
    assert_eq!(found("rare", Some(5_403), 1).await, (vec![2], true));
    assert_eq!(found("rare", Some(2), 1).await, (vec![1], false));
    assert_eq!(found("common", None, 2).await, (vec![5_402, 5_401], true));
    assert_eq!(found("common", Some(4), 2).await, (vec![3], false));
}

pub async fn marks_follow_the_person(store: Store) {
    let (ana, bo) = (member(&store, "Ana").await, member(&store, "Bo").await);
    let room = public_room(&store, "garden", &ana).await;
    say(&store, &room, &ana, "before Bo came").await;
    store.join(room.id, bo.id).await.unwrap();
    let mark = async || store.membership(room.id, bo.id).await.unwrap().mark;
    assert_eq!(
        mark().await,
        ReadMark {
            read: number(1),
            unread: 0
        }
    );
    for text in ["a", "b", "c"] {
        say(&store, &room, &ana, text).await;
    }
    let notice = NewMessage {
        kind: MessageKind::Notice,
        ..message(room.id, &ana, "topic")
    };
    store.append(notice).await.unwrap();
    assert_eq!(
        mark().await,
        ReadMark {
            read: number(1),
            unread: 3
        }
    );
    let read = store.mark_read(room.id, bo.id, number(3)).await.unwrap();
    assert_eq!(
        read,
        ReadMark {
            read: number(3),
            unread: 1
        }
    );
    // Forward only, and not beyond the last.
    assert_eq!(store.mark_read(room.id, bo.id, number(2)).await.unwrap(), read);
    store.delete(room.id, number(4), ana.id, false).await.unwrap();
    assert_eq!(mark().await.unread, 0);
    let all = store.mark_read(room.id, bo.id, number(99)).await.unwrap();
    assert_eq!(
        all,
        ReadMark {
            read: number(5),
            unread: 0
        }
    );
    // Who says something has read what was before.
    assert_eq!(
        store.membership(room.id, ana.id).await.unwrap().mark.read,
        number(5)
    );
    say(&store, &room, &bo, "d").await;
    assert_eq!(
        mark().await,
        ReadMark {
            read: number(6),
            unread: 0
        }
    );

    let second = public_room(&store, "another", &bo).await;
    store.set_muted(second.id, bo.id, true).await.unwrap();
    store.set_place(second.id, bo.id, 5).await.unwrap();
    let rooms = store.memberships(bo.id).await.unwrap();
    let order: Vec<_> = rooms
        .iter()
        .map(|own| (own.room.id, own.place, own.muted))
        .collect();
    assert_eq!(order, [(room.id, 0, false), (second.id, 5, true)]);
    let stranger = member(&store, "Cy").await;
    refused!(
        store.set_muted(room.id, stranger.id, true),
        StoreError::NotFound(Missing::Member)
    );
    refused!(
        store.mark_read(room.id, stranger.id, number(1)),
        StoreError::NotFound(Missing::Member)
    );
}

pub async fn changes_are_told_to_who_was_away(store: Store) {
    let ana = member(&store, "Ana").await;
    let room = public_room(&store, "garden", &ana).await;
    for text in ["a", "b", "c"] {
        say(&store, &room, &ana, text).await;
    }
    assert_eq!(
        store
            .history(room.id, Span::Newest, 50)
            .await
            .unwrap()
            .last_change,
        0
    );
    store.edit(room.id, number(2), ana.id, "B").await.unwrap();
    store.react(room.id, number(1), ana.id, "👍", true).await.unwrap();
    store.delete(room.id, number(2), ana.id, false).await.unwrap();
    let changes = store.changes(room.id, 0, 50).await.unwrap();
    let told: Vec<_> = changes
        .messages
        .iter()
        .map(|message| message.number.get())
        .collect();
    assert_eq!((told, changes.more), (vec![1, 2], false));
    let last = changes.messages[1].change;
    assert_eq!(
        store
            .history(room.id, Span::Newest, 50)
            .await
            .unwrap()
            .last_change,
        last
    );
    assert!(
        store
            .changes(room.id, last, 50)
            .await
            .unwrap()
            .messages
            .is_empty()
    );
    assert_eq!(changes.last_change, last);
    let first = store.changes(room.id, 0, 1).await.unwrap();
    assert_eq!((first.last_change, first.more), (first.messages[0].change, true));
    let rest = store.changes(room.id, first.last_change, 1).await.unwrap();
    assert_eq!(
        (rest.messages[0].number, rest.last_change, rest.more),
        (number(2), last, false)
    );
    refused!(
        store.changes(RoomId::random(), 0, 1),
        StoreError::NotFound(Missing::Room)
    );
}
