//! What agents look up: conversations that have ended, and lines in all conversations.

use serde_json::{Value, json};

use crate::support::run::Handoff;
use crate::support::setup::Setup;

use super::team::{has, robin_has_cleo};

/// The result of a search with this customer.
fn result(agent: &mut Handoff, customer: &str) -> Value {
    agent.until(|event| event["event"] == "notice" && event["customer"] == customer)
}

/// Fields of a result.
fn parts(found: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| found[*name].clone()).collect()
}

#[test]
fn an_ended_conversation_is_listed_with_its_agent_its_end_its_note_and_its_tags() {
    let setup = Setup::new();
    let (_desk, [mut robin, mut al], mut cleo) = robin_has_cleo(&setup, &[]);
    robin.say("/tag vip");
    robin.say("/handback sent it again");
    cleo.until_state("bot");
    let mut bo = setup.queued("Bo");
    bo.say("/end");
    bo.until_state("closed");
    let mut dan = setup.queued("Dan");
    al.say("/accept 3");
    al.until(has("al"));
    al.say("/block");
    dan.until_state("closed");
    let mut eve = setup.queued("Eve");
    eve.say("/bot");
    eve.until_state("bot");
    al.until(|event| event["n"] == 4 && event["state"] == "bot");
    al.say("/list ended");
    let names = ["n", "agent", "state", "reason", "blocked", "tags"];
    let no = Value::Null;
    let found = result(&mut al, "Eve");
    assert_eq!(parts(&found, &names), json!([4, no, "bot", "withdrawn", no, no]));
    assert!(
        found["text"].as_str().is_some_and(|text| text.ends_with("  the customer stopped waiting"))
    );
    let found = result(&mut al, "Dan");
    assert_eq!(parts(&found, &names), json!([3, "al", "closed", "admin_closed", true, no]));
    let text = found["text"].as_str().expect("a text");
    assert!(text.contains("  al: closed, and the customer is blocked  note: al: "), "{text}");
    let found = result(&mut al, "Bo");
    assert_eq!(parts(&found, &names), json!([2, no, "closed", "user_ended", no, no]));
    let found = result(&mut al, "Cleo");
    assert_eq!(parts(&found, &names), json!([1, "robin", "bot", "handed_back", no, ["vip"]]));
    assert_eq!(found["note"], "robin: sent it again");
    let end = "  robin: handed back to the bot  [vip]  note: robin: sent it again";
    assert!(found["text"].as_str().is_some_and(|text| text.ends_with(end)), "{found}");
    // A customer who waits again has not left.
    cleo.say("a human, again");
    al.until(|event| event["n"] == 1 && event["state"] == "queued");
    let before = al.events().len();
    al.say("/list ended");
    result(&mut al, "Bo");
    assert!(!al.events()[before..].iter().any(|event| event["customer"] == "Cleo"));
}

#[test]
fn a_customer_who_was_turned_away_is_listed_so_and_is_back_from_their_last_real_conversation() {
    let setup = Setup::new();
    let mut desk = setup.admin(&[]);
    let mut ann = setup.queued("Ann");
    desk.say("/accept 1");
    ann.until_state("active");
    desk.say("please go\n/block");
    ann.until_state("closed");
    for n in [2, 3] {
        ann.say("/new");
        ann.say("a human");
        ann.until_state("closed");
        desk.until_told("notice", &format!("#{n} Ann is blocked (#1), and was turned away"));
        ann.until(|event| event["event"] == "delivered" && event["number"] == 3);
    }
    desk.kill();
    let mut desk = setup.admin(&[]);
    desk.say("/list ended");
    let names = ["n", "state", "turned_away", "blocked"];
    for n in [3, 2] {
        let found = result(&mut desk, "Ann");
        assert_eq!(parts(&found, &names), json!([n, "closed", true, null]));
        let text = found["text"].as_str().expect("a text");
        assert!(text.ends_with("  turned away: the customer was blocked"), "{text}");
    }
    assert_eq!(parts(&result(&mut desk, "Ann"), &names), json!([1, "closed", null, true]));
    desk.say("/unblock 1");
    ann.say("/new");
    ann.say("a human");
    let back = desk.until(|event| event["n"] == 4 && event["state"] == "queued");
    assert_eq!(back["former"], 1, "#2 and #3 were turned away");
}

#[test]
fn a_line_that_is_found_says_who_wrote_it() {
    let setup = Setup::new();
    let (_desk, [mut robin, mut al], mut cleo) = robin_has_cleo(&setup, &[]);
    cleo.say("parcel 1");
    robin.until_text("parcel 1");
    robin.say("parcel 2");
    cleo.until_text("parcel 2");
    al.say("/find parcel");
    let names = ["author", "agent"];
    let found = result(&mut al, "Cleo");
    assert_eq!(parts(&found, &names), json!(["admin", "robin"]));
    assert!(found["text"].as_str().is_some_and(|text| text.ends_with("  robin: parcel 2")));
    let found = result(&mut al, "Cleo");
    assert_eq!(parts(&found, &names), json!(["user", null]));
    assert!(found["text"].as_str().is_some_and(|text| text.ends_with("  customer: parcel 1")));
}

#[test]
fn help_fits_a_window_of_24_rows_and_says_more_about_one_command() {
    let setup = Setup::new();
    let mut desk = setup.desk_in_a_window(80, &[]);
    desk.resize(80, 24);
    desk.press("/help\r");
    desk.until_rows(
        |rows| {
            let has = |text: &str| rows.iter().any(|row| row.contains(text));
            has("-- /accept [N]") && has("-- N is a customer's number or name")
        },
        "all of /help",
    );
    desk.press("/help block\r");
    desk.sees("/block [#N] [identity|address|conversation] [TIME]");
    desk.press("/help blok\r");
    desk.sees("there is no command /blok; /help shows them");
}

#[test]
fn a_program_sends_a_message_of_several_lines() {
    let setup = Setup::new();
    let (_desk, [mut robin, _], mut cleo) = robin_has_cleo(&setup, &[]);
    robin.say(r#"/json #1 "/first\nsecond""#);
    cleo.until_text("/first\nsecond");
    cleo.say(r#"/json "third\nfourth""#);
    robin.until_text("third\nfourth");
    robin.say("/json third");
    robin.until_told("error", "/json takes a text as a JSON string");
}
