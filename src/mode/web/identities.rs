//! Customers whom the shop knows: their identities, and which of the gateway's customers are the
//! same person (docs/WEB.md, "Verified identity"). Also customers who go on in another page.
//!
//! ```text
//! nobody has this id at the shop ─▶ the customer has it from now on
//! another customer has it ───────▶ the two are joined; one conversation goes on
//! this customer has another id ──▶ the token is withdrawn, and there is a new one
//! ```

use crate::core::clock::Now;
use crate::core::customer::{CustomerId, Token, TokenHash};
use crate::core::gateway::{GivenPage, Keep, Problem};
use crate::core::record::Record;
use crate::core::session::{Session, Visit};
use crate::mode::random;
use crate::turn::keeper::Stop;
use crate::wire::{Address, ConversationId, Identity, State};

use super::Web;
use super::browsers::Answer;
use super::posts::{Guest, done};
use super::routes::Caller;

impl Web {
    /// The shop says who a customer is. All earlier requests must be committed.
    pub(super) fn identify(
        &mut self,
        caller: Caller,
        identity: Identity,
        (keep, guest): (Keep, Guest<'_>),
        now: Now,
    ) -> Result<Option<Answer>, Stop> {
        let Some(user) = identity.user.clone() else { return Ok(None) };
        let Some(present) = self.edges.gateway.present(caller.customer) else { return Ok(None) };
        let journal = &self.edges.keeper.journal;
        let own = journal.identity_of(caller.customer)?;
        let other = journal.identified(&user)?;
        let (conversation, token) = match (own, other) {
            (Some(own), _) if own == user => (present, None),
            (None, None) => {
                self.note_identity(caller.customer, present, user, now);
                (present, None)
            }
            (None, Some(other)) => (self.join(caller, present, other, now)?, None),
            (Some(_), other) => {
                self.withdraw(caller, present);
                let (token, conversation) = self.another(other, user, guest, now)?;
                (conversation, Some(token))
            }
        };
        self.note_visit(conversation, identity)?;
        self.commit_all(now)?;
        // The page of a customer who was joined with another may never come back.
        if self.edges.gateway.customer(conversation).is_none()
            && self.sessions.get(conversation).is_some()
            && let Some(customer) = self.edges.keeper.journal.customer_of(conversation)?
        {
            self.edges.take_in(customer, now)?;
        }
        let Some(token) = token else { return Ok(Some(done(200, conversation, None))) };
        // 201, because the browser gets another token and is another customer from now on.
        Ok(Some(Answer { status: 201, ..self.welcome((token, conversation), keep) }))
    }

    /// Logs a customer out: their token names nobody from now on.
    pub(super) fn logout(&mut self, caller: Caller, now: Now) -> Result<Answer, Stop> {
        if let Some(present) = self.edges.gateway.present(caller.customer) {
            self.withdraw(caller, present);
            self.commit_all(now)?;
        }
        let mut answer = Answer::empty(204);
        answer.headers.push(("Set-Cookie", self.no_cookie(Keep::Cookie)));
        if self.site.is_https() {
            answer.headers.push(("Set-Cookie", self.no_cookie(Keep::PartitionedCookie)));
        }
        Ok(answer)
    }

    /// Makes a code that carries a customer from a frame to a page of its own.
    pub(super) fn pass(
        &mut self,
        caller: Caller,
        guest: Guest<'_>,
        now: Now,
    ) -> Result<Result<Answer, Problem>, Stop> {
        let present = self.edges.gateway.present(caller.customer);
        if present.is_none_or(|present| self.silent_customers.session(present).is_some()) {
            // There is no conversation to go on with.
            return Ok(Err(Problem::State));
        }
        let code = Token::new(random().map_err(Stop::Broken)?);
        let address = guest.address.map(Address::from);
        self.edges.gateway.issue_pass(code.hash(), caller.customer, address, now);
        Ok(Ok(Answer::json(200, format!(r#"{{"pass":"{}"}}"#, code.write()))))
    }

    /// A page brings such a code. If the code is valid, the page gets a token of its own for the
    /// customer.
    pub(super) fn carry_over(
        &mut self,
        code: TokenHash,
        guest: Guest<'_>,
        now: Now,
    ) -> Result<Option<(Token, ConversationId)>, Stop> {
        let address = guest.address.map(Address::from);
        let Some(customer) = self.edges.gateway.redeem_pass(code, address, now) else {
            return Ok(None);
        };
        self.commit_all(now)?;
        let begun = self.new_token(customer)?;
        self.commit_all(now)?;
        Ok(begun)
    }

    /// Gives a customer another token.
    fn new_token(&mut self, customer: CustomerId) -> Result<Option<(Token, ConversationId)>, Stop> {
        let token = Token::new(random().map_err(Stop::Broken)?);
        let belongings = self.edges.keeper.journal.belongings(customer)?;
        let Some((present, _)) = belongings.conversations.last() else { return Ok(None) };
        self.edges.records.push((*present, Record::Token(token.hash())));
        Ok(Some((token, *present)))
    }

    /// Commits everything so far, so that the next request, which may come in the same turn, finds
    /// it in the journal.
    pub(super) fn commit_all(&mut self, now: Now) -> Result<(), Stop> {
        self.turn(now)?;
        let records = std::mem::take(&mut self.edges.records);
        if !records.is_empty() {
            self.edges.keeper.commit(records, self.edges.seat.screen())?;
        }
        Ok(())
    }

    fn withdraw(&mut self, caller: Caller, present: ConversationId) {
        self.edges.gateway.withdraw(caller.token);
        if self.silent_customers.session(present).is_none() {
            self.edges.records.push((present, Record::Withdrawn(caller.token)));
        } else if !self.edges.gateway.is_watched(caller.customer) {
            // A customer who has said nothing exists only here, so this forgets them.
            self.silent_customers.take(present);
            self.edges.gateway.forget(caller.customer);
        }
    }

    /// Notes a customer's id at the shop. The journal has the customer from now on.
    fn note_identity(
        &mut self,
        customer: CustomerId,
        present: ConversationId,
        user: Box<str>,
        now: Now,
    ) {
        self.note_silent(customer, present, now);
        self.edges.records.push((present, Record::Identified(user)));
    }

    /// This customer is the same person as another one, who gets everything that this one has.
    /// Returns the conversation that goes on.
    fn join(
        &mut self,
        Caller { customer: former, token }: Caller,
        present: ConversationId,
        customer: CustomerId,
        now: Now,
    ) -> Result<ConversationId, Stop> {
        let belongings = self.edges.keeper.journal.belongings(customer)?;
        let Some((theirs, _)) = belongings.conversations.last().copied() else {
            return Ok(present);
        };
        self.take_up(theirs)?;
        if self.silent_customers.take(present).is_some() {
            self.edges.records.push((theirs, Record::Token(token)));
            self.edges.gateway.renew(former);
            return Ok(theirs);
        }
        self.take_up(present)?;
        let goes_on = self.which_goes_on(present, theirs)?;
        let ends = if goes_on == present { theirs } else { present };
        if let Some(session) = self.sessions.input(ends)
            && session.state() != State::Closed
        {
            // This fails only if the conversation has ended already.
            let _ = session.end(now);
        }
        // When the streams come back, they watch the session again.
        self.sessions.unwatch(goes_on);
        self.sessions.unwatch(ends);
        self.edges.records.push((goes_on, Record::Joined { former, customer }));
        self.edges.gateway.renew(former);
        self.edges.gateway.renew(customer);
        Ok(goes_on)
    }

    /// Chooses between two conversations of one person: the one with a human, otherwise the one
    /// that is not over, otherwise the older one.
    fn which_goes_on(
        &self,
        one: ConversationId,
        other: ConversationId,
    ) -> Result<ConversationId, Stop> {
        let rank = |id: ConversationId| -> Result<(u8, u32), Stop> {
            let state = self.sessions.get(id).map_or(State::Closed, Session::state);
            let group = match state {
                State::Active | State::Queued => 0,
                State::Bot => 1,
                State::Closed => 2,
            };
            let story = self.edges.keeper.journal.story(id)?;
            Ok((group, story.map_or(u32::MAX, |story| story.ordinal)))
        };
        Ok(if rank(one)? <= rank(other)? { one } else { other })
    }

    /// A token for the customer with this id at the shop. Makes a customer if there is none.
    fn another(
        &mut self,
        other: Option<CustomerId>,
        user: Box<str>,
        guest: Guest<'_>,
        now: Now,
    ) -> Result<(Token, ConversationId), Stop> {
        let Some(customer) = other else {
            let visit = self.visit_of(GivenPage::default(), guest);
            let (token, conversation) = self.begin(visit, now)?;
            if let Some(customer) = self.edges.gateway.customer(conversation) {
                self.note_identity(customer, conversation, user, now);
            }
            return Ok((token, conversation));
        };
        let token = self.new_token(customer)?;
        token.ok_or_else(|| Stop::Broken("a customer in the journal has nothing".to_owned()))
    }

    /// Tells the bot and the agent of this conversation who the customer is.
    fn note_visit(&mut self, id: ConversationId, identity: Identity) -> Result<(), Stop> {
        self.take_up(id)?;
        let spoken = self.sessions.input(id);
        if let Some(session) = spoken.or(self.silent_customers.session_mut(id)) {
            let mut visit: Visit = session.visit().cloned().unwrap_or_default();
            visit.page.identity = Some(Box::new(identity));
            session.set_visit(visit);
        }
        Ok(())
    }

    /// The identity of this conversation's customer, for the bot and the agent; `None` if the
    /// gateway checks no identities.
    pub(super) fn identity_in(&self, id: ConversationId) -> Result<Option<Box<Identity>>, Stop> {
        if !self.identity_keys.are_there() {
            return Ok(None);
        }
        let session = self.sessions.get(id).or(self.silent_customers.session(id));
        let known = session.and_then(Session::visit).and_then(|visit| visit.page.identity.clone());
        if known.as_ref().is_some_and(|identity| identity.user.is_some()) {
            return Ok(known);
        }
        let user = match self.edges.gateway.customer(id) {
            Some(customer) => self.edges.keeper.journal.identity_of(customer)?,
            None => None,
        };
        Ok(Some(Box::new(Identity { user, ..Identity::default() })))
    }
}
