//! The judge of responses: each part in its place, signatures where they stand, for us, now, to this browser's request.
//!
//! Wrapping (XSW 1 to 8) needs a second assertion, or a signature somewhere else than the part it covers. Here there is one
//! assertion in the whole message, a child of the Response; a signature is a child of what it covers; and what was verified is
//! the very element that is read.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::decrypt;
use super::names::{BEARER, ENTITY, LONGEST, SAMLP, STATUS, TRANSIENT};
use super::own::Own;
use super::person::Rules;
use super::provider::Provider;
use super::request::RequestId;
use super::{log_on_refusal, structure, unreadable};
use crate::refusal::Detail;
use crate::refusal::logon::LogOnRefusal;
use crate::signature::base64;
use crate::signature::names::{DSIG, SAML};
use crate::signature::timestamp::instant;
use crate::signature::verify::{one_reading, verify_enveloped};
use crate::soap::document::{Document, Element};
use crate::soap::names::XSI;
use crate::soap::strict::Limits;

const LIMITS: Limits =
    Limits { depth: 32, attributes: 64, declarations: 64, namespaces: 64, nodes: 10_000, text: LONGEST, name: 256 };

/// A response as it was posted, read but not proven.
pub struct Answer(Document);

/// What a provider attested of a person: to us, now, to this browser's request. Only [`Answer::judge`] makes it.
pub struct Attested {
    pub(super) provider: Provider,
    pub(super) id: String,
    pub(super) issued: Timestamp,
    pub(super) name_id: NameId,
    pub(super) session: Option<String>,
    pub(super) session_ends: Option<Timestamp>,
    pub(super) context: Option<String>,
    pub(super) attributes: Vec<(String, Vec<String>)>,
}

/// What the provider calls the person.
#[derive(Clone, PartialEq, Eq)]
pub struct NameId {
    /// Whatever the provider chose.
    pub value: String,
    /// What kind of name it is.
    pub format: Option<String>,
    /// Whose name it is: written back as it came.
    pub qualifiers: [Option<String>; 2],
}

impl NameId {
    /// Whether it is another each time.
    pub fn is_transient(&self) -> bool {
        self.format.as_deref() == Some(TRANSIENT)
    }
}

impl std::fmt::Debug for NameId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NameId")
    }
}

/// Where the parts of a response stand.
struct Parts<'d> {
    response: Element<'d>,
    issuer: Option<Element<'d>>,
    is_signed: bool,
    assertion: Element<'d>,
}

impl Answer {
    /// Reads the field `SAMLResponse`.
    ///
    /// # Errors
    /// `LogOnUnreadable`.
    pub fn read(field: &str) -> Result<Self, LogOnRefusal> {
        let unfit = |da: &str, en: &str| LogOnRefusal::LogOnUnreadable { what: Detail::new(da, en) };
        if field.len() > LONGEST * 3 / 2 {
            return Err(unfit("det er for langt", "it is too long"));
        }
        let xml = base64::decode(field)
            .ok_or_else(|| unfit("feltet SAMLResponse er ikke base64", "the field SAMLResponse is not base64"))?;
        Document::parse(Bytes::from(xml), &LIMITS).map(Self).map_err(|refusal| unreadable(&refusal))
    }

    /// The request that it says it answers. Nothing is proven of it: it only finds the cookie.
    pub fn in_response_to(&self) -> Option<&str> {
        self.0.root().attribute("", "InResponseTo")
    }

    /// Judges the response; `request` is the one that this browser made, where it has the cookie of one.
    ///
    /// # Errors
    /// See [`LogOnRefusal`].
    pub fn judge(
        &self,
        own: &Own,
        providers: &[Provider],
        rules: &Rules,
        request: Option<&RequestId>,
        now: Timestamp,
    ) -> Result<Attested, LogOnRefusal> {
        one_reading(&self.0).map_err(|refusal| log_on_refusal(refusal, &Detail::new("svaret", "the response")))?;
        let parts = Parts::of(&self.0)?;
        let provider = provider(&parts, providers)?;
        let keys = provider.keys(now);
        if parts.is_signed {
            verify_enveloped(parts.response, &keys)
                .map_err(|refusal| log_on_refusal(refusal, &Detail::new("svaret (Response)", "the Response")))?;
        }
        let opened = match parts.assertion.local() {
            "Assertion" => None,
            _ => Some(decrypt::open(parts.assertion, own.decrypting(), rules.allow_cbc && parts.is_signed, &LIMITS)?),
        };
        let assertion = match &opened {
            None => parts.assertion,
            Some(document) => opened_assertion(document)?,
        };
        let own_signature = signatures(assertion);
        if own_signature > 0 {
            verify_enveloped(assertion, &keys)
                .map_err(|refusal| log_on_refusal(refusal, &Detail::new("Assertion", "the Assertion")))?;
        } else if !parts.is_signed {
            return Err(LogOnRefusal::LogOnUnsigned);
        }
        if issuer(Some(assertion))? != provider.entity_id() {
            return Err(structure(
                "svaret og dets Assertion har hver sin Issuer",
                "the Response and its Assertion have different Issuers",
            ));
        }
        let expected = Expected { own, rules, request, now };
        expected.destination("Destination", parts.response.attribute("", "Destination"))?;
        expected.in_response_to(parts.response.attribute("", "InResponseTo"))?;
        expected.attested(assertion, provider)
    }
}

impl<'d> Parts<'d> {
    fn of(document: &'d Document) -> Result<Self, LogOnRefusal> {
        let response = document.root();
        if !response.is(SAMLP, "Response") || response.attribute("", "Version") != Some("2.0") {
            return Err(structure("roden er ikke en Response efter SAML 2.0", "the root is no Response of SAML 2.0"));
        }
        only(response, &["ID", "Version", "IssueInstant", "Destination", "InResponseTo", "Consent"])?;
        let (mut issuer, mut signature, mut status, mut assertion) = (None, None, None, None);
        for child in response.elements() {
            let place = match (child.namespace(), child.local()) {
                (SAML, "Issuer") => &mut issuer,
                (DSIG, "Signature") => &mut signature,
                (SAMLP, "Status") => &mut status,
                (SAML, "Assertion" | "EncryptedAssertion") => &mut assertion,
                (_, local) => {
                    let name = short(local);
                    return Err(structure(
                        format!("svaret rummer {name}, som ikke forstås"),
                        format!("the Response holds {name}, which is not understood"),
                    ));
                }
            };
            if place.replace(child).is_some() {
                let name = short(child.local());
                return Err(structure(format!("der er to {name}-elementer"), format!("there are two {name} elements")));
            }
        }
        if response.has_stray_text() {
            return Err(structure("der er tekst mellem svarets dele", "there is text between the parts of the Response"));
        }
        let status = status.ok_or_else(|| structure("Status mangler", "the Status is missing"))?;
        success(status)?;
        let assertion = assertion.ok_or_else(|| structure("der er ingen Assertion", "there is no Assertion"))?;
        // A second one, wherever it is, would be what some other reader takes.
        let is_assertion = |element: &Element<'_>| matches!(element.local(), "Assertion" | "EncryptedAssertion");
        let assertions = document.elements().filter(is_assertion).count();
        let in_place =
            usize::from(signature.is_some()) + if assertion.local() == "Assertion" { signatures(assertion) } else { 0 };
        let all = document.elements().filter(|element| element.local() == "Signature").count();
        if assertions != 1 || all != in_place {
            return Err(structure(
                "en Assertion eller en Signature står et andet sted, end den skal",
                "an Assertion or a Signature stands elsewhere than it must",
            ));
        }
        Ok(Self { response, issuer, is_signed: signature.is_some(), assertion })
    }
}

/// How many signatures stand directly in an assertion.
fn signatures(assertion: Element<'_>) -> usize {
    assertion.named(DSIG, "Signature").count()
}

/// The assertion of an opened document: alone in it, with its signature in its place.
fn opened_assertion(document: &Document) -> Result<Element<'_>, LogOnRefusal> {
    // From the key on there is one answer for everything, the content included.
    let fail = || LogOnRefusal::LogOnDecryption;
    one_reading(document).map_err(|_| fail())?;
    let assertion = document.root().elements().next().ok_or_else(fail)?;
    let assertions = document.elements().filter(|element| matches!(element.local(), "Assertion" | "EncryptedAssertion")).count();
    let all = document.elements().filter(|element| element.local() == "Signature").count();
    match assertions == 1 && all == signatures(assertion) {
        true => Ok(assertion),
        false => Err(fail()),
    }
}

/// The provider whose entity id the Response, or its assertion, names: its keys are tried and no others.
fn provider<'p>(parts: &Parts<'_>, providers: &'p [Provider]) -> Result<&'p Provider, LogOnRefusal> {
    let named = match parts.issuer {
        Some(issuer) => entity_id(issuer)?,
        None => issuer(Some(parts.assertion).filter(|assertion| assertion.local() == "Assertion"))?,
    };
    providers
        .iter()
        .find(|provider| provider.entity_id() == named)
        .ok_or_else(|| LogOnRefusal::LogOnIssuer { issuer: printable(&named) })
}

fn issuer(assertion: Option<Element<'_>>) -> Result<String, LogOnRefusal> {
    let issuer = assertion.and_then(|assertion| assertion.only(SAML, "Issuer").ok().flatten());
    entity_id(issuer.ok_or_else(|| structure("Issuer mangler", "the Issuer is missing"))?)
}

/// Another Format would make another kind of name of it.
fn entity_id(issuer: Element<'_>) -> Result<String, LogOnRefusal> {
    let is_entity = matches!(issuer.attribute("", "Format"), None | Some(ENTITY));
    issuer
        .text()
        .filter(|text| is_entity && !text.is_empty())
        .map(std::borrow::Cow::into_owned)
        .ok_or_else(|| structure("Issuer er ikke et entity id", "the Issuer is no entity id"))
}

fn success(status: Element<'_>) -> Result<(), LogOnRefusal> {
    let codes: Vec<&str> = status
        .descendants()
        .filter(|element| element.is(SAMLP, "StatusCode"))
        .filter_map(|code| code.attribute("", "Value"))
        .take(2)
        .collect();
    fn local(code: &str) -> Option<&str> {
        code.strip_prefix(STATUS).filter(|name| name.bytes().all(|byte| byte.is_ascii_alphabetic()))
    }
    match codes.as_slice() {
        [first, ..] if local(first) == Some("Success") => Ok(()),
        // Its own names only: the text is shown to a person, and nothing of it is proven.
        codes => Err(LogOnRefusal::LogOnStatus {
            status: codes.last().copied().and_then(local).map_or_else(|| "Responder".to_owned(), short),
        }),
    }
}

/// What a response must be for.
struct Expected<'a> {
    own: &'a Own,
    rules: &'a Rules,
    request: Option<&'a RequestId>,
    now: Timestamp,
}

impl Expected<'_> {
    fn destination(&self, part: &str, found: Option<&str>) -> Result<(), LogOnRefusal> {
        let expected = self.own.consumer();
        match found == Some(expected) {
            true => Ok(()),
            false => Err(LogOnRefusal::LogOnDestination { part: part.to_owned(), expected: expected.to_owned() }),
        }
    }

    fn in_response_to(&self, found: Option<&str>) -> Result<(), LogOnRefusal> {
        match (found, self.request) {
            (None, _) => Err(LogOnRefusal::LogOnUnsolicited),
            (Some(found), Some(request)) if found == request.as_str() => Ok(()),
            _ => Err(LogOnRefusal::LogOnOtherRequest),
        }
    }

    /// Whether `now` lies in a window, the clocks' difference allowed for.
    fn window(&self, part: &str, from: Option<Timestamp>, until: Option<Timestamp>) -> Result<(), LogOnRefusal> {
        let skew = self.rules.skew;
        let early = from.is_some_and(|from| from.duration_since(self.now) > skew);
        let late = until.is_some_and(|until| self.now.duration_since(until) >= skew);
        if !early && !late {
            return Ok(());
        }
        let window = match (from, until) {
            (Some(from), Some(until)) => Detail::new(format!("fra {from} til {until}"), format!("from {from} until {until}")),
            (Some(from), None) => Detail::new(format!("fra {from}"), format!("from {from}")),
            (None, until) => {
                let until = until.unwrap_or(self.now);
                Detail::new(format!("indtil {until}"), format!("until {until}"))
            }
        };
        Err(LogOnRefusal::LogOnTime { part: part.to_owned(), window, ours: self.now.to_string() })
    }

    fn attested(&self, assertion: Element<'_>, provider: &Provider) -> Result<Attested, LogOnRefusal> {
        only(assertion, &["ID", "Version", "IssueInstant"])?;
        if assertion.attribute("", "Version") != Some("2.0") || assertion.has_stray_text() {
            return Err(structure("Assertion er ikke efter SAML 2.0", "the Assertion is not of SAML 2.0"));
        }
        let known = |child: &Element<'_>| match child.namespace() {
            SAML => matches!(child.local(), "Issuer" | "Subject" | "Conditions" | "AuthnStatement" | "AttributeStatement"),
            DSIG => child.local() == "Signature",
            _ => false,
        };
        if let Some(other) = assertion.elements().find(|child| !known(child)) {
            let name = short(other.local());
            return Err(structure(
                format!("Assertion rummer {name}, som ikke forstås"),
                format!("the Assertion holds {name}, which is not understood"),
            ));
        }
        let id = assertion.attribute("", "ID").filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| structure("Assertion har intet ID", "the Assertion has no ID"))?.to_owned();
        let issued =
            time(assertion, "IssueInstant")?.ok_or_else(|| structure("IssueInstant mangler", "the IssueInstant is missing"))?;
        let name_id = self.subject(one(assertion, "Subject")?)?;
        self.conditions(one(assertion, "Conditions")?)?;
        // However long it may be used: what is older than this could have been used before the memory remembers.
        self.window("Assertion", Some(issued), issued.checked_add(self.rules.max_age).ok())?;
        let statement = one(assertion, "AuthnStatement")?;
        only(statement, &["AuthnInstant", "SessionIndex", "SessionNotOnOrAfter"])?;
        let authenticated =
            time(statement, "AuthnInstant")?.ok_or_else(|| structure("AuthnInstant mangler", "the AuthnInstant is missing"))?;
        let session_ends = time(statement, "SessionNotOnOrAfter")?;
        self.window("AuthnStatement", Some(authenticated), session_ends)?;
        let context = one(statement, "AuthnContext")?;
        let context = match context.only(SAML, "AuthnContextClassRef") {
            Ok(class) => class.and_then(|class| class.text()).map(|text| text.trim().to_owned()),
            Err(()) => return Err(structure("der er to AuthnContextClassRef", "there are two AuthnContextClassRefs")),
        };
        Ok(Attested {
            provider: provider.clone(),
            id,
            issued,
            name_id,
            session: statement.attribute("", "SessionIndex").map(short_id).transpose()?,
            session_ends,
            context,
            attributes: self.attributes(assertion)?,
        })
    }

    fn subject(&self, subject: Element<'_>) -> Result<NameId, LogOnRefusal> {
        let unconfirmed = |da: &str, en: &str| LogOnRefusal::LogOnConfirmation { what: Detail::new(da, en) };
        if subject.elements().any(|child| !child.is(SAML, "NameID") && !child.is(SAML, "SubjectConfirmation")) {
            return Err(structure("Subject rummer noget, der ikke forstås", "the Subject holds what is not understood"));
        }
        let name_id = name_id(one(subject, "NameID")?)?;
        let confirmation = subject.only(SAML, "SubjectConfirmation").ok().flatten();
        let confirmation = confirmation.ok_or_else(|| {
            unconfirmed("der er ikke netop én SubjectConfirmation", "there is not exactly one SubjectConfirmation")
        })?;
        // A NameID inside would name somebody else who may confirm.
        let data = confirmation.only(SAML, "SubjectConfirmationData").ok().flatten();
        if confirmation.attribute("", "Method") != Some(BEARER) || confirmation.elements().count() != 1 {
            return Err(unconfirmed("SubjectConfirmation er ikke bearer", "the SubjectConfirmation is not bearer"));
        }
        let data =
            data.ok_or_else(|| unconfirmed("SubjectConfirmationData mangler", "the SubjectConfirmationData is missing"))?;
        let known = |name: &str| matches!(name, "Recipient" | "NotBefore" | "NotOnOrAfter" | "InResponseTo" | "Address");
        let understood = data.attributes().all(|a| match a.namespace {
            "" => known(a.local),
            // Read nowhere: an `xsi:type` may even have a prefix that nothing binds.
            namespace => namespace == XSI,
        });
        if !understood || !data.is_empty() {
            return Err(unconfirmed(
                "SubjectConfirmationData rummer noget, der ikke forstås",
                "the SubjectConfirmationData holds what is not understood",
            ));
        }
        self.destination("Recipient", data.attribute("", "Recipient"))?;
        self.in_response_to(data.attribute("", "InResponseTo"))?;
        let until =
            time(data, "NotOnOrAfter")?.ok_or_else(|| unconfirmed("NotOnOrAfter mangler", "the NotOnOrAfter is missing"))?;
        self.window("SubjectConfirmationData", time(data, "NotBefore")?, Some(until))?;
        Ok(name_id)
    }

    fn conditions(&self, conditions: Element<'_>) -> Result<(), LogOnRefusal> {
        only(conditions, &["NotBefore", "NotOnOrAfter"])?;
        // OneTimeUse is met by using every response once; ProxyRestriction is about those who issue on.
        let known = |child: &Element<'_>| matches!(child.local(), "AudienceRestriction" | "OneTimeUse" | "ProxyRestriction");
        if let Some(other) = conditions.elements().find(|child| child.namespace() != SAML || !known(child)) {
            return Err(LogOnRefusal::LogOnCondition { name: short(other.local()) });
        }
        let until = time(conditions, "NotOnOrAfter")?;
        let until = until.ok_or_else(|| structure("Conditions har ingen NotOnOrAfter", "the Conditions have no NotOnOrAfter"))?;
        self.window("Conditions", time(conditions, "NotBefore")?, Some(until))?;
        let ours = |audience: Element<'_>| audience.text().is_some_and(|text| text.trim() == self.own.entity_id());
        let mut restrictions = conditions.named(SAML, "AudienceRestriction").peekable();
        // Every restriction must let us in; one does by naming us among others.
        let for_us = restrictions.peek().is_some() && restrictions.all(|one| one.named(SAML, "Audience").any(ours));
        match for_us {
            true => Ok(()),
            false => Err(LogOnRefusal::LogOnAudience { expected: self.own.entity_id().to_owned() }),
        }
    }

    /// The attributes that the rules ask for, by name; what else there is stays where it is. Values are whole texts:
    /// a comment inside one would have refused the message.
    fn attributes(&self, assertion: Element<'_>) -> Result<Vec<(String, Vec<String>)>, LogOnRefusal> {
        let mut found: Vec<(String, Vec<String>)> = Vec::new();
        let statements = assertion.named(SAML, "AttributeStatement").flat_map(|statement| statement.elements());
        for one in statements {
            if !one.is(SAML, "Attribute") {
                // An EncryptedAttribute might be one that is asked for.
                let name = short(one.local());
                return Err(structure(
                    format!("AttributeStatement rummer {name}, som ikke forstås"),
                    format!("the AttributeStatement holds {name}, which is not understood"),
                ));
            }
            let Some(name) = one.attribute("", "Name").filter(|name| self.rules.asks_for(name)) else { continue };
            let mut values = Vec::new();
            for value in one.named(SAML, "AttributeValue") {
                let text = value.text().filter(|text| text.len() <= LONGEST);
                let text =
                    text.ok_or_else(|| structure("en AttributeValue er ikke ren tekst", "an AttributeValue is not plain text"))?;
                values.push(text.trim().to_owned());
            }
            match found.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => known.extend(values),
                None => found.push((name.to_owned(), values)),
            }
        }
        Ok(found)
    }
}

/// What a NameID says: a name of at most 1,024 characters.
pub(super) fn name_id(element: Element<'_>) -> Result<NameId, LogOnRefusal> {
    let wrong = || structure("NameID er ikke ren tekst", "the NameID is not plain text");
    let fits = |text: &str| !text.is_empty() && text.len() <= 1024 && !text.chars().any(char::is_control);
    let value = element.text().map(|text| text.trim().to_owned()).filter(|text| fits(text)).ok_or_else(wrong)?;
    let named = |name: &str| element.attribute("", name).map(|text| text.chars().take(1024).collect::<String>());
    Ok(NameId { value, format: named("Format"), qualifiers: [named("NameQualifier"), named("SPNameQualifier")] })
}

/// A SessionIndex, as it is kept.
pub(super) fn short_id(text: &str) -> Result<String, LogOnRefusal> {
    match text.len() <= 1024 && !text.chars().any(char::is_control) {
        true => Ok(text.to_owned()),
        false => Err(structure("SessionIndex er for langt", "the SessionIndex is too long")),
    }
}

fn one<'d>(parent: Element<'d>, local: &'static str) -> Result<Element<'d>, LogOnRefusal> {
    parent.only(SAML, local).ok().flatten().ok_or_else(|| {
        let around = parent.local();
        structure(format!("{around} har ikke netop én {local}"), format!("the {around} does not have exactly one {local}"))
    })
}

pub(super) fn time(element: Element<'_>, name: &str) -> Result<Option<Timestamp>, LogOnRefusal> {
    match element.attribute("", name) {
        None => Ok(None),
        Some(text) => instant(text).map(Some).ok_or_else(|| {
            structure(format!("{name} er ikke en dateTime med tidszone"), format!("{name} is no dateTime with a zone"))
        }),
    }
}

/// Refuses an attribute that nobody here reads: it could narrow what is read.
fn only(element: Element<'_>, known: &[&str]) -> Result<(), LogOnRefusal> {
    match element.attributes().find(|a| !a.namespace.is_empty() || !known.contains(&a.local)) {
        None => Ok(()),
        Some(a) => {
            let (on, name) = (element.local(), short(a.local));
            Err(structure(format!("{on}/@{name} forstås ikke"), format!("{on}/@{name} is not understood")))
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Untrusted text on a page: no control characters, and no more than a name has.
fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control() && !matches!(character, '{' | '}')).take(200).collect()
}

/// How old an assertion may be, in the memory's own measure.
pub(super) const MAX_AGE: SignedDuration = SignedDuration::from_mins(5);
