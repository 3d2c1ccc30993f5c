"""Asks TerminalAdgang about one person over mutual TLS (AuthorityContext). The CPR number is read from standard input.

Settings are environment variables, see README.md. Needs `pip install zeep`.
"""

import os
import sys

import requests
from zeep import Client
from zeep.exceptions import Fault
from zeep.transports import Transport

ERROR = "{http://serviceplatformen.dk/xml/schemas/ServiceplatformFault/1/}Error"


def client():
    session = requests.Session()
    session.verify, session.cert = os.environ["CA"], (os.environ["CERT"], os.environ["KEY"])
    session.trust_env = False  # else a REQUESTS_CA_BUNDLE in the environment wins over `verify`
    return Client(f"{os.environ['SERVICE']}?wsdl", transport=Transport(session=session, timeout=30, operation_timeout=60))


def search(cpr):
    """AND(the person, payments): without a period the service inserts the one that the law gives."""
    person = {"AttributListe": {}, "TilstandListe": {},
              "RelationListe": {"Bevillingspart": {"ReferenceID": {"URNIdentifikator": f"urn:oio:cpr-nr:{cpr}"}}}}
    payments = {"AttributListe": {}, "TilstandListe": {}, "RelationListe": {}}
    return {"operation": "AND", "_value_1": [{"SoegBevillingIndeks": person}, {"SoegOekonomiskEffektueringIndeks": payments}]}


def main():
    cpr = sys.stdin.readline().strip()
    try:
        answer = client().service.fremsoeg(
            AuthorityContext={"MunicipalityCVR": os.environ["AUTHORITY"]}, FremsoegYdelseIndeksInput={"SoegUdtryk": search(cpr)})
    except Fault as fault:
        # The same code twice, the text in Danish and in English: what, consequence, remedy, call id.
        for error in fault.detail.iter(ERROR) if fault.detail is not None else []:
            print(*(child.text for child in error), sep=": ")
        sys.exit(1)
    payments = answer.body.FremsoegYdelseIndeksOutput.OekonomiskEffektueringFiltreretOejebliksbillede
    if not payments:
        print("no benefits")
    for payment in payments:
        for registration in payment.Registrering:
            relations = registration.RelationListe  # zeep reads an empty element as None
            for line in relations.OekonomiskYdelseEffektueringRelation if relations else []:
                print(line.Klassifikationsbeskrivelse, line.Ydelsesbeloeb, *(owner.FuldtNavn for owner in relations.Aktoer))


if __name__ == "__main__":
    main()
