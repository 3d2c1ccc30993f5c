package dk.hjemmel.interop;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.xml.parsers.DocumentBuilderFactory;
import org.apache.wss4j.common.crypto.Merlin;
import org.apache.wss4j.common.ext.WSSecurityException;
import org.apache.wss4j.common.saml.SamlAssertionWrapper;
import org.apache.wss4j.dom.WSConstants;
import org.apache.wss4j.dom.WSDataRef;
import org.apache.wss4j.dom.engine.WSSConfig;
import org.apache.wss4j.dom.engine.WSSecurityEngine;
import org.apache.wss4j.dom.engine.WSSecurityEngineResult;
import org.apache.wss4j.dom.handler.RequestData;
import org.apache.wss4j.dom.handler.WSHandlerResult;
import org.apache.wss4j.dom.saml.DOMSAMLUtil;
import org.apache.wss4j.dom.validate.Credential;
import org.apache.wss4j.dom.validate.NoOpValidator;
import org.apache.wss4j.dom.validate.SamlAssertionValidator;
import org.apache.wss4j.dom.validate.Validator;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/**
 * Judges a signed OIO IDWS message with WSS4J: every digest and signature, the holder of the token's key, and that the
 * signature covers all that it must.
 *
 * <pre>
 *   Judge request  FILE --trust STS.pem      [--at INSTANT] [--unindent] [--no-bsp]
 *   Judge response FILE --trust GATEWAY.pem  [--at INSTANT] [--unindent] [--no-bsp]
 * </pre>
 *
 * The signer's certificate must be one of those given (PEM, repeatable); chains are not built. Times are judged against
 * now, or against --at. --unindent removes white space between tags first, for pretty-printed messages. --no-bsp does not
 * ask for the WS-I Basic Security Profile, which some real messages break; ours must keep it. The exit code is 0 where the
 * message is good, 1 where it is not, 2 for a wrong command line.
 */
public final class Judge {
    private static final String WSA = "http://www.w3.org/2005/08/addressing";
    private static final String LIBERTY = "urn:liberty:sb:2006-08";
    private static final String SAML = "urn:oasis:names:tc:SAML:2.0:assertion";
    /** What the peers tolerate between two clocks. */
    private static final long SKEW_SECONDS = 60;

    private final boolean request;
    private final Set<X509Certificate> trusted = new HashSet<>();
    private Instant at = Instant.now();
    private boolean profile = true;
    private boolean quiet;

    private Judge(boolean request) {
        this.request = request;
    }

    /** A judge for many messages that are told of nowhere: see {@link Differential}. */
    Judge(boolean request, boolean profile) {
        this(request);
        this.profile = profile;
        this.quiet = true;
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length < 2 || !Set.of("request", "response").contains(arguments[0])) {
            System.err.println("Judge request|response FILE --trust CERT.pem [--at INSTANT] [--unindent] [--no-bsp]");
            System.exit(2);
        }
        Judge judge = new Judge(arguments[0].equals("request"));
        String text = Files.readString(Path.of(arguments[1]), StandardCharsets.UTF_8).replace("\uFEFF", "");
        for (int i = 2; i < arguments.length; i++) {
            switch (arguments[i]) {
                case "--trust" -> judge.trust(Path.of(arguments[++i]));
                case "--at" -> judge.at = Instant.parse(arguments[++i]);
                case "--no-bsp" -> judge.profile = false;
                case "--unindent" -> text = text.replaceAll(">\\s+<", "><");
                default -> {
                    System.err.println("unknown: " + arguments[i]);
                    System.exit(2);
                }
            }
        }
        try {
            judge.judge(text);
            System.out.println("GOOD " + arguments[1]);
        } catch (WSSecurityException | Refused error) {
            System.out.println("BAD " + arguments[1] + ": " + error.getMessage());
            System.exit(1);
        }
    }

    /** The message does not hold. */
    private static final class Refused extends Exception {
        Refused(String why) {
            super(why);
        }
    }

    void trust(Path pem) throws Exception {
        try (InputStream file = Files.newInputStream(pem)) {
            CertificateFactory.getInstance("X.509").generateCertificates(file)
                    .forEach(certificate -> trusted.add((X509Certificate) certificate));
        }
    }

    private void judge(String text) throws Exception {
        times(signatures(text));
    }

    /** All but the times: signatures, coverage and the holder of the key. Returns Security. */
    Element signatures(String text) throws Exception {
        Document document = parse(text, true);
        Element envelope = document.getDocumentElement();
        Element header = child(envelope, envelope.getNamespaceURI(), "Header");
        Element body = child(envelope, envelope.getNamespaceURI(), "Body");
        Element security = child(header, WSConstants.WSSE_NS, "Security");

        WSSConfig config = WSSConfig.getNewInstance();
        config.setValidator(WSConstants.SAML2_TOKEN, new Saml());
        config.setValidator(WSConstants.SIGNATURE, new Signer());
        // Times are judged in times(), at the instant that the caller names.
        config.setValidator(WSConstants.TIMESTAMP, new NoOpValidator());
        RequestData data = new RequestData();
        data.setWssConfig(config);
        data.setSigVerCrypto(nobody());
        data.setDisableBSPEnforcement(!profile);
        WSHandlerResult result = new WSSecurityEngine().processSecurityHeader(security, data);

        Set<Node> covered = new HashSet<>();
        List<WSSecurityEngineResult> signatures = result.getActionResults().getOrDefault(WSConstants.SIGN, List.of());
        if (signatures.size() != 1) {
            throw new Refused(signatures.size() + " message signatures");
        }
        for (WSDataRef reference : references(signatures.get(0))) {
            covered.add(reference.getProtectedElement());
            tell("  verified %s -> %s (%s)%n", reference.getWsuId(), reference.getName().getLocalPart(),
                    reference.getTransformAlgorithms());
        }
        cover(header, body, security, covered);
        if (request) {
            if (!DOMSAMLUtil.checkHolderOfKey(assertion(result), result.getResults(), null)) {
                throw new Refused("the message is not signed with the key that the token names");
            }
            tell("  verified holder of key, and the token's own signature%n");
        }
        return security;
    }

    private void tell(String format, Object... what) {
        if (!quiet) {
            System.out.printf(format, what);
        }
    }

    @SuppressWarnings("unchecked")
    private static List<WSDataRef> references(WSSecurityEngineResult result) {
        return (List<WSDataRef>) result.get(WSSecurityEngineResult.TAG_DATA_REF_URIS);
    }

    private static SamlAssertionWrapper assertion(WSHandlerResult result) throws Refused {
        List<WSSecurityEngineResult> tokens = result.getActionResults().getOrDefault(WSConstants.ST_SIGNED, List.of());
        if (tokens.size() != 1) {
            throw new Refused(tokens.size() + " signed tokens");
        }
        return (SamlAssertionWrapper) tokens.get(0).get(WSSecurityEngineResult.TAG_SAML_ASSERTION);
    }

    /** Body, Timestamp, every WS-Addressing header, Framework, and in a request the token: by node, not by name. */
    private void cover(Element header, Element body, Element security, Set<Node> covered) throws Refused {
        List<Element> needed = new ArrayList<>(List.of(body, child(security, WSConstants.WSU_NS, "Timestamp")));
        if (request) {
            needed.add(child(security, SAML, "Assertion"));
        }
        for (Node node = header.getFirstChild(); node != null; node = node.getNextSibling()) {
            if (node instanceof Element element && (WSA.equals(element.getNamespaceURI()) || LIBERTY.equals(element.getNamespaceURI()))) {
                needed.add(element);
            }
        }
        for (Element element : needed) {
            if (!covered.contains(element)) {
                throw new Refused("the signature does not cover " + element.getLocalName());
            }
        }
        tell("  covered: %s%n", needed.stream().map(Element::getLocalName).toList());
    }

    private void times(Element security) throws Refused {
        Element timestamp = child(security, WSConstants.WSU_NS, "Timestamp");
        Instant created = Instant.parse(child(timestamp, WSConstants.WSU_NS, "Created").getTextContent());
        Instant expires = Instant.parse(child(timestamp, WSConstants.WSU_NS, "Expires").getTextContent());
        if (at.isBefore(created.minusSeconds(SKEW_SECONDS)) || !at.isBefore(expires.plusSeconds(SKEW_SECONDS))) {
            throw new Refused("Timestamp holds from " + created + " to " + expires + ", not at " + at);
        }
        if (request) {
            Element conditions = child(child(security, SAML, "Assertion"), SAML, "Conditions");
            Instant from = Instant.parse(conditions.getAttribute("NotBefore"));
            Instant to = Instant.parse(conditions.getAttribute("NotOnOrAfter"));
            if (at.isBefore(from.minusSeconds(SKEW_SECONDS)) || !at.isBefore(to)) {
                throw new Refused("the token holds from " + from + " to " + to + ", not at " + at);
            }
        }
    }

    /** Checks the token's signer against the given certificates instead of a chain. WSS4J has verified the signature. */
    private final class Saml extends SamlAssertionValidator {
        @Override
        protected Credential verifySignedAssertion(SamlAssertionWrapper assertion, RequestData data) throws WSSecurityException {
            X509Certificate[] certificates = assertion.getSignatureKeyInfo().getCerts();
            if (certificates == null || !trusted.contains(certificates[0])) {
                throw new WSSecurityException(WSSecurityException.ErrorCode.FAILED_AUTHENTICATION, new Exception("the token's signer is not trusted"));
            }
            Credential credential = new Credential();
            credential.setSamlAssertion(assertion);
            return credential;
        }

        @Override
        protected void checkConditions(SamlAssertionWrapper assertion) {
            // Judged in times(), at the instant that the caller names.
        }

        @Override
        protected void checkAuthnStatements(SamlAssertionWrapper assertion) {
            // As above.
        }
    }

    /** In a response the signer must be given; in a request it is the holder of the token's key, checked afterwards. */
    private final class Signer implements Validator {
        @Override
        public Credential validate(Credential credential, RequestData data) throws WSSecurityException {
            X509Certificate[] certificates = credential.getCertificates();
            if (!request && (certificates == null || !trusted.contains(certificates[0]))) {
                throw new WSSecurityException(WSSecurityException.ErrorCode.FAILED_AUTHENTICATION, new Exception("the message's signer is not trusted"));
            }
            return credential;
        }
    }

    /** A key store that trusts nobody: WSS4J needs one to read certificates, and trust is judged above. */
    private static Merlin nobody() throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        Merlin merlin = new Merlin();
        merlin.setKeyStore(store);
        return merlin;
    }

    static Element child(Element parent, String namespace, String name) throws Refused {
        Element found = null;
        for (Node node = parent.getFirstChild(); node != null; node = node.getNextSibling()) {
            if (node instanceof Element element && namespace.equals(element.getNamespaceURI()) && name.equals(element.getLocalName())) {
                if (found != null) {
                    throw new Refused("two " + name + " in " + parent.getLocalName());
                }
                found = element;
            }
        }
        if (found == null) {
            throw new Refused("no " + name + " in " + parent.getLocalName());
        }
        return found;
    }

    static Document parse(String text) throws Exception {
        return parse(text, false);
    }

    /** OpenSAML wants no CDATA nodes: it is given their text. */
    private static Document parse(String text, boolean coalescing) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        factory.setCoalescing(coalescing);
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        return factory.newDocumentBuilder().parse(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)));
    }
}
