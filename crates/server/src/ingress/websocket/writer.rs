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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingress::websocket::io::{ReadHalf, split_tcp};
    use hither_engineio::{Message, Packet};
    use proptest::prelude::*;
    use socket2::SockRef;
    use std::time::Duration;
    use tokio::{
        io::AsyncReadExt,
        net::{TcpListener, TcpStream},
        time::timeout,
    };

    const PATIENCE: Duration = Duration::from_secs(10);

    /// A writer whose socket takes little at a time, and its client.
    async fn narrow() -> (SocketWriter, ReadHalf, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        SockRef::from(&server).set_send_buffer_size(4096).unwrap();
        let (read, write) = split_tcp(server);
        (SocketWriter::new(write), read, client)
    }

    fn frames() -> Vec<Frame> {
        let binary = (0..CHUNK_BYTES * 5)
            .map(|at| (at / 251) as u8)
            .collect::<Vec<u8>>();
        let text = "€uro ".repeat(20_000);
        let mut frames = vec![Frame::message(Message::Binary(binary.into()))];
        frames.extend((0..500).map(|number| Frame::encode(&Packet::Ping(number.to_string().into()))));
        frames.push(Frame::message(Message::Text(text.into())));
        frames
    }

    fn wire(frames: &[Frame]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for frame in frames {
            WireFrame::packet(frame).write(0, usize::MAX, &mut bytes);
        }
        bytes
    }

    async fn receive(client: &mut TcpStream, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        timeout(PATIENCE, client.read_exact(&mut bytes))
            .await
            .unwrap()
            .unwrap();
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn however_little_is_written_at_a_time_nothing_is_lost_or_doubled(
            lens in prop::collection::vec(0usize..200, 0..8),
            taken in prop::collection::vec(1usize..150, 1..8),
            limit in 1usize..300,
        ) {
            let message = |(number, &len)| Frame::message(Message::Binary(vec![number as u8; len].into()));
            let frames: Vec<Frame> = lens.iter().enumerate().map(message).collect();
            let mut unsent = Unsent { frames: frames.iter().map(WireFrame::packet), skipped: 0 };
            let (mut written, mut chunk) = (Vec::<u8>::new(), Vec::new());
            for taken in taken.iter().cycle() {
                chunk.clear();
                unsent.copy(limit, &mut chunk);
                prop_assert!(chunk.len() <= limit);
                let taken = chunk.len().min(*taken);
                if taken == 0 {
                    break;
                }
                written.extend(&chunk[..taken]);
                unsent.advance(taken);
            }
            prop_assert_eq!(written, wire(&frames));
        }
    }

    #[tokio::test]
    async fn what_a_slow_client_takes_bit_by_bit_arrives_whole_and_in_order() {
        let (mut writer, _read, mut client) = narrow().await;
        let (mut scratch, frames) = (Vec::new(), frames());
        let expected = wire(&frames);
        let len = expected.len();
        let reading = tokio::spawn(async move { receive(&mut client, len).await });
        let mut outcome = writer.write(&frames, &mut scratch);
        assert_eq!(outcome, WriteOutcome::Blocked);
        while outcome == WriteOutcome::Blocked {
            assert!(scratch.len() <= CHUNK_BYTES);
            timeout(PATIENCE, writer.wait_writable()).await.unwrap();
            outcome = writer.resume(&mut scratch);
        }
        assert_eq!(outcome, WriteOutcome::Written);
        assert!(reading.await.unwrap() == expected, "the bytes differ");
    }

    #[tokio::test]
    async fn a_blocked_socket_answers_the_latest_ping_after_what_it_owes() {
        let (mut writer, _read, mut client) = narrow().await;
        let (mut scratch, frames) = (Vec::new(), frames());
        assert_eq!(writer.write(&frames, &mut scratch), WriteOutcome::Blocked);
        for payload in ["first", "second", "third"] {
            assert_eq!(writer.pong(payload.into(), &mut scratch), WriteOutcome::Blocked);
        }
        assert_eq!(writer.write(&frames[1..2], &mut scratch), WriteOutcome::Blocked);
        let mut expected = wire(&frames);
        WireFrame::pong("third".into()).write(0, usize::MAX, &mut expected);
        expected.extend(wire(&frames[1..2]));
        let len = expected.len();
        let reading = tokio::spawn(async move { receive(&mut client, len).await });
        while writer.resume(&mut scratch) == WriteOutcome::Blocked {
            timeout(PATIENCE, writer.wait_writable()).await.unwrap();
        }
        assert!(reading.await.unwrap() == expected, "the bytes differ");
    }

    #[tokio::test]
    async fn closing_says_goodbye_and_hangs_up() {
        let (mut writer, read, mut client) = narrow().await;
        writer.close(CloseCode::Away);
        timeout(PATIENCE, read.hang_up().wait()).await.unwrap();
        let mut bytes = Vec::new();
        timeout(PATIENCE, client.read_to_end(&mut bytes))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(bytes, [0x88, 2, 0x03, 0xe9]);
        assert_eq!(writer.write(&frames(), &mut Vec::new()), WriteOutcome::Failed);
        assert_eq!(writer.resume(&mut Vec::new()), WriteOutcome::Failed);
    }

    #[tokio::test]
    async fn closing_a_blocked_socket_ends_the_wait_and_sends_no_half_frame_as_a_goodbye() {
        let (mut writer, _read, mut client) = narrow().await;
        let frames = frames();
        assert_eq!(writer.write(&frames, &mut Vec::new()), WriteOutcome::Blocked);
        let waiting = writer.wait_writable();
        writer.close(CloseCode::Away);
        timeout(PATIENCE, waiting).await.unwrap();
        let mut bytes = Vec::new();
        timeout(PATIENCE, client.read_to_end(&mut bytes))
            .await
            .unwrap()
            .unwrap();
        assert!(wire(&frames).starts_with(&bytes));
    }

    #[tokio::test]
    async fn a_lost_socket_fails() {
        let (mut writer, _read, client) = narrow().await;
        SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        let (mut scratch, frames) = (Vec::new(), frames());
        let mut outcome = writer.write(&frames, &mut scratch);
        while outcome == WriteOutcome::Blocked {
            timeout(PATIENCE, writer.wait_writable()).await.unwrap();
            outcome = writer.resume(&mut scratch);
        }
        assert_eq!(outcome, WriteOutcome::Failed);
    }
}
