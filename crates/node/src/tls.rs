//! TLS for clients: a certificate and its key, as files that may change while the node runs.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use sha2::{Digest, Sha256};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig, crypto,
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{self, PemObject},
        },
    },
};

/// What is spoken over it. The node has no HTTP/2.
const PROTOCOL: &[u8] = b"http/1.1";

/// A certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("{flag} {}: {source}", path.display())]
    Read {
        flag: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("--tls-cert {}: no certificate in it: give a file in PEM, the server's own certificate first", path.display())]
    NoCertificate { path: PathBuf },
    #[error("--tls-key {}: no private key in it: give a file in PEM (PKCS #8, PKCS #1 or SEC 1), not encrypted", path.display())]
    NoKey { path: PathBuf },
    #[error("{flag} {}: not PEM: {source}", path.display())]
    NotPem {
        flag: &'static str,
        path: PathBuf,
        source: pem::Error,
    },
    #[error("--tls-key {}: it is the key of another certificate than --tls-cert {}", key.display(), certificate.display())]
    NotAPair { certificate: PathBuf, key: PathBuf },
    #[error("--tls-cert {} and --tls-key {}: {source}", certificate.display(), key.display())]
    Unusable {
        certificate: PathBuf,
        key: PathBuf,
        source: rustls::Error,
    },
}

/// Where a certificate and its key are.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// How the node proves to clients who it is. Connections keep what they began with; clones share what is used for new ones.
#[derive(Clone)]
pub(crate) struct Tls {
    files: TlsFiles,
    used: Arc<RwLock<Used>>,
}

/// A certificate with its key, ready for use.
struct Used {
    read: Contents,
    config: Arc<ServerConfig>,
    fingerprint: String,
}

/// What is in the files.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Tls {
    /// Reads the files.
    pub(crate) fn read(files: TlsFiles) -> Result<Self, TlsError> {
        let used = Arc::new(RwLock::new(files.contents()?.prepare(&files)?));
        Ok(Self { files, used })
    }

    /// Reads the files again and uses what is in them for new connections; tells whether that is something else than before.
    /// What cannot be used changes nothing.
    pub(crate) fn read_again(&self) -> Result<bool, TlsError> {
        let contents = self.files.contents()?;
        if self.used.read().unwrap_or_else(PoisonError::into_inner).read == contents {
            return Ok(false);
        }
        let used = contents.prepare(&self.files)?;
        *self.used.write().unwrap_or_else(PoisonError::into_inner) = used;
        Ok(true)
    }

    /// For a connection that begins now.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let used = self.used.read().unwrap_or_else(PoisonError::into_inner);
        used.config.clone().into()
    }

    /// The SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` shows it.
    pub(crate) fn fingerprint(&self) -> String {
        let used = self.used.read().unwrap_or_else(PoisonError::into_inner);
        used.fingerprint.clone()
    }
}

impl TlsFiles {
    fn contents(&self) -> Result<Contents, TlsError> {
        let read = |flag, path: &Path| {
            fs::read(path).map_err(|source| TlsError::Read {
                flag,
                path: path.to_owned(),
                source,
            })
        };
        Ok(Contents {
            certificate: read("--tls-cert", &self.certificate)?,
            key: read("--tls-key", &self.key)?,
        })
    }
}

impl Contents {
    fn prepare(self, TlsFiles { certificate, key }: &TlsFiles) -> Result<Used, TlsError> {
        let chain = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| TlsError::NotPem {
                flag: "--tls-cert",
                path: certificate.clone(),
                source,
            })?;
        let Some(first) = chain.first() else {
            return Err(TlsError::NoCertificate {
                path: certificate.clone(),
            });
        };
        let fingerprint = fingerprint(first);
        let private_key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|source| match source {
            pem::Error::NoItemsFound => TlsError::NoKey { path: key.clone() },
            source => TlsError::NotPem {
                flag: "--tls-key",
                path: key.clone(),
                source,
            },
        })?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map(ServerConfigBuilder::with_no_client_auth)
            .and_then(|builder| builder.with_single_cert(chain, private_key))
            .map_err(|source| match source {
                rustls::Error::InconsistentKeys(_) => TlsError::NotAPair {
                    certificate: certificate.clone(),
                    key: key.clone(),
                },
                source => TlsError::Unusable {
                    certificate: certificate.clone(),
                    key: key.clone(),
                    source,
                },
            })?;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Used {
            read: self,
            config: Arc::new(config),
            fingerprint,
        })
    }
}

type ServerConfigBuilder = rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>;

fn fingerprint(certificate: &[u8]) -> String {
    let digest = Sha256::digest(certificate);
    let bytes: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(certificate: &str, key: &str) -> String {
        let contents = Contents {
            certificate: certificate.into(),
            key: key.into(),
        };
        let files = TlsFiles {
            certificate: "a.crt".into(),
            key: "a.key".into(),
        };
        contents.prepare(&files).err().unwrap().to_string()
    }

    #[test]
    fn what_cannot_be_used_is_told_with_its_flag() {
        const NOTHING: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (certificate, key, expected) in [
            ("", "", "--tls-cert a.crt: no certificate in it"),
            ("hello", "", "--tls-cert a.crt: no certificate in it"),
            (NOTHING, "", "--tls-key a.key: no private key in it"),
            (NOTHING, NOTHING, "--tls-key a.key: no private key in it"),
        ] {
            let error = error(certificate, key);
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn files_that_are_not_there_are_named() {
        let missing = TlsFiles {
            certificate: "/does/not/exist.crt".into(),
            key: "/does/not/exist.key".into(),
        };
        let error = Tls::read(missing).err().unwrap().to_string();
        assert!(error.starts_with("--tls-cert /does/not/exist.crt: "), "{error}");
    }
}
