#!/usr/bin/env bash
# Lists what the program itself never uses, although it is `pub`: rustc says nothing of that in a library. The sources are compiled as
# one program, in a copy. What is listed serves tests, benches or the stubs that tests start, or it can go; the list is for people
# to read, for whether a test is a good reason is theirs to say.
#
#   tests/unused.sh           about a minute on two cores, with the dependencies built: in a folder of its own, so that the
#                             copy and the tree do not take what is built of the other for their own
set -euo pipefail
cd "$(dirname "$0")/.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z -- build.rs src templates certs migrations policies docs deploy cases Cargo.toml Cargo.lock clippy.toml | xargs -0 cp --parents -t "$copy"
grep -v '^//!' src/lib.rs | sed 's/^pub mod/mod/' >"$copy/src/main.rs"
echo 'fn main() -> std::process::ExitCode { cli::main() }' >>"$copy/src/main.rs"
rm "$copy/src/lib.rs"
# Without the library, the benches and the settings that go with them.
sed -i -e '/^\[lib\]/,/^$/d' -e '/^\[\[bench\]\]/,/^$/d' "$copy/Cargo.toml"
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/unused cargo check --quiet --manifest-path "$copy/Cargo.toml" --bin hjemmel \
  --message-format short 2>&1 | grep 'never used\|never read\|never constructed' | sort
