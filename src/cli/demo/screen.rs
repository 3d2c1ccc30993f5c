//! The demo's screen: the question, the window, what came and what was let out, with the reason for each kind.

use super::campus;
use super::connection;
use super::files;
use super::finance;
use super::scenes::Played;
use super::world::World;
use crate::audit::Counts;
use crate::cli::call::words::Said;

/// One line a call.
pub fn line(played: &Played) {
    let verdict = if played.as_expected() { "ok " } else { "NOT AS EXPECTED" };
    let outcome = match &played.said {
        Said::Answer { lines, .. } => format!("served, {} effectuation(s)", lines.len()),
        Said::Fault { code, .. } => format!("refused: {code}"),
        Said::Unknown(text) => format!("neither answer nor fault: {text}"),
    };
    let signed = match played.signed {
        Some(true) => ", signed",
        Some(false) => ", NOT SIGNED",
        None => "",
    };
    println!("{verdict} {:<80} {outcome}{signed} ({} ms)", played.scene.title(), played.took.as_millis());
}

/// One line a delivery.
pub fn finance_line(played: &finance::Played) {
    let verdict = if played.as_expected { "ok " } else { "NOT AS EXPECTED" };
    println!("{verdict} {:<80} {}", played.scene.title(), played.code);
}

/// The whole story of a delivery.
pub fn finance(played: &finance::Played) {
    println!("── {} ──", played.scene.title());
    println!("   receipt   {}", played.code);
    played.lines.iter().for_each(|line| println!("   {line}"));
    println!("{}", if played.as_expected { "" } else { "   NOT AS EXPECTED\n" });
}

/// One line an import of persons.
pub fn campus_line(played: &campus::Played) {
    let verdict = if played.as_expected { "ok " } else { "NOT AS EXPECTED" };
    println!("{verdict} {:<80} {}", played.scene.title(), played.code);
}

/// The whole story of an import, in eighty columns.
pub fn campus(played: &campus::Played) {
    println!("── {} ──", played.scene.title());
    played.lines.iter().for_each(|line| print!("{}", wrapped(line)));
    println!("{}", if played.as_expected { "" } else { "   NOT AS EXPECTED\n" });
}

/// One line a connection.
pub fn connection_line(played: &connection::Played) {
    let verdict = if played.as_expected { "ok " } else { "NOT AS EXPECTED" };
    println!("{verdict} {:<80} {}", connection::TITLE, played.code);
}

/// The whole story of a connection, in eighty columns.
pub fn connection(played: &connection::Played) {
    println!("── {} ──", connection::TITLE);
    played.lines.iter().for_each(|line| print!("{}", wrapped(line)));
    println!("{}", if played.as_expected { "" } else { "   NOT AS EXPECTED\n" });
}

/// One line a file.
pub fn file_line(played: &files::Played) {
    let verdict = if played.as_expected { "ok " } else { "NOT AS EXPECTED" };
    println!("{verdict} {:<80} {}", played.scene.title(), played.code);
}

/// The whole story of a file, in eighty columns.
pub fn file(played: &files::Played) {
    println!("── {} ──", played.scene.title());
    played.lines.iter().for_each(|line| print!("{}", wrapped(line)));
    println!("{}", if played.as_expected { "" } else { "   NOT AS EXPECTED\n" });
}

/// A line over as many as it takes, each behind three columns and those that the line begins with; a word that is longer than a line
/// stands on one of its own.
fn wrapped(line: &str) -> String {
    let indent = " ".repeat(3 + line.len() - line.trim_start().len());
    let (mut text, mut column) = (indent.clone(), indent.len());
    for word in line.split_whitespace() {
        let length = word.chars().count();
        if column > indent.len() && column + 1 + length > 80 {
            text += &format!("\n{indent}");
            column = indent.len();
        } else if column > indent.len() {
            text.push(' ');
            column += 1;
        }
        text += word;
        column += length;
    }
    text + "\n"
}

/// The whole story of a call.
pub fn print(world: &World, played: &Played) {
    println!("── {} ──", played.scene.title());
    println!("   asked     {}", played.asked);
    let record = &played.record;
    let about = record.about.terminaladgang();
    if let Some((about, window)) = about.and_then(|about| Some((about, about.window_applied?))) {
        let text = |bound: Option<jiff::Timestamp>| {
            let copenhagen = crate::clock::copenhagen();
            bound.zip(copenhagen).map_or_else(String::new, |(at, zone)| at.to_zoned(zone).strftime("%Y-%m-%d").to_string())
        };
        let how = if about.window_asked.is_some() { "asked for, inside the law's" } else { "inserted" };
        println!("   window    {how}: {} – {} (the end not included)", text(window.from), text(window.to));
    }
    match &played.said {
        Said::Answer { lines, .. } => {
            let sum = |map: &std::collections::BTreeMap<String, u64>| map.values().sum::<u64>();
            let none = Counts::default();
            let (released, removed) = record.about.counts().unwrap_or((&none, &none));
            println!(
                "   index     {} objects came with {} fields; {} objects and {} fields are released",
                sum(&released.objects) + sum(&removed.objects),
                sum(&released.fields) + sum(&removed.fields),
                sum(&released.objects),
                sum(&released.fields),
            );
            for (one, many, map) in [("object", "objects", &removed.objects), ("field", "fields", &removed.fields)] {
                for (rule, count) in map {
                    let why = world.policy.release().words(rule).map_or("", |words| &words.en);
                    let what = if *count == 1 { one } else { many };
                    println!("   removed   {count:>4} {what:<8} {rule}: {why}");
                }
            }
            for (rule, count) in &released.fields {
                let basis = world.policy.release().words(rule).map_or("", |words| &words.basis);
                let what = if *count == 1 { "field" } else { "fields" };
                println!("   released  {count:>4} {what:<8} {rule}: {basis}");
            }
            lines.iter().for_each(|line| println!("   answer    {line}"));
        }
        said => said.lines().iter().for_each(|line| println!("   {line}")),
    }
    match played.signed {
        Some(true) => println!("   signed    the answer's signature verifies with the gateway's certificate"),
        Some(false) => println!("   signed    NO: the answer's signature does not verify"),
        None => {}
    }
    println!(
        "   call id   {}, {} ms{}\n",
        record.call,
        played.took.as_millis(),
        if played.as_expected() { "" } else { "  NOT AS EXPECTED" }
    );
}
