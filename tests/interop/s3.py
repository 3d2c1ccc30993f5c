"""The object store's own tests (`cargo test --test stores`) before moto, an S3-compatible server, over TLS.

    s3.py ROOT    ROOT is the project's folder; HJEMMEL_BIN is the gateway, which makes the certificates

At the end the server is asked for uploads that nobody finished or took back: there must be none.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests

# As many tests ask the store, at the least.
LEAST = 5


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until_it_answers(server: subprocess.Popen, address: str, root: Path) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            requests.put(f"{address}/hjemmel", verify=root, timeout=60).raise_for_status()
            return
        except requests.ConnectionError:
            if server.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.1)


def main(project: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        pki = Path(folder) / "pki"
        subprocess.run([os.environ["HJEMMEL_BIN"], "certs", "dev", pki], check=True, stdout=subprocess.DEVNULL)
        root = pki / "root.pem"
        address = f"https://127.0.0.1:{(port := free_port())}"
        moto = Path(sys.executable).with_name("moto_server")
        certificate = ["-c", pki / "index-server.pem", "-k", pki / "index-server.key.pem"]
        with open(Path(folder) / "moto.log", "w") as log:
            server = subprocess.Popen([moto, "-H", "127.0.0.1", "-p", str(port), *certificate], stdout=log, stderr=log)
        try:
            until_it_answers(server, address, root)
            environment = os.environ | {"HJEMMEL_S3": address, "HJEMMEL_S3_ROOT": str(root)}
            tests = ["cargo", "test", "--locked", "--quiet", "--test", "stores", "s3_", "--", "--nocapture", "--format", "pretty"]
            ran = subprocess.run(tests, cwd=project, env=environment, stdout=subprocess.PIPE, text=True)
            print(ran.stdout, end="")
            # A test that was renamed shows nothing.
            results = re.findall(r"^test result: ok\. (\d+) passed", ran.stdout, re.MULTILINE)
            count = sum(map(int, results))
            passed = ran.returncode == 0 and count >= LEAST
            left = requests.get(f"{address}/hjemmel?uploads", verify=root, timeout=60).text.count("<Upload>")
            print(f"object store before moto: {count} tests {'passed' if passed else 'FAILED'}, {left} uploads left behind")
            return 0 if passed and left == 0 else 1
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
