//! What HTTP itself shows: method, host, size, time.

macro_rules! http {
    ([$next:ident $($then:ident)*] $($table:tt)*) => { $next! { [$($then)*] $($table)*

    == "HTTP";

    /// Another HTTP method than POST (or GET for the contract).
    MethodNotAllowed, Caller, AfterChange, Administrator, http 405,
        da: "Servicen findes på adressen, men kan ikke kaldes med denne HTTP-metode.", "Brug POST til kald og GET med ?wsdl til kontrakten.",
        en: "The service is here, but the HTTP method cannot be used so.", "Use POST for calls and GET with ?wsdl for the contract.";
    /// HTTP without TLS on the port of TLS.
    HttpsRequired, Caller, AfterChange, Administrator, http 400,
        da: "Forespørgslen er sendt som HTTP uden TLS, men servicen modtager kun HTTPS.", "Brug https:// i adressen.",
        en: "The request came as HTTP without TLS, and only HTTPS is spoken here.", "Use https:// in the address.";
    /// More than one Host, or one that differs from the address asked for.
    HostAmbiguous, Caller, AfterChange, Administrator, http 400,
        da: "Det fremgår ikke entydigt af forespørgslen, hvilken vært den er rettet til.", "Send netop ét Host-felt, der svarer til adressen.",
        en: "The request does not say without doubt which host it is for.", "Send exactly one Host field, equal to the address.";
    /// No service at this path.
    NoSuchService, Caller, AfterChange, Administrator, http 404,
        da: "Der er ingen service på denne adresse.", "Ret adressen; servicens sti fremgår af dens WSDL.",
        en: "There is no service at this address.", "Correct the address; the service's path stands in its WSDL.";
    /// A MIME type that is not SOAP's, multipart included.
    MediaTypeRefused, Caller, AfterChange, Administrator, http 415,
        da: "Content-Type er ikke en indholdstype for SOAP.", "Send text/xml (SOAP 1.1) eller application/soap+xml (SOAP 1.2) i UTF-8 og uden vedhæftede filer.",
        en: "The Content-Type is not one of SOAP's.", "Send text/xml (SOAP 1.1) or application/soap+xml (SOAP 1.2) in UTF-8 and without attachments.";
    /// A compressed or otherwise coded body.
    ContentCodingRefused, Caller, AfterChange, Administrator, http 415,
        da: "Komprimeret eller på anden måde kodet indhold modtages ikke.", "Send beskeden uden Content-Encoding.",
        en: "Compressed or otherwise coded content is not accepted.", "Send the message without Content-Encoding.";
    /// The body passes the size limit.
    BodyTooLarge { limit: usize = 1048576 }, Caller, AfterChange, Administrator, http 413,
        da: "Beskeden er større end {limit} byte.", "Send en mindre besked.",
        en: "The message is larger than {limit} bytes.", "Send a smaller message.";
    /// The body did not arrive in time.
    BodyTimeout { seconds: u64 = 10 }, Caller, Later, Administrator, http 408,
        da: "Beskeden var ikke modtaget efter {seconds} sekunder.", "Send kaldet igen over en hurtigere forbindelse.",
        en: "The message had not arrived after {seconds} seconds.", "Send the call again over a faster connection.";
    /// The connection broke while the body was read.
    BodyIncomplete, Caller, Later, Administrator, http 400,
        da: "Forbindelsen blev afbrudt, før hele beskeden var modtaget.", "Send kaldet igen.",
        en: "The message was cut off on its way.", "Send the call again.";
    /// All places are taken, or the node is being drained.
    Overloaded { seconds: u64 = 1 }, Gateway, Later, Operations, http 503, after *seconds,
        da: "Gatewayen kan ikke behandle flere samtidige kald.", "Prøv igen om {seconds} sekund(er).",
        en: "The gateway has no room for more calls at once.", "Try again in {seconds} second(s).";

    } };
}
