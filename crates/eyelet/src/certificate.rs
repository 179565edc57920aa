//! Certificates: those that are given, looked at, and one of our own.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::{Config, Secret, Tls};
use crate::error::{Error, Result};

/// What we keep our own certificate in, and its key.
const OWN: &str = "certificate.pem";
const OWN_KEY: &str = "key.pem";

/// Makes what connections are begun with.
///
/// # Errors
/// If there is no certificate or no key in what was given, or they do not belong together.
pub(crate) fn server_config(tls: &Tls) -> Result<Arc<ServerConfig>> {
    let Tls::Given { certificate, key } = tls else {
        return Err(Error::failed("the certificate was not made yet"));
    };
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(certificate.as_bytes())
            .collect::<std::result::Result<_, _>>()
            .map_err(|e| Error::usage(format!("holds no certificate in PEM: {e}")))?;
    if chain.is_empty() {
        return Err(Error::usage(
            "holds no certificate in PEM: it begins with -----BEGIN CERTIFICATE",
        ));
    }
    let key = PrivateKeyDer::from_pem_slice(key.0.as_bytes()).map_err(|_| {
        Error::usage(
            "its key is none in PEM, or needs a password: it begins with -----BEGIN PRIVATE KEY",
        )
    })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|e| Error::usage(format!("the certificate and the key make no pair: {e}")))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Puts our own certificate where one is wanted, and makes it if there is none yet.
///
/// # Errors
/// If it cannot be read or written.
pub(crate) fn have_own(mut config: Config) -> Result<Config> {
    if config.tls == Some(Tls::SelfSigned) {
        config.tls = Some(own(&folder()?)?);
    }
    Ok(config)
}

fn folder() -> Result<PathBuf> {
    let of = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let state = || of("XDG_STATE_HOME").or_else(|| Some(of("HOME")?.join(".local/state")));
    of("STATE_DIRECTORY").or_else(|| Some(state()?.join("eyelet"))).ok_or_else(|| {
        Error::usage("there is no place to keep a certificate: set STATE_DIRECTORY or HOME")
    })
}

fn own(folder: &Path) -> Result<Tls> {
    let (certificate, key) = (folder.join(OWN), folder.join(OWN_KEY));
    let failed = |e: std::io::Error| {
        Error::failed(format!("failed to keep a certificate in `{}`: {e}", folder.display()))
    };
    if !(certificate.exists() && key.exists()) {
        make(folder, &certificate, &key).map_err(failed)?;
    }
    let tls = Tls::Given {
        certificate: fs::read_to_string(&certificate).map_err(failed)?,
        key: Secret(fs::read_to_string(&key).map_err(failed)?),
    };
    server_config(&tls).map_err(|e| {
        Error::usage(format!(
            "`{}` {e}; take both files away to have others",
            certificate.display()
        ))
    })?;
    log::info!("the certificate's SHA-256 is {}", fingerprint(&tls).unwrap_or_default());
    Ok(tls)
}

/// What a person compares with what the browser shows.
fn fingerprint(tls: &Tls) -> Option<String> {
    let Tls::Given { certificate, .. } = tls else { return None };
    let first = CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?;
    let pairs = digest(&SHA256, &first)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect::<Vec<_>>();
    Some(pairs.join(":"))
}

fn make(folder: &Path, certificate: &Path, key: &Path) -> std::io::Result<()> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let label = host.split('.').next().unwrap_or_default().to_owned();
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let is_name = |name: &String| !name.is_empty() && name.is_ascii();
    names.extend([format!("{label}.local"), label, host].into_iter().filter(is_name));
    let own = if_addrs::get_if_addrs().unwrap_or_default();
    names.extend(
        own.iter().filter(|i| !i.is_loopback()).map(|interface| interface.ip().to_string()),
    );
    names.sort();
    names.dedup();
    let made = rcgen::generate_simple_self_signed(names).map_err(std::io::Error::other)?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // The key first: where that fails there is no certificate without one.
    write(key, &made.signing_key.serialize_pem(), 0o600)?;
    write(certificate, &made.cert.pem(), 0o644)
}

fn write(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    fs::remove_file(&new).ok();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn our_own_is_made_once_and_its_key_is_for_our_eyes() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("state");
        let first = own(&folder).unwrap();
        assert_eq!(own(&folder).unwrap(), first);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join(OWN_KEY))), (0o700, 0o600));
        assert_eq!(fingerprint(&first).unwrap().len(), 32 * 3 - 1);
        assert!(!format!("{first:?}").contains("PRIVATE"));
    }

    #[test]
    fn what_is_no_pair_is_told() {
        let tls = |certificate: &str, key: &str| Tls::Given {
            certificate: certificate.to_owned(),
            key: Secret(key.to_owned()),
        };
        let folder = tempfile::tempdir().unwrap();
        let Tls::Given { certificate, key } = own(&folder.path().join("a")).unwrap() else {
            panic!()
        };
        let Tls::Given { key: other, .. } = own(&folder.path().join("b")).unwrap() else {
            panic!()
        };
        for (tls, needle) in [
            (tls("", &key.0), "no certificate"),
            (tls("-----BEGIN CERTIFICATE-----\nx", &key.0), "no certificate"),
            (tls(&certificate, ""), "its key is none"),
            (tls(&certificate, &other.0), "no pair"),
            (Tls::SelfSigned, "not made"),
        ] {
            let error = server_config(&tls).unwrap_err().to_string();
            assert!(error.contains(needle), "{error}");
        }
    }
}
