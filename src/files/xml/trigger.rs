//! A trigger (`Trigger` of SFTPTypes.xsd): what a sender says of the file that it has put.
//!
//! The strict reader goes first, so that DTDs and entities never arrive here. What follows is the schema's grammar, element by
//! element with their namespaces, which serde over quick-xml does not see: a child in a namespace would pass as one in none.
//! Everything that is wrong is told at once. No text repeats what the trigger says, for it can hold a person's number.

use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use super::NAMESPACE;
use crate::clock::{civil_day, copenhagen};
use crate::files::codes::Code;
use crate::id::cvr::Cvr;
use crate::refusal::{Detail, Refusal};
use crate::signature::c14n::canonical_bytes;
use crate::soap::document::{Child, Document, Element};
use crate::soap::names::XSI;
use crate::soap::strict::Limits;

/// The largest trigger that is read, in bytes.
pub const LARGEST: usize = 64 * 1024;
/// The most recipients of one file.
pub const RECIPIENTS: usize = 100;
/// The recipient that leaves it to the route who receives.
pub const ROUTED: &str = "ROUTING_V1_0_0";
/// The longest name of a user or a file, in characters, as the schema has it.
const CHARACTERS: usize = 255;
/// Who sends ten thousand wrong elements is told of so many.
const TOLD: usize = 20;

/// What a trigger says.
#[derive(Clone, PartialEq, Eq)]
pub struct Trigger {
    /// The data file's name, as sent.
    pub file_name: String,
    /// Its size.
    pub size: u64,
    /// The sending user.
    pub sender: String,
    /// The sender's own id of the file, as sent.
    pub senders_file_id: Option<String>,
    /// The receiving users, or [`ROUTED`].
    pub recipients: Vec<String>,
    /// What the route is found by.
    pub routing: Option<Routing>,
    /// The content of `FileContentDescriptor` in a form that stands by itself: handed on to the recipients.
    pub descriptor: String,
}

/// It can hold persons' data.
impl std::fmt::Debug for Trigger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trigger")
    }
}

/// `SFTPDynamicRoutingInfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    /// The integration, as sent. Compared by [`same_inf_ref`].
    pub inf_ref: String,
    /// The sending it-system.
    pub sender_system: Uuid,
    /// The authority that it sends for.
    pub sender_authority: Cvr,
    /// One for all files of a submission.
    pub transaction: Uuid,
    /// When the sender made it.
    pub sent_at: Timestamp,
    /// The receiving it-system, where the sender knows it.
    pub recipient_system: Option<Uuid>,
    /// The authority that receives.
    pub recipient_authority: Cvr,
    /// The day on which the route must hold: `RouteSelectionValueDate`, or that of [`Routing::sent_at`] in Copenhagen.
    pub on: Date,
}

/// Whether two names of an integration are one: by their NFC forms, for `ø` may come in two spellings.
pub fn same_inf_ref(one: &str, other: &str) -> bool {
    one.nfc().eq(other.nfc())
}

/// Reads a trigger.
///
/// # Errors
/// All that is wrong with it: 1001 alone, or 1002 once for each thing.
pub fn read(bytes: &[u8]) -> Result<Trigger, Vec<Code>> {
    let not_xml = |da: String, en: String| vec![Code::FIL1001 { what: Detail::new(da, en) }];
    if bytes.len() > LARGEST {
        return Err(not_xml(
            format!("den er større end {LARGEST} bytes; højst {RECIPIENTS} modtagere er tilladt"),
            format!("it has more than {LARGEST} bytes; {RECIPIENTS} recipients are allowed at most"),
        ));
    }
    let limits = Limits { nodes: 10_000, depth: 32, ..Limits::default() };
    let document = Document::parse(Bytes::copy_from_slice(bytes), &limits).map_err(|refusal| {
        let (da, en) = unreadable(&refusal);
        not_xml(da, en)
    })?;
    let mut reader = Reader { wrong: Vec::new() };
    let trigger = reader.trigger(document.root());
    match trigger {
        Some(trigger) if reader.wrong.is_empty() => Ok(trigger),
        _ => Err(reader.wrong),
    }
}

/// What the strict reader found, without its words about messages and SOAP. It says where; what stands there it does not repeat.
fn unreadable(refusal: &Refusal) -> (String, String) {
    let both = |da: &str, en: &str| (da.to_owned(), en.to_owned());
    match refusal {
        Refusal::MalformedXml { offset, reason } => {
            (format!("byte {offset}: {}", reason.da()), format!("byte {offset}: {}", reason.en()))
        }
        Refusal::XmlTooComplex { what, limit } => {
            (format!("{}: højst {limit}", what.da()), format!("{}: at most {limit}", what.en()))
        }
        Refusal::DtdRefused => both("den indeholder en DTD (DOCTYPE)", "it has a DTD (DOCTYPE)"),
        Refusal::ProcessingInstructionRefused => {
            both("den indeholder en behandlingsinstruktion (<?…?>)", "it has a processing instruction (<?…?>)")
        }
        Refusal::EncodingRefused => both("den er ikke kodet i UTF-8", "it is not in UTF-8"),
        other => {
            let entry = other.entry();
            both(entry.da.what.trim_end_matches('.'), entry.en.what.trim_end_matches('.'))
        }
    }
}

/// How often an element may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Often {
    Once,
    Maybe,
    Several,
}

struct Reader {
    wrong: Vec<Code>,
}

impl Reader {
    fn report(&mut self, da: impl Into<String>, en: impl Into<String>) {
        if self.wrong.len() < TOLD {
            self.wrong.push(Code::FIL1002 { what: Detail::new(da, en) });
        }
    }

    /// The children of an element, by the names of its sequence.
    fn sequence<'d, const N: usize>(
        &mut self,
        name: &str,
        element: Element<'d>,
        model: [(&'static str, Often); N],
    ) -> [Vec<Element<'d>>; N] {
        let mut found: [Vec<Element<'d>>; N] = std::array::from_fn(|_| Vec::new());
        self.no_attributes(name, element);
        if element.has_stray_text() {
            self.report(
                format!("{name} indeholder tekst uden for sine elementer"),
                format!("{name} holds text beside its elements"),
            );
        }
        let mut at = 0;
        for child in element.elements() {
            let known = model.iter().position(|(local, _)| child.local() == *local);
            match known {
                Some(_) if !child.namespace().is_empty() => {
                    let local = child.local();
                    self.report(
                        format!("{local} står i et navnerum, og skal ikke have noget"),
                        format!("{local} is in a namespace, and must be in none"),
                    );
                }
                Some(place) if place < at => {
                    let local = child.local();
                    self.report(format!("{local} står forkert i {name}"), format!("{local} stands in the wrong place of {name}"));
                }
                Some(place) => {
                    at = place;
                    if let Some(list) = found.get_mut(place) {
                        list.push(child);
                    }
                }
                None => self.report(
                    format!("{name} indeholder et element, som skemaet ikke kender der"),
                    format!("{name} holds an element that the schema does not know there"),
                ),
            }
        }
        for ((local, often), list) in model.iter().zip(&found) {
            match (often, list.len()) {
                (Often::Once | Often::Several, 0) => {
                    self.report(format!("{name} mangler {local}"), format!("{name} lacks {local}"))
                }
                (Often::Once | Often::Maybe, 2..) => self.report(
                    format!("{local} står mere end én gang i {name}"),
                    format!("{local} stands more than once in {name}"),
                ),
                _ => {}
            }
        }
        found
    }

    fn no_attributes(&mut self, name: &str, element: Element<'_>) {
        let told = |attribute: crate::soap::document::Attribute<'_>| {
            attribute.namespace == XSI && matches!(attribute.local, "schemaLocation" | "noNamespaceSchemaLocation")
        };
        if element.attributes().any(|attribute| !told(attribute)) {
            self.report(
                format!("{name} har en attribut, og skemaet kender ingen"),
                format!("{name} has an attribute, and the schema knows none"),
            );
        }
    }

    /// The text of an element that holds nothing else. CDATA is text; a comment is not there.
    fn text(&mut self, name: &str, element: Element<'_>) -> Option<String> {
        self.no_attributes(name, element);
        let mut whole = String::new();
        for child in element.children() {
            match child {
                Child::Text { text, .. } => whole.push_str(text),
                Child::Comment => {}
                Child::Element(_) => {
                    self.report(
                        format!("{name} indeholder elementer, og skal være tekst"),
                        format!("{name} holds elements, and must be text"),
                    );
                    return None;
                }
            }
        }
        Some(whole)
    }

    fn short(&mut self, name: &str, element: Option<&Element<'_>>) -> Option<String> {
        let text = self.text(name, *element?)?;
        if text.chars().count() > CHARACTERS {
            self.report(
                format!("{name} er længere end {CHARACTERS} tegn"),
                format!("{name} is longer than {CHARACTERS} characters"),
            );
            return None;
        }
        Some(text)
    }

    fn parsed<T>(
        &mut self,
        name: &str,
        element: Option<&Element<'_>>,
        as_what: (&str, &str),
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name, *element?)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.report(format!("{name} er ikke {}", as_what.0), format!("{name} is not {}", as_what.1));
        }
        parsed
    }

    fn trigger(&mut self, root: Element<'_>) -> Option<Trigger> {
        if !root.is(NAMESPACE, "Trigger") {
            self.report(
                format!("det yderste element er ikke Trigger i navnerummet {NAMESPACE}"),
                format!("the outermost element is not Trigger of the namespace {NAMESPACE}"),
            );
            return None;
        }
        let model = [("FileDescriptor", Often::Once), ("FileContentDescriptor", Often::Once)];
        let [descriptors, contents] = self.sequence("Trigger", root, model);
        let file = descriptors.first().and_then(|descriptor| self.file(*descriptor));
        let content = contents.first().map(|content| (self.content(*content), canonical_content(*content)));
        let (file_name, size, sender, senders_file_id, recipients) = file?;
        let (routing, descriptor) = content?;
        Some(Trigger { file_name, size, sender, senders_file_id, recipients, routing, descriptor })
    }

    #[allow(clippy::type_complexity)] // the parts of a trigger, in the order of the schema
    fn file(&mut self, descriptor: Element<'_>) -> Option<(String, u64, String, Option<String>, Vec<String>)> {
        let [names, sizes, senders, ids, recipients] = self.sequence(
            "FileDescriptor",
            descriptor,
            [
                ("FileName", Often::Once),
                ("SizeInBytes", Often::Once),
                ("Sender", Often::Once),
                ("SendersFileId", Often::Maybe),
                ("Recipients", Often::Several),
            ],
        );
        let name = self.short("FileName", names.first());
        let size = self.parsed("SizeInBytes", sizes.first(), ("et helt tal", "a whole number"), |text| {
            // XSD 1.0's integers may have a plus sign, and white space around them.
            text.trim_matches(crate::soap::strict::is_space).parse().ok()
        });
        let sender = self.short("Sender", senders.first());
        let id = ids.first().map(|id| self.short("SendersFileId", Some(id)));
        if recipients.len() > RECIPIENTS {
            self.report(
                format!("der er flere end {RECIPIENTS} Recipients"),
                format!("there are more than {RECIPIENTS} Recipients"),
            );
            return None;
        }
        let users: Vec<_> = recipients.iter().filter_map(|recipient| self.short("Recipients", Some(recipient))).collect();
        let mut once = users.clone();
        once.sort_unstable();
        once.dedup();
        if once.len() < users.len() {
            self.report("en modtager står mere end én gang", "a recipient stands more than once");
        }
        if users.len() > 1 && users.iter().any(|user| user == ROUTED) {
            self.report(
                format!("{ROUTED} står ved siden af andre modtagere"),
                format!("{ROUTED} stands beside other recipients"),
            );
        }
        Some((name?, size?, sender?, id.flatten(), users))
    }

    fn content(&mut self, content: Element<'_>) -> Option<Routing> {
        let [infos] = self.sequence("FileContentDescriptor", content, [("SFTPDynamicRoutingInfo", Often::Maybe)]);
        let [inf_refs, systems, authorities, transactions, instants, to_systems, to_authorities, lists] = self.sequence(
            "SFTPDynamicRoutingInfo",
            *infos.first()?,
            [
                ("InfRef", Often::Once),
                ("SenderIt-system", Often::Once),
                ("SenderAuthority", Often::Once),
                ("TransactionId", Often::Once),
                ("SenderTimestamp", Often::Once),
                ("RecipientIt-system", Often::Maybe),
                ("RecipientAuthority", Often::Once),
                ("RouteParameterList", Often::Maybe),
            ],
        );
        let a_uuid = ("et UUID med små bogstaver", "a UUID in lower case");
        let a_cvr = ("urn:oio:cvr-nr: og otte cifre", "urn:oio:cvr-nr: and eight digits");
        let an_instant = ("et tidspunkt", "an instant");
        let inf_ref = inf_refs.first().and_then(|element| self.text("InfRef", *element));
        let sender_system = self.parsed("SenderIt-system", systems.first(), a_uuid, uuid);
        let sender_authority = self.parsed("SenderAuthority", authorities.first(), a_cvr, Cvr::of_urn);
        let transaction = self.parsed("TransactionId", transactions.first(), a_uuid, uuid);
        let sent_at = self.parsed("SenderTimestamp", instants.first(), an_instant, instant);
        let recipient_system = to_systems.first().map(|system| self.parsed("RecipientIt-system", Some(system), a_uuid, uuid));
        let recipient_authority = self.parsed("RecipientAuthority", to_authorities.first(), a_cvr, Cvr::of_urn);
        let value_date = lists.first().and_then(|list| self.value_date(*list));
        let sent_at = sent_at?;
        Some(Routing {
            inf_ref: inf_ref?,
            sender_system: sender_system?,
            sender_authority: sender_authority?,
            transaction: transaction?,
            sent_at,
            recipient_system: recipient_system.flatten(),
            recipient_authority: recipient_authority?,
            on: value_date.or_else(|| civil_day(sent_at))?,
        })
    }

    /// The schema lets any element stand in a `RouteParameter`; the one that is known must be what it says.
    fn value_date(&mut self, list: Element<'_>) -> Option<Date> {
        let [parameters] = self.sequence("RouteParameterList", list, [("RouteParameter", Often::Several)]);
        let mut dates = Vec::new();
        for parameter in parameters {
            self.no_attributes("RouteParameter", parameter);
            if parameter.has_stray_text() || parameter.elements().count() != 1 {
                self.report(
                    "RouteParameter indeholder ikke netop ét element",
                    "RouteParameter does not hold exactly one element",
                );
            }
            dates.extend(parameter.named(NAMESPACE, "RouteSelectionValueDate"));
        }
        if dates.len() > 1 {
            self.report("RouteSelectionValueDate står mere end én gang", "RouteSelectionValueDate stands more than once");
        }
        self.parsed("RouteSelectionValueDate", dates.first(), ("en dato", "a date"), day)
    }
}

/// The children of `FileContentDescriptor`, each with the namespace declarations that it needs.
fn canonical_content(content: Element<'_>) -> String {
    content.elements().map(|child| String::from_utf8_lossy(&canonical_bytes(child)).into_owned()).collect()
}

fn uuid(text: &str) -> Option<Uuid> {
    let lower = text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'));
    (lower && text.len() == 36).then(|| text.parse().ok()).flatten()
}

/// Whether the text has the form: `0` stands for a digit.
fn has_form(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(byte, of)| if of == b'0' { byte.is_ascii_digit() } else { byte == of })
}

/// A zone at the end, `Z` or an offset of at most 14 hours, and what stands before it.
fn zoned(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(before) = text.strip_suffix('Z') {
        return Some((before, Some("Z")));
    }
    let Some(at) = text.len().checked_sub(6) else { return Some((text, None)) };
    let (Some(before), Some(zone)) = (text.get(..at), text.get(at..)) else { return None };
    if has_form(zone, "+00:00") || has_form(zone, "-00:00") {
        return zone.get(1..).is_some_and(|offset| offset <= "14:00").then_some((before, Some(zone)));
    }
    Some((text, None))
}

/// An `xs:dateTime`; without a zone it is Copenhagen's.
fn instant(text: &str) -> Option<Timestamp> {
    let (local, zone) = zoned(text.trim_matches(crate::soap::strict::is_space))?;
    let (whole, fraction) = local.split_once('.').map_or((local, None), |(whole, fraction)| (whole, Some(fraction)));
    if !has_form(whole, "0000-00-00T00:00:00")
        || fraction.is_some_and(|digits| digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()))
    {
        return None;
    }
    // jiff keeps nanoseconds.
    let fraction: String = fraction.unwrap_or("0").chars().take(9).collect();
    let local: DateTime = format!("{whole}.{fraction}").parse().ok()?;
    match zone {
        Some(zone) => format!("{local}{zone}").parse().ok(),
        None => copenhagen()?.to_ambiguous_zoned(local).compatible().ok().map(|zoned| zoned.timestamp()),
    }
}

/// An `xs:date`; its zone says nothing of which day a route holds on.
fn day(text: &str) -> Option<Date> {
    let (day, _) = zoned(text.trim_matches(crate::soap::strict::is_space))?;
    has_form(day, "0000-00-00").then(|| day.parse().ok()).flatten()
}
