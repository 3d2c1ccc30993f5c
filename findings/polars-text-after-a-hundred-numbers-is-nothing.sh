#!/usr/bin/env bash
# polars 2.1.0, read_excel: a staff number with a letter is nothing (null) where the hundred rows above it have numbers alone; so is an amount that was written as text.
#
# Guessed:  a column that holds numbers and texts is read as texts, wherever the first text stands, or the reading ends with an error, as polars' own read_csv does with the same rows ("could not
#           parse").
# Happens:  the type of a column is judged by the first hundred rows. What comes later and is of another type becomes null, and nothing is said, neither as an error nor as a warning. One text in the
#           first hundred makes texts of them all, and then the late ones are there too: so a small file comes right, and a large one by the order of its rows. fastexcel 0.21.0, which polars reads
#           with, does the same by itself after the first thousand. With infer_schema_length=None, with schema_overrides={"Medarbejdernummer": pl.String}, and with engine="openpyxl" all are there.
# Product:  as CSV a null is an empty cell. As Medarbejdernummer it is refused; as LederMedarbejdernummer or in any other field that may be empty it clears what was there, and the answer is OPDATERET.
#           docs/clients/persons.md says how to read.
#
# Seen: of 1,200 rows with letters (and amounts as "100,50") from row 100 on: Int64 with 1,100 nulls, Float64 with 1,100 nulls, no warning. From row 99 on: String, no null. read_csv of the same, at its own hundred rows: ComputeError.
# Needs python3. Installs pinned packages into a temporary folder and runs them without the product. Exit 0: it still does so. Exit 1: it does something else. Exit 2: something cannot be installed.
set -euo pipefail
command -v python3 >/dev/null || { echo "python3 is needed"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
nice venv/bin/pip install --quiet --disable-pip-version-check polars==2.1.0 polars-runtime-32==2.1.0 fastexcel==0.21.0 openpyxl==3.1.5 XlsxWriter==3.3.1 || exit 2
cat >try.py <<'PYTHON'
import io
import sys
import warnings
from importlib.metadata import version

import fastexcel
import polars as pl
import xlsxwriter

ROWS = 1200


def workbook(name, begins):
    with xlsxwriter.Workbook(name) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["Medarbejdernummer", "Beloeb", "Efternavn"])
        for row in range(ROWS):
            late = row >= begins
            sheet.write_row(row + 1, 0, [f"A{row}" if late else row, "100,50" if late else row + 0.5, f"Prøve{row}"])


def told(frame):
    return str(frame.schema["Medarbejdernummer"]), frame["Medarbejdernummer"].null_count(), str(frame.schema["Beloeb"]), frame["Beloeb"].null_count(), frame["Medarbejdernummer"][ROWS - 1]


workbook("late.xlsx", 100)
workbook("early.xlsx", 99)
workbook("later.xlsx", 1000)
seen = {}
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    seen["letters from row 100"] = told(pl.read_excel("late.xlsx"))
    seen["letters from row 99"] = told(pl.read_excel("early.xlsx"))
    seen["infer_schema_length=None"] = told(pl.read_excel("late.xlsx", infer_schema_length=None))
    seen["schema_overrides"] = told(pl.read_excel("late.xlsx", schema_overrides={"Medarbejdernummer": pl.String, "Beloeb": pl.String}))
    seen["engine=openpyxl"] = told(pl.read_excel("late.xlsx", engine="openpyxl"))
    seen["fastexcel alone"] = told(fastexcel.read_excel("late.xlsx").load_sheet(0).to_polars())
    seen["fastexcel alone, from row 1000"] = told(fastexcel.read_excel("later.xlsx").load_sheet(0).to_polars())
seen["warnings"] = [str(warning.message) for warning in warned]
as_csv = "Medarbejdernummer\n" + "".join(f"{'A' if row >= 100 else ''}{row}\n" for row in range(ROWS))
try:
    pl.read_csv(io.StringIO(as_csv))
    seen["read_csv"] = "returned"
except pl.exceptions.ComputeError as error:
    seen["read_csv"] = str(error).split("\n")[0][:15]
seen["as CSV"] = pl.read_excel("late.xlsx").tail(1).write_csv(separator=";", include_header=False).strip()
print(" ".join(f"{name} {version(name)}" for name in ("polars", "fastexcel", "openpyxl")))
for what, got in seen.items():
    print(f"{what}: {got}")
whole = ("String", 0, "String", 0, "A1199")
due = {
    "letters from row 100": ("Int64", 1100, "Float64", 1100, None),
    "letters from row 99": whole,
    "infer_schema_length=None": whole,
    "schema_overrides": whole,
    "engine=openpyxl": whole,
    "fastexcel alone": whole,
    "fastexcel alone, from row 1000": ("Float64", 200, "Float64", 200, None),
    "warnings": [],
    "read_csv": "could not parse",
    "as CSV": ";;Prøve1199",
}
sys.exit(0 if seen == due else 1)
PYTHON
venv/bin/python try.py 2>err.log || { tail -n 5 err.log; echo "the behaviour has changed"; exit 1; }
[ ! -s err.log ] || { cat err.log; echo "the behaviour has changed: something is said of it"; exit 1; }
