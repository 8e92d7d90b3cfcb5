//! The events in `docs/JSON.md` have exactly the fields of the real reports.

use std::collections::BTreeSet;

use handoff::core::complete;
use handoff::core::department::{Department, Language, Need};
use handoff::core::record::Ending;
use handoff::core::report::{
    CustomerNews, DeskNews, Earlier, Elsewhere, EndingOutcome, Found, Link, News, Presence, Reason,
    Report, Returned, Told, TransferOutcome,
};
use handoff::wire::{
    Author, Button, ConversationId, Custom, EndReason, Identity, Page, Said, State,
};
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../../docs/JSON.md");
const ID: ConversationId = ConversationId::new([7; 16]);

/// The name in `event`. A new report does not compile here until it is named, and then must be
/// documented.
fn name(report: &Report) -> &'static str {
    match report {
        Report::Ready { .. } => "ready",
        Report::State { .. } => "state",
        Report::Message(_) => "message",
        Report::Link { .. } => "link",
        Report::Page { .. } => "page",
        Report::Typing { .. } => "typing",
        Report::Unanswered { .. } => "unanswered",
        Report::Delivered { .. } => "delivered",
        Report::Seen { .. } => "seen",
        Report::Agent { .. } => "agent",
        Report::Transfer { .. } => "transfer",
        Report::Ending { .. } => "ending",
        Report::Tags { .. } => "tags",
        Report::Note { .. } => "note",
        Report::Notice { .. }
        | Report::Found { .. }
        | Report::News { .. }
        | Report::Call { .. } => "notice",
        Report::Error { .. } | Report::Fault { .. } => "error",
        // The event of another process.
        Report::Event(_) => "event",
    }
}

/// Every event, once with all its fields and once with as few as possible.
fn reports() -> Vec<(Report, Report)> {
    let text = || "text".to_owned();
    let state = |n: Option<u32>, name: Option<String>, reason| Report::State {
        conversation: ID,
        ordinal: n,
        customer: name.clone(),
        former: n.map(|ordinal| Earlier { ordinal, ago: None, note: None }),
        state: State::Bot,
        position: n,
        attended: n.map(|_| true),
        admin: name.clone(),
        agent: name.clone(),
        on_hold: n.map(|_| true),
        is_elsewhere: true,
        waits_again: true,
        need: Need {
            department: name.as_deref().and_then(Department::new),
            language: name.as_deref().and_then(Language::new),
        },
        reason,
    };
    let agent = |why| Report::Agent { agent: text(), presence: Presence::Away, why };
    let ending = || Report::Ending {
        conversation: ID,
        ordinal: Some(1),
        customer: Some(text()),
        ending: Ending::Close,
        outcome: EndingOutcome::Begun,
    };
    let transfer = |note| Report::Transfer {
        conversation: ID,
        ordinal: Some(1),
        customer: Some(text()),
        from: text(),
        agent: text(),
        outcome: TransferOutcome::Offered,
        note,
        is_to_me: true,
    };
    let unanswered = |since| Report::Unanswered { conversation: ID, lines: 1, since };
    let link = |why| Report::Link {
        conversation: ID,
        ordinal: Some(1),
        customer: Some(text()),
        link: Link::Lost,
        desk: text(),
        why,
        parted: true,
        unreached: true,
    };
    let page =
        |page| Report::Page { conversation: ID, ordinal: Some(1), customer: Some(text()), page };
    let part = || Some("part".into());
    let identity = Identity { user: part(), ..Identity::default() };
    let full_page = Page {
        url: part(),
        title: part(),
        language: part(),
        browser: part(),
        address: part(),
        identity: Some(Box::new(identity)),
        agreed: part(),
        name: part(),
        email: part(),
    };
    let said = Said {
        name: Some("name".into()),
        buttons: vec![Button { title: text(), payload: text(), ..Button::default() }],
        image: Some("image".into()),
        custom: Some(Custom::new("{}").expect("JSON")),
        ..Said::text(Author::Bot, "text")
    };
    let full = Told {
        history: true,
        ordinal: Some(1),
        elsewhere: true,
        own: true,
        agent: Some(text()),
        ..Told::new(ID, 1, 0, &said)
    };
    let bare = Told::new(ID, 1, 0, &Said::text(Author::Bot, ""));
    let found = || Report::Found {
        text: text(),
        found: Box::new(Found {
            author: Some(Author::Admin),
            agent: Some(text()),
            state: Some(State::Closed),
            reason: Some(Reason::Ended(EndReason::AdminClosed)),
            is_turned_away: true,
            is_blocked: true,
            email: Some("ann@example.com".into()),
            identity: Some(Box::new(Identity::default())),
            note: Some(text()),
            tags: vec![text()],
            ..Found::new(ID, 1, text(), 0)
        }),
    };
    let same = |report: Report| (report.clone(), report);
    vec![
        (
            Report::Ready {
                mode: "admin",
                listen: Some(([127, 0, 0, 1], 1).into()),
                fingerprint: Some(text()),
                url: Some(text()),
            },
            Report::Ready { mode: "user", listen: None, fingerprint: None, url: None },
        ),
        (
            state(Some(1), Some(text()), Some(Reason::Returned(Returned::Withdrawn))),
            state(None, None, None),
        ),
        (Report::Message(full), Report::Message(bare)),
        (link(Some(text())), link(None)),
        (page(full_page), page(Page::default())),
        (unanswered(Some(text())), unanswered(None)),
        (agent(Some(text())), agent(None)),
        (transfer(Some(text())), transfer(None)),
        (ending(), ending()),
        same(Report::Tags {
            conversation: ID,
            ordinal: Some(1),
            customer: Some(text()),
            tags: vec![text()],
        }),
        same(Report::Note { conversation: ID, text: text() }),
        same(Report::Typing { conversation: ID }),
        same(Report::Delivered { conversation: ID, number: 1 }),
        same(Report::Seen { conversation: ID, number: 1 }),
        // What a search finds is a notice with more fields.
        (found(), Report::Notice { text: text() }),
        (found(), Report::News { text: News::Customer(CustomerNews::BotSlow) }),
        (found(), Report::Call { text: News::Desk(DeskNews::Called(text())) }),
        same(Report::Error { text: text() }),
        same(Report::Fault { text: News::Customer(CustomerNews::BotFailed(text())) }),
    ]
}

fn json(report: &Report) -> Value {
    serde_json::to_value(report).expect("a report is JSON")
}

fn fields(event: &Value) -> BTreeSet<String> {
    event
        .as_object()
        .expect("an event is an object")
        .keys()
        .filter(|key| *key != "event")
        .cloned()
        .collect()
}

/// The recorded lines.
fn examples() -> Vec<Value> {
    let block = DOCUMENT
        .split_once("```events\n")
        .and_then(|(_, rest)| rest.split_once("```"))
        .expect("the block")
        .0;
    block
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")))
        .collect()
}

/// The rows of the table whose header begins with this text.
fn rows(header: &str) -> Vec<Vec<&'static str>> {
    let rest = DOCUMENT.split_once(header).unwrap_or_else(|| panic!("no table '{header}'")).1;
    let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// The names in a cell, such as "`state`, `position`?", and whether each is optional.
fn names(cell: &str) -> BTreeSet<(String, bool)> {
    let name =
        |part: &str| (part.trim_matches(['?', '`', ' ']).to_owned(), part.trim().ends_with('?'));
    cell.split(',').map(name).collect()
}

#[test]
fn every_event_is_documented_with_exactly_its_fields() {
    let documented: Vec<(String, BTreeSet<(String, bool)>)> = rows("| event | fields | when |")
        .iter()
        .map(|row| (row[0].trim_matches('`').to_owned(), names(row[1])))
        .collect();
    let mut real: Vec<(String, BTreeSet<(String, bool)>)> = Vec::new();
    for (full, bare) in reports() {
        let (all, always) = (fields(&json(&full)), fields(&json(&bare)));
        assert_eq!(json(&full)["event"], name(&full));
        let fields = all.iter().map(|field| (field.clone(), !always.contains(field))).collect();
        let told = (name(&full).to_owned(), fields);
        if !real.contains(&told) {
            real.push(told);
        }
    }
    assert_eq!(documented, real);
}

#[test]
fn every_field_is_explained() {
    let explained: BTreeSet<String> =
        rows("| field | type | |").iter().map(|row| row[0].trim_matches('`').to_owned()).collect();
    let real: BTreeSet<String> =
        reports().iter().flat_map(|(full, _)| fields(&json(full))).collect();
    let elsewhere = BTreeSet::from(["listen".to_owned(), "mode".to_owned()]);
    assert_eq!(explained, &real - &elsewhere);
}

#[test]
fn every_command_is_explained() {
    let explained = rows("| user | admin | |");
    for (column, commands) in [(0, &complete::USER[..]), (1, &complete::ADMIN)] {
        for (name, _) in commands {
            let is_it = |part: &str| part.trim_matches('`') == format!("/{name}");
            let is_explained = explained.iter().any(|row| row[column].split([' ', ',']).any(is_it));
            assert!(is_explained, "/{name} is not in the table");
        }
    }
}

#[test]
fn every_recorded_event_has_the_fields_and_types_of_a_real_one() {
    let reports = reports();
    for example in examples() {
        let of = |report: &&(Report, Report)| example["event"] == name(&report.0);
        let (full, bare) =
            reports.iter().find(of).unwrap_or_else(|| panic!("no such event: {example}"));
        let (full, has) = (json(full), fields(&example));
        assert!(has.is_subset(&fields(&full)), "{example} has a field too many");
        assert!(has.is_superset(&fields(&json(bare))), "{example} lacks a field");
        for field in has {
            let same =
                std::mem::discriminant(&example[&field]) == std::mem::discriminant(&full[&field]);
            assert!(same, "'{field}' of {example} is of another type than in {full}");
        }
    }
}

#[test]
fn every_event_and_every_value_is_recorded_or_named() {
    let examples = examples();
    for (full, _) in reports() {
        assert!(
            examples.iter().any(|example| example["event"] == name(&full)),
            "no example of {}",
            name(&full)
        );
        let optional =
            examples.iter().filter(|example| example["event"] == name(&full)).flat_map(fields);
        let missing = &fields(&json(&full)) - &optional.collect();
        assert!(missing.is_empty(), "no example of {} has {missing:?}", name(&full));
    }
    let value = |value: Result<Value, serde_json::Error>| value.expect("it is JSON");
    let mut values: Vec<Value> = Vec::new();
    values.extend(
        [State::Bot, State::Queued, State::Active, State::Closed]
            .map(|v| value(serde_json::to_value(v))),
    );
    values
        .extend([Author::User, Author::Bot, Author::Admin].map(|v| value(serde_json::to_value(v))));
    values.extend(
        [Link::Connecting, Link::Connected, Link::Lost].map(|v| value(serde_json::to_value(v))),
    );
    values.extend(
        [Returned::HandedBack, Returned::Withdrawn].map(|v| value(serde_json::to_value(v))),
    );
    let elsewhere =
        [Elsewhere::TakenElsewhere, Elsewhere::HandedBackElsewhere, Elsewhere::ClosedElsewhere];
    values.extend(elsewhere.map(|v| value(serde_json::to_value(v))));
    let presences =
        [Presence::Here, Presence::Away, Presence::Missed, Presence::Gone, Presence::Revoked];
    values.extend(presences.map(|v| value(serde_json::to_value(v))));
    let outcomes = [
        TransferOutcome::Offered,
        TransferOutcome::Accepted,
        TransferOutcome::Declined,
        TransferOutcome::Late,
        TransferOutcome::Void,
        TransferOutcome::TakenOver,
    ];
    values.extend(outcomes.map(|v| value(serde_json::to_value(v))));
    let ends =
        [EndReason::UserEnded, EndReason::AdminClosed, EndReason::Inactivity, EndReason::Error];
    values.extend(ends.map(|v| value(serde_json::to_value(v))));
    for value in values {
        let value = value.as_str().expect("a name");
        assert!(DOCUMENT.contains(&format!("`{value}`")), "'{value}' is not documented");
    }
}
