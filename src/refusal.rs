//! Every way in which the gateway says no, in one table.
//!
//! A refusal anywhere is a value of [`Refusal`]; [`Refusal::entry`] maps it to what the world sees: a stable code, whose
//! fault it is, whether to try again, and a public text in Danish and English (what, consequence, remedy).
//!
//! The fields of a refusal reach the caller. They therefore carry only what the caller sent and may mend (a header's
//! name, a date, a limit) and never a personal identifier, a token, or an internal cause: those go to log and audit.

/// Whose fault a refusal is. Decides the SOAP fault code (`Sender`/`Receiver`, `Client`/`Server` in SOAP 1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The caller can mend it.
    Caller,
    /// The gateway, or what stands behind it, failed; the call itself may be good.
    Gateway,
}

/// Whether the same call may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Never unchanged: mend it first.
    AfterChange,
    /// Yes, after a pause: the cause lies outside the call and may pass.
    Later,
}

/// A public text in one language: what happened, what follows from it, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What was wrong.
    pub what: String,
    /// What the gateway did because of it.
    pub consequence: String,
    /// What the caller does next.
    pub remedy: String,
}

/// One row of the table: all that the outside sees of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The stable code, spelt as the variant. Never reused for another meaning.
    pub code: &'static str,
    /// Whose fault it is.
    pub party: Party,
    /// The HTTP status where the refusal is not told as a SOAP fault, or must be told by HTTP too (413, 415, 503 …).
    pub http: Option<u16>,
    /// Whether to try again.
    pub retry: Retry,
    /// The Danish text, shown first.
    pub da: Text,
    /// The English text.
    pub en: Text,
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident $({ $($field:ident : $type:ty = $sample:expr),* $(,)? })? ,
        $party:ident, $retry:ident $(, http $http:literal)?,
        da: $da_what:literal, $da_remedy:literal,
        en: $en_what:literal, $en_remedy:literal;)*) => {
        /// Every refusal. The fields are public: see the module's rule on what they may hold.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(missing_docs)] // the fields are named for what they are, and told in the texts
        pub enum Refusal {
            $($(#[$doc])* $name $({ $($field: $type),* })?,)*
        }

        impl Refusal {
            /// The row of the table for this refusal.
            pub fn entry(&self) -> Entry {
                match self {
                    $(Refusal::$name $({ $($field),* })? => {
                        $($(let _ = $field;)*)?
                        let party = Party::$party;
                        #[allow(unused_mut, unused_assignments)]
                        let mut http: Option<u16> = None;
                        $(http = Some($http);)?
                        Entry {
                            code: stringify!($name),
                            party,
                            http,
                            retry: Retry::$retry,
                            da: Text { what: format!($da_what), consequence: party.consequence_da(), remedy: format!($da_remedy) },
                            en: Text { what: format!($en_what), consequence: party.consequence_en(), remedy: format!($en_remedy) },
                        }
                    })*
                }
            }

            /// One of each, with sample values: for the generated documentation and for tests that go through the table.
            pub fn every() -> Vec<Refusal> {
                vec![$(Refusal::$name $({ $($field: $sample),* })?),*]
            }
        }
    };
}

impl Party {
    fn consequence_da(self) -> String {
        match self {
            Party::Caller => "Kaldet er afvist; intet er sendt videre, og ingen oplysninger er udleveret.".to_owned(),
            Party::Gateway => "Kaldet kunne ikke gennemføres; ingen oplysninger er udleveret.".to_owned(),
        }
    }
    fn consequence_en(self) -> String {
        match self {
            Party::Caller => "The call was refused; nothing was forwarded and no data was released.".to_owned(),
            Party::Gateway => "The call could not be completed; no data was released.".to_owned(),
        }
    }
}

impl Refusal {
    /// The stable code, for audit, metrics and the fault.
    pub fn code(&self) -> &'static str {
        self.entry().code
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entry = self.entry();
        write!(f, "{}: {} {}", entry.code, entry.en.what, entry.en.remedy)
    }
}

impl std::error::Error for Refusal {}

refusals! {
    // ---- the edge: HTTP itself ----

    /// Another HTTP method than POST (or GET for the contract).
    MethodNotAllowed, Caller, AfterChange, http 405,
        da: "HTTP-metoden understøttes ikke.", "Brug POST til kald og GET med ?wsdl til kontrakten.",
        en: "The HTTP method is not supported.", "Use POST for calls and GET with ?wsdl for the contract.";
    /// No service at this path.
    NoSuchService, Caller, AfterChange, http 404,
        da: "Der er ingen service på denne adresse.", "Ret adressen; servicens sti står i dens WSDL.",
        en: "There is no service at this address.", "Correct the address; the service's path stands in its WSDL.";
    /// A MIME type that is not SOAP's, multipart included.
    MediaTypeRefused, Caller, AfterChange, http 415,
        da: "Indholdstypen er ikke SOAP.", "Send text/xml (SOAP 1.1) eller application/soap+xml (SOAP 1.2), UTF-8, uden vedhæftninger.",
        en: "The content type is not SOAP's.", "Send text/xml (SOAP 1.1) or application/soap+xml (SOAP 1.2), UTF-8, without attachments.";
    /// A compressed or otherwise coded body.
    ContentCodingRefused, Caller, AfterChange, http 415,
        da: "Komprimeret indhold modtages ikke.", "Send beskeden uden Content-Encoding.",
        en: "Compressed content is not accepted.", "Send the message without Content-Encoding.";
    /// The body passes the size limit.
    BodyTooLarge { limit: usize = 1048576 }, Caller, AfterChange, http 413,
        da: "Beskeden er større end {limit} byte.", "Send en mindre besked.",
        en: "The message is larger than {limit} bytes.", "Send a smaller message.";
    /// The body did not arrive in time.
    BodyTimeout { seconds: u64 = 10 }, Caller, Later, http 408,
        da: "Beskeden var ikke modtaget efter {seconds} sekunder.", "Send kaldet igen over en hurtigere forbindelse.",
        en: "The message had not arrived after {seconds} seconds.", "Send the call again over a faster connection.";
    /// The connection broke while the body was read.
    BodyIncomplete, Caller, Later, http 400,
        da: "Beskeden blev afbrudt undervejs.", "Send kaldet igen.",
        en: "The message was cut off on its way.", "Send the call again.";
    /// All places are taken, or the node is being drained.
    Overloaded { seconds: u64 = 1 }, Gateway, Later, http 503,
        da: "Alle pladser er optaget.", "Prøv igen om {seconds} sekund(er).",
        en: "All places are taken.", "Try again in {seconds} second(s).";

    // ---- envelope: strict XML and SOAP ----

    /// Not well-formed, or outside the strict subset.
    MalformedXml { offset: usize = 17, reason: String = "the document ends inside an element".into() }, Caller, AfterChange,
        da: "Beskeden er ikke velformet XML (ved byte {offset}: {reason}).", "Ret beskeden; send UTF-8 uden DTD.",
        en: "The message is not well-formed XML (at byte {offset}: {reason}).", "Correct the message; send UTF-8 without a DTD.";
    /// A document type declaration: entities, bombs and silent ids live there.
    DtdRefused, Caller, AfterChange,
        da: "Beskeden har en DTD (DOCTYPE), som SOAP forbyder.", "Fjern DOCTYPE.",
        en: "The message has a DTD (DOCTYPE), which SOAP forbids.", "Remove the DOCTYPE.";
    /// A processing instruction anywhere.
    ProcessingInstructionRefused, Caller, AfterChange,
        da: "Beskeden har en processing instruction, som SOAP forbyder.", "Fjern den.",
        en: "The message has a processing instruction, which SOAP forbids.", "Remove it.";
    /// Not UTF-8, by its bytes, its declaration or the Content-Type.
    EncodingRefused, Caller, AfterChange,
        da: "Beskeden er ikke UTF-8.", "Send UTF-8, og angiv ikke andet i XML-erklæringen eller Content-Type.",
        en: "The message is not UTF-8.", "Send UTF-8, and declare nothing else in the XML declaration or Content-Type.";
    /// Deeper, wider or longer than any honest message.
    XmlTooComplex { what: String = "element depth".into(), limit: usize = 64 }, Caller, AfterChange,
        da: "Beskeden overskrider grænsen {limit} for {what}.", "Send en enklere besked.",
        en: "The message passes the limit {limit} for {what}.", "Send a simpler message.";
    /// A comment in a signed message, or inside a value: readers disagree about what it leaves.
    CommentRefused { place: String = "the signed message".into() }, Caller, AfterChange,
        da: "Der er en XML-kommentar i {place}.", "Fjern kommentaren, og underskriv igen.",
        en: "There is an XML comment in {place}.", "Remove the comment and sign again.";
    /// The root is no SOAP envelope of a known version.
    NotSoap, Caller, AfterChange,
        da: "Beskeden er ikke en SOAP 1.1- eller 1.2-konvolut.", "Send en SOAP-konvolut i et af de to navnerum.",
        en: "The message is not a SOAP 1.1 or 1.2 envelope.", "Send a SOAP envelope in one of the two namespaces.";
    /// Header, Body or their children are not where SOAP puts them.
    EnvelopeStructure { what: String = "two Body elements".into() }, Caller, AfterChange,
        da: "Konvoluttens opbygning er forkert: {what}.", "Send højst én Header og netop én Body med ét element.",
        en: "The envelope's structure is wrong: {what}.", "Send at most one Header and exactly one Body with one element.";
    /// A header demands to be understood and is not.
    MustUnderstand { header: String = "{urn:example}Transaction".into() }, Caller, AfterChange,
        da: "Headeren {header} kræver at blive forstået, men kendes ikke.", "Fjern headeren eller dens mustUnderstand.",
        en: "The header {header} demands to be understood and is not known.", "Remove the header or its mustUnderstand.";
    /// A WS-Addressing header is missing, repeated or not as the profile wants it.
    AddressingInvalid { what: String = "MessageID is missing".into() }, Caller, AfterChange,
        da: "WS-Addressing-oplysningerne er forkerte: {what}.", "Ret headeren som beskrevet i OIO IDWS SOAP-profilen.",
        en: "The WS-Addressing headers are wrong: {what}.", "Correct the header as the OIO IDWS SOAP profile describes.";
    /// Action, SOAPAction, Content-Type and body do not name one and the same operation.
    ActionMismatch, Caller, AfterChange,
        da: "Action-headeren og beskedens indhold nævner ikke den samme operation.", "Brug den Action, som WSDL'en angiver for operationen.",
        en: "The action and the message's content do not name the same operation.", "Use the action that the WSDL gives for the operation.";
    /// Any operation but those of the service.
    OperationUnknown, Caller, AfterChange,
        da: "Operationen udbydes ikke af servicen.", "Kald operationen fremsoeg, som den står i WSDL'en.",
        en: "The service does not offer the operation.", "Call the operation fremsoeg as the WSDL gives it.";

    // ---- authenticate: which binding, and is it proven ----

    /// Neither a token nor an AuthorityContext, or a binding that the service does not offer.
    SecurityModelMissing { supported: String = "[KombitToken, AuthorityContext]".into() }, Caller, AfterChange,
        da: "Sikkerhedsmodellen for den kaldte operation er ikke angivet. Følgende understøttes: {supported}.", "Send et SAML-token i wsse:Security, eller AuthorityContext over gensidig TLS.",
        en: "Security model for the called operation was not provided. The following are supported: {supported}.", "Send a SAML token in wsse:Security, or AuthorityContext over mutual TLS.";
    /// Both at once: two identities invite confusion.
    SecurityModelAmbiguous, Caller, AfterChange,
        da: "Beskeden har både wsse:Security og AuthorityContext.", "Brug kun den ene sikkerhedsmodel.",
        en: "The message has both wsse:Security and AuthorityContext.", "Use one security model only.";
    /// The Security header is not built as the profile demands.
    SecurityStructure { what: String = "two Timestamp elements".into() }, Caller, AfterChange,
        da: "wsse:Security er ikke opbygget som profilen kræver: {what}.", "Byg headeren som beskrevet i OIO IDWS SOAP-profilen.",
        en: "wsse:Security is not built as the profile demands: {what}.", "Build the header as the OIO IDWS SOAP profile describes.";
    /// Two elements share an id: a verifier and a reader could pick different ones (wrapping).
    DuplicateId, Caller, AfterChange,
        da: "To elementer har samme id.", "Giv hvert element sit eget id.",
        en: "Two elements have the same id.", "Give each element an id of its own.";
    /// A mandatory part is not covered by the signature.
    SignatureCoverage { part: String = "Body".into() }, Caller, AfterChange,
        da: "Underskriften dækker ikke {part}.", "Underskriv Body, alle WS-Addressing-headere, Timestamp og tokenet (STR-Transform).",
        en: "The signature does not cover {part}.", "Sign Body, every WS-Addressing header, Timestamp and the token (STR-Transform).";
    /// An algorithm or transform outside the allow-list.
    SignatureAlgorithm { algorithm: String = "http://www.w3.org/2000/09/xmldsig#rsa-sha1".into() }, Caller, AfterChange,
        da: "Algoritmen {algorithm} er ikke tilladt.", "Brug RSA-SHA256, SHA-256 og exclusive C14N uden kommentarer.",
        en: "The algorithm {algorithm} is not allowed.", "Use RSA-SHA256, SHA-256 and exclusive C14N without comments.";
    /// A reference's digest does not match what it points at.
    DigestMismatch { reference: String = "#body".into(), part: String = "Body".into() }, Caller, AfterChange,
        da: "Referencen {reference} ({part}) passer ikke med det modtagne.", "Ændr intet efter underskriften (heller ikke linjeskift og indrykning), og brug exclusive C14N med den rigtige PrefixList.",
        en: "The reference {reference} ({part}) does not match what was received.", "Change nothing after signing (line breaks and indentation included), and use exclusive C14N with the right PrefixList.";
    /// The signature value itself does not verify with the key.
    SignatureInvalid { of: String = "the message".into() }, Caller, AfterChange,
        da: "Underskriften på {of} kan ikke bekræftes med den nøgle, den skal være lavet med.", "Underskriv med den nøgle, hvis certifikat står i tokenet.",
        en: "The signature of {of} does not verify with the key that must have made it.", "Sign with the key whose certificate stands in the token.";
    /// Timestamp too old, in the future, or expired.
    TimestampOutside { theirs: String = "2026-11-22T11:50:00Z".into(), ours: String = "2026-11-22T12:00:00Z".into(), difference: i64 = 600, allowed: i64 = 360 }, Caller, AfterChange,
        da: "Beskedens Timestamp siger {theirs}, vores ur {ours}: {difference} sekunders forskel, tilladt er {allowed}.", "Stil uret (NTP), og send en ny besked.",
        en: "The message's Timestamp says {theirs}, our clock {ours}: {difference} seconds apart, {allowed} are allowed.", "Set the clock (NTP) and send a new message.";
    /// The token is not signed by an STS that is trusted here.
    TokenIssuerUntrusted, Caller, AfterChange,
        da: "Tokenet er ikke udstedt og underskrevet af en STS, som gatewayen har tillid til.", "Hent tokenet hos den STS, der hører til miljøet.",
        en: "The token was not issued and signed by an STS that the gateway trusts.", "Fetch the token from the STS of this environment.";
    /// Outside the token's own validity.
    TokenExpired { not_before: String = "2026-11-22T03:00:00Z".into(), not_on_or_after: String = "2026-11-22T11:00:00Z".into(), ours: String = "2026-11-22T12:00:00Z".into() }, Caller, AfterChange,
        da: "Tokenet gælder fra {not_before} til {not_on_or_after}; vores ur siger {ours}.", "Hent et nyt token.",
        en: "The token holds from {not_before} until {not_on_or_after}; our clock says {ours}.", "Fetch a new token.";
    /// Meant for another service.
    TokenAudience { expected: String = "http://entityid.hjemmel.example/service/terminaladgang/6".into() }, Caller, AfterChange,
        da: "Tokenet er ikke udstedt til denne service ({expected}).", "Hent et token med servicens entity id som AppliesTo.",
        en: "The token was not issued for this service ({expected}).", "Fetch a token with the service's entity id as AppliesTo.";
    /// The caller does not hold the key that the token names.
    HolderOfKey { what: String = "the token has no holder-of-key confirmation".into() }, Caller, AfterChange,
        da: "Tokenets nøgle er ikke bevist: {what}.", "Underskriv beskeden med den nøgle, hvis certifikat står i tokenets SubjectConfirmation.",
        en: "The token's key is not proven: {what}.", "Sign the message with the key whose certificate stands in the token's SubjectConfirmation.";
    /// An attribute or another part of the token is missing, repeated or unreadable.
    TokenInvalid { what: String = "CvrNumberIdentifier occurs twice".into() }, Caller, AfterChange,
        da: "Tokenet kan ikke bruges: {what}.", "Hent et nyt token; består fejlen, så kontakt STS'ens drift med dette call-id.",
        en: "The token cannot be used: {what}.", "Fetch a new token; if it persists, contact the STS's operators with this call id.";
    /// The token gives no privilege for this service and authority.
    PrivilegeMissing { needed: String = "a role for this service".into() }, Caller, AfterChange,
        da: "Tokenet giver ikke den nødvendige rettighed ({needed}) for myndigheden.", "Få rolletildelingen rettet i administrationsmodulet, og hent et nyt token.",
        en: "The token does not give the needed privilege ({needed}) for the authority.", "Have the role assigned in the administration module and fetch a new token.";
    /// The AuthorityContext binding without a client certificate in TLS.
    ClientCertificateMissing, Caller, AfterChange,
        da: "AuthorityContext kræver klientcertifikat i TLS, og der blev ikke vist noget.", "Kald med systemets OCES-certifikat.",
        en: "AuthorityContext needs a client certificate in TLS, and none was shown.", "Call with the system's OCES certificate.";
    /// The AuthorityContext is not one CVR number.
    AuthorityContextInvalid { what: String = "MunicipalityCVR is not eight digits".into() }, Caller, AfterChange,
        da: "AuthorityContext kan ikke bruges: {what}.", "Angiv netop ét MunicipalityCVR på otte cifre.",
        en: "The AuthorityContext cannot be used: {what}.", "Give exactly one MunicipalityCVR of eight digits.";

    // ---- replay ----

    /// The same message again.
    Replay, Caller, AfterChange,
        da: "En besked med samme MessageID er allerede modtaget.", "Send en ny besked med nyt MessageID, nyt Timestamp og ny underskrift.",
        en: "A message with the same MessageID was received before.", "Send a new message with a new MessageID, Timestamp and signature.";
    /// The memory is full: forgetting early would let a replay in, so new messages wait.
    ReplayMemoryFull { seconds: u64 = 30 }, Gateway, Later, http 503,
        da: "Gatewayen kan ikke huske flere beskeder lige nu.", "Prøv igen om {seconds} sekunder.",
        en: "The gateway cannot remember more messages just now.", "Try again in {seconds} seconds.";
    /// Created before this node started: whether it is a replay cannot be known.
    CreatedBeforeStart, Caller, Later,
        da: "Beskeden er lavet, før denne node startede, så en gentagelse kan ikke udelukkes.", "Send en ny besked med nyt Timestamp.",
        en: "The message was made before this node started, so a replay cannot be ruled out.", "Send a new message with a new Timestamp.";

    // ---- agreement ----

    /// No agreement on the front side: this system, this authority, this service, this environment.
    ServiceAgreementNotFound, Caller, AfterChange,
        da: "Der er ingen serviceaftale for systemet, myndigheden og servicen i dette miljø.", "Anmod om en serviceaftale, og få myndigheden til at godkende den.",
        en: "There is no service agreement for this system, authority and service in this environment.", "Request a service agreement and have the authority approve it.";
    /// There is one, but it does not hold today.
    ServiceAgreementNotActive { state: String = "SUSPENDERET".into() }, Caller, AfterChange,
        da: "Serviceaftalen gælder ikke (tilstand {state}).", "Få aftalen godkendt eller fornyet af myndigheden.",
        en: "The service agreement does not hold (state {state}).", "Have the authority approve or renew the agreement.";
    /// No agreement on the back side: nobody approved that the data owner's benefits are shown.
    BackAgreementNotFound, Caller, AfterChange,
        da: "Der er ingen godkendt serviceaftale mellem servicen og Ydelsesindekset for myndigheden.", "Få myndigheden til at godkende aftalen på bagsiden.",
        en: "There is no approved service agreement between the service and the benefit index for the authority.", "Have the authority approve the agreement on the back side.";
    /// The authority is neither UDK nor a municipality that is known here.
    AuthorityUnknown, Caller, AfterChange,
        da: "Myndigheden er ikke tilmeldt servicen.", "Få myndigheden tilmeldt, før systemet kalder på dens vegne.",
        en: "The authority is not enrolled with the service.", "Have the authority enrolled before the system calls on its behalf.";
    /// The store does not answer and nothing fresh enough is remembered.
    AgreementsUnavailable, Gateway, Later,
        da: "Serviceaftalerne kan ikke slås op lige nu.", "Prøv igen om lidt.",
        en: "The service agreements cannot be looked up just now.", "Try again shortly.";

    // ---- request policy: window, person, criteria (WINDOW.md) ----

    /// What stands in the request is not in the operation's schema.
    RequestInvalid { what: String = "unknown element Foo in SoegUdtryk".into() }, Caller, AfterChange,
        da: "Forespørgslen følger ikke skemaet: {what}.", "Ret forespørgslen efter WSDL'en.",
        en: "The request does not follow the schema: {what}.", "Correct the request by the WSDL.";
    /// Nobody is asked about: the service is no bulk extract.
    PersonMissing, Caller, AfterChange,
        da: "Forespørgslen nævner ingen person.", "Skriv AND(SoegBevillingIndeks med Bevillingspart = urn:oio:cpr-nr:…, …) øverst i søgeudtrykket.",
        en: "The request names no person.", "Put AND(SoegBevillingIndeks with Bevillingspart = urn:oio:cpr-nr:…, …) at the top of the search expression.";
    /// More than one person.
    PersonSeveral, Caller, AfterChange,
        da: "Forespørgslen nævner mere end én person.", "Send ét kald pr. person.",
        en: "The request names more than one person.", "Send one call a person.";
    /// A person, but not where it binds all of the search.
    PersonShape { what: String = "the root is an OR".into() }, Caller, AfterChange,
        da: "Personen binder ikke hele søgningen: {what}.", "Skriv AND(SoegBevillingIndeks(person), …); alternativer stilles op som AND(person, OR(…, …)).",
        en: "The person does not bind the whole search: {what}.", "Write AND(SoegBevillingIndeks(person), …); put alternatives as AND(person, OR(…, …)).";
    /// Another scheme than CPR, which could not be compared in the answer.
    PersonScheme, Caller, AfterChange,
        da: "Personen er ikke angivet med urn:oio:cpr-nr.", "Angiv personen som urn:oio:cpr-nr: og ti cifre.",
        en: "The person is not given as urn:oio:cpr-nr.", "Give the person as urn:oio:cpr-nr: and ten digits.";
    /// No possible CPR number.
    PersonInvalid, Caller, AfterChange,
        da: "Personnummeret er ikke ti cifre med en mulig dato.", "Ret personnummeret.",
        en: "The person's number is not ten digits with a possible date.", "Correct the number.";
    /// A date constraint reaches outside the window.
    WindowOutside { place: String = "SoegUdtryk/SoegOekonomiskEffektueringIndeks[1]".into(), asked: String = "2025-10-01T00:00:00 – 2026-12-01T00:00:00".into(), allowed: String = "2026-08-01T00:00:00+02:00 – 2026-12-01T00:00:00+01:00".into() }, Caller, AfterChange,
        da: "Dispositionsdatoen i {place} er afgrænset til {asked}, men loven giver kun adgang til {allowed} (slut ikke med).", "Afgræns inden for vinduet, eller udelad afgrænsningen, så indsættes den.",
        en: "The disposition date in {place} is delimited to {asked}, but the law gives access to {allowed} only (the end not included).", "Delimit within the window, or leave the delimitation out and it will be inserted.";
    /// A bound without an end.
    WindowInfinite { place: String = "SoegUdtryk/SoegOekonomiskEffektueringIndeks[1]".into(), allowed_from: String = "2026-08-01T00:00:00+02:00".into(), allowed_to: String = "2026-12-01T00:00:00+01:00".into() }, Caller, AfterChange,
        da: "Dispositionsdatoen i {place} er uden grænse i den ene ende.", "Angiv begge grænser; fra tidligst {allowed_from}, til senest {allowed_to} (ikke med).",
        en: "The disposition date in {place} has no bound at one end.", "Give both bounds; from {allowed_from} at the earliest, to {allowed_to} at the latest (not included).";
    /// From is not before To.
    WindowInverted { place: String = "SoegUdtryk/SoegOekonomiskEffektueringIndeks[1]".into() }, Caller, AfterChange,
        da: "FraTidspunkt er ikke før TilTidspunkt i {place}.", "Byt om på grænserne.",
        en: "FraTidspunkt is not before TilTidspunkt in {place}.", "Swap the bounds.";
    /// Dates are given, but a part of the search is left open.
    WindowOpen { place: String = "SoegUdtryk/SoegUdtryk[1]/SoegOekonomiskEffektueringIndeks[2]".into(), allowed: String = "2026-08-01T00:00:00+02:00 – 2026-12-01T00:00:00+01:00".into() }, Caller, AfterChange,
        da: "Søgningen er afgrænset på dispositionsdato, men ikke i {place}.", "Sæt samme afgrænsning ({allowed}) i hvert SoegOekonomiskEffektueringIndeks, eller udelad den helt.",
        en: "The search is delimited by disposition date, but not in {place}.", "Put a delimitation ({allowed}) into each SoegOekonomiskEffektueringIndeks, or leave it out everywhere.";
    /// Criteria that are repeated may be matched each by itself, so each must carry the date.
    WindowApart { place: String = "SoegUdtryk/SoegOekonomiskEffektueringIndeks[1]/AttributListe/Egenskaber[1]".into(), allowed: String = "2026-08-01T00:00:00+02:00 – 2026-12-01T00:00:00+01:00".into() }, Caller, AfterChange,
        da: "Kriterierne i {place} har ikke deres egen dispositionsdato, og den kan ikke indsættes, så den binder dem.", "Saml kriterierne i ét SoegEgenskaberLokalUdvidelse uden Egenskaber, eller sæt en dispositionsdato inden for {allowed} i hver af dem.",
        en: "The criteria in {place} have no disposition date of their own, and none can be inserted so that it binds them.", "Gather the criteria in one SoegEgenskaberLokalUdvidelse without Egenskaber, or put a disposition date within {allowed} into each of them.";
    /// A date that cannot be read, or could be read in two ways.
    DateUnreadable { place: String = "DispositionsDatoInterval/FraTidspunkt".into() }, Caller, AfterChange,
        da: "Datoen i {place} kan ikke læses som dateTime.", "Skriv fx 2026-08-01T00:00:00+02:00, uden kommentarer og blanktegn inde i værdien.",
        en: "The date in {place} cannot be read as a dateTime.", "Write, say, 2026-08-01T00:00:00+02:00, without comments or spaces inside the value.";
    /// A disposition date where it delimits nothing.
    DateMisplaced { place: String = "TilstandListe/LokalUdvidelseListe".into() }, Caller, AfterChange,
        da: "Der står en dispositionsdato i {place}, hvor den ikke afgrænser.", "Sæt den i AttributListe i SoegOekonomiskEffektueringIndeks.",
        en: "There is a disposition date in {place}, where it delimits nothing.", "Put it into AttributListe of SoegOekonomiskEffektueringIndeks.";
    /// Time of registration or of effect: the version matched may not be the version returned.
    TemporalCriterion { criterion: String = "SoegVirkning".into() }, Caller, AfterChange,
        da: "Der kan ikke søges på {criterion}.", "Fjern kriteriet.",
        en: "{criterion} cannot be searched on.", "Remove the criterion.";
    /// A look-up by UUID goes past window and person.
    DirectLookup { element: String = "OekonomiskEffektueringUuid".into() }, Caller, AfterChange,
        da: "Opslag direkte på {element} er ikke tilladt.", "Søg på personen.",
        en: "Looking up directly by {element} is not allowed.", "Search by the person.";
    /// NOT takes exactly one operand.
    NotArity { place: String = "SoegUdtryk/NOT[1]".into() }, Caller, AfterChange,
        da: "NOT i {place} har ikke netop ét led.", "Giv NOT ét led; saml flere i et SoegUdtryk.",
        en: "NOT in {place} does not have exactly one operand.", "Give NOT one operand; gather several in a SoegUdtryk.";
    /// A criterion on a field that the answer may not show: the hits themselves would tell.
    CriterionWithheld { criterion: String = "Foelsomhed".into() }, Caller, AfterChange,
        da: "Der kan ikke søges på {criterion}, for feltet må ikke udleveres.", "Fjern kriteriet.",
        en: "{criterion} cannot be searched on, for the field may not be released.", "Remove the criterion.";
    /// Sorting by a field that the answer may not show.
    SortingWithheld { element: String = "FuldtNavn".into() }, Caller, AfterChange,
        da: "Der kan ikke sorteres på {element}.", "Sortér på Dispositionsdato eller Ydelsesnavn.",
        en: "{element} cannot be sorted by.", "Sort by Dispositionsdato or Ydelsesnavn.";
    /// Paging outside 0..=cap.
    PagingOutside { cap: u64 = 500 }, Caller, AfterChange,
        da: "Sideangivelsen er ikke et helt tal fra 0, eller antallet er over {cap}.", "Bed om højst {cap} ad gangen.",
        en: "The paging value is not a whole number from 0, or the count is over {cap}.", "Ask for at most {cap} at a time.";
    /// …Inkluder pulls in objects beside the search.
    IncludeRefused { element: String = "BevillingInkluder".into() }, Caller, AfterChange,
        da: "{element} er ikke tilladt.", "Fjern elementet fra Filter.",
        en: "{element} is not allowed.", "Remove the element from Filter.";
    /// A KLE number outside what token or agreement gives.
    KleOutside { asked: String = "32.03.04".into() }, Caller, AfterChange,
        da: "KLE {asked} ligger uden for det, som token og serviceaftale giver.", "Søg inden for de KLE-numre, der er givet, eller udelad KLE.",
        en: "KLE {asked} lies outside what token and agreement give.", "Search within the KLE numbers given, or leave KLE out.";

    // ---- token exchange and forward ----

    /// The STS does not answer and no unexpired token is at hand.
    StsUnavailable, Gateway, Later,
        da: "STS'en kan ikke nås.", "Prøv igen om lidt.",
        en: "The STS cannot be reached.", "Try again shortly.";
    /// The STS said no to the gateway.
    StsRefused { fault: String = "101".into() }, Gateway, Later,
        da: "STS'en afviste gatewayens anmodning om token (fejlkode {fault}).", "Kontakt gatewayens drift med dette call-id.",
        en: "The STS refused the gateway's request for a token (fault code {fault}).", "Contact the gateway's operators with this call id.";
    /// No connection to the index, or it broke.
    IndexUnavailable, Gateway, Later,
        da: "Ydelsesindekset kan ikke nås.", "Prøv igen om lidt.",
        en: "The benefit index cannot be reached.", "Try again shortly.";
    /// No whole answer within the deadline.
    IndexTimeout { seconds: u64 = 30 }, Gateway, Later,
        da: "Ydelsesindekset svarede ikke inden for {seconds} sekunder.", "Prøv igen om lidt.",
        en: "The benefit index did not answer within {seconds} seconds.", "Try again shortly.";
    /// The circuit breaker is open: the index failed lately and is left alone for a while.
    IndexResting { seconds: u64 = 5 }, Gateway, Later, http 503,
        da: "Ydelsesindekset har fejlet gentagne gange og kaldes ikke lige nu.", "Prøv igen om {seconds} sekunder.",
        en: "The benefit index has failed repeatedly and is left alone for now.", "Try again in {seconds} seconds.";
    /// The index answered with a fault.
    IndexFault, Gateway, Later,
        da: "Ydelsesindekset svarede med en fejl.", "Prøv igen; består fejlen, så kontakt driften med dette call-id.",
        en: "The benefit index answered with a fault.", "Try again; if it persists, contact the operators with this call id.";
    /// The index answered something that is not an answer: wrong type, malformed, truncated, unknown root, wrong relation.
    IndexAnswerInvalid, Gateway, Later,
        da: "Ydelsesindeksets svar kan ikke bruges.", "Prøv igen; består fejlen, så kontakt driften med dette call-id.",
        en: "The benefit index's answer cannot be used.", "Try again; if it persists, contact the operators with this call id.";
    /// The index's signature on its answer does not verify.
    IndexSignatureInvalid, Gateway, Later,
        da: "Underskriften på Ydelsesindeksets svar kan ikke bekræftes.", "Prøv igen; består fejlen, så kontakt driften med dette call-id.",
        en: "The signature of the benefit index's answer does not verify.", "Try again; if it persists, contact the operators with this call id.";

    // ---- response policy ----

    /// It could not be proven that an object concerns the person asked about.
    PersonUnproven, Gateway, AfterChange,
        da: "Det kunne ikke bevises, at alle fundne ydelser vedrører personen.", "Indskrænk søgningen (kortere periode eller færre KLE-numre), så bevillingerne er med på siden.",
        en: "It could not be proven that every benefit found concerns the person.", "Narrow the search (a shorter period or fewer KLE numbers), so that the grants are on the page.";
    /// What may be released passes the limit of one answer.
    AnswerTooLarge { limit: usize = 8388608 }, Gateway, AfterChange,
        da: "Svaret er større end {limit} byte.", "Indskrænk søgningen (kortere periode, færre KLE-numre eller mindre sider).",
        en: "The answer is larger than {limit} bytes.", "Narrow the search (a shorter period, fewer KLE numbers or smaller pages).";

    // ---- the gateway itself ----

    /// The audit record cannot be made durable: without it nothing is forwarded.
    AuditUnavailable, Gateway, Later,
        da: "Kaldet kan ikke logføres, og gennemføres derfor ikke.", "Prøv igen om lidt.",
        en: "The call cannot be recorded and is therefore not carried out.", "Try again shortly.";
    /// A fault of the gateway's own.
    Internal, Gateway, Later,
        da: "Intern fejl i gatewayen.", "Prøv igen; består fejlen, så kontakt driften med dette call-id.",
        en: "Internal error in the gateway.", "Try again; if it persists, contact the operators with this call id.";
}
