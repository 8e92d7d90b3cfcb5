//! Compares what the desk shows about its customers with what the customers themselves know.

use std::collections::{BTreeMap, BTreeSet};

use super::customer::Customer;
use super::seat::{Kind, Seat};
use super::{Hidden, World};

/// A row of `/list`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    customer: String,
    /// The agent who has the customer, if one does.
    owner: Option<String>,
    /// How many lines have no answer. The row of a waiting customer does not say it.
    unanswered: Option<u32>,
}

impl World {
    /// Compares what every seat shows with what the customers know. Nothing is on its way.
    pub(super) fn compare(&mut self) -> Result<(), String> {
        self.settle_the_absent();
        let mut first: Option<BTreeMap<String, Row>> = None;
        for seat in self.seats.iter().filter(|seat| seat.process.is_some()) {
            let mut rows = rows(seat)?;
            if self.hidden == Hidden::Row && seat.kind == Kind::Person {
                let is_owed = |row: &&Row| row.owner.is_none() || row.unanswered > Some(0);
                let one = rows.values().find(is_owed).map(|row| row.customer.clone());
                one.map(|one| rows.remove(&one));
            }
            for customer in &self.customers {
                check_row(seat, customer, rows.remove(&customer.name).as_ref(), &mut first)?;
                check_facts(seat, customer, first.as_ref())?;
            }
            if let Some(row) = rows.values().next() {
                return Err(format!("{} lists somebody unknown: {row:?}", seat.name));
            }
        }
        if let Some(leaked) = self.customers.iter().find_map(|customer| customer.leaked.as_ref()) {
            return Err(format!("a customer was told a note: {leaked}"));
        }
        let rows = first.unwrap_or_default();
        self.rows_compared += rows.len();
        self.owners =
            rows.into_values().filter_map(|row| Some((row.customer, row.owner?))).collect();
        self.customers.iter_mut().for_each(|customer| customer.owed.rest());
        self.quiet_moments += 1;
        Ok(())
    }

    /// Lines that agents said to absent customers count as answers, although these customers cannot
    /// see them yet.
    fn settle_the_absent(&mut self) {
        let numbers: BTreeMap<String, String> = self.seats[0]
            .facts
            .iter()
            .flat_map(|(id, fact)| {
                [id, &fact.number].map(|key| (key.clone(), fact.customer.clone()))
            })
            .collect();
        let said: Vec<_> = self.seats.iter_mut().flat_map(|seat| seat.said.drain(..)).collect();
        for (to, line) in said {
            if !self.said.insert(line) {
                continue;
            }
            let name = numbers.get(&to);
            let mut customers = self.customers.iter_mut();
            let absent = customers.find(|it| Some(&it.name) == name && it.process.is_none());
            absent.into_iter().for_each(|customer| customer.owed.settle_all());
        }
    }
}

/// The rows of the latest list of a seat, by customer.
fn rows(seat: &Seat) -> Result<BTreeMap<String, Row>, String> {
    let mut rows = BTreeMap::new();
    for row in seat.list.iter().filter_map(|line| row(line, seat.name)) {
        if let Some(twice) = rows.insert(row.customer.clone(), row) {
            return Err(format!("{} lists {} twice", seat.name, twice.customer));
        }
    }
    Ok(rows)
}

/// `#3 Cleo (is typing) 4 new, oldest 2:10 "bo@example.com"`. Other notices begin with a customer,
/// too, but have no two blanks after the name.
fn row(line: &str, me: &str) -> Option<Row> {
    let (who, mut rest) = line.split_at(line.find("  ").or(None)?);
    let mut words = who.splitn(3, ' ');
    let (_, customer, signs) = (words.next()?, words.next()?, words.next());
    if signs.is_some_and(|signs| !signs.starts_with('(') || !signs.ends_with(')')) {
        return None;
    }
    rest = rest.trim_start();
    let mut owner = Some(me.to_owned());
    if rest.starts_with("waits ") {
        let customer = customer.to_owned();
        return Some(Row { customer, owner: None, unanswered: None });
    }
    if let Some((agent, behind)) = rest.split_once(":  ")
        && !agent.contains(' ')
    {
        (owner, rest) = (Some(agent.to_owned()), behind);
    }
    let unanswered = match rest.split_once(" new, oldest ") {
        Some((lines, _)) => lines.parse().ok(),
        None if rest.contains("has every answer") || rest.contains("has heard nothing") => Some(0),
        None => return None,
    };
    Some(Row { customer: customer.to_owned(), owner, unanswered })
}

/// Checks the row of one customer: it is there if the customer waits or talks, it is the same at
/// every seat, and it counts the unanswered lines.
fn check_row(
    seat: &Seat,
    customer: &Customer,
    row: Option<&Row>,
    first: &mut Option<BTreeMap<String, Row>>,
) -> Result<(), String> {
    let (name, state) = (&customer.name, &customer.state);
    let Some(row) = row.filter(|_| customer.is_with_desk()) else {
        return match row {
            Some(row) => Err(format!("{} lists {name}, who is {state}: {row:?}", seat.name)),
            None if customer.is_with_desk() => {
                Err(format!("{name} is {state} and missing from the list of {}", seat.name))
            }
            None => Ok(()),
        };
    };
    // A customer who is away learns later that they wait again.
    let is_right = match (state.as_str(), &row.owner) {
        ("queued", owner) => owner.is_none(),
        (_, owner) => owner.is_some() || customer.process.is_none(),
    };
    let (least, most) = customer.owed.bounds();
    let is_counted = row.unanswered.is_none_or(|lines| (least..=most).contains(&lines));
    if !is_right || !is_counted {
        return Err(format!(
            "{name} is {state} with {least} to {most} unanswered lines; {} lists {row:?}",
            seat.name
        ));
    }
    let known = first.get_or_insert_default().entry(name.clone()).or_insert_with(|| row.clone());
    if known != row {
        return Err(format!("{known:?} at one seat, {row:?} at that of {}", seat.name));
    }
    Ok(())
}

/// Checks the facts about one customer that `--json` has printed.
fn check_facts(
    seat: &Seat,
    customer: &Customer,
    rows: Option<&BTreeMap<String, Row>>,
) -> Result<(), String> {
    if seat.kind == Kind::Person {
        return Ok(());
    }
    let Some(fact) = seat.facts.get(&customer.conversation) else {
        return match customer.is_with_desk() {
            true => Err(format!("{} was told no state of {}", seat.name, customer.name)),
            false => Ok(()),
        };
    };
    let is_absent = customer.process.is_none();
    if customer.is_with_desk() && fact.state != customer.state && !is_absent {
        let states = format!("{}, and is {}", fact.state, customer.state);
        return Err(format!("{} was told that {} is {states}", seat.name, customer.name));
    }
    let row = rows.and_then(|rows| rows.get(&customer.name));
    let (least, most) = customer.owed.bounds();
    if row.is_some() && !(least..=most).contains(&fact.unanswered) {
        return Err(format!(
            "{} was told that {} lines of {} have no answer; {least} to {most} have none",
            seat.name, fact.unanswered, customer.name
        ));
    }
    Ok(())
}

/// The notes of agents that are in any request to a bot.
pub fn leaks(asked: &[crate::support::fake_bot::Asked]) -> BTreeSet<String> {
    let bodies = asked.iter().map(|asked| asked.body.to_string());
    bodies.filter(|body| body.contains(super::SECRET)).collect()
}
