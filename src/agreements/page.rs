//! Agreements a page at a time, for whoever may see which.

use jiff::Timestamp;
use uuid::Uuid;

use super::model::{Agreement, Environment, Side, State};
use super::store::{Store, agreements_that, read};
use crate::id::cvr::Cvr;
use crate::store::StoreError;
use crate::store::value::Value;

/// Which agreements, and how many: those that fit everything given, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Of this authority.
    pub authority: Option<Cvr>,
    /// Of these authorities and no other's, whatever `authority` says.
    pub only_authority: Option<Cvr>,
    /// Requested by this company.
    pub requested_by: Option<Cvr>,
    /// Of these services. Empty: all.
    pub services: Vec<Uuid>,
    /// Of this service.
    pub service: Option<Uuid>,
    /// Of this system.
    pub system: Option<Uuid>,
    /// On this side.
    pub side: Option<Side>,
    /// In this environment.
    pub environment: Option<Environment>,
    /// Last decided to be so.
    pub state: Option<State>,
    /// That end from the first instant on and before the second.
    pub ends: Option<(Timestamp, Timestamp)>,
    /// After this one.
    pub after: Option<Uuid>,
    /// At most so many.
    pub limit: u32,
}

impl Store {
    /// The agreements wanted. The conditions are the query's, so that what may not be seen is not read either.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn page(&self, wanted: &Wanted) -> Result<Vec<Agreement>, StoreError> {
        let (mut condition, mut values) = ("TRUE".to_owned(), Vec::<Value>::new());
        // Only names that stand here and numbers of parameters come into the statement.
        let mut and = |before: &str, value: Value, after: &str| {
            values.push(value);
            condition += &format!(" AND {before}${}{after}", values.len());
        };
        let texts = [
            ("authority", wanted.authority.map(|cvr| cvr.to_string())),
            ("authority", wanted.only_authority.map(|cvr| cvr.to_string())),
            ("side", wanted.side.map(|side| side.name().to_owned())),
            ("environment", wanted.environment.as_ref().map(|environment| environment.as_str().to_owned())),
            ("state", wanted.state.map(|state| state.wire_name().to_owned())),
        ];
        for (column, value) in texts {
            if let Some(value) = value {
                and(&format!("{column} = "), value.into(), "");
            }
        }
        for (column, value) in [("service", wanted.service), ("system", wanted.system)] {
            if let Some(value) = value {
                and(&format!("{column} = "), value.into(), "");
            }
        }
        if let Some((from, before)) = wanted.ends {
            and("valid_to >= ", from.into(), "");
            and("valid_to < ", before.into(), "");
        }
        if let Some(company) = wanted.requested_by {
            let requested = "id IN (SELECT subject_id FROM decision
                 WHERE subject = 'agreement' AND to_state = 'ANMODET' AND party = ";
            and(requested, company.to_string().into(), ")");
        }
        if let Some(after) = wanted.after {
            and("id > ", after.into(), "");
        }
        if !wanted.services.is_empty() {
            let places: Vec<_> = (1..=wanted.services.len()).map(|at| format!("${}", values.len() + at)).collect();
            condition += &format!(" AND service IN ({})", places.join(", "));
            values.extend(wanted.services.iter().map(|service| Value::from(*service)));
        }
        values.push(i64::from(wanted.limit).into());
        condition += &format!(" ORDER BY id LIMIT ${}", values.len());
        let query = values.into_iter().fold(agreements_that(&condition), |query, value| query.bind(value));
        self.database().all(query).await?.iter().map(read).collect()
    }
}
