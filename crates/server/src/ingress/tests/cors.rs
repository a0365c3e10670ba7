use super::{
    client::{Answer, UPGRADE},
    node::Node,
};
use crate::{
    config::{CorsConfig, CorsOrigins, ServerConfig},
    request::SessionReply,
};

const HERE: &str = "Origin: https://here.example\r\n";
const ELSEWHERE: &str = "Origin: https://elsewhere.example\r\n";
const POLL: &str = "EIO=4&transport=polling&sid=x";

async fn node(origins: CorsOrigins, credentials: bool) -> Node {
    Node::with(ServerConfig {
        cors: CorsConfig { origins, credentials },
        ..ServerConfig::default()
    })
    .await
}

fn listed() -> CorsOrigins {
    CorsOrigins::Listed(vec![
        "https://other.example".into(),
        "https://here.example".into(),
    ])
}

fn allowed(answer: &Answer) -> Option<String> {
    answer.header("access-control-allow-origin")
}

async fn poll(node: &mut Node, headers: &str) -> Answer {
    let mut client = node.connect().await;
    client.request("GET", POLL, headers).await;
    node.asked().await.reply(SessionReply::Pulled(Vec::new()));
    client.answer().await
}

#[tokio::test]
async fn off_unless_configured() {
    let mut node = Node::start().await;
    let answer = poll(&mut node, HERE).await;
    assert_eq!((answer.status, allowed(&answer)), (200, None));
    assert_eq!(answer.header("vary"), None);
}

#[tokio::test]
async fn a_preflight_succeeds_whatever_it_names_and_asks_no_session() {
    let mut node = node(listed(), true).await;
    let mut client = node.connect().await;
    for query in ["EIO=4&transport=polling", POLL, "nonsense"] {
        let headers = format!("{HERE}Access-Control-Request-Headers: x-one,x-two\r\n");
        client.request("OPTIONS", query, &headers).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 204);
        assert_eq!(allowed(&answer).as_deref(), Some("https://here.example"));
        assert_eq!(
            answer.header("access-control-allow-credentials").as_deref(),
            Some("true")
        );
        assert_eq!(
            answer.header("access-control-allow-headers").as_deref(),
            Some("x-one,x-two")
        );
        let methods = answer.header("access-control-allow-methods");
        assert_eq!(methods.as_deref(), Some("GET,HEAD,PUT,PATCH,POST,DELETE"));
        assert_eq!(
            answer.header("vary").as_deref(),
            Some("origin, access-control-request-headers")
        );
    }
    assert!(node.was_asked_nothing());
}

#[tokio::test]
async fn only_listed_origins_are_allowed() {
    let mut node = node(listed(), false).await;
    let answer = poll(&mut node, HERE).await;
    assert_eq!(allowed(&answer).as_deref(), Some("https://here.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(answer.header("access-control-allow-methods"), None);
    for headers in [ELSEWHERE, ""] {
        let answer = poll(&mut node, headers).await;
        assert_eq!(allowed(&answer), None);
        assert_eq!(
            answer.header("vary").as_deref(),
            Some("origin"),
            "caches must tell origins apart"
        );
    }
}

#[tokio::test]
async fn any_origin_is_a_star() {
    let mut node = node(CorsOrigins::Any, false).await;
    let answer = poll(&mut node, ELSEWHERE).await;
    assert_eq!(allowed(&answer).as_deref(), Some("*"));
    assert_eq!(answer.header("vary"), None);
}

#[tokio::test]
async fn refusals_can_be_read_as_well() {
    let mut node = node(listed(), false).await;
    let mut client = node.connect().await;
    client.request("GET", "EIO=4&transport=flash", HERE).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, allowed(&answer).is_some()), (400, true));
    client
        .request("POST", POLL, &format!("{HERE}Content-Length: 2000000\r\n"))
        .await;
    node.asked().await.reply(SessionReply::Done);
    let answer = client.answer().await;
    assert_eq!((answer.status, allowed(&answer).is_some()), (413, true));
}

#[tokio::test]
async fn upgrades_are_marked_too() {
    let mut node = node(listed(), false).await;
    let mut client = node.connect().await;
    client
        .request("GET", "EIO=4&transport=websocket", &(HERE.to_owned() + UPGRADE))
        .await;
    node.asked().await.reply(SessionReply::Opened(Vec::new()));
    let answer = client.answer().await;
    assert_eq!((answer.status, allowed(&answer).is_some()), (101, true));
}
