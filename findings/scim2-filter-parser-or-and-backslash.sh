#!/usr/bin/env bash
# scim2-filter-parser (of django-scim2): `or` before `and`, and what stands behind a backslash.
#
# Guessed: it reads a filter as RFC 7644, 3.4.2.2 has it: `and` binds closer than `or`, whichever comes first, and a value is a string of JSON, so that "a\\b"
#          asks for a\b and "a\"b" for a"b.
# Happens: `A or B and C` is read as `(A or B) and C`, while `A and B or C` is read as it should be: both go by the place, from the left. A backslash is kept
#          as it is written, so that "a\\b" asks for two of them and finds nobody; a quotation mark behind one ends the value, and the filter is refused.
# The product: the gateway asks by one comparison alone, never with `or`. A user name with a backslash (DOMAIN\name) is written as JSON has it, and
#          `hjemmel persons adopt` says before such a server that there is no such user. docs/operations.md says so.
#
# Installs pinned packages into a temporary folder and runs them without the product. Exit 0: it still does so. Exit 1: it does something else.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
command -v python3 >/dev/null || { echo "python3 with venv is needed"; exit 2; }
python3 -m venv "$dir/venv" || exit 2
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check scim2-filter-parser==0.7.0 sly==0.5 || exit 2
"$dir/venv/bin/python" - <<'PY'
import sqlite3
import sys
from importlib.metadata import version

from scim2_filter_parser.parser import SCIMParserError
from scim2_filter_parser.queries import SQLQuery

print("scim2-filter-parser", version("scim2-filter-parser"), "with SQLite", sqlite3.sqlite_version)
store = sqlite3.connect(":memory:")
store.execute("CREATE TABLE users (name TEXT, title TEXT, kind TEXT)")
store.executemany("INSERT INTO users VALUES (?, ?, ?)",
                  [("ann", "nurse", "old"), ("bo", "nurse", "new"), ("cai", "clerk", "old"), ("a\\b", "", ""), ('a"b', "", "")])
COLUMNS = {("userName", None, None): "name", ("title", None, None): "title", ("userType", None, None): "kind"}


def asked(filter):
    try:
        query = SQLQuery(filter, "users", COLUMNS)
    except SCIMParserError:
        return "refused"
    where = query.where_sql.format(**{name: f":{name}" for name in query.params_dict})
    return [name for name, in store.execute(f"SELECT name FROM users WHERE {where} ORDER BY name", query.params_dict)]


# The filter, whom the RFC has it give, and whom it gives.
CASES = [
    ('title eq "clerk" or title eq "nurse" and userType eq "new"', ["bo", "cai"], ["bo"]),
    ('title eq "nurse" and userType eq "new" or title eq "clerk"', ["bo", "cai"], ["bo", "cai"]),
    ('title eq "clerk" or (title eq "nurse" and userType eq "new")', ["bo", "cai"], ["bo", "cai"]),
    (r'userName eq "a\\b"', ["a\\b"], []),
    (r'userName eq "a\"b"', ['a"b'], "refused"),
]
same = True
for filter, right, noted in CASES:
    given = asked(filter)
    print(f"{filter}: {given}{'' if given == right else f', where the RFC has {right}'}")
    same &= given == noted
if not same:
    print("the behaviour has changed")
    sys.exit(1)
PY
