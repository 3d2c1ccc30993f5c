//! A delivery as a file is judged as the same delivery in a call, whatever is wrong with it.

use std::io::{self, Read};

use hjemmel::refusal::Refusal;
use hjemmel::schema::compile::Schema;
use hjemmel::services::finance::file::{self, LONGEST_VOUCHER};
use hjemmel::services::finance::rules::delivery::Head;
use hjemmel::services::finance::rules::mode::Modes;
use hjemmel::services::finance::rules::sortiment::Lists;
use hjemmel::services::finance::rules::{Against, Verdict, judge};
use hjemmel::soap::document::Document;
use hjemmel::soap::pieces::Unread;
use hjemmel::soap::strict::Limits;
use hjemmel::stub::finance::sample::Sample;
use hjemmel::stub::random::Random;

use super::contract::{judged, schema};
use super::mutate::mutant;
use super::parties;
use super::rules::{FAULTS, list};

/// Bytes that come as chance has it.
struct Dribble<'x>(&'x [u8], Random);

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let few = self.1.chance(50);
        let length = (1 + self.1.below(if few { 7 } else { 5_000 })).min(buffer.len());
        self.0.read(&mut buffer[..length])
    }
}

fn against<'a>(modes: &'a Modes, lists: &'a Lists) -> Against<'a> {
    let parties = parties();
    Against { modes, lists: Some(lists), caller: parties.sender, system: Some(parties.system), trials: false }
}

/// A refusal's code and what it tells, or the verdict.
type Told = Result<(Head, Verdict), (String, String)>;

fn as_file(schema: &Schema, xml: &[u8], seed: u64) -> Told {
    let (modes, lists) = (Modes::default(), Lists::new([list()]).unwrap());
    let judged = file::judge(schema, || Ok(Dribble(xml, Random::new(seed))), against(&modes, &lists));
    judged.map(|judged| (judged.head, judged.verdict)).map_err(|unread| match unread {
        Unread::Content(Refusal::Service(entry)) => (entry.code.to_owned(), entry.en.what.clone()),
        Unread::Content(refusal) => (refusal.code().to_owned(), String::new()),
        Unread::File(error) => panic!("{error}"),
    })
}

async fn as_call(xml: &str) -> Told {
    let document = Document::parse(bytes::Bytes::copy_from_slice(xml.as_bytes()), &Limits::default())
        .map_err(|refusal| (refusal.code().to_owned(), String::new()))?;
    let (modes, lists) = (Modes::default(), Lists::new([list()]).unwrap());
    if let Err(places) = judged(xml, "FinansbilagLeverance").await {
        return Err(("SchemaViolated".to_owned(), places));
    }
    Ok(judge(document.root(), against(&modes, &lists)).unwrap())
}

/// The same, but that a refusal's text may say more around the places.
fn same(call: &Told, file: &Told, xml: &str) -> bool {
    let same = match (call, file) {
        (Ok(call), Ok(file)) => call == file,
        (Err((code, places)), Err((other, told))) => code == other && told.contains(places.as_str()),
        _ => false,
    };
    assert!(same, "call: {call:?}\nfile: {file:?}\n{xml}");
    call.is_ok()
}

#[tokio::test]
async fn a_file_has_the_verdict_and_the_codes_of_a_call_with_the_same_delivery() {
    let schema = schema();
    let comments = regex::Regex::new("<!--.*?-->").unwrap();
    let (mut valid, mut divided) = (0, 0);
    for seed in 0..300 {
        let xml = mutant(seed);
        let (call, mut file) = (as_call(&xml).await, as_file(&schema, xml.as_bytes(), seed));
        // What a ledger reads of a value with a comment in it is open: the file must be sent without, and then it is the same.
        if call.is_ok() && file.as_ref().is_err_and(|(code, _)| code == "MalformedXml") && comments.is_match(&xml) {
            divided += 1;
            file = as_file(&schema, comments.replace_all(&xml, "").as_bytes(), seed);
        }
        valid += usize::from(same(&call, &file, &xml));
    }
    assert!(divided > 0, "no mutant has a comment within a value");
    assert!((50..250).contains(&valid), "{valid} of 300 are valid by the schema");
    for (seed, (code, plant)) in (0..).zip(FAULTS) {
        let mut sample = Sample::ordinary(seed, &parties(), 3);
        plant(&mut sample);
        let (xml, found) = (sample.delivery(), as_file(&schema, sample.delivery().as_bytes(), seed));
        assert!(found.as_ref().is_ok_and(|(_, verdict)| verdict.findings.iter().all(|finding| finding.rule.code() == code)));
        same(&as_call(&xml).await, &found, &xml);
    }
}

#[tokio::test]
async fn what_is_no_xml_is_refused_as_in_a_call_wherever_it_stands() {
    let (schema, good) = (schema(), Sample::ordinary(1, &parties(), 3).delivery());
    let mut seen = std::collections::BTreeSet::new();
    let middle = good.rfind("<fb:Finansbilag>").unwrap();
    let put = |at: usize, what: &str| format!("{}{what}{}", &good[..at], &good[at..]);
    let mut cases = vec![
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{good}\n<!-- slut -->\n"),
        format!("\u{feff}{good}"),
        format!("{good}{good}"),
        format!("{good}tekst"),
        format!("<!DOCTYPE a>{good}"),
        put(middle, "<?php ?>"),
        put(middle, "&ukendt;"),
        put(middle, "\u{1}"),
        put(middle, "<p:x/>"),
        put(middle, "<x></y>"),
        good.replace("</fb:FinansbilagLeverance>", ""),
        format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>{good}"),
        String::new(),
        "<fb:FinansbilagLeverance xmlns:fb=\"urn:hjemmel:oekonomi:finansbilag:1\"/>".to_owned(),
        "<a/>".to_owned(),
        good.replace("FinansbilagLeverance", "FinansbilagKvittering"),
    ];
    cases.extend((0..60).map(|at| good[..good.len() * at / 60].to_owned()));
    for (at, xml) in cases.iter().enumerate() {
        let call = as_call(xml).await;
        same(&call, &as_file(&schema, xml.as_bytes(), at as u64), xml);
        seen.extend(call.err().map(|(code, _)| code));
    }
    let codes = ["DtdRefused", "EncodingRefused", "MalformedXml", "ProcessingInstructionRefused", "SchemaViolated"];
    assert_eq!(seen, codes.map(str::to_owned).into());
}

#[test]
fn a_comment_is_read_over_between_elements_and_refused_within_a_value() {
    let (schema, good) = (schema(), Sample::ordinary(1, &parties(), 3).delivery());
    let between = good.replacen("<fb:BilagID>", "<!-- a --><fb:BilagID>", 1);
    assert_eq!(as_file(&schema, between.as_bytes(), 1), as_file(&schema, good.as_bytes(), 1));
    for (before, after) in [("<fb:BilagID>", "<fb:BilagID><!-- a -->"), ("</fb:BilagID>", "<!-- a --></fb:BilagID>")] {
        let within = good.replacen(before, after, 1);
        assert_eq!(as_file(&schema, within.as_bytes(), 1).unwrap_err().0, "MalformedXml", "{after}");
    }
}

#[test]
fn a_voucher_that_is_too_long_is_refused_and_so_are_endless_new_names() {
    let schema = schema();
    let refused = |xml: String| as_file(&schema, xml.as_bytes(), 1).unwrap_err().0;
    let good = Sample::ordinary(1, &parties(), 2).delivery();
    let posting = &good[good.find("<fb:Finanspostering>").unwrap()..good.find("</fb:Finansbilag>").unwrap()];
    let long = good.replacen(posting, &posting.repeat(LONGEST_VOUCHER / posting.len() + 1), 1);
    assert_eq!(refused(long), "XmlTooComplex");
    // Each prefix is a name that the validator keeps, though nothing is wrong with any.
    let mut number = 0;
    let mut declared = |leaf: &str| {
        let prefixes: String = (0..50).map(|n| format!(" xmlns:p{}=\"urn:andet\"", number + n)).collect();
        number += 50;
        format!("<fb:{leaf}{prefixes}>")
    };
    let many = Sample::ordinary(1, &parties(), 120).delivery();
    let many: String = many
        .split_inclusive('>')
        .map(|tag| {
            let leaf = ["Kode", "Delsortiment", "Beloeb", "Valuta"].into_iter().find(|leaf| tag == format!("<fb:{leaf}>"));
            leaf.map_or_else(|| tag.to_owned(), &mut declared)
        })
        .collect();
    assert_eq!(refused(many), "XmlTooComplex");
}
