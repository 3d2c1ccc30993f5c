//! A connection as a picture (SVG): a lane a party, time from left to right, each task with its state in colour and in words.
//!
//! It has no style sheet and no script, so that it can stand in a page with a strict content security policy. Whoever does not
//! see it has its title, its description and a title for each task; a page shows the same as a list beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::graph::Lane;
use super::shown::{Names, Shown, View};
use super::standing::State;
use crate::refusal::Detail;

const BOX: (usize, usize) = (200, 92);
const GAP: (usize, usize) = (36, 14);
/// What the lanes' names take on the left, and the legend above.
const MARGIN: (usize, usize) = (150, 64);
/// Characters of a line in a box, and lines.
const WRAP: (usize, usize) = (30, 3);

/// One language of a text.
pub type Words = fn(&Detail) -> &str;

/// Draws a connection. `words` is [`Detail::da`] or [`Detail::en`].
pub fn svg(view: &View, names: &Names, words: Words) -> String {
    let needed: Vec<(usize, &Shown)> =
        view.tasks.iter().enumerate().filter(|(_, shown)| shown.standing.state != State::NotNeeded).collect();
    let columns = columns(view, &needed);
    // Lane, column: the tasks that stand there.
    let mut cells: BTreeMap<(Lane, usize), Vec<usize>> = BTreeMap::new();
    for (place, shown) in &needed {
        let lane = merged(view, shown.task.lane());
        cells.entry((lane, columns.get(place).copied().unwrap_or(0))).or_default().push(*place);
    }
    let mut lanes: BTreeMap<Lane, usize> = BTreeMap::new();
    for ((lane, _), tasks) in &cells {
        let tallest = lanes.entry(*lane).or_default();
        *tallest = (*tallest).max(tasks.len());
    }
    let mut tops: BTreeMap<Lane, usize> = BTreeMap::new();
    let mut top = MARGIN.1;
    for (lane, tallest) in &lanes {
        tops.insert(*lane, top);
        top += tallest * (BOX.1 + GAP.1) + GAP.1;
    }
    let width = MARGIN.0 + (columns.values().max().copied().unwrap_or(0) + 1) * (BOX.0 + GAP.0);
    let mut places: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for ((lane, column), tasks) in &cells {
        for (row, place) in tasks.iter().enumerate() {
            let x = MARGIN.0 + column * (BOX.0 + GAP.0);
            let y = tops.get(lane).copied().unwrap_or(0) + GAP.1 + row * (BOX.1 + GAP.1);
            places.insert(*place, (x, y));
        }
    }
    let mut out = String::new();
    draw(&mut out, view, names, words, &Layout { needed, lanes, tops, places, width, height: top + GAP.1 });
    out
}

struct Layout<'v> {
    needed: Vec<(usize, &'v Shown)>,
    lanes: BTreeMap<Lane, usize>,
    tops: BTreeMap<Lane, usize>,
    places: BTreeMap<usize, (usize, usize)>,
    width: usize,
    height: usize,
}

/// Lanes of one party are one.
fn merged(view: &View, lane: Lane) -> Lane {
    let whose = view.connection.of_lane(lane);
    let lanes = [Lane::Authority, Lane::ClientSupplier, Lane::ReceiverAuthority, Lane::ReceiverSupplier];
    lanes.into_iter().find(|one| view.connection.of_lane(*one) == whose).unwrap_or(lane)
}

/// How many tasks must come before each, which is its column.
fn columns(view: &View, needed: &[(usize, &Shown)]) -> BTreeMap<usize, usize> {
    let mut columns: BTreeMap<usize, usize> = BTreeMap::new();
    // A graph has no circles: after as many rounds as there are tasks nothing moves.
    for _ in 0..needed.len() {
        let before = columns.clone();
        for (place, _) in needed {
            let of = |need: usize| {
                needed.iter().any(|(other, _)| *other == need).then(|| before.get(&need).map_or(1, |column| column + 1))
            };
            let column = view.graph.before(*place).into_iter().filter_map(of).max().unwrap_or(0);
            columns.insert(*place, column);
        }
        if columns == before {
            break;
        }
    }
    columns
}

/// Fill and edge of a state: dark text on each has a contrast above 7:1.
fn colours(state: &State) -> (&'static str, &'static str) {
    match state {
        State::Stated => ("#e0f0e0", "#2e6b2e"),
        State::Seen => ("#c8e6c9", "#1b5e20"),
        State::Ready => ("#fff3c4", "#8a5a00"),
        State::FellBack { .. } => ("#ffdcd6", "#a32100"),
        State::KeptBack(_) => ("#e8e4f4", "#4b3a8a"),
        State::Waiting(_) | State::NotNeeded => ("#f2f2f2", "#5a5a5a"),
    }
}

fn draw(out: &mut String, view: &View, names: &Names, words: Words, layout: &Layout<'_>) {
    let Layout { needed, lanes, tops, places, width, height } = layout;
    let (done, all) = view.done();
    let title = Detail::new(
        format!("Forbindelse til {}: {done} af {all} opgaver er udført", view.graph.name.da()),
        format!("Connection to {}: {done} of {all} tasks are done", view.graph.name.en()),
    );
    let next: Vec<&str> = view.next().into_iter().map(|shown| shown.task.id.as_str()).collect();
    let next = if next.is_empty() { "–".to_owned() } else { next.join(", ") };
    let description = match view.awaits_in_words() {
        Some(waits) => Detail::new(
            format!("Næste: {next}. Forbindelsen {}.", waits.da()),
            format!("Next: {next}. The connection {}.", waits.en()),
        ),
        None => Detail::new(format!("Næste: {next}."), format!("Next: {next}.")),
    };
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-labelledby=\"connection-title connection-description\" font-family=\"'IBM Plex Sans', Helvetica, Arial, sans-serif\">\
         <title id=\"connection-title\">{}</title><desc id=\"connection-description\">{}</desc>\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>",
        escaped(words(&title)),
        escaped(words(&description)),
    );
    legend(out, words);
    for (lane, tallest) in lanes {
        let top = tops.get(lane).copied().unwrap_or(0);
        let tall = tallest * (BOX.1 + GAP.1) + GAP.1;
        let fill = if (*lane as usize).is_multiple_of(2) { "#fafafa" } else { "#ffffff" };
        let _ = write!(out, "<rect x=\"0\" y=\"{top}\" width=\"{width}\" height=\"{tall}\" fill=\"{fill}\" stroke=\"#d0d0d0\"/>");
        let party = names.party(view.connection.of_lane(*lane));
        text(out, (10, top + 24), 13, true, &wrapped(words(&lane_in_words(*lane, view)), (18, 2)));
        text(out, (10, top + 60), 12, false, &wrapped(&party, (19, 4)));
    }
    for (place, shown) in needed {
        for need in shown.task.needs.iter().chain(shown.task.needs_one.iter().flatten()) {
            if let (Some((x, y)), Some((to_x, to_y))) = (places.get(need), places.get(place)) {
                let (x, y, to_y) = (x + BOX.0, y + BOX.1 / 2, to_y + BOX.1 / 2);
                let (one, other) = (x + GAP.0 / 2, to_x - GAP.0 / 2);
                let _ = write!(
                    out,
                    "<path d=\"M{x} {y} C{one} {y} {other} {to_y} {to_x} {to_y}\" fill=\"none\" stroke=\"#8c8c8c\" stroke-width=\"1.5\"/>"
                );
            }
        }
    }
    for (place, shown) in needed {
        if let Some((x, y)) = places.get(place) {
            task(out, (*x, *y), shown, words);
        }
    }
    out.push_str("</svg>");
}

fn task(out: &mut String, (x, y): (usize, usize), shown: &Shown, words: Words) {
    let (state, task) = (&shown.standing.state, shown.task);
    let (fill, edge) = colours(state);
    let is_next = state.is_next();
    let stroke = if is_next { 3 } else { 1 };
    let dashes = if matches!(state, State::Waiting(_) | State::KeptBack(_)) { " stroke-dasharray=\"4 3\"" } else { "" };
    let told = state.describe();
    let mark = if is_next { words(&Detail::new(" · NÆSTE", " · NEXT")).to_owned() } else { String::new() };
    let _ = write!(
        out,
        "<g><title>{}: {} – {}</title><rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"4\" fill=\"{fill}\" stroke=\"{edge}\" \
         stroke-width=\"{stroke}\"{dashes}/>",
        escaped(&task.id),
        escaped(words(&task.text)),
        escaped(words(&told)),
        BOX.0,
        BOX.1,
    );
    text(out, (x + 8, y + 18), 13, true, std::slice::from_ref(&task.id));
    text(out, (x + 8, y + 35), 12, false, &wrapped(words(&task.text), WRAP));
    text(out, (x + 8, y + BOX.1 - 8), 12, true, &[format!("{}{mark}", words(&told))]);
    out.push_str("</g>");
}

fn legend(out: &mut String, words: Words) {
    let states = [
        State::Seen,
        State::Stated,
        State::Ready,
        State::FellBack { why: Detail::name(""), waits: Vec::new() },
        State::Waiting(Vec::new()),
        State::KeptBack(BTreeSet::new()),
    ];
    for (at, state) in states.iter().enumerate() {
        let (fill, edge) = colours(state);
        let x = 10 + at * 150;
        let _ = write!(out, "<rect x=\"{x}\" y=\"18\" width=\"22\" height=\"16\" rx=\"3\" fill=\"{fill}\" stroke=\"{edge}\"/>");
        text(out, (x + 30, 31), 13, false, &[words(&state.describe()).to_owned()]);
    }
}

fn lane_in_words(lane: Lane, view: &View) -> Detail {
    let client = &view.graph.client;
    let receiver = view.graph.receiver.as_ref().unwrap_or(client);
    match lane {
        Lane::Authority => Detail::new("Myndighed", "Authority"),
        Lane::ClientSupplier => Detail::new(format!("Leverandør af {}", client.da()), format!("Supplier of the {}", client.en())),
        Lane::ReceiverAuthority => {
            Detail::new(format!("Myndighed med {}", receiver.da()), format!("Authority of the {}", receiver.en()))
        }
        Lane::ReceiverSupplier => {
            Detail::new(format!("Leverandør af {}", receiver.da()), format!("Supplier of the {}", receiver.en()))
        }
    }
}

fn text(out: &mut String, (x, y): (usize, usize), size: usize, bold: bool, lines: &[String]) {
    let weight = if bold { " font-weight=\"600\"" } else { "" };
    for (at, line) in lines.iter().enumerate() {
        let y = y + at * (size + 3);
        let _ = write!(out, "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"#1a1a1a\"{weight}>{}</text>", escaped(line));
    }
}

/// Words in lines of so many characters; what does not fit ends in an ellipsis.
fn wrapped(text: &str, (wide, most): (usize, usize)) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= wide => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.chars().take(wide).collect()),
        }
    }
    if lines.len() > most {
        lines.truncate(most);
        if let Some(line) = lines.last_mut() {
            *line = line.chars().take(wide.saturating_sub(1)).collect::<String>() + "…";
        }
    }
    lines
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
