"""Ask TerminalAdgang about one person: terminaladgang.py URL CA.pem CERT.pem KEY.pem AUTHORITY-CVR CPR"""

import sys

import requests
from zeep import Client
from zeep.exceptions import Fault
from zeep.transports import Transport

url, ca, certificate, key, authority, cpr = sys.argv[1:]
session = requests.Session()
session.verify, session.cert = ca, (certificate, key)
session.trust_env = False  # else a REQUESTS_CA_BUNDLE in the environment wins over `verify`
client = Client(f"{url}?wsdl", transport=Transport(session=session))

person = {"AttributListe": {}, "TilstandListe": {},
          "RelationListe": {"Bevillingspart": {"ReferenceID": {"URNIdentifikator": f"urn:oio:cpr-nr:{cpr}"}}}}
payments = {"AttributListe": {}, "TilstandListe": {}, "RelationListe": {}}
search = {"operation": "AND", "_value_1": [{"SoegBevillingIndeks": person}, {"SoegOekonomiskEffektueringIndeks": payments}]}

try:
    answer = client.service.fremsoeg(
        AuthorityContext={"MunicipalityCVR": authority}, FremsoegYdelseIndeksInput={"SoegUdtryk": search})
except Fault as fault:
    for error in fault.detail.iter("{http://serviceplatformen.dk/xml/schemas/ServiceplatformFault/1/}Error"):
        print(*(child.text for child in error), sep=": ")
    sys.exit(1)

for payment in answer.body.FremsoegYdelseIndeksOutput.OekonomiskEffektueringFiltreretOejebliksbillede:
    for registration in payment.Registrering:
        relations = registration.RelationListe  # zeep reads an empty element as None
        for line in relations.OekonomiskYdelseEffektueringRelation if relations else []:
            print(line.Klassifikationsbeskrivelse, line.Ydelsesbeloeb, *(owner.FuldtNavn for owner in relations.Aktoer))
