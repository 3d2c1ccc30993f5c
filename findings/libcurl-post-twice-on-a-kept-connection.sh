#!/usr/bin/env bash
# libcurl 8.23.0 (pycurl 7.49.0; PHP's curl and the program stand on it too): a POST whose answer is lost is sent again by itself, where the connection had served a call before.
#
# Guessed:  nothing is sent twice that was not asked for: where the connection ends before an answer the call ends with 52 ("Empty reply from server"), and the caller decides.
# Happens:  so it is on a new connection. On one that was kept from the call before, libcurl takes the end for a connection that had died meanwhile, also where the server has read the whole message: it opens another,
#           sends the POST again with the same content, and the call ends well, with the second answer. A program that keeps its handle, as one should, has each call but the first on such a connection; a test that
#           makes one call sees 52. With FRESH_CONNECT, a new connection for that call, it is sent once. Debian 12's curl (7.88.1) does the same with two addresses in one line.
# Product:  a gateway or balancer that is killed in the middle of a call makes such a program send a signed message twice: it reads Replay of a message that was passed on. A voucher gets the receipt of before, or FB032, for its
#           LeveranceID is the same; a delivery to a mailbox is the same under its id. docs/clients/README.md says what Replay can mean.
#
# Needs python3. Installs pinned packages into a temporary folder and runs them without the product. Exit 0: it still does so. Exit 1: it does something else. Exit 2: something cannot be installed.
set -euo pipefail
command -v python3 >/dev/null || { echo "python3 with venv is needed"; exit 2; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
nice venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: pycurl==7.49.0 requests==2.34.2 urllib3==2.5.0 || exit 2
cat >try.py <<'PY'
import socket
import sys
import threading

import pycurl
import requests

came = []


def serve(connection):
    """Reads each message to its end. The first that is called lost is read, and the connection closed without an answer."""
    stream = connection.makefile("rb")
    while True:
        length, line = 0, stream.readline()
        if not line:
            return
        while line.strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
            line = stream.readline()
        message = stream.read(length).decode()
        came.append(message)
        if message == "lost" and came.count("lost") == 1:
            connection.shutdown(socket.SHUT_RDWR)
            connection.close()
            return
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def accept():
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()


server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=accept, daemon=True).start()
address = f"http://127.0.0.1:{server.getsockname()[1]}/"


def curl(messages, fresh=0):
    came.clear()
    handle = pycurl.Curl()
    told = []
    for message in messages:
        handle.setopt(pycurl.URL, address)
        handle.setopt(pycurl.POSTFIELDS, message)
        handle.setopt(pycurl.FRESH_CONNECT, fresh)
        handle.setopt(pycurl.WRITEFUNCTION, lambda data: None)
        try:
            handle.perform()
            told.append(handle.getinfo(pycurl.RESPONSE_CODE))
        except pycurl.error as error:
            told.append(f"error {error.args[0]}")
    handle.close()
    return came.count("lost"), told


def python(messages):
    came.clear()
    session = requests.Session()
    told = []
    for message in messages:
        try:
            told.append(session.post(address, data=message).status_code)
        except requests.ConnectionError:
            told.append("ConnectionError")
    return came.count("lost"), told


got = {
    "libcurl, a new connection": curl(["lost"]),
    "libcurl, a kept one": curl(["before", "lost"]),
    "libcurl, FRESH_CONNECT": curl(["before", "lost"], fresh=1),
    "Python's requests, a kept one": python(["before", "lost"]),
}
due = {
    "libcurl, a new connection": (1, ["error 52"]),
    "libcurl, a kept one": (2, [200, 200]),
    "libcurl, FRESH_CONNECT": (1, [200, "error 52"]),
    "Python's requests, a kept one": (1, [200, "ConnectionError"]),
}
print(pycurl.version.split(" OpenSSL")[0])
for what, (times, told) in got.items():
    print(f"{what}: the message came {times} time(s), the calls ended with {told}")
sys.exit(0 if got == due else "the behaviour has changed")
PY
venv/bin/python -I try.py
