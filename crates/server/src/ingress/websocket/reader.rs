//! The task that reads a socket.

use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, timeout};
use tracing::{debug, info, warn};

use super::{
    attachment::Attachment,
    decoder::{Batch, Decoder},
    end::SocketEnd,
    io::{LINGER, ReadHalf},
};
use crate::{
    ingress::{Backend, REQUESTS, ShortSid, progress::Progress, why},
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
    /// What is read and not yet handed on.
    batch: Batch,
    /// The number of the next frame.
    next: u64,
    progress: Progress,
}

impl<B: Backend> SocketReader<B> {
    /// `early` are the first bytes, which were read before.
    pub(super) fn new(attachment: Attachment<B>, half: ReadHalf, early: &[u8]) -> Self {
        let engine = &attachment.backend().config().engine;
        let progress = Progress::new(engine.ping_timeout);
        let (mut decoder, mut batch) = (Decoder::new(engine.max_payload), Batch::default());
        decoder.feed(early, &mut batch);
        Self {
            attachment,
            half,
            decoder,
            batch,
            next: 0,
            progress,
        }
    }

    /// Reads until the client, the session or the rules of WebSocket end it. Boxed, for an async function keeps its
    /// arguments twice, and most sockets are idle.
    pub(super) async fn run(mut self: Box<Self>) {
        let end = self.read_to_end().await;
        info!(target: REQUESTS, sid = %ShortSid(self.attachment.sid()), reason = %end, "WebSocket ended");
        self.attachment.end(end.close_code());
        if end != SocketEnd::Lost {
            drain(self.half).await;
        }
    }

    async fn read_to_end(&mut self) -> SocketEnd {
        let hang_up = self.half.hang_up();
        let mut hung_up = pin!(hang_up.wait());
        loop {
            tokio::select! {
                biased;
                () = &mut hung_up => return SocketEnd::HungUp,
                () = poll_fn(|context| self.poll_batch(context)) => {}
            }
            // Boxed, so that an idle socket does not keep room for a request.
            let handing_on = Box::pin(self.hand_on());
            tokio::select! {
                biased;
                () = &mut hung_up => return SocketEnd::HungUp,
                end = handing_on => if let Some(end) = end {
                    return end;
                }
            }
        }
    }

    /// Decodes what has arrived, until there is no more or it is enough for one push.
    fn poll_batch(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Self {
            half,
            decoder,
            batch,
            progress,
            ..
        } = self;
        while !batch.is_full() {
            let read = half.poll_read(context, |bytes| {
                match bytes {
                    [] => batch.end = Some(SocketEnd::Lost),
                    bytes => decoder.feed(bytes, batch),
                }
                bytes.len()
            });
            match read {
                Poll::Ready(Ok(length)) if batch.has_nothing_whole() => {
                    batch.gets_on |= progress.more(length, Instant::now());
                }
                Poll::Ready(Ok(_)) => progress.done(),
                Poll::Ready(Err(error)) => {
                    debug!(%error, "a socket was lost");
                    batch.end = Some(SocketEnd::Lost);
                }
                Poll::Pending if batch.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(())
    }

    /// Gives the lane and the session what is theirs, and says whether that was the end.
    async fn hand_on(&mut self) -> Option<SocketEnd> {
        let batch = std::mem::take(&mut self.batch);
        if batch.gets_on {
            let attachment = &self.attachment;
            self.progress.tell(attachment.backend(), attachment.sid());
        }
        if let Some(payload) = batch.ping {
            let attachment = &self.attachment;
            attachment
                .backend()
                .socket_pinged(attachment.address(), payload)
                .await;
        }
        if !batch.frames.is_empty()
            && let Some(end) = self.push(batch.frames).await
        {
            return Some(end);
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
        // Else the kernel would keep what the client does not take for as long as the client likes.
        half.reset();
    }
}
