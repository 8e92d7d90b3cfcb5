//! What the desk's command line sets.

use std::str::FromStr;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::core::agent::Agents;
use crate::wire::Token;

use super::capacity;

/// While a customer needs an agent, the desk calls again after this time.
pub const NOTIFY_EVERY: Duration = Duration::from_secs(60);

/// An agent without a seat is gone after this time.
pub const AGENT_GRACE: Duration = Duration::from_secs(60);

/// The options of a desk.
#[derive(Clone, Debug)]
pub struct Options {
    /// The agent's name, as customers see it.
    pub name: Option<String>,
    /// The first message to every accepted customer.
    pub greeting: Option<String>,
    /// Whether the desk accepts every customer by itself.
    pub auto_accept: bool,
    /// Slots for customers.
    pub customers: usize,
    /// Slots for customers from one address.
    pub customers_per_address: usize,
    /// The tokens of the gateways that the desk trusts.
    pub trusted_gateways: Vec<Token>,
    /// While a customer needs an agent, the desk calls again after this time.
    pub notify_every: Duration,
    /// The agents besides the terminal that started the desk.
    pub agents: Agents,
    /// Whether somebody types at the terminal that started the desk.
    pub has_terminal: bool,
    /// An agent without a seat is gone after this time.
    pub agent_grace: Duration,
    /// The most customers of one agent.
    pub max_active: usize,
    /// How customers get from the queue to the agents.
    pub assign: Assign,
    /// An assigned customer who has no answer after this time goes to the next agent.
    pub answer_within: Option<Duration>,
    /// Whether leads do not see what other agents are typing.
    pub private_drafts: bool,
    /// The time zone in which agents read times.
    pub zone: TimeZone,
}

/// Whether agents pick customers from the queue, or the desk assigns them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Assign {
    /// The agent who accepts them first.
    #[default]
    Pull,
    /// The desk gives them to the agent who is here and has had no new customer for the longest
    /// time.
    LongestIdle,
}

impl FromStr for Assign {
    type Err = String;

    fn from_str(text: &str) -> Result<Assign, String> {
        match text {
            "pull" => Ok(Assign::Pull),
            "longest-idle" => Ok(Assign::LongestIdle),
            _ => Err("give 'pull' or 'longest-idle'".to_owned()),
        }
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            name: None,
            greeting: None,
            auto_accept: false,
            customers: capacity::CUSTOMERS,
            customers_per_address: capacity::CUSTOMERS_PER_ADDRESS,
            trusted_gateways: Vec::new(),
            notify_every: NOTIFY_EVERY,
            agents: Agents::default(),
            has_terminal: true,
            agent_grace: AGENT_GRACE,
            max_active: usize::MAX,
            assign: Assign::Pull,
            answer_within: None,
            private_drafts: false,
            zone: TimeZone::UTC,
        }
    }
}
