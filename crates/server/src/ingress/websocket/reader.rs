//! The task that reads a socket.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use super::{
    attachment::Attachment,
    decoder::{Batch, Decoder},
    end::SocketEnd,
    io::{LINGER, ReadHalf},
};
use crate::{
    ingress::{Backend, REQUESTS, ShortSid, why},
    request::{SessionReply, SessionRequest, SocketFrame},
};

/// How long a session may take to make room for what was read, or may be on its way to another node. The client's
/// heartbeat ends what takes longer.
const PUSH_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads a socket and hands what it reads to the session, one push at a time.
pub(super) struct SocketReader<B: Backend> {
    attachment: Attachment<B>,
    half: ReadHalf,
    decoder: Decoder,
    /// The number of the next frame.
    next: u64,
}

impl<B: Backend> SocketReader<B> {
    pub(super) fn new(attachment: Attachment<B>, half: ReadHalf, max_payload: usize) -> Self {
        Self {
            attachment,
            half,
            decoder: Decoder::new(max_payload),
            next: 0,
        }
    }

    /// Reads until the client, the session or the rules of WebSocket end it. `early` was read before.
    pub(super) async fn run(mut self, early: Bytes) {
        let end = self.read_to_end(early).await;
        info!(target: REQUESTS, sid = %ShortSid(self.attachment.sid()), reason = %end, "WebSocket ended");
        let Self { attachment, half, .. } = self;
        attachment.end(end.close_code());
        if end != SocketEnd::Lost {
            drain(half).await;
        }
    }

    async fn read_to_end(&mut self, early: Bytes) -> SocketEnd {
        let hang_up = self.half.hang_up();
        let mut hung_up = pin!(hang_up.wait());
        let mut batch = Batch::default();
        self.decoder.feed(&early, &mut batch);
        drop(early);
        loop {
            if let Some(end) = self.hand_on(batch, hung_up.as_mut()).await {
                return end;
            }
            batch = tokio::select! {
                biased;
                () = &mut hung_up => return SocketEnd::HungUp,
                batch = poll_fn(|context| self.poll_batch(context)) => batch,
            };
        }
    }

    /// Decodes what has arrived, until there is no more or it is enough for one push.
    fn poll_batch(&mut self, context: &mut Context<'_>) -> Poll<Batch> {
        let Self { half, decoder, .. } = self;
        let mut batch = Batch::default();
        while !batch.is_full() {
            let read = half.poll_read(context, |bytes| match bytes {
                [] => batch.end = Some(SocketEnd::Lost),
                bytes => decoder.feed(bytes, &mut batch),
            });
            match read {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    debug!(%error, "a socket was lost");
                    batch.end = Some(SocketEnd::Lost);
                }
                Poll::Pending if batch.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(batch)
    }

    /// Gives the lane and the session what is theirs, and says whether that was the end.
    async fn hand_on(
        &mut self,
        batch: Batch,
        hung_up: Pin<&mut impl Future<Output = ()>>,
    ) -> Option<SocketEnd> {
        if let Some(payload) = batch.ping {
            let attachment = &self.attachment;
            attachment
                .backend()
                .socket_pinged(attachment.address(), payload)
                .await;
        }
        if !batch.frames.is_empty() {
            let pushed = tokio::select! {
                biased;
                () = hung_up => Some(SocketEnd::HungUp),
                // Boxed, so that an idle socket does not keep room for a request.
                end = Box::pin(self.push(batch.frames)) => end,
            };
            if pushed.is_some() {
                return pushed;
            }
        }
        batch.end
    }

    async fn push(&mut self, frames: Vec<SocketFrame>) -> Option<SocketEnd> {
        let attachment = &self.attachment;
        let sid = attachment.sid();
        let first = self.next;
        self.next += frames.len() as u64;
        debug!(target: REQUESTS, sid = %ShortSid(sid), first, count = frames.len(), "frames");
        let request = SessionRequest::SocketPush {
            socket: attachment.address().clone(),
            first,
            frames,
        };
        match attachment.backend().request(sid, request, PUSH_TIMEOUT).await {
            Ok(SessionReply::Refused(refusal)) => {
                debug!(sid = %ShortSid(sid), %refusal, "frames refused");
                Some(SocketEnd::Refused)
            }
            Ok(_) => None,
            Err(error) => {
                warn!(sid = %ShortSid(sid), reason = why(&error), "frames lost: no answer from the session");
                Some(SocketEnd::OutOfReach)
            }
        }
    }
}

/// Waits for the client to close its side. Closing on top of unread bytes would reset the connection, and the client
/// might lose the last frames.
async fn drain(mut half: ReadHalf) {
    let drained = poll_fn(|context| {
        loop {
            match half.poll_read(context, <[u8]>::is_empty) {
                Poll::Ready(Ok(false)) => {}
                Poll::Ready(Ok(true) | Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    });
    if timeout(LINGER, drained).await.is_err() {
        debug!("a client did not close its side of a socket");
    }
}
