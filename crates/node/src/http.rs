//! Where clients come in, and what every node serves them besides its sessions.

mod connection;
mod door;
mod health;
mod pages;
mod reception;

pub use self::pages::pages;
pub(crate) use self::{
    door::{Door, DoorError, Sharing},
    health::{Readiness, health},
    reception::{OpenDoor, Reception},
};
