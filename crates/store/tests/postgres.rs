//! The store in PostgreSQL. These need its server, as Debian's package `postgresql` has it: `scripts/test.sh --only store`.

#![allow(unreachable_pub, reason = "modules of a test are shared by two")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "so a test fails"
)]

mod contract;
mod support;

use std::time::Instant;

use hither_store::{Backup, OpenError, Span, Store, StoreError, StoreUrl};

use crate::{
    contract::promises,
    support::{
        LIMITS,
        load::{LONGEST, Load},
        member, message,
        postgres::Postgres,
        processes, public_room, refused, say, secret, until,
    },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: scripts/test.sh --only store"]
async fn keeps_the_contract() {
    let postgres = Postgres::start();
    let mut failed = Vec::new();
    macro_rules! each {
        ($($module:ident::$promise:ident),* $(,)?) => {
            $(
                let store = Store::open(&postgres.database(stringify!($promise))).await.unwrap();
                let kept = tokio::spawn(async move {
                    contract::$module::$promise(store.clone()).await;
                    store.close().await;
                });
                if kept.await.is_err() {
                    failed.push(stringify!($promise));
                }
            )*
        };
    }
    promises!(each);
    contract::writers::open_together(&postgres.database("together")).await;
    assert!(failed.is_empty(), "PostgreSQL does not keep: {failed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: scripts/test.sh --only store"]
async fn a_store_moves_from_sqlite_to_postgresql_and_back() {
    let postgres = Postgres::start();
    let folder = tempfile::tempdir().unwrap();
    let sqlite = async |name: &str| {
        let url = format!("sqlite:{}", folder.path().join(name).display());
        Store::open(&StoreUrl::parse(&url).unwrap()).await.unwrap()
    };
    let there = Store::open(&postgres.database("there")).await.unwrap();
    contract::upkeep::exports_are_imported(&sqlite("from").await, &there, folder.path()).await;
    let back = sqlite("back").await;
    let backup = folder.path().join("backup");
    assert_eq!(there.backup(&backup).await.unwrap(), Backup::Export);
    back.import(&backup).await.unwrap();
    assert_eq!(back.check().await.unwrap(), there.check().await.unwrap());
    let (from, into) = (postgres.database("from"), postgres.database("into"));
    let (from, into) = (
        Store::open(&from).await.unwrap(),
        Store::open(&into).await.unwrap(),
    );
    let folder = tempfile::tempdir().unwrap();
    contract::upkeep::broken_exports_are_refused(&from, &into, folder.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: scripts/test.sh --only store"]
async fn processes_that_are_killed_lose_nothing() {
    let postgres = Postgres::start();
    postgres.database("chat");
    processes::killed_processes_lose_nothing(&format!("postgres://hither@{}/chat", postgres.host())).await;
}

/// No test: what the processes of [`processes::killed_processes_lose_nothing`] do.
#[tokio::test]
#[ignore = "is started by another test"]
async fn talker() {
    processes::talk().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: scripts/test.sh --only store"]
async fn a_server_that_is_killed_under_load_loses_nothing() {
    let mut postgres = Postgres::start();
    let stores = open(&postgres.database("chat"), 3).await;
    let ana = member(&stores[0], "Ana").await;
    let room = public_room(&stores[0], "garden", &ana).await;
    let load = Load::start(&stores, &room, &ana, 24);
    for _ in 0..3 {
        load.goes_on(200).await;
        postgres.kill();
        // What is written while it is away is not done, or done when it is back in time.
        let began = Instant::now();
        drop(stores[0].set_topic(room.id, "away").await);
        assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
        postgres.restart();
    }
    load.goes_on(200).await;
    load.finish(&stores[0], &room).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: scripts/test.sh --only store"]
async fn a_replica_takes_over() {
    let mut primary = Postgres::start();
    primary.database("chat");
    let replica = Postgres::replica_of(&primary);
    let url = format!(
        "postgres://hither@{},{}/chat?target_session_attrs=read-write",
        replica.host(),
        primary.host()
    );
    // The replica is the first in the list, and is not taken for it takes no writes.
    let stores = open(&StoreUrl::parse(&url).unwrap(), 2).await;
    let ana = member(&stores[0], "Ana").await;
    let room = public_room(&stores[0], "garden", &ana).await;
    let load = Load::start(&stores, &room, &ana, 12);
    load.goes_on(200).await;
    primary.kill();
    replica.promote();
    load.goes_on(200).await;
    // One that was stopped for so long does not count any more.
    let failures = load.finish(&stores[0], &room).await;
    assert!(
        failures
            .iter()
            .all(|error| matches!(error, StoreError::Unavailable { .. } | StoreError::ReadOnly))
    );
    assert_eq!(stores[1].person(ana.id).await.unwrap(), ana);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: scripts/test.sh --only store"]
async fn a_silent_server_is_an_error_in_time() {
    let postgres = Postgres::start();
    let store = Store::open(&postgres.database("chat")).await.unwrap();
    let ana = member(&store, "Ana").await;
    let room = public_room(&store, "garden", &ana).await;
    say(&store, &room, &ana, "before").await;
    postgres.pause(true);
    let said = message(room.id, &ana, "during");
    let began = Instant::now();
    let (appended, read) = tokio::join!(
        store.append(said.clone()),
        store.history(room.id, Span::Newest, 50)
    );
    assert!(
        matches!(appended, Err(StoreError::Unavailable { .. })),
        "{appended:?}"
    );
    assert!(matches!(read, Err(StoreError::Unavailable { .. })), "{read:?}");
    assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
    postgres.pause(false);
    let again = until("the message is stored", 20, async || {
        store.append(said.clone()).await.ok()
    })
    .await;
    assert_eq!(store.append(said).await.unwrap().number, again.number);
    let texts = store.history(room.id, Span::Newest, 50).await.unwrap();
    assert_eq!(
        texts
            .messages
            .iter()
            .filter(|message| message.text == "during")
            .count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: scripts/test.sh --only store"]
async fn a_server_that_is_read_only_still_tells() {
    let postgres = Postgres::start();
    let store = Store::open(&postgres.database("chat")).await.unwrap();
    let ana = member(&store, "Ana").await;
    let room = public_room(&store, "garden", &ana).await;
    say(&store, &room, &ana, "before").await;
    store.create_login(&secret(1), ana.id, LIMITS, "").await.unwrap();
    let set = |value| {
        postgres.sql(&format!(
            "ALTER DATABASE chat SET default_transaction_read_only = {value}"
        ));
        postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'chat'");
    };
    set("on");
    refused!(store.append(message(room.id, &ana, "x")), StoreError::ReadOnly);
    refused!(store.set_topic(room.id, "x"), StoreError::ReadOnly);
    refused!(store.ping(), StoreError::ReadOnly);
    assert!(store.use_login(&secret(1)).await.unwrap().is_some());
    assert_eq!(
        store
            .history(room.id, Span::Newest, 50)
            .await
            .unwrap()
            .messages
            .len(),
        1
    );
    set("off");
    until("it takes writes again", 10, async || {
        store.append(message(room.id, &ana, "after")).await.ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: scripts/test.sh --only store"]
async fn a_newer_schema_is_refused() {
    let postgres = Postgres::start();
    let url = postgres.database("chat");
    Store::open(&url).await.unwrap().close().await;
    let options: sqlx::postgres::PgConnectOptions = format!("postgres://hither@{}/chat", postgres.host())
        .parse()
        .unwrap();
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("INSERT INTO schema_steps VALUES (99)")
        .execute(&mut connection)
        .await
        .unwrap();
    match Store::open(&url).await {
        Err(OpenError::NewerSchema { found: 99, .. }) => {}
        other => panic!("{other:?}"),
    }
}

async fn open(url: &StoreUrl, nodes: usize) -> Vec<Store> {
    let mut stores = Vec::new();
    for _ in 0..nodes {
        stores.push(Store::open(url).await.unwrap());
    }
    stores
}
