//! What caused a publication: the same when an event is handled again because its owner died, so that everybody hears
//! what it caused once.

use hither_cluster::{Key, StableHash};

use crate::{job::Job, request::RequestId};

/// What causes something. Each is hashed as another beginning, so that no two kinds are taken for each other.
#[derive(Clone, Copy)]
enum Kind {
    Push = 1,
    Frame = 2,
    Disconnect = 3,
    Next = 4,
}

fn hash(kind: Kind) -> StableHash {
    StableHash::new().number(kind as u64)
}

/// 0 stands for no cause.
fn cause(hash: &StableHash) -> u64 {
    hash.finish().max(1)
}

/// Counts what comes of one cause.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cause {
    base: u64,
    count: u64,
}

impl Cause {
    /// What a client posted.
    pub(crate) fn of_push(session: &Key, id: RequestId) -> Self {
        let push = hash(Kind::Push).text(session.as_str()).number(id.0);
        Self::from(&push)
    }

    /// What a client sent in a frame of its WebSocket.
    pub(crate) fn of_frame(session: &Key, socket: u64, frame: u64) -> Self {
        let frame = hash(Kind::Frame)
            .text(session.as_str())
            .number(socket)
            .number(frame);
        Self::from(&frame)
    }

    /// A call of the application.
    pub(crate) fn of(session: &Key, job: &Job) -> Self {
        match job {
            Job::Event { cause, .. } => Self {
                base: *cause,
                count: 0,
            },
            // Of two copies of a session that both see it end, one is heard.
            Job::Disconnect { socket, .. } => Self::from(
                &hash(Kind::Disconnect)
                    .text(session.as_str())
                    .text(socket.as_str()),
            ),
            _ => Self {
                base: rand::random(),
                count: 0,
            },
        }
    }

    /// The next thing that it causes.
    pub(crate) fn next(&mut self) -> u64 {
        self.count += 1;
        cause(&hash(Kind::Next).number(self.base).number(self.count))
    }
}

impl From<&StableHash> for Cause {
    fn from(hash: &StableHash) -> Self {
        Self {
            base: cause(hash),
            count: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repetition_causes_the_same_and_nothing_else_does() {
        let session = Key::from("session");
        let mut first = Cause::of_frame(&session, 1, 7);
        let mut again = Cause::of_frame(&session, 1, 7);
        let caused = [first.next(), first.next()];
        assert_eq!(caused, [again.next(), again.next()]);
        assert_ne!(caused[0], caused[1]);
        assert_ne!(Cause::of_frame(&session, 1, 8).next(), caused[0]);
        assert_ne!(Cause::of_push(&session, RequestId(7)).next(), caused[0]);
    }

    /// Nodes compare causes, also nodes of different builds.
    #[test]
    fn the_causes_are_what_they_have_always_been() {
        let session = Key::from("session");
        assert_eq!(Cause::of_frame(&session, 1, 7).next(), 0x8707_2435_2f6b_b90a);
        assert_eq!(
            Cause::of_push(&session, RequestId(7)).next(),
            0xeaa7_58e7_7b09_0e4f
        );
    }
}
