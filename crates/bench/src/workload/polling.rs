//! Echo by long polling, each request to the next server.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use super::{Outcome, Target, run::Run};
use crate::{delivery::StreamId, stamp::Stamp, wire::polling::PollingSocket};

/// How long the last echo may take.
const ENDING: Duration = Duration::from_secs(10);

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
            if let Err(error) = echo(&mut socket, &run, payload).await {
                run.failed(error);
            }
        });
    }
    let outcome = run.measure(target, during).await?;
    tokio::time::timeout(ENDING, tasks.join_all())
        .await
        .context("an echo by polling did not end")?;
    Ok(outcome)
}

async fn echo(socket: &mut PollingSocket, run: &Run, payload: usize) -> Result<()> {
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
        socket.ask("echo", &[&stamp.payload(payload)]).await?;
        run.answered();
        run.unit(began.elapsed());
    }
    socket.leave().await
}
