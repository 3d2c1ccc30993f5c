//! Messages to be sealed: every shape that the profile allows, written in as many ways as XML has.

use std::collections::BTreeMap;

use hjemmel::signature::base64;
use hjemmel::signature::names::{
    ANONYMOUS, BASE64, DSIG, ENVELOPED, EXC_C14N, LIBERTY, METADATA, SAML, SAML_ID, SAML_TOKEN, SOAP11, SOAP12, STR_TRANSFORM,
    WSA, WSSE, WSSE11, WSU, X509V3,
};

use crate::parties::Party;
use crate::seal::{DIGEST, TokenForm, VALUE};
use crate::writer::Writer;
use crate::xml_documents::{PREFIXES, Random, element};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A token, alone or in an element around it.
    Assertion,
    /// Signed metadata.
    Metadata,
    /// A request with a holder-of-key token.
    Request,
    /// A message with a certificate in it, as a token service gets it.
    Certificate,
    /// An answer, whose signer is pinned.
    Response,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Assertion => "assertion",
            Self::Metadata => "metadata",
            Self::Request => "request",
            Self::Certificate => "certificate",
            Self::Response => "response",
        }
    }
}

/// A message with placeholders for digests and signatures.
pub struct Unsealed {
    pub xml: String,
    pub form: TokenForm,
    /// Whether WSS4J takes a message of this shape at all.
    pub wss4j: bool,
    pub shape: String,
}

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// What a signature covers: an id, and how it is brought into bytes.
enum Chain {
    Exclusive,
    Enveloped,
    /// With or without a PrefixList, which WSS4J passes over.
    Token {
        listed: bool,
    },
}

fn prefix_list(random: &mut Random) -> Option<String> {
    let known = ["#default", "soap", "ds", "wsse", "wsu", "xs", "xsi", "nowhere", "xml"];
    (random.below(3) == 0).then(|| {
        let mut list = String::new();
        for _ in 0..random.below(4) {
            let from: &[&str] = if random.below(2) == 0 { &known } else { &PREFIXES };
            list.push_str(random.pick(from));
            list.push_str(random.pick(&[" ", " ", "  ", "\n"]));
        }
        list.trim_end().to_owned()
    })
}

fn canonicalisation(w: &mut Writer<'_>, local: &str, random_list: bool) {
    let list = if random_list { prefix_list(w.random) } else { None };
    w.start(DSIG, local, &[("", "Algorithm", EXC_C14N)]);
    if let Some(list) = list {
        w.leaf(EXC_C14N, "InclusiveNamespaces", &[("", "PrefixList", &list)], "");
    }
    w.end();
}

fn reference(w: &mut Writer<'_>, id: &str, chain: &Chain) {
    w.start(DSIG, "Reference", &[("", "URI", &format!("#{id}"))]);
    w.start(DSIG, "Transforms", &[]);
    match chain {
        Chain::Exclusive => canonicalisation(w, "Transform", true),
        Chain::Enveloped => {
            w.leaf(DSIG, "Transform", &[("", "Algorithm", ENVELOPED)], "");
            canonicalisation(w, "Transform", true);
        }
        Chain::Token { listed } => {
            w.start(DSIG, "Transform", &[("", "Algorithm", STR_TRANSFORM)]);
            w.start(WSSE, "TransformationParameters", &[]);
            canonicalisation(w, "CanonicalizationMethod", *listed);
            w.end();
            w.end();
        }
    }
    w.end();
    let digests = [
        "http://www.w3.org/2001/04/xmlenc#sha256",
        "http://www.w3.org/2001/04/xmlenc#sha256",
        "http://www.w3.org/2001/04/xmldsig-more#sha384",
        "http://www.w3.org/2001/04/xmlenc#sha512",
    ];
    let digest = w.random.pick(&digests).to_owned();
    w.leaf(DSIG, "DigestMethod", &[("", "Algorithm", &digest)], "");
    w.leaf(DSIG, "DigestValue", &[], DIGEST);
    w.end();
}

/// The Signature up to its KeyInfo, which `key_info` writes.
fn signature(w: &mut Writer<'_>, by: &Party, mut references: Vec<(String, Chain)>, key_info: impl FnOnce(&mut Writer<'_>)) {
    for n in (1..references.len()).rev() {
        let other = w.random.below(n as u64 + 1) as usize;
        references.swap(n, other);
    }
    w.start(DSIG, "Signature", &[]);
    w.start(DSIG, "SignedInfo", &[]);
    canonicalisation(w, "CanonicalizationMethod", true);
    let algorithm = w.random.pick(by.algorithms()).to_owned();
    w.leaf(DSIG, "SignatureMethod", &[("", "Algorithm", &algorithm)], "");
    for (id, chain) in &references {
        reference(w, id, chain);
    }
    w.end();
    let value = if w.random.below(3) == 0 { format!("\n{VALUE}\n") } else { VALUE.to_owned() };
    w.leaf(DSIG, "SignatureValue", &[], &value);
    key_info(w);
    w.end();
}

fn x509(w: &mut Writer<'_>, party: &Party) {
    let mut text = base64::encode(party.certificate.der());
    if w.random.below(3) == 0 {
        text = text.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>().join("\n");
    }
    w.start(DSIG, "X509Data", &[]);
    w.leaf(DSIG, "X509Certificate", &[], &text);
    w.end();
}

fn id(random: &mut Random, role: &str) -> String {
    let tail = random.below(1 << 30);
    match random.below(4) {
        0 => format!("_{tail:08x}"),
        1 => format!("id-{role}.{tail}"),
        2 => format!("{role}-ø{tail}"),
        _ => format!("{role}{tail}"),
    }
}

fn assertion(w: &mut Writer<'_>, id: &str, issuer: &Party, holder: &Party) {
    w.start_with(
        SAML,
        "Assertion",
        &[("", "ID", id), ("", "Version", "2.0"), ("", "IssueInstant", "2026-11-22T11:00:00Z")],
        &[("xs", "http://www.w3.org/2001/XMLSchema")],
    );
    w.leaf(SAML, "Issuer", &[], "https://sts.hjemmel.example/runtime");
    // WSS4J reads the signer's certificate in KeyInfo; what it says is no matter to anybody else.
    signature(w, issuer, vec![(id.to_owned(), Chain::Enveloped)], |w| {
        w.start(DSIG, "KeyInfo", &[]);
        x509(w, issuer);
        w.end();
    });
    w.start(SAML, "Subject", &[]);
    let name = w.random.pick(&["C=DK,CN=client & co", "C=DK,CN=Ærø <test>", "\u{1d518} ]]> \"'", " two  spaces\t"]).to_owned();
    w.leaf(SAML, "NameID", &[], &name);
    w.start(SAML, "SubjectConfirmation", &[("", "Method", "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key")]);
    let until = ("", "NotOnOrAfter", "2026-11-22T19:00:00Z");
    w.start(
        SAML,
        "SubjectConfirmationData",
        &[("", "Recipient", "http://entityid.hjemmel.example/service/terminaladgang/6"), until],
    );
    w.start(DSIG, "KeyInfo", &[]);
    x509(w, holder);
    w.end();
    w.end();
    w.end();
    w.end();
    w.start(SAML, "Conditions", &[("", "NotBefore", "2026-11-22T11:00:00Z"), until]);
    w.start(SAML, "AudienceRestriction", &[]);
    w.leaf(SAML, "Audience", &[], "http://entityid.hjemmel.example/service/terminaladgang/6");
    w.end();
    w.end();
    w.start(SAML, "AttributeStatement", &[]);
    let values = ["11111111", "", "a\r\nb\rc\n", "line\none", "<&>\"'", "æøå \u{1d518}", "x  y", "\u{a0}\u{85}\u{2028}"];
    for n in 0..1 + w.random.below(4) {
        w.start(
            SAML,
            "Attribute",
            &[
                ("", "Name", &format!("dk:gov:saml:attribute:{n}")),
                ("", "NameFormat", "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"),
            ],
        );
        let value = w.random.pick(&values).to_owned();
        match w.random.below(3) {
            0 => w.leaf(SAML, "AttributeValue", &[(XSI, "type", "xs:string")], &value),
            _ => w.leaf(SAML, "AttributeValue", &[], &value),
        }
        w.end();
    }
    w.end();
    w.start(SAML, "AuthnStatement", &[("", "AuthnInstant", "2026-11-22T11:00:00Z")]);
    w.start(SAML, "AuthnContext", &[]);
    w.leaf(SAML, "AuthnContextClassRef", &[], "urn:oasis:names:tc:SAML:2.0:ac:classes:X509");
    w.end();
    w.end();
    w.end();
}

fn token_reference(w: &mut Writer<'_>, token: &str, id: Option<&str>) {
    let mut attributes = vec![(WSSE11, "TokenType", SAML_TOKEN)];
    if let Some(id) = id {
        attributes.push((WSU, "Id", id));
    }
    w.start(WSSE, "SecurityTokenReference", &attributes);
    let mut attributes = vec![("", "ValueType", SAML_ID)];
    if w.random.below(5) == 0 {
        attributes.push(("", "EncodingType", BASE64));
    }
    w.leaf(WSSE, "KeyIdentifier", &attributes, token);
    w.end();
}

/// A payload with prefixes of its own and of the envelope, bound again as it goes.
fn payload(w: &mut Writer<'_>) {
    let scope: BTreeMap<String, String> = w.bound();
    let mut out = String::new();
    element(w.random, 1, &scope, &mut out);
    if w.random.below(40) == 0 {
        // Larger than any buffer on the way.
        let lines = "En linje med æ, ø og å &amp; &lt;tegn&gt;.\r\n".repeat(3000);
        out = format!("<stort>{lines}{out}</stort>");
    }
    w.raw(&out);
}

/// A message of this kind, signed by nobody yet.
pub fn message(random: &mut Random, kind: Kind, issuer: &Party, holder: &Party) -> Unsealed {
    let declaration = random
        .pick(&["", "", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<?xml version='1.0' encoding='utf-8'?>\r\n"])
        .to_owned();
    let mut w = Writer::new(random);
    w.raw(&declaration);
    match kind {
        Kind::Assertion => {
            let id = id(w.random, "t");
            let around = w.random.below(3) == 0;
            if around {
                w.raw("<r xmlns=\"urn:around\" xmlns:a=\"urn:x\" xmlns:ns1=\"urn:y\">");
                w.inherit(&[("", "urn:around"), ("a", "urn:x"), ("ns1", "urn:y")]);
            }
            assertion(&mut w, &id, issuer, holder);
            if around {
                w.raw("</r>");
            }
            done(w, TokenForm::Plain, false, if around { "in another element" } else { "alone" })
        }
        Kind::Metadata => {
            let id = id(w.random, "m");
            w.start(METADATA, "EntityDescriptor", &[("", "ID", &id), ("", "entityID", "https://sts.hjemmel.example/runtime")]);
            signature(&mut w, issuer, vec![(id, Chain::Enveloped)], |w| {
                if w.random.below(2) == 0 {
                    w.start(DSIG, "KeyInfo", &[]);
                    x509(w, issuer);
                    w.end();
                }
            });
            for _ in 0..1 + w.random.below(3) {
                payload(&mut w);
            }
            w.end();
            done(w, TokenForm::Plain, false, "metadata")
        }
        Kind::Request | Kind::Certificate | Kind::Response => envelope(w, kind, issuer, holder),
    }
}

fn done(w: Writer<'_>, form: TokenForm, wss4j: bool, shape: &str) -> Unsealed {
    Unsealed { xml: w.finish(), form, wss4j, shape: shape.to_owned() }
}

/// A header block, planned: its id is known before it is written.
struct Header {
    local: &'static str,
    text: &'static str,
    id: String,
    signed: bool,
}

fn headers(random: &mut Random, kind: Kind) -> Vec<Header> {
    let mut planned = vec![("Action", "urn:example:fremsoeg"), ("MessageID", "urn:uuid:00000000-0000-4000-8000-000000000001")];
    match kind {
        Kind::Response => planned.push(("RelatesTo", "urn:uuid:00000000-0000-4000-8000-000000000002")),
        _ => planned.push(("To", "https://hjemmel.example/service?a=1&b='2'")),
    }
    for extra in ["ReplyTo", "Framework", "Extra"] {
        if random.below(3) == 0 {
            planned.push((extra, ""));
        }
    }
    let header = |(local, text)| {
        let signed = local != "Extra" || random.below(2) == 0;
        Header { local, text, id: id(random, local), signed }
    };
    planned.into_iter().map(header).collect()
}

impl Header {
    fn write(&self, w: &mut Writer<'_>, soap: &'static str) {
        let id = (WSU, "Id", self.id.as_str());
        match self.local {
            "ReplyTo" => {
                w.start(WSA, "ReplyTo", &[id]);
                w.leaf(WSA, "Address", &[], ANONYMOUS);
                w.end();
            }
            "Framework" => w.leaf(LIBERTY, "Framework", &[("", "version", "2.0"), id], ""),
            "Extra" => {
                w.start("urn:example:extra", "Extra", &[id]);
                payload(w);
                w.end();
            }
            local if w.random.below(3) == 0 => w.leaf(WSA, local, &[id, (soap, "mustUnderstand", "1")], self.text),
            local => w.leaf(WSA, local, &[id], self.text),
        }
    }
}

fn envelope(mut w: Writer<'_>, kind: Kind, issuer: &Party, holder: &Party) -> Unsealed {
    let soap = *[SOAP11, SOAP12].get(w.random.below(2) as usize).unwrap();
    let mut covered: Vec<(String, Chain)> = Vec::new();
    let mut shape = vec![if soap == SOAP11 { "SOAP 1.1" } else { "SOAP 1.2" }];
    w.start(soap, "Envelope", &[]);
    w.start(soap, "Header", &[]);

    let headers = headers(w.random, kind);
    covered.extend(headers.iter().filter(|header| header.signed).map(|header| (header.id.clone(), Chain::Exclusive)));
    let security_first = w.random.below(4) == 0;
    if !security_first {
        headers.iter().for_each(|header| header.write(&mut w, soap));
    }

    let body = id(w.random, "body");
    let (timestamp, token, reference) = (id(w.random, "ts"), id(w.random, "token"), id(w.random, "str"));
    covered.push((body.clone(), Chain::Exclusive));
    covered.push((timestamp.clone(), Chain::Exclusive));
    let in_key_info = kind == Kind::Request && w.random.below(4) == 0;
    let key = w.random.below(4);
    let binary = kind == Kind::Certificate && key != 0 || kind == Kind::Response && key < 2;
    w.start(WSSE, "Security", &[(soap, "mustUnderstand", "1")]);
    w.start(WSU, "Timestamp", &[(WSU, "Id", &timestamp)]);
    w.leaf(WSU, "Created", &[], "2026-11-22T11:59:30.500Z");
    w.leaf(WSU, "Expires", &[], "2026-11-22T12:04:30.500Z");
    w.end();
    let mut form = TokenForm::Plain;
    let mut wss4j = true;
    if kind == Kind::Request {
        assertion(&mut w, &token, issuer, holder);
        if !in_key_info || w.random.below(2) == 0 {
            token_reference(&mut w, &token, Some(&reference));
        }
        // Plain is what .NET writes; WSS4J takes it only where the token has a default namespace of its own.
        form = if w.random.below(8) == 0 { TokenForm::Plain } else { TokenForm::Wss4j };
        wss4j = form == TokenForm::Wss4j;
        shape.push(if wss4j { "token as WSS4J digests it" } else { "token as .NET digests it" });
        shape.push(if in_key_info { "STR in KeyInfo" } else { "STR in Security" });
    }
    let inner = id(w.random, "strkey");
    if kind == Kind::Request {
        covered.push((
            if in_key_info { inner.clone() } else { reference.clone() },
            Chain::Token { listed: form == TokenForm::Plain },
        ));
    }
    let token = if binary {
        let id = id(w.random, "x509");
        let text = base64::encode(holder.certificate.der());
        w.leaf(WSSE, "BinarySecurityToken", &[("", "EncodingType", BASE64), ("", "ValueType", X509V3), (WSU, "Id", &id)], &text);
        if kind == Kind::Certificate || w.random.below(2) == 0 {
            covered.push((id.clone(), Chain::Exclusive));
        }
        id
    } else {
        token
    };
    signature(&mut w, holder, covered, |w| {
        if kind == Kind::Response && key == 3 && w.random.below(2) == 0 {
            return;
        }
        w.start(DSIG, "KeyInfo", &[]);
        match kind {
            Kind::Request => token_reference(w, &token, in_key_info.then_some(inner.as_str())),
            _ if binary => {
                w.start(WSSE, "SecurityTokenReference", &[]);
                w.leaf(WSSE, "Reference", &[("", "URI", &format!("#{token}")), ("", "ValueType", X509V3)], "");
                w.end();
            }
            _ => x509(w, holder),
        }
        w.end();
    });
    wss4j &= kind == Kind::Request || binary;
    w.end();
    if security_first {
        headers.iter().for_each(|header| header.write(&mut w, soap));
    }
    w.end();
    w.start(soap, "Body", &[(WSU, "Id", &body)]);
    payload(&mut w);
    w.end();
    w.end();
    done(w, form, wss4j, &shape.join(", "))
}
