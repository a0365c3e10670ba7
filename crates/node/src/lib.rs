//! One node of a Hither cluster as a program: command line, logging, ports, signals.
//!
//! A program with namespaces of its own flattens [`NodeArgs`] into its command line and hands [`run`] a [`Site`]; it is then
//! started, watched and stopped like any other node. It depends on this crate without default features: the feature `chat` is for
//! the binary `hither` (`src/bin/hither/`), which serves the chat in that way, and brings the chat and its store.

mod ask;
mod cli;
mod cluster_feed;
mod http;
mod leave;
mod leave_token;
mod leaving;
mod logging;
mod reload;
mod rlimit;
mod run;
mod settings;
mod site;
mod status;
mod throttle;
mod tls;

pub use cli::{
    ClientArgs, ClusterArgs, LeaveCommand, ListenArgs, LogArgs, LogFilter, LogFormat, MISUSE, NodeArgs,
    NodeUrl, Placement, StatusCommand, parse,
};
pub use http::{HostName, HostNameError, pages};
pub use leave::ask_to_leave;
pub use run::run;
pub use site::{Site, SiteError};
pub use status::show_status;
