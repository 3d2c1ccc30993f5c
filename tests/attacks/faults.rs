//! What a refused caller is told: enough to mend an honest mistake, nothing that helps a forger; and what is written down.

use std::io::Write;
use std::sync::{Arc, Mutex};

use hjemmel::stub::pki::Role;
use jiff::SignedDuration;

use crate::arena::{Arena, arena, started};
use crate::forge::{self, CLIENT, END, INNER, PERSON, in_signature, issued, message, piece, reference, resign};
use hjemmel::signature::base64;
use hjemmel::signature::sign::{self, Message, SoapVersion};

/// Everything that was logged, kept to be searched.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Listens to everything that the gateway says, down to the last detail.
    pub fn listen() -> Self {
        let log = Self::default();
        let writer = log.clone();
        let filter = tracing_subscriber::EnvFilter::new("info,hjemmel=trace");
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || writer.clone()).init();
        log
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

#[test]
fn a_failed_signature_names_the_reference_and_the_likely_causes() {
    let arena = arena();
    arena.nothing_passes(|arena| {
        let good = forge::request();
        let chain = piece(reference(&good, "body"), "<ds:Transforms>", "</ds:Transforms>");
        let listed = chain.replace(
            "></ds:Transform>",
            "><e:InclusiveNamespaces xmlns:e=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"soap wsu\"/></ds:Transform>",
        );
        let declared = good.replace("</soap:Header><soap:Body", "</soap:Header><soap:Body xmlns:other=\"urn:other\"");
        for (reason, message) in [
            ("white space changed after signing", good.replace(END, &format!("\n{END}"))),
            ("indented after signing", good.replace(INNER, &format!("\n  {INNER}"))),
            ("a prefix list that the digest was not made with", resign(&in_signature(&declared, chain, &listed.replace("soap wsu", "other")))),
        ] {
            let text = arena.send(message).text;
            for told in ["DigestMismatch", "#body", "(Body)", "line breaks and indentation", "exclusive C14N", "PrefixList"] {
                assert!(text.contains(told), "{reason}: {told}: {text}");
            }
            // What was computed is nobody's business: it would let a forger try.
            let digest = piece(reference(&good, "body"), "<ds:DigestValue>", "</ds:DigestValue>");
            assert!(!text.contains(digest) && !text.contains("DigestValue") && !text.contains(PERSON), "{reason}");
            assert!(!text.contains("<ds:Signature"), "{reason}: and no signature of ours is spent on it");
        }
    });
}

#[test]
fn a_fault_about_time_tells_both_clocks_and_the_difference() {
    let arena = arena();
    arena.nothing_passes(|arena| {
        let created = forge::now() - SignedDuration::from_secs(600);
        let message = Message { created, ..message(SoapVersion::V12) };
        let sent = sign::with_token(&message, &issued(&forge::assertion()), &CLIENT.key).unwrap();
        let text = arena.send(sent).text;
        for told in [
            "TimestampOutside",
            &created.to_string(),
            &forge::now().to_string(),
            "600 seconds behind",
            "600 sekunder bagud",
            "360",
        ] {
            assert!(text.contains(told), "{told}: {text}");
        }
    });
}

/// Everything that the gateway wrote in its folders, but for the keys that it was given.
fn written(arena: &Arena) -> Vec<(String, Vec<u8>)> {
    let mut folders = vec![arena.world.dir.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            match path.is_dir() {
                true if ["pki", "audit-keys", "auditor"].contains(&name.as_str()) => {}
                true => folders.push(path),
                false => files.push((name, std::fs::read(&path).unwrap())),
            }
        }
    }
    files
}

#[test]
fn no_person_token_or_key_is_in_logs_audit_metrics_or_faults() {
    let arena = arena();
    let good = forge::request();
    assert!(arena.send(good.clone()).is_served());
    let faults: String = [
        good.clone(),
        good.replace(PERSON, "6606551239"),
        good.replace(END, &format!("{PERSON}{END}")),
        format!("{good}{PERSON}"),
        forge::request_with(&issued(&forge::assertion()), &forge::STRANGER),
    ]
    .into_iter()
    .map(|message| arena.send(message).text)
    .collect();
    let metrics = arena.runtime.block_on(arena.metrics());
    assert!(metrics.starts_with("HTTP/1.1 200") && metrics.contains("hjemmel_"), "{metrics}");
    let log = started().log.text();
    assert!(log.contains("hjemmel"), "something was logged: {log}");
    let mut places = written(&arena);
    assert!(places.iter().any(|(name, _)| name.contains("audit") || name.ends_with("jsonl")), "the audit is among the files");
    places.extend([
        ("log".to_owned(), log.into_bytes()),
        ("metrics".to_owned(), metrics.into_bytes()),
        ("faults".to_owned(), faults.into_bytes()),
    ]);

    let value = |xml: &str, from: &str, to: &str| piece(xml, from, to).to_owned();
    let mut secrets = vec![
        ("the person".to_owned(), PERSON.to_owned()),
        ("another person".to_owned(), "6606551239".to_owned()),
        ("a name".to_owned(), "Anna Eksempel".to_owned()),
        ("the token's signature".to_owned(), value(&good, "<ds:SignatureValue>", "</ds:SignatureValue>")[19..83].to_owned()),
        (
            "the message's signature".to_owned(),
            value(forge::message_signature(&good), "<ds:SignatureValue>", "</ds:SignatureValue>")[19..83].to_owned(),
        ),
        ("the token's privileges".to_owned(), value(&good, ">PGI6", "<")[1..60].to_owned()),
        (
            "what the gateway's own token says".to_owned(),
            value(&arena.last_reached(), "<ds:SignatureValue>", "</ds:SignatureValue>")[19..83].to_owned(),
        ),
    ];
    for role in Role::ALL {
        let key = base64::encode(started().credentials[&role].key().secret_der());
        // Past the modulus, which is public: a line of the private exponent, as PEM breaks it.
        let line = key[512..576].to_owned();
        let file = arena.world.dir.join(format!("pki/{}.key.pem", role.file_name()));
        assert!(std::fs::read_to_string(file).unwrap().contains(&line), "this is how a key would be found");
        secrets.push((format!("the key of {role:?}"), line));
    }
    for (place, bytes) in &places {
        let text = String::from_utf8_lossy(bytes);
        for (what, secret) in &secrets {
            assert!(!text.contains(secret.as_str()), "{what} is in {place}");
        }
    }
}
