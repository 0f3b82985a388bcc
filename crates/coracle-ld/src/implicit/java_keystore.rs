//! Certificates in Java keystores of the formats JKS and JCEKS. A password protects only their integrity and their private
//! keys, so that certificates can be read without it.
//!
//! Source: `sun/security/provider/JavaKeyStore.java` of OpenJDK, `engineStore`.

const JKS: u32 = 0xfeed_feed;
const JCEKS: u32 = 0xcece_cece;
const PRIVATE_KEY: u32 = 1;
const TRUSTED_CERTIFICATE: u32 = 2;

/// A certificate in a keystore.
pub(super) struct KeystoreCertificate<'a> {
    /// The name of its entry.
    pub(super) alias: &'a [u8],
    /// The certificate, in DER.
    pub(super) der: &'a [u8],
}

/// Returns the trusted certificates of a keystore. `None` if it has another format or is damaged.
pub(super) fn trusted_certificates(store: &[u8]) -> Option<Vec<KeystoreCertificate<'_>>> {
    let mut reader = Reader(store);
    if !matches!(reader.number()?, JKS | JCEKS) {
        return None;
    }
    let version = reader.number()?;
    let mut certificates = Vec::new();
    for _ in 0..reader.number()? {
        let kind = reader.number()?;
        let alias = reader.text()?;
        reader.take(size_of::<u64>())?;
        match kind {
            TRUSTED_CERTIFICATE => {
                certificates.push(KeystoreCertificate { alias, der: reader.certificate(version)? });
            }
            PRIVATE_KEY => {
                reader.block()?;
                for _ in 0..reader.number()? {
                    reader.certificate(version)?;
                }
            }
            // A secret key is a serialized Java object, whose size is not stored.
            _ => return None,
        }
    }
    Some(certificates)
}

/// The bytes that are not read yet. Numbers are big-endian.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let (size, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        self.take(usize::from(u16::from_be_bytes(*size)))
    }

    fn block(&mut self) -> Option<&'a [u8]> {
        let size = self.number()?;
        self.take(usize::try_from(size).ok()?)
    }

    /// Version 1 has no type before each certificate.
    fn certificate(&mut self, version: u32) -> Option<&'a [u8]> {
        if version > 1 {
            self.text()?;
        }
        self.block()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Vec<u8> {
        [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
    }

    fn block(bytes: &[u8]) -> Vec<u8> {
        [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
    }

    /// A keystore with a private key, its certificate, and these trusted certificates.
    pub(in crate::implicit) fn keystore(magic: u32, version: u32, trusted: &[(&[u8], &[u8])]) -> Vec<u8> {
        let certificate = |der: &[u8]| {
            let kind = if version > 1 { text(b"X.509") } else { Vec::new() };
            [kind, block(der)].concat()
        };
        let entry = |kind: u32, alias: &[u8]| {
            [kind.to_be_bytes().to_vec(), text(alias), 7_u64.to_be_bytes().to_vec()].concat()
        };
        let count = u32::try_from(trusted.len() + 1).unwrap();
        let mut store = [magic, version, count].map(u32::to_be_bytes).concat();
        store.extend([entry(PRIVATE_KEY, b"key"), block(b"secret")].concat());
        store.extend([1_u32.to_be_bytes().to_vec(), certificate(b"OWN")].concat());
        for (alias, der) in trusted {
            store.extend([entry(TRUSTED_CERTIFICATE, alias), certificate(der)].concat());
        }
        // The SHA-1 of the password and all above.
        store.extend([0; 20]);
        store
    }

    #[test]
    fn reads_trusted_certificates_without_the_password() {
        let trusted: [(&[u8], &[u8]); 2] = [(b"one", b"ONE"), (b"two", b"TWO")];
        for (magic, version) in [(JKS, 1), (JKS, 2), (JCEKS, 2)] {
            let store = keystore(magic, version, &trusted);
            let found = trusted_certificates(&store).unwrap();
            let found: Vec<_> = found.iter().map(|found| (found.alias, found.der)).collect();
            assert_eq!(found, trusted);
        }
        let whole = keystore(JKS, 2, &trusted);
        for end in 0..whole.len() - 20 {
            assert!(trusted_certificates(&whole[..end]).is_none());
        }
        assert!(trusted_certificates(b"0\x82\x01\x00\x02\x01\x03").is_none(), "PKCS #12");
    }
}
