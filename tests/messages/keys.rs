//! Certificates and keys of the kinds that are met. The fixtures are certificates only; their private keys were thrown away.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use hjemmel::signature::algorithms::SignatureAlgorithm;
use hjemmel::signature::key::{Certificate, KeyError, SigningKey};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer};

use crate::forge::{CLIENT, STRANGER};

#[test]
fn a_certificate_signed_with_pss_is_like_any_other_but_a_key_for_pss_alone_is_not() {
    let oces3 = Certificate::from_der(include_bytes!("fixtures/rsa-key-pss-signed.der")).unwrap();
    assert!(oces3.subject().contains("PSS chain"));
    let refused = |der: &[u8]| Certificate::from_der(der).unwrap_err();
    assert_eq!(refused(include_bytes!("fixtures/pss-only-key.der")), KeyError::PssOnly);
    assert_eq!(refused(include_bytes!("fixtures/rsa-1024.der")), KeyError::KeyRejected, "a short key verifies nothing");
    assert_eq!(refused(b"0"), KeyError::NotCertificate);
    let with_more = [CLIENT.certificate.der(), b"x"].concat();
    assert_eq!(refused(&with_more), KeyError::NotCertificate, "nothing may stand behind the certificate");
}

#[test]
fn an_rsa_key_is_read_in_both_forms_and_knows_its_certificate() {
    let pair = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let pkcs8 = pair.serialize_der();
    let certificate = rcgen::CertificateParams::default().self_signed(&pair).unwrap();
    let certificate = Certificate::from_der(certificate.der()).unwrap();
    // PKCS#8 of RSA is PKCS#1 behind a header of 26 bytes.
    let forms = [
        PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pkcs8.clone())),
        PrivateKeyDer::from(PrivatePkcs1KeyDer::from(pkcs8[26..].to_vec())),
    ];
    for form in forms {
        let key = SigningKey::from_der(&form).unwrap();
        assert!(key.belongs_to(&certificate));
        assert!(!key.belongs_to(&STRANGER.certificate));
        let signature = key.sign(b"x").unwrap();
        assert!(certificate.key().verifies(SignatureAlgorithm::RsaSha256, b"x", &signature));
        assert!(!certificate.key().verifies(SignatureAlgorithm::RsaSha256, b"y", &signature));
        assert!(!certificate.key().verifies(SignatureAlgorithm::RsaSha384, b"x", &signature));
        assert!(!STRANGER.certificate.key().verifies(SignatureAlgorithm::RsaSha256, b"x", &signature));
    }
    assert_eq!(SigningKey::from_pkcs8_der(b"0").unwrap_err(), KeyError::NotPrivateKey);
    assert_eq!(format!("{:?}", CLIENT.key), "SigningKey", "a key is never printed");
}

#[test]
fn elliptic_signatures_are_read_as_xml_signature_writes_them() {
    let kinds = [
        (&rcgen::PKCS_ECDSA_P256_SHA256, &ECDSA_P256_SHA256_FIXED_SIGNING, SignatureAlgorithm::EcdsaSha256, 64),
        (&rcgen::PKCS_ECDSA_P384_SHA384, &ECDSA_P384_SHA384_FIXED_SIGNING, SignatureAlgorithm::EcdsaSha384, 96),
    ];
    for (kind, signing, algorithm, length) in kinds {
        let pair = rcgen::KeyPair::generate_for(kind).unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&pair).unwrap();
        let certificate = Certificate::from_der(certificate.der()).unwrap();
        let signer = EcdsaKeyPair::from_pkcs8(signing, &pair.serialize_der()).unwrap();
        // Many, so that numbers with leading zeros and with a high first bit occur.
        for n in 0..600_u32 {
            let message = n.to_be_bytes();
            let signature = signer.sign(&SystemRandom::new(), &message).unwrap();
            let signature = signature.as_ref();
            assert_eq!(signature.len(), length);
            assert!(certificate.key().verifies(algorithm, &message, signature), "{n}");
            if n == 0 {
                assert!(!certificate.key().verifies(algorithm, b"other", signature));
                assert!(!certificate.key().verifies(SignatureAlgorithm::RsaSha256, &message, signature));
                assert!(!certificate.key().verifies(algorithm, &message, &signature[1..]));
                assert!(!certificate.key().verifies(algorithm, &message, &vec![0; length]));
                assert!(!certificate.key().verifies(algorithm, &message, &[]));
            }
        }
    }
    assert!(!CLIENT.certificate.key().verifies(SignatureAlgorithm::EcdsaSha256, b"x", &[0; 64]));
}
