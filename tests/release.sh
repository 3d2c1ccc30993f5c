#!/usr/bin/env bash
# What only the program that is shipped can show: its memory at 200 MB, its demo, and what each part costs. Before a release, and
# after a change to what a call passes through. It builds the libraries and the program anew: some twenty minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== Memory: 200 MB pass through, 1 MB is released"
cargo test --locked --release --quiet --test memory
# The program that this built: `cargo run` would build every library once more, for the tests' own libraries ask some of them
# for further features.
echo "== The demo, once: every outcome as expected"
"${CARGO_TARGET_DIR:-target}/release/hjemmel" demo --once
echo "== Cost: no part more than 1.05 times what it did, in instructions"
if command -v valgrind >/dev/null; then
  cargo bench --locked --quiet --bench parts -- --instructions --gate
else
  echo "DID NOT RUN: valgrind is not installed; instructions were not counted"
fi
