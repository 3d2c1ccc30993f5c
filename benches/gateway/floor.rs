//! What a call cannot cost less than: the cryptography that the profile demands, in CPU time of this process.

use std::hint::black_box;

use aws_lc_rs::digest::{SHA256, digest};
use hjemmel::signature::algorithms::SignatureAlgorithm;
use hjemmel::signature::key::{Certificate, SigningKey};
use hjemmel::stub::pki::{DevPki, Role};

use super::process::thread_cpu;
use super::table::median;

/// Costs of one run, in seconds of CPU time. Measured once a round, so that they meet the same machine as the rest.
#[derive(Default)]
pub struct Floor {
    sign: Vec<f64>,
    verify: Vec<f64>,
    sha_byte: Vec<f64>,
    pass_byte: Vec<f64>,
}

impl Floor {
    /// Measures once more: RSA-2048 as the gateway does it, SHA-256 and one event pass of quick-xml over an answer.
    pub fn measure(&mut self, pki: &DevPki, xml: &[u8]) {
        let own = pki.credentials(Role::GatewayClient).unwrap();
        let (key, certificate) = (SigningKey::from_der(own.key()).unwrap(), Certificate::from_der(own.leaf()).unwrap());
        // As long as a SignedInfo with seven references.
        let info = vec![b'x'; 3000];
        let signature = key.sign(&info).unwrap();
        self.sign.push(cost(100, || key.sign(&info).unwrap().len()));
        let verifies = || usize::from(certificate.key().verifies(SignatureAlgorithm::RsaSha256, &info, &signature));
        self.verify.push(cost(1000, verifies));
        let megabyte = xml.repeat(1 + 1_000_000 / xml.len());
        self.sha_byte.push(cost(20, || usize::from(digest(&SHA256, &megabyte).as_ref()[0])) / megabyte.len() as f64);
        self.pass_byte.push(cost(200, || events(xml)) / xml.len() as f64);
    }

    /// One RSA-2048 signature.
    pub fn sign(&self) -> f64 {
        median(&self.sign)
    }
    /// One RSA-2048 verification.
    pub fn verify(&self) -> f64 {
        median(&self.verify)
    }
    /// SHA-256 of so many bytes.
    pub fn sha256(&self, bytes: usize) -> f64 {
        median(&self.sha_byte) * bytes as f64
    }
    /// One event pass of quick-xml over so many bytes.
    pub fn pass(&self, bytes: usize) -> f64 {
        median(&self.pass_byte) * bytes as f64
    }
}

fn cost(times: u32, work: impl Fn() -> usize) -> f64 {
    black_box(work());
    let before = thread_cpu();
    for _ in 0..times {
        black_box(work());
    }
    (thread_cpu() - before) / f64::from(times)
}

fn events(bytes: &[u8]) -> usize {
    let mut reader = quick_xml::Reader::from_reader(bytes);
    let mut seen = 0;
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Eof => return seen,
            _ => seen += 1,
        }
    }
}
