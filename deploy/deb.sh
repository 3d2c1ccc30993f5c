#!/usr/bin/env bash
# Builds the Debian package: program, unit, user, manual pages, completions (bash, zsh, fish), policies, samples, documents; and
# beside it a package with the symbols.
#
#     deploy/deb.sh [FOLDER]                          target/debian where none is named
#     HJEMMEL_PROGRAM=FILE deploy/deb.sh [FOLDER]     packs this program instead of building one (the tests do)
#
# cargo-deb is taken where it stands in PATH or in target/tools/bin, and otherwise built there, once. What it packs, and where
# to, is in Cargo.toml ([package.metadata.deb]). Build on the Debian release that the package is for: its libc is linked.
set -euo pipefail
cd "$(dirname "$0")/.."
version=3.8.0
root=$PWD
to=$(realpath -m "${1:-target/debian}")
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export PATH="$root/target/tools/bin:$PATH"

if [ "$(cargo-deb --version 2>/dev/null)" != "cargo-deb $version" ]; then
  cargo install --locked --quiet --root target/tools --version "$version" cargo-deb
fi

# The manual and the completions, from the command line as it is.
cargo build --locked --quiet --example manual
rm -rf target/deb && mkdir -p target/deb/release
"$target/debug/examples/manual" target/deb
mkdir target/deb/bash
cp target/deb/completions/hjemmel.bash target/deb/bash/hjemmel # its name in the package

# The symbols go into a package of their own, which finds its way back by the program's build id.
if [ -n "${HJEMMEL_PROGRAM:-}" ]; then
  cp "$HJEMMEL_PROGRAM" target/deb/release/hjemmel
else
  RUSTFLAGS="-C link-arg=-Wl,--build-id=sha1" cargo build --locked --profile dist --bin hjemmel
  cp "$target/dist/hjemmel" target/deb/release/hjemmel
fi

# Debian's changelog speaks of the package; the project's own is installed beside it.
at=$(git log -1 --format=%ct 2>/dev/null || date +%s)
package_version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
cat >target/deb/changelog <<CHANGELOG
hjemmel ($package_version-1) unstable; urgency=medium

  * See /usr/share/doc/hjemmel/changelog.gz.

 -- Hjemmel <hjemmel@example.invalid>  $(date -u -R -d "@$at")
CHANGELOG

mkdir -p "$to"
export SOURCE_DATE_EPOCH=$at
# A program that was built elsewhere is packed to be tried, not to be kept: quickly rather than small.
CARGO_TARGET_DIR=$root/target/deb cargo-deb --no-build --dbgsym ${HJEMMEL_PROGRAM:+--fast} --output "$to"
