#!/usr/bin/env bash
# Guessed:  An asset of cargo-deb has a source and a destination. Installed as /usr/lib/sysusers.d/NAME.conf, it is made known to
#           systemd by that name: `systemd-sysusers NAME.conf` in postinst, as dh_installsysusers writes it.
# Happens:  cargo-deb writes the source's own file name into postinst. Where it differs from the installed one, systemd-sysusers fails
#           ("Failed to open … No such file or directory"), and the package cannot be configured. Nothing is said when it is built.
#           The same holds for tmpfiles.d, whose fragment hides the error: the folders are never made.
# Product:  the files have the name in the tree that they have when installed (deploy/deb/sysusers.d/hjemmel.conf), and
#           tests/install/run.py installs the package.
#
# Needs cargo and dpkg-deb. Exit 0: cargo-deb still does so. Exit 1: it does something else.
set -euo pipefail
version=${CARGO_DEB_VERSION:-3.8.0}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "$(cargo-deb --version 2>/dev/null)" != "cargo-deb $version" ]; then
  CARGO_PROFILE_RELEASE_OPT_LEVEL=0 cargo install --locked --quiet --root "$work/tools" --version "$version" cargo-deb
  export PATH="$work/tools/bin:$PATH"
fi
mkdir -p "$work/tried/src" "$work/tried/packaging"
cd "$work/tried"
echo 'fn main() {}' >src/main.rs
echo 'u tried - "Tried"' >packaging/users.conf
echo 'd /var/lib/tried 0750 tried tried' >packaging/folders.conf
printf '#!/bin/sh\nset -e\n#DEBHELPER#\n' >packaging/postinst
cat >Cargo.toml <<'TOML'
[package]
name = "tried"
version = "1.0.0"
edition = "2021"
description = "A package that makes a user"
license = "MPL-2.0"

[package.metadata.deb]
maintainer = "Nobody <nobody@example.invalid>"
maintainer-scripts = "packaging"
depends = ""
assets = [
    ["target/release/tried", "usr/bin/", "755"],
    ["packaging/users.conf", "usr/lib/sysusers.d/tried.conf", "644"],
    ["packaging/folders.conf", "usr/lib/tmpfiles.d/tried.conf", "644"],
]

[package.metadata.deb.systemd-units]
TOML
cargo deb --quiet --output tried.deb >/dev/null 2>said.txt || { cat said.txt; exit 1; }
dpkg-deb --extract tried.deb root
dpkg-deb --control tried.deb control
installed=$(cd root/usr/lib && echo sysusers.d/* tmpfiles.d/*)
called=$(grep -oE 'systemd-(sysusers|tmpfiles) .*\.conf' control/postinst | sed 's/ [^ ]*--root[^ ]* / /')
echo "cargo-deb $version"
echo "installed: $installed"
echo "$called" | sed 's/^/postinst:  /'
grep -q '^sysusers.d/tried.conf tmpfiles.d/tried.conf$' <<<"$installed"
if grep -q 'systemd-sysusers.* users\.conf' <<<"$called" && grep -q 'systemd-tmpfiles .*folders\.conf' <<<"$called"; then
  echo "still: postinst names files that are not installed"
else
  echo "CHANGED: look whether deploy/deb may be laid out otherwise"
  exit 1
fi
