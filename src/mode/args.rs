//! The command line: `argh` reads the raw options (`raw`), [`parse`] checks them once, and the
//! modes get values that are known to be right. `check` has the checks of single options.

mod agents;
mod check;
mod raw;
mod site;
#[cfg(test)]
mod tests;

use std::env::VarError;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use argh::FromArgs;

use crate::bot::{self, Askers};
use crate::core::desk::Assign;
use crate::core::gateway::Addresses;
use crate::core::identity;
use crate::core::reply::Triggers;
use crate::edge::agents::{AgentsFile, keep_desk_key};
use crate::edge::journal::Place;
use crate::edge::notifier::Targets;
use crate::edge::secret;
use crate::edge::tls::{self, Fingerprint, Identity, KnownDesks, Plaintext, Trust};
use crate::wire::{TEXT_MAX, Token};

pub use agents::{Agent, AgentTask, Attach};
pub use raw::{Bot, Demo};
pub use site::Site;

use check::{
    asked, check_address, check_at_least_1, check_limits, checked_certificate, checked_name,
    checked_place, image_host, origins, read_identity_key, read_token,
};

/// The program to run, with its checked options.
#[derive(Debug)]
pub enum Mode {
    /// The customer's side.
    User(User),
    /// The desk.
    Admin(Admin),
    /// Who may answer at a desk.
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

/// Checked options of the ways to the desk and to the bot, for every customers' side.
#[derive(Debug)]
pub struct Around {
    /// The desk's address, HOST:PORT.
    pub admin: String,
    bot: String,
    bot_ca: Option<String>,
    bot_askers: Askers,
    bot_token_file: Option<PathBuf>,
    triggers: Triggers,
    trusted_desks: Trusted,
    place: Place,
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
    /// Whether the other side is shown that somebody types here.
    pub shows_typing: bool,
    /// Whether the other side is shown what was seen here.
    pub shows_seen: bool,
}

/// Checked options of `handoff web`.
#[derive(Debug)]
pub struct Web {
    /// The ways to the desk and to the bot.
    pub around: Around,
    /// The address to listen on, HOST:PORT.
    pub listen: String,
    /// How customers reach the gateway; `None`: at the address it listens on.
    pub url: Option<Site>,
    /// The files of HTTPS; `None`: plain HTTP.
    pub certificate: Option<Certificate>,
    /// What the bot is sent when a customer opens the chat.
    pub greet: Option<String>,
    /// What a customer must accept before the first word.
    pub notice: Option<String>,
    /// What a customer is asked for before the first handoff: `name`, `email`, or both with a
    /// comma.
    pub ask: Option<String>,
    /// Origins whose pages may show the chat in a frame.
    pub embedders: Vec<String>,
    /// Other origins whose pages may use the API.
    pub api_origins: Vec<String>,
    /// The hosts whose images the page shows.
    pub images: Vec<String>,
    /// The proxies whose word on a customer's address counts.
    pub trusted_proxies: Vec<IpAddr>,
    gateway_token: Option<PathBuf>,
    identity_keys: Vec<PathBuf>,
    /// What agents are shown of customers' addresses.
    pub addresses: Addresses,
    /// The most customers at the same time.
    pub customers: usize,
    /// The most new customers from one address at once.
    pub per_address: u32,
    /// Requests per second from one customer.
    pub rate: u32,
    /// Whether to print JSON.
    pub json: bool,
}

impl Web {
    /// Whether all connections may come from a proxy: from one that is named, or on this machine.
    pub fn are_proxied(&self) -> bool {
        let host = self.listen.rsplit_once(':').map_or("", |(host, _)| host);
        let is_loopback = host == "localhost"
            || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        is_loopback || !self.trusted_proxies.is_empty()
    }
}

/// The files of a certificate chain and of its key, both in PEM.
#[derive(Debug)]
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
}

/// Which desks the customer's side trusts.
#[derive(Debug)]
enum Trusted {
    Keys(Vec<Fingerprint>),
    Authority(String),
    Plaintext(Plaintext),
    FirstContact,
}

/// Checked options of `handoff admin`.
#[derive(Debug)]
pub struct Admin {
    /// The address to listen on, HOST:PORT.
    pub listen: String,
    /// The certificate that the desk shows; its own key when `None`.
    certificate: Option<Certificate>,
    /// Where connections may be without encryption; `None` if all are encrypted.
    pub plaintext: Option<Plaintext>,
    /// The agent's name.
    pub name: Option<String>,
    /// The first line to every customer.
    pub greeting: Option<String>,
    /// Whether to accept every customer at once.
    pub auto_accept: bool,
    /// Whether the desk runs without an agent at its stdin.
    pub no_terminal: bool,
    /// The most customers.
    pub customers: usize,
    /// The most customers from one address.
    pub per_address: usize,
    /// The most connections.
    pub connections: usize,
    /// Messages per second from one connection.
    pub rate: u32,
    /// The file with canned replies.
    pub replies: Option<PathBuf>,
    /// How an agent is called who does not look at the terminal.
    pub notify: Targets,
    /// After how long the agent is called again.
    pub notify_every: Duration,
    /// After how long without a terminal an agent is gone.
    pub agent_grace: Duration,
    /// The most customers of one agent.
    pub max_active: usize,
    /// How customers get from the queue to the agents.
    pub assign: Assign,
    /// After how long an assigned customer without an answer goes to the next agent.
    pub answer_within: Option<Duration>,
    trusted_gateways: Vec<PathBuf>,
    place: Place,
    /// Whether to print JSON.
    pub json: bool,
    /// Whether to do without editing and colour.
    pub plain: bool,
    /// Whether the other side is shown that somebody types here.
    pub shows_typing: bool,
    /// Whether the other side is shown what was seen here.
    pub shows_seen: bool,
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

/// Checks the options of the ways to the desk and to the bot. `$mode` names the journal's folder.
macro_rules! check_around {
    ($raw:ident, $mode:literal) => {{
        check_address("--admin", &$raw.admin)?;
        let config = bot::Config::new(&$raw.bot, None)?;
        if $raw.bot_ca.is_some() && !config.is_https() {
            let url = config.url();
            return Err(format!("--bot-ca is for a bot at an https:// URL, and --bot is {url}"));
        }
        let trusted_desks = match (&*$raw.fingerprint, $raw.ca, $raw.plaintext) {
            ([], None, None) => Trusted::FirstContact,
            ([], Some(ca), None) => Trusted::Authority(ca),
            ([], None, Some(plaintext)) => Trusted::Plaintext(plaintext),
            (_, None, None) => Trusted::Keys($raw.fingerprint),
            _ => {
                let why = "--fingerprint, --ca and --plaintext exclude each other; give one";
                return Err(why.to_owned());
            }
        };
        if $raw.trigger.iter().any(|text| text.trim().is_empty()) {
            return Err("--trigger must not be empty".to_owned());
        }
        Around {
            admin: $raw.admin,
            bot: $raw.bot,
            bot_ca: $raw.bot_ca,
            bot_askers: $raw.bot_askers,
            bot_token_file: $raw.bot_token_file,
            triggers: Triggers::new(&$raw.trigger),
            trusted_desks,
            place: checked_place($mode, $raw.state, $raw.profile, $raw.ephemeral)?,
        }
    }};
}

impl raw::User {
    fn check(self) -> Result<User, String> {
        let name = self.name.as_deref().map(checked_name).transpose()?;
        Ok(User {
            around: check_around!(self, "user"),
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

impl raw::Web {
    fn check(self) -> Result<Web, String> {
        check_address("--listen", &self.listen)?;
        let url = self.url.as_deref().map(Site::parse).transpose()?;
        let is_everywhere =
            matches!(self.listen.rsplit_once(':'), Some(("0.0.0.0" | "[::]" | "*", _)));
        if url.is_none() && is_everywhere {
            return Err(format!(
                "--listen {} is every address of this machine: say with --url how customers reach \
                 the gateway",
                self.listen
            ));
        }
        let certificate = checked_certificate(self.tls_cert, self.tls_key)?;
        check_at_least_1(self.customers, self.per_address as usize, self.rate)?;
        if self.identity_keys.len() > 2 {
            return Err("--identity-keys: give one file, or two for a change of keys".to_owned());
        }
        if self.greet.as_ref().is_some_and(|payload| payload.trim().is_empty()) {
            return Err("--greet must not be empty".to_owned());
        }
        if self.notice.as_ref().is_some_and(|text| text.trim().is_empty()) {
            return Err("--notice must not be empty".to_owned());
        }
        Ok(Web {
            around: check_around!(self, "web"),
            listen: self.listen,
            url,
            certificate,
            greet: self.greet,
            notice: self.notice,
            ask: self.ask.as_deref().map(asked).transpose()?,
            embedders: origins("--origin", &self.origin)?,
            api_origins: origins("--api-origin", &self.api_origin)?,
            images: self.images.iter().map(|host| image_host(host)).collect::<Result<_, _>>()?,
            trusted_proxies: self.trust_proxy.iter().map(IpAddr::to_canonical).collect(),
            gateway_token: self.gateway_token,
            identity_keys: self.identity_keys,
            addresses: self.addresses,
            customers: self.customers,
            per_address: self.per_address,
            rate: self.rate,
            json: self.json,
        })
    }
}

impl raw::Admin {
    fn check(self) -> Result<Admin, String> {
        check_address("--listen", &self.listen)?;
        let name = self.name.as_deref().map(checked_name).transpose()?;
        let place = checked_place("admin", self.state, self.profile, self.ephemeral)?;
        let certificate = checked_certificate(self.tls_cert, self.tls_key)?;
        if certificate.is_some() && self.plaintext.is_some() {
            let why = "--plaintext shows no certificate; give it without --tls-cert and --tls-key";
            return Err(why.to_owned());
        }
        let fits = |text: &String| text.len() <= TEXT_MAX && !text.trim().is_empty();
        if !self.greeting.as_ref().is_none_or(fits) {
            return Err(format!("--greeting must have 1 to {TEXT_MAX} bytes"));
        }
        // These options are about the agent at the desk's own terminal.
        let of_agent = [("--auto-accept", self.auto_accept), ("--name", name.is_some())];
        let given = of_agent.into_iter().find(|(_, is_given)| *is_given && self.no_terminal);
        if let Some((option, _)) = given {
            return Err(format!(
                "{option} is for an agent at this terminal, and with --no-terminal there is none"
            ));
        }
        check_limits(self.customers, self.per_address, self.rate, self.connections)?;
        if self.max_active == Some(0) {
            return Err("--max-active must be at least 1".to_owned());
        }
        if self.answer_within == Some(0) {
            return Err("--answer-within must be at least 1 (a second)".to_owned());
        }
        if self.assign == Assign::LongestIdle && self.auto_accept {
            let why = "--auto-accept and --assign longest-idle exclude each other; give one";
            return Err(why.to_owned());
        }
        if self.answer_within.is_some() && self.assign == Assign::Pull {
            return Err("--answer-within is for --assign longest-idle".to_owned());
        }
        if self.notify_every == 0 {
            return Err("--notify-every must be at least 1 (a second)".to_owned());
        }
        let is_web = |url: &String| url.starts_with("http://") || url.starts_with("https://");
        if let Some(url) = self.notify_url.as_ref().filter(|url| !is_web(url)) {
            return Err(format!(
                "--notify-url {url}: give a URL that begins with http:// or https://"
            ));
        }
        Ok(Admin {
            listen: self.listen,
            certificate,
            plaintext: self.plaintext,
            name,
            greeting: self.greeting,
            auto_accept: self.auto_accept,
            no_terminal: self.no_terminal,
            customers: self.customers,
            per_address: self.per_address,
            connections: self.connections,
            rate: self.rate,
            replies: self.replies,
            notify: Targets { command: self.notify_command, url: self.notify_url },
            notify_every: Duration::from_secs(self.notify_every.into()),
            agent_grace: Duration::from_secs(self.agent_grace.into()),
            max_active: self.max_active.unwrap_or(usize::MAX),
            assign: self.assign,
            answer_within: self.answer_within.map(|seconds| Duration::from_secs(seconds.into())),
            trusted_gateways: self.trust_gateway,
            place,
            json: self.json,
            plain: self.plain,
            shows_typing: !self.no_typing,
            shows_seen: !self.no_seen,
        })
    }
}

impl Around {
    /// Where the journal is.
    pub fn place(&self) -> Place {
        self.place.clone()
    }

    /// Which desks the customer's side trusts.
    ///
    /// # Errors
    /// One line, when `--ca` names no usable authority.
    pub fn trust(&self) -> Result<Trust, String> {
        match &self.trusted_desks {
            Trusted::Keys(keys) => Ok(Trust::Keys(keys.clone())),
            Trusted::Authority(ca) => Trust::authority(ca),
            Trusted::Plaintext(plaintext) => Ok(Trust::Plaintext(*plaintext)),
            Trusted::FirstContact => {
                let file = self.place.folder()?.map(|folder| folder.join("known_desks"));
                Ok(Trust::FirstContact(KnownDesks::new(file)))
            }
        }
    }

    /// The bot's texts that hand over.
    pub fn triggers(&self) -> Triggers {
        self.triggers.clone()
    }

    /// How the bot is asked.
    ///
    /// # Errors
    /// One line, when an option for the bot cannot be used.
    pub fn bot_config(&self) -> Result<bot::Config, String> {
        let config = bot::Config::new(&self.bot, self.bot_token()?)?.with_askers(self.bot_askers);
        match &self.bot_ca {
            Some(given) => Ok(config.trusting(&tls::authorities("--bot-ca", given)?)),
            None => Ok(config),
        }
    }

    /// The token for the bot's API, from the file or the environment. There is no option for the
    /// token itself: every user of the machine can read a command line.
    ///
    /// # Errors
    /// One line, when the token cannot be used.
    fn bot_token(&self) -> Result<Option<String>, String> {
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

impl Web {
    /// What proves to a desk that it may trust this gateway.
    ///
    /// # Errors
    /// One line, when the token cannot be used.
    pub fn gateway_token(&self) -> Result<Option<Token>, String> {
        self.gateway_token.as_deref().map(read_token).transpose()
    }

    /// The keys with which the shop's backend signs who a customer is.
    ///
    /// # Errors
    /// One line, when a key cannot be used.
    pub fn identity_keys(&self) -> Result<identity::Keys, String> {
        let keys = self.identity_keys.iter().map(|file| read_identity_key(file));
        Ok(identity::Keys::new(&keys.collect::<Result<Vec<_>, _>>()?))
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

impl Admin {
    /// The tokens of the gateways that the desk trusts.
    ///
    /// # Errors
    /// One line, when a token cannot be used.
    pub fn trusted_gateways(&self) -> Result<Vec<Token>, String> {
        self.trusted_gateways.iter().map(|file| read_token(file)).collect()
    }

    /// Where the desk's journal is.
    pub fn place(&self) -> Place {
        self.place.clone()
    }

    /// The file of the desk's agents; `None` if the desk can have none but its own terminal: it
    /// keeps nothing, or no key of its own proves to them who it is.
    ///
    /// # Errors
    /// When the platform does not say where it keeps such files.
    pub fn agents_file(&self) -> Result<Option<PathBuf>, String> {
        let folder = self.place.folder()?.filter(|_| self.plaintext.is_none());
        Ok(folder.map(|folder| AgentsFile::path(&folder, &self.place.profile)))
    }

    /// Keeps which key the desk shows, for the codes of its agents.
    ///
    /// # Errors
    /// One line, when it cannot be kept.
    pub fn keep_desk_key(&self, key: &str) -> Result<(), String> {
        match self.place.folder()? {
            Some(folder) => keep_desk_key(&folder, &self.place.profile, key),
            None => Ok(()),
        }
    }

    /// The certificate and key that the desk shows; `None` in plaintext. The desk's own key lies
    /// outside the journal's folder, so that it stays when a journal is removed or restored.
    ///
    /// # Errors
    /// One line, when the key cannot be read or made.
    pub fn identity(&self) -> Result<Option<Identity>, String> {
        match (self.plaintext, &self.certificate, self.place.folder()?) {
            (Some(_), ..) => Ok(None),
            (_, Some(certificate), _) => certificate.identity().map(Some),
            (_, _, Some(folder)) => own_identity(&folder, &self.place.profile).map(Some),
            (_, _, None) => Identity::fresh().map(Some),
        }
    }
}

/// The desk's own key.
fn own_identity(folder: &Path, profile: &str) -> Result<Identity, String> {
    Identity::kept(&folder.join("keys").join(format!("{profile}.pem")))
}

/// argh explains an error over several lines; a person gets one.
fn one_line(output: &str) -> String {
    let lines = output.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("Run "));
    lines.collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
}
