//! The command line: the flags of a node, and commands for whoever runs nodes.

mod client_args;
mod complaint;
mod node_args;
mod operator_args;
mod values;

pub use self::{
    client_args::ClientArgs,
    complaint::{MISUSE, parse},
    node_args::{ClusterArgs, ListenArgs, LogArgs, LogFormat, NodeArgs, Placement},
    operator_args::{LeaveCommand, StatusCommand},
    values::{LogFilter, NodeUrl},
};
