#!/usr/bin/env bash
# PHP's SoapClient: a list with a gap in its numbers, as array_filter, array_unique or unset leaves it, goes out as one empty element.
#
# Guessed:  an array given for an element that may stand many times is written once for each of its values, whatever their keys are, or is refused.
# Happens:  it is a list to PHP 8.2 only where its keys are 0, 1, 2 … in this order. Any other array is taken for one object with fields of these names: of an element whose own
#           elements may all be left out, one empty element is written and nothing is said; where one of them must be there, the client says "object has no 'Id' property"; of
#           a list of texts one element is written that holds the word Array, with a warning of PHP's. So with an array of which the first or a middle value was filtered
#           out, or that was turned round with its keys kept, and with an ArrayObject. array_values mends it. Where only the last values were filtered out, all is right: a
#           test with other data shows nothing. A DateTime given for an xs:date or xs:dateTime is an empty element too.
# Product:  a search that is narrowed by KLE numbers (OekonomiskYdelseEffektueringRelation, in which everything may be left out) is then not narrowed by them, and is valid: the answer holds more than was asked
#           for. docs/clients/php.md says: array_values around every list.
#
# Needs php-cli and php-soap (Debian 12 has 8.2), or root with apt-get to install them. Exit 0: PHP still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
installed() { command -v php >/dev/null && php -r 'exit(extension_loaded("soap") ? 0 : 1);'; }
if ! installed; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive nice apt-get install -y -qq php-cli php-soap; } >/dev/null 2>&1 && installed || { echo "php-cli and php-soap are needed"; exit 2; }
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/service.wsdl" <<'WSDL'
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">
  <wsdl:types><xs:schema targetNamespace="urn:t" elementFormDefault="qualified">
    <xs:complexType name="Loose"><xs:sequence><xs:element name="Id" type="xs:string" minOccurs="0"/></xs:sequence></xs:complexType>
    <xs:complexType name="Strict"><xs:sequence><xs:element name="Id" type="xs:string"/></xs:sequence></xs:complexType>
    <xs:element name="Ask"><xs:complexType><xs:sequence>
      <xs:element name="Loose" type="t:Loose" minOccurs="0" maxOccurs="unbounded"/>
      <xs:element name="Strict" type="t:Strict" minOccurs="0" maxOccurs="unbounded"/>
      <xs:element name="Text" type="xs:string" minOccurs="0" maxOccurs="unbounded"/>
      <xs:element name="Day" type="xs:date" minOccurs="0"/>
      <xs:element name="At" type="xs:dateTime" minOccurs="0"/>
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

    public function __doRequest($request, $location, $action, $version, $oneWay = false): ?string
    {
        preg_match('~<ns1:Ask>(.*)</ns1:Ask>|<ns1:Ask/>~s', $request, $found);
        $this->body = $found[1] ?? '';
        throw new SoapFault('Client', 'taken');
    }
}

$warned = [];
set_error_handler(function (int $level, string $text) use (&$warned): bool {
    $warned[] = $text;
    return true;
});
function written(string $field, mixed $value): string
{
    global $argv, $warned;
    $warned = [];
    $client = new Written($argv[1], ['cache_wsdl' => WSDL_CACHE_NONE]);
    try {
        $client->ask([$field => $value]);
    } catch (SoapFault $fault) {
        if ($fault->getMessage() !== 'taken') {
            return $fault->getMessage();
        }
    }
    return str_replace('ns1:', '', $client->body) . ($warned ? " (warning: $warned[0])" : '');
}

$set = fn(array $row): bool => $row['Id'] !== '';
$rows = [['Id' => ''], ['Id' => 'a'], ['Id' => 'b']];
$without = [['Id' => 'a'], ['Id' => 'x'], ['Id' => 'b']];
unset($without[1]);
$got = [
    'the first filtered out' => written('Loose', array_filter($rows, $set)),
    'the last filtered out' => written('Loose', array_filter([['Id' => 'a'], ['Id' => 'b'], ['Id' => '']], $set)),
    'the middle one unset' => written('Loose', $without),
    'turned round with its keys' => written('Loose', array_reverse([['Id' => 'b'], ['Id' => 'a']], true)),
    'an ArrayObject' => written('Loose', new ArrayObject([['Id' => 'a'], ['Id' => 'b']])),
    'array_values around it' => written('Loose', array_values(array_filter($rows, $set))),
    'what must be there' => written('Strict', array_filter($rows, $set)),
    'texts by array_unique' => written('Text', array_unique(['a', 'a', 'b'])),
    'texts by array_values' => written('Text', array_values(array_unique(['a', 'a', 'b']))),
    'a DateTime for a date' => written('Day', new DateTime('2026-06-01')),
    'a DateTime for an instant' => written('At', new DateTimeImmutable('2026-06-01T10:00:00Z')),
];
$both = '<Loose><Id>a</Id></Loose><Loose><Id>b</Id></Loose>';
$due = [
    'the first filtered out' => '<Loose/>',
    'the last filtered out' => $both,
    'the middle one unset' => '<Loose/>',
    'turned round with its keys' => '<Loose/>',
    'an ArrayObject' => '<Loose/>',
    'array_values around it' => $both,
    'what must be there' => "SOAP-ERROR: Encoding: object has no 'Id' property",
    'texts by array_unique' => '<Text>Array</Text> (warning: Array to string conversion)',
    'texts by array_values' => '<Text>a</Text><Text>b</Text>',
    'a DateTime for a date' => '<Day/>',
    'a DateTime for an instant' => '<At/>',
];
echo 'PHP ', PHP_VERSION, "\n";
foreach ($got as $what => $body) {
    printf("%-28s %s\n", $what, $body);
}
exit($got === $due ? 0 : 1);
PHP
php "$work/ask.php" "$work/service.wsdl"
