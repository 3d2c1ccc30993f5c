//! Validators: what judges the files of a stream. As data where that will do; where not, a service's rule for files of an InfRef
//! ([`crate::files::content`]) is named.
//!
//! A validator sees a file piece by piece, and keeps little of it: it runs off the threads that serve, and its remarks name lines, places
//! and figures, never what the file says.

use std::collections::BTreeSet;
use std::io::Read;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::agreement::Terms;
use super::by_schema::BySchema;
use crate::files::codes::Code;
use crate::files::content::{Content, Contents, Passing};
use crate::refusal::Detail;

/// The most remarks of one file; the rest is counted.
pub const MOST_REMARKS: usize = 20;
/// The longest line that a control section's validator takes, in bytes.
const LONGEST_LINE: usize = 64 * 1024;
/// The largest difference of sums that is told, in øre.
const LARGEST_DIFFERENCE: u128 = 99_999_999;
/// How much is read at once.
const PIECE: usize = 64 * 1024;

/// What is wrong with a file, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// The code.
    pub code: String,
    /// What is wrong, in Danish.
    pub da: String,
    /// The same in English.
    pub en: String,
    /// What to do, in Danish.
    pub remedy_da: String,
    /// The same in English.
    pub remedy_en: String,
}

impl Remark {
    /// What a service's rule found.
    fn of(code: &Code) -> Self {
        let entry = code.entry();
        Self {
            code: code.number().to_string(),
            da: entry.da.what,
            en: entry.en.what,
            remedy_da: entry.da.remedy,
            remedy_en: entry.en.remedy,
        }
    }

    /// The same as a receipt has it.
    pub fn code(&self) -> Code {
        let Self { code, da, en, remedy_da, remedy_en } = self;
        Code::FIL1050 { what: Detail::new(format!("{code}: {da} {remedy_da}"), format!("{code}: {en} {remedy_en}")) }
    }
}

/// What a validator may know besides the file.
#[derive(Debug, Clone)]
pub struct Context {
    /// The terms of the agreement whose stream it is: the sender's.
    pub terms: Terms,
    /// The kind of the alias that the file is for.
    pub alias_kind: String,
    /// Its code.
    pub alias_code: String,
    /// The day, in Copenhagen.
    pub on: Date,
}

/// What judges a stream's files, as the agreement says it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validator {
    /// Nothing does: each file is approved.
    #[default]
    None,
    /// Postings in lines, with control sections of counts and sums.
    Control(Control),
    /// An XML Schema.
    Schema(BySchema),
    /// The rule that a service has for files of this InfRef.
    Named(String),
}

impl Validator {
    /// Whether it can be so.
    ///
    /// # Errors
    /// What it must be.
    pub fn sound(&self) -> Result<(), Detail> {
        match self {
            Self::None => Ok(()),
            Self::Named(name) if (1..=64).contains(&name.len()) => Ok(()),
            Self::Named(_) => Err(Detail::new("navnet har 1-64 tegn", "its name has 1-64 characters")),
            Self::Control(control) => control.sound(),
            Self::Schema(schema) => schema.sound(),
        }
    }

    /// Judges a content. `None`: this node has nothing of that name that could.
    ///
    /// # Errors
    /// It cannot be judged now.
    pub async fn judge(
        &self,
        content: Content,
        context: Context,
        contents: &Contents,
        now: Timestamp,
    ) -> Result<Option<Vec<Remark>>, Passing> {
        let ended = |error: tokio::task::JoinError| Passing(error.to_string());
        match self {
            Self::None => Ok(Some(Vec::new())),
            Self::Control(control) => {
                let controlled = Controlled::new(control.clone(), context);
                tokio::task::spawn_blocking(move || controlled.judge(&content)).await.map_err(ended)?.map(Some)
            }
            Self::Schema(schema) => {
                let schema = schema.clone();
                tokio::task::spawn_blocking(move || schema.judge(&content)).await.map_err(ended)?.map(Some)
            }
            Self::Named(name) => {
                let Some(rule) = contents.of(name) else { return Ok(None) };
                let Some(checking) = rule.check(content, context.terms.owner, now) else { return Ok(None) };
                Ok(Some(checking.await?.iter().map(Remark::of).collect()))
            }
        }
    }
}

/// How a file of postings is written: a record a line, its fields between separators, the first field its type. The first field has
/// number 1. A posting names its ledger circle, its amount and whether it is debit or credit; a control section names the version of
/// the chart of accounts, how many postings there are, and their sums.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// What stands between fields.
    pub separator: char,
    /// What a posting's first field is.
    pub posting: String,
    /// What a control section's first field is.
    pub control: String,
    /// Of a posting: the field with the ledger circle.
    pub circle: usize,
    /// Of a posting: the field with the amount, with two decimals.
    pub amount: usize,
    /// Of a posting: the field with D or K.
    pub side: usize,
    /// Of the control section: the field with the version of the chart of accounts.
    pub chart: usize,
    /// Of the control section: the field with the number of postings.
    pub count: usize,
    /// Of the control section: the field with the sum of debit.
    pub debit: usize,
    /// Of the control section: the field with the sum of credit.
    pub credit: usize,
    /// The kind of alias that a ledger circle is.
    #[serde(default = "Control::usual_kind")]
    pub alias_kind: String,
    /// The versions of the chart that are known.
    pub charts: Vec<String>,
}

impl Control {
    fn usual_kind() -> String {
        "BOGFOERINGSKREDS".to_owned()
    }

    fn sound(&self) -> Result<(), Detail> {
        let places = [self.circle, self.amount, self.side, self.chart, self.count, self.debit, self.credit];
        let wrong = |da: &str, en: &str| Err(Detail::new(da, en));
        match () {
            () if self.separator.is_alphanumeric() || self.separator.is_control() && self.separator != '\t' => {
                wrong("separator er ét tegn, som ingen værdi har", "separator is one character that no value has")
            }
            () if self.posting.is_empty() || self.control.is_empty() || self.posting == self.control => wrong(
                "posting og control er første felt i de to slags poster og er forskellige",
                "posting and control are the first fields of the two kinds of record, and differ",
            ),
            () if places.iter().any(|place| !(2..=200).contains(place)) => {
                wrong("et felts plads er 2 til 200; det første er typen", "a field's place is 2 to 200; the first is the type")
            }
            () if self.charts.is_empty() || self.charts.len() > 100 => {
                wrong("charts nævner 1 til 100 versioner", "charts names 1 to 100 versions")
            }
            () => Ok(()),
        }
    }
}

/// An amount in øre, from digits with two decimals behind a comma or a point.
fn amount(text: &str) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, cents) = digits.split_once([',', '.'])?;
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(cents) || cents.len() != 2 || whole.len() > 20 {
        return None;
    }
    let ore = whole.parse::<i128>().ok()?.checked_mul(100)?.checked_add(cents.parse().ok()?)?;
    Some(if negative { -ore } else { ore })
}

fn written(ore: i128) -> String {
    let (sign, all) = (if ore < 0 { "-" } else { "" }, ore.unsigned_abs());
    format!("{sign}{},{:02}", all / 100, all % 100)
}

/// By how much two sums differ. Neither of them is told, nor a difference that is as long as a person's number: where columns are shifted,
/// anything may stand there.
fn difference(found: i128, told: i128) -> (String, String) {
    let ore = found.saturating_sub(told);
    if ore.unsigned_abs() > LARGEST_DIFFERENCE {
        let large = written(LARGEST_DIFFERENCE.try_into().unwrap_or(i128::MAX));
        return (format!("forskellen er større end {large}"), format!("they differ by more than {large}"));
    }
    (format!("forskellen er {}", written(ore)), format!("they differ by {}", written(ore)))
}

struct Controlled {
    control: Control,
    context: Context,
    line: Vec<u8>,
    /// The line is longer than any may be, and the rest of it is passed over.
    too_long: bool,
    lines: u64,
    postings: u64,
    debit: i128,
    credit: i128,
    /// What the control section says; the last one, of which there is to be one.
    told: Option<(u64, i128, i128)>,
    sections: u64,
    circles: BTreeSet<String>,
    remarks: Remarks,
}

/// Remarks, of which so many are kept.
#[derive(Default)]
struct Remarks {
    kept: Vec<Remark>,
    more: u64,
}

impl Remarks {
    fn add(&mut self, code: &str, da: String, en: String, remedy: (&str, &str)) {
        if self.kept.len() >= MOST_REMARKS {
            self.more += 1;
            return;
        }
        let (remedy_da, remedy_en) = (remedy.0.to_owned(), remedy.1.to_owned());
        self.kept.push(Remark { code: code.to_owned(), da, en, remedy_da, remedy_en });
    }

    fn all(mut self) -> Vec<Remark> {
        if self.more > 0 {
            let (remedy_da, remedy_en) = ("Ret de viste først.".to_owned(), "Correct those that are shown first.".to_owned());
            self.kept.push(Remark {
                code: "VP099".to_owned(),
                da: format!("Der er {} bemærkninger mere.", self.more),
                en: format!("There are {} more remarks.", self.more),
                remedy_da,
                remedy_en,
            });
        }
        self.kept
    }
}

const SOURCE: (&str, &str) = (
    "Ret afleveringen i det afleverende system, og aflever filen igen med et nyt id.",
    "Correct it in the delivering system, and deliver the file again under a new id.",
);

impl Controlled {
    fn new(control: Control, context: Context) -> Self {
        Self {
            control,
            context,
            line: Vec::new(),
            too_long: false,
            lines: 0,
            postings: 0,
            debit: 0,
            credit: 0,
            told: None,
            sections: 0,
            circles: BTreeSet::new(),
            remarks: Remarks::default(),
        }
    }

    fn unreadable(&mut self, what: (&str, &str)) {
        let line = self.lines;
        self.remarks.add("VP010", format!("Linje {line}: {}.", what.0), format!("Line {line}: {}.", what.1), SOURCE);
    }

    fn line(&mut self) {
        self.lines += 1;
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.too_long) {
            return self.unreadable(("linjen er for lang", "it is too long"));
        }
        // Texts may be of an older set of characters: what is judged is digits and codes.
        let text = String::from_utf8_lossy(&line);
        let text = text.strip_suffix('\r').unwrap_or(&text);
        let text = if self.lines == 1 { text.strip_prefix('\u{FEFF}').unwrap_or(text) } else { text };
        if text.is_empty() {
            return;
        }
        let fields: Vec<&str> = text.split(self.control.separator).collect();
        let field = |place: usize| place.checked_sub(1).and_then(|at| fields.get(at)).copied().unwrap_or_default();
        let kind = field(1);
        if kind == self.control.posting {
            let (circle, side) = (field(self.control.circle).to_owned(), field(self.control.side));
            let Some(ore) = amount(field(self.control.amount)) else {
                return self.unreadable(("beløbet har ikke to decimaler", "the amount does not have two decimals"));
            };
            match side {
                "D" => self.debit = self.debit.saturating_add(ore),
                "K" => self.credit = self.credit.saturating_add(ore),
                _ => return self.unreadable(("posteringen er hverken D eller K", "the posting is neither D nor K")),
            }
            self.postings += 1;
            let known = self.context.terms.has_alias(&self.control.alias_kind, &circle, self.context.on);
            // Each circle once, and no more of them than there are remarks.
            if !known && self.circles.len() < MOST_REMARKS && self.circles.insert(circle) {
                let line = self.lines;
                self.remarks.add(
                    "VP001",
                    format!("Linje {line}: bogføringskredsen er ikke omfattet af partneraftalen i dag."),
                    format!("Line {line}: the ledger circle is not covered by the partner agreement today."),
                    (
                        "Ret bogføringskredsen, eller anmod om at få den med i partneraftalen.",
                        "Correct the ledger circle, or ask to have it added to the partner agreement.",
                    ),
                );
            }
        } else if kind == self.control.control {
            self.sections += 1;
            if !self.control.charts.iter().any(|chart| chart == field(self.control.chart)) {
                self.remarks.add(
                    "VP002",
                    "Kontrolafsnittet nævner en ukendt version af kontoplanen.".to_owned(),
                    "The control section names an unknown version of the chart of accounts.".to_owned(),
                    ("Brug en version, som partneraftalen nævner.", "Use a version that the partner agreement names."),
                );
            }
            let count = field(self.control.count).parse().ok();
            let sums = amount(field(self.control.debit)).zip(amount(field(self.control.credit)));
            match count.zip(sums) {
                Some((count, (debit, credit))) => self.told = Some((count, debit, credit)),
                None => {
                    self.unreadable(("kontrolafsnittets tal kan ikke læses", "the figures of the control section cannot be read"))
                }
            }
        } else {
            self.unreadable(("recordtypen er ukendt", "the type of record is unknown"));
        }
    }
}

impl Controlled {
    fn judge(mut self, content: &Content) -> Result<Vec<Remark>, Passing> {
        let passing = |error: std::io::Error| Passing(error.to_string());
        let (mut reader, mut piece) = (content.open().map_err(passing)?, vec![0; PIECE]);
        loop {
            match reader.read(&mut piece).map_err(passing)? {
                0 => return Ok(self.end()),
                read => self.take(piece.get(..read).unwrap_or_default()),
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            if self.line.len() + piece.len() > LONGEST_LINE {
                self.too_long = true;
                self.line.clear();
            } else if !self.too_long {
                self.line.extend_from_slice(piece);
            }
            if pieces.peek().is_some() {
                self.line();
            }
        }
    }

    fn end(mut self) -> Vec<Remark> {
        if !self.line.is_empty() || self.too_long {
            self.line();
        }
        match (self.sections, self.told) {
            (1, Some((count, debit, credit))) => {
                if count != self.postings {
                    let found = self.postings;
                    self.remarks.add(
                        "VP003",
                        format!("Filen har {found} posteringer, og kontrolafsnittet siger et andet antal."),
                        format!("The file has {found} postings, and the control section says another number."),
                        SOURCE,
                    );
                }
                for (code, (da, en), told, found) in
                    [("VP004", ("debet", "debit"), debit, self.debit), ("VP005", ("kredit", "credit"), credit, self.credit)]
                {
                    if told != found {
                        let (differ_da, differ_en) = difference(found, told);
                        self.remarks.add(
                            code,
                            format!("Summen af {da} er en anden end i kontrolafsnittet; {differ_da}."),
                            format!("The sum of {en} is another than in the control section; {differ_en}."),
                            SOURCE,
                        );
                    }
                }
            }
            (1, None) => {}
            (sections, _) => self.remarks.add(
                "VP006",
                format!("Filen har {sections} kontrolafsnit og skal have præcis ét."),
                format!("The file has {sections} control sections, and must have exactly one."),
                SOURCE,
            ),
        }
        self.remarks.all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = "separator = ';'\nposting = 'P'\ncontrol = 'K'\ncircle = 2\namount = 4\nside = 3\nchart = 2\ncount = 3\n\
                        debit = 4\ncredit = 5\ncharts = ['2026']";

    fn controlled() -> Controlled {
        let terms = "number = 'PA85858'\nowner = '11111111'\nenvironment = 'test'\nlegal_basis = 'a'\npurpose = 'b'\n\
                     contact = { email = 'a@b.example', phone = '1' }\n\
                     [[alias]]\nkind = 'BOGFOERINGSKREDS'\ncode = '0101'\nvalid_from = '2026-01-01'\nvalid_to = '2027-01-01'";
        let context = Context {
            terms: toml::from_str(terms).unwrap(),
            alias_kind: "BOGFOERINGSKREDS".to_owned(),
            alias_code: "0101".to_owned(),
            on: jiff::civil::date(2026, 11, 29),
        };
        let control: Control = toml::from_str(SPEC).unwrap();
        control.sound().unwrap();
        Controlled::new(control, context)
    }

    fn judged(file: &str, piece: usize) -> Vec<Remark> {
        let mut validator = controlled();
        file.as_bytes().chunks(piece).for_each(|piece| validator.take(piece));
        validator.end()
    }

    fn codes(file: &str) -> Vec<String> {
        let remarks = judged(file, 3);
        assert_eq!(remarks, judged(file, 4096), "however it is divided");
        remarks.into_iter().map(|remark| remark.code).collect()
    }

    #[test]
    fn a_file_whose_control_section_agrees_is_approved() {
        assert_eq!(codes("P;0101;D;10,50\r\nP;0101;K;10.50\nK;2026;2;10,50;10,50"), [""; 0]);
        assert_eq!(codes("K;2026;0;0,00;0,00\n"), [""; 0]);
        assert_eq!(codes("P;0101;D;-1,00\nK;2026;1;-1,00;0,00\n"), [""; 0]);
    }

    #[test]
    fn texts_of_an_older_set_of_characters_and_a_byte_order_mark_are_no_fault() {
        let latin = [&b"\xEF\xBB\xBFP;0101;D;10,50;L\xF8n\n"[..], b"P;0101;K;10,50;\xE6\nK;2026;2;10,50;10,50\n"].concat();
        let mut validator = controlled();
        latin.chunks(3).for_each(|piece| validator.take(piece));
        assert_eq!(validator.end(), []);
    }

    #[test]
    fn each_control_has_its_code() {
        assert_eq!(codes("P;0999;D;1,00\nP;0999;K;1,00\nK;2026;2;1,00;1,00"), ["VP001"], "a circle once");
        assert_eq!(codes("K;2019;0;0,00;0,00"), ["VP002"]);
        assert_eq!(codes("P;0101;D;1,00\nK;2026;2;1,00;0,00"), ["VP003"]);
        assert_eq!(codes("P;0101;D;1,00\nK;2026;1;1,01;0,00"), ["VP004"]);
        assert_eq!(codes("P;0101;K;1,00\nK;2026;1;0,00;1,01"), ["VP005"]);
        assert_eq!(codes(""), ["VP006"]);
        assert_eq!(codes("K;2026;0;0,00;0,00\nK;2026;0;0,00;0,00"), ["VP006"]);
        for line in ["P;0101;D;1", "P;0101;D;1,0", "P;0101;D;1,000", "P;0101;D;١,٠٠", "P;0101;X;1,00", "X", "P", "P;0101;D;1e2"]
        {
            assert!(codes(&format!("{line}\nK;2026;0;0,00;0,00")).contains(&"VP010".to_owned()), "{line}");
        }
    }

    #[test]
    fn a_remark_says_by_how_much_sums_differ_and_nothing_that_the_file_says_whatever_column_it_stands_in() {
        let remarks = judged("P;6105998888;D;1,00\nK;2026;1;2,50;0,00", 7);
        assert!(remarks[1].da.contains("forskellen er -1,50"), "{remarks:?}");
        for file in [
            "P;6105998888;D;1,00\nK;2026;1;2,00;0,00",
            "K;2026;6105998888;0,00;0,00",
            "K;6105998888;0;6105998888,00;6105998888,00",
            "P;0101;D;6105998888,00\nK;2026;1;0,00;61059988,88",
        ] {
            let digits: String = format!("{:?}", judged(file, 7)).chars().filter(|c| !",.".contains(*c)).collect();
            assert!(!digits.contains("6105998888"), "{file}: {digits}");
        }
    }

    #[test]
    fn remarks_and_memory_are_bounded_however_bad_a_file_is() {
        let bad = "X\n".repeat(10_000);
        assert_eq!(judged(&bad, 999).len(), MOST_REMARKS + 1);
        let long = "9".repeat(1_000_000);
        assert_eq!(codes(&format!("P;{long}\nK;2026;0;0,00;0,00")), ["VP010"]);
    }

    #[test]
    fn sums_are_exact_where_a_float_would_not_be() {
        let postings = "P;0101;D;90071992547409,93\n".repeat(100);
        assert_eq!(codes(&format!("{postings}K;2026;100;9007199254740993,00;0,00")), [""; 0]);
        assert_eq!(codes(&format!("{postings}K;2026;100;9007199254740992,00;0,00")), ["VP004"]);
    }
}
