//! What `/api/v1` refuses, as problems (RFC 9457) and on the command line.

use super::{Detail, Entry, Table, refusals};

refusals! { []
    /// Every refusal of the API. None of them has changed anything.
    pub enum ApiRefusal;

    == "The API";

    /// Nothing is at this path.
    ApiPathUnknown, Caller, AfterChange, Administrator, http 404,
        da: "Der er intet på denne adresse.", "Find adressen i /openapi.json.",
        en: "There is nothing at this address.", "Find the address in /openapi.json.";
    /// The path is there, but not with this method.
    ApiMethodNotAllowed, Caller, AfterChange, Administrator, http 405,
        da: "HTTP-metoden kan ikke bruges på denne adresse.", "Brug en af de metoder, som svarets felt Allow nævner.",
        en: "The HTTP method cannot be used at this address.", "Use one of the methods that the answer's Allow field names.";
    /// There is none with this id, or it is another's: the two are not told apart.
    ApiNotFound { what: Detail = Detail::new("serviceaftale", "service agreement") }, Caller, AfterChange, Administrator, http 404,
        da: "Der er ingen {what} med dette id, som brugeren har adgang til.", "Kontrollér id'et, og at brugeren hører til den rette myndighed eller leverandør.",
        en: "There is no {what} with this id that the user may see.", "Check the id, and that the user belongs to the right authority or supplier.";
    /// The certificate that TLS accepted no longer holds.
    ApiCertificateRefused { what: Detail = Detail::new("det er spærret", "it is revoked") }, Caller, AfterChange, Administrator, http 403,
        da: "Klientcertifikatet kan ikke bruges: {what}.", "Brug et certifikat, der gælder; driften tilknytter det brugeren.",
        en: "The client certificate cannot be used: {what}.", "Use a certificate that holds; the operators add it to the user.";
    /// The certificate belongs to no user.
    ApiUserUnknown, Caller, AfterChange, Administrator, http 403,
        da: "Klientcertifikatet hører ikke til nogen bruger.", "Bed gatewayens drift om at oprette brugeren med certifikatet.",
        en: "The client certificate belongs to no user.", "Ask the gateway's operators to add the user with the certificate.";
    /// The user's time is over, or has not begun.
    ApiUserNotActive, Caller, AfterChange, Administrator, http 403,
        da: "Brugeren er afsluttet eller gælder ikke endnu.", "Bed gatewayens drift om at oprette brugeren på ny, hvis adgangen skal bestå.",
        en: "The user has ended, or does not hold yet.", "Ask the gateway's operators to add the user anew if access is to go on.";
    /// None of the user's roles may do it.
    ApiNotAllowed { action: Detail = Detail::new("godkende serviceaftaler", "approve service agreements") }, Caller, AfterChange, Administrator, http 403,
        da: "Brugerens roller giver ikke ret til at {action}.", "Få en bruger med en rolle, der må det, til at gøre det; /api/v1/whoami viser rollerne.",
        en: "The user's roles give no right to {action}.", "Have it done by a user in a role that may; /api/v1/whoami shows the roles.";
    /// A system tried what takes a person.
    ApiPersonRequired { action: Detail = Detail::new("godkende serviceaftaler", "approve service agreements") }, Caller, AfterChange, Administrator, http 403,
        da: "Brugeren er et system, og kun en person kan {action}.", "Lad en person gøre det med sit eget certifikat.",
        en: "The user is a system, and only a person can {action}.", "Have a person do it with a certificate of their own.";
    /// It would be done for an authority or a service that the user does not act for.
    ApiOtherParty, Caller, AfterChange, Administrator, http 403,
        da: "Brugeren handler ikke for denne myndighed og denne service.", "Angiv brugerens egen myndighed og en service, som brugerens rolle omfatter.",
        en: "The user does not act for this authority and this service.", "Name the user's own authority, and a service that the user's role covers.";
    /// Who created it cannot approve it.
    ApiCreatorApproves { or: Detail = Detail::new("; er brugerne … og … to personer, så bed gatewayens drift om at skrive det ned med begge id'er (hjemmel user distinct)", "; if users … and … are two persons, ask the gateway's operators to write that down by both ids (hjemmel user distinct)") }, Caller, AfterChange, Administrator, http 403,
        da: "Den, der har oprettet anmodningen, kan ikke selv godkende den, heller ikke med en anden bruger af samme navn.", "Få en anden person til at godkende{or}.",
        en: "Whoever created the request cannot approve it, nor by another user of the same name.", "Have another person approve it{or}.";
    /// No authenticated person stands behind the request.
    ApiCreatorUnknown, Caller, AfterChange, Administrator, http 409,
        da: "Der står ingen kendt person bag anmodningen, og en godkendelse kræver to.", "Anmod om aftalen på ny som person, og træk denne anmodning tilbage.",
        en: "No known person stands behind the request, and an approval takes two.", "Request the agreement anew as a person, and withdraw this request.";
    /// Who brought it in cannot publish it.
    ApiImporterPublishes { or: Detail = Detail::new("; er brugerne … og … to personer, så bed gatewayens drift om at skrive det ned med begge id'er (hjemmel user distinct)", "; if users … and … are two persons, ask the gateway's operators to write that down by both ids (hjemmel user distinct)") }, Caller, AfterChange, Administrator, http 403,
        da: "Den, der har importeret sortimentet, kan ikke selv offentliggøre det, heller ikke med en anden bruger af samme navn.", "Få en anden person til at offentliggøre det{or}.",
        en: "Whoever imported the value list cannot publish it, nor by another user of the same name.", "Have another person publish it{or}.";
    /// No authenticated person stands behind the draft.
    ApiImporterUnknown, Caller, AfterChange, Administrator, http 409,
        da: "Der står ingen kendt person bag udkastet, og en offentliggørelse kræver to.", "Importér sortimentet på ny som person, og få en anden til at offentliggøre det.",
        en: "No known person stands behind the draft, and a publication takes two.", "Import the value list anew as a person, and have another publish it.";
    /// A suspension by another whom the user does not stand above.
    ApiSuspendedAbove, Caller, AfterChange, Administrator, http 403,
        da: "Aftalen, eller en anden om de samme kald, er suspenderet af en anden, som brugeren ikke står over.", "Få den, der suspenderede, eller en over denne til at genoptage aftalen.",
        en: "The agreement, or another of the same calls, was suspended by somebody whom the user does not stand above.", "Have it resumed by whoever suspended it, or by one who stands above.";
    /// A notice that another gave whom the user does not stand above.
    ApiNoticeOfAnother, Caller, AfterChange, Administrator, http 403,
        da: "Aftalen er opsagt af en anden, som brugeren ikke står over.", "Få den, der opsagde, eller en over denne til at trække opsigelsen tilbage.",
        en: "Notice was given by somebody whom the user does not stand above.", "Have it taken back by whoever gave it, or by one who stands above.";
    /// A change without If-Match.
    ApiPreconditionMissing, Caller, AfterChange, Administrator, http 428,
        da: "Ændringen har intet If-Match-felt.", "Hent det, der skal ændres, og send dets ETag i If-Match.",
        en: "The change has no If-Match field.", "Get what is to be changed, and send its ETag in If-Match.";
    /// It is not what it was.
    ApiPreconditionFailed, Caller, AfterChange, Administrator, http 412,
        da: "Det, der skal ændres, er ændret, siden det blev hentet.", "Hent det igen, se på det, og beslut på ny.",
        en: "What is to be changed has changed since it was read.", "Get it again, look at it, and decide anew.";
    /// The digest is not of the text that is shown.
    ApiShownDiffers, Caller, AfterChange, Administrator, http 409,
        da: "Fingeraftrykket i shown er ikke af den tekst, der nu vises.", "Hent det, der besluttes om, vis teksten for den, der beslutter, og send text_sha256 i shown.",
        en: "The digest in shown is not of the text that is now shown.", "Get what is decided on, show the text to whoever decides, and send text_sha256 in shown.";
    /// Not from this state.
    ApiTransition { from: Detail = Detail::name("OPSAGT"), to: Detail = Detail::name("GODKENDT") }, Caller, AfterChange, Administrator, http 409,
        da: "Aftalen er {from} og kan ikke blive {to}.", "Anmod om en ny aftale, eller vælg en beslutning, som tilstanden tillader.",
        en: "The agreement is {from} and cannot become {to}.", "Request a new agreement, or choose a decision that the state allows.";
    /// The service takes no new agreements.
    ApiServiceLocked { service: String = "3053ec89-31fe-4206-878b-bba6783d7a88".into() }, Caller, AfterChange, Administrator, http 409,
        da: "Servicen {service} er låst: der kan ikke anmodes om nye aftaler.", "De aftaler, der er, fortsætter; spørg servicens ejer, hvad der afløser den.",
        en: "The service {service} is locked: no new agreements can be requested.", "Those that there are go on; ask the service's owner what follows it.";
    /// A draft that is not finished, or wrong.
    ApiRequestUnfinished { fields: Detail = Detail::new("name: det mangler", "name: it is missing") }, Caller, AfterChange, Administrator, http 422,
        da: "Anmodningen kan ikke sendes endnu: {fields}.", "Ret kladden, og send den igen; intet er gået tabt.",
        en: "The request cannot be sent yet: {fields}.", "Correct the draft, and send it again; nothing was lost.";
    /// Sooner than the terms allow.
    ApiNoticeTooShort { earliest: String = "2027-06-01T00:00:00+02:00".into() }, Caller, AfterChange, Administrator, http 422,
        da: "Aftalen kan tidligst ophøre {earliest}: servicen har binding eller opsigelsesvarsel.", "Vælg et senere tidspunkt, eller suspendér aftalen, hvis adgangen skal stoppes nu.",
        en: "The agreement can end on {earliest} at the earliest: the service has a binding period or a notice period.", "Choose a later instant, or suspend the agreement if access must stop now.";
    /// It contradicts what is there.
    ApiConflict { what: Detail = Detail::new("id'et er i brug", "the id is in use") }, Caller, AfterChange, Administrator, http 409,
        da: "Ændringen strider mod det, der er der: {what}.", "Ret ændringen, eller ret først det, der er i vejen.",
        en: "The change contradicts what is there: {what}.", "Correct the change, or first what is in its way.";
    /// The same key with another request.
    ApiKeyReused, Caller, AfterChange, Administrator, http 422,
        da: "Idempotency-Key er brugt før til en anden forespørgsel.", "Brug en ny nøgle til hver forespørgsel, og den samme kun, når den samme sendes igen.",
        en: "The Idempotency-Key was used before for another request.", "Use a new key for each request, and the same only to send the same again.";
    /// The first request with this key has no answer yet.
    ApiKeyPending, Caller, Later, Administrator, http 409, after 2,
        da: "Den første forespørgsel med denne Idempotency-Key er ikke besvaret endnu.", "Prøv igen om lidt; bliver den aldrig besvaret, så se efter, om den er udført, og brug en ny nøgle.",
        en: "The first request with this Idempotency-Key has not been answered yet.", "Try again shortly; if it never is, look whether it was carried out, and use a new key.";
    /// A person was erased since the import with this key.
    ApiKeyErased, Caller, AfterChange, Administrator, http 409,
        da: "En person er slettet, siden importen med denne Idempotency-Key kom, og dens svar opbevares ikke længere; intet er importeret igen.", "Send personerne igen med en ny nøgle, uden dem, der er slettet; de øvrige besvares med UAENDRET.",
        en: "A person was erased since the import with this Idempotency-Key came, and its answer is no longer kept; nothing was imported again.", "Send the persons again with a new key, without those who were erased; the others are answered UAENDRET.";
    /// A key that is none.
    ApiKeyInvalid, Caller, AfterChange, Administrator, http 400,
        da: "Idempotency-Key er ikke 1 til 64 tegn af A-Z, a-z, 0-9, - og _.", "Brug fx en UUID.",
        en: "The Idempotency-Key is not 1 to 64 of A-Z, a-z, 0-9, - and _.", "Use a UUID, say.";
    /// A cursor of another list, or made up.
    ApiCursorInvalid, Caller, AfterChange, Administrator, http 400,
        da: "Markøren i after hører ikke til denne liste med disse filtre.", "Brug next fra den forrige side uændret, eller begynd forfra uden after.",
        en: "The cursor in after is not of this list with these filters.", "Use next from the page before as it is, or begin anew without after.";
    /// A parameter of the query.
    ApiQueryInvalid { parameter: String = "limit".into(), what: Detail = Detail::new("skal være 1 til 200", "must be 1 to 200") }, Caller, AfterChange, Administrator, http 400,
        da: "Parameteren {parameter} kan ikke bruges: {what}.", "Ret den efter /openapi.json.",
        en: "The parameter {parameter} cannot be used: {what}.", "Correct it by /openapi.json.";
    /// A header field.
    ApiHeaderInvalid { field: String = "If-Match".into() }, Caller, AfterChange, Administrator, http 400,
        da: "Feltet {field} kan ikke læses.", "Ret det efter /openapi.json.",
        en: "The field {field} cannot be read.", "Correct it by /openapi.json.";
    /// A body that is no JSON, or CSV.
    ApiBodyUnreadable { place: Detail = Detail::new("linje 1, tegn 2", "line 1, column 2") }, Caller, AfterChange, Administrator, http 400,
        da: "Indholdet kan ikke læses ({place}).", "Send gyldig JSON eller CSV i UTF-8.",
        en: "The body cannot be read ({place}).", "Send valid JSON or CSV in UTF-8.";
    /// A field of the body.
    ApiFieldInvalid { field: String = "valid_to".into(), what: Detail = Detail::new("er ikke efter valid_from", "is not after valid_from") }, Caller, AfterChange, Administrator, http 422,
        da: "Feltet {field} kan ikke bruges: {what}.", "Ret det efter /openapi.json.",
        en: "The field {field} cannot be used: {what}.", "Correct it by /openapi.json.";
    /// A body of another kind.
    ApiMediaType { expected: Detail = Detail::name("application/json") }, Caller, AfterChange, Administrator, http 415,
        da: "Indholdets Content-Type er ikke {expected}.", "Send indholdet som {expected} uden Content-Encoding.",
        en: "The body's Content-Type is not {expected}.", "Send the body as {expected} without Content-Encoding.";
    /// A body beyond the limit.
    ApiBodyTooLarge { limit: usize = 1_048_576 }, Caller, AfterChange, Administrator, http 413,
        da: "Indholdet er større end {limit} byte.", "Del det op i flere forespørgsler.",
        en: "The body is larger than {limit} bytes.", "Divide it into several requests.";
    /// A body that did not arrive whole, or in time.
    ApiBodyIncomplete, Caller, Later, Administrator, http 408,
        da: "Hele indholdet nåede ikke frem i tide.", "Send forespørgslen igen.",
        en: "The body did not arrive whole and in time.", "Send the request again.";
    /// An address that leads into the gateway's own machine or network.
    ApiAddressRefused { what: Detail = Detail::new("adressen er på maskinen selv", "the address is on the machine itself") }, Caller, AfterChange, Administrator, http 422,
        da: "Modtagerens adresse kan ikke bruges: {what}.", "Angiv en https-adresse, som modtageren har på nettet.",
        en: "The receiver's address cannot be used: {what}.", "Give an https address that the receiver has on the network.";
    /// No agreement of the certificate's system lets it do that for the authority.
    ApiNotAgreed { what: Detail = Detail::new("der er ingen serviceaftale for systemet, myndigheden og servicen i dette miljø", "there is no service agreement for this system, authority and service in this environment") }, Caller, AfterChange, Administrator, http 403,
        da: "Kaldet er ikke omfattet af en serviceaftale: {what}.", "Anmod om en serviceaftale, og få myndigheden til at godkende den; kontrollér, at systemet kalder med det certifikat, aftalen er indgået for.",
        en: "No service agreement covers the call: {what}.", "Request a service agreement and have the authority approve it; check that the system calls with the certificate that the agreement is made for.";
    /// A certificate that no mailbox user may use: the same words whatever the cause.
    MailboxRefused, Caller, AfterChange, Administrator, http 403,
        da: "Klientcertifikatet giver ikke adgang til postkasser.", "Kontrollér, at certifikatet er det, der er oprettet; myndighedens administrator kan se, om brugeren er spærret eller udløbet.",
        en: "The client certificate gives no access to mailboxes.", "Check that it is the certificate that was registered; the authority's administrator can see whether the user is blocked or has expired.";
    /// The user has another right on the agreement.
    MailboxRight { action: Detail = Detail::new("aflevere filer", "deliver files") }, Caller, AfterChange, Administrator, http 403,
        da: "Brugeren har ikke ret til at {action} på partneraftalen.", "Anmod om rettigheden (hjemmel mailbox user rights), eller brug en anden bruger.",
        en: "The user has no right to {action} on the partner agreement.", "Ask for the right (hjemmel mailbox user rights), or use another user.";
    /// The agreement is suspended or closed.
    MailboxNotActive { state: Detail = Detail::name("SUSPENDERET") }, Caller, AfterChange, Administrator, http 403,
        da: "Partneraftalen er {state}.", "Få aftalen genoptaget, eller brug en aftale, der er AKTIV.",
        en: "The partner agreement is {state}.", "Have the agreement resumed, or use one that is AKTIV.";
    /// Stream or alias: the same words for each, and whether the other party is there.
    MailboxNotAgreed, Caller, AfterChange, Administrator, http 403,
        da: "Datastrøm og alias hører ikke til partneraftalen i dag, eller modparten har ikke aftalt det samme.", "Kontrollér datastrømmens kode, og at aliasset gælder i dag; anmod ellers om en ændring af partneraftalen.",
        en: "Stream and alias do not belong to the partner agreement today, or the other party has not agreed to the same.", "Check the stream's code and that the alias holds today; otherwise ask for a change of the partner agreement.";
    /// A name that a recipient cannot keep a file under everywhere.
    MailboxName { what: Detail = Detail::new("det indeholder \\ eller :", "it has \\ or : in it") }, Caller, AfterChange, Administrator, http 422,
        da: "Filnavnet er ikke tilladt: {what}.", "Giv filen et andet navn, og aflever den igen.",
        en: "The file name is not allowed: {what}.", "Give the file another name, and deliver it again.";
    /// Larger than agreed.
    MailboxTooLarge { limit: u64 = 100_000_000 }, Caller, AfterChange, Administrator, http 413,
        da: "Filen er større end de {limit} bytes, der er aftalt for datastrømmen.", "Del filen op, eller få grænsen ændret i partneraftalen.",
        en: "The file is larger than the {limit} bytes agreed for the stream.", "Divide the file, or have the limit changed in the partner agreement.";
    /// What the agreement has sent lies there still.
    MailboxFull { limit: u64 = 200_000_000_000 }, Caller, Later, Administrator, http 413,
        da: "Der er ikke plads: af det, partneraftalen har afleveret, må {limit} bytes ligge på én gang.", "Få modtagerne til at hente og bekræfte, hvad der ligger, og aflever igen; eller få pladsen ændret i partneraftalen.",
        en: "There is no room: of what the partner agreement has delivered, {limit} bytes may lie at once.", "Have the recipients fetch and confirm what lies there, and deliver again; or have the room changed in the partner agreement.";
    /// The same id with other content.
    MailboxDeliveryReused, Caller, AfterChange, Administrator, http 409,
        da: "Afleveringens id er brugt før til en anden fil.", "Brug et nyt id til hver fil, og det samme kun, når den samme fil sendes igen.",
        en: "The delivery's id was used before for another file.", "Use a new id for each file, and the same only to send the same file again.";
    /// The delivery was made long ago, and only that is known of it.
    MailboxDeliveryPast { validation: Detail = Detail::name("GODKENDT") }, Caller, AfterChange, Administrator, http 410,
        da: "Der er afleveret en fil under dette id før; den var {validation}, og dens historik er slettet.", "Er filen den samme, skal intet gøres; brug et nyt id til en anden.",
        en: "A file was delivered under this id before; it was {validation}, and its history is deleted.", "If the file is the same, nothing is to be done; use a new id for another.";
    /// Size or SHA-256 is another than stated.
    MailboxContentDiffers, Caller, AfterChange, Administrator, http 422,
        da: "Filens størrelse eller SHA-256 er en anden end den oplyste.", "Beregn dem af filen, som den er, og send igen; intet er gemt eller bekræftet.",
        en: "The file's size or SHA-256 is another than stated.", "Compute them of the file as it is, and send again; nothing was kept or confirmed.";
    /// It was not read to its end.
    MailboxNotFetched, Caller, AfterChange, Administrator, http 409,
        da: "Filen bekræftes, før den er hentet helt.", "Hent filen til dens sidste byte, beregn SHA-256 af det, der kom, og bekræft derefter.",
        en: "The file is confirmed before all of it was fetched.", "Fetch the file to its last byte, compute the SHA-256 of what came, and confirm then.";
    /// Its days are over.
    MailboxFileGone, Caller, AfterChange, Administrator, http 410,
        da: "Filens indhold er slettet, da dens dage er gået.", "Bed afsenderen om at aflevere filen igen.",
        en: "The file's content is deleted, for its days are over.", "Ask its sender to deliver it again.";
    /// A range that the file does not have, or more than one.
    MailboxRange { size: u64 = 48_213 }, Caller, AfterChange, Administrator, http 416,
        da: "Range kan ikke bruges: filen har {size} bytes, og der hentes ét område ad gangen.", "Bed om ét område inden for filen, eller om hele filen.",
        en: "The Range cannot be used: the file has {size} bytes, and one range is fetched at a time.", "Ask for one range within the file, or for all of it.";
    /// A piece of a delivery that is not the next one.
    MailboxPiecePlace { offset: u64 = 67_108_864 }, Caller, AfterChange, Administrator, http 409,
        da: "Stykket er ikke det næste: der er modtaget {offset} bytes af filen.", "Send filen videre fra den byte, som Upload-Offset angiver.",
        en: "The piece is not the next one: {offset} bytes of the file have come.", "Go on with the file from the byte that Upload-Offset tells.";
    /// A piece of a delivery that is too small or too large.
    MailboxPieceSize { least: u64 = 1_048_576, most: u64 = 67_108_864 }, Caller, AfterChange, Administrator, http 422,
        da: "Et stykke af en fil fylder {least} til {most} bytes; kun det sidste må være mindre.", "Del filen op i stykker af den størrelse, eller send den uden Content-Range.",
        en: "A piece of a file has {least} to {most} bytes; only the last may be smaller.", "Divide the file into pieces of that size, or send it without Content-Range.";
    /// All pieces of a delivery are there, and a node puts them together, or died as it did.
    MailboxJoining { seconds: u64 = 15 }, Gateway, Later, Operations, http 503, after *seconds,
        da: "Filens stykker er ved at blive samlet til én fil.", "Spørg om {seconds} sekunder, om filen er afleveret; er den ikke det, så send det sidste stykke igen.",
        en: "The pieces of the file are being put together.", "Ask in {seconds} seconds whether the file is delivered; if it is not, send the last piece again.";
    /// Every place is taken.
    ApiOverloaded, Gateway, Later, Operations, http 503, after 1,
        da: "Gatewayens API har ikke plads til flere forespørgsler i øjeblikket.", "Prøv igen om lidt.",
        en: "The gateway's API has no room for more requests just now.", "Try again shortly.";
    /// The store does not answer.
    ApiUnavailable, Gateway, Later, Operations, http 503, after 5,
        da: "Lageret svarer ikke i øjeblikket.", "Prøv igen om lidt.",
        en: "The store does not answer just now.", "Try again shortly.";
    /// Nobody knows whether the change was kept.
    ApiUndecided, Gateway, Later, Operations, http 503, after 5,
        da: "Det er ikke til at vide, om ændringen blev gemt.", "Hent det, der skulle ændres, og se efter, før der sendes igen.",
        en: "It cannot be known whether the change was kept.", "Get what was to be changed, and look, before it is sent again.";
    /// A fault of the gateway's own.
    ApiInternal, Gateway, Later, Operations, http 500,
        da: "Der er sket en intern fejl i gatewayen.", "Prøv igen; fortsætter fejlen, så kontakt gatewayens drift, og oplys instance.",
        en: "An internal error occurred in the gateway.", "Try again; if the error persists, contact the gateway's operators and give instance.";
}

impl Table for ApiRefusal {
    fn row(&self) -> Entry {
        self.entry()
    }
}

impl std::fmt::Display for ApiRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entry = self.entry();
        write!(f, "{}: {} {}", entry.code, entry.en.what, entry.en.remedy)
    }
}

impl std::error::Error for ApiRefusal {}
