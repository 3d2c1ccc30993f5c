package dk.hjemmel.interop;

import dk.kombit.xml.schemas.requestheader._1.RequestHeaderType;
import dk.serviceplatformen.xml.wsdl.soap11.ydelse.terminaladgang._6.ServiceplatformFault;
import dk.serviceplatformen.xml.wsdl.soap11.ydelse.terminaladgang._6.TerminalAdgangTokenPortType;
import dk.serviceplatformen.xml.wsdl.soap11.ydelse.terminaladgang._6.TerminalAdgangTokenService;
import java.io.StringReader;
import java.net.URL;
import java.nio.file.Path;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import javax.net.ssl.HttpsURLConnection;
import javax.xml.datatype.DatatypeFactory;
import javax.xml.namespace.QName;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.Source;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMResult;
import javax.xml.transform.stream.StreamSource;
import javax.xml.ws.BindingProvider;
import javax.xml.ws.Dispatch;
import javax.xml.ws.Holder;
import javax.xml.ws.Service;
import javax.xml.ws.soap.AddressingFeature;
import javax.xml.ws.soap.SOAPBinding;
import oio.sagdok._3_0.TidspunktType;
import oio.sagdok._3_0.UnikIdType;
import oio.sts.generelledefinitioner._6.LokalUdvidelseListeType;
import oio.sts.generelledefinitioner._6.PersonRelationType;
import oio.sts.generelleoperationer._6.SoegTidIntervalType;
import oio.sts.ydelse.oekonomiskeffektueringindeks._6.SoegAttributListeType;
import oio.sts.ydelse.oekonomiskeffektueringindeks._6.SoegEgenskaberLokalUdvidelseType;
import oio.sts.ydelse.ydelseindeks._6.AndOrType;
import oio.sts.ydelse.ydelseindeks._6.FremsoegYdelseIndeksInputType;
import oio.sts.ydelse.ydelseindeks._6.FremsoegYdelseIndeksOutputType;
import oio.sts.ydelse.ydelseindeks._6.SoegUdtrykType;
import org.apache.cxf.Bus;
import org.apache.cxf.BusFactory;
import org.apache.cxf.configuration.jsse.TLSClientParameters;
import org.apache.cxf.endpoint.Client;
import org.apache.cxf.frontend.ClientProxy;
import org.apache.cxf.jaxws.DispatchImpl;
import org.apache.cxf.transport.http.HTTPConduit;
import org.apache.cxf.ws.addressing.AddressingProperties;
import org.apache.cxf.ws.addressing.AttributedURIType;
import org.apache.cxf.ws.addressing.JAXWSAConstants;
import org.apache.cxf.ws.policy.PolicyEngine;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/**
 * A supplier's client of the token binding: classes that CXF generated from our WSDL, a token from the STS by WS-Trust,
 * messages signed and verified by WSS4J.
 *
 * <pre>
 *   Call --service URL --sts URL --entity-id URI --authority CVR --cpr NUMBER --ca PEM --cert PEM --key PEM
 *        --gateway-cert PEM --sts-cert PEM [--from INSTANT --to INSTANT]
 * </pre>
 *
 * Prints the answer, or the fault in both languages. The exit code is 0 for an answer, 3 for a fault.
 */
public final class Call {
    private static final String WST = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
    private static final String SAML = "urn:oasis:names:tc:SAML:2.0:assertion";

    private final Map<String, String> options;
    private final Keys keys;
    private final TLSClientParameters tls = new TLSClientParameters();

    Call(Map<String, String> options) throws Exception {
        this.options = options;
        this.keys = Keys.of(file("cert"), file("key"));
        tls.setSSLSocketFactory(Keys.tls(file("ca")).getSocketFactory());
        // For the WSDL, which CXF reads before there is a conduit.
        HttpsURLConnection.setDefaultSSLSocketFactory(tls.getSSLSocketFactory());
    }

    static Map<String, String> options(String[] arguments) {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i + 1 < arguments.length; i += 2) {
            options.put(arguments[i].substring(2), arguments[i + 1]);
        }
        // Nothing but the outcome on the screen.
        System.setProperty("org.apache.cxf.Logger", "org.apache.cxf.common.logging.Slf4jLogger");
        Bus bus = BusFactory.getDefaultBus();
        // Signed by hand here, as suppliers do who have no policy; docs/clients/java leaves it to the policy engine.
        bus.getExtension(PolicyEngine.class).setEnabled(false);
        return options;
    }

    public static void main(String[] arguments) throws Exception {
        Call call = new Call(options(arguments));
        try {
            call.ask(call.token());
            System.exit(0);
        } catch (ServiceplatformFault fault) {
            fault.getFaultInfo().getErrorList().getError()
                    .forEach(error -> System.out.println("refused " + error.getErrorCode() + ": " + error.getErrorText()));
            System.exit(3);
        }
    }

    private Path file(String option) {
        return Path.of(options.get(option));
    }

    /** Makes a client sign with the token, or with the certificate, and trust answers of this peer. */
    void wire(Client client, Element token, String peer) throws Exception {
        ((HTTPConduit) client.getConduit()).setTlsClientParameters(tls);
        Signed.wire(client, keys, token, Keys.pinned(file(peer)));
    }

    /** Makes a client show this system's certificate in TLS. */
    void showCertificate(Client client) throws Exception {
        TLSClientParameters mutual = new TLSClientParameters();
        mutual.setSSLSocketFactory(Keys.tls(file("ca"), file("cert"), file("key")).getSocketFactory());
        ((HTTPConduit) client.getConduit()).setTlsClientParameters(mutual);
    }

    /** WS-Trust Issue: a token for the service, for the authority, bound to this system's key. */
    Element token() throws Exception {
        String request = """
                <wst:RequestSecurityToken xmlns:wst="%s" Context="urn:uuid:%s">\
                <wst:TokenType>http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV2.0</wst:TokenType>\
                <wst:RequestType>%s/Issue</wst:RequestType>\
                <wsp:AppliesTo xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy">\
                <wsa:EndpointReference xmlns:wsa="http://www.w3.org/2005/08/addressing"><wsa:Address>%s</wsa:Address></wsa:EndpointReference>\
                </wsp:AppliesTo>\
                <wst:Claims Dialect="http://docs.oasis-open.org/wsfed/authorization/200706/authclaims">\
                <auth:ClaimType xmlns:auth="http://docs.oasis-open.org/wsfed/authorization/200706" \
                Uri="dk:gov:saml:attribute:CvrNumberIdentifier"><auth:Value>%s</auth:Value></auth:ClaimType></wst:Claims>\
                <wst:KeyType>%s/PublicKey</wst:KeyType>\
                <wst:UseKey><wsse:BinarySecurityToken \
                xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" \
                EncodingType="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary" \
                ValueType="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3">%s\
                </wsse:BinarySecurityToken></wst:UseKey></wst:RequestSecurityToken>"""
                .formatted(WST, UUID.randomUUID(), WST, options.get("entity-id"), options.get("authority"), WST,
                        Base64.getEncoder().encodeToString(keys.certificate().getEncoded()));
        QName port = new QName(WST, "SecurityTokenServicePort");
        Service service = Service.create(new QName(WST, "SecurityTokenService"));
        service.addPort(port, SOAPBinding.SOAP12HTTP_BINDING, options.get("sts"));
        Dispatch<Source> dispatch = service.createDispatch(port, Source.class, Service.Mode.PAYLOAD, new AddressingFeature(true, false));
        addressed(dispatch, WST.replace("ws-trust/200512", "ws-trust/200512/RST/Issue"));
        wire(((DispatchImpl<Source>) dispatch).getClient(), null, "sts-cert");

        DOMResult answer = new DOMResult();
        TransformerFactory.newInstance().newTransformer().transform(dispatch.invoke(new StreamSource(new StringReader(request))), answer);
        Element assertion = (Element) ((Document) answer.getNode()).getElementsByTagNameNS(SAML, "Assertion").item(0);
        System.out.println("token " + assertion.getAttribute("ID"));
        return assertion;
    }

    private static void addressed(Dispatch<?> dispatch, String action) {
        AddressingProperties addressing = new AddressingProperties();
        AttributedURIType uri = new AttributedURIType();
        uri.setValue(action);
        addressing.setAction(uri);
        dispatch.getRequestContext().put(JAXWSAConstants.CLIENT_ADDRESSING_PROPERTIES, addressing);
        dispatch.getRequestContext().put(BindingProvider.SOAPACTION_USE_PROPERTY, true);
        dispatch.getRequestContext().put(BindingProvider.SOAPACTION_URI_PROPERTY, action);
    }

    private void ask(Element token) throws Exception {
        TerminalAdgangTokenPortType port = new TerminalAdgangTokenService(new URL(options.get("service") + "?wsdl=token"))
                .getPort(TerminalAdgangTokenPortType.class, new AddressingFeature(true, false));
        wire(ClientProxy.getClient(port), token, "gateway-cert");
        RequestHeaderType header = new RequestHeaderType();
        header.setTransactionUUID(UUID.randomUUID().toString());

        FremsoegYdelseIndeksOutputType answer = port.fremsoeg(new Holder<>(header), search());
        System.out.println("served: status " + answer.getStandardRetur().getStatusKode() + ", "
                + answer.getOekonomiskEffektueringFiltreretOejebliksbillede().size() + " objects, signed by the gateway");
        answer.getOekonomiskEffektueringFiltreretOejebliksbillede().forEach(payment -> payment.getRegistrering().forEach(registration ->
                registration.getRelationListe().getOekonomiskYdelseEffektueringRelation().forEach(line ->
                        System.out.println("  " + line.getKlassifikationsbeskrivelse() + " " + line.getYdelsesbeloeb()))));
    }

    /** AND(the person, the period where one is given). */
    private FremsoegYdelseIndeksInputType search() throws Exception {
        UnikIdType cpr = new UnikIdType();
        cpr.setURNIdentifikator("urn:oio:cpr-nr:" + options.get("cpr"));
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
        if (options.containsKey("from")) {
            SoegTidIntervalType period = new SoegTidIntervalType();
            period.setFraTidspunkt(at(options.get("from")));
            period.setTilTidspunkt(at(options.get("to")));
            SoegEgenskaberLokalUdvidelseType dates = new SoegEgenskaberLokalUdvidelseType();
            dates.setDispositionsDatoInterval(period);
            LokalUdvidelseListeType extension = new LokalUdvidelseListeType();
            extension.setSoegEgenskaberLokalUdvidelse(dates);
            payments.getAttributListe().setLokalUdvidelseListe(extension);
        }
        SoegUdtrykType expression = new SoegUdtrykType();
        expression.setOperation(AndOrType.AND);
        expression.getSoegBevillingIndeksOrSoegOekonomiskEffektueringIndeksOrNOT().add(person);
        expression.getSoegBevillingIndeksOrSoegOekonomiskEffektueringIndeksOrNOT().add(payments);
        FremsoegYdelseIndeksInputType input = new FremsoegYdelseIndeksInputType();
        input.setSoegUdtryk(expression);
        return input;
    }

    private static TidspunktType at(String instant) throws Exception {
        TidspunktType at = new TidspunktType();
        at.setTidsstempelDatoTid(DatatypeFactory.newInstance().newXMLGregorianCalendar(instant));
        return at;
    }
}
