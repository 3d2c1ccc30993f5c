#!/bin/sh
# Installs the binary as it is meant to run: without symbols, which go into a file beside it. A backtrace and a profiler find them
# there (`.gnu_debuglink`), or under /usr/lib/debug; the program runs without them.
#
#     cargo build --locked --profile dist --bin hjemmel
#     deploy/strip.sh target/dist/hjemmel /usr/local/bin/hjemmel     # and /usr/local/bin/hjemmel.debug
set -eu
from=$1 to=$2
objcopy --only-keep-debug "$from" "$to.debug"
objcopy --strip-all --add-gnu-debuglink="$to.debug" "$from" "$to"
chmod 755 "$to"
chmod 644 "$to.debug"
echo "$to: $(stat -c %s "$to") bytes; symbols in $to.debug: $(stat -c %s "$to.debug") bytes"
