//! The options of `handoff agent` and `handoff attach`.

use std::path::PathBuf;

use super::admin::own_identity;
use super::check::{check_address, checked_place, checked_shown_name};
use super::raw;
use crate::core::agent::{Code, DEPARTMENTS_MAX, check_name};
use crate::core::department::Department;
use crate::edge::agents::{AgentsFile, kept_desk_key};
use crate::edge::journal::Place;
use crate::edge::secret;
use crate::edge::tls::Fingerprint;

/// Checked options of `handoff agent`.
#[derive(Debug)]
pub struct Agent {
    /// What to do.
    pub task: AgentTask,
    /// The folder and the profile of the desk.
    place: Place,
}

/// What `handoff agent` does.
#[derive(Debug)]
pub enum AgentTask {
    /// Adds an agent, or changes one.
    Add {
        /// The agent's name.
        name: String,
        /// The name that customers see, if it is given.
        shown_as: Option<String>,
        /// Whether the agent is a lead, if an option says so.
        is_lead: Option<bool>,
        /// The departments that the agent serves, if some are named.
        departments: Vec<Department>,
    },
    /// Lists the agents.
    List,
    /// Removes the agent with this name.
    Revoke(String),
}

/// Checked options of `handoff attach`.
#[derive(Debug)]
pub struct Attach {
    /// The desk's address, HOST:PORT.
    pub desk: String,
    /// The file with the code.
    pub code_file: Option<PathBuf>,
    /// Whether to print JSON.
    pub json: bool,
    /// Whether to do without editing and colour.
    pub plain: bool,
    place: Place,
}

impl raw::Agent {
    pub(super) fn check(self) -> Result<Agent, String> {
        let (task, state, profile) = match self.task {
            raw::AgentTask::Add(raw::AgentAdd {
                name,
                shown_as,
                lead,
                no_lead,
                department,
                state,
                profile,
            }) => {
                check_name(&name)?;
                let shown_as = shown_as.as_deref();
                let shown_as = shown_as.map(|it| checked_shown_name("--shown-as", it));
                let shown_as = shown_as.transpose()?;
                let is_lead = match (lead, no_lead) {
                    (true, true) => {
                        return Err("--lead and --no-lead exclude each other; give one".to_owned());
                    }
                    (false, false) => None,
                    (is_lead, _) => Some(is_lead),
                };
                let departments = checked_departments(department)?;
                (AgentTask::Add { name, shown_as, is_lead, departments }, state, profile)
            }
            raw::AgentTask::List(raw::AgentList { state, profile }) => {
                (AgentTask::List, state, profile)
            }
            raw::AgentTask::Revoke(raw::AgentRevoke { name, state, profile }) => {
                (AgentTask::Revoke(name), state, profile)
            }
        };
        Ok(Agent { task, place: checked_place("admin", state, profile, false)? })
    }
}

/// The departments of `--department`, each once.
fn checked_departments(names: Vec<String>) -> Result<Vec<Department>, String> {
    let mut departments = Vec::new();
    for name in names {
        let name = Department::try_from(name).map_err(|why| format!("--department: {why}"))?;
        if !departments.contains(&name) {
            departments.push(name);
        }
    }
    match departments.len() > DEPARTMENTS_MAX {
        true => Err(format!("an agent serves {DEPARTMENTS_MAX} departments at most, or all")),
        false => Ok(departments),
    }
}

impl raw::Attach {
    pub(super) fn check(self) -> Result<Attach, String> {
        check_address("--desk", &self.desk)?;
        Ok(Attach {
            desk: self.desk,
            code_file: self.code_file,
            json: self.json,
            plain: self.plain,
            place: checked_place("attach", self.state, self.profile, false)?,
        })
    }
}

impl Agent {
    /// The file of the desk's agents.
    ///
    /// # Errors
    /// When the platform does not say where it keeps such files.
    pub fn file(&self) -> Result<PathBuf, String> {
        Ok(AgentsFile::path(&self.folder()?, &self.place.profile))
    }

    /// The fingerprint of the desk's key: the key of the certificate with which the desk was last
    /// started, or else its own key.
    ///
    /// # Errors
    /// One line, when the key cannot be read or made.
    pub fn desk_key(&self) -> Result<Fingerprint, String> {
        let folder = self.folder()?;
        match kept_desk_key(&folder, &self.place.profile)? {
            Some(key) => key.parse(),
            None => own_identity(&folder, &self.place.profile)?.fingerprint(),
        }
    }

    /// A warning if no desk with this profile has run yet: the profile may be mistyped.
    ///
    /// # Errors
    /// One line, when the file cannot be read.
    pub fn doubt(&self) -> Result<Option<String>, String> {
        let (folder, profile) = (self.folder()?, &self.place.profile);
        let has_run = kept_desk_key(&folder, profile)?.is_some();
        Ok((!has_run).then(|| {
            format!(
                "no desk with the profile '{profile}' has run here yet ({}); --profile and --state \
                 choose the desk",
                folder.display()
            )
        }))
    }

    fn folder(&self) -> Result<PathBuf, String> {
        self.place.folder()?.ok_or_else(|| "an ephemeral desk has no agents".to_owned())
    }
}

impl Attach {
    /// The folder of the agent's terminal for this desk: its secret and its unsent lines.
    ///
    /// # Errors
    /// When the platform does not say where it keeps such files.
    pub fn folder(&self) -> Result<PathBuf, String> {
        let state = self.place.folder()?.ok_or_else(|| "nothing is kept".to_owned())?;
        let desk = self.desk.replace(['/', ':', '[', ']'], "_");
        Ok(state.join("attach").join(&self.place.profile).join(desk))
    }

    /// The code, if a file with it is given.
    ///
    /// # Errors
    /// One line, when the file cannot be used.
    pub fn code(&self) -> Result<Option<Code>, String> {
        let read = |file: &PathBuf| secret::read("the agent's code", file)?.parse();
        self.code_file.as_ref().map(read).transpose()
    }
}
