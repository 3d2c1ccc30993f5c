//! Writing signed messages: every signed part is written in its canonical form, so that the bytes sent are the bytes
//! signed, in one pass and without a tree.
//!
//! Order in `Security`: Timestamp, token, reference to the token, Signature. Everything stands before it is used, as
//! WSS4J's strict layout demands and .NET writes it.

use jiff::{SignedDuration, Timestamp};

use crate::refusal::Refusal;
use crate::soap::document::{Document, Element};
pub use crate::soap::envelope::Version as SoapVersion;
use crate::soap::strict::Limits;

use super::algorithms::DigestAlgorithm;
use super::c14n::{Exclusive, Sink as _, canonical_bytes, canonicalise};
use super::key::{Certificate, KeyError, SigningKey};
use super::names::{ANONYMOUS, BASE64, DSIG, ENVELOPED, EXC_C14N, LIBERTY, SAML, SAML_ID, SAML_TOKEN};
use super::names::{STR_TRANSFORM, WSA, WSSE, WSSE11, WSU, X509V3};
use super::{base64, write};

/// Why a message could not be signed. A fault of the signer's own: no caller is to blame.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key did not sign.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What was to be signed cannot be read.
    #[error("what was to be signed is not XML that the strict reader takes: {0}")]
    Xml(Refusal),
    /// The token is not an assertion that stands on its own.
    #[error("the token cannot be sent on: {0}")]
    Token(&'static str),
    /// The element to be signed has no `ID`, or is signed already.
    #[error("the element to be signed {0}")]
    Element(&'static str),
}

/// A message to be signed.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    /// The envelope's version.
    pub version: SoapVersion,
    /// `wsa:Action`, if there is to be one.
    pub action: Option<&'a str>,
    /// `wsa:MessageID`, an absolute IRI.
    pub message_id: &'a str,
    /// `wsa:RelatesTo`: the MessageID of the request that this answers.
    pub relates_to: Option<&'a str>,
    /// `wsa:To`.
    pub to: Option<&'a str>,
    /// Whether to write a `wsa:ReplyTo` with the anonymous address.
    pub reply_to: bool,
    /// Whether to write (and sign) the Liberty `Framework` header.
    pub framework: bool,
    /// `wsu:Created`.
    pub created: Timestamp,
    /// How long after `created` the message expires.
    pub lifetime: SignedDuration,
    /// Further header blocks, written as they are and not signed. Each declares the namespaces it uses.
    pub extra_headers: &'a [&'a [u8]],
    /// What stands inside Body, in exclusive canonical form and declaring the namespaces it uses
    /// (see [`canonical_content`]).
    pub body: &'a [u8],
}

/// A SAML assertion as it came, ready to be put into another message.
#[derive(Debug, Clone)]
pub struct Token {
    bytes: Vec<u8>,
    id: String,
    /// Of the canonical form, signature included: what the STR-Transform gives, for as long as the token is used.
    digest: String,
    /// What KeyInfo holds: the reference to it.
    key_info: String,
}

impl Token {
    /// Takes an assertion that stands alone, byte for byte.
    ///
    /// # Errors
    /// `Xml` or `Token`: not one SAML 2.0 assertion, or one that needs declarations from outside.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SignError> {
        let document = parse(bytes)?;
        let root = document.root();
        if !root.is(SAML, "Assertion") {
            return Err(SignError::Token("it is no SAML 2.0 assertion, or its namespace was declared around it"));
        }
        if document.has_comments() {
            return Err(SignError::Token("it holds a comment"));
        }
        let id = root.attribute("", "ID").ok_or(SignError::Token("it has no ID"))?.to_owned();
        Ok(Self { bytes: root.source().to_vec(), digest: digest(&canonical_bytes(root)), key_info: str_to_token(&id, None), id })
    }

    /// Takes an assertion out of the message around it (an answer of the STS). Its bytes stay; only the namespace
    /// declarations that it inherited are added to its start tag, which exclusive canonicalisation does not see.
    ///
    /// # Errors
    /// As [`Token::from_bytes`].
    pub fn from_element(assertion: Element<'_>) -> Result<Self, SignError> {
        let mut inherited: Vec<(&str, &str)> = Vec::new();
        let mut seen: Vec<&str> = assertion.declarations().map(|(prefix, _)| prefix).collect();
        let mut place = assertion.parent();
        while let Some(element) = place {
            for (prefix, uri) in element.declarations() {
                if !seen.contains(&prefix) {
                    seen.push(prefix);
                    inherited.push((prefix, uri));
                }
            }
            place = element.parent();
        }
        let name = 1 + assertion.local().len() + if assertion.prefix().is_empty() { 0 } else { assertion.prefix().len() + 1 };
        let (start, rest) = assertion.source().split_at_checked(name).ok_or(SignError::Token("it is cut short"))?;
        let mut bytes = start.to_vec();
        for (prefix, uri) in inherited.iter().filter(|(_, uri)| !uri.is_empty()) {
            match prefix.is_empty() {
                true => write::attribute(&mut bytes, "xmlns", uri),
                false => write::attribute(&mut bytes, &format!("xmlns:{prefix}"), uri),
            }
        }
        bytes.extend_from_slice(rest);
        Self::from_bytes(&bytes)
    }

    /// The bytes that will be sent.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// The assertion's ID.
    pub fn id(&self) -> &str {
        &self.id
    }
}

fn parse(bytes: &[u8]) -> Result<Document, SignError> {
    let limits = Limits { nodes: 1_000_000, ..Limits::default() };
    Document::parse(bytes::Bytes::copy_from_slice(bytes), &limits).map_err(SignError::Xml)
}

/// Brings one element that stands alone into the form that [`Message::body`] wants.
///
/// # Errors
/// `Xml`.
pub fn canonical_content(xml: &[u8]) -> Result<Vec<u8>, SignError> {
    Ok(canonical_bytes(parse(xml)?.root()))
}

/// Signs a request with the holder-of-key `token`: `key` must be the one whose certificate the token names.
///
/// # Errors
/// `Key` or `Xml`.
pub fn with_token(message: &Message<'_>, token: &Token, key: &SigningKey) -> Result<Vec<u8>, SignError> {
    with_token_keeping(message, "", token, key)
}

/// As [`with_token`], of a body that is canonical with these prefixes: a PrefixList, as types in it need.
///
/// # Errors
/// `Key` or `Xml`.
pub fn with_token_keeping(message: &Message<'_>, prefixes: &str, token: &Token, key: &SigningKey) -> Result<Vec<u8>, SignError> {
    let mut security = Parts::new(message, prefixes)?;
    let id = security.id("str");
    let to_token = str_to_token(token.id(), Some(&id));
    let parameters = format!(
        "<wsse:TransformationParameters xmlns:wsse=\"{WSSE}\"><ds:CanonicalizationMethod Algorithm=\"{EXC_C14N}\">\
         </ds:CanonicalizationMethod></wsse:TransformationParameters>"
    );
    reference(&mut security.references, &id, &[(STR_TRANSFORM, &parameters)], &token.digest);
    security.finish(message, &[&token.bytes, to_token.as_bytes()], &token.key_info, key)
}

/// Signs a message with a certificate in a BinarySecurityToken: a request to an STS, or a response.
///
/// # Errors
/// `Key` or `Xml`.
pub fn with_certificate(message: &Message<'_>, certificate: &Certificate, key: &SigningKey) -> Result<Vec<u8>, SignError> {
    let mut security = Parts::new(message, "")?;
    let (token, info) = security.certificate(certificate);
    security.finish(message, &[token.as_bytes()], &info, key)
}

/// As [`with_certificate`], for a body too large to be held: gives what stands before Body, to be followed by the very
/// bytes that were digested. `body_digest` is the SHA-256 of the whole Body element in canonical form, whose `wsu:Id` is
/// `body`; [`Message::body`] is not looked at.
///
/// # Errors
/// `Key`.
pub fn head_with_certificate(
    message: &Message<'_>,
    body_digest: &[u8],
    certificate: &Certificate,
    key: &SigningKey,
) -> Result<Vec<u8>, SignError> {
    let mut security = Parts::before_body(message, String::new());
    reference(&mut security.references, "body", &[(EXC_C14N, "")], &base64::encode(body_digest));
    let (token, info) = security.certificate(certificate);
    security.head(message, &[token.as_bytes()], &info, key, &[])
}

fn str_to_token(token: &str, id: Option<&str>) -> String {
    let mut id_attribute = Vec::new();
    let mut identifier = Vec::new();
    write::text(&mut identifier, token);
    if let Some(id) = id {
        write::attribute(&mut id_attribute, "wsu:Id", id);
    }
    format!(
        "<wsse:SecurityTokenReference xmlns:wsse=\"{WSSE}\" xmlns:wsse11=\"{WSSE11}\" xmlns:wsu=\"{WSU}\"{} \
         wsse11:TokenType=\"{SAML_TOKEN}\"><wsse:KeyIdentifier ValueType=\"{SAML_ID}\">{}</wsse:KeyIdentifier>\
         </wsse:SecurityTokenReference>",
        String::from_utf8_lossy(&id_attribute),
        String::from_utf8_lossy(&identifier)
    )
}

/// The parts of a message on their way into one.
struct Parts {
    /// What our ids begin with: see [`id_prefix`].
    ids: String,
    headers: Vec<u8>,
    timestamp: String,
    references: Vec<u8>,
}

impl Parts {
    /// Writes and digests what every message signs: addressing headers, Timestamp and Body.
    fn new(message: &Message<'_>, prefixes: &str) -> Result<Self, SignError> {
        let mut parts = Self::before_body(message, id_prefix(message.body));
        parts.body(message, prefixes)?;
        Ok(parts)
    }

    fn before_body(message: &Message<'_>, ids: String) -> Self {
        // Room for what a message usually has.
        let mut parts = Self {
            ids,
            headers: Vec::with_capacity(2 * 1024),
            timestamp: String::new(),
            references: Vec::with_capacity(4 * 1024),
        };
        let soap = message.version.namespace();
        let texts = [
            ("Action", "action", message.action, true),
            ("MessageID", "messageid", Some(message.message_id), false),
            ("RelatesTo", "relatesto", message.relates_to, false),
            ("To", "to", message.to, true),
        ];
        for (name, id, text, understand) in texts {
            let Some(text) = text else { continue };
            let understand = understand && message.relates_to.is_none();
            // Canonical order: declarations by prefix, attributes by namespace; SOAP's, in both versions, is behind WSU's.
            let (declaration, attribute) = match understand {
                true => ([" xmlns:soap=\"", soap, "\""], " soap:mustUnderstand=\"1\""),
                false => (["", "", ""], ""),
            };
            let (id, start) = (parts.id(id), parts.headers.len());
            put(&mut parts.headers, &["<wsa:", name]);
            put(&mut parts.headers, &declaration);
            put(&mut parts.headers, &[" xmlns:wsa=\"", WSA, "\" xmlns:wsu=\"", WSU, "\" wsu:Id=\"", &id, "\"", attribute, ">"]);
            write::text(&mut parts.headers, text);
            put(&mut parts.headers, &["</wsa:", name, ">"]);
            parts.header(&id, start);
        }
        if message.reply_to {
            let (id, start) = (parts.id("replyto"), parts.headers.len());
            let header = format!(
                "<wsa:ReplyTo xmlns:wsa=\"{WSA}\" xmlns:wsu=\"{WSU}\" wsu:Id=\"{id}\"><wsa:Address>{ANONYMOUS}</wsa:Address></wsa:ReplyTo>"
            );
            put(&mut parts.headers, &[&header]);
            parts.header(&id, start);
        }
        if message.framework {
            let (id, start) = (parts.id("framework"), parts.headers.len());
            // Not in an answer: a client that does not know the header would have to refuse all of it.
            let (declaration, attribute) = match message.relates_to {
                None => (format!(" xmlns:soap=\"{soap}\""), " soap:mustUnderstand=\"1\""),
                Some(_) => (String::new(), ""),
            };
            let header = format!(
                "<sbf:Framework xmlns:sbf=\"{LIBERTY}\" xmlns:sbfprofile=\"urn:liberty:sb:profile\"{declaration} xmlns:wsu=\"{WSU}\" \
                 version=\"2.0\" wsu:Id=\"{id}\"{attribute} sbfprofile:profile=\"urn:liberty:sb:profile:basic\"></sbf:Framework>"
            );
            put(&mut parts.headers, &[&header]);
            parts.header(&id, start);
        }
        let id = parts.id("timestamp");
        let expires = message.created.checked_add(message.lifetime).unwrap_or(message.created);
        let timestamp = format!(
            "<wsu:Timestamp xmlns:wsu=\"{WSU}\" wsu:Id=\"{id}\"><wsu:Created>{}</wsu:Created><wsu:Expires>{}</wsu:Expires></wsu:Timestamp>",
            instant(message.created),
            instant(expires)
        );
        parts.signed(&id, &timestamp);
        parts.timestamp = timestamp;
        parts
    }

    /// A certificate as a token, signed too, and the KeyInfo that points at it.
    fn certificate(&mut self, certificate: &Certificate) -> (String, String) {
        let id = self.id("x509");
        let token = format!(
            "<wsse:BinarySecurityToken xmlns:wsse=\"{WSSE}\" xmlns:wsu=\"{WSU}\" EncodingType=\"{BASE64}\" \
             ValueType=\"{X509V3}\" wsu:Id=\"{id}\">{}</wsse:BinarySecurityToken>",
            base64::encode(certificate.der())
        );
        self.signed(&id, &token);
        let info = format!(
            "<wsse:SecurityTokenReference xmlns:wsse=\"{WSSE}\"><wsse:Reference URI=\"#{id}\" ValueType=\"{X509V3}\">\
             </wsse:Reference></wsse:SecurityTokenReference>"
        );
        (token, info)
    }

    fn id(&self, name: &str) -> String {
        [&self.ids, name].concat()
    }

    /// Refers to the header that was written last, from `start` on.
    fn header(&mut self, id: &str, start: usize) {
        let digest = digest(self.headers.get(start..).unwrap_or(&[]));
        reference(&mut self.references, id, &[(EXC_C14N, "")], &digest);
    }

    fn signed(&mut self, id: &str, canonical: &str) {
        reference(&mut self.references, id, &[(EXC_C14N, "")], &digest(canonical.as_bytes()));
    }

    /// The content is canonical on its own. It stays so inside Body unless it declares a prefix that Body declares too:
    /// only then must the whole be canonicalised again.
    fn body(&mut self, message: &Message<'_>, prefixes: &str) -> Result<(), SignError> {
        let start = self.body_start(message.version);
        let collides = [&b"xmlns:soap="[..], b"xmlns:wsu="].iter().any(|declaration| contains(message.body, declaration));
        let whole = [start.as_bytes(), message.body, b"</soap:Body>"];
        let mut context = DigestAlgorithm::Sha256.context();
        if collides {
            canonicalise(parse(&whole.concat())?.root(), &Exclusive::with_prefixes(prefixes), &[], &mut context);
        } else {
            whole.iter().for_each(|part| context.write(part));
        }
        let id = self.id("body");
        let mut list = Vec::new();
        if !prefixes.is_empty() {
            put(&mut list, &["<ec:InclusiveNamespaces xmlns:ec=\"", EXC_C14N, "\""]);
            write::attribute(&mut list, "PrefixList", prefixes);
            put(&mut list, &["></ec:InclusiveNamespaces>"]);
        }
        let list = String::from_utf8_lossy(&list);
        reference(&mut self.references, &id, &[(EXC_C14N, &list)], &base64::encode(context.finish().as_ref()));
        Ok(())
    }

    fn body_start(&self, version: SoapVersion) -> String {
        format!("<soap:Body xmlns:soap=\"{}\" xmlns:wsu=\"{WSU}\" wsu:Id=\"{}\">", version.namespace(), self.id("body"))
    }

    fn finish(self, message: &Message<'_>, tokens: &[&[u8]], key_info: &str, key: &SigningKey) -> Result<Vec<u8>, SignError> {
        let start = self.body_start(message.version);
        self.head(message, tokens, key_info, key, &[start.as_bytes(), message.body, b"</soap:Body></soap:Envelope>"])
    }

    /// Everything before Body, and what comes `behind` it: a message is written in one piece.
    fn head(
        self,
        message: &Message<'_>,
        tokens: &[&[u8]],
        key_info: &str,
        key: &SigningKey,
        behind: &[&[u8]],
    ) -> Result<Vec<u8>, SignError> {
        let soap = message.version.namespace().as_bytes();
        let signature = signature(Prefix::Ds, &self.references, key_info, key)?;
        let envelope: [&[u8]; 4] = [b"<soap:Envelope xmlns:soap=\"", soap, b"\"><soap:Header>", &self.headers];
        let security: [&[u8]; 4] =
            [b"<wsse:Security xmlns:wsse=\"", WSSE.as_bytes(), b"\" soap:mustUnderstand=\"1\">", self.timestamp.as_bytes()];
        let end: [&[u8]; 2] = [&signature, b"</wsse:Security></soap:Header>"];
        let parts = [&envelope, message.extra_headers, &security, tokens, &end, behind];
        let mut whole = Vec::with_capacity(parts.iter().copied().flatten().map(|part| part.len()).sum());
        parts.iter().copied().flatten().for_each(|part| whole.extend_from_slice(part));
        Ok(whole)
    }
}

/// The ids that we give the parts of a message.
const IDS: [&str; 10] = ["action", "messageid", "relatesto", "to", "replyto", "framework", "timestamp", "x509", "str", "body"];

/// What our ids begin with: nothing, or where this canonical body has one of them itself, what stands nowhere in it. An id that
/// names two elements is refused by whoever verifies.
fn id_prefix(body: &[u8]) -> String {
    let taken = memchr::memmem::find_iter(body, b"=\"").any(|at| {
        let named = at > 0 && body.get(at - 1).is_some_and(|last| last.eq_ignore_ascii_case(&b'd'));
        let value = body.get(at + 2..).unwrap_or_default();
        named && IDS.iter().any(|id| value.strip_prefix(id.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'"')))
    });
    if !taken {
        return String::new();
    }
    (1_usize..).map(|number| format!("p{number}-")).find(|prefix| !contains(body, prefix.as_bytes())).unwrap_or_default()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

/// UTC with three digits of seconds, as every peer writes it.
fn instant(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn digest(canonical: &[u8]) -> String {
    base64::encode(DigestAlgorithm::Sha256.of(canonical).as_ref())
}

fn put(out: &mut Vec<u8>, pieces: &[&str]) {
    pieces.iter().for_each(|piece| out.extend_from_slice(piece.as_bytes()));
}

/// How the names of a Signature are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// `ds:Signature`.
    Ds,
    /// `Signature`, in the default namespace: so stands the one in the tokens of KOMBIT's STS.
    None,
}

impl Prefix {
    /// What stands before a name.
    fn text(self) -> &'static str {
        match self {
            Prefix::Ds => "ds:",
            Prefix::None => "",
        }
    }
    /// The attribute that declares it.
    fn declaration(self) -> &'static str {
        match self {
            Prefix::Ds => "xmlns:ds",
            Prefix::None => "xmlns",
        }
    }
}

/// Appends one canonical `ds:Reference`; transforms are names with their canonical parameters.
fn reference(out: &mut Vec<u8>, id: &str, transforms: &[(&str, &str)], digest: &str) {
    prefixed_reference(out, Prefix::Ds, id, transforms, digest);
}

fn prefixed_reference(out: &mut Vec<u8>, prefix: Prefix, id: &str, transforms: &[(&str, &str)], digest: &str) {
    let ds = prefix.text();
    put(out, &["<", ds, "Reference URI=\"#"]);
    write::value(out, id);
    put(out, &["\"><", ds, "Transforms>"]);
    for (name, parameters) in transforms {
        put(out, &["<", ds, "Transform Algorithm=\"", name, "\">", parameters, "</", ds, "Transform>"]);
    }
    let method = DigestAlgorithm::Sha256.uri();
    put(out, &["</", ds, "Transforms><", ds, "DigestMethod Algorithm=\"", method, "\"></", ds, "DigestMethod>"]);
    put(out, &["<", ds, "DigestValue>", digest, "</", ds, "DigestValue></", ds, "Reference>"]);
}

/// The whole Signature over canonical references that were written with the same prefix.
fn signature(prefix: Prefix, references: &[u8], key_info: &str, key: &SigningKey) -> Result<Vec<u8>, SignError> {
    let (ds, declaration) = (prefix.text(), prefix.declaration());
    let method = key.algorithm().uri();
    let mut signed = Vec::with_capacity(references.len() + 512);
    put(&mut signed, &["<", ds, "SignedInfo ", declaration, "=\"", DSIG, "\">"]);
    let start = signed.len();
    put(&mut signed, &["<", ds, "CanonicalizationMethod Algorithm=\"", EXC_C14N, "\"></", ds, "CanonicalizationMethod>"]);
    put(&mut signed, &["<", ds, "SignatureMethod Algorithm=\"", method, "\"></", ds, "SignatureMethod>"]);
    signed.extend_from_slice(references);
    put(&mut signed, &["</", ds, "SignedInfo>"]);
    let value = base64::encode(&key.sign(&signed)?);
    let mut out = Vec::with_capacity(signed.len() + key_info.len() + value.len() + 256);
    // What is signed declares the namespace; where it stands, Signature has declared it.
    put(&mut out, &["<", ds, "Signature ", declaration, "=\"", DSIG, "\"><", ds, "SignedInfo>"]);
    out.extend_from_slice(signed.get(start..).unwrap_or(&[]));
    put(&mut out, &["<", ds, "SignatureValue>", &value, "</", ds, "SignatureValue>"]);
    put(&mut out, &["<", ds, "KeyInfo>", key_info, "</", ds, "KeyInfo></", ds, "Signature>"]);
    Ok(out)
}

/// Signs the root element of `xml` by an enveloped signature: an assertion (the Signature goes after its Issuer, where
/// SAML wants it) or metadata (first inside the root). The root must have an `ID`; all else stays byte for byte.
///
/// # Errors
/// `Xml`, `Element` or `Key`.
pub fn sign_enveloped(xml: &[u8], key: &SigningKey, certificate: &Certificate) -> Result<Vec<u8>, SignError> {
    sign_enveloped_as(Prefix::Ds, xml, key, certificate)
}

/// As [`sign_enveloped`], with the Signature's names written as `prefix` says.
///
/// # Errors
/// As [`sign_enveloped`].
pub fn sign_enveloped_as(prefix: Prefix, xml: &[u8], key: &SigningKey, certificate: &Certificate) -> Result<Vec<u8>, SignError> {
    let document = parse(xml)?;
    let root = document.root();
    let id = root.attribute("", "ID").ok_or(SignError::Element("has no ID"))?;
    if root.named(DSIG, "Signature").next().is_some() {
        return Err(SignError::Element("is signed already"));
    }
    let mut context = DigestAlgorithm::Sha256.context();
    canonicalise(root, &Exclusive::new(), &[], &mut context);
    let digest = base64::encode(context.finish().as_ref());
    let (ds, der) = (prefix.text(), base64::encode(certificate.der()));
    let key_info = format!("<{ds}X509Data><{ds}X509Certificate>{der}</{ds}X509Certificate></{ds}X509Data>");
    let mut references = Vec::new();
    prefixed_reference(&mut references, prefix, id, &[(ENVELOPED, ""), (EXC_C14N, "")], &digest);
    let signature = signature(prefix, &references, &key_info, key)?;
    let at = match root.named(SAML, "Issuer").next() {
        Some(issuer) => issuer.source_range().end,
        None => start_tag_end(&document, root).ok_or(SignError::Element("is empty"))?,
    };
    let (before, after) = xml.split_at_checked(at).ok_or(SignError::Element("is cut short"))?;
    Ok([before, &signature, after].concat())
}

/// Where the content of an element begins: behind the `>` that no quotes hold.
fn start_tag_end(document: &Document, element: Element<'_>) -> Option<usize> {
    let range = element.source_range();
    let mut quote = None;
    let mut last = b'<';
    for (at, byte) in document.source().get(range.clone())?.iter().enumerate() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(*byte),
            (Some(open), byte) if open == *byte => quote = None,
            (None, b'>') => return (last != b'/').then_some(range.start + at + 1),
            _ => {}
        }
        last = *byte;
    }
    None
}

/// The text of a [`SignError`] for a caller of the gateway: nothing of the inside.
impl From<SignError> for Refusal {
    fn from(_: SignError) -> Self {
        Refusal::Internal
    }
}

/// A message that carries no signature, with the same headers as a signed one: for tests and for faults to callers
/// whose own signature was not verified.
pub fn unsigned(message: &Message<'_>) -> Vec<u8> {
    let mut headers = String::new();
    let texts = [
        ("Action", message.action),
        ("MessageID", Some(message.message_id)),
        ("RelatesTo", message.relates_to),
        ("To", message.to),
    ];
    for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text?))) {
        let mut header = Vec::new();
        write::element(&mut header, &format!("wsa:{name} xmlns:wsa=\"{WSA}\""), text);
        headers.push_str(&String::from_utf8_lossy(&header));
    }
    let start = format!("<soap:Envelope xmlns:soap=\"{}\"><soap:Header>", message.version.namespace());
    let extra = message.extra_headers.concat();
    [start.as_bytes(), headers.as_bytes(), &extra, b"</soap:Header><soap:Body>", message.body, b"</soap:Body></soap:Envelope>"]
        .concat()
}
