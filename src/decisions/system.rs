//! Decisions on client systems: to register one, to change its name and whom to ask, and its certificates. Whose a system is decides
//! who may: the company's administrator, or the authority's people for its systems; the operators any.

use uuid::Uuid;

use super::{Because, By, DecideError, Kept, record::What, shown};
use crate::{
    agreements::{
        Change, Side, Store, Thumbprint,
        request::{Wrong, names_a_person},
        system::{System, SystemCertificate},
    },
    audit::Subject,
    refusal::{Detail, api::ApiRefusal},
    signature::key::Certificate,
    store::StoreError,
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

/// Registers a system of the user's own side.
///
/// # Errors
/// [`DecideError`]: a user who may not, an id that is in use.
pub async fn register(
    store: &Store,
    by: By<'_>,
    (id, name, contact): (Uuid, String, String),
    because: &Because,
    kept: Option<Kept<'_, System>>,
) -> Result<System, DecideError> {
    sound(&name, &contact)?;
    let party = by.who(store, because.at).await?.user().party;
    let system = System { id, party, name, contact, made_at: because.at, changed_at: because.at };
    let what = what(&system, &[], None, "registered");
    let actor = by.of(store, &what, because).await?;
    let role = actor.may(Action::ManageSystems)?;
    let mut change = store.change().await?;
    if change.system(id).await?.is_some() {
        let what = Detail::new("der er et system med id'et", "there is a system with the id");
        return Err(ApiRefusal::ApiConflict { what }.into());
    }
    change.write_system(&system).await?;
    change.made_by(Some((&actor, role)), &what, because).await?;
    Kept::keep(kept, &mut change, &system).await?;
    change.commit().await?;
    Ok(system)
}

fn what(system: &System, certificates: &[SystemCertificate], from: Option<&str>, to: &str) -> What {
    let shown = Some(shown::sha256(&text(system, certificates)));
    What { subject: Subject::System, id: system.id, from: from.map(str::to_owned), to: to.to_owned(), shown }
}

/// What is changed of a system.
#[derive(Debug, Clone)]
pub enum Changes {
    /// Its name, and whom to ask.
    Named(String, String),
    /// A further certificate.
    CertificateAdded(Box<Certificate>),
    /// A certificate that it uses no more.
    CertificateEnded(Thumbprint),
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
    kept: Option<Kept<'_, System>>,
) -> Result<System, DecideError> {
    let (before, certificates) = shown;
    let to = match changes {
        Changes::Named(name, contact) => {
            sound(name, contact)?;
            "changed"
        }
        Changes::CertificateAdded(_) => "certificate added",
        Changes::CertificateEnded(_) => "certificate ended",
    };
    let what = what(before, certificates, Some("registered"), to);
    let actor = by.of(store, &what, because).await?;
    let (mut change, role) = held(store, &actor, before, certificates).await?;
    let mut system = System { changed_at: because.at, ..before.clone() };
    match changes {
        Changes::Named(name, contact) => (system.name, system.contact) = (name.clone(), contact.clone()),
        Changes::CertificateAdded(certificate) => {
            if certificate.not_after() <= because.at {
                let what = Detail::new("certifikatet er udløbet", "the certificate has expired");
                return Err(ApiRefusal::ApiFieldInvalid { field: "certificate".to_owned(), what }.into());
            }
            if !change.add_system_certificate(system.id, certificate, because.at).await? {
                let what = Detail::new("certifikatet er registreret før", "the certificate is registered already");
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
    }
    change.write_system(&system).await?;
    change.made_by(Some((&actor, role)), &what, because).await?;
    Kept::keep(kept, &mut change, &system).await?;
    change.commit().await?;
    Ok(system)
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
