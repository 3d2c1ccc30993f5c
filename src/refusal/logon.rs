//! What the console's log-on by SAML refuses. Each text says what the identity provider's administrator must set.

use super::{Detail, Entry, Table, refusals};

refusals! { []
    /// Every refusal of a log-on or a log-out. None of them has opened a session.
    pub enum LogOnRefusal;

    == "Log-on to the console";

    /// Not base64, not XML as it is read here, or too long.
    LogOnUnreadable { what: Detail = Detail::new("feltet SAMLResponse er ikke base64", "the field SAMLResponse is not base64") }, Caller, AfterChange, Administrator, http 400,
        da: "Svaret fra identitetsudbyderen kan ikke læses: {what}.", "Identitetsudbyderens administrator skal sende et svar efter SAML 2.0 med HTTP-POST-binding i feltet SAMLResponse.",
        en: "The identity provider's response cannot be read: {what}.", "The provider's administrator must have it send a SAML 2.0 Response by the HTTP-POST binding in the field SAMLResponse.";
    /// Parts that are missing, too many, or not in their place: what wrapping is made of.
    LogOnStructure { what: Detail = Detail::new("der er to Assertion-elementer", "there are two Assertion elements") }, Caller, AfterChange, Administrator, http 403,
        da: "Svaret fra identitetsudbyderen er ikke opbygget, som SAML 2.0 kræver: {what}.", "Identitetsudbyderens administrator skal sende ét svar med netop én Assertion, hvor hver signatur står på sin plads.",
        en: "The identity provider's response is not built as SAML 2.0 demands: {what}.", "The provider's administrator must have it send one Response with exactly one Assertion, each signature in its place.";
    /// The provider says that it did not log the user on.
    LogOnStatus { status: String = "NoPassive".into() }, Caller, AfterChange, Administrator, http 403,
        da: "Identitetsudbyderen har ikke logget brugeren på; dens svar er {status}.", "Log på igen; bliver svaret det samme, skal identitetsudbyderens administrator give brugeren adgang til konsollen.",
        en: "The identity provider did not log the user on; it answers {status}.", "Log on again; if the answer stays the same, the provider's administrator must give the user access to the console.";
    /// No signature on the Response and none on the Assertion.
    LogOnUnsigned, Caller, AfterChange, Administrator, http 403,
        da: "Hverken svaret eller dets Assertion er signeret.", "Identitetsudbyderens administrator skal slå signering af Assertion til, med RSA-SHA256.",
        en: "Neither the response nor its Assertion is signed.", "The provider's administrator must turn signing of the Assertion on, by RSA-SHA256.";
    /// A signature by an algorithm outside the allow-list.
    LogOnAlgorithm { algorithm: String = "http://www.w3.org/2000/09/xmldsig#rsa-sha1".into() }, Caller, AfterChange, Administrator, http 403,
        da: "Signaturen bruger {algorithm}, som ikke er tilladt.", "Identitetsudbyderens administrator skal vælge RSA-SHA256 til signaturen og SHA-256 til digest.",
        en: "The signature uses {algorithm}, which is not allowed.", "The provider's administrator must choose RSA-SHA256 for the signature and SHA-256 for digests.";
    /// A signature that none of the provider's keys made, or that covers something else.
    LogOnSignature { of: Detail = Detail::new("Assertion", "the Assertion") }, Caller, AfterChange, Administrator, http 403,
        da: "Signaturen på {of} kan ikke verificeres med identitetsudbyderens certifikater.", "Identitetsudbyderens administrator skal signere med et certifikat, der står i de metadata, som gatewayen har; driften lægger de nye metadata ind ved et skift af certifikat.",
        en: "The signature on {of} does not verify with the identity provider's certificates.", "The provider must sign with a certificate that stands in the metadata the gateway has; the operators put the new metadata in place when its certificate changes.";
    /// An issuer whose metadata is not configured.
    LogOnIssuer { issuer: String = "https://idp.eksempel.dk/md".into() }, Caller, AfterChange, Administrator, http 403,
        da: "Svaret er udstedt af {issuer}, som konsollen ikke kender.", "Gatewayens drift skal lægge identitetsudbyderens metadata ind, og identitetsudbyderens administrator skal bruge samme entity id i svar og metadata.",
        en: "The response was issued by {issuer}, which the console does not know.", "The gateway's operators must put the provider's metadata in place, and its administrator must have one entity id in responses and metadata.";
    /// Another address than the console's, or none.
    LogOnDestination { part: String = "Destination".into(), expected: String = "https://konsol.eksempel.dk/saml/acs".into() }, Caller, AfterChange, Administrator, http 403,
        da: "{part} i svaret mangler eller er en anden end konsollens adresse {expected}.", "Identitetsudbyderens administrator skal angive {expected} som Assertion Consumer Service; et entity id er ikke en adresse.",
        en: "{part} in the response is missing or another than the console's address {expected}.", "The provider's administrator must enter {expected} as the Assertion Consumer Service; an entity id is no address.";
    /// Meant for another.
    LogOnAudience { expected: String = "https://konsol.eksempel.dk/saml/metadata".into() }, Caller, AfterChange, Administrator, http 403,
        da: "Svaret er ikke udstedt til konsollen ({expected}).", "Identitetsudbyderens administrator skal angive konsollens entity id, {expected}, som Audience.",
        en: "The response was not issued for the console ({expected}).", "The provider's administrator must enter the console's entity id, {expected}, as the Audience.";
    /// Outside one of the windows of time, or too old.
    LogOnTime { part: String = "Conditions".into(), window: Detail = Detail::new("indtil 2026-11-28T20:57:04Z", "until 2026-11-28T20:57:04Z"), ours: String = "2026-11-28T21:30:00Z".into() }, Caller, AfterChange, Administrator, http 403,
        da: "{part} i svaret gælder {window}; gatewayens ur viser {ours}.", "Log på igen; bliver svaret det samme, skal identitetsudbyderens administrator og gatewayens drift stille urene (NTP).",
        en: "{part} in the response holds {window}; the gateway's clock says {ours}.", "Log on again; if the answer stays the same, the provider's administrator and the gateway's operators must set their clocks (NTP).";
    /// Without a request.
    LogOnUnsolicited, Caller, AfterChange, Administrator, http 403,
        da: "Svaret nævner ingen anmodning fra konsollen (InResponseTo mangler).", "Begynd log-on på konsollens egen side; identitetsudbyderens administrator skal slå log-on, der begynder hos identitetsudbyderen, fra.",
        en: "The response names no request of the console's (InResponseTo is missing).", "Begin the log-on at the console's own page; the provider's administrator must turn log-on that begins at the provider off.";
    /// To a request that this browser did not make.
    LogOnOtherRequest, Caller, AfterChange, User, http 403,
        da: "Svaret hører til en anmodning, som denne browser ikke har sendt, eller som er udløbet.", "Begynd log-on forfra i den browser, der skal bruges.",
        en: "The response belongs to a request that this browser did not send, or that has expired.", "Begin the log-on anew in the browser that is to be used.";
    /// For the second time.
    LogOnReplayed, Caller, AfterChange, User, http 403,
        da: "Svaret fra identitetsudbyderen er brugt før.", "Begynd log-on forfra på konsollens side.",
        en: "The identity provider's response was used before.", "Begin the log-on anew at the console's page.";
    /// The subject is not confirmed as a browser's is.
    LogOnConfirmation { what: Detail = Detail::new("SubjectConfirmation er ikke bearer", "the SubjectConfirmation is not bearer") }, Caller, AfterChange, Administrator, http 403,
        da: "Brugeren er ikke bekræftet, som log-on med browser kræver: {what}.", "Identitetsudbyderens administrator skal sende netop én SubjectConfirmation af typen bearer med Recipient, NotOnOrAfter og InResponseTo.",
        en: "The user is not confirmed as log-on by browser demands: {what}.", "The provider's administrator must have it send exactly one SubjectConfirmation of the kind bearer with Recipient, NotOnOrAfter and InResponseTo.";
    /// A condition that nobody here judges.
    LogOnCondition { name: String = "Delegation".into() }, Caller, AfterChange, Administrator, http 403,
        da: "Betingelsen {name} i svaret kan ikke opfyldes her.", "Identitetsudbyderens administrator skal udelade betingelsen.",
        en: "The condition {name} in the response cannot be met here.", "The provider's administrator must leave the condition out.";
    /// Logged on less surely than is asked for.
    LogOnAssurance { found: Detail = Detail::new("uspecificeret", "unspecified"), required: String = "Substantial".into() }, Caller, AfterChange, Administrator, http 403,
        da: "Brugerens sikringsniveau er {found}, og konsollen kræver mindst {required}.", "Identitetsudbyderens administrator skal kræve dette niveau af brugeren og sende det i attributten https://data.gov.dk/concept/core/nsis/loa; at konsollen har bedt om det, er ikke nok.",
        en: "The user's level of assurance is {found}, and the console demands at least {required}.", "The provider's administrator must demand that level of the user and send it in the attribute https://data.gov.dk/concept/core/nsis/loa; that the console asked for it is not enough.";
    /// Nobody who could be known again.
    LogOnPerson { what: Detail = Detail::new("NameID er flygtigt (transient)", "the NameID is transient") }, Caller, AfterChange, Administrator, http 403,
        da: "Svaret siger ikke, hvem brugeren er: {what}.", "Identitetsudbyderens administrator skal sende et NameID af typen persistent, som er det samme hver gang og ikke et CPR-nummer.",
        en: "The response does not say who the user is: {what}.", "The provider's administrator must have it send a NameID of the kind persistent, the same each time and no CPR number.";
    /// No authority, or one that the provider does not speak for.
    LogOnAuthority { what: Detail = Detail::new("der er intet CVR-nummer", "there is no CVR number") }, Caller, AfterChange, Administrator, http 403,
        da: "Svaret siger ikke, hvem brugeren handler for: {what}.", "Identitetsudbyderens administrator skal sende myndighedens CVR-nummer i attributten dk:gov:saml:attribute:CvrNumberIdentifier, og gatewayens drift skal angive, hvilke CVR-numre udbyderen svarer for.",
        en: "The response does not say whom the user acts for: {what}.", "The provider's administrator must have it send the authority's CVR number in the attribute dk:gov:saml:attribute:CvrNumberIdentifier, and the gateway's operators must state which CVR numbers the provider answers for.";
    /// No privilege that is a role here.
    LogOnNoRole { what: Detail = Detail::new("ingen af brugerens rettigheder giver en rolle", "none of the user's privileges gives a role") }, Caller, AfterChange, Administrator, http 403,
        da: "Brugeren har ingen rolle i konsollen: {what}.", "Myndighedens brugeradministrator skal give brugeren en af konsollens roller uden dataafgrænsning, og de skal sendes i Privileges_intermediate; driften afgør, hvilke rettigheder der er hvilke roller.",
        en: "The user has no role in the console: {what}.", "The authority's user administrator must give the user one of the console's roles without a constraint, sent in Privileges_intermediate; the operators decide which privileges are which roles.";
    /// Encrypted by an algorithm outside the allow-list, or by one that wants a signed Response.
    LogOnEncryption { algorithm: String = "http://www.w3.org/2001/04/xmlenc#tripledes-cbc".into() }, Caller, AfterChange, Administrator, http 403,
        da: "Assertion er krypteret med {algorithm}, som ikke er tilladt her.", "Identitetsudbyderens administrator skal kryptere med AES-GCM og RSA-OAEP, som konsollens metadata beder om; AES-CBC tages kun, hvor gatewayens drift har slået det til, og kun i et signeret svar.",
        en: "The Assertion is encrypted by {algorithm}, which is not allowed here.", "The provider's administrator must have it encrypt by AES-GCM and RSA-OAEP, which the console's metadata ask for; AES-CBC is taken only where the gateway's operators turned it on, and only in a signed Response.";
    /// Whatever failed in decryption: one answer for all, for a difference would be an oracle for the key.
    LogOnDecryption, Caller, AfterChange, Administrator, http 403,
        da: "Den krypterede Assertion kan ikke åbnes.", "Identitetsudbyderens administrator skal kryptere til det certifikat, der står i konsollens metadata, og hente dem igen efter et skift af certifikat.",
        en: "The encrypted Assertion cannot be opened.", "The provider's administrator must have it encrypt for the certificate in the console's metadata, and fetch them again after a change of certificate.";
    /// Nobody knows whether it was used.
    LogOnMemory, Gateway, Later, Operations, http 503, after 5,
        da: "Det kan ikke afgøres, om svaret fra identitetsudbyderen er brugt før.", "Begynd log-on forfra om lidt.",
        en: "It cannot be told whether the identity provider's response was used before.", "Begin the log-on anew shortly.";
    /// A log-out without a signature.
    LogOutUnsigned, Caller, AfterChange, Administrator, http 403,
        da: "Beskeden om log-ud er ikke signeret, og ingen er logget ud.", "Identitetsudbyderens administrator skal slå signering af LogoutRequest og LogoutResponse til, med RSA-SHA256.",
        en: "The message of log-out is not signed, and nobody was logged out.", "The provider's administrator must turn signing of LogoutRequest and LogoutResponse on, by RSA-SHA256.";
    /// A log-out that cannot be followed.
    LogOutInvalid { what: Detail = Detail::new("der er intet NameID", "there is no NameID") }, Caller, AfterChange, Administrator, http 400,
        da: "Beskeden om log-ud kan ikke bruges, og ingen er logget ud: {what}.", "Identitetsudbyderens administrator skal sende den signeret og med HTTP-Redirect-binding til konsollens adresse for log-ud.",
        en: "The message of log-out cannot be used, and nobody was logged out: {what}.", "The provider's administrator must have it sent signed and by the HTTP-Redirect binding to the console's address for log-out.";
}

impl Table for LogOnRefusal {
    fn row(&self) -> Entry {
        let mut entry = self.entry();
        entry.da.consequence = "Der er ikke åbnet nogen session i konsollen.".to_owned();
        entry.en.consequence = "No session was opened in the console.".to_owned();
        entry
    }
}

impl std::fmt::Display for LogOnRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entry = self.row();
        write!(f, "{}: {} {}", entry.code, entry.en.what, entry.en.remedy)
    }
}

impl std::error::Error for LogOnRefusal {}
