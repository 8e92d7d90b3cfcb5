//! The time of a desk's start with many closed conversations in its journal, divided by the time
//! without them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use handoff::core::record::{Batch, Record};
use handoff::edge::journal::Journal;
use handoff::wire::{Author, Body, ConversationId, EndReason, Entry, Said};

use crate::broken::{Broken, broken};
use crate::durable::Folder;
use crate::extent::Extent;
use crate::server::{Server, What};
use crate::table::{Row, Sample};

const CLOSED: u32 = 100_000;
const OPEN: u32 = 100;

pub(crate) fn start(extent: &Extent) -> Result<Row, Broken> {
    let (few, many) = (Folder::new()?, Folder::new()?);
    write(few.path(), 0)?;
    write(many.path(), CLOSED)?;
    let start = |folder: &Folder| -> Result<f64, Broken> {
        Ok(Server::start_in(What::Plain, Some(folder.path()))?.took.as_secs_f64() * 1e3)
    };
    let [mut withouts, mut withs, mut ratios] = [(); 3].map(|()| Sample::default());
    for _ in 0..extent.starts {
        // One after the other, so that other work of the machine disturbs both.
        let (without, with) = (start(&few)?, start(&many)?);
        withouts.add(without);
        withs.add(with);
        ratios.add(with / without);
    }
    Ok(Row {
        measure: format!("durable: start with {OPEN} who wait, {CLOSED} closed over none"),
        goal: "<= 1.10 x".into(),
        measured: format!("{:.2} x ({})", ratios.median(), ratios.spread(2)),
        scale: format!("{:.1} ms; without {:.1} ms", withs.median(), withouts.median()),
        reached: Some(ratios.median() <= 1.1),
    })
}

/// Writes the journal of a desk with this many closed conversations, followed by those of customers
/// who wait.
fn write(folder: &Path, closed: u32) -> Result<(), Broken> {
    let folder = folder.join("admin/default");
    fs::create_dir_all(&folder)?;
    for folder in folder.ancestors().take(3) {
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    let mut journal = Journal::open(&folder.join("journal.sqlite")).map_err(broken)?;
    let numbers: Vec<u32> = (0..closed + OPEN).collect();
    for numbers in numbers.chunks(1_000) {
        let batch = numbers.iter().flat_map(|number| talk(*number, *number < closed));
        journal.commit(batch.collect()).map_err(|(fault, _)| fault)?;
    }
    Ok(())
}

/// The records of a conversation: ten messages, a request and, if it is closed, the end.
fn talk(number: u32, is_closed: bool) -> Batch {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    let text = "a line as people write them, of some length";
    let mut bodies = vec![Body::Message(Said::text(Author::User, text)); 10];
    bodies.push(Body::Requested { reason: None });
    if is_closed {
        bodies.push(Body::Closed { of: None, reason: EndReason::UserEnded });
    }
    let entry = |(body, number)| Record::Theirs(None, Entry { number, at: 1, body });
    let records = bodies.into_iter().zip(1..).map(entry);
    let begun = Record::Begun { secret: [1; 32], name: None };
    std::iter::once(begun).chain(records).map(|record| (ConversationId::new(id), record)).collect()
}
