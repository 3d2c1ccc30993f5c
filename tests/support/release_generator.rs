//! Generates answers of the index, honest and hostile, with the context that they are judged in.
//!
//! Choices come from a tape of bytes: an exhausted tape gives the plainest choice, so that a failing case shrinks.

use serde::Serialize;
use std::collections::BTreeMap;

pub const YI: &str = "urn:oio:sts:ydelse:ydelseindeks:6";
pub const OEI: &str = "urn:oio:sts:ydelse:oekonomiskeffektueringindeks:6";
pub const BI: &str = "urn:oio:sts:ydelse:bevillingindeks:6";
pub const GD: &str = "urn:oio:sts:generelledefinitioner:6";
pub const SD: &str = "urn:oio:sagdok:3.0.0";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
const FOREIGN: &str = "urn:example:foreign";

pub const OWNER: &str = "a91824c4-da1d-47f9-bce2-5d6597879415";
pub const PARTY: &str = "68d4b903-acae-4f2f-aafc-45bd999ed81f";
pub const GRANTEE: &str = "3102fa7e-f56e-4510-b0d4-1650c590dc3b";
const OTHER_ROLE: &str = "93af57a7-7658-4fac-98da-9e5ac7a7d9a5";
/// The invented person asked about, and another.
pub const P: &str = "6101801234";
const Q: &str = "6202755678";
/// The instant at which every case is judged; the window is `[2026-08-01T00:00+02:00, 2026-12-01T00:00+01:00)`.
pub const NOW: &str = "2026-11-22T12:00:00Z";

/// What a case is judged in, as the outside oracle reads it.
#[derive(Debug, Clone, Serialize)]
pub struct Context {
    pub person: String,
    pub window_from: String,
    pub window_to: String,
    /// The first instant of the day after the call's.
    pub tomorrow: String,
    pub counterpart_cvrs: Vec<String>,
    pub caller: &'static str,
    pub names: BTreeMap<String, String>,
    pub kle: Option<Vec<Vec<String>>>,
    pub sensitivity: Option<Vec<Vec<String>>>,
    /// `all`, `nothing` or the parts asked for: `egenskaber`, `aktoer`, `oekonomiskeydelseeffektueringer`.
    pub asked: Asked,
    pub options: Options,
    pub roles: BTreeMap<&'static str, &'static str>,
}

#[derive(Debug, Clone, Serialize, PartialEq)]
#[serde(untagged)]
pub enum Asked {
    Word(&'static str),
    Parts(Vec<&'static str>),
}

#[derive(Debug, Clone, Serialize)]
pub struct Options {
    pub person_check: &'static str,
    pub net_amounts: bool,
    pub periods: bool,
    pub empty_status: u16,
    pub naive: &'static str,
    pub future: &'static str,
}

pub struct Tape<'t> {
    bytes: &'t [u8],
    /// Most choices are the plainest: otherwise hardly any object would pass every rule.
    calm: bool,
}

impl<'t> Tape<'t> {
    pub fn new(bytes: &'t [u8]) -> Self {
        Self { bytes, calm: false }
    }

    fn byte(&mut self) -> u8 {
        match self.bytes.split_first() {
            Some((first, rest)) => {
                self.bytes = rest;
                *first
            }
            None => 0,
        }
    }
    /// A choice below `n`; the plainest is 0.
    fn pick(&mut self, n: usize) -> usize {
        if self.calm && self.byte() < 128 {
            return 0;
        }
        usize::from(self.byte()) % n
    }
    /// True once in `n` times.
    fn rare(&mut self, n: usize) -> bool {
        self.pick(n) == n - 1
    }
    fn of<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.pick(from.len())]
    }
}

/// An element to be written, in a more or less hostile spelling.
struct El {
    ns: &'static str,
    local: &'static str,
    attributes: String,
    kids: Vec<El>,
    text: Option<String>,
}

fn el(ns: &'static str, local: &'static str, kids: Vec<El>) -> El {
    El { ns, local, attributes: String::new(), kids, text: None }
}

fn leaf(ns: &'static str, local: &'static str, text: impl Into<String>) -> El {
    El { ns, local, attributes: String::new(), kids: Vec::new(), text: Some(text.into()) }
}

/// An answer and its context.
pub fn case(tape: &mut Tape<'_>) -> (String, Context) {
    let context = context(tape);
    let hostile = tape.pick(4) > 0;
    tape.calm = tape.pick(4) > 0;
    let answer = answer(tape, hostile, &context.counterpart_cvrs[0]);
    let mut xml = String::new();
    spell(tape, &answer, &mut Vec::new(), hostile, &mut xml);
    (xml, context)
}

fn context(tape: &mut Tape<'_>) -> Context {
    let udk = tape.pick(3) == 2;
    let counterpart = if udk { vec!["11111111", "99999981"] } else { vec!["99999991"] };
    let lists = |lists: &[&[&str]]| Some(lists.iter().map(|list| list.iter().map(|s| (*s).to_owned()).collect()).collect());
    let names = [("99999991", "Udbetaling Danmark (test)"), ("11111111", "Korsbæk & <Omegn>")];
    Context {
        person: P.to_owned(),
        window_from: "2026-08-01T00:00:00+02:00".to_owned(),
        window_to: "2026-12-01T00:00:00+01:00".to_owned(),
        tomorrow: "2026-11-23T00:00:00+01:00".to_owned(),
        counterpart_cvrs: counterpart.into_iter().map(str::to_owned).collect(),
        caller: if udk { "udk" } else { "municipality" },
        names: names.into_iter().take(1 + tape.pick(2)).map(|(cvr, name)| (cvr.to_owned(), name.to_owned())).collect(),
        kle: match tape.pick(6) {
            4 => lists(&[&["32.03.*", "32.1*"]]),
            5 => lists(&[&["32.*"], &["32.06.04", "32.03.04"]]),
            _ => None,
        },
        sensitivity: match tape.pick(6) {
            4 => lists(&[&["IKKE_FORTROLIGE_DATA", "FORTROLIGE_PERSONOPLYSNINGER"]]),
            5 => lists(&[&["VIP_SAGER", "IKKE_FORTROLIGE_DATA"]]),
            _ => None,
        },
        asked: match tape.pick(8) {
            5 => Asked::Word("nothing"),
            6 => Asked::Parts(vec!["egenskaber"]),
            7 => Asked::Parts(
                ["egenskaber", "aktoer", "oekonomiskeydelseeffektueringer"].into_iter().filter(|_| tape.pick(2) == 1).collect(),
            ),
            _ => Asked::Word("all"),
        },
        options: Options {
            person_check: if tape.rare(4) { "trust-index" } else { "prove" },
            net_amounts: tape.rare(3),
            periods: !tape.rare(4),
            empty_status: if tape.rare(4) { 44 } else { 20 },
            naive: if tape.rare(4) { "refuse" } else { "copenhagen" },
            future: if tape.pick(2) == 1 { "withhold" } else { "release" },
        },
        roles: BTreeMap::from([("owner", OWNER), ("party", PARTY), ("grantee", GRANTEE)]),
    }
}

fn answer(tape: &mut Tape<'_>, hostile: bool, cvr: &str) -> El {
    let mut kids = vec![el(SD, "StandardRetur", vec![leaf(SD, "StatusKode", "20")])];
    if tape.rare(16) {
        kids[0].kids[0].text = Some(tape.of(&["44", "50", " 20 ", "x", "044"]).to_owned());
    }
    if tape.pick(2) == 1 {
        kids[0].kids.push(leaf(SD, "FejlbeskedTekst", format!("secret text about {Q}")));
    }
    for kind in ["bevillinger", "ydelser", "effektueringer"] {
        for _ in 0..[1, 0, 1, 2][tape.pick(4)] {
            let mut count = vec![leaf(YI, "Element", kind), leaf(YI, "Antal", "17")];
            if tape.pick(2) == 1 {
                let first = tape.of(&["0", "25", "6101801234", "-1"]);
                let paging = vec![leaf(SD, "FoersteResultatReference", first), leaf(SD, "MaksimalAntalKvantitet", "500")];
                count.push(el(YI, "Paginering", paging));
            }
            kids.push(el(YI, "Antal", count));
        }
    }
    let grants = 3 - tape.pick(16).saturating_sub(12);
    for n in 0..=grants {
        kids.push(grant(tape, n));
    }
    for n in 0..[2, 1, 0, 3, 4][tape.pick(5)] {
        kids.push(object(tape, n, hostile, cvr));
    }
    if tape.rare(24) {
        let late = grant(tape, 9);
        kids.push(late);
    }
    if tape.rare(40) {
        kids.remove(0);
    }
    el(YI, "FremsoegYdelseIndeksOutput", kids)
}

fn uuid(kind: char, n: usize) -> String {
    format!("{kind}0000000-0000-4000-8000-00000000000{n}")
}

fn id(uuid: impl Into<String>) -> Vec<El> {
    vec![leaf(SD, "UUIDIdentifikator", uuid)]
}

fn urn(urn: impl Into<String>) -> Vec<El> {
    vec![leaf(SD, "URNIdentifikator", urn)]
}

fn role(tape: &mut Tape<'_>, plain: &str) -> Option<El> {
    let kids = match tape.pick(64) {
        20 => return None,
        21 => id(OTHER_ROLE),
        22 => id(plain.to_uppercase()),
        23 => [id(plain), urn("urn:x:role")].concat_els(),
        _ => id(plain),
    };
    Some(el(GD, "Rolle", kids))
}

trait ConcatEls {
    fn concat_els(self) -> Vec<El>;
}
impl ConcatEls for [Vec<El>; 2] {
    fn concat_els(self) -> Vec<El> {
        self.into_iter().flatten().collect()
    }
}

fn grant(tape: &mut Tape<'_>, n: usize) -> El {
    // The first three are P's, P's with a sensitivity, and Q's, unless the tape says otherwise.
    let n = if tape.rare(12) { 0 } else { n };
    let mut kids = vec![el(BI, "ObjektType", id(uuid('b', n)))];
    for _ in 0..[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 0][tape.pick(16)] {
        let mut registration = Vec::new();
        if tape.rare(16) {
            registration.push(leaf(SD, "LivscyklusKode", tape.of(&["Opstaaet", "Slettet"])));
        }
        let mut properties = vec![leaf(BI, "Begrundelse", format!("secret reason {Q}"))];
        let level = tape.of(&[
            "",
            "IKKE_FORTROLIGE_DATA",
            "FORTROLIGE_PERSONOPLYSNINGER",
            "",
            "FOELSOMME_PERSONOPLYSNINGER",
            "",
            "",
            "",
            "",
            "VIP_SAGER",
            "vip",
        ]);
        if !level.is_empty() {
            properties.push(leaf(BI, "Foelsomhed", level));
        }
        registration.push(el(BI, "AttributListe", vec![el(BI, "Egenskaber", properties)]));
        let mut parties = Vec::new();
        for _ in 0..[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 0][tape.pick(24)] {
            let mut party: Vec<El> = role(tape, GRANTEE).into_iter().collect();
            let who = match (n, tape.pick(48)) {
                (_, 13) => id("c0000000-0000-4000-8000-000000000000"),
                (_, 14) => urn(format!("urn:oio:udk:borgerid:{P}00")),
                (_, 15) => urn(format!("urn:oio:cpr-nr:{Q}")),
                (2, _) => urn(format!("urn:oio:cpr-nr:{Q}")),
                _ => urn(format!("urn:oio:cpr-nr:{P}")),
            };
            party.push(el(GD, "ReferenceID", who));
            party.push(leaf(BI, "FuldtNavn", "secret name"));
            parties.push(el(BI, "Bevillingspart", party));
        }
        if tape.rare(6) {
            let other = vec![el(GD, "Rolle", id(OTHER_ROLE)), el(GD, "ReferenceID", urn(format!("urn:oio:cpr-nr:{Q}")))];
            parties.push(el(BI, "Bevillingspart", other));
        }
        registration.push(el(BI, "TilstandListe", vec![]));
        registration.push(el(BI, "RelationListe", parties));
        kids.push(el(BI, "Registrering", registration));
    }
    el(YI, "BevillingFiltreretOejebliksbillede", kids)
}

fn date(tape: &mut Tape<'_>) -> &'static str {
    const INSIDE: &[&str] = &[
        "2026-10-01T00:00:00+02:00",
        "2026-08-01T00:00:00+02:00",
        "2026-11-30T23:59:59+01:00",
        "2026-09-15T10:00:00",
        "2026-11-30T22:59:59Z",
        "2026-12-01T00:30:00+02:00",
        "2026-11-22T23:59:59+01:00",
        "2026-11-22T23:00:00Z",
        "2026-11-23T00:00:00",
    ];
    const OUTSIDE: &[&str] = &[
        "2026-07-31T23:59:59+02:00",
        "2026-12-01T00:00:00+01:00",
        "2025-10-01T00:00:00+02:00",
        "2026-08-01T00:00:00+03:00",
        "2026-12-24T00:00:00",
    ];
    const UNREADABLE: &[&str] =
        &["2026-13-01T00:00:00Z", "-2026-10-01T00:00:00Z", " 2026-10-01T00:00:00Z", "2026-10-01", "", "6202755678"];
    match tape.pick(32) {
        29 | 30 => tape.of(OUTSIDE),
        31 => tape.of(UNREADABLE),
        _ => tape.of(INSIDE),
    }
}

fn amount(tape: &mut Tape<'_>) -> &'static str {
    tape.of(&["1234.50", "0", "-17.5", "0012.000", "98765", "1234,50", "+1", "1.", "", "6202755678 secret"])
}

fn object(tape: &mut Tape<'_>, n: usize, hostile: bool, cvr: &str) -> El {
    let object_id = if tape.rare(32) { "not-a-uuid".to_owned() } else { uuid('e', n) };
    let mut kids = vec![el(OEI, "ObjektType", id(object_id))];
    for _ in 0..[1, 1, 1, 1, 1, 2, 3, 0][tape.pick(8)] {
        kids.push(registration(tape, cvr));
    }
    if hostile {
        mischief(tape, &mut kids);
    }
    el(YI, "OekonomiskEffektueringFiltreretOejebliksbillede", kids)
}

fn registration(tape: &mut Tape<'_>, cvr: &str) -> El {
    let mut kids = vec![leaf(SD, "NoteTekst", format!("secret note {Q}"))];
    if tape.rare(6) {
        kids.push(leaf(SD, "LivscyklusKode", tape.of(&["Opstaaet", "Importeret", "Passiveret", "Slettet", "slettet"])));
    }
    let properties = (0..[1, 1, 1, 1, 2, 1, 1, 1, 2, 0][tape.pick(10)]).map(|_| properties(tape)).collect();
    kids.push(el(OEI, "AttributListe", properties));
    kids.push(el(OEI, "TilstandListe", vec![]));
    let mut relations: Vec<El> = (0..[1, 1, 2, 1, 3, 1, 2, 2, 2, 0][tape.pick(10)]).map(|_| line(tape)).collect();
    for _ in 0..[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 0][tape.pick(16)] {
        relations.push(actor(tape, cvr));
    }
    relations.push(el(OEI, "ItSystem", vec![leaf(OEI, "SystemNavn", "secret"), leaf(OEI, "SystemURI", "secret")]));
    for _ in 0..[1, 0, 2][tape.pick(3)] {
        let who = if tape.rare(3) { Q } else { P };
        let mut party: Vec<El> = role(tape, PARTY).into_iter().collect();
        party.push(el(GD, "Type", id(uuid('a', 1))));
        party.push(el(GD, "ReferenceID", urn(format!("urn:oio:cpr-nr:{who}"))));
        party.push(leaf(OEI, "FuldtNavn", "secret name"));
        relations.push(el(OEI, "OekonomiskEffektueringPart", party));
    }
    kids.push(el(OEI, "RelationListe", relations));
    el(OEI, "Registrering", kids)
}

fn properties(tape: &mut Tape<'_>) -> El {
    let mut kids = vec![leaf(OEI, "BrugervendtNoegle", "secret key")];
    if tape.pick(2) == 1 {
        kids.push(leaf(OEI, "Startdato", date(tape)));
        kids.push(leaf(OEI, "Slutdato", date(tape)));
    }
    kids.push(leaf(OEI, "SamletBruttobeloeb", amount(tape)));
    if !tape.rare(10) {
        kids.push(leaf(OEI, "Dispositionsdato", date(tape)));
    }
    kids.push(leaf(OEI, "BeloebEfterSkatATP", amount(tape)));
    kids.push(leaf(OEI, "BeloebSendtTilUdbetaling", "900"));
    kids.push(leaf(OEI, "BeloebUdbetalt", amount(tape)));
    kids.push(leaf(OEI, "SendtTilUdbetalingTekst", "secret set-off"));
    el(OEI, "Egenskaber", kids)
}

fn line(tape: &mut Tape<'_>) -> El {
    let mut kids = vec![el(GD, "Rolle", id(uuid('d', 1))), el(GD, "Type", urn(format!("urn:x:{Q}")))];
    kids.push(leaf(GD, "Indeks", tape.of(&["1", "0042", "6202755678", ""])));
    let class =
        if tape.rare(4) { urn("7d335b26-6028-4e42-9eb1-1a93aa9890b1") } else { id("70355b26-6028-4e42-9eb1-1a93aa9890b1") };
    kids.push(el(GD, "ReferenceID", class));
    kids.push(leaf(OEI, "YdelsesperiodeStartdato", date(tape)));
    kids.push(leaf(OEI, "YdelsesperiodeSlutdato", date(tape)));
    kids.push(leaf(OEI, "Ydelsesbeloeb", amount(tape)));
    let kle = tape.of(&["32.03.04", "32.06.04", "32.10.02", "32.03.12", "99.01.01", "folkepension 6202755678", ""]);
    if !kle.is_empty() {
        kids.push(leaf(OEI, "Klassifikationsbeskrivelse", kle));
    }
    // 0, 1 and 3 are P's, 2 is Q's, 8 is on no page.
    let grant = [0, 0, 0, 1, 3, 2, 0, 0, 0, 1, 3, 2, 0, 0, 0, 1, 3, 2, 0, 0, 0, 1, 3, 2, 0, 0, 0, 1, 3, 2, 8, 99][tape.pick(32)];
    if grant != 99 {
        kids.push(el(
            OEI,
            "BevilgetYdelseRef",
            vec![leaf(SD, "UUIDIdentifikator", uuid('b', grant)), leaf(OEI, "BevilgetYdelseId", "secret")],
        ));
    }
    el(OEI, "OekonomiskYdelseEffektueringRelation", kids)
}

fn actor(tape: &mut Tape<'_>, counterpart: &str) -> El {
    let mut kids: Vec<El> = role(tape, OWNER).into_iter().collect();
    kids.push(el(GD, "Type", id(uuid('a', 2))));
    kids.push(el(GD, "ReferenceID", urn(format!("urn:oio:cpr-nr:{Q}"))));
    kids.push(leaf(OEI, "FuldtNavn", "secret name"));
    let cvr = match tape.pick(20) {
        16 => "11111111",
        17 => "99999982",
        18 => "9999999",
        19 => "",
        _ => counterpart,
    };
    if !cvr.is_empty() {
        kids.push(leaf(OEI, "CVR-nr", cvr));
    }
    el(OEI, "Aktoer", kids)
}

/// Distorts somewhere in a tree: xsi:type, xsi:nil, a repeated, moved, renamed or embedded element.
fn mischief(tape: &mut Tape<'_>, kids: &mut Vec<El>) {
    let mut trouble = tape.pick(6).saturating_sub(3);
    while trouble > 0 && !kids.is_empty() {
        trouble -= 1;
        let mut list: &mut Vec<El> = kids;
        loop {
            let at = tape.pick(list.len());
            if list[at].kids.is_empty() || tape.rare(4) {
                distort(tape, list, at);
                break;
            }
            list = &mut list[at].kids;
        }
    }
}

fn distort(tape: &mut Tape<'_>, list: &mut Vec<El>, at: usize) {
    let choice = tape.pick(8);
    if choice < 3 && !list[at].attributes.is_empty() {
        return;
    }
    match choice {
        0 => list[at].attributes.push_str(&format!(" q:note=\"secret {Q}\" plain=\"secret\" xmlns:q=\"{FOREIGN}\"")),
        1 => list[at].attributes.push_str(&format!(" xmlns:t=\"{XSI}\" t:type=\"t:secret\"")),
        2 => list[at].attributes.push_str(&format!(" t:nil=\"true\" xmlns:t=\"{XSI}\"")),
        3 => {
            let again = copy(&list[at]);
            list.push(again);
        }
        4 => list[at].ns = FOREIGN,
        5 => {
            let inner = copy(&list[at]);
            let hidden = el(GD, "LokalUdvidelseListe", vec![el(FOREIGN, "hidden", vec![inner])]);
            list.insert(at, hidden);
        }
        6 => {
            let inner = copy(&list[at]);
            list[at].kids.push(inner);
        }
        _ => {
            list.remove(at);
        }
    }
}

fn copy(from: &El) -> El {
    El {
        ns: from.ns,
        local: from.local,
        attributes: from.attributes.clone(),
        kids: from.kids.iter().map(copy).collect(),
        text: from.text.clone(),
    }
}

/// Writes an element: prefixes chosen and re-bound as the tape says, text split by comments, CDATA and references.
fn spell(tape: &mut Tape<'_>, element: &El, scope: &mut Vec<(&'static str, &'static str)>, hostile: bool, out: &mut String) {
    const PREFIXES: &[&str] = &["", "a", "b", "yi", "sd", "gd", "oei"];
    let depth = scope.len();
    let in_scope =
        |scope: &[(&str, &str)], prefix: &str| scope.iter().rev().find(|(p, _)| *p == prefix).map(|(_, ns)| (*ns).to_owned());
    let current = PREFIXES.iter().find(|prefix| in_scope(scope, prefix).as_deref() == Some(element.ns));
    let (prefix, declare) = match current {
        Some(prefix) if !(hostile && tape.rare(8)) => (*prefix, false),
        _ => (*PREFIXES.get(1 + tape.pick(PREFIXES.len() - 1)).unwrap(), true),
    };
    let (prefix, declare) = if hostile && declare && tape.rare(3) { ("", true) } else { (prefix, declare) };
    let name = if prefix.is_empty() { element.local.to_owned() } else { format!("{prefix}:{}", element.local) };
    out.push_str(&format!("<{name}"));
    if declare {
        let xmlns = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
        out.push_str(&format!(" {xmlns}=\"{}\"", element.ns));
        scope.push((prefix, element.ns));
    }
    out.push_str(&element.attributes);
    if element.kids.is_empty() && element.text.as_deref().unwrap_or("").is_empty() && tape.pick(2) == 1 {
        out.push_str("/>");
        scope.truncate(depth);
        return;
    }
    out.push('>');
    if let Some(text) = &element.text {
        spell_text(tape, text, hostile, out);
    }
    for kid in &element.kids {
        if hostile && tape.rare(12) {
            noise(tape, element.text.is_none(), out);
        }
        spell(tape, kid, scope, hostile, out);
    }
    out.push_str(&format!("</{name}>"));
    scope.truncate(depth);
}

fn noise(tape: &mut Tape<'_>, elements: bool, out: &mut String) {
    let stray = elements.then_some(["secret stray text", "\n  ", "<![CDATA[secret]]>"]);
    match (tape.pick(4), stray) {
        (3, Some(_)) => {
            out.push_str(&format!(
                "<u:Unknown xmlns:u=\"{FOREIGN}\" u:x=\"secret\"><u:deep>secret {Q}</u:deep><u:empty/></u:Unknown>"
            ));
        }
        (n @ 1..=2, Some(stray)) => out.push_str(stray[n]),
        _ => out.push_str("<!-- secret comment -->"),
    }
}

fn spell_text(tape: &mut Tape<'_>, text: &str, hostile: bool, out: &mut String) {
    for c in text.chars() {
        match if hostile { tape.pick(48) } else { 0 } {
            45 => out.push_str(&format!("<![CDATA[{c}]]>")),
            46 => out.push_str(&format!("<!--{Q}-->{c}")),
            47 => out.push_str(&format!("&#x{:x};", c as u32)),
            _ => out.push(c),
        }
    }
}
