package dk.hjemmel.interop;

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.apache.wss4j.common.crypto.Crypto;
import org.apache.wss4j.common.crypto.Merlin;

/** The system's certificate and key, from PEM files. */
record Keys(Crypto crypto, X509Certificate certificate) {
    static final String ALIAS = "system";
    static final String PASSWORD = "in memory only";

    static Keys of(Path certificate, Path key) throws Exception {
        return new Keys(crypto(store(certificate, key)), certificates(certificate).get(0));
    }

    private static KeyStore store(Path certificate, Path key) throws Exception {
        List<X509Certificate> chain = certificates(certificate);
        String pem = Files.readString(key).replaceAll("-----[^-]+-----|\\s", "");
        KeyStore store = empty();
        store.setKeyEntry(ALIAS, KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem))),
                PASSWORD.toCharArray(), chain.toArray(Certificate[]::new));
        return store;
    }

    /** What verifies signatures of exactly this certificate. */
    static Crypto pinned(Path certificate) throws Exception {
        KeyStore store = empty();
        store.setCertificateEntry("peer", certificates(certificate).get(0));
        return crypto(store);
    }

    /** TLS that trusts exactly these authorities. */
    static SSLContext tls(Path roots) throws Exception {
        return tls(roots, null);
    }

    /** The same, where this certificate is shown. */
    static SSLContext tls(Path roots, Path certificate, Path key) throws Exception {
        KeyManagerFactory own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        own.init(store(certificate, key), PASSWORD.toCharArray());
        return tls(roots, own);
    }

    private static SSLContext tls(Path roots, KeyManagerFactory own) throws Exception {
        KeyStore store = empty();
        for (X509Certificate root : certificates(roots)) {
            store.setCertificateEntry(root.getSubjectX500Principal().getName(), root);
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(own == null ? null : own.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    private static Crypto crypto(KeyStore store) {
        Merlin merlin = new Merlin();
        merlin.setKeyStore(store);
        return merlin;
    }

    private static KeyStore empty() throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }

    private static List<X509Certificate> certificates(Path pem) throws Exception {
        try (InputStream file = Files.newInputStream(pem)) {
            return CertificateFactory.getInstance("X.509").generateCertificates(file).stream().map(X509Certificate.class::cast).toList();
        }
    }
}
