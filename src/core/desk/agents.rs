//! The agents of a desk come and go: they sign in at seats, are away, or are revoked.
//!
//! Whom they have is [`ownership`](super::ownership)'s; whether they are there is
//! [`team`](super::team)'s.

use crate::core::agent::Agents;
use crate::core::clock::Now;
use crate::core::record::Record;
use crate::core::report::{Colleague, DeskNews, Listed, Lost, News, Presence, Report};
use crate::wire::{ConversationId, SeatKey, SecretHash, State};

use super::{AgentId, Desk, SeatId};

impl Desk {
    /// The agent with this name has one seat more.
    pub fn sign_in(&mut self, name: &str) -> Option<SeatId> {
        let agent = self.team.find(name)?;
        let seat = self.team.sit_down(agent);
        self.is_nobody_here = !self.team.is_anybody_here();
        // Whom the agent has is in front of them again.
        let first = self.own_conversations(seat).next();
        if let Some(first) = first {
            self.team.go_to(seat, first);
        }
        Some(seat)
    }

    /// A seat is gone.
    pub fn sign_out(&mut self, seat: SeatId, now: Now) {
        if let Some(agent) = self.team.stand_up(seat, now) {
            self.keep_all(agent, now);
            let theirs: Vec<_> =
                self.conversations_of(agent).map(|id| (id, self.who(id))).collect();
            // Losses that no screen has shown yet are told again.
            let had = &mut self.team.member_mut(agent).had;
            had.retain(|(id, _)| theirs.iter().all(|(theirs, _)| theirs != id));
            had.extend(theirs);
        }
        self.review_presence(now);
    }

    /// An agent's terminal has shown its code. From now on it signs in with this secret.
    pub fn enroll(&mut self, agent: &str, code: SecretHash, secret: SecretHash) {
        let record = Record::Enrolled { agent: agent.into(), code, secret };
        self.journal(ConversationId::NONE, record);
    }

    /// A seat is back: its focus is where it was, if the agent still has that conversation.
    pub fn return_to(&mut self, seat: SeatId, id: ConversationId) {
        if self.is_own(seat, id) {
            self.team.go_to(seat, id);
        }
    }

    /// Tells everybody that an agent has a seat who had none, and the agent which customers they
    /// have lost since.
    pub fn tell_arrival(&mut self, seat: SeatId) {
        let Some(agent) = self.team.agent_at(seat) else { return };
        if self.team.seats_of(agent).len() == 1 {
            self.tell_presence(agent, Presence::Here, None);
            for (id, who) in self.team.member(agent).had.clone() {
                if let Some(how) = self.lost(agent, id) {
                    let news = DeskNews::LostMeanwhile { who, how };
                    self.tell_agent(agent, Report::News { text: News::Desk(news) });
                }
            }
        }
        self.tell_void_offers(seat);
    }

    /// The screen at this seat has shown what its agent was told at the arrival.
    pub fn arrival_shown(&mut self, seat: SeatId) {
        if let Some(agent) = self.team.agent_at(seat) {
            self.team.member_mut(agent).had.clear();
        }
    }

    /// What has become of a customer whom the agent had, if the agent has them no more.
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

    /// What was typed at a seat up to this number is done: the journal gets this with what it did.
    pub fn note_taken(&mut self, seat: SeatKey, number: u64) {
        self.journal(ConversationId::NONE, Record::Taken(seat, number));
    }

    /// The line with this number at a seat goes nowhere. The journal gets this with the line: the
    /// terminal may be gone before it hears so.
    pub fn note_unsent(&mut self, seat: SeatKey, number: u64) {
        self.journal(ConversationId::NONE, Record::Unsent(seat, number));
    }

    /// These are the agents from now on. Who is not among them is revoked: their customers go back
    /// to the queue. Returns the seats that end with this.
    pub fn set_agents(&mut self, agents: &Agents, now: Now) -> Vec<SeatId> {
        let mut ended = Vec::new();
        for (agent, seats) in self.team.update(agents, self.options.notify_every, now) {
            let by = agents.revoked_by(&self.agent_name(agent)).map(|by| format!("by {by}"));
            self.tell_presence(agent, Presence::Revoked, by.as_deref());
            seats.iter().for_each(|seat| _ = self.team.stand_up(*seat, now));
            self.release_all(agent, now);
            ended.extend(seats);
        }
        self.renew_groups();
        self.review_presence(now);
        ended
    }

    /// `/away [TEXT]`, `/here`: whether the agent can be given customers.
    pub fn set_away(&mut self, seat: SeatId, away: Option<&str>, now: Now) {
        let Some(agent) = self.team.agent_at(seat) else { return };
        self.team.set_away(agent, away.map(Into::into));
        let presence = if away.is_some() { Presence::Away } else { Presence::Here };
        self.tell_presence(agent, presence, away.filter(|why| !why.is_empty()));
        self.review_presence(now);
    }

    /// The last agent who can be given customers is away or gone: this is told once, also to whoever
    /// does not look at a terminal.
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

    /// Whose seat this is.
    pub fn agent_at(&self, seat: SeatId) -> Option<AgentId> {
        self.team.agent_at(seat)
    }

    /// The names of other agents who have a seat here.
    pub fn attached(&self) -> Vec<String> {
        let others = self.team.members().skip(1);
        let here = others.filter(|(agent, _)| !self.team.seats_of(*agent).is_empty());
        here.map(|(_, member)| member.name.to_string()).collect()
    }

    /// The name, as customers see it, of the agent at this seat.
    pub fn shown_at(&self, seat: SeatId) -> Option<&str> {
        self.team.member(self.team.agent_at(seat)?).shown_as.as_deref()
    }

    /// The agent's name among agents.
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
