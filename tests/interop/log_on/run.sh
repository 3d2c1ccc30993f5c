#!/usr/bin/env bash
# Real identity providers log a person on to the console: pysaml2 (PyPI) and samlp (npm), each as it is by default and as it must
# be set. Not a part of tests/run.sh, for it fetches both; it needs xmlsec1, openssl, curl, node and npm.
#   tests/interop/log_on/run.sh [PROGRAM]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "${1:-$here/../../../target/debug/hjemmel}")
work=$(mktemp -d)
started=()
trap 'for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$work"' EXIT
free() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q pysaml2==7.5.5
(cd "$work" && npm init -y >/dev/null && npm i --silent samlp@8.0.0)
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/idp.key" -out "$work/idp.crt" -days 90 -subj /CN=idp 2>/dev/null
python="$work/venv/bin/python -W ignore"
$python "$here/pysaml2_idp.py" "$work" metadata
sed 's#https://pysaml2.example#https://samlp.example#g' "$work/pysaml2.xml" > "$work/samlp.xml"

# The demonstration's own gateway stays as it is; beside it one more, with these providers.
"$program" demo --once --dir "$work/demo" >/dev/null
port=$(free)
sed -E "/^\[console\]/,/^\[/ s#^address = .*#address = \"127.0.0.1:$port\"#; /^\[(admin|listen)\]/,/^\[/ s#^address = .*#address = \"127.0.0.1:0\"#" \
  "$work/demo/hjemmel.toml" > "$work/demo/log-on.toml"
for name in pysaml2 samlp; do
  printf '[console.saml.provider.%s]\nmetadata = "../%s.xml"\nauthorities = ["11111111"]\n' $name $name >> "$work/demo/log-on.toml"
done
"$program" serve --config "$work/demo/log-on.toml" > "$work/serve.log" 2>&1 &
started+=($!)
url=https://localhost:$port root=$work/demo/pki/root.pem
curl -sf --retry 60 --retry-all-errors --retry-delay 1 --cacert "$root" "$url/saml/metadata" -o "$work/console.xml"

own=$work/demo/pki/gateway-client.pem
openssl x509 -in "$own" -pubkey -noout > "$work/console.pub"
(cd "$here" && python3 -c 'import json, browser; print(json.dumps(browser.ATTRIBUTES))') > "$work/attributes.json"
samlp=$(free)
NODE_PATH=$work/node_modules node "$here/samlp_idp.js" "$samlp" "$work/idp.key" "$work/idp.crt" "$url/saml/acs" "$own" "$work/console.pub" \
  "$work/attributes.json" &
started+=($!)
curl -s --retry 60 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$samlp/?how=%7B%7D" >/dev/null

failed=0
$python "$here/pysaml2_idp.py" "$work" "$url" "$root" || failed=1
python3 "$here/samlp_cases.py" "$url" "$root" "http://127.0.0.1:$samlp" || failed=1
exit $failed
