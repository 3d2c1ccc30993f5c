package dk.hjemmel.interop;

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import org.apache.wss4j.common.ext.WSSecurityException;
import org.apache.wss4j.dom.WSConstants;
import org.apache.wss4j.dom.WSDocInfo;
import org.apache.wss4j.dom.callback.DOMCallbackLookup;
import org.apache.wss4j.dom.engine.WSSConfig;
import org.apache.wss4j.dom.transform.STRTransform;
import org.apache.xml.security.c14n.Canonicalizer;
import org.w3c.dom.Attr;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NamedNodeMap;
import org.w3c.dom.Node;
import org.w3c.dom.NodeList;

/**
 * Verdicts on many signed messages, or many canonical forms, in one process.
 *
 * <pre>
 *   Differential messages    one line each: FILE tab KIND tab ISSUER.pem tab HOLDER.pem tab yes|no (ask WSS4J too)
 *                            answers: FILE tab Santuario's verdict tab WSS4J's verdict or -
 *   Differential canonical   one line each: as `signed_cases` writes canonical.tsv; answers the lines that differ
 * </pre>
 *
 * Lines come on standard input. Santuario says whether digests and signatures hold by the keys given, and nothing else: it
 * finds elements by any id and asks no profile. WSS4J is asked as a receiver asks it, without the Basic Security Profile,
 * trust being the certificates given.
 */
public final class Differential {
    private static final String SAML = "urn:oasis:names:tc:SAML:2.0:assertion";
    private static final String EXCLUSIVE = Canonicalizer.ALGO_ID_C14N_EXCL_OMIT_COMMENTS;
    private static final Map<String, String> DIGESTS = Map.of("http://www.w3.org/2001/04/xmlenc#sha256", "SHA-256",
            "http://www.w3.org/2001/04/xmldsig-more#sha384", "SHA-384", "http://www.w3.org/2001/04/xmlenc#sha512", "SHA-512");
    private static final Map<String, X509Certificate> CERTIFICATES = new ConcurrentHashMap<>();

    private Differential() {
    }

    public static void main(String[] arguments) throws Exception {
        WSSConfig.init();
        List<String> lines = new ArrayList<>();
        try (BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            input.lines().forEach(lines::add);
        }
        boolean canonical = arguments.length == 1 && arguments[0].equals("canonical");
        lines.parallelStream().map(line -> canonical ? canonical(line) : message(line)).forEach(Differential::say);
    }

    private static synchronized void say(String line) {
        if (!line.isEmpty()) {
            System.out.println(line);
        }
    }

    // ---- canonical forms ---------------------------------------------------------------------------------------------

    private static String canonical(String line) {
        try {
            String[] fields = line.split("\t");
            Document document = Judge.parse(new String(Base64.getDecoder().decode(fields[0]), StandardCharsets.UTF_8));
            NodeList elements = document.getElementsByTagName("*");
            for (int i = 1; i < fields.length; i++) {
                String[] form = fields[i].split(":");
                byte[] bytes = bytes((Element) elements.item(Integer.parseInt(form[0])), form[1]);
                String hash = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
                if (!hash.equals(form[2])) {
                    return "DIFFERS " + fields[i] + " " + fields[0] + " " + new String(bytes, StandardCharsets.UTF_8);
                }
            }
            return "";
        } catch (Exception error) {
            return "DIFFERS " + error + " " + line;
        }
    }

    private static byte[] bytes(Element apex, String prefixes) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Canonicalizer.getInstance(EXCLUSIVE).canonicalizeSubtree(apex, prefixes, out);
        return out.toByteArray();
    }

    // ---- messages ----------------------------------------------------------------------------------------------------

    private static String message(String line) {
        String[] fields = line.split("\t");
        String file = fields[0];
        boolean request = fields[1].equals("request");
        String santuario = verdict(() -> santuario(file, fields[1], fields[2], fields[3]));
        String wss4j = "-";
        if (fields[4].equals("yes")) {
            Judge judge = new Judge(request, false);
            wss4j = verdict(() -> {
                judge.trust(Path.of(request ? fields[2] : fields[3]));
                judge.signatures(text(file));
            });
        }
        return file + "\t" + santuario + "\t" + wss4j;
    }

    private interface Check {
        void run() throws Exception;
    }

    private static String verdict(Check check) {
        try {
            check.run();
            return "valid";
        } catch (Exception | StackOverflowError error) {
            String kind = error instanceof WSSecurityException fault ? fault.getErrorCode() + ": " : "";
            return "invalid: " + (kind + error).replaceAll("\\s+", " ");
        }
    }

    private static String text(String file) throws Exception {
        String text = Files.readString(Path.of(file), StandardCharsets.UTF_8);
        return text.startsWith("\uFEFF") ? text.substring(1) : text;
    }

    private static X509Certificate certificate(String file) {
        return CERTIFICATES.computeIfAbsent(file, name -> {
            try (InputStream pem = Files.newInputStream(Path.of(name))) {
                return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(pem);
            } catch (Exception error) {
                throw new IllegalArgumentException(error);
            }
        });
    }

    private static void santuario(String file, String kind, String issuer, String holder) throws Exception {
        Document document = Judge.parse(text(file));
        switch (kind) {
            case "metadata" -> issued(document, document.getDocumentElement(), issuer);
            case "assertion" -> issued(document, first(document, SAML, "Assertion"), issuer);
            default -> {
                Element security = first(document, WSConstants.WSSE_NS, "Security");
                holds(signature(security), certificate(holder), document);
                if (kind.equals("request")) {
                    issued(document, Judge.child(security, SAML, "Assertion"), issuer);
                }
            }
        }
    }

    /** The signer of what was issued is known beforehand, so what its KeyInfo says is no matter. Asked last: it is taken away. */
    private static void issued(Document document, Element signed, String issuer) throws Exception {
        Element signature = signature(signed);
        for (Node child = signature.getLastChild(); child != null; child = signature.getLastChild()) {
            if (child instanceof Element element && !element.getLocalName().equals("KeyInfo")) {
                break;
            }
            signature.removeChild(child);
        }
        holds(signature, certificate(issuer), document);
    }

    private static Element first(Document document, String namespace, String name) throws Exception {
        Element found = (Element) document.getElementsByTagNameNS(namespace, name).item(0);
        if (found == null) {
            throw new IllegalArgumentException("no " + name);
        }
        return found;
    }

    private static Element signature(Element parent) throws Exception {
        return Judge.child(parent, XMLSignature.XMLNS, "Signature");
    }

    private static void holds(Element signature, X509Certificate signer, Document document) throws Exception {
        DOMValidateContext context = new DOMValidateContext(signer.getPublicKey(), signature);
        context.setProperty("org.apache.jcp.xml.dsig.secureValidation", Boolean.FALSE);
        WSDocInfo info = new WSDocInfo(document);
        info.setCallbackLookup(new DOMCallbackLookup(document));
        context.setProperty(STRTransform.TRANSFORM_WS_DOC_INFO, info);
        NodeList elements = document.getElementsByTagName("*");
        for (int i = 0; i < elements.getLength(); i++) {
            NamedNodeMap attributes = elements.item(i).getAttributes();
            for (int j = 0; j < attributes.getLength(); j++) {
                Attr attribute = (Attr) attributes.item(j);
                if (attribute.getLocalName().equalsIgnoreCase("id")) {
                    context.setIdAttributeNS((Element) elements.item(i), attribute.getNamespaceURI(), attribute.getLocalName());
                }
            }
        }
        XMLSignature read = XMLSignatureFactory.getInstance("DOM", "ApacheXMLDSig").unmarshalXMLSignature(context);
        if (!read.getSignatureValue().validate(context)) {
            throw new IllegalStateException("signature");
        }
        NodeList written = signature.getElementsByTagNameNS(XMLSignature.XMLNS, "Reference");
        int n = 0;
        for (Object each : read.getSignedInfo().getReferences()) {
            Reference reference = (Reference) each;
            if (!holds(reference, (Element) written.item(n++), context, document)) {
                throw new IllegalStateException("digest of " + reference.getURI());
            }
        }
    }

    /** A token behind an STR-Transform has two canonical forms: that of WSS4J's transform, and what the transform says. */
    private static boolean holds(Reference reference, Element written, DOMValidateContext context, Document document) throws Exception {
        if (reference.validate(context)) {
            return true;
        }
        String digest = DIGESTS.get(reference.getDigestMethod().getAlgorithm());
        if (digest == null || !((Transform) reference.getTransforms().get(0)).getAlgorithm().equals(STRTransform.TRANSFORM_URI)) {
            return false;
        }
        Element inclusive = (Element) written.getElementsByTagNameNS(EXCLUSIVE, "InclusiveNamespaces").item(0);
        byte[] bytes = bytes(first(document, SAML, "Assertion"), inclusive == null ? "" : inclusive.getAttribute("PrefixList"));
        return MessageDigest.isEqual(MessageDigest.getInstance(digest).digest(bytes), reference.getDigestValue());
    }
}
