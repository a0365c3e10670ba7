//! A node for conformance and load tests: plain Engine.IO at `/engine.io/` that echoes, and Socket.IO at `/socket.io/` with
//! the namespaces `/`, `/custom` and, without recovery, `/unrecovered`.
//!
//! It takes the flags of `hither node` and those that make a test short: `testbed --help`.

use std::{fmt::Display, process::ExitCode, time::Duration};

use clap::Parser;
use hither::{
    AckError, AckId, Args, Binary, ConnectError, EmitError, EngineService, EngineSocket, Event, Json,
    Message, Namespace, Received, Server, ServerConfig, SessionConfig, Socket,
};
use hither_node::{NodeArgs, Site, parse, run};
use serde::Deserialize;
use serde_json::Number;
use tracing::warn;

/// A node for conformance and load tests.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Flags {
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    test: TestFlags,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Sessions")]
struct TestFlags {
    /// From a pong to the next ping, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 25_000)]
    ping_interval: u32,
    /// How long a pong may take, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 20_000)]
    ping_timeout: u32,
    /// How long a client may take to connect to a namespace, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 45_000)]
    connect_timeout: u32,
    /// The longest body or WebSocket message of a client, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1_000_000)]
    max_payload: usize,
}

impl TestFlags {
    fn apply(self, config: ServerConfig) -> ServerConfig {
        ServerConfig {
            engine: SessionConfig {
                ping_interval: milliseconds(self.ping_interval),
                ping_timeout: milliseconds(self.ping_timeout),
                max_payload: self.max_payload,
                ..config.engine
            },
            connect_timeout: milliseconds(self.connect_timeout),
            ..config
        }
    }
}

fn milliseconds(number: u32) -> Duration {
    Duration::from_millis(number.into())
}

/// Sends every message back as it came.
struct EngineEcho;

impl EngineService for EngineEcho {
    async fn message(&self, socket: &mut EngineSocket, message: Message) {
        if let Err(error) = socket.send(message) {
            warn!(%error, "no echo");
        }
    }
}

struct Testbed<const RECOVERABLE: bool>;

/// The most that a client may ask for, in bytes.
const MOST_FILLED: usize = 1_000_000;

/// How long a client may take to answer a question.
const PATIENCE: Duration = Duration::from_secs(10);

impl<const RECOVERABLE: bool> Namespace for Testbed<RECOVERABLE> {
    type Data = ();

    const RECOVERABLE: bool = RECOVERABLE;

    async fn connect(&self, socket: &mut Socket<()>, auth: Option<Json>) -> Result<(), ConnectError> {
        let auth = auth.as_ref().map_or("{}", Json::as_str);
        let args = Args::from_json(format!("[{auth}]"), Vec::new()).map_err(refusal)?;
        socket.emit_with("auth", args).map_err(refusal)
    }

    async fn event(&self, socket: &mut Socket<()>, received: Received) {
        let (name, ack) = (received.event.name.clone(), received.ack);
        let Err(error) = answer(socket, received) else {
            return;
        };
        warn!(%error, event = name.as_str(), "an event cannot be served");
        if let Err(error) = socket.reject(ack, &error) {
            warn!(%error, event = name.as_str(), "an event cannot be answered");
        }
    }

    async fn acked(&self, socket: &mut Socket<()>, asked_by: Json, answer: Result<Args, AckError>) {
        let passed_on = match answer {
            Ok(args) => pass_on(socket, &asked_by, args),
            Err(error) => return warn!(%error, "a question was not answered"),
        };
        if let Err(error) = passed_on {
            warn!(%error, "an answer cannot be passed on");
        }
    }
}

/// What names a room: text, or a number like its text.
#[derive(Deserialize)]
#[serde(untagged)]
enum RoomName {
    Text(String),
    Number(Number),
}

impl RoomName {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }
}

fn refusal(error: impl Display) -> ConnectError {
    ConnectError::new(error.to_string())
}

fn answer(
    socket: &mut Socket<()>,
    Received {
        event: Event { name, args },
        ack,
    }: Received,
) -> Result<(), EmitError> {
    match name.as_str() {
        "message" => socket.emit_with("message-back", args),
        "message-with-ack" | "echo" => socket.ack_with(ack, args),
        // So many bytes.
        "fill" => {
            let bytes = args.parse_first::<usize>()?.min(MOST_FILLED);
            socket.ack(ack, &"x".repeat(bytes))
        }
        // Asks the client in turn, and answers with what it answers.
        "ask" => {
            let question = ("why?", Binary::from(vec![1, 2, 3]));
            socket.emit_with_ack("question", &question, &ack, PATIENCE)
        }
        "join" => {
            socket.join(args.parse_first::<RoomName>()?.text())?;
            socket.ack(ack, &())
        }
        "leave" => {
            socket.leave(args.parse_first::<RoomName>()?.text());
            socket.ack(ack, &())
        }
        "publish" => {
            let room = args.parse_first::<RoomName>()?.text();
            // Room and payload go on as they came, attachments included.
            let message = Event {
                args,
                ..Event::new("message", &())?
            };
            socket.to(room).including_self().emit_event(&message)?;
            socket.ack(ack, &())
        }
        _ => Ok(()),
    }
}

fn pass_on(socket: &mut Socket<()>, asked_by: &Json, args: Args) -> Result<(), EmitError> {
    let ack: Option<AckId> = asked_by.parse()?;
    socket.ack_with(ack, args)
}

fn main() -> ExitCode {
    let Flags { node, test } = parse();
    run(&node, async |config| {
        let server = Server::builder()
            .config(test.apply(config))
            .namespace("/", Testbed::<true>)?
            .namespace("/custom", Testbed::<true>)?
            .namespace("/unrecovered", Testbed::<false>)?
            .engine_service("/engine.io/", EngineEcho);
        Ok(Site::new(server))
    })
}
