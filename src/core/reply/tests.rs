use std::num::NonZeroU32;

use serde_json::json;

use super::{
    CUT, Handoff, ITEMS_MAX, Item, NULLED, Reply, TRIGGER, Triggers, choice, echo, for_bot, parse,
};
use crate::core::department::Need;
use crate::wire::{
    self, Author, Body, Button, CUSTOM_MAX, Custom, ENTRY_MAX, Entry, Message, Said, URL_MAX,
};

mod limits;

fn read(body: &str) -> Reply {
    Triggers::default().read(parse(body.as_bytes()).unwrap())
}

/// The text of the only message's custom payload.
fn custom(body: &str) -> Option<String> {
    let reply = read(body);
    assert_eq!(reply.said.len(), 1, "{body}");
    assert_fits(&reply.said[0]);
    payload(&reply.said[0]).map(str::to_owned)
}

fn payload(said: &Said) -> Option<&str> {
    said.custom.as_ref().map(Custom::as_str)
}

fn button(title: &str, payload: &str) -> Button {
    Button { title: title.into(), payload: payload.into(), ..Button::default() }
}

fn texts(reply: &Reply) -> Vec<&str> {
    reply.said.iter().map(|said| &*said.text).collect()
}

/// Encodes a message as an entry with the largest numbers and reads it back. Fails if a limit is
/// broken.
fn assert_fits(said: &Said) {
    let entry = Entry { number: u64::MAX, at: u64::MAX, body: Body::Message(said.clone()) };
    let mut frame = Vec::new();
    wire::encode(&Message::Entry(entry.clone()), &mut frame);
    assert!(frame.len() <= ENTRY_MAX, "{} bytes", frame.len());
    let mut decoder = wire::Decoder::default();
    decoder.accept();
    decoder.push(frame);
    assert_eq!(decoder.message().unwrap(), Some(Message::Entry(entry)));
}

#[test]
fn every_shape_of_rasa_is_read() {
    let reply = read(
        r#"[{"recipient_id":"p1","text":"Pick one","buttons":[{"title":"Yes","payload":"\/greet"}]},
            {"recipient_id":"p1","image":"https:\/\/example.invalid\/cat.png"},
            {"recipient_id":"p1","text":"Here","image":"https://example.invalid/dog.png"},
            {"recipient_id":"p1","custom":{"kind":"card","nested":{"n":1}}}]"#,
    );
    assert_eq!(reply.handoff, None);
    assert_eq!(texts(&reply), ["Pick one", "", "Here", ""]);
    assert_eq!(reply.said[0].buttons, [button("Yes", "/greet")]);
    assert_eq!(reply.said[1].image.as_deref(), Some("https://example.invalid/cat.png"));
    assert_eq!(reply.said[2].image.as_deref(), Some("https://example.invalid/dog.png"));
    assert_eq!(payload(&reply.said[3]), Some(r#"{"kind":"card","nested":{"n":1}}"#));
    assert_eq!(read("[]"), Reply::default());
}

#[test]
fn odd_fields_are_kept_as_text_or_payload() {
    let reply = read(
        r#"[{"text":7},{"text":true},{"text":null,"buttons":null,"image":null,"custom":null},{},
            {"text":"x","buttons":[{"title":"only"},{"payload":"/p"},{},null]},{"text":1e2},
            {"text":["a", 1]},{"attachment":{"type":"file"}},{"custom":{}}]"#,
    );
    assert_eq!(texts(&reply), ["7", "true", "x", "1e2", r#"["a",1]"#, ""]);
    let buttons: Vec<_> = reply.said[2].buttons.iter().map(|b| (&*b.title, &*b.payload)).collect();
    assert_eq!(buttons, [("only", "only"), ("/p", "/p")]);
    assert_eq!(payload(&reply.said[5]), Some(r#"{"attachment":{"type":"file"}}"#));
}

#[test]
fn a_payload_arrives_as_it_was_written() {
    for json in [
        "18446744073709551617",
        "-5.638328875253617e-297",
        r#"{"b":1.0,"a":1,"c":[1e2,1E+2,-0,0.1000,-9223372036854775809]}"#,
        r#"{"twice":1,"twice":2}"#,
        r#""\u00e9\/é""#,
    ] {
        assert_eq!(custom(&format!(r#"[{{"custom": {json}}}]"#)).as_deref(), Some(json));
    }
    assert_eq!(custom("[{\"custom\":{ \"a\" :\n[1, 2] }}]").as_deref(), Some(r#"{"a":[1,2]}"#));
}

#[test]
fn no_part_of_an_item_is_dropped_without_a_trace() {
    let rest = |item: &str| custom(&format!("[{item}]")).unwrap();
    assert_eq!(rest(r#"{"recipient_id":"p","text":"y","buttons":"no"}"#), r#"{"buttons":"no"}"#);
    assert_eq!(
        rest(r#"{"text":"y","elements":[{"n":1.0}],"metadata":{}}"#),
        r#"{"elements":[{"n":1.0}]}"#
    );
    let odd = r#"{"text":"y","buttons":[{"title":"a","payload":"/a"},3,
        {"title":"Call","type":"phone_number","payload":"+1"}]}"#;
    assert_eq!(
        rest(odd),
        r#"{"buttons":[3,{"title":"Call","type":"phone_number","payload":"+1"}]}"#
    );
    assert_eq!(
        read(&format!("[{odd}]")).said[0].buttons,
        [button("a", "/a"), button("Call", "+1")]
    );
    assert_eq!(
        rest(r#"{"quick_replies":[{"content_type":"location"}]}"#),
        r#"{"quick_replies":[{"content_type":"location"}]}"#
    );

    // `custom` stays in its message, where programs expect it; the rest becomes a message of its
    // own.
    let both = read(
        r#"[{"text":"Look","custom":{"kind":"card"},"attachment":{"type":"file"},"b":1},
            {"text":"Next"}]"#,
    );
    assert_eq!(texts(&both), ["Look", "", "Next"]);
    assert_eq!(payload(&both.said[0]), Some(r#"{"kind":"card"}"#));
    assert_eq!(payload(&both.said[1]), Some(r#"{"attachment":{"type":"file"},"b":1}"#));

    // Text beside a trigger is shown, too.
    let trigger =
        read(r#"[{"text":"Human Handoff","image":"http://a/b","custom":{"kind":"card"}}]"#);
    assert_eq!(
        (texts(&trigger), payload(&trigger.said[0])),
        (vec![""], Some(r#"{"kind":"card"}"#))
    );
    let control = read(r#"[{"custom":{"handoff":true,"reason":"r"},"attachment":[1]}]"#);
    assert_eq!(
        (payload(&control.said[0]), control.handoff.is_some()),
        (Some(r#"{"attachment":[1]}"#), true)
    );
}

#[test]
fn a_reply_with_pythons_nan_and_half_surrogates_is_repaired() {
    let reply = read(
        "\u{feff}[{\"text\":\"a\\ud83d!\"},
            {\"text\":\"score\",\"custom\":{\"of\":NaN,\"n\":[-Infinity,7]}}]",
    );
    assert_eq!(&*reply.said[0].text, "a\u{fffd}!");
    assert_eq!(reply.said[1].text, format!("score\n{NULLED}").into());
    assert_eq!(payload(&reply.said[1]), Some(r#"{"of":null,"n":[null,7]}"#));
    assert_eq!(texts(&read(r#"[{"text":NaN},{"text":"hi"}]"#)), [NULLED, "hi"]);
    let payload = self::custom(r#"[{"custom":{"\udc00\ud83d\ude00":"\uDBFF"}}]"#);
    assert_eq!(payload.as_deref(), Some(r#"{"\ufffd\ud83d\ude00":"\ufffd"}"#));
    let control = read(r#"[{"custom":{"handoff":true,"reason":"r","score":NaN}}]"#);
    assert_eq!((control.said.len(), control.handoff.unwrap().reason.as_deref()), (0, Some("r")));
}

#[test]
fn quick_replies_are_buttons_and_a_web_url_is_a_link() {
    let reply = read(
        r#"[{"text":"Which?","buttons":[
              {"title":"Open","type":"web_url","url":"https://a/b"},{"url":"https://c"},
              {"title":"Both","type":"postback","payload":"/both","url":"https://d"}],
             "quick_replies":[{"content_type":"text","title":"Red","payload":"/red"}]}]"#,
    );
    let said = &reply.said[0];
    assert_fits(said);
    assert_eq!(payload(said), None);
    let seen = |b: &Button| {
        (b.title.clone(), b.payload.clone(), b.url.as_deref().unwrap_or("-").to_owned())
    };
    let seen: Vec<_> = said.buttons.iter().map(seen).collect();
    let expected = [
        ("Open", "", "https://a/b"),
        ("https://c", "", "https://c"),
        ("Both", "/both", "https://d"),
        ("Red", "/red", "-"),
    ];
    assert_eq!(
        seen,
        expected.map(|(title, payload, url)| (
            title.to_owned(),
            payload.to_owned(),
            url.to_owned()
        ))
    );
    let links: Vec<_> = said.buttons.iter().map(|button| button.link().is_some()).collect();
    assert_eq!(links, [true, true, false, false]);
    let long = json!([{"text": "x", "buttons": [{"title": "t", "url": "u".repeat(URL_MAX + 1)}]}])
        .to_string();
    assert_eq!((read(&long).said[0].buttons.len(), &*read(&long).said[0].text), (0, "x\n… [cut]"));
}

#[test]
fn the_buttons_of_a_whole_reply_are_numbered_from_1() {
    let reply = read(
        r#"[{"text":"Sure?","buttons":[{"title":"Yes","payload":"/sure"},
                {"title":"No","payload":"/unsure"}]},
            {"text":"Meanwhile"},{"buttons":[{"title":"YES","payload":"/news"},
                {"title":"5","payload":"/five"}]}]"#,
    );
    let menu: Vec<Button> = reply.said.iter().flat_map(Said::choices).collect();
    let numbers: Vec<_> = menu.iter().map(|button| button.choice.map(NonZeroU32::get)).collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(3), Some(4)]);
    assert_eq!(
        reply.said[0].buttons[1].choice, None,
        "its place in the list is its number, as in 0.1.0"
    );
    let chosen =
        |typed: &str| choice(&menu, typed).map(|button| (&*button.payload, echo(&menu, button)));
    assert_eq!(chosen("no"), Some(("/unsure", "No".into())));
    assert_eq!(
        chosen("3"),
        Some(("/news", "3) YES".into())),
        "the number tells two equal titles apart"
    );
    assert_eq!(chosen("yes"), Some(("/sure", "1) Yes".into())));
    assert_eq!(chosen("3) YES"), Some(("/news", "3) YES".into())), "as a restart reads it");
    assert_eq!(chosen("5"), Some(("/five", "5".into())));
}

#[test]
fn titles_and_triggers_are_compared_as_a_reader_does() {
    let menu = [button("Straße", "/street"), button("Caf\u{e9}", "/cafe"), button("ΌΣΟΣ", "/all")];
    for (typed, payload) in
        [("strasse", "/street"), ("STRASSE", "/street"), ("cafe\u{301}", "/cafe"), ("όσος", "/all")]
    {
        assert_eq!(choice(&menu, typed).map(|button| &*button.payload), Some(payload), "{typed}");
    }
    assert_eq!(choice(&menu, "Cafe"), None, "an accent is a difference");
    let triggers = Triggers::new(["U\u{308}bergabe, Straße"]);
    let item = Item { text: Some("ÜBERGABE, STRASSE".into()), ..Item::default() };
    assert!(triggers.read(vec![item]).handoff.is_some());
}

#[test]
fn an_answer_that_is_no_reply_is_called_that() {
    let error = |body: &[u8]| parse(body).unwrap_err().to_string();
    assert_eq!(error(b"null"), "null where an array of messages is due");
    assert_eq!(error(b"{}"), "an object where an array of messages is due");
    assert_eq!(error(b"[\"\xff\"]"), "bytes that are not UTF-8");
    assert_eq!(error(b"[{}, 3]"), "a number as message 2");
    assert!(error(b"<html>").starts_with("text that is not JSON"));
    assert!(error(b"").starts_with("text that is not JSON"));
    assert!(error("[".repeat(100_000).as_bytes()).starts_with("text that is not JSON"));
    assert!(error(b"[{\"text\":NaNny}]").starts_with("text that is not JSON"));
}

#[test]
fn hostile_json_is_read_or_refused() {
    let deep = format!(r#"[{{"custom":{}{}}}]"#, "[".repeat(500_000), "]".repeat(500_000));
    assert!(read(&deep).said[0].text.starts_with("[a custom payload of 1000000 bytes]"));
    for number in ["1e999".to_owned(), "9".repeat(1_000_000)] {
        // Many JSON readers, that of 0.1.0 too, refuse the whole text around such a number.
        let reply = read(&format!(r#"[{{"custom":[{number}]}}]"#));
        assert_eq!((payload(&reply.said[0]), &*reply.said[0].text), (Some("[null]"), NULLED));
    }
    // 0.1.0 writes each of them in 18 bytes.
    let grows = format!("[{}1]", "1e15,".repeat(1_600));
    assert!(grows.len() < CUSTOM_MAX);
    assert_eq!(custom(&format!(r#"[{{"custom":{grows}}}]"#)), None);
    // If a key comes twice, the last one counts, both for the trigger and for the text that is
    // shown.
    let twice = self::read(
        r#"[{"text":"Human Handoff","text":"hi","custom":{"handoff":true,"handoff":false}}]"#,
    );
    assert_eq!((texts(&twice), &twice.handoff), (vec!["hi"], &None));
    let keys: String = (0..50_000).map(|key| format!(r#""{key}":0,"#)).collect();
    let many = self::read(&format!(r#"[{{"custom":{{{keys}"last":0}}}}]"#));
    assert!(
        many.said[0].custom.is_none() && many.said[0].text.ends_with(CUT),
        "{}",
        many.said[0].text
    );
}

#[test]
fn the_trigger_is_found_in_all_three_variants() {
    assert_eq!(
        read(r#"[{"text":"  human HANDOFF\n"}]"#),
        Reply { said: vec![], handoff: Some(Handoff::default()) }
    );
    let for_reason = |reason: &str| {
        let handoff = Handoff { reason: Some(reason.into()), ..Handoff::default() };
        Reply { said: vec![], handoff: Some(handoff) }
    };
    let payload = read(r#"[{"custom":{"handoff":true,"reason":" user_request "}}]"#);
    assert_eq!(payload, for_reason("user_request"));
    let both = read(r#"[{"text":"Human Handoff"},{"custom":{"handoff":true,"reason":"order"}}]"#);
    assert_eq!(both, for_reason("order"));
    let one = read(r#"[{"text":"Human Handoff","custom":{"handoff":true,"reason":"order"}}]"#);
    assert_eq!(one, both);
}

#[test]
fn a_trigger_names_department_and_language_and_invalid_names_are_dropped() {
    let named = |payloads: &str| {
        let Need { department, language } = read(payloads).handoff.expect("a handoff").need;
        (department.map(|it| it.to_string()), language.map(|it| it.to_string()))
    };
    let all =
        |department: &str, language: &str| (Some(department.to_owned()), Some(language.to_owned()));
    assert_eq!(
        named(r#"[{"custom":{"handoff":true,"department":" returns ","language":"de_AT"}}]"#),
        all("returns", "de-AT")
    );
    // The first trigger of a reply that names a department counts.
    assert_eq!(
        named(
            r#"[{"text":"Human Handoff"},{"custom":{"handoff":true,"language":"de"}},
                {"custom":{"handoff":true,"department":"returns","language":"fr"}}]"#
        ),
        all("returns", "de")
    );
    for odd in [
        r#"{"department":7,"language":["de"]}"#,
        r#"{"department":"","language":null}"#,
        r#"{"department":"a\nb","language":"<script>"}"#,
        r#"{"department":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","language":"d e"}"#,
    ] {
        let payload = format!(r#"[{{"custom":{{"handoff":true,{}}}]"#, &odd[1..]);
        assert_eq!(named(&payload), (None, None), "{odd}");
    }
}

#[test]
fn messages_beside_the_trigger_are_shown() {
    let reply = read(
        r#"[{"text":"before"},{"text":"Human Handoff"},
            {"text":"A colleague comes","custom":{"handoff":true}},{"text":"after"}]"#,
    );
    assert_eq!(texts(&reply), ["before", "A colleague comes", "after"]);
    assert_eq!(reply.said[1].custom, None);
    assert_eq!(reply.handoff, Some(Handoff::default()));
}

#[test]
fn only_the_whole_text_or_a_json_true_is_a_trigger() {
    let reply = read(
        r#"[{"text":"Human Handoff?"},{"custom":{"handoff":"true"}},{"custom":{"handoff":false}}]"#,
    );
    assert_eq!((reply.said.len(), reply.handoff), (3, None));
}

#[test]
fn other_triggers_replace_the_default() {
    let triggers = Triggers::new([" ÜBERGABE ", "", "to a human"]);
    let handoff = |text: &str| {
        triggers.read(vec![Item { text: Some(text.into()), ..Item::default() }]).handoff
    };
    assert!(handoff("übergabe").is_some() && handoff("To a Human").is_some());
    assert!(handoff("Human Handoff").is_none() && handoff("").is_none());
    assert!(
        Triggers::new([" "])
            .read(parse(br#"[{"text":"human handoff"}]"#).unwrap())
            .handoff
            .is_some()
    );
}

#[test]
fn the_trigger_counts_after_a_flood_of_messages() {
    let mut items = vec![Item { text: Some("x".into()), ..Item::default() }; 200];
    items.push(Item { text: Some(TRIGGER.into()), ..Item::default() });
    let reply = Triggers::default().read(items);
    assert_eq!(reply.said.len(), ITEMS_MAX);
    assert_eq!(&*reply.said[ITEMS_MAX - 1].text, CUT);
    assert_eq!(&*reply.said[ITEMS_MAX - 2].text, "x");
    assert!(reply.handoff.is_some());
}

#[test]
fn a_typed_slash_never_reaches_rasa_as_a_slash() {
    assert_eq!(for_bot("  hello\n"), "hello");
    assert_eq!(for_bot("/restart"), "\u{2215}restart");
    assert_eq!(for_bot("\u{1c}\u{1f} \u{a0}\u{3000}\u{85}/restart\u{1d}"), "\u{2215}restart");
    assert_eq!(for_bot("//x"), "\u{2215}/x");
    assert_eq!(for_bot("a/b"), "a/b");
    assert_eq!(for_bot(" \t"), "");
}

#[test]
fn a_button_is_chosen_by_title_or_place() {
    let buttons =
        ["Yes", "No", "1", "ÄH "].map(|title| button(title, &format!("/{title}"))).to_vec();
    let buttons = Said { buttons, ..Said::text(Author::Bot, "") }.choices();
    let chosen = |typed: &str| choice(&buttons, typed).map(|button| button.title.as_str());
    assert_eq!(chosen(" yes "), Some("Yes"));
    assert_eq!(chosen("2"), Some("No"));
    assert_eq!(chosen("1"), Some("1"), "the title goes first");
    assert_eq!(chosen("äh"), Some("ÄH "));
    for nothing in ["", "0", "5", "+2", "-1", "99999999999999999999999", "yes!"] {
        assert_eq!(chosen(nothing), None, "{nothing}");
    }
}
