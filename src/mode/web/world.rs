//! The surroundings of the gateway's sessions: the journal, the desk, the bot, and the browsers.

use crate::core::clock::Now;
use crate::core::customer::{CustomerId, PostId};
use crate::core::gateway::{Gateway, metadata};
use crate::core::outcome::{Fact, Passage};
use crate::core::record::{Batch, Committed, Record};
use crate::core::report::{Report, Told};
use crate::core::session::{Errand, Session};
use crate::core::sessions::Sessions;
use crate::edge::clock;
use crate::edge::journal::Journal;
use crate::mode::around::asker::Asker;
use crate::mode::around::desk::Desk;
use crate::mode::around::fresh;
use crate::turn::keeper::{Keeper, Stop};
use crate::turn::peers::Peers;
use crate::turn::seat::Seat;
use crate::turn::{World, Written};
use crate::wire::{Asked, Author, Body, Conn, ConversationId, Message, Number};

use super::browsers::Browsers;

/// Everything around the sessions.
pub(super) struct Edges {
    pub(super) keeper: Keeper,
    pub(super) peers: Peers,
    pub(super) seat: Seat,
    pub(super) desk: Desk,
    pub(super) asker: Asker,
    pub(super) gateway: Gateway,
    pub(super) browsers: Browsers,
    /// Records of this turn that no session makes: the customers of conversations, and the effects
    /// of requests. They are committed in the transaction of the entries.
    pub(super) records: Batch,
    /// The entries that requests of this turn made.
    pub(super) made: Vec<(ConversationId, Number, PostId)>,
    pub(super) is_json: bool,
}

impl Edges {
    /// Takes a customer from the journal into memory, if they are not there.
    pub(super) fn take_in(&mut self, customer: CustomerId, now: Now) -> Result<(), Stop> {
        if !self.gateway.knows(customer) {
            let belongings = self.keeper.journal.belongings(customer)?;
            self.gateway.insert(customer, belongings, now);
        }
        Ok(())
    }
}

impl World<Sessions> for Edges {
    type Stop = Stop;

    fn journal(&self) -> &Journal {
        &self.keeper.journal
    }

    fn commit(&mut self, mut records: Batch) -> Result<Vec<Committed>, Stop> {
        records.append(&mut self.records);
        let committed = self.keeper.commit(records, self.seat.screen())?;
        for Committed { conversation, line } in &committed {
            let number = line.entry().map(|entry| entry.number).filter(|_| line.own);
            let made =
                self.made.iter().find(|(id, of, _)| id == conversation && Some(*of) == number);
            let post = made.map(|(.., post)| post.as_str());
            let journal = &self.keeper.journal;
            let admin = |of| admin_of(journal, *conversation, of);
            self.gateway.committed(*conversation, line, post, admin);
        }
        Ok(committed)
    }

    fn send(&mut self, conn: Conn, message: &Message) -> usize {
        self.peers.send(conn, message)
    }

    fn admit(&mut self, conn: Conn) {
        self.peers.welcomed(conn);
    }

    fn close(&mut self, conn: Conn) {
        self.peers.close(conn);
    }

    fn flush(&mut self) {
        self.peers.flush();
    }

    fn run(&mut self, sessions: &mut Sessions, errand: Errand) -> Result<(), Stop> {
        match errand {
            Errand::Dial(id) => self.desk.dial(&self.peers, sessions, id),
            Errand::Ask { conversation, ticket, text } => {
                let visit = sessions.get(conversation).and_then(Session::visit);
                let metadata = visit.map(|visit| metadata(&visit.page));
                self.asker.ask(conversation, ticket, text, metadata);
            }
            Errand::Return { conversation, ticket, since } => {
                self.asker.give_back(&self.keeper.journal, conversation, ticket, since)?;
            }
            Errand::StartOver(id) => {
                let (journal, fresh) = (&self.keeper.journal, fresh().map_err(Stop::Broken)?);
                let entry = |number| journal.own(id, number);
                if sessions.start_over(id, fresh, entry, clock::now())?
                    && let Some(customer) = self.gateway.customer(id)
                {
                    self.records.push((fresh.id, Record::Customer(customer)));
                    self.gateway.begin(customer, fresh.id);
                    if !self.gateway.is_watched(customer) {
                        sessions.unwatch(fresh.id);
                    }
                }
            }
        }
        Ok(())
    }

    /// Prints facts for `--json`. Browsers get their events from committed entries instead.
    fn tell(&mut self, _: &Sessions, fact: Fact, written: &Written) -> Result<(), Stop> {
        match fact {
            Fact::Report(_, report) if self.is_json => self.seat.tell(report),
            Fact::Said(passage) if self.is_json => {
                let Passage { conversation, history, .. } = passage;
                for entry in written.messages(&passage, &self.keeper.journal)? {
                    let Some(said) = entry.said() else { continue };
                    let own = said.author == Author::User;
                    let told = Told::new(conversation, entry.number, entry.at, said);
                    self.seat.say(Told { own, history, ..told }, None);
                }
            }
            Fact::Report(_, Report::Fault { text }) => log::info!("{text}"),
            Fact::Report(..) | Fact::Said(_) | Fact::Undelivered(..) => {}
        }
        Ok(())
    }

    fn show(&mut self, _: &Sessions) {
        self.seat.screen().flush();
    }
}

/// The name in an agent's `accept` of this conversation.
pub(super) fn admin_of(journal: &Journal, id: ConversationId, of: Asked) -> Option<String> {
    let accept = journal.theirs(id, Some(of.desk), of.number).ok()??;
    match accept.body {
        Body::Accept { name, .. } => name,
        _ => None,
    }
}
