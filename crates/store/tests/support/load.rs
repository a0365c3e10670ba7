//! People who talk while something breaks, and what is true afterwards.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hither_store::{Appended, Number, Person, Room, Span, Store, StoreError};
use tokio::{task::JoinSet, time::sleep};

use crate::support::message;

/// No call takes longer than 5 s; as much is for a busy machine.
pub const LONGEST: Duration = Duration::from_secs(10);

/// What was acknowledged, by client id.
type Acknowledged = Arc<Mutex<BTreeMap<String, Appended>>>;

/// Some who say one thing after the other, each again and again until it is acknowledged.
pub struct Load {
    talkers: JoinSet<()>,
    acknowledged: Acknowledged,
    failures: Arc<Mutex<Vec<StoreError>>>,
    ended: Arc<AtomicBool>,
}

impl Load {
    pub fn start(stores: &[Store], room: &Room, author: &Person, talkers: usize) -> Self {
        let mut load = Self {
            talkers: JoinSet::new(),
            acknowledged: Arc::default(),
            failures: Arc::default(),
            ended: Arc::default(),
        };
        for talker in 0..talkers {
            let store = stores[talker % stores.len()].clone();
            let (room, author) = (room.id, author.clone());
            let (acknowledged, failures) = (Arc::clone(&load.acknowledged), Arc::clone(&load.failures));
            let ended = Arc::clone(&load.ended);
            load.talkers.spawn(async move {
                while !ended.load(Ordering::Relaxed) {
                    let said = message(room, &author, "x");
                    let appended = loop {
                        let began = Instant::now();
                        let result = store.append(said.clone()).await;
                        assert!(
                            began.elapsed() < LONGEST,
                            "a call took {:?}: {result:?}",
                            began.elapsed()
                        );
                        match result {
                            Ok(appended) => break appended,
                            Err(error) => {
                                failures.lock().unwrap().push(error);
                                // Also so that the task can be ended when the store is.
                                sleep(Duration::from_millis(5)).await;
                            }
                        }
                    };
                    acknowledged
                        .lock()
                        .unwrap()
                        .insert(said.client_id.as_str().to_owned(), appended);
                }
            });
        }
        load
    }

    pub fn acknowledged(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Waits until so many more are acknowledged.
    pub async fn goes_on(&self, more: usize) {
        let before = self.acknowledged();
        crate::support::until("messages are acknowledged again", 30, async || {
            (self.acknowledged() >= before + more).then_some(())
        })
        .await;
    }

    /// Ends it, and looks that the store has what was acknowledged, once, and all numbers. Returns what failed on the way.
    pub async fn finish(mut self, store: &Store, room: &Room) -> Vec<StoreError> {
        self.ended.store(true, Ordering::Relaxed);
        while let Some(ended) = self.talkers.join_next().await {
            ended.unwrap();
        }
        let acknowledged = std::mem::take(&mut *self.acknowledged.lock().unwrap());
        let acknowledged = acknowledged
            .into_iter()
            .map(|(id, appended)| (id, appended.number.get()))
            .collect();
        judge(store, room, &acknowledged).await;
        let failures = std::mem::take(&mut *self.failures.lock().unwrap());
        println!(
            "{} acknowledged, {} failures on the way",
            acknowledged.len(),
            failures.len()
        );
        failures
    }
}

/// All that was acknowledged is there under its number, nothing twice, no number missing.
pub async fn judge(store: &Store, room: &Room, acknowledged: &BTreeMap<String, u64>) {
    let mut stored = BTreeMap::new();
    let mut after = Number::default();
    let mut time = 0;
    loop {
        let page = store.history(room.id, Span::After(after), 100).await.unwrap();
        for message in &page.messages {
            assert_eq!(message.number.get(), after.get() + 1, "a number is missing");
            assert!(message.time.0 >= time, "time goes back");
            (after, time) = (message.number, message.time.0);
            let twice = stored.insert(message.client_id.as_str().to_owned(), message.number.get());
            assert_eq!(twice, None, "a message is there twice");
        }
        if !page.more_after {
            assert_eq!(page.last, after);
            break;
        }
    }
    assert!(!acknowledged.is_empty());
    for (id, number) in acknowledged {
        assert_eq!(stored.get(id), Some(number), "an acknowledged message is lost");
    }
}
