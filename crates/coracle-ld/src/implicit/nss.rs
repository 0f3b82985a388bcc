//! The name service switch, which looks up users, groups and hosts.
//!
//! Since 2.34 glibc contains `files` and `dns`; before, they were modules. Without
//! `/etc/nsswitch.conf`, glibc's defaults need more than an image has. Source: `nss/nss_module.c`,
//! `nss/nss_database.c`.

use super::error::Error;
use super::function_calls::FunctionNeed;
use super::implicit_policy::Inclusion;
use super::program_context::ProgramContext;
use super::requested_dependencies::RequestedDependencies;
use crate::closure::{DlopenCaller, DlopenRequest, MappedObject};
use crate::elf::{DlopenPriority, SymbolVersions};
use coracle_core::path::ImagePath;

/// The version since which `files` and `dns` are part of glibc.
const BUILT_IN_SINCE: &[u8] = b"GLIBC_2.34";

/// Adds `/etc/nsswitch.conf`, and opens the modules listed there.
pub(super) fn add_nss(
    program: &ProgramContext<'_>,
    requests: &mut RequestedDependencies,
) -> Result<(), Error> {
    let policy = program.policy;
    let is_wanted = match policy.nss {
        Inclusion::Never => return Ok(()),
        Inclusion::Always => true,
        Inclusion::Auto => {
            program.calls.first_call(FunctionNeed::Nss).is_some() || !policy.nss_modules.is_empty()
        }
    };
    let Some(libc) = program.glibc().filter(|_| is_wanted) else { return Ok(()) };
    requests.add_generated_file(
        nsswitch_path(),
        nsswitch_text(&policy.nss_modules),
        "configuration of the name service switch",
    );
    if !SymbolVersions::read(&libc.file.content.open()?, &libc.object)?.defines(BUILT_IN_SINCE) {
        requests
            .dlopens
            .extend(["files", "dns"].map(|module| module_request(libc, module, DlopenPriority::Recommended)));
    }
    let more = policy.nss_modules.iter().map(|module| module_request(libc, module, DlopenPriority::Required));
    requests.dlopens.extend(more);
    Ok(())
}

/// Returns the request to open one NSS module.
fn module_request(libc: &MappedObject, module: &str, priority: DlopenPriority) -> DlopenRequest {
    let name = format!("libnss_{module}.so.2").into_bytes();
    DlopenRequest {
        caller: DlopenCaller::from_library(libc),
        names: vec![name],
        purpose: format!("NSS module `{module}`"),
        priority,
    }
}

fn nsswitch_path() -> ImagePath {
    ImagePath::root().join(b"etc").join(b"nsswitch.conf")
}

/// Returns the text of `/etc/nsswitch.conf`: `files`, then `modules`, then `dns` for hosts.
fn nsswitch_text(modules: &[String]) -> String {
    let more = modules.iter().fold(String::new(), |text, module| format!("{text} {module}"));
    format!("passwd: files{more}\ngroup: files{more}\nhosts: files{more} dns\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_files_modules_and_dns() {
        assert_eq!(nsswitch_text(&[]), "passwd: files\ngroup: files\nhosts: files dns\n");
        assert!(nsswitch_text(&["sss".into()]).ends_with("hosts: files sss dns\n"));
    }
}
