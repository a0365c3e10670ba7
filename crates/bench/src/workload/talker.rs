//! One client: what it sends, at which pace, and what it hears.

use std::{
    collections::VecDeque,
    pin::pin,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::time::sleep_until;

use super::run::{Listener, Run};
use crate::{
    delivery::StreamId,
    pace::{Pacer, Turn},
    stamp::Stamp,
    wire::{packet::Packet, socket::Socket},
};

/// A room that a client publishes to.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    /// Its name.
    pub(crate) name: String,
    /// What this client publishes there.
    pub(crate) stream: StreamId,
    /// How many hear it.
    pub(crate) members: usize,
}

/// What a client says.
#[derive(Debug)]
pub(crate) enum Speech {
    /// Nothing.
    Nothing,
    /// `echo`, which is acknowledged.
    Echo(Pacer),
    /// `message`, which is sent back as an event.
    Direct(Pacer, StreamId),
    /// `publish`, to these rooms in turn; which is acknowledged.
    Publish(Pacer, Vec<Room>),
}

/// A client at work.
pub(crate) struct Talker {
    socket: Socket,
    run: Rc<Run>,
    speech: Speech,
    listener: Option<Rc<Listener>>,
    payload: usize,
    /// The acks that are awaited, and when their events were due.
    awaited: VecDeque<(u64, Instant)>,
    /// Direct events that are awaited.
    awaited_events: usize,
    turn: usize,
}

impl Talker {
    /// A client that says `speech` over `socket`, in texts of `payload` bytes.
    pub(crate) fn new(
        run: &Rc<Run>,
        socket: Socket,
        speech: Speech,
        listener: Option<Rc<Listener>>,
        payload: usize,
    ) -> Self {
        Self {
            socket,
            run: Rc::clone(run),
            speech,
            listener,
            payload,
            awaited: VecDeque::new(),
            awaited_events: 0,
            turn: 0,
        }
    }

    /// Talks and listens until told to leave; what fails is counted.
    pub(crate) async fn talk(mut self) {
        let run = Rc::clone(&self.run);
        let mut leave = pin!(run.leave.notified());
        loop {
            let step = async {
                let due = self.send_due().await?;
                tokio::select! {
                    received = self.socket.receive() => Ok(Some(received?)),
                    () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => Ok(None),
                    () = &mut leave => Err(Ended::Told),
                }
            };
            let handled = match step.await {
                Ok(Some((packet, frame))) => self.handle(packet, &frame).await,
                Ok(None) => Ok(()),
                Err(Ended::Told) => return self.leave().await,
                Err(Ended::Failed(error)) => Err(error),
            };
            if let Err(error) = handled {
                return run.failed(error);
            }
        }
    }

    async fn leave(self) {
        if let Err(error) = self.socket.leave().await {
            self.run.failed(error.context("leaving"));
        }
    }

    /// Sends all that is due, and says when the next message is if that does not depend on an answer.
    async fn send_due(&mut self) -> Result<Option<Instant>> {
        while self.run.sends() {
            let outstanding = self.awaited.len() + self.awaited_events;
            let (Speech::Echo(pacer) | Speech::Direct(pacer, _) | Speech::Publish(pacer, _)) =
                &mut self.speech
            else {
                return Ok(None);
            };
            match pacer.turn(Instant::now(), outstanding) {
                Turn::Send(due) => self.send(due).await?,
                Turn::Until(due) => return Ok(Some(due)),
                Turn::Answer => return Ok(None),
            }
        }
        Ok(None)
    }

    async fn send(&mut self, due: Instant) -> Result<()> {
        self.turn += 1;
        let sent = due.saturating_duration_since(self.run.begin);
        let id = match &self.speech {
            Speech::Nothing => return Ok(()),
            Speech::Echo(_) => {
                let stamp = Stamp {
                    stream: StreamId(0),
                    number: self.turn as u64,
                    sent,
                };
                self.socket
                    .emit_with_ack("echo", &[&stamp.payload(self.payload)])
                    .await?
            }
            Speech::Direct(_, stream) => {
                let number = self.run.published(*stream, 1);
                let stamp = Stamp {
                    stream: *stream,
                    number,
                    sent,
                };
                self.awaited_events += 1;
                return self.socket.emit("message", &[&stamp.payload(self.payload)]).await;
            }
            Speech::Publish(_, rooms) => {
                let room = &rooms[self.turn % rooms.len()];
                let number = self.run.published(room.stream, room.members);
                let stamp = Stamp {
                    stream: room.stream,
                    number,
                    sent,
                };
                self.socket
                    .emit_with_ack("publish", &[&room.name, &stamp.payload(self.payload)])
                    .await?
            }
        };
        self.run.asked();
        self.awaited.push_back((id, due));
        Ok(())
    }

    async fn handle(&mut self, packet: Packet, frame: &[u8]) -> Result<()> {
        match packet {
            Packet::Ping => self.socket.pong().await?,
            Packet::Ack(id) => self.acknowledged(id),
            Packet::Event => self.event(frame),
            Packet::Open | Packet::Connected | Packet::Noop => {}
        }
        Ok(())
    }

    fn acknowledged(&mut self, id: u64) {
        let Some(place) = self.awaited.iter().position(|(awaited, _)| *awaited == id) else {
            return;
        };
        if let Some((_, due)) = self.awaited.remove(place) {
            self.run.answered();
            if let Speech::Echo(_) = self.speech {
                self.run.unit(due.elapsed());
            }
        }
    }

    fn event(&mut self, frame: &[u8]) {
        // An event without a stamp greets whoever connects.
        let (Some(listener), Some(stamp)) = (&self.listener, Stamp::find(frame)) else {
            return;
        };
        listener.checker.borrow_mut().heard(stamp.stream, stamp.number);
        self.run.delivered();
        self.run.unit(self.run.begin.elapsed().saturating_sub(stamp.sent));
        if let Speech::Direct(..) = self.speech {
            self.awaited_events = self.awaited_events.saturating_sub(1);
        }
    }
}

enum Ended {
    Told,
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Ended {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// How long clients may take to leave.
pub(crate) const LEAVING: Duration = Duration::from_secs(5);
