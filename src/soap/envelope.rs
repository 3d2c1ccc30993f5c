//! A SOAP envelope, read by position: what it holds and where, not yet whether any of it is true.
//!
//! Everything is found as a direct child in its place and never by an id or a search through the tree: the attacker who
//! moves a signed Body into a header and puts another in its place (McIntosh & Austel 2005, CVE-2011-1411) is stopped by
//! [`Envelope::read`] knowing one Body only, and by the verifier comparing places.

use std::sync::Arc;

use std::borrow::Cow;

use super::document::{Attribute, Document, Element, NodeId};
use super::names::{LIBERTY_SB, REQUEST_HEADER, SOAP11, SOAP12, WSA, WSA_ANONYMOUS, WSSE, XSI};
use crate::refusal::{Detail, QNames, Refusal};

/// The version of SOAP that an envelope speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// SOAP 1.1: `text/xml`, `SOAPAction`, faults with HTTP 500.
    V11,
    /// SOAP 1.2: `application/soap+xml`, faults with HTTP 500, a sender's by choice with 400.
    V12,
}

impl Version {
    /// The envelope's namespace.
    pub fn namespace(self) -> &'static str {
        match self {
            Version::V11 => SOAP11,
            Version::V12 => SOAP12,
        }
    }
    /// The MIME type of a message.
    pub fn media_type(self) -> &'static str {
        match self {
            Version::V11 => "text/xml",
            Version::V12 => "application/soap+xml",
        }
    }
    /// The MIME type of a message, with its charset.
    pub fn content_type(self) -> &'static str {
        match self {
            Version::V11 => "text/xml; charset=utf-8",
            Version::V12 => "application/soap+xml; charset=utf-8",
        }
    }
    /// What the version is called.
    pub fn name(self) -> &'static str {
        match self {
            Version::V11 => "SOAP 1.1",
            Version::V12 => "SOAP 1.2",
        }
    }
}

/// The longest MessageID, Action or TransactionUUID that is taken, in bytes.
const LONGEST_HEADER: usize = 512;

/// The WS-Addressing headers of a request. Absent ones are `None`; repeated ones were refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addressing {
    /// `wsa:MessageID`.
    pub message_id: Option<String>,
    /// `wsa:Action`.
    pub action: Option<String>,
    /// `wsa:To`.
    pub to: Option<String>,
    /// `wsa:RelatesTo`.
    pub relates_to: Option<String>,
}

/// A message whose structure is that of one SOAP envelope with one payload.
#[derive(Debug)]
pub struct Envelope {
    document: Arc<Document>,
    located: Located,
}

/// Where everything stands.
#[derive(Debug)]
struct Located {
    version: Version,
    header: Option<NodeId>,
    body: NodeId,
    payload: NodeId,
    security: Option<NodeId>,
    addressing: Addressing,
    transaction: Option<String>,
}

impl Envelope {
    /// Reads the structure and the headers.
    ///
    /// # Errors
    /// `NotSoap`, `EnvelopeStructure`, `MustUnderstand`, `DataEncodingUnknown`, `AddressingInvalid`.
    pub fn read(document: Document) -> Result<Self, Refusal> {
        let located = Located::find(&document)?;
        Ok(Self { document: Arc::new(document), located })
    }

    /// The same for whoever needs the bytes only of what is signed, in which a token is looked for as it came.
    ///
    /// # Errors
    /// As [`Envelope::read`].
    pub fn read_lean(document: Document) -> Result<Self, Refusal> {
        let located = Located::find(&document)?;
        let document = if located.security.is_none() { document.without_source() } else { document };
        Ok(Self { document: Arc::new(document), located })
    }

    /// The version of SOAP.
    pub fn version(&self) -> Version {
        self.located.version
    }
    /// The whole message.
    pub fn document(&self) -> &Arc<Document> {
        &self.document
    }
    /// `Header`, where there is one.
    pub fn header(&self) -> Option<Element<'_>> {
        self.located.header.and_then(|id| self.document.element(id))
    }
    /// `Body`.
    pub fn body(&self) -> Option<Element<'_>> {
        self.document.element(self.located.body)
    }
    /// The one element in `Body`.
    pub fn payload(&self) -> Option<Element<'_>> {
        self.document.element(self.located.payload)
    }
    /// `wsse:Security`, where there is one.
    pub fn security(&self) -> Option<Element<'_>> {
        self.located.security.and_then(|id| self.document.element(id))
    }
    /// The WS-Addressing headers.
    pub fn addressing(&self) -> &Addressing {
        &self.located.addressing
    }
    /// The caller's `TransactionUUID`: an unsigned claim, to be echoed and recorded, never trusted.
    pub fn transaction(&self) -> Option<&str> {
        self.located.transaction.as_deref()
    }
    /// The headers that a message signature must cover: every WS-Addressing header, and in SOAP 1.1 Liberty's `Framework`,
    /// which the platform's token policy lists. The index's policy, for SOAP 1.2, does not, and its clients send it unsigned.
    pub fn must_be_signed(&self) -> Vec<Element<'_>> {
        let framework = self.version() == Version::V11;
        let blocks = self.header().into_iter().flat_map(|header| header.elements());
        blocks.filter(|block| block.namespace() == WSA || (framework && block.is(LIBERTY_SB, "Framework"))).collect()
    }
}

impl Located {
    fn find(document: &Document) -> Result<Self, Refusal> {
        let root = document.root();
        let version = match (root.local(), root.namespace()) {
            ("Envelope", SOAP11) => Version::V11,
            ("Envelope", SOAP12) => Version::V12,
            _ => return Err(Refusal::NotSoap),
        };
        let soap = version.namespace();
        let mut children = root.elements();
        let mut first = children.next();
        let header = first.filter(|element| element.is(soap, "Header"));
        if header.is_some() {
            first = children.next();
        }
        let body = first
            .filter(|element| element.is(soap, "Body"))
            .ok_or_else(|| structure("Body står ikke, hvor SOAP kræver det", "Body is not where SOAP puts it"))?;
        if children.next().is_some() {
            return Err(structure("et element efter Body", "an element after Body"));
        }
        if root.has_stray_text() || body.has_stray_text() || header.is_some_and(|header| header.has_stray_text()) {
            return Err(structure("tekst mellem elementerne", "text between elements"));
        }
        let mut payloads = body.elements();
        let payload = match (payloads.next(), payloads.next()) {
            (Some(one), None) => one,
            (None, _) => return Err(structure("Body er tom", "an empty Body")),
            (Some(_), Some(_)) => return Err(structure("mere end ét element i Body", "more than one element in Body")),
        };
        for element in [Some(root), header, Some(body)].into_iter().flatten() {
            check_style_of_own(element, version)?;
        }
        check_style(payload, version)?;
        // All of them, before any is read: SOAP 1.2 part 1, section 2.6.
        let mut unknown = QNames::default();
        for block in header.iter().flat_map(|header| header.elements()) {
            check_role(block, version)?;
            if !is_known(block) && must_understand(block, version)? {
                unknown.add(block.namespace(), block.local());
            }
        }
        if !unknown.is_empty() {
            return Err(Refusal::MustUnderstand { headers: unknown });
        }
        let mut security = None;
        let mut addressing = Addressing::default();
        let mut transaction = None;
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for block in header.iter().flat_map(|header| header.elements()).filter(|block| is_known(*block)) {
            let name = (block.namespace(), block.local());
            if seen.contains(&name) {
                return Err(twice(block));
            }
            seen.push(name);
            check_style(block, version)?;
            match name {
                (WSSE, _) => security = Some(block.id()),
                (WSA, local) => addressing.take(block, local)?,
                (REQUEST_HEADER, _) => transaction = read_transaction(block, version)?,
                _ => {}
            }
        }
        let (header, body, payload) = (header.map(|header| header.id()), body.id(), payload.id());
        Ok(Self { version, header, body, payload, security, addressing, transaction })
    }
}

impl Addressing {
    fn take(&mut self, block: Element<'_>, local: &str) -> Result<(), Refusal> {
        // `xsi:nil` would empty it for a reader who looks, and `IsReferenceParameter` says that it is no address at all.
        if block.attributes().any(|attribute| [WSA, XSI].contains(&attribute.namespace)) {
            return Err(addressing(
                format!("{local} har en attribut, som ændrer dens betydning"),
                format!("{local} has an attribute that changes its meaning"),
            ));
        }
        let slot = match local {
            "MessageID" => &mut self.message_id,
            "Action" => &mut self.action,
            "To" => &mut self.to,
            "RelatesTo" => &mut self.relates_to,
            // The answer goes back on this connection and nowhere else: an address here would make the gateway call it.
            "ReplyTo" | "FaultTo" => return anonymous(block, local),
            "From" | "ReferenceParameters" | "FaultDetail" => return Ok(()),
            _ => {
                let local = short(local);
                return Err(addressing(format!("ukendt header {local}"), format!("unknown header {local}")));
            }
        };
        let value =
            block.text().ok_or_else(|| addressing(format!("{local} er ikke ren tekst"), format!("{local} is not plain text")))?;
        let value = value.trim_matches(super::strict::is_space);
        if value.len() > LONGEST_HEADER || value.chars().any(super::strict::is_space) {
            return Err(addressing(
                format!("{local} er for lang eller indeholder blanktegn"),
                format!("{local} is too long or holds white space"),
            ));
        }
        *slot = Some(value.to_owned());
        Ok(())
    }
}

/// The headers that the gateway acts on, or knows to need no act.
fn is_known(block: Element<'_>) -> bool {
    match (block.namespace(), block.local()) {
        (WSA, _) => true,
        name => [(WSSE, "Security"), (LIBERTY_SB, "Framework"), (REQUEST_HEADER, "RequestHeader")].contains(&name),
    }
}

/// Two readers could each take another of the two.
fn twice(block: Element<'_>) -> Refusal {
    let local = short(block.local());
    let (da, en) = (format!("{local} forekommer to gange"), format!("{local} occurs twice"));
    if block.namespace() == WSA { addressing(da, en) } else { structure(da, en) }
}

/// The platform's `RequestHeader` with this `TransactionUUID`.
pub fn request_header(transaction: &str) -> String {
    let transaction = super::fault::escape(transaction);
    format!(
        "<rh:RequestHeader xmlns:rh=\"{REQUEST_HEADER}\"><rh:TransactionUUID>{transaction}</rh:TransactionUUID></rh:RequestHeader>"
    )
}

/// `RequestHeader/TransactionUUID`. Never trusted, only echoed; one that cannot be echoed whole is left out.
fn read_transaction(block: Element<'_>, version: Version) -> Result<Option<String>, Refusal> {
    let of_soap_or_signature =
        |attribute: &Attribute<'_>| attribute.namespace == version.namespace() || attribute.local.eq_ignore_ascii_case("id");
    let mut children = block.elements();
    let id = match (children.next(), children.next()) {
        (None, _) => None,
        (Some(id), None) if id.is(REQUEST_HEADER, "TransactionUUID") => Some(id),
        _ => {
            return Err(structure(
                "RequestHeader rummer andet end TransactionUUID",
                "RequestHeader holds something beside TransactionUUID",
            ));
        }
    };
    if block.has_stray_text() || id.is_some_and(|id| id.elements().next().is_some()) {
        return Err(structure(
            "RequestHeader rummer andet end TransactionUUID",
            "RequestHeader holds something beside TransactionUUID",
        ));
    }
    if !block.attributes().all(|attribute| of_soap_or_signature(&attribute))
        || id.is_some_and(|id| id.attributes().next().is_some())
    {
        return Err(structure("en attribut i RequestHeader", "an attribute in RequestHeader"));
    }
    let text = id.and_then(|id| id.text()).map(Cow::into_owned);
    Ok(text.filter(|id| !id.is_empty() && id.len() <= LONGEST_HEADER))
}

fn anonymous(block: Element<'_>, local: &str) -> Result<(), Refusal> {
    // Reference parameters would have to be sent back as headers of their own, which nobody has asked for yet.
    let empty = |part: Element<'_>| part.elements().next().is_none() && !part.has_stray_text();
    let known = |part: Element<'_>| match (part.namespace(), part.local()) {
        (WSA, "Address") => part.attributes().next().is_none(),
        (WSA, "ReferenceParameters" | "Metadata") => empty(part),
        _ => false,
    };
    if block.has_stray_text() || !block.elements().all(known) {
        return Err(addressing(
            format!("{local} rummer andet end den anonyme adresse"),
            format!("{local} holds something beside the anonymous address"),
        ));
    }
    let address = block.only(WSA, "Address").ok().flatten().and_then(|address| address.text());
    match address.as_deref().map(|address| address.trim_matches(super::strict::is_space)) {
        Some(WSA_ANONYMOUS) => Ok(()),
        _ => Err(addressing(format!("{local} er ikke den anonyme adresse"), format!("{local} is not the anonymous address"))),
    }
}

/// A header for somebody else could be signed for somebody else: only those for the ultimate receiver are taken.
fn check_role(block: Element<'_>, version: Version) -> Result<(), Refusal> {
    let (attribute, ours) = match version {
        Version::V11 => ("actor", ["", "http://schemas.xmlsoap.org/soap/actor/next"]),
        Version::V12 => (
            "role",
            [
                "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver",
                "http://www.w3.org/2003/05/soap-envelope/role/next",
            ],
        ),
    };
    match block.attribute(version.namespace(), attribute) {
        None => Ok(()),
        Some(role) if ours.contains(&role) => Ok(()),
        Some(_) => Err(structure("en header, der er rettet til en anden rolle", "a header for another role")),
    }
}

/// SOAP 1.2 forbids `encodingStyle` on its own elements (part 1, 5.1.1); SOAP 1.1 allows it anywhere (4.1.1).
fn check_style_of_own(element: Element<'_>, version: Version) -> Result<(), Refusal> {
    match (version, element.attribute(version.namespace(), "encodingStyle")) {
        (Version::V12, Some(_)) => {
            let local = element.local();
            Err(structure(format!("encodingStyle på {local}"), format!("encodingStyle on {local}")))
        }
        _ => check_style(element, version),
    }
}

/// Where `encodingStyle` may stand, only the value that claims nothing is taken: the content is read as the schema has it.
fn check_style(element: Element<'_>, version: Version) -> Result<(), Refusal> {
    let nothing = match version {
        Version::V11 => "",
        Version::V12 => "http://www.w3.org/2003/05/soap-envelope/encoding/none",
    };
    match element.attribute(version.namespace(), "encodingStyle") {
        Some(style) if style != nothing => Err(Refusal::DataEncodingUnknown { place: short(element.local()) }),
        _ => Ok(()),
    }
}

fn must_understand(block: Element<'_>, version: Version) -> Result<bool, Refusal> {
    match block.attribute(version.namespace(), "mustUnderstand") {
        None | Some("0" | "false") => Ok(false),
        Some("1" | "true") => Ok(true),
        Some(_) => Err(structure("mustUnderstand er ikke en boolsk værdi", "mustUnderstand is not a boolean")),
    }
}

fn structure(da: impl Into<String>, en: impl Into<String>) -> Refusal {
    Refusal::EnvelopeStructure { what: Detail::new(da, en) }
}

fn addressing(da: impl Into<String>, en: impl Into<String>) -> Refusal {
    Refusal::AddressingInvalid { what: Detail::new(da, en) }
}

/// A name from the message, short enough for a fault.
fn short(name: &str) -> String {
    name.chars().take(120).collect()
}

/// An envelope without a signature: `headers` and the Body's content as they stand.
pub fn unsigned(version: Version, headers: &str, body: &[u8]) -> bytes::Bytes {
    let soap = version.namespace();
    let header = if headers.is_empty() { String::new() } else { format!("<s:Header>{headers}</s:Header>") };
    let start = format!("<s:Envelope xmlns:s=\"{soap}\">{header}<s:Body>");
    bytes::Bytes::from([start.as_bytes(), body, b"</s:Body></s:Envelope>"].concat())
}
