//! Every way in which the gateway says no, in one table.
//!
//! A refusal anywhere is a value of [`Refusal`]; [`Refusal::entry`] maps it to what the world sees: a stable code, whose
//! fault it is, whether to try again, and a public text in Danish and English (what, consequence, remedy).
//!
//! The fields of a refusal reach the caller. They therefore carry only what the caller sent and may mend (a header's
//! name, a date, a limit) and never a personal identifier, a token, or an internal cause: those go to log and audit.
//! Fields that tell in words are a [`Detail`], which has both languages; a `String` holds only what reads the same in both:
//! a name or a place in the message, a date, an address.

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
    /// The part of the gateway's work that it belongs to: a heading of the table in `docs/faults.md`.
    pub group: &'static str,
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
    ($(== $group:literal; $($(#[$doc:meta])* $name:ident $({ $($field:ident : $type:ty = $sample:expr),* $(,)? })? ,
        $party:ident, $retry:ident $(, http $http:literal)?,
        da: $da_what:literal, $da_remedy:literal,
        en: $en_what:literal, $en_remedy:literal;)*)*) => {
        /// Every refusal. The fields are public: see the module's rule on what they may hold.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(missing_docs)] // the fields are named for what they are, and told in the texts
        pub enum Refusal {
            $($($(#[$doc])* $name $({ $($field: $type),* })?,)*)*
        }

        impl Refusal {
            /// The row of the table for this refusal.
            pub fn entry(&self) -> Entry {
                match self {
                    $($(Refusal::$name $({ $($field),* })? => {
                        let party = Party::$party;
                        #[allow(unused_mut, unused_assignments)]
                        let mut http: Option<u16> = None;
                        $(http = Some($http);)?
                        let da = {
                            $($(let $field = Shown::da($field);)*)?
                            Text { what: format!($da_what), consequence: party.consequence_da(), remedy: format!($da_remedy) }
                        };
                        let en = {
                            $($(let $field = Shown::en($field);)*)?
                            Text { what: format!($en_what), consequence: party.consequence_en(), remedy: format!($en_remedy) }
                        };
                        Entry {
                            group: $group,
                            code: stringify!($name),
                            party,
                            http,
                            retry: Retry::$retry,
                            da,
                            en,
                        }
                    })*)*
                }
            }

            /// One of each, with sample values: for the generated documentation and for tests that go through the table.
            pub fn every() -> Vec<Refusal> {
                vec![$($(Refusal::$name $({ $($field: $sample),* })?),*),*]
            }
        }
    };
}

/// A part of a text that tells in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    da: String,
    en: String,
}

impl Detail {
    /// The same told in Danish and in English.
    pub fn new(da: impl Into<String>, en: impl Into<String>) -> Self {
        Self { da: da.into(), en: en.into() }
    }

    /// What the message, the contract or the law calls by one name in both languages: an element, an attribute, a state.
    /// Up to the first white space, so that a sentence in one language cannot stand in for the other.
    pub fn name(name: &str) -> Self {
        let name = name.split_whitespace().next().unwrap_or_default();
        Self::new(name, name)
    }

    /// How far another clock is from ours, in words: positive is ahead of it. A sign in front of a number says nothing of
    /// which clock is meant.
    pub fn seconds_apart(ahead: i64) -> Self {
        let seconds = ahead.unsigned_abs();
        match ahead > 0 {
            true => Self::new(format!("{seconds} sekunder foran"), format!("{seconds} seconds ahead")),
            false => Self::new(format!("{seconds} sekunder bagud"), format!("{seconds} seconds behind")),
        }
    }

    /// The Danish words.
    pub fn da(&self) -> &str {
        &self.da
    }

    /// The English words.
    pub fn en(&self) -> &str {
        &self.en
    }
}

/// A name of an element, with its namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QName {
    /// The namespace; empty for none.
    pub namespace: String,
    /// The local name.
    pub local: String,
}

/// Names from a message, of which a fault says so many as a reader can use. No more of them is kept: an anonymous message can
/// hold ten thousands in a namespace as long as itself, and copies of that would fill the memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QNames {
    names: Vec<QName>,
    more: bool,
}

impl QNames {
    /// The most that are said.
    const MOST: usize = 16;
    /// The longest namespace or name that is said, in bytes.
    const LONGEST: usize = 120;

    /// Takes note of one more.
    pub fn add(&mut self, namespace: &str, local: &str) {
        // One character beyond the longest tells that there was more.
        let kept = |text: &str| text.chars().take(Self::LONGEST + 1).collect::<String>();
        match self.names.len() < Self::MOST {
            true => self.names.push(QName { namespace: kept(namespace), local: kept(local) }),
            false => self.more = true,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Those that can be said whole and by a prefix.
    pub fn sayable(&self) -> impl Iterator<Item = &QName> {
        let short = |name: &&QName| name.namespace.len() <= Self::LONGEST && name.local.len() <= Self::LONGEST;
        self.names.iter().filter(|name| !name.namespace.is_empty()).filter(short)
    }
}

impl FromIterator<(&'static str, &'static str)> for QNames {
    fn from_iter<I: IntoIterator<Item = (&'static str, &'static str)>>(names: I) -> Self {
        let mut all = Self::default();
        names.into_iter().for_each(|(namespace, local)| all.add(namespace, local));
        all
    }
}

impl std::fmt::Display for QNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = |text: &str| text.chars().take(Self::LONGEST).collect::<String>();
        for (n, name) in self.names.iter().enumerate() {
            let separator = if n == 0 { "" } else { ", " };
            write!(f, "{separator}{{{}}}{}", short(&name.namespace), short(&name.local))?;
        }
        if self.more { f.write_str(", …") } else { Ok(()) }
    }
}

/// How a field is shown in each language; a number, a date or a name is shown alike.
trait Shown {
    fn da(&self) -> &dyn std::fmt::Display;
    fn en(&self) -> &dyn std::fmt::Display;
}

impl<T: std::fmt::Display> Shown for T {
    fn da(&self) -> &dyn std::fmt::Display {
        self
    }
    fn en(&self) -> &dyn std::fmt::Display {
        self
    }
}

impl Shown for Detail {
    fn da(&self) -> &dyn std::fmt::Display {
        &self.da
    }
    fn en(&self) -> &dyn std::fmt::Display {
        &self.en
    }
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

/// The longest that a caller's fields may make "what was wrong", in characters. A header's name can be as long as a message.
const WHAT_MAX: usize = 800;
/// The longest that the rest of an error text may be, in characters.
const REST_MAX: usize = 1_000;
/// The longest call id that is shown, in characters; a UUID has 36.
const CALL_ID_MAX: usize = 100;

impl Entry {
    /// The Danish `ErrorText`: what, consequence, remedy, whether to send again, call id. White space is single, the
    /// length at most 2,000 characters; what is cut to fit ends in `…`, and the call id is always there.
    pub fn error_text_da(&self, call_id: &str) -> String {
        let retry = match self.retry {
            Retry::AfterChange => "",
            Retry::Later => "Kaldet kan sendes igen som en ny besked.",
        };
        self.da.error_text(retry, call_id)
    }

    /// The English `ErrorText`, as [`Entry::error_text_da`].
    pub fn error_text_en(&self, call_id: &str) -> String {
        let retry = match self.retry {
            Retry::AfterChange => "",
            Retry::Later => "The call may be sent again as a new message.",
        };
        self.en.error_text(retry, call_id)
    }
}

impl Text {
    fn error_text(&self, retry: &str, call_id: &str) -> String {
        let what = clipped(&self.what, WHAT_MAX);
        let rest = clipped(&format!("{} {} {retry}", self.consequence, self.remedy), REST_MAX);
        format!("{what} {rest} Call-id: {}", clipped(call_id, CALL_ID_MAX))
    }
}

/// `text` with single spaces, cut to at most `limit` characters.
fn clipped(text: &str, limit: usize) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= limit {
        return words;
    }
    words.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
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
    == "HTTP";

    /// Another HTTP method than POST (or GET for the contract).
    MethodNotAllowed, Caller, AfterChange, http 405,
        da: "Servicen findes på adressen, men kan ikke kaldes med denne HTTP-metode.", "Brug POST til kald og GET med ?wsdl til kontrakten.",
        en: "The service is here, but the HTTP method cannot be used so.", "Use POST for calls and GET with ?wsdl for the contract.";
    /// HTTP without TLS on the port of TLS.
    HttpsRequired, Caller, AfterChange, http 400,
        da: "Forespørgslen er sendt som HTTP uden TLS, men servicen modtager kun HTTPS.", "Brug https:// i adressen.",
        en: "The request came as HTTP without TLS, and only HTTPS is spoken here.", "Use https:// in the address.";
    /// More than one Host, or one that differs from the address asked for.
    HostAmbiguous, Caller, AfterChange, http 400,
        da: "Det fremgår ikke entydigt af forespørgslen, hvilken vært den er rettet til.", "Send netop ét Host-felt, der svarer til adressen.",
        en: "The request does not say without doubt which host it is for.", "Send exactly one Host field, equal to the address.";
    /// No service at this path.
    NoSuchService, Caller, AfterChange, http 404,
        da: "Der er ingen service på denne adresse.", "Ret adressen; servicens sti fremgår af dens WSDL.",
        en: "There is no service at this address.", "Correct the address; the service's path stands in its WSDL.";
    /// A MIME type that is not SOAP's, multipart included.
    MediaTypeRefused, Caller, AfterChange, http 415,
        da: "Content-Type er ikke en indholdstype for SOAP.", "Send text/xml (SOAP 1.1) eller application/soap+xml (SOAP 1.2) i UTF-8 og uden vedhæftede filer.",
        en: "The Content-Type is not one of SOAP's.", "Send text/xml (SOAP 1.1) or application/soap+xml (SOAP 1.2) in UTF-8 and without attachments.";
    /// A compressed or otherwise coded body.
    ContentCodingRefused, Caller, AfterChange, http 415,
        da: "Komprimeret eller på anden måde kodet indhold modtages ikke.", "Send beskeden uden Content-Encoding.",
        en: "Compressed or otherwise coded content is not accepted.", "Send the message without Content-Encoding.";
    /// The body passes the size limit.
    BodyTooLarge { limit: usize = 1048576 }, Caller, AfterChange, http 413,
        da: "Beskeden er større end {limit} byte.", "Send en mindre besked; en søgning på én person fylder nogle få kilobyte.",
        en: "The message is larger than {limit} bytes.", "Send a smaller message; a search for one person takes a few kilobytes.";
    /// The body did not arrive in time.
    BodyTimeout { seconds: u64 = 10 }, Caller, Later, http 408,
        da: "Beskeden var ikke modtaget efter {seconds} sekunder.", "Send kaldet igen over en hurtigere forbindelse.",
        en: "The message had not arrived after {seconds} seconds.", "Send the call again over a faster connection.";
    /// The connection broke while the body was read.
    BodyIncomplete, Caller, Later, http 400,
        da: "Forbindelsen blev afbrudt, før hele beskeden var modtaget.", "Send kaldet igen.",
        en: "The message was cut off on its way.", "Send the call again.";
    /// All places are taken, or the node is being drained.
    Overloaded { seconds: u64 = 1 }, Gateway, Later, http 503,
        da: "Gatewayen kan ikke behandle flere samtidige kald.", "Prøv igen om {seconds} sekund(er).",
        en: "The gateway has no room for more calls at once.", "Try again in {seconds} second(s).";

    == "The message: XML and SOAP";

    /// Not well-formed, or outside the strict subset.
    MalformedXml { offset: usize = 17, reason: Detail = Detail::new("dokumentet slutter midt i et element", "the document ends inside an element") }, Caller, AfterChange,
        da: "Beskeden er ikke velformet XML (byte {offset}: {reason}).", "Ret beskeden, og send den i UTF-8 uden DTD.",
        en: "The message is not well-formed XML (byte {offset}: {reason}).", "Correct the message and send it in UTF-8 without a DTD.";
    /// A document type declaration: entities, bombs and silent ids live there.
    DtdRefused, Caller, AfterChange,
        da: "Beskeden indeholder en DTD (DOCTYPE), hvilket SOAP ikke tillader.", "Fjern DOCTYPE-erklæringen.",
        en: "The message has a DTD (DOCTYPE), which SOAP forbids.", "Remove the DOCTYPE declaration.";
    /// A processing instruction anywhere.
    ProcessingInstructionRefused, Caller, AfterChange,
        da: "Beskeden indeholder en behandlingsinstruktion (<?…?>), hvilket SOAP ikke tillader.", "Fjern den; kun en XML-erklæring må stå forrest.",
        en: "The message has a processing instruction (<?…?>), which SOAP forbids.", "Remove it; only an XML declaration may stand first.";
    /// Not UTF-8, by its bytes, its declaration or the Content-Type.
    EncodingRefused, Caller, AfterChange,
        da: "Beskeden er ikke kodet i UTF-8.", "Send den i UTF-8, og angiv ikke et andet tegnsæt i XML-erklæringen eller Content-Type.",
        en: "The message is not in UTF-8.", "Send it in UTF-8, and declare no other character set in the XML declaration or Content-Type.";
    /// Deeper, wider or longer than any honest message.
    XmlTooComplex { what: Detail = Detail::new("elementernes dybde", "element depth"), limit: usize = 64 }, Caller, AfterChange,
        da: "Beskeden overskrider en grænse for XML ({what}: højst {limit}).", "Send en enklere besked.",
        en: "The message passes a limit for XML ({what}: at most {limit}).", "Send a simpler message.";
    /// A comment in a signed message, or inside a value: readers disagree about what it leaves.
    CommentRefused { place: Detail = Detail::new("den signerede besked", "the signed message") }, Caller, AfterChange,
        da: "Der står en XML-kommentar, hvor kommentarer ikke er tilladt ({place}).", "Fjern kommentaren; er beskeden signeret, så signér den igen.",
        en: "There is an XML comment where none may be ({place}).", "Remove the comment; if the message is signed, sign it again.";
    /// The root is no SOAP envelope of a known version.
    NotSoap, Caller, AfterChange,
        da: "Beskeden er ikke en SOAP-kuvert (Envelope) af version 1.1 eller 1.2.", "Brug navnerummet http://schemas.xmlsoap.org/soap/envelope/ (1.1) eller http://www.w3.org/2003/05/soap-envelope (1.2).",
        en: "The message is not a SOAP envelope of version 1.1 or 1.2.", "Use the namespace http://schemas.xmlsoap.org/soap/envelope/ (1.1) or http://www.w3.org/2003/05/soap-envelope (1.2).";
    /// The envelope is of the other version of SOAP than the Content-Type.
    ContentTypeMismatch { said: &'static str = "application/soap+xml", envelope: &'static str = "SOAP 1.1", right: &'static str = "text/xml" }, Caller, AfterChange,
        da: "Content-Type er {said}, men beskeden er en kuvert (Envelope) i {envelope}.", "Send beskeden med Content-Type {right}, eller dan kuverten i den anden SOAP-version.",
        en: "The Content-Type is {said}, but the message is an envelope of {envelope}.", "Send the message with Content-Type {right}, or build the envelope in the other version of SOAP.";
    /// Header, Body or their children are not where SOAP puts them.
    EnvelopeStructure { what: Detail = Detail::new("to Body-elementer", "two Body elements") }, Caller, AfterChange,
        da: "SOAP-kuverten er ikke opbygget korrekt: {what}.", "Send højst én Header og netop én Body med ét element.",
        en: "The SOAP envelope is not built rightly: {what}.", "Send at most one Header and exactly one Body with one element.";
    /// A header demands to be understood and is not.
    MustUnderstand { headers: QNames = QNames::from_iter([("urn:example", "Transaction")]) }, Caller, AfterChange,
        da: "Gatewayen kender ikke disse headere, som er markeret mustUnderstand: {headers}.", "Fjern headerne, eller fjern deres mustUnderstand.",
        en: "The gateway does not know these headers, which are marked mustUnderstand: {headers}.", "Remove each of them or its mustUnderstand.";
    /// A part is written by the rules of an encodingStyle.
    DataEncodingUnknown { place: String = "Envelope".into() }, Caller, AfterChange,
        da: "{place} er kodet efter regler (encodingStyle), som gatewayen ikke kender.", "Send beskeden som document/literal uden encodingStyle.",
        en: "{place} is encoded by rules (encodingStyle) that the gateway does not know.", "Send the message as document/literal without encodingStyle.";
    /// A WS-Addressing header is missing, repeated or not as the profile wants it.
    AddressingInvalid { what: Detail = Detail::new("MessageID mangler", "MessageID is missing") }, Caller, AfterChange,
        da: "WS-Addressing-headerne opfylder ikke kravene: {what}.", "Ret dem, så de følger SOAP-profilen i OIO IDWS.",
        en: "The WS-Addressing headers are not as they must be: {what}.", "Correct them by the OIO IDWS SOAP profile.";
    /// Action, SOAPAction, Content-Type and body do not name one and the same operation.
    ActionMismatch { what: Detail = Detail::new("SOAPAction er urn:another, men skal være http://kombit.dk/sts/ydelseindeks/fremsoeg", "SOAPAction is urn:another, but must be http://kombit.dk/sts/ydelseindeks/fremsoeg") }, Caller, AfterChange,
        da: "Action (SOAPAction, Content-Type eller wsa:Action) og beskedens indhold angiver ikke den samme operation: {what}.", "Brug den soapAction, som WSDL'en angiver for operationen.",
        en: "The action (SOAPAction, Content-Type or wsa:Action) and the message's content do not name the same operation: {what}.", "Use the soapAction that the WSDL gives for the operation.";
    /// Any operation but those of the service.
    OperationUnknown, Caller, AfterChange,
        da: "Servicen udbyder ikke den kaldte operation.", "Kald operationen fremsoeg, som WSDL'en beskriver den.",
        en: "The service does not offer the operation.", "Call the operation fremsoeg as the WSDL describes it.";

    == "Identity: binding, token, signature";

    /// Neither a token nor an AuthorityContext, or a binding that the service does not offer.
    SecurityModelMissing { supported: String = "[KombitToken, AuthorityContext]".into() }, Caller, AfterChange,
        da: "Sikkerhedsmodellen for den kaldte operation er ikke angivet. Følgende understøttes: {supported}.", "Send et SAML-token i wsse:Security, eller send AuthorityContext over gensidig TLS (mTLS).",
        en: "Security model for the called operation was not provided. The following are supported: {supported}.", "Send a SAML token in wsse:Security, or send AuthorityContext over mutual TLS (mTLS).";
    /// Both at once: two identities invite confusion.
    SecurityModelAmbiguous, Caller, AfterChange,
        da: "Beskeden har både wsse:Security og AuthorityContext.", "Anvend kun én sikkerhedsmodel, og fjern den anden.",
        en: "The message has both wsse:Security and AuthorityContext.", "Use one security model only: remove whichever of the two is not to hold.";
    /// The Security header is not built as the profile demands.
    SecurityStructure { what: Detail = Detail::new("to Timestamp-elementer", "two Timestamp elements") }, Caller, AfterChange,
        da: "wsse:Security er ikke opbygget, som profilen kræver: {what}.", "Ret headeren, så den følger SOAP-profilen i OIO IDWS.",
        en: "wsse:Security is not built as the profile demands: {what}.", "Correct the header by the OIO IDWS SOAP profile.";
    /// Two elements share an id: a verifier and a reader could pick different ones (wrapping).
    DuplicateId, Caller, AfterChange,
        da: "To elementer i beskeden har samme id.", "Giv hvert element sit eget id.",
        en: "Two elements of the message have the same id.", "Give each element an id of its own.";
    /// A mandatory part is not covered by the signature.
    SignatureCoverage { part: String = "Body".into() }, Caller, AfterChange,
        da: "Signaturen dækker ikke {part}.", "Signér Body, alle WS-Addressing-headere, Timestamp og tokenet (med STR-Transform).",
        en: "The signature does not cover {part}.", "Sign Body, every WS-Addressing header, Timestamp and the token (by STR-Transform).";
    /// An algorithm or transform outside the allow-list.
    SignatureAlgorithm { algorithm: String = "http://www.w3.org/2000/09/xmldsig#rsa-sha1".into() }, Caller, AfterChange,
        da: "Algoritmen {algorithm} er ikke tilladt i signaturen.", "Brug RSA-SHA256, SHA-256 og exclusive C14N uden kommentarer.",
        en: "The algorithm {algorithm} is not allowed in the signature.", "Use RSA-SHA256, SHA-256 and exclusive C14N without comments.";
    /// A reference's digest does not match what it points at.
    DigestMismatch { reference: String = "#body".into(), part: String = "Body".into() }, Caller, AfterChange,
        da: "Det indhold, som signaturens reference {reference} ({part}) henviser til, er ikke det, der blev signeret.", "Foretag ingen ændringer efter signeringen, heller ikke af linjeskift og indrykning (et token sendes, som STS'en har udstedt det), og brug exclusive C14N med den rigtige PrefixList.",
        en: "What the signature's reference {reference} ({part}) points at is not what was signed.", "Change nothing after signing, not even line breaks and indentation (a token is sent as the STS gave it), and use exclusive C14N with the right PrefixList.";
    /// The signature value itself does not verify with the key.
    SignatureInvalid { of: Detail = Detail::new("beskedens signatur", "the message's signature") }, Caller, AfterChange,
        da: "En signatur kan ikke verificeres med den nøgle, den skal være dannet med: {of}.", "Signér beskeden med den nøgle, hvis certifikat står i tokenet; er det tokenets signatur, så hent et nyt token, og send det uændret.",
        en: "A signature does not verify with the key that must have made it: {of}.", "Sign the message with the key whose certificate stands in the token; if it is the token's signature, fetch a new token and send it unaltered.";
    /// Timestamp too old, in the future, or expired.
    TimestampOutside { theirs: String = "2026-11-22T11:50:00Z".into(), ours: String = "2026-11-22T12:00:00Z".into(), difference: Detail = Detail::seconds_apart(-600), allowed: i64 = 360 }, Caller, AfterChange,
        da: "Beskedens Timestamp er {theirs}, og gatewayens ur viser {ours}: beskedens tidspunkt er {difference}, og højst {allowed} sekunders afvigelse er tilladt.", "Stil uret (NTP), og send en ny besked straks efter signeringen.",
        en: "The message's Timestamp says {theirs}, the gateway's clock {ours}: the message's time is {difference}, and at most {allowed} seconds are allowed.", "Set the clock (NTP) and send a new message as soon as it is signed.";
    /// The token is not signed by an STS that is trusted here.
    TokenIssuerUntrusted, Caller, AfterChange,
        da: "Tokenet er ikke udstedt og signeret af en STS, som gatewayen har tillid til.", "Hent tokenet hos den STS, der hører til miljøet (test eller produktion).",
        en: "The token was not issued and signed by an STS that the gateway trusts.", "Fetch the token from the STS of this environment (test or production).";
    /// Outside the token's own validity.
    TokenExpired { not_before: String = "2026-11-22T03:00:00Z".into(), not_on_or_after: String = "2026-11-22T11:00:00Z".into(), ours: String = "2026-11-22T12:00:00Z".into() }, Caller, AfterChange,
        da: "Tokenet gælder fra {not_before} til {not_on_or_after}; gatewayens ur viser {ours}.", "Hent et nyt token, og kontrollér uret (NTP).",
        en: "The token holds from {not_before} until {not_on_or_after}; the gateway's clock says {ours}.", "Fetch a new token, and check the clock (NTP).";
    /// Meant for another service.
    TokenAudience { expected: String = "http://entityid.hjemmel.example/service/terminaladgang/6".into() }, Caller, AfterChange,
        da: "Tokenet er ikke udstedt til denne service ({expected}).", "Hent et token med servicens entity id som AppliesTo.",
        en: "The token was not issued for this service ({expected}).", "Fetch a token with the service's entity id as AppliesTo.";
    /// The caller does not hold the key that the token names.
    HolderOfKey { what: Detail = Detail::new("tokenet har ingen holder-of-key-bekræftelse", "the token has no holder-of-key confirmation") }, Caller, AfterChange,
        da: "Det er ikke godtgjort, at afsenderen råder over tokenets nøgle: {what}.", "Signér beskeden med den nøgle, hvis certifikat står i tokenets SubjectConfirmation.",
        en: "It is not proven that the sender holds the token's key: {what}.", "Sign the message with the key whose certificate stands in the token's SubjectConfirmation.";
    /// An attribute or another part of the token is missing, repeated or unreadable.
    TokenInvalid { what: Detail = Detail::new("CvrNumberIdentifier forekommer to gange", "CvrNumberIdentifier occurs twice") }, Caller, AfterChange,
        da: "Tokenet kan ikke bruges: {what}.", "Hent et nyt token; fortsætter fejlen, så kontakt STS'ens drift.",
        en: "The token cannot be used: {what}.", "Fetch a new token; if the error persists, contact the STS's operators.";
    /// The token gives no privilege for this service and authority.
    PrivilegeMissing { needed: Detail = Detail::new("en rolle for denne service", "a role for this service") }, Caller, AfterChange,
        da: "Tokenet giver ikke den nødvendige rettighed ({needed}) for myndigheden.", "Få rolletildelingen rettet i administrationsmodulet, og hent et nyt token.",
        en: "The token does not give the needed privilege ({needed}) for the authority.", "Have the role assigned in the administration module and fetch a new token.";
    /// The AuthorityContext binding without a client certificate in TLS.
    ClientCertificateMissing, Caller, AfterChange,
        da: "AuthorityContext kræver et klientcertifikat i TLS-forbindelsen, men klienten har ikke fremlagt et certifikat.", "Kald med systemets OCES-certifikat som klientcertifikat.",
        en: "AuthorityContext needs a client certificate in the TLS connection, and none was shown.", "Call with the system's OCES certificate as client certificate.";
    /// The client certificate no longer holds: it ended, was revoked, or lost its CA's trust while the connection lasted.
    ClientCertificateInvalid { what: Detail = Detail::new("det er udløbet", "it has expired") }, Caller, AfterChange,
        da: "Klientcertifikatet i TLS-forbindelsen kan ikke længere godtages: {what}.", "Forny certifikatet, åbn en ny forbindelse med det, og kald igen.",
        en: "The client certificate of the TLS connection no longer holds: {what}.", "Renew the certificate, open a new connection with it, and call again.";
    /// The AuthorityContext is not one CVR number.
    AuthorityContextInvalid { what: Detail = Detail::new("MunicipalityCVR er ikke otte cifre", "MunicipalityCVR is not eight digits") }, Caller, AfterChange,
        da: "AuthorityContext kan ikke bruges: {what}.", "Angiv netop ét MunicipalityCVR på otte cifre.",
        en: "The AuthorityContext cannot be used: {what}.", "Give exactly one MunicipalityCVR of eight digits.";

    == "Replay";

    /// The same message again.
    Replay, Caller, AfterChange,
        da: "En besked med samme MessageID er allerede modtaget.", "Send en ny besked med nyt MessageID, nyt Timestamp og ny signatur.",
        en: "A message with the same MessageID was received before.", "Send a new message with a new MessageID, Timestamp and signature.";
    /// The memory is full: forgetting early would let a replay in, so new messages wait.
    ReplayMemoryFull { seconds: u64 = 30 }, Gateway, Later, http 503,
        da: "Gatewayen kan i øjeblikket ikke registrere flere beskeder og kan derfor ikke udelukke gentagelser.", "Prøv igen om {seconds} sekunder.",
        en: "The gateway cannot keep track of more messages just now and so cannot rule out a replay.", "Try again in {seconds} seconds.";
    /// Created before this node started: whether it is a replay cannot be known.
    CreatedBeforeStart, Caller, Later,
        da: "Beskeden er dannet, før gatewayen senest blev startet, og en gentagelse kan derfor ikke udelukkes.", "Send en ny besked med nyt Timestamp.",
        en: "The message was made before the gateway was last started, so a replay cannot be ruled out.", "Send a new message with a new Timestamp.";

    == "Service agreements";

    /// No agreement on the front side: this system, this authority, this service, this environment.
    ServiceAgreementNotFound, Caller, AfterChange,
        da: "Der er ingen serviceaftale for systemet, myndigheden og servicen i dette miljø.", "Anmod om en serviceaftale, og få myndigheden til at godkende den; kontrollér, at systemet kalder med det certifikat, aftalen er indgået for.",
        en: "There is no service agreement for this system, authority and service in this environment.", "Request a service agreement and have the authority approve it; check that the system calls with the certificate that the agreement is made for.";
    /// There is one, but it does not hold today.
    ServiceAgreementNotActive { state: Detail = Detail::name("SUSPENDERET") }, Caller, AfterChange,
        da: "Serviceaftalen er ikke gældende ({state}).", "Få myndigheden til at godkende eller forny aftalen.",
        en: "The service agreement does not hold (state: {state}).", "Have the authority approve or renew the agreement.";
    /// No agreement on the back side: nobody approved that the data owner's benefits are shown.
    BackAgreementNotFound, Caller, AfterChange,
        da: "Der er ingen godkendt serviceaftale mellem servicen og Ydelsesindekset for myndigheden.", "Få myndigheden til også at godkende indeksaftalen, dvs. serviceaftalen om servicens egen adgang til Ydelsesindekset.",
        en: "There is no approved service agreement between the service and the benefit index for the authority.", "Have the authority approve the agreement on the back side too, that is, the service's own access to the benefit index.";
    /// The authority is neither UDK nor a municipality that is known here.
    AuthorityUnknown, Caller, AfterChange,
        da: "Myndigheden er ikke tilmeldt servicen.", "Få myndigheden tilmeldt, før systemet kalder på dens vegne.",
        en: "The authority is not enrolled with the service.", "Have the authority enrolled before the system calls on its behalf.";
    /// No route says which system receives the call today.
    RouteNotFound { sender: String = "11111111".into(), receiver: String = "99999981".into(), day: jiff::civil::Date = jiff::civil::date(2026, 11, 22), others: Detail = Detail::new("den første begynder 2027-01-01", "the first begins on 2027-01-01") }, Caller, AfterChange,
        da: "Der er ingen rute for servicen fra myndigheden {sender} til myndigheden {receiver} den {day}: {others}.", "Kontrollér den modtagende myndighed i beskeden; er den rigtig, skal myndigheden bestille ruten hos gatewayens drift, som opretter den.",
        en: "The service has no route from authority {sender} to authority {receiver} on {day}: {others}.", "Check the receiving authority in the message; if it is right, that authority must order the route from the gateway's operators, who add it.";
    /// The store does not answer and nothing fresh enough is remembered.
    AgreementsUnavailable, Gateway, Later,
        da: "Serviceaftaler og ruter kan ikke slås op i øjeblikket.", "Prøv igen om lidt.",
        en: "Service agreements and routes cannot be looked up just now.", "Try again shortly.";

    == "The search: person, window, criteria";

    /// What stands in the request is not in the operation's schema.
    RequestInvalid { what: Detail = Detail::new("uventet element Foo i SoegUdtryk", "unexpected element Foo in SoegUdtryk") }, Caller, AfterChange,
        da: "Forespørgslen følger ikke skemaet: {what}.", "Ret forespørgslen efter WSDL'en.",
        en: "The request does not follow the schema: {what}.", "Correct the request by the WSDL.";
    /// Nobody is asked about: the service is no bulk extract.
    PersonMissing, Caller, AfterChange,
        da: "Forespørgslen angiver ingen person.", "Skriv AND(SoegBevillingIndeks med Bevillingspart/ReferenceID = urn:oio:cpr-nr:NNNNNNNNNN, …) øverst i SoegUdtryk.",
        en: "The request names no person.", "Put AND(SoegBevillingIndeks with Bevillingspart/ReferenceID = urn:oio:cpr-nr:NNNNNNNNNN, …) at the top of SoegUdtryk.";
    /// More than one person.
    PersonSeveral, Caller, AfterChange,
        da: "Forespørgslen angiver mere end én person.", "Send ét kald pr. person.",
        en: "The request names more than one person.", "Send one call a person.";
    /// A person, but not where it binds all of the search.
    PersonShape { what: Detail = Detail::new("det yderste udtryk er ikke et AND", "the root is not an AND") }, Caller, AfterChange,
        da: "Personen afgrænser ikke hele søgningen: {what}.", "Skriv AND(SoegBevillingIndeks(person), …); alternativer skrives AND(person, OR(…, …)).",
        en: "The person does not confine the whole search: {what}.", "Write AND(SoegBevillingIndeks(person), …); alternatives are written AND(person, OR(…, …)).";
    /// Another scheme than CPR, which could not be compared in the answer.
    PersonScheme, Caller, AfterChange,
        da: "Personen er ikke angivet med urn:oio:cpr-nr.", "Angiv personen som urn:oio:cpr-nr: fulgt af CPR-nummerets ti cifre.",
        en: "The person is not given as urn:oio:cpr-nr.", "Give the person as urn:oio:cpr-nr: followed by the ten digits of the CPR number.";
    /// No possible CPR number.
    PersonInvalid, Caller, AfterChange,
        da: "CPR-nummeret er ikke ti cifre, der begynder med en mulig dato.", "Ret CPR-nummeret, og send det uden bindestreg.",
        en: "The CPR number is not ten digits that begin with a possible date.", "Correct the CPR number and send it without a hyphen.";
    /// A date constraint reaches outside the window.
    WindowOutside { place: String = "SoegUdtryk/SoegOekonomiskEffektueringIndeks[1]".into(), asked: String = "2025-10-01T00:00:00 – 2026-12-01T00:00:00".into(), allowed: String = "2026-08-01T00:00:00+02:00 – 2026-12-01T00:00:00+01:00".into() }, Caller, AfterChange,
        da: "Dispositionsdatoen i {place} er afgrænset til {asked}, men loven giver kun adgang til {allowed} (sluttidspunktet ikke medregnet).", "Hold afgrænsningen inden for den periode, eller udelad den, så indsætter servicen perioden.",
        en: "The disposition date in {place} is delimited to {asked}, but the law gives access to {allowed} only (the end not included).", "Keep the delimitation within that period, or leave it out and the service inserts the period.";
    /// A bound without an end.
    WindowInfinite { place: String = "SoegUdtryk/SoegOekonomiskEffektueringIndeks[1]".into(), allowed_from: String = "2026-08-01T00:00:00+02:00".into(), allowed_to: String = "2026-12-01T00:00:00+01:00".into() }, Caller, AfterChange,
        da: "Dispositionsdatoen i {place} er ubegrænset i mindst den ene ende.", "Angiv begge grænser: FraTidspunkt tidligst {allowed_from}, TilTidspunkt senest {allowed_to} (ikke medregnet).",
        en: "The disposition date in {place} is unbounded at one end at least.", "Give both bounds: FraTidspunkt {allowed_from} at the earliest, TilTidspunkt {allowed_to} at the latest (not included).";
    /// From is not before To.
    WindowInverted { place: String = "SoegUdtryk/SoegOekonomiskEffektueringIndeks[1]".into() }, Caller, AfterChange,
        da: "FraTidspunkt ligger ikke før TilTidspunkt i {place}.", "Ret grænserne; TilTidspunkt regnes ikke med, så en enkelt dag går fra kl. 00.00 til kl. 00.00 dagen efter.",
        en: "FraTidspunkt is not before TilTidspunkt in {place}.", "Correct the bounds; TilTidspunkt is not included, so one day goes from 00:00 to 00:00 of the next day.";
    /// Dates are given, but a part of the search is left open.
    WindowOpen { place: String = "SoegUdtryk/SoegUdtryk[1]/SoegOekonomiskEffektueringIndeks[2]".into(), allowed: String = "2026-08-01T00:00:00+02:00 – 2026-12-01T00:00:00+01:00".into() }, Caller, AfterChange,
        da: "Søgningen er afgrænset på dispositionsdato, men ikke i {place}.", "Angiv en afgrænsning inden for {allowed} i hvert SoegOekonomiskEffektueringIndeks, eller udelad den alle steder, så indsætter servicen perioden.",
        en: "The search is delimited by disposition date, but not in {place}.", "Put a delimitation within {allowed} into each SoegOekonomiskEffektueringIndeks, or leave it out everywhere and the service inserts the period.";
    /// Criteria that are repeated may be matched each by itself, so each must carry the date.
    WindowApart { place: String = "SoegUdtryk/SoegOekonomiskEffektueringIndeks[1]/AttributListe/Egenskaber[1]".into(), allowed: String = "2026-08-01T00:00:00+02:00 – 2026-12-01T00:00:00+01:00".into() }, Caller, AfterChange,
        da: "Kriterierne i {place} har ikke deres egen dispositionsdato, og servicen kan ikke indsætte en, der afgrænser dem.", "Saml kriterierne i ét SoegEgenskaberLokalUdvidelse uden Egenskaber, eller angiv en dispositionsdato inden for {allowed} i hver af dem.",
        en: "The criteria in {place} have no disposition date of their own, and none can be inserted so that it binds them.", "Gather the criteria in one SoegEgenskaberLokalUdvidelse without Egenskaber, or put a disposition date within {allowed} into each of them.";
    /// A date that cannot be read, or could be read in two ways.
    DateUnreadable { place: String = "DispositionsDatoInterval/FraTidspunkt".into() }, Caller, AfterChange,
        da: "Datoen i {place} kan ikke læses som dateTime.", "Skriv den fx som 2026-08-01T00:00:00+02:00, uden kommentarer eller blanktegn i værdien.",
        en: "The date in {place} cannot be read as a dateTime.", "Write it as 2026-08-01T00:00:00+02:00, say, without comments or spaces in the value.";
    /// A disposition date where it delimits nothing.
    DateMisplaced { place: String = "TilstandListe/LokalUdvidelseListe".into() }, Caller, AfterChange,
        da: "Der står en dispositionsdato i {place}, hvor den ikke afgrænser søgningen.", "Flyt den til AttributListe i SoegOekonomiskEffektueringIndeks.",
        en: "There is a disposition date in {place}, where it does not delimit the search.", "Move it to AttributListe of SoegOekonomiskEffektueringIndeks.";
    /// Time of registration or of effect: the version matched may not be the version returned.
    TemporalCriterion { criterion: String = "SoegVirkning".into() }, Caller, AfterChange,
        da: "Der kan ikke søges på registrerings- eller virkningstid ({criterion}).", "Fjern kriteriet; perioden angives som dispositionsdato.",
        en: "Time of registration or effect cannot be searched on ({criterion}).", "Remove the criterion; the period is given as disposition date.";
    /// A look-up by UUID goes past window and person.
    DirectLookup { element: String = "OekonomiskEffektueringUuid".into() }, Caller, AfterChange,
        da: "Opslag direkte på {element} er ikke tilladt.", "Fjern elementet, og søg på personen.",
        en: "Looking up directly by {element} is not allowed.", "Remove the element and search by the person.";
    /// NOT takes exactly one operand.
    NotArity { place: String = "SoegUdtryk/NOT[1]".into() }, Caller, AfterChange,
        da: "NOT i {place} har ikke netop ét led.", "Giv NOT netop ét led; saml flere led i et SoegUdtryk.",
        en: "NOT in {place} does not have exactly one operand.", "Give NOT exactly one operand; gather several in a SoegUdtryk.";
    /// A criterion on a field that the answer may not show: the hits themselves would tell.
    CriterionWithheld { criterion: Detail = Detail::name("Foelsomhed") }, Caller, AfterChange,
        da: "Der kan ikke søges på {criterion}, da feltet ikke må udleveres.", "Fjern kriteriet.",
        en: "{criterion} cannot be searched on, for the field may not be released.", "Remove the criterion.";
    /// Sorting by a field that the answer may not show.
    SortingWithheld { element: String = "FuldtNavn".into() }, Caller, AfterChange,
        da: "Der kan ikke sorteres på {element}.", "Sortér på Dispositionsdato eller Ydelsesnavn.",
        en: "{element} cannot be sorted by.", "Sort by Dispositionsdato or Ydelsesnavn.";
    /// Paging outside 0..=cap.
    PagingOutside { cap: u64 = 500 }, Caller, AfterChange,
        da: "FoersteResultatReference eller MaksimalAntalKvantitet er ikke et helt tal fra 0 og op, eller der anmodes om flere end {cap} forekomster.", "Anmod om højst {cap} ad gangen.",
        en: "FoersteResultatReference or MaksimalAntalKvantitet is not a whole number from 0 up, or more than {cap} occurrences are asked for.", "Ask for at most {cap} at a time.";
    /// …Inkluder pulls in objects beside the search.
    IncludeRefused { element: String = "BevillingInkluder".into() }, Caller, AfterChange,
        da: "{element} er ikke tilladt i Filter.", "Fjern elementet; brug OekonomiskEffektueringVis til at vælge, hvad svaret skal vise.",
        en: "{element} is not allowed in Filter.", "Remove the element; use OekonomiskEffektueringVis to choose what the answer shall show.";
    /// A KLE number outside what token or agreement gives.
    KleOutside { asked: String = "32.03.04".into() }, Caller, AfterChange,
        da: "KLE-nummeret {asked} ligger uden for det, som token og serviceaftale giver adgang til.", "Søg inden for de KLE-numre, der er givet adgang til, eller udelad KLE.",
        en: "The KLE number {asked} lies outside what token and agreement give access to.", "Search within the KLE numbers that access is given to, or leave KLE out.";

    == "STS and benefit index";

    /// The STS does not answer and no unexpired token is at hand.
    StsUnavailable, Gateway, Later,
        da: "Der er ikke forbindelse til STS'en.", "Prøv igen om lidt.",
        en: "The STS cannot be reached.", "Try again shortly.";
    /// The STS said no to the gateway.
    StsRefused { fault: String = "101".into() }, Gateway, Later,
        da: "STS'en afviste gatewayens anmodning om token (fejlkode {fault}).", "Kontakt gatewayens drift, og oplys Call-id.",
        en: "The STS refused the gateway's request for a token (fault code {fault}).", "Contact the gateway's operators and give the Call-id.";
    /// The STS answered with something that is not the token asked for, or that it did not sign.
    StsAnswerInvalid, Gateway, Later,
        da: "STS'ens svar kan ikke bruges.", "Prøv igen; fortsætter fejlen, så kontakt gatewayens drift, og oplys Call-id.",
        en: "The answer of the STS cannot be used.", "Try again; if the error persists, contact the gateway's operators and give the Call-id.";
    /// Something else answers at the STS's address: a web server's page, a redirect.
    StsNotSoap { status: u16 = 404 }, Gateway, Later,
        da: "STS'ens adresse svarer med HTTP {status} og ikke med en SOAP-besked.", "Prøv igen; fortsætter fejlen, så kontakt gatewayens drift, og oplys Call-id; kalder du selv STS'en, så ret adressen.",
        en: "The address of the STS answers with HTTP {status} and not with a SOAP message.", "Try again; if the error persists, contact the gateway's operators and give the Call-id; if you call the STS yourself, correct the address.";
    /// No connection to the index, or it broke.
    PeerUnavailable, Gateway, Later,
        da: "Der er ikke forbindelse til Ydelsesindekset.", "Prøv igen om lidt.",
        en: "The benefit index cannot be reached.", "Try again shortly.";
    /// No whole answer within the deadline.
    PeerTimeout { seconds: u64 = 30 }, Gateway, Later,
        da: "Ydelsesindekset havde ikke afgivet et fuldstændigt svar efter {seconds} sekunder.", "Prøv igen om lidt.",
        en: "The benefit index had not answered in full after {seconds} seconds.", "Try again shortly.";
    /// The circuit breaker is open: the index failed lately and is left alone for a while.
    PeerResting { seconds: u64 = 5 }, Gateway, Later, http 503,
        da: "Ydelsesindekset har svigtet gentagne gange og kaldes ikke i øjeblikket.", "Prøv igen om {seconds} sekunder.",
        en: "The benefit index has failed repeatedly and is left alone for now.", "Try again in {seconds} seconds.";
    /// The index answered with a fault.
    PeerFault, Gateway, Later,
        da: "Ydelsesindekset svarede med en fejl.", "Prøv igen; fortsætter fejlen, så kontakt gatewayens drift, og oplys Call-id.",
        en: "The benefit index answered with a fault.", "Try again; if the error persists, contact the gateway's operators and give the Call-id.";
    /// The index answered something that is not an answer: wrong type, malformed, truncated, unknown root, wrong relation.
    PeerAnswerInvalid, Gateway, Later,
        da: "Ydelsesindeksets svar er ikke gyldigt og kan ikke bruges.", "Prøv igen; fortsætter fejlen, så kontakt gatewayens drift, og oplys Call-id.",
        en: "The benefit index's answer is not a valid answer and cannot be used.", "Try again; if the error persists, contact the gateway's operators and give the Call-id.";
    /// The index's signature on its answer does not verify.
    PeerSignatureInvalid, Gateway, Later,
        da: "Signaturen på Ydelsesindeksets svar kan ikke verificeres.", "Prøv igen; fortsætter fejlen, så kontakt gatewayens drift, og oplys Call-id.",
        en: "The signature of the benefit index's answer does not verify.", "Try again; if the error persists, contact the gateway's operators and give the Call-id.";

    == "The answer";

    /// It could not be proven that an object concerns the person asked about.
    PersonUnproven, Gateway, AfterChange,
        da: "Det kan ikke godtgøres, at alle fundne ydelser vedrører personen.", "Indskrænk søgningen (kortere periode eller færre KLE-numre), så bevillingerne kommer med på samme side; hjælper det ikke, så kontakt gatewayens drift, og oplys Call-id.",
        en: "It cannot be proven that every benefit found concerns the person.", "Narrow the search (a shorter period or fewer KLE numbers), so that the grants come on the page; if that does not help, contact the gateway's operators and give the Call-id.";
    /// What may be released passes the limit of one answer.
    AnswerTooLarge { limit: usize = 8388608 }, Gateway, AfterChange,
        da: "Svaret ville blive større end {limit} byte.", "Indskrænk søgningen (kortere periode, færre KLE-numre eller mindre sider).",
        en: "The answer would be larger than {limit} bytes.", "Narrow the search (a shorter period, fewer KLE numbers or smaller pages).";

    == "The gateway itself";

    /// The audit record cannot be made durable: without it nothing is forwarded.
    AuditUnavailable, Gateway, Later,
        da: "Kaldet kan ikke registreres i loggen og gennemføres derfor ikke.", "Prøv igen om lidt.",
        en: "The call cannot be recorded and is therefore not carried out.", "Try again shortly.";
    /// A fault of the gateway's own.
    Internal, Gateway, Later,
        da: "Der er sket en intern fejl i gatewayen.", "Prøv igen; fortsætter fejlen, så kontakt gatewayens drift, og oplys Call-id.",
        en: "An internal error occurred in the gateway.", "Try again; if the error persists, contact the gateway's operators and give the Call-id.";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(refusal: &Refusal) -> [String; 6] {
        let Entry { da, en, .. } = refusal.entry();
        [da.what, da.consequence, da.remedy, en.what, en.consequence, en.remedy]
    }

    #[test]
    fn every_code_is_its_own_because_callers_act_on_it() {
        let mut codes: Vec<_> = Refusal::every().iter().map(Refusal::code).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
        assert!(count > 50, "the table is there: {count}");
    }

    #[test]
    fn every_text_is_whole_sentences_with_its_values_filled_in() {
        for refusal in Refusal::every() {
            for text in texts(&refusal) {
                assert!(text.ends_with('.') && text.len() > 10, "{}: {text:?}", refusal.code());
                assert!(!text.contains(['{', '}']) || refusal.code() == "MustUnderstand", "{}: {text:?}", refusal.code());
                assert!(!text.contains("  "), "{}: {text:?}", refusal.code());
            }
        }
    }

    #[test]
    fn danish_and_english_say_it_in_their_own_words_but_with_the_same_values() {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        for refusal in Refusal::every() {
            let Entry { da, en, .. } = refusal.entry();
            assert_ne!(da.what, en.what, "{}", refusal.code());
            assert_ne!(da.remedy, en.remedy, "{}", refusal.code());
            assert_eq!(digits(&da.what), digits(&en.what), "{}", refusal.code());
        }
    }

    #[test]
    fn a_danish_text_quotes_nothing_and_tells_its_details_in_danish() {
        for refusal in Refusal::every() {
            let Entry { da, en, .. } = refusal.entry();
            assert!(!da.what.contains(['»', '«']), "{}: {}", refusal.code(), da.what);
            // Words that no Danish sentence has, and no name of the field.
            for english in [" the ", " is ", " it ", " has ", " of ", " not ", " an "] {
                assert!(!da.what.contains(english) && !da.remedy.contains(english), "{}: {}", refusal.code(), da.what);
            }
            // One word for each thing: kuvert, signatur, indeksaftale.
            for other in ["konvolut", "underskr", "forside", "bagside"] {
                assert!(!da.what.contains(other) && !da.remedy.contains(other), "{}: {}", refusal.code(), da.what);
            }
            for danish in [" er ", " og ", " ikke ", " det ", " af "] {
                assert!(!en.what.contains(danish) && !en.remedy.contains(danish), "{}: {}", refusal.code(), en.what);
            }
        }
    }

    #[test]
    fn a_name_is_one_word_so_that_a_sentence_cannot_stand_in_for_both_languages() {
        assert_eq!(Detail::name("Foelsomhed").da(), "Foelsomhed");
        assert_eq!(Detail::name("it has expired").da(), "it");
    }

    #[test]
    fn a_clock_is_ahead_or_behind_and_never_minus() {
        let refusal = |ahead| Refusal::TimestampOutside {
            theirs: "2026-11-22T12:09:59Z".into(),
            ours: "2026-11-22T12:00:00Z".into(),
            difference: Detail::seconds_apart(ahead),
            allowed: 60,
        };
        let ahead = refusal(599).entry();
        assert!(ahead.en.what.contains("the message's time is 599 seconds ahead, and at most 60 seconds"), "{}", ahead.en.what);
        assert!(ahead.da.what.contains("beskedens tidspunkt er 599 sekunder foran, og højst 60 sekunders"), "{}", ahead.da.what);
        let behind = refusal(-600).entry();
        assert!(behind.en.what.contains("600 seconds behind") && behind.da.what.contains("600 sekunder bagud"));
        assert!(!behind.en.what.contains("-6") && !behind.da.what.contains("-6"));
    }

    #[test]
    fn the_error_text_tells_what_consequence_remedy_retry_and_call_id_in_that_order() {
        let entry = Refusal::PeerResting { seconds: 5 }.entry();
        assert_eq!(
            entry.error_text_da("7f3c"),
            "Ydelsesindekset har svigtet gentagne gange og kaldes ikke i øjeblikket. Kaldet kunne ikke gennemføres; ingen \
             oplysninger er udleveret. Prøv igen om 5 sekunder. Kaldet kan sendes igen som en ny besked. Call-id: 7f3c"
        );
        assert_eq!(
            Refusal::PersonMissing.entry().error_text_en("7f3c"),
            "The request names no person. The call was refused; nothing was forwarded and no data was released. Put \
             AND(SoegBevillingIndeks with Bevillingspart/ReferenceID = urn:oio:cpr-nr:NNNNNNNNNN, …) at the top of \
             SoegUdtryk. Call-id: 7f3c"
        );
    }

    #[test]
    fn a_value_as_long_as_a_message_neither_blows_the_fault_up_nor_hides_remedy_and_call_id() {
        let entry = Refusal::SecurityModelMissing { supported: "x\n\t ".repeat(100_000) }.entry();
        for text in [entry.error_text_da("7f3c"), entry.error_text_en("7f3c")] {
            assert!(text.chars().count() <= 2_000);
            assert!(text.contains("(mTLS).") && text.ends_with(" Call-id: 7f3c"), "{text}");
            assert!(!text.contains(['\n', '\t']) && !text.contains("  "));
        }
        let long = Refusal::TokenAudience { expected: "æ".repeat(9_999) }.entry().error_text_da(&"7".repeat(9_999));
        assert!(long.chars().count() <= 2_000);
    }

    /// `docs/faults.md`, as it must be.
    fn faults_md() -> String {
        let mut page = String::from(
            "# Faults\n\n\
             <!-- Generated from src/refusal.rs: UPDATE_DOCS=1 cargo test --lib refusal -->\n\n\
             A refused call is answered with a SOAP fault whose detail holds a `ServiceplatformFault` with two `Error` \
             elements: the same `ErrorCode` twice, the `ErrorText` first in Danish, then in English. The text tells what \
             was wrong, what follows from it, what to do, and ends with the call's id (`Call-id`), by which the operators \
             find the call. A program acts on the code, which never changes its meaning.\n\n\
             *Whose*: the **caller** can mend it (fault code `Sender`, in SOAP 1.1 `Client`), or the **gateway** or what \
             stands behind it failed (`Receiver`, `Server`). *Again*: whether to send the call again **later** as it is \
             (as a new message), or only after a **change**. *HTTP*: the status where it is not that of a fault, which is 500. \
             SOAP 1.2 gives a fault of the sender's 400 (part 2, table 20); here that is a setting of the gateway's, \
             `[service] sender_fault_status`, and 500 where it is not set: Apache CXF does not read a body that comes with 400 \
             unless it is told to, and shows \"Could not send Message\" in place of the fault. Names, dates and numbers in the texts below are samples; each text is followed by its remedy.\n",
        );
        let mut group = "";
        for entry in Refusal::every().iter().map(Refusal::entry) {
            if entry.group != group {
                group = entry.group;
                page +=
                    &format!("\n## {group}\n\n| Code | Whose | HTTP | Again | Dansk | English |\n|---|---|---|---|---|---|\n");
            }
            let whose = match entry.party {
                Party::Caller => "caller",
                Party::Gateway => "gateway",
            };
            let again = match entry.retry {
                Retry::AfterChange => "change",
                Retry::Later => "later",
            };
            let http = entry.http.map_or("–".to_owned(), |status| status.to_string());
            let cell = |text: &Text| format!("{} *{}*", text.what, text.remedy).replace('|', "\\|").replace('<', "&lt;");
            page += &format!("| `{}` | {whose} | {http} | {again} | {} | {} |\n", entry.code, cell(&entry.da), cell(&entry.en));
        }
        page
    }

    #[test]
    fn the_documentation_of_the_faults_is_that_of_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/faults.md");
        let page = faults_md();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let on_disk = std::fs::read_to_string(path).unwrap_or_default();
        assert!(on_disk == page, "docs/faults.md is stale. Write it anew with: UPDATE_DOCS=1 cargo test --lib refusal");
    }
}
