<?php
// Asks TerminalAdgang about one person over mutual TLS (AuthorityContext). The CPR number is read from standard input.
// Settings are environment variables, see README.md. Needs PHP 8 with the extensions soap and openssl.

function client(): SoapClient
{
    // The certificate file may hold the chain behind the system's own certificate.
    $tls = ['cafile' => getenv('CA'), 'local_cert' => getenv('CERT'), 'local_pk' => getenv('KEY')];
    return new SoapClient(getenv('SERVICE') . '?wsdl', [
        'stream_context' => stream_context_create(['ssl' => $tls]),
        // One payment is a list of one. Without this it is the payment itself, and foreach walks through its fields.
        'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
        'connection_timeout' => 30,
    ]);
}

/** AND(the person, payments): without a period the service inserts the one that the law gives. */
function search(string $cpr): array
{
    // Each empty list is an array of its own: an object that stands twice is sent as a reference, which no schema has.
    $empty = ['AttributListe' => [], 'TilstandListe' => [], 'RelationListe' => []];
    $person = ['RelationListe' => ['Bevillingspart' => ['ReferenceID' => ['URNIdentifikator' => "urn:oio:cpr-nr:$cpr"]]]] + $empty;
    return ['operation' => 'AND', 'SoegBevillingIndeks' => $person, 'SoegOekonomiskEffektueringIndeks' => $empty];
}

ini_set('default_socket_timeout', '60');
try {
    $answer = client()->fremsoeg([
        'AuthorityContext' => ['MunicipalityCVR' => getenv('AUTHORITY')],
        'FremsoegYdelseIndeksInput' => ['SoegUdtryk' => search(trim(fgets(STDIN)))],
    ]);
} catch (SoapFault $fault) {
    // The same code twice, the text in Danish and in English: what, consequence, remedy, call id.
    foreach ($fault->detail->ServiceplatformFault->ErrorList->Error ?? [] as $error) {
        echo "$error->ErrorCode: $error->ErrorText\n";
    }
    if (!isset($fault->detail)) {
        echo $fault->getMessage(), "\n";
    }
    exit(1);
}
// What is not there is no property at all.
$payments = $answer->FremsoegYdelseIndeksOutput->OekonomiskEffektueringFiltreretOejebliksbillede ?? [];
if (!$payments) {
    echo "no benefits\n";
}
foreach ($payments as $payment) {
    foreach ($payment->Registrering as $registration) {
        foreach ($registration->RelationListe->OekonomiskYdelseEffektueringRelation ?? [] as $line) {
            // Amounts are text, and stay exact: add them up with bcadd, not as floats.
            echo "$line->Klassifikationsbeskrivelse $line->Ydelsesbeloeb\n";
        }
    }
}
