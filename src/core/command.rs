//! What a typed line means: a text to send, or a command, which begins with a slash.
//!
//! A line that begins with `//` is a text that begins with one slash. This room gets only lines
//! that were typed here, never text from a peer.

use std::time::Duration;

use super::record::Ending;

pub use help::{ADMIN_HELP, USER_HELP, admin_detail};

mod help;

/// How long a customer is blocked if the agent gives no time.
const BLOCKED_FOR: Duration = Duration::from_secs(86_400);
/// The longest time for which a customer can be blocked.
const BLOCKED_AT_MOST: Duration = Duration::from_secs(365 * 86_400);
/// The most letters of a tag.
const TAG_MAX: usize = 32;

/// A line that the customer typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// Send this text to the bot or the agent.
    Say(String),
    /// End this conversation and start another.
    New,
    /// Ask for an agent.
    Human,
    /// Stop waiting for an agent.
    Bot,
    /// End the conversation.
    End,
    /// Send the bot again the line that it may not have received.
    Again,
    /// Show the conversation again.
    History,
    /// In a script: wait until the agent has answered, or until this time is over.
    Wait(Option<Duration>),
    /// Show the commands.
    Help,
    /// Leave the program.
    Quit,
}

/// A line that the agent typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admin {
    /// Send this text to the customer in focus.
    Say(String),
    /// List the customers who talk and those who wait.
    List,
    /// Accept the customer with this number or name. Without one, accept the customer who has
    /// waited longest.
    Accept(Option<Who>),
    /// Put this customer in focus.
    Switch(Who),
    /// Put the next customer in focus.
    Next,
    /// Do this in the conversation with this number; without a number, in the one in focus.
    In(Option<u32>, Action),
    /// Go on with a conversation that is about to end.
    Undo,
    /// The agent turns down the offer of this customer.
    Decline(Who),
    /// A lead takes this customer over.
    Take {
        /// The customer.
        who: Who,
        /// Why: both agents see it.
        reason: String,
    },
    /// A lead begins to watch this customer's conversation, or stops watching it.
    Watch(Who),
    /// Take no new customers, and say why.
    Away(Option<String>),
    /// Take new customers again.
    Here,
    /// List the agents.
    Agents,
    /// Search all conversations for these words.
    Find(String),
    /// List the conversations that ended last.
    ListEnded,
    /// List the customers whom the desk turns away.
    ListBlocked,
    /// Unblock the customer of the conversation with this number.
    Unblock(u32),
    /// Put the canned reply with this name into the line; without a name, list them.
    Canned(Option<String>),
    /// Show a customer's conversation again; without a name, the conversation in focus.
    History(Option<Who>),
    /// In a script: wait until the customer has answered, or until this time is over.
    Wait(Option<Duration>),
    /// Show the commands, or this text about one of them.
    Help(Option<&'static str>),
    /// Leave the program.
    Quit,
}

/// What an agent does in one conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Give the customer back to the bot, or close the conversation, with a private note.
    End(Ending, Option<String>),
    /// Say this to the customer.
    Say(String),
    /// Keep a private note.
    Note(String),
    /// Add this tag to the conversation.
    Tag(String),
    /// Remove this tag.
    Untag(String),
    /// Ask the customer to be patient, with a text for them.
    Hold(Option<String>),
    /// Take the customer off hold, with a text for them.
    Resume(Option<String>),
    /// Turn the customer away for this time.
    Block(Option<Criterion>, Duration),
    /// Offer the customer to this agent, or give them back to the queue, with a note.
    Transfer {
        /// The agent's name, `queue`, or the first word of a department's name.
        to: String,
        /// The rest of the department's name, and the note.
        note: Option<String>,
    },
}

/// How a block recognizes the customer, as an agent names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// The conversation and those that follow it.
    Conversation,
    /// The customer's id at the shop.
    Identity,
    /// The customer's address.
    Address,
}

/// A customer, as an agent names one: by number (`2`, `#2`), by name, or by the beginning of a
/// name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who(pub String);

impl User {
    /// Reads a line that the customer typed.
    ///
    /// # Errors
    /// One sentence, when the command does not exist or is not complete.
    pub fn parse(line: &str) -> Result<User, String> {
        let (name, rest) = match split(line) {
            Split::Say(text) => return Ok(User::Say(text)),
            Split::Command(name, rest) => (name, rest),
        };
        let command = match name {
            "wait" => return seconds(rest).map(User::Wait),
            "json" => return json(rest).map(User::Say),
            "new" => User::New,
            "human" => User::Human,
            "bot" => User::Bot,
            "end" => User::End,
            "again" => User::Again,
            "history" => User::History,
            "help" => User::Help,
            "quit" => User::Quit,
            _ => return Err(unknown(name)),
        };
        alone(name, rest, command)
    }
}

impl Admin {
    /// Reads a line that the agent typed.
    ///
    /// # Errors
    /// One sentence, when the command does not exist or is not complete.
    pub fn parse(line: &str) -> Result<Admin, String> {
        let (name, rest) = match split(line) {
            Split::Say(text) => return Ok(Admin::Say(text)),
            Split::Command(name, rest) => (name, rest),
        };
        let note = || (!rest.is_empty()).then(|| rest.to_owned());
        let command = match name {
            "accept" => return Ok(Admin::Accept(Who::read(rest))),
            "history" => return Ok(Admin::History(Who::read(rest))),
            "switch" => {
                let missing =
                    || "/switch takes a customer's number or name; /list shows them".to_owned();
                return Who::read(rest).map(Admin::Switch).ok_or_else(missing);
            }
            "wait" => return seconds(rest).map(Admin::Wait),
            "json" => {
                let (on, rest) = number_or_text(rest)?;
                let text = json(rest)?;
                return Ok(match on {
                    None => Admin::Say(text),
                    on => Admin::In(on, Action::Say(text)),
                });
            }
            "handback" | "close" | "say" | "hold" | "resume" | "transfer" => {
                let (on, rest) = number_or_text(rest)?;
                return Action::parse(name, rest).map(|action| Admin::In(on, action));
            }
            // These stay at the desk, and a word with a # is a usual tag.
            "note" | "tag" | "untag" | "block" => {
                let (on, rest) = number_first(rest);
                return Action::parse(name, rest).map(|action| Admin::In(on, action));
            }
            "r" => return Ok(Admin::Canned(note())),
            "take" => {
                let (who, reason) = first_word(rest);
                let missing = || "/take takes a customer's number and a reason".to_owned();
                let who = Who::read(who).ok_or_else(missing)?;
                return reason.map(|reason| Admin::Take { who, reason }).ok_or_else(missing);
            }
            "decline" | "watch" => {
                let missing = || format!("/{name} takes a customer's number or name");
                let who = Who::read(rest).ok_or_else(missing)?;
                return Ok(if name == "watch" { Admin::Watch(who) } else { Admin::Decline(who) });
            }
            "away" => return Ok(Admin::Away(note())),
            "undo" => Admin::Undo,
            "here" => Admin::Here,
            "agents" => Admin::Agents,
            "list" if rest == "ended" => return Ok(Admin::ListEnded),
            "list" if rest == "blocked" => return Ok(Admin::ListBlocked),
            "list" if !rest.is_empty() => {
                let why = "/list stands alone, or takes 'ended' or 'blocked'; //list says it";
                return Err(why.to_owned());
            }
            "unblock" => {
                let number = Who::read(rest).and_then(|who| who.number());
                let missing = || "/unblock takes a number; /list blocked shows them".to_owned();
                return number.map(Admin::Unblock).ok_or_else(missing);
            }
            "list" => Admin::List,
            "find" => {
                let missing = || "/find takes words, or a customer's name".to_owned();
                return note().map(Admin::Find).ok_or_else(missing);
            }
            "next" => Admin::Next,
            "help" if rest.is_empty() => Admin::Help(None),
            "help" => {
                let missing = || format!("there is no command /{rest}; /help shows them");
                return admin_detail(rest).map(|text| Admin::Help(Some(text))).ok_or_else(missing);
            }
            "quit" => Admin::Quit,
            _ => return Err(unknown(name)),
        };
        alone(name, rest, command)
    }
}

impl Action {
    /// Reads a command with this name; `rest` is what follows the name and the customer's number.
    fn parse(name: &str, rest: &str) -> Result<Action, String> {
        let text = (!rest.is_empty()).then(|| rest.to_owned());
        match name {
            "handback" => Ok(Action::End(Ending::HandBack, text)),
            "close" => Ok(Action::End(Ending::Close, text)),
            "say" => text.map(Action::Say).ok_or_else(|| "/say takes a text".to_owned()),
            "note" => text.map(Action::Note).ok_or_else(|| "/note takes a text".to_owned()),
            "tag" => tag(name, rest).map(Action::Tag),
            "untag" => tag(name, rest).map(Action::Untag),
            "block" => block(rest),
            "hold" => Ok(Action::Hold(text)),
            "resume" => Ok(Action::Resume(text)),
            "transfer" => {
                let (to, note) = first_word(rest);
                let missing =
                    "/transfer takes an agent's name, a department or 'queue', and a note";
                match to {
                    "" => Err(missing.to_owned()),
                    to => Ok(Action::Transfer { to: to.to_owned(), note }),
                }
            }
            _ => Err(unknown(name)),
        }
    }
}

impl Who {
    fn read(rest: &str) -> Option<Who> {
        (!rest.is_empty()).then(|| Who(rest.to_owned()))
    }

    /// The customer's number, if this can be a number.
    pub fn number(&self) -> Option<u32> {
        self.0.strip_prefix('#').unwrap_or(&self.0).parse().ok()
    }

    /// For `*1`, which stands for a customer whose number ends in 1: that digit.
    pub fn last_digit(&self) -> Option<u32> {
        let digit = self.0.strip_prefix('*')?;
        digit.parse().ok().filter(|_| digit.len() == 1)
    }

    /// Whether this can be a name. `#2` is only a number.
    pub fn may_be_name(&self) -> bool {
        !self.0.starts_with('#') || self.number().is_none()
    }
}

enum Split<'a> {
    Say(String),
    Command(&'a str, &'a str),
}

fn split(line: &str) -> Split<'_> {
    let line = line.trim();
    match line.strip_prefix('/') {
        None => Split::Say(line.to_owned()),
        Some(said) if said.starts_with('/') => Split::Say(said.to_owned()),
        Some(command) => {
            let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
            Split::Command(name, rest.trim())
        }
    }
}

/// The first word, and the text after it.
fn first_word(rest: &str) -> (&str, Option<String>) {
    let (word, more) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    (word, Some(more.trim().to_owned()).filter(|more| !more.is_empty()))
}

/// A tag: one word, which is not too long for a list.
fn tag(name: &str, rest: &str) -> Result<String, String> {
    let is_tag = !rest.contains(char::is_whitespace) && rest.chars().count() <= TAG_MAX;
    if rest.is_empty() || !is_tag {
        return Err(format!("/{name} takes one word of at most {TAG_MAX} letters"));
    }
    Ok(rest.to_owned())
}

/// Reads the rest of `/block`: how it recognizes the customer, and for how long it lasts, in any
/// order.
fn block(rest: &str) -> Result<Action, String> {
    let (mut criterion, mut time) = (None, None);
    for word in rest.split_whitespace() {
        let (found, named) = match word {
            "conversation" => (None, Some(Criterion::Conversation)),
            "identity" => (None, Some(Criterion::Identity)),
            "address" => (None, Some(Criterion::Address)),
            word => (duration(word), None),
        };
        let is_odd = found.is_none() && named.is_none();
        if is_odd || found.is_some() && time.is_some() || named.is_some() && criterion.is_some() {
            return Err(
                "/block takes 'conversation', 'identity' or 'address', and a time such as \
                        30m, 12h or 7d"
                    .to_owned(),
            );
        }
        (criterion, time) = (criterion.or(named), time.or(found));
    }
    Ok(Action::Block(criterion, time.unwrap_or(BLOCKED_FOR)))
}

/// A time of minutes, hours or days, up to a year.
fn duration(word: &str) -> Option<Duration> {
    let (number, unit) = word.split_at_checked(word.len().checked_sub(1)?)?;
    let seconds = match unit {
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let time = Duration::from_secs(number.parse::<u32>().ok()?.into()) * seconds;
    (!time.is_zero() && time <= BLOCKED_AT_MOST).then_some(time)
}

/// The number of a conversation, if the text begins with `#` and a number; and the text after it.
fn number_first(rest: &str) -> (Option<u32>, &str) {
    let (word, more) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    match word.strip_prefix('#').and_then(|number| number.parse().ok()) {
        Some(number) => (Some(number), more.trim_start()),
        None => (None, rest),
    }
}

/// Like [`number_first`], where a mistyped number would do harm: the text would go to a customer,
/// or another conversation would end.
///
/// # Errors
/// When the text begins with `#`, right behind it something else than a number.
fn number_or_text(rest: &str) -> Result<(Option<u32>, &str), String> {
    match number_first(rest) {
        (None, text) if text.starts_with('#') && first_word(text).0 != "#" => {
            let word = first_word(text).0;
            Err(format!("{word} is no customer's number; /list shows the numbers"))
        }
        found => Ok(found),
    }
}

fn unknown(name: &str) -> String {
    format!("there is no command /{name}; /help shows them, //{name} says it")
}

fn alone<T>(name: &str, rest: &str, command: T) -> Result<T, String> {
    if rest.is_empty() {
        Ok(command)
    } else {
        Err(format!("/{name} stands alone; //{name} says it"))
    }
}

/// A text that is written as a JSON string.
fn json(rest: &str) -> Result<String, String> {
    let text: Option<String> = serde_json::from_str(rest).ok();
    let is_text = |text: &String| !text.trim().is_empty();
    text.filter(is_text)
        .ok_or_else(|| r#"/json takes a text as a JSON string, such as /json "hello""#.to_owned())
}

fn seconds(rest: &str) -> Result<Option<Duration>, String> {
    match rest {
        "" => Ok(None),
        number => {
            let seconds: u32 =
                number.parse().map_err(|_| "/wait takes whole seconds".to_owned())?;
            Ok(Some(Duration::from_secs(seconds.into())))
        }
    }
}

#[cfg(test)]
mod tests;
