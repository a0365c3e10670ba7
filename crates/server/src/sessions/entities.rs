//! What a lane does with its sessions: the requests, events and moves that the cluster hands to it.

use std::{cmp::Reverse, collections::HashSet, sync::Arc, time::Instant};

use hither_cluster::{
    Change, CommitId, Entities, Entry, Key, Marks, NodeId, Placement, Publication, ReplyTo, Topic,
};
use hither_engineio::{CloseReason, Refusal};
use tracing::error;

use super::{
    Direct, Found, LaneEvent, Query, QueryReply, Question, Sessions, direct,
    env::{Lane, Slot},
    holders::Search,
    replica::SessionDelta,
    session::{Opening, Session},
    snapshot::SessionSnapshot,
    speaking::{EncodedEvent, Heard},
};
use crate::{
    request::{SessionReply, SessionRequest},
    room::RoomEvent,
};

impl Entities for Sessions {
    type Request = SessionRequest;
    type Reply = SessionReply;
    type Snapshot = SessionSnapshot;
    type Delta = SessionDelta;
    type Direct = Direct;
    type Publication = RoomEvent;
    type Event = LaneEvent;

    fn is_inquiry(request: &SessionRequest) -> bool {
        // If claims waited for all to be where it belongs, so would the moves of the sessions that claim.
        matches!(request, SessionRequest::Claim { .. })
    }

    fn creates(request: &SessionRequest) -> bool {
        matches!(request, SessionRequest::Open { .. })
    }

    fn route(direct: Direct, lanes: usize, lane_of: &dyn Fn(&Key) -> usize) -> Vec<(usize, Direct)> {
        direct::route(direct, lanes, lane_of)
    }

    fn request(&mut self, lane: &mut Lane, key: &Key, request: SessionRequest, reply: ReplyTo<Self>) {
        // What was due before the request came is not put off by it.
        self.with(lane, key, |session, env, lane| {
            if session.scheduled.is_some_and(|due| due <= lane.now()) {
                session.tick(env, lane);
            }
        });
        match request {
            SessionRequest::Open {
                id,
                service,
                transport,
                handshake,
            } => {
                self.open(
                    lane,
                    key,
                    Opening {
                        id,
                        service,
                        transport,
                        handshake,
                    },
                    reply,
                );
            }
            SessionRequest::Push { id, service, body } => {
                if let Some(reply) = self.find(key, service, reply) {
                    self.with(lane, key, |session, env, lane| {
                        session.push(env, lane, id, body, reply)
                    });
                }
            }
            SessionRequest::PushTooLarge { service } => {
                if let Some(reply) = self.find(key, service, reply) {
                    self.with(lane, key, Session::push_too_large);
                    reply.send(SessionReply::Done);
                }
            }
            SessionRequest::Pull {
                id,
                service,
                may_hang,
            } => {
                if let Some(reply) = self.find(key, service, reply) {
                    self.with(lane, key, |session, env, lane| {
                        session.pull(env, lane, id, may_hang, reply);
                    });
                }
            }
            SessionRequest::Receiving => {
                self.with(lane, key, |session, _, lane| session.receiving(lane));
                reply.send(SessionReply::Done);
            }
            SessionRequest::CancelPull { id } => {
                self.with(lane, key, |session, env, lane| session.cancel_pull(env, lane, id));
                reply.send(SessionReply::Done);
            }
            SessionRequest::Attach { service, socket } => {
                if let Some(reply) = self.find(key, service, reply) {
                    self.with(lane, key, |session, env, lane| {
                        session.attach(env, lane, socket, reply)
                    });
                }
            }
            SessionRequest::SocketPush {
                socket,
                first,
                frames,
            } => {
                if self.by_key.contains_key(key) {
                    self.with(lane, key, |session, env, lane| {
                        session.socket_push(env, lane, &socket, first, frames, reply);
                    });
                } else {
                    reply.send(SessionReply::Refused(Refusal::UnknownSid));
                }
            }
            SessionRequest::SocketClosed { socket } => {
                self.with(lane, key, |session, env, lane| {
                    session.socket_closed(env, lane, &socket)
                });
                reply.send(SessionReply::Done);
            }
            SessionRequest::Reattach { socket, attachment } => {
                let mut stream = None;
                self.with(lane, key, |session, env, lane| {
                    stream = session.reattached(env, lane, &socket, attachment);
                });
                reply.send(match stream {
                    Some(stream) => SessionReply::Reattached(stream),
                    None => SessionReply::Refused(Refusal::UnknownSid),
                });
            }
            SessionRequest::Claim { claim } => {
                let session = self.by_key.get(key).and_then(|slot| self.slots.get(*slot));
                reply.send(SessionReply::Claimable(
                    session.and_then(|session| session.claimable(lane, &claim)),
                ));
            }
            SessionRequest::Surrender { claim } => {
                if self.by_key.contains_key(key) {
                    self.with(lane, key, |session, env, lane| {
                        session.surrender_to(env, lane, claim, reply)
                    });
                } else {
                    reply.send(SessionReply::Surrendered(None));
                }
            }
        }
    }

    fn event(&mut self, lane: &mut Lane, event: LaneEvent) {
        match event {
            LaneEvent::SocketReserved { number, session } => self.env.sockets.reserve(number, session),
            LaneEvent::SocketOpened { number, writer } => {
                self.env.shared.counters.sockets.up();
                self.env.sockets.open(number, writer, &mut self.env.news);
            }
            LaneEvent::SocketPinged {
                number,
                payload,
                taken,
            } => {
                self.env.sockets.pinged(number, payload, &mut self.env.news);
                // A reader that has ended waits for nothing.
                taken.send(()).ok();
            }
            LaneEvent::SocketWritable { number } => {
                self.env.sockets.writable(number, &mut self.env.news);
            }
            LaneEvent::SocketEnded { number, close } => {
                if self.env.sockets.ended(number, close) {
                    self.env.shared.counters.sockets.down();
                }
            }
            LaneEvent::SocketReattached { number, stream } => {
                self.env.sockets.reattached(number, stream, &mut self.env.news);
            }
            LaneEvent::SocketOrphaned { number } => self.env.sockets.close(number),
            LaneEvent::SocketSuperseded { session, socket } => {
                self.with(lane, &session, |session, env, lane| {
                    session.superseded(env, lane, &socket);
                });
            }
            LaneEvent::Effects {
                address,
                effects,
                done,
            } => {
                self.event_of_session(lane, &address, |session, env, lane| {
                    session.handler_flushed(env, lane, effects, done);
                });
            }
            LaneEvent::HandlerEnded { address, outcome } => {
                self.event_of_session(lane, &address, |session, env, lane| {
                    session.handler_ended(env, lane, outcome);
                });
            }
            LaneEvent::GoOn { session } => {
                self.with(lane, &session, |session, env, lane| {
                    session.going_on = false;
                    session.take_input(env, lane);
                });
            }
            LaneEvent::LocalEvent { topic, event } => {
                let heard = Heard::unpublished(&event, lane.position());
                self.hear(lane, &topic, &heard);
            }
            LaneEvent::Passed { .. } => {}
            LaneEvent::Evict(pace) => self.env.sockets.evict(pace, lane.now()),
            LaneEvent::Shutdown => {
                let slots: Vec<Slot> = self.slots.iter().map(|(slot, _)| slot).collect();
                for slot in slots {
                    self.with_slot(lane, slot, |session, env, lane| {
                        session.engine.close(CloseReason::ShuttingDown);
                        session.drive(env, lane);
                    });
                }
            }
        }
        self.settle(lane);
    }

    fn direct(&mut self, lane: &mut Lane, from: &NodeId, direct: Direct) {
        match direct {
            Direct::Orders(batch) => {
                for (socket, stream, order) in batch.unpack() {
                    self.env
                        .sockets
                        .order(from, socket, stream, order, &mut self.env.news);
                }
                self.settle(lane);
            }
            Direct::Delivered(all) => {
                for delivered in all {
                    self.with(lane, &delivered.session.clone(), |session, env, lane| {
                        session.delivered(env, lane, &delivered);
                    });
                }
            }
            Direct::Query(Query { id, question }) => {
                let found = match question {
                    Question::Tell(topic, event) => {
                        self.tell_handlers(lane, &topic, &event);
                        Found::default()
                    }
                    Question::Holds(wanted) => Found {
                        holders: self.holders_of(&wanted),
                        ..Found::default()
                    },
                    Question::Marks(position) => Found {
                        marks: lane.marks_at(position),
                        ..Found::default()
                    },
                    Question::Lives { limit } => Found {
                        sights: self.sights(lane, limit),
                        ..Found::default()
                    },
                };
                let reply = QueryReply {
                    id,
                    lanes: self.env.shared.lanes,
                    found,
                };
                if *from == *lane.node() {
                    self.env.shared.queries.reply(from, reply);
                } else {
                    // Without a link whoever asked finds out that we are gone.
                    lane.send(from, &Direct::QueryReply(reply));
                }
            }
            Direct::Volatile(topic, event) => {
                let heard = Heard {
                    is_volatile: true,
                    ..Heard::unpublished(&event, lane.position())
                };
                self.hear(lane, &topic, &heard);
            }
            Direct::QueryReply(reply) => self.env.shared.queries.reply(from, reply),
            Direct::Presence(note) => {
                self.lead_presence(lane, |hub, send| hub.hear(from, note, send));
            }
        }
    }

    fn publication(&mut self, lane: &mut Lane, publication: &Arc<Publication<RoomEvent>>) {
        self.hear(lane, &publication.topic, &Heard::of(publication, lane.position()));
    }

    fn subscribed(&mut self, lane: &mut Lane, topic: &Topic) {
        for slot in self.env.awaiting.remove(topic).unwrap_or_default() {
            self.with_slot(lane, slot, |session, env, lane| {
                session.subscribed(env, lane, topic)
            });
        }
    }

    fn placed(&mut self, lane: &mut Lane, _: &Placement, now: &Placement) {
        self.env.shared.queries.members_changed(now.view());
        self.lead_presence(lane, |hub, send| hub.members_changed(now, send));
        let slots: Vec<Slot> = self.slots.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.with_slot(lane, slot, Session::members_changed);
        }
        for number in self.env.sockets.orphans(now) {
            self.reattach(lane, number);
        }
    }

    fn linked(&mut self, lane: &mut Lane, peer: &NodeId) {
        self.lead_presence(lane, |hub, send| hub.linked(peer, send));
        let slots: Vec<Slot> = self.slots.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.with_slot(lane, slot, |session, env, lane| session.relinked(env, lane, peer));
        }
    }

    fn reunited(&mut self, lane: &mut Lane) {
        self.env.search = Some(Search::beginning(lane.now()));
    }

    fn tick(&mut self, lane: &mut Lane) {
        self.search(lane);
        let (now, placement) = (lane.now(), lane.placement().clone());
        self.lead_presence(lane, |hub, send| hub.tick(now, &placement, send));
        self.env.sockets.evict_some(lane.now());
        for slot in std::mem::take(&mut self.env.stalled) {
            if let Some(session) = self.slots.get_mut(slot) {
                // One that is frozen goes on when it is thawed.
                session.is_stalled = false;
            }
            self.with_slot(lane, slot, Session::go_on_after_stall);
        }
        self.env.sockets.close_overdue(lane.now());
        while let Some(Reverse((due, slot))) = self.env.timers.peek().copied()
            && due <= lane.now()
        {
            self.env.timers.pop();
            self.with_slot(lane, slot, |session, env, lane| {
                if session.scheduled == Some(due) {
                    session.tick(env, lane);
                }
            });
        }
    }

    fn flush(&mut self, lane: &mut Lane) {
        for slot in std::mem::take(&mut self.env.dirty) {
            if let Some(session) = self.slots.get_mut(slot) {
                session.flush(&mut self.env, lane);
            }
        }
        self.settle(lane);
        for (node, orders) in self.env.outbound.take() {
            // Without a link it is sent again when there is one, or given up with the node.
            lane.send(&node, &orders);
        }
        for (node, delivered) in std::mem::take(&mut self.env.delivered) {
            lane.send(&node, &Direct::Delivered(delivered));
        }
    }

    fn keys(&self) -> Vec<Key> {
        self.by_key.keys().cloned().collect()
    }

    fn contains(&self, key: &Key) -> bool {
        self.by_key.contains_key(key)
    }

    fn is_for_another(&self, key: &Key, request: &SessionRequest, parted: Option<Instant>) -> bool {
        let Some(session) = self.by_key.get(key).and_then(|slot| self.slots.get(*slot)) else {
            return false;
        };
        // Claims are for whoever has the socket. If they waited, so would the move of the session that claims.
        let is_claim = matches!(
            request,
            SessionRequest::Claim { .. } | SessionRequest::Surrender { .. }
        );
        let has_ended = session.engine.close_reason().is_some();
        !is_claim && (has_ended || parted.is_some_and(|parted| session.heard_at < parted))
    }

    fn topics(&self, key: &Key) -> Vec<Topic> {
        self.by_key
            .get(key)
            .and_then(|slot| self.slots.get(*slot))
            .map(Session::topics)
            .unwrap_or_default()
    }

    fn freeze(&mut self, lane: &mut Lane, key: &Key) -> Option<SessionSnapshot> {
        let session = self.by_key.get(key).and_then(|slot| self.slots.get_mut(*slot))?;
        session.moving = true;
        if session.is_busy() {
            return None;
        }
        match session.snapshot(&self.env.shared, lane.now()) {
            Ok(snapshot) => {
                session.rest();
                Some(snapshot)
            }
            Err(error) => {
                error!(session = %key, %error, "cannot move a session");
                self.kill(lane, key, "cannot move its data");
                None
            }
        }
    }

    fn thaw(&mut self, lane: &mut Lane, key: &Key) {
        if let Some(session) = self.by_key.get(key).and_then(|slot| self.slots.get_mut(*slot)) {
            session.moving = false;
            session.frozen = false;
        }
        self.with(lane, key, |session, _, _| {
            session.scheduled = None;
            session.resume_socket();
        });
    }

    fn missed(&mut self, lane: &mut Lane, key: &Key, entry: &Entry<RoomEvent>) {
        self.with(lane, key, |session, env, lane| {
            session.hear(
                env,
                lane,
                &Heard::of(&entry.publication, entry.position),
                &mut EncodedEvent::default(),
            );
        });
    }

    fn adopt(&mut self, lane: &mut Lane, key: &Key, snapshot: SessionSnapshot, marks: &Marks) {
        if let Some(slot) = self.restore(lane, key, snapshot) {
            self.env.shared.counters.moved_in.up();
            self.with_slot(lane, slot, |session, _, lane| {
                if !session.is_dormant() {
                    session.begin_epoch(lane, marks);
                }
            });
        }
    }

    fn resume(&mut self, lane: &mut Lane, key: &Key) {
        self.with(lane, key, Session::arrived);
    }

    fn passed(&mut self, lane: &mut Lane, key: &Key) {
        self.with(lane, key, Session::barrier_passed);
    }

    fn committed(&mut self, lane: &mut Lane, key: &Key, commit: CommitId) {
        self.with(lane, key, |session, env, lane| {
            session.committed(env, lane, commit);
        });
    }

    fn is_better(&self, key: &Key, arriving: &SessionSnapshot) -> bool {
        let session = self.by_key.get(key).and_then(|slot| self.slots.get(*slot));
        session.is_none_or(|session| arriving.standing() > session.standing(Instant::now()))
    }

    fn replica(&mut self, lane: &mut Lane, key: &Key) -> Option<SessionSnapshot> {
        let session = self.by_key.get(key).and_then(|slot| self.slots.get_mut(*slot))?;
        // Of what is over nothing is to be kept.
        (!session.is_over())
            .then(|| session.whole_replica(&self.env.shared, lane.now()))
            .flatten()
    }

    fn change(&mut self, lane: &mut Lane, key: &Key, must_know: bool) -> Change<SessionDelta> {
        match self.by_key.get(key).and_then(|slot| self.slots.get_mut(*slot)) {
            Some(session) if !session.is_over() => session.changes(lane.now(), must_know),
            _ => Change::None,
        }
    }

    fn apply(replica: &mut SessionSnapshot, delta: SessionDelta) -> bool {
        let hears_others = delta.changes_topics();
        replica.apply(delta);
        hears_others
    }

    fn topics_of(snapshot: &SessionSnapshot) -> Vec<Topic> {
        snapshot.topics()
    }

    fn revive(&mut self, lane: &mut Lane, key: &Key, replica: SessionSnapshot) {
        if let Some(slot) = self.restore(lane, key, replica) {
            self.env.shared.counters.revived.up();
            self.with_slot(lane, slot, Session::revived);
        }
    }

    fn give_up(&mut self, lane: &mut Lane, keys: &HashSet<Key>) {
        for key in keys {
            if let Some(&slot) = self.by_key.get(key) {
                if let Some(session) = self.slots.get_mut(slot) {
                    // Who waits for it here is to ask where it lives on.
                    session.rest();
                }
                self.forget(lane, slot);
            }
        }
        for number in self.env.sockets.all() {
            self.reattach(lane, number);
        }
    }

    fn remove(&mut self, lane: &mut Lane, key: &Key) {
        if let Some(&slot) = self.by_key.get(key) {
            self.env.shared.counters.moved_out.up();
            self.forget(lane, slot);
        }
    }

    fn kill(&mut self, lane: &mut Lane, key: &Key, why: &str) {
        if let Some(session) = self.by_key.get(key).and_then(|slot| self.slots.get_mut(*slot)) {
            session.kill(&mut self.env, lane, why);
        }
        self.settle(lane);
    }
}
