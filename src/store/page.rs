//! Lists of the store, a page at a time: only names that stand in the code and numbers of parameters come into a statement.

use uuid::Uuid;

use super::value::{Query, Value, assembled_for};
use crate::id::cvr::Cvr;

/// What of an authority and a service to list.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of this service.
    pub service: Option<Uuid>,
    /// Of these services. Empty: all.
    pub services: Vec<Uuid>,
    /// Of this authority.
    pub authority: Option<Cvr>,
    /// After this one.
    pub after: Option<Uuid>,
    /// At most so many.
    pub limit: u32,
}

impl Wanted {
    /// The statement, of what is read up to `WHERE`.
    pub fn of(&self, select: &'static str) -> Query {
        let page = Page::of(select).with_any("service = ?", self.service).of_services(&self.services);
        page.with_any("authority = ?", self.authority.map(|cvr| cvr.to_string())).after(self.after, self.limit)
    }
}

/// A statement whose conditions are put together.
#[derive(Debug, Clone)]
pub struct Page {
    statement: String,
    values: Vec<Value>,
}

impl Page {
    /// What is read, up to `WHERE`.
    pub fn of(select: &'static str) -> Self {
        Self { statement: format!("{select}TRUE"), values: Vec::new() }
    }

    /// What is read, up to `WHERE`, where the first parameter is this value.
    pub fn about(select: &'static str, value: impl Into<Value>) -> Self {
        Self { statement: format!("{select}TRUE"), values: vec![value.into()] }
    }

    /// What fits this too.
    #[must_use]
    pub fn that(mut self, condition: &'static str) -> Self {
        self.statement += &format!(" AND ({condition})");
        self
    }

    /// What fits this too, with a value in the place of `?`.
    #[must_use]
    pub fn with(mut self, condition: &'static str, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        let condition = condition.replace('?', &format!("${}", self.values.len()));
        self.statement += &format!(" AND ({condition})");
        self
    }

    /// The same, where there is a value.
    #[must_use]
    pub fn with_any(self, condition: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(condition, value),
            None => self,
        }
    }

    /// What is of one of these services; of any, where there is none.
    #[must_use]
    pub fn of_services(mut self, services: &[Uuid]) -> Self {
        if !services.is_empty() {
            let places: Vec<_> = (1..=services.len()).map(|at| format!("${}", self.values.len() + at)).collect();
            self.statement += &format!(" AND service IN ({})", places.join(", "));
            self.values.extend(services.iter().map(|service| Value::from(*service)));
        }
        self
    }

    /// So many after this one, in the order of their ids.
    pub fn after(self, after: Option<Uuid>, limit: u32) -> Query {
        let Self { mut statement, mut values } = self.with_any("id > ?", after);
        values.push(i64::from(limit).into());
        statement += &format!(" ORDER BY id LIMIT ${}", values.len());
        values.into_iter().fold(assembled_for(statement.clone(), statement), Query::bind)
    }
}
