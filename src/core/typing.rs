//! Who types in one conversation: the person at the other side, as their signs say, and the person
//! here, of whom signs are sent (docs/PROTOCOL.md, "typing"). Neither is kept anywhere else.

use std::time::{Duration, Instant};

use crate::core::clock::Now;

/// Signs are sent once in this time at most.
const SIGN_EVERY: Duration = Duration::from_secs(3);
/// After a sign the person counts as typing for this time. So one sign may be lost.
const COUNTS_FOR: Duration = Duration::from_secs(6);

/// Who types in one conversation. While nobody has typed, it takes no memory of its own.
#[derive(Default)]
pub struct Typing(Option<Box<Times>>);

#[derive(Default)]
struct Times {
    /// The person at the other side counts as typing until then.
    there_until: Option<Instant>,
    /// The next sign of the person here is sent no earlier than this.
    next_sign: Option<Instant>,
    /// How the line of the person here begins, and until when that counts.
    draft: Option<(String, Instant)>,
}

impl Typing {
    /// Whether the person at the other side types.
    pub fn is_there(&self) -> bool {
        self.there_until().is_some()
    }

    fn there_until(&self) -> Option<Instant> {
        self.0.as_ref()?.there_until
    }

    /// A sign came: the person at the other side types.
    pub fn note_sign(&mut self, now: Now) {
        self.0.get_or_insert_default().there_until = Some(now.clock + COUNTS_FOR);
    }

    /// The person at the other side has sent the line, or cannot send it any more.
    pub fn stop(&mut self) {
        if let Some(times) = &mut self.0 {
            times.there_until = None;
        }
    }

    /// Time has passed: signs from long ago do not count any more. Answers whether somebody types
    /// still.
    pub fn tick(&mut self, now: Now) -> bool {
        if self.there_until().is_some_and(|at| at <= now.clock) {
            self.stop();
        }
        if self.draft_until().is_some_and(|at| at <= now.clock) {
            self.drop_draft();
        }
        self.deadline().is_some()
    }

    /// When `tick` has something to do next.
    pub fn deadline(&self) -> Option<Instant> {
        [self.there_until(), self.draft_until()].into_iter().flatten().min()
    }

    /// The line of the person here begins like this so far.
    pub fn note_draft(&mut self, draft: String, now: Now) {
        self.0.get_or_insert_default().draft = Some((draft, now.clock + COUNTS_FOR));
    }

    /// How the line of the person here begins, if they type one.
    pub fn draft(&self) -> Option<&str> {
        self.0.as_ref()?.draft.as_ref().map(|(draft, _)| &**draft)
    }

    /// The person here does not type that line any more.
    pub fn drop_draft(&mut self) {
        if let Some(times) = &mut self.0 {
            times.draft = None;
        }
    }

    fn draft_until(&self) -> Option<Instant> {
        self.0.as_ref()?.draft.as_ref().map(|(_, until)| *until)
    }

    /// The person here types. Answers whether a sign is due.
    pub fn is_sign_due(&mut self, now: Now) -> bool {
        let times = self.0.get_or_insert_default();
        let is_due = times.next_sign.is_none_or(|at| at <= now.clock);
        if is_due {
            times.next_sign = Some(now.clock + SIGN_EVERY);
        }
        is_due
    }

    /// The person here has sent the line. What they type next is news.
    pub fn note_line(&mut self) {
        if let Some(times) = &mut self.0 {
            (times.next_sign, times.draft) = (None, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Typing;
    use crate::core::clock::Now;

    #[test]
    fn a_sign_counts_for_six_seconds() {
        let start = Now { clock: Instant::now(), wall: 0 };
        let at = |seconds| Now { clock: start.clock + Duration::from_secs(seconds), ..start };
        let mut typing = Typing::default();
        typing.note_sign(start);
        typing.tick(at(5));
        assert!(typing.is_there());
        typing.note_sign(at(5));
        typing.tick(at(10));
        assert!(typing.is_there());
        typing.tick(at(11));
        assert!(!typing.is_there() && typing.deadline().is_none());
    }

    #[test]
    fn signs_are_due_once_in_three_seconds_and_after_each_line() {
        let start = Now { clock: Instant::now(), wall: 0 };
        let at = |seconds| Now { clock: start.clock + Duration::from_secs(seconds), ..start };
        let mut typing = Typing::default();
        assert_eq!(
            [0, 1, 2, 3, 4].map(|second| typing.is_sign_due(at(second))),
            [true, false, false, true, false]
        );
        typing.note_line();
        assert!(typing.is_sign_due(at(4)));
    }
}
