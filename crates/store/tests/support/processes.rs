//! Nodes that are processes of their own, and are killed.

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use hither_store::{PersonId, RoomId, Store, StoreUrl};

use crate::support::{load::judge, member, message, public_room, until};

const URL: &str = "HITHER_TEST_STORE";
const ROOM: &str = "HITHER_TEST_ROOM";
const AUTHOR: &str = "HITHER_TEST_AUTHOR";

/// What a child does: this test's program, started again, says things and prints what was acknowledged, until it is killed.
pub async fn talk() {
    let Ok(url) = env::var(URL) else { return };
    let store = Store::open(&StoreUrl::parse(&url).unwrap()).await.unwrap();
    let room: RoomId = env::var(ROOM).unwrap().parse().unwrap();
    let author: PersonId = env::var(AUTHOR).unwrap().parse().unwrap();
    let author = store.person(author).await.unwrap();
    let talk = async |_| {
        loop {
            let said = message(room, &author, "x");
            if let Ok(appended) = store.append(said.clone()).await {
                println!("said {} {}", said.client_id.as_str(), appended.number);
            }
        }
    };
    futures_util::future::join_all((0..8).map(talk)).await;
}

struct Talker {
    process: Child,
    reader: Option<JoinHandle<()>>,
}

impl Drop for Talker {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
        if let Some(reader) = self.reader.take() {
            reader.join().ok();
        }
    }
}

/// Kills nodes in the middle of their writing, and looks what is in the store. `url` is the store as text.
pub async fn killed_processes_lose_nothing(url: &str) {
    let store = Store::open(&StoreUrl::parse(url).unwrap()).await.unwrap();
    let ana = member(&store, "Ana").await;
    let room = public_room(&store, "garden", &ana).await;
    let acknowledged: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
    let start = || {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "talker", "--ignored", "--nocapture"])
            .envs([
                (URL, url),
                (ROOM, &room.id.to_string()),
                (AUTHOR, &ana.id.to_string()),
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let acknowledged = Arc::clone(&acknowledged);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // A line that was cut off by the kill was not acknowledged.
                let words: Vec<_> = line.split(' ').collect();
                if let ["said", id, number] = words[..] {
                    acknowledged
                        .lock()
                        .unwrap()
                        .insert(id.to_owned(), number.parse().unwrap());
                }
            }
        });
        Talker {
            process,
            reader: Some(reader),
        }
    };
    let count = || acknowledged.lock().unwrap().len();
    let mut talkers: Vec<_> = (0..4).map(|_| start()).collect();
    for round in 0..8 {
        let before = count();
        until("messages are acknowledged", 30, async || {
            (count() >= before + 100).then_some(())
        })
        .await;
        let talker = round % talkers.len();
        talkers[talker] = start();
    }
    drop(talkers);
    let acknowledged = acknowledged.lock().unwrap().clone();
    println!(
        "{} acknowledged by processes that were killed",
        acknowledged.len()
    );
    judge(&store, &room, &acknowledged).await;
}
