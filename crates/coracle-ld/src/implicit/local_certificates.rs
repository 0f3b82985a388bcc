//! CA certificates that only this machine trusts, such as the certificate of a proxy that
//! intercepts TLS.
//!
//! A distribution's tools write them into the same bundle as the certificates of its package. They are distinguished by
//! the package's own files. Source: `update-ca-certificates(8)`, `update-ca-trust(8)`.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Error;
use super::pem::{PemBlock, pem_blocks, subject_name};
use super::program_context::{DataSources, ProgramContext};
use super::requested_dependencies::{DataContent, DataFile, RequestedDependencies};
use coracle_core::note::Note;
use coracle_core::path::{RawPath, escape_bytes};

/// Directories with the files of packages: Debian and Alpine, Fedora, Arch, openSUSE.
const PACKAGE_DIRECTORIES: [&str; 3] =
    ["/usr/share/ca-certificates", "/usr/share/pki/ca-trust-source", "/usr/share/pki/trust"];
/// Names of directories below [`PACKAGE_DIRECTORIES`] with certificates that an administrator
/// trusts or distrusts in addition to the package's.
const LOCAL_NAMES: [&[u8]; 3] = [b"anchors", b"blacklist", b"blocklist"];
/// Directories of the machine's own certificates.
const LOCAL_DIRECTORIES: [&str; 7] = [
    "/usr/local/share/ca-certificates",
    "/etc/pki/ca-trust/source",
    "/etc/ca-certificates/trust-source",
    "/etc/pki/trust",
    "/usr/share/pki/ca-trust-source/anchors",
    "/usr/share/ca-certificates/trust-source/anchors",
    "/usr/share/pki/trust/anchors",
];
/// Lists of files of the package `ca-certificates`: dpkg's and apk's.
const DPKG_LIST: &str = "/var/lib/dpkg/info/ca-certificates.list";
const APK_LISTS: [&str; 2] = ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];
pub(super) const PURPOSE: &str = "CA certificates";
/// The maximum size of a bundle, and of a list of packages, in bytes.
const MAX_FILE_SIZE: usize = 16 << 20;

/// The certificates in the package's files, in Base64 without line breaks.
pub(super) struct PackagedCertificates(BTreeSet<Vec<u8>>);

impl PackagedCertificates {
    /// Reads the package's files.
    pub(super) fn read(sources: DataSources<'_>) -> Result<Self, Error> {
        let listed = files_listed_by_package_manager(sources)?;
        let mut certificates = BTreeSet::new();
        for directory in PACKAGE_DIRECTORIES {
            for file in sources.data_files_below(&RawPath::new(directory), &[], PURPOSE)? {
                let path = file.raw_path.as_bytes();
                let mut names = path.split(|byte| *byte == b'/');
                let is_listed = listed.as_ref().is_none_or(|listed| listed.contains(path));
                if is_listed && !names.any(|name| LOCAL_NAMES.contains(&name)) {
                    certificates.extend(certificates_in_file(&file)?);
                }
            }
        }
        Ok(Self(certificates))
    }

    /// Removes the certificates that only this machine has from `bundle`, unless the policy wants them.
    /// Returns `None` if nothing is left. A note lists these certificates in both cases.
    pub(super) fn without_local(
        &self,
        program: &ProgramContext<'_>,
        bundle: DataFile,
        requests: &mut RequestedDependencies,
    ) -> Result<Option<DataFile>, Error> {
        let bytes = read_store(&bundle)?;
        let (blocks, rest) = pem_blocks(&bytes);
        let bodies: Vec<Vec<u8>> = blocks.iter().map(|block| block.body.clone()).collect();
        let local = self.local_among(program.sources, &bodies)?;
        let (local, kept): (Vec<&PemBlock<'_>>, Vec<&PemBlock<'_>>) =
            blocks.iter().partition(|block| local.contains(&block.body));
        if local.is_empty() {
            return Ok(Some(bundle));
        }
        let is_wanted = program.policy.local_certificates;
        let note = local_certificates_note(&local, is_wanted);
        if !requests.notes.contains(&note) {
            requests.notes.push(note);
        }
        if is_wanted {
            return Ok(Some(bundle));
        }
        let mut bytes: Vec<u8> = kept.iter().flat_map(|block| block.text).copied().collect();
        bytes.extend(rest);
        Ok((!kept.is_empty()).then_some(DataFile { content: DataContent::Bytes(bytes), ..bundle }))
    }

    /// Returns the certificates of a store that are the machine's own: they are not in the package's files. Where those are
    /// not installed, or are another package's, they are in a directory of local certificates.
    pub(super) fn local_among(
        &self,
        sources: DataSources<'_>,
        bodies: &[Vec<u8>],
    ) -> Result<BTreeSet<Vec<u8>>, Error> {
        let Self(packaged) = self;
        if bodies.iter().any(|body| packaged.contains(body)) {
            return Ok(bodies.iter().filter(|body| !packaged.contains(*body)).cloned().collect());
        }
        let mut local = BTreeSet::new();
        for directory in LOCAL_DIRECTORIES {
            for file in sources.data_files_below(&RawPath::new(directory), &[], PURPOSE)? {
                local.extend(certificates_in_file(&file)?);
            }
        }
        Ok(local)
    }
}

/// Returns the paths that the package manager lists for the package. `None` without a list.
fn files_listed_by_package_manager(sources: DataSources<'_>) -> Result<Option<BTreeSet<Vec<u8>>>, Error> {
    if let Some(list) = sources.data_file(&RawPath::new(DPKG_LIST), PURPOSE)? {
        return Ok(Some(read_store(&list)?.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()));
    }
    for path in APK_LISTS {
        if let Some(list) = sources.data_file(&RawPath::new(path), PURPOSE)? {
            return Ok(files_in_apk_list(&read_store(&list)?).remove(&b"ca-certificates"[..]));
        }
    }
    Ok(None)
}

/// Returns the absolute paths of the files of each package. A list has `P:PACKAGE`, then `F:DIRECTORY` lines, relative to
/// the root, each followed by `R:NAME` lines.
fn files_in_apk_list(list: &[u8]) -> BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>> {
    let mut packages: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>> = BTreeMap::new();
    let (mut package, mut directory): (&[u8], &[u8]) = (b"", b"");
    for line in list.split(|byte| *byte == b'\n') {
        match (line.get(..2), line.get(2..)) {
            (Some(b"P:"), Some(name)) => package = name,
            (Some(b"F:"), Some(path)) => directory = path,
            (Some(b"R:"), Some(name)) => {
                let path = [b"/", directory, b"/", name].concat();
                packages.entry(package.to_vec()).or_default().insert(path);
            }
            _ => {}
        }
    }
    packages
}

/// Returns the certificates in a file, without line breaks.
fn certificates_in_file(file: &DataFile) -> Result<Vec<Vec<u8>>, Error> {
    Ok(pem_blocks(&read_store(file)?).0.into_iter().map(|block| block.body).collect())
}

pub(super) fn read_store(file: &DataFile) -> Result<Vec<u8>, Error> {
    Ok(match &file.content {
        DataContent::File(file) => file.content.open()?.read_bytes_at(0, MAX_FILE_SIZE)?,
        DataContent::Bytes(bytes) => bytes.clone(),
        DataContent::Link(_) => Vec::new(),
    })
}

/// Returns the name of the certificate in `body`, for a note.
pub(super) fn name_of(body: &[u8]) -> String {
    match subject_name(body) {
        Some(name) => format!("`{}`", escape_bytes(&name)),
        None => "one without a name".to_owned(),
    }
}

fn local_certificates_note(local: &[&PemBlock<'_>], is_wanted: bool) -> Note {
    let names: Vec<String> = local.iter().map(|block| name_of(&block.body)).collect();
    let names = names.join(", ");
    Note::Hint(match is_wanted {
        true => format!("CA certificates that only this machine trusts are in the image: {names}"),
        false => format!(
            "CA certificates that only this machine trusts are not in the image: {names}\n\
             `--local-certificates`, or `local-certificates = true` below `[runtime]`, adds them"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apk_lists_files_by_package() {
        let list = b"P:musl\nF:lib\nR:libc.so\n\nP:ca-certificates\nV:1\nF:etc/ssl\nF:usr/share/x\nR:a.crt\nR:b.crt\n";
        let files = files_in_apk_list(list).remove(&b"ca-certificates"[..]).unwrap();
        assert_eq!(files, [b"/usr/share/x/a.crt".to_vec(), b"/usr/share/x/b.crt".to_vec()].into());
    }
}
