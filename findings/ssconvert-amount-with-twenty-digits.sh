#!/usr/bin/env bash
# Gnumeric's ssconvert 1.12.55: some of a workbook's amounts come out with up to twenty digits: 0.01 as 0.0099999999999999999998, 2.11 as 2.1099999999999999999.
#
# Guessed:  a number of the sheet is written as the file holds it (0.01), or as the sheet shows it (in the format 0.00); a date as the sheet shows it, or as 2026-12-31.
# Happens:  the CSV is made of the values, whatever the cells' formats are, and of 20,000 amounts from 0.00 to 199.99 that the file holds with two decimals, as Excel writes them, 343 have seventeen
#           digits and more. Which ones looks like chance: 0.01, 0.27 and 2.11, but not 0.02 and 2.10, and none above 64, so that a test with a few amounts is right. Of a workbook by openpyxl, which
#           gives some amounts sixteen digits, it is 1,564, and 99.85 is 99.84999999999999. 100.50 is written 100.5, every date 2026/12/31, and a CPR number that the sheet shows as 016785-1240 is
#           167851240. With -T Gnumeric_stf:stf_assistant -O 'format=preserve' each cell is as shown (0.01, 100.50, 31-12-2026, 016785-1240, or 2026-12-31 and 0167851240 where their formats say so);
#           an amount that is shown with a sign between its thousands has that too.
# Product:  an amount of a voucher has exactly two decimals (FB011), a date has hyphens (PER004), and a CPR number ten digits (PER011): each is refused. A program that reads 2.1099999999999999999 as a
#           decimal and cuts after two decimals sends 2.10, and the voucher does not balance (FB010). docs/clients/persons.md and docs/clients/finance-sender.md say which option to give.
#
# Seen: 0.0099999999999999999998, 0.02, 0.27000000000000000001, 2.1099999999999999999, 100.5, 2026/12/31, 167851240; with format=preserve 0.01, 0.02, 0.27, 2.11, 100.50, 31-12-2026, 016785-1240, and in other formats 2026-12-31 and 0167851240. On x86-64.
# Needs python3, and Debian 12's package gnumeric (1.12.55), or root with apt-get to install it. Exit 0: it still does so. Exit 1: it does something else. Exit 2: something cannot be installed.
set -euo pipefail
command -v python3 >/dev/null || { echo "python3 is needed"; exit 2; }
if ! command -v ssconvert >/dev/null; then
  { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; } || { echo "ssconvert (gnumeric) is needed"; exit 2; }
  { nice apt-get update -q && DEBIAN_FRONTEND=noninteractive nice apt-get install -y -q --no-install-recommends gnumeric; } >/dev/null 2>&1 || { echo "gnumeric cannot be installed"; exit 2; }
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export HOME=$work LC_ALL=C.UTF-8
python3 -m venv venv
nice venv/bin/pip install --quiet --disable-pip-version-check openpyxl==3.1.5 || exit 2
cat >make.py <<'PYTHON'
import re
import zipfile

from openpyxl import Workbook
from openpyxl.utils import get_column_letter


def saved(book, name):
    """As Excel writes it: the amount's own two decimals, where openpyxl gives sixteen digits to some."""
    book.save("made.xlsx")
    with zipfile.ZipFile("made.xlsx") as made, zipfile.ZipFile(name, "w") as out:
        for item in made.namelist():
            content = made.read(item)
            if item == "xl/worksheets/sheet1.xml":
                content = re.sub(r"<v>([0-9]+[.][0-9]+)</v>", lambda found: f"<v>{float(found[1]):.2f}</v>", content.decode()).encode()
            out.writestr(item, content)


book = Workbook()
cells = [(0.01, "0.00"), (0.02, "0.00"), (0.27, "0.00"), (2.11, "0.00"), (0.48, "0.00"), (100.50, "0.00"), (46387, "dd-mm-yyyy"), (167851240, "000000-0000"), (46387, "yyyy-mm-dd"), (167851240, "0000000000")]
for column, (value, shown) in enumerate(cells, 1):
    book.active.column_dimensions[get_column_letter(column)].width = 16
    book.active.cell(1, column, value).number_format = shown
saved(book, "few.xlsx")
book = Workbook()
for oere in range(20000):
    book.active.cell(oere + 1, 1, oere / 100).number_format = "0.00"
saved(book, "many.xlsx")
book.save("openpyxl.xlsx")
PYTHON
venv/bin/python make.py
{ ssconvert few.xlsx few.csv && ssconvert -T Gnumeric_stf:stf_assistant -O 'format=preserve separator=;' few.xlsx shown.csv && ssconvert many.xlsx many.csv && ssconvert openpyxl.xlsx openpyxl.csv; } 2>err.log || { cat err.log; exit 1; }
ssconvert --version | head -n 1
printf 'the values: %s\nformat=preserve: %s\n' "$(cat few.csv)" "$(cat shown.csv)"
python3 - <<'PYTHON' || { echo "the behaviour has changed"; exit 1; }
import pathlib
import sys

few, shown = (pathlib.Path(name).read_text().strip() for name in ("few.csv", "shown.csv"))
long = []
for name in "many.csv", "openpyxl.csv":
    amounts = pathlib.Path(name).read_text().split()
    assert len(amounts) == 20000
    longer = [f"{oere / 100:.2f} as {written}" for oere, written in enumerate(amounts) if len(written) > 6]
    long.append(len(longer))
    print(f"{name}: of {len(amounts)} amounts {len(longer)} have more digits than they were written with: {longer[0]} … {longer[-1]}")
due = "0.0099999999999999999998,0.02,0.27000000000000000001,2.1099999999999999999,0.47999999999999999999,100.5,2026/12/31,167851240,2026/12/31,167851240"
sys.exit(0 if (few, shown, long) == (due, "0.01;0.02;0.27;2.11;0.48;100.50;31-12-2026;016785-1240;2026-12-31;0167851240", [343, 1564]) else 1)
PYTHON
