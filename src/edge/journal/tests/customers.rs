//! What a gateway keeps about its customers, in both stores.

use super::{Folder, ONE, OTHER, begun, entry, said};
use crate::core::customer::{About, Belongings, CustomerId, Digest, PostId, Posted, Token};
use crate::core::record::{Line, Record};
use crate::edge::journal::Journal;
use crate::wire::{Author, Body, ConversationId};

const ANN: CustomerId = CustomerId::new([21; 16]);
const TOKEN: Token = Token::new([22; 16]);

fn own(number: u64) -> Record {
    Record::Own(entry(number, said(Author::User, "hello")))
}

fn post(id: &str) -> PostId {
    PostId::new(id).unwrap()
}

/// Ann with a closed conversation and a new one, and a request in each.
fn of_ann() -> Vec<(ConversationId, Record)> {
    let posted = |conversation, number| Posted {
        digest: Digest::of("/api/say", b"{}"),
        conversation,
        number,
    };
    vec![
        (ONE, begun("Ann")),
        (ONE, Record::Customer(ANN)),
        (ONE, Record::Token(TOKEN.hash())),
        (ONE, own(1)),
        (ONE, Record::Posted(post("first"), posted(ONE, 1))),
        (ONE, own(2)),
        (OTHER, begun("Ann")),
        (OTHER, Record::Customer(ANN)),
        (OTHER, own(1)),
        (OTHER, Record::Posted(post("second"), posted(OTHER, 1))),
    ]
}

fn numbers(journal: &Journal, id: ConversationId, skipped: u64, most: usize) -> Vec<u64> {
    let lines = journal.entries(id, skipped, most).unwrap();
    lines.iter().filter_map(Line::entry).map(|entry| entry.number).collect()
}

#[test]
fn a_token_names_its_customer_with_all_conversations_and_requests() {
    let folder = Folder::new("customers");
    for mut journal in [Journal::in_memory(), folder.open()] {
        journal.commit(of_ann()).unwrap();
        assert_eq!(journal.named_by(TOKEN.hash()).unwrap(), Some(ANN));
        assert_eq!(journal.named_by(Token::new([9; 16]).hash()).unwrap(), None);
        assert_eq!(journal.customer_of(OTHER).unwrap(), Some(ANN));
        assert_eq!(journal.belongings(ANN).unwrap().conversations, [(ONE, 2), (OTHER, 1)]);
        let first = journal.posted(ANN, &post("first")).unwrap().unwrap();
        assert_eq!((first.conversation, first.number), (ONE, 1));
        assert_eq!(first.digest, Digest::of("/api/say", b"{}"));
        assert_eq!(journal.posted(ANN, &post("third")).unwrap(), None);
        assert!(journal.has_posted(ANN).unwrap());
        assert!(!journal.has_posted(CustomerId::new([9; 16])).unwrap());
        assert_eq!(numbers(&journal, ONE, 0, 9), [1, 2]);
        assert_eq!(numbers(&journal, ONE, 1, 9), [2]);
        assert_eq!(numbers(&journal, ONE, 0, 1), [1]);
        assert_eq!(numbers(&journal, ONE, 2, 9), [0; 0]);
    }
}

#[test]
fn a_forgotten_conversation_leaves_nothing_and_no_customer_without_another_conversation() {
    let folder = Folder::new("forgotten");
    for mut journal in [Journal::in_memory(), folder.open()] {
        journal.commit(of_ann()).unwrap();
        journal.commit(vec![(OTHER, Record::Forgotten)]).unwrap();
        assert!(journal.story(OTHER).unwrap().is_none());
        assert_eq!(journal.belongings(ANN).unwrap().conversations, [(ONE, 2)]);
        assert_eq!(journal.posted(ANN, &post("second")).unwrap(), None);
        assert!(journal.posted(ANN, &post("first")).unwrap().is_some());
        journal.commit(vec![(ONE, Record::Forgotten)]).unwrap();
        assert_eq!(journal.named_by(TOKEN.hash()).unwrap(), None);
        assert_eq!(journal.belongings(ANN).unwrap().conversations, []);
        // The next conversation gets a number that no other had before.
        let third = ConversationId::new([3; 16]);
        journal.commit(vec![(third, begun("Cora"))]).unwrap();
        assert_eq!(journal.story(third).unwrap().unwrap().ordinal, 3);
    }
    let rows = "SELECT (SELECT count(*) FROM entry) + (SELECT count(*) FROM customer)
                     + (SELECT count(*) FROM token) + (SELECT count(*) FROM post)";
    let left: i64 = folder.connect().query_row(rows, [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

#[test]
fn a_gateway_that_starts_reads_only_the_sessions_that_were_in_memory() {
    let folder = Folder::new("awake");
    let mut journal = folder.open();
    let awake = |journal: &Journal| {
        journal.awake().unwrap().into_iter().map(|story| story.id).collect::<Vec<_>>()
    };
    journal.commit(of_ann()).unwrap();
    assert_eq!(awake(&journal), [ONE, OTHER]);
    journal.commit(vec![(ONE, Record::Resting), (OTHER, begun("Anna"))]).unwrap();
    assert_eq!(awake(&journal), [OTHER]);
    // The next entry marks the session as in memory again, also after a restart.
    drop(journal);
    let mut journal = folder.open();
    journal.commit(vec![(ONE, own(3))]).unwrap();
    assert_eq!(awake(&journal), [ONE, OTHER]);
    let closed = Body::Withdrawn {};
    journal.commit(vec![(ONE, Record::Own(entry(4, closed)))]).unwrap();
    assert_eq!(awake(&journal), [ONE, OTHER]);
}

#[test]
fn a_journal_keeps_its_epoch() {
    let folder = Folder::new("epoch");
    assert_eq!(folder.open().epoch(7).unwrap(), 7);
    assert_eq!(folder.open().epoch(8).unwrap(), 7);
}

const BOB: CustomerId = CustomerId::new([31; 16]);
const THIRD: ConversationId = ConversationId::new([33; 16]);

/// Bob with one conversation, which is younger than those of Ann.
fn of_bob() -> Vec<(ConversationId, Record)> {
    let posted = Posted { digest: Digest::of("/api/say", b"{}"), conversation: THIRD, number: 1 };
    vec![
        (THIRD, begun("Bob")),
        (THIRD, Record::Customer(BOB)),
        (THIRD, Record::Token(Token::new([34; 16]).hash())),
        (THIRD, own(1)),
        (THIRD, Record::Posted(post("first"), posted)),
        (THIRD, Record::Posted(post("third"), posted)),
    ]
}

#[test]
fn customers_who_are_one_person_share_all_conversations_and_requests() {
    let folder = Folder::new("joined");
    for mut journal in [Journal::in_memory(), folder.open()] {
        journal.commit([of_ann(), of_bob()].concat()).unwrap();
        for (id, name, email) in [
            (ONE, Some("An"), None),
            (ONE, Some("Ann"), None),
            (THIRD, None, Some("bob@example.com")),
        ] {
            let about = About { name: name.map(Into::into), email: email.map(Into::into) };
            journal.commit(vec![(id, Record::About(about))]).unwrap();
        }
        let joined = Record::Joined { former: BOB, customer: ANN };
        journal.commit(vec![(OTHER, joined)]).unwrap();
        let Belongings { conversations, joins, about, .. } = journal.belongings(ANN).unwrap();
        assert_eq!((conversations, joins), (vec![(ONE, 2), (THIRD, 1), (OTHER, 1)], 1));
        assert_eq!(
            about,
            About { name: Some("Ann".into()), email: Some("bob@example.com".into()) }
        );
        assert_eq!(journal.belongings(BOB).unwrap(), Belongings::default());
        for token in [TOKEN, Token::new([34; 16])] {
            assert_eq!(journal.named_by(token.hash()).unwrap(), Some(ANN));
        }
        assert_eq!(journal.customer_of(THIRD).unwrap(), Some(ANN));
        assert_eq!(journal.posted(ANN, &post("third")).unwrap().unwrap().conversation, THIRD);
        assert_eq!(journal.posted(ANN, &post("first")).unwrap().unwrap().conversation, ONE);
        let fourth = ConversationId::new([44; 16]);
        journal.commit(vec![(fourth, begun("Ann")), (fourth, Record::Customer(ANN))]).unwrap();
        let order: Vec<_> =
            journal.belongings(ANN).unwrap().conversations.iter().map(|(id, _)| *id).collect();
        assert_eq!(order, [ONE, THIRD, OTHER, fourth]);
    }
}

#[test]
fn an_identity_names_one_customer_an_agreement_lasts_and_a_withdrawn_token_names_nobody() {
    let folder = Folder::new("identified");
    for mut journal in [Journal::in_memory(), folder.open()] {
        journal.commit([of_ann(), of_bob()].concat()).unwrap();
        assert_eq!(journal.identified("ann@shop").unwrap(), None);
        journal.commit(vec![(OTHER, Record::Identified("ann@shop".into()))]).unwrap();
        assert_eq!(journal.identified("ann@shop").unwrap(), Some(ANN));
        assert_eq!(journal.identity_of(ANN).unwrap().as_deref(), Some("ann@shop"));
        assert_eq!(journal.identity_of(BOB).unwrap(), None);
        for at in [7, 8] {
            // The time of the first agreement counts.
            journal.commit(vec![(OTHER, Record::Agreed(at))]).unwrap();
            assert_eq!(journal.belongings(ANN).unwrap().agreed, Some(7));
        }
        journal.commit(vec![(OTHER, Record::Withdrawn(TOKEN.hash()))]).unwrap();
        assert_eq!(journal.named_by(TOKEN.hash()).unwrap(), None);
        assert_eq!(journal.identified("ann@shop").unwrap(), Some(ANN));
    }
}
