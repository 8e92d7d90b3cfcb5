//! When the desk calls an agent: soon after a customer needs one, and again until no customer does.
//!
//! Many customers who come at once cause one call, and so do all customers whom a restart finds. If
//! the customer is accepted, answered or gone before the call is due, no agent is called.

use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::core::outcome::Act;
use crate::core::report::Alert;
use crate::wire::ConversationId;

use super::groups::GroupId;
use super::{AgentId, Desk, Errand, SeatId};

/// A call waits this long, so that customers who come at the same time share it.
const GATHER: Duration = Duration::from_millis(500);
/// The least time between two calls.
const PAUSE: Duration = Duration::from_secs(10);
/// The most departments, and the most languages, of waiting customers that a call names.
const NAMED_MAX: usize = 8;

/// When an agent was called last, and when the next call is due.
pub(super) struct Alerts {
    every: Duration,
    next: Option<Instant>,
    latest: Option<Instant>,
    /// Whether the next call is due even if nobody waits: the desk gave the agent a customer.
    has_arrival: bool,
    /// Whether the next call repeats the latest one.
    is_repeat: bool,
}

/// A call to make now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// A customer or a line has come since the call before.
    First,
    /// Nothing has come since the call before, and a customer still needs the agent.
    Repeat,
}

impl Alerts {
    /// While a customer needs the agent, the call is repeated after each `every`.
    pub(super) fn new(every: Duration) -> Alerts {
        Alerts { every, next: None, latest: None, has_arrival: false, is_repeat: false }
    }

    /// Notes that a customer needs the agent: the next call is due soon.
    pub(super) fn note(&mut self, now: Now) {
        let paused = self.latest.map_or(now.clock, |latest| latest + PAUSE);
        let soonest = paused.max(now.clock + GATHER);
        self.next = Some(self.next.map_or(soonest, |next| next.min(soonest)));
        self.is_repeat = false;
    }

    /// Notes that the agent was given a customer without asking.
    pub(super) fn note_arrival(&mut self, now: Now) {
        self.has_arrival = true;
        self.note(now);
    }

    /// The call that is due now, if one is. `is_needed`: a customer still needs the agent.
    /// `is_here`: the agent could react to the call.
    fn take(&mut self, is_needed: bool, is_here: bool, now: Now) -> Option<Call> {
        if self.next.is_none_or(|next| now.clock < next) {
            return None;
        }
        let call =
            if std::mem::replace(&mut self.is_repeat, true) { Call::Repeat } else { Call::First };
        self.next = is_needed.then_some(now.clock + self.every);
        let is_called = std::mem::take(&mut self.has_arrival) || is_needed && is_here;
        if is_called {
            self.latest = Some(now.clock);
        }
        is_called.then_some(call)
    }
}

impl Desk {
    /// Notes that a customer of this group waits: the agents whom the group is for are called soon.
    pub(super) fn note_waiting(&mut self, group: GroupId, now: Now) {
        self.alerts.note(now);
        let members = self.team.members_mut();
        let for_whom = members.filter(|(agent, _)| self.groups.is_for(group, *agent));
        for_whom.for_each(|(_, member)| member.alerts.note(now));
    }

    /// Notes the customers whom a restart finds waiting.
    pub(super) fn note_all_waiting(&mut self, now: Now) {
        self.alerts.note(now);
        self.groups.iter().for_each(|group| self.note_waiting(group, now));
    }

    /// Notes new lines for an agent. The agent is called unless one of their seats reads them.
    pub(super) fn note_lines(&mut self, agent: AgentId, id: ConversationId, lines: u32, now: Now) {
        if self.team.note_unread(agent, id, lines, now) {
            self.alerts.note(now);
            self.team.member_mut(agent).alerts.note(now);
        }
    }

    /// Notes that this agent was given a customer without asking.
    pub(super) fn note_arrival(&mut self, agent: AgentId, now: Now) {
        self.alerts.note_arrival(now);
        self.team.member_mut(agent).alerts.note_arrival(now);
    }

    /// Makes the calls that are due.
    pub(super) fn call_agents(&mut self, now: Now) {
        if self.next_call().is_none_or(|next| now.clock < next) {
            return;
        }
        let is_up = self.groups_up_for_accept();
        let is_needed = is_up.contains(&true) || self.team.unread() > 0;
        if let Some(call) = self.alerts.take(is_needed, true, now) {
            let alert = self.alert(None, call, now);
            self.act(Act::Errand(Errand::Notify(alert)));
        }
        let mut called = Vec::new();
        for (agent, member) in self.team.members_mut() {
            let mut groups = self.groups.iter().filter(|group| is_up[group.index()]);
            let is_waited_for = groups.any(|group| self.groups.is_for(group, agent));
            let (is_unread, is_here) = (member.unread() > 0, member.is_here());
            let call = member.alerts.take(is_unread || is_waited_for, is_unread || is_here, now);
            called.extend(call.map(|call| (agent, call)));
        }
        for (agent, call) in called {
            let alert = self.alert(Some(agent), call, now);
            self.act(Act::Errand(Errand::Ring(agent, alert)));
        }
    }

    /// When `tick` may call an agent next.
    pub fn next_call(&self) -> Option<Instant> {
        let agents = self.team.members().filter_map(|(_, member)| member.alerts.next);
        agents.chain(self.alerts.next).min()
    }

    /// The number in the terminal's title at this seat: the customers who wait for its agent, plus
    /// the agent's unread lines.
    pub fn attention_at(&self, seat: SeatId) -> u32 {
        let Some(agent) = self.team.agent_at(seat) else { return 0 };
        let waiting = u32::try_from(self.waiting_for(agent)).unwrap_or(u32::MAX);
        waiting.saturating_add(self.team.member(agent).unread())
    }

    /// The content of a call for this agent. `None`: for the notify command and URL, which are
    /// called for all agents' customers.
    fn alert(&self, agent: Option<AgentId>, call: Call, now: Now) -> Alert {
        let is_meant = |group| agent.is_none_or(|agent| self.groups.is_for(group, agent));
        let waiting = self.queue.in_groups().filter(|(_, group)| is_meant(*group));
        let waiting: Vec<_> = waiting.collect();
        let needs = waiting.iter().map(|(id, _)| self.conversations[*id].controls.need());
        let unattended = waiting.iter().find(|(_, group)| self.groups.is_open(*group));
        let unread = match agent {
            Some(agent) => self.team.member(agent).unread(),
            None => self.team.unread(),
        };
        Alert {
            waiting: waiting.len(),
            // The first in the queue need not have waited longest: a customer who was given back to
            // the queue stands before all others.
            waited: waiting.iter().map(|(id, _)| self.waited(*id, now)).max().unwrap_or_default(),
            unread,
            is_repeat: call == Call::Repeat,
            is_nobody_here: agent.is_none() && !self.team.is_anybody_here(),
            departments: distinct(needs.clone().filter_map(|need| need.department.as_ref())),
            languages: distinct(needs.filter_map(|need| need.language.as_ref())),
            unattended: unattended.and_then(|(id, _)| self.unattended(*id)).cloned(),
        }
    }
}

/// The first [`NAMED_MAX`] distinct values, in their order.
fn distinct<'a, T: Clone + PartialEq + 'a>(all: impl Iterator<Item = &'a T>) -> Vec<T> {
    let mut distinct: Vec<T> = Vec::new();
    for one in all {
        if distinct.len() < NAMED_MAX && !distinct.contains(one) {
            distinct.push(one.clone());
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Alerts, Call, GATHER, PAUSE};
    use crate::core::clock::Now;

    #[test]
    fn thirty_customers_at_once_cause_one_call_which_is_repeated_until_nobody_needs_the_agent() {
        let (start, every) = (Instant::now(), Duration::from_secs(60));
        let at = |time: Duration| Now { clock: start + time, wall: 0 };
        let mut alerts = Alerts::new(every);
        let mut calls = Vec::new();
        for tenth in 0..1_500 {
            let time = Duration::from_millis(100 * tenth);
            if tenth < 3 || tenth == 30 {
                (0..10).for_each(|_| alerts.note(at(time)));
            }
            let call = alerts.take(time < Duration::from_secs(100), true, at(time));
            calls.extend(call.map(|call| (time, call)));
        }
        let (second, third) = (GATHER + PAUSE, GATHER + PAUSE + every);
        assert_eq!(calls, [(GATHER, Call::First), (second, Call::First), (third, Call::Repeat)]);
        assert_eq!(alerts.next, None);
    }

    #[test]
    fn a_customer_who_is_accepted_before_the_call_causes_none() {
        let now = Now { clock: Instant::now(), wall: 0 };
        let mut alerts = Alerts::new(Duration::from_secs(60));
        alerts.note(now);
        let later = Now { clock: now.clock + GATHER, ..now };
        assert_eq!(alerts.take(false, true, later), None);
        assert_eq!(alerts.next, None);
    }
}
