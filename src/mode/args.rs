//! Arguments: read by `argh`, checked into plain values before anything starts.

use std::env::VarError;
use std::path::PathBuf;

use argh::FromArgs;

use crate::bot::{self, Askers};
use crate::core::desk::room::{CUSTOMERS, CUSTOMERS_PER_ADDRESS};
use crate::core::reply::Triggers;
use crate::core::text::{NAME_LETTERS_MAX, Name};
use crate::edge::journal::Place;
use crate::edge::secret;
use crate::edge::tls::{Fingerprint, Identity, KnownDesks, Plaintext, Trust};
use crate::net::{CONNECTIONS, STRANGERS};
use crate::turn::peers::rate::RATE;
use crate::wire::{NAME_MAX, TEXT_MAX};

/// Hands a Rasa chat over to a human, peer to peer, without losing a message.
///
/// Alone, --version or -V prints the version.
/// Try it now, with nothing else installed: handoff demo
#[derive(FromArgs, Debug)]
pub struct Args {
    #[argh(subcommand)]
    /// what to be
    pub mode: Mode,
}

/// What to be.
#[derive(FromArgs, Debug)]
#[argh(subcommand)]
pub enum Mode {
    /// The customer.
    User(User),
    /// The desk.
    Admin(Admin),
    /// The built-in bot.
    Bot(Bot),
    /// All of it.
    Demo(Demo),
}

/// The customer: chats with the bot, and with a person when the bot hands over.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "user")]
pub struct User {
    /// the desk to hand over to, HOST:PORT
    #[argh(option)]
    pub admin: String,
    /// the bot's URL (default http://localhost:5005)
    #[argh(option, default = "String::from(\"http://localhost:5005\")")]
    pub bot: String,
    /// a file with the token or JWT of the bot's API (or HANDOFF_BOT_TOKEN in the environment)
    #[argh(option)]
    pub bot_token_file: Option<PathBuf>,
    /// take an https bot with a certificate by these authorities: a PEM file, or 'system'
    #[argh(option)]
    pub bot_ca: Option<String>,
    /// questions at the bot at the same time, at most one of each conversation (default 32)
    #[argh(option, default = "Askers::default()")]
    pub bot_askers: Askers,
    /// the bot's text that hands over, in any letter case (default "Human Handoff"; repeatable)
    #[argh(option)]
    pub trigger: Vec<String>,
    /// what the agent shall call you
    #[argh(option)]
    pub name: Option<String>,
    /// the key the desk must have, as it prints it: SHA256:… (repeatable; default: the key it had
    /// the first time)
    #[argh(option)]
    pub fingerprint: Vec<Fingerprint>,
    /// take a desk with a certificate by these authorities: a PEM file, or 'system'
    #[argh(option)]
    pub ca: Option<String>,
    /// no TLS: 'loopback' (this machine only) or 'anywhere' (inside a tunnel); the desk needs it
    /// too
    #[argh(option)]
    pub plaintext: Option<Plaintext>,
    /// start a new conversation instead of going on with the last one
    #[argh(switch)]
    pub new: bool,
    /// at the end of a script's input, leave after this many seconds instead of staying until
    /// closed
    #[argh(option)]
    pub linger: Option<u32>,
    /// keep the journal under this folder (default: the platform's state folder)
    #[argh(option)]
    pub state: Option<PathBuf>,
    /// which journal to use, to run several side by side (default: "default")
    #[argh(option, default = "String::from(\"default\")")]
    pub profile: String,
    /// keep no journal: everything is forgotten at the end
    #[argh(switch)]
    pub ephemeral: bool,
    /// one JSON object a line on stdout
    #[argh(switch)]
    pub json: bool,
    /// plain lines: no editing, no colour
    #[argh(switch)]
    pub plain: bool,
}

/// The desk: takes customers that were handed over.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "admin")]
pub struct Admin {
    /// where to listen, HOST:PORT (port 0 takes a free one and prints it)
    #[argh(option)]
    pub listen: String,
    /// a certificate chain for the desk, in PEM (default: a key of its own, made at the first
    /// start)
    #[argh(option)]
    pub tls_cert: Option<PathBuf>,
    /// the key of that certificate, in PEM
    #[argh(option)]
    pub tls_key: Option<PathBuf>,
    /// no TLS: 'loopback' (this machine only) or 'anywhere' (inside a tunnel); the customers need
    /// it too
    #[argh(option)]
    pub plaintext: Option<Plaintext>,
    /// what the customers shall call you
    #[argh(option)]
    pub name: Option<String>,
    /// a first line for every customer you accept (default: none)
    #[argh(option)]
    pub greeting: Option<String>,
    /// accept whoever comes
    #[argh(switch)]
    pub auto_accept: bool,
    /// read no stdin and end only by a signal, for a service manager; nobody can answer at such a
    /// desk: customers queue
    #[argh(switch)]
    pub no_terminal: bool,
    /// customers there is room for, connected or waiting; others are asked to come back later
    /// (default 3000)
    #[argh(option, default = "CUSTOMERS")]
    pub customers: usize,
    /// of these, from one address (default 256; behind a tunnel or a proxy all come from one)
    #[argh(option, default = "CUSTOMERS_PER_ADDRESS")]
    pub per_address: usize,
    /// connections, with those of strangers who have not said who they are (default 4096)
    #[argh(option, default = "CONNECTIONS")]
    pub connections: usize,
    /// messages a second of one connection, and ten times that at once; who sends more is read
    /// later (default 20)
    #[argh(option, default = "RATE")]
    pub rate: u32,
    /// keep the journal under this folder (default: the platform's state folder)
    #[argh(option)]
    pub state: Option<PathBuf>,
    /// which journal to use, to run several side by side (default: "default")
    #[argh(option, default = "String::from(\"default\")")]
    pub profile: String,
    /// keep no journal, and no key: everything is forgotten at the end, and customers meet another
    /// desk next time
    #[argh(switch)]
    pub ephemeral: bool,
    /// one JSON object a line on stdout
    #[argh(switch)]
    pub json: bool,
    /// plain lines: no editing, no colour
    #[argh(switch)]
    pub plain: bool,
}

/// The built-in bot: speaks Rasa's REST contract, to try things with.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "bot")]
pub struct Bot {
    /// where to listen, HOST:PORT (port 0 takes a free one and prints it)
    #[argh(option)]
    pub listen: String,
    /// one JSON object a line on stdout
    #[argh(switch)]
    pub json: bool,
}

/// A bot, a desk and you as the customer, on this machine alone.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "demo")]
pub struct Demo {
    /// play a whole conversation by itself, and check it (always so when stdin is not a terminal)
    #[argh(switch)]
    pub script: bool,
}

/// Why the program does not start.
#[derive(Debug)]
pub enum Exit {
    /// Help was asked for: print it.
    Help(String),
    /// The usage is wrong: say so.
    Usage(String),
}

/// Reads the command line, without the program's name.
///
/// # Errors
/// When there is nothing to run: help, or one line that says what is wrong.
pub fn parse(arguments: &[&str]) -> Result<Mode, Exit> {
    // Which argh does not know, and everybody tries.
    let arguments: Vec<&str> =
        arguments.iter().map(|given| if *given == "-h" { "--help" } else { *given }).collect();
    let arguments = &*arguments;
    if matches!(arguments, ["--version" | "-V"]) {
        return Err(Exit::Help(format!("handoff {}", env!("CARGO_PKG_VERSION"))));
    }
    match Args::from_args(&["handoff"], arguments) {
        Ok(args) => args.mode.check().map_err(Exit::Usage),
        Err(early) if early.status.is_ok() => Err(Exit::Help(early.output)),
        Err(early) => Err(Exit::Usage(one_line(&early.output))),
    }
}

impl Mode {
    fn check(mut self) -> Result<Mode, String> {
        match &mut self {
            Mode::User(user) => {
                address("--admin", &user.admin)?;
                bot(user)?;
                name(&mut user.name)?;
                profile(&user.profile)?;
                let ways =
                    [!user.fingerprint.is_empty(), user.ca.is_some(), user.plaintext.is_some()];
                if ways.into_iter().filter(|given| *given).count() > 1 {
                    return Err("--fingerprint, --ca and --plaintext exclude each other; give one"
                        .to_owned());
                }
                if user.trigger.iter().any(|text| text.trim().is_empty()) {
                    return Err("--trigger must not be empty".to_owned());
                }
            }
            Mode::Admin(admin) => {
                address("--listen", &admin.listen)?;
                name(&mut admin.name)?;
                profile(&admin.profile)?;
                match (&admin.tls_cert, &admin.tls_key, admin.plaintext) {
                    (Some(_), Some(_), None) | (None, None, _) => {}
                    (Some(_), Some(_), Some(_)) => {
                        return Err(
                            "--plaintext shows no certificate; give it without --tls-cert and --tls-key".to_owned()
                        );
                    }
                    _ => {
                        return Err("--tls-cert and --tls-key belong together; give both or none"
                            .to_owned());
                    }
                }
                if admin
                    .greeting
                    .as_ref()
                    .is_some_and(|text| text.len() > TEXT_MAX || text.trim().is_empty())
                {
                    return Err(format!("--greeting must have 1 to {TEXT_MAX} bytes"));
                }
                no_terminal(admin)?;
                caps(admin)?;
            }
            Mode::Bot(bot) => address("--listen", &bot.listen)?,
            Mode::Demo(_) => {}
        }
        Ok(self)
    }
}

impl Admin {
    /// Where the desk's journal is.
    pub fn place(&self) -> Place {
        let (state, profile) = (self.state.clone(), self.profile.clone());
        Place { state, mode: "admin", profile, ephemeral: self.ephemeral }
    }

    /// The key that the desk shows; none in plaintext. Its own lies beside the journal's folder: a
    /// journal that is removed or restored takes no key with it.
    ///
    /// # Errors
    /// One line, when it cannot be read or made.
    pub fn identity(&self) -> Result<Option<Identity>, String> {
        match (&self.tls_cert, &self.tls_key, self.place().folder()?) {
            _ if self.plaintext.is_some() => Ok(None),
            (Some(certificate), Some(key), _) => Identity::given(certificate, key).map(Some),
            (_, _, Some(folder)) => {
                Identity::kept(&folder.join("keys").join(format!("{}.pem", self.profile))).map(Some)
            }
            (_, _, None) => Identity::fresh().map(Some),
        }
    }
}

impl User {
    /// Where the customer's journal is.
    pub fn place(&self) -> Place {
        let (state, profile) = (self.state.clone(), self.profile.clone());
        Place { state, mode: "user", profile, ephemeral: self.ephemeral }
    }

    /// What makes a desk the right one.
    ///
    /// # Errors
    /// One line, when there is no authority where `--ca` says.
    pub fn trust(&self) -> Result<Trust, String> {
        match (self.plaintext, &self.ca) {
            (Some(plaintext), _) => Ok(Trust::Plaintext(plaintext)),
            (_, Some(ca)) => Trust::authority(ca),
            _ if !self.fingerprint.is_empty() => Ok(Trust::Keys(self.fingerprint.clone())),
            _ => {
                let file = self.place().folder()?.map(|folder| folder.join("known_desks"));
                Ok(Trust::FirstContact(KnownDesks::new(file)))
            }
        }
    }

    /// The texts that hand over.
    pub fn triggers(&self) -> Triggers {
        if self.trigger.is_empty() { Triggers::default() } else { Triggers::new(&self.trigger) }
    }

    /// The token of the bot's API, from the file or the environment: a command line is for all to
    /// see.
    ///
    /// # Errors
    /// One line, when there is one that cannot be used.
    pub fn bot_token(&self) -> Result<Option<String>, String> {
        if let Some(file) = &self.bot_token_file {
            return secret::read("the bot's token", file).map(Some);
        }
        match std::env::var("HANDOFF_BOT_TOKEN") {
            Ok(token) => Ok(Some(token)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => {
                Err("the bot's token in HANDOFF_BOT_TOKEN is not text".to_owned())
            }
        }
    }
}

/// `HOST:PORT`, `[IPv6]:PORT`; the name itself is resolved later.
fn address(option: &str, given: &str) -> Result<(), String> {
    let wrong = || format!("{option} {given}: give HOST:PORT, such as localhost:5000");
    let (host, port) = given.rsplit_once(':').ok_or_else(wrong)?;
    let bare_v6 = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
    if host.is_empty() || bare_v6 || port.parse::<u16>().is_err() {
        return Err(wrong());
    }
    Ok(())
}

/// The bot's URL is one, and its options fit it.
fn bot(user: &User) -> Result<(), String> {
    let config = bot::Config::new(&user.bot, None)?;
    if user.bot_ca.is_some() && !config.is_https() {
        return Err(format!(
            "--bot-ca is for a bot at an https:// URL, and --bot is {}",
            config.url()
        ));
    }
    Ok(())
}

/// A name that is shown as it was given; blanks at its ends are typing errors.
fn name(given: &mut Option<String>) -> Result<(), String> {
    let Some(given) = given else { return Ok(()) };
    *given = given.trim().to_owned();
    match Name::new(given) {
        None => Err("--name must have something that can be seen".to_owned()),
        Some(name) if given.len() > NAME_MAX || !name.fits() => {
            Err(format!("--name may have {NAME_LETTERS_MAX} letters and {NAME_MAX} bytes at most"))
        }
        Some(_) => Ok(()),
    }
}

/// Options that are about the agent at a desk make no sense where there is none.
fn no_terminal(admin: &Admin) -> Result<(), String> {
    let of_agent = [
        ("--auto-accept", admin.auto_accept),
        ("--name", admin.name.is_some()),
        ("--greeting", admin.greeting.is_some()),
    ];
    match of_agent.into_iter().find(|(_, given)| *given && admin.no_terminal) {
        Some((option, _)) => Err(format!(
            "{option} is for a desk with an agent, and with --no-terminal there is none"
        )),
        None => Ok(()),
    }
}

/// Customers fit among the connections, with room for strangers to become customers.
fn caps(admin: &Admin) -> Result<(), String> {
    for (option, given) in [
        ("--customers", admin.customers),
        ("--per-address", admin.per_address),
        ("--rate", admin.rate as usize),
    ] {
        if given == 0 {
            return Err(format!("{option} must be at least 1"));
        }
    }
    let least = admin.customers.saturating_add(STRANGERS);
    if admin.connections < least {
        return Err(format!(
            "--customers {} needs --connections {least} or more: {STRANGERS} are for strangers",
            admin.customers
        ));
    }
    Ok(())
}

/// A profile names a folder.
fn profile(given: &str) -> Result<(), String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if given.is_empty() || given.starts_with('.') || given.len() > 64 || !given.chars().all(plain) {
        return Err(
            "--profile takes a name of letters, digits, '-', '_' and '.', at most 64".to_owned()
        );
    }
    Ok(())
}

/// argh explains over several lines; a person gets one.
fn one_line(output: &str) -> String {
    let lines: Vec<&str> = output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let help = |line: &&str| !line.starts_with("Run ");
    lines.into_iter().filter(help).collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(arguments: &[&str]) -> String {
        match parse(arguments) {
            Err(Exit::Usage(line)) => line,
            other => panic!("{arguments:?} gave {other:?}"),
        }
    }

    #[test]
    fn a_wrong_address_says_what_to_give() {
        for wrong in ["desk", "desk:", ":5000", "desk:port", "desk:70000", "::1:5000"] {
            assert!(
                usage(&["user", "--admin", wrong])
                    .ends_with("give HOST:PORT, such as localhost:5000"),
                "{wrong}"
            );
        }
        assert!(matches!(parse(&["user", "--admin", "[::1]:5000"]), Ok(Mode::User(_))));
    }

    #[test]
    fn usage_errors_are_one_line() {
        for wrong in [&["user"][..], &[], &["serve"], &["admin", "--listen", "x:1", "--nope"]] {
            let line = usage(wrong);
            assert!(!line.is_empty() && !line.contains('\n'), "{line:?}");
        }
    }

    #[test]
    fn customers_leave_room_for_strangers() {
        let line = usage(&["admin", "--listen", "a:1", "--customers", "4000"]);
        assert_eq!(
            line,
            "--customers 4000 needs --connections 4512 or more: 512 are for strangers"
        );
        let fits = ["admin", "--listen", "a:1", "--customers", "4000", "--connections", "4512"];
        assert!(matches!(parse(&fits), Ok(Mode::Admin(_))));
        for option in ["--customers", "--per-address", "--rate"] {
            assert!(usage(&["admin", "--listen", "a:1", option, "0"]).starts_with(option));
        }
    }

    #[test]
    fn names_and_triggers_must_say_something() {
        for (name, why) in [
            (" ", "seen"),
            ("\u{1b}\u{3164}", "seen"),
            (&"é".repeat(33), "32 letters"),
            (&"👩‍👩‍👧".repeat(8), "128 bytes"),
        ] {
            assert!(usage(&["user", "--admin", "a:1", "--name", name]).contains(why), "{name:?}");
        }
        let Ok(Mode::User(user)) =
            parse(&["user", "--admin", "a:1", "--name", &format!(" {} ", "é".repeat(32))])
        else {
            panic!("32 letters are a name")
        };
        assert_eq!(user.name, Some("é".repeat(32)));
        assert!(usage(&["user", "--admin", "a:1", "--trigger", ""]).contains("--trigger"));
        assert!(usage(&["admin", "--listen", "a:1", "--greeting", ""]).contains("--greeting"));
        for wrong in ["", "..", "a/b", "a b"] {
            assert!(
                usage(&["user", "--admin", "a:1", "--profile", wrong]).contains("--profile"),
                "{wrong}"
            );
        }
    }
}
