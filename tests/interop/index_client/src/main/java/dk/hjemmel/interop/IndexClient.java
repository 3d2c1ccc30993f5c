package dk.hjemmel.interop;

import dk.kombit.xml.schemas.requestheader._1.RequestHeaderType;
import dk.stoettesystemerne.ydelsesindeks.YdelseIndeksPortType;
import dk.stoettesystemerne.ydelsesindeks.YdelseIndeksService6;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.CallbackHandler;
import javax.xml.namespace.QName;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.ws.BindingProvider;
import javax.xml.ws.Holder;
import javax.xml.ws.soap.SOAPFaultException;
import oio.sagdok._3_0.UnikIdType;
import oio.sts.ydelse.bevillingindeks._6.BevillingIndeksPartRelationType;
import oio.sts.ydelse.ydelseindeks._6.AndOrType;
import oio.sts.ydelse.ydelseindeks._6.FremsoegYdelseIndeksInputType;
import oio.sts.ydelse.ydelseindeks._6.FremsoegYdelseIndeksOutputType;
import oio.sts.ydelse.ydelseindeks._6.ObjectFactory;
import oio.sts.ydelse.ydelseindeks._6.SoegUdtrykType;
import org.apache.cxf.Bus;
import org.apache.cxf.BusFactory;
import org.apache.cxf.configuration.jsse.TLSClientParameters;
import org.apache.cxf.endpoint.Client;
import org.apache.cxf.frontend.ClientProxy;
import org.apache.cxf.headers.Header;
import org.apache.cxf.staxutils.W3CDOMStreamWriter;
import org.apache.cxf.transport.http.HTTPConduit;
import org.apache.cxf.ws.security.SecurityConstants;
import org.apache.cxf.ws.security.tokenstore.SecurityToken;
import org.apache.cxf.ws.security.trust.STSClient;
import org.apache.wss4j.common.ext.WSPasswordCallback;
import org.apache.wss4j.dom.WSConstants;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/**
 * A client of the benefit index, as the field has it: CXF's classes and policies from the index's and the STS's own WSDLs, an
 * unsigned Liberty Framework header, no TokenType asked for. Only addresses, audience and certificates are configured.
 *
 * <pre>
 *   IndexClient --service URL --sts URL --entity-id URI --authority CVR --cpr NUMBER --ca PEM --cert PEM --key PEM
 *        --gateway-cert PEM --sts-cert PEM --index-wsdl FILE --sts-wsdl FILE
 * </pre>
 *
 * Prints the answer, or the fault's text. The exit code is 0 for an answer, 3 for a fault.
 */
public final class IndexClient {
    private static final String WST = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
    private static final String AUTH = "http://docs.oasis-open.org/wsfed/authorization/200706";
    private static final String STS_NAMESPACE = "http://schemas.microsoft.com/ws/2008/06/identity/securitytokenservice";
    private static final String LIBERTY = "urn:liberty:sb:2006-08";

    private final Map<String, String> options;
    private final Keys keys;
    private final TLSClientParameters tls = new TLSClientParameters();

    private IndexClient(Map<String, String> options) throws Exception {
        this.options = options;
        this.keys = Keys.of(file("cert"), file("key"));
        tls.setSSLSocketFactory(Keys.tls(file("ca")).getSocketFactory());
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i + 1 < arguments.length; i += 2) {
            options.put(arguments[i].substring(2), arguments[i + 1]);
        }
        System.setProperty("org.apache.cxf.Logger", "org.apache.cxf.common.logging.Slf4jLogger");
        IndexClient client = new IndexClient(options);
        try {
            client.ask(client.token());
            System.exit(0);
        } catch (SOAPFaultException fault) {
            // The index's WSDL declares no fault, so its classes know none: what CXF shows is the reason.
            System.out.println("fault " + fault.getMessage());
            System.exit(3);
        }
    }

    private Path file(String option) {
        return Path.of(options.get(option));
    }

    private void secure(Client client, Map<String, Object> context, String peer) throws Exception {
        ((HTTPConduit) client.getConduit()).setTlsClientParameters(tls);
        context.put(SecurityConstants.SIGNATURE_CRYPTO, keys.crypto());
        context.put(SecurityConstants.SIGNATURE_USERNAME, Keys.ALIAS);
        context.put(SecurityConstants.CALLBACK_HANDLER, (CallbackHandler) callbacks -> {
            for (Callback callback : callbacks) {
                ((WSPasswordCallback) callback).setPassword(Keys.PASSWORD);
            }
        });
        context.put(SecurityConstants.ENCRYPT_CRYPTO, Keys.pinned(file(peer)));
        context.put(SecurityConstants.ASYMMETRIC_SIGNATURE_ALGORITHM, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256");
    }

    /** The Liberty header that clients of the field send to every peer; no policy of STS or index lists it, so it goes unsigned. */
    private static List<Header> framework() throws Exception {
        Document document = DocumentBuilderFactory.newInstance().newDocumentBuilder().newDocument();
        Element framework = document.createElementNS(LIBERTY, "sbf:Framework");
        framework.setAttribute("version", "2.0");
        framework.setAttributeNS("urn:liberty:sb:profile", "sbfprofile:profile", "urn:liberty:sb:profile:basic");
        List<Header> headers = new ArrayList<>();
        headers.add(new Header(new QName(LIBERTY, "Framework"), framework));
        return headers;
    }

    private SecurityToken token() throws Exception {
        Bus bus = BusFactory.getDefaultBus();
        STSClient sts = new STSClient(bus) {
            @Override
            protected void writeElementsForRSTPublicKey(W3CDOMStreamWriter writer, X509Certificate certificate) throws Exception {
                writer.writeStartElement("wst", "UseKey", WST);
                writer.writeStartElement("wsse", "BinarySecurityToken", WSConstants.WSSE_NS);
                writer.writeNamespace("wsse", WSConstants.WSSE_NS);
                writer.writeAttribute("EncodingType", WSConstants.SOAPMESSAGE_NS + "#Base64Binary");
                writer.writeAttribute("ValueType", WSConstants.X509TOKEN_NS + "#X509v3");
                writer.writeCharacters(Base64.getMimeEncoder().encodeToString(certificate.getEncoded()));
                writer.writeEndElement();
                writer.writeEndElement();
            }
        };
        sts.setWsdlLocation(file("sts-wsdl").toUri().toString());
        sts.setServiceName("{" + STS_NAMESPACE + "}SecurityTokenService");
        sts.setEndpointName("{" + STS_NAMESPACE + "}CertificateWSTrustBinding_IWSTrust13Sync");
        sts.setKeyType(WST + "/PublicKey");
        sts.setSendRenewing(false);
        sts.setEnableLifetime(false);
        sts.setRequiresEntropy(false);
        sts.setUseCertificateForConfirmationKeyInfo(true);
        sts.setClaims(claims());
        sts.setTlsClientParameters(tls);
        Map<String, Object> context = sts.getRequestContext();
        secure(sts.getClient(), context, "sts-cert");
        sts.getClient().getRequestContext().put(Header.HEADER_LIST, framework());
        context.put(org.apache.cxf.message.Message.ENDPOINT_ADDRESS, options.get("sts"));
        context.put(SecurityConstants.STS_TOKEN_CRYPTO, keys.crypto());
        context.put(SecurityConstants.STS_TOKEN_USERNAME, Keys.ALIAS);
        SecurityToken token = sts.requestSecurityToken(options.get("entity-id"));
        token.setX509Certificate(keys.certificate(), keys.crypto());
        System.out.println("token " + token.getId());
        return token;
    }

    private Element claims() throws Exception {
        Document document = DocumentBuilderFactory.newInstance().newDocumentBuilder().newDocument();
        Element claims = document.createElementNS(WST, "wst:Claims");
        claims.setAttribute("Dialect", AUTH + "/authclaims");
        Element type = (Element) claims.appendChild(document.createElementNS(AUTH, "auth:ClaimType"));
        type.setAttribute("Uri", "dk:gov:saml:attribute:CvrNumberIdentifier");
        type.appendChild(document.createElementNS(AUTH, "auth:Value")).setTextContent(options.get("authority"));
        return claims;
    }

    private void ask(SecurityToken token) throws Exception {
        YdelseIndeksPortType port = new YdelseIndeksService6(file("index-wsdl").toUri().toURL()).getPort(YdelseIndeksPortType.class);
        Map<String, Object> context = ((BindingProvider) port).getRequestContext();
        context.put(BindingProvider.ENDPOINT_ADDRESS_PROPERTY, options.get("service"));
        secure(ClientProxy.getClient(port), context, "gateway-cert");
        context.put(SecurityConstants.TOKEN, token);
        context.put(Header.HEADER_LIST, framework());
        RequestHeaderType header = new RequestHeaderType();
        header.setTransactionUUID(UUID.randomUUID().toString());
        FremsoegYdelseIndeksOutputType answer = port.fremsoeg(new Holder<>(header), search());
        System.out.println("payments " + answer.getOekonomiskEffektueringFiltreretOejebliksbillede().size());
    }

    /** AND(the person, payments). */
    private FremsoegYdelseIndeksInputType search() {
        UnikIdType cpr = new UnikIdType();
        cpr.setURNIdentifikator("urn:oio:cpr-nr:" + options.get("cpr"));
        BevillingIndeksPartRelationType grantee = new BevillingIndeksPartRelationType();
        grantee.setReferenceID(cpr);
        var relations = new oio.sts.ydelse.bevillingindeks._6.RelationListeType();
        relations.getBevillingspart().add(grantee);
        var person = new oio.sts.ydelse.bevillingindeks._6.SoegInputType();
        person.setAttributListe(new oio.sts.ydelse.bevillingindeks._6.AttributListeType());
        person.setTilstandListe(new oio.sts.ydelse.bevillingindeks._6.TilstandListeType());
        person.setRelationListe(relations);
        var payments = new oio.sts.ydelse.oekonomiskeffektueringindeks._6.SoegInputType();
        payments.setAttributListe(new oio.sts.ydelse.oekonomiskeffektueringindeks._6.AttributListeType());
        payments.setTilstandListe(new oio.sts.ydelse.oekonomiskeffektueringindeks._6.TilstandListeType());
        payments.setRelationListe(new oio.sts.ydelse.oekonomiskeffektueringindeks._6.RelationListeType());
        SoegUdtrykType expression = new SoegUdtrykType();
        expression.setOperation(AndOrType.AND);
        ObjectFactory element = new ObjectFactory();
        expression.getSoegBevillingIndeksOrSoegOekonomiskEffektueringIndeksOrNOT()
                .add(element.createSoegUdtrykTypeSoegBevillingIndeks(person));
        expression.getSoegBevillingIndeksOrSoegOekonomiskEffektueringIndeksOrNOT()
                .add(element.createSoegUdtrykTypeSoegOekonomiskEffektueringIndeks(payments));
        FremsoegYdelseIndeksInputType input = new FremsoegYdelseIndeksInputType();
        input.setSoegUdtryk(expression);
        return input;
    }
}
