//! The hither binary: one node of a Hither cluster, with the chat on it.

mod chat_site;
mod cli;
mod store;
mod store_args;

use std::process::ExitCode;

use hither::{RecoveryConfig, cluster::Secret};
use hither_node::{ask_to_leave, parse, run, show_status};

use crate::{
    chat_site::chat_site,
    cli::{Cli, Command, NodeCommand, SecretCommand},
    store::keep_store,
};

fn main() -> ExitCode {
    let Cli { command } = parse();
    match command {
        Command::Node(command) => chat_node(&command),
        Command::Leave(command) => ask_to_leave(&command),
        Command::Status(command) => show_status(&command),
        Command::Store(command) => keep_store(&command),
        Command::Secret {
            command: SecretCommand::New,
        } => {
            println!("{}", Secret::random().reveal());
            ExitCode::SUCCESS
        }
    }
}

fn chat_node(NodeCommand { node, chat }: &NodeCommand) -> ExitCode {
    let url = match store::url(&chat.store) {
        Ok(url) => url,
        Err(fault) => return fault.tell(),
    };
    run(node, async |mut config| {
        // People are to find their way back unless the operator says otherwise.
        if node.cluster.recovery.is_none() {
            config.recovery = Some(RecoveryConfig::default());
        }
        chat_site(config, chat, url).await
    })
}
