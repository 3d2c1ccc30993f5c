//! The privileges of a token: OIO's basic privilege profile, model 2 (intermediate), with KOMBIT's constraints.

use bytes::Bytes;

use crate::refusal::{Detail, Refusal};
use crate::signature::base64;
use crate::soap::document::{Document, Element};
use crate::soap::strict::{Limits, is_space};

/// The two namespaces that PrivilegeList is met in.
const NAMESPACES: [&str; 2] =
    ["http://itst.dk/oiosaml/basic_privilege_profile", "http://digst.dk/oiosaml/basic_privilege_profile"];
const CVR_SCOPE: &str = "urn:dk:gov:saml:cvrNumberIdentifier:";
const KLE: &str = "http://sts.kombit.dk/constraints/KLE/1";
const SENSITIVITY: &str = "http://sts.kombit.dk/constraints/foelsomhed/1";
const ORGANISATION: &str = "http://sts.kombit.dk/constraints/orgenhed/1";
const IT_SYSTEM: &str = "http://sts.kombit.dk/constraints/itsystem/1";

/// A constraint whose meaning is known. A group without one is not narrowed in that respect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum Constraint {
    /// KLE numbers and patterns.
    Kle,
    /// Sensitivity (*følsomhed*).
    Sensitivity,
    /// Organisational units.
    Organisation,
    ItSystem,
}

/// One PrivilegeGroup: privileges that hold for one authority, narrowed by constraints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    cvr: String,
    privileges: Vec<String>,
    constraints: Vec<(Constraint, Vec<String>)>,
}

impl Group {
    /// The privileges, as URIs.
    pub fn privileges(&self) -> impl Iterator<Item = &str> {
        self.privileges.iter().map(String::as_str)
    }
    /// Whether it is narrowed in any respect.
    pub fn is_narrowed(&self) -> bool {
        !self.constraints.is_empty()
    }
    /// The values of a constraint; `None` where the group does not have it and is not narrowed.
    pub fn constraint(&self, constraint: Constraint) -> Option<&[String]> {
        self.constraints.iter().find(|(known, _)| *known == constraint).map(|(_, values)| values.as_slice())
    }
}

/// The groups of a token that can be used. Groups of another scope than a CVR number, and groups with a constraint that
/// is not known here, are left out: the first the profile demands (§ 3.6), and a constraint that nobody applies would
/// give more than was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Privileges(Vec<Group>);

fn bad(da: &str, en: &str) -> Refusal {
    Refusal::TokenInvalid {
        what: Detail::new(format!("Privileges_intermediate: {da}"), format!("Privileges_intermediate: {en}")),
    }
}

impl Privileges {
    /// No privileges.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads the attribute's value: base64 of a PrivilegeList in UTF-8, parsed as strictly as the message (a DTD inside
    /// the base64 is a DTD).
    ///
    /// # Errors
    /// `TokenInvalid`.
    pub fn from_base64(coded: &str) -> Result<Self, Refusal> {
        let xml = base64::decode(coded).ok_or_else(|| bad("værdien er ikke base64", "it is not base64"))?;
        let limits = Limits { nodes: 10_000, depth: 8, ..Limits::default() };
        let document = Document::parse(Bytes::from(xml), &limits).map_err(|refusal| {
            let entry = refusal.entry();
            bad(&entry.da.what, &entry.en.what)
        })?;
        let list = document.root();
        if list.local() != "PrivilegeList" || !NAMESPACES.contains(&list.namespace()) || document.has_comments() {
            return Err(bad("værdien er ikke en PrivilegeList", "it is not a PrivilegeList"));
        }
        if list.has_stray_text() {
            return Err(bad("der er tekst mellem grupperne", "there is text between the groups"));
        }
        let groups: Result<Vec<_>, _> = list.elements().map(|element| group(element, list.namespace())).collect();
        Ok(Self(groups?.into_iter().flatten().collect()))
    }

    /// The groups that hold for this authority. Those of others do not count.
    pub fn of<'p>(&'p self, cvr: &'p str) -> impl Iterator<Item = &'p Group> {
        self.0.iter().filter(move |group| group.cvr == cvr)
    }

    /// All usable groups.
    pub fn groups(&self) -> &[Group] {
        &self.0
    }
}

/// One group; `None` where it is well-formed but cannot be used.
fn group(element: Element<'_>, namespace: &str) -> Result<Option<Group>, Refusal> {
    // The profile's schema leaves local elements unqualified, its example qualifies them: both are met.
    let is = |element: Element<'_>, local: &str| element.is(namespace, local) || element.is("", local);
    let scope = element.attribute("", "Scope").filter(|_| is(element, "PrivilegeGroup"));
    let scope = scope.ok_or_else(|| {
        bad("et underelement er ikke en PrivilegeGroup med Scope", "a child is not a PrivilegeGroup with Scope")
    })?;
    if element.has_stray_text() {
        return Err(bad("der er tekst mellem en gruppes dele", "there is text between the parts of a group"));
    }
    let mut privileges = Vec::new();
    let mut constraints: Vec<(Constraint, Vec<String>)> = Vec::new();
    let mut usable = true;
    for child in element.elements() {
        let text = child.text().ok_or_else(|| bad("en værdi er ikke ren tekst", "a value is not plain text"))?;
        let text = text.trim_matches(is_space);
        if is(child, "Privilege") {
            privileges.push(text.to_owned());
            continue;
        }
        let name = child.attribute("", "Name").filter(|_| is(child, "Constraint"));
        let constraint = match name.ok_or_else(|| {
            bad(
                "en gruppe rummer andet end Privilege og Constraint",
                "a group holds something else than Privilege and Constraint",
            )
        })? {
            KLE => Constraint::Kle,
            SENSITIVITY => Constraint::Sensitivity,
            ORGANISATION => Constraint::Organisation,
            IT_SYSTEM => Constraint::ItSystem,
            _ => {
                usable = false;
                continue;
            }
        };
        let values = text.split(',').map(|value| value.trim_matches(is_space).to_owned()).filter(|value| !value.is_empty());
        match constraints.iter_mut().find(|(known, _)| *known == constraint) {
            Some((_, known)) => known.extend(values),
            None => constraints.push((constraint, values.collect())),
        }
    }
    if privileges.is_empty() {
        return Err(bad("en gruppe har ingen Privilege", "a group has no Privilege"));
    }
    let cvr = scope.strip_prefix(CVR_SCOPE).filter(|cvr| cvr.len() == 8 && cvr.bytes().all(|byte| byte.is_ascii_digit()));
    Ok(cvr.filter(|_| usable).map(|cvr| Group { cvr: cvr.to_owned(), privileges, constraints }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(xml: &str) -> Result<Privileges, Refusal> {
        Privileges::from_base64(&base64::encode(xml.as_bytes()))
    }

    fn list(namespace: &str, groups: &str) -> String {
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><b:PrivilegeList xmlns:b=\"{namespace}\">{groups}</b:PrivilegeList>")
    }

    #[test]
    fn both_namespaces_and_both_forms_of_local_names_are_read() {
        for namespace in NAMESPACES {
            for prefix in ["", "b:"] {
                let xml = format!(
                    "<{prefix}PrivilegeGroup Scope=\"{CVR_SCOPE}11111111\"><{prefix}Privilege>urn:a</{prefix}Privilege>\
                     <{prefix}Constraint Name=\"{KLE}\">32.03.*, 27.*</{prefix}Constraint></{prefix}PrivilegeGroup>"
                );
                let privileges = read(&list(namespace, &xml)).unwrap();
                let group = privileges.of("11111111").next().unwrap();
                assert_eq!(group.privileges().collect::<Vec<_>>(), ["urn:a"]);
                assert_eq!(group.constraint(Constraint::Kle).unwrap(), ["32.03.*", "27.*"]);
                assert_eq!(group.constraint(Constraint::Sensitivity), None);
            }
        }
    }

    #[test]
    fn a_group_that_is_not_understood_gives_nothing() {
        let group = |scope: &str, constraint: &str| {
            let constraint = format!("<Constraint Name=\"{constraint}\">x</Constraint>");
            let constraint = if constraint.contains("\"\"") { String::new() } else { constraint };
            format!("<PrivilegeGroup Scope=\"{scope}\"><Privilege>urn:a</Privilege>{constraint}</PrivilegeGroup>")
        };
        for (reason, scope, constraint, counts) in [
            ("plain", "urn:dk:gov:saml:cvrNumberIdentifier:11111111", "", 1),
            ("another authority", "urn:dk:gov:saml:cvrNumberIdentifier:99999981", "", 0),
            ("a longer number", "urn:dk:gov:saml:cvrNumberIdentifier:111111111", "", 0),
            ("a suffix", "urn:dk:gov:saml:cvrNumberIdentifier:11111111:x", "", 0),
            ("another kind of scope", "urn:dk:gov:saml:seNumberIdentifier:11111111", "", 0),
            ("a known constraint", "urn:dk:gov:saml:cvrNumberIdentifier:11111111", SENSITIVITY, 1),
            (
                "an unknown one of the same family",
                "urn:dk:gov:saml:cvrNumberIdentifier:11111111",
                "http://sts.kombit.dk/constraints/KLE/2",
                0,
            ),
            ("an unknown one", "urn:dk:gov:saml:cvrNumberIdentifier:11111111", "urn:example:constraint", 0),
        ] {
            let privileges = read(&list(NAMESPACES[0], &group(scope, constraint))).unwrap();
            assert_eq!(privileges.of("11111111").count(), counts, "{reason}");
        }
    }

    #[test]
    fn what_is_no_privilege_list_is_refused() {
        let group = format!("<PrivilegeGroup Scope=\"{CVR_SCOPE}11111111\"><Privilege>urn:a</Privilege></PrivilegeGroup>");
        let good = list(NAMESPACES[0], &group);
        assert!(read(&good).is_ok());
        for (reason, xml) in [
            ("a DTD", good.replace("?>", "?><!DOCTYPE x [<!ENTITY e SYSTEM \"http://beacon.invalid/\">]>")),
            ("another namespace", list("urn:example:other", &group)),
            ("a comment in a privilege", good.replace("urn:a", "urn:<!-- -->a")),
            ("CDATA in a privilege", good.replace("urn:a", "<![CDATA[urn:a]]>")),
            ("no scope", good.replace("Scope", "Other")),
            ("no privilege", good.replace("<Privilege>urn:a</Privilege>", "")),
            ("another element", good.replace("</PrivilegeGroup>", "<x/></PrivilegeGroup>")),
            ("not XML", "Scope".into()),
        ] {
            assert_eq!(read(&xml).unwrap_err().code(), "TokenInvalid", "{reason}");
        }
        assert_eq!(Privileges::from_base64("*").unwrap_err().code(), "TokenInvalid");
    }
}
