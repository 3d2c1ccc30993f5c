//! Messages signed with a certificate: answers that stream, answers that are whole, requests to an STS.

use crate::forge::*;
use bytes::Bytes;
use hjemmel::refusal::Refusal;
use hjemmel::signature::sign::{self, Message, SoapVersion};
use hjemmel::signature::verify::{PendingBody, verify_response, verify_whole_response, verify_with_certificate};
use hjemmel::soap::document::Document;
use hjemmel::soap::reading::Reading;
use hjemmel::soap::scan::{End, Scanner};
use hjemmel::soap::strict::{Limits, Token};

use crate::strict::Strict;

pub fn response(version: SoapVersion) -> String {
    let message = Message {
        relates_to: Some("urn:uuid:00000000-0000-4000-8000-000000000001"),
        to: None,
        reply_to: false,
        framework: false,
        extra_headers: &[b"<x:Extra xmlns:x=\"urn:x\">not signed</x:Extra>"],
        ..message(version)
    };
    String::from_utf8(sign::with_certificate(&message, &STS.certificate, &STS.key).unwrap()).unwrap()
}

fn whole(xml: &str) -> Result<(), Refusal> {
    let document = parse(xml)?;
    let parts = parts(&document).ok_or(Refusal::NotSoap)?;
    verify_whole_response(&document, &parts, std::slice::from_ref(&STS.certificate)).map(|_| ())
}

/// As the reader of answers does it: Header and Body's start tag first, then token by token. By both readers, the scanner's
/// input in pieces of many lengths: all say the same.
fn streamed(xml: &str) -> Result<(), Refusal> {
    let judged = pending(xml).and_then(|pending| by_strict(xml, pending));
    for size in [1, 7, 64, 1000, xml.len()] {
        let scanned = pending(xml).and_then(|pending| by_scanner(xml, size, true, pending));
        assert_eq!(scanned, judged, "pieces of {size}: {xml}");
    }
    judged
}

fn pending(xml: &str) -> Result<PendingBody, Refusal> {
    let start = piece(xml, "<soap:Body", ">");
    let head = &xml[..xml.find("<soap:Body").unwrap() + start.len()];
    let document = Document::parse(Bytes::from(format!("{head}</soap:Body></soap:Envelope>")), &Limits::default())?;
    let parts = parts(&document).ok_or(Refusal::NotSoap)?;
    Ok(verify_response(&document, &parts, std::slice::from_ref(&STS.certificate))?.1)
}

fn by_strict(xml: &str, mut pending: PendingBody) -> Result<(), Refusal> {
    let mut strict = Strict::new(Limits::default());
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut inside = false;
    loop {
        let from = reader.buffer_position() as usize;
        let event = reader.read_event().unwrap();
        let token = strict.accept(&event, from)?;
        if inside {
            pending.feed(token, &strict)?;
        }
        match token {
            Token::Start if strict.local() == "Body" && strict.depth() == 2 => inside = true,
            Token::Eof => break,
            _ => {}
        }
    }
    pending.finish().map(|_| ())
}

fn by_scanner(xml: &str, size: usize, settled: bool, mut pending: PendingBody) -> Result<(), Refusal> {
    let mut scanner = Scanner::new(Limits::default());
    let mut pieces = xml.as_bytes().chunks(size);
    let mut inside = false;
    loop {
        let token = match if inside { scanner.next_or_leaf()? } else { scanner.next()? } {
            Some(token) => token,
            None => {
                if settled {
                    pending.settle(&scanner);
                }
                match pieces.next() {
                    Some(piece) => scanner.take(piece),
                    None => scanner.finish(End::Whole),
                }
                continue;
            }
        };
        if inside {
            pending.feed(token, &scanner)?;
        }
        match token {
            Token::Start if scanner.local() == "Body" && scanner.depth() == 2 => inside = true,
            Token::Eof => break,
            _ => {}
        }
    }
    pending.finish().map(|_| ())
}

#[test]
fn an_answer_whose_reader_threw_bytes_away_before_they_were_digested_is_not_taken_for_whole() {
    let repeated = "<q:Item>a</q:Item>".repeat(40);
    let content = format!("<q:Search xmlns:q=\"urn:example:q\">{repeated}</q:Search>");
    let message = Message { body: content.as_bytes(), ..message(SoapVersion::V12) };
    let xml = String::from_utf8(sign::with_certificate(&message, &STS.certificate, &STS.key).unwrap()).unwrap();
    by_scanner(&xml, 100, true, pending(&xml).unwrap()).unwrap();
    let lost = by_scanner(&xml, 100, false, pending(&xml).unwrap()).unwrap_err();
    assert_eq!(lost.code(), "DigestMismatch");
}

#[test]
fn an_answer_verifies_whole_and_while_it_streams() {
    for version in [SoapVersion::V11, SoapVersion::V12] {
        let good = response(version);
        whole(&good).unwrap();
        streamed(&good).unwrap();
        let document = parse(&good).unwrap();
        let parts = parts(&document).unwrap();
        let verified = verify_whole_response(&document, &parts, std::slice::from_ref(&STS.certificate)).unwrap();
        for block in parts.header.elements() {
            let signed = !matches!(block.local(), "Extra" | "Security");
            assert_eq!(verified.covers(block), signed, "{block:?}");
        }
        assert_eq!(verified.certificate(), &STS.certificate);
    }
}

#[test]
fn an_altered_answer_is_refused_in_both_ways() {
    let good = response(SoapVersion::V12);
    let relates = piece(&good, "<wsa:RelatesTo", "</wsa:RelatesTo>");
    let cases = [
        ("Body altered", good.replace("6101801234", "6101801235"), "DigestMismatch"),
        ("Body cut", good.replace("<Empty></Empty>", ""), "DigestMismatch"),
        ("an attribute added", good.replace("<Empty>", "<Empty a=\"\">"), "DigestMismatch"),
        ("a namespace changed", good.replace("urn:example:q", "urn:example:p"), "DigestMismatch"),
        ("RelatesTo altered", good.replace(relates, &relates.replace("0001<", "0002<")), "DigestMismatch"),
        (
            "RelatesTo twice",
            good.replace(relates, &format!("{relates}{}", relates.replace("\"relatesto\"", "\"r2\""))),
            "SignatureCoverage",
        ),
        ("an id of the Header again in Body", good.replace("<Empty>", "<Empty Id=\"timestamp\">"), "DuplicateId"),
        ("a comment in Body", good.replace("<Empty>", "<!-- x --><Empty>"), "CommentRefused"),
        (
            "KeyInfo names its key in no known way",
            good.replace(piece(&good, "<wsse:Reference", "</wsse:Reference>"), "<x:W xmlns:x=\"urn:x\"></x:W>"),
            "SecurityStructure",
        ),
        (
            "another certificate",
            good.replace(
                &hjemmel::signature::base64::encode(STS.certificate.der()),
                &hjemmel::signature::base64::encode(CLIENT.certificate.der()),
            ),
            "SignatureInvalid",
        ),
    ];
    for (reason, forged, code) in cases {
        assert_ne!(forged, good, "{reason}");
        assert_eq!(whole(&forged).unwrap_err().code(), code, "whole: {reason}");
        assert_eq!(streamed(&forged).unwrap_err().code(), code, "streamed: {reason}");
    }
    let second = good.replace("</soap:Envelope>", "<soap:Body xmlns:wsu=\"urn:w\"></soap:Body></soap:Envelope>");
    assert!(streamed(&second).is_err(), "an element behind Body");
    let cut = good.split("<Empty>").next().unwrap().to_owned() + "</q:Search>";
    assert!(std::panic::catch_unwind(|| streamed(&cut)).map_or(true, |result| result.is_err()), "Body that never ends");
}

#[test]
fn a_body_that_declares_the_envelopes_own_prefixes_is_signed_right() {
    let bodies: [&[u8]; 3] = [
        b"<soap:Fault xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\"><soap:Reason>x</soap:Reason></soap:Fault>",
        b"<a><wsu:B xmlns:wsu=\"urn:other\"></wsu:B></a>",
        b"<soap:a xmlns:soap=\"urn:other\"><b xmlns=\"urn:b\"><c xmlns=\"\"></c></b></soap:a>",
    ];
    for body in bodies {
        let message = Message { body, ..message(SoapVersion::V12) };
        let signed = String::from_utf8(sign::with_certificate(&message, &STS.certificate, &STS.key).unwrap()).unwrap();
        whole(&signed).unwrap();
        streamed(&signed).unwrap();
    }
}

#[test]
fn a_request_to_the_sts_verifies_with_the_certificate_it_carries() {
    let message = Message { framework: false, ..message(SoapVersion::V11) };
    let good = String::from_utf8(sign::with_certificate(&message, &CLIENT.certificate, &CLIENT.key).unwrap()).unwrap();
    let verify = |xml: &str| {
        let document = parse(xml).unwrap();
        let parts = parts(&document).unwrap();
        verify_with_certificate(&document, &parts).map(|verified| verified.certificate().clone())
    };
    assert_eq!(verify(&good).unwrap(), CLIENT.certificate);
    let swapped = good.replace(
        &hjemmel::signature::base64::encode(CLIENT.certificate.der()),
        &hjemmel::signature::base64::encode(STRANGER.certificate.der()),
    );
    assert_eq!(verify(&swapped).unwrap_err().code(), "SignatureInvalid", "the certificate of someone else");
    let token = request();
    assert_eq!(
        verify(&token).unwrap_err().code(),
        "SecurityStructure",
        "a message with a token is no message with a certificate"
    );
}
