//! Who types in one conversation. The other side sends typing signs of its person, and this side
//! sends signs of the person here (docs/PROTOCOL.md, "typing"). Nothing of this is journaled.

use std::time::{Duration, Instant};

use crate::core::clock::Now;

/// The least time between two signs that this side sends.
const SIGN_EVERY: Duration = Duration::from_secs(3);
/// How long a person counts as typing after a sign. It is twice [`SIGN_EVERY`], so that one sign
/// may be lost.
const COUNTS_FOR: Duration = Duration::from_secs(6);

/// Who types in one conversation. It allocates nothing until somebody types.
#[derive(Default)]
pub struct Typing(Option<Box<Times>>);

#[derive(Default)]
struct Times {
    /// The person at the other side counts as typing until this time.
    there_until: Option<Instant>,
    /// The earliest time of the next sign that this side sends.
    next_sign: Option<Instant>,
    /// The line that the person here is typing, and the time until which it counts.
    draft: Option<(String, Instant)>,
}

impl Typing {
    /// Whether the person at the other side is typing.
    pub fn is_there(&self) -> bool {
        self.there_until().is_some()
    }

    fn there_until(&self) -> Option<Instant> {
        self.0.as_ref()?.there_until
    }

    /// Notes a sign from the other side.
    pub fn note_sign(&mut self, now: Now) {
        self.0.get_or_insert_default().there_until = Some(now.clock + COUNTS_FOR);
    }

    /// Notes that the person at the other side is no longer typing: the line has come, or cannot
    /// come any more.
    pub fn stop(&mut self) {
        if let Some(times) = &mut self.0 {
            times.there_until = None;
        }
    }

    /// Drops the sign and the draft that are too old. Returns whether one of the two remains.
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

    /// Notes the line that the person here is typing.
    pub fn note_draft(&mut self, draft: String, now: Now) {
        self.0.get_or_insert_default().draft = Some((draft, now.clock + COUNTS_FOR));
    }

    /// The line that the person here is typing, if there is one.
    pub fn draft(&self) -> Option<&str> {
        self.0.as_ref()?.draft.as_ref().map(|(draft, _)| &**draft)
    }

    /// Forgets the line that the person here was typing.
    pub fn drop_draft(&mut self) {
        if let Some(times) = &mut self.0 {
            times.draft = None;
        }
    }

    fn draft_until(&self) -> Option<Instant> {
        self.0.as_ref()?.draft.as_ref().map(|(_, until)| *until)
    }

    /// The person here is typing. Returns whether this side must send a sign now.
    pub fn is_sign_due(&mut self, now: Now) -> bool {
        let times = self.0.get_or_insert_default();
        let is_due = times.next_sign.is_none_or(|at| at <= now.clock);
        if is_due {
            times.next_sign = Some(now.clock + SIGN_EVERY);
        }
        is_due
    }

    /// The person here has sent the line: for the next key they press, a sign is due at once.
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
