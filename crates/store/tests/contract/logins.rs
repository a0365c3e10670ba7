use std::time::Duration;

use hither_store::{Attempt, Conflict, LoginLimits, Missing, Store, StoreError};

use crate::support::{LIMITS, member, name, public_room, refused, secret, until};

pub async fn login_sessions_begin_and_end(store: Store) {
    let ana = member(&store, "Ana").await;
    let login = store
        .create_login(&secret(1), ana.id, LIMITS, "Firefox")
        .await
        .unwrap();
    assert_eq!(login.label, "Firefox");
    assert_eq!(login.expires.0 - login.created.0, 3_600_000);
    refused!(
        store.create_login(&secret(1), ana.id, LIMITS, ""),
        StoreError::Conflict(Conflict::SecretUsed)
    );
    for other in 2..=4 {
        store
            .create_login(&secret(other), ana.id, LIMITS, "")
            .await
            .unwrap();
    }
    let (used, person) = store.use_login(&secret(1)).await.unwrap().unwrap();
    assert_eq!((used, &person), (login, &ana));
    assert_eq!(store.logins(ana.id).await.unwrap().len(), 4);

    store.end_login(&secret(2)).await.unwrap();
    refused!(store.end_login(&secret(2)), StoreError::NotFound(Missing::Login));
    assert_eq!(store.use_login(&secret(2)).await.unwrap(), None);
    let mut ended = store.end_logins(ana.id, Some(&secret(1))).await.unwrap().logins;
    ended.sort();
    assert_eq!(ended, [secret(3), secret(4)]);
    assert!(store.use_login(&secret(1)).await.unwrap().is_some());
    let ended = store.end_logins(ana.id, None).await.unwrap();
    assert_eq!((ended.logins, ended.guest), (vec![secret(1)], None));
    assert_eq!(store.person(ana.id).await.unwrap(), ana);
    store.delete_person(ana.id).await.unwrap();
    refused!(
        store.create_login(&secret(9), ana.id, LIMITS, ""),
        StoreError::NotFound(Missing::Person)
    );
}

pub async fn login_sessions_expire(store: Store) {
    let ana = member(&store, "Ana").await;
    let idle = LoginLimits {
        idle: Duration::from_millis(50),
        ..LIMITS
    };
    let absolute = LoginLimits {
        absolute: Duration::from_millis(50),
        ..LIMITS
    };
    store.create_login(&secret(1), ana.id, idle, "").await.unwrap();
    store
        .create_login(&secret(2), ana.id, absolute, "")
        .await
        .unwrap();
    store.create_login(&secret(3), ana.id, LIMITS, "").await.unwrap();
    for expired in [secret(1), secret(2)] {
        until("the login session has ended", 5, async || {
            store.use_login(&expired).await.unwrap().is_none().then_some(())
        })
        .await;
    }
    assert_eq!(store.logins(ana.id).await.unwrap().len(), 1);
    let mut purged = store.purge_logins().await.unwrap();
    purged.logins.sort();
    assert_eq!(purged.logins, [secret(1), secret(2)]);
    assert!(store.purge_logins().await.unwrap().logins.is_empty());
    assert!(store.use_login(&secret(3)).await.unwrap().is_some());
}

pub async fn guests_go_with_their_last_login_session(store: Store) {
    let guest = store.create_guest(&name("Gus")).await.unwrap();
    let host = member(&store, "Ana").await;
    let room = public_room(&store, "garden", &host).await;
    store.join(room.id, guest.id).await.unwrap();
    store
        .create_login(&secret(1), guest.id, LIMITS, "")
        .await
        .unwrap();
    store
        .create_login(&secret(2), guest.id, LIMITS, "")
        .await
        .unwrap();
    assert_eq!(store.end_login(&secret(1)).await.unwrap(), None);
    assert_eq!(store.person(guest.id).await.unwrap(), guest);
    let gone = store.end_login(&secret(2)).await.unwrap().unwrap();
    assert_eq!((gone.person, gone.rooms), (guest.clone(), vec![(room.id, None)]));
    refused!(store.person(guest.id), StoreError::NotFound(Missing::Person));
    assert_eq!(store.members(room.id, None, 10).await.unwrap().len(), 1);
    // The name is free.
    member(&store, "Gus").await;
    // A guest without a login session yet is not purged at once.
    let early = store.create_guest(&name("Early")).await.unwrap();
    assert!(store.purge_logins().await.unwrap().guests.is_empty());
    assert_eq!(store.person(early.id).await.unwrap(), early);
}

pub async fn attempts_are_limited_in_their_window(store: Store) {
    let window = Duration::from_millis(300);
    for _ in 0..3 {
        assert_eq!(
            store.count_attempt("account:ana", 3, window).await.unwrap(),
            Attempt::Allowed
        );
    }
    let limited = store.count_attempt("account:ana", 3, window).await.unwrap();
    assert!(
        matches!(limited, Attempt::Limited { retry_after } if retry_after <= window),
        "{limited:?}"
    );
    assert_eq!(
        store.count_attempt("account:bo", 3, window).await.unwrap(),
        Attempt::Allowed
    );
    until("the next window", 5, async || {
        let attempt = store.count_attempt("account:ana", 3, window).await.unwrap();
        (attempt == Attempt::Allowed).then_some(())
    })
    .await;
    let long = Duration::from_secs(60);
    for _ in 0..2 {
        store.count_attempt("address:192.0.2.1", 1, long).await.unwrap();
    }
    store.forget_attempts("address:192.0.2.1").await.unwrap();
    assert_eq!(
        store.count_attempt("address:192.0.2.1", 1, long).await.unwrap(),
        Attempt::Allowed
    );
    refused!(
        store.count_attempt(&"x".repeat(301), 1, long),
        StoreError::Invalid(_)
    );
}
