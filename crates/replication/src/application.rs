//! What is replicated, as far as this crate has to know it.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};

/// What nodes send to each other.
pub trait Value: Clone + Debug + Serialize + DeserializeOwned {}

impl<T: Clone + Debug + Serialize + DeserializeOwned> Value for T {}

/// The types of what a shard replicates for its user, and how a record changes the state.
pub trait Application: 'static {
    /// What a shard is, apart from its topics: the sessions in it, for example.
    type State: Value + Default;
    /// One change of the state.
    type Record: Value;
    /// What is published to topics.
    type Payload: Value;
    /// Names a topic.
    type Topic: Value + Ord;
    /// Names what publishes, over all its moves: a session, for example.
    type Producer: Value + Ord;

    /// Bytes that a record takes, about: what is kept and sent is bounded by it.
    fn record_size(record: &Self::Record) -> usize;

    /// Bytes that a payload takes, about.
    fn payload_size(payload: &Self::Payload) -> usize;

    /// Changes the state. Holder and standby apply the same records in the same order, and must come to the same.
    fn apply(state: &mut Self::State, record: &Self::Record);
}

/// Short for a topic of an application.
pub(crate) type TopicOf<A> = <A as Application>::Topic;
/// Short for a producer of an application.
pub(crate) type ProducerOf<A> = <A as Application>::Producer;
