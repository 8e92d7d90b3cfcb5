//! The start of a desk and of a gateway whose journal has many conversations that they need not
//! read, divided by the start without these conversations.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use handoff::core::customer::{CustomerId, Token};
use handoff::core::record::{Batch, Record};
use handoff::edge::journal::Journal;
use handoff::wire::{Author, Body, ConversationId, EndReason, Entry, Request, Said};

use crate::broken::{Broken, broken};
use crate::durable::Folder;
use crate::extent::Extent;
use crate::server::{Server, What};
use crate::table::{Row, Sample};

const MANY: u32 = 100_000;
const OPEN: u32 = 100;

/// A desk with closed conversations.
pub(crate) fn desk(extent: &Extent) -> Result<Vec<Row>, Broken> {
    let measure = format!("durable: start with {OPEN} who wait, {MANY} closed over none");
    let with = |count| {
        let folder = Folder::new()?;
        let talks = (0..count + OPEN).map(|number| asked(number, number < count));
        write(&folder.path().join("admin/default"), talks)?;
        Ok(folder)
    };
    compare(extent, measure, with, |folder| Server::start_in(What::Plain, Some(folder)))
}

/// A gateway with conversations at rest: their customers have no browser open.
pub(crate) fn gateway(extent: &Extent, bot: &str) -> Result<Vec<Row>, Broken> {
    let measure = format!("gateway: start with {MANY} conversations that rest over none");
    let with = |count| {
        let folder = Folder::new()?;
        write(&folder.path().join("web/default"), (0..count).map(resting))?;
        Ok(folder)
    };
    compare(extent, measure, with, |folder| Server::gateway(bot, Some(folder)))
}

/// Compares time and memory with [`MANY`] conversations and with none.
fn compare(
    extent: &Extent,
    measure: String,
    with: impl Fn(u32) -> Result<Folder, Broken>,
    start: impl Fn(&Path) -> Result<Server, Broken>,
) -> Result<Vec<Row>, Broken> {
    let (none, many) = (with(0)?, with(MANY)?);
    let start = |folder: &Folder| -> Result<[f64; 2], Broken> {
        let server = start(folder.path())?;
        Ok([server.took.as_secs_f64() * 1e3, server.status()?.rss as f64 / f64::from(1 << 20)])
    };
    // For the time and for the memory: the figure without conversations, the figure with them, and
    // their ratio.
    let mut samples: [[Sample; 3]; 2] = Default::default();
    for _ in 0..extent.starts {
        // One after the other, so that other work of the machine disturbs both.
        let (without, with) = (start(&none)?, start(&many)?);
        for (sample, (without, with)) in samples.iter_mut().zip(without.into_iter().zip(with)) {
            sample[0].add(without);
            sample[1].add(with);
            sample[2].add(with / without);
        }
    }
    let row = |what: &str, unit: &str, [without, with, ratio]: &[Sample; 3]| Row {
        measure: format!("{measure}{what}"),
        goal: "<= 1.10 x".into(),
        measured: format!("{:.2} x ({})", ratio.median(), ratio.spread(2)),
        scale: format!("{:.1} {unit}; without {:.1} {unit}", with.median(), without.median()),
        reached: Some(ratio.median() <= 1.1),
    };
    let [time, memory] = &samples;
    Ok(vec![row("", "ms", time), row(", RSS then", "MiB", memory)])
}

/// Writes a journal with these conversations.
fn write(folder: &Path, talks: impl Iterator<Item = Batch>) -> Result<(), Broken> {
    fs::create_dir_all(folder)?;
    for folder in folder.ancestors().take(3) {
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    let mut journal = Journal::open(&folder.join("journal.sqlite")).map_err(broken)?;
    let mut batch = Batch::new();
    for talk in talks {
        batch.extend(talk);
        if batch.len() >= 10_000 {
            journal.commit(std::mem::take(&mut batch)).map_err(|(fault, _)| fault)?;
        }
    }
    journal.commit(batch).map_err(|(fault, _)| fault)?;
    Ok(())
}

/// A desk's records of a conversation: ten messages, a request and, if it is closed, the end.
fn asked(number: u32, is_closed: bool) -> Batch {
    let mut bodies = messages();
    bodies.push(Body::Requested(Request::default()));
    if is_closed {
        bodies.push(Body::Closed { of: None, reason: EndReason::UserEnded });
    }
    let entry = |(body, number)| Record::Theirs(None, Entry { number, at: 1, body });
    let records = bodies.into_iter().zip(1..).map(entry);
    records_of(number, [], records)
}

/// A gateway's records of a conversation at rest with ten messages.
fn resting(number: u32) -> Batch {
    let id = id(number);
    let whose = [Record::Customer(CustomerId::new(id)), Record::Token(Token::new(id).hash())];
    let entry = |(body, number)| Record::Own(Entry { number, at: 1, body });
    let records = messages().into_iter().zip(1..).map(entry).chain([Record::Resting]);
    records_of(number, whose, records)
}

fn messages() -> Vec<Body> {
    vec![Body::Message(Said::text(Author::User, "a line as people write them, of some length")); 10]
}

fn id(number: u32) -> [u8; 16] {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    id
}

fn records_of<const N: usize>(
    number: u32,
    whose: [Record; N],
    records: impl Iterator<Item = Record>,
) -> Batch {
    let begun = Record::Begun { secret: [1; 32], name: None };
    let all = std::iter::once(begun).chain(whose).chain(records);
    all.map(|record| (ConversationId::new(id(number)), record)).collect()
}
