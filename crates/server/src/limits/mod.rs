//! How much clients may ask of a node, and what each of them may.

mod address_group;
mod admissions;
mod body;
mod body_budget;
mod config;
mod gate;
mod proxies;
mod refusals;
mod token_bucket;

pub use self::{
    body::BodyError,
    body_budget::{BodyBudget, BodyRoom, NoRoom},
    config::{AdmissionLimits, Rate},
    gate::{Connection, Gate, TooMany},
    proxies::{InvalidProxy, TrustedProxies},
};
pub(crate) use self::{body::LOWEST_RATE, gate::Use, token_bucket::TokenBucket};
