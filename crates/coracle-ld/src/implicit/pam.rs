//! PAM: the configuration of services, and the modules listed there. Source:
//! `libpam/pam_handlers.c`.

use std::collections::BTreeSet;

use super::error::Error;
use super::files_at_path;
use super::program_context::ProgramContext;
use super::requested_dependencies::{DataContent, DataFile, RequestedDependencies};
use crate::closure::{DlopenCaller, DlopenRequest, MappedObject};
use crate::elf::{self, DataQuery, DlopenPriority};
use coracle_core::path::{RawPath, escape_bytes};

/// Directories of service configurations: the administrator's, then the distribution's.
const SERVICE_DIRECTORIES: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];
/// Maximum size of a service's configuration.
const MAX_SERVICE_SIZE: u64 = 1 << 20;

/// Adds the policy's PAM services, and opens their modules.
pub(super) fn add_pam(
    program: &ProgramContext<'_>,
    requests: &mut RequestedDependencies,
) -> Result<(), Error> {
    let Some(services) = program.policy.pam.as_ref().filter(|services| !services.is_empty()) else {
        return Ok(());
    };
    let Some(libpam) = program.library_with_prefix("libpam.so") else {
        requests.mark_unused("pam", "`pam` has no effect: no libpam is mapped", "leave `pam` out");
        return Ok(());
    };
    requests.mark_used("pam");
    let Some(modules) = module_directory(libpam)? else {
        requests.add_unmet("cannot determine the directory of PAM modules", "leave `pam` out");
        return Ok(());
    };
    let by = DlopenCaller::from_library(libpam);
    let mut queue: Vec<String> = services.clone();
    let mut known = BTreeSet::new();
    while let Some(service) = queue.pop() {
        if !known.insert(service.clone()) {
            continue;
        }
        let shown = escape_bytes(service.as_bytes());
        let Some(file) = find_service(program, &service)? else {
            let why = format!(
                "cannot find the PAM service `{shown}`: there is no `{}`",
                service_path("/etc/pam.d", &service)
            );
            requests.add_unmet(why, "check the spelling");
            continue;
        };
        if let DataContent::File(existing) = &file.content {
            let text = existing.content.read_whole(file.raw_path.as_bytes(), MAX_SERVICE_SIZE)?;
            let lines = parse_service(&String::from_utf8_lossy(&text));
            queue.extend(lines.includes);
            requests.dlopens.extend(lines.modules.into_iter().map(|(module, priority)| DlopenRequest {
                caller: by.clone(),
                names: vec![join_unless_absolute(&modules, &module).as_bytes().to_vec()],
                purpose: format!("module of the PAM service `{shown}`"),
                priority,
            }));
        }
        requests.data_files.push(file);
    }
    Ok(())
}

/// Returns the services that are configured and whose names are in the text of the program.
pub(super) fn services_in_text(program: &ProgramContext<'_>) -> Result<Vec<String>, Error> {
    let mut configured = BTreeSet::new();
    for directory in SERVICE_DIRECTORIES {
        for path in
            files_at_path::files_and_size_at(program.sources.untracked, &RawPath::new(directory))?.files
        {
            configured.insert(path.file_name().to_vec());
        }
    }
    let query = DataQuery { is_wanted_word: Some(&|word| configured.contains(word)), ..DataQuery::default() };
    let own = program.program_object();
    let found = elf::search_data(&own.file.content.open()?, &own.object, &query)?;
    let mut services: Vec<String> = found.words.iter().map(|name| escape_bytes(name)).collect();
    services.sort_unstable();
    services.dedup();
    Ok(services)
}

/// Returns the directory of PAM modules, which is compiled into libpam.
fn module_directory(libpam: &MappedObject) -> Result<Option<RawPath>, Error> {
    let strings =
        elf::data_strings_containing(&libpam.file.content.open()?, &libpam.object, &["/security/"])?;
    let mut directories =
        strings.into_iter().filter(|word| word.starts_with(b"/") && word.ends_with(b"/security/"));
    Ok(directories.next().map(RawPath::new))
}

/// Returns the configuration file of a service.
fn find_service(program: &ProgramContext<'_>, service: &str) -> Result<Option<DataFile>, Error> {
    for directory in SERVICE_DIRECTORIES {
        let found = program.data_file(&service_path(directory, service), "PAM service")?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn service_path(directory: &str, service: &str) -> RawPath {
    join_unless_absolute(&RawPath::new(directory), service)
}

/// Joins `directory` and `path`, unless `path` is absolute.
fn join_unless_absolute(directory: &RawPath, path: &str) -> RawPath {
    if path.starts_with('/') {
        RawPath::new(path)
    } else {
        RawPath::join_bytes(directory.as_bytes(), path.as_bytes())
    }
}

/// The parsed configuration of a service.
#[derive(Default, PartialEq, Eq, Debug)]
struct ServiceConfiguration {
    includes: Vec<String>,
    modules: Vec<(String, DlopenPriority)>,
}

/// Parses lines of the form `type control module arguments`, where control may be `[a=b c=d]`. The
/// module is optional if there is a `-` before the type.
fn parse_service(text: &str) -> ServiceConfiguration {
    let mut lines = ServiceConfiguration::default();
    for line in text.replace("\\\n", " ").lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(service) = line.strip_prefix("@include") {
            lines.includes.push(service.trim().to_owned());
            continue;
        }
        let Some((kind, rest)) = line.split_once(char::is_whitespace) else { continue };
        let rest = rest.trim_start();
        let (control, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((_, rest)) => ("[]", rest),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        let Some(module) = rest.split_whitespace().next() else { continue };
        if ["include", "substack"].iter().any(|word| control.eq_ignore_ascii_case(word)) {
            lines.includes.push(module.to_owned());
        } else {
            let priority =
                if kind.starts_with('-') { DlopenPriority::Suggested } else { DlopenPriority::Required };
            lines.modules.push((module.to_owned(), priority));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parses_a_service() {
        let lines = parse_service(
            "# comment\n@include common-auth\nauth [success=1 default=ignore] pam_unix.so nullok\n\
             -session optional pam_systemd.so\naccount include system\nauth required \\\n  /opt/pam_x.so # more\n",
        );
        assert_eq!(lines.includes, ["common-auth", "system"]);
        let modules: Vec<_> =
            lines.modules.iter().map(|(module, priority)| (module.as_str(), *priority)).collect();
        assert_eq!(
            modules,
            [
                ("pam_unix.so", DlopenPriority::Required),
                ("pam_systemd.so", DlopenPriority::Suggested),
                ("/opt/pam_x.so", DlopenPriority::Required)
            ]
        );
    }
    proptest! {
        /// The module is found in any context, and names contain no white space.
        #[test]
        fn finds_modules_in_any_text(before in "[ -~\t\n]{0,60}", control in "[a-z]{1,9}|\\[[a-z= ]{0,9}\\]", after: String) {
            let text = format!("{before}\n\nauth {control} pam_x.so {after}");
            let lines = parse_service(&text);
            let is_include = ["include", "substack"].contains(&control.as_str());
            let found = if is_include {
                lines.includes.iter().any(|name| name == "pam_x.so")
            } else {
                lines.modules.iter().any(|(name, _)| name == "pam_x.so")
            };
            prop_assert!(found, "{text:?}");
            let names = lines.modules.iter().map(|(name, _)| name);
            prop_assert!(names.clone().all(|name| !name.is_empty() && !name.contains(char::is_whitespace)));
        }
    }
}
