//! Time zones and locales, which the C library reads from data files.
//!
//! Without time zones, local time is UTC; without locales, only `C` and `POSIX` exist. Source:
//! `time/tzfile.c`, `locale/findlocale.c`, `intl/l10nflist.c`.

use super::error::Error;
use super::implicit_policy::TimeZones;
use super::program_context::ProgramContext;
use super::requested_dependencies::{DataContent, DataFile, RequestedDependencies};
use crate::elf;
use coracle_core::fs;
use coracle_core::path::RawPath;

const ZONEINFO_DIRECTORY: &str = "/usr/share/zoneinfo";
/// Copies of all zones, without and with leap seconds.
const DUPLICATE_DIRECTORIES: [&str; 2] = ["posix", "right"];
const LOCALE_DIRECTORY: &str = "/usr/lib/locale";
const LOCALE_ARCHIVE: &str = "/usr/lib/locale/locale-archive";
const LOCALE_PURPOSE: &str = "locale";

/// Adds the time zones of the policy.
pub(super) fn add_time_zones(
    program: &ProgramContext<'_>,
    requests: &mut RequestedDependencies,
) -> Result<(), Error> {
    let directory = RawPath::new(ZONEINFO_DIRECTORY);
    let hint = "install `tzdata` where the image is built, or check the spelling";
    match &program.policy.time_zones {
        None => {}
        Some(TimeZones::All) => {
            let zones = program.sources.data_files_below(&directory, &DUPLICATE_DIRECTORIES, "time zone")?;
            if zones.is_empty() {
                requests.add_unmet(format!("cannot find time zones in `{ZONEINFO_DIRECTORY}`"), hint);
            }
            requests.data_files.extend(zones);
        }
        Some(TimeZones::Listed(names)) => {
            for name in names {
                let file = RawPath::join_bytes(directory.as_bytes(), name.as_bytes());
                match program.data_file(&file, "time zone")? {
                    Some(zone) => requests.data_files.push(zone),
                    None => requests.add_unmet(
                        format!("cannot find the time zone `{name}` in `{ZONEINFO_DIRECTORY}`"),
                        hint,
                    ),
                }
            }
        }
    }
    Ok(())
}

/// Adds the locales of the policy.
pub(super) fn add_requested_locales(
    program: &ProgramContext<'_>,
    requests: &mut RequestedDependencies,
) -> Result<(), Error> {
    for name in program.policy.locales.iter().flatten() {
        let directory = RawPath::join_bytes(LOCALE_DIRECTORY.as_bytes(), normalize_locale(name).as_bytes());
        let files = program.sources.data_files_below(&directory, &[], LOCALE_PURPOSE)?;
        if !files.is_empty() {
            requests.data_files.extend(files);
        } else if let Some(archive) = program.data_file(&RawPath::new(LOCALE_ARCHIVE), LOCALE_PURPOSE)?
            && locale_archive_contains(&archive, name)?
        {
            requests.data_files.push(archive);
        } else {
            requests.add_unmet(
                format!("cannot find the locale `{name}` in `{LOCALE_DIRECTORY}`"),
                "generate it with `localedef` where the image is built, or use `C.UTF-8`",
            );
        }
    }
    Ok(())
}

/// Returns whether the locale archive contains this locale. The archive's table of names is plain
/// text.
fn locale_archive_contains(archive: &DataFile, name: &str) -> fs::Result<bool> {
    let DataContent::File(file) = &archive.content else { return Ok(false) };
    let wanted = normalize_locale(name);
    Ok(elf::strings_containing(&file.content.open()?, &[&wanted])?.contains(wanted.as_bytes()))
}

/// Returns the name of a locale's directory: `de_DE.utf8` for `de_DE.UTF-8`
/// (`_nl_normalize_codeset`).
fn normalize_locale(name: &str) -> String {
    let Some((language, rest)) = name.split_once('.') else { return name.to_owned() };
    let (codeset, modifier) =
        rest.split_once('@').map_or((rest, None), |(codeset, modifier)| (codeset, Some(modifier)));
    let letters: String =
        codeset.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let digits = if letters.bytes().all(|byte| byte.is_ascii_digit()) { "iso" } else { "" };
    let modifier = modifier.map(|modifier| format!("@{modifier}")).unwrap_or_default();
    format!("{language}.{digits}{letters}{modifier}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalizes_names() {
        for (name, file) in [
            ("C.UTF-8", "C.utf8"),
            ("de_DE.UTF-8@euro", "de_DE.utf8@euro"),
            ("de_DE", "de_DE"),
            ("x.8859-1", "x.iso88591"),
        ] {
            assert_eq!(normalize_locale(name), file);
        }
    }
}
