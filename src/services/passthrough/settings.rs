//! `service.toml`: what the WSDL cannot say. Read strictly, all problems at once.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path as FilePath;
use std::time::Duration;

use jiff::Timestamp;
use toml::de::DeTable;
use uuid::Uuid;

use super::path::Path;
use super::wsdl::Security;
use crate::agreements::route::EntityId;
use crate::config::reader::{Gathered, Reader, as_array, as_text, one_of};
use crate::refusal::Audience;
use crate::schema::source::Problem;
use crate::text::line_at;

/// The file's name in the folder.
pub const FILE: &str = "service.toml";
/// The largest `service.toml`, in bytes.
const FILE_BYTES: u64 = 64 * 1024;
/// Sizes of messages, in bytes.
const SIZES: RangeInclusive<u64> = 1024..=64 * 1024 * 1024;
const SIZE: usize = 10 * 1024 * 1024;
const DEADLINES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);
const DEADLINE: Duration = Duration::from_secs(30);

/// A value and the line on which it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Placed<T> {
    pub value: T,
    /// The line, from 1.
    pub line: usize,
}

/// A binding that is offered to callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// How a caller proves who it is.
    pub security: Security,
    /// The WSDL, by its path in the folder.
    pub wsdl: Placed<String>,
    /// The SOAP binding or port in it, where there is more than one.
    pub binding: Option<String>,
}

/// How the receiver of a call is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// By the route of the authority that the body names, or of the sender's own.
    ImplicitByEntityId,
    /// One provider for all.
    Fixed,
}

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bilingual {
    /// Danish.
    pub da: String,
    /// English.
    pub en: String,
}

/// Bounds of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// The largest request, in bytes.
    pub request_bytes: usize,
    /// The largest answer, in bytes.
    pub answer_bytes: usize,
    /// How long the provider has.
    pub deadline: Duration,
}

/// What `service.toml` says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Settings {
    /// The service's UUID, by which agreements name it.
    pub uuid: Uuid,
    /// Its entity id, for which tokens are issued.
    pub entity_id: String,
    /// Where it is offered: the path of its address.
    pub path: String,
    /// How the gateway proves itself to the provider.
    pub provider: Security,
    /// How the provider is found.
    pub receiver: Receiver,
    /// Where a request names the receiving authority.
    pub receiver_paths: Vec<Placed<Path>>,
    /// Where a request has the id by which it is known again.
    pub idempotency: Vec<Placed<Path>>,
    /// Whether a provider may be asked once more with the same id, because it answers that with the receipt of before and does nothing twice.
    pub ask_again: bool,
    /// Where requests and answers hold persons: sealed in the audit, never told.
    pub persons: Vec<Placed<Path>>,
    /// For whom the service's own codes are; `None` where it has none.
    pub audience: Option<Audience>,
    pub legal_basis: Bilingual,
    pub purpose: Bilingual,
    /// Bounds of a call.
    pub limits: CallLimits,
}

/// Reads a folder's `service.toml`: the bindings that it offers, and the rest where nothing is wrong.
pub fn read(folder: &FilePath) -> (Vec<Offered>, Result<Settings, Vec<Problem>>) {
    let file = folder.join(FILE);
    let text = match fs::symlink_metadata(&file) {
        Ok(metadata) if !metadata.is_file() => Err("It is not a file.".to_owned()),
        Ok(metadata) if metadata.len() > FILE_BYTES => Err(format!("It has more than {FILE_BYTES} bytes.")),
        Ok(_) => fs::read_to_string(&file).map_err(|error| format!("It cannot be read: {error}.")),
        Err(error) => Err(format!("It cannot be read: {error}.")),
    };
    match text {
        Ok(text) => parse(&text),
        Err(what) => {
            let remedy = "Write one with `hjemmel service new WSDL`.".to_owned();
            (Vec::new(), Err(vec![Problem { file: FILE.to_owned(), line: None, what, remedy }]))
        }
    }
}

/// Reads the text of a `service.toml`.
pub fn parse(text: &str) -> (Vec<Offered>, Result<Settings, Vec<Problem>>) {
    let line_of = |offset: usize| line_at(text.as_bytes(), offset);
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let told = errors.iter().map(|error| Problem {
            file: FILE.to_owned(),
            line: error.span().map(|span| line_of(span.start)),
            what: format!("It is not TOML: {}.", error.message().trim_end_matches('.')),
            remedy: "Mend the syntax (https://toml.io).".to_owned(),
        });
        return (Vec::new(), Err(told.collect()));
    }
    let gathered = Gathered::default();
    // Nothing in it depends on the time.
    let mut root = Reader::root(Some(table.get_ref()), FilePath::new(""), Timestamp::UNIX_EPOCH, &gathered);
    let offered: Vec<Offered> = [("token", Security::Token), ("authority-context", Security::AuthorityContext)]
        .into_iter()
        .filter_map(|(key, security)| {
            root.find(key)?;
            root.section(key, |section| {
                let at = section.find("wsdl").map_or(0, |value| value.span().start);
                let wsdl = section.text("wsdl", None);
                let binding = section.optional_text("binding");
                Some(Offered { security, wsdl: Placed { value: wsdl?, line: line_of(at) }, binding: binding? })
            })
        })
        .collect();
    let settings = rest(&mut root, &line_of);
    if root.find("token").is_none() && root.find("authority-context").is_none() {
        root.problem("token", None, "is missing, and so is authority-context; offer at least one binding".to_owned());
    }
    root.finish();
    let mut problems = gathered.problems.into_inner();
    problems.sort_by_key(|problem| problem.span.as_ref().map_or(0, |span| span.start));
    let told = problems.into_iter().map(|problem| {
        let (what, remedy) = problem.text.split_once("; ").unwrap_or((&problem.text, "see docs/services.md"));
        let mut remedy: Vec<char> = remedy.chars().collect();
        remedy.iter_mut().take(1).for_each(|first| *first = first.to_ascii_uppercase());
        let mut remedy: String = remedy.into_iter().collect();
        if !remedy.ends_with(['?', '.']) {
            remedy.push('.');
        }
        let line = problem.span.map(|span| line_of(span.start));
        Problem { file: FILE.to_owned(), line, what: format!("{} {what}.", problem.setting), remedy }
    });
    let told: Vec<Problem> = told.collect();
    match settings {
        Some(settings) if told.is_empty() => (offered, Ok(settings)),
        _ => (offered, Err(told)),
    }
}

fn rest(root: &mut Reader<'_>, line_of: &dyn Fn(usize) -> usize) -> Option<Settings> {
    let service = root.section("service", |section| {
        let uuid = section.setting("uuid", None, |value| {
            as_text(value)?.parse::<Uuid>().map_err(|_| "is not a UUID; write it as 8-4-4-4-12 hexadecimal digits".to_owned())
        });
        let entity_id = section.setting("entity_id", None, |value| {
            let entity_id = as_text(value)?.parse::<EntityId>();
            entity_id.map_err(|_| "is not an entity id; write the URI by which tokens name the service".to_owned())
        });
        let path = section.setting("path", None, |value| {
            let text = as_text(value)?;
            let parts: Vec<&str> = text.split('/').skip(1).collect();
            let plain = |part: &&str| {
                !part.is_empty()
                    && *part != "."
                    && *part != ".."
                    && part.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c))
            };
            let fits = text.starts_with('/') && !parts.is_empty() && parts.iter().all(plain);
            if fits {
                Ok(text)
            } else {
                Err("is not the path of an address; write for instance \"/service/Oekonomi/Finans/1\"".to_owned())
            }
        });
        Some((uuid?, entity_id?, path?))
    });
    let provider = root.section("provider", |section| {
        let security = section.setting("security", None, |value| {
            one_of(value, &[("token", Security::Token), ("authority-context", Security::AuthorityContext)])
        });
        let receiver = section.setting("receiver", None, |value| {
            one_of(value, &[("implicit-by-entity-id", Receiver::ImplicitByEntityId), ("fixed", Receiver::Fixed)])
        });
        let ask_again = section.flag("ask_again", false);
        Some((security?, receiver?, ask_again?))
    });
    let fixed = provider.is_some_and(|(_, receiver, _)| receiver == Receiver::Fixed);
    let paths = root.section("paths", |section| {
        let receiver = paths(section, "receiver", Some(Vec::new()), line_of);
        if fixed && receiver.as_ref().is_some_and(|paths| !paths.is_empty()) {
            section.problem_at("receiver", "is given though provider.receiver is fixed; remove one of them".to_owned());
        }
        let idempotency = paths(section, "idempotency", Some(Vec::new()), line_of);
        let persons = paths(section, "persons", None, line_of);
        Some((receiver?, idempotency?, persons?))
    });
    let audience = match root.find("codes") {
        None => Some(None),
        Some(_) => {
            root.section("codes", |section| section.setting("audience", None, |value| one_of(value, &Audience::CODES)).map(Some))
        }
    };
    let law = root.section("law", |section| {
        let mut text = |key| section.text(key, None);
        let (basis_da, basis_en, purpose_da, purpose_en) =
            (text("legal_basis_da"), text("legal_basis_en"), text("purpose_da"), text("purpose_en"));
        Some((Bilingual { da: basis_da?, en: basis_en? }, Bilingual { da: purpose_da?, en: purpose_en? }))
    });
    let limits = root.section("limits", |section| {
        let request = section.size("request_bytes", SIZE, SIZES);
        let answer = section.size("answer_bytes", SIZE, SIZES);
        let deadline = section.duration("deadline", DEADLINE, DEADLINES);
        Some(CallLimits { request_bytes: request?, answer_bytes: answer?, deadline: deadline? })
    });
    let ((uuid, entity_id, path), (provider, receiver, ask_again), (receiver_paths, idempotency, persons)) =
        (service?, provider?, paths?);
    let (legal_basis, purpose) = law?;
    let (audience, limits) = (audience?, limits?);
    Some(Settings {
        uuid,
        entity_id: entity_id.to_string(),
        path,
        provider,
        receiver,
        receiver_paths,
        idempotency,
        ask_again,
        persons,
        audience,
        legal_basis,
        purpose,
        limits,
    })
}

/// A list of paths; none where the key is missing and `default` says so.
fn paths(
    section: &mut Reader<'_>,
    key: &'static str,
    default: Option<Vec<Placed<Path>>>,
    line_of: &dyn Fn(usize) -> usize,
) -> Option<Vec<Placed<Path>>> {
    section.setting(key, default, |value| {
        let one = |item: &toml::Spanned<toml::de::DeValue<'_>>| {
            let value = Path::parse(&as_text(item.get_ref())?)?;
            Ok(Placed { value, line: line_of(item.span().start) })
        };
        as_array(value)?.iter().map(one).collect()
    })
}
