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

/// The authority's own central system.
const CENTRAL: &str = "number = 'PA00001'\nowner = '11111111'\nenvironment = 'test'\nlegal_basis = 'Lov § 1'\npurpose = 'løn'\n\
                       contact = { email = 'central@kommune.example', phone = '+45 00000000' }\n\
                       [[stream]]\ncode = 'LOENPOSTER'\ndirection = 'IND'\n";

struct House(tempfile::TempDir);

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        as_user::keys(dir.path());
        as_user::add_all(&dir.path().join("store.sqlite")).await;
        std::fs::write(dir.path().join("terms.toml"), TERMS).unwrap();
        std::fs::write(dir.path().join("central.toml"), CENTRAL).unwrap();
        let house = Self(dir);
        house.agreed(&["agreement", "request", "--file", &house.file("central.toml")]).await;
        house
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

    /// Asks as the system responsible, and gives the request's id.
    async fn asked(&self, words: &[&str]) -> String {
        let asked = self.says(Some("R. Ansvarlig"), words).await.unwrap();
        asked.split_whitespace().next().unwrap().to_owned()
    }

    /// Asks as the system responsible, and approves as a signatory.
    async fn agreed(&self, words: &[&str]) {
        let id = self.asked(words).await;
        self.says(Some("A. Prøve"), &["request", "approve", &id]).await.unwrap();
    }

    /// Puts the terms of another authority's agreement into force.
    async fn of_another(&self, terms: &str) {
        let terms = toml::from_str(&terms.replace("owner = '11111111'", "owner = '99999981'")).unwrap();
        let settings = crate::store::Settings::sqlite(&self.0.path().join("store.sqlite"));
        let database = crate::store::Database::open(&settings, crate::store::Access::Change).await.unwrap();
        let mut transaction = database.begin().await.unwrap();
        crate::files::partner::agreement::put(&mut transaction, &terms, as_user::now()).await.unwrap();
        transaction.commit().await.unwrap();
        database.close().await;
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
    assert!(!house.says(None, &["agreement", "list"]).await.unwrap().contains("PA85858"));
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
    assert!(refused.contains("LOENGRUPPE 4711 belongs to another agreement") && !refused.contains("PA85858"), "{refused}");
    std::fs::write(&other, TERMS.replace("PA85858", "PA85859").replace("'2026-01-01'", "'2026-01-01'\nvalid_to = '2025-01-01'"))
        .unwrap();
    assert!(house.says(Some("R. Ansvarlig"), &ask).await.unwrap_err().contains("alias 1: it would end before it begins"));
    house.says(Some("R. Ansvarlig"), &["agreement", "close", "PA85858"]).await.unwrap();
    std::fs::write(&other, TERMS.replace("PA85858", "PA85859")).unwrap();
    house.agreed(&ask).await;
}

#[tokio::test]
async fn an_alias_is_claimed_only_where_the_other_party_approves_it_too() {
    let house = House::new().await;
    house.of_another(&CENTRAL.replace("PA00001", "PA00002")).await;
    let terms = house.file("terms.toml");
    std::fs::write(&terms, TERMS.replace("PA00001", "PA00003")).unwrap();
    let ask = ["agreement", "request", "--file", terms.as_str()];
    let refused = house.says(Some("R. Ansvarlig"), &ask).await.unwrap_err();
    assert!(refused.contains("no partner agreement PA00003"), "nobody could approve it: {refused}");

    let theirs = TERMS.replace("PA00001", "PA00002");
    std::fs::write(&terms, &theirs).unwrap();
    let id = house.asked(&ask).await;
    let approve = ["request", "approve", id.as_str()];
    let shown = house.says(None, &["request", "show", &id]).await.unwrap();
    assert!(shown.contains("waits for a signatory of 11111111 and of 99999981"), "{shown}");
    let own = house.says(Some("A. Prøve"), &approve).await.unwrap();
    assert!(own.contains("when a signatory of 99999981 approves it too"), "{own}");
    assert!(!house.says(None, &["agreement", "list"]).await.unwrap().contains("PA85858"), "the claimant alone claims nothing");
    let again = house.says(Some("B. Prøve"), &approve).await.unwrap_err();
    assert!(again.contains("MEDGODKENDT"), "{again}");
    let theirs_too = house.says(Some("S. Fremmed"), &approve).await.unwrap();
    assert!(theirs_too.contains("is GODKENDT"), "{theirs_too}");

    // What claims nothing more is the authority's own affair; another alias, or the same for longer, is not.
    let shorter = theirs.replace("valid_from = '2026-01-01'", "valid_from = '2026-01-01'\nvalid_to = '2027-01-01'");
    std::fs::write(&terms, &shorter).unwrap();
    house.agreed(&ask).await;
    for more in [theirs.clone(), shorter.replace("4711", "4712")] {
        std::fs::write(&terms, &more).unwrap();
        let id = house.asked(&ask).await;
        let told = house.says(Some("A. Prøve"), &["request", "approve", &id]).await.unwrap();
        assert!(told.contains("99999981 approves it too"), "{told}");
        house.says(Some("S. Fremmed"), &["request", "reject", &id]).await.unwrap();
    }
}

#[tokio::test]
async fn what_changes_a_user_that_serves_several_authorities_each_of_them_approves_and_any_of_them_blocks_it() {
    let house = House::new().await;
    house.of_another(&CENTRAL.replace("PA00001", "PA00002")).await;
    let certificate = as_user::options(house.0.path(), "O. Drift")[1].clone();
    house.agreed(&["user", "create", "VAERT", "--system-certificate", &certificate, "--right", "PA00001=fetch"]).await;
    let id = house.asked(&["user", "rights", "VAERT", "--right", "PA00001=fetch"]).await;
    house.says(Some("S. Fremmed"), &["request", "approve", &id]).await.unwrap_err();
    // The other authority lets the same user fetch for it, and may block it from then on: so the user's own says yes too.
    let id = house.asked(&["user", "rights", "VAERT", "--right", "PA00002=fetch"]).await;
    house.says(Some("S. Fremmed"), &["request", "approve", &id]).await.unwrap();
    assert!(house.says(Some("S. Fremmed"), &["user", "block", "VAERT"]).await.is_err(), "it has nothing to do with it yet");
    house.says(Some("A. Prøve"), &["request", "approve", &id]).await.unwrap();
    assert!(house.says(None, &["user", "list"]).await.unwrap().contains("PA00002=fetch"));

    let newer = as_user::options(house.0.path(), "S. Fremmed")[1].clone();
    let certificates = async || house.says(None, &["user", "show", "VAERT"]).await.unwrap();
    let before = certificates().await;
    let id = house.asked(&["user", "new-key", "VAERT", "--system-certificate", &newer]).await;
    house.says(Some("A. Prøve"), &["request", "approve", &id]).await.unwrap();
    assert_eq!(certificates().await, before, "whoever reads for two is given no key by one");
    house.says(Some("S. Fremmed"), &["request", "approve", &id]).await.unwrap();
    assert_ne!(certificates().await, before);

    house.says(Some("S. Fremmed"), &["user", "block", "VAERT"]).await.unwrap();
    let id = house.asked(&["user", "unblock", "VAERT"]).await;
    house.says(Some("A. Prøve"), &["request", "approve", &id]).await.unwrap();
    assert!(certificates().await.contains("SPAERRET"), "nor let in again by one");
    let own = house.says(Some("S. Fremmed"), &["request", "approve", &id]).await.unwrap_err();
    assert!(own.contains("another person"), "who blocked it does not unblock it: {own}");
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
