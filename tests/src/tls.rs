//! TLS for the face with a socket, as AWS's own endpoints have it.
//!
//! Knows: a certificate with its chain and its key, both in one PEM file. Must not know: who made them.

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Accepts TLS 1.2 and 1.3 with the certificate in that file; its chain follows it there, and its key stands anywhere.
///
/// Errors: what is wrong with the file, for people.
pub fn acceptor(file: &Path) -> Result<TlsAcceptor, String> {
    let problem = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let chain = CertificateDer::pem_file_iter(file).map_err(|error| problem(&error))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|error| problem(&error))?;
    let key = PrivateKeyDer::from_pem_file(file).map_err(|error| problem(&error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| problem(&error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
