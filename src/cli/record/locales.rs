//! The locales that runs have used, by the files that the C library reads for them.

use std::collections::BTreeSet;
use std::path::Path;

use coracle_trace::Trace;

use crate::cli::environment::env_text;

const LOCALE_DIRECTORY: &str = "/usr/lib/locale";

/// Returns the locales whose files were read, and that are not in the image.
pub(super) fn missing_locales(trace: &Trace, is_in_image: &dyn Fn(&Path) -> bool) -> Vec<String> {
    let missing = trace.files_read.iter().map(|file| file.path.as_path()).filter(|path| !is_in_image(path));
    let mut names = BTreeSet::new();
    for path in missing {
        let Ok(below) = path.strip_prefix(LOCALE_DIRECTORY) else { continue };
        let first = below.components().next().map(|name| name.as_os_str().to_string_lossy().into_owned());
        match first {
            Some(name) if name == "locale-archive" => names.extend(locale_of_environment()),
            Some(name) => {
                let codeset = name.strip_suffix(".utf8").map(|language| format!("{language}.UTF-8"));
                names.insert(codeset.unwrap_or(name));
            }
            None => {}
        }
    }
    names.into_iter().collect()
}

/// Returns the locale that the environment names. A locale archive has many locales; this one was
/// most likely used. `None` for `C` and `POSIX`, which need no files.
fn locale_of_environment() -> Option<String> {
    let name = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(env_text)?;
    (!matches!(name.as_str(), "" | "C" | "POSIX")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_locales_of_files() {
        let files = ["/usr/lib/locale/C.utf8/LC_CTYPE", "/usr/lib/locale/de_DE/LC_TIME", "/usr/lib/x"];
        let trace = Trace { files_read: files.into_iter().map(Into::into).collect(), ..Trace::default() };
        assert_eq!(missing_locales(&trace, &|_| false), ["C.UTF-8", "de_DE"]);
        assert_eq!(missing_locales(&trace, &|path| path.starts_with("/usr/lib/locale/de_DE")), ["C.UTF-8"]);
    }
}
