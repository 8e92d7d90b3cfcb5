//! What wakes a program's loop: typed lines, the screen, the network, the bot, signals and time.

use std::time::Instant;

use crossbeam_channel::{Receiver, at, never, select};

use crate::edge::term::{self, Typed};
use crate::net;

/// One input. `A` is the type of a bot's answers; a desk has no bot.
pub enum Event<A> {
    /// A line, or the end of the input.
    Typed(Typed),
    /// A report of the screen.
    Screen(term::Event),
    /// A report of the socket thread.
    Net(net::Event),
    /// The bot answered.
    Answer(A),
    /// A signal came.
    Signal(i32),
    /// The deadline has come.
    Due,
}

/// The channels that inputs come from.
pub struct Inputs<A> {
    /// Typed lines.
    pub typed: Receiver<Typed>,
    /// What the screen reports.
    pub screen: Receiver<term::Event>,
    /// What the socket thread reports.
    pub net: Receiver<net::Event>,
    /// Answers of the bot.
    pub answers: Receiver<A>,
    /// Signals.
    pub signals: Receiver<i32>,
}

/// Which inputs a loop can take now. The others wait in their channels.
#[derive(Clone, Copy)]
pub struct Takes {
    /// Typed lines.
    pub lines: bool,
    /// The network; false while the screen is far behind.
    pub net: bool,
}

impl<A> Inputs<A> {
    /// Waits for the next input, or for the deadline.
    pub fn wait(&self, takes: Takes, deadline: Option<Instant>) -> Event<A> {
        let (no_lines, no_net) = (never(), never());
        let typed = if takes.lines { &self.typed } else { &no_lines };
        let net = if takes.net { &self.net } else { &no_net };
        let due = deadline.map_or_else(never, at);
        select! {
            recv(typed) -> typed => Event::Typed(typed.unwrap_or(Typed::End)),
            recv(self.screen) -> event => event.map_or(Event::Due, Event::Screen),
            recv(net) -> event => event.map_or(Event::Due, Event::Net),
            recv(self.answers) -> answer => answer.map_or(Event::Due, Event::Answer),
            recv(self.signals) -> signal => signal.map_or(Event::Due, Event::Signal),
            recv(due) -> _ => Event::Due,
        }
    }

    /// An input that waits already and belongs to the same batch, if there is one.
    pub fn poll(&self, takes: Takes) -> Option<Event<A>> {
        let net = takes.net.then(|| self.net.try_recv().ok()).flatten().map(Event::Net);
        let answer = || self.answers.try_recv().ok().map(Event::Answer);
        let typed = || takes.lines.then(|| self.typed.try_recv().ok()).flatten().map(Event::Typed);
        net.or_else(answer).or_else(typed)
    }
}
