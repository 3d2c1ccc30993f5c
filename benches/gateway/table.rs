//! The table: as Markdown, as JSON and as a picture. Every figure in it comes from the run that writes it.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

/// One line of the table.
pub struct Row {
    /// What was measured.
    pub what: String,
    /// The figure that the goal is about.
    pub value: f64,
    /// Its unit: `×`, `MB`.
    pub unit: &'static str,
    /// What the figure must not exceed; `None` where it is only told.
    pub goal: Option<f64>,
    /// What the figure is made of, with units.
    pub detail: String,
    /// Every sample, for the JSON file.
    pub samples: Value,
}

impl Row {
    fn goal(&self) -> String {
        self.goal.map_or_else(|| "told, not gated".to_owned(), |goal| format!("≤ {}", number(goal, self.unit)))
    }
    fn met(&self) -> &'static str {
        match self.goal {
            None => "–",
            Some(goal) if self.value <= goal => "yes",
            Some(_) => "**no**",
        }
    }
}

fn number(value: f64, unit: &str) -> String {
    format!("{value:.2} {unit}")
}

/// The middle one of the values.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What was measured, and on what.
pub struct Table {
    /// Name and value of everything that a repetition needs to know.
    pub on: Vec<(&'static str, String)>,
    pub rows: Vec<Row>,
}

impl Table {
    /// The table as Markdown.
    pub fn markdown(&self) -> String {
        let mut out = "| what | goal | measured | met | made of |\n|---|---:|---:|---|---|\n".to_owned();
        for row in &self.rows {
            let (what, goal, value, met) = (&row.what, row.goal(), number(row.value, row.unit), row.met());
            let _ = writeln!(out, "| {what} | {goal} | {value} | {met} | {} |", row.detail);
        }
        out
    }

    /// Writes `NAME.md`, `NAME.json` and `NAME.svg` into the folder.
    pub fn save(&self, folder: &Path, name: &str, title: &str) {
        std::fs::create_dir_all(folder).unwrap();
        let mut page =
            format!("# {title}\n\nWritten by `benches/gateway`; not to be edited. How to repeat it: ../performance.md.\n\n");
        for (name, value) in &self.on {
            let _ = writeln!(page, "- {name}: {value}");
        }
        let _ = write!(page, "\n{}\n![each figure as a share of its goal]({name}.svg)\n", self.markdown());
        std::fs::write(folder.join(format!("{name}.md")), page).unwrap();
        let rows: Vec<Value> = self.rows.iter().map(|row| {
            json!({ "what": row.what, "value": row.value, "unit": row.unit, "goal": row.goal, "detail": row.detail, "samples": row.samples })
        }).collect();
        let on: serde_json::Map<String, Value> = self.on.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let whole = serde_json::to_string_pretty(&json!({ "on": on, "rows": rows })).unwrap();
        std::fs::write(folder.join(format!("{name}.json")), whole + "\n").unwrap();
        std::fs::write(folder.join(format!("{name}.svg")), self.picture()).unwrap();
    }

    /// Each figure that has a goal, as a share of it: a bar that passes the line has missed it.
    fn picture(&self) -> String {
        const LINE: usize = 26;
        let rows: Vec<_> = self.rows.iter().filter_map(|row| Some((row, row.goal?))).collect();
        let height = rows.len() * LINE + 40;
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"960\" height=\"{height}\" fill=\"white\"/>\n<text x=\"662\" y=\"16\" text-anchor=\"middle\">goal</text>\n"
        );
        for (at, (row, goal)) in rows.iter().enumerate() {
            let (y, share) = (24 + at * LINE, row.value / goal);
            let (width, colour) = ((share * 250.0).clamp(1.0, 420.0), if share <= 1.0 { "#2a7a4b" } else { "#b3401f" });
            let what = row.what.replace('&', "&amp;").replace('<', "&lt;");
            let _ = writeln!(
                out,
                "<text x=\"400\" y=\"{}\" text-anchor=\"end\">{what}</text><rect x=\"412\" y=\"{}\" width=\"{width:.0}\" height=\"18\" fill=\"{colour}\"/>\
                 <text x=\"{:.0}\" y=\"{}\">{}</text>",
                y + 17,
                y + 4,
                418.0 + width,
                y + 17,
                number(row.value, row.unit),
            );
        }
        let _ = writeln!(
            out,
            "<line x1=\"662\" y1=\"20\" x2=\"662\" y2=\"{}\" stroke=\"black\" stroke-dasharray=\"4 3\"/>\n</svg>",
            height - 12
        );
        out
    }
}
