//! The hints for one program: from the functions that it calls, the libraries that it maps, dlopen notes,
//! and the text of its objects.

use super::charsets;
use super::dependency_hint::{DependencyHint, HintKind, HintedPath, Likelihood, Remedy};
use super::directories_named_after_program;
use super::dlopened_libraries;
use super::error::Error;
use super::files_at_path::{self, FilesAndSize};
use super::function_calls::{FunctionCall, FunctionNeed};
use super::ignored_paths;
use super::implicit_policy::Inclusion;
use super::language_runtimes;
use super::names_in_strings;
use super::paths_in_text::{self, PathInText, PathKind};
use super::plugins;
use super::program_context::ProgramContext;
use super::started_programs;
use crate::closure::{DlopenCaller, ExecutedFile, Resolver};
use coracle_core::file_system::FileSystem;
use coracle_core::path::{RawPath, escape_bytes};

/// Returns the hints for `program`, the most likely first.
pub(super) fn collect_hints(
    program: &ProgramContext<'_>,
    resolver: &Resolver<'_>,
    executed: &ExecutedFile,
) -> Result<Vec<DependencyHint>, Error> {
    let named = paths_in_text::find_named_paths(program)?;
    let mut hints = language_runtimes::runtime_hints(program, executed)?;
    hints.extend(hints_from_calls(program)?);
    hints.extend(hints_from_libraries(program)?);
    hints.extend(hints_from_notes(program, resolver, executed)?);
    hints.extend(hints_from_strings(program, resolver, executed)?);
    hints.extend(started_programs::hint_about_started_programs(program, &named)?);
    hints.extend(hints_from_named_paths(program, &named)?);
    hints.retain(|hint| program.role.accepts_hint(hint.likelihood));
    hints.sort_by_key(|hint| hint.likelihood);
    Ok(hints)
}

/// Returns a hint about data that an option adds. `path` is the data's path in the file system.
/// Returns `None` if nothing is there.
fn data_hint(
    program: &ProgramContext<'_>,
    subject: impl Into<String>,
    reason: String,
    remedy: Remedy,
    path: &str,
) -> Result<Option<DependencyHint>, Error> {
    let FilesAndSize { files, size, .. } =
        files_at_path::files_and_size_at(program.sources.untracked, &RawPath::new(path))?;
    Ok((!files.is_empty()).then(|| option_hint(subject.into(), reason, remedy, Some(size), files)))
}

/// Returns the hint about time zones. Their size is not determined: there are more than a thousand files.
fn time_zones_hint(
    program: &ProgramContext<'_>,
    reason: String,
    subject: String,
) -> Result<Option<DependencyHint>, Error> {
    let directory = RawPath::new("/usr/share/zoneinfo");
    let utc = RawPath::join_bytes(directory.as_bytes(), b"UTC");
    let exists = files_at_path::is_file(program.sources.untracked, &utc)?;
    // Any zone ends the hint: only the user knows which ones the program needs.
    Ok(exists.then(|| option_hint(subject, reason, Remedy::TimeZones, None, vec![directory])))
}

fn option_hint(
    subject: String,
    reason: String,
    remedy: Remedy,
    size: Option<u64>,
    files: Vec<RawPath>,
) -> DependencyHint {
    DependencyHint {
        kind: HintKind::Data,
        subject,
        reason,
        size,
        remedy,
        likelihood: Likelihood::Possible,
        files,
    }
}

/// Returns hints for functions that read data files and that the program itself calls.
fn hints_from_calls(program: &ProgramContext<'_>) -> Result<Vec<DependencyHint>, Error> {
    let policy = program.policy;
    let mut hints: Vec<DependencyHint> = temporary_files_hint(program).into_iter().collect();
    let subject = |what: &str, call: &FunctionCall| format!("{what} for `{}`", call.function);
    let reason = |call: &FunctionCall| format!("called by {}", call.caller);
    if let Some(call) = program.own_call(FunctionNeed::LocalTime).filter(|_| policy.time_zones.is_none()) {
        let subject = subject("time zones other than UTC", call);
        hints.extend(time_zones_hint(program, reason(call), subject)?);
    }
    if let Some(call) = program.own_call(FunctionNeed::Locale).filter(|_| policy.locales.is_none()) {
        let (subject, remedy) = (subject("locales other than C", call), Remedy::Locale("C.UTF-8".into()));
        let hint = data_hint(program, subject, reason(call), remedy, "/usr/lib/locale/C.utf8")?;
        // Any locale ends the hint.
        let files = vec![RawPath::new("/usr/lib/locale")];
        hints.extend(hint.map(|hint| DependencyHint { files, ..hint }));
    }
    if let Some(call) = program.own_call(FunctionNeed::Charset).filter(|_| policy.charsets.is_none())
        && let Some(directory) = charsets::gconv_directory(program)?
    {
        let paths = hinted_paths(program, [directory])?;
        let hint = paths.into_hint(HintKind::Data, reason(call), Likelihood::Possible);
        let subject = subject("character sets", call);
        hints.extend(hint.map(|hint| DependencyHint { subject, ..hint }));
    }
    if let Some(call) = program.own_call(FunctionNeed::Services) {
        let paths = hinted_paths(program, ["/etc/services", "/etc/protocols"].map(RawPath::new))?;
        let hint = paths.into_hint(HintKind::Data, reason(call), Likelihood::Possible);
        let subject = subject("names of services and protocols", call);
        hints.extend(hint.map(|hint| DependencyHint { subject, ..hint }));
    }
    Ok(hints)
}

/// Returns the hint about `/tmp` if the program itself creates temporary files.
fn temporary_files_hint(program: &ProgramContext<'_>) -> Option<DependencyHint> {
    let call = program.own_call(FunctionNeed::TemporaryFiles)?;
    Some(DependencyHint {
        kind: HintKind::Data,
        subject: format!("a writable /tmp for `{}`", call.function),
        reason: format!("called by {}", call.caller),
        size: None,
        remedy: Remedy::State(RawPath::new("/tmp")),
        likelihood: Likelihood::Possible,
        files: vec![RawPath::new("/tmp")],
    })
}

/// Returns hints for mapped libraries that read configuration files or plugins.
fn hints_from_libraries(program: &ProgramContext<'_>) -> Result<Vec<DependencyHint>, Error> {
    let mut hints = Vec::new();
    let mapped_hint = |subject: String, library: &RawPath, remedy: Remedy, files: Vec<RawPath>, size| {
        option_hint(subject, format!("{library} is mapped"), remedy, size, files)
    };
    if let Some(call) = program.calls.first_call(FunctionNeed::Provider)
        && program.policy.openssl == Inclusion::Auto
    {
        let subject = "OpenSSL's providers".to_owned();
        hints.push(mapped_hint(subject, &call.caller, Remedy::OpenSsl, Vec::new(), None));
    }
    if let Some(libpam) = program.library_with_prefix("libpam.so").filter(|_| program.policy.pam.is_none()) {
        let services = super::pam::services_in_text(program)?;
        let remedy = match services.is_empty() {
            true => Remedy::Manual("--pam SERVICE".into()),
            false => Remedy::Pam(services),
        };
        hints.push(mapped_hint("PAM services".into(), &libpam.raw_path, remedy, Vec::new(), None));
    }
    let requested = program.directly_used_libraries(ignored_paths::is_library_text_ignored);
    for (family, library, contents) in plugins::available_families(program)? {
        if !requested.iter().any(|mapped| mapped.path == library.path) {
            continue;
        }
        if program
            .policy
            .plugins
            .as_ref()
            .is_some_and(|known| known.is_empty() || known.iter().any(|name| name == family))
        {
            continue;
        }
        let subject = format!("plugins of {family}");
        let remedy = Remedy::Plugins(family);
        let hint = mapped_hint(subject, &library.raw_path, remedy, contents.files, Some(contents.size));
        hints.push(DependencyHint { likelihood: Likelihood::Likely, ..hint });
    }
    Ok(hints)
}

/// Returns hints for dlopen notes of a lower priority than the policy adds, if the library exists
/// and is not mapped anyway.
fn hints_from_notes(
    program: &ProgramContext<'_>,
    resolver: &Resolver<'_>,
    executed: &ExecutedFile,
) -> Result<Vec<DependencyHint>, Error> {
    let Some(lowest) = program.policy.dlopen_notes else { return Ok(Vec::new()) };
    let mut hints = Vec::new();
    for mapped in program.objects() {
        // Damaged notes were reported earlier.
        let notes = dlopened_libraries::read_dlopen_notes(mapped)?.unwrap_or_default();
        for note in notes.iter().filter(|note| note.priority > lowest) {
            let caller = program.as_dlopen_caller(mapped);
            for name in &note.sonames {
                let reason = format!("{}: {}", mapped.raw_path, dlopened_libraries::describe_note(note));
                if let Some(hint) = library_hint(resolver, executed, &caller, name, reason)? {
                    hints.push(hint);
                    break;
                }
            }
        }
    }
    Ok(hints)
}

/// Returns the hint about a library that `caller` may open. `None` if opening it maps no new file.
fn library_hint(
    resolver: &Resolver<'_>,
    executed: &ExecutedFile,
    caller: &DlopenCaller,
    name: &[u8],
    reason: String,
) -> Result<Option<DependencyHint>, Error> {
    let files = resolver.files_added_by_dlopen(executed, caller, name)?;
    let Some((_, size)) = files.first() else { return Ok(None) };
    let shown = escape_bytes(name);
    Ok(Some(DependencyHint {
        kind: HintKind::Library,
        subject: shown.clone(),
        reason,
        size: Some(*size),
        remedy: Remedy::Dlopen(shown),
        likelihood: Likelihood::Possible,
        files: files.iter().take(1).map(|(path, _)| RawPath::from(path)).collect(),
    }))
}

/// Returns hints for names in the strings of mapped objects.
fn hints_from_strings(
    program: &ProgramContext<'_>,
    resolver: &Resolver<'_>,
    executed: &ExecutedFile,
) -> Result<Vec<DependencyHint>, Error> {
    let named = names_in_strings::find_names_in_strings(program)?;
    let program_path = &executed.raw_path;
    let mut hints: Vec<DependencyHint> = Vec::new();
    for library in named.libraries {
        let reason = format!("named in {}", library.named_in);
        let is_own = library.named_in == *program_path;
        let hint = library_hint(resolver, executed, &library.caller, library.name.as_bytes(), reason)?;
        hints.extend(hint.map(|hint| DependencyHint {
            likelihood: if is_own { Likelihood::Likely } else { Likelihood::Possible },
            ..hint
        }));
    }
    if named.names_certificates && program.policy.certificates == Inclusion::Auto {
        let reason = format!("`ssl/certs` is named in {program_path}");
        let bundle = "/etc/ssl/certs/ca-certificates.crt";
        hints.extend(data_hint(program, "CA certificates", reason, Remedy::Certificates, bundle)?);
    }
    if named.names_time_zones && program.policy.time_zones.is_none() {
        let reason = format!("`zoneinfo` is named in {program_path}");
        let hint = time_zones_hint(program, reason, "time zones other than UTC".into())?;
        // What a program names itself is likely.
        hints.extend(hint.map(|hint| DependencyHint { likelihood: Likelihood::Likely, ..hint }));
    }
    if named.opens_nss {
        hints.push(DependencyHint {
            kind: HintKind::Data,
            subject: "NSS modules".into(),
            reason: format!("{program_path} is static, but its C library opens them at run time"),
            size: None,
            remedy: Remedy::Manual("link the program dynamically".into()),
            likelihood: Likelihood::Possible,
            files: Vec::new(),
        });
    }
    Ok(hints)
}

/// Returns hints about files and directories: one about paths that the program names or that have
/// its name, and one about paths that its libraries name.
fn hints_from_named_paths(
    program: &ProgramContext<'_>,
    named: &[PathInText],
) -> Result<Vec<DependencyHint>, Error> {
    let is_data = |named: &&PathInText| named.kind != PathKind::Executable;
    let (own, of_libraries): (Vec<&PathInText>, Vec<&PathInText>) =
        named.iter().filter(is_data).partition(|named| named.is_in_program);
    let mut own_paths: Vec<RawPath> = own.iter().map(|named| named.path.clone()).collect();
    let object = &program.program_object().raw_path;
    let mut reason = format!("named in {object}");
    if program.role.is_named_by_user() {
        let directories = directories_named_after_program::named_directories(program)?;
        if !directories.is_empty() {
            reason = format!("named in {object}, or called like it or a library of it");
        }
        own_paths.extend(directories);
    }
    let own_hint = paths_hint(program, own_paths, reason, Likelihood::Likely)?;
    let mut libraries: Vec<String> = of_libraries.iter().map(|named| named.object.to_string()).collect();
    libraries.sort();
    libraries.dedup();
    let paths = of_libraries.iter().map(|named| named.path.clone()).collect();
    let reason = format!("named in {}", describe_names(&libraries));
    Ok(own_hint.into_iter().chain(paths_hint(program, paths, reason, Likelihood::Possible)?).collect())
}

/// Returns the hint about `paths`, without paths that are below other ones. `None` if there are
/// none.
fn paths_hint(
    program: &ProgramContext<'_>,
    mut paths: Vec<RawPath>,
    reason: String,
    likelihood: Likelihood,
) -> Result<Option<DependencyHint>, Error> {
    paths.sort();
    paths.dedup();
    let directories: Vec<RawPath> =
        paths.iter().map(|path| RawPath::join_bytes(path.as_bytes(), b"")).collect();
    paths.retain(|path| {
        !directories.iter().any(|directory| path.as_bytes().starts_with(directory.as_bytes()))
    });
    Ok(hinted_paths(program, paths)?.into_hint(HintKind::Directory, reason, likelihood))
}

/// Returns the first of `names`, and the number of the others.
fn describe_names(names: &[String]) -> String {
    const MAX_SHOWN: usize = 3;
    let shown = names.iter().take(MAX_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MAX_SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Paths of a hint, and the files there.
#[derive(Default)]
pub(super) struct HintedPaths {
    paths: Vec<HintedPath>,
    files: Vec<RawPath>,
}

impl HintedPaths {
    /// Adds `path` if it has files. If a directory has files that not everyone may read, such as
    /// private keys, only its entries without such files are added.
    pub(super) fn add(&mut self, tree: &dyn FileSystem, path: &RawPath) -> Result<(), Error> {
        let contents = files_at_path::files_and_size_at(tree, path)?;
        if !contents.has_private_files {
            self.add_contents(path, contents);
            return Ok(());
        }
        for entry in files_at_path::list_directory(tree, path)? {
            let contents = files_at_path::files_and_size_at(tree, &entry)?;
            if !contents.has_private_files {
                self.add_contents(&entry, contents);
            }
        }
        Ok(())
    }

    fn add_contents(&mut self, path: &RawPath, contents: FilesAndSize) {
        // Empty files and links alone are no data.
        if contents.size > 0 {
            self.paths.push(HintedPath::at_same_path(path, contents.size));
            self.files.extend(contents.files);
        }
    }

    pub(super) fn into_hint(
        self,
        kind: HintKind,
        reason: String,
        likelihood: Likelihood,
    ) -> Option<DependencyHint> {
        DependencyHint::for_includes(kind, reason, likelihood, self.paths, self.files)
    }
}

/// Returns the `paths` at which there are files, with these files.
fn hinted_paths(
    program: &ProgramContext<'_>,
    paths: impl IntoIterator<Item = RawPath>,
) -> Result<HintedPaths, Error> {
    let mut hinted = HintedPaths::default();
    for path in paths {
        hinted.add(program.sources.untracked, &path)?;
    }
    Ok(hinted)
}
