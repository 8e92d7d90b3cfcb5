//! The buttons that the customer can choose from.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use crate::core::reply;
use crate::wire::{Author, Body, Button, Entry, Millis, Number};

/// The buttons of the bot's latest reply. They can be chosen until the bot replies again
/// (docs/RASA.md, "What the bot gets, and what is shown of its answers").
///
/// The numbers of one reply's messages follow each other, and their `at` is the same. So a restart
/// reads the same menu from the journal.
#[derive(Default)]
pub(super) struct Menu {
    buttons: Vec<Button>,
    /// The number of the bot's latest message.
    last: Number,
    /// When that message was journaled. The messages of one reply are journaled at the same
    /// moment.
    at: Millis,
}

impl Menu {
    /// The buttons, in the order of their numbers.
    pub(super) fn buttons(&self) -> &[Button] {
        &self.buttons
    }

    /// The button with this number, if the menu has the bot's message `message`, and no entry of
    /// ours up to `last` followed the menu.
    pub(super) fn button(
        &self,
        message: Number,
        choice: NonZeroU32,
        last: Number,
    ) -> Option<&Button> {
        let is_latest = self.last == last && (1..=last).contains(&message);
        self.buttons.iter().find(|button| is_latest && button.choice == Some(choice))
    }

    /// The bot's message with this number was journaled at this moment. It has these buttons.
    pub(super) fn offer(&mut self, number: Number, at: Millis, buttons: Vec<Button>) {
        let is_first = buttons.first().is_some_and(|button| button.choice == Some(NonZeroU32::MIN));
        // These buttons belong to another menu: another entry came in between, or another reply
        // begins.
        if number != self.last + 1 || at != self.at || is_first {
            self.buttons.clear();
        }
        self.buttons.extend(buttons);
        (self.last, self.at) = (number, at);
    }

    /// The menu at the time when the entry with this number was made. `entry` reads an entry of our
    /// own.
    pub(super) fn before<E>(
        number: Number,
        entry: impl Fn(Number) -> Result<Entry, E>,
    ) -> Result<Menu, E> {
        let mut latest = VecDeque::new();
        for before in (1..number).rev() {
            let Entry { at, body, .. } = entry(before)?;
            match body {
                Body::Message(said) if said.author == Author::Bot => {
                    latest.push_front((before, at, said.choices()))
                }
                // A line without an answer keeps the menu. So does a `refused`: the bot still has
                // the customer.
                Body::Message(_) | Body::Refused { .. } if latest.is_empty() => {}
                _ => break,
            }
        }
        let mut menu = Menu::default();
        for (number, at, buttons) in latest {
            menu.offer(number, at, buttons);
        }
        Ok(menu)
    }
}

/// The text that the bot gets for a line: the payload of the chosen button, or the line itself.
pub(super) fn as_asked(chosen: Option<&Button>, text: &str) -> String {
    match chosen {
        Some(button) if !button.payload.is_empty() => button.payload.clone(),
        Some(button) => reply::for_bot(&button.title),
        None => reply::for_bot(text),
    }
}
