#!/usr/bin/env bash
# Passes the tests on other days than today. `tests/days.sh --help` tells how.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'EOF'
Usage: tests/days.sh [--quick] [DAY ...]

Passes the tests with the clock of every test program, and of every program that it starts, set to each DAY
(libfaketime). No test may know what day it is: neither a certificate made from today's date judged at a fixed
instant, nor a fixed date judged at today's.

  DAY      what `date -d` reads: 2028-02-29 (noon UTC), 2027-03-28T00:59:00Z, "+1 month".
           Without one, each of: +1 month; +1 year; 29 February 2028; both days on which Copenhagen sets its clocks,
           from a minute before it does; and the last minute of 31 December in Copenhagen.
  --quick  only the unit tests, the law's and those of messages, whose certificates, tokens and windows meet the clock: a few minutes

Clocks that only measure how long something takes keep the machine's time. Cargo itself runs at the real time.
EOF
}

days=() quick=
for argument in "$@"; do
  case "$argument" in
    -h | --help) usage && exit ;;
    --quick) quick=yes ;;
    -*) usage >&2 && exit 2 ;;
    *) days+=("$argument") ;;
  esac
done
[ "${#days[@]}" -gt 0 ] ||
  days=("+1 month" "+1 year" 2028-02-29 2027-03-28T00:59:00Z 2027-10-31T00:59:00Z 2026-12-31T22:59:00Z)

if ! command -v faketime >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq faketime >/dev/null; } || true
fi
if ! command -v faketime >/dev/null; then
  echo "DID NOT RUN: the tests on other days; faketime is not installed (Debian: apt-get install faketime)" >&2
  exit 3
fi

programs=(--lib --bins --tests) only=()
if [ -n "$quick" ]; then
  programs=(--lib)
  for name in law messages; do programs+=(--test "$name"); done
  # Long, and at a clock of their own.
  only=(--)
  for name in window::exhaustive window::random release_oracle:: whole_population:: scanner:: fuzz_corpus::; do
    only+=(--skip "$name")
  done
fi

cargo test --locked --quiet --no-run "${programs[@]}"
failed=()
for day in "${days[@]}"; do
  [[ "$day" =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}$ ]] && at="$day 12:00 UTC" || at="$day"
  then="$(date -u -d "$at" +%s)"
  printf '\n== The tests on %s, as if it were %s\n' "$day" "$(date -u -d "@$then" '+%A %-d %B %Y %H:%M:%S UTC')"
  # An offset and no starting point: a program that a test starts would begin its own time there. The monotonic clock stays
  # real: Rust waits until an instant of it (recv_timeout, park_timeout), which the kernel would judge by the real one.
  offset="$(printf '%+d' $((then - $(date +%s))))"
  cargo test --locked --quiet --no-fail-fast "${programs[@]}" \
    --config "target.'cfg(all())'.runner = ['faketime', '-m', '--exclude-monotonic', '-f', '$offset']" "${only[@]}" ||
    failed+=("$day")
done

if [ "${#failed[@]}" -gt 0 ]; then
  printf '\nThe tests fail on: %s\n' "${failed[*]}" >&2
  exit 1
fi
