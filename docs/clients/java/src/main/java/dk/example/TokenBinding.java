package dk.example;

import dk.kombit.xml.schemas.requestheader._1.RequestHeaderType;
import dk.serviceplatformen.xml.wsdl.soap11.ydelse.terminaladgang._6.ServiceplatformFault;
import dk.serviceplatformen.xml.wsdl.soap11.ydelse.terminaladgang._6.TerminalAdgangTokenPortType;
import dk.serviceplatformen.xml.wsdl.soap11.ydelse.terminaladgang._6.TerminalAdgangTokenService;
import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URL;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.util.Base64;
import java.util.Map;
import java.util.UUID;
import javax.net.ssl.HttpsURLConnection;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.CallbackHandler;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.ws.BindingProvider;
import javax.xml.ws.Holder;
import oio.sagdok._3_0.UnikIdType;
import oio.sts.generelledefinitioner._6.PersonRelationType;
import oio.sts.ydelse.oekonomiskeffektueringindeks._6.SoegAttributListeType;
import oio.sts.ydelse.ydelseindeks._6.AndOrType;
import oio.sts.ydelse.ydelseindeks._6.FremsoegYdelseIndeksInputType;
import oio.sts.ydelse.ydelseindeks._6.FremsoegYdelseIndeksOutputType;
import oio.sts.ydelse.ydelseindeks._6.SoegUdtrykType;
import org.apache.cxf.Bus;
import org.apache.cxf.BusFactory;
import org.apache.cxf.configuration.jsse.TLSClientParameters;
import org.apache.cxf.endpoint.Client;
import org.apache.cxf.frontend.ClientProxy;
import org.apache.cxf.staxutils.W3CDOMStreamWriter;
import org.apache.cxf.transport.http.HTTPConduit;
import org.apache.cxf.ws.policy.PolicyBuilder;
import org.apache.cxf.ws.security.SecurityConstants;
import org.apache.cxf.ws.security.tokenstore.SecurityToken;
import org.apache.cxf.ws.security.trust.STSClient;
import org.apache.wss4j.common.ext.WSPasswordCallback;
import org.apache.wss4j.dom.WSConstants;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/**
 * Asks TerminalAdgang about one person with a token (OIO IDWS). The CPR number is read from standard input; settings are
 * environment variables, see README.md.
 *
 * <p>CXF's policy engine signs and verifies by the policies: the service's in its WSDL, the STS's in sts-policy.xml.
 */
public final class TokenBinding {
    private static final Map<String, String> SETTINGS = System.getenv();
    private static final String WST = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
    private static final String SAML_TOKEN = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV2.0";
    private static final String AUTH = "http://docs.oasis-open.org/wsfed/authorization/200706";

    private final Keys keys = Keys.of(file("CERT"), file("KEY"));
    private final TLSClientParameters tls = new TLSClientParameters();

    private TokenBinding() throws Exception {
        tls.setSSLSocketFactory(Keys.tls(file("CA")).getSocketFactory());
        // For the WSDL, which CXF reads before there is a conduit.
        HttpsURLConnection.setDefaultSSLSocketFactory(tls.getSSLSocketFactory());
    }

    public static void main(String[] arguments) throws Exception {
        String cpr = new BufferedReader(new InputStreamReader(System.in)).readLine().strip();
        // Nothing but the outcome on the screen; leave this out to see what CXF says.
        System.setProperty("org.apache.cxf.Logger", "org.apache.cxf.common.logging.Slf4jLogger");
        int exit = 0;
        try {
            TokenBinding client = new TokenBinding();
            print(client.ask(client.token(), search(cpr)));
        } catch (ServiceplatformFault fault) {
            // The same code twice, the text in Danish and in English: what, consequence, remedy, call id.
            fault.getFaultInfo().getErrorList().getError()
                    .forEach(error -> System.out.println(error.getErrorCode() + ": " + error.getErrorText()));
            exit = 1;
        }
        System.exit(exit);
    }

    private static Path file(String setting) {
        return Path.of(SETTINGS.get(setting));
    }

    /** The system's key, the certificate whose signature counts, and what CXF does not do by itself. */
    private void secure(Client client, Map<String, Object> context, String peer) throws Exception {
        ((HTTPConduit) client.getConduit()).setTlsClientParameters(tls);
        context.put(SecurityConstants.SIGNATURE_CRYPTO, keys.crypto());
        context.put(SecurityConstants.SIGNATURE_USERNAME, Keys.ALIAS);
        context.put(SecurityConstants.CALLBACK_HANDLER, (CallbackHandler) callbacks -> {
            for (Callback callback : callbacks) {
                ((WSPasswordCallback) callback).setPassword(Keys.PASSWORD);
            }
        });
        // The peer's certificate: CXF takes the key that it would encrypt for as the one that verifies.
        context.put(SecurityConstants.ENCRYPT_CRYPTO, Keys.pinned(file(peer)));
        // Basic256Sha256 is RSA-SHA1 by the letter of WS-SecurityPolicy, which nobody takes.
        context.put(SecurityConstants.ASYMMETRIC_SIGNATURE_ALGORITHM, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256");
    }

    /** WS-Trust Issue: a token for the service, for the authority, bound to the system's key. It holds for hours: keep it. */
    private SecurityToken token() throws Exception {
        Bus bus = BusFactory.getDefaultBus();
        STSClient sts = new STSClient(bus) {
            @Override
            protected void writeElementsForRSTPublicKey(W3CDOMStreamWriter writer, X509Certificate certificate) throws Exception {
                // KOMBIT's STS reads the certificate as a BinarySecurityToken, where CXF writes a KeyInfo.
                writer.writeStartElement("wst", "UseKey", WST);
                writer.writeStartElement("wsse", "BinarySecurityToken", WSConstants.WSSE_NS);
                writer.writeNamespace("wsse", WSConstants.WSSE_NS);
                writer.writeAttribute("EncodingType", WSConstants.SOAPMESSAGE_NS + "#Base64Binary");
                writer.writeAttribute("ValueType", WSConstants.X509TOKEN_NS + "#X509v3");
                writer.writeCharacters(Base64.getEncoder().encodeToString(certificate.getEncoded()));
                writer.writeEndElement();
                writer.writeEndElement();
            }
        };
        sts.setLocation(SETTINGS.get("STS"));
        sts.setServiceName("{" + WST + "}SecurityTokenService");
        sts.setEndpointName("{" + WST + "}SecurityTokenServicePort");
        sts.setSoap12();
        sts.setAddressingNamespace("http://www.w3.org/2005/08/addressing");
        try (InputStream policy = TokenBinding.class.getResourceAsStream("/sts-policy.xml")) {
            sts.setPolicy(bus.getExtension(PolicyBuilder.class).getPolicy(policy));
        }
        sts.setTokenType(SAML_TOKEN);
        sts.setKeyType(WST + "/PublicKey");
        sts.setSendRenewing(false);
        sts.setEnableLifetime(false);
        sts.setRequiresEntropy(false);
        sts.setUseCertificateForConfirmationKeyInfo(true);
        sts.setClaims(claims());
        sts.setTlsClientParameters(tls);
        Map<String, Object> context = sts.getRequestContext();
        secure(sts.getClient(), context, "STS_CERT");
        context.put(SecurityConstants.STS_TOKEN_CRYPTO, keys.crypto());
        context.put(SecurityConstants.STS_TOKEN_USERNAME, Keys.ALIAS);
        SecurityToken token = sts.requestSecurityToken(SETTINGS.get("ENTITY_ID"));
        token.setX509Certificate(keys.certificate(), keys.crypto());
        return token;
    }

    private static Element claims() throws Exception {
        Document document = DocumentBuilderFactory.newInstance().newDocumentBuilder().newDocument();
        Element claims = document.createElementNS(WST, "wst:Claims");
        claims.setAttribute("Dialect", AUTH + "/authclaims");
        Element type = (Element) claims.appendChild(document.createElementNS(AUTH, "auth:ClaimType"));
        type.setAttribute("Uri", "dk:gov:saml:attribute:CvrNumberIdentifier");
        type.appendChild(document.createElementNS(AUTH, "auth:Value")).setTextContent(SETTINGS.get("AUTHORITY"));
        return claims;
    }

    private FremsoegYdelseIndeksOutputType ask(SecurityToken token, FremsoegYdelseIndeksInputType search) throws Exception {
        TerminalAdgangTokenPortType port =
                new TerminalAdgangTokenService(new URL(SETTINGS.get("SERVICE") + "?wsdl=token")).getTerminalAdgangTokenPort();
        Map<String, Object> context = ((BindingProvider) port).getRequestContext();
        secure(ClientProxy.getClient(port), context, "GATEWAY_CERT");
        context.put(SecurityConstants.TOKEN, token);
        RequestHeaderType header = new RequestHeaderType();
        header.setTransactionUUID(UUID.randomUUID().toString());
        return port.fremsoeg(new Holder<>(header), search);
    }

    /** AND(the person, payments): without a period the service inserts the one that the law gives. */
    private static FremsoegYdelseIndeksInputType search(String number) {
        UnikIdType cpr = new UnikIdType();
        cpr.setURNIdentifikator("urn:oio:cpr-nr:" + number);
        PersonRelationType grantee = new PersonRelationType();
        grantee.setReferenceID(cpr);
        var relations = new oio.sts.ydelse.bevillingindeks._6.SoegRelationListeType();
        relations.setBevillingspart(grantee);
        var person = new oio.sts.ydelse.bevillingindeks._6.SoegInputType();
        person.setAttributListe(new oio.sts.ydelse.bevillingindeks._6.TomListeType());
        person.setTilstandListe(new oio.sts.ydelse.bevillingindeks._6.TomListeType());
        person.setRelationListe(relations);

        var payments = new oio.sts.ydelse.oekonomiskeffektueringindeks._6.SoegInputType();
        payments.setAttributListe(new SoegAttributListeType());
        payments.setTilstandListe(new oio.sts.ydelse.oekonomiskeffektueringindeks._6.TomListeType());
        payments.setRelationListe(new oio.sts.ydelse.oekonomiskeffektueringindeks._6.SoegRelationListeType());

        SoegUdtrykType expression = new SoegUdtrykType();
        expression.setOperation(AndOrType.AND);
        expression.getSoegBevillingIndeksOrSoegOekonomiskEffektueringIndeksOrNOT().add(person);
        expression.getSoegBevillingIndeksOrSoegOekonomiskEffektueringIndeksOrNOT().add(payments);
        FremsoegYdelseIndeksInputType input = new FremsoegYdelseIndeksInputType();
        input.setSoegUdtryk(expression);
        return input;
    }

    private static void print(FremsoegYdelseIndeksOutputType answer) {
        if (answer.getOekonomiskEffektueringFiltreretOejebliksbillede().isEmpty()) {
            System.out.println("no benefits");
        }
        answer.getOekonomiskEffektueringFiltreretOejebliksbillede().forEach(payment -> payment.getRegistrering().forEach(registration ->
                registration.getRelationListe().getOekonomiskYdelseEffektueringRelation().forEach(line ->
                        System.out.println(line.getKlassifikationsbeskrivelse() + " " + line.getYdelsesbeloeb()))));
    }
}
