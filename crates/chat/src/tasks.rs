//! What the chat does by itself: after the loss of a node, which takes people away without a farewell, it tells those who
//! stay who is still there.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use hither::{EventError, Io, NamespaceName, QueryError, Room, cluster::NodeId};
use tokio::task::JoinHandle;
use tracing::{debug, error, info};

use crate::{
    doubtful::DoubtfulRooms,
    members::{TELLINGS, members},
    protocol::{RoomMembers, event},
    roll_call::RollCall,
};

/// How long a doubt rests before it is cleared up: the clients of a lost node come back meanwhile, and doubts that come
/// together are one. Also the pause between attempts.
const SETTLING: Duration = Duration::from_millis(500);
/// Rooms about which all nodes are asked at a time.
const ROOMS_AT_A_TIME: usize = 8;

/// What the chat does by itself on one node, until [stopped](Self::stop) or dropped.
#[must_use = "dropped, it stops"]
pub struct ChatTasks {
    task: JoinHandle<()>,
}

impl ChatTasks {
    pub(crate) fn start(io: Io, namespace: NamespaceName, doubtful: Arc<DoubtfulRooms>) -> Self {
        let task = tokio::spawn(async move {
            // Each of the two ends with the server only.
            tokio::select! {
                () = watch_members(&io, &namespace, &doubtful) => {}
                () = clear_doubts(&io, &namespace, &doubtful) => {}
            }
        });
        Self { task }
    }

    /// Stops, and returns when nothing is under way any more.
    pub async fn stop(mut self) {
        self.task.abort();
        if let Err(end) = (&mut self.task).await
            && end.is_panic()
        {
            error!(panic = %end, "the chat's own task had ended before its time");
        }
    }
}

impl Drop for ChatTasks {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Doubts every room of this node when a member of the cluster is lost, or back.
async fn watch_members(io: &Io, namespace: &NamespaceName, doubtful: &DoubtfulRooms) {
    let mut placements = io.placements();
    let mut roll = RollCall::new(present(&placements));
    while placements.changed().await.is_ok() {
        if roll.update(present(&placements)) {
            let rooms = io.rooms_here(namespace).await;
            info!(
                rooms = rooms.len(),
                "members came or went; everybody here is told anew who is in the room"
            );
            doubtful.note(rooms);
        }
    }
}

fn present(placements: &tokio::sync::watch::Receiver<Arc<hither::cluster::Placement>>) -> Vec<NodeId> {
    placements
        .borrow()
        .view()
        .members
        .values()
        .map(|member| member.id.clone())
        .collect()
}

async fn clear_doubts(io: &Io, namespace: &NamespaceName, doubtful: &DoubtfulRooms) {
    loop {
        doubtful.any().await;
        tokio::time::sleep(SETTLING).await;
        stream::iter(doubtful.take())
            .for_each_concurrent(ROOMS_AT_A_TIME, |room| async move {
                match tell_members(io, namespace, &room).await {
                    Ok(()) => {}
                    Err(Untold::Unsendable(reason)) => error!(%room, %reason, "members cannot be told"),
                    Err(reason) => {
                        debug!(%room, %reason, "members are told once more");
                        doubtful.note([room]);
                    }
                }
            })
            .await;
    }
}

/// Why this node's sockets may still have a wrong list of members.
#[derive(Debug, thiserror::Error)]
enum Untold {
    #[error(transparent)]
    Unknown(#[from] QueryError),
    #[error("people come and go faster than they can be listed")]
    Unsettled,
    #[error(transparent)]
    Unsendable(#[from] EventError),
}

/// Tells this node's sockets in a room who is in it; see [`TELLINGS`].
async fn tell_members(io: &Io, namespace: &NamespaceName, room: &Room) -> Result<(), Untold> {
    let mut list = members(io, namespace, room).await?;
    for _ in 0..TELLINGS {
        let told = RoomMembers { room, members: &list };
        io.emit_here(namespace, room, event::ROOM_MEMBERS, &told)?;
        let again = members(io, namespace, room).await?;
        if again == list {
            return Ok(());
        }
        list = again;
    }
    Err(Untold::Unsettled)
}
