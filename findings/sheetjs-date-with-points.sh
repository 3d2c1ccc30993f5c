#!/usr/bin/env bash
# SheetJS (npm's xlsx 0.18.5, the last one there) reads a date shown as dd.mm.yyyy as a number: 46387.
#
# Guessed:  sheet_to_csv and sheet_to_json (raw: false) write a date as the sheet shows it, 31.12.2026; and where the format is one that it cannot write, it says so.
# Happens:  its formatter raises an error at a point between the parts of a date or time (dd.mm.yyyy, d. mmmm yyyy, hh.mm). The reader swallows it, and the cell's text becomes the count of
#           days that the file holds; `dateNF` has no effect. With `cellDates` the text is 12/31/26, month first. With the point escaped (dd\.mm\.yyyy, as Excel
#           itself writes it) the text is right, so that it is met with sheets that a program wrote, which have the format as its programmer gave it. exceljs 4.4.0 reads all as dates.
# Product:  46387 and 12/31/26 are refused as days (Aktionskodedato). docs/clients/persons.md says to take the value and not the text.
#
# Needs node and npm. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in node npm; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"private": true}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts xlsx@0.18.5 exceljs@4.4.0 >npm.log 2>&1 || { cat npm.log; exit 2; }
cat >try.js <<'JS'
const Excel = require('exceljs')
const XLSX = require('xlsx')

const DAY = new Date(Date.UTC(2026, 11, 31))
const FORMATS = ['dd.mm.yyyy', 'd. mmmm yyyy', 'dd\\.mm\\.yyyy', 'dd-mm-yyyy']
const NOTED = {
  'as read': ['46387', '46387', '31.12.2026', '31-12-2026'],
  'with dateNF': ['46387', '46387', '31.12.2026', '31-12-2026'],
  'with cellDates': ['12/31/26', '12/31/26', '31.12.2026', '31-12-2026'],
}
const OPTIONS = { 'as read': {}, 'with dateNF': { dateNF: 'yyyy-mm-dd' }, 'with cellDates': { cellDates: true } }

async function tried() {
  const book = new Excel.Workbook()
  const row = book.addWorksheet('Ansatte').addRow(FORMATS.map(() => DAY))
  FORMATS.forEach((format, at) => { row.getCell(at + 1).numFmt = format })
  const file = Buffer.from(await book.xlsx.writeBuffer())
  const again = new Excel.Workbook()
  await again.xlsx.load(file)
  const other = FORMATS.map((_, at) => again.getWorksheet('Ansatte').getRow(1).getCell(at + 1).value)
  console.log(`xlsx ${XLSX.version}; exceljs reads ${other.map((day) => day.toISOString().slice(0, 10)).join(' ')}`)
  let same = other.every((day) => day.getTime() === DAY.getTime())
  for (const [how, options] of Object.entries(OPTIONS)) {
    const sheet = XLSX.read(file, options).Sheets.Ansatte
    const csv = XLSX.utils.sheet_to_csv(sheet, { FS: ';', ...options }).trim().split(';')
    const [json] = XLSX.utils.sheet_to_json(sheet, { header: 1, raw: false, ...options })
    FORMATS.forEach((format, at) => console.log(`${how}, ${format}: CSV ${csv[at]}, JSON ${json[at]}`))
    same &&= JSON.stringify(csv) === JSON.stringify(NOTED[how]) && JSON.stringify(json) === JSON.stringify(NOTED[how])
  }
  return same
}

tried().then((same) => {
  if (!same) console.log('the behaviour has changed')
  process.exit(same ? 0 : 1)
})
JS
timeout 60 node try.js
