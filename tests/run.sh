#!/usr/bin/env bash
# Passes the tests, and installs what they need where it can (Debian packages as root, Python packages into target/).
# What could not run is said by name at the end of each part; nothing is skipped in silence.
# A part that fails does not keep the others from running: the failed ones are named at the end.
set -uo pipefail
cd "$(dirname "$0")/.."

# With the time since the start, so that what takes long is seen.
say() { printf '\n== %s (%d:%02d)\n' "$*" $((SECONDS / 60)) $((SECONDS % 60)); }

missing=()
command -v xmlsec1 >/dev/null || missing+=(xmlsec1)
command -v xmllint >/dev/null || missing+=(libxml2-utils)
# The second judge of schemas, whose program is compiled as it is run.
command -v javac >/dev/null || missing+=(default-jdk-headless)
command -v curl >/dev/null || missing+=(curl)
command -v openssl >/dev/null || missing+=(openssl)
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || missing+=(postgresql)
[ -x /usr/sbin/pgbouncer ] || missing+=(pgbouncer)
# What docs/install.md sets up, and the machines that it is played on.
[ -x /usr/sbin/haproxy ] || missing+=(haproxy)
command -v promtool >/dev/null || missing+=(prometheus)
command -v systemd-nspawn >/dev/null || missing+=(systemd-container)
# The browser in which the console is looked at.
command -v chromium >/dev/null || missing+=(chromium)
command -v npm >/dev/null || missing+=(npm)
command -v faketime >/dev/null || missing+=(faketime)
if [ "${#missing[@]}" -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  say "Installing ${missing[*]}"
  # The tests start servers of their own: the packages neither make a cluster nor start a service.
  meanwhile=()
  if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    meanwhile+=(/etc/postgresql-common/createcluster.conf)
    mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
  fi
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    meanwhile+=(/usr/sbin/policy-rc.d)
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
  fi
  if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null; then
    missing=()
  else
    echo "could not install ${missing[*]}"
  fi
  rm -f "${meanwhile[@]}"
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  tests/support/postgres/pgbouncer.sh || echo "could not lay PgBouncer 1.24: the tests of transaction mode will say that they did not run"
fi
if [ "${#missing[@]}" -gt 0 ]; then
  echo "DID NOT RUN: the tests that need ${missing[*]}; install them (Debian: apt-get install ${missing[*]})"
fi

mkdir -p target
failed=()
part() { say "$1" && "${@:2}" || failed+=("$1"); }

# Beside the tests, which wait a quarter of their time for disks, databases and clocks; and once these are built, for one build
# keeps another waiting.
lints() {
  trap 'touch target/lints.ended' EXIT
  until [ -e target/suite.ended ] || grep -qsE '^ *Running |^error' target/suite.log; do sleep 1; done
  nice -n 19 cargo clippy --locked --quiet --all-targets -- -D warnings && RUSTDOCFLAGS="-D warnings" nice -n 19 cargo doc --locked --no-deps --quiet
}

dependencies() {
  # Building cargo-deny takes longer than all else here, so it is built only where asked for, once, into target/tools.
  export PATH="$PWD/target/tools/bin:$PATH"
  if ! command -v cargo-deny >/dev/null && [ -n "${HJEMMEL_INSTALL_TOOLS:-}" ]; then
    cargo install --locked --quiet --root target/tools cargo-deny ||
      echo "could not install cargo-deny: the check of dependencies will say that it did not run"
  fi
  if ! command -v cargo-deny >/dev/null; then
    echo "DID NOT RUN: bans, licences, sources and advisories; cargo-deny is not installed (HJEMMEL_INSTALL_TOOLS=1 builds it)"
    return
  fi
  cargo deny --log-level error check bans licenses sources || return
  if cargo deny --log-level error check advisories 2>target/advisories.log; then
    echo "advisories: checked"
  elif grep -q 'failed to fetch advisory database' target/advisories.log; then
    echo "DID NOT RUN: advisories; the advisory database (github.com/rustsec/advisory-db) cannot be had from here"
  else
    cat target/advisories.log
    return 1
  fi
}

# Where there is room the tests' stores, logs and clusters lie in memory: each world that a test starts waits two seconds for a disk,
# and no test shows that a disk keeps what it was told to.
make_room() {
  local of_memory of_folder
  of_memory=$(awk '/^MemAvailable:/ { print int($2 / 1024 / 1024) }' /proc/meminfo 2>/dev/null)
  of_folder=$(df --output=avail -BG /dev/shm 2>/dev/null | tail -1 | tr -dc 0-9)
  [ "${of_memory:-0}" -ge 12 ] && [ "${of_folder:-0}" -ge 8 ] && memory=$(mktemp -d /dev/shm/hjemmel.XXXXXX) || return
  trap 'rm -rf "$memory"' EXIT
  # PostgreSQL runs as another user, and some tests write programs and start them.
  chmod 1777 "$memory" && printf '#!/bin/sh\n' >"$memory/program" && chmod +x "$memory/program" && "$memory/program" || memory=
}
memory=
make_room
in_memory() { TMPDIR="${memory:-${TMPDIR:-/tmp}}" "$@"; }

# One more than there are processors for each two of them: the tests wait for clocks and for each other.
threads=${RUST_TEST_THREADS:-$(($(nproc) + ($(nproc) + 1) / 2))}

# That it ended is said whatever ended it: the lints wait for it.
suite() {
  RUST_TEST_THREADS="$threads" in_memory cargo test --locked --no-fail-fast 2>&1 | tee target/suite.log
  local how=$?
  touch target/suite.ended
  return "$how"
}

# A leap day more than a year on: certificates, tokens, agreements and windows made today are all over by then. tests/days.sh
# without --quick passes the whole suite on six days. It takes the time that the lints leave of the tests'.
another_day() {
  until [ -e target/lints.ended ]; do sleep 1; done
  in_memory nice -n 5 tests/days.sh --quick 2028-02-29 || [ "$?" = 3 ]
}

# With the debug build, as the tests left it. cargo-deb is built once, into target/tools.
install_page() {
  if [ "$(id -u)" = 0 ] && command -v systemd-nspawn >/dev/null; then
    tests/install/run.py
  else
    echo "DID NOT RUN: the commands of docs/install.md and the package; they need root and systemd-container"
  fi
}

# Runs a part beside the others, in a group of processes of its own, and tells later how it ended.
declare -A beside
aside() {
  set -m
  "${@:2}" </dev/null >"target/$1.log" 2>&1 &
  set +m
  beside[$1]=$!
}
ended() {
  wait "${beside[$1]}"
  local how=$?
  unset "beside[$1]"
  cat "target/$1.log"
  return "$how"
}
# Whoever interrupts it ends what runs beside: it would go on beside the next run, and both build in one folder.
interrupted() {
  trap - INT TERM
  local group
  for group in "${beside[@]}"; do kill -- "-$group" 2>/dev/null; done
  exit 130
}
trap interrupted INT TERM

part "Formatting" cargo fmt --check
part "Dependencies: bans, licences, sources" dependencies
# What is fetched for the judges from outside comes while the processor compiles.
aside prepared tests/interop/run.sh prepare
part "Building the tests" cargo test --locked --quiet --no-run
part "What the judges from outside need" ended prepared

rm -f target/suite.log target/suite.ended target/lints.ended
aside lints lints
aside days another_day
part "Tests" suite
part "Lints" ended lints
# Also where they were killed: another day waits for them.
touch target/lints.ended

part "The demo, once: every outcome as expected" "${CARGO_TARGET_DIR:-target}/debug/hjemmel" demo --once
part "The console in a browser" tests/console/run.sh
# Not beside the browser: its machines come and go on this one's network, and Chromium gives up what it loads when the network changes.
aside install install_page
part "Tools and clients that this project did not write" in_memory tests/interop/run.sh
part "The tests on another day" ended days
part "From nothing to serving: docs/install.md, command by command, on three machines" ended install

if [ "${#failed[@]}" -gt 0 ]; then
  say "Failed"
  printf '%s\n' "${failed[@]}"
  grep -E -A8 '^---- .* ----$|^error' target/suite.log | tail -80
  exit 1
fi
