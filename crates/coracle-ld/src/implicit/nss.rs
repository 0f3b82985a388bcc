//! The name service switch, which looks up users, groups and hosts.
//!
//! Since 2.34 glibc contains `files` and `dns`; before, they were modules. Without
//! `/etc/nsswitch.conf`, glibc's defaults need more than an image has. Source: `nss/nss_module.c`,
//! `nss/nss_database.c`.

use super::imports::Need;
use super::policy::When;
use super::program::Program;
use super::wants::Wants;
use super::{Error, c_library};
use crate::closure::{Mapped, Opening};
use crate::elf::Priority;
use coracle_core::path::ImagePath;

/// The version since which `files` and `dns` are part of glibc.
const INSIDE: &[u8] = b"GLIBC_2.34";

pub(super) fn add(program: &Program<'_>, wants: &mut Wants) -> Result<(), Error> {
    let policy = program.policy;
    let asks = match policy.nss {
        When::Never => return Ok(()),
        When::Always => true,
        When::Auto => program.imports.of(Need::Nss).is_some() || !policy.nss_modules.is_empty(),
    };
    let Some(libc) = program.glibc().filter(|_| asks) else { return Ok(()) };
    wants.make(switch_path(), switch(&policy.nss_modules), "configuration of the name service switch");
    if !c_library::has_version(libc, INSIDE)? {
        wants.openings.extend(["files", "dns"].map(|module| opening(libc, module, Priority::Recommended)));
    }
    let more = policy.nss_modules.iter().map(|module| opening(libc, module, Priority::Required));
    wants.openings.extend(more);
    Ok(())
}

fn opening(libc: &Mapped, module: &str, priority: Priority) -> Opening {
    let name = format!("libnss_{module}.so.2").into_bytes();
    Opening {
        by: c_library::opener(libc),
        names: vec![name],
        why: format!("NSS module `{module}`"),
        priority,
    }
}

fn switch_path() -> ImagePath {
    ImagePath::root().join(b"etc").join(b"nsswitch.conf")
}

/// Returns the text of `/etc/nsswitch.conf`: `files`, then `modules`, then `dns` for hosts.
fn switch(modules: &[String]) -> String {
    let more = modules.iter().fold(String::new(), |text, module| format!("{text} {module}"));
    format!("passwd: files{more}\ngroup: files{more}\nhosts: files{more} dns\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_files_modules_and_dns() {
        assert_eq!(switch(&[]), "passwd: files\ngroup: files\nhosts: files dns\n");
        assert!(switch(&["sss".into()]).ends_with("hosts: files sss dns\n"));
    }
}
