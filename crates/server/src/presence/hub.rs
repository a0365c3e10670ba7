//! Presence on one node, as lanes feed it and applications read it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use hither_cluster::{NodeId, Placement};
use hither_socketio::NamespaceName;
use tokio::sync::broadcast::{self, error::RecvError};

use super::{
    Person, PersonKey, PresenceChange, PresencePage,
    machine::{Machine, Output},
    wire::{Note, Place},
};
use crate::room::Room;

/// Changes that wait for a reader; a reader that is further behind has missed some.
const CHANGES: usize = 1024;

/// Presence on one node. All its lanes share it.
pub(crate) struct Hub {
    machine: Mutex<Machine>,
    changes: broadcast::Sender<Arc<PresenceChange>>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            machine: Mutex::default(),
            changes: broadcast::Sender::new(CHANGES),
        }
    }
}

impl Hub {
    pub(super) fn enter(&self, places: impl Iterator<Item = Place>, person: &Person) {
        let mut machine = self.lock();
        for place in places {
            machine.enter(Instant::now(), &place, person);
        }
    }

    pub(super) fn leave(&self, places: impl Iterator<Item = Place>, key: &PersonKey) {
        let mut machine = self.lock();
        for place in places {
            machine.leave(Instant::now(), &place, key);
        }
    }

    /// Another node says something. `send` takes what is to be said to whom.
    pub(crate) fn hear(&self, from: &NodeId, note: Note, send: impl FnMut(&NodeId, Note)) {
        let output = self.lock().hear(Instant::now(), from, note);
        say(output, &[], send);
    }

    /// The members of the cluster have changed.
    pub(crate) fn members_changed(&self, placement: &Placement, send: impl FnMut(&NodeId, Note)) {
        let others = others(placement).into_iter().collect();
        let outputs = self.lock().members(Instant::now(), &others);
        say(outputs, &[], send);
    }

    /// A link to another node has come up.
    pub(crate) fn linked(&self, peer: &NodeId, send: impl FnMut(&NodeId, Note)) {
        let outputs = self.lock().linked(peer);
        say(outputs, &[], send);
    }

    /// Time has passed.
    pub(crate) fn tick(&self, now: Instant, placement: &Placement, send: impl FnMut(&NodeId, Note)) {
        let (outputs, changes) = self.lock().tick(now);
        if !outputs.is_empty() {
            say(outputs, &others(placement), send);
        }
        for change in changes {
            // Nobody may be reading.
            drop(self.changes.send(Arc::new(change)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn others(placement: &Placement) -> Vec<NodeId> {
    placement
        .view()
        .others()
        .map(|member| member.id.clone())
        .collect()
}

/// A node without a link is told when it has one again: see [`Machine::linked`].
fn say(outputs: impl IntoIterator<Item = Output>, others: &[NodeId], mut send: impl FnMut(&NodeId, Note)) {
    for output in outputs {
        match output {
            Output::To(node, note) => send(&node, note),
            Output::ToAll(note) => others.iter().for_each(|node| send(node, note.clone())),
        }
    }
}

/// Who is in which room, on all nodes: [`Io::presence`](crate::Io::presence). Cheap to clone.
#[derive(Clone)]
pub struct Presence(Arc<Hub>);

impl Presence {
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self(hub)
    }

    /// How many persons are in a room.
    pub fn count(&self, namespace: &NamespaceName, room: &Room) -> usize {
        self.0.lock().count(&place(namespace, room))
    }

    /// Up to `limit` of the persons in a room, in the order of their keys, from behind `after`.
    pub fn list(
        &self,
        namespace: &NamespaceName,
        room: &Room,
        after: Option<&PersonKey>,
        limit: usize,
    ) -> PresencePage {
        self.0.lock().list(&place(namespace, room), after, limit)
    }

    /// What changes from now on, in all rooms.
    pub fn changes(&self) -> PresenceChanges {
        PresenceChanges(self.0.changes.subscribe())
    }
}

fn place(namespace: &NamespaceName, room: &Room) -> Place {
    Place {
        namespace: namespace.clone(),
        room: room.clone(),
    }
}

/// What changes in rooms, as this node learns it.
pub struct PresenceChanges(broadcast::Receiver<Arc<PresenceChange>>);

/// The reader was too slow, and some changes are lost to it: it has to read the lists again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{missed} changes of presence were missed")]
pub struct Lagged {
    /// How many changes.
    pub missed: u64,
}

impl PresenceChanges {
    /// The next change; none when the server has ended.
    ///
    /// # Errors
    /// When changes were missed. The next call goes on behind them.
    pub async fn next(&mut self) -> Option<Result<Arc<PresenceChange>, Lagged>> {
        match self.0.recv().await {
            Ok(change) => Some(Ok(change)),
            Err(RecvError::Lagged(missed)) => Some(Err(Lagged { missed })),
            Err(RecvError::Closed) => None,
        }
    }
}
