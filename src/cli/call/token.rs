//! A token from the STS, asked for by the person at the terminal: where the STS says no, it says no to them.

use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use uuid::Uuid;

use super::CallError;
use super::client::ClientError;
use crate::clock::Clock;
use crate::id::cvr::Cvr;
use crate::outbound::Outbound;
use crate::saml::trust::Issuer;
use crate::signature::key::{Certificate, SigningKey};
use crate::signature::sign;
use crate::soap::document::Document;
use crate::soap::strict::Limits;
use crate::sts::client::{Flaw, Https, StsClient, StsSettings, Transport};

/// What to ask of whom.
#[allow(missing_docs)] // the names say it
pub struct Order<'a> {
    /// The STS's address.
    pub sts: &'a Uri,
    /// Whose tokens are believed.
    pub issuer: Issuer,
    /// The system's certificate, which the token is bound to.
    pub certificate: Certificate,
    pub key: SigningKey,
    /// On whose behalf.
    pub authority: Cvr,
    /// For which service.
    pub entity_id: &'a str,
}

/// Asks for the token.
///
/// # Errors
/// [`CallError::NoSts`], [`CallError::Sts`].
pub async fn fetch(order: Order<'_>, outbound: Outbound, clock: &Clock) -> Result<sign::Token, CallError> {
    let (authority, subject) = (order.authority.to_string(), order.certificate.subject().to_owned());
    let settings = StsSettings {
        to: order.sts.to_string(),
        issuer: order.issuer,
        certificate: order.certificate,
        key: order.key,
        on_behalf_of: None,
    };
    let transport = Https { outbound, uri: order.sts.clone(), timeout: Duration::from_secs(10) };
    let client = StsClient::new(settings, transport.clone(), clock.clone());
    let message_id = format!("urn:uuid:{}", Uuid::new_v4());
    let request = client.request(&authority, order.entity_id, &message_id).map_err(ClientError::from)?;
    let answer = transport.post(request.into()).await.map_err(|error| CallError::NoSts(error.to_string()))?;
    match client.accept(answer.clone(), &authority, order.entity_id, &message_id) {
        Ok(token) => Ok(token.assertion().clone()),
        Err(Flaw::Fault(code)) => {
            let [da, en] = refused(&code, &authority, order.entity_id, &subject);
            let said = reasons(&answer);
            let said = |who: &str| said.iter().map(|reason| format!("\n{who} {reason}")).collect::<String>();
            Err(CallError::Sts(format!("{da}{}\n{en}", said("STS:"))))
        }
        Err(flaw) => Err(CallError::Sts(unusable(&flaw))),
    }
}

/// What a fault code means for the system that asked, in Danish and in English.
fn refused(code: &str, authority: &str, entity_id: &str, subject: &str) -> [String; 2] {
    let (da, en) = match code {
        "101" => (
            format!(
                "Dit certifikat ({subject}) er ikke registreret hos STS'en, eller STS'en kender ikke servicen {entity_id}. \
                 Kontrollér, at --sts er STS'en i det miljø, hvor systemet er oprettet, at --cert er det certifikat, systemet er \
                 oprettet med, og at --entity-id er servicens."
            ),
            format!(
                "Your certificate ({subject}) is not registered at the STS, or the STS does not know the service {entity_id}. \
                 Check that --sts is the STS of the environment where your system is registered, that --cert is the \
                 certificate it is registered with, and that --entity-id is the service's."
            ),
        ),
        "103" => (
            "STS'en kan ikke godtage din anmodning. Kontrollér, at --key hører til --cert, og at uret på denne maskine er stillet korrekt."
                .to_owned(),
            "The STS cannot accept your request. Check that --key belongs to --cert, and that this machine's clock is right."
                .to_owned(),
        ),
        "104" => (
            "STS'en kender ikke adressen i --sts. Ret den.".to_owned(),
            "The address in --sts is not one that the STS knows. Correct it.".to_owned(),
        ),
        "110" => (
            "STS'en understøtter ikke anmodningen på denne adresse. Kontrollér, at --sts er adressen for certifikatbaserede \
             anmodninger (WS-Trust 1.3)."
                .to_owned(),
            "The STS does not support what is asked for at this address. Check that --sts is the address for requests by \
             certificate (WS-Trust 1.3)."
                .to_owned(),
        ),
        "111" => (
            format!(
                "Dit system har ikke adgang til servicen {entity_id} for myndigheden {authority}. Få myndigheden til at godkende \
                 serviceaftalen, og kontrollér --authority og --entity-id."
            ),
            format!(
                "Your system has no access to the service {entity_id} for the authority {authority}. Have the authority approve \
                 the service agreement, and check --authority and --entity-id."
            ),
        ),
        "100" | "106" | "130" => (
            "Fejlen ligger i STS'en selv, ikke i din anmodning. Prøv igen om lidt; fortsætter den, så kontakt STS'ens drift."
                .to_owned(),
            "The fault lies in the STS itself, not in your request. Try again shortly; if it persists, contact the STS's \
             operators."
                .to_owned(),
        ),
        _ => (
            "Koden er ikke nævnt i STS'ens snitfladebeskrivelse; teksten nedenfor er STS'ens egen.".to_owned(),
            "The code is none of those in the STS's interface description; the text is the STS's own.".to_owned(),
        ),
    };
    [
        format!("STS'en afviste din anmodning om token (fejlkode {code}). {da}"),
        format!("The STS refused your request for a token (fault code {code}). {en}"),
    ]
}

/// An answer that is no fault, and not the token that was asked for.
fn unusable(flaw: &Flaw) -> String {
    let (da, en) = match flaw {
        Flaw::Signature(refusal) => {
            let entry = refusal.entry();
            (entry.da.what, entry.en.what)
        }
        Flaw::Unfit(unfit) => {
            let (da, en) = unfit.describe();
            (da.to_owned(), en.to_owned())
        }
        Flaw::Fault(code) => (code.clone(), code.clone()),
    };
    format!(
        "STS'ens svar kan ikke bruges: {da} Kontrollér, at --sts-metadata er metadata fra netop denne STS.\n\
         The answer of the STS cannot be used: {en} Check that --sts-metadata is the metadata of this very STS."
    )
}

/// What a fault says for itself.
fn reasons(answer: &Bytes) -> Vec<String> {
    let Ok(document) = Document::parse(answer.clone(), &Limits::default()) else { return Vec::new() };
    let texts = document.root().descendants().filter(|element| matches!(element.local(), "Text" | "faultstring"));
    texts.filter_map(|element| element.text().map(|text| text.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sts::client::Unfit;

    #[test]
    fn every_fault_code_is_told_as_the_callers_own_in_danish_and_in_english() {
        for code in ["100", "101", "103", "104", "106", "110", "111", "130", "ukendt"] {
            let [da, en] = refused(code, "11111111", "urn:test:service", "CN=Fagsystem");
            assert!(da.starts_with(&format!("STS'en afviste din anmodning om token (fejlkode {code}). ")), "{da}");
            assert!(en.starts_with(&format!("The STS refused your request for a token (fault code {code}). ")), "{en}");
            for text in [&da, &en] {
                assert!(!text.to_lowercase().contains("gateway"), "nothing of the gateway's own request: {text}");
            }
        }
        let [da, en] = refused("101", "11111111", "urn:test:service", "CN=Fagsystem");
        assert!(da.contains("Dit certifikat (CN=Fagsystem) er ikke registreret hos STS'en"), "{da}");
        assert!(en.contains("Your certificate (CN=Fagsystem) is not registered at the STS"), "{en}");
        let [da, en] = refused("111", "11111111", "urn:test:service", "CN=Fagsystem");
        assert!(da.contains("urn:test:service for myndigheden 11111111") && en.contains("for the authority 11111111"));
    }

    #[test]
    fn an_answer_that_cannot_be_used_is_told_in_danish_without_english_words() {
        let told = unusable(&Flaw::Unfit(Unfit::OtherAuthority));
        let (da, en) = told.split_once('\n').unwrap();
        assert!(da.starts_with("STS'ens svar kan ikke bruges: Tokenet er udstedt for en anden myndighed. Kontrollér"), "{da}");
        assert!(en.starts_with("The answer of the STS cannot be used: The token is for another authority. Check"), "{en}");
    }
}
