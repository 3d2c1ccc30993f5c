//! What fails behind the gateway.

macro_rules! peers {
    ([$next:ident $($then:ident)*] $($table:tt)*) => { $next! { [$($then)*] $($table)*

    == "Behind the gateway: STS and peers";

    /// The STS does not answer and no unexpired token is at hand.
    StsUnavailable, Gateway, Later, Operations,
        da: "Der er ikke forbindelse til STS'en.", "Prøv igen om lidt.",
        en: "The STS cannot be reached.", "Try again shortly.";
    /// The STS said no to the gateway.
    StsRefused { fault: String = "101".into() }, Gateway, Later, Operations,
        da: "STS'en afviste gatewayens anmodning om token (fejlkode {fault}).", "Kontakt gatewayens drift, og oplys Call-id.",
        en: "The STS refused the gateway's request for a token (fault code {fault}).", "Contact the gateway's operators and give the Call-id.";
    /// The STS answered with something that is not the token asked for, or that it did not sign.
    StsAnswerInvalid, Gateway, Later, Operations,
        da: "STS'ens svar kan ikke bruges.", "Prøv igen; fortsætter fejlen, så kontakt gatewayens drift, og oplys Call-id.",
        en: "The answer of the STS cannot be used.", "Try again; if the error persists, contact the gateway's operators and give the Call-id.";
    /// Something else answers at the STS's address: a web server's page, a redirect.
    StsNotSoap { status: u16 = 404 }, Gateway, Later, Operations,
        da: "STS'ens adresse svarer med HTTP {status} og ikke med en SOAP-besked.", "Prøv igen; fortsætter fejlen, så kontakt gatewayens drift, og oplys Call-id; kalder du selv STS'en, så ret adressen.",
        en: "The address of the STS answers with HTTP {status} and not with a SOAP message.", "Try again; if the error persists, contact the gateway's operators and give the Call-id; if you call the STS yourself, correct the address.";
    /// No connection to the index, or it broke.
    PeerUnavailable, Gateway, Later, Operations,
        da: "Der er ikke forbindelse til Ydelsesindekset.", "Prøv igen om lidt.",
        en: "The benefit index cannot be reached.", "Try again shortly.";
    /// No whole answer within the deadline.
    PeerTimeout { seconds: u64 = 30 }, Gateway, Later, Operations,
        da: "Ydelsesindekset havde ikke afgivet et fuldstændigt svar efter {seconds} sekunder.", "Prøv igen om lidt.",
        en: "The benefit index had not answered in full after {seconds} seconds.", "Try again shortly.";
    /// The circuit breaker is open: the index failed lately and is left alone for a while.
    PeerResting { seconds: u64 = 5 }, Gateway, Later, Operations, http 503, after *seconds,
        da: "Ydelsesindekset har svigtet gentagne gange og kaldes ikke i øjeblikket.", "Prøv igen om {seconds} sekunder.",
        en: "The benefit index has failed repeatedly and is left alone for now.", "Try again in {seconds} seconds.";
    /// The index answered with a fault.
    PeerFault, Gateway, Later, Operations,
        da: "Ydelsesindekset svarede med en fejl.", "Prøv igen; fortsætter fejlen, så kontakt gatewayens drift, og oplys Call-id.",
        en: "The benefit index answered with a fault.", "Try again; if the error persists, contact the gateway's operators and give the Call-id.";
    /// The index answered something that is not an answer: wrong type, malformed, truncated, unknown root, wrong relation.
    PeerAnswerInvalid, Gateway, Later, Operations,
        da: "Ydelsesindeksets svar er ikke gyldigt og kan ikke bruges.", "Prøv igen; fortsætter fejlen, så kontakt gatewayens drift, og oplys Call-id.",
        en: "The benefit index's answer is not a valid answer and cannot be used.", "Try again; if the error persists, contact the gateway's operators and give the Call-id.";
    /// The index's signature on its answer does not verify.
    PeerSignatureInvalid, Gateway, Later, Operations,
        da: "Signaturen på Ydelsesindeksets svar kan ikke verificeres.", "Prøv igen; fortsætter fejlen, så kontakt gatewayens drift, og oplys Call-id.",
        en: "The signature of the benefit index's answer does not verify.", "Try again; if the error persists, contact the gateway's operators and give the Call-id.";

    } };
}
