//! Departments: which agents may serve a waiting customer.
//!
//! Customers whom the same agents serve are in one **group**: the desk calls agents for a group,
//! assigns its customers, and counts positions within it. Every agent serves the customers without
//! a department. So a desk whose agents name no departments has one group.
//!
//! ```text
//!              somebody waits, and for 60 s
//!             nobody of the group was here
//!   attended ───────────────────────────────▶ open
//!      ▲                                        │
//!      └────────────────────────────────────────┘
//!         one of them is here, or nobody waits
//! ```
//!
//! The customers of an open group are for all agents. The 60 s begin again after one of the group's
//! agents was here or nobody waited.

use std::time::{Duration, Instant};

use crate::core::clock::Now;
use crate::core::department::{Department, Need};
use crate::core::report::{DeskNews, News, Report};
use crate::wire::ConversationId;

use super::team::Team;
use super::{AgentId, Desk, SeatId};

/// After this time without an agent of their department, customers are for all agents.
pub const UNATTENDED_FOR: Duration = Duration::from_secs(60);

/// A group's index in [`Groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupId(u16);

impl GroupId {
    /// The group that all agents serve. It has the customers without a department.
    pub(super) const ALL: GroupId = GroupId(0);

    /// The group as an index.
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// One group.
#[derive(Default)]
struct Group {
    /// The agents who serve the group, sorted.
    agents: Vec<AgentId>,
    /// Since when a customer waits while none of these agents is here.
    unattended_since: Option<Instant>,
    /// Whether the group's customers are for all agents.
    is_open: bool,
}

/// The groups of a desk, worked out from the departments that its agents serve.
pub(super) struct Groups {
    groups: Vec<Group>,
    /// The group of each department that an agent names.
    named: Vec<(Department, GroupId)>,
    /// The group of every other department: only agents without a department serve it.
    other: GroupId,
}

impl Groups {
    /// Works out the groups of this team. `has_terminal`: the desk's own terminal is an agent, too.
    pub(super) fn of(team: &Team, has_terminal: bool) -> Groups {
        let agents = team.members().map(|(agent, _)| agent);
        let agents: Vec<_> =
            agents.filter(|agent| has_terminal || *agent != AgentId::TERMINAL).collect();
        let serving = |department: Option<&Department>| {
            let serve = agents.iter().copied().filter(|agent| team.serves(*agent, department));
            serve.collect::<Vec<_>>()
        };
        let all = Group { agents: serving(None), ..Group::default() };
        let mut groups = Groups { groups: vec![all], named: Vec::new(), other: GroupId::ALL };
        for department in team.members().flat_map(|(_, member)| &member.departments) {
            if !groups.named.iter().any(|(known, _)| known == department) {
                let group = groups.group_of(serving(Some(department)));
                groups.named.push((department.clone(), group));
            }
        }
        let is_free = |agent: &AgentId| team.member(*agent).departments.is_empty();
        let free = groups.groups[0].agents.iter().copied().filter(is_free).collect();
        groups.other = groups.group_of(free);
        groups
    }

    /// The group with exactly these agents. Adds it if there is none.
    fn group_of(&mut self, agents: Vec<AgentId>) -> GroupId {
        let at = self.groups.iter().position(|group| group.agents == agents).unwrap_or_else(|| {
            self.groups.push(Group { agents, ..Group::default() });
            self.groups.len() - 1
        });
        // The limits of agents and their departments keep this below 65,536.
        u16::try_from(at).map_or(GroupId::ALL, GroupId)
    }

    /// The group of a customer with this need.
    fn at(&self, need: &Need) -> GroupId {
        let Some(department) = &need.department else { return GroupId::ALL };
        let named = self.named.iter().find(|(known, _)| known == department);
        named.map_or(self.other, |(_, group)| *group)
    }

    /// Whether the customers of a group are for this agent.
    pub(super) fn is_for(&self, group: GroupId, agent: AgentId) -> bool {
        self.is_open(group) || self.serves(group, agent)
    }

    /// Whether this agent serves a group.
    fn serves(&self, group: GroupId, agent: AgentId) -> bool {
        group == GroupId::ALL || self.groups[group.index()].agents.binary_search(&agent).is_ok()
    }

    /// Whether a group is for all agents, because none of its own agents is here.
    pub(super) fn is_open(&self, group: GroupId) -> bool {
        self.groups[group.index()].is_open
    }

    /// The departments that agents serve by name.
    pub(super) fn departments(&self) -> impl Iterator<Item = &Department> {
        self.named.iter().map(|(department, _)| department)
    }

    /// The longest name of a department with which this text begins, and the text after it, if
    /// there is one.
    pub(super) fn find_department<'a>(
        &self,
        text: &'a str,
    ) -> Option<(Department, Option<&'a str>)> {
        let ends = text.match_indices(' ').map(|(at, _)| at).chain([text.len()]);
        let mut ends: Vec<_> = ends.collect();
        ends.reverse();
        ends.into_iter().find_map(|end| {
            let named = Department::new(&text[..end])?;
            let known = self.departments().find(|known| **known == named)?;
            let rest = text[end..].trim();
            Some((known.clone(), (!rest.is_empty()).then_some(rest)))
        })
    }

    /// All groups.
    pub(super) fn iter(&self) -> impl Iterator<Item = GroupId> + use<> {
        (0..self.groups.len() as u16).map(GroupId)
    }

    /// When the next group becomes open, if at least one agent is here.
    fn deadline(&self) -> Option<Instant> {
        let closed = self.groups.iter().filter(|group| !group.is_open);
        closed.filter_map(|group| group.unattended_since).min().map(|since| since + UNATTENDED_FOR)
    }
}

impl Desk {
    /// The group for this customer, whether or not they wait.
    pub(super) fn group(&self, id: ConversationId) -> GroupId {
        self.groups.at(self.conversations[id].controls.need())
    }

    /// How many customers wait for this agent.
    pub(super) fn waiting_for(&self, agent: AgentId) -> usize {
        let groups = self.groups.iter().filter(|group| self.groups.is_for(*group, agent));
        groups.map(|group| self.queue.waiting_in(group)).sum()
    }

    /// The customer who has waited longest for this agent. A customer whom an agent gave back
    /// stands before all others, and may have begun to wait later than they.
    pub(super) fn longest_waiting_for(&self, agent: AgentId) -> Option<ConversationId> {
        let meant = self.queue.in_groups().filter(|(_, group)| self.groups.is_for(*group, agent));
        let mut candidates = Vec::new();
        for (id, _) in meant {
            candidates.push(id);
            if !self.conversations[id].is_unowned() && !self.is_requeued(id) {
                break;
            }
        }
        candidates.into_iter().min_by_key(|id| self.conversations[*id].owed().asked_at())
    }

    /// The first customer in the queue who waits for this agent.
    pub(super) fn first_for(&self, agent: AgentId) -> Option<ConversationId> {
        let mut queued = self.queue.in_groups();
        queued.find(|(_, group)| self.groups.is_for(*group, agent)).map(|(id, _)| id)
    }

    /// [`first_for`](Desk::first_for) the agent at this seat.
    pub(super) fn first_at(&self, seat: SeatId) -> Option<ConversationId> {
        self.team.agent_at(seat).and_then(|agent| self.first_for(agent))
    }

    /// The department of a waiting customer, if the group is open because none of its agents is
    /// here.
    pub(super) fn unattended(&self, id: ConversationId) -> Option<&Department> {
        let is_open = self.groups.is_open(self.queue.group(id)?);
        self.conversations[id].controls.need().department.as_ref().filter(|_| is_open)
    }

    /// Works out the groups again after the agents have changed, and moves each waiting customer to
    /// their new group. A group keeps the time for which none of its agents was here.
    pub(super) fn renew_groups(&mut self) {
        let former =
            std::mem::replace(&mut self.groups, Groups::of(&self.team, self.options.has_terminal));
        let before: Vec<_> = self.queue.in_groups().collect();
        let present: Vec<_> = before.iter().map(|(id, _)| self.group(*id)).collect();
        for ((_, before), group) in before.into_iter().zip(&present) {
            let before = &former.groups[before.index()];
            let group = &mut self.groups.groups[group.index()];
            let since = [before.unattended_since, group.unattended_since];
            group.unattended_since = since.into_iter().flatten().min();
            group.is_open |= before.is_open;
        }
        // All agents serve this group anyway, so it never needs to open.
        let all = &mut self.groups.groups[GroupId::ALL.index()];
        (all.unattended_since, all.is_open) = (None, false);
        self.queue.set_groups(present);
    }

    /// Opens each group whose customers have waited for too long while none of its agents was here,
    /// and closes each group that needs this no longer.
    pub(super) fn review_groups(&mut self, now: Now) {
        for group in self.groups.iter().skip(1) {
            let is_here = |agent: &AgentId| self.team.member(*agent).is_here();
            let is_attended = self.groups.groups[group.index()].agents.iter().any(is_here);
            let is_unattended = self.queue.waiting_in(group) > 0 && !is_attended;
            let state = &mut self.groups.groups[group.index()];
            if !is_unattended {
                (state.unattended_since, state.is_open) = (None, false);
                continue;
            }
            let since = *state.unattended_since.get_or_insert(now.clock);
            if !state.is_open && now.clock >= since + UNATTENDED_FOR && self.team.is_anybody_here()
            {
                self.open_group(group, now);
            }
        }
    }

    /// When [`review_groups`](Desk::review_groups) has something to do next.
    pub(super) fn groups_deadline(&self) -> Option<Instant> {
        self.groups.deadline().filter(|_| self.team.is_anybody_here())
    }

    /// Opens a group: its customers are for all agents from now on, and all agents are called.
    fn open_group(&mut self, group: GroupId, now: Now) {
        let is_up = |(id, of): &(ConversationId, GroupId)| {
            *of == group && self.conversations[*id].is_up_for_accept()
        };
        let mut waiting = self.queue.in_groups().filter(is_up).map(|(id, _)| id);
        let Some(first) = waiting.next() else {
            // Agents are accepting all of these customers. If that fails, the time begins again.
            self.groups.groups[group.index()].unattended_since = Some(now.clock);
            return;
        };
        let others = waiting.count();
        self.groups.groups[group.index()].is_open = true;
        self.tell_call(first, others);
        self.note_waiting(group, now);
    }

    /// Tells the agents of a customer's group that the customer waits, and `others` with them.
    pub(super) fn tell_call(&mut self, id: ConversationId, others: usize) {
        let name = self.conversations[id].called(id);
        let group = self.queue.group(id).unwrap_or(GroupId::ALL);
        let news = match self.unattended(id).cloned() {
            Some(department) => {
                let is_served = !self.groups.groups[group.index()].agents.is_empty();
                DeskNews::Unattended { name, others, department, is_served }
            }
            None => DeskNews::Called(name),
        };
        let call = Report::Call { text: News::Desk(news) };
        if group == GroupId::ALL || self.groups.is_open(group) {
            return self.tell_all(call);
        }
        for agent in self.groups.groups[group.index()].agents.clone() {
            self.tell_agent(agent, call.clone());
        }
    }

    /// For each group, by its index: whether any of its customers may be accepted now.
    pub(super) fn groups_up_for_accept(&self) -> Vec<bool> {
        let mut is_up = vec![false; self.groups.groups.len()];
        for (id, group) in self.queue.in_groups() {
            is_up[group.index()] |= self.conversations[id].is_up_for_accept();
            if is_up.iter().all(|is_up| *is_up) {
                break;
            }
        }
        is_up
    }

    /// The first connected customer in the queue who waits for this agent.
    pub(super) fn next_for(&self, agent: AgentId) -> Option<ConversationId> {
        let mut queued = self.queue.in_groups();
        let is_next = |(id, group): &(ConversationId, GroupId)| {
            self.groups.is_for(*group, agent) && self.conversations[*id].is_ready()
        };
        queued.find(is_next).map(|(id, _)| id)
    }
}
