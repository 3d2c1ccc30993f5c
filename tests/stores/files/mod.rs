//! Files from one system to another, on SQLite and PostgreSQL.

mod door;
mod killed;
mod way;
mod world;
mod xml;
