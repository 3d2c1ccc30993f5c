//! The commands as they are typed: two people make an agreement and a user, and nobody alone.

use clap::Parser;

use crate::cli::{as_user, mailbox};
use crate::clock::Clock;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: mailbox::Args,
}

const TERMS: &str = "number = 'PA85858'\nowner = '11111111'\nenvironment = 'test'\nlegal_basis = 'Lov § 1'\npurpose = 'løn'\n\
                     contact = { email = 'loen@kommune.example', phone = '+45 00000000' }\n\
                     [[alias]]\nkind = 'LOENGRUPPE'\ncode = '4711'\nvalid_from = '2026-01-01'\n\
                     [[stream]]\ncode = 'LOENPOSTER'\ndirection = 'UD'\ncounterpart = 'PA00001'\n";

struct House(tempfile::TempDir);

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        as_user::keys(dir.path());
        as_user::add_all(&dir.path().join("store.sqlite")).await;
        std::fs::write(dir.path().join("terms.toml"), TERMS).unwrap();
        Self(dir)
    }

    fn file(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    async fn says(&self, who: Option<&str>, words: &[&str]) -> Result<String, String> {
        let store = self.file("store.sqlite");
        let signed = who.map(|who| as_user::options(self.0.path(), who).to_vec()).unwrap_or_default();
        let reason = if who.is_some() { &["--reason", "sag 7"][..] } else { &[] };
        let all = ["mailbox", "--store", &store].into_iter().chain(words.iter().copied());
        let all = all.chain(reason.iter().copied()).chain(signed.iter().map(String::as_str));
        let line = Line::try_parse_from(all).map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        match mailbox::run(line.args, &Clock::fixed(as_user::now()), &mut out).await {
            Ok(_) => Ok(String::from_utf8(out).unwrap()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Asks as the system responsible, and approves as a signatory.
    async fn agreed(&self, words: &[&str]) {
        let asked = self.says(Some("R. Ansvarlig"), words).await.unwrap();
        let id = asked.split_whitespace().next().unwrap();
        self.says(Some("A. Prøve"), &["request", "approve", id]).await.unwrap();
    }
}

#[tokio::test]
async fn an_agreement_comes_into_force_when_another_person_of_the_authority_approves_it() {
    let house = House::new().await;
    let terms = house.file("terms.toml");
    let ask = ["agreement", "request", "--file", &terms];
    assert!(house.says(None, &ask).await.unwrap_err().contains("--certificate"), "nobody asks");
    let asked = house.says(Some("R. Ansvarlig"), &ask).await.unwrap();
    let id = asked.split_whitespace().next().unwrap();
    assert!(house.says(None, &["agreement", "list"]).await.unwrap().contains("no partner agreements"));
    let shown = house.says(None, &["request", "show", id]).await.unwrap();
    assert!(shown.contains("code = \"4711\"") && shown.contains("counterpart = \"PA00001\""), "{shown}");
    for (who, why) in [("R. Ansvarlig", "right to"), ("O. Drift", "right to"), ("S. Fremmed", "no request")] {
        let refused = house.says(Some(who), &["request", "approve", id]).await.unwrap_err();
        assert!(refused.contains(why), "{who}: {refused}");
    }
    let approved = house.says(Some("A. Prøve"), &["request", "approve", id]).await.unwrap();
    assert!(approved.contains("code = \"4711\"") && approved.contains("is GODKENDT"), "{approved}");
    assert!(
        house.says(None, &["agreement", "list"]).await.unwrap().contains("PA85858  AKTIV        11111111  1 aliases, 1 streams")
    );
    assert!(house.says(Some("B. Prøve"), &["request", "reject", id]).await.unwrap_err().contains("GODKENDT"), "once");
}

#[tokio::test]
async fn an_alias_belongs_to_one_agreement_on_any_day() {
    let house = House::new().await;
    house.agreed(&["agreement", "request", "--file", &house.file("terms.toml")]).await;
    let other = house.file("other.toml");
    std::fs::write(&other, TERMS.replace("PA85858", "PA85859")).unwrap();
    let ask = ["agreement", "request", "--file", &other];
    let refused = house.says(Some("R. Ansvarlig"), &ask).await.unwrap_err();
    assert!(refused.contains("LOENGRUPPE 4711 belongs to PA85858"), "{refused}");
    std::fs::write(&other, TERMS.replace("PA85858", "PA85859").replace("'2026-01-01'", "'2026-01-01'\nvalid_to = '2025-01-01'"))
        .unwrap();
    assert!(house.says(Some("R. Ansvarlig"), &ask).await.unwrap_err().contains("alias 1: it would end before it begins"));
    house.says(Some("R. Ansvarlig"), &["agreement", "close", "PA85858"]).await.unwrap();
    std::fs::write(&other, TERMS.replace("PA85858", "PA85859")).unwrap();
    house.agreed(&ask).await;
}

#[tokio::test]
async fn a_suspended_agreement_goes_on_when_another_person_says_so_and_a_closed_one_never() {
    let house = House::new().await;
    house.agreed(&["agreement", "request", "--file", &house.file("terms.toml")]).await;
    assert!(house.says(Some("S. Fremmed"), &["agreement", "suspend", "PA85858"]).await.is_err());
    house.says(Some("A. Prøve"), &["agreement", "suspend", "PA85858"]).await.unwrap();
    assert!(house.says(None, &["agreement", "list"]).await.unwrap().contains("SUSPENDERET"));
    house.agreed(&["agreement", "resume", "PA85858"]).await;
    assert!(house.says(None, &["agreement", "list"]).await.unwrap().contains("AKTIV"));
    house.says(Some("A. Prøve"), &["agreement", "close", "PA85858"]).await.unwrap();
    let refused = house.says(Some("R. Ansvarlig"), &["agreement", "resume", "PA85858"]).await.unwrap_err();
    assert!(refused.contains("LUKKET"), "{refused}");
}

#[tokio::test]
async fn a_user_is_created_blocked_by_one_and_unblocked_by_a_second() {
    let house = House::new().await;
    house.agreed(&["agreement", "request", "--file", &house.file("terms.toml")]).await;
    let certificate = as_user::options(house.0.path(), "O. Drift")[1].clone();
    let create = ["user", "create", "LOEN_4711", "--system-certificate", &certificate, "--right", "PA85858=fetch,deliver"];
    house.agreed(&create).await;
    let listed = house.says(None, &["user", "list"]).await.unwrap();
    assert!(listed.contains("LOEN_4711  AKTIV  never seen  PA85858=fetch,deliver"), "{listed}");
    let again = create.map(|word| if word == "LOEN_4711" { "ANDEN" } else { word });
    assert!(house.says(Some("R. Ansvarlig"), &again).await.unwrap_err().contains("is, or was"), "a certificate is one user's");
    assert!(house.says(None, &["user", "show", "loen_4711"]).await.unwrap_err().contains("exact"), "names are exact");

    house.says(Some("A. Prøve"), &["user", "block", "LOEN_4711"]).await.unwrap();
    assert!(house.says(None, &["user", "list"]).await.unwrap().contains("SPAERRET"));
    let asked = house.says(Some("R. Ansvarlig"), &["user", "unblock", "LOEN_4711"]).await.unwrap();
    let id = asked.split_whitespace().next().unwrap();
    let refused = house.says(Some("A. Prøve"), &["request", "approve", id]).await.unwrap_err();
    assert!(refused.contains("another person"), "who blocked it does not unblock it: {refused}");
    house.says(Some("B. Prøve"), &["request", "approve", id]).await.unwrap();
    assert!(house.says(None, &["user", "list"]).await.unwrap().contains("AKTIV"));

    house.agreed(&["user", "rights", "LOEN_4711", "--right", "PA85858=fetch"]).await;
    assert!(house.says(None, &["user", "list"]).await.unwrap().contains("PA85858=fetch\n"));
    let newer = as_user::options(house.0.path(), "S. Fremmed")[1].clone();
    house.agreed(&["user", "new-key", "LOEN_4711", "--system-certificate", &newer]).await;
    let shown = house.says(None, &["user", "show", "LOEN_4711"]).await.unwrap();
    assert_eq!(shown.matches("certificate ").count(), 1, "{shown}");
    house.agreed(&["user", "delete", "LOEN_4711"]).await;
    assert!(house.says(None, &["user", "list"]).await.unwrap().contains("SLETTET"));
    assert!(house.says(Some("R. Ansvarlig"), &["user", "unblock", "LOEN_4711"]).await.unwrap_err().contains("SLETTET"));
}
