//! Stores of CA certificates of this machine in included directories, such as that of a Java home.
//!
//! Included files are copied unchanged, so certificates that only this machine trusts are in the image. A note lists them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ImplicitDependencies;
use super::certificates::BUNDLE_PATHS;
use super::error::Error;
use super::implicit_policy::ImplicitPolicy;
use super::java_keystore::trusted_certificates;
use super::local_certificates::{PURPOSE, PackagedCertificates, name_of, read_store};
use super::pem::pem_blocks;
use super::program_context::DataSources;
use super::requested_dependencies::DataContent;
use coracle_core::content::Content;
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, RawPath, escape_bytes};

/// Java's stores that tools of distributions write: Debian, Alpine and Arch; Fedora; openSUSE.
const JAVA_STORES: [&str; 3] = [
    "/etc/ssl/certs/java/cacerts",
    "/etc/pki/ca-trust/extracted/java/cacerts",
    "/var/lib/ca-certificates/java-cacerts",
];

/// Returns notes about the stores of this machine that are among the included `files`.
///
/// # Errors
/// Fails if a file can't be read.
pub fn check_included_trust_stores(
    sources: DataSources<'_>,
    policy: &ImplicitPolicy,
    files: &[(&ImagePath, &Content)],
) -> Result<ImplicitDependencies, Error> {
    let mut dependencies = ImplicitDependencies::default();
    let mut packaged = None;
    for store in JAVA_STORES.iter().chain(&BUNDLE_PATHS) {
        let Some(store) = sources.data_file(&RawPath::new(*store), PURPOSE)? else { continue };
        let DataContent::File(file) = &store.content else { continue };
        for (path, included) in files {
            if !included.has_same_bytes(&file.content)? {
                continue;
            }
            let packaged = match &packaged {
                Some(packaged) => packaged,
                None => packaged.insert(PackagedCertificates::read(sources)?),
            };
            let Some(local) = local_names(sources, packaged, &read_store(&store)?)? else { continue };
            dependencies.mark_used("local-certificates");
            let note = note(path, &local, policy.local_certificates);
            if !dependencies.notes.contains(&note) {
                dependencies.notes.push(note);
            }
        }
    }
    Ok(dependencies)
}

/// The names of certificates that only this machine trusts.
enum LocalNames {
    /// Aliases in a Java keystore.
    Aliases(Vec<String>),
    /// Subjects in a bundle.
    Subjects(Vec<String>),
    /// Subjects that a store has which can't be read without its password, unless its owner removed them.
    Unread(Vec<String>),
}

/// Returns the names of the store's certificates that only this machine trusts. `None` without such.
fn local_names(
    sources: DataSources<'_>,
    packaged: &PackagedCertificates,
    store: &[u8],
) -> Result<Option<LocalNames>, Error> {
    let (blocks, _) = pem_blocks(store);
    let names = if let Some(certificates) = trusted_certificates(store) {
        let bodies: Vec<Vec<u8>> =
            certificates.iter().map(|certificate| STANDARD.encode(certificate.der).into_bytes()).collect();
        let local = packaged.local_among(sources, &bodies)?;
        let pairs = certificates.iter().zip(&bodies).filter(|(_, body)| local.contains(*body));
        LocalNames::Aliases(pairs.map(|(found, _)| format!("`{}`", escape_bytes(found.alias))).collect())
    } else if blocks.is_empty() {
        let local = packaged.local_among(sources, &[])?;
        LocalNames::Unread(local.iter().map(|body| name_of(body)).collect())
    } else {
        let bodies: Vec<Vec<u8>> = blocks.into_iter().map(|block| block.body).collect();
        let local = packaged.local_among(sources, &bodies)?;
        let bodies = bodies.iter().filter(|body| local.contains(*body));
        LocalNames::Subjects(bodies.map(|body| name_of(body)).collect())
    };
    let (LocalNames::Aliases(listed) | LocalNames::Subjects(listed) | LocalNames::Unread(listed)) = &names;
    Ok((!listed.is_empty()).then_some(names))
}

fn note(path: &ImagePath, names: &LocalNames, is_wanted: bool) -> Note {
    let (verb, listed, remedy) = match names {
        LocalNames::Aliases(listed) => {
            ("has", listed, " without them, made by `keytool -delete -alias ALIAS -keystore COPY`")
        }
        LocalNames::Subjects(listed) => ("has", listed, " without them"),
        LocalNames::Unread(listed) => {
            ("can't be read without its password, and may have", listed, " without them")
        }
    };
    let said = format!(
        "the included {path} {verb} CA certificates that only this machine trusts: {}",
        listed.join(", ")
    );
    if is_wanted {
        return Note::Hint(said);
    }
    Note::Warning(format!(
        "{said}\n`--local-certificates`, or `local-certificates = true` below `[runtime]`, accepts them; otherwise \
         include a copy{remedy}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closure::ResolveOptions;
    use crate::implicit::java_keystore::tests::keystore;
    use crate::implicit::pem::tests::{certificate, name_part};
    use coracle_core::file_system::MemoryFs;

    const PACKAGED: &str = "/usr/share/ca-certificates/mozilla/one.crt";
    const LOCAL: &str = "/usr/local/share/ca-certificates/local.crt";
    const JKS: u32 = 0xfeed_feed;

    fn body(name: &str) -> String {
        certificate(&name_part(3, name))
    }

    fn pem(name: &str) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", body(name))
    }

    fn java_store() -> Vec<u8> {
        let [one, proxy] = ["One Root", "Proxy"].map(|name| STANDARD.decode(body(name)).unwrap());
        keystore(JKS, 2, &[(b"debian:one.pem", &one), (b"debian:local.pem", &proxy)])
    }

    /// Returns the notes about a store of this machine and a file included at `/x`.
    fn notes(files: &[&str], store: &str, content: &[u8], included: &[u8], is_wanted: bool) -> Vec<Note> {
        let mut tree = MemoryFs::default();
        for path in files {
            tree.add_file(path, pem(if *path == LOCAL { "Proxy" } else { "One Root" }).as_bytes());
        }
        tree.add_file(store, content);
        let options = ResolveOptions::default();
        let sources = DataSources { tree: &tree, fallback: None, untracked: &tree, options: &options };
        let policy = ImplicitPolicy { local_certificates: is_wanted, ..ImplicitPolicy::default() };
        let (path, content) = ("/x".parse().unwrap(), Content::from_bytes(included));
        let mut found = check_included_trust_stores(sources, &policy, &[(&path, &content)]).unwrap();
        let option = found.option_uses.remove("local-certificates");
        assert_eq!(option.is_some(), !found.notes.is_empty(), "the option has an effect");
        found.notes
    }

    #[test]
    fn aliases_of_local_certificates_in_java_stores_are_listed() {
        let store = java_store();
        for path in JAVA_STORES {
            for files in [&[PACKAGED, LOCAL][..], &[PACKAGED], &[LOCAL]] {
                let [Note::Warning(said)] = &notes(files, path, &store, &store, false)[..] else { panic!() };
                assert!(said.starts_with(
                    "the included /x has CA certificates that only this machine trusts: `debian:local.pem`\n\
                     `--local-certificates`"
                ));
                let [Note::Hint(said)] = &notes(files, path, &store, &store, true)[..] else { panic!() };
                assert!(said.ends_with("trusts: `debian:local.pem`"), "{said}");
            }
            assert_eq!(notes(&[], path, &store, &store, false), [], "nothing tells them apart");
            assert_eq!(notes(&[PACKAGED], path, &store, b"another store", false), []);
        }
    }

    #[test]
    fn local_certificates_of_included_bundles_are_listed() {
        let bundle = [pem("One Root"), pem("Proxy")].concat();
        for path in BUNDLE_PATHS {
            let [Note::Warning(said)] =
                &notes(&[PACKAGED], path, bundle.as_bytes(), bundle.as_bytes(), false)[..]
            else {
                panic!()
            };
            assert!(said.contains("only this machine trusts: `Proxy`\n"), "{said}");
        }
        let clean = pem("One Root");
        assert_eq!(notes(&[PACKAGED, LOCAL], BUNDLE_PATHS[0], clean.as_bytes(), clean.as_bytes(), false), []);
    }

    #[test]
    fn an_encrypted_store_may_have_what_the_machine_adds() {
        let (store, path) = (b"0\x82\x01\x00\x02\x01\x03encrypted", JAVA_STORES[0]);
        let [Note::Warning(said)] = &notes(&[PACKAGED, LOCAL], path, store, store, false)[..] else {
            panic!()
        };
        assert!(
            said.starts_with(
                "the included /x can't be read without its password, and may have CA certificates that only this \
                 machine trusts: `Proxy`\n"
            ),
            "{said}"
        );
        assert_eq!(notes(&[PACKAGED], path, store, store, false), []);
    }
}
