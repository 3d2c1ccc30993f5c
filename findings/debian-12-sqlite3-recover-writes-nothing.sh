#!/usr/bin/env bash
# Debian 12's sqlite3 (3.40.1): `.recover` writes nothing of any database, a whole one too.
#
# Guessed: `.recover` is there for a damaged file, is in the shell's help, and writes as much of the rows as can be read; of a file that is whole it writes all of it.
# Happens: it writes seven lines of settings, ends with code 1 and "sql error: SQL logic error (1)" on standard error, and says nothing of what is missing: the library of the
#          package is built without the table of pages (SQLITE_ENABLE_DBPAGE_VTAB) that it reads. Mostly its output goes into another sqlite3; then the line as a
#          whole ends with 0, and there is a new, empty database. `.dump` of the same file writes all rows, and of a file of which a page is lost those that it can
#          read; its last line is then ROLLBACK, so that whoever reads it in as it is has none of them.
# The product: its store is such a file where no PostgreSQL is used. docs/operations.md says what to take instead.
#
# Needs apt-get (the packages are fetched, not installed) on Debian 12. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"
cd "$dir"
apt-get download -qq sqlite3 libsqlite3-0 2>apt.log || { cat apt.log; exit 2; }
for package in ./*.deb; do dpkg -x "$package" root; done
shell() { LD_LIBRARY_PATH=$(echo "$dir"/root/usr/lib/*-linux-gnu) "$dir/root/usr/bin/sqlite3" "$@"; }
shell --version
shell whole.db "PRAGMA user_version = 7; CREATE TABLE t (name TEXT); WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO t SELECT 'row ' || i FROM n"
code=0
shell whole.db .recover >recovered.sql 2>said || code=$?
shell whole.db .dump >dumped.sql
told=$(cat said)
echo ".recover of a whole file: code $code, says '$told', rows $(grep -c INSERT recovered.sql || true) of $(grep -c INSERT dumped.sql), lines $(wc -l <recovered.sql)"
set +o pipefail
shell whole.db .recover 2>piped | shell new.db && into=0 || into=$?
set -o pipefail
new=$(shell new.db 'PRAGMA user_version; SELECT count(*) FROM sqlite_schema' | paste -sd ' ')
echo "into another sqlite3: code $into; the new database has version and tables: $new"
# A page of rows is lost.
page=$(shell whole.db 'PRAGMA page_size')
cp whole.db damaged.db
dd if=/dev/zero of=damaged.db bs="$page" seek=6 count=1 conv=notrunc status=none
shell damaged.db .dump >half.sql 2>>piped || true
last=$(tail -n 1 half.sql)
echo ".dump of a file with one page lost: rows $(grep -c INSERT half.sql), last line $last"
[ "$code" = 1 ] && [ "$told" = "sql error: SQL logic error (1)" ] && ! grep -q -i -E "insert|create" recovered.sql && [ "$(grep -c INSERT dumped.sql)" = 3000 ] \
  && [ "$into" = 0 ] && [ "$new" = "0 0" ] && [ "$(grep -c INSERT half.sql)" -gt 2000 ] && [[ $last == ROLLBACK* ]] || { echo "the behaviour has changed"; exit 1; }
