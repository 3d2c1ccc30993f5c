//! Decisions on client systems: to register one, to change its name and whom to ask, and its certificates. Whose a system is decides
//! who may: the company's administrator, or the authority's people for its systems; the operators any.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Because, By, DecideError, Kept, agreement::what as of_line, record::What, shown, statement::SignError};
use crate::{
    agreements::{
        Change, Side, State, Store, Thumbprint,
        request::{Wrong, names_a_person},
        system::{System, SystemCertificate},
    },
    audit::Subject,
    clock::civil_day,
    id::cvr::Cvr,
    refusal::{Detail, api::ApiRefusal},
    signature::{
        base64,
        credentials::Credentials,
        key::{Certificate, SigningKey},
    },
    store::{Session, StoreError, sql, until_it_holds},
    users::{
        Actor, Whose,
        rights::{Action, Role},
    },
};

/// What a system is, a line each.
pub fn text(system: &System, certificates: &[SystemCertificate]) -> String {
    let party = system.party.map_or("-".to_owned(), |cvr| cvr.to_string());
    let mut text = format!("system: {}\npart (CVR): {party}\nnavn: {}\nkontakt: {}\n", system.id, system.name, system.contact);
    for certificate in certificates.iter().filter(|certificate| certificate.ended_at.is_none()) {
        text += &format!("certifikat (SHA-256): {}\n", certificate.thumbprint);
    }
    text
}

/// What ETag it has.
pub fn etag(system: &System, certificates: &[SystemCertificate]) -> String {
    format!("\"{}\"", shown::sha256(&text(system, certificates)))
}

fn not_found() -> ApiRefusal {
    ApiRefusal::ApiNotFound { what: Detail::new("system", "system") }
}

fn is_own(actor: &Actor, system: &System) -> bool {
    match actor.scope().whose {
        Whose::Everybody => true,
        Whose::Authority(own) | Whose::Supplier(own) => system.party == Some(own),
        Whose::Nobody => false,
    }
}

/// The system that somebody asks for an agreement of, and what is wrong with that: it is the requester's own, and the certificates are
/// that system's. The operators also bring in agreements of systems that stand in no register yet. On the back it is the service itself.
pub(super) async fn asked_for(
    change: &mut Change,
    actor: &Actor,
    (side, system, certificates): (Side, Uuid, &[Thumbprint]),
) -> Result<(Option<System>, Vec<Wrong>), StoreError> {
    let mut wrong = Vec::new();
    let mut is_wrong = |field, da: &str, en: &str| wrong.push(Wrong { field, what: Detail::new(da, en) });
    let known = change.system(system).await?;
    match &known {
        Some(known) if is_own(actor, known) => {}
        Some(known) if side == Side::Back && known.party.is_none() => {}
        Some(_) => is_wrong("system", "det er ikke anmoderens eget", "it is not the requester's own"),
        None if side == Side::Back || actor.scope().whose == Whose::Everybody => {}
        None => is_wrong("system", "det er ikke registreret; registrér det først", "it is not registered; register it first"),
    }
    for certificate in certificates {
        match change.holder_of(certificate).await? {
            Some((holder, _)) if holder != system => {
                is_wrong("certificates", "et certifikat er et andet systems", "a certificate is another system's");
            }
            Some((_, Some(_))) => is_wrong("certificates", "et certifikat er afsluttet", "a certificate was ended"),
            None if known.is_some() => {
                let da = "et certifikat er ikke registreret på systemet; registrér det først";
                is_wrong("certificates", da, "a certificate is not registered of the system; register it first");
            }
            Some((_, None)) | None => {}
        }
    }
    wrong.dedup();
    Ok((known, wrong))
}

/// A system that the user may see, with its certificates: its own side's, and an authority those that agreements of it name.
///
/// # Errors
/// [`ApiRefusal::ApiNotFound`], also where it is another's.
pub async fn seen(store: &Store, actor: &Actor, id: Uuid) -> Result<(System, Vec<SystemCertificate>), DecideError> {
    actor.may(Action::SeeSystems)?;
    let system = store.system(id).await?.ok_or_else(not_found)?;
    let named = match actor.scope().whose {
        Whose::Authority(own) if !is_own(actor, &system) => {
            let wanted = crate::agreements::page::Wanted {
                only_authority: Some(own),
                system: Some(id),
                services: actor.scope().services,
                limit: 1,
                ..crate::agreements::page::Wanted::default()
            };
            !store.page(&wanted).await?.is_empty()
        }
        _ => is_own(actor, &system),
    };
    if named { Ok((system, store.system_certificates(id).await?)) } else { Err(not_found().into()) }
}

fn sound(name: &str, contact: &str) -> Result<(), ApiRefusal> {
    match [("name", name), ("contact", contact)].into_iter().find(|(_, text)| names_a_person(text)) {
        None => Ok(()),
        Some((field, _)) => Err(ApiRefusal::ApiFieldInvalid {
            field: field.to_owned(),
            what: Detail::new("det indeholder noget, der ligner et CPR-nummer", "it holds what looks like a CPR number"),
        }),
    }
}

/// A system that is to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    /// By which agreements name it.
    pub id: Uuid,
    /// What it is called.
    pub name: String,
    /// Whom to ask.
    pub contact: String,
    /// The company or authority whose it is, where an operator registers it for them; none: the user's own side.
    pub party: Option<Cvr>,
}

impl From<(Uuid, String, String)> for New {
    fn from((id, name, contact): (Uuid, String, String)) -> Self {
        Self { id, name, contact, party: None }
    }
}

/// Registers a system of the user's own side, or by an operator for another. An id is anybody's to write: one that agreements, routes,
/// connections or users of files of others name already is registered by the operators alone, who know whose system it is.
///
/// # Errors
/// [`DecideError`]: a user who may not, an id that is in use or that others' things name, another's side.
pub async fn register(
    store: &Store,
    by: By<'_>,
    new: impl Into<New>,
    because: &Because,
    kept: Option<Kept<'_, System>>,
) -> Result<System, DecideError> {
    let new = new.into();
    until_it_holds(async || register_once(store, by, new.clone(), because, kept).await).await
}

async fn register_once(
    store: &Store,
    by: By<'_>,
    New { id, name, contact, party }: New,
    because: &Because,
    kept: Option<Kept<'_, System>>,
) -> Result<System, DecideError> {
    sound(&name, &contact)?;
    let own = by.who(store, because.at).await?.user().party;
    let system = System { id, party: party.or(own), name, contact, made_at: because.at, changed_at: because.at };
    let what = what(&system, &[], None, ("registered", ""));
    let actor = by.of(store, &what, because).await?;
    let role = actor.may(Action::ManageSystems)?;
    let mut change = store.change().await?;
    if change.system(id).await?.is_some() {
        let what = Detail::new("der er et system med id'et", "there is a system with the id");
        return Err(ApiRefusal::ApiConflict { what }.into());
    }
    if !is_own(&actor, &system) {
        return Err(ApiRefusal::ApiOtherParty.into());
    }
    if let Whose::Authority(own) | Whose::Supplier(own) = actor.scope().whose
        && change.is_named_by_others(id, own).await?
    {
        let what = Detail::new(
            "andres aftaler, ruter, forbindelser eller filbrugere nævner id'et; lad driften registrere systemet for jer",
            "agreements, routes, connections or users of files of others name the id; have the operators register the system for you",
        );
        return Err(ApiRefusal::ApiConflict { what }.into());
    }
    change.write_system(&system).await?;
    change.made_by(Some((&actor, role)), &what, because).await?;
    Kept::keep(kept, &mut change, &system).await?;
    change.commit().await?;
    Ok(system)
}

/// What is decided on a system as it was shown: what is signed says what becomes of it.
fn what(system: &System, certificates: &[SystemCertificate], from: Option<&str>, (to, becomes): (&str, &str)) -> What {
    let shown = Some(shown::sha256(&(text(system, certificates) + becomes)));
    What { subject: Subject::System, id: system.id, from: from.map(str::to_owned), to: to.to_owned(), shown }
}

const REGISTERED: &str = "registered";

/// From which state to which, and the line that is signed.
fn of_certificate(what: &str, da: &str, thumbprint: &Thumbprint) -> (String, String, String) {
    let line = format!("certifikat {da} (SHA-256): {thumbprint}\n");
    (REGISTERED.to_owned(), format!("certificate {what} {thumbprint}"), line)
}

/// Ends the former holder's connections of a system, and takes back what it asked for and nobody has answered; what was decided so, by
/// whoever was shown the transfer.
async fn left_behind(
    change: &mut Change,
    transfer: &What,
    former: Cvr,
    name: &str,
    because: &Because,
) -> Result<Vec<What>, DecideError> {
    let (system, mut decided) = (transfer.id, Vec::new());
    let own =
        sql("SELECT id FROM connection WHERE ended_at IS NULL AND (client = $1 AND coalesce(client_supplier, authority) = $2
         OR receiver = $1 AND coalesce(receiver_supplier, receiver_authority) = $2) ORDER BY id");
    for row in change.connection().all(own.bind(system).bind(former.to_string())).await? {
        let id: Uuid = row.get("id")?;
        let end = sql("UPDATE connection SET ended_at = $1 WHERE id = $2").bind(because.at).bind(id);
        change.connection().execute(end).await?;
        let (subject, from) = (Subject::Connection, Some("added".to_owned()));
        decided.push(What { subject, id, from, to: "ended".to_owned(), shown: transfer.shown.clone() });
    }
    let waiting = sql("SELECT id FROM agreement WHERE system = $1 AND state = 'ANMODET' AND EXISTS (SELECT 1 FROM decision
         WHERE subject = 'agreement' AND subject_id = agreement.id AND to_state = 'ANMODET' AND party = $2) ORDER BY id");
    for row in change.connection().all(waiting.bind(system).bind(former.to_string())).await? {
        let Some(line) = change.agreement(row.get("id")?).await? else { continue };
        change.decide(line.id, Some(&line), State::Withdrawn, name, &because.reason, because.at).await?;
        decided.push(of_line(&line, Some(State::Requested), State::Withdrawn));
    }
    Ok(decided)
}

/// What of a system goes on when it is given to another, beside its certificates and agreements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GoesOn {
    /// A user of files, by name.
    SftpUser(String),
    /// A key of one: its user's name, and its fingerprint.
    SftpKey(String, String),
    /// An order of files, asked for, approved or suspended, at either end.
    FileOrder(Uuid),
    /// A subscription to value lists.
    Subscription(Uuid),
}

impl GoesOn {
    /// What kind of thing it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SftpUser(_) => "sftp-user",
            Self::SftpKey(..) => "sftp-key",
            Self::FileOrder(_) => "file-order",
            Self::Subscription(_) => "value-list-subscription",
        }
    }

    /// What it is called.
    pub fn name(&self) -> String {
        match self {
            Self::SftpUser(name) => name.clone(),
            Self::SftpKey(user, fingerprint) => format!("{user} SHA256:{fingerprint}"),
            Self::FileOrder(id) | Self::Subscription(id) => id.to_string(),
        }
    }

    fn text(&self) -> String {
        let what = match self {
            Self::SftpUser(_) => "SFTP-bruger",
            Self::SftpKey(..) => "SFTP-nøgle",
            Self::FileOrder(_) => "rutebestilling",
            Self::Subscription(_) => "abonnement på værdilister",
        };
        format!("fortsætter: {what} {}\n", self.name())
    }
}

async fn going_on(session: &mut Session, system: Uuid, now: Timestamp) -> Result<Vec<GoesOn>, StoreError> {
    let (us, mut found) = (now.as_microsecond(), Vec::new());
    let users = sql("SELECT name FROM sftp_user WHERE system = $1 AND NOT disabled AND (valid_to_us IS NULL OR valid_to_us > $2)
         ORDER BY name");
    for row in session.all(users.bind(system).bind(us)).await? {
        found.push(GoesOn::SftpUser(row.get("name")?));
    }
    let keys =
        sql("SELECT u.name AS name, k.fingerprint AS fingerprint FROM sftp_key AS k JOIN sftp_user AS u ON u.id = k.sftp_user
         WHERE u.system = $1 AND NOT u.disabled AND (u.valid_to_us IS NULL OR u.valid_to_us > $2)
         AND NOT k.disabled AND (k.valid_to_us IS NULL OR k.valid_to_us > $2) ORDER BY u.name, k.fingerprint");
    for row in session.all(keys.bind(system).bind(us)).await? {
        found.push(GoesOn::SftpKey(row.get("name")?, row.get("fingerprint")?));
    }
    let orders = sql("SELECT id FROM file_order WHERE state IN ('ANMODET', 'GODKENDT', 'SUSPENDERET')
         AND (valid_to IS NULL OR valid_to > $2) AND (sender IN (SELECT id FROM sftp_user WHERE system = $1)
             OR recipient IN (SELECT id FROM sftp_user WHERE system = $1)) ORDER BY id");
    for row in session.all(orders.bind(system).bind(civil_day(now).unwrap_or_default())).await? {
        found.push(GoesOn::FileOrder(row.get("id")?));
    }
    let subscriptions = sql("SELECT id FROM sortiment_subscription WHERE system = $1 AND ended_at IS NULL ORDER BY id");
    for row in session.all(subscriptions.bind(system)).await? {
        found.push(GoesOn::Subscription(row.get("id")?));
    }
    Ok(found)
}

/// A system that was changed.
#[derive(Debug, Clone)]
pub struct Changed {
    /// As it is now.
    pub system: System,
    /// Where it was given to another: what of it goes on all the same, until whoever knows ends it. Empty else.
    pub goes_on: Vec<GoesOn>,
}

/// What is changed of a system.
#[derive(Debug, Clone)]
pub enum Changes {
    /// Its name, and whom to ask.
    Named(String, String),
    /// A further certificate, and by what it is shown that the system has its key: [`prove`], in base64. A certificate can be had by
    /// whoever is called with it. An operator registers one without.
    CertificateAdded(Box<Certificate>, Option<String>),
    /// A certificate that it uses no more.
    CertificateEnded(Thumbprint),
    /// By an operator: a certificate that stands in the register as another system's, ended or not, is this one's. Agreements of the
    /// other no longer let it through.
    CertificateTaken(Thumbprint),
    /// By an operator: it is this company's or authority's from now on. The former's connections of it end, and so does what it asked
    /// for and nobody has answered. Certificates, agreements and what else [`GoesOn`] stay, which what is signed names: whoever transfers
    /// it ends those that are not the system's.
    Transferred(Cvr),
}

/// What the key of a certificate signs (RSA PKCS#1 v1.5 or ECDSA, with SHA-256) to show that a system has it.
pub fn possession(system: Uuid, certificate: &Thumbprint) -> String {
    format!("hjemmel certificate v1\nsystem {system}\ncertificate {certificate}\n")
}

/// Shows that a system has the key of a certificate.
///
/// # Errors
/// A key that cannot sign, or one of another certificate.
pub fn prove(credentials: &Credentials, system: Uuid) -> Result<String, SignError> {
    let (certificate, key) = (Certificate::from_der(credentials.leaf())?, SigningKey::from_der(credentials.key())?);
    if !key.belongs_to(&certificate) {
        return Err(SignError::NotAPair);
    }
    let text = possession(system, &Thumbprint::from(*certificate.thumbprint()));
    Ok(base64::encode(&key.sign(text.as_bytes())?))
}

/// Refuses a certificate whose key the system has not shown to have; an operator may leave that out.
fn possessed(actor: &Actor, system: Uuid, certificate: &Certificate, proof: Option<&str>) -> Result<(), ApiRefusal> {
    let text = possession(system, &Thumbprint::from(*certificate.thumbprint()));
    let is_shown = match proof {
        Some(proof) => {
            base64::decode(proof).is_some_and(|signature| certificate.key().verifies_sha256(text.as_bytes(), &signature))
        }
        None => actor.scope().whose == Whose::Everybody,
    };
    if is_shown {
        return Ok(());
    }
    let what = Detail::new(
        "certifikatets nøgle har ikke underskrevet, at den er dette systems",
        "the certificate's key has not signed that it is this system's",
    );
    Err(ApiRefusal::ApiFieldInvalid { field: "proof".to_owned(), what })
}

/// Changes a system as it was shown.
///
/// # Errors
/// [`DecideError`]: a user who may not, another's system, a certificate that is another's or not there, what changed meanwhile.
pub async fn change(
    store: &Store,
    by: By<'_>,
    shown: &(System, Vec<SystemCertificate>),
    changes: &Changes,
    because: &Because,
    kept: Option<Kept<'_, Changed>>,
) -> Result<Changed, DecideError> {
    until_it_holds(async || change_once(store, by, shown, changes, because, kept).await).await
}

async fn change_once(
    store: &Store,
    by: By<'_>,
    shown: &(System, Vec<SystemCertificate>),
    changes: &Changes,
    because: &Because,
    kept: Option<Kept<'_, Changed>>,
) -> Result<Changed, DecideError> {
    let (before, certificates) = shown;
    let goes_on = match changes {
        Changes::Transferred(_) => going_on(&mut store.database().session().await?, before.id, because.at).await?,
        _ => Vec::new(),
    };
    let (from, to, becomes) = match changes {
        Changes::Named(name, contact) => {
            sound(name, contact)?;
            (REGISTERED.to_owned(), "changed".to_owned(), format!("nyt navn: {name}\nny kontakt: {contact}\n"))
        }
        Changes::CertificateAdded(certificate, _) => {
            of_certificate("added", "tilføjet", &Thumbprint::from(*certificate.thumbprint()))
        }
        Changes::CertificateEnded(thumbprint) => of_certificate("ended", "afsluttet", thumbprint),
        Changes::CertificateTaken(thumbprint) => of_certificate("taken", "overtaget", thumbprint),
        Changes::Transferred(party) => {
            let former = before.party.map_or(REGISTERED.to_owned(), |former| format!("{REGISTERED} as {former}"));
            let stays: String = goes_on.iter().map(GoesOn::text).collect();
            (former, format!("transferred to {party}"), format!("ny part (CVR): {party}\n{stays}"))
        }
    };
    let what = what(before, certificates, Some(&from), (&to, &becomes));
    let actor = by.of(store, &what, because).await?;
    let (mut change, role) = held(store, &actor, before, certificates).await?;
    let mut system = System { changed_at: because.at, ..before.clone() };
    if matches!(changes, Changes::CertificateTaken(_) | Changes::Transferred(_)) && actor.scope().whose != Whose::Everybody {
        return Err(ApiRefusal::ApiOtherParty.into());
    }
    let mut gave = None;
    match changes {
        Changes::Named(name, contact) => (system.name, system.contact) = (name.clone(), contact.clone()),
        Changes::CertificateAdded(certificate, proof) => {
            possessed(&actor, system.id, certificate, proof.as_deref())?;
            if certificate.not_after() <= because.at {
                let what = Detail::new("certifikatet er udløbet", "the certificate has expired");
                return Err(ApiRefusal::ApiFieldInvalid { field: "certificate".to_owned(), what }.into());
            }
            if !change.add_system_certificate(system.id, certificate, because.at).await? {
                let what = Detail::new(
                    "certifikatet er registreret før; er det som et andet systems, flytter driften det",
                    "the certificate is registered already; if it is as another system's, the operators move it",
                );
                return Err(ApiRefusal::ApiConflict { what }.into());
            }
        }
        Changes::CertificateEnded(thumbprint) => {
            if !change.end_system_certificate(system.id, *thumbprint, because.at).await? {
                let what = Detail::new(
                    "certifikatet er ikke systemets eller er afsluttet før",
                    "the certificate is none of the system's, or was ended before",
                );
                return Err(ApiRefusal::ApiConflict { what }.into());
            }
        }
        Changes::CertificateTaken(thumbprint) => {
            let holder = change.holder_of(thumbprint).await?.map(|(holder, _)| holder).filter(|holder| *holder != system.id);
            let Some(holder) = holder else {
                let what = Detail::new(
                    "certifikatet er ikke registreret som et andet systems",
                    "the certificate is not registered as another system's",
                );
                return Err(ApiRefusal::ApiConflict { what }.into());
            };
            let other = change.system(holder).await?.ok_or_else(not_found)?;
            let (from, to, becomes) = of_certificate("given up", "afgivet", thumbprint);
            let had = change.system_certificates(holder).await?;
            gave = Some(self::what(&other, &had, Some(&from), (&to, &becomes)));
            change.move_system_certificate(holder, system.id, *thumbprint, because.at).await?;
        }
        Changes::Transferred(party) => {
            if going_on(change.connection(), before.id, because.at).await? != goes_on {
                return Err(ApiRefusal::ApiPreconditionFailed.into());
            }
            system.party = Some(*party);
        }
    }
    change.write_system(&system).await?;
    change.made_by(Some((&actor, role)), &what, because).await?;
    if let Some(gave) = gave {
        change.made_by(Some((&by.also(&actor, &gave, because)?, role)), &gave, because).await?;
    }
    if let (Changes::Transferred(party), Some(former)) = (changes, before.party)
        && *party != former
    {
        let name = &actor.user().name;
        for ended in left_behind(&mut change, &what, former, name, because).await? {
            change.made_by(Some((&by.also(&actor, &ended, because)?, role)), &ended, because).await?;
        }
    }
    let changed = Changed { system, goes_on };
    Kept::keep(kept, &mut change, &changed).await?;
    change.commit().await?;
    Ok(changed)
}

async fn held(
    store: &Store,
    actor: &Actor,
    before: &System,
    certificates: &[SystemCertificate],
) -> Result<(Change, Role), DecideError> {
    let role = actor.may(Action::ManageSystems)?;
    if !is_own(actor, before) {
        return Err(ApiRefusal::ApiOtherParty.into());
    }
    let mut change = store.change().await?;
    let now = change.system(before.id).await?.ok_or_else(not_found)?;
    if now != *before || change.system_certificates(before.id).await? != certificates {
        return Err(ApiRefusal::ApiPreconditionFailed.into());
    }
    Ok((change, role))
}
