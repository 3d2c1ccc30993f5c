//! A person as it is shown to whoever holds the store: without a CPR number, which is not there.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::field::Field;
use super::import::Persons;
use super::{Scope, forms, rows};
use crate::store::{Database, StoreError};

/// One employment of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Shown {
    /// The person's running number.
    pub number: i64,
    /// The authority and InstitutionsID1.
    pub home: String,
    pub staff_number: String,
    /// The manager's running number.
    pub manager: Option<i64>,
    /// Whether it has a manager who is not there yet.
    pub waits_for_manager: bool,
    /// The other fields that it has, in their order.
    pub fields: Vec<(Field, String)>,
}

/// The employments of a person, by the order of staff numbers.
///
/// # Errors
/// The store does not answer.
pub async fn with_number(database: &Database, number: i64) -> Result<Vec<Shown>, StoreError> {
    let mut session = database.session().await?;
    let mut found = rows::employments(&mut session, &[number].into()).await?;
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    let shown = found.into_iter().map(|((number, staff_number), employment)| Shown {
        number,
        staff_number,
        manager: employment.manager,
        waits_for_manager: employment.waits_for.is_some(),
        fields: Field::ALL.into_iter().filter_map(|field| Some((field, employment.content.owned(field)?))).collect(),
        home: employment.home,
    });
    Ok(shown.collect())
}

impl Persons {
    /// The running number of a CPR number in each institution of the scope, where it has one. None: it is no CPR number.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn numbers_of(&self, scope: &Scope, cpr: &Zeroizing<String>) -> Result<Option<Vec<(String, i64)>>, StoreError> {
        let Ok(cpr) = forms::cpr(cpr.trim()) else { return Ok(None) };
        let mut session = self.database().session().await?;
        let mut found = Vec::new();
        for institution in &scope.institutions {
            let person = self.keys().pseudonym(&scope.home(institution), &cpr);
            let number = rows::numbers(&mut session, &BTreeSet::from([person])).await?;
            found.extend(number.values().map(|number| (institution.clone(), *number)));
        }
        Ok(Some(found))
    }
}
