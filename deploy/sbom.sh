#!/usr/bin/env bash
# Writes the bill of materials of the program: each crate that is built into it, with version, licence, digest and what it rests on
# (CycloneDX 1.5, JSON).
#
#     deploy/sbom.sh [FILE]        target/sbom/hjemmel.cdx.json where none is named
#
# cargo-cyclonedx is taken where it stands in PATH or in target/tools/bin, and otherwise built there, once.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.5.9
to=${1:-target/sbom/hjemmel.cdx.json}
export PATH="$PWD/target/tools/bin:$PATH"
if [ "$(cargo-cyclonedx cyclonedx --version 2>/dev/null)" != "cargo-cyclonedx-cyclonedx $version" ]; then
  cargo install --locked --quiet --root target/tools --version "$version" cargo-cyclonedx
fi
# The hour of the commit, so that two bills of the same tree differ in their serial number alone.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || date +%s)
export SOURCE_DATE_EPOCH
cargo cyclonedx --quiet --format json --spec-version 1.5 --describe binaries
mkdir -p "$(dirname "$to")"
mv hjemmel_bin.cdx.json "$to"
echo "$to: $(grep -c '"bom-ref"' "$to") entries"
