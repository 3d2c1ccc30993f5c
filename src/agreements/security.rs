//! The two ways in which a system proves who it is.

use std::{fmt, str::FromStr};

use super::model::ModelError;

/// How a caller proves itself to a service, or the gateway to the system that receives the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Security {
    /// OIO IDWS: a signed message with a token.
    Token,
    /// Mutual TLS and an AuthorityContext.
    AuthorityContext,
}

impl Security {
    /// As files, the store and lists write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::AuthorityContext => "authority-context",
        }
    }
}

impl FromStr for Security {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        [Self::Token, Self::AuthorityContext]
            .into_iter()
            .find(|security| security.name() == text)
            .ok_or(ModelError("a security model is token or authority-context"))
    }
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
