//! Requests that wait for a thread. Senders take turns, and each has at most one request under way.

use std::collections::{HashMap, VecDeque};

/// Waiting requests, by sender.
///
/// Senders whose next request may go wait in a ring. The first sender's next request is taken; when
/// it is done, that sender goes to the end of the ring. So a sender with 100 requests delays
/// another by at most one answer, and requests of one sender never overtake each other.
#[derive(Debug)]
pub(super) struct Queue<Job> {
    senders: HashMap<String, Sender<Job>>,
    /// Senders with a waiting request and none under way, in the order of their turns.
    ring: VecDeque<String>,
}

/// A sender, as long as one of its requests waits or is under way.
#[derive(Debug)]
struct Sender<Job> {
    waiting: VecDeque<Job>,
    is_under_way: bool,
}

impl<Job> Queue<Job> {
    pub(super) fn new() -> Queue<Job> {
        Queue { senders: HashMap::new(), ring: VecDeque::new() }
    }

    /// How many requests threads could take now.
    pub(super) fn ready(&self) -> usize {
        self.ring.len()
    }

    pub(super) fn push(&mut self, id: &str, job: Job) {
        let fresh = || Sender { waiting: VecDeque::new(), is_under_way: false };
        let sender = self.senders.entry(id.to_owned()).or_insert_with(fresh);
        if sender.waiting.is_empty() && !sender.is_under_way {
            self.ring.push_back(id.to_owned());
        }
        sender.waiting.push_back(job);
    }

    /// Takes the next request. It is under way until `done` is called for its sender.
    pub(super) fn take(&mut self) -> Option<Job> {
        let id = self.ring.pop_front()?;
        let sender = self.senders.get_mut(&id)?;
        sender.is_under_way = true;
        sender.waiting.pop_front()
    }

    /// The request of this sender that was under way is done.
    pub(super) fn done(&mut self, id: &str) {
        let Some(sender) = self.senders.get_mut(id) else { return };
        sender.is_under_way = false;
        if sender.waiting.is_empty() {
            self.senders.remove(id);
        } else {
            self.ring.push_back(id.to_owned());
        }
    }

    /// Takes all waiting requests out; those under way stay.
    pub(super) fn drain(&mut self) -> Vec<Job> {
        self.ring.clear();
        let drained = self.senders.values_mut().flat_map(|it| it.waiting.drain(..)).collect();
        self.senders.retain(|_, sender| sender.is_under_way);
        drained
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_take_turns_and_have_one_request_under_way() {
        let mut queue = Queue::new();
        [1, 2, 3].into_iter().for_each(|job| queue.push("a", job));
        queue.push("b", 10);
        assert_eq!((queue.ready(), queue.take()), (2, Some(1)));
        queue.push("c", 20);
        assert_eq!([queue.take(), queue.take(), queue.take()], [Some(10), Some(20), None]);
        queue.done("b");
        queue.push("b", 11);
        queue.done("a");
        assert_eq!([queue.take(), queue.take(), queue.take()], [Some(11), Some(2), None]);
        ["a", "b", "c"].into_iter().for_each(|id| queue.done(id));
        assert_eq!(queue.take(), Some(3));
        queue.done("a");
        assert!(
            queue.senders.is_empty() && queue.ready() == 0,
            "a sender without requests takes no memory"
        );
    }

    #[test]
    fn a_drain_leaves_requests_under_way_alone() {
        let mut queue = Queue::new();
        [("a", 1), ("a", 2), ("b", 3)].into_iter().for_each(|(id, job)| queue.push(id, job));
        assert_eq!(queue.take(), Some(1));
        let mut drained = queue.drain();
        drained.sort();
        assert_eq!((drained, queue.take()), (vec![2, 3], None));
        queue.push("a", 4);
        assert_eq!(queue.take(), None, "a's first request is under way");
        queue.done("a");
        assert_eq!(queue.take(), Some(4));
    }
}
