//! Who calls: the binding, the token, the signature, the certificate.

macro_rules! identity {
    ([$next:ident $($then:ident)*] $($table:tt)*) => { $next! { [$($then)*] $($table)*

    == "Identity: binding, token, signature";

    /// Neither a token nor an AuthorityContext, or a binding that the service does not offer.
    SecurityModelMissing { supported: String = "[KombitToken, AuthorityContext]".into() }, Caller, AfterChange, Administrator,
        da: "Sikkerhedsmodellen for den kaldte operation er ikke angivet. Følgende understøttes: {supported}.", "Send et SAML-token i wsse:Security, eller send AuthorityContext over gensidig TLS (mTLS).",
        en: "Security model for the called operation was not provided. The following are supported: {supported}.", "Send a SAML token in wsse:Security, or send AuthorityContext over mutual TLS (mTLS).";
    /// Both at once: two identities invite confusion.
    SecurityModelAmbiguous, Caller, AfterChange, Administrator,
        da: "Beskeden har både wsse:Security og AuthorityContext.", "Anvend kun én sikkerhedsmodel, og fjern den anden.",
        en: "The message has both wsse:Security and AuthorityContext.", "Use one security model only: remove whichever of the two is not to hold.";
    /// The Security header is not built as the profile demands.
    SecurityStructure { what: Detail = Detail::new("to Timestamp-elementer", "two Timestamp elements") }, Caller, AfterChange, Administrator,
        da: "wsse:Security er ikke opbygget, som profilen kræver: {what}.", "Ret headeren, så den følger SOAP-profilen i OIO IDWS.",
        en: "wsse:Security is not built as the profile demands: {what}.", "Correct the header by the OIO IDWS SOAP profile.";
    /// Two elements share an id: a verifier and a reader could pick different ones (wrapping).
    DuplicateId, Caller, AfterChange, Administrator,
        da: "To elementer i beskeden har samme id.", "Giv hvert element sit eget id.",
        en: "Two elements of the message have the same id.", "Give each element an id of its own.";
    /// A mandatory part is not covered by the signature.
    SignatureCoverage { part: String = "Body".into() }, Caller, AfterChange, Administrator,
        da: "Signaturen dækker ikke {part}.", "Signér Body, alle WS-Addressing-headere, Timestamp og tokenet (med STR-Transform).",
        en: "The signature does not cover {part}.", "Sign Body, every WS-Addressing header, Timestamp and the token (by STR-Transform).";
    /// An algorithm or transform outside the allow-list.
    SignatureAlgorithm { algorithm: String = "http://www.w3.org/2000/09/xmldsig#rsa-sha1".into() }, Caller, AfterChange, Administrator,
        da: "Algoritmen {algorithm} er ikke tilladt i signaturen.", "Brug RSA-SHA256, SHA-256 og exclusive C14N uden kommentarer.",
        en: "The algorithm {algorithm} is not allowed in the signature.", "Use RSA-SHA256, SHA-256 and exclusive C14N without comments.";
    /// A reference's digest does not match what it points at.
    DigestMismatch { reference: String = "#body".into(), part: String = "Body".into() }, Caller, AfterChange, Administrator,
        da: "Det indhold, som signaturens reference {reference} ({part}) henviser til, er ikke det, der blev signeret.", "Foretag ingen ændringer efter signeringen, heller ikke af linjeskift og indrykning (et token sendes, som STS'en har udstedt det), og brug exclusive C14N med den rigtige PrefixList.",
        en: "What the signature's reference {reference} ({part}) points at is not what was signed.", "Change nothing after signing, not even line breaks and indentation (a token is sent as the STS gave it), and use exclusive C14N with the right PrefixList.";
    /// The signature value itself does not verify with the key.
    SignatureInvalid { of: Detail = Detail::new("beskedens signatur", "the message's signature") }, Caller, AfterChange, Administrator,
        da: "En signatur kan ikke verificeres med den nøgle, den skal være dannet med: {of}.", "Signér beskeden med den nøgle, hvis certifikat står i tokenet; er det tokenets signatur, så hent et nyt token, og send det uændret.",
        en: "A signature does not verify with the key that must have made it: {of}.", "Sign the message with the key whose certificate stands in the token; if it is the token's signature, fetch a new token and send it unaltered.";
    /// Timestamp too old, in the future, or expired.
    TimestampOutside { theirs: String = "2026-11-22T11:50:00Z".into(), ours: String = "2026-11-22T12:00:00Z".into(), difference: Detail = Detail::seconds_apart(-600), allowed: i64 = 360 }, Caller, AfterChange, Administrator,
        da: "Beskedens Timestamp er {theirs}, og gatewayens ur viser {ours}: beskedens tidspunkt er {difference}, og højst {allowed} sekunders afvigelse er tilladt.", "Stil uret (NTP), og send en ny besked straks efter signeringen.",
        en: "The message's Timestamp says {theirs}, the gateway's clock {ours}: the message's time is {difference}, and at most {allowed} seconds are allowed.", "Set the clock (NTP) and send a new message as soon as it is signed.";
    /// The token is not signed by an STS that is trusted here.
    TokenIssuerUntrusted, Caller, AfterChange, Administrator,
        da: "Tokenet er ikke udstedt og signeret af en STS, som gatewayen har tillid til.", "Hent tokenet hos den STS, der hører til miljøet (test eller produktion).",
        en: "The token was not issued and signed by an STS that the gateway trusts.", "Fetch the token from the STS of this environment (test or production).";
    /// Outside the token's own validity.
    TokenExpired { not_before: String = "2026-11-22T03:00:00Z".into(), not_on_or_after: String = "2026-11-22T11:00:00Z".into(), ours: String = "2026-11-22T12:00:00Z".into() }, Caller, AfterChange, Administrator,
        da: "Tokenet gælder fra {not_before} til {not_on_or_after}; gatewayens ur viser {ours}.", "Hent et nyt token, og kontrollér uret (NTP).",
        en: "The token holds from {not_before} until {not_on_or_after}; the gateway's clock says {ours}.", "Fetch a new token, and check the clock (NTP).";
    /// Meant for another service.
    TokenAudience { expected: String = "http://entityid.hjemmel.example/service/terminaladgang/6".into() }, Caller, AfterChange, Administrator,
        da: "Tokenet er ikke udstedt til denne service ({expected}).", "Hent et token med servicens entity id som AppliesTo.",
        en: "The token was not issued for this service ({expected}).", "Fetch a token with the service's entity id as AppliesTo.";
    /// The caller does not hold the key that the token names.
    HolderOfKey { what: Detail = Detail::new("tokenet har ingen holder-of-key-bekræftelse", "the token has no holder-of-key confirmation") }, Caller, AfterChange, Administrator,
        da: "Det er ikke godtgjort, at afsenderen råder over tokenets nøgle: {what}.", "Signér beskeden med den nøgle, hvis certifikat står i tokenets SubjectConfirmation.",
        en: "It is not proven that the sender holds the token's key: {what}.", "Sign the message with the key whose certificate stands in the token's SubjectConfirmation.";
    /// An attribute or another part of the token is missing, repeated or unreadable.
    TokenInvalid { what: Detail = Detail::new("CvrNumberIdentifier forekommer to gange", "CvrNumberIdentifier occurs twice") }, Caller, AfterChange, Administrator,
        da: "Tokenet kan ikke bruges: {what}.", "Hent et nyt token; fortsætter fejlen, så kontakt STS'ens drift.",
        en: "The token cannot be used: {what}.", "Fetch a new token; if the error persists, contact the STS's operators.";
    /// The token gives no privilege for this service and authority.
    PrivilegeMissing { needed: Detail = Detail::new("en rolle for denne service", "a role for this service") }, Caller, AfterChange, Administrator,
        da: "Tokenet giver ikke den nødvendige rettighed ({needed}) for myndigheden.", "Få rolletildelingen rettet i administrationsmodulet, og hent et nyt token.",
        en: "The token does not give the needed privilege ({needed}) for the authority.", "Have the role assigned in the administration module and fetch a new token.";
    /// The AuthorityContext binding without a client certificate in TLS.
    ClientCertificateMissing, Caller, AfterChange, Administrator,
        da: "AuthorityContext kræver et klientcertifikat i TLS-forbindelsen, men klienten har ikke fremlagt et certifikat.", "Kald med systemets OCES-certifikat som klientcertifikat.",
        en: "AuthorityContext needs a client certificate in the TLS connection, and none was shown.", "Call with the system's OCES certificate as client certificate.";
    /// The client certificate no longer holds: it ended, was revoked, or lost its CA's trust while the connection lasted.
    ClientCertificateInvalid { what: Detail = Detail::new("det er udløbet", "it has expired") }, Caller, AfterChange, Administrator,
        da: "Klientcertifikatet i TLS-forbindelsen kan ikke længere godtages: {what}.", "Forny certifikatet, åbn en ny forbindelse med det, og kald igen.",
        en: "The client certificate of the TLS connection no longer holds: {what}.", "Renew the certificate, open a new connection with it, and call again.";
    /// The AuthorityContext is not one CVR number.
    AuthorityContextInvalid { what: Detail = Detail::new("MunicipalityCVR er ikke otte cifre", "MunicipalityCVR is not eight digits") }, Caller, AfterChange, Administrator,
        da: "AuthorityContext kan ikke bruges: {what}.", "Angiv netop ét MunicipalityCVR på otte cifre.",
        en: "The AuthorityContext cannot be used: {what}.", "Give exactly one MunicipalityCVR of eight digits.";

    /// Somebody is named in the environment for tests whose number is not known to be nobody's.
    PersonNotForTest, Caller, AfterChange, User,
        da: "Forespørgslen nævner et CPR-nummer, der ikke er et testnummer, og dette er testmiljøet.", "Brug testpersoner: numre, hvor dagen er 61 til 91, eller dem på driftens liste. Er nummeret en virkelig persons, er det sendt til et forkert miljø: fortæl det til jeres databeskyttelsesrådgiver.",
        en: "The request names a CPR number that is no test number, and this is the environment for tests.", "Use test persons: numbers whose day is 61 to 91, or those on the operators' list. If the number is a real person's, it was sent to the wrong environment: tell your data protection officer.";

    } };
}
