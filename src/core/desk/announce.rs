//! What the desk shows the agent of a conversation: its messages, and its state once the backlog of
//! a hello has arrived.
//!
//! Rules: docs/PROTOCOL.md, "Delivery", newest; docs/JSON.md, "Order".

use std::ops::RangeInclusive;

use crate::core::clock::Now;
use crate::core::outcome::{Act, Audience, Fact, Passage};
use crate::core::record::{Contact, Origin, Record};
use crate::core::report::{DeskNews, EndingOutcome, Link, News, Reason, Report, moment};
use crate::wire::{Author, Body, ConversationId, Entry, Number, Page, Said};

use super::controls::{Ask, Pending, Phase};
use super::{AgentId, Desk, SeatId};

impl Desk {
    /// Learns what a new entry of the customer's means for the conversation. `announce` shows the
    /// agent the state.
    pub(super) fn learn(&mut self, id: ConversationId, entry: &Entry, now: Now) {
        match &entry.body {
            Body::Message(said) => self.learn_message(id, (entry.number, said), now),
            _ => self.learn_control(id, entry, now),
        }
    }

    fn learn_message(&mut self, id: ConversationId, (number, said): (Number, &Said), now: Now) {
        let is_customers = said.author == Author::User;
        if is_customers {
            self.keep(id, EndingOutcome::CustomerWrote, now);
        }
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        let is_live = conversation.controls.phase().is_with_desk();
        if is_customers {
            // The journal also counts every line after a request.
            conversation.note_new_line(&said.text, now);
        }
        let owner = conversation.agent().filter(|_| is_customers);
        let ready = conversation.backlog.arrive(&conversation.controls, number, said.size());
        if let Some(owner) = owner {
            self.note_lines(owner, id, 1, now);
        }
        let Some(numbers) = ready else { return };
        self.tell_said(id, Origin::Peer(None), numbers, !is_live);
        if is_live && is_customers {
            self.count_later(id);
        }
    }

    /// Tells at the end of this outcome how many lines of a customer have no answer: once for lines
    /// that come together.
    pub(super) fn count_later(&mut self, id: ConversationId) {
        if let Some(conversation) = self.conversations.get_mut(id)
            && conversation.join_count_list()
        {
            self.count_list.push(id);
        }
    }

    /// Tells the counts that have changed.
    pub(super) fn tell_counts(&mut self) {
        for id in std::mem::take(&mut self.count_list) {
            let Some(conversation) = self.conversations.get_mut(id) else { continue };
            conversation.leave_count_list();
            if conversation.controls.phase().is_with_desk() {
                self.tell(id, self.unanswered(id));
            }
        }
    }

    /// How many lines of a customer have no answer.
    pub(super) fn unanswered(&self, id: ConversationId) -> Report {
        let owed = self.conversations[id].owed();
        let (lines, since) = (owed.lines(), owed.since().map(|at| moment(at).to_string()));
        Report::Unanswered { conversation: id, lines, since }
    }

    fn learn_control(&mut self, id: ConversationId, entry: &Entry, now: Now) {
        let desk = self.id;
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        let request = conversation.controls.request();
        let was_sent = conversation.controls.is_sent();
        conversation.learn_control(desk, entry, now);
        let asks_anew = was_sent && !conversation.controls.is_sent();
        conversation.typing.stop();
        if asks_anew {
            self.journal(id, Record::Department(None));
        }
        self.conversations.note_change(id);
        if !self.conversations[id].is_active() {
            self.keep(id, EndingOutcome::CustomerLeft, now);
            self.team.lose(id);
        }
        let Some(conversation) = self.conversations.get(id) else { return };
        let controls = &conversation.controls;
        let is_answered = controls.answered().is_some();
        if !controls.phase().is_with_desk() || controls.request() != request {
            self.tell_withheld(id, entry.number - 1, true);
        }
        if let (true, Body::Refused { why, .. }) = (is_answered, &entry.body) {
            let who = self.who(id);
            self.tell_news_of(id, DeskNews::Refused { who, why: why.clone() });
            // While the accept had no answer, nobody was called for the customer.
            if self.queue.has(id) && self.conversations[id].is_up_for_accept() {
                self.note_waiting(self.group(id), now);
            }
            self.wait_again(id, now);
            // The agent left while a control of theirs had no answer.
            let owner = self.conversations[id].owner();
            if owner.is_some_and(|owner| !self.team.is_expected(owner)) {
                self.release(id, now);
            }
        }
    }

    /// Shows the agent the state of a conversation, once its backlog has arrived and if the state
    /// is news.
    pub(super) fn announce(&mut self, id: ConversationId, now: Now) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        let received = conversation.delivery.received();
        let before = conversation.backlog.announce(&conversation.controls, received);
        let Some(before) = before else { return };
        let is_shown = before.is_with_desk() && !conversation.is_turned_away;
        let phase = conversation.controls.phase();
        if !(phase == Phase::Queued && self.is_requeued(id)) {
            self.queue.remove(id);
        }
        match phase {
            Phase::Queued => self.announce_queued(id, is_shown, now),
            Phase::Active => self.announce_active(id, now),
            Phase::Bot(how) => self.announce_end(id, Reason::Returned(how)),
            Phase::Elsewhere(what) => self.announce_end(id, Reason::Elsewhere(what)),
            Phase::Closed(why) => self.announce_end(id, Reason::Ended(why)),
        }
    }

    /// Whether the customer's latest control answers a `requeue` of this desk.
    pub(super) fn is_requeued(&self, id: ConversationId) -> bool {
        let answered = self.conversations[id].controls.answered();
        answered.is_some_and(|answered| answered.ask == Ask::Requeue)
    }

    /// `is_shown`: agents see the customer already, who waits or talks.
    fn announce_queued(&mut self, id: ConversationId, is_shown: bool, now: Now) {
        self.forget_hold(id, false);
        if self.turn_away(id, is_shown, now) {
            return;
        }
        // A customer who had an agent stands before all others, perhaps already.
        let group = match self.is_requeued(id) {
            true => self.enqueue_first(id, now),
            false => self.enqueue(id, now),
        };
        self.tell_state_and_withheld(id);
        let conversation = &self.conversations[id];
        let name = conversation.called(id);
        let elsewhere = conversation.backlog.entries_elsewhere();
        let is_pending = conversation.controls.pending().is_some();
        self.call_for(id, group, now);
        self.tell_page(id);
        if elsewhere > 0 {
            self.tell_news(DeskNews::HeldElsewhere { entries: elsewhere, name });
        }
        // docs/PROTOCOL.md, "ack, seen, position, ping".
        self.send_position(id);
        self.review_link(id);
        if !is_pending {
            self.accept_by_itself(id, now);
        }
    }

    /// A customer who was turned away is still here, because their side refused the end or the
    /// block is over: turns them away again, or lets them wait in the queue.
    pub(super) fn wait_again(&mut self, id: ConversationId, now: Now) {
        let conversation = &self.conversations[id];
        let phase = conversation.backlog.announced();
        let is_settled = conversation.controls.pending().is_some()
            || conversation.controls.phase() != phase
            || self.queue.has(id);
        match phase {
            Phase::Queued if !is_settled => {
                self.announce_queued(id, !self.is_turned_away(id), now);
            }
            Phase::Active if !is_settled && conversation.is_unowned() => {
                self.announce_active(id, now);
            }
            _ => {}
        }
    }

    fn announce_active(&mut self, id: ConversationId, now: Now) {
        // An `accepted` may answer a control that only the customer has. Then it moves no focus,
        // and the desk sends no greeting.
        let accepted_by = match self.conversations[id].controls.answered() {
            Some(Pending { ask: Ask::Accept { by }, .. }) => Some(by),
            _ => None,
        };
        if self.end_accepted(id, now) || self.close_turned_away(id, now) {
            return;
        }
        self.show_again(id);
        let owner = self.conversations[id].owner();
        let Some(owner) = owner.filter(|owner| self.team.is_expected(*owner)) else {
            self.own(id, None);
            self.forget_hold(id, false);
            let group = self.enqueue_first(id, now);
            self.note_waiting(group, now);
            self.tell_state_and_withheld(id);
            return self.requeue(id, now);
        };
        if let Some(by) = accepted_by {
            self.give(owner, id, by);
            if by.is_none() {
                self.team.note_unread(owner, id, self.conversations[id].owed().lines(), now);
                self.note_arrival(owner, now);
                self.expect_answer(id, now);
            }
        }
        self.tell_state_and_withheld(id);
        if let (Some(_), Some(text)) = (accepted_by, self.options.greeting.clone()) {
            self.record_said(id, &text, true, now);
        }
    }

    fn announce_end(&mut self, id: ConversationId, reason: Reason) {
        self.forget_hold(id, false);
        self.tell_state(id, Some(reason));
        self.show_again(id);
        self.team.stop_watching(id);
        self.void_offer(id);
    }

    /// Shows the state of a conversation whose customer waits or talks, and then the messages that
    /// waited for that state.
    fn tell_state_and_withheld(&mut self, id: ConversationId) {
        self.tell_state(id, None);
        let last = self.conversations[id].delivery.received();
        let has_withheld = self.tell_withheld(id, last, false);
        // A program that reads `queued` starts its count at 0 (docs/JSON.md), but a customer who
        // waits again is still owed the answers from before.
        let is_counted = has_withheld || self.conversations[id].controls.phase() == Phase::Queued;
        if is_counted && self.conversations[id].owed().lines() > 0 {
            self.count_later(id);
        }
    }

    /// Shows the messages up to number `last` that waited for a state. Returns whether there are
    /// any.
    fn tell_withheld(&mut self, id: ConversationId, last: Number, history: bool) -> bool {
        let conversation = self.conversations.get_mut(id);
        let Some(numbers) = conversation.and_then(|known| known.backlog.release(last)) else {
            return false;
        };
        self.tell_said(id, Origin::Peer(None), numbers, history);
        true
    }

    /// Shows messages of the journal.
    pub(super) fn tell_said(
        &mut self,
        conversation: ConversationId,
        origin: Origin,
        numbers: RangeInclusive<Number>,
        history: bool,
    ) {
        if self.is_turned_away(conversation) {
            return;
        }
        let passage = Passage { conversation, origin, numbers, history };
        // Lines that come together are one passage.
        if let Some(Act::Tell(Fact::Said(last))) = self.out.acts.last_mut()
            && last.goes_on_with(&passage)
        {
            last.numbers = *last.numbers.start()..=*passage.numbers.end();
            return;
        }
        self.act(Act::Tell(Fact::Said(passage)));
    }

    /// Shows the state of a conversation.
    pub(super) fn tell_state(&mut self, id: ConversationId, reason: Option<Reason>) {
        self.tell(id, self.state_at(id, self.queue.position(id), reason));
    }

    /// The state of a conversation. The caller knows the position.
    pub(super) fn state_at(
        &self,
        id: ConversationId,
        position: Option<u32>,
        reason: Option<Reason>,
    ) -> Report {
        let conversation = &self.conversations[id];
        let owner = conversation.agent().map(|owner| self.team.member(owner));
        let asked = conversation.reason().map(|reason| Reason::Requested(reason.to_owned()));
        Report::State {
            conversation: id,
            ordinal: Some(conversation.ordinal),
            customer: Some(conversation.called(id)),
            // A customer who waits again has not been away.
            former: conversation.earlier().filter(|_| !self.is_requeued(id)),
            state: conversation.state(),
            position,
            attended: None,
            admin: owner.and_then(|owner| owner.shown_as.clone()),
            agent: owner.filter(|_| self.team.is_shared()).map(|owner| owner.name.to_string()),
            on_hold: conversation.is_on_hold.then_some(true),
            is_elsewhere: false,
            waits_again: false,
            need: conversation.need().cloned().unwrap_or_default(),
            reason: reason.or(asked),
        }
    }

    /// Shows the link of a conversation.
    pub(super) fn tell_link(&mut self, id: ConversationId, link: Link, why: Option<String>) {
        let conversation = &self.conversations[id];
        let report = Report::Link {
            conversation: id,
            ordinal: Some(conversation.ordinal),
            customer: Some(conversation.called(id)),
            link,
            desk: self.id.to_string(),
            why,
            parted: false,
            unreached: false,
        };
        self.tell(id, report);
    }

    /// Shows the page on which a gateway's customer is, if it is known.
    fn tell_page(&mut self, id: ConversationId) {
        if let Some(report) = self.page(id) {
            self.tell(id, report);
        }
    }

    /// The page on which a gateway's customer is, and what is known of the customer by it.
    pub fn page(&self, id: ConversationId) -> Option<Report> {
        let conversation = self.conversations.get(id)?;
        let page = conversation.page.as_deref()?.clone();
        let (ordinal, customer) = (Some(conversation.ordinal), Some(conversation.called(id)));
        Some(Report::Page { conversation: id, ordinal, customer, page })
    }

    /// Learns the page on which a gateway's customer is. The agent sees it with the state, and
    /// again when it changes (docs/PROTOCOL.md, "page").
    pub(super) fn learn_page(&mut self, id: ConversationId, mut page: Box<Page>, now: Now) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        // Anybody could claim that the identity was checked.
        if !conversation.is_trusted {
            page.identity = None;
        }
        let is_news = conversation.page.as_ref() != Some(&page);
        let renamed = page.name.as_deref().and_then(|name| conversation.rename(Some(name.into())));
        let contact = Contact::of(&page);
        // The page is not restored, so the first one after a restart counts as a change. `begin`
        // journals the contact of a conversation that is not journaled yet.
        let before = conversation.page.as_deref().map(Contact::of);
        let has_changed = before.as_ref() != Some(&contact) && conversation.ordinal > 0;
        conversation.page = Some(page);
        let waits = conversation.is_queued() && conversation.is_up_for_accept();
        let is_with_desk = conversation.backlog.announced().is_with_desk();
        if let Some(record) = renamed {
            self.journal(id, record);
        }
        if has_changed {
            self.journal(id, Record::Contact(Box::new(contact)));
        }
        // The page can show that a customer in the queue is blocked.
        if is_news && waits && self.turn_away(id, self.queue.has(id), now) {
            return;
        }
        if is_news && is_with_desk {
            self.tell_page(id);
        }
    }

    pub(super) fn tell(&mut self, id: ConversationId, report: Report) {
        if self.is_turned_away(id) {
            return;
        }
        self.act(Act::Tell(Fact::Report(Audience::Conversation(id), report)));
    }

    /// Tells what an agent did in a conversation, at their own seats also if they do not see it.
    pub(super) fn tell_also(&mut self, seat: SeatId, id: ConversationId, report: Report) {
        let agent = self.team.agent_at(seat).filter(|_| !self.is_shown_at(seat, id));
        if let Some(agent) = agent {
            self.tell_agent(agent, report.clone());
        }
        self.tell(id, report);
    }

    /// Tells an agent something at all their seats.
    pub(super) fn tell_agent(&mut self, agent: AgentId, report: Report) {
        self.act(Act::Tell(Fact::Report(Audience::Agent(agent), report)));
    }

    pub(super) fn tell_all(&mut self, report: Report) {
        self.act(Act::Tell(Fact::Report(Audience::Everyone, report)));
    }

    pub(super) fn tell_news(&mut self, news: DeskNews) {
        self.tell_all(Report::News { text: News::Desk(news) });
    }

    /// Tells news of a conversation to those who see it.
    pub(super) fn tell_news_of(&mut self, id: ConversationId, news: DeskNews) {
        self.tell(id, Report::News { text: News::Desk(news) });
    }

    pub(super) fn tell_agent_news(&mut self, agent: AgentId, news: DeskNews) {
        self.tell_agent(agent, Report::News { text: News::Desk(news) });
    }
}
