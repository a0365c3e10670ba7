//! Echo by long polling, each request to the next server.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use super::{Outcome, Target, run::Run};
use crate::{delivery::StreamId, stamp::Stamp, wire::polling::PollingSocket};

/// How long an echo may take. A client whose echo takes longer has failed, and asks no more.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs it.
pub(crate) async fn run(
    target: &Target,
    clients: usize,
    during: impl Future<Output = Result<()>>,
) -> Result<Outcome> {
    let run = Run::new();
    let mut tasks = JoinSet::new();
    for index in 0..clients {
        let mut socket = PollingSocket::connect(&target.servers, index).await?;
        let run = Rc::clone(&run);
        let payload = target.payload;
        tasks.spawn_local(async move {
            if let Err(error) = echo(&mut socket, &run, payload, PATIENCE).await {
                run.failed(error);
            }
        });
    }
    let mut outcome = run.measure(target, during).await?;
    // Each ends within its patience. Whoever runs out of it is known only then.
    tasks.join_all().await;
    run.tell_failures(&mut outcome);
    Ok(outcome)
}

async fn echo(socket: &mut PollingSocket, run: &Run, payload: usize, patience: Duration) -> Result<()> {
    let mut number = 0;
    while run.sends() {
        let began = Instant::now();
        let stamp = Stamp {
            stream: StreamId(0),
            number,
            sent: run.begin.elapsed(),
        };
        number += 1;
        run.asked();
        let text = stamp.payload(payload);
        let asked = within(patience, socket.ask("echo", &[&text])).await;
        asked.with_context(|| format!("echo {number}: {}", socket.progress()))?;
        run.answered();
        run.unit(began.elapsed());
    }
    let left = within(patience, socket.leave()).await;
    left.with_context(|| format!("leaving: {}", socket.progress()))
}

async fn within(patience: Duration, request: impl Future<Output = Result<()>>) -> Result<()> {
    let done = tokio::time::timeout(patience, request).await;
    done.with_context(|| format!("not done within {patience:?}"))?
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        thread,
    };

    use super::*;

    const CONNECTED: &str = "40{\"sid\":\"y\"}\u{1e}42[\"auth\",{}]";

    /// Gives these answers, one to each request, and none to the next one, until the connection closes.
    fn silent_after(answers: &'static [&'static str]) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            for answer in answers {
                assert_ne!(stream.read(&mut request).unwrap(), 0);
                let length = answer.len();
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{answer}"
                )
                .unwrap();
            }
            while stream.read(&mut request).is_ok_and(|length| length > 0) {}
        });
        address
    }

    #[tokio::test]
    async fn a_client_whose_poll_has_no_answer_fails_and_says_so() {
        let server = silent_after(&[r#"0{"sid":"x"}"#, "ok", CONNECTED, "ok"]);
        let mut socket = PollingSocket::connect(&[server], 0).await.unwrap();
        let echoed = echo(&mut socket, &Run::new(), 64, Duration::from_secs(2)).await;
        let error = format!("{:#}", echoed.unwrap_err());
        let expected =
            "echo 1: GET /socket.io/?EIO=4&transport=polling&sid=x has no answer: not done within 2s";
        assert!(error.starts_with(expected), "{error}");
    }
}
