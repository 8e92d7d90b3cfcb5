//! All sessions of one process: the customers' side of many conversations.
//!
//! This finds a session by its conversation, by its connection, and by the time at which something
//! is due in it. A turn looks only at the sessions with an input, and at those in which something
//! is due.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::core::clock::Now;
use crate::core::dialling::{Dialling, Verdict};
use crate::core::outcome::{Due, Outcome, Side};
use crate::core::report::LinkFault;
use crate::core::session::{Errand, Fresh, Session};
use crate::wire::{Conn, ConversationId, Entry, IdMap, Message, Number};

/// The sessions of one process. All of them have the same desk.
pub struct Sessions {
    /// When the last turn began.
    now: Instant,
    dialling: Dialling,
    /// The sessions, each in a box of its own, so that the free slots of the map are small.
    sessions: IdMap<ConversationId, Box<Kept>>,
    /// The conversation that dialled each connection.
    connections: IdMap<Conn, ConversationId>,
    /// When each session has something to do next.
    deadlines: BTreeSet<(Instant, ConversationId)>,
    /// Sessions with an input since the last outcome.
    changed_sessions: Vec<ConversationId>,
    /// Sessions with acks or entries that may be due.
    sending_sessions: Vec<ConversationId>,
    /// Sessions that may leave memory at the end of this turn.
    leaving_sessions: Vec<ConversationId>,
    /// Sessions that this turn looked at, and those of them that left memory.
    looked_at: Vec<ConversationId>,
    left: Vec<ConversationId>,
}

/// A session in memory.
struct Kept {
    session: Session,
    /// When it has something to do next, as `deadlines` has it.
    deadline: Option<Instant>,
    is_watched: bool,
}

impl Sessions {
    /// No sessions yet. `seed` is random, so that processes that were cut off together do not dial
    /// together.
    pub fn new(seed: u64, now: Now) -> Sessions {
        Sessions {
            now: now.clock,
            dialling: Dialling::new(seed),
            sessions: IdMap::default(),
            connections: IdMap::default(),
            deadlines: BTreeSet::new(),
            changed_sessions: Vec::new(),
            sending_sessions: Vec::new(),
            leaving_sessions: Vec::new(),
            looked_at: Vec::new(),
            left: Vec::new(),
        }
    }

    /// Adds a session: a new one, or one that was read again from the journal. It counts as watched
    /// until `unwatch`.
    pub fn insert(&mut self, session: Session) {
        let id = session.id();
        let kept = Box::new(Kept { session, deadline: None, is_watched: true });
        if let Some(at) = self.sessions.insert(id, kept).and_then(|former| former.deadline) {
            self.deadlines.remove(&(at, id));
        }
        self.touch(id);
    }

    /// The sessions that the latest turn looked at. Some may be named twice, or be gone.
    pub fn looked_at(&self) -> &[ConversationId] {
        &self.looked_at
    }

    /// The sessions that left memory at the end of the latest turn.
    pub fn left(&self) -> &[ConversationId] {
        &self.left
    }

    /// The program is ending: every connected desk gets a goodbye.
    pub fn leave(&mut self) {
        let ids: Vec<_> = self.connections.values().copied().collect();
        for id in ids {
            if let Some(session) = self.input(id) {
                session.leave();
            }
        }
    }

    /// Somebody watches this session again.
    pub fn watch(&mut self, id: ConversationId) {
        if let Some(kept) = self.sessions.get_mut(&id) {
            kept.is_watched = true;
        }
    }

    /// Nobody watches this session any more. It leaves memory as soon as it owes nothing and awaits
    /// nothing; [`Session::restore`] reads it again from the journal.
    pub fn unwatch(&mut self, id: ConversationId) {
        if let Some(kept) = self.sessions.get_mut(&id) {
            kept.is_watched = false;
            self.touch(id);
        }
    }

    /// Forgets a session. What comes on its connections is dropped.
    pub fn remove(&mut self, id: ConversationId) {
        self.connections.retain(|_, of| *of != id);
        self.forget(id);
    }

    fn forget(&mut self, id: ConversationId) {
        self.dialling.ended(id, Verdict::Unknown, self.now);
        if let Some(at) = self.sessions.remove(&id).and_then(|former| former.deadline) {
            self.deadlines.remove(&(at, id));
        }
    }

    /// The session of a conversation.
    pub fn get(&self, id: ConversationId) -> Option<&Session> {
        self.sessions.get(&id).map(|kept| &kept.session)
    }

    /// The session of a conversation, for an input. The next outcome includes what it then wants
    /// done.
    pub fn input(&mut self, id: ConversationId) -> Option<&mut Session> {
        self.touch(id);
        self.sessions.get_mut(&id).map(|kept| &mut kept.session)
    }

    /// The dial that this conversation asked for is under way as `conn`.
    pub fn dialled(&mut self, id: ConversationId, conn: Conn) {
        self.connections.insert(conn, id);
        if let Some(session) = self.input(id) {
            session.dialled(conn);
        }
    }

    /// The session that dialled this connection.
    pub fn on(&mut self, conn: Conn) -> Option<&mut Session> {
        let id = self.connections.get(&conn).copied()?;
        self.input(id)
    }

    /// A message came. Returns false when it breaks the rules of the wire.
    pub fn received(&mut self, conn: Conn, message: Message, now: Now) -> bool {
        self.on(conn).is_none_or(|session| session.received(conn, message, now))
    }

    /// A connection is gone, or the dial failed.
    pub fn disconnected(&mut self, conn: Conn, why: impl Into<LinkFault>, now: Now) {
        if let Some(session) = self.on(conn) {
            session.disconnected(conn, why, now);
        }
        self.connections.remove(&conn);
    }

    /// When `tick` has something to do next.
    pub fn deadline(&self) -> Option<Instant> {
        let own = self.deadlines.first().map(|(at, _)| *at);
        own.into_iter().chain(self.dialling.deadline()).min()
    }

    /// A desk contradicted this conversation: another one may replace it (see
    /// [`Session::start_over`]). `entry` reads our entries of the contradicted one from the
    /// journal. Returns whether it was replaced.
    ///
    /// # Errors
    /// When an entry cannot be read.
    pub fn start_over<E>(
        &mut self,
        id: ConversationId,
        fresh: Fresh,
        entry: impl Fn(Number) -> Result<Entry, E>,
        now: Now,
    ) -> Result<bool, E> {
        let Some(session) = self.get(id) else { return Ok(false) };
        let Some(session) = session.start_over(fresh, entry, now)? else { return Ok(false) };
        self.remove(id);
        self.insert(session);
        Ok(true)
    }

    /// Adds to the outcome what this session wants done, and notes when the session has something
    /// to do next.
    fn collect(&mut self, id: ConversationId, outcome: &mut Outcome<Errand>) {
        let Some(kept) = self.sessions.get_mut(&id) else { return };
        self.looked_at.push(id);
        let session = &mut kept.session;
        outcome.append(session.outcome());
        if let Some(verdict) = session.take_verdict() {
            self.dialling.ended(id, verdict, self.now);
        }
        if session.is_dial_wanted() {
            self.dialling.want(id);
        }
        let next = session.deadline();
        let former = std::mem::replace(&mut kept.deadline, next);
        if former != next {
            former.map(|at| self.deadlines.remove(&(at, id)));
            next.map(|at| self.deadlines.insert((at, id)));
        }
        if self.sending_sessions.last() != Some(&id) {
            self.sending_sessions.push(id);
        }
        if !kept.is_watched {
            self.leaving_sessions.push(id);
        }
    }

    fn touch(&mut self, id: ConversationId) {
        // A batch often has several inputs for one session in a row.
        if self.changed_sessions.last() != Some(&id) {
            self.changed_sessions.push(id);
        }
    }
}

impl Side for Sessions {
    type Errand = Errand;

    fn tick(&mut self, now: Now) {
        self.now = now.clock;
        self.looked_at.clear();
        self.left.clear();
        while let Some((at, id)) = self.deadlines.first().copied()
            && at <= now.clock
        {
            self.deadlines.pop_first();
            if let Some(kept) = self.sessions.get_mut(&id) {
                kept.deadline = None;
                kept.session.tick(now);
                self.touch(id);
            }
        }
    }

    fn outcome(&mut self) -> Outcome<Errand> {
        let mut outcome = Outcome::default();
        for id in std::mem::take(&mut self.changed_sessions) {
            self.collect(id, &mut outcome);
        }
        while let Some(id) = self.dialling.next(self.now) {
            match self.sessions.get_mut(&id).filter(|kept| kept.session.is_dial_wanted()) {
                Some(kept) => kept.session.dial(),
                None => self.dialling.ended(id, Verdict::Unknown, self.now),
            }
            self.collect(id, &mut outcome);
        }
        outcome
    }

    fn wants(&self, errand: &Errand) -> bool {
        self.sessions.contains_key(&errand.conversation())
    }

    fn contradicted(&mut self, conn: Conn) {
        if let Some(session) = self.on(conn) {
            session.fork(conn);
        }
    }

    fn due(&mut self) -> Option<Due> {
        while let Some(id) = self.sending_sessions.last() {
            if let Some(due) = self.sessions.get_mut(id).and_then(|kept| kept.session.due()) {
                return Some(due);
            }
            self.sending_sessions.pop();
        }
        None
    }

    fn sent(&mut self, conversation: ConversationId, bytes: usize) {
        if let Some(kept) = self.sessions.get_mut(&conversation) {
            kept.session.sent(bytes);
        }
    }

    fn rest(&mut self) {
        for id in std::mem::take(&mut self.leaving_sessions) {
            // A session at rest has no connection.
            let is_watched = self.sessions.get(&id).is_some_and(|kept| kept.is_watched);
            if !is_watched && self.get(id).is_some_and(Session::is_at_rest) {
                self.forget(id);
                self.left.push(id);
            }
        }
    }
}
