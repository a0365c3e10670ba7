//! Where clients and operators come in, and what every node serves them besides its sessions.

mod admin_door;
mod cluster_status;
mod connection;
mod door;
mod feed;
mod health;
mod host;
mod leave;
mod operators;
mod pages;
mod reception;
mod transport;

use axum::http::{HeaderName, HeaderValue, header};

pub(crate) use self::{
    admin_door::AdminDoor,
    door::{Audience, Door, DoorError},
    health::Readiness,
    host::HostNames,
    operators::Operators,
    reception::{OpenDoor, Reception},
};
pub use self::{
    host::{HostName, HostNameError},
    pages::pages,
};

/// For what is out of date as soon as it is told.
const NOT_STORED: (HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
