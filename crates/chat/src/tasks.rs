//! What the chat does by itself on a node: it tells rooms who comes and goes, has the handlers of sockets told what the store
//! says, ends login sessions that are over, and removes what is not to be kept any longer.

use std::{future::pending, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use hither::{EventError, Io, PresenceChange, TellError};
use hither_store::{Pruned, RoomId};
use serde::Serialize;
use tokio::{
    sync::mpsc,
    task::{JoinHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::{
    audience,
    news::{Change, LoginEnd, NEWS, News, Tell, Told},
    paced::Paced,
    rooms::Changes,
    service::Service,
    view::PersonView,
};

/// News that are under way at a time.
const TELLS_AT_A_TIME: usize = 64;
/// Pause before news are told again that not all nodes have taken.
const TELL_AGAIN: Duration = Duration::from_millis(200);
/// How long news are told again. A node that is silent for so long is none.
const TELL_FOR: Duration = Duration::from_secs(60);
/// How long what is under way may take when the node ends.
const LAST_NEWS: Duration = Duration::from_secs(2);
/// How often login sessions that are over are looked for.
const PURGE_EVERY: Duration = Duration::from_secs(60);
/// How often what is to be kept no longer is removed, by one node for all.
const PRUNE_EVERY: Duration = Duration::from_secs(10);
/// The largest room whose members are told who comes and goes; those in larger ones are told how many there are.
const NAMED_UP_TO: usize = 200;
/// How often those in a large room are told how many there are.
const COUNT_EVERY: Duration = Duration::from_secs(2);
/// How long the members of a room are not told whose membership has changed after they were told so, and at most, while
/// there is more.
const MEMBERS_EVERY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// Rooms whose members are told at a time.
const ROOMS_AT_A_TIME: usize = 16;
/// Names in one event.
const NAMED_AT_ONCE: usize = 50;

/// What the chat does by itself on one node, until [stopped](Self::stop) or dropped.
#[must_use = "dropped, it stops"]
pub struct ChatTasks {
    presence: JoinHandle<()>,
    purge: JoinHandle<()>,
    prune: JoinHandle<()>,
    tells: JoinHandle<()>,
    members: JoinHandle<()>,
    stop: CancellationToken,
}

#[derive(Serialize)]
struct PresenceTold {
    room: RoomId,
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    joined: Option<Vec<PersonView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<Vec<PersonView>>,
}

#[derive(Serialize)]
struct Nothing {}

impl ChatTasks {
    pub(crate) fn start(io: Io, service: Arc<Service>, told: Told) -> Self {
        let stop = CancellationToken::new();
        Self {
            presence: tokio::spawn(tell_presence(io.clone(), service.clone())),
            purge: tokio::spawn(purge_logins(service.clone())),
            prune: tokio::spawn(prune(service.clone())),
            members: tokio::spawn(tell_members(service.clone(), told.members, stop.clone())),
            tells: tokio::spawn(tell_all(io, service, told.handlers, stop.clone())),
            stop,
        }
    }

    /// Stops, and returns when nothing is under way any more.
    pub async fn stop(mut self) {
        self.presence.abort();
        self.purge.abort();
        self.prune.abort();
        self.stop.cancel();
        let last = async { tokio::join!(&mut self.tells, &mut self.members) };
        if timeout(LAST_NEWS, last).await.is_err() {
            warn!("some sockets may have missed the last notification");
            self.tells.abort();
            self.members.abort();
        }
        for task in [&mut self.presence, &mut self.purge, &mut self.prune] {
            if let Err(end) = task.await
                && end.is_panic()
            {
                error!(panic = %end, "a background task of the chat ended unexpectedly");
            }
        }
    }
}

impl Drop for ChatTasks {
    fn drop(&mut self) {
        self.presence.abort();
        self.purge.abort();
        self.prune.abort();
        self.tells.abort();
        self.members.abort();
    }
}

/// Tells this node's sockets who comes and goes; the other nodes tell theirs.
async fn tell_presence(io: Io, service: Arc<Service>) {
    let mut changes = io.presence().changes();
    let mut crowds = Paced::new(COUNT_EVERY, COUNT_EVERY);
    loop {
        let told = tokio::select! {
            change = changes.next() => match change {
                Some(Ok(change)) => tell_change(&io, &service, &mut crowds, &change),
                Some(Err(lagged)) => {
                    warn!(%lagged, "clients of this node are told to reload who is present");
                    io.emit_here(service.namespace(), None, "presence.lost", &Nothing {})
                }
                None => return,
            },
            () = until(crowds.next()) => crowds.due(std::time::Instant::now()).into_iter().try_for_each(|(room, count)| {
                tell_count(&io, &service, room, count)
            }),
        };
        if let Err(error) = told {
            error!(%error, "cannot publish joins and departures");
        }
    }
}

fn tell_change(
    io: &Io,
    service: &Service,
    crowds: &mut Paced<usize>,
    change: &PresenceChange,
) -> Result<(), EventError> {
    if change.namespace != *service.namespace() || !change.is_here {
        return Ok(());
    }
    let Some(room) = audience::chat_room(&change.room) else {
        return Ok(());
    };
    let are_few = change.count <= NAMED_UP_TO && change.joined.len() + change.left.len() <= NAMED_AT_ONCE;
    if !are_few || crowds.is_behind(room) {
        crowds.add(std::time::Instant::now(), room, |_| change.count);
        return Ok(());
    }
    let views = |persons: &[hither::Person]| {
        let cards = persons.iter().map(|person| person.card.parse().ok());
        cards.collect::<Option<Vec<PersonView>>>()
    };
    let event = PresenceTold {
        room,
        count: change.count,
        joined: views(&change.joined),
        left: views(&change.left),
    };
    io.emit_here(&change.namespace, Some(&change.room), "presence", &event)
}

fn tell_count(io: &Io, service: &Service, room: RoomId, count: usize) -> Result<(), EventError> {
    let event = PresenceTold {
        room,
        count,
        joined: None,
        left: None,
    };
    let audience = audience::of_room(room);
    io.emit_here(service.namespace(), Some(&audience), "presence", &event)
}

/// Tells rooms whose membership has changed, gathered where much changes.
async fn tell_members(service: Arc<Service>, mut told: mpsc::Receiver<Change>, stop: CancellationToken) {
    let mut rooms = Paced::new(MEMBERS_EVERY.0, MEMBERS_EVERY.1);
    let tell = |due: Vec<(RoomId, Changes)>| {
        let each = stream::iter(due);
        each.for_each_concurrent(ROOMS_AT_A_TIME, |(room, changes)| {
            service.tell_changes(room, changes)
        })
    };
    loop {
        tokio::select! {
            change = told.recv() => match change {
                Some(Change { room, whose }) => {
                    rooms.add(std::time::Instant::now(), room, |known| Changes::with(known, whose));
                }
                None => break,
            },
            () = until(rooms.next()) => tell(rooms.due(std::time::Instant::now())).await,
            // What waits is still told.
            () = stop.cancelled(), if !told.is_closed() => told.close(),
        }
    }
    tell(rooms.take()).await;
}

async fn until(next: Option<std::time::Instant>) {
    match next {
        Some(next) => sleep_until(next.into()).await,
        None => pending().await,
    }
}

async fn purge_logins(service: Arc<Service>) {
    let mut ticks = interval(PURGE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match service.store.purge_logins().await {
            Ok(purged) => {
                for login in purged.logins {
                    let reason = LoginEnd::Expired;
                    service
                        .tell(audience::of_login(&login), News::LoginEnded { reason })
                        .await;
                }
                for guest in purged.guests {
                    service.departed(guest).await;
                }
            }
            Err(error) => debug!(%error, "cannot delete expired login sessions; trying again"),
        }
    }
}

/// Removes messages beyond the retention, and uploads that were never sent. In many short transactions, so that it can end at
/// any of them.
async fn prune(service: Arc<Service>) {
    let mut ticks = interval(PRUNE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let pruned = async {
            if service.store.claim_pruning(PRUNE_EVERY).await? {
                service.store.prune(service.config.retention).await
            } else {
                Ok(Pruned::default())
            }
        };
        match pruned.await {
            Ok(pruned) if pruned == Pruned::default() => {}
            Ok(Pruned { messages, files }) => {
                info!(messages, files, "retention: messages removed")
            }
            Err(error) => debug!(%error, "retention: cannot remove messages; trying again"),
        }
    }
}

async fn tell_all(io: Io, service: Arc<Service>, mut told: mpsc::Receiver<Tell>, stop: CancellationToken) {
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            tell = told.recv() => match tell {
                Some(tell) => {
                    if under_way.len() >= TELLS_AT_A_TIME {
                        // One more when one has ended.
                        under_way.join_next().await;
                    }
                    under_way.spawn(tell_handlers(io.clone(), service.clone(), tell));
                }
                None => break,
            },
            Some(_) = under_way.join_next() => {}
            // What waits is still told.
            () = stop.cancelled(), if !told.is_closed() => told.close(),
        }
    }
    under_way.join_all().await;
}

/// Tells handlers until all nodes have taken it. What comes twice does no harm: it is compared with the store.
async fn tell_handlers(io: Io, service: Arc<Service>, Tell { to, news }: Tell) {
    let until = Instant::now() + TELL_FOR;
    loop {
        match io.tell(service.namespace(), &to, NEWS, &news).await {
            Ok(()) => return,
            Err(TellError::Event(error)) => return error!(%error, "cannot notify sockets"),
            Err(TellError::Silent(silent)) if Instant::now() >= until => {
                return warn!(%silent, "some nodes did not notify their sockets");
            }
            Err(TellError::Silent(_)) => sleep(TELL_AGAIN).await,
        }
    }
}
