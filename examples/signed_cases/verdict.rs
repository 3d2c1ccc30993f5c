//! Our verdict on a message: by the gateway's own functions, and by both ways of reading an answer.

use bytes::Bytes;
use hjemmel::refusal::{Detail, Refusal};
use hjemmel::signature::base64;
use hjemmel::signature::key::{Certificate, VerificationKey};
use hjemmel::signature::names::{DSIG, SAML};
use hjemmel::signature::verify::{
    Parts, RequestSignature, verify_issued, verify_metadata, verify_response, verify_whole_response, verify_with_certificate,
};
use hjemmel::soap::document::{Document, Element};
use hjemmel::soap::envelope::Envelope;
use hjemmel::soap::scan::{End, Scanner};
use hjemmel::soap::strict::{Limits, Token};

use crate::message::Kind;

/// What is said of a message.
pub fn judge(kind: Kind, xml: &[u8], issuer: &Certificate, holder: &Certificate) -> Result<(), Refusal> {
    let document = Document::parse(Bytes::copy_from_slice(xml), &Limits::default())?;
    match kind {
        Kind::Assertion => {
            let assertion = document.elements().find(|element| element.is(SAML, "Assertion"));
            verify_issued(assertion.unwrap_or(document.root()), std::slice::from_ref(issuer.key())).map(|_| ())
        }
        Kind::Metadata => verify_metadata(document.root(), std::slice::from_ref(issuer.key())),
        Kind::Request => {
            let envelope = Envelope::read(document)?;
            let signature = RequestSignature::locate(envelope.document(), &parts(&envelope)?)?;
            let verified = verify_issued(signature.assertion(), std::slice::from_ref(issuer.key()))?;
            signature
                .verify(
                    &holder_key(verified.element())
                        .ok_or(Refusal::TokenInvalid { what: Detail::new("ingen nøgle", "no holder's key") })?,
                    None,
                )
                .map(|_| ())
        }
        Kind::Certificate => {
            let envelope = Envelope::read(document)?;
            let verified = verify_with_certificate(envelope.document(), &parts(&envelope)?)?;
            // Whose certificate it is, is for the caller to ask: the token service knows its own.
            (verified.certificate() == holder)
                .then_some(())
                .ok_or(Refusal::SignatureInvalid { of: Detail::new("en anden", "another") })
        }
        Kind::Response => {
            let envelope = Envelope::read(document)?;
            let parts = parts(&envelope)?;
            verify_whole_response(envelope.document(), &parts, std::slice::from_ref(holder)).map(|_| ())
        }
    }
}

/// Whether a message carries a certificate that is not the holder's: the gateway takes it for another signer's, where
/// those who are given the key do not look at it.
pub fn carries_another(xml: &[u8], holder: &Certificate) -> bool {
    let Ok(document) = Document::parse(Bytes::copy_from_slice(xml), &Limits::default()) else { return false };
    let carried = |element: &Element<'_>| matches!(element.local(), "X509Certificate" | "BinarySecurityToken");
    let other = |element: Element<'_>| element.text().and_then(|text| base64::decode(&text)).as_deref() != Some(holder.der());
    document.elements().filter(carried).any(other)
}

fn parts(envelope: &Envelope) -> Result<Parts<'_>, Refusal> {
    match (envelope.header(), envelope.security(), envelope.body()) {
        (Some(header), Some(security), Some(body)) => Ok(Parts { header, security, body, must_cover: envelope.must_be_signed() }),
        _ => Err(Refusal::SecurityStructure { what: Detail::new("ingen Security", "no Security") }),
    }
}

/// The key that the (verified) token names, found by its place.
fn holder_key(assertion: Element<'_>) -> Option<VerificationKey> {
    fn down<'d>(element: Element<'d>, namespace: &str, local: &str) -> Option<Element<'d>> {
        element.only(namespace, local).ok().flatten()
    }
    let confirmation = down(down(assertion, SAML, "Subject")?, SAML, "SubjectConfirmation")?;
    let info = down(down(confirmation, SAML, "SubjectConfirmationData")?, DSIG, "KeyInfo")?;
    let certificate = down(down(info, DSIG, "X509Data")?, DSIG, "X509Certificate")?;
    VerificationKey::from_certificate_der(&base64::decode(&certificate.text()?)?).ok()
}

/// An answer's verdict while its Body streams: Header and Body's start tag first, then token by token. `None` where the
/// message cannot even be cut there.
pub fn streamed(xml: &[u8], signer: &Certificate) -> Option<Result<(), Refusal>> {
    let whole = Document::parse(Bytes::copy_from_slice(xml), &Limits::default()).ok()?;
    let envelope = Envelope::read(whole).ok()?;
    let body = envelope.body()?;
    let first = envelope.payload()?.source_range().start;
    let text = std::str::from_utf8(xml).ok()?;
    let start = body.source_range().start;
    let tag = start + crate::mutate::tag_end(&text[start..first])?;
    let name = text[start + 1..].split(|c: char| c.is_whitespace() || c == '>').next()?;
    let root = envelope.document().root();
    let root = match root.prefix() {
        "" => root.local().to_owned(),
        prefix => format!("{prefix}:{}", root.local()),
    };
    let head = format!("{}</{name}></{root}>", &text[..tag]);
    Some(stream(&head, text, tag, signer))
}

fn stream(head: &str, whole: &str, inside_from: usize, signer: &Certificate) -> Result<(), Refusal> {
    let envelope = Document::parse(Bytes::copy_from_slice(head.as_bytes()), &Limits::default())?;
    let root = envelope.root();
    let header = root.only(root.namespace(), "Header").ok().flatten().ok_or(Refusal::NotSoap)?;
    let body = root.only(root.namespace(), "Body").ok().flatten().ok_or(Refusal::NotSoap)?;
    let security = header
        .elements()
        .find(|element| element.local() == "Security")
        .ok_or(Refusal::SecurityStructure { what: Detail::new("ingen Security", "no Security") })?;
    let parts = Parts { header, security, body, must_cover: Vec::new() };
    let (_, mut pending) = verify_response(&envelope, &parts, std::slice::from_ref(signer))?;
    let mut scanner = Scanner::new(Limits::default());
    scanner.take(whole.as_bytes());
    scanner.finish(End::Whole);
    while let Some(token) = scanner.next()? {
        if token == Token::Eof {
            break;
        }
        if scanner.range().start >= inside_from {
            pending.feed(token, &scanner)?;
        }
    }
    pending.finish().map(|_| ())
}
