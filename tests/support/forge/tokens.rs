//! Tokens that break a rule though the right issuer signed them, and messages out of their time.

use super::*;

const HOLDER: &[&str] = &["HolderOfKey"];
const AUDIENCE: &[&str] = &["TokenAudience"];
const INVALID: &[&str] = &["TokenInvalid"];
const EXPIRED: &[&str] = &["TokenExpired"];
const OUTSIDE: &[&str] = &["TimestampOutside"];

/// What is to be asserted, before and after a change, in a message that the holder signed.
fn asserted(from: &str, to: &str) -> String {
    let good = assertion();
    assert!(good.contains(from), "{from} is in {good}");
    request_with(&issued(&good.replace(from, to)), &CLIENT)
}

/// Who holds the token.
pub fn holder() -> Vec<Case> {
    let good = assertion();
    let certificate = piece(&good, "<X509Certificate>", "</X509Certificate>");
    let data = piece(&good, "<X509Data>", "</X509Data>");
    let confirmation = piece(&good, "<SubjectConfirmation ", "</SubjectConfirmation>");
    let own = format!("<X509Certificate>{}</X509Certificate>", base64::encode(STRANGER.certificate.der()));
    let hok = "cm:holder-of-key";
    let bearer = confirmation.replace(hok, "cm:bearer");
    vec![
        ("bearer", asserted(hok, "cm:bearer"), HOLDER),
        ("sender-vouches", asserted(hok, "cm:sender-vouches"), HOLDER),
        ("a method with a suffix", asserted(hok, "cm:holder-of-key:x"), HOLDER),
        ("two confirmations", asserted(confirmation, &confirmation.repeat(2)), HOLDER),
        ("bearer before holder-of-key", asserted(confirmation, &format!("{bearer}{confirmation}")), HOLDER),
        ("bearer after holder-of-key", asserted(confirmation, &format!("{confirmation}{bearer}")), HOLDER),
        ("no confirmation", asserted(confirmation, ""), HOLDER),
        ("the same certificate twice", asserted(certificate, &certificate.repeat(2)), HOLDER),
        ("a second certificate", asserted(certificate, &format!("{certificate}{own}")), HOLDER),
        ("two X509Data", asserted(data, &data.repeat(2)), HOLDER),
        ("no key", asserted(data, ""), HOLDER),
        ("a key by name", asserted(data, "<KeyName>x</KeyName>"), HOLDER),
        ("a certificate that is none", asserted(certificate, "<X509Certificate>AAAA</X509Certificate>"), HOLDER),
        (
            "a stolen token, the message signed with the thief's key",
            request_with(&issued(&good), &STRANGER),
            &["SignatureInvalid"],
        ),
        ("a stolen token, the message signed with the issuer's key", request_with(&issued(&good), &STS), &["SignatureInvalid"]),
        (
            "a stolen token whose certificate the thief exchanged",
            request_with(&issued(&good), &STRANGER).replace(certificate, &own),
            &["DigestMismatch"],
        ),
    ]
}

/// Whom and what the token is for, and whose it is.
pub fn audience() -> Vec<Case> {
    let good = assertion();
    let restriction = piece(&good, "<AudienceRestriction>", "</AudienceRestriction>");
    let audience = piece(&good, "<Audience>", "</Audience>");
    let recipient = format!("Recipient=\"{ENTITY}\"");
    let as_audience = |name: &str| asserted(audience, &format!("<Audience>{name}</Audience>"));
    vec![
        ("another audience", as_audience("http://other.example"), AUDIENCE),
        ("an empty audience", as_audience(""), AUDIENCE),
        ("an audience with a suffix", as_audience(&format!("{ENTITY}6")), AUDIENCE),
        ("an audience with a slash", as_audience(&format!("{ENTITY}/")), AUDIENCE),
        ("an audience with a query", as_audience(&format!("{ENTITY}?x")), AUDIENCE),
        ("an audience with a prefix", as_audience(&format!("x{ENTITY}")), AUDIENCE),
        ("an audience cut short", as_audience(ENTITY.trim_end_matches('6')), AUDIENCE),
        ("an audience in capitals", as_audience(&ENTITY.to_uppercase()), AUDIENCE),
        ("an audience with white space", as_audience(&format!("{ENTITY} ")), AUDIENCE),
        (
            "two audiences of which none is ours",
            asserted(audience, "<Audience>http://other.example</Audience><Audience>http://another.example</Audience>"),
            AUDIENCE,
        ),
        (
            "two restrictions that differ",
            asserted(restriction, &format!("{}{restriction}", restriction.replace(ENTITY, "http://other.example"))),
            AUDIENCE,
        ),
        (
            "two restrictions that differ, ours first",
            asserted(restriction, &format!("{restriction}{}", restriction.replace(ENTITY, "http://other.example"))),
            AUDIENCE,
        ),
        ("a restriction without an audience", asserted(audience, ""), AUDIENCE),
        ("something else among the audiences", asserted(audience, &format!("{audience}<Other/>")), INVALID),
        ("no restriction", asserted(restriction, ""), INVALID),
        ("a condition that is not known", asserted(restriction, &format!("{restriction}<OneTimeUse/>")), INVALID),
        ("a proxy restriction", asserted(restriction, &format!("{restriction}<ProxyRestriction Count=\"0\"/>")), INVALID),
        ("another recipient", asserted(&recipient, "Recipient=\"http://other.example\""), AUDIENCE),
        ("a recipient with a suffix", asserted(&recipient, &format!("Recipient=\"{ENTITY}/x\"")), AUDIENCE),
        ("no recipient", asserted(&recipient, ""), AUDIENCE),
        ("another issuer", asserted(&format!("<Issuer>{ISSUER}"), "<Issuer>https://other.example"), &["TokenIssuerUntrusted"]),
        (
            "an issuer with a suffix",
            asserted(&format!("<Issuer>{ISSUER}"), &format!("<Issuer>{ISSUER}/")),
            &["TokenIssuerUntrusted"],
        ),
        (
            "an issuer with a prefix",
            asserted(&format!("<Issuer>{ISSUER}"), &format!("<Issuer>x{ISSUER}")),
            &["TokenIssuerUntrusted"],
        ),
        ("version 1.1", asserted("Version=\"2.0\"", "Version=\"1.1\""), INVALID),
        ("no version", asserted(" Version=\"2.0\"", ""), INVALID),
        ("an address that nobody checks", asserted("Recipient=", "Address=\"10.0.0.1\" Recipient="), INVALID),
    ]
}

/// When the token counts.
pub fn time() -> Vec<Case> {
    let good = assertion();
    let conditions = piece(&good, "<Conditions ", ">");
    let confirmed = piece(&good, "<SubjectConfirmationData ", ">");
    let (from, until) = (at(-3600), at(7 * 3600));
    let on = |element: &str, begins: &str, ends: &str| {
        let names = format!("NotBefore=\"{from}\" NotOnOrAfter=\"{until}\"");
        asserted(element, &element.replace(&names, &format!("NotBefore=\"{begins}\" NotOnOrAfter=\"{ends}\"")))
    };
    let lasts = |begins: &str, ends: &str| on(conditions, begins, ends);
    let naive = |text: &str| text.trim_end_matches('Z').to_owned();
    let offset = |seconds: i64, zone: &str| format!("{}{zone}", naive(&at(seconds)));
    vec![
        ("expired", lasts(&at(-7 * 3600), &at(-61)), EXPIRED),
        ("expired, said in the zone that hides it", lasts(&offset(-7 * 3600, "Z"), &offset(3600, "+02:00")), EXPIRED),
        ("not yet", lasts(&at(61), &until), EXPIRED),
        ("not yet, said in the zone that hides it", lasts(&offset(-3600, "-02:00"), &until), EXPIRED),
        ("inverted", lasts(&until, &from), INVALID),
        ("without a zone", lasts(&naive(&from), &naive(&until)), INVALID),
        ("a zone out of range", lasts(&offset(-3600, "+15:00"), &until), INVALID),
        ("a zone without a colon", lasts(&offset(-3600, "+0000"), &until), INVALID),
        ("a zone in lower case", lasts(&offset(-3600, "z"), &until), INVALID),
        ("the year 10000", lasts(&from, "10000-11-22T19:00:00Z"), INVALID),
        ("a negative year", lasts("-2026-11-22T11:00:00Z", &until), INVALID),
        ("white space around it", lasts(&format!(" {from}"), &until), INVALID),
        ("for ten years", lasts(&from, &at(10 * 365 * 86_400)), INVALID),
        ("for a second too long", lasts(&from, &at(7 * 3600 + 61)), INVALID),
        ("no end", asserted(conditions, &conditions.replace(&format!(" NotOnOrAfter=\"{until}\""), "")), INVALID),
        ("a confirmation that has expired", on(confirmed, &at(-7 * 3600), &at(-61)), EXPIRED),
        ("a confirmation not yet", on(confirmed, &at(61), &until), EXPIRED),
        (
            "a confirmation without an end",
            asserted(confirmed, &confirmed.replace(&format!("NotOnOrAfter=\"{until}\""), "")),
            INVALID,
        ),
        (
            "issued in the future",
            asserted(&format!("IssueInstant=\"{from}\""), &format!("IssueInstant=\"{}\"", at(3600))),
            INVALID,
        ),
    ]
}

/// A message created so many seconds from now.
pub fn created(seconds: i64) -> String {
    signed(Message { created: now() + SignedDuration::from_secs(seconds), ..message(SoapVersion::V12) })
}

/// A message that claims such a life.
pub fn lives(lifetime: SignedDuration) -> String {
    signed(Message { lifetime, ..message(SoapVersion::V12) })
}

fn signed(message: Message<'_>) -> String {
    String::from_utf8(sign::with_token(&message, &issued(&assertion()), &CLIENT.key).unwrap()).unwrap()
}

/// When the message counts. Its holder signs what it likes, so these are all well signed.
pub fn timestamp() -> Vec<Case> {
    let good = request();
    let timestamp = piece(&good, "<wsu:Timestamp", "</wsu:Timestamp>").to_owned();
    let created_at = piece(&timestamp, "<wsu:Created>", "</wsu:Created>").to_owned();
    let expires = piece(&timestamp, "<wsu:Expires>", "</wsu:Expires>").to_owned();
    // Digest and signature made anew over the Timestamp as it then stands.
    let anew = |from: &str, to: &str| digested_again(&good.replace(from, to), "timestamp");
    let says = |text: &str| anew(&created_at, &format!("<wsu:Created>{text}</wsu:Created>"));
    let day = at(0)[..10].to_owned();
    vec![
        ("a clock further ahead than the skew", created(61), OUTSIDE),
        ("an hour ahead", created(3600), OUTSIDE),
        ("older than its age and the skew", created(-361), OUTSIDE),
        ("expired a minute and more ago", created(-420), OUTSIDE),
        ("inverted", lives(-SignedDuration::from_secs(1)), STRUCTURE),
        ("no life at all", lives(SignedDuration::ZERO), STRUCTURE),
        ("a life of ten years", lives(SignedDuration::from_hours(87_600)), STRUCTURE),
        ("Created without a zone", says(at(0).trim_end_matches('Z')), STRUCTURE),
        ("Created in the year 10000", says("10000-01-01T00:00:00Z"), STRUCTURE),
        ("Created at 24:00", says(&format!("{day}T24:00:00Z")), STRUCTURE),
        ("Created in a leap second", says(&format!("{day}T23:59:60Z")), STRUCTURE),
        ("Created that is now only without its offset", says(&format!("{}+03:00", at(0).trim_end_matches('Z'))), STRUCTURE),
        ("white space in Created", says(&format!("\n{} ", at(0))), STRUCTURE),
        ("an element in Created", says(&format!("{}<x/>", at(0))), STRUCTURE),
        ("two Created", anew(&created_at, &created_at.repeat(2)), STRUCTURE),
        ("Expires first", anew(&format!("{created_at}{expires}"), &format!("{expires}{created_at}")), STRUCTURE),
        ("two Expires", anew(&expires, &expires.repeat(2)), STRUCTURE),
        ("no Created", anew(&created_at, ""), STRUCTURE),
        ("another element", anew(&expires, &format!("{expires}<wsu:Other/>")), STRUCTURE),
    ]
}

/// A message with these privilege groups in its token.
pub fn with_groups(groups: &str) -> String {
    let good = assertion();
    let list = piece(&good, "\">PGI6", "</AttributeValue>").trim_start_matches("\">").trim_end_matches("</AttributeValue>");
    let xml = format!("<b:PrivilegeList xmlns:b=\"http://itst.dk/oiosaml/basic_privilege_profile\">{groups}</b:PrivilegeList>");
    asserted(list, &base64::encode(xml.as_bytes()))
}

/// What the token says of its holder.
pub fn attributes() -> Vec<Case> {
    let good = assertion();
    let attribute =
        |name: &str| piece(&good, &format!("<Attribute Name=\"dk:gov:saml:attribute:{name}\""), "</Attribute>").to_owned();
    let (cvr, privileges) = (attribute("CvrNumberIdentifier"), attribute("Privileges_intermediate"));
    let value = piece(&cvr, "<AttributeValue", "</AttributeValue>");
    let list = piece(&privileges, "\">PGI6", "</AttributeValue>").trim_start_matches("\">").trim_end_matches("</AttributeValue>");
    let statement = piece(&good, "<AttributeStatement>", "</AttributeStatement>");
    let number = |text: &str| asserted(">11111111<", &format!(">{text}<"));
    let level = |text: &str| asserted(">3</AttributeValue>", &format!(">{text}</AttributeValue>"));
    let with_list = |xml: &str| asserted(list, &base64::encode(xml.as_bytes()));
    let role = "<Privilege>http://hjemmel.example/roles/usersystemrole/terminaladgang/1</Privilege>";
    vec![
        ("two attributes with a CVR", asserted(&cvr, &cvr.repeat(2)), INVALID),
        ("two CVR attributes that differ", asserted(&cvr, &format!("{}{cvr}", cvr.replace("11111111", "99999991"))), INVALID),
        ("two values of the CVR", asserted(value, &format!("{value}{}", value.replace("11111111", "99999991"))), INVALID),
        ("a CVR of nine digits", number("111111111"), INVALID),
        ("a CVR of seven digits", number("1111111"), INVALID),
        ("a CVR with a space", number("1111111 "), INVALID),
        ("a CVR with a newline", number("11111111\n"), INVALID),
        ("a CVR in other digits", number("١١١١١١١١"), INVALID),
        ("a CVR in full-width digits", number("１１１１１１１１"), INVALID),
        ("a CVR with a prefix", number("DK11111111"), INVALID),
        ("a CVR with a zero-width space", number("1111\u{200b}1111"), INVALID),
        ("no CVR", asserted(&cvr, ""), INVALID),
        ("an element in the CVR", number("1111<x/>1111"), INVALID),
        ("xsi:nil", asserted(value, &value.replace("a:type=\"xs:string\"", "a:nil=\"true\"")), INVALID),
        ("another profile", asserted("DK-SAML-2.0", "DK-SAML-3.0"), INVALID),
        ("another KombitSpecVer", asserted(">1.0<", ">2.0<"), INVALID),
        ("assurance level 2", level("2"), INVALID),
        ("assurance level in words", level("three"), INVALID),
        ("assurance level as an exponent", level("3e0"), INVALID),
        ("Advice", asserted("<AttributeStatement>", "<Advice/><AttributeStatement>"), INVALID),
        ("two attribute statements", asserted(statement, &statement.repeat(2)), INVALID),
        ("privileges that are no base64", asserted(list, &format!("*{list}")), INVALID),
        ("two privilege attributes", asserted(&privileges, &privileges.repeat(2)), INVALID),
        (
            "an external entity in the base64 of the privileges",
            with_list("<!DOCTYPE x [<!ENTITY e SYSTEM \"http://beacon.invalid/\">]><x>&e;</x>"),
            INVALID,
        ),
        (
            "an entity bomb in the base64 of the privileges",
            with_list("<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><x>&b;</x>"),
            INVALID,
        ),
        ("UTF-16 in the base64 of the privileges", asserted(list, &base64::encode(b"\xff\xfe<\0x\0/\0>\0")), INVALID),
        ("privileges nested a thousand deep", with_list(&format!("{}{}", "<x>".repeat(1000), "</x>".repeat(1000))), INVALID),
        ("privileges with another root", with_list("<PrivilegeList/>"), INVALID),
        (
            "a comment that splits the scope's privilege",
            with_groups(&format!(
                "<PrivilegeGroup Scope=\"urn:dk:gov:saml:cvrNumberIdentifier:11111111\">{}</PrivilegeGroup>",
                role.replace("/1<", "<!-- -->/1<")
            )),
            INVALID,
        ),
    ]
}

/// Exchanges the digest of `id` for that of the element as it now stands, and signs again.
fn digested_again(xml: &str, id: &str) -> String {
    let document = parse(xml).unwrap();
    let element = document
        .root()
        .descendants()
        .find(|element| element.attribute(hjemmel::signature::names::WSU, "Id") == Some(id))
        .unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &canonical_bytes(element));
    let old = piece(reference(xml, id), "<ds:DigestValue>", "</ds:DigestValue>");
    let new = format!("<ds:DigestValue>{}</ds:DigestValue>", base64::encode(digest.as_ref()));
    resign(&in_signature(xml, old, &new))
}
