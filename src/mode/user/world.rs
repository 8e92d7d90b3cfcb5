//! The surroundings of the sessions of `handoff user`: the journal, the desk, the bot, and the
//! person or script.

use std::ops::RangeInclusive;

use crate::core::outcome::{Fact, Passage};
use crate::core::record::{Batch, Committed, Line, What};
use crate::core::report::{Spoken, Told};
use crate::core::session::{Errand, Session};
use crate::core::sessions::Sessions;
use crate::core::text::Name;
use crate::edge::clock;
use crate::edge::journal::{Fault, Journal};
use crate::mode::around::asker::Asker;
use crate::mode::around::desk::Desk;
use crate::mode::around::fresh;
use crate::turn::keeper::{Keeper, Stop};
use crate::turn::peers::Peers;
use crate::turn::seat::Seat;
use crate::turn::{World, Written};
use crate::wire::{Author, Conn, ConversationId, DeskId, Entry, Message, Number, State};

/// Everything around the sessions. `handoff user` has one session at a time.
pub(super) struct Edges {
    /// The conversation that the person is in.
    pub(super) current: ConversationId,
    pub(super) keeper: Keeper,
    pub(super) peers: Peers,
    pub(super) seat: Seat,
    pub(super) probe: super::probe::Probe,
    pub(super) desk: Desk,
    pub(super) asker: Asker,
}

impl Edges {
    pub(super) fn new(
        current: ConversationId,
        keeper: Keeper,
        peers: Peers,
        seat: Seat,
        desk: Desk,
        asker: Asker,
    ) -> Edges {
        Edges { current, keeper, peers, seat, probe: super::probe::Probe::default(), desk, asker }
    }

    /// Shows lines of a conversation from the journal.
    pub(super) fn tell_history(&mut self, id: ConversationId, lines: &[Line]) {
        for line in lines {
            if let (Some((entry, _)), What::Entry(desk, _)) = (line.said(), &line.what) {
                self.say(id, *desk, entry, true);
            }
        }
    }

    /// Reports the lines to a person among these entries as undelivered, because no desk has them.
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

    /// Shows a sentence for the person who set up the program. If a customer sits at a terminal, it
    /// goes to the log instead.
    pub(super) fn tell_operator(&self, text: &str) {
        if self.seat.is_person() {
            log::info!("{text}");
        } else {
            self.seat.notice(text);
        }
    }

    fn say(&mut self, id: ConversationId, desk: Option<DeskId>, entry: &Entry, history: bool) {
        let Some(said) = entry.said() else { return };
        let own = said.author == Author::User;
        let told = Told { own, history, ..Told::new(id, entry.number, entry.at, said) };
        self.seat.say(told, desk.map(|desk| (id, Some(desk), entry.number)));
    }

    /// The prompt: who gets the next line, and the mark of the last one.
    fn prompt(&self, session: &Session) -> String {
        let who = match session.state() {
            State::Bot => return "bot".to_owned(),
            State::Closed => return "closed".to_owned(),
            _ if session.is_parted() => return "not connected".to_owned(),
            State::Queued => "waiting".to_owned(),
            State::Active if session.has_agent_left() => "waiting".to_owned(),
            // An agent may be called "bot": the role stands before the name.
            State::Active => match session.agent().and_then(Name::new) {
                Some(name) => format!("agent {name}"),
                None => "agent".to_owned(),
            },
        };
        let trouble =
            session.desk_trouble().map(|trouble| format!("{trouble}, ")).unwrap_or_default();
        let typing = if session.is_agent_typing() { "typing, " } else { "" };
        format!("{trouble}{typing}{who}{}", session.mark())
    }
}

/// The content of the prompt besides the state, for a person without a prompt. Each state is a
/// report of its own.
fn spoken(session: &Session) -> Spoken {
    let typing = session.is_agent_typing().then(|| "the agent".to_owned());
    Spoken { typing, mark: session.mark(), ..Spoken::NOTHING }
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
                self.desk.dial(&self.peers, sessions, id);
            }
            Errand::Ask { conversation, ticket, text } => {
                self.asker.ask(conversation, ticket, text, None);
            }
            Errand::Return { conversation, ticket, since } => {
                self.asker.give_back(&self.keeper.journal, conversation, ticket, since)?;
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
            let prompt = self.prompt(session);
            self.seat.screen().prompt(prompt.clone(), prompt, None);
            let spoken = spoken(session);
            self.seat.speak(spoken);
        }
        self.seat.screen().flush();
    }
}
