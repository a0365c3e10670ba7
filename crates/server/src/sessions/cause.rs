//! What caused a publication: the same when an event is handled again because its owner died, so that everybody hears
//! what it caused once.

use std::hash::{DefaultHasher, Hash, Hasher};

use hither_cluster::Key;

use crate::{job::Job, request::RequestId};

fn hash(what: impl Hash) -> u64 {
    // The same on all nodes of one build, which is enough to recognise a repetition. 0 stands for no cause.
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish().max(1)
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
        Self {
            base: hash((session, id)),
            count: 0,
        }
    }

    /// What a client sent in a frame of its WebSocket.
    pub(crate) fn of_frame(session: &Key, socket: u64, frame: u64) -> Self {
        Self {
            base: hash((session, socket, frame)),
            count: 0,
        }
    }

    /// A call of the application.
    pub(crate) fn of(session: &Key, job: &Job) -> Self {
        let base = match job {
            Job::Event { cause, .. } => *cause,
            // Of two copies of a session that both see it end, one is heard.
            Job::Disconnect { socket, .. } => hash((session, socket)),
            _ => rand::random(),
        };
        Self { base, count: 0 }
    }

    /// The next thing that it causes.
    pub(crate) fn next(&mut self) -> u64 {
        self.count += 1;
        hash((self.base, self.count))
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
}
