//! Whom a TLS connection trusts, and who we say we are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, Kind};

/// Files of a TLS connection.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Certificates of the authorities that are trusted, PEM; the public ones unless told.
    pub ca: Option<PathBuf>,
    /// Our own certificate and its key, PEM.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl Tls {
    /// The settings of a TLS client.
    ///
    /// # Errors
    /// [`Kind::Usage`] when a file cannot be read, or is not what it should be.
    pub(super) fn client(&self) -> Result<ClientConfig, Error> {
        let bug = |why: rustls::Error| Error::new(Kind::Internal, format!("no TLS: {why}"));
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(bug)?
            .with_root_certificates(self.roots()?);
        let Some((certificate, key)) = &self.client else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = certificates(certificate)?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(|why| wrong(key, "private key", &why))?;
        builder.with_client_auth_cert(chain, private).map_err(|why| {
            let text = format!(
                "`{}` and `{}` make no client certificate: {why}",
                certificate.display(),
                key.display()
            );
            Error::new(Kind::Usage, text)
        })
    }

    fn roots(&self) -> Result<RootCertStore, Error> {
        let Some(ca) = &self.ca else {
            return Ok(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect());
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(ca)? {
            roots
                .add(certificate)
                .map_err(|why| wrong(ca, "certificate", &why))?;
        }
        Ok(roots)
    }

    /// The certificates of the authorities that are trusted; nothing where those are the public ones.
    ///
    /// # Errors
    /// As [`Tls::client`].
    pub(super) fn authorities(&self) -> Result<Option<Vec<CertificateDer<'static>>>, Error> {
        // What is wrong with one of them is told here, and not ignored later.
        self.roots()?;
        self.ca.as_deref().map(certificates).transpose()
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|why| wrong(file, "certificate", &why))?;
    match found.is_empty() {
        true => Err(wrong(file, "certificate", &"nothing in it says that it is one")),
        false => Ok(found),
    }
}

fn wrong(file: &Path, what: &str, why: &dyn std::fmt::Display) -> Error {
    Error::new(
        Kind::Usage,
        format!("cannot read a {what} in `{}`: {why}", file.display()),
    )
}
