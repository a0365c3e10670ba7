//! The hither binary: one node of a Hither cluster, with the chat on it.

use std::process::ExitCode;

use hither::{RecoveryConfig, Server, ServerConfig};
use hither_chat::{Chat, ChatConfig};
use hither_node::{
    ChatArgs, Cli, Command, NodeCommand, Site, SiteError, ask_to_leave, keep_store, pages, parse, run,
    show_status,
};

fn main() -> ExitCode {
    let Cli { command } = parse();
    match command {
        Command::Node(command) => chat_node(&command),
        Command::Leave(command) => ask_to_leave(&command),
        Command::Status(command) => show_status(&command),
        Command::Store(command) => keep_store(&command),
    }
}

fn chat_node(NodeCommand { node, chat }: &NodeCommand) -> ExitCode {
    run(node, |mut config| {
        // People are to find their way back unless the operator says otherwise.
        if node.cluster.recovery.is_none() {
            config.recovery = Some(RecoveryConfig::default());
        }
        chat_site(config, chat)
    })
}

fn chat_site(config: ServerConfig, args: &ChatArgs) -> Result<Site, SiteError> {
    let ChatArgs { max_message_bytes } = *args;
    let chat = Chat::new(ChatConfig {
        max_message_bytes,
        ..ChatConfig::default()
    });
    let server = Server::builder()
        .config(config)
        .namespace(hither_chat::NAMESPACE, chat.clone())?;
    Ok(Site::new(server)
        .pages(pages())
        .background(async move |io, stop| {
            let tasks = chat.start(io);
            stop.cancelled().await;
            tasks.stop().await;
        }))
}
