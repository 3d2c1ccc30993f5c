"""A generic SOAP client (zeep) loads the WSDL, builds a search, sends it and reads the answer or the fault.

    wsdl_zeep.py WSDL                                   load it and print the request that zeep builds
    wsdl_zeep.py WSDL --send --ca CA --cert CERT --key KEY [--expect served|CODE]

WSDL is an address (https://…?wsdl) or a file. Only the AuthorityContext binding can be sent: zeep cannot sign a token
call with an STR-Transform. With --expect the exit code is 0 only where the outcome is that one.
"""

import argparse
import sys
import uuid
from datetime import datetime

import requests
from lxml import etree
from zeep import Client
from zeep.exceptions import Fault
from zeep.plugins import HistoryPlugin
from zeep.transports import Transport

FAULT = "{http://serviceplatformen.dk/xml/schemas/ServiceplatformFault/1/}"
YI = "{urn:oio:sts:ydelse:ydelseindeks:6}"


def load(wsdl, ca=None, cert=None, key=None):
    """The client for `wsdl`, which trusts `ca` and shows `cert` in TLS, and the history of what went over the wire."""
    session = requests.Session()
    session.trust_env = False
    session.verify = ca or True
    if cert:
        session.cert = (cert, key) if key else cert
    history = HistoryPlugin()
    return Client(wsdl, transport=Transport(session=session, timeout=120, operation_timeout=120), plugins=[history]), history


def search(cpr, since=None, until=None, kle=None, most=None):
    """AND(B(person), E(…)) as zeep takes it: the shape that every search must have."""
    interval = None
    if since and until:
        bound = lambda instant: {"TidsstempelDatoTid": instant}
        interval = {"SoegEgenskaberLokalUdvidelse":
                    {"DispositionsDatoInterval": {"FraTidspunkt": bound(since), "TilTidspunkt": bound(until)}}}
    person = {
        "AttributListe": {}, "TilstandListe": {},
        "RelationListe": {"Bevillingspart": {"ReferenceID": {"URNIdentifikator": f"urn:oio:cpr-nr:{cpr}"}}},
    }
    effectuation = {
        "MaksimalAntalKvantitet": most,
        "AttributListe": {"LokalUdvidelseListe": interval} if interval else {},
        "TilstandListe": {},
        "RelationListe": {"OekonomiskYdelseEffektueringRelation": [{"Klassifikationsbeskrivelse": k} for k in kle or []]},
    }
    return {"operation": "AND",
            "_value_1": [{"SoegBevillingIndeks": person}, {"SoegOekonomiskEffektueringIndeks": effectuation}]}


def arguments(client, expression, authority):
    """The operation's arguments, whichever of the two WSDLs was loaded."""
    header = {"header": {"TransactionUUID": str(uuid.uuid4())}}
    if client.service._binding.name.localname == "TerminalAdgangTokenBinding":
        return {"SoegUdtryk": expression, "_soapheaders": header}
    return {"CallContext": {"CallersServiceCallIdentifier": "wsdl_zeep"},
            "AuthorityContext": {"MunicipalityCVR": authority},
            "FremsoegYdelseIndeksInput": {"SoegUdtryk": expression}, "_soapheaders": header}


def request(client, expression, authority="11111111"):
    """The envelope that zeep builds, unsent."""
    return client.create_message(client.service, "fremsoeg", **arguments(client, expression, authority))


def errors(fault):
    """The (code, text) pairs of a ServiceplatformFault; empty where the detail holds none."""
    if fault.detail is None:
        return []
    return [(e.findtext(f"{FAULT}ErrorCode"), e.findtext(f"{FAULT}ErrorText")) for e in fault.detail.iter(f"{FAULT}Error")]


def call(client, expression, authority="11111111"):
    """('served', the answer) or (code, the list of errors)."""
    sent = arguments(client, expression, authority)
    try:
        answer = client.service.fremsoeg(**sent)
    except Fault as fault:
        told = errors(fault)
        codes = {code for code, _ in told}
        if len(told) != 2 or len(codes) != 1:
            raise SystemExit(f"a fault must tell one code in two languages, but this one says: {told} {fault}")
        return codes.pop(), told
    echoed = answer.header.header.TransactionUUID if answer.header and answer.header.header else None
    asked = sent["_soapheaders"]["header"]["TransactionUUID"]
    if echoed is not None and echoed != asked:
        raise SystemExit(f"the answer carries TransactionUUID {echoed}, asked was {asked}")
    body = answer.body
    return "served", getattr(body, "FremsoegYdelseIndeksOutput", None) or body


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wsdl")
    parser.add_argument("--send", action="store_true")
    parser.add_argument("--ca", help="PEM bundle that the server's certificate must chain to")
    parser.add_argument("--cert", help="PEM client certificate (with its key, unless --key is given)")
    parser.add_argument("--key")
    parser.add_argument("--cpr", default="6101801234")
    parser.add_argument("--from", dest="since", type=datetime.fromisoformat)
    parser.add_argument("--to", dest="until", type=datetime.fromisoformat)
    parser.add_argument("--kle", action="append")
    parser.add_argument("--most", type=int)
    parser.add_argument("--authority", default="11111111")
    parser.add_argument("--expect", help="'served' or a fault code")
    parser.add_argument("--save-request", help="file for the body that was built (yi:FremsoegYdelseIndeksInput)")
    parser.add_argument("--save-answer", help="file for the answer (yi:FremsoegYdelseIndeksOutput)")
    options = parser.parse_args()

    client, history = load(options.wsdl, options.ca, options.cert, options.key)
    expression = search(options.cpr, options.since, options.until, options.kle, options.most)
    if options.save_request or not options.send:
        envelope = request(client, expression, options.authority)
        if options.save_request:
            etree.ElementTree(next(envelope.iter(f"{YI}FremsoegYdelseIndeksInput"))).write(options.save_request)
        if not options.send:
            print(etree.tostring(envelope, pretty_print=True).decode())
            return

    outcome, content = call(client, expression, options.authority)
    if outcome == "served":
        objects = content.OekonomiskEffektueringFiltreretOejebliksbillede
        print(f"served: status {content.StandardRetur.StatusKode}, {len(objects)} objects")
        for count in content.Antal:
            print(f"  {count.Element}: {count.Antal}")
        if options.save_answer:
            answer = next(history.last_received["envelope"].iter(f"{YI}FremsoegYdelseIndeksOutput"))
            etree.ElementTree(answer).write(options.save_answer)
    else:
        print(f"refused: {outcome}")
        for _, text in content:
            print(f"  {text}")
    if options.expect and outcome != options.expect:
        sys.exit(f"expected {options.expect}, but the outcome was {outcome}")


if __name__ == "__main__":
    main()
