//! Persons: what institutions' HR systems import, and what Campus is told of it.
//!
//! How a door imports: it makes a [`Row`] of each person with [`Row::give`] (or reads a file with [`file::Rows`]), says by a
//! [`Scope`] what the caller's agreement covers, and gives [`AT_ONCE`] rows at a time to an [`Import`], which answers each with an
//! [`Answer`] in their order. One call is [`Persons::import_all`]; a file is one [`Import`] with many batches, so that a person who
//! stands twice in it is seen. The answers do not depend on how a file is divided.
//!
//! - [`field`]: the fields, one table; [`codes`]: what is said of a person, another.
//! - [`row`], [`mod@file`]: persons as they are given. `judge`, `forms` and `stray`: what can be said of one by itself.
//! - [`number`]: pseudonyms and running numbers. The CPR number itself is never kept.
//! - [`import`]: what is there, what becomes of it; `rows` are the store's. [`outbox`]: what is to be handed on, written with it.
//! - [`campus`]: hands it on, by SCIM.
//! - [`erase`]: a person is taken out for good: by a decision, when its time is over, and again in a store that was put back.

pub mod answer;
pub mod campus;
pub mod codes;
mod content;
pub mod erase;
pub mod field;
pub mod file;
mod forms;
pub mod import;
mod judge;
pub mod number;
pub mod outbox;
pub mod row;
mod rows;
pub mod scope;
mod seen;
pub mod shown;
mod stray;

pub use answer::{Answer, Remark, ResultFile, Status};
pub use codes::Code;
pub use field::Field;
pub use import::{AT_ONCE, Import, ImportError, Persons};
pub use number::PersonKeys;
pub use row::Row;
pub use scope::Scope;
