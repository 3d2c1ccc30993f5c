#!/usr/bin/env bash
# frictionless 5.21.0 (Python): amounts with a decimal comma are places on the map, and 100,05 is written as 100,5.
#
# Guessed:  of a CSV file with ; between its cells an amount such as 100,05 is a text, or a number where it is told that the comma is the decimal sign; `validate` finds a valid file valid, and `convert` changes no cell.
# Happens:  the types are judged by the first hundred rows, and a column whose values are all two numbers with a comma between them, the first at most 180 and the second at most 90, is a geopoint: so
#           are amounts up to 180,90. 100,05 is the place at 100 and 5, and `convert` and Resource.write write 100,5. One amount above 180, or with more than 90 øre (12,95), makes texts of the whole column: so
#           the file with one large amount in it is right, and the one with small ones alone is not. Where the large one stands behind the first hundred rows, `validate` calls the valid file invalid
#           (type-error, geopoint). CPR numbers that begin with a zero are integers, and lose it. With a schema that says string all is as it was.
# Product:  amounts of a voucher have a point and two decimals (FB011). Whoever makes them of the converted file, and fills up to two decimals, sends 100.50 for 100,05; where debit and credit were read the
#           same way the voucher balances, and nothing is refused. docs/clients/finance-sender.md says to name the types.
#
# Seen: of the 10,000 amounts from 10,00 to 109,99 9,100 are places by themselves, and 900 of these are written as another amount (01 to 09 øre), 100 with one zero (100,0).
# Needs python3. Installs pinned packages into a temporary folder and runs them without the product. Exit 0: it still does so. Exit 1: it does something else. Exit 2: something cannot be installed.
set -euo pipefail
command -v python3 >/dev/null || { echo "python3 with venv is needed"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
nice venv/bin/pip install --quiet --disable-pip-version-check frictionless==5.21.0 || exit 2
cat >try.py <<'PYTHON'
import csv
import subprocess
import sys
from importlib.metadata import version

from frictionless import Resource, Schema, fields
from frictionless.fields import GeopointField


def file(name, amounts):
    with open(name, "w") as to:
        to.write("CPRnummer;Beloeb\n" + "".join(f"0107851{240 + at % 700};{amount}\n" for at, amount in enumerate(amounts)))
    return name


def told(name, **more):
    resource = Resource(name, **more)
    resource.infer()
    types = " ".join(field.type for field in resource.schema.fields)
    Resource(name, **more).write("out.csv")
    with open("out.csv") as came:
        rows = list(csv.reader(came))[1:]
    return types, [row[1] for row in rows], rows[0][0]


seen = {}
types, amounts, cpr = told(file("round.csv", ["100,50", "100,05"]))
seen["two amounts"] = f"{types}: {' '.join(amounts)}; {cpr}"
subprocess.run(["venv/bin/frictionless", "convert", "round.csv", "--to-path", "converted.csv"], check=True, capture_output=True)
seen["frictionless convert"] = open("converted.csv").read().strip().split("\n")[2]
types, amounts, cpr = told(file("other.csv", ["100,50", "100,05", "180,50"]))
seen["180,50 beside them"] = f"{types}: {' '.join(amounts)}; {cpr}"
types, amounts, cpr = told(file("other.csv", ["100,50", "100,05", "12,95"]))
seen["12,95 beside them"] = f"{types}: {' '.join(amounts)}; {cpr}"
types, amounts, cpr = told(file("other.csv", ["100,50", "100,05", "1234,05"]))
seen["1234,05 beside them"] = f"{types}: {' '.join(amounts)}; {cpr}"
schema = Schema(fields=[fields.StringField(name="CPRnummer"), fields.StringField(name="Beloeb")])
types, amounts, cpr = told("round.csv", schema=schema)
seen["with a schema of strings"] = f"{types}: {' '.join(amounts)}; {cpr}"
report = Resource(file("long.csv", ["100,50"] * 150 + ["1234,05"])).validate()
seen["validate, 1234,05 in row 152"] = " ".join(f"{error.type} {error.row_number} {error.note}" for task in report.tasks for error in task.errors)
places = other = short = 0
point = GeopointField(name="Beloeb")
for ore in range(1000, 11000):
    amount = f"{ore // 100},{ore % 100:02}"
    cell, notes = point.read_cell(amount)
    if cell is not None and not notes:
        places += 1
        text, _ = point.write_cell(cell)
        whole, part = text.split(",")
        other += f"{whole},{part:0<2}" != amount
        short += text != amount and f"{whole},{part:0<2}" == amount
seen["by themselves"] = f"{places} places, {other} written as another amount, {short} with one decimal"
print("frictionless", version("frictionless"))
for what, got in seen.items():
    print(f"{what}: {got}")
due = {
    "two amounts": "integer geopoint: 100,50 100,5; 107851240",
    "frictionless convert": '107851241,"100,5"',
    "180,50 beside them": "integer geopoint: 100,50 100,5 180,50; 107851240",
    "12,95 beside them": "integer string: 100,50 100,05 12,95; 107851240",
    "1234,05 beside them": "integer string: 100,50 100,05 1234,05; 107851240",
    "with a schema of strings": "string string: 100,50 100,05; 0107851240",
    "validate, 1234,05 in row 152": "type-error 152 type is \"geopoint/default\"",
    "by themselves": "9100 places, 900 written as another amount, 100 with one decimal",
}
sys.exit(0 if seen == due else 1)
PYTHON
nice venv/bin/python try.py || { echo "the behaviour has changed"; exit 1; }
