//! The code of an agent's terminal: how the terminal gets it, and what a new code means for the
//! lines that wait for the desk.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::core::agent::Code;
use crate::edge::clock;
use crate::edge::journal::{Credentials, TypedLines};
use crate::mode::{args, random};
use crate::wire::{Conn, SeatKey, Secret};

use super::{Attach, Link};

/// The credentials of this terminal: those that it keeps, or new ones if it is given another code.
/// Also returns the lines that were never sent with the former code.
pub(super) fn sign_in_with(
    args: &args::Attach,
    lines: &mut TypedLines,
) -> Result<(Credentials, Vec<String>), String> {
    let known = lines.credentials().map_err(|fault| fault.to_string())?;
    let code = match (args.code()?, &known) {
        (Some(code), _) => Some(code),
        (None, Some(_)) => None,
        (None, None) => Some(ask_for_code()?),
    };
    let is_known = |code: &Code| {
        known.as_ref().is_some_and(|it| (it.code, it.desk_key) == (code.secret, code.desk_key))
    };
    match (code.filter(|code| !is_known(code)), known) {
        (None, Some(known)) => Ok((known, Vec::new())),
        (Some(Code { desk_key, secret: code }), _) => {
            let (secret, seat) = (Secret::new(random()?), SeatKey::new(random()?));
            let credentials = Credentials { desk_key, code, secret, seat };
            let unsent = lines.begin(&credentials).map_err(|fault| fault.to_string())?;
            Ok((credentials, unsent.into_iter().map(|line| line.text).collect()))
        }
        (None, None) => Err("there is no code".to_owned()),
    }
}

/// Asks the person for the code.
fn ask_for_code() -> Result<Code, String> {
    if !io::stdin().is_terminal() {
        return Err("this terminal has no code of the desk yet: give it with --code-file FILE; \
                    'handoff agent add NAME' at the desk prints one"
            .to_owned());
    }
    let _ = write!(io::stderr(), "code (from 'handoff agent add'): ");
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|e| format!("cannot read the code: {e}"))?;
    line.parse()
}

impl Attach {
    /// The desk refuses the code. Asks a person for another one at the prompt. Nobody can be asked
    /// in a script, so its terminal gives the desk up.
    pub(super) fn refused(&mut self, conn: Conn, why: &str) -> Result<(), String> {
        self.net.close(conn);
        if !self.screen.is_interactive() {
            let desk = &self.desk;
            return self
                .give_up(format!("{desk}: {why}; this terminal takes it from --code-file FILE"));
        }
        self.link = Link::Refused;
        self.error(format!("{}: {why}", self.desk));
        self.notice("type the new code here, from 'handoff agent add'; /quit leaves");
        (self.focus, self.who) = (None, None);
        self.screen.prompt("new code".to_owned(), "new code".to_owned(), None);
        Ok(())
    }

    /// Takes the new code that the person has typed. The lines that wait for the desk stay: desk
    /// and seat are the same, so the desk still does each line once.
    pub(super) fn take_code(&mut self, text: &str) -> Result<(), String> {
        match text.parse::<Code>() {
            Err(why) => self.error(why),
            Ok(code) if code.desk_key != self.credentials.desk_key => {
                self.error(format!("this code is for another desk than {}", self.desk));
            }
            Ok(code) => {
                self.credentials.code = code.secret;
                self.credentials.secret = Secret::new(random()?);
                self.lines.renew(&self.credentials).map_err(|fault| fault.to_string())?;
                self.link = Link::Waiting(clock::now().clock);
                self.screen.prompt("not attached".to_owned(), "not attached".to_owned(), None);
            }
        }
        Ok(())
    }
}
