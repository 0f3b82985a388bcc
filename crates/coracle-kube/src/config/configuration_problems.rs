//! Problems of a configuration that do not depend on the content of files and values: reserved and
//! conflicting mounts, invalid keys and paths, duplicate variables.

use std::collections::{BTreeMap, BTreeSet};

use super::configuration::{ConfigMount, Configuration, ReloadMethod, RenderedFile, SecretFile};
use crate::kubernetes_limits::{MAX_OBJECT_BYTES, MountedContent, invalid_key_reason, reserved_reason};
use crate::located_problem::LocatedProblem;
use crate::mounted_path::{hides_file, invalid_path_reason, path_in_mount};
use coracle_core::path::{ImagePath, escape_bytes};

/// Returns the problems of a configuration that do not depend on the content of files and values.
pub fn configuration_problems(configuration: &Configuration) -> Vec<LocatedProblem> {
    let mut problems = mount_problems(configuration);
    problems.extend(file_problems(configuration));
    problems.extend(files_in_nested_mounts(configuration));
    problems.extend(duplicate_variables(configuration));
    problems
}

/// The kinds of mounts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MountKind {
    Rendered,
    Secret,
    Writable,
}

impl MountKind {
    fn mounted_content(self) -> MountedContent {
        match self {
            Self::Rendered | Self::Secret => MountedContent::Files,
            Self::Writable => MountedContent::Writable,
        }
    }
}

/// Returns problems with reserved and duplicate mount paths.
fn mount_problems(configuration: &Configuration) -> Vec<LocatedProblem> {
    let mounts: Vec<(MountKind, &ImagePath)> = all_mounts(configuration).collect();
    let mut problems = Vec::new();
    for (index, (kind, path)) in mounts.iter().enumerate() {
        if let Some(reason) = reserved_reason(path, kind.mounted_content()) {
            problems.push(mount_problem(
                path,
                format!("cannot mount on `{path}`: {reason}"),
                "use a directory that only the program uses, such as `/etc/NAME` or `/var/lib/NAME`",
            ));
        }
        if path.as_bytes().contains(&b':') {
            problems.push(mount_problem(
                path,
                format!("cannot mount on `{path}`: Kubernetes allows no `:` in a mount path"),
                "remove the colon: what is mounted is read-only except for `--state`",
            ));
        }
        let earlier = mounts.get(..index).unwrap_or_default();
        if earlier.iter().any(|(other, other_path)| other_path == path && !can_share_directory(*other, *kind))
        {
            let message = format!("two mounts have the path `{path}`");
            problems.push(mount_problem(path, message, "merge the mounts, or move one"));
        }
    }
    problems.extend(reload_conflicts(configuration));
    problems
}

/// Returns problems with a Secret whose `reload` differs from that of the mount at its path.
fn reload_conflicts(configuration: &Configuration) -> impl Iterator<Item = LocatedProblem> {
    configuration.secrets.iter().filter_map(|secret| {
        let mount = configuration.mounts.iter().find(|mount| mount.path == secret.path)?;
        (secret.reload != ReloadMethod::default() && secret.reload != mount.reload).then(|| {
            mount_problem(
                &secret.path,
                format!(
                    "`{}` has two values of `reload`: `{}` and `{}`",
                    secret.path, mount.reload, secret.reload
                ),
                "write `reload` only in `[[config]]`; it applies to the whole directory",
            )
        })
    })
}

/// Returns whether two mounts can share a directory, as one projected volume.
fn can_share_directory(one: MountKind, other: MountKind) -> bool {
    matches!(
        (one, other),
        (MountKind::Rendered, MountKind::Secret)
            | (MountKind::Secret, MountKind::Rendered | MountKind::Secret)
    )
}

fn all_mounts(configuration: &Configuration) -> impl Iterator<Item = (MountKind, &ImagePath)> {
    let rendered = configuration.mounts.iter().map(|mount| (MountKind::Rendered, &mount.path));
    let secrets = configuration.secrets.iter().map(|secret| (MountKind::Secret, &secret.path));
    let writable =
        configuration.writable_directories.iter().map(|directory| (MountKind::Writable, &directory.path));
    rendered.chain(secrets).chain(writable)
}

fn mount_problem(path: &ImagePath, message: String, hint: &str) -> LocatedProblem {
    LocatedProblem::new(message, hint).at_mount(path)
}

/// A file of a mount, and what it is made from.
struct NamedFile<'a> {
    mount: &'a ImagePath,
    path: &'a str,
    source: String,
}

/// Returns the files of every directory.
fn all_files(configuration: &Configuration) -> impl Iterator<Item = NamedFile<'_>> {
    let rendered = configuration.mounts.iter().flat_map(|mount| {
        mount.files.iter().map(|file| NamedFile {
            mount: &mount.path,
            path: &file.path,
            source: format!("`{}`", file.source.display()),
        })
    });
    let secret = configuration.secrets.iter().flat_map(|secret| {
        let source = secret
            .name
            .as_ref()
            .map_or_else(|| "the Secret".to_owned(), |name| format!("the Secret `{name}`"));
        secret.files.iter().map(move |file| NamedFile {
            mount: &secret.path,
            path: &file.path,
            source: source.clone(),
        })
    });
    rendered.chain(secret)
}

/// Returns problems with invalid keys and paths, with two files at one path, and with a file where
/// another one needs a folder.
fn file_problems(configuration: &Configuration) -> Vec<LocatedProblem> {
    let mut problems = invalid_keys(configuration);
    let mut sources: BTreeMap<(&ImagePath, &str), String> = BTreeMap::new();
    for NamedFile { mount, path, source } in all_files(configuration) {
        let shown = escape_bytes(path.as_bytes());
        if let Some(why) = invalid_path_reason(path) {
            problems.push(mount_problem(
                mount,
                format!("`{shown}`, from {source}, is not a valid path of a mounted file: {why}"),
                "rename the file, or set its `path` in the recipe, such as `conf.d/site.conf`",
            ));
        }
        if let Some(other) = sources.get(&(mount, path)) {
            problems.push(mount_problem(
                mount,
                format!("{other} and {source} have the same path `{shown}` in {mount}"),
                "rename one of the files, or set its `path` in the recipe",
            ));
        }
        sources.insert((mount, path), source);
    }
    for ((mount, path), source) in &sources {
        let folders = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
        for (folder, file) in folders.filter_map(|folder| Some((folder, sources.get(&(*mount, folder))?))) {
            problems.push(mount_problem(
                mount,
                format!(
                    "`{}`, from {file}, is a file, but {source} needs a folder of that name in {mount}",
                    escape_bytes(folder.as_bytes())
                ),
                "rename one of the files, or set its `path` in the recipe",
            ));
        }
    }
    problems
}

/// Returns problems with keys of Secrets that are created elsewhere.
fn invalid_keys(configuration: &Configuration) -> Vec<LocatedProblem> {
    let mut problems = Vec::new();
    for secret in &configuration.secrets {
        for SecretFile { key, .. } in &secret.files {
            let Some(why) = invalid_key_reason(key) else { continue };
            problems.push(mount_problem(
                &secret.path,
                format!("`{}` is not a valid key of a Secret: {why}", escape_bytes(key.as_bytes())),
                "write the key as it is in the Secret; `{ key = \"tls.key\", path = \"tls/server.key\" }` puts it in a folder",
            ));
        }
    }
    problems
}

/// Returns problems with files that a mount inside of theirs would hide. The kubelet makes a real
/// directory for the inner mount, so the outer one cannot have a link with the directory's name.
fn files_in_nested_mounts(configuration: &Configuration) -> Vec<LocatedProblem> {
    let mut problems = Vec::new();
    for (_, inner) in all_mounts(configuration) {
        let file = all_files(configuration).find(|file| hides_file(inner, file.mount, file.path));
        if let Some(NamedFile { mount, path, source }) = file {
            problems.push(mount_problem(
                inner,
                format!(
                    "the mount `{inner}` would hide `{}`, from {source}: a folder of `{mount}` is replaced as a whole",
                    path_in_mount(mount, path)
                ),
                "put all files of that folder into one of the two mounts",
            ));
        }
    }
    problems
}

/// Returns a problem if the files of one mount are too large for one object.
pub(super) fn size_problem(mount: &ConfigMount, files: &[RenderedFile]) -> Option<LocatedProblem> {
    let size: usize = files.iter().map(|file| file.bytes.len()).sum();
    (size > MAX_OBJECT_BYTES).then(|| {
        LocatedProblem::new(
            format!(
                "the files of {} are larger than {MAX_OBJECT_BYTES} bytes, the limit of a Kubernetes object",
                mount.path
            ),
            "split the files into several mounts, or include those that never change in the image",
        )
    })
}

/// Returns problems with variables that have the same name.
fn duplicate_variables(configuration: &Configuration) -> impl Iterator<Item = LocatedProblem> {
    let mut seen = BTreeSet::new();
    configuration.variables.iter().filter(move |variable| !seen.insert(&variable.name)).map(|variable| {
        mount_problem(
            &variable.file,
            format!("two variables have the name `{}`, one of them from `{}`", variable.name, variable.file),
            "rename one of them",
        )
    })
}
