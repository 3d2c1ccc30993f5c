#!/usr/bin/env bash
# PHP's SoapClient and SoapServer: a text of which a part stands in a CDATA section, and a number or boolean in one, end the whole message.
#
# Guessed:  a CDATA section is another way to write characters, and means nothing: what is read is the text, wherever it begins and ends (XML 1.0, § 2.7).
# Happens:  PHP 8.2 reads a section that stands alone, two beside one another, and one with nothing but line breaks around it. Where letters stand beside it (Løn <![CDATA[& pension]]>), and in an xs:int or
#           xs:boolean wherever it stands, the message cannot be read: "SOAP-ERROR: Encoding: Violation of encoding rules", as a SoapFault of the client or a fault of the server, with no word of the element. A
#           comment within a text is no trouble, and xs:decimal and xs:date take a section alone.
# Product:  messages go on in canonical form, which has no sections, so that neither a ledger on PHP nor a caller meets one by way of the gateway. A ledger that is called by others, or a file that is read so, does:
#           docs/clients/php.md says what the text of the fault means.
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
    <xs:element name="Voucher"><xs:complexType><xs:sequence>
      <xs:element name="Text" type="xs:string" minOccurs="0"/>
      <xs:element name="Amount" type="xs:decimal" minOccurs="0"/>
      <xs:element name="Number" type="xs:int" minOccurs="0"/>
      <xs:element name="Trial" type="xs:boolean" minOccurs="0"/>
    </xs:sequence></xs:complexType></xs:element>
  </xs:schema></wsdl:types>
  <wsdl:message name="M"><wsdl:part name="p" element="t:Voucher"/></wsdl:message>
  <wsdl:portType name="P"><wsdl:operation name="Voucher"><wsdl:input message="t:M"/><wsdl:output message="t:M"/></wsdl:operation></wsdl:portType>
  <wsdl:binding name="B" type="t:P">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="Voucher"><soap:operation soapAction="urn:t/voucher"/>
      <wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="S"><wsdl:port name="O" binding="t:B"><soap:address location="http://localhost/"/></wsdl:port></wsdl:service>
</wsdl:definitions>
WSDL
cat >"$work/read.php" <<'PHP'
<?php
// One message, read as an answer by the client, or as a request by the server. Nothing is sent.
class Answered extends SoapClient
{
    public string $answer = '';

    public function __doRequest($request, $location, $action, $version, $oneWay = false): ?string
    {
        return $this->answer;
    }
}
class Ledger
{
    public function Voucher($voucher)
    {
        fwrite(STDERR, json_encode($voucher, JSON_UNESCAPED_UNICODE));
        return [];
    }
}
[, $wsdl, $side, $element] = $argv;
$message = '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><Voucher xmlns="urn:t">' . $element . '</Voucher></e:Body></e:Envelope>';
if ($side === 'client') {
    $client = new Answered($wsdl, ['cache_wsdl' => WSDL_CACHE_NONE]);
    $client->answer = $message;
    try {
        echo json_encode($client->Voucher([]), JSON_UNESCAPED_UNICODE);
    } catch (SoapFault $fault) {
        echo $fault->getMessage();
    }
    exit;
}
$server = new SoapServer($wsdl, ['cache_wsdl' => WSDL_CACHE_NONE]);
$server->setObject(new Ledger());
ob_start();
register_shutdown_function(function (): void {
    preg_match('~<faultstring>(.*)</faultstring>~', ob_get_clean(), $found);
    fwrite(STDERR, $found[1] ?? '');
});
$server->handle($message);
PHP
php -r 'echo "PHP ", PHP_VERSION, "\n";'
fault='SOAP-ERROR: Encoding: Violation of encoding rules'
changed=
told() { # element, what it is read as
  local side read
  for side in client server; do
    if [ $side = client ]; then read=$(php "$work/read.php" "$work/service.wsdl" client "$1") || true; else read=$(php -d display_errors=0 -d log_errors=0 "$work/read.php" "$work/service.wsdl" server "$1" 2>&1 >/dev/null) || true; fi
    printf '%-7s%-46s %s\n' $side "${1//$'\n'/\\n}" "$read"
    [ "$read" = "$2" ] || changed="$changed $side of ${1//$'\n'/\\n};"
  done
}
told '<Text>Løn &amp; pension</Text>' '{"Text":"Løn & pension"}'
told '<Text><![CDATA[Løn & pension]]></Text>' '{"Text":"Løn & pension"}'
told $'<Text>\n<![CDATA[Løn & pension]]>\n</Text>' '{"Text":"Løn & pension"}'
told '<Text><![CDATA[Løn ]]><![CDATA[& pension]]></Text>' '{"Text":"Løn & pension"}'
told '<Text>Løn <!-- og --> pension</Text>' '{"Text":"Løn  pension"}'
told '<Text>Løn <![CDATA[& pension]]></Text>' "$fault"
told '<Text><![CDATA[Løn & ]]>pension</Text>' "$fault"
told '<Amount><![CDATA[100.50]]></Amount>' '{"Amount":"100.50"}'
told '<Number>5</Number>' '{"Number":5}'
told '<Number><![CDATA[5]]></Number>' "$fault"
told '<Trial><![CDATA[true]]></Trial>' "$fault"
[ -z "$changed" ] || { echo "the behaviour has changed:$changed"; exit 1; }
