//! KLE numbers and sensitivity: what the token's privileges and the agreements give, both sources, the narrower wins.
//! Through the whole gateway, over real TLS, on the request and on the answer; and the same verdicts from
//! `hjemmel explain`, which sends nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use hjemmel::agreements::Store;
use hjemmel::agreements::import::Import;
use hjemmel::audit::Record;
use hjemmel::cli::call::client::Client;
use hjemmel::cli::call::question::Question;
use hjemmel::cli::call::words::Said;
use hjemmel::cli::demo::world::{Narrowed, Options, World};
use hjemmel::cli::explain;
use hjemmel::clock::Clock;
use hjemmel::id::cpr::Cpr;
use hjemmel::soap::document::Document;
use hjemmel::soap::envelope::Version;
use hjemmel::soap::strict::Limits;
use hjemmel::store::Settings;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{KORSBAEK, UDK, demo};
use hjemmel::stub::ydelsesindeks::answer::Answer;
use hjemmel::stub::ydelsesindeks::evaluate::{Index, Join};
use hjemmel::stub::ydelsesindeks::request;
use serde_json::Value;

use crate::stage::options;

const KLE: &str = "http://sts.kombit.dk/constraints/KLE/1";
const SENSITIVITY: &str = "http://sts.kombit.dk/constraints/foelsomhed/1";
const CONFIDENTIAL: &str = "FORTROLIGE_PERSONOPLYSNINGER";
const SENSITIVE: &str = "FOELSOMME_PERSONOPLYSNINGER";

/// Korsbæk is narrowed in KLE numbers, UDK in sensitivity, each by both sources.
fn narrowed() -> Narrowed {
    let by = |cvr: &str, text: String| (cvr.to_owned(), text);
    Narrowed {
        agreements: BTreeMap::from([
            by(KORSBAEK, "kle = [\"32.03.*\", \"32.12.04\"]\n".to_owned()),
            by(UDK, format!("sensitivity = [\"{CONFIDENTIAL}\", \"{SENSITIVE}\"]\n")),
        ]),
        tokens: BTreeMap::from([
            (KORSBAEK.to_owned(), vec![(KLE.to_owned(), "32.03.04, 32.06.*".to_owned())]),
            (UDK.to_owned(), vec![(SENSITIVITY.to_owned(), CONFIDENTIAL.to_owned())]),
        ]),
        ..Narrowed::default()
    }
}

fn cpr(number: &str) -> Cpr {
    Cpr::parse(number).unwrap()
}

fn about(number: &str, kle: &[&str]) -> Question {
    Question { kle: kle.iter().map(|kle| (*kle).to_owned()).collect(), ..Question::about(cpr(number)) }
}

async fn by_token(world: &World, role: Role, cvr: &str, question: &Question) -> Bytes {
    let token = world.token(role, cvr).await.unwrap();
    let client = world.client(None).unwrap();
    client.token_message(token.assertion(), &world.key(role).unwrap(), &question.input(), world.clock.now()).unwrap().0
}

async fn outcome(world: &World, exchange: hjemmel::cli::call::client::Exchange) -> (Said, Record, String) {
    let record = world.records.recv_timeout(Duration::from_secs(60)).unwrap();
    (Said::read(&exchange.answer), record, String::from_utf8(exchange.answer.to_vec()).unwrap())
}

async fn ask_by_token(world: &World, role: Role, cvr: &str, question: &Question) -> (Said, Record, String) {
    let message = by_token(world, role, cvr, question).await;
    let exchange = world.client(None).unwrap().send(Version::V12, message).await.unwrap();
    outcome(world, exchange).await
}

async fn ask_over_tls(world: &World, question: &Question) -> (Said, Record, String) {
    let message = Client::authority_context_message(KORSBAEK.parse().unwrap(), &question.input());
    let exchange = world.client(Some(Role::Korsbaek)).unwrap().send(Version::V11, message).await.unwrap();
    outcome(world, exchange).await
}

fn code(said: &Said) -> &str {
    match said {
        Said::Answer { .. } => "served",
        Said::Fault { code, .. } => code,
        Said::Unknown(text) => panic!("{text}"),
    }
}

async fn the_narrower_of_token_and_agreement_decides_what_may_be_asked(world: &World) {
    for (kle, token, tls, why) in [
        ("32.03.04", "served", "served", "both give it"),
        ("32.03.12", "KleOutside", "served", "the agreement's wildcard gives it, the token does not"),
        ("32.12.04", "KleOutside", "served", "the agreement gives it, the token does not"),
        ("32.06.04", "KleOutside", "KleOutside", "the token's wildcard gives it, the agreement does not"),
        ("32.30.08", "KleOutside", "KleOutside", "neither gives it"),
    ] {
        let question = about(demo::UDK_ONLY, &[kle]);
        assert_eq!(code(&ask_by_token(world, Role::Korsbaek, KORSBAEK, &question).await.0), token, "token, {kle}: {why}");
        assert_eq!(code(&ask_over_tls(world, &question).await.0), tls, "AuthorityContext, {kle}: {why}");
    }
    let mixed = about(demo::UDK_ONLY, &["32.03.04", "32.06.04"]);
    let said = ask_by_token(world, Role::Korsbaek, KORSBAEK, &mixed).await.0;
    assert_eq!(code(&said), "KleOutside", "one number outside refuses the whole call");
}

async fn lines_outside_are_removed_and_take_the_sums_with_them(world: &World) {
    // The person's grant is for pension (32.03.04) and housing (32.06.04), paid together.
    for question in [about(demo::UDK_ONLY, &[]), about(demo::UDK_ONLY, &["32.03.04"])] {
        let (said, record, xml) = ask_by_token(world, Role::Korsbaek, KORSBAEK, &question).await;
        let Said::Answer { lines, .. } = said else { panic!("{said:?}") };
        assert!(lines.len() >= 3, "{lines:?}");
        assert!(xml.contains("32.03.04") && !xml.contains("32.06.04"), "only the pension is shown");
        assert!(!xml.contains("SamletBruttobeloeb"), "the sum would tell the housing benefit");
        let (released, removed) = record.about.counts().unwrap();
        let went = |rule: &str| removed.fields.get(rule).copied().unwrap_or_default();
        assert!(went("kle") > 0 && went("sums") > 0, "{removed:?}");
        assert!(!released.fields.contains_key("gross-amount"), "{released:?}");
    }
    // UDK is not narrowed in KLE numbers, so its sums are there.
    let (_, _, xml) = ask_by_token(world, Role::Udk, UDK, &about(demo::MUNICIPAL_ONLY, &[])).await;
    assert!(xml.contains("SamletBruttobeloeb"));
}

async fn more_sensitive_cases_than_token_and_agreement_both_give_are_removed(world: &World) {
    let grants = &world.population.grants;
    let of = |sensitivity: &str| {
        let mut plain = grants.iter().filter(|grant| grant.sensitivity == sensitivity && grant.owner == KORSBAEK);
        plain.find(
            |grant| matches!(grant.grantees.as_slice(), [one] if grants.iter().filter(|g| g.grantees.contains(one)).count() == 1),
        )
    };
    // The agreement would give it; the token does not.
    let sensitive = of(SENSITIVE).expect("the population has one").grantees[0].clone();
    let (said, record, _) = ask_by_token(world, Role::Udk, UDK, &about(&sensitive, &[])).await;
    assert!(matches!(&said, Said::Answer { lines, .. } if lines.is_empty()), "{said:?}");
    let (_, removed) = record.about.counts().unwrap();
    assert!(removed.objects.get("sensitivity").is_some_and(|removed| *removed > 0), "{removed:?}");
    let (said, _, _) = ask_by_token(world, Role::Udk, UDK, &about(demo::MUNICIPAL_ONLY, &[])).await;
    assert!(matches!(&said, Said::Answer { lines, .. } if !lines.is_empty()), "what both give is shown: {said:?}");
}

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: explain::Args,
}

/// Runs `hjemmel explain`, as text and as JSON; gives the exit code's meaning and both.
async fn explained(world: &World, request: &Path, more: &[&str]) -> (bool, String, Value) {
    let config = world.dir.join("hjemmel.toml");
    let arguments = |json: bool| {
        let given = ["explain", "--config", config.to_str().unwrap(), request.to_str().unwrap()];
        let all = given.into_iter().chain(more.iter().copied()).chain(json.then_some("--json"));
        Command::try_parse_from(all.map(str::to_owned)).unwrap().args
    };
    let (mut text, mut json) = (Vec::new(), Vec::new());
    let code = explain::run(&arguments(false), &world.clock, &mut std::io::empty(), &mut text).await.unwrap();
    assert_eq!(explain::run(&arguments(true), &world.clock, &mut std::io::empty(), &mut json).await.unwrap(), code);
    (code == ExitCode::SUCCESS, String::from_utf8(text).unwrap(), serde_json::from_slice(&json).unwrap())
}

/// The explanation as text in one language.
async fn in_one(world: &World, request: &Path, lang: &str) -> String {
    let config = world.dir.join("hjemmel.toml");
    let given = ["explain", "--config", config.to_str().unwrap(), request.to_str().unwrap(), "--lang", lang];
    let mut text = Vec::new();
    explain::run(&Command::try_parse_from(given).unwrap().args, &world.clock, &mut std::io::empty(), &mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

fn written(world: &World, name: &str, content: &[u8]) -> PathBuf {
    let path = world.dir.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn verdicts(json: &Value) -> Vec<(String, String)> {
    let steps = json["steps"].as_array().unwrap();
    steps.iter().map(|step| (step["step"].as_str().unwrap().to_owned(), step["verdict"].as_str().unwrap().to_owned())).collect()
}

fn verdict<'j>(json: &'j Value, name: &str) -> &'j Value {
    json["steps"].as_array().unwrap().iter().find(|step| step["step"] == name).unwrap()
}

/// The index's answer to what the explanation says would be sent.
fn answer_to(world: &World, forwarded: &str) -> Vec<u8> {
    let document = Document::parse(Bytes::copy_from_slice(forwarded.as_bytes()), &Limits::default()).unwrap();
    let search = request::read(&document.root()).unwrap();
    let found = Index::new(world.population.clone()).search(&search, Join::Pointwise);
    let answer = Answer { population: world.population.clone(), status: 20, text: None, found, filter: None, padding: None };
    let mut xml = b"<soap:Envelope xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\"><soap:Header/>".to_vec();
    answer.pieces().for_each(|piece| xml.extend(piece));
    xml.extend_from_slice(b"</soap:Envelope>");
    xml
}

async fn a_dry_run_tells_each_verdict_and_sends_nothing(world: &World) {
    let question = about(demo::UDK_ONLY, &[]);
    let signed = by_token(world, Role::Korsbaek, KORSBAEK, &question).await;
    let path = written(world, "signed.xml", &signed);
    let (served, text, json) = explained(world, &path, &[]).await;
    assert!(served, "{text}");
    let passed = |name: &str| (name.to_owned(), "passed".to_owned());
    let expected = [
        passed("envelope"),
        passed("authenticate"),
        ("replay".to_owned(), "not-judged".to_owned()),
        passed("agreement"),
        passed("request_policy"),
    ];
    assert_eq!(verdicts(&json), expected);
    assert!(json["forwarded"].as_str().unwrap().contains("DispositionsDatoInterval"), "the window was inserted");
    for said in [
        "indsat, da kaldet ikke angiver nogen dispositionsdato",
        "inserted, as the call names no",
        "32.03.*",
        "Udbetaling Danmark (99999991)",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!text.contains(demo::UDK_ONLY) && !json.to_string().contains(demo::UDK_ONLY), "the person is masked");

    // Each part of the search by place and rule, in both languages; as text also in one alone.
    let decided = verdict(&json, "request_policy")["decisions"].as_array().unwrap();
    for (place, code, rule) in [
        ("SoegUdtryk/SoegBevillingIndeks[1]", "person-binds", "person"),
        ("SoegUdtryk", "search-added", "reading"),
        ("SoegUdtryk", "page-inserted", "page-cap"),
    ] {
        let found = decided
            .iter()
            .find(|each| each["place"] == place && each["code"] == code)
            .unwrap_or_else(|| panic!("{code}: {json}"));
        assert_eq!(found["rule"], rule);
        assert!(
            found["da"] != found["en"]
                && text.contains(found["da"].as_str().unwrap())
                && text.contains(found["en"].as_str().unwrap())
        );
        let (danish, english) = (in_one(world, &path, "da").await, in_one(world, &path, "en").await);
        assert!(danish.contains(found["da"].as_str().unwrap()) && !danish.contains(found["en"].as_str().unwrap()), "{danish}");
        assert!(english.contains(found["en"].as_str().unwrap()) && !english.contains(found["da"].as_str().unwrap()), "{english}");
    }

    // What the gateway would make of the index's answer.
    let (_, _, shown) = explained(world, &path, &["--show-person"]).await;
    let forwarded = shown["forwarded"].as_str().unwrap();
    assert!(forwarded.contains(demo::UDK_ONLY), "--show-person shows it");
    let answer = written(world, "answer.xml", &answer_to(world, forwarded));
    let (served, text, json) = explained(world, &path, &["--answer", answer.to_str().unwrap()]).await;
    assert!(served, "{text}");
    assert!(!text.contains(demo::UDK_ONLY));
    assert_eq!(verdict(&json, "forward")["verdict"], "not-judged", "the signature of an answer in a file is nobody's proof");
    let answered = &json["answer"];
    assert!(answered["counts"]["fields_removed"]["kle"].as_u64().unwrap() > 0, "{answered}");
    let decisions = answered["decisions"].as_array().unwrap();
    let found = |released: bool, rule: &str| decisions.iter().any(|each| each["released"] == released && each["rule"] == rule);
    assert!(found(true, "benefit-amount") && found(false, "sums") && found(false, "grant") && found(false, "net-amounts"));
    let unnamed = answered["unnamed"].as_array().unwrap();
    let named = |ending: &str| unnamed.iter().any(|each| each["path"].as_str().unwrap().ends_with(ending));
    assert!(named("/oei:BevilgetYdelseRef/sd:UUIDIdentifikator") && !named("/oei:Ydelsesbeloeb"), "{unnamed:?}");
    assert!(text.contains("oei:BevilgetYdelseRef/sd:UUIDIdentifikator"), "each field that is removed is told: {text}");
    let rules = answered["rules"].as_object().unwrap();
    for rule in decisions.iter().map(|each| each["rule"].as_str().unwrap()) {
        assert!(
            ["basis", "da", "en"].iter().all(|words| !rules[rule][words].as_str().unwrap().is_empty()),
            "{rule} has its words"
        );
    }
    assert!(!answered["released"].as_str().unwrap().contains("SamletBruttobeloeb"));

    // Each refusal is the gateway's own.
    let altered = String::from_utf8(signed.to_vec()).unwrap().replace(demo::UDK_ONLY, demo::BOTH);
    let altered = written(world, "altered.xml", altered.as_bytes());
    let (served, text, json) = explained(world, &altered, &[]).await;
    assert!(!served);
    assert_eq!(verdict(&json, "authenticate")["refusal"]["code"], "DigestMismatch", "{text}");
    assert_eq!(verdicts(&json).len(), 2, "nothing is judged past a refusal");
    let (served, _, json) = explained(world, &path, &["--at", "2026-01-02T00:00:00Z"]).await;
    assert!(!served && verdict(&json, "authenticate")["refusal"]["code"] != Value::Null, "the message is not of that day");
    let outside = by_token(world, Role::Korsbaek, KORSBAEK, &about(demo::UDK_ONLY, &["32.06.04"])).await;
    let (served, _, json) = explained(world, &written(world, "kle.xml", &outside), &[]).await;
    assert!(!served);
    assert_eq!(verdict(&json, "request_policy")["refusal"]["code"], "KleOutside");
}

async fn a_message_that_proves_nobody_is_explained_as_far_as_it_goes(world: &World) {
    let question = about(demo::UDK_ONLY, &[]);
    let claim = Client::authority_context_message(KORSBAEK.parse().unwrap(), &question.input());
    let path = written(world, "claim.xml", &claim);
    let certificate = world.dir.join(format!("pki/{}.pem", Role::Korsbaek.file_name()));
    let (served, text, json) = explained(world, &path, &["--certificate", certificate.to_str().unwrap()]).await;
    assert!(served && verdict(&json, "authenticate")["verdict"] == "passed", "{text}");
    let (served, text, json) = explained(world, &path, &[]).await;
    assert!(served && verdict(&json, "authenticate")["verdict"] == "not-judged", "{text}");
    assert_eq!(verdict(&json, "agreement")["verdict"], "passed", "the one system that has an agreement is meant");
    asked_for(world).await;
    let (_, text, json) = explained(world, &path, &[]).await;
    assert_eq!(verdict(&json, "agreement")["verdict"], "passed", "a system that is only asked for calls nobody: {text}");
    let other = world.dir.join(format!("pki/{}.pem", Role::Udk.file_name()));
    let (served, _, json) = explained(world, &path, &["--certificate", other.to_str().unwrap()]).await;
    assert!(!served);
    assert_eq!(verdict(&json, "agreement")["refusal"]["code"], "ServiceAgreementNotFound");

    let bare = written(world, "bare.xml", &question.input());
    let (served, text, json) = explained(world, &bare, &["--authority", KORSBAEK]).await;
    assert!(served && verdict(&json, "agreement")["verdict"] == "passed", "{text}");
    let (served, text, json) = explained(world, &bare, &[]).await;
    assert!(served && verdict(&json, "agreement")["verdict"] == "not-judged", "{text}");
    // An answer that is refused whole: which object it was, and by which rule.
    let unproven = written(world, "unproven.xml", &about(demo::UNPROVEN, &[]).input());
    let (_, _, shown) = explained(world, &unproven, &["--authority", KORSBAEK, "--show-person"]).await;
    let answer = written(world, "unproven-answer.xml", &answer_to(world, shown["forwarded"].as_str().unwrap()));
    let (served, text, json) =
        explained(world, &unproven, &["--authority", KORSBAEK, "--answer", answer.to_str().unwrap()]).await;
    assert!(!served && json["answer"].is_null(), "nothing of it is released: {text}");
    let refused = verdict(&json, "response_policy");
    assert_eq!(refused["refusal"]["code"], "PersonUnproven");
    let facts = refused["facts"].as_array().unwrap();
    let person = facts.iter().find(|fact| fact["en"].as_str().unwrap().contains("[person]")).expect("the rule is named");
    assert!(text.contains(person["en"].as_str().unwrap()) && !text.contains(demo::UNPROVEN), "{text}");

    let nobody = Question { person: None, ..about(demo::UDK_ONLY, &["32.03.04"]) };
    let (served, _, json) = explained(world, &written(world, "nobody.xml", &nobody.input()), &["--authority", KORSBAEK]).await;
    assert!(!served);
    let refusal = &verdict(&json, "request_policy")["refusal"];
    assert_eq!(refusal["code"], "PersonMissing");
    assert!(refusal["da"].as_str().unwrap() != refusal["en"].as_str().unwrap(), "told in both languages");
    let (served, _, json) = explained(world, &written(world, "junk.xml", b"<!DOCTYPE a><a/>"), &[]).await;
    assert!(!served && verdict(&json, "envelope")["verdict"] == "refused");
}

/// Another system's agreement for Korsbæk, which nobody has approved, as the demo has one for its signatory.
async fn asked_for(world: &World) {
    let text = format!(
        "[[agreement]]\nid = \"5a9e0000-0000-4000-9000-0000000000c0\"\nside = \"front\"\nsystem = \"5a9e0000-0000-4000-9000-0000000000c1\"\n\
         certificates = [\"{}\"]\nservice = \"3053ec89-31fe-4206-878b-bba6783d7a88\"\nauthority = \"{KORSBAEK}\"\nenvironment = \"demo\"\n\
         valid_from = \"2026-01-01T00:00:00Z\"\nstate = \"ANMODET\"\nlegal_basis = \"Lov om Udbetaling Danmark § 8, stk. 1\"\n\
         purpose = \"test\"\n",
        "ab".repeat(32)
    );
    let import = Import::parse(&text, &hjemmel::services::vocabulary()).unwrap_or_else(|problems| panic!("{problems:?}"));
    let store = Store::open(&Settings::sqlite(&world.dir.join("agreements.sqlite"))).await.unwrap();
    store.import(&import, world.clock.now()).await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn token_and_agreement_narrow_together_and_explain_tells_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { seed: 5, persons: 200, ..options(dir.path(), Clock::system(), "") };
    let world = World::start_narrowed(options, &narrowed()).await.unwrap();
    the_narrower_of_token_and_agreement_decides_what_may_be_asked(&world).await;
    lines_outside_are_removed_and_take_the_sums_with_them(&world).await;
    more_sensitive_cases_than_token_and_agreement_both_give_are_removed(&world).await;
    a_dry_run_tells_each_verdict_and_sends_nothing(&world).await;
    a_message_that_proves_nobody_is_explained_as_far_as_it_goes(&world).await;
    assert!(world.records.try_recv().is_err(), "a dry run leaves no record of a call, for there was none");
    world.stop().await;
}
