//! Rows 1 to 14 and 16: the messages that `tests/signature` judges by the library, over TLS and with their fault codes.

use crate::arena::arena;
use crate::forge::tokens::with_groups;
use crate::forge::{self, Case, Group};
use hjemmel::cli::demo::world::PRIVILEGE;

pub fn count() -> Vec<(u8, usize)> {
    forge::groups().iter().map(|group| (group.row, group.cases.len())).chain([(16, privileges().len())]).collect()
}

#[test]
fn every_forged_message_is_refused_with_its_fault_and_reaches_nobody() {
    let arena = arena();
    arena.serves();
    arena.all_refused(forge::groups());
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
