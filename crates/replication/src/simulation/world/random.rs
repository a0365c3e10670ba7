//! A schedule by a seed.

use std::time::Duration;

use rand::{RngExt, seq::IteratorRandom};

use super::{NAMES, STEPS, TOPICS, Topic, Verdict, World};
use crate::{NodeId, ShardId};

impl World {
    pub(in crate::simulation) fn run(&mut self) -> Verdict {
        self.join("a");
        let me = self.members.first().cloned().ok_or("nobody is there")?;
        self.update_view(&me)?;
        for _ in 0..STEPS {
            self.step()?;
            self.recover()?;
            self.recovers |= self.has_recovered();
        }
        self.settle()
    }

    fn step(&mut self) -> Verdict {
        match self.rng.random_range(0..1_000) {
            0..550 => self.deliver_any(),
            550..650 => self.pass_time(),
            650..720 => self.publish_any(),
            720..780 => self.record_any(),
            780..790 => self.subscribe_any(),
            790..800 => self.replay_any(),
            800..810 => self.act_any(),
            // What clients are told after a split is the part of their shells.
            810..813 if !self.faults.splits => self.create_client(),
            813..820 => self.join_any(),
            820..824 => self.leave_any(),
            824..827 => self.disconnect_any(),
            827..833 => self.return_any(),
            833..840 => self.publish_to_several(),
            840..950 => self.learn(),
            950..965 => self.reset(),
            965..975 => self.grow(),
            975..980 => self.die(),
            980..983 => {
                if let Some(id) = self.doomed.first().cloned() {
                    self.end(&id);
                }
                Ok(())
            }
            983..986 => self.split_any(),
            986..990 => {
                self.heal();
                Ok(())
            }
            _ => self.deliver_any(),
        }
    }

    pub(super) fn deliver_any(&mut self) -> Verdict {
        match self.network.busy().iter().choose(&mut self.rng) {
            Some(ends) => self.deliver_one(ends),
            None => self.pass_time(),
        }
    }

    pub(super) fn pass_time(&mut self) -> Verdict {
        let time = Duration::from_millis(self.rng.random_range(1..150));
        self.pass(time)
    }

    fn publish_any(&mut self) -> Verdict {
        let (id, topic) = (self.any_node(), self.any_topic());
        id.map_or(Ok(()), |id| self.publish(&id, topic))
    }

    fn record_any(&mut self) -> Verdict {
        let shard = self.any_shard();
        let id = self.any_holder(shard);
        id.map_or(Ok(()), |id| self.record(&id, shard))
    }

    fn subscribe_any(&mut self) -> Verdict {
        let (id, topic) = (self.any_node(), self.any_topic());
        id.map_or(Ok(()), |id| self.subscribe(&id, topic))
    }

    fn replay_any(&mut self) -> Verdict {
        let Some(id) = self.any_node() else {
            return Ok(());
        };
        match self.judge.any_heard(&id, &mut self.rng) {
            Some((topic, from)) => self.replay(&id, topic, from),
            None => Ok(()),
        }
    }

    fn act_any(&mut self) -> Verdict {
        let shard = self.any_shard();
        let id = self.any_holder(shard);
        id.map_or(Ok(()), |id| self.act(&id, shard))
    }

    /// A node hears that another one has come or gone.
    fn learn(&mut self) -> Verdict {
        match self.any_node() {
            Some(node) => self.learn_one(&node),
            None => Ok(()),
        }
    }

    pub(super) fn learn_one(&mut self, node: &NodeId) -> Verdict {
        if self.doomed.contains(node) {
            return Ok(());
        }
        let seen = self.seen_by(node);
        let Some(view) = self.views.get_mut(node) else {
            return Ok(());
        };
        let Some(changed) = view.symmetric_difference(&seen).choose(&mut self.rng).cloned() else {
            return Ok(());
        };
        if !view.remove(&changed) {
            view.insert(changed.clone());
        }
        self.tell(|| format!("{node} learns of {changed}"));
        self.update_view(node)
    }

    fn reset(&mut self) -> Verdict {
        let Some((one, other)) = self.pairs().collect::<Vec<_>>().into_iter().choose(&mut self.rng) else {
            return Ok(());
        };
        if self.network.are_connected(&one, &other) {
            if self.faults.resets && self.rng.random_bool(0.4) {
                self.tell(|| format!("the link of {one} and {other} is lost"));
                self.network.disconnect(&one, &other);
            }
            Ok(())
        } else if self.are_together(&one, &other) {
            self.connect(&one, &other)
        } else {
            Ok(())
        }
    }

    fn grow(&mut self) -> Verdict {
        let missing: Vec<&str> = NAMES
            .into_iter()
            .filter(|name| !self.members.iter().any(|node| node.to_string().starts_with(name)))
            .collect();
        if let Some(name) = missing.into_iter().choose(&mut self.rng) {
            self.join(name);
            let id = self
                .members
                .iter()
                .find(|node| node.to_string().starts_with(name))
                .cloned();
            let id = id.ok_or("who has joined is there")?;
            self.update_view(&id)?;
            let others: Vec<NodeId> = self.nodes.keys().filter(|other| **other != id).cloned().collect();
            for other in others {
                if self.are_together(&id, &other) {
                    self.connect(&id, &other)?;
                }
            }
        }
        Ok(())
    }

    fn die(&mut self) -> Verdict {
        if !self.faults.deaths || self.members.len() < 3 || !self.recovers || !self.is_redundant() {
            return Ok(());
        }
        let Some(id) = self.members.iter().choose(&mut self.rng).cloned() else {
            return Ok(());
        };
        self.tell(|| format!("{id} dies"));
        self.recovers = false;
        self.members.remove(&id);
        self.judge.dead(&id);
        self.doomed.insert(id.clone());
        if self.rng.random_bool(0.5) {
            self.end(&id);
        }
        Ok(())
    }

    pub(super) fn any_node(&mut self) -> Option<NodeId> {
        self.nodes.keys().choose(&mut self.rng).cloned()
    }

    pub(super) fn any_holder(&mut self, shard: ShardId) -> Option<NodeId> {
        let holders = self
            .nodes
            .values()
            .filter(|node| node.core.state(shard).is_some());
        holders.map(|node| node.id.clone()).choose(&mut self.rng)
    }

    pub(super) fn any_shard(&mut self) -> ShardId {
        let index = self.rng.random_range(0..self.shards.len());
        self.shards[index]
    }

    pub(super) fn any_topic(&mut self) -> Topic {
        Topic {
            shard: self.any_shard(),
            index: self.rng.random_range(0..TOPICS),
        }
    }
}
