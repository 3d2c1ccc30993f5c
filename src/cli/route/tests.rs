//! The command as an operator types it, on a store of its own.

use clap::Parser;

use super::*;
use crate::cli::as_user;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

const SERVICE: &str = "3053ec89-31fe-4206-878b-bba6783d7a88";
const FIRST: &str = "00000000-0000-4000-8000-000000000001";
const SECOND: &str = "00000000-0000-4000-8000-000000000002";

fn table(id: &str, days: &str) -> String {
    format!(
        r#"
        [[route]]
        id = "{id}"
        service = "{SERVICE}"
        environment = "exttest"
        sender = "99999991"
        receiver = "11111111"
        {days}
        system = "6d0d6e2e-7d8f-4a54-8a3a-0e7d3f5f9a11"
        address = "https://ledger.example/finans"
        entity_id = "http://ledger.example/finans"
        security = "token"
        roots = ["ca.pem"]
        signing_certificates = ["ledger.pem"]
        "#
    )
}

/// A certificate that ends with `year`.
fn certificate(name: &str, year: i32) -> String {
    let mut params = rcgen::CertificateParams::new([format!("{name}.example")]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(year, 12, 31));
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
}

struct House(tempfile::TempDir);

impl House {
    /// A store with no routes, a configuration that names it, and the certificates of [`table`].
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = "environment = \"exttest\"\n[store]\nurl = \"sqlite:agreements.sqlite\"\n";
        for (name, text) in
            [("hjemmel.toml", config), ("ca.pem", &certificate("CA", 2040)), ("ledger.pem", &certificate("ledger", 2026))]
        {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        as_user::keys(dir.path());
        as_user::add_all(&dir.path().join("agreements.sqlite")).await;
        Self(dir)
    }

    /// With one route without end.
    async fn with_route() -> Self {
        let house = Self::new().await;
        house.add(&table(FIRST, "valid_from = 2026-01-01")).await.unwrap();
        house
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    async fn run(&self, words: &[&str]) -> Result<String, String> {
        let (code, printed) = self.run_to_code(words).await?;
        assert_eq!(code, ExitCode::SUCCESS, "{printed}");
        Ok(printed)
    }

    async fn run_to_code(&self, words: &[&str]) -> Result<(ExitCode, String), String> {
        let config = self.path("hjemmel.toml");
        let words = as_user::signed(self.0.path(), words);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let line = [&["route"], &words[..], &["--config", &config]].concat();
        let args = Line::try_parse_from(line).map_err(|error| error.to_string())?.args;
        let mut out = Vec::new();
        let clock = Clock::fixed("2026-11-22T12:00:00Z".parse().unwrap());
        let code = run(args, &clock, &mut out).await.map_err(|error| error.to_string())?;
        Ok((code, String::from_utf8(out).unwrap()))
    }

    async fn add(&self, file: &str) -> Result<String, String> {
        std::fs::write(self.path("routes.toml"), file).unwrap();
        self.run(&["add", &self.path("routes.toml"), "AS", "O. Drift", "--reason", "sag 7"]).await
    }

    async fn ask(&self, more: &[&str]) -> (bool, String) {
        let ask = ["ask", "--service", SERVICE, "--sender", "99999991", "--receiver", "11111111"];
        let (code, printed) = self.run_to_code(&[&ask, more].concat()).await.unwrap();
        (code == ExitCode::SUCCESS, printed)
    }
}

#[tokio::test]
async fn a_route_is_added_from_a_file_listed_shown_with_its_history_and_ended() {
    let house = House::new().await;
    let file = table(FIRST, "valid_from = 2026-01-01");
    assert_eq!(house.add(&file).await.unwrap(), format!("route {FIRST} added: 2026-01-01 – no end\n"));
    assert_eq!(house.add(&file).await.unwrap(), "routes: 0 added, 1 unchanged\n");
    let listed = house.run(&["list"]).await.unwrap();
    assert!(listed.starts_with(&format!("{FIRST}  holds      exttest   2026-01-01 – no end\n")), "{listed}");
    let end = ["end", FIRST, "--on", "2027-01-01", "AS", "O. Drift", "--reason", "nyt system"];
    let ended = house.run(&end).await.unwrap();
    assert_eq!(ended, format!("route {FIRST} ends on 2027-01-01, the first day on which it no longer receives\n"));
    assert!(house.run(&end).await.unwrap().contains("nothing was changed"));
    let shown = house.run(&["show", FIRST]).await.unwrap();
    for line in [
        "today         holds\n",
        "valid to      2027-01-01 (not included)\n",
        "address       https://ledger.example/finans\n",
        "CN=ledger expires 2026-12-31\n",
        "2026-11-22T12:00:00Z  added, no end  O. Drift  sag 7\n",
        "2026-11-22T12:00:00Z  ended, ends 2027-01-01  O. Drift  nyt system\n",
    ] {
        assert!(shown.contains(line), "{line:?} in {shown}");
    }
}

#[tokio::test]
async fn a_route_is_added_by_options_with_the_environment_of_the_configuration() {
    let house = House::new().await;
    let (ca, ledger) = (house.path("ca.pem"), house.path("ledger.pem"));
    let decide = ["AS", "O. Drift", "--reason", "sag 7"];
    let add = [
        "add",
        "--service",
        SERVICE,
        "--sender",
        "every",
        "--receiver",
        "every",
        "--from",
        "2026-01-01",
        "--system",
        SERVICE,
        "--address",
        "https://ledger.example/finans",
        "--entity-id",
        "http://ledger.example/finans",
        "--roots",
        &ca,
    ];
    let with = |more: &[&'static str], signers: &[&'static str]| {
        let own = [&add[..], more, signers, &decide].concat();
        own.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let run = async |words: Vec<String>, also: &[&str]| {
        let words: Vec<&str> = words.iter().map(String::as_str).chain(also.iter().copied()).collect();
        house.run(&words).await
    };
    let refused = run(with(&["--security", "token"], &[]), &[]).await.unwrap_err();
    assert!(refused.contains("--signing-certificates: a route has 1 to 16 certificates"), "{refused}");
    let refused = run(with(&["--security", "authority-context"], &[]), &["--signing-certificates", &ledger]).await.unwrap_err();
    assert!(refused.contains("for --security token alone"), "{refused}");
    let added = run(with(&["--security", "authority-context"], &[]), &[]).await.unwrap();
    assert!(added.ends_with("added: 2026-01-01 – no end\n"), "{added}");
    let (found, told) = house.ask(&["--lang", "en"]).await;
    assert!(found && told.contains("in environment exttest") && told.contains("authority-context"), "{told}");
}

#[tokio::test]
async fn a_file_and_options_are_not_mixed_and_one_of_them_is_needed() {
    let house = House::new().await;
    let decide = ["AS", "O. Drift", "--reason", "sag 7"];
    for words in [&["add", "routes.toml", "--service", SERVICE][..], &["add"], &["add", "--service", SERVICE]] {
        let refused = house.run(&[words, &decide].concat()).await.unwrap_err();
        assert!(refused.contains("Usage:"), "{words:?}: {refused}");
    }
    let nobody = house.run(&["add", "routes.toml"]).await.unwrap_err();
    assert!(nobody.contains("--certificate") && nobody.contains("--reason"), "{nobody}");
}

#[tokio::test]
async fn every_problem_of_a_file_is_told_with_its_line_and_nothing_is_written() {
    let house = House::new().await;
    let file = table(FIRST, "valid_from = 2027-02-01\nvalid_to = 2027-02-01").replace("ca.pem", "none.pem")
        + &table(SECOND, "valid_from = 2027-01-01T00:00:00+01:00")
            .replace("\"11111111\"", "\"1111\"")
            .replace("https://ledger", "http://ledger")
            .replace("[\"ledger.pem\"]", "[]")
        + &table("00000000-0000-4000-8000-000000000003", "valid_from = 2027-01-01\nvalid_till = 2028-01-01")
            .replace("\"token\"", "\"authority-context\"")
        + &table(FIRST, "valid_from = 2027-01-01").replace("sender =", "# sender =");
    let told = house.add(&file).await.unwrap_err();
    for problem in [
        "line 14: roots cannot be used: cannot read ",
        "line 2: valid_to is not after valid_from",
        "line 22: receiver is not the authority's CVR number",
        "line 23: valid_from is not a day; write 2027-01-01",
        "line 25: address is not an https address",
        "line 17: signing_certificates: a route has 1 to 16 certificates of a kind, and these are 0",
        "line 38: unknown key valid_till; known are id, service,",
        "line 31: signing_certificates are for security = \"token\" alone; remove them",
        "line 46: sender is missing",
    ] {
        assert!(told.contains(problem), "{problem:?} in {told}");
    }
    assert!(house.run(&["list"]).await.unwrap().starts_with("There are no routes."));
}

#[tokio::test]
async fn ask_tells_system_address_entity_id_security_and_certificates_as_they_are_on_the_day() {
    let house = House::with_route().await;
    let (found, told) = house.ask(&["--on", "2027-01-15", "--lang", "en"]).await;
    assert!(found);
    for line in [
        "2027-01-15: calls of service",
        "from 99999991 to 11111111 in environment exttest",
        "6d0d6e2e-7d8f-4a54-8a3a-0e7d3f5f9a11\n",
        "https://ledger.example/finans\n",
        "http://ledger.example/finans\n",
        "token\n",
        "CN=ledger (expired 2026-12-31)\n",
        "CN=CA (expires 2040-12-31)\n",
        &format!("{FIRST}, 2026-01-01 – no end\n"),
    ] {
        assert!(told.contains(line), "{line:?} in {told}");
    }
    let (_, today) = house.ask(&["--lang", "da"]).await;
    assert!(today.starts_with("2026-11-22: kald af servicen"), "{today}");
    assert!(today.contains("CN=ledger (udløber 2026-12-31)") && today.contains("ingen slutdato"), "{today}");
}

#[tokio::test]
async fn ask_tells_why_there_is_nobody_by_the_nearest_routes() {
    let house = House::new().await;
    let file = table(FIRST, "valid_from = 2026-01-01\nvalid_to = 2026-06-01") + &table(SECOND, "valid_from = 2027-01-01");
    house.add(&file).await.unwrap();
    let (found, told) = house.ask(&["--lang", "en"]).await;
    assert!(!found);
    assert!(told.contains("Nobody receives: there is no route on that day"), "{told}");
    assert!(told.contains(&format!("last route: {FIRST}, 2026-01-01 – 2026-06-01")), "{told}");
    assert!(told.contains(&format!("next route: {SECOND}, 2027-01-01 – no end")), "{told}");
    let (_, both) = house.ask(&["--on", "2025-01-01"]).await;
    assert!(both.contains("seneste rute: ingen\n") && both.contains("last route: none\n"), "{both}");
    assert!(house.ask(&["--on", "2026-05-31"]).await.0 && !house.ask(&["--on", "2026-06-01"]).await.0);
    assert!(!house.ask(&["--on", "2027-01-01", "--environment", "prod"]).await.0);
}

#[tokio::test]
async fn the_sender_is_its_own_receiver_where_none_is_asked_for() {
    let house = House::new().await;
    house.add(&table(FIRST, "valid_from = 2026-01-01").replace("99999991", "11111111")).await.unwrap();
    let asked = house.run(&["ask", "--service", SERVICE, "--sender", "11111111", "--lang", "en"]).await.unwrap();
    assert!(asked.contains("from 11111111 to 11111111"), "{asked}");
}

#[tokio::test]
async fn a_program_reads_the_same_as_json() {
    let house = House::with_route().await;
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let list = read(&house.run(&["list", "--json"]).await.unwrap());
    let shown = read(&house.run(&["show", FIRST, "--json"]).await.unwrap());
    for route in [&list[0], &shown] {
        assert_eq!(route["id"], FIRST);
        assert_eq!((&route["holds"], &route["valid_from"], &route["valid_to"]), (&true.into(), &"2026-01-01".into(), &().into()));
        assert_eq!(route["signing_certificates"][0]["not_after"], "2026-12-31T00:00:00Z");
    }
    assert_eq!((&shown["changes"][0]["by"], &shown["changes"][0]["change"]), (&"O. Drift".into(), &"added".into()));
    let asked = read(&house.ask(&["--json"]).await.1);
    assert_eq!((&asked["route"]["id"], &asked["day"]), (&FIRST.into(), &"2026-11-22".into()));
    let (found, nobody) = house.ask(&["--json", "--on", "2025-01-01"]).await;
    let nobody = read(&nobody);
    assert!(!found && nobody["route"].is_null());
    assert_eq!(nobody["next"]["id"], FIRST);
}

#[tokio::test]
async fn a_list_is_narrowed_by_what_is_given() {
    let house = House::new().await;
    let file = table(FIRST, "valid_from = 2026-01-01\nvalid_to = 2026-06-01")
        + &table(SECOND, "valid_from = 2026-06-01").replace("\"99999991\"", "\"every\"");
    house.add(&file).await.unwrap();
    let ids = async |words: &[&str]| {
        let list = house.run(&[&["list", "--json"], words].concat()).await.unwrap();
        let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
        list.iter().map(|route| route["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&["--service", SERVICE]).await.len(), 2);
    assert_eq!(ids(&["--holds"]).await, [SECOND]);
    assert_eq!(ids(&["--on", "2026-05-31"]).await, [FIRST]);
    assert_eq!(ids(&["--sender", "12345678"]).await, [SECOND], "a route for every sender carries this one's calls too");
    assert_eq!(ids(&["--sender", "99999991", "--receiver", "11111111"]).await.len(), 2);
    assert!(ids(&["--receiver", "12345678"]).await.is_empty());
    assert!(ids(&["--environment", "prod"]).await.is_empty());
    assert!(house.run(&["list", "--environment", "prod"]).await.unwrap().contains("None of 2 routes fits"));
}

#[tokio::test]
async fn replace_ends_the_route_before_on_the_new_ones_first_day_and_says_so() {
    let house = House::with_route().await;
    std::fs::write(house.path("next.toml"), table(SECOND, "valid_from = 2027-01-01")).unwrap();
    let add = ["add", &house.path("next.toml"), "AS", "O. Drift", "--reason", "nyt system"].map(str::to_owned);
    let words: Vec<&str> = add.iter().map(String::as_str).collect();
    let refused = house.run(&words).await.unwrap_err();
    assert!(refused.contains(&format!("route {SECOND}: route {FIRST} carries the same calls")), "{refused}");
    let done = house.run(&[&words[..], &["--replace"]].concat()).await.unwrap();
    assert!(done.contains(&format!("route {FIRST} ends on 2027-01-01")), "{done}");
    assert!(done.contains(&format!("route {SECOND} added")), "{done}");
}

#[tokio::test]
async fn without_a_store_or_an_environment_the_command_says_what_to_give() {
    let house = House::new().await;
    std::fs::write(house.path("hjemmel.toml"), "[store]\nurl = \"sqlite:agreements.sqlite\"\n").unwrap();
    let ask = ["ask", "--service", SERVICE, "--sender", "99999991"];
    assert!(house.run(&ask).await.unwrap_err().contains("--environment NAME"));
    std::fs::remove_file(house.path("agreements.sqlite")).unwrap();
    for words in [&["list"][..], &["show", FIRST], &[&ask[..], &["--environment", "exttest"]].concat()] {
        assert!(house.run(words).await.unwrap_err().contains("hjemmel agreement import"), "{words:?}");
    }
    assert!(!std::path::Path::new(&house.path("agreements.sqlite")).exists());
}

#[tokio::test]
async fn a_route_that_is_ended_to_make_room_is_signed_for_as_the_new_one_is() {
    let house = House::with_route().await;
    std::fs::write(house.0.path().join("routes.toml"), table(SECOND, "valid_from = 2027-01-01")).unwrap();
    let words = ["add", &house.path("routes.toml"), "AS", "O. Drift", "--reason", "sag 1", "--replace"];
    house.run(&words).await.unwrap();
    let store = Store::open(&crate::store::Settings::sqlite(&house.0.path().join("agreements.sqlite"))).await.unwrap();
    for id in [FIRST, SECOND] {
        let made = store.made_on(crate::audit::Subject::Route, id.parse().unwrap()).await.unwrap();
        let last = made.last().unwrap();
        let certificate = store.certificate(last.certificate.unwrap()).await.unwrap().unwrap();
        let signature = last.signature.as_deref().unwrap();
        assert!(crate::decisions::statement::is_signed(&certificate, signature, &last.what, &last.because), "{id}");
    }
}
