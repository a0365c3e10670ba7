//! Messages as bytes.

use serde::{Serialize, de::DeserializeOwned};

use super::node::Records;
use crate::{Message, codec};

/// A message as it is when it was written and read.
pub(super) fn again(message: Message<Records>) -> Message<Records> {
    let bytes = encode(&message);
    let read = decode(&bytes).expect("what was written can be read");
    assert_eq!(format!("{read:?}"), format!("{message:?}"));
    read
}

/// More than any message of the simulation takes.
const LIMIT: usize = 1 << 20;

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let length = codec::encode_into(value, &mut bytes).expect("it can be written");
    assert_eq!(codec::encoded_len(value).ok(), Some(length));
    bytes
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, codec::DecodeError> {
    codec::decode(bytes, LIMIT)
}

mod tests {
    use super::*;
    use crate::{
        Claim, NodeId, Position, ShardId,
        ids::Term,
        lease::Leasing,
        log::{Body, Publication},
        message::{Content, Custody, Intent, Kind, Replication, Topics},
        replica::Replica,
        simulation::node::{Post, Record, Said, Topic},
    };

    const TOPIC: Topic = Topic {
        shard: ShardId(3),
        index: 1,
    };

    fn claim() -> Claim {
        let holder = NodeId::new("o", 7);
        let term = Term::NONE.next(&holder);
        Claim {
            term: term.next(&holder),
            since: term,
            breaks: 0,
            holder,
            standby: Some(NodeId::new("s", 8)),
        }
    }

    fn post() -> Post {
        let said = Said {
            producer: 9,
            sequence: 300,
        };
        Post {
            said,
            topic: TOPIC,
            original: said,
            earlier: Vec::new(),
        }
    }

    fn replica() -> Replica<Records> {
        let mut replica = Replica::default();
        let Claim { term, since, .. } = claim();
        replica.decide(since, Body::Opened);
        replica.decide(since, Body::Record(Record::Number(5)));
        let publication = Publication {
            topic: TOPIC,
            previous: 0,
            producer: 9,
            sequence: 300,
            payload: post(),
        };
        replica.decide(term, Body::Publication(publication));
        replica
    }

    fn about(kind: impl Into<Kind<Records>>) -> Message<Records> {
        Message(Content::Shard(ShardId(3), kind.into()))
    }

    /// Whoever changes one of these changes what nodes of different builds say to each other.
    #[test]
    fn messages_look_as_they_always_did() {
        let since = claim().since;
        let intent = Intent {
            topic: TOPIC,
            producer: 9,
            sequence: 300,
            previous: Some(299),
            payload: post(),
        };
        let install = Replication::Install {
            since,
            replica: replica(),
        };
        let messages = [
            (Message(Content::Leasing(Leasing::Ask { number: 1 })), "010001"),
            (Message(Content::Returned), "02"),
            (
                about(Custody::Announce(claim())),
                "0003000002fd9d203625a6fea07401fd9d203625a6fea07400016f0701017308",
            ),
            (
                about(Topics::Publish(intent)),
                "00030200030109fb2c0101fb2b0109fb2c01030109fb2c0100",
            ),
            (
                about(install),
                "0003010201fd9d203625a6fea074010500030201fd9d203625a6fea0740102fd9d203625a6fea0740303000100050203010009fb2c0109fb2c01030109fb2c010001030103000109fb2c0103",
            ),
        ];
        let written = messages.iter().map(|(message, _)| hex(&encode(message)));
        let expected = messages.iter().map(|(_, hex)| (*hex).to_owned());
        assert_eq!(written.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_copy_is_read_as_it_was_written() {
        let since = claim().since;
        let replica = replica();
        let install = about(Replication::Install {
            since,
            replica: replica.clone(),
        });
        let Message(Content::Shard(_, Kind::Replication(Replication::Install { replica: read, .. }))) =
            again(install)
        else {
            panic!("it is what it was");
        };
        assert_eq!(read.last(), replica.last());
        assert_eq!(read.log().bytes(), replica.log().bytes());
        for number in 0..=3 {
            assert_eq!(read.log().position(number), replica.log().position(number));
        }
        let entries =
            |replica: &Replica<Records>| format!("{:?}", replica.log().range(0, 9).collect::<Vec<_>>());
        assert_eq!(entries(&read), entries(&replica));
        assert_eq!(read.state().numbers, replica.state().numbers);
    }

    #[test]
    fn numbers_that_leave_no_room_are_refused() {
        let at = |number| Position {
            number,
            ..replica().last()
        };
        let message = |number| {
            about(Replication::OutOfStep {
                since: claim().since,
                last: at(number),
            })
        };
        let read = |number| decode::<Message<Records>>(&encode(&message(number)));
        assert!(read(u64::MAX / 2).is_ok());
        let error = read(u64::MAX).unwrap_err().to_string();
        assert!(error.contains("too great"), "{error}");
    }

    #[test]
    fn a_log_whose_terms_do_not_fit_is_refused() {
        let terms = [claim().term, claim().since];
        for parts in [
            // Two entries in a log of one.
            (1u64, vec![(terms[1], 1u64)], vec![0u8, 0]),
            // No term.
            (1, vec![], vec![0]),
            // Terms that go back, and one that begins behind the end.
            (2, vec![(terms[0], 1), (terms[1], 2)], vec![0, 0]),
            (2, vec![(terms[1], 1), (terms[0], 3)], vec![0, 0]),
        ] {
            let log = decode::<crate::log::Log<Records>>(&encode(&parts));
            assert!(log.is_err(), "{parts:?}");
        }
        let fits = (2u64, vec![(terms[1], 1u64), (terms[0], 2)], vec![0u8, 0]);
        let log = decode::<crate::log::Log<Records>>(&encode(&fits)).unwrap();
        assert_eq!(log.last().number(), 2);
    }
}
