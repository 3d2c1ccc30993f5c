"""Serviceplatformen's demo service with a token, as its client of the field is: Apache CXF 2.7 (WSS4J 1.6), SOAP 1.1, the platform's own
policy, a signed Liberty Framework. The program is the one of docs/clients/java, with what the old line names otherwise."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import demo

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = Path(os.environ.get("HJEMMEL_REFERENCE", ROOT.parent / "shared/reference"))
POLICY = REFERENCE / "serviceplatform/policies-token.wsdl"
ANNA, UNPROVEN = "6101801234", "6404651237"
# Java 8 had these itself.
LIBRARIES = ["javax.xml.ws:jaxws-api:2.2.11", "javax.xml.bind:jaxb-api:2.2.12", "com.sun.xml.bind:jaxb-impl:2.2.11",
             "com.sun.xml.bind:jaxb-core:2.2.11", "javax.jws:jsr181-api:1.0-MR1", "javax.annotation:javax.annotation-api:1.2",
             "javax.activation:activation:1.1.1", "javax.xml.soap:javax.xml.soap-api:1.3.8",
             "com.sun.xml.messaging.saaj:saaj-impl:1.3.28"]
# What it reaches into, which Java 17 closes.
OPENED = ["--add-opens=java.base/java.net=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED",
          "--add-exports=java.xml/com.sun.org.apache.xerces.internal.dom=ALL-UNNAMED"]
RENAMED = {"org.apache.wss4j.common.ext.WSPasswordCallback": "org.apache.ws.security.WSPasswordCallback",
           "org.apache.wss4j.dom.WSConstants": "org.apache.ws.security.WSConstants",
           "org.apache.wss4j.common.crypto.": "org.apache.ws.security.components.crypto.",
           # Its conduit has them.
           "        sts.setTlsClientParameters(tls);\n": ""}
FRAMEWORK = """
        Document document = DocumentBuilderFactory.newInstance().newDocumentBuilder().newDocument();
        Element framework = document.createElementNS("urn:liberty:sb:2006-08", "sbf:Framework");
        framework.setAttribute("version", "2.0");
        framework.setAttributeNS("urn:liberty:sb:profile", "sbfprofile:profile", "urn:liberty:sb:profile:basic");
        context.put(org.apache.cxf.headers.Header.HEADER_LIST, new java.util.ArrayList<>(java.util.List.of(new org.apache.cxf.headers.Header(
                new javax.xml.namespace.QName("urn:liberty:sb:2006-08", "Framework"), framework))));
        ClientProxy.getClient(port).getOutInterceptors().add(
                new org.apache.cxf.interceptor.LoggingOutInterceptor(new java.io.PrintWriter("sent.txt")));
        ClientProxy.getClient(port).getInInterceptors().add(
                new org.apache.cxf.interceptor.LoggingInInterceptor(new java.io.PrintWriter("got.txt")));
"""

running = None


def setUpModule():
    global running
    missing = [tool for tool in ("java", "mvn", "keytool", "curl") if not shutil.which(tool)]
    if demo.binary() is None:
        raise unittest.SkipTest("DID NOT RUN: CXF 2.7, for HJEMMEL_BIN names no program")
    if missing:
        raise unittest.SkipTest(f"DID NOT RUN: CXF 2.7, for {', '.join(missing)} is not installed")
    if not POLICY.exists():
        raise unittest.SkipTest("DID NOT RUN: CXF 2.7, for the platform's policy is not at hand (../shared/reference or HJEMMEL_REFERENCE)")
    running = demo.Demo(demo.binary())


def tearDownModule():
    if running is not None and running.stop() != 0:
        raise RuntimeError("the demo did not stop in good order on Ctrl-C")


class DemoService(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.dir = Path(folder.name) / "java"
        shutil.copytree(ROOT / "docs/clients/java", cls.dir, ignore=shutil.ignore_patterns("target"))
        settings = dict(re.findall(r"^export (\w+)=(.*)$", (running.dir / "client.env").read_text(), re.MULTILINE))
        cls.environment = {**os.environ, **settings, "TOKEN_WSDL": (cls.dir / "soap11.wsdl").as_uri()}

        pom = (cls.dir / "pom.xml").read_text()
        # Its own wsdl2java starts on no Java without JAXB: the classes are those of the newer line, which are the same JAX-WS 2.2.
        newer = re.search(r"<cxf.version>(.*?)</cxf.version>", pom)[1]
        pom = pom.replace("plugin</artifactId>\n        <version>${cxf.version}", f"plugin</artifactId>\n        <version>{newer}", 1)
        pom = pom.replace(f"<cxf.version>{newer}<", "<cxf.version>2.7.18<")
        one = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"
        libraries = "".join(one.format(*library.split(":")) for library in LIBRARIES)
        (cls.dir / "pom.xml").write_text(pom.replace("</dependencies>", libraries + "</dependencies>", 1))
        for source in (cls.dir / "src/main/java/dk/example").glob("*.java"):
            text = source.read_text()
            for name, before in RENAMED.items():
                text = text.replace(name, before)
            text = text.replace('SETTINGS.get("SERVICE") + "?wsdl=token"', 'SETTINGS.get("TOKEN_WSDL")')
            text = text.replace("        RequestHeaderType header =", FRAMEWORK + "        RequestHeaderType header =")
            source.write_text(text)
        cls.command(["keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", settings["CA"], "-keystore", "trust.p12",
                     "-storepass", "changeit"])
        cls.command(["mvn", "-q", "-B", "package"])
        cls.command(["curl", "-sS", "--cacert", settings["CA"], "-o", "soap12.wsdl", settings["SERVICE"] + "?wsdl=token"])

        wsdl = (cls.dir / "soap12.wsdl").read_text()
        wsdl = wsdl.replace("http://schemas.xmlsoap.org/wsdl/soap12/", "http://schemas.xmlsoap.org/wsdl/soap/").replace(' soapActionRequired="true"', "")
        policy = re.search(r'<wsp:Policy wsu:Id="TokenAsymmetricBindingPolicy">.*</wsp:Policy>(?=\s*</wsdl:definitions>)', POLICY.read_text(), re.DOTALL)[0]
        policy = policy.replace('wsu:Id="TokenAsymmetricBindingPolicy"', 'xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy" wsu:Id="OioIdwsPolicy"')
        own = re.search(r'<wsp:Policy wsu:Id="OioIdwsPolicy">.*?\n  </wsp:Policy>', wsdl, re.DOTALL)[0]
        (cls.dir / "soap11.wsdl").write_text(wsdl.replace(own, policy))

    @classmethod
    def command(cls, words, said=None, expected=0):
        run = subprocess.run(words, cwd=cls.dir, env=cls.environment, input=said, capture_output=True, text=True)
        if run.returncode != expected:
            raise AssertionError(f"{words}: {run.returncode}\n{run.stdout}{run.stderr}")
        return run.stdout + run.stderr

    def ask(self, cpr, expected=0):
        words = ["java", "-Xmx2g", *OPENED, "-cp", "target/classes:target/lib/*", "dk.example.TokenBinding"]
        return self.command(words, f"{cpr}\n", expected)

    def test_it_is_served_by_the_platforms_policy_with_framework_signed_both_ways(self):
        self.assertEqual(self.ask(ANNA).count("32.03.04"), 4)
        self.assertTrue((self.dir / "target/lib/cxf-api-2.7.18.jar").exists())
        for file in ("sent.txt", "got.txt"):
            message = (self.dir / file).read_text()
            self.assertRegex(message, r'Envelope xmlns:\w+="http://schemas.xmlsoap.org/soap/envelope/"')
            framework = re.search(r"<sbf:Framework[^>]*wsu:Id=\"([^\"]+)\"", message)[1]
            self.assertIn(f'Reference URI="#{framework}"', message, f"{file}: Framework is signed")

    def test_its_user_is_told_the_fault_in_both_languages(self):
        told = self.ask(UNPROVEN, expected=1)
        self.assertEqual(told.count("PersonUnproven: "), 2, told)


if __name__ == "__main__":
    unittest.main()
