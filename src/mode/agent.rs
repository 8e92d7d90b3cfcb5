//! `handoff agent`: adds, lists and revokes the agents of a desk, also while the desk runs.

use std::env;

use crate::core::agent::{Agent, Code, hash};
use crate::core::report::listed;
use crate::edge::agents::AgentsFile;
use crate::edge::term;
use crate::mode::args::{self, AgentTask};
use crate::mode::random;
use crate::wire::Secret;

/// Does what was asked for. Returns the exit code.
///
/// # Errors
/// One line for the person.
pub fn run(args: &args::Agent) -> Result<u8, String> {
    let file = args.file()?;
    match &args.task {
        AgentTask::Add { name, shown_as, is_lead, departments } => {
            let code = Code { desk_key: args.desk_key()?.bytes(), secret: Secret::new(random()?) };
            let is_known = AgentsFile::open(file.clone())?.agents().find(name).is_some();
            AgentsFile::change(&file, |agents| {
                agents.add(Agent {
                    name: name.clone(),
                    shown_as: shown_as.clone(),
                    lead: *is_lead,
                    departments: departments.clone(),
                    codes: vec![hash(&code.secret)],
                })
            })?;
            let what = if is_known {
                "has one terminal more now. The code"
            } else {
                "is an agent now. The code"
            };
            term::print(&format!("{name} {what} works once, for: handoff attach --desk HOST:PORT"));
            term::print(&code.to_string());
        }
        AgentTask::List => {
            let agents = AgentsFile::open(file)?;
            for Agent { name, shown_as, lead, departments, .. } in agents.agents().iter() {
                let lead = if *lead { ", lead" } else { "" };
                let shown =
                    if name == shown_as { String::new() } else { format!(" as {shown_as}") };
                let served = if departments.is_empty() {
                    String::new()
                } else {
                    format!(", for {}", listed(departments))
                };
                term::print(&format!("{name}{shown}{lead}{served}"));
            }
        }
        AgentTask::Revoke(name) => {
            let by = ["SUDO_USER", "LOGNAME", "USER"].iter().find_map(|name| env::var(name).ok());
            let by = by.unwrap_or_else(|| "the desk's account".to_owned());
            AgentsFile::change(&file, |agents| match agents.remove(name, &by) {
                true => Ok(()),
                false => {
                    Err(format!("there is no agent '{name}'; 'handoff agent list' lists them"))
                }
            })?;
            term::print(&format!("{name} is no agent any more"));
        }
    }
    Ok(0)
}
