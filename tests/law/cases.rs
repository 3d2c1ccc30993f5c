//! The case files: each says what becomes of a search (`cases/window`) or of an answer (`cases/release`), and here it is
//! tried against the policy that ships. A lawyer adds a case by writing it; `cases/README.md` says how.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use hjemmel::cli::cases::{self, PolicyText, Tried};
use hjemmel::cli::policy;
use hjemmel::clock::Clock;

const POLICY: &str = include_str!("../../policies/terminaladgang-6.toml");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

fn shipped() -> PolicyText {
    PolicyText::new(Path::new("policies/terminaladgang-6.toml"), POLICY.to_owned()).unwrap()
}

fn all_as_they_say(tried: &[Tried], at_least: usize) {
    let otherwise = tried.iter().filter(|case| !case.trouble.is_empty());
    let otherwise: Vec<_> = otherwise.map(|case| format!("{}: {}: {:#?}", case.file, case.id, case.trouble)).collect();
    assert!(otherwise.is_empty(), "{}", otherwise.join("\n"));
    assert!(tried.len() >= at_least, "no case was lost: {} are there", tried.len());
}

#[tokio::test]
async fn every_search_is_judged_as_its_case_says() {
    all_as_they_say(&cases::try_window(&root(), &shipped()).await.unwrap(), 173);
}

#[tokio::test]
async fn every_answer_is_released_as_its_case_says() {
    all_as_they_say(&cases::try_release(&root(), &shipped()).await.unwrap(), 101);
}

const HEAD: &str = "today = \"2026-11-22\"\nshows = [\"reading\"]\n";
const CASE: &str = "[[case]]\nid = \"a\"\nda = \"En prøve.\"\nen = \"A try.\"\nsearch = \"AND(person(P), payments(date({})))\"\n";

/// A folder whose window cases are this text.
fn folder(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("window")).unwrap();
    std::fs::write(dir.path().join("window/a.toml"), text).unwrap();
    dir
}

async fn window(text: &str) -> Result<Vec<Tried>, String> {
    cases::try_window(folder(text).path(), &shipped()).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_file_that_does_not_say_what_it_means_is_no_case() {
    let whole = format!("{HEAD}{CASE}each = [\"2026-10-01T00:00:00Z\"]\nserved = \"unchanged\"\n");
    assert!(window(&whole).await.unwrap()[0].trouble.is_empty(), "the case that the others are made from stands");
    for (from, to, told) in [
        ("served = \"unchanged\"", "", "it expects nothing"),
        ("served = \"unchanged\"", "served = \"unchanged\"\nrefused = \"WindowOpen\"", "both served and refused"),
        ("served = \"unchanged\"", "served = \"inserted\"", "not where"),
        ("served = \"unchanged\"", "serves = \"unchanged\"", "unknown field `serves`"),
        ("served = \"unchanged\"", "served = \"unchanged\"\nnames = [\"x\"]", "names is for what is refused"),
        ("served = \"unchanged\"", "refused = \"WindowOpen\"\nsent = [\"x\"]", "nothing is sent of what is refused"),
        ("each = [\"2026-10-01T00:00:00Z\"]", "", "each goes with {}"),
        ("each = [\"2026-10-01T00:00:00Z\"]", "each = []", "each names nothing"),
        ("shows = [\"reading\"]", "", "it names no rule"),
        ("da = \"En prøve.\"", "da = \" \"", "in one of its languages"),
        ("en = \"A try.\"\n", "", "missing field `en`"),
        ("today = \"2026-11-22\"", "", "missing field `today`"),
        ("today = \"2026-11-22\"", "todays = \"2026-11-22\"", "unknown field `todays`"),
    ] {
        assert_eq!(whole.matches(from).count(), 1, "{from}");
        let error = window(&whole.replace(from, to)).await.expect_err(told);
        assert!(error.contains(told), "{from} → {to}: {error}");
    }
    let twice = format!("{whole}{}", whole.replace(HEAD, ""));
    assert!(window(&twice).await.unwrap_err().contains("another case has the same id"));
    assert!(window(&format!("{HEAD}case = []\n")).await.unwrap_err().contains("there is no case"));
    let empty = folder("");
    std::fs::remove_file(empty.path().join("window/a.toml")).unwrap();
    let error = cases::try_window(empty.path(), &shipped()).await.unwrap_err().to_string();
    assert!(error.contains("there is no case"), "{error}");
    assert!(cases::try_window(Path::new("nowhere"), &shipped()).await.is_err());
}

#[tokio::test]
async fn a_case_that_comes_out_otherwise_is_told() {
    let case = |more: &str| format!("{HEAD}{}{more}\n", CASE.replace("{}", "2026-10-01T00:00:00Z"));
    for (more, told) in [
        ("refused = \"WindowOpen\"", "must be refused, was served: Unchanged"),
        ("served = \"inserted\"\ndelimited = [\"x\"]", "must be Inserted, was Unchanged"),
        ("served = \"unchanged\"\ndelimited = [\"x\"]", "missing [\"x\"], not expected [\"2026-10-01T00:00:00Z\"]"),
        ("served = \"unchanged\"\nsearches = 2", "1 searches for payments are sent"),
        ("served = \"unchanged\"\nasked = []", "not expected [\"2026-10-01T00:00:00Z\"]"),
        ("served = \"unchanged\"\nshown = []", "everything"),
        ("served = \"unchanged\"\nkle = [\"32.03.04\"]", "32.03.04"),
        ("served = \"unchanged\"\nsent = [\"Sortering\"]", "must be sent"),
        ("served = \"unchanged\"\nnot-sent = [\"SoegUdtryk\"]", "must not be sent"),
        ("served = \"unchanged\"\ntold = [\"nothing\"]", "must be told"),
        ("served = \"unchanged\"\npolicy = [[\"no such words\", \"\"]]", "the policy does not say"),
        ("served = \"unchanged\"\nreplace = [[\"yi:\", \"x:\"]]", "once, but"),
        ("served = \"unchanged\"\ntoday = \"2027-06-01\"", "must be served, was refused: WindowOutside"),
        ("refused = \"WindowOpen\"\ntoday = \"2027-06-01\"", "must be refused with WindowOpen"),
        ("refused = \"WindowOutside\"\ntoday = \"2027-06-01\"\nnames = [\"1999\"]", "must name \"1999\""),
    ] {
        let trouble = window(&case(more)).await.unwrap()[0].trouble.join("; ");
        assert!(trouble.contains(told), "{more}: {trouble}");
    }
}

#[tokio::test]
async fn an_answer_that_comes_out_otherwise_is_told() {
    let file = std::fs::read_to_string(root().join("release/payment.toml")).unwrap();
    let head = &file[..file.find("[[case]]").unwrap()];
    let try_it = async |more: &str| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("release")).unwrap();
        let text = format!("{head}[[case]]\nid = \"a\"\nda = \"En prøve.\"\nen = \"A try.\"\n{more}\n");
        std::fs::write(dir.path().join("release/a.toml"), text).unwrap();
        match cases::try_release(dir.path(), &shipped()).await {
            Ok(tried) => tried[0].trouble.join("; "),
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(try_it("without = []").await, "");
    for (more, told) in [
        ("", "it expects nothing"),
        ("without = []\nrefused = \"x\"", "two things at once"),
        ("without = []\nwithou = []", "unknown field `withou`"),
        ("without = []\nanswer.linse = \"\"", "unknown field `linse`"),
        ("without = [\"Egenskaber/SamletBruttobeloeb: 1\"]", "the plain answer does not release"),
        ("without = [\"Egenskaber/SamletBruttobeloeb: 7001.50\"]", "not expected [\"Egenskaber/SamletBruttobeloeb: 7001.50\"]"),
        ("with = [\"Egenskaber/Slutdato: x\"]", "missing [\"Egenskaber/Slutdato: x\"]"),
        ("released = []", "not expected"),
        ("removed-by = \"window\"", "must be removed by window"),
        ("answer.owners = \"\"\nremoved-by = \"window\"", "must be removed by window"),
        ("refused = \"PeerFault\"", "must be refused with PeerFault, and was not"),
        ("answer.status = \"\"\nrefused = \"PeerFault\"", "was refused: PeerAnswerInvalid"),
        ("answer.lines = \"lines()\"\nwithout = []", "lines(…) is not known in an answer"),
        ("filter = [\"alt\"]\nwithout = []", "alt is no part of a payment"),
    ] {
        let trouble = try_it(more).await;
        assert!(trouble.contains(told), "{more}: {trouble}");
    }
}

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: policy::Args,
}

#[tokio::test]
async fn the_command_tells_what_a_changed_policy_changes() {
    let dir = tempfile::tempdir().unwrap();
    let run = async |text: &str, more: &[&str]| {
        let path = dir.path().join("policy.toml");
        std::fs::write(&path, text).unwrap();
        let arguments = ["policy", "cases", path.to_str().unwrap()].into_iter().map(str::to_owned);
        let more = std::iter::once(root().to_str().unwrap().to_owned()).chain(more.iter().map(|more| (*more).to_owned()));
        let args = Command::try_parse_from(arguments.chain(more)).unwrap().args;
        let mut out = Vec::new();
        let clock = Clock::fixed("2026-11-22T12:00:00Z".parse().unwrap());
        let code = policy::run(&args, &clock, &mut out).await.unwrap();
        (code == ExitCode::SUCCESS, String::from_utf8(out).unwrap())
    };
    let (same, text) = run(POLICY, &[]).await;
    assert!(same && text.contains("0 come out otherwise") && text.contains("0 med et andet resultat"), "{text}");
    for said in ["window/natural", "✓ person-alone  [reading]", "Personen alene:", "The person alone:"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let net = POLICY.replace("form = \"amount\"\nrelease = false", "form = \"amount\"\nrelease = true");
    let (same, text) = run(&net, &["--differing", "--lang", "da"]).await;
    assert!(!same && text.contains("✗ plain-payment") && text.contains("Egenskaber/BeloebUdbetalt: 6001"), "{text}");
    assert!(!text.contains('✓') && !text.contains("A plain payment"), "{text}");
}
