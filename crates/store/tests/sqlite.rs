//! The store in a file of SQLite.

#![allow(unreachable_pub, reason = "modules of a test are shared by two")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "so a test fails"
)]

mod contract;
mod support;

use std::{process::Command, time::Instant};

use hither_store::{Backup, OpenError, Span, Store, StoreError, StoreUrl, UpkeepError};
use tempfile::TempDir;

use crate::{
    contract::promises,
    support::{
        load::{LONGEST, Load},
        member, message, processes, public_room, refused, say, until,
    },
};

struct File {
    folder: TempDir,
}

impl File {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A name that needs care in a URL.
    fn text(&self) -> String {
        format!("sqlite:{}", self.folder.path().join("chat %20?#ü.db").display())
    }

    fn url(&self) -> StoreUrl {
        StoreUrl::parse(&self.text()).unwrap()
    }

    async fn open(&self) -> Store {
        Store::open(&self.url()).await.unwrap()
    }
}

macro_rules! each {
    ($($module:ident::$promise:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let file = File::new();
                contract::$module::$promise(file.open().await).await;
            }
        )*
    };
}

promises!(each);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_that_open_together_agree() {
    contract::writers::open_together(&File::new().url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_are_imported() {
    let (from, into, folder) = (File::new(), File::new(), tempfile::tempdir().unwrap());
    contract::upkeep::exports_are_imported(&from.open().await, &into.open().await, folder.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_exports_are_refused() {
    let (from, into, folder) = (File::new(), File::new(), tempfile::tempdir().unwrap());
    contract::upkeep::broken_exports_are_refused(&from.open().await, &into.open().await, folder.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_a_store() {
    let file = File::new();
    let store = file.open().await;
    let ana = member(&store, "Ana").await;
    let room = public_room(&store, "garden", &ana).await;
    let load = Load::start(std::slice::from_ref(&store), &room, &ana, 4);
    load.goes_on(100).await;
    let path = file.folder.path().join("backup.db");
    assert_eq!(store.backup(&path).await.unwrap(), Backup::Sqlite);
    let refused = store.backup(&path).await;
    assert!(matches!(refused, Err(UpkeepError::File { .. })), "{refused:?}");
    load.finish(&store, &room).await;
    let backup = Store::open(&StoreUrl::parse(&format!("sqlite:{}", path.display())).unwrap())
        .await
        .unwrap();
    let report = backup.check().await.unwrap();
    assert!(report.problems.is_empty() && report.messages >= 100, "{report}");
    let all = store.check().await.unwrap();
    assert!(all.problems.is_empty() && all.messages > report.messages, "{all}");
    // It goes on from there.
    backup.append(message(room.id, &ana, "x")).await.unwrap();
    assert_eq!(backup.check().await.unwrap().messages, report.messages + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_finds_what_is_missing() {
    let file = File::new();
    let store = file.open().await;
    let ana = member(&store, "Ana").await;
    let room = public_room(&store, "garden", &ana).await;
    for _ in 0..3 {
        say(&store, &room, &ana, "x").await;
    }
    sql(&file, "DELETE FROM messages WHERE number = 2").await;
    let report = store.check().await.unwrap();
    assert_eq!(report.problems.len(), 1);
    assert!(
        report.problems[0].contains("should have messages 1 to 3, and has 2 from 1 to 3"),
        "{report}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_are_killed_lose_nothing() {
    processes::killed_processes_lose_nothing(&File::new().text()).await;
}

/// No test: what the processes of [`processes::killed_processes_lose_nothing`] do.
#[tokio::test]
#[ignore = "is started by another test"]
async fn talker() {
    processes::talk().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_schema_is_refused() {
    let file = File::new();
    file.open().await.close().await;
    sql(&file, "INSERT INTO schema_steps VALUES (99)").await;
    match Store::open(&file.url()).await {
        Err(OpenError::NewerSchema { found: 99, known }) => assert!(known < 99),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_is_not_there_is_said_soon() {
    let url = StoreUrl::parse("sqlite:/no/such/folder/chat.db").unwrap();
    let began = Instant::now();
    let error = Store::open(&url).await.unwrap_err();
    assert!(
        matches!(error, OpenError::Store(StoreError::Unavailable { .. })),
        "{error:?}"
    );
    assert!(began.elapsed() < LONGEST);
}

/// Somebody else, such as a backup, holds the file for longer than a call may take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_held_is_an_error_in_time() {
    let file = File::new();
    let store = file.open().await;
    let ana = member(&store, "Ana").await;
    let room = public_room(&store, "garden", &ana).await;
    let mut holder = connect(&file).await;
    let mut held = sqlx::Connection::begin_with(&mut holder, "BEGIN IMMEDIATE")
        .await
        .unwrap();
    sqlx::query("UPDATE rooms SET topic = 'held'")
        .execute(&mut *held)
        .await
        .unwrap();
    let said = message(room.id, &ana, "x");
    let began = Instant::now();
    refused!(store.append(said.clone()), StoreError::Unavailable { .. });
    assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
    // One can read meanwhile.
    assert_eq!(store.room(room.id).await.unwrap().topic, "");
    held.rollback().await.unwrap();
    store.append(said).await.unwrap();
    assert_eq!(
        store
            .history(room.id, Span::Newest, 50)
            .await
            .unwrap()
            .messages
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "mounts a small file system, as root: scripts/test.sh --only store"]
async fn a_full_disk_is_an_error_until_there_is_room() {
    let disk = Disk::mount("size=16m");
    let url = StoreUrl::parse(&format!("sqlite:{}", disk.0.path().join("chat.db").display())).unwrap();
    let store = Store::open(&url).await.unwrap();
    let ana = member(&store, "Ana").await;
    let room = public_room(&store, "garden", &ana).await;
    let load = Load::start(std::slice::from_ref(&store), &room, &ana, 4);
    load.goes_on(20).await;
    let filler = disk.0.path().join("filler");
    let filled = Command::new("dd")
        .arg("if=/dev/zero")
        .arg(format!("of={}", filler.display()))
        .output()
        .unwrap();
    assert!(!filled.status.success(), "the disk has no end");
    until("the store says that it is full", 30, async || {
        match store.append(message(room.id, &ana, &"long ".repeat(2000))).await {
            Err(StoreError::Full) => Some(()),
            Ok(_) => None,
            Err(other) => panic!("{other:?}"),
        }
    })
    .await;
    // What was said is read.
    assert!(
        !store
            .history(room.id, Span::Newest, 50)
            .await
            .unwrap()
            .messages
            .is_empty()
    );
    std::fs::remove_file(filler).unwrap();
    load.goes_on(20).await;
    load.finish(&store, &room).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "mounts a small file system, as root: scripts/test.sh --only store"]
async fn a_disk_that_is_read_only_is_an_error_until_it_is_not() {
    let disk = Disk::mount("size=8m");
    let url = StoreUrl::parse(&format!("sqlite:{}", disk.0.path().join("chat.db").display())).unwrap();
    let store = Store::open(&url).await.unwrap();
    let ana = member(&store, "Ana").await;
    let room = public_room(&store, "garden", &ana).await;
    store.append(message(room.id, &ana, "before")).await.unwrap();
    store.close().await;
    disk.remount("ro");
    let began = Instant::now();
    let error = Store::open(&url).await.unwrap_err();
    assert!(matches!(error, OpenError::Store(_)), "{error:?}");
    assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
    disk.remount("rw");
    let store = Store::open(&url).await.unwrap();
    store.append(message(room.id, &ana, "after")).await.unwrap();
    store.close().await;
}

/// A small file system of its own, in memory.
struct Disk(TempDir);

impl Disk {
    fn mount(options: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(folder.path())
            .status();
        assert!(mounted.unwrap().success());
        Self(folder)
    }

    fn remount(&self, option: &str) {
        let options = format!("remount,{option}");
        let mounted = Command::new("mount")
            .args(["-o", &options])
            .arg(self.0.path())
            .status();
        assert!(mounted.unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, for connections may end a moment later.
        Command::new("umount").arg("-l").arg(self.0.path()).status().ok();
    }
}

async fn connect(file: &File) -> sqlx::SqliteConnection {
    let path = file.folder.path().join("chat %20?#ü.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    sqlx::ConnectOptions::connect(&options).await.unwrap()
}

async fn sql(file: &File, statement: &'static str) {
    let mut connection = connect(file).await;
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
}
