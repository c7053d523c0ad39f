//! Whom registries are believed by, and what is shown to them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use menshen_config::document::FilePath;
use menshen_config::quantity::Secret;
use menshen_config::{Path, Problems, Span};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::files::Files;

/// The roots of certificates that are believed, and a number that differs where the roots do.
#[derive(Clone, Debug)]
pub struct Roots {
    /// The roots.
    pub store: Arc<RootCertStore>,
    /// The number.
    pub fingerprint: u64,
}

impl Roots {
    /// Those in a PEM file, else those of the system.
    ///
    /// # Errors
    /// Why there are none, for people.
    pub fn of(ca: Option<&FilePath>, files: &Files) -> Result<Self, String> {
        let Some(file) = ca else {
            let found = crate::compile::system_roots(Span::default(), &Path::root(), &mut Problems::new());
            let store =
                found.ok_or("this system has no certificates of authorities; name a file with `ca`")?;
            return Ok(Self { store, fingerprint: 0 });
        };
        let bytes = files.read_named(&file.0)?;
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&bytes) {
            let added =
                certificate.map_err(|e| e.to_string()).and_then(|c| store.add(c).map_err(|e| e.to_string()));
            added.map_err(|why| format!("{file}: {why}"))?;
        }
        if store.is_empty() {
            return Err(format!("{file}: there is no certificate in it"));
        }
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Ok(Self { store: Arc::new(store), fingerprint: hasher.finish() })
    }
}

/// A secret, from where it is kept.
///
/// # Errors
/// Why it is not there, for people.
pub fn secret(place: &Secret) -> Result<String, String> {
    let text = match place {
        Secret::Env(name) => std::env::var(&**name).map_err(|_| format!("`{name}` is not set"))?,
        Secret::File(file) => std::fs::read_to_string(&**file).map_err(|e| format!("{file}: {e}"))?,
    };
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}
