//! Health of one address: whether a request may go there, or fails at once.
//!
//! Many conversations send requests to one address. The caller asks [`Health::admit`] before it
//! sends a request, and reports the request's end to [`Health::ended`].
//!
//! ```text
//!          no connection could be made, or three conversations timed out
//!    Up ─────────────────────────────────────────────────────────────────▶ Down
//!       ◀─────────────────────────────────────────────────────────────────
//!                          any request was answered
//! ```
//!
//! While the address is up, every request may go. While it is down, one request at a time may go,
//! the probe; all others fail at once.
//!
//! A time-out says little about the address. Rasa answers the requests of one conversation one
//! after the other: a conversation that hangs in Rasa times out while others are answered. So three
//! conversations must time out, and nothing may be answered between. Nor does a time-out count when
//! a request that was sent later was answered: then that conversation hangs alone.
//!
//! # Examples
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use handoff::core::health::{End, Health};
//!
//! let start = Instant::now();
//! let mut health = Health::new();
//!
//! // Ann, Bob and Cid ask at the same time, and none of them is answered within 30 s.
//! let waiting = ["ann", "bob", "cid"].map(|id| (id, health.admit().expect("it is up")));
//! for (id, pass) in waiting {
//!     health.ended(pass, id, start, End::TimedOut("no answer within 30 s"));
//! }
//! assert!(health.is_down());
//!
//! // The next request is the probe. Whoever comes while it is under way fails at once.
//! let asked = start + Duration::from_secs(40);
//! let probe = health.admit().expect("nothing probes it yet");
//! assert_eq!(health.admit().unwrap_err(), "no answer within 30 s");
//!
//! // The probe is answered: the address is up for everybody.
//! health.ended(probe, "dan", asked, End::Answered);
//! assert!(!health.is_down() && health.admit().is_ok());
//! ```

use std::time::Instant;

/// How many conversations must time out before the address counts as down.
pub const TIMED_OUT_CONVERSATIONS: usize = 3;

/// Health of one address. `Cause` is the reason why it is down, which each request that fails at
/// once gets.
#[derive(Debug)]
pub struct Health<Cause> {
    state: State<Cause>,
    /// Conversations that timed out since the last answer.
    timed_out: Vec<String>,
    /// When the latest of the answered requests was sent.
    latest_answered: Option<Instant>,
    /// How many passes were given so far.
    passes: u64,
}

#[derive(Debug)]
enum State<Cause> {
    Up,
    Down {
        /// Why the address was marked down, or why the latest probe failed.
        cause: Cause,
        /// The number of the probe's pass.
        probe: Option<u64>,
    },
}

/// The permission to send one request.
#[derive(Debug)]
#[must_use = "a probe that never ends blocks all others"]
pub struct Pass(u64);

/// How a request ended.
#[derive(Clone, Debug)]
pub enum End<Cause> {
    /// An answer came, whatever it says.
    Answered,
    /// No connection could be made: nothing was sent.
    Unreached(Cause),
    /// The request was sent, and no answer came in time.
    TimedOut(Cause),
    /// This end shows nothing about the address.
    Unclear,
}

impl<Cause: Clone> Health<Cause> {
    /// An address that counts as up.
    #[must_use]
    pub fn new() -> Health<Cause> {
        Health { state: State::Up, timed_out: Vec::new(), latest_answered: None, passes: 0 }
    }

    /// Whether the address counts as down.
    pub fn is_down(&self) -> bool {
        matches!(self.state, State::Down { .. })
    }

    /// Whether one more request may go. Its end is reported with the pass, unless the request is
    /// dropped when the address is marked down.
    ///
    /// # Errors
    /// Why the address is down, while another request probes it.
    pub fn admit(&mut self) -> Result<Pass, Cause> {
        let number = self.passes + 1;
        match &mut self.state {
            State::Down { cause, probe: Some(_) } => return Err(cause.clone()),
            State::Down { probe, .. } => *probe = Some(number),
            State::Up => {}
        }
        self.passes = number;
        Ok(Pass(number))
    }

    /// The request with this pass has ended. It was sent at `sent` for this conversation.
    ///
    /// Returns the cause when this end marks the address down. Then requests that have a pass but
    /// were not sent yet must fail with it.
    pub fn ended(
        &mut self,
        pass: Pass,
        conversation: &str,
        sent: Instant,
        end: End<Cause>,
    ) -> Option<Cause> {
        let is_probe = self.end_probe(&pass);
        match end {
            End::Answered => {
                self.state = State::Up;
                self.timed_out.clear();
                self.latest_answered = self.latest_answered.max(Some(sent));
                None
            }
            End::Unreached(cause) => self.fail(cause, is_probe),
            End::TimedOut(cause) if is_probe || self.completes_three(conversation, sent) => {
                self.fail(cause, is_probe)
            }
            End::TimedOut(_) | End::Unclear => None,
        }
    }

    /// Counts a time-out. Returns whether it marks the address down.
    fn completes_three(&mut self, conversation: &str, sent: Instant) -> bool {
        let hangs_alone = self.latest_answered.is_some_and(|latest| latest > sent);
        if hangs_alone || self.is_down() {
            return false;
        }
        if !self.timed_out.iter().any(|id| id == conversation) {
            self.timed_out.push(conversation.to_owned());
        }
        self.timed_out.len() >= TIMED_OUT_CONVERSATIONS
    }

    /// Ends the probe, if this pass is the probe's. Returns whether it is.
    fn end_probe(&mut self, pass: &Pass) -> bool {
        match &mut self.state {
            State::Down { probe, .. } => probe.take_if(|number| *number == pass.0).is_some(),
            State::Up => false,
        }
    }

    /// Marks the address down. If it is down already, only the end of a probe replaces the cause.
    fn fail(&mut self, cause: Cause, is_probe: bool) -> Option<Cause> {
        match &mut self.state {
            State::Up => {
                // The count begins anew when the address is up again.
                self.timed_out.clear();
                self.state = State::Down { cause: cause.clone(), probe: None };
                Some(cause)
            }
            State::Down { cause: known, .. } if is_probe => {
                *known = cause;
                None
            }
            State::Down { .. } => None,
        }
    }
}

impl<Cause: Clone> Default for Health<Cause> {
    fn default() -> Health<Cause> {
        Health::new()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{End, Health, Pass};

    /// A health and its clock.
    struct Address {
        health: Health<&'static str>,
        start: Instant,
    }

    impl Address {
        fn new() -> Address {
            Address { health: Health::new(), start: Instant::now() }
        }

        fn admit(&mut self) -> Pass {
            self.health.admit().unwrap()
        }

        /// A request that is sent at this second, and ends.
        fn request(&mut self, id: &str, second: u64, end: End<&'static str>) {
            let pass = self.admit();
            self.end(pass, id, second, end);
        }

        fn end(
            &mut self,
            pass: Pass,
            id: &str,
            second: u64,
            end: End<&'static str>,
        ) -> Option<&'static str> {
            self.health.ended(pass, id, self.start + Duration::from_secs(second), end)
        }

        fn is_down(&self) -> bool {
            self.health.is_down()
        }
    }

    const SLOW: End<&str> = End::TimedOut("slow");
    const REFUSED: End<&str> = End::Unreached("refused");

    #[test]
    fn one_refused_connection_marks_the_address_down_at_once() {
        let mut address = Address::new();
        let (first, second) = (address.admit(), address.admit());
        assert_eq!(address.end(first, "a", 0, REFUSED), Some("refused"));
        assert!(address.is_down());
        assert_eq!(address.end(second, "b", 0, REFUSED), None, "it was down already");
    }

    #[test]
    fn three_conversations_that_time_out_mark_the_address_down() {
        let mut address = Address::new();
        let [a, b, c] = [0; 3].map(|_| address.admit());
        assert_eq!(address.end(a, "a", 0, SLOW), None);
        assert_eq!(address.end(b, "b", 1, SLOW), None);
        assert_eq!(address.end(c, "c", 2, SLOW), Some("slow"));
    }

    #[test]
    fn one_conversation_that_times_out_again_and_again_does_not_mark_the_address_down() {
        let mut address = Address::new();
        (0..9).for_each(|second| address.request("a", second, SLOW));
        address.request("b", 9, SLOW);
        assert!(!address.is_down());
        address.request("c", 9, SLOW);
        assert!(address.is_down());
    }

    #[test]
    fn an_answer_between_time_outs_begins_the_count_anew() {
        let mut address = Address::new();
        let [a, b, c, d, e, f] = [0; 6].map(|_| address.admit());
        address.end(a, "a", 1, SLOW);
        address.end(b, "b", 1, SLOW);
        address.end(f, "f", 0, End::Answered);
        address.end(c, "c", 1, SLOW);
        address.end(d, "d", 1, SLOW);
        assert!(!address.is_down());
        address.end(e, "e", 1, SLOW);
        assert!(address.is_down());
    }

    #[test]
    fn time_outs_do_not_count_when_a_later_request_was_answered() {
        let mut address = Address::new();
        let hung = [0; 3].map(|_| address.admit());
        address.request("d", 1, End::Answered);
        for (pass, id) in hung.into_iter().zip(["a", "b", "c"]) {
            address.end(pass, id, 0, SLOW);
        }
        assert!(!address.is_down());
        for id in ["a", "b", "c"] {
            address.request(id, 2, SLOW);
        }
        assert!(address.is_down(), "these were sent after the last one that was answered");
    }

    #[test]
    fn one_request_at_a_time_probes_the_address_and_the_others_get_its_cause() {
        let mut address = Address::new();
        address.request("a", 0, REFUSED);
        for end in [SLOW, REFUSED] {
            let probe = address.admit();
            assert!(address.health.admit().is_err());
            assert_eq!(address.end(probe, "b", 1, end), None, "nobody waits");
        }
        let probe = address.admit();
        assert_eq!(address.health.admit().unwrap_err(), "refused");
        address.end(probe, "c", 2, SLOW);
        let _probe = address.admit();
        assert_eq!(
            address.health.admit().unwrap_err(),
            "slow",
            "the cause is what the latest probe got"
        );
    }

    #[test]
    fn any_answer_marks_the_address_up() {
        let mut address = Address::new();
        let sent_before = address.admit();
        address.request("a", 0, REFUSED);
        let probe = address.admit();
        address.end(sent_before, "b", 0, End::Answered);
        assert!(!address.is_down());
        // The address is down once more, and the former probe blocks no other.
        address.request("c", 1, REFUSED);
        let second = address.admit();
        address.end(probe, "d", 0, End::Unclear);
        assert!(address.health.admit().is_err(), "the second probe is still under way");
        address.end(second, "e", 1, End::Unclear);
        assert!(address.health.admit().is_ok());
    }

    #[test]
    fn an_unclear_end_changes_nothing() {
        let mut address = Address::new();
        address.request("a", 0, End::Unclear);
        assert!(!address.is_down());
        address.request("a", 0, REFUSED);
        address.request("b", 0, End::Unclear);
        assert!(address.is_down());
    }

    #[test]
    fn after_recovery_three_conversations_must_time_out_again() {
        let mut address = Address::new();
        for id in ["a", "b", "c"] {
            address.request(id, 0, SLOW);
        }
        address.request("d", 1, End::Answered);
        address.request("e", 2, SLOW);
        address.request("f", 2, SLOW);
        assert!(!address.is_down());
    }
}
