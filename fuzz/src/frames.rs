//! For any bytes of a peer, in any pieces: the decoder gives the same result, keeps at most one
//! incomplete frame in memory, and accepts only messages that keep the limits and go through a
//! frame and the journal unchanged.

use std::fmt::Debug;

use handoff::wire::seat::{SHOWN_MAX, SeatFact, SeatMessage, SignIn, UNSENT_MAX, WATCHED_MAX};
use handoff::wire::{
    BUTTONS_MAX, Body, Button, CUSTOM_MAX, Code, DESKS_MAX, ENTRY_MAX, FEATURE_MAX, FEATURES_MAX,
    FRAME_MAX, FRAME_MAX_BEFORE_HELLO, Frame, Frames, IMAGE_MAX, Message, NAME_MAX, PAYLOAD_MAX,
    Request, Said, TEXT_MAX, TITLE_MAX, URL_MAX, WireError, encode,
};
use serde::Serialize;
use serde_json::Value;

use super::choices::{Choices, stretched};

/// The first byte says whether the rest is raw bytes or lines to be framed, whether frames may be
/// long from the start, and whether the peer is an agent's terminal or its desk. The second byte
/// chooses the sizes of the pieces.
pub fn frames(data: &[u8]) {
    let mut choices = Choices(data);
    let (form, pieces) = (choices.byte(), choices.byte());
    let bytes = if form & 1 == 0 { choices.0.to_vec() } else { framed(choices.0) };
    let accepted = form & 2 != 0;
    let error = if form & 4 == 0 {
        let (messages, error) = read_twice(&bytes, accepted, pieces);
        messages.iter().for_each(check);
        check_bounds::<Message>(&bytes);
        error
    } else {
        let (messages, error) = read_twice(&bytes, accepted, pieces);
        messages.iter().for_each(check_seat);
        check_bounds::<SeatMessage>(&bytes);
        error
    };
    if let Some(error) = error {
        let bye = encoded(&Message::Bye { code: Code::Protocol, text: error.to_string() });
        assert!(
            bye.len() <= 4 + FRAME_MAX_BEFORE_HELLO,
            "the goodbye is too long for a stranger: {error}"
        );
    }
}

/// Each line as one frame.
fn framed(data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in data.split(|byte| *byte == b'\n') {
        let body = stretched(line, FRAME_MAX);
        bytes.extend((body.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&body);
    }
    bytes
}

/// A message of one of the two protocols.
trait Checked: Frame + PartialEq + Debug {
    /// Whether frames may be long after this message.
    fn accepts(&self) -> bool;
    /// Whether this message keeps the limit of an entry, if it is one.
    fn is_short(&self, length: usize) -> bool;
}

impl Checked for Message {
    fn accepts(&self) -> bool {
        // The customer's side does the same.
        matches!(self, Message::Welcome(_))
    }

    fn is_short(&self, length: usize) -> bool {
        !matches!(self, Message::Entry(_)) || length <= ENTRY_MAX
    }
}

impl Checked for SeatMessage {
    fn accepts(&self) -> bool {
        matches!(self, SeatMessage::SignedIn { .. })
    }

    fn is_short(&self, _: usize) -> bool {
        true
    }
}

/// Reads the bytes at once and in pieces. Returns all messages, and the error at the end.
fn read_twice<M: Checked>(bytes: &[u8], accepted: bool, pieces: u8) -> (Vec<M>, Option<WireError>) {
    let whole = read(bytes, accepted, [bytes.len()]);
    // A long input comes in larger pieces, because a few dozen pieces are enough.
    let least = 1 + bytes.len() / 64;
    let cut = read(bytes, accepted, (0..).map(|n| least + usize::from(pieces) * n % 97));
    assert_eq!(whole, cut, "the same bytes give another result in pieces");
    whole
}

/// All messages that a decoder reads from the bytes in pieces of these sizes, and its error.
fn read<M: Checked>(
    bytes: &[u8],
    accepted: bool,
    pieces: impl IntoIterator<Item = usize>,
) -> (Vec<M>, Option<WireError>) {
    let mut decoder = Frames::<M>::default();
    let mut accepted = accepted;
    if accepted {
        decoder.accept();
    }
    let (mut messages, mut rest) = (Vec::new(), bytes);
    for piece in pieces {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at(piece.min(rest.len()));
        decoder.push(now.to_vec());
        rest = later;
        loop {
            match decoder.message() {
                Ok(Some(message)) => {
                    if message.accepts() {
                        decoder.accept();
                        accepted = true;
                    }
                    messages.push(message);
                }
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    check_memory(&decoder, bytes, accepted);
    (messages, None)
}

/// A decoder without a complete frame is equal to one that got only the incomplete frame.
fn check_memory<M: Frame + Debug>(decoder: &Frames<M>, bytes: &[u8], accepted: bool) {
    let mut unfinished = bytes;
    while let Some((head, body)) = unfinished.split_first_chunk::<4>() {
        let Some(next) = body.get(u32::from_be_bytes(*head) as usize..) else { break };
        unfinished = next;
    }
    let limit = if accepted { FRAME_MAX } else { FRAME_MAX_BEFORE_HELLO };
    assert!(
        unfinished.len() < 4 + limit,
        "an unfinished frame of {} bytes is held",
        unfinished.len()
    );
    let mut fresh = Frames::<M>::default();
    if accepted {
        fresh.accept();
    }
    fresh.push(unfinished.to_vec());
    assert_eq!(decoder.is_partial(), !unfinished.is_empty());
    // Compares all fields before the counters, which may differ.
    let held =
        |decoder: &Frames<M>| format!("{decoder:?}").split(", frames").next().map(str::to_owned);
    assert_eq!(held(decoder), held(&fresh), "the decoder holds more than an unfinished frame");
}

/// Decodes each complete frame alone: an accepted or ignored frame keeps the limits of length and
/// nesting.
fn check_bounds<M: Checked>(bytes: &[u8]) {
    let mut rest = bytes;
    while let Some((head, more)) = rest.split_first_chunk::<4>() {
        let Some((body, next)) = more.split_at_checked(u32::from_be_bytes(*head) as usize) else {
            break;
        };
        rest = next;
        let Ok(message) = decoded::<M>([head, body].concat()) else { continue };
        assert!(message.is_none_or(|it| it.is_short(body.len())), "an entry over its limit");
        // A parser that keeps the whole value stops at the same depth.
        let read = serde_json::from_slice::<Value>(body);
        let is_deep = read.is_err_and(|error| error.to_string().starts_with("recursion limit"));
        assert!(!is_deep, "a frame nested too deep");
    }
}

/// Checks an accepted message: its limits, and that it is encoded and journaled unchanged.
fn check(message: &Message) {
    let short = |name: &Option<String>| name.as_ref().is_none_or(|name| name.len() <= NAME_MAX);
    let few = |features: &[String]| {
        features.len() <= FEATURES_MAX
            && features.iter().all(|feature| feature.len() <= FEATURE_MAX)
    };
    let fits = match message {
        Message::Hello(hello) => {
            short(&hello.name) && hello.received.len() <= DESKS_MAX && few(&hello.features)
        }
        Message::Welcome(welcome) => few(&welcome.features),
        Message::Bye { text, .. } => text.len() <= TEXT_MAX,
        Message::Entry(entry) => match &entry.body {
            Body::Requested(Request { reason, department, language, .. }) => {
                let texts = [department, language].into_iter().flatten();
                short(reason) && texts.into_iter().all(|text| text.len() <= NAME_MAX)
            }
            Body::Accept { name, .. } => short(name),
            Body::Refused { why, .. } => why.len() <= TEXT_MAX,
            _ => true,
        },
        _ => true,
    };
    assert!(fits, "{message:?} is over its limits");
    if let Message::Entry(entry) = message {
        assert!(entry.number > 0, "an entry numbered 0");
        let journaled = serde_json::to_string(&entry.body).expect("a body is JSON");
        let read: Body = serde_json::from_str(&journaled)
            .unwrap_or_else(|e| panic!("the journal cannot be read: {e}"));
        assert_eq!(read, entry.body, "the journal gives back something else");
        match &entry.body {
            Body::Message(said) => check_limits(said),
            // An unknown body is only journaled; this program never sends it.
            Body::Unknown(_) => return,
            _ => {}
        }
    }
    let frame = encoded(message);
    // The same entry may be longer as this program writes it. A side sends its own entries only.
    if matches!(message, Message::Entry(_)) && frame.len() > 4 + ENTRY_MAX {
        return;
    }
    assert_eq!(decoded(frame), Ok(Some(message.clone())), "a frame gives back another message");
}

/// Checks an accepted message between a desk and an agent's terminal.
fn check_seat(message: &SeatMessage) {
    let fits = match message {
        SeatMessage::SignIn(SignIn { shown, watched, .. }) => {
            shown.len() <= SHOWN_MAX && watched.len() <= WATCHED_MAX
        }
        SeatMessage::SignedIn { agent, unsent, .. } => {
            agent.len() <= NAME_MAX && unsent.len() as u64 <= UNSENT_MAX
        }
        SeatMessage::Line { number, text, .. } => *number > 0 && text.len() <= TEXT_MAX,
        // Nobody sends it.
        SeatMessage::Fact(SeatFact::Unknown) => return,
        _ => true,
    };
    assert!(fits, "{message:?} is over its limits");
    assert_eq!(decoded(encoded(message)), Ok(Some(message.clone())), "it comes back as another");
}

/// Checks the limits of docs/PROTOCOL.md for a message.
pub fn check_limits(said: &Said) {
    let name = said.name.as_ref().is_none_or(|name| name.len() <= NAME_MAX);
    let image = said.image.as_ref().is_none_or(|image| image.len() <= IMAGE_MAX);
    let custom = said.custom.as_ref().is_none_or(|custom| custom.as_str().len() <= CUSTOM_MAX);
    let button = |b: &Button| {
        let url = b.url.as_ref().is_none_or(|url| url.len() <= URL_MAX);
        b.title.len() <= TITLE_MAX && b.payload.len() <= PAYLOAD_MAX && url
    };
    let buttons = said.buttons.iter().all(button);
    let fits = name
        && image
        && custom
        && buttons
        && said.buttons.len() <= BUTTONS_MAX
        && said.text.len() <= TEXT_MAX;
    assert!(fits, "{said:?} is over its limits");
}

/// A message as one frame.
pub fn encoded<M: Serialize>(message: &M) -> Vec<u8> {
    let mut frame = Vec::new();
    encode(message, &mut frame);
    frame
}

/// The message of one frame after the hello was accepted.
pub fn decoded<M: Frame>(frame: Vec<u8>) -> Result<Option<M>, WireError> {
    let mut decoder = Frames::<M>::default();
    decoder.accept();
    decoder.push(frame);
    decoder.message()
}
