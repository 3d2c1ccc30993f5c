"""A client of the benefit index as the field has it (CXF 3.3), made from the index's and the STS's own WSDLs, before the running
gateway: only the address, the audience and the certificates are the gateway's. zeep's is in test_python_token.py."""

import os
import re
import subprocess
import unittest
from pathlib import Path

import demo

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = Path(os.environ.get("HJEMMEL_REFERENCE", ROOT.parent / "shared/reference"))
INDEX_WSDL, STS_WSDL = REFERENCE / "ydelsesindeks-6/wsdl/YdelseIndeks.wsdl", REFERENCE / "sts/sts.wsdl"
BUILT = Path(os.environ.get("HJEMMEL_INTEROP", ROOT / "target/interop")) / "index_client"
ANNA, UNPROVEN = "6101801234", "6404651237"

running = None
settings = {}


def setUpModule():
    global running
    if demo.binary() is None:
        raise unittest.SkipTest("DID NOT RUN: the index's own client, for HJEMMEL_BIN names no program")
    if not INDEX_WSDL.exists():
        raise unittest.SkipTest("DID NOT RUN: the index's own client, for its WSDL is not at hand (../shared/reference or HJEMMEL_REFERENCE)")
    running = demo.Demo(demo.binary())
    settings.update(re.findall(r"^export (\w+)=(.*)$", (running.dir / "client.env").read_text(), re.MULTILINE))


def tearDownModule():
    if running is not None and running.stop() != 0:
        raise RuntimeError("the demo did not stop in good order on Ctrl-C")


@unittest.skipUnless((BUILT / "classes").exists(), f"DID NOT RUN: the index's CXF client is not built ({BUILT}); run.sh builds it")
class Cxf(unittest.TestCase):
    """Its token request has no TokenType and no Lifetime, UseKey with line breaks, and an unsigned Framework header."""

    def ask(self, cpr):
        options = {"service": "SERVICE", "sts": "STS", "entity-id": "ENTITY_ID", "authority": "AUTHORITY", "ca": "CA", "cert": "CERT",
                   "key": "KEY", "gateway-cert": "GATEWAY_CERT", "sts-cert": "STS_CERT"}
        given = {**{option: settings[name] for option, name in options.items()}, "cpr": cpr, "index-wsdl": INDEX_WSDL, "sts-wsdl": STS_WSDL}
        words = [str(word) for option, value in given.items() for word in (f"--{option}", value)]
        run = subprocess.run(["java", "-Xmx2g", "-cp", f"{BUILT}/classes:{BUILT}/lib/*", "dk.hjemmel.interop.IndexClient", *words],
                             capture_output=True, text=True)
        return run.returncode, run.stdout + run.stderr

    def test_only_the_address_changes(self):
        code, told = self.ask(ANNA)
        self.assertEqual(code, 0, told)
        self.assertIn("payments 4", told)

    def test_its_user_sees_the_faults_text(self):
        code, told = self.ask(UNPROVEN)
        self.assertEqual(code, 3, told)
        self.assertRegex(told, "fault PersonUnproven: .*Call-id: [0-9a-f-]{36}")


if __name__ == "__main__":
    unittest.main()
