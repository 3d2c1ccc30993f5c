//! What an operator is asked before something opens.

use std::io::{self, BufRead, Write};

/// Why it was not agreed to. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotAgreed {
    /// What is shown is to be agreed to, and nobody is there to do it.
    #[error("nothing was changed: there is no terminal to ask at whether this is what the authority decided; add --yes")]
    NobodyToAsk,
    /// The answer was not yes.
    #[error("nothing was changed")]
    Declined,
    /// It cannot be asked.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Asks, and takes nothing but a yes for one. `operator` answers; none where there is no terminal.
///
/// # Errors
/// [`NotAgreed`].
pub(super) fn agreed(question: &str, operator: Option<&mut dyn BufRead>, out: &mut impl Write) -> Result<(), NotAgreed> {
    let operator = operator.ok_or(NotAgreed::NobodyToAsk)?;
    write!(out, "\n{question}? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    operator.read_line(&mut answer)?;
    match ["y", "yes", "j", "ja"].contains(&answer.trim().to_lowercase().as_str()) {
        true => Ok(()),
        false => Err(NotAgreed::Declined),
    }
}
