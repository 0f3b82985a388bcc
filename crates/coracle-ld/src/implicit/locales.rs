//! Locales for `setlocale`; only `C` and `POSIX` are built in. Source: `locale/findlocale.c`,
//! `intl/l10nflist.c`.

use super::Error;
use super::program_context::ProgramContext;
use super::requests::{DataContent, DataFile, Requests};
use crate::elf;
use coracle_core::fs;
use coracle_core::path::RawPath;

const LOCALE_DIRECTORY: &str = "/usr/lib/locale";
const LOCALE_ARCHIVE: &str = "/usr/lib/locale/locale-archive";
const PURPOSE: &str = "locale";

pub(super) fn add_locales(program: &ProgramContext<'_>, wants: &mut Requests) -> Result<(), Error> {
    for name in program.policy.locales.iter().flatten() {
        let directory = RawPath::join_bytes(LOCALE_DIRECTORY.as_bytes(), normalize_locale(name).as_bytes());
        let files = program.data_files_below(&directory, &[], PURPOSE)?;
        if !files.is_empty() {
            wants.data_files.extend(files);
        } else if let Some(archive) = program.data_file(&RawPath::new(LOCALE_ARCHIVE), PURPOSE)?
            && archive_contains(&archive, name)?
        {
            wants.data_files.push(archive);
        } else {
            wants.add_unmet(
                format!("cannot find the locale `{name}` in `{LOCALE_DIRECTORY}`"),
                "generate it with `localedef` where the image is built, or use `C.UTF-8`",
            );
        }
    }
    Ok(())
}

/// Returns whether the locale archive contains this locale. Its table of names is plain text.
fn archive_contains(archive: &DataFile, name: &str) -> fs::Result<bool> {
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
