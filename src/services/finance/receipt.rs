//! The receipt as the platform writes it: its own where it refuses, and what it adds to the ledger's.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::rules::delivery::NAMESPACE;
use super::rules::table::Rule;
use super::rules::{Finding, Place, Severity, Verdict};
use crate::refusal::{Audience, Entry, Refusal};
use crate::signature::c14n::canonical_bytes;
use crate::signature::sign::canonical_content;
use crate::soap::document::{Document, Element};
use crate::soap::fault::escape;
use crate::soap::strict::Limits;

/// The namespace of the platform's shared receipt.
const SHARED: &str = "http://serviceplatformen.dk/xml/schemas/kvittering/1/";

/// What follows from a finding, in Danish and in English.
pub(super) fn consequence(finding: &Finding) -> (&'static str, &'static str) {
    match finding.severity {
        // Whether it was passed on is what nobody knows.
        _ if matches!(finding.rule, Rule::FB090 { .. }) => (
            "Der er ingen kvittering fra bogføringssystemet; bilagene er ikke afleveret.",
            "There is no receipt from the ledger; the vouchers are not handed over.",
        ),
        _ if matches!(finding.rule, Rule::FB032) => (
            "Leverancen er ikke sendt videre igen; den første afsendelse er ikke afsluttet.",
            "The delivery was not passed on again; the first has not ended.",
        ),
        Severity::Error => {
            ("Hele leverancen er afvist; intet er sendt videre.", "The whole delivery is refused; nothing was passed on.")
        }
        Severity::Warning => ("Leverancen er sendt videre.", "The delivery was passed on."),
    }
}

/// The code of an audience.
pub fn audience(audience: Audience) -> &'static str {
    Audience::CODES.iter().find(|(_, known)| *known == audience).map_or("DRIFT", |(code, _)| code)
}

/// An element of the contract, with text. Its prefix is that of [`root`].
pub fn element(name: &str, text: &str) -> String {
    format!("<fb:{name}>{}</fb:{name}>", escape(text))
}

/// The content of a `Fejl`: a row of the table at a place.
pub fn error(entry: &Entry, severity: &str, (da, en): (&str, &str), place: &Place) -> String {
    let both =
        |name: &str, da: &str, en: &str| format!("{}<fb:{name} sprog=\"en\">{}</fb:{name}>", element(name, da), escape(en));
    let optional = |name: &str, text: Option<String>| text.map_or_else(String::new, |text| element(name, &text));
    [
        element("FejlKode", entry.code),
        element("Alvor", severity),
        element("Maalgruppe", audience(entry.audience)),
        both("Tekst", &entry.da.what, &entry.en.what),
        both("Konsekvens", da, en),
        both("Handling", &entry.da.remedy, &entry.en.remedy),
        optional("PosteringNummer", place.posting.map(|number| number.to_string())),
        optional("Delsortiment", place.part.clone()),
        optional("SortimentKode", place.code.clone()),
    ]
    .concat()
}

/// `Platform`: what the platform found.
fn platform(findings: &[Finding], left_out: u64) -> String {
    let one = |finding: &Finding| {
        let severity = match finding.severity {
            Severity::Error => "FEJL",
            Severity::Warning => "ADVARSEL",
        };
        let told = error(&finding.rule.entry(), severity, consequence(finding), &finding.place);
        let voucher = finding.place.voucher.map_or_else(String::new, |voucher| element("BilagID", &voucher.to_string()));
        format!("<fb:Fejl>{told}{voucher}</fb:Fejl>")
    };
    let more = if left_out > 0 { element("Udeladt", &left_out.min(999_999_999).to_string()) } else { String::new() };
    format!("<fb:Platform>{}{more}</fb:Platform>", findings.iter().map(one).collect::<String>())
}

/// A whole receipt with this content, in exclusive canonical form.
///
/// # Errors
/// `Internal`: the content is of our own making.
pub fn root(content: &str) -> Result<Vec<u8>, Refusal> {
    let xml =
        format!("<fb:FinansbilagKvittering xmlns:fb=\"{NAMESPACE}\" xmlns:kv=\"{SHARED}\">{content}</fb:FinansbilagKvittering>");
    canonical_content(xml.as_bytes()).map_err(|_| Refusal::Internal)
}

/// The shared receipt, and in its list of errors a code and a text for each.
pub fn shared(name: &str, code_name: &str, code: &str, errors: &[(&str, &str)]) -> String {
    let one = |(code, text): &(&str, &str)| {
        format!("<kv:Fejl><kv:FejlKode>{}</kv:FejlKode><kv:FejlTekst>{}</kv:FejlTekst></kv:Fejl>", escape(code), escape(text))
    };
    let list = errors.iter().map(one).collect::<String>();
    let list = if list.is_empty() { list } else { format!("<kv:FejlListe>{list}</kv:FejlListe>") };
    format!("<kv:{name}><kv:{code_name}>{code}</kv:{code_name}>{list}</kv:{name}>")
}

/// The platform's own receipt: the whole delivery is refused.
///
/// # Errors
/// `Internal`.
pub fn refused(delivery: Uuid, findings: &[Finding], left_out: u64) -> Result<Vec<u8>, Refusal> {
    let entries: Vec<Entry> = findings.iter().map(|finding| finding.rule.entry()).collect();
    let errors: Vec<(&str, &str)> = entries.iter().map(|entry| (entry.code, entry.da.what.as_str())).collect();
    let transport = shared("TransportKvittering", "TransportValideringsKode", "FEJL", &errors);
    root(&format!("{}{transport}{}", element("LeveranceID", &delivery.to_string()), platform(findings, left_out)))
}

/// The same for what went wrong behind the rules.
///
/// # Errors
/// `Internal`.
pub fn refused_for(delivery: Uuid, rule: Rule) -> Result<Vec<u8>, Refusal> {
    refused(delivery, &[Finding { rule, severity: Severity::Error, place: Place::default() }], 0)
}

/// What a ledger's receipt says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// Whether it is a ledger's own receipt, and not the platform's refusal of the whole delivery; `None`: it is neither, or both, for the
    /// schema cannot say so for every client's tools.
    pub business: Option<bool>,
    /// The delivery that it is about.
    pub delivery: String,
    /// ACCEPTERET, AFVIST …
    pub code: String,
    /// The vouchers that were accepted.
    pub accepted: Vec<Uuid>,
    /// Those that were rejected.
    pub rejected: Vec<Uuid>,
    /// Its errors, counted by whom they are for.
    pub audiences: BTreeMap<String, u64>,
}

impl Said {
    /// Whether it answers a delivery of these vouchers: with a verdict on each of them and on no other, and the whole as the vouchers are. A voucher
    /// of which nothing was said could be booked once more in another delivery.
    pub fn answers(&self, delivery: Uuid, vouchers: impl IntoIterator<Item = Uuid>) -> bool {
        let (accepted, rejected) = (BTreeSet::from_iter(&self.accepted), BTreeSet::from_iter(&self.rejected));
        let judged = BTreeSet::from_iter(accepted.union(&rejected).map(|voucher| **voucher));
        let whole = match (self.business, self.code.as_str()) {
            (Some(false), "FEJL") => judged.is_empty(),
            (Some(true), "ACCEPTERET") => rejected.is_empty() && judged == BTreeSet::from_iter(vouchers),
            (Some(true), "AFVIST") => !rejected.is_empty() && judged == BTreeSet::from_iter(vouchers),
            _ => false,
        };
        whole && accepted.is_disjoint(&rejected) && self.delivery == delivery.to_string()
    }
}

/// A ledger's receipt as it is to leave: with the platform's warnings, unless the ledger filled in their place itself; and what it says. `None`
/// where it cannot be read.
pub fn passed_on(receipt: &[u8], verdict: &Verdict) -> Option<(Vec<u8>, Said)> {
    let parse = |bytes: Vec<u8>| Document::parse(bytes.into(), &Limits { nodes: usize::MAX, ..Limits::default() }).ok();
    let document = parse(receipt.to_vec())?;
    let said = said(document.root());
    let taken = document.root().elements().any(|child| child.is(NAMESPACE, "Platform"));
    if verdict.findings.is_empty() || taken {
        return Some((receipt.to_vec(), said));
    }
    let platform = platform(&verdict.findings, verdict.left_out).replacen(
        "<fb:Platform>",
        &format!("<fb:Platform xmlns:fb=\"{NAMESPACE}\">"),
        1,
    );
    let (before, after) = receipt.split_at_checked(receipt.windows(2).rposition(|pair| pair == b"</")?)?;
    let amended = parse([before, platform.as_bytes(), after].concat())?;
    Some((canonical_bytes(amended.root()), said))
}

/// What a receipt says that is kept of an earlier delivery.
pub fn read(receipt: &[u8]) -> Option<Said> {
    let document = Document::parse(receipt.to_vec().into(), &Limits { nodes: usize::MAX, ..Limits::default() }).ok()?;
    Some(said(document.root()))
}

/// Hears what a part of a receipt says, its first part first: each is the root with some of its children.
pub fn hear(part: Element<'_>, so_far: &mut Option<Said>) {
    let more = said(part);
    match so_far {
        None => *so_far = Some(more),
        Some(heard) => {
            heard.accepted.extend(more.accepted);
            heard.rejected.extend(more.rejected);
            for (audience, count) in more.audiences {
                *heard.audiences.entry(audience).or_default() += count;
            }
        }
    }
}

fn said(receipt: Element<'_>) -> Said {
    let text = |parent: Element<'_>, namespace: &str, name: &str| {
        parent.elements().find(|child| child.is(namespace, name)).and_then(|found| found.value()).unwrap_or_default().into_owned()
    };
    let business = receipt.elements().find(|child| child.is(SHARED, "Forretningskvittering"));
    let transport = receipt.elements().find(|child| child.is(SHARED, "TransportKvittering"));
    let code = business.map(|found| text(found, SHARED, "ForretningsValideringsKode"));
    let code = code.or_else(|| transport.map(|found| text(found, SHARED, "TransportValideringsKode")));
    let results = receipt.elements().filter(|child| child.is(NAMESPACE, "BilagResultat"));
    let (mut accepted, mut rejected, mut audiences) = (Vec::new(), Vec::new(), BTreeMap::<String, u64>::new());
    let mut all_understood = true;
    for result in results {
        for error in result.elements().filter(|child| child.is(NAMESPACE, "Fejl")) {
            *audiences.entry(text(error, NAMESPACE, "Maalgruppe")).or_default() += 1;
        }
        // A voucher that was wrongly read as rejected could be booked once more.
        match (text(result, NAMESPACE, "BilagID").parse(), text(result, NAMESPACE, "Resultat").as_str()) {
            (Ok(voucher), "ACCEPTERET") => accepted.push(voucher),
            (Ok(voucher), "AFVIST") => rejected.push(voucher),
            _ => all_understood = false,
        }
    }
    let business = match (transport, business) {
        _ if !all_understood => None,
        (Some(_), None) => Some(false),
        (None, Some(_)) => Some(true),
        _ => None,
    };
    Said {
        business,
        delivery: text(receipt, NAMESPACE, "LeveranceID"),
        code: code.unwrap_or_default(),
        accepted,
        rejected,
        audiences,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said_of(verdict: &str, voucher: &str) -> Said {
        let receipt = format!(
            "<f:Kvittering xmlns:f='{NAMESPACE}' xmlns:k='{SHARED}'><f:LeveranceID>x</f:LeveranceID><k:Forretningskvittering>\
             <k:ForretningsValideringsKode>AFVIST</k:ForretningsValideringsKode></k:Forretningskvittering>\
             <f:BilagResultat><f:BilagID>{voucher}</f:BilagID><f:Resultat>{verdict}</f:Resultat></f:BilagResultat></f:Kvittering>"
        );
        read(receipt.as_bytes()).unwrap()
    }

    #[test]
    fn a_verdict_is_read_however_it_is_written_and_one_that_is_none_leaves_the_receipt_unread() {
        let voucher = Uuid::from_u128(7);
        for accepted in ["ACCEPTERET", "<![CDATA[ACCEPTERET]]>", "ACCEPT<!-- -->ERET"] {
            let said = said_of(accepted, &voucher.to_string());
            assert_eq!((said.business, said.accepted, said.rejected), (Some(true), vec![voucher], vec![]), "{accepted}");
        }
        assert_eq!(said_of("AFVIST", &voucher.to_string()).rejected, [voucher]);
        for (verdict, voucher) in [("", voucher.to_string()), ("MODTAGET", voucher.to_string()), ("AFVIST", "7".to_owned())] {
            assert_eq!(said_of(verdict, &voucher).business, None, "{verdict} {voucher}");
        }
    }
}
