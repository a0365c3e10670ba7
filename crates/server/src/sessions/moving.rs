//! A session on its way to another node, and what is left of it here.

use hither_engineio::TransportName;
use hither_socketio::SocketId;

use super::{
    env::{Env, Lane},
    session::{Session, Upper},
};

impl Session {
    /// The snapshot is out: nothing happens any more, unless the session is thawed.
    pub(crate) fn rest(&mut self) {
        self.frozen = true;
        self.commitment.rest();
        if let Some(hanging) = self.drop_poll() {
            hanging.reply.moved();
        }
        self.inbox.move_on();
        for claim in self.claims.drain(..) {
            claim.reply.moved();
        }
    }

    /// The session has come from another node, or stays after all, and goes on.
    pub(crate) fn arrived(&mut self, env: &mut Env, lane: &mut Lane) {
        if self.socket.is_some()
            && self.engine.transport() == Some(TransportName::WebSocket)
            && !self.is_dormant()
        {
            // Though there may be nothing to say: the socket learns where its session lives.
            self.write(env, lane);
        }
        self.mark_dirty(env, lane);
        self.drive(env, lane);
    }

    /// The session is over or has gone: it hears nothing any more.
    pub(crate) fn silence(&mut self, env: &mut Env, lane: &mut Lane) {
        let Upper::SocketIo(upper) = &self.upper else {
            return;
        };
        let sockets: Vec<SocketId> = upper.sockets.iter().map(|socket| socket.id.clone()).collect();
        for socket in sockets {
            self.unlisten(env, lane, &socket);
        }
    }
}
