//! The persons of the demo, and how its agreements come about through them: one person asks for each, and another approves it for
//! the authority.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::world::WorldError;
use crate::agreements::import::Import;
use crate::agreements::rules::Rules;
use crate::agreements::{State, Store};
use crate::decisions::statement::Signer;
use crate::decisions::{self, Because, By};
use crate::id::cvr::Cvr;
use crate::services::vocabulary;
use crate::signature::credentials::Credentials;
use crate::signature::key::Certificate;
use crate::stub::pki::{DevPki, Leaf, Role, Usage};
use crate::stub::population::{KORSBAEK, MUNICIPALITIES, UDK};
use crate::users::{Kind, User, rights};

/// Whose certificates lie in the demo's folder: a role each, and whom they act for.
pub const USERS: [(Role, rights::Role, Option<&str>); 3] = [
    (Role::PersonOperator, rights::Role::Operator, None),
    (Role::PersonSupplier, rights::Role::SupplierAdministrator, Some("99999998")),
    (Role::PersonSignatory, rights::Role::Signatory, Some(KORSBAEK)),
];

/// Who asks for agreements, and who approves them for each authority.
pub struct Persons {
    operator: Signer,
    signatories: Vec<(Cvr, Signer)>,
}

impl Persons {
    /// The persons, whom the store knows already.
    ///
    /// # Errors
    /// Credentials that cannot be used.
    pub fn known(pki: &DevPki) -> Result<Self, WorldError> {
        let signatory = (KORSBAEK.parse()?, Signer::new(pki.credentials(Role::PersonSignatory)?)?);
        Ok(Self { operator: Signer::new(pki.credentials(Role::PersonOperator)?)?, signatories: vec![signatory] })
    }

    /// Adds them to the store, by whoever holds it.
    ///
    /// # Errors
    /// Credentials that cannot be used, or a store that does not answer.
    pub async fn added(store: &Store, pki: &DevPki, now: Timestamp) -> Result<Self, WorldError> {
        for (role, right, party) in USERS {
            add(store, pki.credentials(role)?, role.uuid().parse()?, role.uuid().parse()?, (right, party), now).await?;
        }
        let mut persons = Self::known(pki)?;
        // The person who signs for Korsbæk signs for the others too, with a certificate of each.
        let others = MUNICIPALITIES.into_iter().chain([(UDK, "Udbetaling Danmark")]).filter(|(cvr, _)| *cvr != KORSBAEK);
        for (cvr, name) in others {
            let id = Uuid::new_v4();
            let leaf = Leaf {
                common_name: "Demo Underskriver".to_owned(),
                organization: name.to_owned(),
                cvr: cvr.to_owned(),
                uuid: id.to_string(),
                usage: Usage::System,
                not_before: now - SignedDuration::from_hours(24),
                not_after: now + SignedDuration::from_hours(24 * 30),
            };
            let credentials = pki.issue_to(pki.credentials(Role::PersonSignatory)?.key(), &leaf)?;
            add(store, &credentials, id, Role::PersonSignatory.uuid().parse()?, (rights::Role::Signatory, Some(cvr)), now)
                .await?;
            persons.signatories.push((cvr.parse()?, Signer::new(&credentials)?));
        }
        Ok(persons)
    }

    /// Who runs the gateway.
    pub fn operator(&self) -> &Signer {
        &self.operator
    }

    /// Asks for the agreements of an import file, and approves each.
    ///
    /// # Errors
    /// A decision that is refused, or a store that does not answer.
    pub async fn agree(&self, store: &Store, file: &str, now: Timestamp) -> Result<(), WorldError> {
        let import = Import::parse(file, &vocabulary()).map_err(|problems| format!("{problems:?}"))?;
        let because = Because::new("demo".to_owned(), now);
        decisions::agreement::request(store, By::Key(&self.operator), &import, &Rules::default(), &because, None).await?;
        for agreement in &import.agreements {
            let signs = self.signatories.iter().find(|(authority, _)| *authority == agreement.authority);
            let (_, signatory) = signs.ok_or("nobody signs for the authority")?;
            let shown = store.get(agreement.id).await?;
            decisions::agreement::decide(store, By::Key(signatory), &shown, State::Approved, &because, None).await?;
        }
        Ok(())
    }
}

pub(super) async fn add(
    store: &Store,
    credentials: &Credentials,
    id: Uuid,
    person: Uuid,
    (role, party): (rights::Role, Option<&str>),
    now: Timestamp,
) -> Result<(), WorldError> {
    let certificate = Certificate::from_der(credentials.leaf())?;
    let user = User {
        id,
        person,
        name: certificate.subject().split("CN=").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or("Demo").to_owned(),
        kind: Kind::Person,
        party: party.map(str::parse).transpose()?,
        roles: vec![role],
        services: Vec::new(),
        certificates: vec![(*certificate.thumbprint()).into()],
        valid_from: now,
        valid_to: None,
        known: crate::users::Known::default(),
    };
    let because = Because::new("demo".to_owned(), now);
    Ok(decisions::user::add(store, None, &user.sound()?, &[certificate], &because).await?)
}
