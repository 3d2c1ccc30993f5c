//! Triggers as they are read, metadata and receipts as they are written, beside the official schema, libxml2 and the JDK.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use hjemmel::files::codes::Code;
use hjemmel::files::xml::trigger::{self, Trigger};
use hjemmel::files::xml::written::{self, Answer, Root, Routed, metadata, receipt};
use hjemmel::refusal::Detail;
use hjemmel::schema::{compile::Schema, pool::Pool, source::Sources};
use hjemmel::soap::document::Document;
use hjemmel::soap::strict::Limits;
use proptest::prelude::*;
use uuid::Uuid;

use super::world::{routing, trigger_to};
use crate::jdk::jdk;
use crate::not_run::did_not_run;
use crate::reference::reference;

/// The folder of the official files, or a line that says what did not run.
fn official() -> Option<PathBuf> {
    reference("sftp")
}

struct Judges {
    xsd: PathBuf,
    pool: Pool,
    runtime: tokio::runtime::Runtime,
}

impl Judges {
    fn new() -> Option<Self> {
        let folder = official()?.join("xsd");
        let schema = Schema::new(Arc::new(Sources::read(&folder).unwrap()), ["SFTPTypes.xsd".to_owned()]).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Some(Self { xsd: folder.join("SFTPTypes.xsd"), pool: Pool::start(&schema, 1).unwrap(), runtime })
    }

    /// By our own judge.
    fn ours(&self, xml: &str) -> bool {
        let Ok(document) = Document::parse(Bytes::copy_from_slice(xml.as_bytes()), &Limits::default()) else { return false };
        let root = Arc::new((document.root().namespace().to_owned(), document.root().local().to_owned()));
        let node = document.root().id();
        self.runtime.block_on(self.pool.validate(Arc::new(document), node, root)).unwrap().is_ok()
    }

    /// By libxml2's, if it is here.
    fn xmllint(&self, xml: &str) -> Option<bool> {
        let mut child = Command::new("xmllint")
            .args(["--noout", "--nonet", "--schema"])
            .arg(&self.xsd)
            .arg("-")
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        child.stdin.take()?.write_all(xml.as_bytes()).ok()?;
        Some(child.wait().ok()?.success())
    }

    fn take(&self, written: &[String]) {
        let files = tempfile::tempdir().unwrap();
        for (at, xml) in written.iter().enumerate() {
            assert!(self.ours(xml), "{xml}");
            match self.xmllint(xml) {
                Some(valid) => assert!(valid, "{xml}"),
                None => did_not_run("xmllint", "apt-get install libxml2-utils"),
            }
            std::fs::write(files.path().join(format!("{at}.xml")), xml).unwrap();
        }
        let Some(theirs) = jdk(&self.xsd, files.path(), written.len()) else {
            return did_not_run("the JDK", "apt-get install default-jdk-headless");
        };
        assert_eq!(theirs.len(), written.len());
        for (xml, valid) in written.iter().zip(theirs) {
            assert!(valid, "the JDK: {xml}");
        }
    }
}

fn numbers(wrong: &[Code]) -> Vec<i32> {
    wrong.iter().map(Code::number).collect()
}

fn whole() -> String {
    let parameter = "<RouteParameterList><RouteParameter><ns2:RouteSelectionValueDate>2026-03-01</ns2:RouteSelectionValueDate></RouteParameter></RouteParameterList>";
    let routing =
        routing("SF1590_A_IF02-03", 7).replace("</SFTPDynamicRoutingInfo>", &format!("{parameter}</SFTPDynamicRoutingInfo>"));
    trigger_to("a.xml", 5, "A_B", &["ROUTING_V1_0_0"], &routing)
}

fn read(xml: &str) -> Result<Trigger, Vec<Code>> {
    trigger::read(xml.as_bytes())
}

#[test]
fn the_official_samples_are_read_and_what_is_written_of_them_is_valid() {
    let (Some(folder), Some(judges)) = (official(), Judges::new()) else { return };
    let mut all = Vec::new();
    for sample in ["01-trigger-simple.xml", "02-trigger-routed.xml"] {
        let text = std::fs::read_to_string(folder.join("samples").join(sample)).unwrap();
        let trigger = read(&text).unwrap_or_else(|wrong| panic!("{sample}: {:?}", numbers(&wrong)));
        assert_eq!((trigger.size, trigger.sender.as_str()), (48_213, "KY_SIMPELSFTP"));
        all.push(metadata(Uuid::from_u128(1), &trigger, "OPUS_SIMPELSFTP", Root::FileMetadata));
        let on = trigger.routing.map(|routing| routing.on.to_string());
        assert_eq!(on.as_deref(), sample.starts_with("02").then_some("2026-03-01"));
    }
    for sample in ["03-metadata.xml", "04-receipt-success.xml", "05-receipt-error.xml", "06-business-receipt.xml"] {
        let text = std::fs::read_to_string(folder.join("samples").join(sample)).unwrap();
        assert!(judges.ours(&text), "{sample}");
        assert_eq!(numbers(&read(&text).unwrap_err()), [1002], "{sample} is no trigger");
    }
    all.push(receipt(Uuid::from_u128(1), Some("a < b & c"), &Answer::Delivered(&[])));
    let warning = Detail::new("a -- b < c & d -", "a");
    all.push(receipt(Uuid::from_u128(1), None, &Answer::Delivered(&[warning])));
    all.push(written::trigger(&Routed {
        file: "a & b.xml",
        size: 1,
        sender: "A",
        recipient: "B",
        inf_ref: "SortimentOverf\u{f8}r_1",
        sender_system: Uuid::from_u128(1),
        sender_authority: "11111111".parse().unwrap(),
        transaction: Uuid::from_u128(2),
        sent_at: "2026-11-29T10:00:00Z".parse().unwrap(),
        recipient_system: Uuid::from_u128(3),
        recipient_authority: "11111111".parse().unwrap(),
    }));
    all.push(receipt(Uuid::from_u128(1), None, &Answer::Refused(&Code::every())));
    judges.take(&all);
}

#[test]
fn metadata_for_an_older_client_has_the_older_root_with_the_same_content() {
    let trigger = read(&whole()).unwrap();
    let [new, old] = [Root::FileMetadata, Root::Trigger].map(|root| metadata(Uuid::from_u128(1), &trigger, "X", root));
    assert!(old.contains("<ns2:Trigger xmlns:ns2=") && new.contains("<ns2:FileMetadata xmlns:ns2="));
    assert_eq!(new.replace("FileMetadata", "Trigger"), old);
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let wrong = whole()
        .replace("<SizeInBytes>5<", "<SizeInBytes>fem<")
        .replace("<InfRef>SF1590_A_IF02-03</InfRef>", "")
        .replace("cvr-nr:11111111</SenderAuthority>", "cvr-nr:1111111</SenderAuthority>")
        .replace("2026-03-01", "2026-03-32");
    assert_eq!(numbers(&read(&wrong).unwrap_err()), [1002; 4]);
}

#[test]
fn what_the_schema_does_not_have_is_refused() {
    let uuid = Uuid::from_u128(7).to_string();
    for (from, to) in [
        ("<Sender>A_B</Sender>", "<ns2:Sender>A_B</ns2:Sender>"),
        ("<Sender>A_B</Sender>", "<Sender xmlns=\"urn:x\">A_B</Sender>"),
        ("<Sender>", "<Sender type=\"x\">"),
        ("<FileDescriptor>", "<FileDescriptor>tekst"),
        ("<SendersFileId>fil-1</SendersFileId>", "<SendersFileId>fil-1</SendersFileId><SendersFileId/>"),
        ("<FileName>a.xml</FileName>", ""),
        ("<FileDescriptor>", "<FileDescriptor><Andet/>"),
        ("<Trigger", "<Trigger"),
        (uuid.as_str(), "0000000-0000-0000-0000-0000000000007"),
        ("72393598-70fe-467f-b68c-65643e5c5e90", "72393598-70FE-467F-B68C-65643E5C5E90"),
        ("2026-11-29T10:00:00+01:00", "2026-11-29 10:00:00"),
        ("</ns2:RouteSelectionValueDate>", "</ns2:RouteSelectionValueDate><a/>"),
        ("</FileContentDescriptor>", "<a xmlns=\"urn:x\"/></FileContentDescriptor>"),
    ] {
        let wrong = whole().replacen(from, to, 1);
        assert_eq!(read(&wrong).is_err(), wrong != whole(), "{from} → {to}");
    }
    let doctype = format!("<!DOCTYPE x [<!ENTITY a \"b\">]>{}", whole());
    assert_eq!(numbers(&read(&doctype).unwrap_err()), [1001]);
    assert_eq!(numbers(&trigger::read(&vec![b' '; 70_000]).unwrap_err()), [1001]);
    let many: Vec<String> = (0..10_000).map(|n| format!("A{n}")).collect();
    let many = trigger_to("a", 1, "S", &many.iter().map(String::as_str).collect::<Vec<_>>()[..2_000], "");
    assert_eq!(numbers(&read(&many).unwrap_err()), [1002], "one clear receipt");
    assert_eq!(numbers(&read(&trigger_to("a", 1, "S", &["A", "A"], "")).unwrap_err()), [1002]);
    assert_eq!(numbers(&read(&trigger_to("a", 1, "S", &["A", "ROUTING_V1_0_0"], "")).unwrap_err()), [1002]);
}

#[test]
fn a_value_that_could_be_a_persons_number_is_in_no_code_wherever_it_stands() {
    let number = "6101801234";
    let places = [
        whole().replace("<SizeInBytes>5<", &format!("<SizeInBytes>{number}x<")),
        whole().replace("<FileDescriptor>", &format!("<FileDescriptor><a{number}/>")),
        whole().replace("<FileDescriptor>", &format!("<FileDescriptor a{number}=\"1\">")),
        whole().replace("<FileDescriptor>", &format!("<a{number}:FileDescriptor>")),
        whole().replace("</Sender>", &format!("</a{number}>")),
        whole().replace("A_B", &format!("&a{number};")),
        whole().replace("ns2:Trigger", &format!("a{number}")),
        whole().replace("urn:oio:cvr-nr:11111111", number),
        whole().replace("2026-11-29T", number),
    ];
    for xml in places {
        for code in read(&xml).unwrap_err() {
            let entry = code.entry();
            let told = format!("{:?} {:?} {}", entry.da, entry.en, code.description());
            assert!(!told.contains(number), "{told}");
        }
    }
}

proptest! {
    /// A piece of a valid trigger is put elsewhere, doubled, or taken away: what we read is what the official schema takes.
    #[test]
    fn what_is_read_is_what_the_official_schema_takes(at in 0_usize..60, to in 0_usize..60, how in 0_u8..3) {
        thread_local!(static JUDGES: Option<Judges> = Judges::new());
        JUDGES.with(|judges| {
            let Some(judges) = judges else { return };
            let text = whole();
            let mut pieces: Vec<&str> = text.split_inclusive('>').collect();
            let (at, to) = (at % pieces.len(), to % pieces.len());
            match how {
                0 => pieces.swap(at, to),
                1 => pieces.insert(to, pieces[at]),
                _ => drop(pieces.remove(at)),
            }
            let text = pieces.concat();
            let (read, valid) = (read(&text).is_ok(), judges.ours(&text));
            // Stricter by design: no value date that is none, no second one, no recipient twice or beside the route's.
            let stricter = !read && valid && (text.matches("RouteSelectionValueDate>").count() != 2 || text.matches("<Recipients>").count() > 1);
            assert!(read == valid || stricter, "read {read}, valid {valid}: {text}");
        });
    }

    /// Bytes of any kind end in a trigger or in codes.
    #[test]
    fn no_bytes_bring_the_reader_down(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0_usize..900) {
        let mut text = whole().into_bytes();
        let at = at % text.len();
        let end = (at + bytes.len()).min(text.len());
        text.splice(at..end, bytes);
        match trigger::read(&text) {
            Ok(trigger) => prop_assert!(!trigger.recipients.is_empty()),
            Err(codes) => prop_assert!(!codes.is_empty()),
        }
    }
}

#[test]
fn a_trigger_that_cannot_be_read_is_told_of_as_a_trigger_and_not_as_a_message_of_soap() {
    for wrong in [
        "",
        "<Trigger",
        "<!DOCTYPE a><a/>",
        "<?php x?><a/>",
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>",
        &"<a>".repeat(40),
        &" ".repeat(70_000),
    ] {
        let codes = read(wrong).unwrap_err();
        assert_eq!(numbers(&codes), [1001], "{wrong:.40}");
        let entry = codes[0].entry();
        for text in [entry.da.what, entry.en.what] {
            assert!(!["SOAP", "Besked", "message"].iter().any(|word| text.contains(word)), "{text}");
        }
    }
}
