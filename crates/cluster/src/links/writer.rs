//! The task that writes one life of a link: it makes envelopes of what waits and hands them to the peer's gateway.

use std::{sync::Arc, time::Duration};

use ractor::ActorRef;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    channel::Channel,
    envelope::{Envelope, LifeId},
    gateway::{Event, GatewayMessage},
    outbox::{Door, Outbox},
    stream::StreamId,
};

/// One life of a link, as its writer sees it.
pub(super) struct Writer {
    pub(super) life: LifeId,
    pub(super) stream: StreamId,
    pub(super) outbox: Arc<Outbox>,
    /// The gateway at the other end.
    pub(super) peer: ActorRef<GatewayMessage>,
    /// The gateway at this end.
    pub(super) gateway: ActorRef<GatewayMessage>,
    /// How often to say that this node lives.
    pub(super) ping: Duration,
}

impl Writer {
    /// Writes until the link goes down, or the outbox overflows.
    pub(super) async fn run(self) {
        let mut sequence = 0;
        let mut pings = interval(self.ping);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut ping = tokio::select! {
                () = self.outbox.work.notified() => false,
                _ = pings.tick() => true,
            };
            if let Door::Overflowed { waiting } = self.outbox.door() {
                // The gateway may have ended, and the link with it.
                self.gateway
                    .cast(GatewayMessage::Local(Event::Overflowed {
                        stream: self.stream,
                        waiting,
                    }))
                    .ok();
                return;
            }
            loop {
                let mut is_idle = true;
                for channel in Channel::ALL {
                    let messages = self.outbox.take(channel);
                    let is_pinged = ping && (channel == Channel::Entities || self.outbox.has_untold(channel));
                    if messages.is_empty() && !is_pinged && !self.outbox.owes_word(channel) {
                        continue;
                    }
                    is_idle = false;
                    let envelope = Envelope {
                        life: self.life,
                        sequence,
                        channel,
                        handled: self.outbox.tell_handled(channel),
                        messages,
                    };
                    sequence += 1;
                    if self
                        .peer
                        .cast(GatewayMessage::Envelope(envelope.encode()))
                        .is_err()
                    {
                        // The connection is gone, as the gateway is about to learn.
                        return;
                    }
                }
                if is_idle {
                    break;
                }
                ping = false;
                // Lets whoever is about to send add to the next envelope.
                tokio::task::yield_now().await;
            }
        }
    }
}
