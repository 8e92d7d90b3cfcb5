//! The answers of the demo bot. It knows a few words, one for each thing that a bot can do.

use std::time::Duration;

use serde_json::{Value, json};

/// The name of the action that hands over and pauses the bot.
pub(super) const HANDOFF_ACTION: &str = "action_handoff";
const SORRY: &str =
    "Sorry, I did not understand that. Ask me for 'buttons', 'a picture', or 'a human'.";
const HELLO: &str = "Hello! I am the demo bot. Ask me for 'buttons', 'a picture', or 'a human'.";

/// What the bot does after a message.
#[derive(Debug, Default)]
pub(super) struct Move {
    /// The items of the answer, still without `recipient_id`.
    pub(super) items: Vec<Value>,
    /// The time before the answer.
    pub(super) after: Duration,
    /// Whether the bot pauses itself.
    pub(super) pauses: bool,
    /// The last action of the turn; `None` if the bot does nothing.
    pub(super) action: Option<&'static str>,
}

/// The answer to a message. `human_lines` are lines that a customer and an agent said to each
/// other: the agent's name, or `None` for the customer, and the text.
pub(super) fn reply(sender: &str, text: &str, human_lines: &[(Option<&str>, &str)]) -> Move {
    let text = text.trim().to_lowercase();
    let words: Vec<&str> = text.split(|letter: char| !letter.is_alphanumeric()).collect();
    let has = |word: &str| words.contains(&word);
    let items = match text.as_str() {
        "/affirm" | "yes" => vec![say("You said yes.")],
        "/deny" | "no" => vec![say("You said no.")],
        "payload handoff" => {
            let reason = "user_request";
            vec![json!({"custom": {"handoff": true, "reason": reason, "department": "support"}})]
        }
        "action handoff" => return hand_off(sender, Vec::new()),
        _ if text.starts_with('/') => vec![say(SORRY)],
        _ if text.contains("what do you remember") => vec![say(&remembered(human_lines))],
        _ if text.contains("who are you") => {
            vec![say("I am the demo bot of handoff. I know a few words, and when to call a human.")]
        }
        _ if has("human") => vec![say("Human Handoff")],
        _ if has("buttons") => vec![buttons()],
        _ if has("picture") => {
            vec![say("Here is a picture"), json!({"image": "https://example.invalid/cat.png"})]
        }
        _ if has("card") => {
            vec![json!({"custom": {"kind": "card", "title": "A card", "nested": {"n": 1}}})]
        }
        _ if has("two") => vec![say("First message"), say("Second message")],
        _ if has("slow") => {
            return Move {
                after: Duration::from_secs(3),
                ..listening(vec![say("That took me three seconds.")])
            };
        }
        _ if has("hi") || has("hello") || has("hey") => vec![say(HELLO)],
        _ => vec![say(SORRY)],
    };
    listening(items)
}

/// The answer after a `resume` without an `action_listen`: Rasa does not understand the message,
/// and runs the handoff action again.
pub(super) fn hand_off_again(sender: &str) -> Move {
    hand_off(sender, vec![say("Sorry, I did not understand.")])
}

/// Hands over by a text and a payload, and pauses the bot.
fn hand_off(sender: &str, mut items: Vec<Value>) -> Move {
    items.push(say("Human Handoff"));
    let intent = "ask_human_action";
    items.push(
        json!({"custom": {"handoff": true, "sender": sender, "intent": intent, "metadata": {}}}),
    );
    Move { items, pauses: true, action: Some(HANDOFF_ACTION), ..Move::default() }
}

fn listening(items: Vec<Value>) -> Move {
    Move { items, action: Some("action_listen"), ..Move::default() }
}

fn say(text: &str) -> Value {
    json!({ "text": text })
}

fn buttons() -> Value {
    let buttons =
        [json!({"title": "Yes", "payload": "/affirm"}), json!({"title": "No", "payload": "/deny"})];
    json!({"text": "Pick one", "buttons": buttons})
}

fn remembered(lines: &[(Option<&str>, &str)]) -> String {
    if lines.is_empty() {
        return "Nothing: no human has told me anything yet.".into();
    }
    let quote = |(who, text): &(Option<&str>, &str)| {
        let text: String = text.chars().take(200).collect();
        format!("{} said \"{text}\"", who.unwrap_or("you"))
    };
    format!("The last I remember: {}.", lines.iter().map(quote).collect::<Vec<_>>().join("; "))
}
