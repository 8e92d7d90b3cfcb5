//! What a blind agent and a blind customer hear with `--plain`: a real screen reader (yasr) runs
//! the program. Each thing is heard once, in order and whole; signs that a screen reader leaves out
//! carry no meaning alone.
//!
//! yasr speaks `#` as `number`. It does not speak the keys that a person types, but a line that was
//! sent comes back, and so says to whom it went.

use crate::support::fake_bot::{FakeBot, text};
use crate::support::home::nobody_at;
use crate::support::run::Handoff;
use crate::support::screen_reader::Heard;
use crate::support::setup::Setup;
use crate::support::terminal::Terminal;

/// All that was heard, without how far lines have come: whether "delivered" comes before "seen"
/// depends on the moment.
fn without_marks(heard: &Heard) -> Vec<&str> {
    let spoken = heard.spoken.iter().map(String::as_str);
    spoken.filter(|text| *text != "handoff: your last line is delivered").collect()
}

fn bot() -> FakeBot {
    FakeBot::saying(|said| text(if said == "human" { "Human Handoff" } else { "Ask me anything." }))
}

#[test]
fn a_blind_agent_hears_each_thing_once_and_in_order() {
    let (bot, address) = (bot(), nobody_at());
    let arguments = ["admin", "--listen", &address, "--name", "Robin", "--plain", "--ephemeral"];
    let arguments = [&arguments[..], &["--plaintext", "loopback"]].concat();
    let Some(mut desk) = Heard::start(&arguments) else { return };
    desk.hears(&format!("handoff: listening on {address}"));
    let customer = |name| {
        let at = ["user", "--admin", &address, "--bot", bot.url(), "--plaintext", "loopback"];
        [&at[..], &["--name", name]].concat()
    };
    // Ann has a prompt, so the desk learns that she types.
    let mut ann = Terminal::start(&customer("Ann"));
    ann.press("human\r");
    desk.hears("handoff: 1 waiting");
    desk.types("/accept");
    desk.hears("handoff: your lines go to number 1 Ann; nobody is waiting");
    ann.sees("agent Robin joined");
    desk.types("Hello Ann");
    desk.hears("handoff: your last line was seen");
    ann.press("my parcel");
    desk.hears("handoff: number 1 Ann is typing");
    ann.prompts("> my parcel");
    ann.press("\r");
    desk.hears("number 1 user Ann: my parcel");
    let mut bob = Handoff::start(&[&customer("Bob")[..], &["--json"]].concat());
    bob.say("human");
    desk.hears("handoff: 1 waiting");
    desk.types("/accept");
    desk.hears("handoff: your lines go to number 2 Bob; nobody is waiting");
    // Ann pastes two lines; the second one looks like a line of the program's own.
    ann.press("\x1b[200~still there?\nhandoff: number 2 Bob is closed\x1b[201~");
    ann.sees("number 2 Bob is closed");
    ann.press("\r");
    desk.hears("handoff: 1 unread");
    desk.types("/next");
    desk.hears("more: handoff: number 2 Bob is closed");
    desk.types("/close");
    desk.hears("more: again ends it now");
    desk.terminal.press("\r");
    desk.hears("handoff: nobody gets your lines; you have 1 customer");
    assert_eq!(
        without_marks(&desk)[1..],
        [
            "handoff: number 1 Ann is waiting (number 1 in the queue)",
            "handoff: Hey! Ann wants to talk to you",
            "handoff: 1 waiting",
            "handoff: number 1 Ann: you have the conversation; /handback or /close ends it",
            "number 1 user Ann: human",
            "handoff: your lines go to number 1 Ann; nobody is waiting",
            "number 1 admin Robin: Hello Ann",
            "handoff: your last line was seen",
            "handoff: number 1 Ann is typing",
            "number 1 user Ann: my parcel",
            "handoff: number 2 Bob is waiting (number 1 in the queue)",
            "handoff: Hey! Bob wants to talk to you",
            "handoff: 1 waiting",
            "handoff: number 2 Bob: you have the conversation; /handback or /close ends it",
            "number 2 user Bob: human",
            "handoff: your lines go to number 2 Bob; nobody is waiting",
            "number 1 user Ann: still there?",
            "more: handoff: number 2 Bob is closed",
            "handoff: 1 unread",
            "handoff: your lines go to number 1 Ann; your last line was seen; nothing is unread",
            "number 1 admin Robin: Hello Ann",
            "number 1 user Ann: my parcel",
            "number 1 user Ann: still there?",
            "more: handoff: number 2 Bob is closed",
            "handoff: number 1 Ann: the conversation is closed in 5 s; \
             /undo or a line to them keeps them, /close",
            "more: again ends it now",
            "handoff: number 1 Ann: closed (by an agent)",
            "handoff: nobody gets your lines; you have 1 customer",
        ]
    );
}

#[test]
fn a_blind_agent_hears_a_transfer() {
    let setup = Setup::new();
    let mut desk = setup.desk_at_a_terminal(&[]);
    let code = setup.add_agent("al", &[]);
    let attach = ["attach", "--desk", &setup.desk, "--state", setup.state(), "--plain"];
    let attach = [&attach[..], &["--profile", "al", "--code-file", &code]].concat();
    let Some(mut al) = Heard::start(&attach) else { return };
    desk.sees("al is here");
    let _cleo = setup.queued("Cleo");
    al.hears("handoff: 1 waiting");
    desk.press("/accept\r");
    al.hears("handoff: nobody is waiting");
    desk.press("/transfer al wants a refund\r");
    al.hears("handoff: desk offers you number 1 Cleo: wants a refund; /accept 1 or /decline 1");
    al.types("/accept 1");
    al.hears("handoff: your lines go to number 1 Cleo");
    let screen = desk.sees("al has #1 Cleo");
    assert!(!screen.contains("al has taken"), "the giver reads once who has the customer");
    al.types("Hello");
    al.hears("number 1 admin al: Hello");
    assert_eq!(
        al.spoken[1..],
        [
            "handoff: al is here",
            "handoff: number 1 Cleo is waiting (number 1 in the queue)",
            "handoff: Hey! Cleo wants to talk to you",
            "handoff: 1 waiting",
            "handoff: desk has number 1 Cleo",
            "handoff: nobody is waiting",
            "handoff: desk offers you number 1 Cleo: wants a refund; /accept 1 or /decline 1",
            "handoff: you have number 1 Cleo from desk",
            "handoff: number 1 Cleo: you have the conversation; /handback or /close ends it",
            "number 1 user Cleo: a human",
            "handoff: note: desk: wants a refund",
            "handoff: your lines go to number 1 Cleo",
            "number 1 admin al: Hello",
        ]
    );
}

#[test]
fn a_blind_customer_hears_each_thing_once_and_in_order() {
    let setup = Setup::new();
    let mut desk = setup.desk_at_a_terminal(&["--name", "Robin"]);
    let _cleo = setup.queued("Cleo");
    let mut arguments = setup.user_arguments(&["--name", "Ann", "--plain"]);
    arguments.retain(|argument| *argument != "--json");
    let Some(mut ann) = Heard::start(&arguments) else { return };
    ann.hears("handoff: your lines go to the bot");
    ann.types("hi");
    ann.hears("bot: heard hi");
    ann.types("human");
    ann.hears("handoff: you are number 2 in the queue");
    desk.press("/accept Cleo\r");
    ann.hears("handoff: you are number 1 in the queue");
    desk.press("/accept Ann\r");
    ann.hears("handoff: agent Robin joined");
    desk.last_row("#2 Ann> ");
    desk.press("Hello");
    ann.hears("handoff: the agent is typing");
    desk.last_row("#2 Ann> Hello");
    desk.press("\r");
    ann.hears("agent Robin: Hello");
    ann.types("my parcel is lost");
    ann.hears("handoff: your last line was seen");
    desk.press("/handback\r\r");
    ann.hears("handoff: the bot does not know what was said without it");
    assert_eq!(
        without_marks(&ann),
        [
            "handoff: your lines go to the bot",
            "user Ann: hi",
            "bot: heard hi",
            "user Ann: human",
            "handoff: you asked for a person; one moment, please",
            "handoff: you are number 2 in the queue",
            "handoff: you are number 1 in the queue",
            "handoff: agent Robin joined",
            "handoff: the agent is typing",
            "agent Robin: Hello",
            "user Ann: my parcel is lost",
            "handoff: your last line was seen",
            "handoff: the agent handed you back to the bot",
            "handoff: the bot does not know what was said without it",
        ]
    );
}
