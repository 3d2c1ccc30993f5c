"""Verifies an audit log with nothing of Hjemmel's: Python's hashlib and json, and the openssl command.

    python3 tests/interop/audit_oracle.py LOG_DIRECTORY CHECKPOINT_PUB

LOG_DIRECTORY is a node's, or what an archive has of a log.
Prints "whole: N entries, M checkpoints" and exits 0, or says where it is not and exits 1.
"""

import base64
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile


CHECKPOINT = "hjemmel audit checkpoint v1\n{covers}\n{head}\n{segment}\n{at}\n{occasion}\n"
RETIREMENT = "hjemmel audit retirement v1\n{from}\n{to}\n{sequence}\n{hash}\n{first_at}\n{last_at}\n{at}\n{by}\n{reason}\n"
ARCHIVE_RETIREMENT = RETIREMENT.replace("audit retirement v1\n", "audit archive retirement v1\n{archive}\n")


def signed(checkpoint, public_key, form=CHECKPOINT):
    message = form.format(**checkpoint)
    with tempfile.TemporaryDirectory() as directory:
        text, signature = pathlib.Path(directory, "m"), pathlib.Path(directory, "s")
        text.write_text(message)
        signature.write_bytes(base64.b64decode(checkpoint["signature"]))
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public_key, "-rawin", "-in", text, "-sigfile", signature]
        return subprocess.run(command, capture_output=True).returncode == 0


def main(directory, public_key):
    previous, number, segment, checkpoints, last = bytes(32), 0, 0, 0, None
    directory = pathlib.Path(directory)
    archive = any(directory.glob("segment-*-*.jsonl")) or any(directory.glob("retired-*.json"))
    for path in sorted(directory.glob("retired-*.json" if archive else "retired.jsonl")):
        for line in path.read_text().splitlines():
            statement = json.loads(line)
            if "archive" in statement and not (archive and statement["archive"] == directory.name):
                sys.exit(f"{path.name}: of another place")
            form = ARCHIVE_RETIREMENT if "archive" in statement else RETIREMENT
            if statement["from"] != segment + 1 or not signed(statement, public_key, form):
                sys.exit(path.name)
            previous, number, segment = bytes.fromhex(statement["hash"]), statement["sequence"], statement["to"]
    retired = number
    for path in sorted(directory.glob("segment-*.jsonl")):
        segment += 1
        digest = f"-{hashlib.sha256(path.read_bytes()).hexdigest()}" if archive else ""
        if path.name != f"segment-{segment:08}{digest}.jsonl":
            sys.exit(f"segment {segment}: missing, or not what its name says")
        for count, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
            where = f"{path.name}, line {count}"
            stated = json.loads(line)["hash"]
            entry = line[len('{"hash":"') + 64 + len('","entry":') : -len("}\n")]
            now = hashlib.sha256(previous + entry).digest()
            if now.hex() != stated:
                sys.exit(f"{where}: hash")
            entry = json.loads(entry)
            if entry["seq"] != number + 1:
                sys.exit(f"{where}: number")
            if checkpoint := entry["event"].get("checkpoint"):
                if checkpoint["covers"] != number or checkpoint["head"] != previous.hex() or not signed(checkpoint, public_key):
                    sys.exit(f"{where}: checkpoint")
                checkpoints, last = checkpoints + 1, checkpoint
            previous, number = now, number + 1
        if archive and (last is None or last["covers"] != number - 1 or last["occasion"] != "segment_end"):
            sys.exit(f"{path.name}: its end was cut off")
    if not archive and (last is None or json.loads((directory / "head.json").read_text()) != last):
        sys.exit("head.json: not the last checkpoint")
    print(f"whole: {number - retired} entries, {checkpoints} checkpoints")


main(*sys.argv[1:])
