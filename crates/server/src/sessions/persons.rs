//! Whose sockets these are: presence as sessions feed it, and what lanes carry for it between nodes.

use hither_cluster::NodeId;

use super::{
    Direct, Sessions,
    env::{Env, Lane},
    session::{Session, Upper},
};
use crate::presence::{Hub, Note, Shown};

impl Session {
    /// Has the persons of its sockets present where these are: while the client is connected, and this is the copy of the
    /// session that serves it.
    pub(super) fn show_persons(&mut self, env: &Env) {
        let is_serving = self.engine.close_reason().is_none() && !self.is_dormant();
        let Upper::SocketIo(upper) = &mut self.upper else {
            return;
        };
        for socket in &mut upper.sockets {
            let person = socket.person.as_ref();
            match person.filter(|_| is_serving && socket.listening && socket.away.is_none()) {
                None => socket.shown = None,
                Some(person) => match &mut socket.shown {
                    Some(shown) => shown.update(person, &socket.rooms),
                    None => {
                        let Some(handler) = env.shared.namespace(self.service, &socket.namespace) else {
                            continue;
                        };
                        let listed = handler.listed();
                        let hub = &env.shared.presence;
                        let shown = Shown::new(hub, &socket.namespace, listed, person, &socket.rooms);
                        socket.shown = Some(shown);
                    }
                },
            }
        }
    }
}

impl Sessions {
    /// What is to be done once on a node, its first lane does. What cannot be sent for want of a link is said when there is
    /// one again.
    pub(super) fn lead_presence(
        &self,
        lane: &mut Lane,
        call: impl FnOnce(&Hub, &mut dyn FnMut(&NodeId, Note)),
    ) {
        if lane.index() == 0 {
            call(&self.env.shared.presence, &mut |node, note| {
                lane.send(node, &Direct::Presence(note));
            });
        }
    }
}
