//! What was decided on something, in a listing: why, what, when, and by whom.

use std::io::{self, Write};

use crate::decisions::record::Made;
use crate::users::User;

/// A line for each decision.
pub(super) fn print(made: &[Made], users: &[User], out: &mut impl Write) -> io::Result<()> {
    for made in made {
        let name = |id| users.iter().find(|user| user.id == id).map(|user| user.name.clone());
        let who = made.by(name).unwrap_or_else(|| "-".to_owned());
        let role = made.role.map_or_else(|| "-".to_owned(), |role| role.to_string());
        writeln!(out, "    {}: {} at {}, by {who} as {role}", made.because.reason, made.what.to, made.because.at)?;
    }
    Ok(())
}
