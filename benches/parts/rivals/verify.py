"""Verifies one signature with libxmlsec1 (python-xmlsec): parse, SignedInfo's signature by a given key, every digest.

Each line on standard input asks for so many times, each line on standard output tells the nanoseconds of CPU they took.
"""

import sys
import time

import xmlsec
from lxml import etree

DSIG = "{http://www.w3.org/2000/09/xmldsig#}"


def once(message, key):
    root = etree.fromstring(message)
    xmlsec.tree.add_ids(root, ["Id", "ID"])
    context = xmlsec.SignatureContext()
    context.key = key
    context.verify(next(root.iter(DSIG + "Signature")))


def main():
    with open(sys.argv[1], "rb") as file:
        message = file.read()
    key = xmlsec.Key.from_file(sys.argv[2], xmlsec.constants.KeyDataFormatCertPem)
    for line in sys.stdin:
        started = time.thread_time_ns()
        for _ in range(int(line)):
            once(message, key)
        print(time.thread_time_ns() - started, flush=True)


main()
