//! Files from one system to another, on SQLite and PostgreSQL.

mod announced;
mod bounds;
mod door;
mod killed;
mod mailboxes;
mod mailboxes_killed;
mod monitoring;
mod partner_door;
mod pieces;
mod validators;
mod way;
mod world;
mod xml;
