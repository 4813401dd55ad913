//! Which servers' certificates are believed: the roots that they must chain to, and, where the
//! operator pinned keys, that the server's own key is one of them. A pin is checked in addition to
//! the chain and the name, never instead.

use super::cause::Cause;
use super::transport::LinkError;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The roots that a server's certificate must chain to.
#[derive(Debug, Clone, Default)]
pub enum Roots {
    /// Mozilla's, as they were bundled with this build.
    #[default]
    Bundled,
    /// The operator's own, and no others.
    Own(Arc<RootCertStore>),
}

/// A file of roots cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the file of roots {path} cannot be used: {why}")]
pub struct BadRoots {
    path: String,
    why: String,
}

impl Roots {
    /// Reads a PEM file of certificates.
    ///
    /// # Errors
    /// The file cannot be read, holds no certificate, or one that is no root.
    pub fn read(path: &Path) -> Result<Self, BadRoots> {
        let bad = |why: String| BadRoots {
            path: path.display().to_string(),
            why,
        };
        let mut roots = RootCertStore::empty();
        let certificates =
            CertificateDer::pem_file_iter(path).map_err(|error| bad(error.to_string()))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| bad(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| bad(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(bad("it holds no certificate".to_owned()));
        }
        Ok(Self::Own(Arc::new(roots)))
    }

    /// The certificates themselves.
    #[must_use]
    pub fn store(&self) -> Arc<RootCertStore> {
        match self {
            Self::Bundled => Arc::new(RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            }),
            Self::Own(roots) => Arc::clone(roots),
        }
    }
}

/// The SHA-256 of the `SubjectPublicKeyInfo` of a certificate that a server may show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin(pub [u8; 32]);

/// As hexadecimal digits.
impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// How TLS is spoken to a server with these pins; without any its chain and name decide.
pub(super) fn client(roots: &Roots, pins: &[Pin]) -> Result<Arc<ClientConfig>, LinkError> {
    let broken = |error: &dyn fmt::Display| LinkError::Tls {
        cause: Cause::Tls,
        why: format!("TLS cannot be set up: {error}"),
    };
    let provider: Arc<CryptoProvider> = Arc::new(rustls::crypto::ring::default_provider());
    let chain = WebPkiServerVerifier::builder_with_provider(roots.store(), Arc::clone(&provider))
        .build()
        .map_err(|error| broken(&error))?;
    let pinned = Pinned {
        chain,
        pins: pins.to_vec(),
    };
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| broken(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pinned))
        .with_no_client_auth();
    Ok(Arc::new(client))
}

/// What went wrong in a TLS handshake, where that is what this is.
pub(super) fn failure(error: &std::io::Error) -> Option<LinkError> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    let (cause, why) = match error {
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => (Cause::CertificateName, error.to_string()),
        Error::InvalidCertificate(CertificateError::Other(OtherError(other))) => {
            match other.downcast_ref::<WrongKey>() {
                Some(wrong) => (Cause::CertificatePin, wrong.to_string()),
                None => (Cause::Certificate, error.to_string()),
            }
        }
        Error::InvalidCertificate(_) => (Cause::Certificate, error.to_string()),
        _ => (Cause::Tls, error.to_string()),
    };
    Some(LinkError::Tls { cause, why })
}

/// The server's key is none of those that were pinned.
#[derive(Debug, thiserror::Error)]
#[error("the server's key has SHA-256 {0}, which is not pinned")]
struct WrongKey(Pin);

/// Believes what the chain of trust believes, where the key is one of the pinned.
#[derive(Debug)]
struct Pinned {
    chain: Arc<WebPkiServerVerifier>,
    pins: Vec<Pin>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.chain.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        if self.pins.is_empty() {
            return Ok(verified);
        }
        let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        let shown = Pin(Sha256::digest(key.as_ref()).into());
        if self.pins.contains(&shown) {
            return Ok(verified);
        }
        let wrong = OtherError(Arc::new(WrongKey(shown)));
        Err(Error::InvalidCertificate(CertificateError::Other(wrong)))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
