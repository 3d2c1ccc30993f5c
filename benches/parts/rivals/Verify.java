// Verifies a signed OIO IDWS request with Apache WSS4J on Santuario: parse, the token's signature, every digest, the
// message's signature, and that its key is the token's. Whether the token counts, and what is covered, is not asked. Each line
// on standard input asks for so many times, each line on standard output tells the nanoseconds of CPU that they took on this
// thread; what the collector and the compiler take on theirs is not counted.
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.apache.wss4j.common.crypto.Merlin;
import org.apache.wss4j.common.saml.SamlAssertionWrapper;
import org.apache.wss4j.dom.WSConstants;
import org.apache.wss4j.dom.engine.WSSConfig;
import org.apache.wss4j.dom.engine.WSSecurityEngine;
import org.apache.wss4j.dom.engine.WSSecurityEngineResult;
import org.apache.wss4j.dom.handler.RequestData;
import org.apache.wss4j.dom.handler.WSHandlerResult;
import org.apache.wss4j.dom.saml.DOMSAMLUtil;
import org.apache.wss4j.dom.validate.Credential;
import org.apache.wss4j.dom.validate.NoOpValidator;
import org.apache.wss4j.dom.validate.SamlAssertionValidator;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

public class Verify {
    /** Trusts one certificate, as it is pinned in the gateway. */
    static final class Pinned extends SamlAssertionValidator {
        private final X509Certificate trusted;

        Pinned(X509Certificate trusted) {
            this.trusted = trusted;
        }

        @Override
        protected Credential verifySignedAssertion(SamlAssertionWrapper assertion, RequestData data) {
            if (!trusted.equals(assertion.getSignatureKeyInfo().getCerts()[0])) {
                throw new IllegalStateException("the token's signer is not trusted");
            }
            Credential credential = new Credential();
            credential.setSamlAssertion(assertion);
            return credential;
        }

        @Override
        protected void checkConditions(SamlAssertionWrapper assertion) {
        }

        @Override
        protected void checkAuthnStatements(SamlAssertionWrapper assertion) {
        }
    }

    static DocumentBuilderFactory factory;
    static WSSConfig config;
    static Merlin nobody;

    static void once(byte[] message) throws Exception {
        Document document = factory.newDocumentBuilder().parse(new ByteArrayInputStream(message));
        Element security = (Element) document.getElementsByTagNameNS(WSConstants.WSSE_NS, "Security").item(0);
        RequestData data = new RequestData();
        data.setWssConfig(config);
        data.setSigVerCrypto(nobody);
        WSHandlerResult result = new WSSecurityEngine().processSecurityHeader(security, data);
        List<WSSecurityEngineResult> tokens = result.getActionResults().getOrDefault(WSConstants.ST_SIGNED, List.of());
        int signatures = result.getActionResults().getOrDefault(WSConstants.SIGN, List.of()).size();
        var assertion = (SamlAssertionWrapper) tokens.get(0).get(WSSecurityEngineResult.TAG_SAML_ASSERTION);
        if (signatures != 1 || tokens.size() != 1 || !DOMSAMLUtil.checkHolderOfKey(assertion, result.getResults(), null)) {
            throw new IllegalStateException("the message does not hold");
        }
    }

    public static void main(String[] arguments) throws Exception {
        byte[] message = Files.readAllBytes(Path.of(arguments[0]));
        X509Certificate trusted;
        try (InputStream file = Files.newInputStream(Path.of(arguments[1]))) {
            trusted = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(file);
        }
        factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        config = WSSConfig.getNewInstance();
        config.setValidator(WSConstants.SAML2_TOKEN, new Pinned(trusted));
        config.setValidator(WSConstants.SIGNATURE, new NoOpValidator());
        config.setValidator(WSConstants.TIMESTAMP, new NoOpValidator());
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        nobody = new Merlin();
        nobody.setKeyStore(store);
        ThreadMXBean thread = ManagementFactory.getThreadMXBean();
        BufferedReader asked = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = asked.readLine()) != null; ) {
            long started = thread.getCurrentThreadCpuTime();
            for (int n = Integer.parseInt(line); n > 0; n--) {
                once(message);
            }
            System.out.println(thread.getCurrentThreadCpuTime() - started);
        }
    }
}
