//! Locales for `setlocale`; only `C` and `POSIX` are built in. Source: `locale/findlocale.c`,
//! `intl/l10nflist.c`.

use super::Error;
use super::program::Program;
use super::wants::{Extra, ExtraNode, Wants};
use crate::elf;
use coracle_core::fs;
use coracle_core::path::Spelled;

const DIRECTORY: &str = "/usr/lib/locale";
const ARCHIVE: &str = "/usr/lib/locale/locale-archive";
const WHY: &str = "locale";

pub(super) fn add(program: &Program<'_>, wants: &mut Wants) -> Result<(), Error> {
    for name in program.policy.locales.iter().flatten() {
        let directory = Spelled::in_directory(DIRECTORY.as_bytes(), normal(name).as_bytes());
        let files = program.folder(&directory, &[], WHY)?;
        if !files.is_empty() {
            wants.extras.extend(files);
        } else if let Some(archive) = program.data(&Spelled::new(ARCHIVE), WHY)?
            && names(&archive, name)?
        {
            wants.extras.push(archive);
        } else {
            wants.lack(
                format!("cannot find the locale `{name}` in `{DIRECTORY}`"),
                "generate it with `localedef` where the image is built, or use `C.UTF-8`",
            );
        }
    }
    Ok(())
}

/// Returns whether the locale archive contains this locale. Its table of names is plain text.
fn names(archive: &Extra, name: &str) -> fs::Result<bool> {
    let ExtraNode::File(file) = &archive.node else { return Ok(false) };
    let wanted = normal(name);
    Ok(elf::words_with(&file.content.open()?, &[&wanted])?.contains(wanted.as_bytes()))
}

/// Returns the name of a locale's directory: `de_DE.utf8` for `de_DE.UTF-8`
/// (`_nl_normalize_codeset`).
fn normal(name: &str) -> String {
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
            assert_eq!(normal(name), file);
        }
    }
}
