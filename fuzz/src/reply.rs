//! For any answer of a bot: the journaled entries keep the wire's limits, and a frame holds them
//! unchanged.

use std::num::NonZeroU32;

use handoff::core::reply::{self, ITEMS_MAX, Triggers, for_bot};
use handoff::wire::{Author, Body, Button, ENTRY_MAX, Entry, Message, NAME_MAX, Said};

use super::choices::stretched;
use super::frames::{check_limits, decoded, encoded};

pub fn reply(data: &[u8]) {
    let items = match reply::parse(&stretched(data, 2 * ENTRY_MAX)) {
        Ok(items) => items,
        Err(why) => return assert!(why.to_string().len() < 200, "{why}"),
    };
    let reply = Triggers::default().read(items);
    assert!(reply.said.len() <= ITEMS_MAX, "{} messages in a reply", reply.said.len());
    let reason = reply.handoff.and_then(|handoff| handoff.reason).unwrap_or_default();
    assert!(reason.len() <= NAME_MAX, "a reason of {} bytes", reason.len());
    let menu: Vec<Button> = reply.said.iter().flat_map(Said::choices).collect();
    for (button, number) in menu.iter().zip(1..) {
        assert_eq!(
            button.choice.map(NonZeroU32::get),
            Some(number),
            "the buttons of a reply are not numbered from 1 without gaps"
        );
        assert!(reply::choice(&menu, &number.to_string()).is_some(), "a number chooses no button");
        let titled = reply::choice(&menu, &button.title).expect("every title chooses");
        assert!(titled.choice <= button.choice, "a title chose a later button with an equal title");
    }
    for said in reply.said {
        assert_eq!(said.author, Author::Bot);
        check_limits(&said);
        for typed in
            [&*said.text].into_iter().chain(said.buttons.iter().map(|button| &*button.title))
        {
            // These are the characters that Python's `strip` removes.
            let blank = |letter: char| letter.is_whitespace() || matches!(letter, '\x1c'..='\x1f');
            let asked = for_bot(typed);
            assert!(
                !asked.trim_start_matches(blank).starts_with('/'),
                "the bot would take {typed:?} for a command"
            );
            if let Some(button) = reply::choice(&menu, typed) {
                assert!(menu.contains(button));
            }
        }
        let payload = said.custom.as_ref().map(|custom| custom.as_str().to_owned());
        let message =
            Message::Entry(Entry { number: u64::MAX, at: u64::MAX, body: Body::Message(said) });
        let frame = encoded(&message);
        assert!(frame.len() <= 4 + ENTRY_MAX, "an entry of {} bytes", frame.len());
        if let Some(payload) = payload {
            let written = String::from_utf8_lossy(&frame);
            assert!(written.contains(&payload), "the payload {payload} went out as another text");
        }
        assert_eq!(decoded(frame), Ok(Some(message)));
    }
}
