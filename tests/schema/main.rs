//! Messages against schemas: what is wrong is named by place and rule, never by value; a schema that is not whole is not
//! used; and the official Danish schemas, where they are present, as they were published.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]

mod empty;
mod guards;
#[path = "../support/not_run.rs"]
mod not_run;
mod official;
#[path = "../support/reference.rs"]
mod reference;
mod small;
mod support;
