//! Row 15: the same message again, and messages that are the same to everyone but a cache of bytes.

use jiff::SignedDuration;

use crate::arena::{SOAP12, arena};
use crate::forge::{self, CLIENT, issued, message, piece};
use hjemmel::signature::sign::{self, Message, SoapVersion};

/// A message changed so that its canonical form, and so its signature, stays the same.
type Edit = (&'static str, fn(&str) -> String);

const INVISIBLE: &[Edit] = &[
    ("the same bytes", str::to_owned),
    ("another quote", |xml| xml.replace("wsu:Id=\"body\"", "wsu:Id='body'")),
    ("white space inside a tag", |xml| xml.replace("wsu:Id=\"messageid\"", "wsu:Id=\"messageid\"\n ")),
    ("white space at the end of a tag", |xml| xml.replace("</soap:Body>", "</soap:Body\n>")),
    ("a character by number in the MessageID", |xml| xml.replace(">urn:uuid:", ">&#117;rn:uuid:")),
    ("a character by hexadecimal number in the MessageID", |xml| xml.replace(">urn:uuid:", ">urn&#x3A;uuid:")),
    ("a declaration in front", |xml| format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{xml}")),
    ("a byte order mark in front", |xml| format!("\u{feff}{xml}")),
    ("a new line after the end", |xml| format!("{xml}\n")),
    ("an unused namespace", |xml| xml.replacen("<soap:Envelope ", "<soap:Envelope xmlns:unused=\"urn:unused\" ", 1)),
    ("a header that nobody signs", |xml| xml.replace("<wsse:Security ", "<x:H xmlns:x=\"urn:x\"/><wsse:Security ")),
    ("line breaks in the SignatureValue", |xml| forge::in_signature(xml, "<ds:SignatureValue>", "<ds:SignatureValue>\n")),
];

pub fn count() -> Vec<(u8, usize)> {
    vec![(15, INVISIBLE.len() + 6)]
}

fn signed(message: Message<'_>) -> String {
    String::from_utf8(sign::with_token(&message, &issued(&forge::assertion()), &CLIENT.key).unwrap()).unwrap()
}

#[test]
fn a_message_passes_once_in_whatever_bytes_it_comes_again() {
    let arena = arena();
    let good = forge::request();
    let before = arena.reached();
    assert!(arena.send(good.clone()).is_served());
    for (reason, edit) in INVISIBLE {
        let again = arena.send(edit(&good));
        assert_eq!((again.status, again.code.as_str()), (500, "Replay"), "{reason}");
    }
    assert_eq!(arena.reached(), before + 1);
    arena.serves();
}

#[test]
fn a_message_id_signed_again_is_the_same_message_whatever_else_changed() {
    let arena = arena();
    let first = message(SoapVersion::V12);
    let before = arena.reached();
    assert!(arena.send(signed(Message { ..first })).is_served());
    for (reason, again) in [
        ("another moment", Message { created: first.created + SignedDuration::from_secs(10), ..first }),
        ("another life", Message { lifetime: SignedDuration::from_secs(60), ..first }),
        ("another token", first),
    ] {
        assert_eq!(arena.send(signed(again)).code, "Replay", "{reason}");
    }
    assert_eq!(arena.reached(), before + 1);
    arena.serves();
}

#[test]
fn of_eight_copies_at_once_one_passes() {
    let arena = arena();
    let good = forge::request();
    let before = arena.reached();
    // Eight connections, so that nothing but the gateway's own memory puts them in an order.
    let clients: Vec<_> = (0..8).map(|_| arena.runtime.block_on(async { arena.client(None) })).collect();
    let mut race = tokio::task::JoinSet::new();
    for client in &clients {
        let one = arena.post(client, &[("content-type", SOAP12)], good.clone().into_bytes());
        race.spawn_on(one, arena.runtime.handle());
    }
    let answers = arena.runtime.block_on(race.join_all());
    let codes: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().code).collect();
    assert_eq!(codes.iter().filter(|code| code.starts_with("StatusKode 20")).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| *code == "Replay").count(), 7, "{codes:?}");
    assert_eq!(arena.reached(), before + 1);
    arena.serves();
}

#[test]
fn a_message_is_remembered_for_as_long_as_it_could_be_accepted() {
    let arena = arena();
    // As late as a clock may be ahead: it is accepted now, and would be for nearly seven minutes more.
    let late = signed(Message { created: forge::now() + SignedDuration::from_secs(60), ..message(SoapVersion::V12) });
    assert!(arena.send(late.clone()).is_served());
    for minute in 1..=9 {
        arena.wait(SignedDuration::from_mins(1));
        let code = arena.send(late.clone()).code;
        let wanted = if minute <= 6 { "Replay" } else { "TimestampOutside" };
        assert_eq!(code, wanted, "after {minute} minutes");
    }
    arena.serves();
}

#[test]
fn a_message_id_that_is_none_or_a_giant_is_refused() {
    let arena = arena();
    let giant: &'static str = "x".repeat(513).leak();
    let identified = |id: &'static str| signed(Message { message_id: id, ..message(SoapVersion::V12) });
    let good = forge::request();
    let header = piece(&good, "<wsa:MessageID", "</wsa:MessageID>").to_owned();
    arena.nothing_passes(|arena| {
        for (reason, message) in [
            ("513 bytes", identified(giant)),
            ("half a megabyte", identified("x".repeat(500_000).leak())),
            ("empty", identified("")),
            ("white space", identified(" \n ")),
            ("two words", identified("urn:uuid:1 urn:uuid:2")),
            ("none", good.replace(&header, "")),
            ("two", good.replace(&header, &header.repeat(2))),
        ] {
            let answer = arena.send(message);
            let codes = ["AddressingInvalid", "XmlTooComplex"];
            assert!(codes.contains(&answer.code.as_str()), "{reason}: {} {}", answer.status, answer.code);
        }
    });
}

#[test]
fn what_was_made_before_the_gateway_started_is_refused_for_its_memory_is_empty() {
    // The world's clock started an hour before the messages' time: a message of that time is too old besides, so the
    // refusal for age comes first. The rule itself is tested where the memory is (src/gateway/replay.rs).
    let arena = arena();
    arena.nothing_passes(|arena| {
        let old = signed(Message { created: forge::now() - SignedDuration::from_hours(1), ..message(SoapVersion::V12) });
        assert_eq!(arena.send(old).code, "TimestampOutside");
    });
}
