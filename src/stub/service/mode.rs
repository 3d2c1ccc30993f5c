//! The ways in which a provider can fail, and the three ways to ask for one.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::soap::document::{Child, Element};

/// What stands before a mode's name in a request's body.
const ASK: &str = "stub:";
/// The longest delay, in seconds.
const LONGEST: u64 = 600;

/// How the provider behaves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Mode {
    /// As it should.
    #[default]
    Honest,
    /// Answers with a fault that the operation declares: the one of this name, or any.
    DeclaredFault(Option<String>),
    /// Answers with a fault that no WSDL declares.
    UndeclaredFault,
    /// Answers with this HTTP status and a text that is no SOAP.
    Status(u16),
    /// Waits this long, then answers.
    Slow(Duration),
    /// Never answers.
    Hang,
    /// Closes the connection before the first byte.
    Reset,
    /// Breaks the connection half-way through the answer.
    Cut,
    /// Answers with a body that breaks the schema.
    Invalid,
    /// Signs with a key that is not the provider's own.
    WrongSigner,
    /// Leaves the signature out.
    Unsigned,
    /// Changes the body after it was signed.
    Altered,
    /// Relates the answer, signed, to another request.
    WrongRelation,
    /// Says this in the body, whatever was asked. For tests: no name on the command line.
    Says(Arc<str>),
}

/// The names, as on the command line.
const PLAIN: [(&str, Mode); 11] = [
    ("honest", Mode::Honest),
    ("declared-fault", Mode::DeclaredFault(None)),
    ("undeclared-fault", Mode::UndeclaredFault),
    ("hang", Mode::Hang),
    ("reset", Mode::Reset),
    ("cut", Mode::Cut),
    ("invalid", Mode::Invalid),
    ("wrong-signer", Mode::WrongSigner),
    ("unsigned", Mode::Unsigned),
    ("altered", Mode::Altered),
    ("wrong-relation", Mode::WrongRelation),
];

/// The names that [`Mode::from_str`] reads, for a help text.
pub const NAMES: &str = "honest, declared-fault, declared-fault=NAME, undeclared-fault, status=CODE, slow=SECONDS, hang, reset, \
    cut, invalid, wrong-signer, unsigned, altered, wrong-relation";

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("unknown mode {text}; choose one of {NAMES}");
        if let Some((_, mode)) = PLAIN.iter().find(|(name, _)| *name == text) {
            return Ok(mode.clone());
        }
        let (name, value) = text.split_once('=').ok_or_else(unknown)?;
        match name {
            "declared-fault" if !value.is_empty() => Ok(Mode::DeclaredFault(Some(value.to_owned()))),
            "status" => value.parse().ok().filter(|code| (200..600).contains(code)).map(Mode::Status).ok_or_else(unknown),
            "slow" => {
                let seconds = value.parse().ok().filter(|seconds| *seconds <= LONGEST);
                seconds.map(|seconds| Mode::Slow(Duration::from_secs(seconds))).ok_or_else(unknown)
            }
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mode::DeclaredFault(Some(name)) => write!(f, "declared-fault={name}"),
            Mode::Status(code) => write!(f, "status={code}"),
            Mode::Slow(pause) => write!(f, "slow={}", pause.as_secs()),
            Mode::Says(_) => f.write_str("says"),
            plain => f.write_str(PLAIN.iter().find(|(_, mode)| mode == plain).map_or("?", |(name, _)| name)),
        }
    }
}

impl Mode {
    /// Whether it is about a signature, which only answers to a token have.
    pub fn needs_signature(&self) -> bool {
        matches!(self, Mode::WrongSigner | Mode::Unsigned | Mode::Altered | Mode::WrongRelation)
    }

    /// What a request asks for: the first word `stub:MODE` in a text or an attribute's value of its body.
    ///
    /// # Errors
    /// A word that names no mode.
    pub fn asked(body: Element<'_>) -> Result<Option<Self>, String> {
        for element in [body].into_iter().chain(body.descendants()) {
            let values = element.attributes().map(|attribute| attribute.value);
            let texts = element.children().filter_map(|child| match child {
                Child::Text { text, .. } => Some(text),
                Child::Comment | Child::Element(_) => None,
            });
            for text in values.chain(texts) {
                if let Some(word) = text.split_ascii_whitespace().find_map(|word| word.strip_prefix(ASK)) {
                    return word.parse().map(Some);
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soap::document::Document;
    use crate::soap::strict::Limits;

    #[test]
    fn every_name_in_the_help_is_read_and_nothing_else() {
        for name in NAMES.split(", ") {
            let text = name.replace("CODE", "503").replace("SECONDS", "2").replace("NAME", "Fejl");
            assert_eq!(text.parse::<Mode>().map(|mode| mode.to_string()), Ok(text.clone()));
        }
        for wrong in ["", "evil", "slow", "slow=601", "slow=-1", "honest=1", "status=99", "declared-fault="] {
            assert!(wrong.parse::<Mode>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_request_asks_in_a_text_or_an_attribute() {
        let asked = |xml: &'static str| {
            let document = Document::parse(bytes::Bytes::from_static(xml.as_bytes()), &Limits::default()).unwrap();
            Mode::asked(document.root())
        };
        assert_eq!(asked("<a><b>Til prøve stub:slow=2 tak</b></a>"), Ok(Some(Mode::Slow(Duration::from_secs(2)))));
        assert_eq!(asked("<a><b c='stub:reset'/></a>"), Ok(Some(Mode::Reset)));
        assert_eq!(asked("<a>urn:stub:reset</a>"), Ok(None), "a word of its own");
        assert!(asked("<a>stub:resett</a>").unwrap_err().contains("declared-fault"), "the names are told");
    }
}
