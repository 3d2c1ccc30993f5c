//! PostgreSQL as it is in operation: what it does is not ours, and what we see of it is.

mod connection;
mod crowd;
mod earlier;
mod many;
mod notices;
mod reach;
mod schema;
mod seen;
mod whole;
