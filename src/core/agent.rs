//! Agents, who answer customers at a desk besides the person at the terminal that started it.
//!
//! An agent has a name and a secret. `handoff agent add` puts the name into the desk's file of
//! agents and prints a [`Code`]. The code works once: with it an agent's terminal makes its secret
//! known to the desk. File and journal hold hashes alone (docs/SECURITY.md, "Agents").

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::department::Department;
use super::hash::sha256;
use super::text::is_same;
use crate::wire::{NAME_MAX, Secret, SecretHash};

/// The most letters of an agent's own name.
const NAME_LETTERS_MAX: usize = 32;
/// The most agents of a desk.
pub const AGENTS_MAX: usize = 1_000;
/// The most codes of an agent.
pub const CODES_MAX: usize = 64;
/// The most departments that an agent may name.
pub const DEPARTMENTS_MAX: usize = 32;
/// How many revoked agents the file keeps: the latest ones.
const REVOKED_MAX: usize = 16;
/// The name among agents of the terminal that started the desk.
pub const TERMINAL: &str = "desk";
/// The name of the queue in commands.
pub const QUEUE: &str = "queue";

/// An agent, as in the desk's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// The agent's own name: one word, which only agents see.
    pub name: String,
    /// The name that customers see.
    pub shown_as: String,
    /// Whether the agent may take over conversations of others and watch them.
    #[serde(default)]
    pub lead: bool,
    /// The departments that the agent serves; none: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub departments: Vec<Department>,
    /// The hashes of the agent's codes, one for each terminal. A terminal's secret is valid while
    /// its code is in this list.
    pub codes: Vec<SecretHash>,
}

/// The agents of a desk, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agents {
    agents: Vec<Agent>,
    /// The latest revoked agents, and who revoked each. A desk that reads the file reports them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    revoked: Vec<(String, String)>,
}

impl Agents {
    /// Reads the text of the file.
    ///
    /// # Errors
    /// One sentence: what is wrong with the file.
    pub fn parse(text: &str) -> Result<Agents, String> {
        let read: Agents = serde_json::from_str(text).map_err(|error| error.to_string())?;
        read.agents.iter().try_for_each(|agent| check_name(&agent.name))?;
        Ok(read)
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("agents have string keys") + "\n"
    }

    /// All agents, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Agent> {
        self.agents.iter()
    }

    /// The agent with this name, in any letter case.
    pub fn find(&self, name: &str) -> Option<&Agent> {
        self.agents.iter().find(|agent| is_same(&agent.name, name))
    }

    /// Finds the agent whose code has this hash.
    pub fn with_code(&self, code: SecretHash) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.codes.contains(&code))
    }

    /// Adds an agent. If there is one with this name already, the new codes are added to the old
    /// ones, and everything else is replaced.
    ///
    /// # Errors
    /// One sentence, when the name cannot be used or there are too many agents or codes.
    pub fn add(&mut self, agent: Agent) -> Result<(), String> {
        check_name(&agent.name)?;
        if agent.shown_as.trim().is_empty() || agent.shown_as.len() > NAME_MAX {
            return Err(format!("--shown-as takes a name of at most {NAME_MAX} bytes"));
        }
        if let Some(known) = self.agents.iter_mut().find(|it| is_same(&it.name, &agent.name)) {
            if known.codes.len() + agent.codes.len() > CODES_MAX {
                return Err(format!(
                    "'{0}' has {CODES_MAX} codes, and no agent has more; \
                     'handoff agent revoke {0}' removes them all",
                    known.name
                ));
            }
            known.codes.extend(agent.codes);
            known.shown_as = agent.shown_as;
            known.lead = agent.lead;
            known.departments = agent.departments;
            return Ok(());
        }
        if self.agents.len() >= AGENTS_MAX {
            return Err(format!("a desk has {AGENTS_MAX} agents at most"));
        }
        self.agents.push(agent);
        Ok(())
    }

    /// Removes the agent with this name. `by` names who does that. False if there is no such agent.
    pub fn remove(&mut self, name: &str, by: &str) -> bool {
        let before = self.agents.len();
        self.agents.retain(|agent| !is_same(&agent.name, name));
        let is_removed = self.agents.len() < before;
        if is_removed {
            self.revoked.insert(0, (name.to_owned(), by.to_owned()));
            self.revoked.truncate(REVOKED_MAX);
        }
        is_removed
    }

    /// Who revoked the agent with this name.
    pub fn revoked_by(&self, name: &str) -> Option<&str> {
        let found = self.revoked.iter().find(|(revoked, _)| is_same(revoked, name));
        found.map(|(_, by)| by.as_str())
    }
}

/// Whether this can be an agent's name: a word that no command uses for something else.
///
/// # Errors
/// One sentence, when it cannot.
pub fn check_name(name: &str) -> Result<(), String> {
    let is_word = name.chars().all(|letter| letter.is_alphanumeric() || "-_.".contains(letter));
    let fits = (1..=NAME_LETTERS_MAX).contains(&name.chars().count());
    let starts_well = name.starts_with(char::is_alphabetic);
    if !is_word || !fits || !starts_well {
        return Err(format!(
            "an agent's name is one word of at most {NAME_LETTERS_MAX} letters, digits, '-', '_' \
             and '.', which begins with a letter; '{}' is not",
            super::text::Line(name)
        ));
    }
    if [QUEUE, TERMINAL].iter().any(|taken| is_same(name, taken)) {
        return Err(format!(
            "'{name}' cannot be an agent's name: in commands it means something else"
        ));
    }
    Ok(())
}

/// The code that `handoff agent add` prints for a new agent: one long word. It works once. It names
/// the desk's key, so that another program cannot pose as the desk and learn the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    /// SHA-256 of the desk's public key.
    pub desk_key: [u8; 32],
    /// The proof that the agent may sign in.
    pub secret: Secret,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.desk_key, *self.secret.bytes()].concat();
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(hidden)")
    }
}

impl FromStr for Code {
    type Err = String;

    fn from_str(text: &str) -> Result<Code, String> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim()).ok();
        let halves = bytes.as_deref().and_then(|bytes| {
            let (key, secret) = bytes.split_first_chunk::<32>()?;
            Some((*key, <[u8; 32]>::try_from(secret).ok()?))
        });
        halves.map(|(desk_key, secret)| Code { desk_key, secret: Secret::new(secret) }).ok_or_else(
            || "this is no code of an agent; 'handoff agent add NAME' prints one".to_owned(),
        )
    }
}

/// SHA-256 of a secret. Files and journals hold only this hash.
pub fn hash(secret: &Secret) -> SecretHash {
    SecretHash::new(sha256(secret.bytes()))
}

#[cfg(test)]
mod tests {
    use super::{Agent, Agents, Code, check_name, hash};
    use crate::core::department::Department;
    use crate::wire::Secret;

    fn agent(name: &str) -> Agent {
        Agent {
            name: name.to_owned(),
            shown_as: name.to_owned(),
            lead: false,
            departments: Vec::new(),
            codes: vec![hash(&Secret::new([1; 32]))],
        }
    }

    #[test]
    fn a_file_of_agents_is_read_as_it_was_written() {
        let mut agents = Agents::default();
        agents.add(agent("robin")).unwrap();
        agents.add(Agent { lead: true, shown_as: "Al".to_owned(), ..agent("al") }).unwrap();
        assert_eq!(Agents::parse(&agents.text()), Ok(agents.clone()));
        agents.add(agent("ROBIN")).unwrap();
        assert_eq!(agents.find("robin").map(|agent| agent.codes.len()), Some(2));
        let departments: Vec<_> = Department::new("returns").into_iter().collect();
        let changed = Agent { departments, shown_as: "R.".to_owned(), ..agent("robin") };
        agents.add(changed.clone()).unwrap();
        let robin = agents.find("robin").expect("an agent").clone();
        assert_eq!(robin.codes.len(), 3);
        assert_eq!(Agent { codes: changed.codes.clone(), ..robin }, changed);
        assert_eq!(Agents::parse(&agents.text()), Ok(agents.clone()));
        assert!(agents.remove("Robin", "kim") && !agents.remove("robin", "kim"));
        let agents = Agents::parse(&agents.text()).expect("its own text");
        assert_eq!((agents.revoked_by("robin"), agents.revoked_by("al")), (Some("kim"), None));
        assert_eq!(agents.find("AL").map(|agent| agent.lead), Some(true));
    }

    #[test]
    fn a_name_is_one_word_that_no_command_uses() {
        for name in ["robin", "Zoë", "bo-2", "a.b_c"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "two words", "Queue", "desk", "2bo", "#bo", "a/b", &"x".repeat(33)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_code_is_one_word_and_is_read_again() {
        let code = Code { desk_key: [7; 32], secret: Secret::new([9; 32]) };
        let text = code.to_string();
        assert!(text.len() == 86 && !text.contains(char::is_whitespace));
        assert_eq!(format!(" {text}\n").parse(), Ok(code));
        assert!(text[1..].parse::<Code>().is_err());
    }
}
