#!/usr/bin/env bash
# Guessed:  PHP's SoapClient writes a document/literal message as its WSDL's schema has it, whatever objects it is given.
# Happens:  an object that stands in the message twice (one empty list for all the lists that must be there, say) is written once, with
#           an attribute id="ref1", and where it stands again as an empty element with href="#ref1": the encoding of SOAP 1.1's
#           section 5, which a literal message does not have. The schema has no such attributes, so a service that reads
#           strictly refuses the message; one that does not reads an empty element where a value stood. Arrays are copied, and
#           are written as they are; an array that holds the same inner array twice is written by reference too.
# Product:  the fault names attribute and element (RequestInvalid); docs/clients/php.md and its program show how to write it.
#
# Needs php-cli and php-soap (Debian 12 has 8.2), or root with apt-get to install them. Exit 0: PHP still does so. Exit 1: it does
# something else.
set -euo pipefail
if ! php -r 'exit(extension_loaded("soap") ? 0 : 1);' 2>/dev/null; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq php-cli php-soap; } >/dev/null
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/service.wsdl" <<'WSDL'
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">
  <wsdl:types><xs:schema targetNamespace="urn:t" elementFormDefault="qualified">
    <xs:complexType name="List"><xs:sequence><xs:element name="Value" type="xs:string" minOccurs="0"/></xs:sequence></xs:complexType>
    <xs:element name="Ask"><xs:complexType><xs:sequence>
      <xs:element name="First" type="t:List"/><xs:element name="Second" type="t:List"/>
    </xs:sequence></xs:complexType></xs:element>
  </xs:schema></wsdl:types>
  <wsdl:message name="M"><wsdl:part name="p" element="t:Ask"/></wsdl:message>
  <wsdl:portType name="P"><wsdl:operation name="ask"><wsdl:input message="t:M"/><wsdl:output message="t:M"/></wsdl:operation></wsdl:portType>
  <wsdl:binding name="B" type="t:P">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="ask"><soap:operation soapAction="urn:t/ask"/>
      <wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="S"><wsdl:port name="O" binding="t:B"><soap:address location="http://localhost/"/></wsdl:port></wsdl:service>
</wsdl:definitions>
WSDL
cat >"$work/ask.php" <<'PHP'
<?php
// Nothing is sent: the message is taken where it would leave.
class Written extends SoapClient
{
    public string $body = '';
    public function __doRequest(string $request, string $location, string $action, int $version, bool $oneWay = false): ?string
    {
        preg_match('~<ns1:Ask>(.*)</ns1:Ask>~', $request, $found);
        $this->body = $found[1] ?? $request;
        return '';
    }
}

function written(mixed $first, mixed $second): string
{
    $client = new Written($GLOBALS['argv'][1], ['cache_wsdl' => WSDL_CACHE_NONE]);
    try {
        $client->ask(['First' => $first, 'Second' => $second]);
    } catch (SoapFault) {
        // There was no answer.
    }
    return $client->body;
}

$once = new stdClass();
$value = new stdClass();
$value->Value = 'x';
$got = [
    'two empty objects' => written(new stdClass(), new stdClass()),
    'one empty object twice' => written($once, $once),
    'one object with a value twice' => written($value, $value),
    'two empty arrays' => written([], []),
];
$due = [
    'two empty objects' => '<ns1:First/><ns1:Second/>',
    'one empty object twice' => '<ns1:First id="ref1"/><ns1:Second href="#ref1"/>',
    'one object with a value twice' => '<ns1:First id="ref1"><ns1:Value>x</ns1:Value></ns1:First><ns1:Second href="#ref1"/>',
    'two empty arrays' => '<ns1:First/><ns1:Second/>',
];
echo 'PHP ', PHP_VERSION, "\n";
foreach ($got as $what => $body) {
    printf("%-30s %s\n", $what, $body);
}
exit($got === $due ? 0 : 1);
PHP
php "$work/ask.php" "$work/service.wsdl"
