//! The code of an agent's terminal: where it comes from, and what it makes of the lines that were
//! typed for another one.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::core::agent::Code;
use crate::edge::clock;
use crate::edge::journal::{Credentials, TypedLines};
use crate::mode::{args, random};
use crate::wire::{Conn, SeatKey, Secret};

use super::{Attach, Link};

/// What this terminal signs in with: what it has, or a new code. Lines that were typed for another
/// code are given back.
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
    /// The desk does not take the code. A person is asked for another one, here and now.
    ///
    /// # Errors
    /// One line for a script, which ends.
    pub(super) fn refused(&mut self, conn: Conn, why: &str) -> Result<(), String> {
        if !self.screen.is_interactive() {
            return Err(format!(
                "{}: {why}; this terminal takes it from --code-file FILE",
                self.desk
            ));
        }
        self.net.close(conn);
        self.link = Link::Refused;
        self.error(format!("{}: {why}", self.desk));
        self.notice("type the new code here, from 'handoff agent add'; /quit leaves");
        (self.focus, self.who) = (None, None);
        self.screen.prompt("new code".to_owned(), "new code".to_owned(), None);
        Ok(())
    }

    /// The person has typed a new code. The lines that wait for the desk stay: it is the same desk
    /// and the same seat, so each is done once.
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
