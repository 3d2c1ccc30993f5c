//! Rows 1 to 14 and 16: the messages that `tests/messages` judges by the library, over TLS and with their fault codes.

use crate::arena::{Arena, arena};
use crate::forge::tokens::with_groups;
use crate::forge::{self, Case, Group, Party};
use hjemmel::cli::demo::world::PRIVILEGE;
use hjemmel::clock::Clock;
use hjemmel::signature::credentials::Credentials;
use hjemmel::signature::key::{Certificate, SigningKey};
use hjemmel::stub::pki::{DevPki, KeyBits, Leaf, Role, Usage};
use hjemmel::stub::population::KORSBAEK;
use jiff::SignedDuration;

pub fn count() -> Vec<(u8, usize)> {
    let own = [(9, issuers(&arena()).len()), (11, WHOLE.len()), (16, privileges().len())];
    forge::groups().iter().map(|group| (group.row, group.cases.len())).chain(own).collect()
}

#[test]
fn every_forged_message_is_refused_with_its_fault_and_reaches_nobody() {
    let arena = arena();
    arena.serves();
    arena.all_refused(forge::groups());
}

/// Tokens in good order but for who signed them: everybody of this world whose certificate somebody might trust by mistake.
fn issuers(arena: &Arena) -> Vec<Case> {
    let party = |credentials: &Credentials| Party {
        key: SigningKey::from_der(credentials.key()).unwrap(),
        certificate: Certificate::from_der(credentials.leaf()).unwrap(),
    };
    let pki = &arena.world.pki;
    let other_ca = DevPki::generate(&Clock::system(), KeyBits::Bits2048).unwrap();
    let now = Clock::system().now();
    let namesake = Leaf {
        common_name: "Security token service".to_owned(),
        organization: "STS stub (development)".to_owned(),
        cvr: Role::StsSigning.cvr().to_owned(),
        uuid: Role::StsSigning.uuid().to_owned(),
        usage: Usage::System,
        not_before: now - SignedDuration::from_hours(48),
        not_after: now + SignedDuration::from_hours(480),
    };
    [
        ("the gateway's certificate", pki.credentials(Role::GatewayClient).unwrap().clone()),
        ("the gateway's TLS certificate", pki.credentials(Role::GatewayServer).unwrap().clone()),
        ("the index's certificate", pki.credentials(Role::IndexSigning).unwrap().clone()),
        ("another municipality's certificate", pki.credentials(Role::OtherMunicipality).unwrap().clone()),
        ("the certificate of the CA that issued the STS's", pki.issuing_credentials().unwrap()),
        ("a certificate with the STS's names, by the same CA", pki.issue(&namesake).unwrap()),
        ("a certificate with the STS's names, by another CA", other_ca.credentials(Role::StsSigning).unwrap().clone()),
    ]
    .into_iter()
    .map(|(reason, credentials)| {
        let token = forge::issued_by(&forge::assertion(), &party(&credentials));
        (reason, forge::request_with(&token, &forge::CLIENT), &["TokenIssuerUntrusted"][..])
    })
    .collect()
}

#[test]
fn a_token_counts_by_the_pinned_key_of_the_sts_alone() {
    let arena = arena();
    let cases = issuers(&arena);
    arena.all_refused(vec![Group { row: 9, sentence: "tokens that others signed", cases }]);
}

/// A text that decides something, and the same text with a character written by its number.
const WHOLE: &[(&str, &str)] = &[
    (">11111111<", ">1111&#49;11&#x31;<"),
    ("<NameID>C", "<NameID>&#67;"),
    ("<Audience>h", "<Audience>&#104;"),
    ("<Issuer>h", "<Issuer>&#x68;"),
    (">urn:uuid:", ">urn&#58;uuid:"),
    (">https://localhost", ">https&#x3A;//localhost"),
];

/// Neutralised: a reference to a character is the character to every reader; the index is asked for whom the text names.
#[test]
fn a_text_with_characters_by_number_is_read_whole() {
    let arena = arena();
    for (plain, by_number) in WHOLE {
        let good = forge::request();
        let same = good.replacen(plain, by_number, 1);
        assert_ne!(good, same, "{plain}");
        let answer = arena.send(same);
        assert!(answer.is_served(), "{by_number}: {} {}", answer.status, answer.code);
        let forwarded = arena.last_reached();
        assert!(forwarded.contains(&format!(">{KORSBAEK}</AttributeValue>")) && forwarded.contains(forge::PERSON), "{by_number}");
        assert!(!forwarded.contains(by_number), "{by_number}: nothing of the caller's own bytes is sent on");
    }
    arena.serves();
}

/// Tokens in good order whose privileges give nothing here: what is needed is configured, and the library does not know it.
fn privileges() -> Vec<Case> {
    let own = "urn:dk:gov:saml:cvrNumberIdentifier:11111111";
    let group = |scope: &str, role: &str| {
        with_groups(&format!("<PrivilegeGroup Scope=\"{scope}\"><Privilege>{role}</Privilege></PrivilegeGroup>"))
    };
    let missing: &[&str] = &["PrivilegeMissing"];
    vec![
        ("none", with_groups(""), &["PrivilegeMissing", "TokenInvalid"]),
        ("for another authority", group(&own.replace('1', "2"), PRIVILEGE), missing),
        ("for an authority with a digit more", group(&format!("{own}1"), PRIVILEGE), missing),
        ("for an authority with a digit less", group(own.trim_end_matches('1'), PRIVILEGE), missing),
        ("for a scope of another kind", group("urn:dk:gov:saml:seNumberIdentifier:11111111", PRIVILEGE), missing),
        ("for a scope in capitals", group(&own.to_uppercase(), PRIVILEGE), missing),
        ("for every authority", group("urn:dk:gov:saml:cvrNumberIdentifier:*", PRIVILEGE), missing),
        ("another role", group(own, "http://hjemmel.example/roles/usersystemrole/other/1"), missing),
        ("the role of another version", group(own, &PRIVILEGE.replace("/1", "/2")), missing),
        ("the role with a suffix", group(own, &format!("{PRIVILEGE}1")), missing),
        ("the role with a slash", group(own, &format!("{PRIVILEGE}/")), missing),
        ("the role in capitals", group(own, &PRIVILEGE.to_uppercase()), missing),
        ("the beginning of the role", group(own, PRIVILEGE.trim_end_matches("/1")), missing),
        (
            "the role, for another authority beside one's own",
            with_groups(&format!(
                "<PrivilegeGroup Scope=\"{own}\"><Privilege>x</Privilege></PrivilegeGroup>\
             <PrivilegeGroup Scope=\"{}\"><Privilege>{PRIVILEGE}</Privilege></PrivilegeGroup>",
                own.replace('1', "2")
            )),
            missing,
        ),
    ]
}

#[test]
fn a_role_counts_for_its_own_authority_and_by_its_whole_name() {
    let arena = arena();
    arena.all_refused(vec![Group { row: 16, sentence: "privileges that give nothing here", cases: privileges() }]);
}
