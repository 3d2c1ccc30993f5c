// NOT TRIED (see dotnet.md). Asks TerminalAdgang about one person over mutual TLS (AuthorityContext). The CPR number is read
// from standard input; settings are environment variables, see README.md.
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;

string Setting(string name) => Environment.GetEnvironmentVariable(name) ?? throw new InvalidOperationException($"{name} is not set");

var cpr = Console.ReadLine()?.Trim() ?? "";
if (!Regex.IsMatch(cpr, "^[0-9]{10}$"))
{
    throw new ArgumentException("a CPR number has ten digits");
}

// AND(the person, payments): without a period the service inserts the one that the law gives.
var request = $"""
    <soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>
    <ta:FremsoegRequest xmlns:ta="http://serviceplatformen.dk/xml/wsdl/soap11/Ydelse/TerminalAdgang/6/">
      <ac:AuthorityContext xmlns:ac="http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/">
        <ac:MunicipalityCVR>{Setting("AUTHORITY")}</ac:MunicipalityCVR>
      </ac:AuthorityContext>
      <yi:FremsoegYdelseIndeksInput xmlns:yi="urn:oio:sts:ydelse:ydelseindeks:6"
          xmlns:bi="urn:oio:sts:ydelse:bevillingindeks:6" xmlns:oei="urn:oio:sts:ydelse:oekonomiskeffektueringindeks:6"
          xmlns:gd="urn:oio:sts:generelledefinitioner:6" xmlns:sd="urn:oio:sagdok:3.0.0">
        <yi:SoegUdtryk>
          <yi:operation>AND</yi:operation>
          <yi:SoegBevillingIndeks>
            <bi:AttributListe/><bi:TilstandListe/>
            <bi:RelationListe><bi:Bevillingspart><gd:ReferenceID>
              <sd:URNIdentifikator>urn:oio:cpr-nr:{cpr}</sd:URNIdentifikator>
            </gd:ReferenceID></bi:Bevillingspart></bi:RelationListe>
          </yi:SoegBevillingIndeks>
          <yi:SoegOekonomiskEffektueringIndeks>
            <oei:AttributListe/><oei:TilstandListe/><oei:RelationListe/>
          </yi:SoegOekonomiskEffektueringIndeks>
        </yi:SoegUdtryk>
      </yi:FremsoegYdelseIndeksInput>
    </ta:FremsoegRequest></soap:Body></soap:Envelope>
    """;

using var pem = X509Certificate2.CreateFromPemFile(Setting("CERT"), Setting("KEY"));
// Windows' TLS takes a key from PKCS #12 only.
using var system = new X509Certificate2(pem.Export(X509ContentType.Pkcs12));
var authorities = new X509Certificate2Collection();
authorities.ImportFromPemFile(Setting("CA"));
var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
policy.CustomTrustStore.AddRange(authorities);

using var handler = new SocketsHttpHandler
{
    SslOptions = new SslClientAuthenticationOptions
    {
        ClientCertificates = new X509CertificateCollection { system },
        CertificateChainPolicy = policy,
    },
};
using var client = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(60) };
using var content = new StringContent(request, Encoding.UTF8, "text/xml");
content.Headers.Add("SOAPAction", "\"http://serviceplatformen.dk/xml/wsdl/soap11/Ydelse/TerminalAdgang/6/fremsoeg\"");
using var response = await client.PostAsync(Setting("SERVICE"), content);

using var reader = XmlReader.Create(await response.Content.ReadAsStreamAsync(), new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit });
var answer = XDocument.Load(reader);
XNamespace fault = "http://serviceplatformen.dk/xml/schemas/ServiceplatformFault/1/";
XNamespace oei = "urn:oio:sts:ydelse:oekonomiskeffektueringindeks:6";
// The same code twice, the text in Danish and in English: what, consequence, remedy, call id.
foreach (var error in answer.Descendants(fault + "Error"))
{
    Console.WriteLine($"{error.Element(fault + "ErrorCode")?.Value}: {error.Element(fault + "ErrorText")?.Value}");
}
if (response.IsSuccessStatusCode && !answer.Descendants(oei + "OekonomiskYdelseEffektueringRelation").Any())
{
    Console.WriteLine("no benefits");
}
foreach (var line in answer.Descendants(oei + "OekonomiskYdelseEffektueringRelation"))
{
    Console.WriteLine($"{line.Element(oei + "Klassifikationsbeskrivelse")?.Value} {line.Element(oei + "Ydelsesbeloeb")?.Value}");
}
return response.IsSuccessStatusCode ? 0 : 1;
