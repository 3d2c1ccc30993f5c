"""The API as others see it: schemathesis tries what its contract allows and forbids, and a client that openapi-python-client
generates from the contract takes an agreement through its life."""

import base64
import datetime
import os
import resource
import subprocess
import sys
import time
import unittest
from pathlib import Path

import requests

import demo
from generated import Generated

WORK = Path(os.environ.get("HJEMMEL_INTEROP", "/tmp"))
TOOLS = Path(sys.executable).parent
HERE = Path(__file__).parent
KORSBAEK = "11111111"
# The roles that the demo has no user of, each of a certificate that is no other's here; together with its own, all ten.
OTHERS = {
    "gateway-client": ("operator-read-only",),
    "client-korsbaek": ("system-owner", "auditor"),
    "client-udk": ("system-responsible", "sortiment-administrator"),
    "client-other": ("system-administrator", "infrastructure-responsible"),
}


class Tried:
    """A demo, and each of the users in it; `test_api_others` has another of its own, so that both run beside each other."""

    @classmethod
    def setUpClass(cls):
        cls.demo = demo.Demo(demo.binary())
        cls.told = cls.demo.told
        cls.root = cls.told["root"]
        cls.contract = cls.demo.dir / "openapi.json"
        answer = requests.get(cls.told["api"] + "/openapi.json", cert=cls.pair("operator"), verify=cls.root, timeout=120)
        answer.raise_for_status()
        cls.contract.write_bytes(answer.content)
        for certificate, roles in OTHERS.items():
            command = [demo.binary(), "user", "add", "--config", cls.demo.dir / "hjemmel.toml", "--name", certificate, "--reason", "prøve"]
            command += ["--certificate", cls.demo.dir / "pki" / f"{certificate}.pem"]
            command += [word for role in roles for word in ("--role", role)]
            command += [] if "operator-read-only" in roles else ["--cvr", KORSBAEK]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    @classmethod
    def tearDownClass(cls):
        cls.demo.stop()

    @classmethod
    def pair(cls, role):
        if role in OTHERS:
            return tuple(str(cls.demo.dir / "pki" / f"{role}{ending}") for ending in (".pem", ".key.pem"))
        return cls.told["users"][role]["certificate"], cls.told["users"][role]["key"]

    def finds_nothing(self, roles, phases=None, examples=None):
        for role in roles:
            with self.subTest(role=role):
                certificate, key = self.pair(role)
                # What the contract allows and forbids is the same for all; what the others may not do is another path through it.
                own = ("examples,coverage,stateful,fuzzing", "20") if role in self.told["users"] else ("coverage,fuzzing", "5")
                command = [TOOLS / "schemathesis", "--config-file", HERE / "schemathesis.toml", "run", self.contract, "--url", self.told["api"], "--tls-verify", self.root]
                command += ["--request-cert", certificate, "--request-cert-key", key, "--seed", os.environ.get("HJEMMEL_API_SEED", "1"), "--max-examples", examples or own[1]]
                # Schema-valid and wrong all the same: a period that ends before it begins, PEM that is no certificate. No
                # schema says that; the answer is a documented 422.
                command += ["--phases", phases or own[0], "--exclude-checks", "positive_data_acceptance"]
                # Its generator once took all of a machine's memory; what it finds is kept apart from what it remembers.
                command += ["--generation-database", "none"]
                limits = lambda: resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
                ran = subprocess.run(command, capture_output=True, text=True, timeout=900, preexec_fn=limits)
                (WORK / f"schemathesis-{type(self).__name__.lower()}-{role}.log").write_text(ran.stdout + ran.stderr)
                self.assertEqual(ran.returncode, 0, ran.stdout[-6000:] + ran.stderr[-2000:])
                self.assertNotIn("Unresolvable references", ran.stdout)


@unittest.skipUnless(demo.binary(), "DID NOT RUN: the API before schemathesis and a generated client: no gateway")
class Api(Tried, unittest.TestCase):
    def test_every_role_has_a_user(self):
        known = set()
        for role in (*self.told["users"], *OTHERS):
            answer = requests.get(self.told["api"] + "/api/v1/whoami", cert=self.pair(role), verify=self.root, timeout=120)
            known.update(answer.json()["roles"])
        self.assertEqual(len(known), 10, known)

    def test_schemathesis_finds_nothing(self):
        self.finds_nothing(self.told["users"])

    def called(self):
        """What a system without an agreement of before is answered, asking for Korsbæk Kommune."""
        pki = self.demo.dir / "pki"
        cert = (str(pki / "client-intruder.pem"), str(pki / "client-intruder.key.pem"))
        headers = {"Content-Type": "text/xml; charset=utf-8"}
        body = (self.demo.dir / "request.xml").read_bytes()
        return requests.post(self.told["service"], data=body, headers=headers, cert=cert, verify=self.root, timeout=120).status_code

    def until(self, status):
        deadline = time.monotonic() + 60
        while self.called() != status:
            self.assertLess(time.monotonic(), deadline, f"no call was answered {status}")
            time.sleep(0.5)

    def test_a_generated_client_takes_an_agreement_through_its_life(self):
        api = Generated(self.contract, "hjemmel_api")
        models = api.models
        of_agreements = lambda name: api.operation("agreements", name)
        user = lambda role: api.user(self.told["api"], self.root, self.pair(role))
        supplier, signatory = user("supplier-administrator"), user("signatory")
        thumbprint = subprocess.run(
            ["openssl", "x509", "-in", self.demo.dir / "pki/client-intruder.pem", "-noout", "-fingerprint", "-sha256"],
            capture_output=True, text=True, check=True).stdout.split("=")[1].strip().replace(":", "").lower()
        # A system is its supplier's, and its certificates are registered, before anybody is asked for an agreement of it.
        system, reach = "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b100a", {"cert": self.pair("supplier-administrator"), "verify": self.root, "timeout": 30}
        named = {"id": system, "name": "Fagsystem A", "contact": "drift@leverandor.example", "reason": "sag 1"}
        registered = requests.post(f"{self.told['api']}/api/v1/systems", json=named, **reach)
        self.assertEqual(registered.status_code, 201, registered.text)
        # Its own alone, not the chain that stands with it.
        own = subprocess.run(["openssl", "x509", "-in", self.demo.dir / "pki/client-intruder.pem"], capture_output=True, text=True, check=True).stdout
        # Its key signs that it is this system's.
        said = f"hjemmel certificate v1\nsystem {system}\ncertificate {thumbprint}\n"
        proof = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.demo.dir / "pki/client-intruder.key.pem"],
                               input=said.encode(), capture_output=True, check=True).stdout
        added = {"certificate": own, "proof": base64.b64encode(proof).decode(), "reason": "sag 1"}
        changes = f"{self.told['api']}/api/v1/systems/{system}/changes"
        changed = requests.post(changes, json=added, headers={"If-Match": registered.headers["ETag"]}, **reach)
        self.assertEqual(changed.status_code, 200, changed.text)
        self.until(500)
        asked = of_agreements("request_agreement").sync(client=supplier, body=models.AgreementRequest.from_dict({
            "side": "front", "system": system, "certificates": [thumbprint],
            "service": "3053ec89-31fe-4206-878b-bba6783d7a88", "authority": KORSBAEK, "environment": "demo",
            "valid_from": "2026-01-01T00:00:00+01:00", "legal_basis": "Lov om Udbetaling Danmark § 8, stk. 1",
            "purpose": "prøve", "reason": "sag 1", "name": "Ydelser i Fagsystem A", "kind": "without-passing-on",
            "justification": "Sagsbehandlere slår ydelser op", "contract": "DBA-2026-17", "categories": ["ydelser"],
            "retention": "slettes efter 5 år"}))
        self.assertIsInstance(asked, models.AgreementView, asked)

        def decide(who, agreement, decision):
            body = models.DecisionRequest.from_dict({"decision": decision, "reason": "sag 1", "shown": agreement.text_sha256})
            return of_agreements("decide_on_agreement").sync(agreement.id, client=who, body=body, if_match=agreement.etag)

        refused = decide(supplier, asked, "approve")
        self.assertEqual(getattr(refused, "code", None), "ApiNotAllowed", refused)
        listed = of_agreements("list_agreements").sync(client=signatory, authority=KORSBAEK, limit=200)
        self.assertIn(asked.id, [agreement.id for agreement in listed.items])
        shown = of_agreements("get_agreement").sync(asked.id, client=signatory)
        approved = decide(signatory, shown, "approve")
        self.assertEqual(approved.state, "GODKENDT")
        self.until(200)
        # What was decided on was another text, or another state, than is there now.
        stale = decide(signatory, asked, "suspend")
        self.assertEqual(getattr(stale, "code", None), "ApiPreconditionFailed", stale)
        suspended = decide(signatory, approved, "suspend")
        self.assertEqual((suspended.state, suspended.holds), ("SUSPENDERET", False))
        self.until(500)
        refused = decide(supplier, suspended, "resume")
        self.assertEqual(getattr(refused, "code", None), "ApiNotAllowed", refused)
        resumed = decide(signatory, suspended, "resume")
        self.assertEqual((resumed.state, resumed.holds), ("GODKENDT", True))
        self.until(200)
        ended = decide(supplier, resumed, "end")
        self.assertEqual(ended.state, "OPSAGT")
        self.until(500)
        refused = decide(signatory, ended, "resume")
        self.assertEqual(getattr(refused, "code", None), "ApiTransition", refused)
        history = of_agreements("list_agreement_decisions").sync(asked.id, client=signatory)
        self.assertEqual([item.to for item in history.items], ["ANMODET", "GODKENDT", "SUSPENDERET", "GODKENDT", "OPSAGT"])
        shown = of_agreements("get_agreement").sync(asked.id, client=supplier)
        self.assertEqual((shown.state, shown.holds), ("OPSAGT", False))

        # And a route: added, asked for, ended on its first day, and asked for again.
        of_routes = lambda name: api.operation("routes", name)
        operator, service = user("operator"), "3053ec89-31fe-4206-878b-bba6783d7a88"
        added = of_routes("add_route").sync(client=operator, body=models.RouteRequest.from_dict({
            "service": service, "environment": "exttest", "sender": "every", "receiver": KORSBAEK, "valid_from": "2999-01-01",
            "system": system, "address": "https://192.0.2.7/a", "entity_id": "urn:example:a", "roots": Path(self.root).read_text(),
            "reason": "sag 9"}))
        self.assertIsInstance(added, models.RouteView, added)
        day = datetime.date(2999, 1, 1)
        asks = lambda: of_routes("ask_receiver").sync(client=operator, service=service, sender="99999981", receiver=KORSBAEK, environment="exttest", on=day)
        self.assertEqual(asks().route.id, added.id)
        end = models.EndRequest.from_dict({"on": "2999-01-01", "reason": "slut"})
        ended = of_routes("end_route").sync(added.id, client=operator, body=end, if_match=added.etag)
        self.assertEqual((ended.id, str(ended.valid_to)), (added.id, "2999-01-01"))
        self.assertIsNone(asks().route)


if __name__ == "__main__":
    unittest.main()
