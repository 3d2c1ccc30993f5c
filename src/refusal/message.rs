//! The message as XML and as SOAP, and whether it follows the service's schema.

macro_rules! message {
    ([$next:ident $($then:ident)*] $($table:tt)*) => { $next! { [$($then)*] $($table)*

    == "The message: XML and SOAP";

    /// Not well-formed, or outside the strict subset.
    MalformedXml { offset: usize = 17, reason: Detail = Detail::new("dokumentet slutter midt i et element", "the document ends inside an element") }, Caller, AfterChange, Administrator,
        da: "Beskeden er ikke velformet XML (byte {offset}: {reason}).", "Ret beskeden, og send den i UTF-8 uden DTD.",
        en: "The message is not well-formed XML (byte {offset}: {reason}).", "Correct the message and send it in UTF-8 without a DTD.";
    /// A document type declaration: entities, bombs and silent ids live there.
    DtdRefused, Caller, AfterChange, Administrator,
        da: "Beskeden indeholder en DTD (DOCTYPE), hvilket SOAP ikke tillader.", "Fjern DOCTYPE-erklæringen.",
        en: "The message has a DTD (DOCTYPE), which SOAP forbids.", "Remove the DOCTYPE declaration.";
    /// A processing instruction anywhere.
    ProcessingInstructionRefused, Caller, AfterChange, Administrator,
        da: "Beskeden indeholder en behandlingsinstruktion (<?…?>), hvilket SOAP ikke tillader.", "Fjern den; kun en XML-erklæring må stå forrest.",
        en: "The message has a processing instruction (<?…?>), which SOAP forbids.", "Remove it; only an XML declaration may stand first.";
    /// Not UTF-8, by its bytes, its declaration or the Content-Type.
    EncodingRefused, Caller, AfterChange, Administrator,
        da: "Beskeden er ikke kodet i UTF-8.", "Send den i UTF-8, og angiv ikke et andet tegnsæt i XML-erklæringen eller Content-Type.",
        en: "The message is not in UTF-8.", "Send it in UTF-8, and declare no other character set in the XML declaration or Content-Type.";
    /// Deeper, wider or longer than any honest message.
    XmlTooComplex { what: Detail = Detail::new("elementernes dybde", "element depth"), limit: usize = 64 }, Caller, AfterChange, Administrator,
        da: "Beskeden overskrider en grænse for XML ({what}: højst {limit}).", "Send en enklere besked.",
        en: "The message passes a limit for XML ({what}: at most {limit}).", "Send a simpler message.";
    /// A comment in a signed message, or inside a value: readers disagree about what it leaves.
    CommentRefused { place: Detail = Detail::new("den signerede besked", "the signed message") }, Caller, AfterChange, Administrator,
        da: "Der står en XML-kommentar, hvor kommentarer ikke er tilladt ({place}).", "Fjern kommentaren; er beskeden signeret, så signér den igen.",
        en: "There is an XML comment where none may be ({place}).", "Remove the comment; if the message is signed, sign it again.";
    /// The root is no SOAP envelope of a known version.
    NotSoap, Caller, AfterChange, Administrator,
        da: "Beskeden er ikke en SOAP-kuvert (Envelope) af version 1.1 eller 1.2.", "Brug navnerummet http://schemas.xmlsoap.org/soap/envelope/ (1.1) eller http://www.w3.org/2003/05/soap-envelope (1.2).",
        en: "The message is not a SOAP envelope of version 1.1 or 1.2.", "Use the namespace http://schemas.xmlsoap.org/soap/envelope/ (1.1) or http://www.w3.org/2003/05/soap-envelope (1.2).";
    /// The envelope is of the other version of SOAP than the Content-Type.
    ContentTypeMismatch { said: &'static str = "application/soap+xml", envelope: &'static str = "SOAP 1.1", right: &'static str = "text/xml" }, Caller, AfterChange, Administrator,
        da: "Content-Type er {said}, men beskeden er en kuvert (Envelope) i {envelope}.", "Send beskeden med Content-Type {right}, eller dan kuverten i den anden SOAP-version.",
        en: "The Content-Type is {said}, but the message is an envelope of {envelope}.", "Send the message with Content-Type {right}, or build the envelope in the other version of SOAP.";
    /// Header, Body or their children are not where SOAP puts them.
    EnvelopeStructure { what: Detail = Detail::new("to Body-elementer", "two Body elements") }, Caller, AfterChange, Administrator,
        da: "SOAP-kuverten er ikke opbygget korrekt: {what}.", "Send højst én Header og netop én Body med ét element.",
        en: "The SOAP envelope is not built rightly: {what}.", "Send at most one Header and exactly one Body with one element.";
    /// A header demands to be understood and is not.
    MustUnderstand { headers: QNames = QNames::from_iter([("urn:example", "Transaction")]) }, Caller, AfterChange, Administrator,
        da: "Gatewayen kender ikke disse headere, som er markeret mustUnderstand: {headers}.", "Fjern headerne, eller fjern deres mustUnderstand.",
        en: "The gateway does not know these headers, which are marked mustUnderstand: {headers}.", "Remove each of them or its mustUnderstand.";
    /// A part is written by the rules of an encodingStyle.
    DataEncodingUnknown { place: String = "Envelope".into() }, Caller, AfterChange, Administrator,
        da: "{place} er kodet efter regler (encodingStyle), som gatewayen ikke kender.", "Send beskeden som document/literal uden encodingStyle.",
        en: "{place} is encoded by rules (encodingStyle) that the gateway does not know.", "Send the message as document/literal without encodingStyle.";
    /// A WS-Addressing header is missing, repeated or not as the profile wants it.
    AddressingInvalid { what: Detail = Detail::new("MessageID mangler", "MessageID is missing") }, Caller, AfterChange, Administrator,
        da: "WS-Addressing-headerne opfylder ikke kravene: {what}.", "Ret dem, så de følger SOAP-profilen i OIO IDWS.",
        en: "The WS-Addressing headers are not as they must be: {what}.", "Correct them by the OIO IDWS SOAP profile.";
    /// Action, SOAPAction, Content-Type and body do not name one and the same operation.
    ActionMismatch { what: Detail = Detail::new("SOAPAction er urn:another, men skal være http://kombit.dk/sts/ydelseindeks/fremsoeg", "SOAPAction is urn:another, but must be http://kombit.dk/sts/ydelseindeks/fremsoeg") }, Caller, AfterChange, Administrator,
        da: "Action (SOAPAction, Content-Type eller wsa:Action) og beskedens indhold angiver ikke den samme operation: {what}.", "Brug den soapAction, som WSDL'en angiver for operationen.",
        en: "The action (SOAPAction, Content-Type or wsa:Action) and the message's content do not name the same operation: {what}.", "Use the soapAction that the WSDL gives for the operation.";
    /// Any operation but those of the service.
    OperationUnknown { operations: String = "fremsoeg".into() }, Caller, AfterChange, Administrator,
        da: "Servicen udbyder ikke den kaldte operation.", "Kald en operation, som WSDL'en beskriver: {operations}.",
        en: "The service does not offer the operation.", "Call an operation that the WSDL describes: {operations}.";
    /// What stands in the request is not in the operation's schema.
    RequestInvalid { what: Detail = Detail::new("uventet element Foo i SoegUdtryk", "unexpected element Foo in SoegUdtryk") }, Caller, AfterChange, Administrator,
        da: "Forespørgslen følger ikke skemaet: {what}.", "Ret forespørgslen efter WSDL'en.",
        en: "The request does not follow the schema: {what}.", "Correct the request by the WSDL.";

    } };
}
