//! What waits to be sent on one life of a link, and how much may be sent now.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{LinkLimits, channel::Channel, envelope::weight};

/// What waits to be sent on one life of a link.
///
/// Any thread puts messages in; one writer takes them out, in batches and no more than the window allows. Each channel has a
/// queue and a window of its own: what one side does not get through does not hold up the other.
#[derive(Debug)]
pub(super) struct Outbox {
    limits: LinkLimits,
    queue: Mutex<Queue>,
    received: [Received; Channel::COUNT],
    /// Notified when there may be something to write.
    pub(super) work: Notify,
    /// Notified when less waits than makes for congestion, and when the link ends.
    relieved: Notify,
}

/// Of what may wait, the part that makes a link congested. The rest is for what must not wait.
const CONGESTED: usize = 8;

/// What has come by one channel.
#[derive(Debug, Default)]
struct Received {
    /// Bytes of the peer's messages that this node has handled.
    handled: AtomicU64,
    /// How much of `handled` the peer has been told.
    told: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    channels: [Sending; Channel::COUNT],
    door: Door,
}

/// What goes by one channel.
#[derive(Debug, Default)]
struct Sending {
    waiting: VecDeque<Bytes>,
    waiting_weight: usize,
    sent: u64,
    /// Bytes of `sent` that the peer has handled.
    acknowledged: u64,
}

/// Whether messages can be put in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Door {
    #[default]
    Open,
    /// The link has ended.
    Closed,
    /// A message did not fit; the link is about to end for that.
    Overflowed {
        /// Bytes that would have waited with it.
        waiting: usize,
    },
}

/// Why a message was not put in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unput {
    /// It is larger than a message may be; nothing else has changed.
    TooLarge { size: usize, limit: usize },
    /// The door is not open, or was shut by this message.
    Shut,
}

impl Outbox {
    pub(super) fn new(limits: LinkLimits) -> Self {
        Self {
            limits,
            queue: Mutex::default(),
            received: Default::default(),
            work: Notify::new(),
            relieved: Notify::new(),
        }
    }

    /// Whether so much of what entities say waits that what can wait elsewhere should.
    pub(super) fn is_congested(&self) -> bool {
        let queue = self.lock();
        let waiting = queue.channel(Channel::Entities).waiting_weight;
        queue.door == Door::Open && waiting > self.limits.queue / CONGESTED
    }

    /// Completes when it is not congested, or closed.
    pub(super) async fn uncongested(&self) {
        loop {
            let relieved = self.relieved.notified();
            // Made before the look, so that no relief after it is missed.
            if !self.is_congested() {
                return;
            }
            relieved.await;
        }
    }

    /// Queues a message behind all that were put before into this channel.
    pub(super) fn put(&self, channel: Channel, message: Bytes) -> Result<(), Unput> {
        self.put_all(channel, std::slice::from_ref(&message))
    }

    /// Queues messages behind all that were put before into this channel: all of them, or none.
    pub(super) fn put_all(&self, channel: Channel, messages: &[Bytes]) -> Result<(), Unput> {
        let limit = self.limits.message;
        if let Some(size) = messages.iter().map(Bytes::len).find(|size| *size > limit) {
            return Err(Unput::TooLarge { size, limit });
        }
        let weight: usize = messages.iter().map(weight).sum();
        let mut queue = self.lock();
        if queue.door != Door::Open {
            return Err(Unput::Shut);
        }
        let sending = queue.channel_mut(channel);
        let waiting = sending.waiting_weight + weight;
        let fits = waiting <= self.limits.queue;
        let wake = if fits {
            sending.waiting_weight = waiting;
            let was_empty = sending.waiting.is_empty();
            sending.waiting.extend(messages.iter().cloned());
            was_empty
        } else {
            queue.shut(Door::Overflowed { waiting });
            true
        };
        drop(queue);
        if !fits {
            self.relieved.notify_waiters();
        }
        if wake {
            self.work.notify_one();
        }
        if fits { Ok(()) } else { Err(Unput::Shut) }
    }

    /// Whether messages can be put in.
    pub(super) fn door(&self) -> Door {
        self.lock().door
    }

    /// The next messages of a channel to send together, if any wait and the window is open.
    ///
    /// The window is open while less than its size is under way: one batch may overshoot, so that messages larger than
    /// the window pass, too.
    pub(super) fn take(&self, channel: Channel) -> Vec<Bytes> {
        let mut queue = self.lock();
        let queue = queue.channel_mut(channel);
        if queue.under_way() >= self.limits.window as u64 {
            return Vec::new();
        }
        let mut taken = 0;
        let mut batch = Vec::new();
        while let Some(next) = queue.waiting.front().map(weight)
            && (batch.is_empty() || taken + next <= self.limits.batch)
        {
            taken += next;
            batch.extend(queue.waiting.pop_front());
        }
        let was_congested = queue.waiting_weight > self.limits.queue / CONGESTED;
        queue.waiting_weight -= taken;
        let is_relieved = was_congested && queue.waiting_weight <= self.limits.queue / CONGESTED;
        queue.sent += taken as u64;
        if is_relieved {
            self.relieved.notify_waiters();
        }
        batch
    }

    /// Takes the peer's word on how much of a channel it has handled. False if it has handled what it was not sent.
    pub(super) fn acknowledge(&self, channel: Channel, handled: u64) -> bool {
        let mut queue = self.lock();
        let queue = queue.channel_mut(channel);
        if handled > queue.sent || handled < queue.acknowledged {
            return false;
        }
        let was_shut = queue.under_way() >= self.limits.window as u64;
        queue.acknowledged = handled;
        if was_shut && !queue.waiting.is_empty() {
            self.work.notify_one();
        }
        true
    }

    /// Counts some of the peer's messages as handled.
    pub(super) fn handle(&self, channel: Channel, weight: usize) {
        self.received(channel)
            .handled
            .fetch_add(weight as u64, Ordering::Relaxed);
        if self.owes_word(channel) {
            self.work.notify_one();
        }
    }

    /// Whether something was handled that the peer has not been told.
    pub(super) fn has_untold(&self, channel: Channel) -> bool {
        let Received { handled, told } = self.received(channel);
        handled.load(Ordering::Relaxed) > told.load(Ordering::Relaxed)
    }

    /// Whether the peer should be told how much was handled, even if there is nothing else to send.
    ///
    /// A quarter of its window is early enough: it will not have to wait, and most word goes along with messages.
    pub(super) fn owes_word(&self, channel: Channel) -> bool {
        let Received { handled, told } = self.received(channel);
        let untold = handled
            .load(Ordering::Relaxed)
            .saturating_sub(told.load(Ordering::Relaxed));
        untold >= (self.limits.window / 4) as u64
    }

    /// How much was handled, to be told to the peer now.
    pub(super) fn tell_handled(&self, channel: Channel) -> u64 {
        let Received { handled, told } = self.received(channel);
        let handled = handled.load(Ordering::Relaxed);
        told.store(handled, Ordering::Relaxed);
        handled
    }

    /// Whether all that was put has been sent, and handled by the peer.
    pub(super) fn is_settled(&self) -> bool {
        let queue = self.lock();
        let is_settled = |sending: &Sending| sending.waiting.is_empty() && sending.under_way() == 0;
        queue.door != Door::Open || queue.channels.iter().all(is_settled)
    }

    /// Drops what waits; nothing more can be put.
    pub(super) fn close(&self) {
        self.lock().shut(Door::Closed);
        self.relieved.notify_waiters();
    }

    fn received(&self, channel: Channel) -> &Received {
        &self.received[channel as usize]
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn channel(&self, channel: Channel) -> &Sending {
        &self.channels[channel as usize]
    }

    fn channel_mut(&mut self, channel: Channel) -> &mut Sending {
        &mut self.channels[channel as usize]
    }

    fn shut(&mut self, door: Door) {
        self.door = door;
        for sending in &mut self.channels {
            sending.waiting = VecDeque::new();
            sending.waiting_weight = 0;
        }
    }
}

impl Sending {
    fn under_way(&self) -> u64 {
        self.sent - self.acknowledged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::envelope::MESSAGE_HEADER;

    fn outbox() -> Outbox {
        Outbox::new(LinkLimits {
            window: 100,
            queue: 1000,
            batch: 50,
            ..LinkLimits::default()
        })
    }

    /// A message that weighs that much.
    fn message(weight: usize) -> Bytes {
        vec![0; weight - MESSAGE_HEADER].into()
    }

    fn put(outbox: &Outbox, weights: &[usize]) {
        for weight in weights {
            assert_eq!(outbox.put(Channel::Entities, message(*weight)), Ok(()));
        }
    }

    fn take(outbox: &Outbox) -> Vec<usize> {
        outbox.take(Channel::Entities).iter().map(weight).collect()
    }

    #[test]
    fn messages_come_out_in_order_and_in_batches() {
        let outbox = outbox();
        put(&outbox, &[20, 30, 10, 45, 4]);
        assert_eq!(take(&outbox), [20, 30]);
        assert_eq!(take(&outbox), [10]);
        assert_eq!(take(&outbox), [45, 4]);
        assert_eq!(take(&outbox), [0; 0]);
    }

    #[test]
    fn a_message_over_the_batch_goes_alone() {
        let outbox = outbox();
        put(&outbox, &[80, 10]);
        assert_eq!(take(&outbox), [80]);
        assert_eq!(take(&outbox), [10]);
    }

    #[test]
    fn the_window_shuts_and_opens_again() {
        let outbox = outbox();
        put(&outbox, &[50; 5]);
        assert_eq!(take(&outbox), [50]);
        assert_eq!(take(&outbox), [50]);
        assert_eq!(take(&outbox), [0; 0]);
        assert!(outbox.acknowledge(Channel::Entities, 1));
        assert_eq!(take(&outbox), [50]);
        assert_eq!(take(&outbox), [0; 0]);
        assert!(outbox.acknowledge(Channel::Entities, 150));
        assert_eq!(take(&outbox), [50]);
    }

    #[test]
    fn a_message_over_the_window_passes() {
        let outbox = outbox();
        put(&outbox, &[400, 400]);
        assert_eq!(take(&outbox), [400]);
        assert_eq!(take(&outbox), [0; 0]);
        assert!(outbox.acknowledge(Channel::Entities, 400));
        assert_eq!(take(&outbox), [400]);
    }

    #[test]
    fn acknowledging_what_was_not_sent_or_taking_it_back_is_refused() {
        let outbox = outbox();
        put(&outbox, &[50]);
        assert!(!outbox.acknowledge(Channel::Entities, 1));
        take(&outbox);
        assert!(outbox.acknowledge(Channel::Entities, 50));
        assert!(!outbox.acknowledge(Channel::Entities, 49));
        assert!(!outbox.acknowledge(Channel::Entities, 51));
    }

    #[test]
    fn the_queue_overflows_once_and_is_closed_then() {
        let outbox = outbox();
        put(&outbox, &[100; 10]);
        assert_eq!(outbox.door(), Door::Open);
        assert_eq!(outbox.put(Channel::Entities, message(4)), Err(Unput::Shut));
        assert_eq!(outbox.door(), Door::Overflowed { waiting: 1004 });
        assert_eq!(outbox.put(Channel::Entities, message(4)), Err(Unput::Shut));
        assert_eq!(take(&outbox), [0; 0]);
    }

    #[test]
    fn a_message_over_the_limit_is_refused_and_does_no_harm() {
        let outbox = Outbox::new(LinkLimits {
            message: 10,
            ..LinkLimits::default()
        });
        let message = |length| Bytes::from(vec![0; length]);
        assert_eq!(
            outbox.put(Channel::Entities, message(11)),
            Err(Unput::TooLarge { size: 11, limit: 10 })
        );
        assert_eq!(outbox.put(Channel::Entities, message(10)), Ok(()));
    }

    #[test]
    fn what_is_under_way_does_not_count_as_waiting() {
        let outbox = outbox();
        put(&outbox, &[100; 10]);
        take(&outbox);
        put(&outbox, &[100]);
    }

    #[test]
    fn the_peer_is_told_in_quarters_of_the_window() {
        let outbox = outbox();
        outbox.handle(Channel::Entities, 24);
        assert!(!outbox.owes_word(Channel::Entities));
        outbox.handle(Channel::Entities, 1);
        assert!(outbox.owes_word(Channel::Entities));
        assert_eq!(outbox.tell_handled(Channel::Entities), 25);
        assert!(!outbox.owes_word(Channel::Entities));
        outbox.handle(Channel::Entities, 20);
        assert_eq!(outbox.tell_handled(Channel::Entities), 45);
    }

    /// Whatever is not told of what was handled leaves the window open.
    #[test]
    fn withheld_word_never_shuts_the_window() {
        let sender = outbox();
        let receiver = outbox();
        for _ in 0..1000 {
            put(&sender, &[10]);
            let taken: usize = take(&sender).iter().sum();
            assert_eq!(taken, 10);
            receiver.handle(Channel::Entities, taken);
            if receiver.owes_word(Channel::Entities) {
                assert!(sender.acknowledge(Channel::Entities, receiver.tell_handled(Channel::Entities)));
            }
        }
    }

    #[test]
    fn settled_when_all_is_handled_or_the_link_is_closed() {
        let outbox = outbox();
        assert!(outbox.is_settled());
        put(&outbox, &[10]);
        assert!(!outbox.is_settled());
        take(&outbox);
        assert!(!outbox.is_settled());
        assert!(outbox.acknowledge(Channel::Entities, 10));
        assert!(outbox.is_settled());
        put(&outbox, &[10]);
        outbox.close();
        assert!(outbox.is_settled());
    }

    #[tokio::test]
    async fn who_can_wait_waits_while_much_waits_and_no_longer() {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let outbox = outbox();
        put(&outbox, &[100]);
        outbox.uncongested().await;
        put(&outbox, &[100]);
        assert!(outbox.is_congested());
        let mut waiting = std::pin::pin!(outbox.uncongested());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        assert_eq!(take(&outbox), [100]);
        waiting.await;
        put(&outbox, &[100, 100]);
        let mut waiting = std::pin::pin!(outbox.uncongested());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        outbox.close();
        waiting.await;
    }

    #[tokio::test]
    async fn putting_into_an_empty_queue_wakes_the_writer() {
        let outbox = outbox();
        put(&outbox, &[10, 10]);
        outbox.work.notified().await;
        assert_eq!(take(&outbox), [10, 10]);
        put(&outbox, &[10]);
        outbox.work.notified().await;
    }

    #[tokio::test]
    async fn an_opening_window_wakes_the_writer_only_if_something_waits() {
        let outbox = outbox();
        put(&outbox, &[100, 100]);
        outbox.work.notified().await;
        take(&outbox);
        assert!(outbox.acknowledge(Channel::Entities, 50));
        outbox.work.notified().await;
        take(&outbox);
        assert!(outbox.acknowledge(Channel::Entities, 200));
        let idle = tokio::time::timeout(std::time::Duration::from_millis(1), outbox.work.notified());
        assert!(idle.await.is_err());
    }

    /// What entities hold credit for must not hold up what replication waits for, nor the other way round.
    #[test]
    fn channels_have_queues_and_windows_of_their_own() {
        let outbox = outbox();
        put(&outbox, &[100, 10]);
        assert_eq!(
            outbox.put_all(Channel::Replication, &[60, 40, 7].map(message)),
            Ok(())
        );
        assert_eq!(take(&outbox), [100]);
        assert_eq!(take(&outbox), [0; 0]);
        let take_other = || {
            outbox
                .take(Channel::Replication)
                .iter()
                .map(weight)
                .collect::<Vec<_>>()
        };
        assert_eq!(take_other(), [60]);
        assert_eq!(take_other(), [40, 7]);
        assert!(outbox.acknowledge(Channel::Replication, 107));
        assert_eq!(take(&outbox), [0; 0]);
        assert!(!outbox.is_settled());
        assert!(outbox.acknowledge(Channel::Entities, 100));
        assert_eq!(take(&outbox), [10]);
        outbox.handle(Channel::Replication, 25);
        assert!(outbox.owes_word(Channel::Replication) && !outbox.owes_word(Channel::Entities));
        assert_eq!(outbox.tell_handled(Channel::Entities), 0);
        assert_eq!(outbox.tell_handled(Channel::Replication), 25);
    }

    #[test]
    fn of_several_messages_all_are_queued_or_none() {
        let outbox = Outbox::new(LinkLimits {
            message: 10,
            ..LinkLimits::default()
        });
        let messages = [2, 11].map(|length| Bytes::from(vec![0; length]));
        assert_eq!(
            outbox.put_all(Channel::Replication, &messages),
            Err(Unput::TooLarge { size: 11, limit: 10 })
        );
        assert!(outbox.is_settled());
    }
}
