use std::num::NonZeroU32;

use super::{
    client::{Answer, Client, UPGRADE},
    node::{Node, SocketEvent},
};
use crate::{
    config::ServerConfig,
    limits::{AdmissionLimits, Rate},
    request::SessionReply,
};

const OPEN: &str = "EIO=4&transport=polling";
const SESSION: &str = "EIO=4&transport=polling&sid=x";
const OPEN_WEBSOCKET: &str = "EIO=4&transport=websocket";

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

async fn node(limits: AdmissionLimits) -> Node {
    Node::with(ServerConfig {
        admission: AdmissionLimits {
            // All requests come from there.
            trusted_proxies: "127.0.0.1".parse().unwrap(),
            ..limits
        },
        ..ServerConfig::default()
    })
    .await
}

fn from(address: &str) -> String {
    format!("X-Forwarded-For: {address}\r\n")
}

async fn ask(node: &Node, query: &str, headers: &str) -> Client {
    let mut client = node.connect().await;
    client.request("GET", query, headers).await;
    client
}

fn is_again_later(answer: &Answer, status: u16, seconds: &str) {
    assert_eq!(answer.status, status);
    assert_eq!(answer.header("retry-after").as_deref(), Some(seconds));
    assert!(
        answer.body.starts_with(&format!(r#"{{"code":{status},"#)),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn an_address_has_so_many_requests_under_way() {
    let mut node = node(AdmissionLimits {
        connections_per_address: Some(number(2)),
        ..AdmissionLimits::default()
    })
    .await;
    let (one, other) = (from("192.0.2.1"), from("2001:db8::1"));
    let mut first = ask(&node, SESSION, &one).await;
    let asked = node.asked().await;
    let _second = ask(&node, SESSION, &one).await;
    let _asked = node.asked().await;
    is_again_later(&ask(&node, SESSION, &one).await.answer().await, 429, "5");
    assert!(node.was_asked_nothing());
    // Somebody else, and the same again once there is an answer.
    let _other = ask(&node, SESSION, &other).await;
    let _asked_other = node.asked().await;
    asked.reply(SessionReply::Pulled(Vec::new()));
    assert_eq!(first.answer().await.status, 200);
    let _third = ask(&node, SESSION, &one).await;
    node.asked().await;
}

#[tokio::test]
async fn a_websocket_has_its_place_as_long_as_it_lives() {
    let mut node = node(AdmissionLimits {
        connections_per_address: Some(number(1)),
        ..AdmissionLimits::default()
    })
    .await;
    let headers = from("192.0.2.1") + UPGRADE;
    let mut client = ask(&node, OPEN_WEBSOCKET, &headers).await;
    node.asked().await.reply(SessionReply::Opened(Vec::new()));
    assert_eq!(client.answer().await.status, 101);
    let SocketEvent::Opened(_, writer) = node.event().await else {
        panic!("a socket did not open")
    };
    is_again_later(
        &ask(&node, OPEN_WEBSOCKET, &headers).await.answer().await,
        429,
        "5",
    );
    drop(client);
    node.ended().await;
    drop(writer);
    node.idle().await;
    let _client = ask(&node, OPEN_WEBSOCKET, &headers).await;
    node.asked().await;
}

#[tokio::test]
async fn sessions_are_opened_at_a_rate() {
    let rate = |burst| Some(Rate::new(number(1), number(burst)));
    let mut node = node(AdmissionLimits {
        opens: rate(3),
        opens_per_address: rate(2),
        ..AdmissionLimits::default()
    })
    .await;
    let (one, other) = (from("192.0.2.1"), from("192.0.2.2"));
    for address in [&one, &one, &other] {
        let mut client = ask(&node, OPEN, address).await;
        node.asked().await.reply(SessionReply::Opened(Vec::new()));
        assert_eq!(client.answer().await.status, 200);
    }
    is_again_later(&ask(&node, OPEN, &one).await.answer().await, 429, "1");
    is_again_later(&ask(&node, OPEN, &other).await.answer().await, 503, "1");
    assert!(node.was_asked_nothing());
    // What is open goes on.
    let _poll = ask(&node, SESSION, &one).await;
    node.asked().await;
}

#[tokio::test]
async fn bodies_have_a_budget_until_their_sessions_have_taken_them() {
    let mut node = node(AdmissionLimits {
        body_bytes: 400_000,
        ..AdmissionLimits::default()
    })
    .await;
    let body = "x".repeat(200_000);
    let mut first = node.connect().await;
    first.post(SESSION, &body).await;
    let asked = node.asked().await;
    let mut second = node.connect().await;
    let length = format!("Content-Length: {}\r\n", body.len());
    second.request("POST", SESSION, &length).await;
    let answer = second.answer().await;
    is_again_later(&answer, 503, "1");
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
    // One without length is read until there is no room.
    let mut chunked = node.connect().await;
    chunked
        .request("POST", SESSION, "Transfer-Encoding: chunked\r\n")
        .await;
    chunked.send(format!("{:x}\r\n{body}\r\n", body.len())).await;
    is_again_later(&chunked.answer().await, 503, "1");
    // A small one passes.
    let mut small = node.connect().await;
    small.post(SESSION, "4hello").await;
    node.asked().await.reply(SessionReply::Done);
    assert_eq!(small.answer().await.status, 200);
    asked.reply(SessionReply::Done);
    assert_eq!(first.answer().await.status, 200);
    let mut third = node.connect().await;
    third.post(SESSION, &body).await;
    node.asked().await;
}

#[tokio::test]
async fn pages_of_other_origins_may_not_act() {
    let mut node = Node::start().await;
    let evil = "Origin: https://evil.example\r\n";
    for (method, query, headers) in [
        ("GET", OPEN, ""),
        ("GET", OPEN_WEBSOCKET, UPGRADE),
        ("GET", "EIO=4&transport=websocket&sid=x", UPGRADE),
        ("POST", SESSION, "Content-Length: 0\r\n"),
        ("POST", SESSION, "Content-Length: 1000\r\n"),
    ] {
        let mut client = node.connect().await;
        client.request(method, query, &format!("{evil}{headers}")).await;
        let answer = client.answer().await;
        assert_eq!(
            (answer.status, &*answer.body),
            (403, r#"{"code":4,"message":"Forbidden"}"#),
            "{method} {query}"
        );
    }
    assert!(node.was_asked_nothing());
    // The client believes to speak to `x`, as `Host` says.
    for origin in ["Origin: http://x\r\n", "Origin: https://x\r\n", ""] {
        let _client = ask(&node, OPEN, origin).await;
        node.asked().await;
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_its_word_says_whose_page_it_is() {
    let mut node = node(AdmissionLimits::default()).await;
    let forwarded = "X-Forwarded-Host: chat.example\r\nX-Forwarded-Proto: https\r\n";
    for (origin, status) in [
        ("http://x", 403),
        ("http://chat.example", 403),
        ("https://x", 403),
    ] {
        let headers = format!("Origin: {origin}\r\n{forwarded}");
        assert_eq!(
            ask(&node, OPEN, &headers).await.answer().await.status,
            status,
            "{origin}"
        );
    }
    let headers = format!("Origin: https://chat.example\r\n{forwarded}");
    let _client = ask(&node, OPEN, &headers).await;
    node.asked().await;
}
