//! The half of a socket that its lane owns.

use std::{collections::VecDeque, io};

use bytes::Bytes;
use hither_engineio::Frame;
use tracing::debug;

use super::{CloseCode, io::WriteHalf, wire::WireFrame};

/// Most bytes put together for one write. More than a socket's buffer takes at once would be copied in vain.
const CHUNK_BYTES: usize = 64 << 10;

/// How far a write got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteOutcome {
    /// The system has all that the writer was given.
    Written,
    /// The writer keeps a rest: await [`SocketWriter::wait_writable`], then call [`SocketWriter::resume`].
    Blocked,
    /// The socket is lost, or closed. Drop the writer.
    Failed,
}

/// Writes frames to a socket without ever waiting. Dropped, it closes the socket.
///
/// `scratch`, where frames are put together for a write, is lent by the lane, so that an idle writer holds no buffer.
#[derive(Debug)]
pub(crate) struct SocketWriter {
    /// None once it is closed.
    half: Option<WriteHalf>,
    rest: Option<Box<Rest>>,
}

/// What the socket would not take.
#[derive(Debug)]
struct Rest {
    frames: VecDeque<WireFrame>,
    /// Bytes of the first frame that are written.
    skipped: usize,
}

impl SocketWriter {
    pub(super) fn new(half: WriteHalf) -> Self {
        Self {
            half: Some(half),
            rest: None,
        }
    }

    /// Writes packets, all in one write if the socket takes them.
    ///
    /// What it does not take is kept, so give no more before the outcome is [`WriteOutcome::Written`] again: what is
    /// given meanwhile is kept, too, and nothing bounds it.
    pub(crate) fn write(&mut self, frames: &[Frame], scratch: &mut Vec<u8>) -> WriteOutcome {
        let frames = frames.iter().map(WireFrame::packet);
        if let Some(rest) = &mut self.rest {
            rest.frames.extend(frames.map(WireFrame::into_owned));
            return WriteOutcome::Blocked;
        }
        self.send(frames, 0, scratch)
    }

    /// Goes on with what the socket would not take.
    pub(crate) fn resume(&mut self, scratch: &mut Vec<u8>) -> WriteOutcome {
        let Some(rest) = self.rest.take() else {
            return if self.half.is_some() {
                WriteOutcome::Written
            } else {
                WriteOutcome::Failed
            };
        };
        self.send(rest.frames.iter().map(WireFrame::borrowed), rest.skipped, scratch)
    }

    /// Completes when a blocked socket is worth another try, or is closed.
    pub(crate) fn wait_writable(&self) -> impl Future<Output = ()> + Send + use<> {
        let writable = self.half.as_ref().map(WriteHalf::writable);
        async {
            if let Some(writable) = writable {
                writable.await;
            }
        }
    }

    /// Answers a ping of the client. On a blocked socket the latest ping is answered, once it takes something again
    /// (RFC 6455, 5.5.3), so that pings cannot pile up answers.
    pub(crate) fn pong(&mut self, payload: Bytes, scratch: &mut Vec<u8>) -> WriteOutcome {
        let pong = WireFrame::pong(payload);
        let Some(rest) = &mut self.rest else {
            return self.send(std::iter::once(pong.borrowed()), 0, scratch);
        };
        let is_started = rest.frames.len() == 1 && rest.skipped > 0;
        if !is_started && rest.frames.back().is_some_and(WireFrame::is_pong) {
            rest.frames.pop_back();
        }
        rest.frames.push_back(pong);
        WriteOutcome::Blocked
    }

    /// Says goodbye and closes the socket. A blocked socket loses what it would not take, and the goodbye.
    pub(crate) fn close(&mut self, code: CloseCode) {
        if let Some(half) = self.half.take()
            && self.rest.take().is_none()
        {
            let close = WireFrame::close(code);
            let mut bytes = Vec::with_capacity(close.len());
            close.write(0, usize::MAX, &mut bytes);
            // Whoever does not take it sees the connection end.
            if let Err(error) = half.try_write(&bytes) {
                debug!(%error, "no room for a close frame");
            }
        }
    }

    fn send<'a>(
        &mut self,
        frames: impl Iterator<Item = WireFrame<&'a Bytes>> + Clone,
        skipped: usize,
        scratch: &mut Vec<u8>,
    ) -> WriteOutcome {
        let Some(half) = &self.half else {
            return WriteOutcome::Failed;
        };
        let mut unsent = Unsent { frames, skipped };
        loop {
            scratch.clear();
            unsent.copy(CHUNK_BYTES, scratch);
            if scratch.is_empty() {
                return WriteOutcome::Written;
            }
            let written = match half.try_write(scratch) {
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) => {
                    debug!(%error, "a socket was lost");
                    self.half = None;
                    return WriteOutcome::Failed;
                }
            };
            unsent.advance(written);
            if written < scratch.len() {
                self.rest = Some(Box::new(unsent.keep()));
                return WriteOutcome::Blocked;
            }
        }
    }
}

/// A place in a run of frames.
struct Unsent<I> {
    frames: I,
    /// Bytes of the first frame that are written.
    skipped: usize,
}

impl<'a, I: Iterator<Item = WireFrame<&'a Bytes>> + Clone> Unsent<I> {
    /// Appends at most `limit` bytes of it to `buffer`.
    fn copy(&self, limit: usize, buffer: &mut Vec<u8>) {
        let mut skipped = self.skipped;
        for frame in self.frames.clone() {
            if buffer.len() >= limit {
                break;
            }
            frame.write(skipped, limit - buffer.len(), buffer);
            skipped = 0;
        }
    }

    fn advance(&mut self, written: usize) {
        self.skipped += written;
        let mut ahead = self.frames.clone();
        while let Some(frame) = ahead.next()
            && frame.len() <= self.skipped
        {
            self.skipped -= frame.len();
            self.frames = ahead.clone();
        }
    }

    fn keep(self) -> Rest {
        Rest {
            frames: self.frames.map(WireFrame::into_owned).collect(),
            skipped: self.skipped,
        }
    }
}
