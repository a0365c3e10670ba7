//! The calls of the application that are due, one after the other.

use std::collections::VecDeque;

use hither_socketio::SocketId;
use serde::{Deserialize, Serialize};

use crate::job::Job;

/// Calls that are due, each with a number that grows from one to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct JobQueue {
    jobs: VecDeque<(u64, Job)>,
    bytes: usize,
    /// The number of the next.
    next: u64,
    /// How often some were taken out of the middle.
    cuts: u64,
}

/// How far somebody has been told of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct JobsMark {
    next: u64,
    cuts: u64,
}

/// What has changed of a queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct JobsDelta {
    /// All that came before this number are over. Everything is, if some were taken out of the middle.
    first: u64,
    added: Vec<(u64, Job)>,
}

impl JobQueue {
    pub(super) fn restored(jobs: VecDeque<(u64, Job)>) -> Self {
        Self {
            bytes: jobs.iter().map(|(_, job)| job.cost()).sum(),
            next: jobs.back().map_or(0, |(number, _)| number + 1),
            jobs,
            cuts: 0,
        }
    }

    /// Memory held, in bytes, nearly.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(u64, Job)> {
        self.jobs.iter()
    }

    pub(super) fn push(&mut self, job: Job) {
        self.bytes += job.cost();
        self.jobs.push_back((self.next, job));
        self.next += 1;
    }

    /// One that was taken is to be done again, before all others.
    pub(super) fn put_back(&mut self, number: u64, job: Job) {
        self.bytes += job.cost();
        self.jobs.push_front((number, job));
    }

    pub(super) fn take(&mut self) -> Option<(u64, Job)> {
        let (number, job) = self.jobs.pop_front()?;
        self.bytes -= job.cost();
        if self.jobs.is_empty() {
            // An idle session keeps no room for them.
            self.jobs = VecDeque::new();
        }
        Some((number, job))
    }

    /// Those for a socket are not to be done.
    pub(super) fn drop_those_of(&mut self, socket: &SocketId) {
        self.jobs.retain(|(_, job)| job.socket() != Some(socket));
        self.bytes = self.jobs.iter().map(|(_, job)| job.cost()).sum();
        self.cuts += 1;
    }

    pub(super) fn clear(&mut self) {
        self.jobs.clear();
        self.bytes = 0;
        self.cuts += 1;
    }

    pub(super) fn mark(&self) -> JobsMark {
        JobsMark {
            next: self.next,
            cuts: self.cuts,
        }
    }

    /// What has changed since a mark. The one at work counts as not begun.
    pub(super) fn changes_since(&self, mark: JobsMark, at_work: Option<(u64, &Job)>) -> JobsDelta {
        let all = at_work
            .into_iter()
            .chain(self.jobs.iter().map(|(number, job)| (*number, job)));
        let first = all.clone().next().map_or(self.next, |(number, _)| number);
        if mark.cuts != self.cuts {
            let added = all.map(|(number, job)| (number, job.clone())).collect();
            return JobsDelta {
                first: u64::MAX,
                added,
            };
        }
        let added = all
            .filter(|(number, _)| *number >= mark.next)
            .map(|(number, job)| (number, job.clone()))
            .collect();
        JobsDelta { first, added }
    }
}

impl JobsDelta {
    /// Brings a replica's calls up to date.
    pub(super) fn apply(self, jobs: &mut VecDeque<(u64, Job)>) {
        while jobs.front().is_some_and(|(number, _)| *number < self.first) {
            jobs.pop_front();
        }
        jobs.extend(self.added);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(socket: &str) -> Job {
        Job::Relocated {
            socket: SocketId::new(socket),
        }
    }

    fn numbers(jobs: &VecDeque<(u64, Job)>) -> Vec<u64> {
        jobs.iter().map(|(number, _)| *number).collect()
    }

    /// Whoever applies all changes has what the queue has, with the job at work.
    #[test]
    fn changes_lead_to_the_same_calls() {
        let (mut queue, mut mark, mut replica) = (JobQueue::default(), JobsMark::default(), VecDeque::new());
        let mut tell = |queue: &JobQueue, at_work: Option<(u64, &Job)>| {
            queue.changes_since(mark, at_work).apply(&mut replica);
            mark = queue.mark();
            numbers(&replica)
        };
        ["a", "b", "a", "c"]
            .iter()
            .for_each(|socket| queue.push(job(socket)));
        assert_eq!(tell(&queue, None), [0, 1, 2, 3]);
        let (number, at_work) = queue.take().unwrap();
        queue.push(job("d"));
        assert_eq!(tell(&queue, Some((number, &at_work))), [0, 1, 2, 3, 4]);
        assert_eq!(tell(&queue, None), [1, 2, 3, 4]);
        queue.drop_those_of(&SocketId::new("a"));
        assert_eq!(tell(&queue, None), [1, 3, 4]);
        queue.put_back(number, at_work);
        assert_eq!(queue.take().unwrap().0, 0);
        while queue.take().is_some() {}
        assert!(tell(&queue, None).is_empty());
        assert_eq!(queue.bytes(), 0);
    }
}
