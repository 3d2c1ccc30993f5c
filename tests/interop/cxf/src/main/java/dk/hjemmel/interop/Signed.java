package dk.hjemmel.interop;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.xml.soap.SOAPMessage;
import org.apache.cxf.binding.soap.SoapBinding;
import org.apache.cxf.binding.soap.SoapMessage;
import org.apache.cxf.binding.soap.interceptor.AbstractSoapInterceptor;
import org.apache.cxf.binding.soap.saaj.SAAJOutInterceptor;
import org.apache.cxf.endpoint.Client;
import org.apache.cxf.interceptor.Fault;
import org.apache.cxf.phase.Phase;
import org.apache.cxf.ws.security.wss4j.CryptoCoverageChecker;
import org.apache.cxf.ws.security.wss4j.CryptoCoverageChecker.XPathExpression;
import org.apache.cxf.ws.security.wss4j.CryptoCoverageUtil.CoverageType;
import org.apache.cxf.ws.security.wss4j.WSS4JInInterceptor;
import org.apache.wss4j.common.WSEncryptionPart;
import org.apache.wss4j.common.crypto.Crypto;
import org.apache.wss4j.common.ext.WSSecurityException;
import org.apache.wss4j.dom.WSConstants;
import org.apache.wss4j.dom.handler.RequestData;
import org.apache.wss4j.dom.message.WSSecHeader;
import org.apache.wss4j.dom.message.WSSecSignature;
import org.apache.wss4j.dom.message.WSSecTimestamp;
import org.apache.wss4j.common.token.SecurityTokenReference;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/**
 * Signs what a CXF client sends and verifies what it gets, as OIO IDWS has it.
 *
 * <p>With a token: the assertion goes into Security as it is, and the message is signed with the key that it names; KeyInfo
 * refers to the assertion, and the signature covers it through an STR-Transform. Without: the certificate goes along as a
 * BinarySecurityToken, signed too (the call to the STS). Both sign Body, Timestamp and every WS-Addressing header.
 */
final class Signed extends AbstractSoapInterceptor {
    private static final String WSA = "http://www.w3.org/2005/08/addressing";
    private static final int LIFETIME_SECONDS = 300;

    private static final String REFERENCE_ID = "token-reference";

    private final Keys keys;
    private final Element token;

    private Signed(Keys keys, Element token) {
        super(Phase.POST_PROTOCOL);
        this.keys = keys;
        this.token = token;
    }

    /** Makes the client sign (with `token`, or with the certificate where it is null) and accept only answers of `peer`. */
    static void wire(Client client, Keys keys, Element token, Crypto peer) {
        client.getOutInterceptors().add(new SAAJOutInterceptor());
        client.getOutInterceptors().add(new Signed(keys, token));
        WSS4JInInterceptor verify = new WSS4JInInterceptor() {
            @Override
            protected Crypto loadCrypto(String file, String id, RequestData data) {
                return peer;
            }
        };
        verify.setProperty("action", "Timestamp Signature");
        // Only named so that loadCrypto above is asked.
        verify.setProperty("signatureVerificationPropRefId", "peer");
        String soap = client.getEndpoint().getBinding() instanceof SoapBinding bound ? bound.getSoapVersion().getNamespace() : "";
        CryptoCoverageChecker covered = new CryptoCoverageChecker();
        covered.setPrefixes(Map.of("s", soap, "wsa", WSA, "wsu", WSConstants.WSU_NS));
        covered.setXPaths(List.of("/s:Envelope/s:Body", "/s:Envelope/s:Header/wsa:*", "//wsu:Timestamp").stream()
                .map(path -> new XPathExpression(path, CoverageType.SIGNED)).toList());
        // A fault that comes before the caller is proven is unsigned by design; it tells what to mend and releases nothing.
        covered.setCheckFaults(false);
        client.getInInterceptors().add(verify);
        client.getInInterceptors().add(covered);
        client.getInFaultInterceptors().add(verify);
        client.getInFaultInterceptors().add(covered);
    }

    @Override
    public void handleMessage(SoapMessage message) throws Fault {
        try {
            sign(message.getContent(SOAPMessage.class).getSOAPPart());
        } catch (WSSecurityException error) {
            throw new Fault(error);
        }
    }

    private void sign(Document envelope) throws WSSecurityException {
        WSSecHeader security = new WSSecHeader(envelope);
        security.insertSecurityHeader();
        WSSecTimestamp timestamp = new WSSecTimestamp(security);
        timestamp.setTimeToLive(LIFETIME_SECONDS);
        timestamp.build();

        WSSecSignature signature = new WSSecSignature(security);
        signature.setUserInfo(Keys.ALIAS, Keys.PASSWORD);
        signature.setSignatureAlgorithm(WSConstants.RSA_SHA256);
        signature.setDigestAlgo(WSConstants.SHA256);
        signature.setSigCanonicalization(WSConstants.C14N_EXCL_OMIT_COMMENTS);
        if (token == null) {
            signature.setKeyIdentifierType(WSConstants.BST_DIRECT_REFERENCE);
        } else {
            // The document behind SAAJ's wrapper, which is the one that WSS4J writes to.
            Element header = security.getSecurityHeaderElement();
            Element assertion = (Element) header.getOwnerDocument().importNode(token, true);
            header.appendChild(assertion);
            header.appendChild(reference(header.getOwnerDocument(), assertion.getAttribute("ID")));
            signature.setCustomTokenId(assertion.getAttribute("ID"));
            signature.setCustomTokenValueType(WSConstants.WSS_SAML2_KI_VALUE_TYPE);
            signature.setKeyIdentifierType(WSConstants.CUSTOM_KEY_IDENTIFIER);
        }
        signature.prepare(keys.crypto());

        List<WSEncryptionPart> parts = new ArrayList<>();
        Element root = envelope.getDocumentElement();
        parts.add(new WSEncryptionPart("Body", root.getNamespaceURI(), "Element"));
        parts.add(new WSEncryptionPart("Timestamp", WSConstants.WSU_NS, "Element"));
        for (String header : List.of("Action", "MessageID", "To", "ReplyTo")) {
            parts.add(new WSEncryptionPart(header, WSA, "Element"));
        }
        if (token == null) {
            signature.prependBSTElementToHeader();
            parts.add(new WSEncryptionPart(signature.getBSTTokenId()));
        } else {
            parts.add(new WSEncryptionPart("STRTransform", WSConstants.WSSE_NS, "Element"));
            parts.get(parts.size() - 1).setId(REFERENCE_ID);
        }
        signature.computeSignature(signature.addReferencesToSign(parts), false, null);
    }

    /** The SecurityTokenReference that the profile wants beside the assertion, for the STR-Transform to follow. */
    private static Element reference(Document document, String assertion) throws WSSecurityException {
        SecurityTokenReference reference = new SecurityTokenReference(document);
        reference.addWSSENamespace();
        reference.addWSUNamespace();
        reference.addTokenType(WSConstants.WSS_SAML2_TOKEN_TYPE);
        reference.setKeyIdentifier(WSConstants.WSS_SAML2_KI_VALUE_TYPE, assertion);
        reference.setID(REFERENCE_ID);
        reference.getElement().setIdAttributeNS(WSConstants.WSU_NS, "Id", true);
        return reference.getElement();
    }
}
