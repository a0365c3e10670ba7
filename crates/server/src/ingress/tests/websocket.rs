use std::{io::ErrorKind, time::Duration};

use hither_cluster::{Key, RequestError};
use hither_engineio::{Frame, Message, Packet, Refusal};
use socket2::SockRef;
use tokio::{io::AsyncWriteExt, time::timeout};

use super::{
    client::{BINARY, CLOSE, Client, PING, PONG, TEXT, UPGRADE, frame},
    node::{Asked, Node, SERVICE, SocketEvent},
    soon,
};
use crate::{
    config::ServerConfig,
    ingress::{CloseCode, SocketWriter, WriteOutcome},
    request::{OpenTransport, SessionReply, SessionRequest, SocketAddress, SocketFrame},
};

const OPEN: &str = "EIO=4&transport=websocket";
const ATTACH: &str = "EIO=4&transport=websocket&sid=some-session";

/// A socket at whose ends the test sits.
struct Socket {
    client: Client,
    address: SocketAddress,
    writer: SocketWriter,
}

impl Socket {
    async fn open(node: &mut Node) -> Self {
        let mut client = node.connect().await;
        client.request("GET", ATTACH, UPGRADE).await;
        node.asked().await.reply(SessionReply::Done);
        assert_eq!(client.answer().await.status, 101);
        let SocketEvent::Opened(address, writer) = node.event().await else {
            panic!("not open")
        };
        Self {
            client,
            address,
            writer,
        }
    }
}

/// What was pushed: the number of the first frame, and all of them as text.
fn pushed(asked: &Asked) -> (u64, Vec<String>) {
    let SessionRequest::SocketPush { first, frames, .. } = &asked.request else {
        panic!("not a push")
    };
    let show = |frame: &SocketFrame| match frame {
        SocketFrame::Text(text) => format!("text {text}"),
        SocketFrame::Binary(bytes) => format!("binary {bytes:?}"),
    };
    (*first, frames.iter().map(show).collect())
}

fn code(payload: &[u8]) -> CloseCode {
    CloseCode::from(u16::from_be_bytes(payload[..2].try_into().unwrap()))
}

async fn small() -> Node {
    let mut config = ServerConfig::default();
    config.engine.max_payload = 1000;
    Node::with(config).await
}

#[tokio::test]
async fn a_session_opens_on_a_websocket_once_it_has_agreed() {
    let mut node = Node::start().await;
    let mut client = node.connect().await;
    let headers = format!("{UPGRADE}User-Agent: test\r\nSec-WebSocket-Protocol: chat, superchat\r\n");
    client.request("GET", OPEN, &headers).await;
    let asked = node.asked().await;
    let SessionRequest::Open {
        service,
        transport: OpenTransport::WebSocket(socket),
        handshake,
        ..
    } = &asked.request
    else {
        panic!("not an opening WebSocket")
    };
    assert_eq!((*service, &asked.sid), (SERVICE, &Key::from("minted-0")));
    assert_eq!(
        (handshake.query(), handshake.header("user-agent")),
        (OPEN, Some("test"))
    );
    let socket = socket.clone();
    assert!(node.heard_nothing());
    asked.reply(SessionReply::Opened(Vec::new()));
    let answer = client.answer().await;
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("upgrade").as_deref(), Some("websocket"));
    assert_eq!(
        answer.header("sec-websocket-accept").as_deref(),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    assert_eq!(answer.header("sec-websocket-protocol").as_deref(), Some("chat"));
    let SocketEvent::Opened(address, _writer) = node.event().await else {
        panic!("not open")
    };
    assert_eq!(address, socket);
}

#[tokio::test]
async fn a_websocket_attaches_to_a_session() {
    let mut node = Node::start().await;
    let mut client = node.connect().await;
    client.request("GET", ATTACH, UPGRADE).await;
    let asked = node.asked().await;
    assert_eq!(asked.sid, Key::from("some-session"));
    assert!(matches!(
        asked.request,
        SessionRequest::Attach { service: SERVICE, .. }
    ));
    asked.reply(SessionReply::Done);
    assert_eq!(client.answer().await.status, 101);
}

#[tokio::test]
async fn what_a_session_refuses_never_becomes_a_socket() {
    let mut node = Node::start().await;
    for query in [OPEN, ATTACH] {
        let mut client = node.connect().await;
        client.request("GET", query, UPGRADE).await;
        node.asked()
            .await
            .reply(SessionReply::Refused(Refusal::UnknownSid));
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.body), (400, Refusal::UnknownSid.body()));
        assert_eq!(client.rest().await, b"");
        assert!(matches!(node.event().await, SocketEvent::Ended(_, None)));
    }
    node.idle().await;
    assert!(
        node.was_asked_nothing(),
        "a session that refused a socket is not told that it is gone"
    );
}

#[tokio::test]
async fn a_session_that_may_have_taken_the_socket_is_told_that_it_is_gone() {
    let mut node = Node::start().await;
    let mut client = node.connect().await;
    client.request("GET", OPEN, UPGRADE).await;
    let asked = node.asked().await;
    let error = RequestError::Overloaded(asked.sid.clone());
    asked.fail(error);
    assert_eq!(client.answer().await.status, 503);
    assert_eq!(node.ended().await, None);
}

#[tokio::test]
async fn a_client_that_leaves_before_the_socket_opens_is_gone() {
    let mut node = Node::start().await;
    let mut client = node.connect().await;
    client.request("GET", OPEN, UPGRADE).await;
    let _asked = node.asked().await;
    drop(client);
    assert_eq!(node.ended().await, None);
    node.idle().await;
}

async fn talk(mut node: Node) {
    let Socket {
        mut client,
        address,
        mut writer,
    } = Socket::open(&mut node).await;
    client.frame(TEXT, "2probe").await;
    let asked = node.asked().await;
    assert_eq!(pushed(&asked), (0, vec!["text 2probe".into()]));
    assert!(matches!(&asked.request, SessionRequest::SocketPush { socket, .. } if *socket == address));
    asked.reply(SessionReply::Done);
    client.frame(BINARY, [1, 2]).await;
    let asked = node.asked().await;
    assert_eq!(pushed(&asked), (1, vec![r#"binary b"\x01\x02""#.into()]));
    asked.reply(SessionReply::Done);

    let large = vec![7; 300_000];
    let frames = [
        Frame::encode(&Packet::Message(Message::Text("hello".into()))),
        Frame::message(Message::Binary(large.clone().into())),
    ];
    let mut scratch = Vec::new();
    let writing = async {
        let mut outcome = writer.write(&frames, &mut scratch);
        while outcome == WriteOutcome::Blocked {
            writer.wait_writable().await;
            outcome = writer.resume(&mut scratch);
        }
        outcome
    };
    let (outcome, received) = tokio::join!(soon(writing), async {
        [client.receive().await, client.receive().await]
    });
    assert_eq!(outcome, WriteOutcome::Written);
    assert!(
        received == [(TEXT, b"4hello".to_vec()), (BINARY, large)],
        "not what was written"
    );

    writer.close(CloseCode::Away);
    let (first, payload) = client.receive().await;
    assert_eq!((first, code(&payload)), (CLOSE, CloseCode::Away));
    assert_eq!(client.rest().await, b"");
    assert_eq!(node.ended().await, None);
    drop(client);
    node.idle().await;
}

#[tokio::test]
async fn both_sides_talk() {
    talk(Node::start().await).await;
}

#[tokio::test]
async fn both_sides_talk_over_a_stream_that_is_no_plain_tcp() {
    talk(Node::behind_stream().await).await;
}

#[tokio::test]
async fn what_a_hasty_client_sent_along_with_its_request_comes_first() {
    let mut node = Node::start().await;
    let mut client = node.connect().await;
    let hasty = [frame(TEXT, "one"), frame(TEXT, "two")].concat();
    let (early, late) = hasty.split_at(12);
    let request = format!("GET /engine.io/?{ATTACH} HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n");
    client.send([request.as_bytes(), early].concat()).await;
    node.asked().await.reply(SessionReply::Done);
    assert_eq!(client.answer().await.status, 101);
    let asked = node.asked().await;
    assert_eq!(pushed(&asked), (0, vec!["text one".into()]));
    asked.reply(SessionReply::Done);
    client.send(late).await;
    assert_eq!(pushed(&node.asked().await), (1, vec!["text two".into()]));
}

#[tokio::test]
async fn fragments_make_one_message_and_control_frames_may_come_between() {
    let mut node = Node::start().await;
    let mut socket = Socket::open(&mut node).await;
    for (first, payload) in [
        (0x01, "4he"),
        (0x00, "ll"),
        (PING, "beat"),
        (PONG, ""),
        (0x80, "o"),
    ] {
        socket.client.frame(first, payload).await;
    }
    let SocketEvent::Pinged(address, payload) = node.event().await else {
        panic!("no ping")
    };
    assert_eq!((address, &*payload), (socket.address, &b"beat"[..]));
    assert_eq!(pushed(&node.asked().await), (0, vec!["text 4hello".into()]));
    socket.writer.pong(payload, &mut Vec::new());
    assert_eq!(socket.client.receive().await, (PONG, b"beat".to_vec()));
}

#[tokio::test]
async fn one_push_at_a_time_and_all_that_came_meanwhile_in_the_next() {
    let mut node = Node::start().await;
    let mut socket = Socket::open(&mut node).await;
    socket.client.frame(TEXT, "one").await;
    let first = node.asked().await;
    socket
        .client
        .send([frame(TEXT, "two"), frame(BINARY, ""), frame(TEXT, "three")].concat())
        .await;
    // The server has time for others, and takes nothing of this client.
    let mut other = node.connect().await;
    other.request("GET", "EIO=4&transport=flash", "").await;
    assert_eq!(other.answer().await.status, 400);
    assert!(node.was_asked_nothing());
    assert_eq!(pushed(&first), (0, vec!["text one".into()]));
    first.reply(SessionReply::Done);
    let second = node.asked().await;
    let all = ["text two", r#"binary b"""#, "text three"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(pushed(&second), (1, all));
    second.reply(SessionReply::Done);
    socket.client.frame(TEXT, "four").await;
    assert_eq!(pushed(&node.asked().await), (4, vec!["text four".into()]));
}

#[tokio::test]
async fn a_busy_session_stops_its_client() {
    const MUCH: usize = 64 << 20;
    let mut node = Node::start().await;
    let socket = Socket::open(&mut node).await;
    let message = frame(BINARY, vec![0; 10_000]);
    let mut sent = 0;
    while sent < MUCH {
        let rest = &message[sent % message.len()..];
        match socket.client.stream.try_write(rest) {
            Ok(len) => sent += len,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        if timeout(Duration::from_millis(500), socket.client.stream.writable())
            .await
            .is_err()
        {
            break;
        }
    }
    assert!(sent < MUCH, "a client could send without end");
    let asked = node.asked().await;
    assert!(node.was_asked_nothing());
    let SessionRequest::SocketPush { frames, .. } = &asked.request else {
        panic!("not a push")
    };
    assert!(
        frames.len() <= 20,
        "{} messages of 10 kB in one push",
        frames.len()
    );
}

#[tokio::test]
async fn who_breaks_the_rules_is_told_which_and_loses_the_socket() {
    let mut unmasked = frame(TEXT, "4hello");
    unmasked[1] &= 0x7F;
    let breaches = [
        (frame(TEXT, vec![b'x'; 1001]), CloseCode::Size),
        (frame(TEXT, b"4\xFF"), CloseCode::Invalid),
        (frame(0x83, ""), CloseCode::Protocol),
        (frame(0xC1, "4compressed"), CloseCode::Protocol),
        (frame(0x80, "continues nothing"), CloseCode::Protocol),
        (unmasked, CloseCode::Protocol),
    ];
    let mut node = small().await;
    for (breach, expected) in breaches {
        let mut socket = Socket::open(&mut node).await;
        socket
            .client
            .send([frame(TEXT, "4before"), breach, frame(TEXT, "4after")].concat())
            .await;
        let asked = node.asked().await;
        assert_eq!(pushed(&asked), (0, vec!["text 4before".into()]));
        asked.reply(SessionReply::Done);
        assert_eq!(node.ended().await, Some(expected));
        socket.writer.close(expected);
        let (first, payload) = socket.client.receive().await;
        assert_eq!((first, code(&payload)), (CLOSE, expected));
        assert_eq!(socket.client.rest().await, b"");
    }
    node.idle().await;
}

#[tokio::test]
async fn who_sends_too_much_still_reads_why() {
    let mut node = small().await;
    let Socket {
        client, mut writer, ..
    } = Socket::open(&mut node).await;
    let (reading, mut sending) = client.stream.into_split();
    let flood = tokio::spawn(async move {
        sending.write_all(&frame(BINARY, vec![0; 4 << 20])).await.unwrap();
        sending
    });
    assert_eq!(node.ended().await, Some(CloseCode::Size));
    writer.close(CloseCode::Size);
    // Nobody wants the flood, and yet the connection is not reset, which could cost the client the frame.
    let stream = reading.reunite(soon(flood).await.unwrap()).unwrap();
    let mut client = Client { stream };
    let (first, payload) = client.receive().await;
    assert_eq!((first, code(&payload)), (CLOSE, CloseCode::Size));
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn closing_a_blocked_stream_ends_the_wait() {
    let mut node = Node::behind_stream().await;
    let Socket {
        client: _deaf,
        mut writer,
        ..
    } = Socket::open(&mut node).await;
    let frames = [Frame::message(Message::Binary(vec![0; 64 << 20].into()))];
    let mut outcome = writer.write(&frames, &mut Vec::new());
    // Blocked for good, once the system's buffers are full.
    while timeout(Duration::from_millis(300), writer.wait_writable())
        .await
        .is_ok()
    {
        outcome = writer.resume(&mut Vec::new());
    }
    assert_eq!(outcome, WriteOutcome::Blocked);
    let waiting = writer.wait_writable();
    writer.close(CloseCode::Away);
    timeout(Duration::from_secs(10), waiting)
        .await
        .expect("the wait goes on");
    assert_eq!(node.ended().await, None);
    node.idle().await;
}

#[tokio::test]
async fn a_close_frame_is_answered_after_what_came_before() {
    let mut node = Node::start().await;
    for (payload, expected) in [(&b"\x03\xE8bye"[..], CloseCode::Normal), (b"", CloseCode::Status)] {
        let mut socket = Socket::open(&mut node).await;
        socket
            .client
            .send([frame(TEXT, "1"), frame(CLOSE, payload)].concat())
            .await;
        let asked = node.asked().await;
        assert_eq!(pushed(&asked), (0, vec!["text 1".into()]));
        asked.reply(SessionReply::Done);
        assert_eq!(node.ended().await, Some(expected));
        socket.writer.close(expected);
        assert_eq!(
            socket.client.receive().await,
            (CLOSE, payload[..payload.len().min(2)].to_vec())
        );
        assert_eq!(socket.client.rest().await, b"");
    }
}

#[tokio::test]
async fn a_connection_that_is_lost_ends_the_socket() {
    let mut node = Node::start().await;
    let socket = Socket::open(&mut node).await;
    drop(socket.client);
    assert_eq!(node.ended().await, None);
    let socket = Socket::open(&mut node).await;
    SockRef::from(&socket.client.stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(socket.client);
    assert_eq!(node.ended().await, None);
    node.idle().await;
}

#[tokio::test]
async fn a_session_that_does_not_take_frames_loses_the_socket() {
    let mut node = Node::start().await;
    let mut socket = Socket::open(&mut node).await;
    socket.client.frame(TEXT, "4x").await;
    node.asked()
        .await
        .reply(SessionReply::Refused(Refusal::UnknownSid));
    assert_eq!(node.ended().await, Some(CloseCode::Normal));
    let mut socket = Socket::open(&mut node).await;
    socket.client.frame(TEXT, "4x").await;
    let asked = node.asked().await;
    let error = RequestError::TimedOut {
        key: asked.sid.clone(),
        obstacle: "no owner",
    };
    asked.fail(error);
    assert_eq!(node.ended().await, Some(CloseCode::Error));
}

#[tokio::test]
async fn a_lane_that_drops_its_half_ends_the_socket_even_while_a_push_waits() {
    let mut node = Node::start().await;
    let mut socket = Socket::open(&mut node).await;
    socket.client.frame(TEXT, "4x").await;
    let _asked = node.asked().await;
    drop(socket.writer);
    assert_eq!(node.ended().await, None);
    assert_eq!(socket.client.rest().await, b"");
    // The client does not close its side, and still nothing is left of the socket.
    node.idle().await;
}
