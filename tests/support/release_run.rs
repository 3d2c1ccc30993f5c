//! Runs the filter as the gateway does: over the tokens of a SOAP Body's content.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hjemmel::id::cpr::Cpr;
use hjemmel::refusal::Refusal;
use hjemmel::services::terminaladgang::law::document::Policy;
use hjemmel::services::terminaladgang::law::kle::{Constraint, SensitivityConstraint};
use hjemmel::services::terminaladgang::law::release::{Ask, Filter, Filtered, Limits};
use hjemmel::services::terminaladgang::law::rules::{Asked, Naive, Reading};
use hjemmel::services::terminaladgang::law::window::Window;
use hjemmel::soap::reading::Reading as _;
use hjemmel::soap::scan::{End, Scanner};
use hjemmel::soap::strict::{Limits as XmlLimits, Token};

pub const POLICY: &str = include_str!("../../policies/terminaladgang-6.toml");

/// The policy file of the project with some of its text replaced, each exactly once.
pub fn policy(changes: &[(&str, &str)]) -> Policy {
    let mut text = POLICY.to_owned();
    for (from, to) in changes {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text = text.replace(from, to);
    }
    Policy::read(&text, Path::new("policies/terminaladgang-6.toml")).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A municipality asks UDK about the invented person, on 2026-11-22.
pub fn ask(now: &str) -> Ask {
    Ask {
        person: Cpr::parse("6101801234").unwrap(),
        window: Window::at(now.parse().unwrap(), Reading::CalendarMonths).unwrap(),
        counterpart: ["99999991".to_owned()].into(),
        names: Arc::new(BTreeMap::from([("99999991".to_owned(), "Udbetaling Danmark (test)".to_owned())])),
        kle: Constraint::unconstrained(),
        sensitivity: SensitivityConstraint::unconstrained(),
        asked: Asked::Everything,
        naive: Naive::Copenhagen,
        limits: Limits::default(),
        decisions: false,
    }
}

/// Feeds the content of a Body to a filter.
pub fn filter(policy: &Policy, ask: Ask, content: &str) -> Result<Filtered, Refusal> {
    let envelope = format!("<e:Body xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\">{content}</e:Body>");
    let mut scanner = Scanner::new(XmlLimits { nodes: usize::MAX, ..XmlLimits::default() });
    let mut filter = Filter::new(policy.release().clone(), ask);
    // In pieces, as an answer arrives; of which length must not matter.
    let mut pieces = envelope.as_bytes().chunks(1 + envelope.len() % 251);
    let mut first = true;
    loop {
        let Some(token) = scanner.next().expect("the case is strict XML") else {
            match pieces.next() {
                Some(piece) => scanner.take(piece),
                None => scanner.finish(End::Whole),
            }
            continue;
        };
        let outermost = std::mem::take(&mut first) || (token == Token::End && scanner.depth() == 0);
        match token {
            Token::Eof => return filter.finish(),
            _ if outermost => {}
            token => filter.feed(token, &scanner)?,
        }
    }
}
