//! What the console refuses, as pages.

use super::{Detail, Entry, Table, refusals};

refusals! { []
    /// Every refusal of the console that is not one of a decision. None of them has changed anything.
    pub enum ConsoleRefusal;

    == "The console";

    /// No such page.
    ConsolePageUnknown, Caller, AfterChange, User, http 404,
        da: "Der er ingen side på denne adresse.", "Gå til startsiden, og find siden i menuen.",
        en: "There is no page at this address.", "Go to the front page, and find the page in the menu.";
    /// The page is there, but not with this method.
    ConsoleMethod, Caller, AfterChange, User, http 405,
        da: "Siden kan ikke bruges på denne måde.", "Åbn siden igen fra menuen.",
        en: "The page cannot be used in this way.", "Open the page again from the menu.";
    /// Another host than the console's own.
    ConsoleHost, Caller, AfterChange, Administrator, http 421,
        da: "Forespørgslen er rettet til en anden adresse end konsollens.", "Åbn konsollen på den adresse, som driften har oplyst; driften finder den i [console] public_url.",
        en: "The request is for another address than the console's.", "Open the console at the address that the operators gave; they find it in [console] public_url.";
    /// A form that another site sent.
    ConsoleOrigin, Caller, AfterChange, User, http 403,
        da: "Formularen er sendt fra et andet websted.", "Åbn konsollen selv, og udfyld formularen dér.",
        en: "The form was sent from another site.", "Open the console yourself, and fill the form in there.";
    /// No session, or one that has ended.
    ConsoleSessionOver, Caller, AfterChange, User, http 401,
        da: "Der er ingen session, eller den er slut.", "Log på igen i en ny fane, og send derefter det, du havde skrevet, herfra.",
        en: "There is no session, or it has ended.", "Log on again in a new tab, then send what you had written from here.";
    /// A form of another session than the one that goes on.
    ConsoleFormStale, Caller, AfterChange, User, http 409,
        da: "Formularen hører til en anden session end den, du nu er logget på med.", "Kontrollér, hvem du er logget på som, og send formularen igen herfra.",
        en: "The form belongs to another session than the one you are now logged on with.", "Check who you are logged on as, and send the form again from here.";
    /// A link that was used, or whose time is over.
    ConsoleLinkInvalid, Caller, AfterChange, Administrator, http 403,
        da: "Linket kan ikke bruges: det er brugt, udløbet eller til en bruger, der ikke må logge på med et link.", "Få et nyt link af driften: hjemmel console link.",
        en: "The link cannot be used: it was used, is out of time, or is for a user who may not log on by a link.", "Get a new link from the operators: hjemmel console link.";
    /// A form that cannot be read.
    ConsoleFormUnreadable, Caller, AfterChange, User, http 400,
        da: "Formularen eller adressens parametre kan ikke læses.", "Gå tilbage til siden, og udfyld formularen igen.",
        en: "The form, or the parameters of the address, cannot be read.", "Go back to the page, and fill the form in again.";
    /// A form beyond the limit.
    ConsoleFormTooLarge { limit: usize = 65_536 }, Caller, AfterChange, User, http 413,
        da: "Formularen er større end {limit} byte.", "Skriv kortere, og send formularen igen.",
        en: "The form is larger than {limit} bytes.", "Write less, and send the form again.";
    /// A field of a form.
    ConsoleField { field: Detail = Detail::new("Begrundelse", "Reason"), what: Detail = Detail::new("det skal udfyldes", "it must be filled in") }, Caller, AfterChange, User, http 422,
        da: "Feltet {field} kan ikke bruges: {what}.", "Ret feltet, og send formularen igen.",
        en: "The field {field} cannot be used: {what}.", "Correct the field, and send the form again.";
    /// Every place is taken.
    ConsoleOverloaded, Gateway, Later, Operations, http 503, after 1,
        da: "Konsollen har ikke plads til flere forespørgsler i øjeblikket.", "Prøv igen om lidt.",
        en: "The console has no room for more requests just now.", "Try again shortly.";
}

impl Table for ConsoleRefusal {
    fn row(&self) -> Entry {
        self.entry()
    }
}
