use hither_cluster::{Key, RequestError};
use hither_engineio::Refusal;

use super::{
    client::UPGRADE,
    node::{MADE_UP, Node},
};
use crate::request::{SessionReply, SessionRequest};

#[tokio::test]
async fn what_needs_no_session_to_be_refused() {
    let mut node = Node::start().await;
    let refused = [
        ("GET", "", Refusal::UnknownTransport),
        ("GET", "EIO=4", Refusal::UnknownTransport),
        ("GET", "EIO=4&transport=", Refusal::UnknownTransport),
        ("GET", "EIO=4&transport=Polling", Refusal::UnknownTransport),
        (
            "GET",
            "EIO=4&transport=polling&transport=flash",
            Refusal::UnknownTransport,
        ),
        (
            "GET",
            "EIO=4&transport=webtransport&sid=x",
            Refusal::UnknownTransport,
        ),
        ("GET", "transport=polling", Refusal::UnsupportedProtocolVersion),
        (
            "GET",
            "EIO=3&transport=polling",
            Refusal::UnsupportedProtocolVersion,
        ),
        (
            "GET",
            "EIO=5&transport=polling",
            Refusal::UnsupportedProtocolVersion,
        ),
        ("POST", "EIO=4&transport=polling", Refusal::BadHandshakeMethod),
        ("PUT", "EIO=4&transport=polling", Refusal::BadHandshakeMethod),
        ("OPTIONS", "EIO=4&transport=polling", Refusal::BadHandshakeMethod),
        (
            "POST",
            "EIO=4&transport=polling&sid=",
            Refusal::BadHandshakeMethod,
        ),
        ("POST", "EIO=4&transport=websocket", Refusal::BadHandshakeMethod),
        ("GET", "EIO=4&transport=websocket", Refusal::BadRequest),
        ("GET", "EIO=4&transport=websocket&sid=x", Refusal::BadRequest),
        ("PUT", "EIO=4&transport=polling&sid=x", Refusal::BadRequest),
        ("DELETE", "EIO=4&transport=polling&sid=x", Refusal::BadRequest),
        ("OPTIONS", "EIO=4&transport=polling&sid=x", Refusal::BadRequest),
        ("GET", "EIO=4&transport=polling&sid=made-up", Refusal::UnknownSid),
        (
            "GET",
            "EIO=4&transport=websocket&sid=made-up",
            Refusal::UnknownSid,
        ),
    ];
    let mut client = node.connect().await;
    for (method, query, refusal) in refused {
        client.request(method, query, "").await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 400, "{method} {query}");
        assert_eq!(answer.body, refusal.body(), "{method} {query}");
        assert_eq!(answer.header("content-type").as_deref(), Some("application/json"));
    }
    assert!(node.was_asked_nothing());
}

#[tokio::test]
async fn a_body_for_a_made_up_session_is_not_read() {
    let mut node = Node::start().await;
    let mut client = node.connect().await;
    let query = format!("EIO=4&transport=polling&sid={MADE_UP}");
    // The body never comes.
    client
        .request("POST", &query, "Content-Length: 1000000\r\n")
        .await;
    let answer = client.answer().await;
    assert_eq!(
        (answer.status, &*answer.body),
        (400, &*Refusal::UnknownSid.body())
    );
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
    assert!(node.was_asked_nothing());
}

#[tokio::test]
async fn a_head_request_takes_no_packets() {
    let mut node = Node::start().await;
    let mut client = node.connect().await;
    client
        .request("HEAD", "EIO=4&transport=polling&sid=x", "Connection: close\r\n")
        .await;
    assert!(client.rest().await.starts_with(b"HTTP/1.1 400 "));
    assert!(node.was_asked_nothing());
}

#[tokio::test]
async fn a_refused_upgrade_is_answered_and_never_served_as_a_poll() {
    let mut node = Node::start().await;
    let without = |line: &str| {
        UPGRADE
            .split_inclusive("\r\n")
            .filter(|l| !l.starts_with(line))
            .collect()
    };
    let refused: [(&str, &str, String, Refusal); 8] = [
        (
            "GET",
            "EIO=4&transport=polling",
            UPGRADE.to_owned(),
            Refusal::BadRequest,
        ),
        (
            "GET",
            "EIO=4&transport=polling&sid=x",
            UPGRADE.to_owned(),
            Refusal::BadRequest,
        ),
        (
            "GET",
            "EIO=4&transport=flash",
            UPGRADE.to_owned(),
            Refusal::UnknownTransport,
        ),
        (
            "GET",
            "EIO=3&transport=websocket",
            UPGRADE.to_owned(),
            Refusal::UnsupportedProtocolVersion,
        ),
        (
            "POST",
            "EIO=4&transport=websocket",
            UPGRADE.to_owned(),
            Refusal::BadHandshakeMethod,
        ),
        (
            "POST",
            "EIO=4&transport=websocket&sid=x",
            UPGRADE.to_owned(),
            Refusal::BadRequest,
        ),
        (
            "GET",
            "EIO=4&transport=websocket",
            without("Sec-WebSocket-Key"),
            Refusal::BadRequest,
        ),
        (
            "GET",
            "EIO=4&transport=websocket",
            UPGRADE.replace("dGhl", "dG"),
            Refusal::BadRequest,
        ),
    ];
    for (method, query, headers, refusal) in refused {
        let mut client = node.connect().await;
        client.request(method, query, &headers).await;
        let answer = client.answer().await;
        assert_eq!(
            (answer.status, &*answer.body),
            (400, &*refusal.body()),
            "{method} {query}"
        );
        assert_eq!(
            answer.header("connection").as_deref(),
            Some("close"),
            "{method} {query}"
        );
        assert_eq!(client.rest().await, b"", "{method} {query}");
    }
    assert!(node.was_asked_nothing());
}

#[tokio::test]
async fn another_version_of_websocket_is_told_which_one_we_speak() {
    let node = Node::start().await;
    for headers in [
        UPGRADE.replace("Version: 13", "Version: 8"),
        UPGRADE.replace("Version: 13", "X: 13"),
    ] {
        let mut client = node.connect().await;
        client.request("GET", "EIO=4&transport=websocket", &headers).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.header("sec-websocket-version").as_deref(), Some("13"));
    }
}

#[tokio::test]
async fn an_offer_of_another_protocol_is_not_taken() {
    let mut node = Node::start().await;
    let mut client = node.connect().await;
    client
        .request(
            "GET",
            "EIO=4&transport=polling&sid=x",
            "Connection: Upgrade\r\nUpgrade: h2c\r\n",
        )
        .await;
    let asked = node.asked().await;
    assert!(matches!(asked.request, SessionRequest::Pull { .. }));
    asked.reply(SessionReply::Pulled(Vec::new()));
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn what_a_session_refuses_is_told() {
    let mut node = Node::start().await;
    let mut client = node.connect().await;
    for (refusal, status) in [(Refusal::UnknownSid, 400), (Refusal::Forbidden, 403)] {
        client.request("GET", "EIO=4&transport=polling&sid=x", "").await;
        node.asked().await.reply(SessionReply::Refused(refusal));
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.body), (status, refusal.body()));
        client.post("EIO=4&transport=polling&sid=x", "4hi").await;
        node.asked().await.reply(SessionReply::Refused(refusal));
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.body), (status, refusal.body()));
    }
}

#[tokio::test]
async fn a_session_out_of_reach_is_not_called_unknown() {
    let mut node = Node::start().await;
    let mut client = node.connect().await;
    let sid = || Key::from("x");
    for error in [
        RequestError::TimedOut {
            key: sid(),
            obstacle: "no owner",
        },
        RequestError::Overloaded(sid()),
        RequestError::Dropped(sid()),
    ] {
        client.post("EIO=4&transport=polling&sid=x", "4hi").await;
        node.asked().await.fail(error);
        let answer = client.answer().await;
        assert_eq!(answer.status, 503);
        assert_eq!(answer.body, r#"{"code":503,"message":"Session out of reach"}"#);
    }
}

#[tokio::test]
async fn a_reply_that_does_not_fit_is_our_fault() {
    let mut node = Node::start().await;
    let mut client = node.connect().await;
    client.request("GET", "EIO=4&transport=polling&sid=x", "").await;
    node.asked().await.reply(SessionReply::Done);
    assert_eq!(client.answer().await.status, 500);
}

#[tokio::test]
async fn headers_beyond_what_a_session_can_keep() {
    let mut node = Node::start().await;
    let cookie = format!("Cookie: {}\r\n", "x".repeat(20_000));
    let mut client = node.connect().await;
    client.request("GET", "EIO=4&transport=polling", &cookie).await;
    assert_eq!(client.answer().await.status, 431);
    client
        .request("GET", "EIO=4&transport=websocket", &(cookie + UPGRADE))
        .await;
    assert_eq!(client.answer().await.status, 431);
    assert!(node.was_asked_nothing());
}
