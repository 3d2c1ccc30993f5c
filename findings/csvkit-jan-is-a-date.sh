#!/usr/bin/env bash
# csvkit 2.2.0: the first name Jan comes out as 0001-01-01, the class 7D as "7 days, 0:00:00", and the sex 1 as True; in a file with other persons beside them just as they were.
#
# Guessed:  csvsort sorts, csvjoin joins, in2csv makes CSV of a workbook, and none of them changes a text; numbers lose their zeros in front, for which there is --no-inference.
# Happens:  each takes a column for what all of its values could be, and writes it in its own form: a column with nothing but months or days in English (Jan, May, April, June, August, Sunday) is dates, of the
#           year 1; of digits with d, m, h or s behind them it is times (7D is "7 days, 0:00:00"); of 0 and 1 it is True and False. What else stands in the file decides: with one Mette the Jans are names, with
#           one 2 the sexes are numbers. So a large file comes right, and the nightly one with the one person who is new does not. Nothing is said. Text cells of a workbook are no better off. csvcut,
#           csvgrep and csvstack leave all as it is, and so does -I (--no-inference) with the others.
# Product:  Koen True is refused (a new person's row with it); a file that changes persons need not have that column, and then the person is called 0001-01-01, of the class "7 days, 0:00:00". docs/clients/persons.md says to give -I.
#
# Installs pinned packages into a temporary folder and runs them without the product. Exit 0: it still does so. Exit 1: it does something else. Exit 2: something cannot be installed.
set -euo pipefail
command -v python3 >/dev/null || { echo "python3 with venv is needed"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
nice venv/bin/pip install --quiet --disable-pip-version-check csvkit==2.2.0 agate==1.14.2 agate-excel==0.4.2 parsedatetime==2.6 openpyxl==3.1.5 || exit 2
cat >head.csv <<'CSV'
Medarbejdernummer;Koen;Fornavne;Klasse
CSV
{ cat head.csv; echo '4711D;1;Jan;7D'; } >one.csv
{ cat head.csv; echo '4711D;1;Jan;7D'; echo 'K4712;2;Mette;7B'; } >two.csv
venv/bin/python - <<'PY'
import openpyxl

book = openpyxl.Workbook()
for row in open("one.csv"):
    book.active.append(row.rstrip("\n").split(";"))
for cell in book.active[2]:
    assert cell.data_type == "s"
book.save("one.xlsx")
PY
changed=
# The rows that a command writes, beside those that were seen.
told() { # what, rows, command …
  local what=$1 due=$2 rows
  shift 2
  rows=$(nice venv/bin/"$@" | tail -n +2 | paste -sd '|')
  printf '%-28s %s\n' "$what" "$rows"
  [ "$rows" = "$due" ] || changed="$changed $what;"
}
other='"4711 days, 0:00:00",True,0001-01-01,"7 days, 0:00:00"'
same='4711D,1,Jan,7D'
told 'csvsort, one person' "$other" csvsort -d ';' -c 1 one.csv
told 'csvsort, two persons' "$same|K4712,2,Mette,7B" csvsort -d ';' -c 1 two.csv
told 'in2csv of a CSV file' "$other" in2csv -d ';' one.csv
told 'in2csv of a workbook' "$other" in2csv one.xlsx
told 'in2csv -I of a workbook' "$same" in2csv -I one.xlsx
told 'csvsort -I' "$same" csvsort -I -d ';' -c 1 one.csv
told 'csvcut' "$same" csvcut -d ';' -c 1-4 one.csv
for name in Jan May April June August Sunday Mette; do
  { echo 'Fornavne;Brugernavn'; echo "$name;x"; } >name.csv
  case $name in Jan) day=0001-01-01 ;; May) day=0001-05-01 ;; April) day=0001-04-01 ;; June) day=0001-06-01 ;; August) day=0001-08-01 ;; Sunday) day=0001-01-07 ;; Mette) day=Mette ;; esac
  told "csvsort, $name" "$day,x" csvsort -d ';' -c 2 name.csv
done
[ -z "$changed" ] || { echo "the behaviour has changed:$changed"; exit 1; }
