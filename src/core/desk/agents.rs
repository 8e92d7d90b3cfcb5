//! How agents come and go: they sign in at seats, sign out, are away, or are revoked.
//!
//! Which customers an agent has is decided in [`ownership`](super::ownership), and whether an agent
//! is here in [`team`](super::team).

use std::collections::BTreeMap;

use crate::core::agent::Agents;
use crate::core::clock::Now;
use crate::core::record::Record;
use crate::core::report::{Colleague, DeskNews, Listed, Lost, Presence, Report};
use crate::wire::{ConversationId, SeatKey, SecretHash, State};

use super::{AgentId, Desk, SeatId};

impl Desk {
    /// Adds a seat for the agent with this name. `None`: there is no such agent.
    pub fn sign_in(&mut self, name: &str) -> Option<SeatId> {
        let agent = self.team.find(name)?;
        let seat = self.team.sit_down(agent);
        self.is_nobody_here = !self.team.is_anybody_here();
        self.review_unattended();
        // The seat's focus goes to the first customer whom the agent has.
        let first = self.own_conversations(seat).next();
        if let Some(first) = first {
            self.team.go_to(seat, first);
        }
        Some(seat)
    }

    /// Removes a seat.
    pub fn sign_out(&mut self, seat: SeatId, now: Now) {
        if let Some(agent) = self.team.stand_up(seat, now) {
            self.keep_all(agent, now);
            let theirs: Vec<_> =
                self.conversations_of(agent).map(|id| (id, self.who(id))).collect();
            // Customers whom the agent lost earlier stay in `had` until a screen has shown that.
            let had = &mut self.team.member_mut(agent).had;
            had.retain(|(id, _)| theirs.iter().all(|(theirs, _)| theirs != id));
            had.extend(theirs);
        }
        self.review_presence(now);
    }

    /// Journals that an agent's terminal has used its code. From now on the terminal signs in with
    /// this secret.
    pub fn enroll(&mut self, agent: &str, code: SecretHash, secret: SecretHash) {
        let record = Record::Enrolled { agent: agent.into(), code, secret };
        self.journal(ConversationId::NONE, record);
    }

    /// Moves the focus of a seat that is back to where it was, if the agent still has that
    /// conversation.
    pub fn return_to(&mut self, seat: SeatId, id: ConversationId) {
        if self.is_own(seat, id) {
            self.team.go_to(seat, id);
        }
    }

    /// If this is the agent's only seat, tells all agents that this agent has come, or is still
    /// away, and tells the agent which customers they have lost meanwhile.
    pub fn tell_arrival(&mut self, seat: SeatId) {
        let Some(agent) = self.team.agent_at(seat) else { return };
        if self.team.seats_of(agent).len() == 1 {
            let member = self.team.member(agent);
            let (presence, why) = (member.presence(), member.why_away());
            self.tell_presence(agent, presence, why.as_deref());
            for (id, who) in self.team.member(agent).had.clone() {
                if let Some(how) = self.lost(agent, id) {
                    self.tell_agent_news(agent, DeskNews::LostMeanwhile { who, how });
                }
            }
        }
        self.tell_void_offers(seat);
    }

    /// The screen at this seat has shown which customers the agent lost and which offers are over:
    /// they are not told again.
    pub fn arrival_shown(&mut self, seat: SeatId) {
        self.void_offers_shown(seat);
        if let Some(agent) = self.team.agent_at(seat) {
            self.team.member_mut(agent).had.clear();
        }
    }

    /// How the agent lost a customer whom they had; `None` if they still have the customer.
    fn lost(&self, agent: AgentId, id: ConversationId) -> Option<Lost> {
        let Some(known) = self.conversations.get(id) else { return Some(Lost::Gone) };
        match known.state() {
            State::Active if known.is_owned_by(agent) => None,
            State::Active => {
                let owner = known.owner().map(|owner| Lost::Taken(self.agent_name(owner)));
                Some(owner.unwrap_or(Lost::Requeued))
            }
            State::Queued => Some(Lost::Requeued),
            State::Bot => Some(Lost::Gone),
            State::Closed => Some(Lost::Ended),
        }
    }

    /// Journals that the lines up to this number from a seat are done, together with their effects.
    pub fn note_taken(&mut self, seat: SeatKey, number: u64) {
        self.journal(ConversationId::NONE, Record::Taken(seat, number));
    }

    /// Journals that the line with this number from a seat reached no customer. The journal has it
    /// because the terminal may lose its connection before the desk can tell it.
    pub fn note_unsent(&mut self, seat: SeatKey, number: u64) {
        self.journal(ConversationId::NONE, Record::Unsent(seat, number));
    }

    /// Replaces the list of agents. An agent who is no longer in it is revoked, and their customers
    /// go back to the queue. Returns the seats of the revoked agents.
    pub fn set_agents(&mut self, agents: &Agents, now: Now) -> Vec<SeatId> {
        let mut ended = Vec::new();
        for (agent, seats) in self.team.update(agents, self.options.notify_every, now) {
            let by = agents.revoked_by(&self.agent_name(agent)).map(|by| format!("by {by}"));
            self.tell_presence(agent, Presence::Revoked, by.as_deref());
            self.mark_away(agent, None);
            seats.iter().for_each(|seat| _ = self.team.stand_up(*seat, now));
            self.release_all(agent, now);
            ended.extend(seats);
        }
        self.renew_groups();
        self.review_presence(now);
        ended
    }

    /// `/away [TEXT]` (`away` has the text, which may be empty) or `/here` (`None`).
    pub fn set_away(&mut self, seat: SeatId, away: Option<&str>, now: Now) {
        let Some(agent) = self.team.agent_at(seat) else { return };
        self.mark_away(agent, away);
        let presence = if away.is_some() { Presence::Away } else { Presence::Here };
        self.tell_presence(agent, presence, away.filter(|why| !why.is_empty()));
        self.review_presence(now);
    }

    /// Notes and journals that an agent is away, or is not. A restarted desk has a new terminal, which
    /// is not away.
    pub(super) fn mark_away(&mut self, agent: AgentId, away: Option<&str>) {
        let is_news = away.is_some() || self.team.member(agent).is_away();
        self.team.set_away(agent, away.map(Into::into));
        if is_news && agent != AgentId::TERMINAL {
            let name = self.team.member(agent).name.clone();
            self.journal(ConversationId::NONE, Record::Away(name, away.map(Into::into)));
        }
    }

    /// After a restart: the agents who were away still are.
    pub(super) fn restore_away(&mut self, away: &BTreeMap<Box<str>, Box<str>>) {
        for (name, why) in away {
            match self.team.find(name) {
                Some(agent) => self.team.set_away(agent, Some(why.clone())),
                // The agent was revoked meanwhile.
                None => self.journal(ConversationId::NONE, Record::Away(name.clone(), None)),
            }
        }
    }

    /// If the last agent who can be given customers has become away or gone, tells all agents once,
    /// and calls the notify command and URL.
    pub(super) fn review_presence(&mut self, now: Now) {
        let is_nobody_here = !self.team.is_anybody_here();
        if is_nobody_here && !self.is_nobody_here {
            self.tell_news(DeskNews::NobodyIsHere);
            self.alerts.note_arrival(now);
        }
        self.is_nobody_here = is_nobody_here;
    }

    /// `/agents`: a line for each agent.
    pub fn colleagues(&self) -> Vec<Listed> {
        let listed = self.team.members().map(|(agent, member)| {
            Listed::Agent(Colleague {
                name: member.name.to_string(),
                shown_as: member.shown_as.clone(),
                is_lead: member.is_lead,
                departments: member.departments.clone(),
                customers: self.conversations.count_of(agent),
                presence: member.presence(),
                why: member.why_away(),
            })
        });
        listed.collect()
    }

    /// The agent at this seat.
    pub fn agent_at(&self, seat: SeatId) -> Option<AgentId> {
        self.team.agent_at(seat)
    }

    /// The names of the agents with a seat, except the agent of the desk's own terminal.
    pub fn attached(&self) -> Vec<String> {
        let others = self.team.members().skip(1);
        let here = others.filter(|(agent, _)| !self.team.seats_of(*agent).is_empty());
        here.map(|(_, member)| member.name.to_string()).collect()
    }

    /// The name, as customers see it, of the agent at this seat.
    pub fn shown_at(&self, seat: SeatId) -> Option<&str> {
        self.team.member(self.team.agent_at(seat)?).shown_as.as_deref()
    }

    /// The name by which other agents know this agent.
    pub(super) fn agent_name(&self, agent: AgentId) -> String {
        self.team.member(agent).name.to_string()
    }

    pub(super) fn tell_presence(&mut self, agent: AgentId, presence: Presence, why: Option<&str>) {
        let (agent, why) = (self.agent_name(agent), why.map(str::to_owned));
        self.tell_all(Report::Agent { agent, presence, why });
    }

    pub(super) fn names_of_those_here(&self) -> Vec<String> {
        let here = self.team.members().filter(|(_, member)| member.is_here());
        here.map(|(_, member)| member.name.to_string()).collect()
    }
}
