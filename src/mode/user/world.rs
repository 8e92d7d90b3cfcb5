//! What is around the sessions of `handoff user`: the journal, the desk, the bot, and whoever
//! types.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use crate::bot::{self, Bot};
use crate::core::outcome::{Fact, Passage};
use crate::core::record::{Batch, Committed, Line, What};
use crate::core::report::Told;
use crate::core::session::{Errand, Fresh, Resumed, Session, said_without_bot};
use crate::core::sessions::Sessions;
use crate::core::text::Name;
use crate::edge::clock;
use crate::edge::journal::{Fault, Journal};
use crate::mode::random;
use crate::net;
use crate::turn::keeper::{Keeper, Stop};
use crate::turn::peers::Peers;
use crate::turn::seat::Seat;
use crate::turn::{World, Written};
use crate::wire::{
    Author, Conn, ConversationId, DeskId, Entry, Message, Number, Said, Secret, State,
};

/// Everything around the sessions. `handoff user` has one session at a time.
pub(super) struct Edges {
    /// The conversation that the person is in.
    pub(super) current: ConversationId,
    pub(super) keeper: Keeper,
    pub(super) peers: Peers,
    pub(super) seat: Seat,
    pub(super) probe: super::probe::Probe,
    /// The desk's address, and how it is dialled.
    pub(super) desk: (String, net::Settings),
    bot: Bot,
    /// Questions under way: the number each has at the bot, its conversation and its ticket there.
    questions: HashMap<u64, (ConversationId, u64)>,
    asked: u64,
}

impl Edges {
    pub(super) fn new(
        current: ConversationId,
        keeper: Keeper,
        peers: Peers,
        seat: Seat,
        desk: (String, net::Settings),
        bot: Bot,
    ) -> Edges {
        Edges {
            current,
            keeper,
            peers,
            seat,
            probe: super::probe::Probe::default(),
            desk,
            bot,
            questions: HashMap::new(),
            asked: 0,
        }
    }

    /// The conversation and the ticket of a question that was answered.
    pub(super) fn question(&mut self, number: u64) -> Option<(ConversationId, u64)> {
        self.questions.remove(&number)
    }

    /// Tells lines of a conversation as they stand in the journal.
    pub(super) fn tell_history(&mut self, id: ConversationId, lines: &[Line]) {
        for line in lines {
            if let (Some((entry, _)), What::Entry(desk, _)) = (line.said(), &line.what) {
                self.say(id, *desk, entry, true);
            }
        }
    }

    /// Tells which of these entries nobody has: those that were said to a person.
    pub(super) fn tell_undelivered(
        &mut self,
        session: &Session,
        numbers: RangeInclusive<Number>,
    ) -> Result<(), Fault> {
        let goes_on = matches!(session.state(), State::Queued | State::Active);
        let kept = if goes_on { " yet, kept for the next start" } else { "" };
        let journal = &self.keeper.journal;
        let lines = session.said_to_person(numbers, |number| journal.own(session.id(), number))?;
        for text in lines {
            self.seat.fail(format!("not delivered{kept}: {text}"));
        }
        Ok(())
    }

    fn say(&mut self, id: ConversationId, desk: Option<DeskId>, entry: &Entry, history: bool) {
        let Some(said) = entry.said() else { return };
        let own = said.author == Author::User;
        let told = Told { own, history, ..Told::new(id, entry.number, entry.at, said) };
        self.seat.say(told, desk.map(|desk| (id, Some(desk), entry.number)));
    }

    fn ask(&mut self, conversation: ConversationId, ticket: u64, request: bot::Request) {
        self.asked += 1;
        self.questions.insert(self.asked, (conversation, ticket));
        self.bot.send(self.asked, request);
    }

    /// Tells the bot what people said without it.
    fn give_back(&mut self, id: ConversationId, ticket: u64, since: Number) -> Result<(), Fault> {
        let lines = self.keeper.journal.lines_from(id, since)?;
        let line = |said: Said| bot::Line {
            author: said.author,
            name: said.name.as_deref().map(str::to_owned),
            text: said.text.to_string(),
        };
        let said = said_without_bot(&lines, since).into_iter().map(line).collect();
        self.ask(id, ticket, bot::Request::Return { sender: id.to_string(), said });
        Ok(())
    }

    /// Who gets the next line, and what became of the last.
    fn prompt(&self, session: &Session) -> String {
        let who = match session.state() {
            State::Bot => return "bot".to_owned(),
            State::Closed => return "closed".to_owned(),
            _ if session.is_parted() => return "not connected".to_owned(),
            State::Queued => "waiting".to_owned(),
            // An agent may be called "bot": the role stands before the name.
            State::Active => match session.agent().and_then(Name::new) {
                Some(name) => format!("agent {name}"),
                None => "agent".to_owned(),
            },
        };
        let trouble =
            session.desk_trouble().map(|trouble| format!("{trouble}, ")).unwrap_or_default();
        format!("{trouble}{who}{}", session.mark())
    }
}

impl World<Sessions> for Edges {
    type Stop = Stop;

    fn journal(&self) -> &Journal {
        &self.keeper.journal
    }

    fn commit(&mut self, records: Batch) -> Result<Vec<Committed>, Stop> {
        self.keeper.commit(records, self.seat.screen())
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
            Errand::Dial(id) => {
                self.drop_probe();
                let (address, settings) = &self.desk;
                let conn = self.peers.net().dial(address, settings.clone());
                sessions.dialled(id, conn);
            }
            Errand::Ask { conversation, ticket, text } => {
                let sender = conversation.to_string();
                self.ask(conversation, ticket, bot::Request::Ask { sender, text });
            }
            Errand::Return { conversation, ticket, since } => {
                self.give_back(conversation, ticket, since)?;
            }
            Errand::StartOver(id) => {
                let (journal, fresh) = (&self.keeper.journal, fresh().map_err(Stop::Broken)?);
                let entry = |number| journal.own(id, number);
                if sessions.start_over(id, fresh, entry, clock::now())? {
                    self.current = fresh.id;
                    self.seat.forget_unseen();
                }
            }
        }
        Ok(())
    }

    fn tell(&mut self, sessions: &Sessions, fact: Fact, written: &Written) -> Result<(), Stop> {
        match fact {
            Fact::Report(_, report) => self.seat.tell(report),
            Fact::Said(passage) => {
                let Passage { conversation, origin, history, .. } = passage;
                for entry in written.messages(&passage, &self.keeper.journal)? {
                    self.say(conversation, origin.desk(), &entry, history);
                }
            }
            Fact::Undelivered(id, numbers) => {
                if let Some(session) = sessions.get(id) {
                    self.tell_undelivered(session, numbers)?;
                }
            }
        }
        Ok(())
    }

    fn show(&mut self, sessions: &Sessions) {
        if let Some(session) = sessions.get(self.current) {
            self.seat.screen().prompt(self.prompt(session));
        }
        self.seat.screen().flush();
    }
}

/// What became of a return, as the session hears it.
pub(super) fn resumed(returned: Result<bot::Taken, bot::Fault>) -> Resumed {
    match returned.map(|taken| taken.how) {
        Ok(bot::Resumed::Yes) => Resumed::Yes,
        Ok(bot::Resumed::WithoutLines) => Resumed::WithoutLines,
        Ok(bot::Resumed::StillPaused) => Resumed::StillPaused,
        // The bot has the lines; the next return sets its form going.
        Ok(bot::Resumed::WithoutForm(fault)) => Resumed::Failed(fault.to_string()),
        Err(fault @ bot::Fault::NoApi { .. }) => Resumed::NoApi(fault.to_string()),
        Err(fault) if fault.is_refusal() => Resumed::Unreached(fault.to_string()),
        Err(fault) => Resumed::Failed(fault.to_string()),
    }
}

/// What a new conversation is made of.
///
/// # Errors
/// One line, when the system gives no random bytes.
pub(super) fn fresh() -> Result<Fresh, String> {
    let (id, secret) = (ConversationId::new(random()?), Secret::new(random()?));
    Ok(Fresh { id, secret, seed: seed()? })
}

/// A random seed.
///
/// # Errors
/// One line, when the system gives no random bytes.
pub(super) fn seed() -> Result<u64, String> {
    random().map(u64::from_ne_bytes)
}
