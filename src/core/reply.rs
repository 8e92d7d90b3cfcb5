//! Reads the answer of a bot's REST channel: cuts its messages to the wire's limits, and finds the
//! trigger that hands over.
//!
//! This room is pure. `bot` asks the bot, and `session` decides what follows from an answer. A bot
//! is untrusted: every answer becomes checked values here, or a [`NotAReply`]. The format is that
//! of Rasa's REST channel.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::core::department::{Department, Language, Need};
use crate::core::text::is_same;
use crate::wire::custom::without_blanks;
use crate::wire::{
    Author, BUTTONS_MAX, Button, CUSTOM_MAX, Custom, ENTRY_MAX, IMAGE_MAX, NAME_MAX, PAYLOAD_MAX,
    Request, Said, TEXT_MAX, TITLE_MAX, URL_MAX,
};

mod mend;

/// The most messages of one reply.
pub const ITEMS_MAX: usize = 64;
/// The most levels of lists and objects in a custom payload. A peer's JSON reader may refuse an
/// entry with more.
pub const DEPTH_MAX: usize = 64;
/// The default trigger: the text with which a bot hands over.
pub const TRIGGER: &str = "Human Handoff";
/// The mark of a text from which something was left out.
const CUT: &str = "… [cut]";
/// The mark of a message in which a number became `null`.
const NULLED: &str = "[changed: a number that JSON cannot hold became null]";
/// The most bytes of an encoded message. With its number and time it is an entry, which may have
/// [`ENTRY_MAX`] bytes.
const SAID_MAX: usize = ENTRY_MAX - 256;

/// One item of a bot's answer, not yet cut to limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    /// The text. A number, `true` or `false` counts as text.
    pub text: Option<String>,
    /// The buttons that have a title, a payload or a URL.
    pub buttons: Vec<Button>,
    /// The URL of an image.
    pub image: Option<String>,
    /// The JSON text of a custom payload.
    pub custom: Option<String>,
    /// The JSON text of an object with the fields that are not understood. It is shown as a custom
    /// payload.
    pub rest: Option<String>,
    /// Whether one of its numbers became `null`.
    pub nulled: bool,
}

/// A bot's answer: messages within the wire's limits, and whether it hands over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The messages in order, without the trigger.
    pub said: Vec<Said>,
    /// The handoff, if the bot hands over.
    pub handoff: Option<Handoff>,
}

/// A bot's request to hand over to an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handoff {
    /// The reason, if the bot gave one.
    pub reason: Option<String>,
    /// What the bot said of the department and the language.
    pub need: Need,
}

impl Handoff {
    /// What a former request said.
    pub fn of(request: &Request) -> Handoff {
        Handoff { reason: request.reason.clone(), need: Need::of(request) }
    }

    /// Takes from a trigger what earlier triggers of the same reply did not say.
    fn learn(&mut self, control: &str) {
        let named = |name| named(control, name);
        let Need { department, language } = &mut self.need;
        if self.reason.is_none() {
            self.reason = named("reason").map(|reason| cut(&reason, NAME_MAX));
        }
        if department.is_none() {
            *department = named("department").and_then(|name| Department::new(&name));
        }
        if language.is_none() {
            *language = named("language").and_then(|name| Language::new(&name));
        }
    }
}

/// The texts with which a bot hands over.
#[derive(Clone, Debug)]
pub struct Triggers(Vec<String>);

/// Why the body of an HTTP answer is not a bot's answer.
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
        /// The number of that element, from 1.
        place: usize,
        /// What the element is.
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

/// Reads the body of a bot's answer. Repairs a byte order mark, half surrogates, and numbers that
/// JSON does not have.
///
/// # Errors
/// When the body is not a JSON array of objects. Odd fields within an object are no error: they
/// become [`Item::rest`].
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

/// A customer's line, as the bot may get it. With a leading slash a customer could trigger any
/// intent (`/restart` even ends a pause), so the bot gets a division slash (U+2215) instead.
pub fn for_bot(typed: &str) -> String {
    // Rasa strips the text before it looks for the slash, and Python's str.strip() also removes
    // U+001C to U+001F.
    let typed = typed
        .trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '\x1c'..='\x1f'));
    match typed.strip_prefix('/') {
        Some(rest) => format!("\u{2215}{rest}"),
        None => typed.to_owned(),
    }
}

/// The button of a menu that a customer chose: by its title, by its number, or by both as they are
/// shown (`2) No`). Titles go before numbers: if the titles are 5, 4, 3, 2 and 1, a typed `5` means
/// the title 5. Of equal titles the first is chosen.
pub fn choice<'a>(menu: &'a [Button], typed: &str) -> Option<&'a Button> {
    let typed = typed.trim();
    let numbered = |digits: &str| {
        // `parse` would accept a sign, too.
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

/// The customer's line for a chosen button: its title. If other buttons of the menu have the same
/// title, its number stands before it.
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
    /// These texts without blank ones; the default trigger if no text is left.
    pub fn new<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Triggers {
        let texts: Vec<String> =
            texts.into_iter().map(|text| text.as_ref().trim().to_owned()).collect();
        let texts: Vec<String> = texts.into_iter().filter(|text| !text.is_empty()).collect();
        if texts.is_empty() { Triggers::default() } else { Triggers(texts) }
    }

    /// Separates the messages of an answer from its triggers. Several triggers are one handoff. The
    /// buttons of all messages together are numbered from 1.
    pub fn read(&self, items: Vec<Item>) -> Reply {
        let mut reply = Reply::default();
        let mut left_out = false;
        let mut buttons: u32 = 0;
        for mut item in items {
            let control = item.custom.take_if(|custom| is_control(custom));
            let trigger = item.text.take_if(|text| self.matches(text));
            if control.is_some() || trigger.is_some() {
                let handoff = reply.handoff.get_or_insert_default();
                control.iter().for_each(|control| handoff.learn(control));
                // If only the trigger was in the item, no number that became `null` is left.
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

/// Whether two texts are the same to a reader, apart from blanks around them.
fn same(one: &str, other: &str) -> bool {
    is_same(one.trim(), other.trim())
}

/// Whether a payload is a trigger.
fn is_control(custom: &str) -> bool {
    let fields = serde_json::from_str::<Fields>(custom);
    fields.is_ok_and(|fields| fields.get("handoff").is_some_and(|handoff| handoff.get() == "true"))
}

/// The string that a trigger has under this name, without blanks at its ends; `None` for an empty
/// one.
fn named(control: &str, name: &str) -> Option<String> {
    let fields: Fields = serde_json::from_str(control).ok()?;
    let text: String = serde_json::from_str(fields.get(name)?.get()).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The fields of an object, each as its JSON text. If a key occurs twice, the last one counts.
type Fields<'a> = BTreeMap<String, &'a RawValue>;

fn fields(value: &RawValue) -> Option<Fields<'_>> {
    serde_json::from_str(value.get()).ok()
}

fn list(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

impl From<Fields<'_>> for Item {
    fn from(mut fields: Fields) -> Item {
        // Rasa repeats the sender id of the request in each item.
        fields.remove("recipient_id");
        let mut rest = Vec::new();
        let mut buttons = Vec::new();
        // Some channels have `quick_replies` for buttons.
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

/// The JSON text of an object with these fields, without the empty ones. `None` if none is left.
fn object(fields: Vec<(String, String)>, more: Fields) -> Option<String> {
    let more = more.into_iter().map(|(name, value)| (name, without_blanks(value.get())));
    let fields = fields.into_iter().chain(more).filter(|(_, value)| is_something(value));
    let fields: Vec<String> =
        fields.map(|(name, value)| format!("{}:{value}", Value::from(name))).collect();
    (!fields.is_empty()).then(|| format!("{{{}}}", fields.join(",")))
}

/// A field as text. `None` if it is null or empty.
fn text(value: &RawValue) -> Option<String> {
    let json = value.get();
    let text = serde_json::from_str(json).unwrap_or_else(|_| without_blanks(json));
    (json != "null" && !text.is_empty()).then_some(text)
}

/// The buttons of a list, and the JSON texts of the elements that are not fully understood.
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

/// The button of these fields, if they are enough for one, and whether every field is understood.
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

/// Whether a JSON text, without blanks, is not empty.
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

/// The messages of one item, within the wire's limits. `before` is the number of buttons in earlier
/// items of the reply. A mark in the text shows that something was left out. A custom payload, and
/// the fields that were not understood, are two messages.
fn said(item: Item, before: u32) -> Vec<Said> {
    let mut said =
        Said::text(Author::Bot, &cut(item.text.as_deref().unwrap_or_default(), TEXT_MAX));
    said.image = item.image.map(|image| cut(&image, IMAGE_MAX).into());
    let offered = item.buttons.len();
    // A cut payload or URL would mean something else, so such a button is left out.
    let is_whole = |b: &Button| {
        b.payload.len() <= PAYLOAD_MAX && b.url.as_ref().is_none_or(|url| url.len() <= URL_MAX)
    };
    said.buttons = item.buttons.into_iter().filter(is_whole).take(BUTTONS_MAX).collect();
    for (button, place) in said.buttons.iter_mut().zip(1..) {
        button.title = cut(&button.title, TITLE_MAX);
        // In the first message with buttons, a button's number is its place in the message.
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
    all.iter_mut().for_each(shrink);
    all
}

/// Attaches a custom payload to a message, or a mark that the payload is too large.
fn attach(said: &mut Said, json: &str) {
    match Custom::new(json) {
        Ok(custom) if fits(&custom) => said.custom = Some(custom),
        _ => mark(said, &without(json.len())),
    }
}

/// Whether a payload is within its limits, also at a peer of release 0.1.0. That release parses the
/// payload and counts the bytes of its own spelling, which may be longer: `1e15` counts as 18
/// bytes.
fn fits(custom: &Custom) -> bool {
    let value = custom.value();
    custom.as_str().len().max(value.to_string().len()) <= CUSTOM_MAX && depth(&value) <= DEPTH_MAX
}

/// The number of levels of lists and objects in a value.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Removes buttons, then the custom payload, then text, until the encoded message fits. Messages
/// within all limits of their parts can still be too large: JSON writes a control character in six
/// bytes.
fn shrink(said: &mut Said) {
    let mut has_lost_buttons = false;
    while encoded(said) > SAID_MAX && said.buttons.pop().is_some() {
        has_lost_buttons = true;
    }
    if has_lost_buttons {
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

/// Adds a mark at the end of the text. The mark [`CUT`] is added only once.
fn mark(said: &mut Said, note: &str) {
    if note == CUT && said.text.ends_with(CUT) {
        return;
    }
    let text = cut(&said.text, TEXT_MAX - note.len() - 1);
    said.text = if text.is_empty() { note.into() } else { format!("{text}\n{note}").into() };
}

/// At most `limit` bytes of `text`. A longer text is cut between two characters, with a mark.
fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(limit.saturating_sub(CUT.len()));
    format!("{}{CUT}", &text[..end])
}

#[cfg(test)]
mod tests;
