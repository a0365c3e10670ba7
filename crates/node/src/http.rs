//! Where clients come in, and what every node serves them besides its sessions.

mod cluster_status;
mod connection;
mod door;
mod health;
mod leave;
mod pages;
mod reception;

use axum::http::{HeaderName, HeaderValue, header};

pub use self::pages::pages;
pub(crate) use self::{
    cluster_status::cluster_status,
    door::{Door, DoorError, Sharing},
    health::{Readiness, health},
    leave::leave,
    reception::{OpenDoor, Reception},
};

/// For what is out of date as soon as it is told.
const NOT_STORED: (HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
