//! One node of a Hither cluster as a program: command line, logging, ports, signals.
//!
//! The binary `hither` is [`run`] with the chat on it. A program with namespaces of its own flattens [`NodeArgs`] into its
//! command line and hands [`run`] a [`Site`]; it is then started, watched and stopped like any other node.

mod ask;
mod chat_site;
mod cli;
mod http;
mod leave;
mod leaving;
mod logging;
mod lookout;
mod pass;
mod reload;
mod rlimit;
mod run;
mod settings;
mod site;
mod status;
mod store;
mod throttle;
mod tls;

pub use chat_site::chat_site;
pub use cli::{
    ChatArgs, Cli, ClientArgs, ClusterArgs, Command, DoorArgs, FileArgs, LeaveCommand, LogArgs, LogFilter,
    LogFormat, NodeArgs, NodeCommand, NodeUrl, Placement, SecretCommand, StatusCommand, StoreAction,
    StoreArgs, StoreCommand, StoreText, parse,
};
pub use http::{HostName, HostNameError, pages};
pub use leave::ask_to_leave;
pub use run::run;
pub use site::{Site, SiteError};
pub use status::show_status;
pub use store::keep_store;
