//! What a change of the policy means, and which version was in force on a day.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicI64, Ordering};

use clap::Parser;
use hjemmel::cli::demo::scenes::{Scene, play};
use hjemmel::cli::demo::world::{Options, World};
use hjemmel::cli::policy;
use hjemmel::clock::Clock;
use hjemmel::services::terminaladgang::law::diff::{Difference, Effect, differences, is_declared};
use hjemmel::services::terminaladgang::law::document::Policy;
use hjemmel::services::terminaladgang::law::history::{History, HistoryError, Timetable};
use jiff::SignedDuration;

const SHIPPED: &str = include_str!("../../policies/terminaladgang-6.toml");

/// The shipped policy with some of its text replaced.
fn text(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(SHIPPED.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

fn read(text: &str) -> Policy {
    Policy::read(text, Path::new("policies/terminaladgang-6.toml")).unwrap_or_else(|errors| panic!("{errors}"))
}

fn changed(changes: &[(&str, &str)]) -> Vec<Difference> {
    differences(&read(SHIPPED), &read(&text(changes)))
}

/// A version after the shipped one; `widens` is what its changelog acknowledges.
fn next(widens: &str, changes: &[(&str, &str)]) -> String {
    let version = ("version = \"1\"\nvalid-from = 2026-01-01", "version = \"2\"\nvalid-from = 2026-06-01");
    let entry =
        format!("[[changelog]]\nversion = \"2\"\ndate = 2026-05-20\n{widens}da = \"Prøve.\"\nen = \"A try.\"\n\n[legal-basis]");
    let all: Vec<_> = [version, ("[legal-basis]", &entry)].into_iter().chain(changes.iter().copied()).collect();
    text(&all)
}

const NET: (&str, &str) = ("form = \"amount\"\nrelease = false", "form = \"amount\"\nrelease = true");

#[test]
fn each_change_is_told_by_name_and_by_the_way_it_goes() {
    use Effect::{Narrowing, Other, Widening};
    let period = "paths = [\"E/oei:Startdato\", \"E/oei:Slutdato\"]\nform = \"date-time\"";
    let cases: &[(&str, &str, Effect, &str, &str)] = &[
        (NET.0, NET.1, Widening, "release:E/oei:BeloebUdbetalt", "a field is newly released"),
        (
            "form = \"register-name\"\nrelease = true",
            "form = \"register-name\"\nrelease = false",
            Narrowing,
            "release:R/oei:Registrering/oei:RelationListe/oei:Aktoer[Ejer]/oei:FuldtNavn",
            "a field is withheld",
        ),
        ("form = \"digits-4\"", "form = \"digits-3\"", Narrowing, "form:Y/gd:Indeks", "a form is narrowed"),
        (
            period,
            &period.replace("date-time", "date-time-with-offset"),
            Narrowing,
            "form:E/oei:Startdato",
            "an offset is demanded",
        ),
        ("\"calendar-months\"", "\"rolling-start\"", Narrowing, "reading", "the window begins later"),
        ("\"calendar-months\"", "\"rolling\"", Narrowing, "reading", "the window begins later and ends sooner"),
        ("\"copenhagen\"", "\"refuse\"", Narrowing, "naive", "dates without an offset are refused"),
        ("value = \"refuse\"", "value = \"narrow\"", Widening, "outside", "what was refused is served"),
        (
            "id = \"direct-lookup\"\nvalue = false",
            "id = \"direct-lookup\"\nvalue = true",
            Widening,
            "direct-lookup",
            "past the person",
        ),
        ("id = \"include\"\nvalue = false", "id = \"include\"\nvalue = true", Widening, "include", "beside the search"),
        ("value = 500", "value = 501", Widening, "page-cap", "more at a time"),
        ("value = 500", "value = 50", Narrowing, "page-cap", "less at a time"),
        ("check = \"prove\"", "check = \"trust-index\"", Widening, "person-check", "the index's join is trusted"),
        ("future = \"release\"", "future = \"withhold\"", Narrowing, "future", "what is to come is withheld"),
        ("status = 20", "status = 44", Other, "empty-status", "neither gives more"),
        (
            "3102fa7e-f56e-4510-b0d4-1650c590dc3b",
            "3102fa7e-f56e-4510-b0d4-1650c590dc3c",
            Widening,
            "role:grantee",
            "cannot be compared",
        ),
        ("§ 8, stk. 1\"\nen", "§ 9\"\nen", Widening, "legal-basis", "another paragraph is another right"),
        ("Effektueringens id.", "Effektueringens UUID.", Other, "da:object-id", "words"),
    ];
    for (from, to, effect, id, why) in cases {
        let found = changed(&[(from, to)]);
        let named = found.iter().find(|difference| difference.id == *id);
        assert!(named.is_some_and(|difference| difference.effect == *effect), "{why}: {id} must be {effect:?} in {found:#?}");
        assert!(found.iter().all(|difference| difference.effect == *effect), "{why}: nothing goes another way in {found:#?}");
        let back = differences(&read(&text(&[(from, to)])), &read(SHIPPED));
        let opposite = match (effect, *id) {
            (_, id) if id.starts_with("role") || id == "legal-basis" => Widening,
            (Widening, _) => Narrowing,
            (Narrowing, _) => Widening,
            (Other, _) => Other,
        };
        assert!(back.iter().any(|difference| difference.id == *id && difference.effect == opposite), "{why}: and back {back:#?}");
    }
    assert!(changed(&[]).is_empty(), "a policy does not differ from itself");
}

#[test]
fn criteria_and_sortings_count_in_both_directions() {
    let start = SHIPPED.find("[[request.criterion]]\nid = \"criterion-gross\"").unwrap();
    let end = start + SHIPPED[start..].find("\n\n").unwrap();
    let without = read(&SHIPPED.replace(&SHIPPED[start..end], ""));
    let found = differences(&read(SHIPPED), &without);
    assert_eq!((found.len(), found[0].effect, found[0].id.as_str()), (1, Effect::Narrowing, "criterion:SamletBruttobeloeb"));
    assert_eq!(differences(&without, &read(SHIPPED))[0].effect, Effect::Widening);
}

#[test]
fn a_widening_must_be_acknowledged_by_a_version_of_its_own() {
    let old = read(SHIPPED);
    let told = |text: &str| {
        let new = read(text);
        is_declared(&old, &new, &differences(&old, &new))
    };
    let all = "widens = [\"release:E/oei:BeloebUdbetalt\", \"release:E/oei:BeloebSendtTilUdbetaling\", \"release:E/oei:BeloebEfterSkatATP\"]\n";
    assert!(told(SHIPPED), "no difference");
    assert!(!told(&text(&[NET])), "the same version with another meaning");
    assert!(!told(&next("", &[NET])), "widened in silence");
    assert!(!told(&next("widens = [\"release:E/oei:BeloebUdbetalt\"]\n", &[NET])), "two of three in silence");
    assert!(told(&next(all, &[NET])), "each acknowledged");
    assert!(told(&next("", &[("value = 500", "value = 100")])), "a narrowing needs a version only");
    assert!(!told(&text(&[("value = 500", "value = 100")])), "but a version it needs");
    let told_before = text(&[("date = 2026-01-01\n", &format!("date = 2026-01-01\n{all}")), NET]);
    assert!(!told(&told_before), "an entry that the old policy has acknowledges nothing new");
}

#[test]
fn a_version_without_an_entry_in_the_changelog_is_refused() {
    let silent = text(&[("version = \"1\"\nvalid-from", "version = \"2\"\nvalid-from")]);
    let errors = Policy::read(&silent, Path::new("p.toml")).unwrap_err();
    assert!(errors.to_string().contains("There is no [[changelog]] for version 2."), "{errors}");
}

#[test]
fn the_version_in_force_is_the_last_that_has_begun() {
    let (first, second) = (read(SHIPPED), read(&next("", &[])));
    let history = History::new(vec![second.clone(), first.clone()]).unwrap();
    for (day, version) in [
        ("2025-12-31", None),
        ("2026-01-01", Some("1")),
        ("2026-05-31", Some("1")),
        ("2026-06-01", Some("2")),
        ("2040-01-01", Some("2")),
    ] {
        assert_eq!(history.at(day.parse().unwrap()).map(Policy::version), version, "{day}");
    }
    assert_eq!(History::new(vec![first.clone(), first.clone()]), Err(HistoryError::Version("1".to_owned())));
    let same_day = read(&next("", &[]).replace("2026-06-01", "2026-01-01"));
    assert!(matches!(History::new(vec![first.clone(), same_day]), Err(HistoryError::Day(_))));
    let other = read(&next("", &[]).replace("id = \"terminaladgang-6\"", "id = \"terminaladgang-7\""));
    assert!(matches!(History::new(vec![first, other]), Err(HistoryError::Ids(..))));
}

#[test]
fn a_version_takes_force_at_the_midnight_of_its_day_in_denmark() {
    let timetable = Timetable::try_from(History::new(vec![read(&next("", &[])), read(SHIPPED)]).unwrap()).unwrap();
    for (now, version) in [
        ("2025-12-31T22:59:59Z", None),
        ("2025-12-31T23:00:00Z", Some("1")),
        ("2026-05-31T21:59:59.999Z", Some("1")),
        ("2026-05-31T22:00:00Z", Some("2")),
        ("2040-01-01T00:00:00Z", Some("2")),
    ] {
        let in_force = timetable.at(now.parse().unwrap()).map(|policy| policy.version());
        assert_eq!(in_force, version, "{now}: midnight is Denmark's, in winter and in summer");
    }
}

/// The gateway serves on while a version's day comes: nobody reloads, and the record names the version that decided.
#[tokio::test(flavor = "multi_thread")]
async fn the_record_names_the_version_that_held_at_the_calls_instant() {
    static AHEAD: AtomicI64 = AtomicI64::new(0);
    let (dir, system) = (tempfile::tempdir().unwrap(), Clock::system());
    let clock = Clock::from_fn(move || system.now() + SignedDuration::from_hours(24 * AHEAD.load(Ordering::SeqCst)));
    let options = Options { dir: dir.path().to_owned(), port: 0, seed: 7, persons: 50, clock, extra: String::new(), pki: None };
    let world = World::start(options).await.unwrap();
    let copenhagen = hjemmel::clock::copenhagen().unwrap();
    let after_tomorrow = world.clock.now().to_zoned(copenhagen).date().tomorrow().unwrap().tomorrow().unwrap();
    let second = next("", &[("\"calendar-months\"", "\"rolling-start\"")])
        .replace("valid-from = 2026-06-01", &format!("valid-from = {after_tomorrow}"));
    std::fs::create_dir(dir.path().join("policies/history")).unwrap();
    std::fs::write(dir.path().join("policies/history/terminaladgang-6.v1.toml"), SHIPPED).unwrap();
    std::fs::write(dir.path().join("policies/terminaladgang-6.toml"), &second).unwrap();
    world.reload().await.unwrap();
    for (days, text) in [(0, SHIPPED), (1, SHIPPED), (2, &second), (3, &second)] {
        AHEAD.store(days, Ordering::SeqCst);
        let record = play(&world, Scene::Municipality).await.unwrap().record;
        let (named, policy) = (&record.about.terminaladgang().unwrap().policy, read(text));
        assert_eq!(record.refusal, None, "{days} days on");
        assert_eq!(named.version, policy.version(), "{days} days on");
        assert_eq!(named.digest, hjemmel::hex::encode(policy.digest()), "{days} days on");
    }
    world.stop().await;
}

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: policy::Args,
}

fn command(arguments: &[&str]) -> Result<(bool, String), String> {
    let args = Command::try_parse_from(["policy"].iter().chain(arguments)).unwrap().args;
    let mut out = Vec::new();
    let clock = Clock::fixed("2026-11-22T12:00:00Z".parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let code = runtime.block_on(policy::run(&args, &clock, &mut out)).map_err(|error| error.to_string())?;
    Ok((code == ExitCode::SUCCESS, String::from_utf8(out).unwrap()))
}

fn house() -> (tempfile::TempDir, [PathBuf; 2]) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("history")).unwrap();
    let old = dir.path().join("history/terminaladgang-6.v1.toml");
    let new = dir.path().join("terminaladgang-6.toml");
    std::fs::write(&old, SHIPPED).unwrap();
    std::fs::write(&new, next("", &[("\"calendar-months\"", "\"rolling\"")])).unwrap();
    (dir, [old, new])
}

#[test]
fn show_prints_what_held_on_a_day_with_every_rule_and_its_basis() {
    let (dir, _) = house();
    let dir = dir.path().to_str().unwrap();
    let (_, then) = command(&["show", "terminaladgang-6", "--dir", dir, "--at", "2026-05-31"]).unwrap();
    assert!(then.contains("version 1") && then.contains("reading = calendar-months"), "{then}");
    assert!(then.contains("2026-02-01T00:00:00+01:00 – 2026-06-01T00:00:00+02:00"), "the window of that day: {then}");
    let (_, now) = command(&["show", "terminaladgang-6", "--dir", dir]).unwrap();
    assert!(now.contains("version 2") && now.contains("reading = rolling"), "{now}");
    for words in read(SHIPPED).words() {
        for part in [&words.id, &words.basis, &words.da, &words.en] {
            assert!(then.contains(part.as_str()), "{part}");
        }
    }
    let (_, danish) = command(&["show", "terminaladgang-6", "--dir", dir, "--lang", "da"]).unwrap();
    assert!(
        danish.contains("HVAD DER UDLEVERES")
            && !danish.contains("WHAT IS RELEASED")
            && !danish.contains("The effectuation's id.")
            && danish.contains("teknisk: skemaet kræver det")
            && !danish.contains("technical:")
            && !danish.contains("inferred:")
    );
    let (_, english) = command(&["show", "terminaladgang-6", "--dir", dir, "--lang", "en"]).unwrap();
    assert!(english.contains("WHAT IS RELEASED") && !english.contains("Effektueringens id."));
    let before = command(&["show", "terminaladgang-6", "--dir", dir, "--at", "2025-12-31"]).unwrap_err();
    assert!(before.contains("its first version holds from 2026-01-01"), "{before}");
}

#[test]
fn diff_fails_on_a_widening_in_silence_and_on_nothing_else() {
    let (dir, [old, new]) = house();
    let [old, new] = [old.to_str().unwrap(), new.to_str().unwrap()];
    let (told, text) = command(&["diff", old, new]).unwrap();
    assert!(told && text.contains("narrowing: reading"), "{text}");
    // Backwards it is a widening that nobody acknowledged.
    let (told, text) = command(&["diff", new, old]).unwrap();
    assert!(!told && text.contains("WIDENING, NOT ACKNOWLEDGED: reading"), "{text}");
    let (told, json) = command(&["diff", new, old, "--json"]).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(!told && json["told"] == false && json["differences"][0]["effect"] == "widening", "{json}");
    let other = dir.path().join("other.toml");
    std::fs::write(&other, SHIPPED.replace("id = \"terminaladgang-6\"", "id = \"terminaladgang-7\"")).unwrap();
    let refused = command(&["diff", old, other.to_str().unwrap()]).unwrap_err();
    assert!(refused.contains("are two policies"), "{refused}");
}

#[test]
fn every_version_that_is_kept_leads_to_the_next_without_a_widening_in_silence() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let history = hjemmel::services::terminaladgang::policies::read_history(&folder, "terminaladgang-6").unwrap();
    let versions = history.versions();
    assert_eq!(versions.last().map(Policy::version), Some(read(SHIPPED).version()), "the file beside history/ is the latest");
    for (old, new) in versions.iter().zip(versions.iter().skip(1)) {
        assert!(is_declared(old, new, &differences(old, new)), "version {} → {}", old.version(), new.version());
    }
}

/// The shipped policy as version 1, and the versions after it with what each changes, each from the first of the next month.
fn in_turn(changes: &[&[(&str, &str)]]) -> (Timetable, Vec<String>) {
    let mut versions = vec![read(SHIPPED)];
    for (n, changes) in (2..).zip(changes) {
        let version = next("", changes);
        let version = version.replacen(
            "version = \"2\"\nvalid-from = 2026-06-01",
            &format!("version = \"{n}\"\nvalid-from = 2026-{:02}-01", 4 + n),
            1,
        );
        versions.push(read(&version.replacen("[[changelog]]\nversion = \"2\"", &format!("[[changelog]]\nversion = \"{n}\""), 1)));
    }
    let digests = versions.iter().map(|policy| hjemmel::hex::encode(policy.digest())).collect();
    (Timetable::try_from(History::new(versions).unwrap()).unwrap(), digests)
}

#[test]
fn a_call_is_judged_by_the_latest_version_that_gives_nothing_beyond_what_was_approved_nor_beyond_what_is_in_force() {
    let (fewer, wider, words) = (("value = 500", "value = 50"), NET, ("[legal-basis]", "# Ord\n[legal-basis]"));
    // 1; 2 narrows 1; 3 widens 2; 4 is 3 in other words.
    let (policies, digests) = in_turn(&[&[fewer], &[fewer, wider], &[fewer, wider, words]]);
    let now = "2026-12-01T12:00:00Z".parse().unwrap();
    let by = |approved: &[usize], now| {
        let digests: Vec<&str> = approved.iter().map(|version| digests[version - 1].as_str()).collect();
        policies.approved(now, &digests).map(|policy| policy.version().to_owned())
    };
    for (approved, due) in [
        (&[][..], Some("4")),
        (&[4], Some("4")),
        (&[3], Some("4")),
        // A narrowing stops nobody, and what came beyond it is not given.
        (&[2], Some("2")),
        (&[1], Some("2")),
        (&[4, 1], Some("2")),
    ] {
        assert_eq!(by(approved, now).as_deref(), due, "{approved:?}");
    }
    // Before its day a version decides nothing: not for whoever approved it, nor for whoever approved the one in force.
    let before = "2026-05-15T12:00:00Z".parse().unwrap();
    assert_eq!(by(&[1], before).as_deref(), Some("1"));
    assert_eq!(by(&[3], before), None, "the one in force gives more than was approved");
    assert_eq!(policies.approved(now, &["00"]), None, "a version that is not kept");
    // Without a version that is within both nothing is.
    let (policies, digests) = in_turn(&[&[fewer, wider]]);
    assert_eq!(policies.approved(now, &[&digests[0]]), None);
    assert!(!policies.covers(&digests[0], policies.at(now).unwrap()) && policies.covers(&digests[1], policies.at(now).unwrap()));
}
