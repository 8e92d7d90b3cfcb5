//! Why a command cannot be done: typed reasons, and the sentence of each for the person who typed
//! the command.

use std::fmt;

use crate::core::text::Line;

/// Why a desk refuses a command of the agent. A text in a variant is a customer,
/// as the agent knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentRefusal {
    /// `/accept` without a customer: the queue is empty.
    NobodyWaits,
    /// `/accept` without a customer: all who wait are for agents of other departments.
    NobodyWaitsForYou {
        /// How many they are.
        others: usize,
    },
    /// `/accept` without a customer: nobody in the queue is connected.
    NobodyWaitingIsConnected,
    /// An `/accept` of this customer has no answer yet.
    BeingAccepted(String),
    /// The agent has this customer.
    AlreadyYours(String),
    /// This customer does not wait.
    NotWaiting(String),
    /// `/switch` to a customer whom the agent does not have.
    NotYours(String),
    /// Another agent has this customer, or is accepting them.
    Taken {
        /// The customer.
        who: String,
        /// The agent.
        agent: String,
    },
    /// The agent has the most customers that an agent may have.
    Full {
        /// The agent.
        agent: String,
        /// The limit.
        most: usize,
    },
    /// `/transfer` to an agent or a department that is not known.
    NoSuchAgent {
        /// The name.
        name: String,
        /// The departments that agents serve by name.
        departments: Vec<String>,
    },
    /// `/transfer` to the agent themselves.
    ToYourself,
    /// `/transfer` to an agent who is not there.
    NotHere {
        /// The agent.
        agent: String,
        /// The agents who are there.
        here: Vec<String>,
    },
    /// `/decline` of a customer who is not offered.
    NotOffered(String),
    /// Only leads may do this; their names.
    NeedsLead(Vec<String>),
    /// The conversation has the most tags that it may have.
    TooManyTags {
        /// The customer.
        who: String,
        /// The limit.
        most: usize,
    },
    /// `/untag` of a tag that the conversation does not have.
    NoSuchTag {
        /// The customer.
        who: String,
        /// The tag.
        tag: String,
    },
    /// `/resume` of a customer who is not on hold.
    NotOnHold(String),
    /// `/block` by something that the desk does not know of this customer.
    CannotBlockBy {
        /// The customer.
        who: String,
        /// What the desk does not know.
        what: &'static str,
    },
    /// `/unblock` of a conversation whose customer is not blocked.
    NotBlocked(u32),
    /// `/undo` when none of the agent's conversations is ending.
    NothingToUndo,
    /// `/next` when the agent has no other customer.
    NoOther,
    /// `/switch *1` of an agent without a customer whose number ends in that digit.
    NoneEndsIn(u32),
    /// No customer has the focus; and what the agent can do about it.
    NoFocus(Choice),
    /// A handback or close of this customer has no answer yet.
    OnTheWayOut(String),
    /// The conversation with this number has ended.
    HasEnded(u32),
    /// No conversation has this number.
    NoSuch(u32),
    /// No customer has this name.
    NoSuchName(String),
    /// Several customers fit; they were listed.
    SeveralFit,
    /// `/history` without a customer, and no customer has the focus.
    NothingOpen,
    /// `/wait` outside of a script.
    WaitIsForScripts,
    /// `/find` at a desk that keeps nothing.
    NothingToSearch,
    /// Too many searches wait.
    TooManySearches,
    /// `/r` at a desk without canned replies.
    NoReplies,
    /// No canned reply has this name, or several begin like this.
    NoSuchReply(String),
    /// `/r` where there is no line editor.
    NoLine,
    /// The agent began the line for this customer, and the focus moved to another before Enter.
    FocusHasMoved(String),
    /// The line has these placeholders of a canned reply, which nobody has filled in.
    Open(String),
}

/// What an agent without a focus can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Go to a customer whom the agent has.
    Next,
    /// Accept a customer who waits.
    Accept,
    /// Nothing: nobody is there.
    Nobody,
}

impl fmt::Display for AgentRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AgentRefusal::NobodyWaits => f.write_str("nobody is waiting"),
            AgentRefusal::NobodyWaitsForYou { others } => write!(
                f,
                "nobody is waiting for you; {others} for other departments, whom /list shows and \
                 /accept N takes"
            ),
            AgentRefusal::NobodyWaitingIsConnected => f.write_str(
                "nobody who waits is connected; /accept N takes one of them, for when they are \
                 back",
            ),
            AgentRefusal::BeingAccepted(who) => {
                write!(f, "{who} is being accepted; waiting for the customer's side")
            }
            AgentRefusal::AlreadyYours(who) => {
                write!(f, "you have {who} already; /switch goes there")
            }
            AgentRefusal::NotWaiting(who) => write!(f, "{who} is not waiting"),
            AgentRefusal::NotYours(who) => {
                write!(f, "{who} is not talking to you; /accept takes a waiting customer")
            }
            AgentRefusal::Taken { who, agent } => write!(f, "{agent} has {who}"),
            AgentRefusal::Full { agent, most } => {
                let customers = if *most == 1 { "customer" } else { "customers" };
                write!(f, "{agent} has {most} {customers}, and --max-active allows no more")
            }
            AgentRefusal::NoSuchAgent { name, departments } if departments.is_empty() => {
                write!(f, "there is no agent '{}'; /agents lists them", Line(name))
            }
            AgentRefusal::NoSuchAgent { name, departments } => write!(
                f,
                "there is no agent and no department '{}'; /agents lists the agents, and the \
                 departments are: {}",
                Line(name),
                departments.join(", ")
            ),
            AgentRefusal::ToYourself => {
                f.write_str("that is you; /accept takes a waiting customer")
            }
            AgentRefusal::NotHere { agent, here } => {
                write!(f, "{agent} is not here; here are: {}", here.join(", "))
            }
            AgentRefusal::NotOffered(who) => write!(f, "nobody offers you {who}"),
            AgentRefusal::NeedsLead(leads) => {
                write!(f, "only a lead may do that: {}", leads.join(", "))
            }
            AgentRefusal::TooManyTags { who, most } => {
                write!(f, "{who} has {most} tags already; /untag removes one")
            }
            AgentRefusal::NoSuchTag { who, tag } => write!(f, "{who} has no tag {}", Line(tag)),
            AgentRefusal::NotOnHold(who) => write!(f, "{who} is not on hold"),
            AgentRefusal::CannotBlockBy { who, what } => write!(
                f,
                "the desk does not know the {what} of {who}; '/block conversation' counts for this \
                 conversation and those that follow it"
            ),
            AgentRefusal::NotBlocked(ordinal) => {
                write!(f, "nobody is blocked under #{ordinal}; /list blocked shows who is")
            }
            AgentRefusal::NothingToUndo => {
                f.write_str("there is nothing to undo: a /close or /handback can be undone for 5 s")
            }
            AgentRefusal::NoneEndsIn(digit) => {
                write!(f, "none of your customers has a number that ends in {digit}")
            }
            AgentRefusal::NoOther => {
                f.write_str("there is no other conversation; /list shows who is waiting")
            }
            AgentRefusal::NoFocus(choice) => {
                let hint = match choice {
                    Choice::Next => "/next goes to your next customer",
                    Choice::Accept => "/accept takes a waiting customer",
                    Choice::Nobody => "nobody is waiting for you",
                };
                write!(f, "you are talking to nobody; {hint}")
            }
            AgentRefusal::OnTheWayOut(who) => {
                write!(f, "{who} is being handed back or closed; waiting for the customer's side")
            }
            AgentRefusal::HasEnded(ordinal) => {
                write!(f, "conversation {ordinal} has ended; /history {ordinal} shows it")
            }
            AgentRefusal::NoSuch(ordinal) => {
                write!(f, "there is no conversation {ordinal}; /list shows them")
            }
            AgentRefusal::NoSuchName(name) => {
                write!(f, "nobody here is called '{}'; /list shows who is here", Line(name))
            }
            AgentRefusal::SeveralFit => {
                f.write_str("that fits several of them; give more of the name, or the number")
            }
            AgentRefusal::NothingOpen => {
                f.write_str("no conversation is open; give a number or a name, /list shows them")
            }
            AgentRefusal::NothingToSearch => {
                f.write_str("this desk keeps nothing (--ephemeral), so there is nothing to search")
            }
            AgentRefusal::TooManySearches => f.write_str("too many searches wait; try again"),
            AgentRefusal::NoReplies => {
                f.write_str("this desk has no canned replies; --replies FILE gives it some")
            }
            AgentRefusal::NoSuchReply(name) => {
                write!(f, "'{}' is no canned reply, or not the only one; /r lists them", Line(name))
            }
            AgentRefusal::NoLine => f.write_str(
                "a canned reply is put into the line that you type, and here no line is edited",
            ),
            AgentRefusal::FocusHasMoved(who) => {
                write!(f, "the line was for {who}, and your lines go elsewhere now")
            }
            AgentRefusal::Open(open) => {
                write!(f, "the line still has {open}; fill it in, or Enter sends it as it is")
            }
            AgentRefusal::WaitIsForScripts => f.write_str(WAIT_IS_FOR_SCRIPTS),
        }
    }
}

/// Why the customer's side refuses what the customer asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomerRefusal {
    /// The conversation goes on in another program.
    Replaced,
    /// The conversation is closed.
    Closed,
    /// Too many lines wait for the desk.
    TooManyWait,
    /// The customer waits for an agent already.
    AlreadyQueued,
    /// The customer talks to an agent already.
    AlreadyActive,
    /// The bot has the customer already.
    AlreadyWithBot,
    /// An agent has the customer: only the agent can hand back.
    WithAgent,
    /// The time to choose one of these buttons is over.
    MenuIsPast,
    /// No line of the customer's waits to be sent to the bot again.
    NothingToRepeat,
    /// `/wait` outside of a script.
    WaitIsForScripts,
}

impl fmt::Display for CustomerRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CustomerRefusal::Replaced => {
                "this conversation goes on in another program; /new starts another"
            }
            CustomerRefusal::Closed => "the conversation is closed; /new starts another",
            CustomerRefusal::TooManyWait => {
                "too many lines are waiting to be delivered; wait until they are"
            }
            CustomerRefusal::AlreadyQueued => "you are already waiting for a person",
            CustomerRefusal::AlreadyActive => "you are already talking to a person",
            CustomerRefusal::AlreadyWithBot => "you are with the bot already",
            CustomerRefusal::WithAgent => {
                "you are talking to a person, who can hand you back; /end ends the conversation"
            }
            CustomerRefusal::MenuIsPast => "these buttons are past; say it in your own words",
            CustomerRefusal::NothingToRepeat => "there is nothing to send again",
            CustomerRefusal::WaitIsForScripts => WAIT_IS_FOR_SCRIPTS,
        })
    }
}

const WAIT_IS_FOR_SCRIPTS: &str = "/wait is for scripts; you can simply wait";
