#!/usr/bin/env bash
# zeep 4.3.3 sends no WS-Addressing headers to a service whose policy demands them.
#
# Guessed:  a WSDL whose binding has the policy assertion wsam:Addressing (Optional="false", as the benefit index's own WSDL has)
#           makes a generic client send Action, MessageID and To.
# Happens:  zeep reads no policy. It sends them only where a message has a wsam:Action (or wsaw:Action) attribute, which by the
#           specification only names the action and demands nothing.
# Product:  its own WSDL has both, so that zeep sends them; docs/clients/python.md says that a client made from the index's own
#           WSDL needs plugins=[WsAddressingPlugin()], and the fault (AddressingInvalid) names what is missing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check zeep==4.3.3 lxml==6.1.3
"$work/venv/bin/python" - "$work" <<'PYTHON'
import importlib.metadata
import pathlib
import sys

from zeep import Client

WSDL = """<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap12/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:wsp="http://www.w3.org/ns/ws-policy" xmlns:t="urn:t"
    xmlns:wsam="http://www.w3.org/2007/05/addressing/metadata" targetNamespace="urn:t">
  <wsp:Policy xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" wsu:Id="p">
    <wsp:ExactlyOne><wsp:All><wsam:Addressing wsp:Optional="false"><wsp:Policy/></wsam:Addressing></wsp:All></wsp:ExactlyOne>
  </wsp:Policy>
  <wsdl:types><xs:schema targetNamespace="urn:t"><xs:element name="Ask" type="xs:string"/></xs:schema></wsdl:types>
  <wsdl:message name="M"><wsdl:part name="p" element="t:Ask"/></wsdl:message>
  <wsdl:portType name="P"><wsdl:operation name="ask"><wsdl:input message="t:M" {action}/><wsdl:output message="t:M"/></wsdl:operation></wsdl:portType>
  <wsdl:binding name="B" type="t:P"><wsp:PolicyReference URI="#p"/>
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="ask"><soap:operation soapAction="urn:t/ask"/>
      <wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="S"><wsdl:port name="O" binding="t:B"><soap:address location="http://localhost/"/></wsdl:port></wsdl:service>
</wsdl:definitions>"""


def headers(action):
    file = pathlib.Path(sys.argv[1]) / "service.wsdl"
    file.write_text(WSDL.replace("{action}", action))
    client = Client(str(file))
    envelope = client.create_message(client.service, "ask", "x")
    return [element.tag.split("}")[1] for element in envelope.iterfind(".//{http://www.w3.org/2005/08/addressing}*")]


by_policy, by_attribute = headers(""), headers('wsam:Action="urn:t/ask"')
print("zeep", importlib.metadata.version("zeep"))
print("with the policy that demands WS-Addressing:         ", by_policy)
print("with the policy and a wsam:Action on the message:   ", by_attribute)
sys.exit(0 if (by_policy, by_attribute) == ([], ["Action", "MessageID", "To"]) else 1)
PYTHON
