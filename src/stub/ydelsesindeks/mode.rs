//! The ways in which an index can fail, so that a gateway before it can be seen to pass none of them on.

use std::str::FromStr;
use std::time::Duration;

/// How the index behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FaultMode {
    /// As it should.
    #[default]
    Honest,
    /// Answers with an unsigned SOAP fault and HTTP status 500.
    SoapFault,
    /// Answers with this `StatusKode`, properly signed, and nothing found.
    Status(u16),
    /// Ends the answer half-way, as if that were all of it.
    Truncated,
    /// Breaks the connection half-way through the answer.
    Cut,
    /// Puts a document type declaration before the envelope.
    Dtd,
    /// Calls the answer HTML.
    WrongContentType,
    /// Relates the answer, signed, to another request.
    WrongRelation,
    /// Leaves the signature out.
    Unsigned,
    /// Signs with a key that is not the index's own.
    WrongSigner,
    /// Changes one character of the body after signing.
    Altered,
    /// Appends a second envelope.
    TwoAnswers,
    /// Waits this long, then answers.
    Slow(Duration),
    /// Never answers.
    Hang,
    /// Closes the connection before the first byte.
    Reset,
    /// Answers bytes that are no XML.
    Garbage,
    /// Puts one text of this many bytes into the answer.
    HugeText(usize),
    /// Claims, falsely, that the answer is compressed.
    GzipClaim,
    /// Redirects to another host.
    Redirect,
    /// Answers as it should, and puts trailers behind the body: a person's number, and another content type.
    Trailers,
    /// Says this in the body, whatever was asked, and signs it as its own. For tests: no name on the command line.
    Says(&'static str),
}

/// The names, as on the command line.
const PLAIN: [(&str, FaultMode); 17] = [
    ("honest", FaultMode::Honest),
    ("soap-fault", FaultMode::SoapFault),
    ("truncated", FaultMode::Truncated),
    ("cut", FaultMode::Cut),
    ("dtd", FaultMode::Dtd),
    ("wrong-content-type", FaultMode::WrongContentType),
    ("wrong-relation", FaultMode::WrongRelation),
    ("unsigned", FaultMode::Unsigned),
    ("wrong-signer", FaultMode::WrongSigner),
    ("altered", FaultMode::Altered),
    ("two-answers", FaultMode::TwoAnswers),
    ("hang", FaultMode::Hang),
    ("reset", FaultMode::Reset),
    ("garbage", FaultMode::Garbage),
    ("gzip-claim", FaultMode::GzipClaim),
    ("redirect", FaultMode::Redirect),
    ("trailers", FaultMode::Trailers),
];

/// The names that [`FaultMode::from_str`] reads, for a help text.
pub const NAMES: &str = "honest, soap-fault, status=CODE, truncated, cut, dtd, wrong-content-type, wrong-relation, \
    unsigned, wrong-signer, altered, two-answers, slow=SECONDS, hang, reset, garbage, huge-text=BYTES, gzip-claim, redirect, \
    trailers";

impl FromStr for FaultMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("unknown fault mode {text}; choose one of {NAMES}");
        if let Some((_, mode)) = PLAIN.iter().find(|(name, _)| *name == text) {
            return Ok(*mode);
        }
        let (name, value) = text.split_once('=').ok_or_else(unknown)?;
        match name {
            "status" => value.parse().map(FaultMode::Status).map_err(|_| unknown()),
            "slow" => value.parse().map(|seconds| FaultMode::Slow(Duration::from_secs(seconds))).map_err(|_| unknown()),
            "huge-text" => value.parse().map(FaultMode::HugeText).map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_the_help_is_read_and_nothing_else() {
        for name in NAMES.split(", ") {
            let text = name.replace("CODE", "40").replace("SECONDS", "2").replace("BYTES", "1000");
            assert!(text.parse::<FaultMode>().is_ok(), "{text}");
        }
        for wrong in ["", "evil", "slow", "slow=", "slow=-1", "honest=1", "status=x"] {
            assert!(wrong.parse::<FaultMode>().is_err(), "{wrong}");
        }
    }
}
