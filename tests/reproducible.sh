#!/usr/bin/env bash
# Builds the binary that is installed twice, from two fresh clones in folders of other names, with other target folders, and compares.
# What differs between two machines that build the same commit is the path they build in and the hour; neither may show.
#
#   tests/reproducible.sh [COMMIT]      HEAD where none is named; two cold builds, some 15 minutes and 2 GB on two cores
#
# The same toolchain (rustc, gcc, binutils) and the same Cargo.lock are presupposed: the digest is worth what is printed with it.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$(pwd)
commit=$(git rev-parse --verify "${1:-HEAD}^{commit}")
cargo_home=${CARGO_HOME:-$HOME/.cargo}
sysroot=$(rustc --print sysroot)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# $1: the folder of the clone. $2: the target folder. Prints the binary's digest.
build() {
  git clone --quiet --no-checkout "$repository" "$1"
  git -C "$1" checkout --quiet "$commit"
  # Paths that would otherwise stand in panic messages and line tables (rustc), and in assertions of C code (cc).
  local map=("$1=/hjemmel" "$2=/target" "$cargo_home=/cargo" "$sysroot=/rust")
  (
    cd "$1"
    # Later mappings win; the target folder may lie in the clone.
    RUSTFLAGS="${map[*]/#/--remap-path-prefix=}" CFLAGS="${map[*]/#/-ffile-prefix-map=}" CXXFLAGS="${map[*]/#/-ffile-prefix-map=}" \
      SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) LC_ALL=C TZ=UTC CARGO_INCREMENTAL=0 \
      cargo build --locked --profile dist --bin hjemmel --target-dir "$2" --quiet
  ) >&2
  cp "$2/dist/hjemmel" "$work/${1##*/}.binary"
  rm -rf "$2"
  sha256sum <"$work/${1##*/}.binary" | cut -d' ' -f1
}

first=$(build "$work/one" "$work/one/target")
echo "$first  first build"
second=$(TZ=Asia/Tokyo build "$work/a-folder-of-another-length" "$work/elsewhere")
echo "$second  second build"
echo "commit $commit, $(rustc --version), $(cc --version | head -1), $(stat -c %s "$work/one.binary") bytes"
if [ "$first" != "$second" ]; then
  echo "NOT REPRODUCIBLE: the first differing bytes (offset, first, second):"
  cmp -l "$work/one.binary" "$work/a-folder-of-another-length.binary" | head -20 || true
  [ -z "${KEEP:-}" ] || cp "$work"/*.binary "$KEEP/"
  exit 1
fi
if strings "$work/one.binary" | grep -qF -e "$work" -e "$repository"; then
  echo "NOT REPRODUCIBLE: the binary names the folder it was built in:"
  strings "$work/one.binary" | grep -F -e "$work" -e "$repository" | head -5
  exit 1
fi
echo "The same bytes, and no folder of the build in them."
