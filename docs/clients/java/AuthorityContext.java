import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.util.Base64;
import java.util.Collection;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/**
 * Asks TerminalAdgang about one person over mutual TLS (AuthorityContext). The CPR number is read from standard input;
 * settings are environment variables, see README.md. Needs Java 17 and nothing else: java AuthorityContext.java
 */
public final class AuthorityContext {
    private static final String OEI = "urn:oio:sts:ydelse:oekonomiskeffektueringindeks:6";
    private static final String FAULT = "http://serviceplatformen.dk/xml/schemas/ServiceplatformFault/1/";
    private static final String ACTION = "http://serviceplatformen.dk/xml/wsdl/soap11/Ydelse/TerminalAdgang/6/fremsoeg";
    /** AND(the person, payments): without a period the service inserts the one that the law gives. */
    private static final String REQUEST = """
            <soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>
            <ta:FremsoegRequest xmlns:ta="http://serviceplatformen.dk/xml/wsdl/soap11/Ydelse/TerminalAdgang/6/">
              <ac:AuthorityContext xmlns:ac="http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/">
                <ac:MunicipalityCVR>%s</ac:MunicipalityCVR>
              </ac:AuthorityContext>
              <yi:FremsoegYdelseIndeksInput xmlns:yi="urn:oio:sts:ydelse:ydelseindeks:6"
                  xmlns:bi="urn:oio:sts:ydelse:bevillingindeks:6" xmlns:oei="urn:oio:sts:ydelse:oekonomiskeffektueringindeks:6"
                  xmlns:gd="urn:oio:sts:generelledefinitioner:6" xmlns:sd="urn:oio:sagdok:3.0.0">
                <yi:SoegUdtryk>
                  <yi:operation>AND</yi:operation>
                  <yi:SoegBevillingIndeks>
                    <bi:AttributListe/><bi:TilstandListe/>
                    <bi:RelationListe><bi:Bevillingspart><gd:ReferenceID>
                      <sd:URNIdentifikator>urn:oio:cpr-nr:%s</sd:URNIdentifikator>
                    </gd:ReferenceID></bi:Bevillingspart></bi:RelationListe>
                  </yi:SoegBevillingIndeks>
                  <yi:SoegOekonomiskEffektueringIndeks>
                    <oei:AttributListe/><oei:TilstandListe/><oei:RelationListe/>
                  </yi:SoegOekonomiskEffektueringIndeks>
                </yi:SoegUdtryk>
              </yi:FremsoegYdelseIndeksInput>
            </ta:FremsoegRequest></soap:Body></soap:Envelope>
            """;

    public static void main(String[] arguments) throws Exception {
        String cpr = new BufferedReader(new InputStreamReader(System.in)).readLine().strip();
        if (!cpr.matches("[0-9]{10}")) {
            throw new IllegalArgumentException("a CPR number has ten digits");
        }
        HttpRequest request = HttpRequest.newBuilder(URI.create(System.getenv("SERVICE"))).timeout(Duration.ofSeconds(60))
                .header("Content-Type", "text/xml; charset=utf-8").header("SOAPAction", '"' + ACTION + '"')
                .POST(HttpRequest.BodyPublishers.ofString(REQUEST.formatted(System.getenv("AUTHORITY"), cpr))).build();
        HttpResponse<byte[]> response = HttpClient.newBuilder().sslContext(tls()).build().send(request, HttpResponse.BodyHandlers.ofByteArray());

        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        Document answer = factory.newDocumentBuilder().parse(new ByteArrayInputStream(response.body()));
        // The same code twice, the text in Danish and in English: what, consequence, remedy, call id.
        NodeList errors = answer.getElementsByTagNameNS(FAULT, "Error");
        for (int i = 0; i < errors.getLength(); i++) {
            Element error = (Element) errors.item(i);
            System.out.println(text(error, FAULT, "ErrorCode") + ": " + text(error, FAULT, "ErrorText"));
        }
        NodeList lines = answer.getElementsByTagNameNS(OEI, "OekonomiskYdelseEffektueringRelation");
        for (int i = 0; i < lines.getLength(); i++) {
            Element line = (Element) lines.item(i);
            System.out.println(text(line, OEI, "Klassifikationsbeskrivelse") + " " + text(line, OEI, "Ydelsesbeloeb"));
        }
        if (response.statusCode() == 200 && lines.getLength() == 0) {
            System.out.println("no benefits");
        }
        System.exit(response.statusCode() == 200 ? 0 : 1);
    }

    private static String text(Element parent, String namespace, String name) {
        NodeList found = parent.getElementsByTagNameNS(namespace, name);
        return found.getLength() == 0 ? "" : found.item(0).getTextContent();
    }

    /** Mutual TLS: shows the system's certificate, trusts exactly the authorities of CA. */
    private static SSLContext tls() throws Exception {
        char[] password = "in memory only".toCharArray();
        KeyStore own = empty();
        String pem = Files.readString(Path.of(System.getenv("KEY"))).replaceAll("-----[^-]+-----|\\s", "");
        own.setKeyEntry("system", KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem))),
                password, certificates("CERT").toArray(Certificate[]::new));
        KeyManagerFactory shown = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        shown.init(own, password);
        KeyStore authorities = empty();
        for (Certificate authority : certificates("CA")) {
            authorities.setCertificateEntry("ca-" + authorities.size(), authority);
        }
        TrustManagerFactory trusted = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trusted.init(authorities);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(shown.getKeyManagers(), trusted.getTrustManagers(), null);
        return context;
    }

    private static KeyStore empty() throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }

    private static Collection<? extends Certificate> certificates(String setting) throws Exception {
        try (InputStream file = Files.newInputStream(Path.of(System.getenv(setting)))) {
            return CertificateFactory.getInstance("X.509").generateCertificates(file);
        }
    }
}
