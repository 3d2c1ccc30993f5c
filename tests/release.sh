#!/usr/bin/env bash
# What only the program that is shipped can show: its memory at 200 MB, its demo, and what each part costs; that nothing which holds
# a connection to the store waits for another; and W3C's suite of schemas, which takes an optimised validator. Before a release, and
# after a change to what a call passes through. It builds the libraries and the program anew: some forty minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== Memory: 200 MB pass through, 1 MB is released"
cargo test --locked --release --quiet --test memory
# The program that this built: `cargo run` would build every library once more, for the tests' own libraries ask some of them
# for further features.
echo "== The demo, once: every outcome as expected"
"${CARGO_TARGET_DIR:-target}/release/hjemmel" demo --once
echo "== One connection to each store: who holds it and takes another waits in vain"
HJEMMEL_POOL=1 cargo test --locked --quiet --test stores --test api --test passthrough
echo "== Persons: a hundred thousand by file, each answered as the oracle says"
python="${CARGO_TARGET_DIR:-target}/interop/venv/bin/python"
if [ -x "$python" ] && command -v sftp >/dev/null; then
  (program=$(realpath "${CARGO_TARGET_DIR:-target}/release/hjemmel") python=$(realpath -s "$python") && cd tests/interop &&
    HJEMMEL_BIN=$program HJEMMEL_PERSONS=100000 HJEMMEL_PERSONS_IN_A_FILE=10000 "$python" -B -m unittest -v test_persons.ByFile)
else
  echo "DID NOT RUN: a hundred thousand persons by file, for there is no sftp, or tests/interop/run.sh prepare was not run"
fi
echo "== Cost: no part more than 1.05 times what it did, in instructions"
if command -v valgrind >/dev/null; then
  cargo bench --locked --quiet --bench parts -- --instructions --gate
else
  echo "DID NOT RUN: valgrind is not installed; instructions were not counted"
fi
echo "== Schemas: W3C's suite, each verdict beside the list of those that differ"
suite="${HJEMMEL_REFERENCE:-../shared/reference}/w3c/xsdtests.tar.xz"
if [ -f "$suite" ]; then
  unpacked="${CARGO_TARGET_DIR:-target}/w3c"
  # Anew each time: a suite that was unpacked in part would differ.
  rm -rf "$unpacked" && mkdir -p "$unpacked" && tar -xJf "$suite" -C "$unpacked"
  judges=()
  if command -v javac >/dev/null && command -v xmllint >/dev/null; then
    judges=(--judges)
  else
    echo "DID NOT RUN: the JDK's and xmllint's verdicts beside ours (Debian: apt-get install default-jdk-headless libxml2-utils)"
  fi
  cargo run --locked --release --quiet --example xsd_suite -- "$unpacked" tests/schema/w3c-differences.txt "${judges[@]}"
else
  echo "DID NOT RUN: W3C's suite of schemas; $suite is not there (HJEMMEL_REFERENCE names the folder of reference material)"
fi
