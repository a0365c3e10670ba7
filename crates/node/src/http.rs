//! Where clients and operators come in, and what every node serves them besides its sessions.

mod acceptor;
mod admin_listener;
mod cluster_status;
mod connection;
mod feed;
mod health;
mod host;
mod leave;
mod listener;
mod operators;
mod pages;
mod transport;

use axum::http::{HeaderName, HeaderValue, header};

pub(crate) use self::{
    acceptor::{Acceptor, ActiveListener, MAX_REFUSALS},
    admin_listener::AdminListener,
    health::Readiness,
    host::HostNames,
    listener::{Audience, BoundListener, ListenError},
    operators::Operators,
};
pub use self::{
    host::{HostName, HostNameError},
    pages::pages,
};

/// For what is out of date as soon as it is told.
const NOT_STORED: (HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
