//! The smallest useful server: what a client says, it hears again.
//!
//! `cargo run --example echo`, then connect any Socket.IO client to <http://127.0.0.1:3000>.

use hither::{ConnectError, Json, Namespace, Received, Server, Socket};

struct Echo;

impl Namespace for Echo {
    /// What to remember of each socket: nothing.
    type Data = ();

    async fn connect(&self, _: &mut Socket<()>, _: Option<Json>) -> Result<(), ConnectError> {
        Ok(())
    }

    async fn event(&self, socket: &mut Socket<()>, Received { event, ack }: Received) {
        let said = socket.emit_with(event.name.as_str(), event.args.clone());
        let answered = socket.ack_with(ack, event.args);
        if let Err(error) = said.and(answered) {
            eprintln!("no echo: {error}");
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder().namespace("/", Echo)?.start_alone().await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, server.router()).await?;
    Ok(())
}
