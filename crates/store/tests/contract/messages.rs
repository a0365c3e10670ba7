use hither_store::{
    AttachmentId, Author, Conflict, Denial, FileName, MAX_TEXT_BYTES, MessageKind, Missing, NewAttachment,
    NewMessage, Number, RoomId, Span, Store, StoreError,
};

use crate::support::{member, message, number, public_room, refused, say};

pub async fn numbers_have_no_gaps_and_times_go_forward(store: Store) {
    let ana = member(&store, "Ana").await;
    let (one, two) = (
        public_room(&store, "one", &ana).await,
        public_room(&store, "two", &ana).await,
    );
    let mut last = 0;
    for expected in 1..=5 {
        let appended = store.append(message(one.id, &ana, "x")).await.unwrap();
        assert_eq!(appended.number, number(expected));
        assert!(appended.time.0 >= last && !appended.repeated);
        last = appended.time.0;
        // What is refused takes no number.
        refused!(
            store.append(NewMessage {
                reply_to: Some(number(99)),
                ..message(one.id, &ana, "x")
            }),
            StoreError::NotFound(Missing::Message)
        );
    }
    assert_eq!(say(&store, &two, &ana, "y").await, number(1));
    assert_eq!(store.room(one.id).await.unwrap().last, number(5));
}

pub async fn a_repeated_message_is_stored_once(store: Store) {
    let (ana, bo) = (member(&store, "Ana").await, member(&store, "Bo").await);
    let (room, other) = (
        public_room(&store, "one", &ana).await,
        public_room(&store, "two", &ana).await,
    );
    store.join(room.id, bo.id).await.unwrap();
    let said = message(room.id, &ana, "once");
    let first = store.append(said.clone()).await.unwrap();
    say(&store, &room, &bo, "between").await;
    let again = store.append(said.clone()).await.unwrap();
    assert_eq!((again.number, again.time), (first.number, first.time));
    assert!(again.repeated && !first.repeated);
    let elsewhere = NewMessage {
        room: other.id,
        ..said.clone()
    };
    refused!(
        store.append(elsewhere),
        StoreError::Conflict(Conflict::ClientIdUsed)
    );
    // An id is its author's own.
    let same_id = NewMessage {
        author: Author::Person(bo.id),
        ..said.clone()
    };
    assert!(!store.append(same_id).await.unwrap().repeated);
    // Many at once, so that some share a transaction.
    let new = message(room.id, &ana, "twice");
    let all = futures_util::future::join_all((0..20).map(|_| store.append(new.clone()))).await;
    let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
    assert!(
        all.iter()
            .all(|appended| appended.number == all[0].number && appended.time == all[0].time)
    );
    assert_eq!(all.iter().filter(|appended| !appended.repeated).count(), 1);
    // Also when the author has gone since.
    store.leave(room.id, ana.id).await.unwrap();
    assert_eq!(store.append(said).await.unwrap().number, first.number);
    assert_eq!(store.room(room.id).await.unwrap().last, number(4));
}

pub async fn only_who_is_in_the_room_speaks(store: Store) {
    let (ana, bo) = (member(&store, "Ana").await, member(&store, "Bo").await);
    let room = public_room(&store, "garden", &ana).await;
    refused!(
        store.append(message(room.id, &bo, "hi")),
        StoreError::Denied(Denial::NotMember)
    );
    refused!(
        store.append(message(RoomId::random(), &ana, "hi")),
        StoreError::NotFound(Missing::Room)
    );
    refused!(store.append(message(room.id, &ana, "")), StoreError::Invalid(_));
    refused!(
        store.append(message(room.id, &ana, "a\0b")),
        StoreError::Invalid(_)
    );
    refused!(
        store.append(message(room.id, &ana, &"x".repeat(MAX_TEXT_BYTES + 1))),
        StoreError::Invalid(_)
    );
    let long = "ü".repeat(MAX_TEXT_BYTES / 2);
    say(&store, &room, &ana, &long).await;
    let odd = "'; DROP TABLE messages; -- \\ \u{1f600} \u{202e} \"quoted\" \n\t{now}";
    say(&store, &room, &ana, odd).await;
    let notice = NewMessage {
        kind: MessageKind::Notice,
        ..message(room.id, &bo, "came and went")
    };
    store.append(notice).await.unwrap();
    let server = NewMessage {
        author: Author::Server,
        ..message(room.id, &ana, "maintenance at 12")
    };
    store.append(server).await.unwrap();
    let page = store.history(room.id, Span::Newest, 50).await.unwrap();
    let texts: Vec<_> = page
        .messages
        .iter()
        .map(|message| message.text.as_str())
        .collect();
    assert_eq!(texts, [long.as_str(), odd, "came and went", "maintenance at 12"]);
}

pub async fn texts_are_changed_by_their_authors(store: Store) {
    let (ana, bo) = (member(&store, "Ana").await, member(&store, "Bo").await);
    let room = public_room(&store, "garden", &ana).await;
    store.join(room.id, bo.id).await.unwrap();
    let said = say(&store, &room, &ana, "helo").await;
    let reply = NewMessage {
        reply_to: Some(said),
        ..message(room.id, &bo, "hi")
    };
    let reply = store.append(reply).await.unwrap().number;
    refused!(
        store.edit(room.id, said, bo.id, "x"),
        StoreError::Denied(Denial::NotAuthor)
    );
    refused!(store.edit(room.id, said, ana.id, ""), StoreError::Invalid(_));
    refused!(
        store.edit(room.id, number(9), ana.id, "x"),
        StoreError::NotFound(Missing::Message)
    );
    let edited = store.edit(room.id, said, ana.id, "hello").await.unwrap();
    assert_eq!(edited.text, "hello");
    assert!(edited.edited.is_some() && edited.change == 1);
    let quote = store.message(room.id, reply).await.unwrap().reply_to.unwrap();
    assert_eq!(
        (quote.number, quote.line),
        (said, Some(("Ana".into(), "hello".into())))
    );
    assert_eq!(
        store
            .search(room.id, "hello", None, 10)
            .await
            .unwrap()
            .messages
            .len(),
        1
    );
    assert!(
        store
            .search(room.id, "helo", None, 10)
            .await
            .unwrap()
            .messages
            .is_empty()
    );
    store.leave(room.id, ana.id).await.unwrap();
    refused!(
        store.edit(room.id, said, ana.id, "x"),
        StoreError::Denied(Denial::NotMember)
    );
}

pub async fn deletion_removes_what_was_said(store: Store) {
    let (ana, bo) = (member(&store, "Ana").await, member(&store, "Bo").await);
    let room = public_room(&store, "garden", &ana).await;
    store.join(room.id, bo.id).await.unwrap();
    let said = say(&store, &room, &bo, "secret").await;
    store.react(room.id, said, ana.id, "👍", true).await.unwrap();
    let reply = NewMessage {
        reply_to: Some(said),
        ..message(room.id, &ana, "what?")
    };
    let reply = store.append(reply).await.unwrap().number;
    refused!(
        store.delete(room.id, said, ana.id, false),
        StoreError::Denied(Denial::NotAuthor)
    );
    let deleted = store.delete(room.id, said, ana.id, true).await.unwrap();
    assert!(deleted.deleted && deleted.text.is_empty() && deleted.reactions.is_empty());
    let again = store.delete(room.id, said, bo.id, false).await.unwrap();
    assert_eq!(again, deleted);
    assert_eq!(
        store
            .message(room.id, reply)
            .await
            .unwrap()
            .reply_to
            .unwrap()
            .line,
        None
    );
    assert!(
        store
            .search(room.id, "secret", None, 10)
            .await
            .unwrap()
            .messages
            .is_empty()
    );
    refused!(
        store.edit(room.id, said, bo.id, "x"),
        StoreError::NotFound(Missing::Message)
    );
    refused!(
        store.react(room.id, said, bo.id, "👍", true),
        StoreError::NotFound(Missing::Message)
    );
    assert_eq!(say(&store, &room, &bo, "next").await, number(3));
}

pub async fn reactions_come_and_go(store: Store) {
    let (ana, bo) = (member(&store, "Ana").await, member(&store, "Bo").await);
    let room = public_room(&store, "garden", &ana).await;
    store.join(room.id, bo.id).await.unwrap();
    let said = say(&store, &room, &ana, "hello").await;
    store.react(room.id, said, ana.id, "👍", true).await.unwrap();
    let message = store.react(room.id, said, bo.id, "👍", true).await.unwrap();
    assert_eq!(message.reactions[0].names, ["Ana", "Bo"]);
    assert_eq!(
        store.react(room.id, said, bo.id, "👍", true).await.unwrap(),
        message
    );
    let message = store.react(room.id, said, ana.id, "👍", false).await.unwrap();
    assert_eq!(message.reactions[0].names, ["Bo"]);
    for wrong in ["", " ", "a\nb", &"x".repeat(65)] {
        refused!(
            store.react(room.id, said, ana.id, wrong, true),
            StoreError::Invalid(_)
        );
    }
    for other in 0..31 {
        store
            .react(room.id, said, ana.id, &format!("e{other}"), true)
            .await
            .unwrap();
    }
    refused!(
        store.react(room.id, said, ana.id, "one-more", true),
        StoreError::Invalid(_)
    );
    let outsider = member(&store, "Cy").await;
    refused!(
        store.react(room.id, said, outsider.id, "👍", true),
        StoreError::Denied(Denial::NotMember)
    );
}

pub async fn files_belong_to_their_message(store: Store) {
    let (ana, bo) = (member(&store, "Ana").await, member(&store, "Bo").await);
    let room = public_room(&store, "garden", &ana).await;
    let file = |owner| NewAttachment {
        owner,
        room: room.id,
        name: FileName::cleaned("../rose.png"),
        media_type: "image/png".into(),
        dimensions: Some((640, 480)),
        content: vec![7; 300_000].into(),
        preview: Some(vec![1, 0, 2]),
    };
    refused!(
        store.put_attachment(file(bo.id)),
        StoreError::Denied(Denial::NotMember)
    );
    refused!(
        store.put_attachment(NewAttachment {
            content: Vec::new().into(),
            ..file(ana.id)
        }),
        StoreError::Invalid(_)
    );
    let put = store.put_attachment(file(ana.id)).await.unwrap();
    assert_eq!(
        (put.size, put.dimensions, put.number),
        (300_000, Some((640, 480)), None)
    );
    store.join(room.id, bo.id).await.unwrap();
    let with = |author, id| NewMessage {
        attachments: vec![id],
        ..message(room.id, author, "")
    };
    // Neither somebody else's, nor one that is not there.
    refused!(
        store.append(with(&bo, put.id)),
        StoreError::NotFound(Missing::Attachment)
    );
    refused!(
        store.append(with(&ana, AttachmentId::random())),
        StoreError::NotFound(Missing::Attachment)
    );
    let said = store.append(with(&ana, put.id)).await.unwrap().number;
    refused!(
        store.append(with(&ana, put.id)),
        StoreError::NotFound(Missing::Attachment)
    );
    let shown = store.message(room.id, said).await.unwrap().attachments;
    assert_eq!(shown[0].number, Some(said));
    assert_eq!(store.attachment(put.id).await.unwrap(), shown[0]);
    let part = async |part| store.attachment_part(put.id, part).await.unwrap();
    let parts = [part(0).await.unwrap(), part(1).await.unwrap()].concat();
    assert_eq!((parts, part(2).await), (vec![7; 300_000], None));
    assert_eq!(store.attachment_preview(put.id).await.unwrap(), [1, 0, 2]);
    store.delete(room.id, said, ana.id, false).await.unwrap();
    refused!(
        store.attachment(put.id),
        StoreError::NotFound(Missing::Attachment)
    );
    refused!(
        store.attachment_part(put.id, 0),
        StoreError::NotFound(Missing::Attachment)
    );
    assert_eq!(Number::new(1), said);
}

pub async fn a_file_is_attached_once(store: Store) {
    let ana = member(&store, "Ana").await;
    let room = public_room(&store, "garden", &ana).await;
    let file = NewAttachment {
        owner: ana.id,
        room: room.id,
        name: FileName::cleaned("rose.txt"),
        media_type: "application/octet-stream".into(),
        dimensions: None,
        content: vec![7; 10].into(),
        preview: None,
    };
    let id = store.put_attachment(file).await.unwrap().id;
    let with = |attachments| NewMessage {
        attachments,
        ..message(room.id, &ana, "see")
    };
    refused!(
        store.append(with(vec![id, id])),
        StoreError::NotFound(Missing::Attachment)
    );
    // At once, perhaps in one transaction.
    let all = futures_util::future::join_all((0..8).map(|_| store.append(with(vec![id])))).await;
    let (stored, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
    assert_eq!((stored.len(), refused.len()), (1, 7));
    for error in refused {
        assert!(
            matches!(error, Err(StoreError::NotFound(Missing::Attachment))),
            "{error:?}"
        );
    }
    let page = store
        .history(room.id, hither_store::Span::Newest, 50)
        .await
        .unwrap();
    assert_eq!((page.messages.len(), page.messages[0].attachments.len()), (1, 1));
}
