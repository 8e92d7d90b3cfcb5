//! The agents of a desk: who they are, at which seats they sit, and whether they are there.
//!
//! ```text
//!           /away                 the last seat is gone
//!   here ──────────▶ away    here, away ──────────────▶ missed ──grace──▶ gone
//!        ◀──────────                    ◀──────────────
//!           /here                            a seat
//! ```
//!
//! An agent is there as long as one of their seats is. The terminal that started the desk is an
//! agent, too: it needs no secret, and it is a lead.
//!
//! Lines of customers are unread until the agent goes to them at any seat. What a customer is owed
//! is another matter: reading answers nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::core::agent::{Agent, Agents, TERMINAL};
use crate::core::clock::Now;
use crate::core::department::Department;
use crate::core::record::Owner;
use crate::core::report::Presence;
use crate::core::text::{begins, is_same};
use crate::wire::{ConversationId, IdMap};

use super::Options;
use super::alerts::Alerts;
use super::seat::Seat;

/// An agent, by the order in which this process learnt of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId(u16);

impl AgentId {
    /// The terminal that started the desk.
    pub const TERMINAL: AgentId = AgentId(0);
}

/// A seat, numbered in the order of sign-in. No number is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeatId(u32);

impl SeatId {
    /// The seat of the terminal that started the desk.
    pub const TERMINAL: SeatId = SeatId(0);
}

/// The agents and their seats.
pub(super) struct Team {
    members: Vec<Member>,
    seats: BTreeMap<SeatId, Seat>,
    seats_given: u32,
    grace: Duration,
}

/// One agent.
pub(super) struct Member {
    pub(super) name: Box<str>,
    /// The name that customers see.
    pub(super) shown_as: Option<String>,
    pub(super) is_lead: bool,
    /// The departments that the agent serves; none: all.
    pub(super) departments: Vec<Department>,
    is_revoked: bool,
    away: Option<Box<str>>,
    /// When the desk gave the agent a customer last.
    pub(super) given_at: Option<Instant>,
    /// When the last seat went away; `None` while there is one, and once the agent is gone.
    missed_since: Option<Instant>,
    has_seat: bool,
    /// The agent has had a seat since the desk was started.
    was_here: bool,
    /// The customers whom the agent had when the last seat went away, or when the desk was started,
    /// until the agent has read which of them are lost.
    pub(super) had: Vec<(ConversationId, String)>,
    /// How many lines are unread in each conversation that has any.
    unread: IdMap<ConversationId, u32>,
    pub(super) alerts: Alerts,
}

impl Member {
    fn new(name: &str, shown_as: Option<String>, is_lead: bool, every: Duration) -> Member {
        Member {
            name: name.into(),
            shown_as,
            is_lead,
            departments: Vec::new(),
            is_revoked: false,
            away: None,
            given_at: None,
            missed_since: None,
            has_seat: false,
            was_here: false,
            had: Vec::new(),
            unread: IdMap::default(),
            alerts: Alerts::new(every),
        }
    }

    /// Whether the agent is there.
    pub(super) fn presence(&self) -> Presence {
        match (&self.away, self.has_seat, self.missed_since) {
            _ if self.is_revoked => Presence::Revoked,
            (Some(_), true, _) => Presence::Away,
            (None, true, _) => Presence::Here,
            (_, false, Some(_)) => Presence::Missed,
            (_, false, None) => Presence::Gone,
        }
    }

    /// Whether the agent has had a seat since the desk was started.
    pub(super) fn was_here(&self) -> bool {
        self.was_here
    }

    /// Whether the agent has said that they are away.
    pub(super) fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// What the agent said when they went away.
    pub(super) fn why_away(&self) -> Option<String> {
        self.away.as_deref().filter(|why| !why.is_empty()).map(str::to_owned)
    }

    /// Whether the agent can be given a customer.
    pub(super) fn is_here(&self) -> bool {
        self.has_seat && self.away.is_none()
    }

    /// How many lines are unread.
    pub(super) fn unread(&self) -> u32 {
        self.unread.values().sum()
    }
}

impl Team {
    /// The agents that a desk begins with.
    pub(super) fn new(options: &Options, now: Now) -> Team {
        let terminal = Member::new(TERMINAL, options.name.clone(), true, options.notify_every);
        let mut team = Team {
            members: vec![terminal],
            seats: BTreeMap::new(),
            seats_given: 1,
            grace: options.agent_grace,
        };
        if options.has_terminal {
            team.members[0].has_seat = true;
            team.seats.insert(SeatId::TERMINAL, Seat::new(AgentId::TERMINAL));
        } else {
            team.members[0].missed_since = Some(now.clock);
        }
        team.update(&options.agents, options.notify_every, now);
        team
    }

    /// Replaces the agents. Returns the revoked agents, with their seats.
    pub(super) fn update(
        &mut self,
        agents: &Agents,
        every: Duration,
        now: Now,
    ) -> Vec<(AgentId, Vec<SeatId>)> {
        for Agent { name, shown_as, lead, departments, .. } in agents.iter() {
            match self.find(name) {
                Some(known) => {
                    let member = &mut self.members[usize::from(known.0)];
                    (member.shown_as, member.is_lead) = (Some(shown_as.clone()), *lead);
                    member.departments.clone_from(departments);
                }
                None if self.members.len() < usize::from(u16::MAX) => {
                    let member = Member::new(name, Some(shown_as.clone()), *lead, every);
                    let (missed_since, departments) = (Some(now.clock), departments.clone());
                    self.members.push(Member { missed_since, departments, ..member });
                }
                None => log::error!("the agent '{name}' is one too many for this process"),
            }
        }
        let mut revoked = Vec::new();
        for (number, member) in self.members.iter_mut().enumerate().skip(1) {
            if !member.is_revoked && agents.find(&member.name).is_none() {
                member.is_revoked = true;
                member.had.clear();
                revoked.push(AgentId(number as u16));
            }
        }
        revoked.into_iter().map(|agent| (agent, self.seats_of(agent))).collect()
    }

    /// Whether the desk has agents besides its own terminal.
    pub(super) fn is_shared(&self) -> bool {
        self.members.iter().skip(1).any(|member| !member.is_revoked)
    }

    /// Whether an agent is here who can be given customers.
    pub(super) fn is_anybody_here(&self) -> bool {
        self.members().any(|(_, member)| member.is_here())
    }

    /// Whether an agent who is not away has lost their terminal, and may be back within the grace.
    /// The terminal that started the desk never comes back.
    pub(super) fn is_anybody_expected(&self) -> bool {
        let is_expected = |(agent, member): (AgentId, &Member)| {
            agent != AgentId::TERMINAL && member.missed_since.is_some() && member.away.is_none()
        };
        self.members().any(is_expected)
    }

    /// Whether an agent serves the customers of this department, or (`None`) those without one.
    pub(super) fn serves(&self, agent: AgentId, department: Option<&Department>) -> bool {
        let served = &self.member(agent).departments;
        served.is_empty() || department.is_none_or(|department| served.contains(department))
    }

    /// A new seat of an agent.
    pub(super) fn sit_down(&mut self, agent: AgentId) -> SeatId {
        let seat = SeatId(self.seats_given);
        self.seats_given += 1;
        self.seats.insert(seat, Seat::new(agent));
        let member = &mut self.members[usize::from(agent.0)];
        (member.has_seat, member.was_here, member.missed_since) = (true, true, None);
        seat
    }

    /// A seat is gone. Returns its agent, if it was their last one.
    pub(super) fn stand_up(&mut self, seat: SeatId, now: Now) -> Option<AgentId> {
        let Seat { agent, .. } = self.seats.remove(&seat)?;
        if !self.seats_of(agent).is_empty() {
            return None;
        }
        let member = self.member_mut(agent);
        (member.has_seat, member.missed_since) = (false, Some(now.clock));
        Some(agent)
    }

    /// Agents whose grace is over by now. Each is returned once. A revoked agent has no grace.
    pub(super) fn take_gone(&mut self, now: Now) -> Vec<AgentId> {
        let grace = self.grace;
        let mut gone = Vec::new();
        for (number, member) in self.members.iter_mut().enumerate() {
            if member.missed_since.is_some_and(|since| now.clock >= since + grace) {
                member.missed_since = None;
                if member.is_revoked {
                    continue;
                }
                gone.push(AgentId(number as u16));
            }
        }
        gone
    }

    /// When [`take_gone`](Team::take_gone) may return an agent next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let missed = self.members.iter().filter_map(|member| member.missed_since);
        missed.min().map(|since| since + self.grace)
    }

    /// Whether the agent is there, or may be back within the grace.
    pub(super) fn is_expected(&self, agent: AgentId) -> bool {
        !matches!(self.member(agent).presence(), Presence::Gone | Presence::Revoked)
    }

    /// The desk gives the agent a customer.
    pub(super) fn note_given(&mut self, agent: AgentId, now: Now) {
        self.member_mut(agent).given_at = Some(now.clock);
    }

    /// The agent says that they are away (`Some`), or here.
    pub(super) fn set_away(&mut self, agent: AgentId, away: Option<Box<str>>) {
        self.member_mut(agent).away = away;
    }

    pub(super) fn member(&self, agent: AgentId) -> &Member {
        &self.members[usize::from(agent.0)]
    }

    pub(super) fn member_mut(&mut self, agent: AgentId) -> &mut Member {
        &mut self.members[usize::from(agent.0)]
    }

    /// All agents who may sign in, in the order in which the desk learnt of them.
    pub(super) fn members(&self) -> impl Iterator<Item = (AgentId, &Member)> {
        let all = self.members.iter().enumerate();
        all.filter(|(_, member)| !member.is_revoked)
            .map(|(number, member)| (AgentId(number as u16), member))
    }

    pub(super) fn members_mut(&mut self) -> impl Iterator<Item = (AgentId, &mut Member)> {
        let all = self.members.iter_mut().enumerate();
        all.map(|(number, member)| (AgentId(number as u16), member))
    }

    /// The agent with this name, in any letter case.
    pub(super) fn find(&self, name: &str) -> Option<AgentId> {
        self.members().find(|(_, member)| is_same(&member.name, name)).map(|(agent, _)| agent)
    }

    /// The agent with this name, or else the only agent whose name begins like this, in any letter
    /// case.
    pub(super) fn find_named(&self, name: &str) -> Option<AgentId> {
        let mut fitting = self.members().filter(|(_, member)| begins(&member.name, name));
        let only = fitting.next().filter(|_| fitting.next().is_none()).map(|(agent, _)| agent);
        self.find(name).or(only)
    }

    /// The agent who has a conversation, unless that agent was revoked.
    pub(super) fn owner(&self, owner: &Owner) -> Option<AgentId> {
        match owner {
            Owner::Terminal => Some(AgentId::TERMINAL),
            Owner::Agent(name) => self.find(name),
            Owner::Nobody => None,
        }
    }

    /// An owner, as the journal stores it.
    pub(super) fn record(&self, owner: Option<AgentId>) -> Owner {
        match owner {
            None => Owner::Nobody,
            Some(AgentId::TERMINAL) => Owner::Terminal,
            Some(agent) => Owner::Agent(self.member(agent).name.clone()),
        }
    }

    /// The agent at this seat.
    pub(super) fn agent_at(&self, seat: SeatId) -> Option<AgentId> {
        self.seats.get(&seat).map(|seat| seat.agent)
    }

    pub(super) fn seat(&self, seat: SeatId) -> Option<&Seat> {
        self.seats.get(&seat)
    }

    pub(super) fn seat_mut(&mut self, seat: SeatId) -> Option<&mut Seat> {
        self.seats.get_mut(&seat)
    }

    /// The seats of an agent.
    pub(super) fn seats_of(&self, agent: AgentId) -> Vec<SeatId> {
        let theirs = self.seats.iter().filter(|(_, seat)| seat.agent == agent);
        theirs.map(|(id, _)| *id).collect()
    }

    /// Seats at which a conversation is open: it has their focus, or is watched there.
    pub(super) fn readers(&self, id: ConversationId) -> impl Iterator<Item = AgentId> {
        let reads = move |seat: &&Seat| seat.focus() == Some(id) || seat.watched.contains(&id);
        self.seats.values().filter(reads).map(|seat| seat.agent)
    }

    /// The conversation that gets the next line of this seat.
    pub(super) fn focus(&self, seat: SeatId) -> Option<ConversationId> {
        self.seats.get(&seat).and_then(Seat::focus)
    }

    /// The agent goes to this conversation.
    pub(super) fn go_to(&mut self, seat: SeatId, id: ConversationId) {
        let Some(at) = self.seats.get_mut(&seat) else { return };
        at.go_to(id);
        self.members[usize::from(at.agent.0)].unread.remove(&id);
    }

    /// Gives the agent a conversation. Returns the seats whose focus moves to it: the seat that
    /// asked for it (`asked`), and each seat whose focus is on none of the agent's customers
    /// (`is_free`).
    pub(super) fn gain(
        &mut self,
        agent: AgentId,
        id: ConversationId,
        asked: Option<SeatId>,
        is_free: impl Fn(Option<ConversationId>) -> bool,
    ) -> Vec<SeatId> {
        let seats = self.seats_of(agent);
        let moves = |seat: &SeatId| asked == Some(*seat) || is_free(self.focus(*seat));
        let moved: Vec<SeatId> = seats.into_iter().filter(moves).collect();
        moved.iter().for_each(|seat| self.go_to(*seat, id));
        moved
    }

    /// The agent who had this customer has them no more.
    pub(super) fn lose(&mut self, id: ConversationId) {
        self.seats.values_mut().for_each(|seat| seat.lose(id));
        self.members.iter_mut().for_each(|member| _ = member.unread.remove(&id));
    }

    /// The conversation has ended: nobody watches it any more.
    pub(super) fn stop_watching(&mut self, id: ConversationId) {
        self.seats.values_mut().for_each(|seat| seat.watched.retain(|watched| *watched != id));
    }

    /// Counts new lines for an agent as unread, unless a person sits at a seat of the agent that
    /// has the customer in focus. Returns whether they are unread.
    pub(super) fn note_unread(
        &mut self,
        agent: AgentId,
        id: ConversationId,
        lines: u32,
        now: Now,
    ) -> bool {
        let mut theirs = self.seats.values().filter(|seat| seat.agent == agent);
        let is_unread = lines > 0 && !theirs.any(|seat| seat.reads(id, now));
        if is_unread {
            *self.members[usize::from(agent.0)].unread.entry(id).or_default() += lines;
        }
        is_unread
    }

    /// A person types at this seat, so they have read the lines of the customer in focus.
    pub(super) fn note_act(&mut self, seat: SeatId, now: Now) {
        let Some(at) = self.seats.get_mut(&seat) else { return };
        at.note_act(now);
        if let Some(id) = at.focus() {
            self.members[usize::from(at.agent.0)].unread.remove(&id);
        }
    }

    /// How many lines are unread in all.
    pub(super) fn unread(&self) -> u32 {
        self.members.iter().map(Member::unread).sum()
    }
}

#[cfg(test)]
mod tests;
