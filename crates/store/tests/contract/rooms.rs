use hither_store::{
    Author, AuthorKind, ClientId, Conflict, Denial, MessageKind, Missing, NewMessage, NewRoom, Role,
    RoomKind, Span, Standing, Store, StoreError,
};

use crate::support::{member, message, name, new_room, public_room, refused, room_name, say, secret};

pub async fn public_rooms_are_found(store: Store) {
    let (ana, bo) = (member(&store, "Ana").await, member(&store, "Bo").await);
    let lobby = store.ensure_room(&room_name("lobby")).await.unwrap();
    assert_eq!(store.ensure_room(&room_name("Lobby")).await.unwrap(), lobby);
    for text in ["Roses", "roses_2", "Corn 50%"] {
        public_room(&store, text, &ana).await;
    }
    new_room(&store, "secret roses", &ana, true).await;
    for taken in ["ROSES", "Rоses", "lobby"] {
        let name = room_name(taken);
        let room = NewRoom {
            name,
            private: false,
            topic: String::new(),
            owner: None,
        };
        refused!(
            store.create_room(room),
            StoreError::Conflict(Conflict::RoomNameTaken)
        );
    }
    let found = async |query: &str, limit| {
        let rooms = store.public_rooms(query, None, limit, bo.id).await.unwrap();
        rooms
            .into_iter()
            .map(|found| found.room.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(found("", 10).await, ["Corn 50%", "lobby", "Roses", "roses_2"]);
    assert_eq!(found("ROSE", 10).await, ["Roses", "roses_2"]);
    assert_eq!(found("s_2", 10).await, ["roses_2"]);
    assert_eq!(found("%", 10).await, ["Corn 50%"]);
    assert_eq!(found("", 1).await, ["Corn 50%"]);
    let rest = store
        .public_rooms("", Some(&room_name("lobby")), 10, ana.id)
        .await
        .unwrap();
    assert_eq!(rest.len(), 2);
    assert_eq!((rest[0].members, rest[0].joined), (1, true));

    store.set_topic(lobby.id, "Say hello").await.unwrap();
    assert_eq!(
        store
            .public_room(&room_name("LOBBY"))
            .await
            .unwrap()
            .unwrap()
            .topic,
        "Say hello"
    );
    refused!(
        store.set_topic(lobby.id, &"x".repeat(251)),
        StoreError::Invalid(_)
    );
    refused!(store.set_topic(lobby.id, "two\nlines"), StoreError::Invalid(_));
    assert_eq!(store.public_room(&room_name("secret roses")).await.unwrap(), None);
}

pub async fn a_direct_room_is_always_the_same(store: Store) {
    let (ana, bo) = (member(&store, "Ana").await, member(&store, "Bo").await);
    let room = store.direct_room(ana.id, bo.id).await.unwrap();
    assert_eq!(store.direct_room(bo.id, ana.id).await.unwrap(), room);
    assert_eq!(room.kind, RoomKind::Direct);
    let seen = store.memberships(ana.id).await.unwrap();
    assert_eq!(seen[0].peer.as_ref().unwrap().id, bo.id);
    assert_eq!(
        store.memberships(bo.id).await.unwrap()[0]
            .peer
            .as_ref()
            .unwrap()
            .id,
        ana.id
    );
    let cy = member(&store, "Cy").await;
    refused!(store.join(room.id, cy.id), StoreError::Denied(Denial::NotInvited));
    refused!(
        store.invite(room.id, cy.id, ana.id),
        StoreError::Denied(Denial::DirectRoom)
    );
    refused!(
        store.leave(room.id, ana.id),
        StoreError::Denied(Denial::DirectRoom)
    );
    refused!(store.direct_room(ana.id, ana.id), StoreError::Invalid(_));
    assert!(store.public_rooms("", None, 10, cy.id).await.unwrap().is_empty());
    store.delete_person(bo.id).await.unwrap();
    assert_eq!(store.membership(room.id, ana.id).await.unwrap().peer, None);
    refused!(
        store.direct_room(ana.id, bo.id),
        StoreError::NotFound(Missing::Person)
    );
}

pub async fn private_rooms_are_entered_by_invitation(store: Store) {
    let (ana, bo, cy) = (
        member(&store, "Ana").await,
        member(&store, "Bo").await,
        member(&store, "Cy").await,
    );
    let room = new_room(&store, "plans", &ana, true).await;
    refused!(store.join(room.id, bo.id), StoreError::Denied(Denial::NotInvited));
    refused!(
        store.invite(room.id, bo.id, cy.id),
        StoreError::Denied(Denial::NotMember)
    );
    let invitation = store.invite(room.id, bo.id, ana.id).await.unwrap();
    assert_eq!((invitation.room.id, invitation.by.as_str()), (room.id, "Ana"));
    assert_eq!(store.invitations(bo.id).await.unwrap(), [invitation]);
    assert_eq!(
        store.standing(room.id, bo.id).await.unwrap(),
        Some(Standing::Invited)
    );
    refused!(
        store.append(message(room.id, &bo, "hi")),
        StoreError::Denied(Denial::NotMember)
    );
    store.decline(room.id, bo.id).await.unwrap();
    refused!(
        store.decline(room.id, bo.id),
        StoreError::NotFound(Missing::Invitation)
    );
    refused!(store.join(room.id, bo.id), StoreError::Denied(Denial::NotInvited));
    store.invite(room.id, bo.id, ana.id).await.unwrap();
    store.join(room.id, bo.id).await.unwrap();
    assert!(store.invitations(bo.id).await.unwrap().is_empty());
    refused!(
        store.join(room.id, bo.id),
        StoreError::Conflict(Conflict::AlreadyMember)
    );
    refused!(
        store.invite(room.id, bo.id, ana.id),
        StoreError::Conflict(Conflict::AlreadyMember)
    );
    // Removed: not in, and not invited.
    store.leave(room.id, bo.id).await.unwrap();
    refused!(store.join(room.id, bo.id), StoreError::Denied(Denial::NotInvited));
    refused!(store.leave(room.id, bo.id), StoreError::NotFound(Missing::Member));
}

pub async fn who_is_banned_stays_outside(store: Store) {
    let (ana, bo) = (member(&store, "Ana").await, member(&store, "Bo").await);
    let room = public_room(&store, "garden", &ana).await;
    store.join(room.id, bo.id).await.unwrap();
    say(&store, &room, &bo, "spam").await;
    store.ban(room.id, bo.id).await.unwrap();
    refused!(store.join(room.id, bo.id), StoreError::Denied(Denial::Banned));
    refused!(
        store.append(message(room.id, &bo, "more")),
        StoreError::Denied(Denial::Banned)
    );
    refused!(
        store.invite(room.id, bo.id, ana.id),
        StoreError::Denied(Denial::Banned)
    );
    refused!(
        store.membership(room.id, bo.id),
        StoreError::NotFound(Missing::Member)
    );
    assert!(store.memberships(bo.id).await.unwrap().is_empty());
    assert_eq!(store.members(room.id, None, 10).await.unwrap().len(), 1);
    assert_eq!(store.banned(room.id, None, 10).await.unwrap()[0].person.id, bo.id);
    store.unban(room.id, bo.id).await.unwrap();
    refused!(store.unban(room.id, bo.id), StoreError::NotFound(Missing::Member));
    store.join(room.id, bo.id).await.unwrap();
}

pub async fn a_room_keeps_an_owner(store: Store) {
    let (ana, bo, cy) = (
        member(&store, "Ana").await,
        member(&store, "Bo").await,
        member(&store, "Cy").await,
    );
    let room = public_room(&store, "garden", &ana).await;
    store.join(room.id, bo.id).await.unwrap();
    store.join(room.id, cy.id).await.unwrap();
    store.set_role(room.id, cy.id, Role::Moderator).await.unwrap();
    let heir = store.leave(room.id, ana.id).await.unwrap().unwrap();
    assert_eq!((heir.person.id, heir.role), (cy.id, Role::Owner));
    assert_eq!(
        store.standing(room.id, cy.id).await.unwrap(),
        Some(Standing::In(Role::Owner))
    );
    assert_eq!(store.leave(room.id, bo.id).await.unwrap(), None);
    assert_eq!(store.leave(room.id, cy.id).await.unwrap(), None);
    assert!(store.members(room.id, None, 10).await.unwrap().is_empty());
    refused!(
        store.set_role(room.id, bo.id, Role::Owner),
        StoreError::NotFound(Missing::Member)
    );
    let many = [
        member(&store, "D1").await,
        member(&store, "D2").await,
        member(&store, "D3").await,
    ];
    for person in &many {
        store.join(room.id, person.id).await.unwrap();
    }
    let first = store.members(room.id, None, 2).await.unwrap();
    let rest = store.members(room.id, Some(first[1].person.id), 2).await.unwrap();
    assert_eq!((first.len(), rest.len()), (2, 1));
}

pub async fn webhooks_speak_in_their_room(store: Store) {
    let ana = member(&store, "Ana").await;
    let (room, other) = (
        public_room(&store, "builds", &ana).await,
        public_room(&store, "other", &ana).await,
    );
    let webhook = store
        .create_webhook(room.id, &name("CI"), &secret(1))
        .await
        .unwrap();
    refused!(
        store.create_webhook(other.id, &name("CI"), &secret(1)),
        StoreError::Conflict(Conflict::SecretUsed)
    );
    assert_eq!(
        store.webhook_by_secret(&secret(1)).await.unwrap(),
        Some(webhook.clone())
    );
    assert_eq!(store.webhook_by_secret(&secret(2)).await.unwrap(), None);
    let said = |room| NewMessage {
        room,
        author: Author::Webhook(webhook.id),
        client_id: ClientId::random(),
        kind: MessageKind::Text,
        text: "green".into(),
        reply_to: None,
        attachments: Vec::new(),
    };
    store.append(said(room.id)).await.unwrap();
    refused!(
        store.append(said(other.id)),
        StoreError::NotFound(Missing::Webhook)
    );
    let page = store.history(room.id, Span::Newest, 50).await.unwrap();
    assert_eq!(page.messages[0].author.kind, AuthorKind::Webhook);
    assert_eq!(page.messages[0].author.name, "CI");
    assert_eq!(
        store.webhooks(room.id).await.unwrap(),
        std::slice::from_ref(&webhook)
    );
    store.delete_webhook(room.id, webhook.id).await.unwrap();
    refused!(
        store.delete_webhook(room.id, webhook.id),
        StoreError::NotFound(Missing::Webhook)
    );
    refused!(
        store.append(said(room.id)),
        StoreError::NotFound(Missing::Webhook)
    );
}
