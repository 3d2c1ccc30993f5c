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
    /// No connection to the peer, or it broke.
    PeerUnavailable { peer: PeerName = PeerName::sample() }, Gateway, Later, Operations,
        da: "Der er ikke forbindelse til {peer}.", "Prøv igen om lidt.",
        en: "There is no connection to {peer}.", "Try again shortly.";
    /// No whole answer within the deadline.
    PeerTimeout { peer: PeerName = PeerName::sample(), seconds: u64 = 30 }, Gateway, Later, Operations,
        da: "Der kom ikke et fuldstændigt svar fra {peer} inden for {seconds} sekunder.", "Prøv igen om lidt.",
        en: "No complete answer came from {peer} within {seconds} seconds.", "Try again shortly.";
    /// The circuit breaker is open: the peer failed lately and is left alone for a while.
    PeerResting { peer: PeerName = PeerName::sample(), seconds: u64 = 5 }, Gateway, Later, Operations, http 503, after *seconds,
        da: "Kaldene til {peer} er mislykkedes gentagne gange, og der sendes ingen i øjeblikket.", "Prøv igen om {seconds} sekunder.",
        en: "Calls to {peer} have failed repeatedly, and none is sent for now.", "Try again in {seconds} seconds.";
    /// As many calls as may be are under way to the peer.
    PeerBusy { peer: PeerName = PeerName::sample() }, Gateway, Later, Operations, http 503, after 1,
        da: "Så mange kald, som der må være på én gang, venter allerede på svar fra {peer}; dette er ikke sendt videre.", "Prøv igen om lidt.",
        en: "As many calls as may be at once wait for an answer from {peer} already; this one was not passed on.", "Try again shortly.";
    /// The peer answered with a fault.
    PeerFault { peer: PeerName = PeerName::sample() }, Gateway, Later, Operations,
        da: "Svaret fra {peer} var en fejlmeddelelse.", "Prøv igen; fortsætter fejlen, så kontakt gatewayens drift, og oplys Call-id.",
        en: "The answer from {peer} was a fault.", "Try again; if the error persists, contact the gateway's operators and give the Call-id.";
    /// The peer answered something that is not an answer: wrong type, malformed, truncated, unknown root, wrong relation.
    PeerAnswerInvalid { peer: PeerName = PeerName::sample() }, Gateway, Later, Operations,
        da: "Svaret fra {peer} er ikke gyldigt og kan ikke bruges.", "Prøv igen; fortsætter fejlen, så kontakt gatewayens drift, og oplys Call-id.",
        en: "The answer from {peer} is not a valid answer and cannot be used.", "Try again; if the error persists, contact the gateway's operators and give the Call-id.";
    /// The peer's signature on its answer does not verify.
    PeerSignatureInvalid { peer: PeerName = PeerName::sample() }, Gateway, Later, Operations,
        da: "Signaturen på svaret fra {peer} kan ikke verificeres.", "Prøv igen; fortsætter fejlen, så kontakt gatewayens drift, og oplys Call-id.",
        en: "The signature of the answer from {peer} does not verify.", "Try again; if the error persists, contact the gateway's operators and give the Call-id.";

    } };
}

use super::{PeerName, Refusal};

/// What is found out where nobody knows which peer it is; [`Refusal::of_peer`] names it.
impl Refusal {
    /// Nothing was approved towards the peer.
    pub const BACK_AGREEMENT_NOT_FOUND: Self = Self::BackAgreementNotFound { peer: PeerName::UNNAMED };
    /// No connection to the peer.
    pub const PEER_UNAVAILABLE: Self = Self::PeerUnavailable { peer: PeerName::UNNAMED };
    /// The peer answered with a fault.
    pub const PEER_FAULT: Self = Self::PeerFault { peer: PeerName::UNNAMED };
    /// The peer's answer is none.
    pub const PEER_ANSWER_INVALID: Self = Self::PeerAnswerInvalid { peer: PeerName::UNNAMED };
    /// The peer's answer is not signed as it must be.
    pub const PEER_SIGNATURE_INVALID: Self = Self::PeerSignatureInvalid { peer: PeerName::UNNAMED };

    /// The same, told of the peer of this name where none is named yet. Every step that asks a peer ends with it.
    #[must_use]
    pub fn of_peer(mut self, name: &PeerName) -> Self {
        match &mut self {
            Self::BackAgreementNotFound { peer }
            | Self::PeerUnavailable { peer }
            | Self::PeerTimeout { peer, .. }
            | Self::PeerResting { peer, .. }
            | Self::PeerBusy { peer }
            | Self::PeerFault { peer }
            | Self::PeerAnswerInvalid { peer }
            | Self::PeerSignatureInvalid { peer } => peer.name(name),
            _ => {}
        }
        self
    }
}
