//! Membership, shards, lanes and entities, links and topics: a cluster that knows nothing of HTTP or Socket.IO.

mod links;
mod member;
mod membership;
mod secret;

pub use links::{
    Credit, LinkDown, LinkEvents, LinkLimits, LinkListener, LinkSender, Links, LinksConfig, LinksError,
    SendError,
};
pub use member::{Incarnation, InvalidNodeName, Member, NodeId, NodeName, Phase, View};
pub use membership::{
    Membership, MembershipConfig, MembershipError, MembershipEvent, MembershipTiming, Unfit,
};
pub use secret::{ExposedWithoutSecret, Secret, SecretError};
