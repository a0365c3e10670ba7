//! Publications to several topics, each copy behind those before it.

use std::collections::BTreeSet;

use super::{Verdict, World};
use crate::{
    Input, NodeId, Position,
    simulation::node::{Post, Topic, UnderWay},
};

impl World {
    /// Publishes something to several topics: to the first one now, and to each other one when it is known where the
    /// copies before stand.
    pub(super) fn publish_to_several(&mut self) -> Verdict {
        let Some(id) = self.any_node() else {
            return Ok(());
        };
        let topics: BTreeSet<Topic> = (0..3).map(|_| self.any_topic()).collect();
        let mut topics: Vec<Topic> = topics.into_iter().collect();
        rand::seq::SliceRandom::shuffle(topics.as_mut_slice(), &mut self.rng);
        let Some(node) = self.nodes.get_mut(&id) else {
            return Ok(());
        };
        let Some(topic) = topics.pop().filter(|_| node.several.under_way.is_none()) else {
            return Ok(());
        };
        let said = node.several.next();
        let post = Post {
            said,
            topic,
            original: said,
            earlier: Vec::new(),
        };
        let rest = topics;
        self.publish_copy(&id, UnderWay { rest, post })
    }

    fn publish_copy(&mut self, id: &NodeId, under_way: UnderWay) -> Verdict {
        let post = under_way.post.clone();
        let Some(node) = self.nodes.get_mut(id) else {
            return Ok(());
        };
        node.several.under_way = Some(under_way);
        self.topics.insert(post.said, post.topic);
        self.tell(|| format!("{id} publishes {post:?}"));
        self.give(
            id,
            Input::Publish {
                shard: post.topic.shard,
                topic: post.topic,
                producer: post.said.producer,
                sequence: post.said.sequence,
                payload: post,
            },
        )
    }

    /// It is known where a copy stands.
    pub(super) fn publish_next(&mut self, id: &NodeId, producer: u32, at: Position) -> Verdict {
        let Some(node) = self.nodes.get_mut(id) else {
            return Ok(());
        };
        if node.several.producer != producer {
            return Ok(());
        }
        let Some(mut under_way) = node.several.under_way.take() else {
            return Ok(());
        };
        let Some(topic) = under_way.rest.pop() else {
            return Ok(());
        };
        let post = &mut under_way.post;
        post.earlier.push((post.topic, at));
        post.topic = topic;
        post.said = node.several.next();
        self.publish_copy(id, under_way)
    }
}
