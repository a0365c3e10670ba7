//! Endpoints come to the sockets that this node holds.

use bytes::Bytes;
use hither_replication::{Lease, Listener, NodeId, ShardId};

use super::{Node, Timer};
use crate::{
    endpoint::Endpoint,
    fifo::Fifo,
    ids::{AttachmentNumber, EndpointId, FrameNumber, SocketId},
    message::{ClientOffset, ClosedBecause, How, Message, Progress, ToEndpoint, ToSocket},
    record::{Change, Step},
    serving::{Attached, Client, Serving},
};

impl Node {
    pub(super) fn on_endpoint(
        &mut self,
        from: &NodeId,
        endpoint: EndpointId,
        attachment: AttachmentNumber,
        id: SocketId,
        message: ToSocket,
    ) {
        if let ToSocket::Attach(how) = message {
            let client = Client {
                node: from.clone(),
                endpoint,
                attachment,
            };
            self.on_attach(id, client, how);
            return;
        }
        let Some(serving) = self.sockets.get_mut(&id) else {
            return;
        };
        if serving.attached_as(endpoint, attachment).is_none() {
            return;
        }
        match message {
            ToSocket::Attach(_) => {}
            ToSocket::Push { frame, packet } => {
                #[cfg(test)]
                let is_repeated = self.mutant != Some(crate::simulation::Mutant::HandleFramesTwice);
                #[cfg(not(test))]
                let is_repeated = true;
                let has_room = serving.frames.len() < Endpoint::MAX_FRAMES;
                if has_room && frame == serving.accepted.next() || !is_repeated {
                    serving.accepted = frame;
                    serving.frames.push_back((frame, packet));
                    self.start_next(id);
                }
            }
            ToSocket::Received { handled, output } => {
                serving.received = serving.received.max(output);
                serving.answered = serving.answered.max(handled);
                serving.fifo.received(serving.generation, handled, output);
                // Frames may have waited for that.
                self.start_next(id);
            }
            ToSocket::Lost => {
                serving.detach(self.now);
                self.wake_in(self.settings.window, Timer::Away(id));
            }
        }
    }

    /// Who does not serve the shard says nothing: the endpoint asks again.
    fn on_attach(&mut self, id: SocketId, client: Client, how: How) {
        let Some(state) = self.core.state(id.shard) else {
            return;
        };
        let Some(found) = state.socket(&id).filter(|found| !found.has_ended) else {
            match how {
                How::Open { auth, life } => self.open(id, client, auth, life),
                _ => self.refuse(id.shard, &client, ClosedBecause::Unknown),
            }
            return;
        };
        let is_known = found.endpoint == client.endpoint;
        let is_former = found.former.contains(&client.endpoint);
        let is_foreign = |record| !self.core.has(id.shard, record);
        #[cfg(test)]
        let is_foreign =
            |record| is_foreign(record) && !self.fails(crate::simulation::Mutant::TrustOtherSides);
        let has_seen_other = how.records(found.life).any(is_foreign);
        if has_seen_other || is_known && how.output() < found.dropped {
            if self.is_sure(id.shard) {
                self.cannot_resume(id, &client);
            }
            return;
        }
        match how {
            How::Resume(progress) if is_known => self.bind(id, client, progress),
            How::Open { .. } if is_known => self.bind(id, client, Progress::default()),
            // It repeats what was recorded, and has not heard of that.
            How::Return(offset) if is_known => {
                let progress = Progress {
                    offset,
                    ..Progress::default()
                };
                self.bind(id, client, progress);
            }
            How::Return(offset) if !is_former => self.return_to(id, client, offset),
            _ => self.refuse(id.shard, &client, ClosedBecause::Superseded),
        }
    }

    fn open(&mut self, id: SocketId, client: Client, auth: Bytes, life: u32) {
        match self.sockets.get_mut(&id) {
            Some(serving) if serving.opening.is_none() => {
                self.refuse(id.shard, &client, ClosedBecause::Unknown);
            }
            // Its connect handler runs.
            Some(serving) => {
                serving.frames.clear();
                serving.accepted = FrameNumber::default();
                serving.attached = Some(Attached::new(client, None, 0));
            }
            None => {
                let serving = Serving::opening(client, life, auth, self.now);
                self.sockets.insert(id, serving);
                self.start_next(id);
            }
        }
    }

    /// A client comes back: one record, so that of two that come at once the later one counts, on all nodes.
    fn return_to(&mut self, id: SocketId, client: Client, offset: Option<ClientOffset>) {
        let Some(found) = self.core.state(id.shard).and_then(|state| state.socket(&id)) else {
            return;
        };
        if self.core.is_full(id.shard) {
            // It asks again.
            return;
        }
        let heard = heard(offset.as_ref(), found.life);
        let can_hear = Listener::<_, Bytes>::attach(found.memberships.clone(), heard).is_ok();
        let Some(told) = found.resume(offset.as_ref()).filter(|_| can_hear) else {
            if self.is_sure(id.shard) {
                self.cannot_resume(id, &client);
            }
            return;
        };
        let endpoint = client.endpoint;
        let returned = Change::Returned { endpoint, told };
        let Some(number) = self.record(id, Step::default(), vec![returned]) else {
            return;
        };
        let state = self.core.state(id.shard).and_then(|state| state.socket(&id));
        let (Some(state), Some(serving)) = (state, self.sockets.get_mut(&id)) else {
            return;
        };
        serving.generation = state.generation;
        serving.fifo = Fifo::default();
        let step = Step {
            outputs: state.outgoing.iter().cloned().collect(),
            ..Step::default()
        };
        serving.fifo.push_recorded(step, number);
        serving.handled = FrameNumber::default();
        serving.told_handled = FrameNumber::default();
        serving.received = told;
        serving.answered = FrameNumber::default();
        let former = serving.attached.take().map(|attached| attached.client);
        let progress = Progress {
            output: told,
            offset,
            ..Progress::default()
        };
        self.bind(id, client, progress);
        // Should the record be lost, its client returns once more.
        if let Some(former) = former {
            self.close(&former, ClosedBecause::Superseded);
        }
    }

    pub(super) fn cannot_resume(&mut self, id: SocketId, client: &Client) {
        self.close(client, ClosedBecause::CannotResume);
        if let Some(serving) = self.sockets.get_mut(&id) {
            serving.detach(self.now);
            serving.has_expired = true;
            self.start_next(id);
        }
    }

    /// The endpoint is to be served, from where it is. What it has not been told is handled, it pushes behind this.
    fn bind(&mut self, id: SocketId, client: Client, progress: Progress) {
        let Some(serving) = self.sockets.get_mut(&id) else {
            return;
        };
        serving.handled = serving.handled.max(progress.handled);
        serving.told_handled = progress.handled;
        serving.last_output = serving.last_output.max(progress.output);
        serving.received = serving.received.max(progress.output);
        serving.answered = serving.answered.max(progress.handled);
        serving
            .fifo
            .received(serving.generation, progress.handled, progress.output);
        serving.detach(self.now);
        let own = progress
            .offset
            .as_ref()
            .filter(|offset| offset.life == serving.life);
        serving.told_events = own.map(|offset| offset.events).unwrap_or_default();
        serving.attached = Some(Attached::new(client, progress.offset, serving.last_record));
        self.advance(id);
    }

    /// Serves an endpoint that waits for that, if all that it depends on is committed.
    pub(super) fn make_ready(&mut self, id: SocketId) {
        let committed = self.committed(id.shard);
        let Some(serving) = self.sockets.get_mut(&id) else {
            return;
        };
        let state = self.core.state(id.shard).and_then(|state| state.socket(&id));
        let (Some(attached), Some(state)) = (&mut serving.attached, state) else {
            return;
        };
        let is_due = !attached.is_ready && attached.ready_after <= committed && serving.opening.is_none();
        if !is_due || state.has_ended {
            return;
        }
        let client = attached.client.clone();
        let heard = heard(attached.offset.as_ref(), state.life);
        let Ok((listener, missing)) = Listener::attach(state.memberships.clone(), heard) else {
            self.cannot_resume(id, &client);
            return;
        };
        attached.is_ready = true;
        serving.listener = listener;
        serving.uncommitted.clear();
        let recovered = serving.generation.0 > 0;
        self.tell(&client, ToEndpoint::Attached { recovered });
        self.transmit_again(id);
        self.hear_again(id, missing);
    }

    /// Says no, if this node is sure that it holds the shard still. If not, it says nothing, and the endpoint asks again.
    fn refuse(&mut self, shard: ShardId, client: &Client, because: ClosedBecause) {
        if self.is_sure(shard) {
            self.close(client, because);
        }
    }

    /// Whether what this node finds in a shard is so: a node that was asleep may hold it no more. If it does not know, it
    /// has asked its standby.
    pub(super) fn is_sure(&mut self, shard: ShardId) -> bool {
        #[cfg(test)]
        if self.fails(crate::simulation::Mutant::RefuseWithoutLease) {
            return true;
        }
        match self.core.lease(shard, self.now) {
            Ok((lease, outputs)) => {
                self.absorb(outputs);
                lease == Lease::Held
            }
            Err(_) => false,
        }
    }

    pub(super) fn close(&mut self, client: &Client, because: ClosedBecause) {
        self.tell(client, ToEndpoint::Closed(because));
    }

    pub(super) fn tell(&mut self, client: &Client, message: ToEndpoint) {
        let message = Message::ToEndpoint {
            endpoint: client.endpoint,
            attachment: client.attachment,
            message,
        };
        self.send(&client.node, message);
    }
}

/// What a client shows of topics, if it belongs to this socket.
fn heard(offset: Option<&ClientOffset>, life: u32) -> Option<&str> {
    let own = offset.filter(|offset| offset.life == life)?;
    Some(own.heard.as_str())
}
