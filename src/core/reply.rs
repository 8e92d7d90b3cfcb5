//! What a bot said: the REST channel's answer, read, cut to the wire's limits, and its trigger
//! found.
//!
//! This room is pure. It leaves asking to `bot` and what follows from an answer to `session`. A bot
//! is untrusted input: anything it can say becomes a checked value here, or a `NotAReply`.
//! The shapes are those of Rasa's REST channel.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::core::text::is_same;
use crate::wire::custom::without_blanks;
use crate::wire::{
    Author, BUTTONS_MAX, Button, CUSTOM_MAX, Custom, ENTRY_MAX, IMAGE_MAX, NAME_MAX, PAYLOAD_MAX,
    Said, TEXT_MAX, TITLE_MAX, URL_MAX,
};

mod mend;

/// Messages of one reply, at most.
pub const ITEMS_MAX: usize = 64;
/// Levels of lists and objects in a custom payload, at most: deeper, a peer's JSON reader may
/// refuse the entry around it.
pub const DEPTH_MAX: usize = 64;
/// The text that starts a handoff unless another one is given.
pub const TRIGGER: &str = "Human Handoff";
/// How a reader sees that something was left out.
const CUT: &str = "… [cut]";
/// How a reader sees that a number became `null`.
const NULLED: &str = "[changed: a number that JSON cannot hold became null]";
/// Bytes of an encoded `Said`, at most: its entry and frame stand around it.
const SAID_MAX: usize = ENTRY_MAX - 256;

/// One item of a bot's answer, as it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    /// The text; a number or a truth value as text.
    pub text: Option<String>,
    /// Choices; one that has no title, payload or URL is none.
    pub buttons: Vec<Button>,
    /// The URL of an image.
    pub image: Option<String>,
    /// A payload of the bot's own making: its JSON text.
    pub custom: Option<String>,
    /// The JSON text of an object with all that is not understood; shown as a custom payload.
    pub rest: Option<String>,
    /// Whether a number in it became `null`.
    pub nulled: bool,
}

/// What a bot said, cut to the wire's limits, and whether it asked for a human.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The messages, in order; the trigger is none of them.
    pub said: Vec<Said>,
    /// The handoff, if the bot asked for one.
    pub handoff: Option<Handoff>,
}

/// The bot asked for a human.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handoff {
    /// Why, where the bot said so.
    pub reason: Option<String>,
}

/// The texts that start a handoff.
#[derive(Clone, Debug)]
pub struct Triggers(Vec<String>);

/// Why a body is not a bot's answer.
#[derive(Debug, PartialEq, Eq)]
pub enum NotAReply {
    /// It is not UTF-8.
    NotUtf8,
    /// It is not JSON.
    NotJson(String),
    /// It is JSON, but not an array.
    NotAnArray(&'static str),
    /// The array holds something that is not an object.
    NotAnItem {
        /// Its place, from 1.
        place: usize,
        /// What it is.
        what: &'static str,
    },
}

impl fmt::Display for NotAReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotAReply::NotUtf8 => write!(f, "bytes that are not UTF-8"),
            NotAReply::NotJson(why) => write!(f, "text that is not JSON ({why})"),
            NotAReply::NotAnArray(what) => write!(f, "{what} where an array of messages is due"),
            NotAReply::NotAnItem { place, what } => write!(f, "{what} as message {place}"),
        }
    }
}

impl std::error::Error for NotAReply {}

/// Reads the body of a bot's answer. A byte order mark, half surrogates and numbers that JSON does
/// not have are mended.
///
/// # Errors
/// When it is not a JSON array of objects. What is odd inside an object is taken as well as it
/// goes.
pub fn parse(body: &[u8]) -> Result<Vec<Item>, NotAReply> {
    let text = std::str::from_utf8(body).map_err(|_| NotAReply::NotUtf8)?;
    let mended = mend::mend(text);
    let whole: &RawValue = serde_json::from_str(&mended.text)
        .map_err(|error| NotAReply::NotJson(error.to_string()))?;
    let items = list(whole).ok_or_else(|| NotAReply::NotAnArray(kind(whole)))?;
    let item = |(index, value): (usize, &RawValue)| match fields(value) {
        Some(fields) => Ok(Item { nulled: mended.nulled.contains(&index), ..Item::from(fields) }),
        None => Err(NotAReply::NotAnItem { place: index + 1, what: kind(value) }),
    };
    items.into_iter().enumerate().map(item).collect()
}

/// What a customer typed, as the bot may get it: a leading slash would trigger any intent
/// (`/restart` even ends a pause), so it arrives as a division slash.
pub fn for_bot(typed: &str) -> String {
    // Python's str.strip() also takes the four separators; Rasa strips before it looks for the
    // slash.
    let typed = typed
        .trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '\x1c'..='\x1f'));
    match typed.strip_prefix('/') {
        Some(rest) => format!("\u{2215}{rest}"),
        None => typed.to_owned(),
    }
}

/// The button of a menu that a customer chose: by its title, by its number, or by both as they are
/// shown (`2) No`). The title goes first, so that of the buttons 5, 4, 3, 2, 1 a typed `5` is what
/// it says. Of equal titles the first one is chosen.
pub fn choice<'a>(menu: &'a [Button], typed: &str) -> Option<&'a Button> {
    let typed = typed.trim();
    let numbered = |digits: &str| {
        // `parse` would take a sign, too.
        let is_number = digits.bytes().all(|b| b.is_ascii_digit());
        let number = is_number.then(|| digits.parse::<NonZeroU32>().ok())??;
        menu.iter().find(|button| button.choice == Some(number))
    };
    let titled = menu.iter().find(|button| same(&button.title, typed));
    titled.filter(|_| !typed.is_empty()).or_else(|| numbered(typed)).or_else(|| {
        let (digits, title) = typed.split_once(") ")?;
        numbered(digits).filter(|button| same(&button.title, title))
    })
}

/// What a customer says by choosing this button: its title, behind its number where other buttons
/// of the menu have the same title.
pub fn echo(menu: &[Button], button: &Button) -> String {
    let is_twin = |other: &&Button| same(&other.title, &button.title);
    match button.choice {
        Some(number) if menu.iter().filter(is_twin).count() > 1 => {
            format!("{number}) {}", button.title.trim())
        }
        _ => button.title.clone(),
    }
}

impl Default for Triggers {
    fn default() -> Triggers {
        Triggers(vec![TRIGGER.to_owned()])
    }
}

impl Triggers {
    /// The given texts, or the default one when none is given. Blank ones do not count.
    pub fn new<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Triggers {
        let texts: Vec<String> =
            texts.into_iter().map(|text| text.as_ref().trim().to_owned()).collect();
        let texts: Vec<String> = texts.into_iter().filter(|text| !text.is_empty()).collect();
        if texts.is_empty() { Triggers::default() } else { Triggers(texts) }
    }

    /// Tells the messages of an answer from its trigger. Several triggers are one handoff. The
    /// buttons of all messages are numbered through.
    pub fn read(&self, items: Vec<Item>) -> Reply {
        let mut reply = Reply::default();
        let mut left_out = false;
        let mut buttons: u32 = 0;
        for mut item in items {
            let control = item.custom.take_if(|custom| is_control(custom));
            let trigger = item.text.take_if(|text| self.matches(text));
            if control.is_some() || trigger.is_some() {
                let handoff = reply.handoff.get_or_insert_default();
                handoff.reason = handoff.reason.take().or_else(|| reason(&control?));
                // If nothing is left of the item, the number that became `null` is gone, too.
                item.nulled &= item != Item { nulled: true, ..Item::default() };
            }
            if item == Item::default() {
                continue;
            }
            for said in said(item, buttons) {
                if reply.said.len() < ITEMS_MAX {
                    buttons += said.buttons.len() as u32;
                    reply.said.push(said);
                } else {
                    left_out = true;
                }
            }
        }
        if let (true, Some(last)) = (left_out, reply.said.last_mut()) {
            *last = Said::text(Author::Bot, CUT);
        }
        reply
    }

    fn matches(&self, text: &str) -> bool {
        self.0.iter().any(|trigger| same(trigger, text))
    }
}

/// Whether two texts are the same to a reader, without the blanks around them.
fn same(one: &str, other: &str) -> bool {
    is_same(one.trim(), other.trim())
}

/// Whether a payload asks for a human.
fn is_control(custom: &str) -> bool {
    let fields = serde_json::from_str::<Fields>(custom);
    fields.is_ok_and(|fields| fields.get("handoff").is_some_and(|handoff| handoff.get() == "true"))
}

fn reason(control: &str) -> Option<String> {
    let fields: Fields = serde_json::from_str(control).ok()?;
    let reason: String = serde_json::from_str(fields.get("reason")?.get()).ok()?;
    let reason = reason.trim();
    (!reason.is_empty()).then(|| cut(reason, NAME_MAX))
}

/// The fields of an object, each as its JSON text; of a key that comes twice the last one.
type Fields<'a> = BTreeMap<String, &'a RawValue>;

fn fields(value: &RawValue) -> Option<Fields<'_>> {
    serde_json::from_str(value.get()).ok()
}

fn list(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

impl From<Fields<'_>> for Item {
    fn from(mut fields: Fields) -> Item {
        // The sender id that the bot was asked with.
        fields.remove("recipient_id");
        let mut rest = Vec::new();
        let mut buttons = Vec::new();
        // Some channels' word for buttons is `quick_replies`.
        for name in ["buttons", "quick_replies"] {
            let Some(offered) = fields.remove(name) else { continue };
            let odd = match list(offered) {
                Some(offered) => {
                    let (some, odd) = self::buttons(offered);
                    buttons.extend(some);
                    format!("[{}]", odd.join(","))
                }
                None => without_blanks(offered.get()),
            };
            rest.push((name.to_owned(), odd));
        }
        let custom = fields.remove("custom").map(|custom| without_blanks(custom.get()));
        Item {
            text: fields.remove("text").and_then(text),
            buttons,
            image: fields.remove("image").and_then(text),
            custom: custom.filter(|custom| is_something(custom)),
            rest: object(rest, fields),
            nulled: false,
        }
    }
}

/// The JSON text of an object of these fields, but for those that say nothing.
fn object(fields: Vec<(String, String)>, more: Fields) -> Option<String> {
    let more = more.into_iter().map(|(name, value)| (name, without_blanks(value.get())));
    let fields = fields.into_iter().chain(more).filter(|(_, value)| is_something(value));
    let fields: Vec<String> =
        fields.map(|(name, value)| format!("{}:{value}", Value::from(name))).collect();
    (!fields.is_empty()).then(|| format!("{{{}}}", fields.join(",")))
}

/// A field as text; null and the empty text are absent.
fn text(value: &RawValue) -> Option<String> {
    let json = value.get();
    let text = serde_json::from_str(json).unwrap_or_else(|_| without_blanks(json));
    (json != "null" && !text.is_empty()).then_some(text)
}

/// The buttons of a list, and the JSON texts of the elements that are not understood, or not
/// wholly.
fn buttons(offered: Vec<&RawValue>) -> (Vec<Button>, Vec<String>) {
    let (mut buttons, mut odd) = (Vec::new(), Vec::new());
    for offered in offered {
        let (button, is_understood) = fields(offered).map_or((None, false), button);
        buttons.extend(button);
        let json = without_blanks(offered.get());
        if !is_understood && is_something(&json) {
            odd.push(json);
        }
    }
    (buttons, odd)
}

/// A button, if the fields are enough for one, and whether all of them are understood.
fn button(mut fields: Fields) -> (Option<Button>, bool) {
    let mut field = |name| fields.remove(name).and_then(text);
    let title = field("title");
    let url = field("url");
    let kind = field("type").or(field("content_type"));
    let is_link = url.is_some() && kind.as_deref() == Some("web_url");
    let payload = if is_link { None } else { field("payload") };
    let is_known = kind.is_none_or(|kind| ["postback", "text", "web_url"].contains(&&*kind));
    let is_understood =
        is_known && fields.values().all(|more| !is_something(&without_blanks(more.get())));
    let titles = [title, payload.clone(), url.clone()];
    let Some(title) = titles.into_iter().flatten().find(|title| !title.trim().is_empty()) else {
        return (None, false);
    };
    let payload = payload.or(url.is_none().then(|| title.clone())).unwrap_or_default();
    (Some(Button { title, payload, url: url.map(Into::into), choice: None }), is_understood)
}

/// Whether a JSON text without blanks says anything.
fn is_something(json: &str) -> bool {
    !matches!(json, "null" | "[]" | "{}" | "\"\"")
}

fn kind(value: &RawValue) -> &'static str {
    match value.get().as_bytes().first() {
        Some(b'n') => "null",
        Some(b't' | b'f') => "true or false",
        Some(b'"') => "a string",
        Some(b'[') => "an array",
        Some(b'{') => "an object",
        _ => "a number",
    }
}

/// One item within the wire's limits, with so many buttons of the reply `before` its own. What was
/// left out is visible in its text. A custom payload and what was not understood beside it are two
/// messages.
fn said(item: Item, before: u32) -> Vec<Said> {
    let mut said =
        Said::text(Author::Bot, &cut(item.text.as_deref().unwrap_or_default(), TEXT_MAX));
    said.image = item.image.map(|image| cut(&image, IMAGE_MAX).into());
    let offered = item.buttons.len();
    // A cut payload or URL would be another one: such a button is of no use.
    let is_whole = |b: &Button| {
        b.payload.len() <= PAYLOAD_MAX && b.url.as_ref().is_none_or(|url| url.len() <= URL_MAX)
    };
    said.buttons = item.buttons.into_iter().filter(is_whole).take(BUTTONS_MAX).collect();
    for (button, place) in said.buttons.iter_mut().zip(1..) {
        button.title = cut(&button.title, TITLE_MAX);
        // Without buttons before it its place in the message says the number.
        button.choice = NonZeroU32::new(before + place).filter(|_| before > 0);
    }
    if said.buttons.len() < offered {
        mark(&mut said, CUT);
    }
    if item.nulled {
        mark(&mut said, NULLED);
    }
    let mut all = vec![said];
    for (payload, place) in item.custom.into_iter().chain(item.rest).zip(0..) {
        if place > 0 {
            all.push(Said::text(Author::Bot, ""));
        }
        attach(&mut all[place], &payload);
    }
    all.iter_mut().for_each(give_way);
    all
}

/// Gives a message its custom payload, or says that it is too large.
fn attach(said: &mut Said, json: &str) {
    match Custom::new(json) {
        Ok(custom) if fits(&custom) => said.custom = Some(custom),
        _ => mark(said, &without(json.len())),
    }
}

/// Whether a payload keeps its limits, also at a peer of 0.1.0. That one counts the bytes of the
/// values as it writes them itself: `1e15` has 18.
fn fits(custom: &Custom) -> bool {
    let value = custom.value();
    custom.as_str().len().max(value.to_string().len()) <= CUSTOM_MAX && depth(&value) <= DEPTH_MAX
}

/// How many levels of lists and objects a value has.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Buttons, custom and text give way, in this order, until the entry fits: limits count bytes as
/// they are, and JSON writes a control character in six.
fn give_way(said: &mut Said) {
    let mut lost_buttons = false;
    while encoded(said) > SAID_MAX && said.buttons.pop().is_some() {
        lost_buttons = true;
    }
    if lost_buttons {
        mark(said, CUT);
    }
    if encoded(said) > SAID_MAX
        && let Some(custom) = said.custom.take()
    {
        mark(said, &without(custom.as_str().len()));
    }
    let mut keep = said.text.len();
    while encoded(said) > SAID_MAX {
        keep = keep * 3 / 4;
        said.text = cut(&said.text, keep.max(CUT.len())).into();
    }
}

fn encoded(said: &Said) -> usize {
    serde_json::to_vec(said).expect("our own types have string keys and fit in memory").len()
}

fn without(bytes: usize) -> String {
    format!("[a custom payload of {bytes} bytes] {CUT}")
}

/// Says at the end of the text that something is left out, once.
fn mark(said: &mut Said, note: &str) {
    if note == CUT && said.text.ends_with(CUT) {
        return;
    }
    let text = cut(&said.text, TEXT_MAX - note.len() - 1);
    said.text = if text.is_empty() { note.into() } else { format!("{text}\n{note}").into() };
}

/// At most `limit` bytes of `text`, visibly cut at a character where it is longer.
fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(limit.saturating_sub(CUT.len()));
    format!("{}{CUT}", &text[..end])
}

#[cfg(test)]
mod tests;
