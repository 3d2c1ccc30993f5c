//! The auditor's question over the logs of two nodes, asked with the command of calls that gateways recorded; what it answers
//! is held against the lines of the logs, read here by hand.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use hjemmel::cli::call::client::Client;
use hjemmel::cli::demo::world::World;
use hjemmel::clock::Clock;
use hjemmel::soap::envelope::Version;
use hjemmel::store::Settings;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{KORSBAEK, demo};
use serde_json::Value;

use crate::process::{Gateway, HJEMMEL, in_runtime};
use crate::request::{and, search};
use crate::stage::{auditor, auditor_of, options, person};

/// An authority that made none of the calls.
const ANOTHER: &str = "99999981";
/// Its auditor.
const BY_ANOTHERS_AUDITOR: [&str; 4] =
    ["--signed-certificate", "pki/auditor-of-another.pem", "--signed-key", "pki/auditor-of-another.key.pem"];

/// Whoever asks, as `auditor` adds them.
const BY_THE_AUDITOR: [&str; 4] = ["--signed-certificate", "pki/auditor.pem", "--signed-key", "pki/auditor.key.pem"];

/// What the command said.
struct Said {
    ok: bool,
    out: String,
    aside: String,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.aside))
    }
}

/// The auditors' room: two logs, and a log of their own.
struct Room<'d>(&'d Path);

impl Room<'_> {
    fn audit(&self, words: &[&str], input: &str) -> Said {
        self.run(&[&["audit"], words].concat(), input)
    }

    fn run(&self, words: &[&str], input: &str) -> Said {
        let mut command = Command::new(HJEMMEL);
        command.current_dir(self.0).args(words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that refuses its arguments never reads.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let said = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { ok: said.status.success(), out: text(said.stdout), aside: text(said.stderr) }
    }

    fn report(&self, more: &[&str], input: &str) -> Said {
        self.report_by(&BY_THE_AUDITOR, more, input)
    }

    fn report_by(&self, by: &[&str], more: &[&str], input: &str) -> Said {
        let ours =
            ["--questions", "own", "--questions-key", "own-keys/checkpoint.key", "--reason", "prøve 7", "--policies", "policies"];
        self.audit(&[&["report", "audit", "audit-2"], &ours[..], by, more].concat(), input)
    }

    /// The last records of the calls, as they stand in the lines.
    fn closed(&self) -> Vec<Value> {
        let mut found = Vec::new();
        for log in ["audit", "audit-2"] {
            let text = std::fs::read_to_string(self.0.join(log).join("segment-00000001.jsonl")).unwrap();
            let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["entry"]["event"].clone());
            found.extend(events.filter_map(|event| event.get("closed").cloned()));
        }
        found
    }

    fn by_person(&self, more: &[&str], cpr: &str) -> Said {
        let keys = ["--person", "--pseudonym-key", "audit-keys/pseudonym.key", "--auditors-pub", "audit-keys/auditors.pub"];
        self.report(&[&keys[..], more].concat(), cpr)
    }
}

/// Rule and count of one side of a call in the report.
fn by_rule(side: &Value) -> Value {
    let pairs = side.as_array().unwrap().iter().map(|of| (of["rule"].as_str().unwrap().to_owned(), of["count"].clone()));
    Value::Object(pairs.collect())
}

fn or_empty(value: &Value) -> Value {
    if value.is_null() { serde_json::json!({}) } else { value.clone() }
}

/// Two nodes of one installation, one after the other: a call that is served and one that is refused on the first, a served
/// one on the second. What the two served calls were answered, and the fault.
async fn recorded(dir: &Path) -> [String; 3] {
    let mut world = World::without_gateway(options(dir, Clock::system(), "")).await.unwrap();
    let store = Settings::sqlite(&dir.join("agreements.sqlite"));
    assert_eq!(auditor(&world, &store).await, BY_THE_AUDITOR);
    auditor_of(&world, &store, "E. Visor", ANOTHER, "auditor-of-another").await;
    let send = async |world: &World, persons: &[&str], status: u16| {
        let client = world.client(Some(Role::Korsbaek)).unwrap();
        let persons: Vec<_> = persons.iter().map(|cpr| person(cpr)).collect();
        let input = search(&and(&persons.iter().map(String::as_str).collect::<Vec<_>>()));
        let message = Client::authority_context_message(KORSBAEK.parse().unwrap(), input.as_bytes());
        let exchange = client.send(Version::V11, message).await.unwrap();
        let answer = String::from_utf8_lossy(&exchange.answer).into_owned();
        assert_eq!(exchange.status, status, "{answer}");
        answer
    };
    let gateway = Gateway::start(&world).await;
    let first = send(&world, &[demo::BOTH], 200).await;
    let fault = send(&world, &[demo::BOTH, demo::NOTHING], 500).await;
    gateway.signal("-TERM");
    assert!(gateway.ended().await);

    std::fs::create_dir(dir.join("audit-2")).unwrap();
    let settings = std::fs::read_to_string(&world.configuration).unwrap();
    let settings = settings.replace("directory = \"audit\"", "directory = \"audit-2\"");
    world.configuration = dir.join("node-2.toml");
    std::fs::write(&world.configuration, settings).unwrap();
    let gateway = Gateway::start(&world).await;
    let second = send(&world, &[demo::BOTH], 200).await;
    gateway.signal("-TERM");
    assert!(gateway.ended().await);
    hjemmel::audit::keys::generate(&dir.join("own-keys")).unwrap();
    [first, fault, second]
}

#[test]
fn an_auditor_is_told_over_two_nodes_who_looked_on_what_basis_and_what_was_released_and_removed() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let [first, fault, second] = recorded(dir.path()).await;
        let room = Room(dir.path());
        let lines = room.closed();
        assert_eq!(lines.len(), 3, "{lines:?}");
        let system = lines[0]["client_system"].as_str().unwrap();
        let by = ["--certificate", "pki/person-operator.pem", "--key", "pki/person-operator.key.pem", "--reason", "prøve"];
        let of = ["--name", "Korsbæk Fagsystem", "--contact", "drift@korsbaek.example", "--for", KORSBAEK];
        let register = ["system", "--config", "hjemmel.toml", "register", "--id", system];
        let registered = room.run(&[&register[..], &of, &by].concat(), "");
        assert!(registered.ok, "{}", registered.aside);

        let said = room.by_person(&["--format", "json", "--config", "hjemmel.toml"], demo::BOTH);
        assert!(said.ok, "{}", said.aside);
        let report = said.json();
        assert_eq!((&report["calls_found"], &report["whole"]), (&3.into(), &true.into()), "{report}");
        let calls = report["calls"].as_array().unwrap();
        for (told, line) in calls.iter().zip(&lines) {
            for key in
                ["call", "service", "operation", "outcome", "legal_basis", "purpose", "certificate", "client_system", "binding"]
            {
                assert_eq!(told[key], line[key], "{key}");
            }
            assert_eq!(told["when_utc"], line["opened_at"]);
            assert_eq!(told["authority"]["id"], line["authority"]);
            assert_eq!(told["front_agreement"], line["front_agreement"]);
            assert_eq!(told["judged_by"]["sha256"], line["policy"]["digest"]);
            assert_eq!(told["judged_by"]["version"], line["policy"]["version"]);
            for side in ["released", "removed"] {
                for kind in ["objects", "fields"] {
                    assert_eq!(by_rule(&told[side][kind]), or_empty(&line[side][kind]), "{side} {kind}");
                }
            }
            for field in told["removed"]["fields"].as_array().unwrap() {
                let places = field["places"].as_array().unwrap().iter().map(|place| place[1].as_u64().unwrap());
                assert_eq!(places.sum::<u64>(), field["count"], "each removed field has a place: {field}");
            }
        }
        assert_eq!(calls[0]["authority"]["name"], "Korsbæk Kommune", "{}", calls[0]);
        assert_eq!(calls[0]["client_system_name"], "Korsbæk Fagsystem", "{}", calls[0]);
        assert_eq!(calls[1]["refusal"], "PersonSeveral");
        assert_eq!((&calls[0]["log"], &calls[2]["log"]), (&"audit".into(), &"audit-2".into()));

        // What was released is what the caller was sent, counted in the answer itself.
        for (told, answer) in [(&calls[0], first), (&calls[2], second)] {
            let sent = |name: &str| answer.matches(name).count();
            let effectuations = sent("<yi:OekonomiskEffektueringFiltreretOejebliksbillede>");
            assert!(effectuations > 0, "{answer}");
            assert_eq!(told["released"]["objects"][0]["count"], effectuations);
            let fields = told["released"]["fields"].as_array().unwrap();
            let amounts = fields.iter().find(|field| field["rule"] == "benefit-amount").unwrap();
            assert_eq!(amounts["count"], sent("<oei:Ydelsesbeloeb>"));
            assert!(amounts["why"].as_str().unwrap().starts_with("Beløbet for den enkelte ydelse."), "{amounts}");
            let removed = told["removed"]["fields"].as_array().unwrap();
            let net = removed.iter().find(|field| field["rule"] == "net-amounts").unwrap();
            assert!(net["why"].as_str().unwrap().contains("afslører skat"), "{net}");
            assert!(net["places"].to_string().contains("Egenskaber/Beloeb") && !answer.contains("BeloebUdbetalt"), "{net}");
        }

        // The call that the fault quotes.
        let call = lines[1]["call"].as_str().unwrap();
        assert!(fault.contains(call), "{fault}");
        let one = room.report(&["--call", call], "");
        assert!(one.ok && one.out.contains("afvist PersonSeveral") && one.out.contains("\n1 kald\n"), "{}{}", one.out, one.aside);
        assert!(one.out.contains("2 person(er), forseglet") && one.out.contains("udleveret: intet"), "{}", one.out);
        let english = room.report(&["--call", lines[0]["call"].as_str().unwrap(), "--lang", "en"], "").out;
        for told in [
            "judged by: policy terminaladgang-6 version 1",
            "time asked for: no dates in the call",
            "parts of the answer wanted: all",
            "other-owner – ",
        ] {
            assert!(english.contains(told), "{told}: {english}");
        }

        // All that one certificate did, and the account to an authority.
        let certificate = lines[0]["certificate"].as_str().unwrap();
        let all = room.report(&["--certificate", certificate, "--format", "json"], "").json();
        assert_eq!(all["calls_found"], 3);
        let year = lines[0]["opened_at"].as_str().unwrap()[..4].to_owned();
        let account = room.report(&["--authority", KORSBAEK, "--year", &year, "--format", "json"], "").json();
        let sum = |outcome: &str| {
            let of = account["account"].as_array().unwrap().iter().filter(|line| line["outcome"] == outcome);
            of.map(|line| line["calls"].as_u64().unwrap()).sum::<u64>()
        };
        assert_eq!((sum("served"), sum("refused")), (2, 1), "{account}");
        let named = |format: &str| {
            let said = room.report(&["--year", &year, "--config", "hjemmel.toml", "--format", format], "");
            assert!(said.ok, "{}", said.aside);
            said
        };
        let table = named("csv").out;
        let mut table = csv::Reader::from_reader(table.as_bytes());
        let column = table.headers().unwrap().iter().position(|name| name == "authority_name").unwrap();
        assert!(table.records().all(|row| &row.unwrap()[column] == "Korsbæk Kommune"));
        assert_eq!(named("json").json()["account"][0]["authority_name"], "Korsbæk Kommune");
        assert!(named("text").out.contains(&format!("Korsbæk Kommune ({KORSBAEK}): ")));
        let all = ["--all-authorities", "--authority", ANOTHER, "--year", &year, "--format", "json"];
        let another = room.report(&all, "").json();
        assert_eq!(another["calls_found"], 0);
        let later = room.by_person(&["--from", "november 2199"], demo::BOTH);
        assert!(later.ok && later.out.ends_with("0 kald\n"), "{}", later.out);

        // A table for a spreadsheet, and both languages at once.
        let both = room.report(&["--call", call, "--lang", "both", "--config", "hjemmel.toml"], "").out;
        assert!(both.contains("hvem · who: Korsbæk Kommune (") && both.contains("system Korsbæk Fagsystem ("), "{both}");
        let table = room.report(&["--authority", KORSBAEK, "--format", "csv"], "").out;
        let mut table = csv::Reader::from_reader(table.as_bytes());
        let column = table.headers().unwrap().iter().position(|name| name == "call").unwrap();
        let found: Vec<_> = table.records().map(|row| row.unwrap()[column].to_owned()).collect();
        assert_eq!(found, lines.iter().map(|line| line["call"].as_str().unwrap()).collect::<Vec<_>>());
    });
}

#[test]
fn a_question_stands_in_the_auditors_log_before_it_is_answered_and_a_damaged_log_is_said_to_be() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        recorded(dir.path()).await;
        let room = Room(dir.path());
        let asked = room.by_person(&[], demo::BOTH);
        assert!(asked.ok && asked.out.contains("\n3 kald\n"), "{}{}", asked.out, asked.aside);
        let listed = room.audit(&["questions", "own", "--json"], "").json();
        let question = &listed[0];
        assert_eq!((&question["by"], &question["reason"]), (&"R. Visor".into(), &"prøve 7".into()), "{listed}");
        assert_eq!(question["proof"], "signed", "{listed}");
        assert!(question.get("user").is_none(), "no store was asked who that is: {listed}");
        assert_eq!(question["logs"].as_array().unwrap().len(), 2, "how far each log had come: {question}");
        let id = question["question"].as_str().unwrap();
        assert!(asked.out.contains(id), "{}", asked.out);
        let opened = room.audit(&["open", "own", "--key", "auditor/auditors.key", "--call", id], "");
        assert_eq!(opened.out, format!("{}\n", demo::BOTH), "{}", opened.aside);
        let own = std::fs::read_to_string(dir.path().join("own/segment-00000001.jsonl")).unwrap();
        for text in [&own, &asked.out, &asked.aside] {
            assert!(!text.contains(demo::BOTH), "{text}");
        }
        let proven = room.audit(&["verify", "own", "--key", "own-keys/checkpoint.pub"], "");
        assert!(proven.ok && proven.out.contains("1 questions of auditors"), "{}{}", proven.out, proven.aside);

        // Not on record: no answer.
        std::fs::write(dir.path().join("file"), "").unwrap();
        let words = |folder| {
            ["report", "audit", "--authority", KORSBAEK, "--questions", folder, "--questions-key", "own-keys/checkpoint.key"]
        };
        let unrecorded = room.audit(&[&words("file")[..], &BY_THE_AUDITOR, &["--reason", "prøve"]].concat(), "");
        assert!(!unrecorded.ok && unrecorded.out.is_empty() && unrecorded.aside.contains("not answered"), "{}", unrecorded.aside);
        let named = room.audit(&[&words("own")[..], &BY_THE_AUDITOR, &["--reason", "om 610180-1234"]].concat(), "");
        assert!(!named.ok && named.out.is_empty() && named.aside.contains("person's number"), "{}", named.aside);
        let nothing = room.report(&[], "");
        assert!(!nothing.ok && nothing.out.is_empty(), "a question about nothing: {}", nothing.aside);
        let ambiguous = room.report(&["--from", "3/11/2026"], "");
        assert!(!ambiguous.ok && ambiguous.aside.contains("3/11-2026") && ambiguous.out.is_empty(), "{}", ambiguous.aside);
        assert_eq!(
            room.audit(&["questions", "own", "--json"], "").json().as_array().unwrap().len(),
            1,
            "none of these was asked"
        );

        // Where there is a store, whoever asks is a user of it who may.
        let with_a_store = |certificate: &str, key: &str| {
            let by = ["--signed-certificate", certificate, "--signed-key", key, "--reason", "prøve", "--config", "hjemmel.toml"];
            room.audit(&[&words("own")[..], &by].concat(), "")
        };
        let signatory = with_a_store("pki/person-signatory.pem", "pki/person-signatory.key.pem");
        assert!(!signatory.ok && signatory.out.is_empty(), "{}", signatory.out);
        assert!(signatory.aside.contains("no right to ask the audit log about a person"), "{}", signatory.aside);
        let stranger = with_a_store("pki/client-intruder.pem", "pki/client-intruder.key.pem");
        assert!(!stranger.ok && stranger.out.is_empty(), "a certificate that is no user's: {}", stranger.out);
        assert_eq!(room.audit(&["questions", "own", "--json"], "").json().as_array().unwrap().len(), 1, "neither was asked");
        let known = with_a_store(BY_THE_AUDITOR[1], BY_THE_AUDITOR[3]);
        assert!(known.ok, "{}", known.aside);
        let listed = room.audit(&["questions", "own", "--json"], "").json();
        assert!(listed[1]["user"].is_string() && listed[1]["proof"] == "signed", "{listed}");

        // A line is gone: what is left is told, and that it may not be all.
        let segment = dir.path().join("audit-2/segment-00000001.jsonl");
        let text = std::fs::read_to_string(&segment).unwrap();
        let kept: String = text.split_inclusive('\n').filter(|line| !line.contains("\"closed\"")).collect();
        std::fs::write(&segment, kept).unwrap();
        let doubtful = room.by_person(&[], demo::BOTH);
        assert!(!doubtful.ok && doubtful.out.contains("ADVARSEL: audit-2: kæden er brudt 1 steder"), "{}", doubtful.out);
        assert!(
            doubtful.out.contains("sendt videre og aldrig afsluttet") && doubtful.aside.contains("may lack calls"),
            "{}",
            doubtful.out
        );
    });
}

#[test]
fn an_authoritys_auditor_is_told_of_no_other_authoritys_calls_with_the_store_and_without() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        recorded(dir.path()).await;
        let room = Room(dir.path());
        let lines = room.closed();
        let (call, certificate) = (lines[0]["call"].as_str().unwrap(), lines[0]["certificate"].as_str().unwrap());
        let year = &lines[0]["opened_at"].as_str().unwrap()[..4];
        let keys = ["--person", "--pseudonym-key", "audit-keys/pseudonym.key", "--auditors-pub", "audit-keys/auditors.pub"];
        for beside in [&["--config", "hjemmel.toml"][..], &[]] {
            let asked = |by: &[&str], about: &[&str]| {
                let said = room.report_by(by, &[about, beside, &["--format", "json"]].concat(), demo::BOTH);
                assert!(said.ok, "{beside:?} {about:?}: {}", said.aside);
                said.json()
            };
            for about in [&["--call", call][..], &["--certificate", certificate], &["--from", year], &["--year", year], &keys] {
                let told = asked(&BY_ANOTHERS_AUDITOR, about);
                assert_eq!(told["calls_found"], 0, "{beside:?} {about:?}: {told}");
                assert_eq!(told["notes"].as_array().map(Vec::len), Some(0), "not even how many there are: {told}");
                assert_ne!(asked(&BY_THE_AUDITOR, about)["calls_found"], 0, "{beside:?} {about:?}");
            }
            let before = room.audit(&["questions", "own", "--json"], "").json();
            let asked = before.as_array().unwrap();
            assert!(asked.iter().all(|question| question["authority"].is_string()), "each names whose calls: {before}");
            let refused = room.report_by(&BY_ANOTHERS_AUDITOR, &[&["--authority", KORSBAEK], beside].concat(), "");
            assert!(!refused.ok && refused.out.is_empty() && refused.aside.contains(ANOTHER), "{}", refused.aside);
            assert_eq!(room.audit(&["questions", "own", "--json"], "").json(), before, "it was not asked");
        }
        // Whoever audits the whole gateway says so, and the question is one about all; a user of the store is an authority's.
        let all = room.report_by(&BY_ANOTHERS_AUDITOR, &["--call", call, "--all-authorities", "--format", "json"], "");
        assert!(all.ok, "{}", all.aside);
        assert_eq!(all.json()["calls_found"], 1);
        let listed = room.audit(&["questions", "own", "--json"], "").json();
        let last = listed.as_array().unwrap().last().unwrap();
        assert!(last.get("authority").is_none() && last["by"] == "E. Visor", "{last}");
        let both = room.report_by(&BY_ANOTHERS_AUDITOR, &["--call", call, "--all-authorities", "--config", "hjemmel.toml"], "");
        assert!(!both.ok && both.out.is_empty(), "{}", both.out);
    });
}
