#!/usr/bin/env bash
# exceljs 4.4.0 (npm): of a CSV file 12-11-2026 is read as 11 December, while 31-12-2026 beside it stays a text; 1E5 is read as 100000.
#
# Guessed:  workbook.csv.readFile leaves a text that is no number as it is, and a date too, unless it is written as 2026-12-31; numbers lose their zeros in front, as in most readers.
# Happens:  each cell by itself is tried as an instant, as MM-DD-YYYY and as YYYY-MM-DD. A Danish day with hyphens (DD-MM-YYYY) fits the second up to the twelfth of a month, and becomes a Date with day and
#           month exchanged; from the thirteenth on it stays as it was, in the same column. With points or slashes all stay texts. csv.writeFile writes the Dates as instants of the machine's zone
#           (2026-12-11T00:00:00+01:00). A staff number such as 1E5 is 100000. With `map: value => value` in the options each cell is the text that stood there.
# Product:  a date is YYYY-MM-DD. A program that takes the Dates as they are, and turns the texts round itself as it must, hands over two fifths of the days as other ones: the birth date or the
#           Aktionskodedato of another day is as valid, and is taken. docs/clients/persons.md says which option to give.
#
# Seen: of the 365 days of 2026 written DD-MM-YYYY, 144 become Dates, 132 of them another day, and 221 stay texts.
# Needs node and npm. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in node npm; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo '{"private": true}' >package.json
nice npm install --silent --no-audit --no-fund exceljs@4.4.0 || exit 2
cat >try.js <<'JS'
const fs = require("fs");
const Excel = require("exceljs");

const two = (number) => String(number).padStart(2, "0");
const day = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

async function read(rows, options) {
  fs.writeFileSync("in.csv", ["Medarbejdernummer;Dato", ...rows].join("\n") + "\n");
  const book = new Excel.Workbook();
  const sheet = await book.csv.readFile("in.csv", { parserOptions: { delimiter: ";" }, ...options });
  const seen = [];
  sheet.eachRow((row, at) => at > 1 && seen.push([row.getCell(1).value, row.getCell(2).value]));
  await book.csv.writeFile("out.csv", { formatterOptions: { delimiter: ";" } });
  return [seen.map(([number, date]) => `${number} ${date instanceof Date ? "Date " + day(date) : date}`), fs.readFileSync("out.csv", "utf8").trim().split("\n").slice(1)];
}

async function main() {
  const seen = {};
  const few = ["A1;12-11-2026", "1E5;31-12-2026", "00301;12.11.2026", "A4;12/11/2026", "A5;2026-11-12"];
  const [cells, written] = await read(few);
  seen["read"] = cells.join(" | ");
  seen["written"] = written.join(" | ");
  seen["read with map"] = (await read(few, { map: (value) => value }))[0].join(" | ");
  const days = [];
  for (let at = new Date(2026, 0, 1); at.getFullYear() === 2026; at.setDate(at.getDate() + 1)) days.push(new Date(at));
  const [year] = await read(days.map((at) => `A;${two(at.getDate())}-${two(at.getMonth() + 1)}-2026`));
  const dates = year.map((text, at) => [text, at]).filter(([text]) => text.includes("Date "));
  seen["a year"] = `${dates.length} Dates, ${dates.filter(([text, at]) => !text.endsWith(day(days[at]))).length} of another day, ${year.length - dates.length} texts`;
  const due = {
    read: "A1 Date 2026-12-11 | 100000 31-12-2026 | 301 12.11.2026 | A4 12/11/2026 | A5 Date 2026-11-12",
    written: "A1;2026-12-11T00:00:00+01:00 | 100000;31-12-2026 | 301;12.11.2026 | A4;12/11/2026 | A5;2026-11-12T00:00:00+01:00",
    "read with map": "A1 12-11-2026 | 1E5 31-12-2026 | 00301 12.11.2026 | A4 12/11/2026 | A5 2026-11-12",
    "a year": "144 Dates, 132 of another day, 221 texts",
  };
  let same = true;
  for (const [what, told] of Object.entries(seen)) {
    console.log(`${what}: ${told}`);
    same = same && due[what] === told;
  }
  if (!same) {
    console.log("the behaviour has changed");
    process.exit(1);
  }
}

main();
JS
TZ=Europe/Copenhagen nice node try.js
