#!/usr/bin/env bash
# The judges from outside. Installs what they need under target/interop and runs them.
#
#   run.sh                       the harness's own tests, the running gateway (`hjemmel demo`) before every judge, the
#                                release oracle on HJEMMEL_CASES generated answers (10000), and the three judges of
#                                signatures on HJEMMEL_SIGNED generated messages (1500), both of seed HJEMMEL_SEED (1)
#   run.sh prepare               installs what these need, and runs nothing
#   run.sh signed COUNT SEED     the three judges of signatures alone, xmlsec1 of every message that it can judge
#   run.sh TOOL ARGUMENTS…       one judge: wsdl_zeep, validate, verify_xmlsec1, release_oracle, wss4j, cxf, java_client (CXF and
#                                WSS4J, token binding) or python_client (zeep, token binding; settings: docs/clients/README.md)
#
# What cannot be had is said as DID NOT RUN, with the reason. With HJEMMEL_INTEROP_STRICT=1 that is a failure too.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work="${CARGO_TARGET_DIR:-$root/target}/interop"
mkdir -p "$work"
# Runs a lane beside all that follows, in a group of processes of its own.
declare -A lanes
lane() {
    set -m
    "${@:2}" </dev/null &
    set +m
    lanes[$1]=$!
}
ended() {
    local how=0
    wait "${lanes[$1]}" || how=$?
    unset "lanes[$1]"
    return "$how"
}
# Whoever interrupts it, or ends it before its end, ends the lanes: they would go on beside the next run.
end_lanes() {
    local group
    for group in "${lanes[@]}"; do kill -- "-$group" 2>/dev/null || true; done
}
trap end_lanes EXIT
trap 'exit 130' INT TERM

missing=()
did_not_run() { missing+=("$1"); echo "DID NOT RUN: $1" >&2; }

# xmllint, xmlsec1, PHP, promtool, buildah and SFTP clients, from Debian where we may install them.
tools=()
command -v xmllint >/dev/null || tools+=(libxml2-utils)
command -v xmlsec1 >/dev/null || tools+=(xmlsec1)
command -v promtool >/dev/null || tools+=(prometheus)
command -v buildah >/dev/null || tools+=(buildah)
command -v busybox >/dev/null || tools+=(busybox-static)
# SFTP clients.
command -v lftp >/dev/null || tools+=(lftp)
command -v rclone >/dev/null || tools+=(rclone)
command -v sshfs >/dev/null || tools+=(sshfs)
command -v psftp >/dev/null || tools+=(putty-tools)
php -r 'exit((int) !extension_loaded("soap"));' 2>/dev/null || tools+=(php-cli php-soap)
if [ ${#tools[@]} -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${tools[@]}"; } >"$work/apt.log" 2>&1 ||
        did_not_run "apt-get install ${tools[*]} failed; see $work/apt.log"
elif [ ${#tools[@]} -gt 0 ]; then
    did_not_run "${tools[*]} not installed, and no root with apt-get to install them"
fi

# Python and its packages, anew when the list of them changes.
python="$work/venv/bin/python"
if ! cmp -s "$here/requirements.txt" "$work/venv/requirements.txt"; then
    rm -rf "$work/venv"
    if python3 -m venv "$work/venv" && "$python" -m pip install -q --disable-pip-version-check -r "$here/requirements.txt"; then
        cp "$here/requirements.txt" "$work/venv/requirements.txt"
    else
        echo "DID NOT RUN: nothing, for there is no Python 3 with venv, or its packages cannot be fetched" >&2
        exit 1
    fi
fi

index_wsdl="${HJEMMEL_REFERENCE:-$root/../shared/reference}/ydelsesindeks-6/wsdl/YdelseIndeks.wsdl"
# The Java judges, each anew when its sources change. Java 17 and Maven are not installed for them.
java_sources() { cat "$here/$1/pom.xml" "$here/$1"/src/main/java/dk/hjemmel/interop/*.java "$root"/src/services/contract/* "$root"/src/services/terminaladgang/contract/* "$root"/policies/services/finansbilag/*; }
build_java() {
    if ! command -v java >/dev/null || ! command -v mvn >/dev/null; then
        did_not_run "the $1 judge: no java or no mvn"
    elif ! java_sources "$1" | cmp -s - "$work/$1/built-from"; then
        rm -rf "${work:?}/$1" "$work/contract"
        # The service's own files and the platform's: they name each other as if they lay together.
        mkdir -p "$work/contract"
        cp "$root"/src/services/contract/*.xsd "$root"/src/services/terminaladgang/contract/*.{xsd,wsdl} "$work/contract"
        if mvn -q -B -f "$here/$1/pom.xml" -Djudge.target="$work/$1" -Dcontract="$work/contract" -Dindex.wsdl="$index_wsdl" package >"$work/$1.log" 2>&1; then
            java_sources "$1" >"$work/$1/built-from"
        else
            rm -rf "${work:?}/$1"
            did_not_run "the $1 judge: Maven could not build it; see $work/$1.log"
        fi
    fi
}

# Generated messages, with our verdict on each, before Santuario, WSS4J, xmlsec1 and libxml2.
signed() {
    rm -rf "$work/signed"
    (cd "$root" && cargo build --locked --quiet --example signed_cases) && "$work/../debug/examples/signed_cases" "$work/signed" "$1" "$2" &&
        HJEMMEL_INTEROP="$work" "$python" -B "$here/signed_judges.py" "$work/signed" "${@:3}"
}

# A judge runs where the caller stands: the files named are the caller's.
case "${1:-}" in
    "" | prepare) ;;
    wss4j | cxf | java_client)
        case "$1" in wss4j) module=wss4j class=Judge ;; cxf) module=cxf class=Load ;; *) module=cxf class=Call ;; esac
        build_java "$module"
        [ ${#missing[@]} -eq 0 ] || exit 1
        exec java -cp "$work/$module/classes:$work/$module/lib/*" "dk.hjemmel.interop.$class" "${@:2}" ;;
    signed)
        build_java wss4j
        [ ${#missing[@]} -eq 0 ] || exit 1
        signed "${2:?how many messages}" "${3:?the seed}"
        exit ;;
    python_client)
        exec "$python" -B "$root/docs/clients/python/token_binding.py" ;;
    wsdl_zeep | validate | verify_xmlsec1 | release_oracle)
        exec "$python" -B "$here/$1.py" "${@:2}" ;;
    *)
        sed -n '2,13s/^# \{0,1\}//p' "$0" >&2
        exit 2 ;;
esac

build_java wss4j
build_java cxf
# From the index's own WSDL, which is no part of this project.
[ ! -f "$index_wsdl" ] || build_java index_client
if [ "${1:-}" = prepare ]; then
    exec "$here/sftp/run.sh" prepare
fi
export HJEMMEL_INTEROP="$work"
status=0

# The gateway that is judged: HJEMMEL_BIN, or this source as it stands.
built=
if [ -z "${HJEMMEL_BIN:-}" ] && command -v cargo >/dev/null &&
    (cd "$root" && cargo build --locked --quiet --bin hjemmel --example release_cases --example passthrough_world --example signed_cases); then
    export HJEMMEL_BIN="$work/../debug/hjemmel"
    built=yes
fi

# Real SFTP clients before `hjemmel stub sftp` and before the mailboxes of `hjemmel serve`: beside all others, for each client waits for
# its answers. Longer than alone, so that no client is left out for want of a processor. A hostile one comes last, by itself.
of_sftp() { HJEMMEL="$HJEMMEL_BIN" "$here/sftp/run.sh" "$@" >"$work/sftp-$1.log" 2>&1; }
if [ -x "${HJEMMEL_BIN:-}" ]; then
    lane sftp of_sftp clients --within 1800
else
    did_not_run "SFTP clients: no gateway"
fi

# The tests, beside all that follows too, for they often wait for what they started. Three at a time, those that take longest first:
# each starts what it needs for itself.
of_tests() {
    cd "$here"
    local first=(test_api test_api_others test_docs test_finance test_passthrough test_index_client test_demo) file
    { printf '%s.py\n' "${first[@]}"; printf '%s\n' test_*.py; } | awk '!seen[$0]++' | sed 's/\.py$//' |
        xargs -P 3 -I{} sh -c '"$0" -B -m unittest -v "$1" >"$2/tests-$1.log" 2>&1' "$python" {} "$work"
}
rm -f "$work"/tests-*.log
lane tests of_tests

if [ -z "${HJEMMEL_BIN:-}" ] || [ -n "$built" ]; then
    if [ -n "$built" ]; then
        rm -rf "$work/cases"
        "$work/../debug/examples/release_cases" "$work/cases" "${HJEMMEL_CASES:-10000}" "${HJEMMEL_SEED:-1}" &&
            "$python" -B "$here/release_oracle.py" "$work/cases" || status=1
        if [ -d "$work/wss4j" ]; then
            signed "${HJEMMEL_SIGNED:-1500}" "${HJEMMEL_SEED:-1}" --xmlsec1 300 >"$work/signed.log" 2>&1 || status=1
            grep -E '^[0-9]+ (messages|canonical|differences)' "$work/signed.log" || tail -5 "$work/signed.log" >&2
        else
            did_not_run "the judges of signatures on generated messages: the WSS4J judge is not built"
        fi
    else
        did_not_run "the running gateway before the judges, and generated answers and messages: no cargo, or it could not build"
    fi
fi

# The object store's tests before an S3-compatible server of somebody else's (moto), over TLS.
if [ -x "${HJEMMEL_BIN:-}" ] && command -v cargo >/dev/null; then
    "$python" -B "$here/s3.py" "$root" >"$work/s3.log" 2>&1 || { status=1; tail -40 "$work/s3.log" >&2; }
    grep -E '^(test |object store)' "$work/s3.log" || true
else
    did_not_run "the object store before an S3-compatible server: no gateway, or no cargo to run its tests"
fi

# SCIM clients before `hjemmel stub campus`, and a SCIM server before the gateway's client.
if [ -x "${HJEMMEL_BIN:-}" ] && command -v cargo >/dev/null; then
    "$python" -B "$here/campus.py" "$HJEMMEL_BIN" "$root" >"$work/campus.log" 2>&1 || { status=1; tail -40 "$work/campus.log" >&2; }
    grep -E '^( |scim2|the gateway)' "$work/campus.log" || true
else
    did_not_run "SCIM programs: no gateway, or no cargo to run its tests"
fi

# Traces as a collector gets them, read with OpenTelemetry's own definitions.
if command -v cargo >/dev/null; then
    "$python" -B "$here/traces.py" "$root" >"$work/traces.log" 2>&1 || { status=1; tail -40 "$work/traces.log" >&2; }
    grep -E '^traces read' "$work/traces.log" || true
else
    did_not_run "traces read by OpenTelemetry's definitions: no cargo to run the gateway's test"
fi

ended tests || status=1
# Where the kernel ended one for want of memory, the others of its lane may never have begun.
for file in "$here"/test_*.py; do
    file=$(basename "$file" .py)
    grep -qs '^Ran ' "$work/tests-$file.log" || { status=1; did_not_run "$file.py: it was not begun, or ended before its end"; }
done
cat "$work"/tests-*.log >"$work/tests.log"
grep -E '^(test_|ERROR|FAIL|Ran |OK|FAILED|Traceback|AssertionError)|skipped' "$work/tests.log" || true
[ $status = 0 ] || { echo "--- the whole of it: $work/tests.log" >&2; grep -A30 -E '^(ERROR|FAIL):' "$work/tests.log" >&2 || true; }
while IFS= read -r reason; do
    did_not_run "$reason"
done < <(grep -o "skipped [\"']DID NOT RUN: [^\"]*" "$work/tests.log" | sed "s/^skipped .DID NOT RUN: //; s/'$//" | sort -u)
if [ -n "${lanes[sftp]:-}" ]; then
    ended sftp || { status=1; tail -40 "$work/sftp-clients.log" >&2; }
    grep -E '^(before|ok|FAIL|[0-9]+ clients)' "$work/sftp-clients.log" || true
    while IFS= read -r reason; do
        did_not_run "the SFTP client $reason"
    done < <(sed -n 's/^DID NOT RUN  //p' "$work/sftp-clients.log")
    # By itself: what it bounds are times.
    of_sftp hostile || { status=1; tail -40 "$work/sftp-hostile.log" >&2; }
    grep -E '^(hostile before|ok|FAIL|[0-9]+ hostile|every hostile)' "$work/sftp-hostile.log" || true
fi
if [ ${#missing[@]} -gt 0 ] && [ "${HJEMMEL_INTEROP_STRICT:-0}" = 1 ]; then
    status=1
fi
exit $status
