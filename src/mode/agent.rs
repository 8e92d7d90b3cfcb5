//! `handoff agent`: adds, lists and revokes the agents of a desk, also while the desk runs.

use std::env;

use crate::core::agent::{Agent, Code, hash};
use crate::core::report::listed;
use crate::edge::agents::AgentsFile;
use crate::edge::term;
use crate::mode::args::{self, AgentTask};
use crate::mode::random;
use crate::wire::Secret;

/// Runs one `handoff agent` command. Returns the exit code.
///
/// # Errors
/// One line for the person.
pub fn run(args: &args::Agent) -> Result<u8, String> {
    let file = args.file()?;
    match &args.task {
        AgentTask::Add { name, shown_as, is_lead, departments } => {
            let code = Code { desk_key: args.desk_key()?.bytes(), secret: Secret::new(random()?) };
            let given = |former: Option<&Agent>| Agent {
                name: former.map_or(name, |former| &former.name).clone(),
                shown_as: shown_as
                    .as_ref()
                    .or(former.map(|former| &former.shown_as))
                    .unwrap_or(name)
                    .clone(),
                lead: is_lead.or(former.map(|former| former.lead)).unwrap_or(false),
                departments: match former {
                    Some(former) if departments.is_empty() => former.departments.clone(),
                    _ => departments.clone(),
                },
                codes: vec![hash(&code.secret)],
            };
            let mut added = None;
            AgentsFile::change(&file, |agents| {
                let former = agents.find(name).cloned();
                let agent = given(former.as_ref());
                added = Some((former, agent.clone()));
                agents.add(agent)
            })?;
            let what = match added {
                Some((Some(former), agent)) => {
                    changes(&former, &agent).iter().for_each(|change| term::print(change));
                    "has one terminal more now. The code"
                }
                _ => "is an agent now. The code",
            };
            term::print(&format!("{name} {what} works once, for: handoff attach --desk HOST:PORT"));
            term::print(&code.to_string());
            complain(args.doubt()?);
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
            let is_empty = agents.agents().iter().next().is_none();
            complain(args.doubt()?);
            complain(is_empty.then(|| "no agents; 'handoff agent add NAME' adds one".to_owned()));
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

/// Prints a remark on stderr, if there is one.
fn complain(remark: Option<String>) {
    remark.iter().for_each(|remark| term::complain(remark));
}

/// The differences between the former and the new options of an agent, as sentences.
fn changes(former: &Agent, now: &Agent) -> Vec<String> {
    let Agent { name, shown_as, lead, departments, .. } = now;
    let mut changes = Vec::new();
    if former.shown_as != *shown_as {
        changes.push(format!("customers see {name} as {shown_as} now"));
    }
    if former.lead != *lead {
        let what = if *lead { "a lead now" } else { "no lead any more" };
        changes.push(format!("{name} is {what}"));
    }
    if former.departments != *departments {
        changes.push(format!("{name} serves {} now", listed(departments)));
    }
    changes
}
