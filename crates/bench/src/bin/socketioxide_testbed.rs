//! What the testbed of Hither does for the benchmarks, on socketioxide: `socketioxide-testbed 127.0.0.1:3000`.

use anyhow::{Context, Result};
use axum::Router;
use socketioxide::{
    SocketIo,
    extract::{AckSender, Data, SocketRef},
};
use tokio::net::TcpListener;

/// Runs in a task of its own, when the client has its answer to CONNECT already.
async fn connected(socket: SocketRef) {
    socket.on("echo", async |Data::<String>(text), ack: AckSender| {
        report(ack.send(&text))
    });
    socket.on("message", async |socket: SocketRef, Data::<String>(text)| {
        report(socket.emit("message-back", &text));
    });
    socket.on(
        "join",
        async |socket: SocketRef, Data::<String>(room), ack: AckSender| {
            socket.join(room);
            report(ack.send(&()));
        },
    );
    socket.on(
        "publish",
        async |socket: SocketRef, Data::<(String, String)>(said), ack: AckSender| {
            report(socket.within(said.0.clone()).emit("message", &said).await);
            report(ack.send(&()));
        },
    );
    // Last: what comes before the handlers are there is dropped.
    report(socket.emit("auth", &serde_json::json!({})));
}

fn report<T, E: std::fmt::Display>(result: Result<T, E>) {
    if let Err(error) = result {
        eprintln!("socketioxide-testbed: {error}");
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let address = std::env::args()
        .nth(1)
        .context("usage: socketioxide-testbed IP:PORT")?;
    let (layer, io) = SocketIo::new_layer();
    io.ns("/", connected);
    let listener = TcpListener::bind(&address)
        .await
        .with_context(|| format!("listening at {address}"))?;
    axum::serve(listener, Router::new().layer(layer)).await?;
    Ok(())
}
