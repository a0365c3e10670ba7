use std::{fs, path::Path, time::Duration};

use hither_store::{
    FileName, Missing, NewAttachment, NewMessage, Number, Pruned, Retention, Span, Store, StoreError,
    Timestamp, UpkeepError,
};

use crate::support::{LIMITS, member, message, name, number, public_room, refused, say, secret};

pub async fn what_is_old_or_too_much_goes(store: Store) {
    let ana = member(&store, "Ana").await;
    let (room, other) = (
        public_room(&store, "long", &ana).await,
        public_room(&store, "short", &ana).await,
    );
    futures_util::future::join_all((0..1203).map(|_| say(&store, &room, &ana, "many"))).await;
    for _ in 0..3 {
        say(&store, &other, &ana, "few").await;
    }
    store.react(room.id, number(2), ana.id, "👍", true).await.unwrap();
    assert_eq!(
        store.prune(Retention::default()).await.unwrap(),
        Pruned::default()
    );
    let ten = Retention {
        max_count: Some(10),
        max_age: None,
    };
    assert_eq!(store.prune(ten).await.unwrap().messages, 1193);
    assert_eq!(store.prune(ten).await.unwrap().messages, 0);
    let page = store
        .history(room.id, Span::After(Number::default()), 50)
        .await
        .unwrap();
    assert_eq!(
        (page.messages.len(), page.messages[0].number, page.last),
        (10, number(1194), number(1203))
    );
    assert!(!page.more_before && !page.more_after);
    for from in [page.messages[0].time, page.messages[6].time, Timestamp(0)] {
        let since = store.history(room.id, Span::Since(from), 50).await.unwrap();
        let expected = page.messages.iter().find(|message| message.time >= from);
        assert_eq!(
            since.messages.first().map(|message| message.number),
            expected.map(|message| message.number)
        );
    }
    assert_eq!(
        store
            .history(other.id, Span::Newest, 50)
            .await
            .unwrap()
            .messages
            .len(),
        3
    );
    assert_eq!(
        store
            .search(room.id, "many", None, 50)
            .await
            .unwrap()
            .messages
            .len(),
        10
    );
    assert!(store.check().await.unwrap().problems.is_empty());

    let hour = Retention {
        max_age: Some(Duration::from_secs(3600)),
        max_count: None,
    };
    assert_eq!(store.prune(hour).await.unwrap().messages, 0);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let at_once = Retention {
        max_age: Some(Duration::from_millis(10)),
        max_count: None,
    };
    assert_eq!(store.prune(at_once).await.unwrap().messages, 13);
    let page = store.history(room.id, Span::Newest, 50).await.unwrap();
    assert!(page.messages.is_empty() && page.last == number(1203));
    // Numbers go on, and marks are right.
    assert_eq!(say(&store, &room, &ana, "new").await, number(1204));
    assert_eq!(store.membership(room.id, ana.id).await.unwrap().mark.unread, 0);
    assert!(store.check().await.unwrap().problems.is_empty());
}

/// A store with something of everything, exported, imported into another, and exported again: nothing is lost.
pub async fn exports_are_imported(from: &Store, into: &Store, folder: &Path) {
    fill(from).await;
    let (first, second) = (folder.join("first"), folder.join("second"));
    from.export(&first).await.unwrap();
    let rows = into.import(&first).await.unwrap();
    assert_eq!(
        rows + 1,
        fs::read_to_string(&first).unwrap().lines().count() as u64
    );
    into.export(&second).await.unwrap();
    assert_eq!(
        fs::read_to_string(&first).unwrap(),
        fs::read_to_string(&second).unwrap()
    );
    assert!(into.check().await.unwrap().problems.is_empty());
    // It is used like the first.
    let (ana, password) = into.credentials(&name("ana")).await.unwrap().unwrap();
    assert_eq!(password, "$argon2id$…");
    assert!(into.use_login(&secret(1)).await.unwrap().is_some());
    let room = into
        .public_rooms("garden", None, 1, ana.id)
        .await
        .unwrap()
        .remove(0)
        .room;
    assert_eq!(
        into.search(room.id, "hello", None, 10)
            .await
            .unwrap()
            .messages
            .len(),
        1
    );
    assert_eq!(say(into, &room, &ana, "next").await, number(4));

    let refused = into.import(&first).await;
    assert!(matches!(refused, Err(UpkeepError::NotEmpty)), "{refused:?}");
    let refused = into.export(&first).await;
    assert!(
        matches!(refused, Err(UpkeepError::File { .. })),
        "a file is overwritten: {refused:?}"
    );
}

/// What cannot be imported leaves nothing behind.
pub async fn broken_exports_are_refused(from: &Store, into: &Store, folder: &Path) {
    fill(from).await;
    let whole = folder.join("whole");
    from.export(&whole).await.unwrap();
    let whole = fs::read_to_string(whole).unwrap();
    let schema = whole.lines().next().unwrap();
    let cut = &whole[..whole.len() - 20];
    for (broken, problem) in [
        (String::new(), "line 1: the file is empty"),
        ("{}".into(), "no export of a store"),
        (
            whole.replacen(schema, r#"{"hither store": 99}"#, 1),
            "an export of schema 99",
        ),
        (
            whole.replacen("persons", "people", 1),
            "line 2: there is no table \"people\"",
        ),
        (
            whole.replacen("\"kind\":\"member\"", "\"kind\":7", 1),
            "line 2: kind is 7",
        ),
        (whole.replacen("\"kind\":", "\"kinds\":", 1), "line 2: "),
        (cut.to_owned(), "line "),
    ] {
        let path = folder.join("broken");
        fs::write(&path, broken).unwrap();
        let error = into.import(&path).await.unwrap_err().to_string();
        assert!(error.contains(problem), "{error:?} is not {problem:?}");
        assert_eq!(into.check().await.unwrap().persons, 0);
    }
}

pub async fn one_node_prunes_at_a_time(store: Store) {
    let (soon, late) = (Duration::from_millis(50), Duration::from_secs(60));
    assert!(store.claim_pruning(soon).await.unwrap());
    tokio::time::sleep(soon * 2).await;
    let claims = futures_util::future::join_all((0..8).map(|_| store.claim_pruning(late))).await;
    let won = claims
        .into_iter()
        .filter(|claim| matches!(claim, Ok(true)))
        .count();
    assert_eq!(won, 1);
    assert!(!store.claim_pruning(late).await.unwrap());
}

async fn fill(store: &Store) {
    let (ana, bo) = (member(store, "Ana").await, member(store, "Bo").await);
    let room = public_room(store, "garden", &ana).await;
    store.join(room.id, bo.id).await.unwrap();
    store.direct_room(ana.id, bo.id).await.unwrap();
    store
        .create_login(&secret(1), ana.id, LIMITS, "Firefox")
        .await
        .unwrap();
    store.set_token(bo.id, Some(&secret(2))).await.unwrap();
    store
        .create_webhook(room.id, &name("CI"), &secret(3))
        .await
        .unwrap();
    let said = say(store, &room, &ana, "hello \"world\" \\ 日本 \u{1f600}\n").await;
    store.react(room.id, said, bo.id, "👍", true).await.unwrap();
    let file = NewAttachment {
        owner: bo.id,
        room: room.id,
        name: FileName::cleaned("a.bin"),
        media_type: "application/octet-stream".into(),
        dimensions: None,
        content: (0..=255).collect::<Vec<u8>>().into(),
        preview: None,
    };
    let file = store.put_attachment(file).await.unwrap();
    let reply = NewMessage {
        reply_to: Some(said),
        attachments: vec![file.id],
        ..message(room.id, &bo, "see")
    };
    let reply = store.append(reply).await.unwrap().number;
    store.edit(room.id, reply, bo.id, "look").await.unwrap();
    let third = say(store, &room, &bo, "removed").await;
    store.delete(room.id, third, bo.id, false).await.unwrap();
    refused!(
        store.edit(room.id, third, bo.id, "x"),
        StoreError::NotFound(Missing::Message)
    );
}
