//! What an import of persons is refused for as a whole. What is wrong with one person stands in that person's answer.

use crate::refusal::{Detail, Entry, Table, refusals};

refusals! { []
    /// Every refusal of an import.
    pub enum ImportRefusal;

    == "Person import";

    /// Nobody is named.
    ImportEmpty, Caller, AfterChange, Administrator,
        da: "Importen indeholder ingen personer.", "Send 1 til 500 personer i hvert kald; er der ingen ændringer, skal der ikke sendes noget.",
        en: "The import names no person.", "Send 1 to 500 persons a call; where nothing has changed there is nothing to send.";
    /// Too many persons for one call.
    ImportTooMany { found: usize = 501, most: usize = 500 }, Caller, AfterChange, Administrator,
        da: "Importen indeholder {found} personer, og et kald må højst have {most}.", "Del importen i flere kald, eller send den som fil.",
        en: "The import names {found} persons, and a call may have {most} at most.", "Divide the import into several calls, or send it as a file.";
    /// Something else than persons stands in the request.
    ImportUnreadable { what: Detail = Detail::new("der står andet end Person i forespørgslen", "something else than Person stands in the request") }, Caller, AfterChange, Administrator,
        da: "Importen kan ikke læses: {what}.", "Byg forespørgslen efter servicens skema (?wsdl), og send den igen.",
        en: "The import cannot be read: {what}.", "Build the request by the service's schema (?wsdl) and send it again.";
    /// The store does not answer.
    ImportUnavailable, Gateway, Later, Operations,
        da: "Personerne kan ikke gemmes nu; ingen af dem er ændret.", "Send importen igen senere; personer, der ikke er ændret siden, besvares med UAENDRET.",
        en: "The persons cannot be kept now; none of them was changed.", "Send the import again later; persons who have not changed since are answered UAENDRET.";
}

impl Table for ImportRefusal {
    fn row(&self) -> Entry {
        self.entry()
    }
}
