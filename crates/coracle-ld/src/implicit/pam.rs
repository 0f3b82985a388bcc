//! PAM: the configuration of services, and the modules listed there. Source:
//! `libpam/pam_handlers.c`.

use std::collections::BTreeSet;

use super::Error;
use super::program::Program;
use super::wants::{Extra, ExtraNode, Wants};
use crate::closure::{Mapped, Opener, Opening};
use crate::elf::{self, Priority};
use coracle_core::path::{Spelled, printable};

/// Directories of service configurations: the administrator's, then the distribution's.
const DIRECTORIES: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];
/// Maximum size of a service's configuration.
const MAX_FILE: usize = 1 << 20;

pub(super) fn add(program: &Program<'_>, wants: &mut Wants) -> Result<(), Error> {
    let Some(services) = program.policy.pam.as_ref().filter(|services| !services.is_empty()) else {
        return Ok(());
    };
    let Some(libpam) = program.library("libpam.so") else {
        wants.is_useless("pam", "`pam` has no effect: no libpam is mapped", "leave `pam` out");
        return Ok(());
    };
    wants.is_used("pam");
    let Some(modules) = modules(libpam)? else {
        wants.lack("cannot determine the directory of PAM modules", "leave `pam` out");
        return Ok(());
    };
    let by = Opener::Library(libpam.object.dynamic.soname.clone().unwrap_or_default());
    let mut queue: Vec<String> = services.clone();
    let mut known = BTreeSet::new();
    while let Some(service) = queue.pop() {
        if !known.insert(service.clone()) {
            continue;
        }
        let shown = printable(service.as_bytes());
        let Some(extra) = configuration(program, &service)? else {
            let why = format!(
                "cannot find the PAM service `{shown}`: there is no `{}`",
                file("/etc/pam.d", &service)
            );
            wants.lack(why, "check the spelling");
            continue;
        };
        if let ExtraNode::File(file) = &extra.node {
            let text = file.content.open()?.bytes_at(0, MAX_FILE)?;
            let lines = read(&String::from_utf8_lossy(&text));
            queue.extend(lines.includes);
            wants.openings.extend(lines.modules.into_iter().map(|(module, priority)| Opening {
                by: by.clone(),
                names: vec![below(&modules, &module).as_bytes().to_vec()],
                why: format!("module of the PAM service `{shown}`"),
                priority,
            }));
        }
        wants.extras.push(extra);
    }
    Ok(())
}

/// Returns the directory of PAM modules, which is compiled into libpam.
fn modules(libpam: &Mapped) -> Result<Option<Spelled>, Error> {
    let words = elf::words_in(&libpam.file.content.open()?, &libpam.object, &["/security/"])?;
    let mut directories =
        words.into_iter().filter(|word| word.starts_with(b"/") && word.ends_with(b"/security/"));
    Ok(directories.next().map(Spelled::new))
}

/// Returns the configuration file of a service.
fn configuration(program: &Program<'_>, service: &str) -> Result<Option<Extra>, Error> {
    for directory in DIRECTORIES {
        let found = program.data(&file(directory, service), "PAM service")?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn file(directory: &str, service: &str) -> Spelled {
    below(&Spelled::new(directory), service)
}

/// Joins `directory` and `path`, unless `path` is absolute.
fn below(directory: &Spelled, path: &str) -> Spelled {
    if path.starts_with('/') {
        Spelled::new(path)
    } else {
        Spelled::in_directory(directory.as_bytes(), path.as_bytes())
    }
}

/// The parsed configuration of a service.
#[derive(Default, PartialEq, Eq, Debug)]
struct Lines {
    includes: Vec<String>,
    modules: Vec<(String, Priority)>,
}

/// Parses lines of the form `type control module arguments`, where control may be `[a=b c=d]`. The
/// module is optional if there is a `-` before the type.
fn read(text: &str) -> Lines {
    let mut lines = Lines::default();
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
            let priority = if kind.starts_with('-') { Priority::Suggested } else { Priority::Required };
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
        let lines = read(
            "# comment\n@include common-auth\nauth [success=1 default=ignore] pam_unix.so nullok\n\
             -session optional pam_systemd.so\naccount include system\nauth required \\\n  /opt/pam_x.so # more\n",
        );
        assert_eq!(lines.includes, ["common-auth", "system"]);
        let modules: Vec<_> =
            lines.modules.iter().map(|(module, priority)| (module.as_str(), *priority)).collect();
        assert_eq!(
            modules,
            [
                ("pam_unix.so", Priority::Required),
                ("pam_systemd.so", Priority::Suggested),
                ("/opt/pam_x.so", Priority::Required)
            ]
        );
    }
    proptest! {
        /// The module is found in any context, and names contain no white space.
        #[test]
        fn finds_modules_in_any_text(before in "[ -~\t\n]{0,60}", control in "[a-z]{1,9}|\\[[a-z= ]{0,9}\\]", after: String) {
            let text = format!("{before}\n\nauth {control} pam_x.so {after}");
            let lines = read(&text);
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
