//! What must hold when a history is over and the line has healed.

use handoff::wire::{Author, Body, Entry, Request, State};

use super::World;
use super::entries::{is_request, state_after};

impl World {
    pub(super) fn check(&self) {
        let id = self.customer.id;
        let (made, heard) = (self.customer.disk.own(id), self.customer.disk.theirs(id));
        let (present, came) = (self.care.disk.own(id), self.care.disk.theirs(id));
        for (at, entry) in made.iter().enumerate() {
            assert_eq!(entry.number, at as u64 + 1, "the customer's numbers have a gap");
            let by_bot = entry.said().is_some_and(|said| said.author == Author::Bot);
            let is_bots = state_after(&made[..at]) == State::Bot;
            assert!(!by_bot || is_bots, "the bot sent a message while a person was the owner");
        }
        assert_eq!(came, made[..came.len()], "the desk has other entries than the customer");
        self.check_desk(&came, &present, &heard);
        self.check_heard(&heard);
        self.check_bot(&made);
        self.check_end(&made, &came);
    }

    /// Checks that the customer has all entries of the desk, and that the agent knows the state.
    fn check_desk(&self, came: &[Entry], present: &[Entry], heard: &[Entry]) {
        let session = self.sessions.get(self.customer.id).expect("the customer has a session");
        // Messages of a conversation that was closed before any desk had it are reported as
        // undelivered, and no desk gets them.
        let is_given_up = session.is_over();
        let undelivered = session.undelivered();
        assert!(undelivered.is_empty() || is_given_up, "undelivered: {undelivered:?}");
        // A customer's side that has nothing for the desk does not connect, so it cannot notice
        // that the desk was set back.
        if came.is_empty() || self.set_back {
            return;
        }
        let is_lacking = |entry: &&Entry| entry.said().is_some() && !heard.contains(entry);
        assert_eq!(
            present.iter().find(is_lacking),
            None,
            "the customer lacks an entry of the desk"
        );
        let (state, told) = (state_after(came), self.care.state);
        let is_over = |state| matches!(state, State::Bot | State::Closed);
        let is_unlisted = self.care.is_unlisted && is_over(state);
        // Agents do not hear of a blocked customer's wait, nor of its end.
        let is_hidden = self.blocked > 0 && is_over(state) && told.is_none_or(is_over);
        assert!(
            is_unlisted || is_hidden || told == Some(state),
            "the latest state reported to the agent is {told:?}, not {state:?}"
        );
    }

    /// Checks that the customer got only entries that a desk sent, and no message twice.
    fn check_heard(&self, heard: &[Entry]) {
        let id = self.customer.id;
        let disks = self.former.iter().chain([&self.care.disk]);
        let mut said: Vec<Entry> = disks.flat_map(|disk| disk.own(id)).collect();
        said.extend(self.lost.clone());
        for (at, entry) in heard.iter().enumerate() {
            assert!(said.contains(entry), "the customer got an entry that no desk sent");
            let is_doubled = heard[at + 1..].iter().any(|again| again.body == entry.body);
            assert!(entry.said().is_none() || !is_doubled, "doubled: {entry:?}");
        }
    }

    /// Checks that the bot got each line that was for it, or that the customer knows of the doubt.
    fn check_bot(&self, made: &[Entry]) {
        let customer = &self.customer;
        assert_eq!(
            customer.state,
            state_after(made),
            "the state reported to the customer differs from the journal"
        );
        let is_told = customer.state != State::Bot || customer.untold.is_empty();
        assert!(is_told, "the bot never got the talks after {:?}", customer.untold);
        for said in made.iter().rev().map_while(Entry::said) {
            let text = said.text.to_string();
            let is_asked = said.author != Author::User || customer.questions.contains(&text);
            let is_doubted = customer.doubted.contains(&text);
            let is_fine = is_asked || is_doubted || customer.state != State::Bot;
            assert!(is_fine, "the bot was never asked '{text}'");
        }
    }

    /// Checks that a desk that had the conversation got its end.
    fn check_end(&self, made: &[Entry], came: &[Entry]) {
        let request = made.iter().rfind(|entry| is_request(entry));
        let request = request.map_or(u64::MAX, |entry| entry.number);
        let is_end = |entry: &&Entry| matches!(entry.body, Body::Closed { .. });
        if let Some(end) = made.iter().rfind(is_end)
            && request <= came.len() as u64
            && !self.set_back
            && state_after(&made[..end.number as usize - 1]) != State::Bot
        {
            assert_eq!(came.len(), made.len(), "the desk did not get the end");
        }
    }

    /// Whether the customer's side ever let the customer wait again, as a desk asked.
    pub(super) fn was_requeued(&self) -> bool {
        let came = self.care.disk.theirs(self.customer.id);
        let is_answer = |body: &Body| matches!(body, Body::Requested(Request { of: Some(_), .. }));
        came.iter().any(|entry| is_answer(&entry.body))
    }

    /// Whether the desk has accepted an entry that followed the end of the conversation.
    pub(super) fn has_entries_after_the_end(&self) -> bool {
        let came = self.care.disk.theirs(self.customer.id);
        let end = came.iter().position(|entry| matches!(entry.body, Body::Closed { .. }));
        end.is_some_and(|end| end + 1 < came.len())
    }
}
