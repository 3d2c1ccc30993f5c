//! Who signed an answer that is not signed by the certificate given: the person at the terminal must know which of the two is wrong.

use std::path::Path;

use bytes::Bytes;

use crate::refusal::Refusal;
use crate::signature::key::Certificate;
use crate::signature::verify::{Parts, verify_with_certificate};
use crate::soap::document::Document;
use crate::soap::envelope::Envelope;
use crate::soap::strict::Limits;

fn read(answer: &Bytes) -> Option<Envelope> {
    let limits = Limits { nodes: 2_000_000, ..Limits::default() };
    Envelope::read(Document::parse(answer.clone(), &limits).ok()?).ok()
}

/// Whether the answer has no signature at all.
pub fn none(answer: &Bytes) -> bool {
    read(answer).is_none_or(|envelope| envelope.security().is_none())
}

/// The certificate that the answer carries, where its signature holds with that one's key.
fn of(answer: &Bytes) -> Option<Certificate> {
    let envelope = read(answer)?;
    let parts = Parts {
        header: envelope.header()?,
        security: envelope.security()?,
        body: envelope.body()?,
        must_cover: envelope.must_be_signed(),
    };
    Some(verify_with_certificate(envelope.document(), &parts).ok()?.certificate().clone())
}

/// Why the answer is not shown, in Danish and in English: `refusal` came of checking it against `pinned`, read from `file`.
pub fn describe(answer: &Bytes, pinned: &[Certificate], file: &Path, refusal: &Refusal) -> String {
    let file = file.display();
    match (refusal, of(answer), pinned.first()) {
        (Refusal::SignatureInvalid { .. }, Some(other), Some(given)) => {
            let (signer, given_print) = (other.thumbprint_hex(), given.thumbprint_hex());
            let (signer_name, given_name) = (other.subject(), given.subject());
            format!(
                "Svaret er signeret med et andet certifikat end det, der er angivet.\n  svarets:        {signer_name}\n                  \
                 SHA-256 {signer}\n  --gateway-cert: {given_name}\n                  SHA-256 {given_print} ({file})\n\
                 Hent gatewayens nuværende certifikat på servicens adresse med ?metadata tilføjet, få fingeraftrykket bekræftet af \
                 gatewayens drift, og angiv det som --gateway-cert. Stemmer fingeraftrykket ikke, er svaret ikke gatewayens. Der er \
                 intet galt med dit token eller din anmodning.\n\
                 The answer is signed with another certificate than the one given: with the first above, not with that of \
                 --gateway-cert. Fetch the gateway's present certificate from the service's address with ?metadata behind it, have \
                 its fingerprint confirmed by the gateway's operators, and give it as --gateway-cert. If the fingerprint is not \
                 theirs, the answer is not the gateway's. Nothing is wrong with your token or your request."
            )
        }
        (Refusal::SignatureInvalid { .. }, ..) => format!(
            "Svarets signatur kan hverken verificeres med certifikatet i --gateway-cert ({file}) eller med et, der følger med svaret: \
             svaret er ændret undervejs, eller afsenderen er en anden. Kontakt gatewayens drift.\n\
             The answer's signature verifies neither with the certificate in --gateway-cert ({file}) nor with one that the answer \
             carries: it was altered on its way, or somebody else sent it. Contact the gateway's operators."
        ),
        _ => {
            let entry = refusal.entry();
            format!(
                "Svarets signatur kan ikke godtages: {} Kontakt gatewayens drift.\n\
                 The answer's signature cannot be accepted: {} Contact the gateway's operators.",
                entry.da.what, entry.en.what
            )
        }
    }
}
