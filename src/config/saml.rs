//! `[console.saml]`: log-on to the console by identity providers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::reader::{Reader, as_array, as_text, one_of};
use crate::id::cvr::Cvr;
use crate::signature::credentials::Credentials;
use crate::signon::person::Assurance;
use crate::signon::provider::Answers;
use crate::users::rights::Role;

/// Log-on by SAML.
#[derive(Debug, Clone)]
pub struct Saml {
    /// The console's entity id; none: the address of its metadata.
    pub entity_id: Option<String>,
    /// What signs requests, and what assertions are encrypted for.
    pub credentials: Credentials,
    /// The least level of assurance.
    pub assurance: Assurance,
    /// Contexts that are taken for that level.
    pub contexts: Vec<String>,
    /// Which privilege is which role.
    pub roles: Vec<(String, Role)>,
    /// An attribute with privileges, beside the privilege profile's.
    pub role_attribute: Option<String>,
    /// The attribute that a person is known by, in place of the NameID.
    pub person_attribute: Option<String>,
    /// Whose people may be operators.
    pub operators: Option<Cvr>,
    /// Whether AES-CBC is taken.
    pub allow_cbc: bool,
    /// The providers, by name.
    pub providers: BTreeMap<String, Provider>,
}

/// `[console.saml.provider.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// The file of its metadata.
    pub metadata: PathBuf,
    /// For whom its word counts.
    pub answers: Answers,
}

/// `"role = privilege"`.
fn role(text: &str) -> Result<(String, Role), String> {
    const FORM: &str = "is not written as \"signatory = https://example.dk/roles/usersystemrole/signatory/1\"";
    let (role, privilege) = text.split_once('=').ok_or(FORM)?;
    let role = role.trim().parse::<Role>()?;
    match privilege.trim() {
        "" => Err(FORM.to_owned()),
        privilege => Ok((privilege.to_owned(), role)),
    }
}

/// An attribute that holds a CPR number by its name is never asked for.
fn no_cpr(section: &mut Reader<'_>, key: &'static str) -> Option<Option<String>> {
    section.setting(key, Some(None), |value| {
        let name = as_text(value)?;
        match name.to_ascii_lowercase().contains("cpr") {
            true => Err("is the attribute of a CPR number, which the console never reads; name another".to_owned()),
            false => Ok(Some(name)),
        }
    })
}

pub(super) fn read(section: &mut Reader<'_>) -> Option<Saml> {
    let entity_id = section.optional_text("entity_id");
    let credentials = section.credentials();
    let levels = [("low", Assurance::Low), ("substantial", Assurance::Substantial), ("high", Assurance::High)];
    let assurance = section.choice("assurance", Some(Assurance::Substantial), &levels);
    let texts = |value: &toml::de::DeValue<'_>| {
        as_array(value)?.iter().map(|item| as_text(item.get_ref())).collect::<Result<Vec<_>, _>>()
    };
    let contexts = section.setting("contexts", Some(Vec::new()), texts);
    let roles = section.setting("roles", None, |value| {
        let roles = texts(value)?.iter().map(|text| role(text)).collect::<Result<Vec<_>, _>>()?;
        if roles.is_empty() { Err("names no role, so that nobody could log on".to_owned()) } else { Ok(roles) }
    });
    let role_attribute = no_cpr(section, "role_attribute");
    let person_attribute = no_cpr(section, "person_attribute");
    let cvr = |text: String| text.parse::<Cvr>().map_err(|_| "is not a CVR number of eight digits".to_owned());
    let operators = section.setting("operators", Some(None), |value| as_text(value).and_then(cvr).map(Some));
    let allow_cbc = section.flag("allow_cbc", false);
    let mut given = false;
    let providers = section.each("provider", |_, section| {
        given = true;
        let metadata = section.file("metadata");
        let answers = section.setting("authorities", None, |value| match one_of(value, &[("all", ())]) {
            Ok(()) => Ok(Answers::ForAll),
            Err(_) => {
                let form = |_| "is neither \"all\" nor a list of CVR numbers, as [\"11111111\"]".to_owned();
                let texts = texts(value).map_err(form)?;
                let numbers = texts.into_iter().map(cvr).collect::<Result<Vec<_>, _>>()?;
                match numbers.is_empty() {
                    true => Err("names no authority; write \"all\" for a common provider".to_owned()),
                    false => Ok(Answers::For(numbers)),
                }
            }
        });
        let metadata = metadata?;
        section.note("metadata", &metadata, Vec::new(), false);
        Some(Provider { metadata, answers: answers? })
    });
    if providers.is_empty() {
        // What is wrong with one that is there is told already.
        if !given {
            section.problem_of_section("has no provider; add [console.saml.provider.NAME] with its metadata");
        }
        return None;
    }
    Some(Saml {
        entity_id: entity_id?,
        credentials: credentials?,
        assurance: assurance?,
        contexts: contexts?,
        roles: roles?,
        role_attribute: role_attribute?,
        person_attribute: person_attribute?,
        operators: operators?,
        allow_cbc: allow_cbc?,
        providers,
    })
}
