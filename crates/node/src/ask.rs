//! What the command line asks a node over HTTP.

use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode, header},
};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

use crate::cli::NodeUrl;

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most bytes of an answer: the status of a node in a cluster of thousands.
const MAX_ANSWER: usize = 4 << 20;

/// What a node said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("{node} cannot be reached: {source}")]
    Unreachable { node: NodeUrl, source: std::io::Error },
    #[error("{node} does not speak HTTP as a node does: {source}")]
    NotHttp { node: NodeUrl, source: axum::Error },
    #[error("{node} did not answer within {} s", PATIENCE.as_secs())]
    Silent { node: NodeUrl },
}

/// Sends one request without a body, with this `Authorization` if there is one.
pub(crate) async fn ask(
    node: &NodeUrl,
    method: Method,
    path: &str,
    authorization: Option<&str>,
) -> Result<Answer, AskError> {
    timeout(PATIENCE, exchange(node, method, path, authorization))
        .await
        .unwrap_or_else(|_| Err(AskError::Silent { node: node.clone() }))
}

async fn exchange(
    node: &NodeUrl,
    method: Method,
    path: &str,
    authorization: Option<&str>,
) -> Result<Answer, AskError> {
    let unreachable = |source| AskError::Unreachable {
        node: node.clone(),
        source,
    };
    let not_http = |source| AskError::NotHttp {
        node: node.clone(),
        source,
    };
    let stream = TcpStream::connect(node.authority()).await.map_err(unreachable)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| not_http(axum::Error::new(error)))?;
    // Ends with this exchange; the sender is told when it breaks.
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, node.authority())
        .header(header::CONNECTION, "close");
    let request = match authorization {
        Some(value) => request.header(header::AUTHORIZATION, value),
        None => request,
    };
    let request = request
        .body(Body::empty())
        .map_err(|error| not_http(axum::Error::new(error)))?;
    let answer = sender
        .send_request(request)
        .await
        .map_err(|error| not_http(axum::Error::new(error)))?;
    let status = answer.status();
    let body = to_bytes(Body::new(answer.into_body()), MAX_ANSWER)
        .await
        .map_err(not_http)?;
    Ok(Answer {
        status,
        text: String::from_utf8_lossy(&body).trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use axum::{Router, routing::post};
    use tokio::net::TcpListener;

    use super::*;

    async fn somewhere() -> (TcpListener, NodeUrl) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (listener, url.parse().unwrap())
    }

    #[tokio::test]
    async fn an_answer_is_its_status_and_its_text() {
        let (listener, node) = somewhere().await;
        let tell = async |headers: axum::http::HeaderMap| {
            let told = headers[header::AUTHORIZATION].to_str().unwrap().to_owned();
            (StatusCode::IM_A_TEAPOT, format!("{told}\n"))
        };
        let router = Router::new().route("/tea", post(tell));
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        let answer = ask(&node, Method::POST, "/tea", Some("please")).await.unwrap();
        assert_eq!(answer.status, StatusCode::IM_A_TEAPOT);
        assert_eq!(answer.text, "please");
        server.abort();
    }

    #[tokio::test]
    async fn who_is_not_there_is_named() {
        let (listener, node) = somewhere().await;
        drop(listener);
        let error = ask(&node, Method::GET, "/", None).await.unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("{node} cannot be reached: ")),
            "{error}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_not_waited_for() {
        let (_listener, node) = somewhere().await;
        let error = ask(&node, Method::GET, "/", None).await.unwrap_err();
        assert!(matches!(error, AskError::Silent { .. }), "{error}");
    }
}
