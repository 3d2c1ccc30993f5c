"""xmlsec1 verifies a signed SAML assertion, or a signed SOAP response with a BinarySecurityToken.

    verify_xmlsec1.py assertion FILE --cert STS.pem         the assertion alone, or somewhere in the file
    verify_xmlsec1.py response  FILE --cert GATEWAY.pem     wsu:Id references; Body, Timestamp and WS-Addressing headers

The key is that of the certificate given, whatever KeyInfo says; chain and validity are not judged here. xmlsec1 knows no
STR-Transform, so requests go to the WSS4J judge. --unindent removes white space between tags first. Exit code 0: good.
"""

import argparse
import re
import subprocess
import sys
import tempfile

from lxml import etree

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
DSIG = "{http://www.w3.org/2000/09/xmldsig#}"
WSA = "{http://www.w3.org/2005/08/addressing}"
WSSE = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}"
WSU = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}"
ENVELOPES = ("http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/")


class Bad(Exception):
    """The signature does not hold."""


def run_xmlsec1(document, certificate, ids):
    command = ["xmlsec1", "--verify", "--pubkey-cert-pem", certificate, "--enabled-key-data", "rsa,ec,ecdsa",
               "--enabled-reference-uris", "same-doc"]
    for attribute, name in ids:
        command += [f"--id-attr:{attribute}", name]
    with tempfile.NamedTemporaryFile(suffix=".xml") as file:
        file.write(document)
        file.flush()
        run = subprocess.run([*command, file.name], capture_output=True, text=True)
    if run.returncode != 0:
        raise Bad("xmlsec1: " + (run.stderr or run.stdout).strip().splitlines()[0])
    return run.stderr + run.stdout


def only(elements, what):
    if len(elements) != 1:
        raise Bad(f"{len(elements)} of {what}")
    return elements[0]


def references(signature):
    return [r.get("URI").removeprefix("#") for r in signature.iterfind(f"{DSIG}SignedInfo/{DSIG}Reference")]


def assertion(root, certificate):
    """The one assertion, taken out as a document of its own with its namespaces, is signed as a whole."""
    element = only([e for e in root.iter(f"{{{SAML}}}Assertion")], "Assertion")
    signature = only(element.findall(f"{DSIG}Signature"), "Signature in the assertion")
    if references(signature) != [element.get("ID")]:
        raise Bad(f"the signature is of {references(signature)}, not of the assertion")
    element.tail = None
    run_xmlsec1(etree.tostring(element), certificate, [("ID", f"{SAML}:Assertion")])
    return ["Assertion"]


def response(root, certificate):
    """Every part of the response that must be signed is, and by one signature."""
    soap = etree.QName(root).namespace
    if soap not in ENVELOPES:
        raise Bad("no SOAP envelope")
    header, body = root.find(f"{{{soap}}}Header"), root.find(f"{{{soap}}}Body")
    security = only(header.findall(f"{WSSE}Security"), "Security")
    signature = only(security.findall(f"{DSIG}Signature"), "Signature in Security")
    only(security.findall(f"{WSSE}BinarySecurityToken"), "BinarySecurityToken")
    needed = [body, only(security.findall(f"{WSU}Timestamp"), "Timestamp")] + [h for h in header if str(h.tag).startswith(WSA)]
    carriers = [e for e in root.iter(etree.Element) if e.get(f"{WSU}Id") is not None]
    identities = [e.get(f"{WSU}Id") for e in carriers]
    if len(set(identities)) != len(identities):
        raise Bad("two elements have the same wsu:Id")
    for element in needed:
        if element.get(f"{WSU}Id") not in references(signature):
            raise Bad(f"the signature does not cover {etree.QName(element).localname}")
    names = {f"{etree.QName(e).namespace}:{etree.QName(e).localname}" for e in carriers}
    run_xmlsec1(etree.tostring(root), certificate, [("Id", name) for name in sorted(names)])
    if not any(h.tag == f"{WSA}RelatesTo" for h in header):
        raise Bad("no RelatesTo")
    return [etree.QName(e).localname for e in needed]


def verify(kind, text, certificate):
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return {"assertion": assertion, "response": response}[kind](etree.fromstring(text.encode(), parser), certificate)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["assertion", "response"])
    parser.add_argument("file")
    parser.add_argument("--cert", required=True)
    parser.add_argument("--unindent", action="store_true")
    options = parser.parse_args()
    with open(options.file, encoding="utf-8-sig") as file:
        text = re.sub(r"^<\?xml[^>]*\?>\s*", "", file.read())
    if options.unindent:
        text = re.sub(r">\s+<", "><", text)
    try:
        print(f"GOOD {options.file}: {', '.join(verify(options.kind, text, options.cert))}")
    except Bad as why:
        sys.exit(f"BAD {options.file}: {why}")


if __name__ == "__main__":
    main()
