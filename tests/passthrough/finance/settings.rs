//! `[service.NAME]` of this kind: what is read, and what is refused with the place and a remedy.

use std::fs;
use std::time::Duration;

use hjemmel::clock::Clock;
use hjemmel::config::Draft;
use hjemmel::services::Service;
use hjemmel::services::finance::lists::Source;
use hjemmel::services::finance::rules::mode::Mode;
use hjemmel::services::finance::rules::sortiment::xml;
use hjemmel::services::finance::settings::Settings;
use hjemmel::services::finance::shelf::{NotAdded, Shelf};

use super::folder;
use super::rules::list;

/// What a file whose one service is this section has wrong in it; `look` sees the service as it was read.
fn read(section: &str, look: impl FnOnce(&Settings)) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hjemmel.toml");
    fs::write(&file, format!("[service.finansbilag]\n{section}")).unwrap();
    let draft = Draft::<Service>::open(&file, Clock::system().now());
    if let Some(Service::Finance(settings)) = draft.sections().services.get("finansbilag") {
        look(settings);
    }
    let problems = draft.finish().problems;
    let own = problems.problems().iter().filter(|problem| problem.setting.starts_with("service."));
    own.map(|problem| format!("{}: {}", problem.setting, problem.text)).collect::<Vec<_>>().join("\n")
}

fn section(more: &str) -> String {
    format!("kind = \"finance\"\nfolder = \"{}\"\n{more}", folder().display())
}

#[test]
fn rules_are_read_by_rule_and_authority() {
    let lists = tempfile::tempdir().unwrap();
    Shelf::at(lists.path()).add(&list()).unwrap();
    let more = format!(
        "sortiment = \"{}\"\n[service.finansbilag.rules]\nFB020 = \"refuse\"\n[service.finansbilag.authority.11111111.rules]\nFB010 = \"off\"\n",
        lists.path().display()
    );
    let mut seen = false;
    let told = read(&section(&more), |settings| {
        let of = |cvr: &str| ["FB020", "FB010"].map(|rule| settings.rules.of(&cvr.parse().unwrap()).of(rule));
        assert_eq!((of("11111111"), of("99999991")), ([Mode::Refuse, Mode::Off], [Mode::Refuse, Mode::Refuse]));
        let Source::Folder(lists) = &settings.lists else { panic!("{:?}", settings.lists) };
        assert_eq!((lists.all().count(), settings.notice), (1, 30));
        seen = true;
    });
    assert_eq!((told.as_str(), seen), ("", true));
}

#[test]
fn receipts_are_kept_for_forty_days_and_accepted_vouchers_for_four_hundred_where_nothing_else_is_agreed() {
    let agreed = "[service.finansbilag.deliveries]\ndays = 90\naccepted_days = 30\n";
    let days = |days: u64| Duration::from_secs(days * 24 * 3600);
    // A voucher is known for as long as its receipt at the least.
    for (more, expected) in [("", (days(40), days(400))), (agreed, (days(90), days(90)))] {
        let mut seen = None;
        read(&section(more), |settings| seen = Some((settings.offered.deliveries.keep, settings.offered.deliveries.keep_items)));
        assert_eq!(seen, Some(expected), "{more}");
    }
}

#[test]
fn the_store_is_named_in_the_place_of_a_folder() {
    let mut seen = false;
    let told = read(&section("sortiment = \"store\"\nsortiment_notice_days = 45\n"), |settings| {
        assert!(matches!(settings.lists, Source::Store));
        seen = settings.notice == 45;
    });
    assert_eq!((told.as_str(), seen), ("", true));
    let told = read(&section("sortiment = \"stor\"\n"), |_| {});
    assert!(told.contains("service.finansbilag.sortiment"), "{told}");
    let told = read(&section("sortiment = \"store\"\nsortiment_notice_days = 366\n"), |_| {});
    assert!(told.contains("sortiment_notice_days") && told.contains("365"), "{told}");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let told = |more: &str| read(&section(more), |_| {});
    assert!(
        told("[service.finansbilag.rules]\nFB02 = \"warn\"\n").contains("did you mean"),
        "{}",
        told("[service.finansbilag.rules]\nFB02 = \"warn\"\n")
    );
    assert!(told("[service.finansbilag.rules]\nFB012 = \"warn\"\n").contains("FB012"), "the ledger's own codes cannot be set");
    assert!(told("[service.finansbilag.rules]\nFB020 = \"maybe\"\n").contains("FB020"));
    assert!(told("[service.finansbilag.authority.korsbaek.rules]\nFB020 = \"off\"\n").contains("CVR number"));
    let bad = tempfile::tempdir().unwrap();
    fs::write(bad.path().join("a.xml"), xml::write(&list()).unwrap().replace("2026-12-31", "2020-12-31")).unwrap();
    assert!(told(&format!("sortiment = \"{}\"\n", bad.path().display())).contains("GyldigTil is before GyldigFra"));
    let other = crate::support::write(&[]);
    assert!(read(&format!("kind = \"finance\"\nfolder = \"{}\"\n", other.path().display()), |_| {}).contains("service.toml"));
}

#[test]
fn a_time_for_tests_is_read_by_authority_and_one_that_cannot_be_meant_is_refused() {
    let of = |more: &str| section(&format!("[service.finansbilag.authority.11111111.proeve]\n{more}"));
    let mut seen = false;
    let from_to = "from = \"2026-12-01T08:00:00+01:00\"\nto = \"2026-12-01T16:00:00+01:00\"\n";
    let told = read(&of(from_to), |settings| {
        let open = |cvr: &str, at: &str| settings.trials.are_open(&cvr.parse().unwrap(), at.parse().unwrap());
        assert!(open("11111111", "2026-12-01T07:00:00Z") && !open("11111111", "2026-12-01T15:00:00Z"));
        assert!(!open("99999991", "2026-12-01T07:00:00Z"));
        seen = true;
    });
    assert_eq!((told.as_str(), seen), ("", true));
    for (more, says) in [
        ("from = \"2026-12-01T08:00:00Z\"\n", "proeve.to: is missing"),
        ("from = \"2026-12-01\"\nto = \"2026-12-02T08:00:00Z\"\n", "proeve.from: is not an instant"),
        ("from = 2026-12-01T08:00:00Z\nto = \"2026-12-02T08:00:00Z\"\n", "write it in quotes"),
        ("from = \"2026-12-02T08:00:00Z\"\nto = \"2026-12-02T08:00:00Z\"\n", "proeve.to: is not after from"),
        ("from = \"2026-12-01T08:00:00Z\"\nuntil = \"2026-12-02T08:00:00Z\"\n", "proeve.until"),
    ] {
        let told = read(&of(more), |_| {});
        assert!(told.contains(says), "{says}\nin\n{told}");
    }
}

#[test]
fn a_version_is_added_once_and_never_altered() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf::at(dir.path());
    assert!(shelf.add(&list()).unwrap());
    assert!(!shelf.add(&list()).unwrap(), "the same again changes nothing");
    let mut altered = list();
    altered.name.push('x');
    assert!(matches!(shelf.add(&altered), Err(NotAdded::Altered(_))));
    altered.version = "2026/2 ø".to_owned();
    assert!(shelf.add(&altered).unwrap());
    let known: Vec<String> = shelf.read().unwrap().all().map(|list| list.version.clone()).collect();
    assert_eq!(known, ["2026.1", "2026/2 ø"]);
    let mut orphan = list();
    (orphan.version, orphan.authority) = ("2027.1".to_owned(), Some("11111111".parse().unwrap()));
    assert!(matches!(shelf.add(&orphan), Err(NotAdded::Wrong(_))));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left of what was not added");
}
