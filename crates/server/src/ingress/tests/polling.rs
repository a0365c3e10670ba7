use hither_cluster::Key;
use hither_engineio::{Frame, Message, Packet, Refusal};

use super::node::{Asked, Node, SERVICE};
use crate::{
    config::ServerConfig,
    request::{OpenTransport, RequestId, SessionReply, SessionRequest},
};

const OPEN: &str = "EIO=4&transport=polling&t=abc&token=%C3%A4";
const SESSION: &str = "EIO=4&transport=polling&sid=some-session";

fn text(text: &str) -> Frame {
    Frame::encode(&Packet::Message(Message::Text(text.into())))
}

fn pulled(asked: &Asked) -> RequestId {
    match asked.request {
        SessionRequest::Pull {
            id,
            service: SERVICE,
            may_hang: true,
        } => id,
        _ => panic!("not a pull that may hang"),
    }
}

fn pulled_at_once(asked: &Asked) -> RequestId {
    match asked.request {
        SessionRequest::Pull {
            id,
            service: SERVICE,
            may_hang: false,
        } => id,
        _ => panic!("not a pull that is answered at once"),
    }
}

fn cancelled(asked: &Asked) -> RequestId {
    match asked.request {
        SessionRequest::CancelPull { id } => id,
        _ => panic!("not a cancelled pull"),
    }
}

async fn small() -> Node {
    let mut config = ServerConfig::default();
    config.engine.max_payload = 1000;
    Node::with(config).await
}

#[tokio::test]
async fn a_get_opens_a_session_and_brings_what_it_says_first() {
    let mut node = Node::start().await;
    let mut client = node.connect().await;
    client
        .request("GET", OPEN, "Cookie: a=1\r\nCookie: b=2\r\nX-Other: y\r\n")
        .await;
    let asked = node.asked().await;
    let SessionRequest::Open {
        service,
        transport: OpenTransport::Polling,
        handshake,
        ..
    } = &asked.request
    else {
        panic!("not an opening poll")
    };
    assert_eq!(*service, SERVICE);
    assert_eq!(handshake.query(), OPEN);
    assert_eq!(
        handshake.headers,
        [("cookie".into(), "a=1".into()), ("cookie".into(), "b=2".into())]
    );
    assert_eq!(handshake.ingress().map(|node| node.as_str()), Some("node1"));
    assert_eq!(asked.sid, Key::from("minted-0"));
    asked.reply(SessionReply::Opened(vec![
        text("one"),
        Frame::message(Message::Binary("x".into())),
    ]));
    let answer = client.answer().await;
    assert_eq!((answer.status, &*answer.body), (200, "4one\x1ebeA=="));
    assert_eq!(
        answer.header("content-type").as_deref(),
        Some("text/plain; charset=UTF-8")
    );
    assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
}

#[tokio::test]
async fn with_and_without_the_trailing_slash() {
    let mut node = Node::start().await;
    let mut client = node.connect().await;
    client
        .send(format!("GET /engine.io?{OPEN} HTTP/1.1\r\nHost: x\r\n\r\n"))
        .await;
    node.asked().await.reply(SessionReply::Opened(vec![text("one")]));
    assert_eq!(client.answer().await.status, 200);
    client
        .send(format!("GET /other/?{OPEN} HTTP/1.1\r\nHost: x\r\n\r\n"))
        .await;
    assert_eq!(client.answer().await.status, 404);
}

#[tokio::test]
async fn a_poll_waits_for_the_session() {
    let mut node = Node::start().await;
    let mut client = node.connect().await;
    client.request("GET", SESSION, "").await;
    let asked = node.asked().await;
    pulled(&asked);
    assert_eq!(asked.sid, Key::from("some-session"));
    asked.reply(SessionReply::Pulled(vec![text("€")]));
    let answer = client.answer().await;
    assert_eq!((answer.status, &*answer.body), (200, "4€"));
    assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
    assert!(node.was_asked_nothing());
}

#[tokio::test]
async fn when_the_node_leaves_a_hanging_poll_is_asked_again_for_its_answer() {
    let mut node = Node::start().await;
    let mut client = node.connect().await;
    client.request("GET", SESSION, "").await;
    let first = node.asked().await;
    let id = pulled(&first);
    node.leave();
    let again = node.asked().await;
    assert_eq!((pulled_at_once(&again), &again.sid), (id, &first.sid));
    again.reply(SessionReply::Pulled(vec![Frame::noop()]));
    let answer = client.answer().await;
    assert_eq!((answer.status, &*answer.body), (200, "6"));
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
    assert!(
        node.was_asked_nothing(),
        "a poll that was answered is not cancelled"
    );
}

#[tokio::test]
async fn at_a_node_that_leaves_no_poll_hangs_and_all_else_is_served() {
    let mut node = Node::start().await;
    node.leave();
    // Many, for a race would show in some of them only.
    for _ in 0..20 {
        let mut client = node.connect().await;
        client.request("GET", SESSION, "").await;
        let asked = node.asked().await;
        pulled_at_once(&asked);
        asked.reply(SessionReply::Pulled(vec![text("x")]));
        assert_eq!(client.answer().await.status, 200);
    }
    let mut client = node.connect().await;
    client.post(SESSION, "4one").await;
    let asked = node.asked().await;
    assert!(matches!(asked.request, SessionRequest::Push { .. }));
    asked.reply(SessionReply::Done);
    assert_eq!(client.answer().await.status, 200);
    let mut client = node.connect().await;
    client.request("GET", OPEN, "").await;
    let asked = node.asked().await;
    assert!(matches!(asked.request, SessionRequest::Open { .. }));
    asked.reply(SessionReply::Opened(vec![text("one")]));
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn a_post_is_pushed() {
    let mut node = Node::start().await;
    let mut client = node.connect().await;
    client.post(SESSION, "4one\x1e4two").await;
    let asked = node.asked().await;
    let SessionRequest::Push {
        body,
        service: SERVICE,
        ..
    } = &asked.request
    else {
        panic!("not a push")
    };
    assert_eq!(body, "4one\x1e4two");
    asked.reply(SessionReply::Done);
    let answer = client.answer().await;
    assert_eq!((answer.status, &*answer.body), (200, "ok"));
    assert_eq!(answer.header("content-type").as_deref(), Some("text/html"));
    assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
}

#[tokio::test]
async fn a_poll_that_the_client_drops_is_cancelled() {
    let mut node = Node::start().await;
    for query in [SESSION, OPEN] {
        let mut client = node.connect().await;
        client.request("GET", query, "").await;
        let asked = node.asked().await;
        let id = match asked.request {
            SessionRequest::Open { id, .. } => id,
            _ => pulled(&asked),
        };
        drop(client);
        let cancel = node.asked().await;
        assert_eq!((cancelled(&cancel), &cancel.sid), (id, &asked.sid));
    }
}

#[tokio::test]
async fn a_refused_poll_needs_no_cancelling_but_one_without_an_answer_does() {
    let mut node = Node::start().await;
    let mut client = node.connect().await;
    client.request("GET", SESSION, "").await;
    node.asked()
        .await
        .reply(SessionReply::Refused(Refusal::UnknownSid));
    assert_eq!(client.answer().await.status, 400);
    client.request("GET", SESSION, "").await;
    let asked = node.asked().await;
    let id = pulled(&asked);
    drop(asked);
    assert_eq!(client.answer().await.status, 503);
    assert_eq!(cancelled(&node.asked().await), id);
}

#[tokio::test]
async fn a_body_of_just_the_limit_passes() {
    let mut node = small().await;
    let mut client = node.connect().await;
    client.post(SESSION, &"x".repeat(1000)).await;
    let asked = node.asked().await;
    assert!(matches!(&asked.request, SessionRequest::Push { body, .. } if body.len() == 1000));
    asked.reply(SessionReply::Done);
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn a_body_announced_too_large_is_refused_unread() {
    let mut node = small().await;
    let mut client = node.connect().await;
    // Not a byte of it is sent.
    client
        .request(
            "POST",
            SESSION,
            "Content-Length: 1001\r\nExpect: 100-continue\r\n",
        )
        .await;
    let asked = node.asked().await;
    assert!(matches!(
        asked.request,
        SessionRequest::PushTooLarge { service: SERVICE }
    ));
    asked.reply(SessionReply::Done);
    let answer = client.answer().await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn a_body_that_grows_too_large_is_read_no_further() {
    let mut node = small().await;
    let mut client = node.connect().await;
    client
        .request("POST", SESSION, "Transfer-Encoding: chunked\r\n")
        .await;
    client.send(format!("3e9\r\n{}\r\n", "x".repeat(1001))).await;
    // The body has no end, and the answer does not wait for it.
    let asked = node.asked().await;
    assert!(matches!(asked.request, SessionRequest::PushTooLarge { .. }));
    asked.reply(SessionReply::Done);
    let answer = client.answer().await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn a_body_too_large_for_no_session_is_refused_as_the_session_says() {
    let mut node = small().await;
    let mut client = node.connect().await;
    client.request("POST", SESSION, "Content-Length: 1001\r\n").await;
    node.asked()
        .await
        .reply(SessionReply::Refused(Refusal::UnknownSid));
    let answer = client.answer().await;
    assert_eq!(
        (answer.status, &*answer.body),
        (400, &*Refusal::UnknownSid.body())
    );
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
}

#[tokio::test]
async fn a_post_that_breaks_off_is_not_pushed() {
    let mut node = Node::start().await;
    let mut client = node.connect().await;
    client.request("POST", SESSION, "Content-Length: 100\r\n").await;
    client.send("4hello").await;
    drop(client);
    let mut client = node.connect().await;
    client.post(SESSION, "4whole").await;
    let asked = node.asked().await;
    assert!(matches!(&asked.request, SessionRequest::Push { body, .. } if body == "4whole"));
    asked.reply(SessionReply::Done);
    assert_eq!(client.answer().await.status, 200);
    assert!(node.was_asked_nothing());
}
