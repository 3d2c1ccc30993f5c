//! Files from one system to another, on SQLite and PostgreSQL.

mod killed;
mod way;
mod world;
mod xml;
