#!/usr/bin/env bash
# Real SFTP clients before `hjemmel stub sftp`, the server with plain folders behind it, before the homes of `hjemmel serve`, with
# users, route orders, triggers and receipts, and before its mailboxes of partner agreements. What cannot be had says DID NOT RUN.
#
#   tests/interop/sftp/run.sh                  every client before each, some four minutes once the clients are there
#   tests/interop/sftp/run.sh --before stub    before one of them (or mailboxes, or partners)
#   tests/interop/sftp/run.sh --long           with 1 GB each way, and the server's memory
#   tests/interop/sftp/run.sh paramiko lftp    these clients alone
#   tests/interop/sftp/run.sh prepare          fetches the clients, and runs nothing
#   tests/interop/sftp/run.sh clients …        the clients, and no hostile one
#   tests/interop/sftp/run.sh hostile          what a hostile client can take from the others (hostile.py): its bounds are times, so that
#                                              nothing else should run beside it
#
# Where neither this nor single clients are asked for, the hostile one comes after the others.
#
# HJEMMEL names the program (default: target/release/hjemmel, else target/debug/hjemmel); the clients are put in target/interop/sftp.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
program=${HJEMMEL:-$root/target/release/hjemmel}
[ -x "$program" ] || program=$root/target/debug/hjemmel
tools=$root/target/interop/sftp
mkdir -p "$tools"

# Each pinned; a failure to fetch one is told below as DID NOT RUN.
[ -x "$tools/venv/bin/python" ] || python3 -m venv "$tools/venv"
"$tools/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/drivers/requirements.txt" >"$tools/pip.log" 2>&1 || true
[ -x "$tools/spsftp/bin/python" ] || python3 -m venv "$tools/spsftp"
"$tools/spsftp/bin/pip" install --quiet --disable-pip-version-check spsftp==0.0.1 paramiko==2.12.0 xmltodict==0.12.0 >"$tools/spsftp.log" 2>&1 || true
if command -v npm >/dev/null && [ ! -d "$tools/node/node_modules" ]; then
  mkdir -p "$tools/node"
  # Of its own: npm would take the project's otherwise.
  echo '{"private": true}' >"$tools/node/package.json"
  (cd "$tools/node" && npm install --silent --no-audit --no-fund ssh2@1.17.0 ssh2-sftp-client@12.1.0 >npm.log 2>&1) || true
fi
# Drivers are built anew when their sources change.
if command -v go >/dev/null && { [ ! -x "$tools/go/driver" ] || ! cmp -s "$here/drivers/driver.go" "$tools/go/main.go"; }; then
  mkdir -p "$tools/go"
  rm -f "$tools/go/driver"
  cp "$here/drivers/driver.go" "$tools/go/main.go"
  (cd "$tools/go" && { [ -f go.mod ] || go mod init driver; } && go get github.com/pkg/sftp@v1.13.10 golang.org/x/crypto@v0.45.0 &&
    go build -o driver .) >"$tools/go/go.log" 2>&1 || true
fi
java_sources() { cat "$here"/drivers/*.java "$here/drivers/pom.xml"; }
if command -v mvn >/dev/null && ! java_sources | cmp -s - "$tools/java/built-from"; then
  mkdir -p "$tools/java/src/main/java"
  rm -rf "$tools/java/target/classes" "$tools/java/built-from"
  cp "$here"/drivers/*.java "$tools/java/src/main/java/" 2>/dev/null || true
  cp "$here/drivers/pom.xml" "$tools/java/"
  (cd "$tools/java" && mvn -q -B dependency:copy-dependencies compile) >"$tools/java/mvn.log" 2>&1 && java_sources >"$tools/java/built-from" || true
fi
[ "${1:-}" != prepare ] || exit 0
[ -x "$program" ] || { echo "build the program first: cargo build --release"; exit 1; }
status=0
clients() { python3 "$here/matrix.py" --program "$program" --tools "$tools" "$@" || status=1; }
hostile() { "$tools/venv/bin/python" "$here/hostile.py" --program "$program" || status=1; }
case "${1:-}" in
  clients) clients "${@:2}" ;;
  hostile) hostile ;;
  "" | --within | --long)
    clients "$@"
    hostile ;;
  *) clients "$@" ;;
esac
exit $status
