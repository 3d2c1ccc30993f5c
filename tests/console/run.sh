#!/usr/bin/env bash
# The console in a real browser (Debian's chromium, npm's playwright-core and axe-core), over the demo.
#   tests/console/run.sh              looks at every page
#   tests/console/run.sh --pictures   also draws docs/console/*.png anew
set -euo pipefail
cd "$(dirname "$0")/../.."

chromium=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || true)}
if [ -z "$chromium" ] || ! command -v npm >/dev/null; then
  echo "DID NOT RUN: the console in a browser; it needs chromium and npm (Debian: apt-get install chromium npm)"
  exit 0
fi
if [ ! -e node_modules/playwright-core ] || [ package-lock.json -nt node_modules ]; then
  if ! npm ci --ignore-scripts --no-audit --no-fund --silent; then
    echo "DID NOT RUN: the console in a browser; npm ci could not fetch what package-lock.json names"
    exit 0
  fi
  touch node_modules
fi
# As the tests build the program: alone it would be built anew with every library.
cargo test --locked --quiet --no-run --test api
pictures=()
[ "${1:-}" = --pictures ] && pictures=(--pictures docs/console)
CHROMIUM=$chromium node tests/console/browser.mjs "${CARGO_TARGET_DIR:-target}/debug/hjemmel" "${pictures[@]}"
