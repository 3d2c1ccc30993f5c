"""SF1590_A Finans as zeep reads it from the contract that the gateway serves: a delivery that the ledger accepts, one that a rule refuses, and one that breaks
the schema, over mutual TLS; and every form of the receipt."""

import datetime
import unittest
import uuid
from decimal import Decimal

import requests
from zeep import Client
from zeep.exceptions import Fault
from zeep.transports import Transport

import demo

KORSBAEK = "11111111"
running = None


def setUpModule():
    global running
    if demo.binary() is None:
        raise unittest.SkipTest("DID NOT RUN: Finans called by zeep, for HJEMMEL_BIN names no program")
    running = demo.Demo(demo.binary())


def tearDownModule():
    if running is not None and running.stop() != 0:
        raise RuntimeError("the demo did not stop in good order on Ctrl-C")


def settings():
    lines = (running.dir / "finance.env").read_text().splitlines()
    return {name: value.strip("'") for name, value in (line.removeprefix("export ").split("=", 1) for line in lines)}


class Finance(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.env = settings()
        session = requests.Session()
        # What the machine trusts beside is no concern of the test's.
        session.trust_env, session.verify, session.cert = False, cls.env["CA"], (cls.env["CERT"], cls.env["KEY"])
        cls.client = Client(f"{cls.env['SERVICE']}?wsdl=authoritycontext", transport=Transport(session=session, timeout=30))

    def send(self, amount, **changed):
        kontering = {"Element": [{"Delsortiment": "Art", "Kode": "22.0"}]}
        posting = lambda number, side: {"PosteringNummer": number, "DebetKredit": side, "Beloeb": amount, "Valuta": "DKK", "Kontering": kontering}
        today = datetime.date.today()
        voucher = {"BilagID": str(uuid.uuid4()), "BilagNummer": "1", "Bogfoeringsdato": today, "Posteringstype": "NOR", "Finanspostering": [posting(1, "D"), posting(2, "K")]}
        authority = f"urn:oio:cvr-nr:{KORSBAEK}"
        delivery = {
            "LeveranceID": str(uuid.uuid4()), "AfsenderItSystem": self.env["SYSTEM"], "AfsenderMyndighed": authority, "ModtagerMyndighed": authority,
            "AfsendtTidspunkt": datetime.datetime.now(), "SortimentReference": {"UUID": str(uuid.uuid4()), "Navn": "Art", "Version": "1", "GyldigFra": today},
            "Kontrol": {"AntalBilag": 1, "AntalPosteringer": 2, "SumDebet": amount, "SumKredit": amount}, "Finansbilag": [voucher],
        }
        delivery.update(changed)
        context = {"MunicipalityCVR": KORSBAEK}
        return delivery, self.client.service.ModtagFinansbilagStraksleverance(AuthorityContext=context, FinansbilagLeverance=delivery)

    def test_a_delivery_is_accepted_with_the_account_of_each_posting(self):
        sent, receipt = self.send(Decimal("1250.00"))
        self.assertEqual(receipt.LeveranceID, sent["LeveranceID"])
        self.assertEqual(receipt.Forretningskvittering.ForretningsValideringsKode, "ACCEPTERET")
        self.assertEqual([result.Resultat for result in receipt.BilagResultat], ["ACCEPTERET"])
        self.assertTrue(all(len(posting.Kontostreng) == 16 for posting in receipt.BilagResultat[0].Postering))

    def test_a_rule_s_refusal_is_read_with_its_audience(self):
        _, receipt = self.send(Decimal("12.5"))
        self.assertEqual(receipt.TransportKvittering.TransportValideringsKode, "FEJL")
        self.assertEqual({error.FejlKode for error in receipt.Platform.Fejl}, {"FB011"})
        self.assertEqual({error.Maalgruppe for error in receipt.Platform.Fejl}, {"ADMINISTRATOR"})
        self.assertEqual([text.sprog for text in receipt.Platform.Fejl[0].Tekst][-1], "en")

    def test_a_ledger_s_rejection_is_read_by_voucher(self):
        today = datetime.date(2025, 12, 31)
        kontering = {"Element": [{"Delsortiment": "Art", "Kode": "22.0"}]}
        posting = lambda number, side: {"PosteringNummer": number, "DebetKredit": side, "Beloeb": Decimal("7.00"), "Valuta": "DKK", "Kontering": kontering}
        voucher = {"BilagID": str(uuid.uuid4()), "BilagNummer": "1", "Bogfoeringsdato": today, "Posteringstype": "NOR", "Finanspostering": [posting(1, "D"), posting(2, "K")]}
        _, receipt = self.send(Decimal("7.00"), Finansbilag=[voucher])
        self.assertEqual([(result.Resultat, result.Fejl[0].FejlKode) for result in receipt.BilagResultat], [("AFVIST", "FB012")])

    def test_what_breaks_the_schema_is_a_fault_that_names_the_place(self):
        with self.assertRaises(Fault) as caught:
            self.send(Decimal("1250.00"), AfsenderItSystem="ikke et id")
        self.assertIn("AfsenderItSystem", caught.exception.message)


if __name__ == "__main__":
    unittest.main()
