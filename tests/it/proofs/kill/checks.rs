//! What must hold in one journal after each death, and in both after each conversation.

use std::collections::{BTreeMap, HashMap};
use std::sync::PoisonError;
use std::time::Instant;

use crate::support::kept::{self, Item, Kept};

use super::{BOTH, WITHIN, Who, World};

/// A request that was sent before the trigger may arrive this many milliseconds later.
const ON_ITS_WAY: i64 = 250;

impl World {
    /// Checks what must hold in one journal at any time.
    pub(super) fn check_one(&self, who: Who, kept: &BTreeMap<String, Kept>) {
        let seed = self.seed;
        if let Err(why) = kept::check_alone(&format!("{who:?}"), kept) {
            panic!("seed {seed}: {why}");
        }
        let mine = if who == Who::User { "user" } else { "admin" };
        let mut times = HashMap::<&str, usize>::new();
        let said = kept.values().flat_map(|kept| &kept.own).filter_map(Item::said);
        said.filter(|(author, _)| *author == mine)
            .for_each(|(_, text)| *times.entry(text).or_default() += 1);
        for line in &self.accepted[&who] {
            let times = times.get(line.as_str()).copied().unwrap_or_default();
            assert_eq!(
                times, 1,
                "seed {seed}: copies of the accepted '{line}' in the journal of the {who:?}"
            );
        }
        let doubled = times.iter().find(|(_, times)| **times > 1);
        assert_eq!(doubled, None, "seed {seed}: doubled at the {who:?}");
    }

    /// Waits until nothing is on its way. Then both journals must hold the same conversation, and
    /// the bot must not have got a request while a person was the owner.
    pub(super) fn check_all(&mut self) {
        let deadline = Instant::now() + WITHIN;
        let (user, desk) = loop {
            self.live();
            let (user, desk) = (
                kept::read(&self.ends[&Who::User].journal),
                kept::read(&self.ends[&Who::Desk].journal),
            );
            let Err(why) = kept::check_together(&user, &desk) else { break (user, desk) };
            assert!(Instant::now() < deadline, "seed {}: {why}", self.seed);
            self.wait(deadline);
        };
        self.check_one(Who::User, &user);
        self.check_one(Who::Desk, &desk);
        let count = |all: &BTreeMap<String, Kept>, who: Who, own: bool| {
            let mine = if who == Who::User { "user" } else { "admin" };
            let items = all.values().flat_map(|kept| if own { &kept.own } else { &kept.theirs });
            items.filter_map(Item::said).filter(|(author, _)| *author == mine).count()
        };
        for who in BOTH {
            let (here, there) = if who == Who::User { (&user, &desk) } else { (&desk, &user) };
            let accepted = self.accepted[&who].len();
            let counts = (count(here, who, true), count(there, who, false));
            assert_eq!(
                counts,
                (accepted, accepted),
                "seed {}: lines of the {who:?} in the own and in the other journal",
                self.seed
            );
        }
        self.check_bot(&user);
    }

    /// Checks that no request to the bot and no message of the bot came between a `requested` and
    /// the handback, and that no request was repeated.
    fn check_bot(&self, user: &BTreeMap<String, Kept>) {
        let seed = self.seed;
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut times = HashMap::<&str, usize>::new();
        for (at, conversation, line) in asked.iter() {
            let Some(kept) = user.get(conversation) else {
                panic!("seed {seed}: the bot was asked '{line}' in an unknown conversation")
            };
            let before = |item: &&Item| {
                item.at + ON_ITS_WAY < *at || (!item.is("requested") && item.at <= *at)
            };
            let last = kept.own.iter().filter(before).rfind(|item| is_control(item));
            assert!(
                is_bots(last),
                "seed {seed}: the bot was asked '{line}' at {at}, after {last:?}"
            );
            if line.is_empty() {
                continue;
            }
            *times.entry(line).or_default() += 1;
            let place = kept.own.iter().position(|item| item.said() == Some(("user", line)));
            let place = place.unwrap_or_else(|| {
                panic!("seed {seed}: the bot was asked '{line}', which nobody typed")
            });
            let owner = kept.own[..place].iter().rfind(|item| is_control(item));
            assert!(
                is_bots(owner),
                "seed {seed}: the bot was asked '{line}', which was typed after {owner:?}"
            );
        }
        for (line, times) in times {
            let allowed = 1 + self.again.get(line).copied().unwrap_or_default();
            assert!(times <= allowed, "seed {seed}: the bot was asked '{line}' {times} times");
        }
        for kept in user.values() {
            let said = kept
                .own
                .iter()
                .enumerate()
                .filter(|(_, i)| i.said().is_some_and(|(author, _)| author == "bot"));
            for (at, item) in said {
                let owner = kept.own[..at].iter().rfind(|item| is_control(item));
                assert!(is_bots(owner), "seed {seed}: {item:?} came while a person was the owner");
            }
        }
    }
}

pub fn is_control(item: &Item) -> bool {
    kept::CONTROLS.iter().any(|name| item.is(name))
}

/// Whether the bot owns a conversation whose last control this is.
fn is_bots(last: Option<&Item>) -> bool {
    last.is_none_or(|item| item.is("handed_back") || item.is("withdrawn"))
}
