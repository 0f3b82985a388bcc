//! PAM: the configuration of services, and the modules that it names. Source: `libpam/pam_handlers.c`.

use std::collections::BTreeSet;

use super::Error;
use super::program::Program;
use super::wants::{ExtraNode, Wants};
use crate::closure::{Opener, Opening};
use crate::elf::{self, Priority};
use crate::path::Spelled;

const DIRECTORY: &str = "/etc/pam.d";
/// A service's configuration has some lines.
const MAX_FILE: usize = 1 << 20;

pub(super) fn add(program: &Program<'_>, wants: &mut Wants) -> Result<(), Error> {
    let Some(services) = program.policy.pam.as_ref().filter(|services| !services.is_empty()) else {
        return Ok(());
    };
    let Some(libpam) = program.library("libpam.so") else {
        if program.is_entrypoint {
            wants.lack("no libpam is mapped, so no service of PAM is asked for", "leave `pam` out");
        }
        return Ok(());
    };
    let words = elf::words_with(&libpam.file.content.open()?, &["/security/"])?;
    let Some(modules) =
        words.into_iter().find(|word| word.starts_with(b"/") && word.ends_with(b"/security/"))
    else {
        wants.lack("cannot tell where libpam keeps its modules", "leave `pam` out");
        return Ok(());
    };
    let by = Opener::Library(libpam.object.dynamic.soname.clone().unwrap_or_default());
    let mut queue: Vec<String> = services.clone();
    let mut known = BTreeSet::new();
    while let Some(service) = queue.pop() {
        if !known.insert(service.clone()) {
            continue;
        }
        let file = Spelled::in_directory(DIRECTORY.as_bytes(), service.as_bytes());
        let Some(extra) = program.data(&file, "a service of PAM")? else {
            wants.lack(
                format!("cannot find the PAM service `{service}`: there is no `{file}`"),
                "check the spelling",
            );
            continue;
        };
        if let ExtraNode::File(file) = &extra.node {
            let text = file.content.open()?.bytes_at(0, MAX_FILE)?;
            let lines = read(&String::from_utf8_lossy(&text));
            queue.extend(lines.includes);
            wants.openings.extend(lines.modules.into_iter().map(|(module, priority)| Opening {
                by: by.clone(),
                names: vec![path(&modules, &module)],
                why: format!("a module of the PAM service `{service}`"),
                priority,
            }));
        }
        wants.extras.push(extra);
    }
    Ok(())
}

fn path(directory: &[u8], module: &str) -> Vec<u8> {
    if module.starts_with('/') {
        module.as_bytes().to_vec()
    } else {
        Spelled::in_directory(directory, module.as_bytes()).as_bytes().to_vec()
    }
}

/// What a service's configuration names.
#[derive(Default, PartialEq, Eq, Debug)]
struct Lines {
    includes: Vec<String>,
    modules: Vec<(String, Priority)>,
}

/// `type control module arguments`, where control may be `[a=b c=d]`; a type behind `-` may lack its module.
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
        if ["include", "substack"].contains(&control) {
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
    use super::*;

    #[test]
    fn lines_of_a_service() {
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
}
