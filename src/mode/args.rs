//! The command line: `argh` reads the raw options (`raw`), [`parse`] checks them once, and the
//! modes get values that are known to be right. `check` has the checks of single options.

mod admin;
mod agents;
mod around;
mod check;
mod raw;
mod site;
#[cfg(test)]
mod tests;
mod web;

use std::path::PathBuf;

use argh::{FromArgs, SubCommands};

use crate::edge::tls::Identity;

pub use admin::Admin;
pub use agents::{Agent, AgentTask, Attach};
pub use around::Around;
pub use raw::{Bot, Demo};
pub use site::Site;
pub use web::Web;

use around::given_around;
use check::{check_address, checked_name};

/// The program to run, with its checked options.
#[derive(Debug)]
pub enum Mode {
    /// The customer's side.
    User(User),
    /// The desk.
    Admin(Admin),
    /// The list of a desk's agents.
    Agent(Agent),
    /// An agent's terminal.
    Attach(Attach),
    /// The gateway for customers in browsers.
    Web(Box<Web>),
    /// The built-in bot.
    Bot(Bot),
    /// A bot, a desk and a customer on this machine.
    Demo(Demo),
}

/// Checked options of `handoff user`.
#[derive(Debug)]
pub struct User {
    /// The ways to the desk and to the bot.
    pub around: Around,
    /// The customer's name.
    pub name: Option<String>,
    /// Whether to start a new conversation.
    pub new: bool,
    /// Seconds from the end of a script's input to the end of the program.
    pub linger: Option<u32>,
    /// Whether to print JSON.
    pub json: bool,
    /// Whether to do without editing and colour.
    pub plain: bool,
    /// Whether to tell the other side that somebody types here.
    pub shows_typing: bool,
    /// Whether to tell the other side which lines were seen here.
    pub shows_seen: bool,
}

/// The files of a certificate chain and of its key, both in PEM.
#[derive(Debug)]
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
}

/// Why no mode is run.
#[derive(Debug)]
pub enum Exit {
    /// Help was asked for; this is its text.
    Help(String),
    /// The command line is wrong; this line says why.
    Usage(String),
}

/// Reads and checks the command line, without the program's name.
///
/// # Errors
/// The text to print instead of running a mode.
pub fn parse(arguments: &[&str]) -> Result<Mode, Exit> {
    // argh knows no `-h`, and people try it.
    let arguments: Vec<&str> =
        arguments.iter().map(|given| if *given == "-h" { "--help" } else { *given }).collect();
    if matches!(*arguments, ["--version" | "-V"]) {
        return Err(Exit::Help(format!("handoff {}", env!("CARGO_PKG_VERSION"))));
    }
    if let Some(name) = arguments.first().filter(|it| !it.starts_with('-') && !is_command(it)) {
        let names = commands().collect::<Vec<_>>().join(", ");
        let why = format!("there is no command '{name}'; the commands are {names}");
        return Err(Exit::Usage(why));
    }
    let checked = match raw::Args::from_args(&["handoff"], &arguments) {
        Ok(args) => match args.mode {
            raw::Mode::User(user) => user.check().map(Mode::User),
            raw::Mode::Admin(admin) => admin.check().map(Mode::Admin),
            raw::Mode::Agent(agent) => agent.check().map(Mode::Agent),
            raw::Mode::Attach(attach) => attach.check().map(Mode::Attach),
            raw::Mode::Web(web) => web.check().map(Box::new).map(Mode::Web),
            raw::Mode::Bot(bot) => check_address("--listen", &bot.listen).map(|()| Mode::Bot(bot)),
            raw::Mode::Demo(demo) => Ok(Mode::Demo(demo)),
        },
        Err(early) if early.status.is_ok() => return Err(Exit::Help(early.output)),
        Err(early) => Err(one_line(&early.output)),
    };
    checked.map_err(Exit::Usage)
}

/// Whether `handoff` has a command with this name.
pub fn is_command(name: &str) -> bool {
    commands().any(|command| command == name)
}

/// The names of all commands.
fn commands() -> impl Iterator<Item = &'static str> {
    raw::Mode::COMMANDS.iter().map(|command| command.name)
}

impl raw::User {
    fn check(self) -> Result<User, String> {
        let name = self.name.as_deref().map(checked_name).transpose()?;
        Ok(User {
            around: given_around!(self).check("user")?,
            name,
            new: self.new,
            linger: self.linger,
            json: self.json,
            plain: self.plain,
            shows_typing: !self.no_typing,
            shows_seen: !self.no_seen,
        })
    }
}

impl Certificate {
    /// Reads the files as they are now.
    ///
    /// # Errors
    /// One line, when they cannot be read.
    pub fn identity(&self) -> Result<Identity, String> {
        Identity::given(&self.chain, &self.key)
    }
}

/// argh explains an error over several lines; a person gets one.
fn one_line(output: &str) -> String {
    let lines = output.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("Run "));
    lines.collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
}
