"""The gateway as `hjemmel demo` brings it up, for the tests that call it from outside."""

import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

DEADLINE_SECONDS = 300


class Demo:
    """A running demo. `told` is its demo.json, `screen` what it printed."""

    def __init__(self, binary, *arguments):
        self.folder = tempfile.TemporaryDirectory(prefix="hjemmel-interop-")
        self.dir = Path(self.folder.name) / "demo"
        self.output = open(Path(self.folder.name) / "screen.txt", "w+", encoding="utf-8")
        self.process = subprocess.Popen([binary, "demo", "--dir", str(self.dir), *arguments], stdout=self.output, stderr=subprocess.STDOUT)
        until = time.monotonic() + DEADLINE_SECONDS
        while not (self.dir / "demo.json").exists():
            if self.process.poll() is not None or time.monotonic() > until:
                self.process.kill()
                raise RuntimeError(f"the demo did not come up:\n{self.screen()}")
            time.sleep(0.1)
        self.told = json.loads((self.dir / "demo.json").read_text())

    def screen(self):
        self.output.seek(0)
        return self.output.read()

    def stop(self):
        """Ctrl-C; gives the exit code."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(120)
        finally:
            self.process.kill()
            self.output.close()
            self.folder.cleanup()


def binary():
    """The program to judge, or None."""
    return os.environ.get("HJEMMEL_BIN")
