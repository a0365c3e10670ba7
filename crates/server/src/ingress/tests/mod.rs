//! What the ingress does, seen from a client on one side and from a node on the other.

mod client;
mod cors;
mod limits;
mod node;
mod polling;
mod refusals;
mod websocket;

use std::time::Duration;

use tokio::time::timeout;

/// Waits for what must happen soon.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), future)
        .await
        .expect("it did not happen within 10 s")
}
