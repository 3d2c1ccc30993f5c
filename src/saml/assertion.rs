//! Reading a verified assertion, strictly: each part exactly once, nothing that is not understood, values as whole texts.
//!
//! Values come from [`Element::text`], which gives nothing where a comment, CDATA or an element splits them: readers
//! disagree about what is left (CVE-2017-11427 and its kin).

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Expectations;
use super::privileges::Privileges;
use super::trust::Issuer;
use crate::refusal::{Detail, Refusal};
use crate::signature::base64;
use crate::signature::key::{Certificate, VerificationKey};
use crate::signature::names::{DSIG, SAML};
use crate::signature::timestamp::instant;
use crate::signature::verify::VerifiedAssertion;
use crate::soap::document::Element;
use crate::soap::names::XSI;

const HOLDER_OF_KEY: &str = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key";
const ENTITY: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity";
const ATTRIBUTE: &str = "dk:gov:saml:attribute:";

/// What a verified assertion says: the same today and tomorrow, to this service and to another.
///
/// Nothing of it can be had but by [`Statement::judge`], which asks whether it counts here and now. So a statement may be
/// remembered ([`super::memory`]), and no verdict ever is.
#[derive(Debug)]
pub struct Statement {
    /// The key that made the issuer's signature.
    signer: VerificationKey,
    id: String,
    issuer: String,
    issued: Timestamp,
    conditions: Period,
    /// The audiences of each AudienceRestriction.
    restrictions: Vec<Vec<String>>,
    sessions: Sessions,
    name_id: String,
    confirmation: Period,
    recipient: Option<String>,
    holder: Certificate,
    cvr: String,
    privileges: Privileges,
}

/// What the AuthnStatements say of time.
#[derive(Debug, Clone, Copy, Default)]
struct Sessions {
    /// The latest AuthnInstant.
    authenticated: Option<Timestamp>,
    /// The earliest SessionNotOnOrAfter.
    not_on_or_after: Option<Timestamp>,
}

/// From the one instant until the other, which is outside.
#[derive(Debug, Clone, Copy)]
struct Period {
    not_before: Timestamp,
    not_on_or_after: Timestamp,
}

/// A statement that counts for this service at the instant at which it was judged. Only [`Statement::judge`] makes it.
#[derive(Debug, Clone)]
pub struct Claims(Arc<Statement>);

impl Claims {
    /// The assertion's ID.
    pub fn id(&self) -> &str {
        &self.0.id
    }
    /// The issuer's entity id.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }
    /// The authority: eight digits.
    pub fn cvr(&self) -> &str {
        &self.0.cvr
    }
    /// The certificate whose key must sign the message.
    pub fn holder(&self) -> &Certificate {
        &self.0.holder
    }
    /// When the token ends: by its conditions, its confirmation or the session, whichever is first.
    pub fn not_on_or_after(&self) -> Timestamp {
        let statement = &self.0;
        let ends = statement.conditions.not_on_or_after.min(statement.confirmation.not_on_or_after);
        statement.sessions.not_on_or_after.map_or(ends, |session| ends.min(session))
    }
    /// The subject's name.
    pub fn name_id(&self) -> &str {
        &self.0.name_id
    }
    /// What the token lets its holder do.
    pub fn privileges(&self) -> &Privileges {
        &self.0.privileges
    }
    /// What may be remembered of it.
    pub(super) fn statement(&self) -> &Arc<Statement> {
        &self.0
    }
}

fn invalid(da: impl Into<String>, en: impl Into<String>) -> Refusal {
    Refusal::TokenInvalid { what: Detail::new(da, en) }
}

fn holder(da: &str, en: &str) -> Refusal {
    Refusal::HolderOfKey { what: Detail::new(da, en) }
}

impl Statement {
    /// Reads a verified assertion: version, issuer, conditions, subject, attributes.
    ///
    /// # Errors
    /// `TokenInvalid`, `HolderOfKey`.
    pub fn read(verified: &VerifiedAssertion<'_>) -> Result<Arc<Self>, Refusal> {
        let assertion = verified.element();
        if assertion.attribute("", "Version") != Some("2.0") {
            return Err(invalid("Version er ikke 2.0", "Version is not 2.0"));
        }
        let issued = assertion.attribute("", "IssueInstant").and_then(instant);
        let issued = issued.ok_or_else(|| {
            invalid("IssueInstant er ikke en dateTime med tidszone", "IssueInstant is not a dateTime with a zone")
        })?;
        let id = assertion
            .attribute("", "ID")
            .filter(|id| !id.is_empty())
            .ok_or_else(|| invalid("der er intet ID", "there is no ID"))?;

        only_attributes(assertion, &["ID", "IssueInstant", "Version"])?;
        // Advice, AuthzDecisionStatement and whatever else there is would be read by someone, and not by us.
        let known = |child: Element<'_>| match child.namespace() {
            SAML => matches!(child.local(), "Issuer" | "Subject" | "Conditions" | "AttributeStatement" | "AuthnStatement"),
            DSIG => child.local() == "Signature",
            _ => false,
        };
        if let Some(child) = assertion.elements().find(|child| !known(*child)) {
            let name = short(child.local());
            return Err(invalid(
                format!("det rummer {name}, som ikke forstås"),
                format!("it holds {name}, which is not understood"),
            ));
        }
        if assertion.has_stray_text() {
            return Err(invalid("der er tekst mellem dets dele", "there is text between its parts"));
        }
        let issuer = issuer(one(assertion, "Issuer")?)?;
        let (conditions, restrictions) = conditions(one(assertion, "Conditions")?)?;
        let sessions = sessions(assertion)?;
        let Subject { name_id, confirmation, recipient, holder } = subject(one(assertion, "Subject")?)?;
        let attributes = Attributes::read(one(assertion, "AttributeStatement")?)?;
        let cvr = attributes.only("CvrNumberIdentifier")?;
        if cvr.len() != 8 || !cvr.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid("CvrNumberIdentifier er ikke otte cifre", "CvrNumberIdentifier is not eight digits"));
        }
        for (name, expected) in [("SpecVer", "DK-SAML-2.0"), ("KombitSpecVer", "1.0")] {
            if attributes.only(name)? != expected {
                return Err(invalid(format!("{name} er ikke {expected}"), format!("{name} is not {expected}")));
            }
        }
        if assurance_level(&attributes.only("AssuranceLevel")?).is_none_or(|level| level < 3) {
            return Err(invalid("AssuranceLevel er ikke 3 eller derover", "AssuranceLevel is not 3 or more"));
        }
        let privileges = match attributes.maybe("Privileges_intermediate")? {
            Some(coded) => Privileges::from_base64(&coded)?,
            None => Privileges::none(),
        };
        let (signer, id) = (verified.signer().clone(), id.to_owned());
        let read = Self {
            signer,
            id,
            issuer,
            issued,
            conditions,
            restrictions,
            sessions,
            name_id,
            confirmation,
            recipient,
            holder,
            cvr,
            privileges,
        };
        Ok(Arc::new(read))
    }

    /// Whether it counts: from `issuer`, by a key that is trusted now, for this service, in its time. Asked of every
    /// message anew, so that a remembered statement ends when its token does, when its holder's certificate does, and when
    /// the trust in its issuer's key does.
    ///
    /// # Errors
    /// `TokenIssuerUntrusted`, `TokenExpired`, `TokenAudience`, `HolderOfKey`, `TokenInvalid`.
    pub fn judge(self: &Arc<Self>, issuer: &Issuer, expectations: &Expectations<'_>, now: Timestamp) -> Result<Claims, Refusal> {
        let skew = expectations.time.skew;
        if self.issuer != issuer.entity_id() || !issuer.trusts(&self.signer, now) {
            return Err(Refusal::TokenIssuerUntrusted);
        }
        // First: where clocks differ, this is the refusal that tells both.
        self.conditions.holds(skew, now)?;
        if self.issued.duration_since(now) > skew {
            return Err(invalid("IssueInstant ligger i fremtiden", "IssueInstant lies in the future"));
        }
        let life = self.conditions.not_on_or_after.duration_since(self.conditions.not_before);
        if life > expectations.max_token_life + skew {
            let (life, allowed) = (life.as_secs(), expectations.max_token_life.as_secs());
            return Err(invalid(
                format!("det gælder i {life} sekunder; højst {allowed} er tilladt"),
                format!("it lives for {life} seconds; {allowed} are allowed"),
            ));
        }
        if self.sessions.authenticated.is_some_and(|instant| instant.duration_since(now) > skew) {
            return Err(invalid("AuthnInstant ligger i fremtiden", "AuthnInstant lies in the future"));
        }
        if let Some(not_on_or_after) = self.sessions.not_on_or_after {
            Period { not_on_or_after, ..self.conditions }.holds(skew, now)?;
        }
        let for_us = |named: bool| match named {
            true => Ok(()),
            false => Err(Refusal::TokenAudience { expected: expectations.entity_id.to_owned() }),
        };
        // Every restriction must let us in; one does by naming us among others (SAML Core 2.5.1.4).
        let names_us = |audiences: &Vec<String>| audiences.iter().any(|audience| audience == expectations.entity_id);
        for_us(self.restrictions.iter().all(names_us))?;
        self.confirmation.holds(skew, now)?;
        for_us(self.recipient.as_deref() == Some(expectations.entity_id))?;
        match self.holder.valid_at(now) {
            true => Ok(Claims(Arc::clone(self))),
            false => Err(holder(
                "certifikatet i tokenet er uden for sin egen gyldighedsperiode",
                "the certificate in the token is outside its own validity",
            )),
        }
    }
}

/// The one child of this name in SAML's namespace.
fn one<'d>(parent: Element<'d>, local: &str) -> Result<Element<'d>, Refusal> {
    match parent.only(SAML, local) {
        Ok(Some(child)) => Ok(child),
        Ok(None) => {
            Err(invalid(format!("{local} mangler i {}", parent.local()), format!("{local} is missing in {}", parent.local())))
        }
        Err(()) => Err(invalid(
            format!("{local} forekommer mere end én gang i {}", parent.local()),
            format!("{local} occurs more than once in {}", parent.local()),
        )),
    }
}

fn text(element: Element<'_>) -> Result<String, Refusal> {
    match element.text() {
        Some(text) => Ok(text.into_owned()),
        None => Err(invalid(format!("{} er ikke ren tekst", element.local()), format!("{} is not plain text", element.local()))),
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

/// The time given by an attribute; `None` where there is no such attribute.
fn time(element: Element<'_>, name: &str) -> Result<Option<Timestamp>, Refusal> {
    match element.attribute("", name) {
        None => Ok(None),
        Some(text) => instant(text).map(Some).ok_or_else(|| {
            invalid(format!("{name} er ikke en dateTime med tidszone"), format!("{name} is not a dateTime with a zone"))
        }),
    }
}

impl Period {
    fn holds(&self, skew: SignedDuration, now: Timestamp) -> Result<(), Refusal> {
        let early = self.not_before.duration_since(now) > skew;
        let late = now.duration_since(self.not_on_or_after) >= skew;
        match early || late {
            false => Ok(()),
            true => Err(Refusal::TokenExpired {
                not_before: self.not_before.to_string(),
                not_on_or_after: self.not_on_or_after.to_string(),
                ours: now.to_string(),
            }),
        }
    }
}

/// Refuses an attribute that nobody here reads: it could narrow what is read (`xsi:type` makes another type of its element).
fn only_attributes(element: Element<'_>, known: &[&str]) -> Result<(), Refusal> {
    match element.attributes().find(|attribute| !attribute.namespace.is_empty() || !known.contains(&attribute.local)) {
        None => Ok(()),
        Some(attribute) => {
            let (on, name) = (element.local(), short(attribute.local));
            Err(invalid(format!("{on}/@{name} forstås ikke"), format!("{on}/@{name} is not understood")))
        }
    }
}

/// The issuer's entity id. Another Format would make another kind of name of it.
fn issuer(issuer: Element<'_>) -> Result<String, Refusal> {
    only_attributes(issuer, &["Format"])?;
    match issuer.attribute("", "Format") {
        None | Some(ENTITY) => text(issuer),
        Some(_) => Err(invalid("Issuer er ikke et entity id", "Issuer is not an entity id")),
    }
}

/// What every AuthnStatement says of time. Where, how and in which session the subject was authenticated (SubjectLocality,
/// AuthnContext, SessionIndex) says nothing of validity: the assurance is an attribute of its own.
fn sessions(assertion: Element<'_>) -> Result<Sessions, Refusal> {
    let mut sessions = Sessions::default();
    for statement in assertion.named(SAML, "AuthnStatement") {
        only_attributes(statement, &["AuthnInstant", "SessionIndex", "SessionNotOnOrAfter"])?;
        let known = |child: Element<'_>| child.is(SAML, "SubjectLocality") || child.is(SAML, "AuthnContext");
        if !statement.elements().all(known) || statement.has_stray_text() {
            return Err(invalid(
                "AuthnStatement rummer noget, der ikke forstås",
                "AuthnStatement holds something that is not understood",
            ));
        }
        let instant = time(statement, "AuthnInstant")?
            .ok_or_else(|| invalid("AuthnStatement har ingen AuthnInstant", "AuthnStatement has no AuthnInstant"))?;
        sessions.authenticated = sessions.authenticated.max(Some(instant));
        if let Some(ends) = time(statement, "SessionNotOnOrAfter")? {
            sessions.not_on_or_after = Some(sessions.not_on_or_after.map_or(ends, |known| known.min(ends)));
        }
    }
    Ok(sessions)
}

/// When the token holds, and for whom by each restriction.
fn conditions(conditions: Element<'_>) -> Result<(Period, Vec<Vec<String>>), Refusal> {
    only_attributes(conditions, &["NotBefore", "NotOnOrAfter"])?;
    // OneTimeUse, ProxyRestriction, and conditions that we do not know: with one that is not judged the assertion does not
    // hold (SAML Core 2.5.1).
    if let Some(other) = conditions.elements().find(|child| !child.is(SAML, "AudienceRestriction")) {
        let name = short(other.local());
        return Err(invalid(
            format!("betingelsen {name} kan ikke opfyldes her"),
            format!("the condition {name} cannot be met here"),
        ));
    }
    let restrictions = conditions.elements().map(audiences).collect::<Result<Vec<_>, _>>()?;
    if restrictions.is_empty() || conditions.has_stray_text() {
        return Err(invalid("Conditions har ingen AudienceRestriction", "Conditions has no AudienceRestriction"));
    }
    let not_before =
        time(conditions, "NotBefore")?.ok_or_else(|| invalid("Conditions har ingen NotBefore", "Conditions has no NotBefore"))?;
    let not_on_or_after = time(conditions, "NotOnOrAfter")?
        .ok_or_else(|| invalid("Conditions har ingen NotOnOrAfter", "Conditions has no NotOnOrAfter"))?;
    if not_on_or_after <= not_before {
        return Err(invalid("NotOnOrAfter ligger ikke efter NotBefore", "NotOnOrAfter is not after NotBefore"));
    }
    Ok((Period { not_before, not_on_or_after }, restrictions))
}

/// The audiences of one restriction: alternatives.
fn audiences(restriction: Element<'_>) -> Result<Vec<String>, Refusal> {
    only_attributes(restriction, &[])?;
    let audience = |child: Element<'_>| {
        only_attributes(child, &[])?;
        text(child)
    };
    if restriction.has_stray_text() || !restriction.elements().all(|child| child.is(SAML, "Audience")) {
        return Err(invalid(
            "AudienceRestriction rummer andet end Audience",
            "AudienceRestriction holds something else than Audience",
        ));
    }
    restriction.elements().map(audience).collect()
}

struct Subject {
    name_id: String,
    confirmation: Period,
    recipient: Option<String>,
    holder: Certificate,
}

/// The subject's name and the certificate that confirms it.
fn subject(subject: Element<'_>) -> Result<Subject, Refusal> {
    let name_id = text(one(subject, "NameID")?)?;
    if subject.elements().any(|child| !child.is(SAML, "NameID") && !child.is(SAML, "SubjectConfirmation")) {
        return Err(invalid("Subject rummer noget, der ikke forstås", "Subject holds something that is not understood"));
    }
    let confirmation = match subject.only(SAML, "SubjectConfirmation") {
        Ok(Some(one)) => one,
        Ok(None) => return Err(holder("tokenet har ingen SubjectConfirmation", "the token has no SubjectConfirmation")),
        Err(()) => return Err(holder("tokenet har to SubjectConfirmation", "the token has two SubjectConfirmations")),
    };
    only_attributes(subject, &[])?;
    only_attributes(confirmation, &["Method"])?;
    // A NameID inside would name who may confirm, other than the subject.
    if confirmation.elements().any(|child| !child.is(SAML, "SubjectConfirmationData")) {
        return Err(invalid(
            "SubjectConfirmation rummer noget, der ikke forstås",
            "SubjectConfirmation holds something that is not understood",
        ));
    }
    if confirmation.attribute("", "Method") != Some(HOLDER_OF_KEY) {
        return Err(holder("tokenet har ingen holder-of-key-bekræftelse", "the token has no holder-of-key confirmation"));
    }
    let data = confirmation.only(SAML, "SubjectConfirmationData").ok().flatten();
    let data = data.ok_or_else(|| {
        holder("tokenet har ikke netop én SubjectConfirmationData", "the token does not have one SubjectConfirmationData")
    })?;
    for attribute in data.attributes() {
        let understood = match attribute.namespace {
            "" => matches!(attribute.local, "NotBefore" | "NotOnOrAfter" | "Recipient"),
            XSI => attribute.local == "type" && local(attribute.value) == "KeyInfoConfirmationDataType",
            _ => false,
        };
        if !understood {
            let name = short(attribute.local);
            return Err(invalid(
                format!("SubjectConfirmationData/@{name} forstås ikke"),
                format!("SubjectConfirmationData/@{name} is not understood"),
            ));
        }
    }
    let until = time(data, "NotOnOrAfter")?.ok_or_else(|| {
        invalid("SubjectConfirmationData har ingen NotOnOrAfter", "SubjectConfirmationData has no NotOnOrAfter")
    })?;
    let confirmation = Period { not_before: time(data, "NotBefore")?.unwrap_or(Timestamp::MIN), not_on_or_after: until };
    let recipient = data.attribute("", "Recipient").map(str::to_owned);
    Ok(Subject { name_id, confirmation, recipient, holder: holder_certificate(data)? })
}

/// The one certificate of KeyInfo/X509Data/X509Certificate. Two keys would let the caller choose.
fn holder_certificate(data: Element<'_>) -> Result<Certificate, Refusal> {
    let mut place = data;
    for name in ["KeyInfo", "X509Data", "X509Certificate"] {
        let mut children = place.elements();
        place = match (children.next(), children.next()) {
            (Some(one), None) if one.is(DSIG, name) && !place.has_stray_text() => one,
            _ => {
                return Err(holder(
                    "tokenet udpeger ikke netop én nøgle med ét X509Certificate",
                    "the token does not name one key by one X509Certificate",
                ));
            }
        };
    }
    let der = place
        .text()
        .and_then(|text| base64::decode(&text))
        .ok_or_else(|| holder("certifikatet er ikke base64", "the certificate is not base64"))?;
    Certificate::from_der(&der).map_err(|error| Refusal::HolderOfKey { what: error.describe() })
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// `3`, `3.0`, `4` …: the whole part; `None` for what is no such number.
fn assurance_level(text: &str) -> Option<u8> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(whole) && digits(fraction)).then(|| whole.parse().ok()).flatten()
}

/// The attributes by name, each name once.
struct Attributes<'d>(Vec<(&'d str, Element<'d>)>);

impl<'d> Attributes<'d> {
    fn read(statement: Element<'d>) -> Result<Self, Refusal> {
        only_attributes(statement, &[])?;
        let mut attributes = Vec::new();
        for attribute in statement.elements() {
            if !attribute.is(SAML, "Attribute") {
                return Err(invalid(
                    "AttributeStatement rummer andet end Attribute",
                    "AttributeStatement holds something else than Attributes",
                ));
            }
            let name = attribute
                .attribute("", "Name")
                .ok_or_else(|| invalid("en Attribute har intet Name", "an Attribute has no Name"))?;
            if attributes.iter().any(|(known, _)| *known == name) {
                let name = short(local(name));
                return Err(invalid(format!("{name} forekommer to gange"), format!("{name} occurs twice")));
            }
            attributes.push((name, attribute));
        }
        Ok(Self(attributes))
    }

    fn maybe(&self, name: &str) -> Result<Option<String>, Refusal> {
        let found = self.0.iter().find(|(known, _)| known.strip_prefix(ATTRIBUTE) == Some(name));
        let Some((_, attribute)) = found else { return Ok(None) };
        let mut values = attribute.elements();
        match (values.next(), values.next()) {
            // xsi:type only says that it is a string; xsi:nil would say that there is no value.
            (Some(value), None)
                if value.is(SAML, "AttributeValue") && value.attributes().all(|a| a.namespace == XSI && a.local == "type") =>
            {
                text(value).map(Some)
            }
            _ => Err(invalid(format!("{name} har ikke netop én værdi"), format!("{name} does not have one value"))),
        }
    }

    fn only(&self, name: &str) -> Result<String, Refusal> {
        self.maybe(name)?.ok_or_else(|| invalid(format!("{name} mangler"), format!("{name} is missing")))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_assurance_level_is_read_in_the_forms_that_occur() {
        for (text, level) in [("3", Some(3)), ("3.0", Some(3)), ("2.0", Some(2)), ("4", Some(4)), ("2.9", Some(2))] {
            assert_eq!(super::assurance_level(text), level, "{text}");
        }
        for bad in ["", "three", "3.", ".3", " 3", "3 ", "+3", "-3", "3,0", "333", "3.0.0", "٣"] {
            assert_eq!(super::assurance_level(bad), None, "{bad}");
        }
    }
}
