//! Every message keeps the limits of the wire, and a cut can be seen.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{assert_fits, read};
use crate::core::reply::{CUT, DEPTH_MAX, TRIGGER, Triggers, parse};
use crate::wire::{BUTTONS_MAX, CUSTOM_MAX, IMAGE_MAX, NAME_MAX, PAYLOAD_MAX, TEXT_MAX, TITLE_MAX};

#[test]
fn a_long_text_is_cut_visibly_at_a_character() {
    let reply = read(&json!([{"text": "ä".repeat(5000)}]).to_string());
    let text = &reply.said[0].text;
    assert!(
        text.ends_with("ä… [cut]") && text.len() <= TEXT_MAX && text.len() > TEXT_MAX - 3,
        "{}",
        text.len()
    );
    let exact = "a".repeat(TEXT_MAX);
    assert_eq!(&*read(&json!([{ "text": exact }]).to_string()).said[0].text, exact);
    let reason =
        read(&json!([{"custom": {"handoff": true, "reason": "r".repeat(500)}}]).to_string())
            .handoff
            .unwrap();
    assert_eq!(reason.reason.map(|reason| reason.len()), Some(NAME_MAX));
}

#[test]
fn buttons_over_their_limits_are_cut_or_dropped_visibly() {
    let mut buttons = vec![json!({"title": "t".repeat(300), "payload": "/p"})];
    buttons.push(json!({"title": "useless", "payload": "p".repeat(PAYLOAD_MAX + 1)}));
    let said = &read(&json!([{"text": "Pick", "buttons": buttons}]).to_string()).said[0];
    assert_eq!((said.buttons.len(), said.buttons[0].title.len()), (1, TITLE_MAX));
    assert_eq!(&*said.text, "Pick\n… [cut]");
    let many = vec![json!({"title": "t", "payload": "/p"}); BUTTONS_MAX + 1];
    let said = &read(&json!([{ "buttons": many }]).to_string()).said[0];
    assert_eq!((said.buttons.len(), &*said.text), (BUTTONS_MAX, CUT));
}

#[test]
fn a_custom_payload_over_its_limit_becomes_a_sentence() {
    let said = &read(&json!([{"custom": {"big": "x".repeat(CUSTOM_MAX)}}]).to_string()).said[0];
    assert_eq!(said.custom, None);
    assert_eq!(&*said.text, "[a custom payload of 8202 bytes] … [cut]");
}

#[test]
fn buttons_are_dropped_first_then_the_payload_then_text() {
    // A control character is six bytes in JSON.
    let six = |letters: usize| "\u{1}".repeat(letters);
    let buttons = vec![json!({"title": six(TITLE_MAX), "payload": six(PAYLOAD_MAX)}); 9];
    let said = &read(&json!([{"text": "Pick", "buttons": buttons}]).to_string()).said[0];
    assert!(said.buttons.len() < 9 && said.buttons.len() > 5, "{} buttons", said.buttons.len());
    assert_fits(said);

    let custom = json!({"c": six(1300)});
    let (text, image) = (six(TEXT_MAX), six(IMAGE_MAX));
    let item = json!([{"text": text, "custom": custom, "image": image, "buttons": buttons}]);
    let said = &read(&item.to_string()).said[0];
    assert!(said.buttons.is_empty() && said.custom.is_none() && said.image.is_some());
    assert!(said.text.ends_with(CUT) && said.text.len() > TEXT_MAX / 2, "{}", said.text.len());
    assert_fits(said);
}

/// JSON in which the fields of an item are likely.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        (any::<char>(), 0..12_000usize)
            .prop_map(|(letter, times)| letter.to_string().repeat(times).into()),
        Just(Value::from(TRIGGER)),
    ];
    leaf.prop_recursive(5, 200, 40, |inner| {
        let key = prop_oneof![
            "text",
            "buttons",
            "quick_replies",
            "title",
            "payload",
            "url",
            "image",
            "custom",
            "handoff",
            "reason",
            ".{0,8}"
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..40).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..8).prop_map(|pairs| pairs.into_iter().collect()),
        ]
    })
}

#[test]
fn a_payload_that_is_too_deep_is_cut_visibly_and_all_others_are_readable() {
    for (levels, kept) in [(DEPTH_MAX, true), (DEPTH_MAX + 1, false), (120, false)] {
        let body = format!(r#"[{{"custom":{}{}}}]"#, "[".repeat(levels), "]".repeat(levels));
        let reply = Triggers::default().read(parse(body.as_bytes()).unwrap());
        let said = reply.said[0].clone();
        assert_eq!((said.custom.is_some(), said.text.contains("cut")), (kept, !kept), "{levels}");
        let mut frame = Vec::new();
        let entry = crate::wire::Entry { number: 1, at: 0, body: crate::wire::Body::Message(said) };
        crate::wire::encode(&crate::wire::Message::Entry(entry), &mut frame);
        let mut decoder = crate::wire::Decoder::default();
        decoder.push(frame);
        assert!(decoder.message().unwrap().is_some(), "{levels}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_json_breaks_the_reader_or_the_limits(
        values in prop::collection::vec(json_value(), 0..8)
    ) {
        let items = values.into_iter().filter(|value| value.is_object()).collect::<Vec<_>>();
        let items = parse(Value::from(items).to_string().as_bytes()).unwrap();
        let reply = Triggers::default().read(items);
        reply.said.iter().for_each(assert_fits);
    }

    #[test]
    fn no_large_item_breaks_the_limits(
        letter in any::<char>(), text in 0..9000usize, title in 0..400usize,
        payload in 0..1100usize, buttons in 0..40usize, custom in 0..9000usize,
        image in 0..3000usize,
    ) {
        let of = |times: usize| letter.to_string().repeat(times);
        let buttons = vec![json!({"title": of(title), "payload": of(payload)}); buttons];
        let custom = json!({"c": of(custom)});
        let item = json!([
            {"text": of(text), "buttons": buttons, "custom": custom, "image": of(image)}
        ]);
        read(&item.to_string()).said.iter().for_each(assert_fits);
    }

    #[test]
    fn no_bytes_break_the_parser(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&body);
    }
}
