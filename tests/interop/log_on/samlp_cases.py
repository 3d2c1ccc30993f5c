"""samlp logs a person on; what it sends by default has its receiver's entity id as Destination, and is refused.

  samlp_cases.py CONSOLE-URL ROOT-PEM SAMLP-URL
"""

import json
import sys
import urllib.parse
import urllib.request

from browser import Browser, judge

url, root, samlp = sys.argv[1:]
SET = {"destination": url + "/saml/acs", "recipient": url + "/saml/acs"}
CASES = [
    ("by default", {}, "LogOnDestination"),
    ("destination and recipient set", SET, None),
    ("response signed too", {"signResponse": True, **SET}, None),
    ("encrypted, by AES-256-GCM as it is", {"encrypted": True, **SET}, None),
    ("SHA-1", {"signatureAlgorithm": "rsa-sha1", "digestAlgorithm": "sha1", **SET}, "LogOnAlgorithm"),
]

wrong = 0
for name, how, due in CASES:
    browser = Browser(url, root)
    query = browser.begin("samlp")
    made = urllib.request.urlopen(f"{samlp}/?{query}&how={urllib.parse.quote(json.dumps(how))}").read()
    relay_state = urllib.parse.parse_qs(query)["RelayState"][0]
    wrong += judge("samlp", name, due, browser, made, relay_state)
sys.exit(wrong)
