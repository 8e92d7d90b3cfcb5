//! The options as they are typed, for `argh`. [`super`] checks them.

use std::net::IpAddr;
use std::path::PathBuf;

use argh::FromArgs;

use crate::bot::Askers;
use crate::core::desk::capacity::{CUSTOMERS, CUSTOMERS_PER_ADDRESS};
use crate::core::desk::{AGENT_GRACE, Assign, NOTIFY_EVERY};
use crate::core::gateway::{self, Addresses};
use crate::edge::tls::{Fingerprint, Plaintext};
use crate::net::CONNECTIONS;
use crate::turn::peers::rate::RATE;

/// Declares the struct of a mode: its own options, and groups of options that several modes share.
/// The groups are `+ listen` (programs that listen), `+ around` (the ways to the desk and to the
/// bot, for the customers' sides), `+ place` (journals and keys), `+ desk` (the desk of agents), `+
/// person` (programs for a person at a terminal) and `+ json`. `argh` itself cannot put the options
/// of one struct into another.
macro_rules! mode {
    ($(#[$about:meta])* $vis:vis struct $mode:ident { $($own:tt)* } + listen $($more:tt)*) => {
        mode! { $(#[$about])* $vis struct $mode {
            /// where to listen, HOST:PORT (with port 0 the system picks a free port, which is
            /// printed)
            #[argh(option)]
            pub listen: String,
            $($own)*
        } $($more)* }
    };
    ($(#[$about:meta])* $vis:vis struct $mode:ident { $($own:tt)* } + around $($more:tt)*) => {
        mode! { $(#[$about])* $vis struct $mode {
            $($own)*
            /// the desk to hand over to, HOST:PORT
            #[argh(option)]
            pub admin: String,
            /// the bot's URL (default http://localhost:5005)
            #[argh(option, default = "String::from(\"http://localhost:5005\")")]
            pub bot: String,
            /// a file with the token or JWT for the bot's API (or HANDOFF_BOT_TOKEN in the
            /// environment)
            #[argh(option)]
            pub bot_token_file: Option<PathBuf>,
            /// trust an https bot whose certificate is signed by these authorities: a PEM file, or
            /// 'system'
            #[argh(option)]
            pub bot_ca: Option<String>,
            /// questions at the bot at the same time, at most one of each conversation (default
            /// 32)
            #[argh(option, default = "Askers::default()")]
            pub bot_askers: Askers,
            /// the bot's text that hands over, in any letter case (default "Human Handoff";
            /// repeatable)
            #[argh(option)]
            pub trigger: Vec<String>,
            /// the key that the desk must have, as the desk prints it: SHA256:… (repeatable;
            /// default: the key that it had at the first connection)
            #[argh(option)]
            pub fingerprint: Vec<Fingerprint>,
            /// trust a desk whose certificate is signed by these authorities: a PEM file, or
            /// 'system'
            #[argh(option)]
            pub ca: Option<String>,
        } $($more)* }
    };
    ($(#[$about:meta])* $vis:vis struct $mode:ident { $($own:tt)* } + place $($more:tt)*) => {
        mode! { $(#[$about])* $vis struct $mode {
            $($own)*
            /// no encryption between customer's side and desk: 'loopback' (this machine only) or
            /// 'anywhere' (inside a tunnel); give it on both sides
            #[argh(option)]
            pub plaintext: Option<Plaintext>,
            /// the folder for journals and keys (default: the platform's state folder)
            #[argh(option)]
            pub state: Option<PathBuf>,
            /// which journal to use, to run several side by side (default: "default")
            #[argh(option, default = "String::from(\"default\")")]
            pub profile: String,
            /// keep nothing on the disk: conversations, and the desk's own key, are lost when the
            /// program ends
            #[argh(switch)]
            pub ephemeral: bool,
        } $($more)* }
    };
    ($(#[$about:meta])* $vis:vis struct $mode:ident { $($own:tt)* } + desk $($more:tt)*) => {
        mode! { $(#[$about])* $vis struct $mode {
            $($own)*
            /// the desk's folder for journals and keys (default: the platform's state folder)
            #[argh(option)]
            pub state: Option<PathBuf>,
            /// the desk's profile (default: "default")
            #[argh(option, default = "String::from(\"default\")")]
            pub profile: String,
        } $($more)* }
    };
    ($(#[$about:meta])* $vis:vis struct $mode:ident { $($own:tt)* } + person $($more:tt)*) => {
        mode! { $(#[$about])* $vis struct $mode {
            $($own)*
            /// your name, as the other side sees it
            #[argh(option)]
            pub name: Option<String>,
            /// plain lines: no editing, no colour
            #[argh(switch)]
            pub plain: bool,
            /// do not show the other side that you type
            #[argh(switch)]
            pub no_typing: bool,
            /// do not show the other side what you have seen
            #[argh(switch)]
            pub no_seen: bool,
        } $($more)* }
    };
    ($(#[$about:meta])* $vis:vis struct $mode:ident { $($own:tt)* } + json $($more:tt)*) => {
        mode! { $(#[$about])* $vis struct $mode {
            $($own)*
            /// print one JSON object per line on stdout
            #[argh(switch)]
            pub json: bool,
        } $($more)* }
    };
    ($(#[$about:meta])* $vis:vis struct $mode:ident { $($own:tt)* }) => {
        $(#[$about])*
        $vis struct $mode { $($own)* }
    };
}

/// Hands a Rasa chat over to a human, peer to peer, without losing a message.
///
/// Alone, --version or -V prints the version. To try it with nothing else installed: handoff demo
#[derive(FromArgs)]
pub(super) struct Args {
    #[argh(subcommand)]
    pub(super) mode: Mode,
}

#[expect(clippy::large_enum_variant, reason = "a program has one value of it")]
#[derive(FromArgs)]
#[argh(subcommand)]
pub(super) enum Mode {
    User(User),
    Admin(Admin),
    Agent(Agent),
    Attach(Attach),
    Web(Web),
    Bot(Bot),
    Demo(Demo),
}

mode! {
    /// The customer's side: chats with the bot, and with an agent when the bot hands over.
    #[derive(FromArgs, Debug)]
    #[argh(subcommand, name = "user")]
    pub(super) struct User {
        /// start a new conversation instead of continuing the last one
        #[argh(switch)]
        pub new: bool,
        /// at the end of a script's input, leave after this many seconds (default: when the
        /// conversation is closed)
        #[argh(option)]
        pub linger: Option<u32>,
    } + around + place + person + json
}

mode! {
    /// The gateway: serves the chat to customers in their browsers.
    #[derive(FromArgs, Debug)]
    #[argh(subcommand, name = "web")]
    pub(super) struct Web {
        /// how customers reach the gateway, such as https://chat.shop.example (default: the address
        /// it listens on)
        #[argh(option)]
        pub url: Option<String>,
        /// a certificate chain for HTTPS, in PEM (default: plain HTTP, for behind a proxy); SIGHUP
        /// reads it and its key again
        #[argh(option)]
        pub tls_cert: Option<PathBuf>,
        /// the key of that certificate, in PEM
        #[argh(option)]
        pub tls_key: Option<PathBuf>,
        /// a text to send to the bot when a customer opens the chat, so that the bot speaks first,
        /// such as /get_started (default: none)
        #[argh(option)]
        pub greet: Option<String>,
        /// a proxy whose X-Forwarded-For names the customer's address (repeatable)
        #[argh(option)]
        pub trust_proxy: Vec<IpAddr>,
        /// a file with the token that makes the desk trust this gateway (default: for the desk's
        /// limits, all customers have one address)
        #[argh(option)]
        pub gateway_token: Option<PathBuf>,
        /// a notice that customers must accept before the first word; a link in it is
        /// [text](https://…) (default: none)
        #[argh(option)]
        pub notice: Option<String>,
        /// what to ask a customer for before the first handoff: name, email, or name,email
        /// (default: nothing)
        #[argh(option)]
        pub ask: Option<String>,
        /// a file with the key by which the shop's backend signs customers' identities (give two
        /// while you change keys; default: no identities)
        #[argh(option)]
        pub identity_keys: Vec<PathBuf>,
        /// pages of this origin may show the chat in a frame, such as https://www.shop.example
        /// (repeatable; default: none)
        #[argh(option)]
        pub origin: Vec<String>,
        /// pages of this origin may use the API, such as https://app.shop.example (repeatable)
        #[argh(option)]
        pub api_origin: Vec<String>,
        /// show images of this host in the chat, HOST or HOST:PORT over HTTPS (repeatable); images
        /// of other hosts become links
        #[argh(option)]
        pub images: Vec<String>,
        /// how agents see a customer's address: masked (only its network), full or none (default
        /// masked)
        #[argh(option, default = "Addresses::default()")]
        pub addresses: Addresses,
        /// the most customers at the same time; further new ones must come back later (default
        /// 8000)
        #[argh(option, default = "gateway::CUSTOMERS")]
        pub customers: usize,
        /// new customers from one address at once; a third as many may follow each minute (default
        /// 64)
        #[argh(option, default = "gateway::CUSTOMERS_PER_ADDRESS")]
        pub per_address: u32,
        /// requests per second from one customer, with bursts of ten times as many; the rest is
        /// refused (default 5)
        #[argh(option, default = "gateway::RATE")]
        pub rate: u32,
    } + listen + around + place + json
}

mode! {
    /// The desk: an agent answers the customers who are handed over.
    #[derive(FromArgs, Debug)]
    #[argh(subcommand, name = "admin")]
    pub(super) struct Admin {
        /// a certificate chain for the desk, in PEM (default: the desk makes its own key at the
        /// first start)
        #[argh(option)]
        pub tls_cert: Option<PathBuf>,
        /// the key of that certificate, in PEM
        #[argh(option)]
        pub tls_key: Option<PathBuf>,
        /// the first line to every customer whom you accept (default: none)
        #[argh(option)]
        pub greeting: Option<String>,
        /// accept every customer at once
        #[argh(switch)]
        pub auto_accept: bool,
        /// read no stdin and end only by a signal, for a service manager; agents answer at
        /// terminals of their own (handoff attach)
        #[argh(switch)]
        pub no_terminal: bool,
        /// a file with canned replies for /r: [NAME] in a line, and below it a text, in which
        /// {customer} and {agent} become names
        #[argh(option)]
        pub replies: Option<PathBuf>,
        /// a command for the shell that calls you while somebody needs an answer; HANDOFF_TEXT,
        /// HANDOFF_WAITING, HANDOFF_WAITED and HANDOFF_UNREAD in its environment say more
        #[argh(option)]
        pub notify_command: Option<String>,
        /// a URL that gets a POST of JSON with a text while somebody needs an answer, such as a
        /// hook of Slack or Mattermost
        #[argh(option)]
        pub notify_url: Option<String>,
        /// seconds until you are called again while nobody has answered (default 60)
        #[argh(option, default = "NOTIFY_EVERY.as_secs() as u32")]
        pub notify_every: u32,
        /// seconds without a terminal after which an agent's customers go back to the queue
        /// (default 60)
        #[argh(option, default = "AGENT_GRACE.as_secs() as u32")]
        pub agent_grace: u32,
        /// the most customers of one agent (default: no limit)
        #[argh(option)]
        pub max_active: Option<usize>,
        /// do not show leads what other agents are typing
        #[argh(switch)]
        pub private_drafts: bool,
        /// how waiting customers get an agent: 'pull' (an agent accepts them) or 'longest-idle'
        /// (the desk chooses the agent who has had no new customer for the longest time; default
        /// pull)
        #[argh(option, default = "Assign::default()")]
        pub assign: Assign,
        /// with --assign longest-idle: seconds for the agent to answer; then the customer goes to
        /// the next one, and the agent is away (default: no limit)
        #[argh(option)]
        pub answer_within: Option<u32>,
        /// the most customers, connected or waiting; further ones must come back later (default
        /// 3000)
        #[argh(option, default = "CUSTOMERS")]
        pub customers: usize,
        /// the most customers from one address (default 256; behind a tunnel or a proxy all
        /// customers have one address)
        #[argh(option, default = "CUSTOMERS_PER_ADDRESS")]
        pub per_address: usize,
        /// the most connections, including those that have not introduced themselves yet (default
        /// 4096)
        #[argh(option, default = "CONNECTIONS")]
        pub connections: usize,
        /// trust the gateway with the token in this file: its customers count one by one, by
        /// addresses of their own (repeatable)
        #[argh(option)]
        pub trust_gateway: Vec<PathBuf>,
        /// messages per second from one connection, with bursts of ten times as many; the rest is
        /// read later (default 20)
        #[argh(option, default = "RATE")]
        pub rate: u32,
    } + listen + place + person + json
}

mode! {
    /// An agent's terminal: answers customers of a desk that runs elsewhere.
    #[derive(FromArgs, Debug)]
    #[argh(subcommand, name = "attach")]
    pub(super) struct Attach {
        /// the desk, HOST:PORT
        #[argh(option)]
        pub desk: String,
        /// a file with the code that 'handoff agent add' printed (default: you are asked for it,
        /// the first time)
        #[argh(option)]
        pub code_file: Option<PathBuf>,
        /// the folder for the agent's secret and unsent lines (default: the platform's state
        /// folder)
        #[argh(option)]
        pub state: Option<PathBuf>,
        /// a name for this agent's files, if several agents share this account (default: "default")
        #[argh(option, default = "String::from(\"default\")")]
        pub profile: String,
        /// plain lines: no editing, no colour
        #[argh(switch)]
        pub plain: bool,
    } + json
}

/// Adds, lists and removes agents, who answer at a desk besides its own terminal.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "agent")]
pub(super) struct Agent {
    #[argh(subcommand)]
    pub task: AgentTask,
}

#[derive(FromArgs, Debug)]
#[argh(subcommand)]
pub(super) enum AgentTask {
    Add(AgentAdd),
    List(AgentList),
    Revoke(AgentRevoke),
}

mode! {
    /// Adds an agent, and prints a code for 'handoff attach'. It works once. If the agent exists
    /// already, the code is for one more terminal, and the given options change the agent.
    #[derive(FromArgs, Debug)]
    #[argh(subcommand, name = "add")]
    pub(super) struct AgentAdd {
        /// the agent's name among agents: one word
        #[argh(positional)]
        pub name: String,
        /// the name that customers see (a new agent's default: the same)
        #[argh(option)]
        pub shown_as: Option<String>,
        /// a lead may take over conversations of others and watch them
        #[argh(switch)]
        pub lead: bool,
        /// the agent is no lead any more
        #[argh(switch)]
        pub no_lead: bool,
        /// a department whose customers the agent answers; may be repeated (a new agent's default:
        /// all)
        #[argh(option)]
        pub department: Vec<String>,
    } + desk
}

mode! {
    /// Lists the agents.
    #[derive(FromArgs, Debug)]
    #[argh(subcommand, name = "list")]
    pub(super) struct AgentList {} + desk
}

mode! {
    /// Removes an agent: their terminals end, and their customers go back to the queue.
    #[derive(FromArgs, Debug)]
    #[argh(subcommand, name = "revoke")]
    pub(super) struct AgentRevoke {
        /// the agent's name
        #[argh(positional)]
        pub name: String,
    } + desk
}

mode! {
    /// The built-in bot: speaks Rasa's REST API, for trying things out.
    #[derive(FromArgs, Debug)]
    #[argh(subcommand, name = "bot")]
    pub struct Bot {} + listen + json
}

mode! {
    /// A bot, a desk and you as the customer, all on this machine.
    #[derive(FromArgs, Debug)]
    #[argh(subcommand, name = "demo")]
    pub struct Demo {
        /// play a whole conversation by itself and check it (always, if stdin is not a terminal)
        #[argh(switch)]
        pub script: bool,
        /// chat in a browser: prints links, and serves until Ctrl-C
        #[argh(switch)]
        pub web: bool,
    }
}
