//! Requests that do something: begin, say, choose, ask for a person, and so on.

use std::net::IpAddr;

use crate::core::clock::Now;
use crate::core::customer::{About, Belongings, CustomerId, Posted, Token};
use crate::core::gateway::{Act, Call, GivenPage, Post, Problem};
use crate::core::record::Record;
use crate::core::report::moment;
use crate::core::session::{Session, Visit};
use crate::mode::{around, random};
use crate::turn::keeper::Stop;
use crate::wire::{ConversationId, Number, Page, State};

use super::Web;
use super::browsers::Answer;
use super::silent_customers::Newcomer;

/// What a request says about its sender.
#[derive(Clone, Copy)]
pub(super) struct Guest<'a> {
    pub(super) address: Option<IpAddr>,
    pub(super) user_agent: Option<&'a str>,
}

impl Web {
    /// Makes a customer, with a conversation. Returns their token.
    pub(super) fn begin(
        &mut self,
        visit: Visit,
        now: Now,
    ) -> Result<(Token, ConversationId), Stop> {
        let customer = CustomerId::new(random().map_err(Stop::Broken)?);
        let token = Token::new(random().map_err(Stop::Broken)?);
        let mut session = self.new_session(None, now)?;
        session.set_visit(visit);
        let conversation = session.id();
        let belongings =
            Belongings { conversations: vec![(conversation, 0)], ..Belongings::default() };
        self.edges.gateway.insert(customer, belongings, now);
        self.edges.gateway.name(token.hash(), customer);
        self.silent_customers.insert(Newcomer { customer, token: token.hash(), session }, now);
        if !self.edges.gateway.must_agree(customer) {
            self.greet(customer, conversation, now);
        }
        Ok((token, conversation))
    }

    /// Asks the bot for its greeting, if there is an option for that.
    fn greet(&mut self, customer: CustomerId, conversation: ConversationId, now: Now) {
        let Some(payload) = self.greet.clone() else { return };
        self.note_silent(customer, conversation, now);
        if let Some(session) = self.sessions.input(conversation) {
            session.greet(payload, now);
        }
    }

    /// Journals a customer who has said nothing yet.
    pub(super) fn note_silent(&mut self, customer: CustomerId, id: ConversationId, now: Now) {
        if self.silent_customers.session(id).is_some() {
            self.note_first_word(id);
            self.silent_customers.insert_greeted(id, customer, now);
        }
    }

    /// The customer accepts the notice. Before that nothing reaches the bot or the desk.
    fn agree(&mut self, customer: CustomerId, now: Now) -> Result<Result<Answer, Problem>, Stop> {
        let Some(conversation) = self.edges.gateway.present(customer) else {
            return Ok(Err(Problem::Token));
        };
        if self.edges.gateway.has_agreed(customer) {
            return Ok(Ok(Answer::empty(204)));
        }
        self.take_up(conversation)?;
        self.note_silent(customer, conversation, now);
        self.edges.records.push((conversation, Record::Agreed(now.wall)));
        self.edges.gateway.agree(customer);
        if let Some(session) = self.sessions.input(conversation) {
            session.update_page(|page| page.agreed = Some(moment(now.wall).to_string().into()));
            if session.newest() == 0 {
                self.greet(customer, conversation, now);
            }
        }
        self.commit_all(now)?;
        Ok(Ok(Answer::empty(204)))
    }

    /// The customer says who they are. The agent sees the name from then on.
    fn describe(
        &mut self,
        customer: CustomerId,
        about: About,
        now: Now,
    ) -> Result<Result<Answer, Problem>, Stop> {
        let Some(conversation) = self.edges.gateway.present(customer) else {
            return Ok(Err(Problem::Token));
        };
        if self.edges.gateway.must_agree(customer) {
            return Ok(Err(Problem::Notice));
        }
        if !self.edges.gateway.pay(customer, now) {
            return Ok(Err(Problem::Rate));
        }
        self.take_up(conversation)?;
        self.note_silent(customer, conversation, now);
        self.edges.records.push((conversation, Record::About(about.clone())));
        if let Some(session) = self.sessions.input(conversation) {
            if let Some(name) = &about.name {
                session.rename(name);
            }
            session.update_page(|page| tell(page, about));
        }
        self.commit_all(now)?;
        Ok(Ok(Answer::empty(204)))
    }

    fn new_session(&self, name: Option<String>, now: Now) -> Result<Session, Stop> {
        let fresh = around::fresh().map_err(Stop::Broken)?;
        Ok(Session::new(fresh, name, self.edges.desk.address.clone(), now))
    }

    /// A customer is about to say their first word, or gets the bot's greeting: the journal has
    /// them from now on.
    pub(super) fn note_first_word(&mut self, conversation: ConversationId) {
        let Some(newcomer) = self.silent_customers.take(conversation) else { return };
        self.edges.records.push((conversation, Record::Customer(newcomer.customer)));
        self.edges.records.push((conversation, Record::Token(newcomer.token)));
        self.sessions.insert(newcomer.session);
    }

    /// Carries out a customer's request.
    pub(super) fn call(
        &mut self,
        customer: CustomerId,
        (call, guest): (Call, Guest<'_>),
        now: Now,
    ) -> Result<Result<Answer, Problem>, Stop> {
        match call {
            Call::Begin { page, .. } => {
                let present = self.edges.gateway.present(customer);
                if page != GivenPage::default() {
                    self.visit(present, page, guest)?;
                }
                Ok(present.map(|id| done(200, id, None)).ok_or(Problem::Token))
            }
            Call::Seen(conversation, number) => {
                Ok(self.note(customer, conversation, |session| session.customer_saw(number)))
            }
            Call::Typing(conversation) => {
                Ok(self.note(customer, conversation, |session| session.customer_types(now)))
            }
            Call::Page(page) => {
                self.visit(self.edges.gateway.present(customer), page, guest)?;
                Ok(Ok(Answer::empty(204)))
            }
            Call::Here(stream) => {
                let is_known = self.edges.gateway.here(customer, &stream, now);
                Ok(if is_known { Ok(Answer::empty(204)) } else { Err(Problem::NotFound) })
            }
            Call::Post(post) => self.post(customer, post, now),
            Call::Agree => self.agree(customer, now),
            Call::About(about) => self.describe(customer, about, now),
            // These are about who the customer is (`identities`).
            Call::Identify { .. } | Call::Logout | Call::Pass => Ok(Err(Problem::NotFound)),
        }
    }

    /// Tells a session in memory something that need not be journaled.
    fn note(
        &mut self,
        customer: CustomerId,
        conversation: ConversationId,
        tell: impl FnOnce(&mut Session),
    ) -> Result<Answer, Problem> {
        if self.edges.gateway.customer(conversation) != Some(customer) {
            return Err(Problem::Conversation);
        }
        self.sessions.input(conversation).map(tell);
        Ok(Answer::empty(204))
    }

    /// Notes the page on which the customer of a conversation is.
    fn visit(
        &mut self,
        conversation: Option<ConversationId>,
        page: GivenPage,
        guest: Guest<'_>,
    ) -> Result<(), Stop> {
        let Some(conversation) = conversation else { return Ok(()) };
        self.take_up(conversation)?;
        let mut visit = self.visit_of(page, guest);
        visit.page.identity = self.identity_in(conversation)?;
        if let Some(customer) = self.edges.gateway.customer(conversation) {
            let belongings = self.edges.keeper.journal.belongings(customer)?;
            visit.page.agreed = belongings.agreed.map(|at| moment(at).to_string().into());
            tell(&mut visit.page, belongings.about);
        }
        let spoken = self.sessions.input(conversation);
        if let Some(session) = spoken.or(self.silent_customers.session_mut(conversation)) {
            session.set_visit(visit);
        }
        Ok(())
    }

    /// The visit: what a page says about itself, and what its request says about the customer.
    pub(super) fn visit_of(&self, page: GivenPage, guest: Guest<'_>) -> Visit {
        let address = guest.address.and_then(|address| self.addresses.shown(address));
        let identity = self.identity_keys.are_there().then(Box::default);
        Visit {
            page: Page { identity, ..page.read(guest.user_agent, address) },
            address_key: guest.address.map(|address| self.address_keys.of(address)),
        }
    }

    /// Carries out a request with an id, once.
    fn post(
        &mut self,
        customer: CustomerId,
        post: Post,
        now: Now,
    ) -> Result<Result<Answer, Problem>, Stop> {
        let Post { id, digest, conversation, act } = post;
        if let Some(posted) = self.posted(customer, &id)? {
            return Ok(match posted.digest == digest {
                true => Ok(done(202, posted.conversation, Some(posted.number))),
                false => Err(Problem::Id),
            });
        }
        if self.edges.gateway.customer(conversation) != Some(customer) {
            return Ok(Err(Problem::Conversation));
        }
        if self.edges.gateway.present(customer) != Some(conversation) {
            let begun = self.edges.gateway.begun_after(customer, conversation);
            return Ok(match (act, begun) {
                (Act::New, Some(begun)) => Ok(done(202, begun, None)),
                _ => Err(Problem::Closed),
            });
        }
        if self.edges.gateway.must_agree(customer) {
            return Ok(Err(Problem::Notice));
        }
        if !self.edges.gateway.pay(customer, now) {
            return Ok(Err(Problem::Rate));
        }
        self.note_first_word(conversation);
        self.take_up(conversation)?;
        let done_in = match self.act(customer, conversation, act, now)? {
            Ok(done_in) => done_in,
            Err(problem) => return Ok(Err(problem)),
        };
        let number = match self.sessions.get(done_in) {
            Some(session) if done_in == conversation => session.newest(),
            _ => 0,
        };
        if !self.edges.gateway.is_watched(customer) {
            self.sessions.unwatch(done_in);
        }
        let posted = Posted { digest, conversation: done_in, number };
        self.edges.records.push((done_in, Record::Posted(id.clone(), posted)));
        self.edges.made.push((done_in, number, id));
        Ok(Ok(done(202, done_in, Some(number))))
    }

    /// The effect of the request with this id, if it was done before, in this turn or in the
    /// journal.
    fn posted(
        &self,
        customer: CustomerId,
        id: &crate::core::customer::PostId,
    ) -> Result<Option<Posted>, Stop> {
        let pending = self.edges.records.iter().find_map(|(conversation, record)| match record {
            Record::Posted(of, posted)
                if of == id && self.edges.gateway.customer(*conversation) == Some(customer) =>
            {
                Some(*posted)
            }
            _ => None,
        });
        match pending {
            Some(posted) => Ok(Some(posted)),
            None => Ok(self.edges.keeper.journal.posted(customer, id)?),
        }
    }

    /// Carries out the act of a request. Returns the conversation in which it was done.
    fn act(
        &mut self,
        customer: CustomerId,
        conversation: ConversationId,
        act: Act,
        now: Now,
    ) -> Result<Result<ConversationId, Problem>, Stop> {
        let Some(session) = self.sessions.input(conversation) else {
            return Ok(Err(Problem::Conversation));
        };
        let result = match act {
            Act::Say(text) => session.say(&text, now),
            Act::Choose(menu, choice) => session.choose(menu, choice, now),
            Act::Human => session.ask_for_human(now),
            Act::Bot => session.withdraw(now),
            Act::Again => session.ask_again(now),
            Act::End => session.end(now),
            Act::New => {
                if session.state() != State::Closed
                    && let Err(refusal) = session.end(now)
                {
                    return Ok(Err(refusal.into()));
                }
                let (name, visit) = (session.name().map(str::to_owned), session.visit().cloned());
                self.sessions.unwatch(conversation);
                let mut session = self.new_session(name, now)?;
                if let Some(visit) = visit {
                    session.set_visit(visit);
                }
                let begun = session.id();
                self.sessions.insert(session);
                self.edges.records.push((begun, Record::Customer(customer)));
                self.edges.gateway.begin(customer, begun);
                return Ok(Ok(begun));
            }
        };
        Ok(result.map(|()| conversation).map_err(Problem::from))
    }
}

/// Adds to a page what the customer said about themselves.
fn tell(page: &mut Page, about: About) {
    page.name = about.name.or(page.name.take());
    page.email = about.email.or(page.email.take());
}

/// The answer to a request that was done.
pub(super) fn done(status: u16, conversation: ConversationId, number: Option<Number>) -> Answer {
    let id = conversation.to_string();
    Answer::json(
        status,
        match number {
            Some(number) => format!(r#"{{"conversation":"{id}","number":{number}}}"#),
            None => format!(r#"{{"conversation":"{id}"}}"#),
        },
    )
}
