//! How much clients may ask of a node, and what each of them may.

mod address_group;
mod admissions;
mod body_budget;
mod config;
mod gate;
mod proxies;
mod refusals;
mod token_bucket;

pub(crate) use self::{body_budget::Room, gate::Use, token_bucket::TokenBucket};
pub use self::{
    config::{AdmissionLimits, Rate},
    gate::{Connection, Gate, TooMany},
    proxies::{InvalidProxy, TrustedProxies},
};
