//! Writes signed messages and what becomes of them when they are changed, each with our verdict, for xmlsec1, Santuario,
//! WSS4J and libxml2 to judge: `cargo run --example signed_cases -- DIR COUNT SEED`.
//!
//! `DIR/messages/NNNNNN.xml`; `DIR/keys/*.pem`; `DIR/manifest.jsonl` with one line a message; and `DIR/canonical.tsv`, one
//! document a line in base64, then forms `apex:PrefixList:SHA-256 of our canonical bytes`. Structure follows from the seed;
//! keys are made anew each time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)] // a test tool
#![allow(missing_docs)]

mod message;
mod mutate;
mod parties;
mod seal;
mod verdict;
mod writer;
#[path = "../../tests/support/xml_documents.rs"]
mod xml_documents;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use hjemmel::refusal::Refusal;
use hjemmel::signature::base64;
use hjemmel::signature::c14n::{Exclusive, canonicalise};
use hjemmel::signature::names::DSIG;
use message::{Kind, Unsealed};
use mutate::{Good, mutate};
use parties::{Parties, Party};
use xml_documents::{Random, generated};

const KINDS: [Kind; 6] = [Kind::Request, Kind::Assertion, Kind::Response, Kind::Request, Kind::Certificate, Kind::Metadata];
/// How many messages come of one: itself, and changed.
const FAMILY: u64 = 6;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, count, seed] = arguments.as_slice() else { panic!("signed_cases DIR COUNT SEED") };
    let directory = Path::new(directory);
    let (count, seed): (u64, u64) = (count.parse().unwrap(), seed.parse().unwrap());
    std::fs::create_dir_all(directory.join("messages")).unwrap();
    std::fs::create_dir_all(directory.join("keys")).unwrap();
    let parties = Parties::new();
    for party in parties.all() {
        std::fs::write(directory.join("keys").join(format!("{}.pem", party.name)), party.pem()).unwrap();
    }
    messages(directory, count, seed, &parties);
    canonical_forms(directory, count, seed);
}

/// Draws the family's message and seals it; the generator makes none that is not good.
fn sealed(random: &mut Random, kind: Kind, issuer: &Party, holder: &Party) -> (Unsealed, String) {
    let message = message::message(random, kind, issuer, holder);
    let xml =
        seal::seal(message.xml.clone(), issuer, holder, message.form).unwrap_or_else(|| panic!("not sealed: {}", message.xml));
    (message, xml)
}

fn messages(directory: &Path, count: u64, seed: u64, parties: &Parties) {
    let mut manifest = std::io::BufWriter::new(std::fs::File::create(directory.join("manifest.jsonl")).unwrap());
    let mut verdicts = BTreeMap::<String, u64>::new();
    let mut number = 0;
    let mut family = 0;
    while number < count {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(family));
        random.below(2);
        let kind = KINDS[(family % KINDS.len() as u64) as usize];
        // Half of the messages are RSA's, as all real ones are.
        let draw = |random: &mut Random| [0, 0, 1, 2][random.below(4) as usize];
        let (issuer, holder) = (draw(&mut random), draw(&mut random));
        let strangers = (&parties.strangers[issuer], &parties.strangers[holder]);
        let (issuer, holder) = (&parties.issuers[issuer], &parties.holders[holder]);
        let (message, xml) = sealed(&mut random, kind, issuer, holder);
        let (_, other) = sealed(&mut random, kind, issuer, holder);
        let good = Good { kind, xml: &xml, message: &message, issuer, holder, strangers, other: &other };
        let base = number;
        let mut members = vec![("none", xml.clone())];
        for _ in 0..10 * FAMILY {
            if members.len() as u64 == FAMILY {
                break;
            }
            members.extend(mutate(&mut random, &good).filter(|(_, xml)| members.iter().all(|(_, known)| known != xml)));
        }
        for (mutation, xml) in members.into_iter().take((count - number) as usize) {
            let verdict = verdict::judge(kind, xml.as_bytes(), &issuer.certificate, &holder.certificate);
            let streams = match kind {
                Kind::Response => verdict::streamed(xml.as_bytes(), &holder.certificate),
                _ => None,
            };
            let (mut ours, mut code, told) = said(&verdict);
            let pinned = matches!(kind, Kind::Response | Kind::Certificate);
            if pinned && ours == "signature" && verdict::carries_another(xml.as_bytes(), &holder.certificate) {
                (ours, code) = ("refused", "OtherCertificate");
            }
            *verdicts.entry(format!("{} {ours}", kind.name())).or_default() += 1;
            // WSS4J takes the issuer's key from the token's KeyInfo, which says nothing to us, knows its own form of a token
            // only, and finds a certificate by its wsu:Id only.
            let its_form = kind != Kind::Request || seal::is_plain_only(&xml) != Some(true);
            let its_form = its_form && seal::is_certificate_named(&xml) != Some(false);
            let wss4j = message.wss4j && its_form && issuers_key_info(&xml) == issuers_key_info(good.xml);
            let file = format!("{number:06}.xml");
            std::fs::write(directory.join("messages").join(&file), &xml).unwrap();
            let line = serde_json::json!({
                "file": file, "kind": kind.name(), "shape": message.shape, "base": format!("{base:06}.xml"), "mutation": mutation,
                "verdict": ours, "code": code, "told": told, "streamed": streams.as_ref().map(|verdict| said(verdict).0),
                "issuer": issuer.name, "holder": holder.name, "wss4j": wss4j,
            });
            writeln!(manifest, "{line}").unwrap();
            number += 1;
        }
        family += 1;
    }
    println!("{number} messages of {family} families: {verdicts:?}");
}

/// What the issuer's signature says of its key, as it is written.
fn issuers_key_info(xml: &str) -> Option<Vec<u8>> {
    let document = seal::parse(xml)?;
    let signature = seal::signatures(&document).into_iter().find(|signature| seal::is_issuers(*signature))?;
    signature.named(DSIG, "KeyInfo").next().map(|info| info.source().to_vec())
}

/// The verdict in the words of all judges: valid, digest, signature, or refused by the profile.
fn said(verdict: &Result<(), Refusal>) -> (&'static str, &'static str, String) {
    match verdict {
        Ok(()) => ("valid", "", String::new()),
        Err(refusal) => {
            let word = match refusal {
                Refusal::DigestMismatch { .. } => "digest",
                Refusal::SignatureInvalid { .. } | Refusal::TokenIssuerUntrusted => "signature",
                _ => "refused",
            };
            (word, refusal.code(), refusal.to_string())
        }
    }
}

fn canonical_forms(directory: &Path, count: u64, seed: u64) {
    let mut lines = std::io::BufWriter::new(std::fs::File::create(directory.join("canonical.tsv")).unwrap());
    let lists = ["", "a", "b ns1 nowhere", "c A a", "#default", "#default b xml"];
    let mut forms = 0;
    for n in 0..count {
        // Comments are not in the canonical form that is signed.
        let xml = generated(seed.wrapping_mul(1_000_003).wrapping_add(n)).replace('𝔘', "𝔘<!-- c -->");
        let document = seal::parse(&xml).unwrap();
        let elements: Vec<_> = document.elements().collect();
        let mut line = base64::encode(xml.as_bytes());
        let mut random = Random(n);
        for list in lists {
            let apex = random.below(elements.len() as u64) as usize;
            for apex in [0, apex] {
                let bytes = canonicalise(elements[apex], &Exclusive::with_prefixes(list), &[], Vec::new());
                let hash: String = digest(&SHA256, &bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
                write!(line, "\t{apex}:{list}:{hash}").unwrap();
                forms += 1;
            }
        }
        writeln!(lines, "{line}").unwrap();
    }
    println!("{forms} canonical forms of {count} documents");
}
