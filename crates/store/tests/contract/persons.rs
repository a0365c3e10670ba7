use hither_store::{Author, AuthorKind, Conflict, Missing, PersonKind, Role, Span, Store, StoreError};

use crate::support::{member, name, public_room, refused, say, secret};

pub async fn names_are_unique_whatever_their_case_and_look(store: Store) {
    let ana = member(&store, "Ana").await;
    for taken in ["ana", "ＡＮＡ", "Аnа"] {
        refused!(
            store.create_member(&name(taken), "x"),
            StoreError::Conflict(Conflict::NameTaken)
        );
        refused!(
            store.create_guest(&name(taken)),
            StoreError::Conflict(Conflict::NameTaken)
        );
    }
    let bo = store.create_guest(&name("Bo")).await.unwrap();
    refused!(
        store.rename(bo.id, &name("aNa")),
        StoreError::Conflict(Conflict::NameTaken)
    );
    // One's own name in another case is one's own.
    assert_eq!(store.rename(bo.id, &name("BO")).await.unwrap().name, name("BO"));
    assert_eq!(store.rename(bo.id, &name("Bob")).await.unwrap().id, bo.id);
    assert_eq!(member(&store, "Bo").await.kind, PersonKind::Member);
    assert_eq!(
        store.person_by_name(&name("ANA")).await.unwrap(),
        Some(ana.clone())
    );
    assert_eq!(store.person(ana.id).await.unwrap(), ana);
    assert_eq!(store.person_by_name(&name("Cy")).await.unwrap(), None);
}

pub async fn members_have_passwords_and_tokens(store: Store) {
    let ana = store.create_member(&name("Ana"), "first").await.unwrap();
    assert_eq!(
        store.credentials(&name("ANA")).await.unwrap(),
        Some((ana.clone(), "first".into()))
    );
    store.set_password(ana.id, "second").await.unwrap();
    assert_eq!(
        store.password_hash(ana.id).await.unwrap().as_deref(),
        Some("second")
    );
    store.set_token(ana.id, Some(&secret(1))).await.unwrap();
    assert_eq!(
        store.person_by_token(&secret(1)).await.unwrap(),
        Some(ana.clone())
    );
    store.set_token(ana.id, Some(&secret(2))).await.unwrap();
    assert_eq!(store.person_by_token(&secret(1)).await.unwrap(), None);
    let bo = member(&store, "Bo").await;
    refused!(
        store.set_token(bo.id, Some(&secret(2))),
        StoreError::Conflict(Conflict::SecretUsed)
    );
    store.set_token(ana.id, None).await.unwrap();
    assert_eq!(store.person_by_token(&secret(2)).await.unwrap(), None);

    let guest = store.create_guest(&name("Guest")).await.unwrap();
    assert_eq!(store.credentials(&guest.name).await.unwrap(), None);
    refused!(
        store.set_password(guest.id, "x"),
        StoreError::NotFound(Missing::Person)
    );
    refused!(
        store.set_token(guest.id, None),
        StoreError::NotFound(Missing::Person)
    );
}

pub async fn a_deleted_person_leaves_messages_and_rooms(store: Store) {
    let (ana, bo) = (member(&store, "Ana").await, member(&store, "Bo").await);
    let room = public_room(&store, "garden", &ana).await;
    store.join(room.id, bo.id).await.unwrap();
    let said = say(&store, &room, &ana, "hello").await;
    store.react(room.id, said, ana.id, "👍", true).await.unwrap();
    store
        .create_login(&secret(1), ana.id, crate::support::LIMITS, "")
        .await
        .unwrap();

    let deleted = store.delete_person(ana.id).await.unwrap();
    assert_eq!((&deleted.person, &deleted.logins[..]), (&ana, &[secret(1)][..]));
    let [(left, Some(heir))] = &deleted.rooms[..] else {
        panic!("{deleted:?}")
    };
    assert_eq!((*left, heir.person.id, heir.role), (room.id, bo.id, Role::Owner));
    refused!(store.delete_person(ana.id), StoreError::NotFound(Missing::Person));
    assert_eq!(store.use_login(&secret(1)).await.unwrap(), None);

    let page = store.history(room.id, Span::Newest, 50).await.unwrap();
    assert_eq!(page.messages[0].text, "hello");
    assert_eq!(page.messages[0].author.name, "Ana");
    assert_eq!(page.messages[0].author.kind, AuthorKind::Member);
    assert_eq!(page.messages[0].author.author, Author::Person(ana.id));
    assert!(page.messages[0].reactions.is_empty());
    // Another Ana is somebody else.
    assert_ne!(member(&store, "Ana").await.id, ana.id);
}
