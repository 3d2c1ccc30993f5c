"""A browser that follows no redirect by itself, and what a provider says of an invented person."""

import base64
import http.cookiejar
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request

PRIVILEGES = (
    '<bpp:PrivilegeList xmlns:bpp="http://digst.dk/oiosaml/basic_privilege_profile"><PrivilegeGroup '
    'Scope="urn:dk:gov:saml:cvrNumberIdentifier:11111111">'
    "<Privilege>https://hjemmel.example/roles/usersystemrole/signatory/1</Privilege></PrivilegeGroup></bpp:PrivilegeList>"
)
ATTRIBUTES = {
    "https://data.gov.dk/concept/core/nsis/loa": "Substantial",
    "dk:gov:saml:attribute:CvrNumberIdentifier": "11111111",
    "dk:gov:saml:attribute:Privileges_intermediate": base64.b64encode(PRIVILEGES.encode()).decode(),
    "https://data.gov.dk/model/core/eid/fullName": "Åse Møller",
}


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Browser:
    def __init__(self, url, root):
        self.url = url
        https = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=root))
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(Stay, https, cookies)

    def get(self, path, data=None):
        request = urllib.request.Request(self.url + path, data=data, headers={"Accept-Language": "en"})
        try:
            return self.opener.open(request)
        except urllib.error.HTTPError as answer:
            return answer

    def begin(self, provider):
        """The query with which the console sends the browser to its provider."""
        sent = self.get(f"/saml/log-on?provider={provider}&next=/agreements")
        assert sent.status == 303, sent.read()
        return urllib.parse.urlparse(sent.headers["Location"]).query


def judge(provider, name, due, browser, response, relay_state):
    """Posts a response, and says whether it was let in or refused as is due: 0 if so."""
    form = urllib.parse.urlencode({"SAMLResponse": response, "RelayState": relay_state}).encode()
    answer = browser.get("/saml/acs", form)
    text = answer.read().decode()
    code = re.search(r"<code>(Log\w+)</code>", text)
    code = code and code.group(1)
    right = code == due
    if due is None:
        right = right and answer.status == 303 and answer.headers["Location"] == "/agreements"
        right = right and "Møller" in browser.get("/").read().decode()
    print(f"{'ok   ' if right else 'WRONG'} {provider}, {name}: {code or answer.status}")
    return 0 if right else 1
