//! Service agreements: who may call which service, on whose behalf, on what legal basis, and when.
//!
//! Read [`model`] for what an agreement is and how it changes, [`import`] for the file it is brought in by, [`store`] for
//! what is kept of it, and [`cache`] for how the gateway asks. [`basis`] is what an agreement was approved
//! under. [`route`] says which
//! system receives a call that the agreements let through. Registration of a
//! system gives no access: only an agreement in state GODKENDT, whose time has come and not passed, does, and that is
//! judged at each use.
//!
//! What an agreement is narrowed to ([`Scope`]) and what part an authority plays ([`Role`]) are the services' words, which
//! they hand in where a file is read ([`Vocabulary`]).

pub mod basis;
pub mod cache;
mod fields;
pub mod import;
pub mod model;
pub mod page;
pub mod request;
pub mod route;
pub mod rules;
mod scope;
mod security;
pub mod store;
pub mod system;
pub mod terms;

pub use cache::{Agreements, CacheSettings, ClientSystem};
pub use fields::Problem;
pub use import::{ScopeKey, Vocabulary};
pub use model::{Agreement, Asked, Authority, Decision, Environment, Role, Side, Standing, State, Thumbprint};
pub use route::Route;
pub use scope::Scope;
pub use security::Security;
pub use store::{AgreementError, Change, Store};
pub use terms::Terms;
