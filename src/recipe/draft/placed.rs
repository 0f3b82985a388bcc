//! Programs and includes with their paths in the image: `programs` and `[[include]]`, or
//! `PROGRAM[:TO]` and `--include FROM:TO`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::super::{Include, Overrides, Program, from_folder, schema};
use super::{Check, Origin, Word};
use coracle_core::fs;
use coracle_core::path::{ImagePath, Spelled, printable};

/// A program or an include: source path and raw path in the image.
struct Placed {
    from: PathBuf,
    to: Option<Vec<u8>>,
}

impl Check<'_> {
    pub(super) fn programs(
        &mut self,
        file: &schema::File,
        flags: &Overrides,
        folder: &Path,
    ) -> fs::Result<Vec<Program>> {
        let mut words = Vec::new();
        for text in &flags.programs {
            let Placed { from, to } = split_program(text)?;
            if to.is_none()
                && let Some(hint) = half_placed(&from)?
            {
                let message = format!("`{}` is not a file, and its TO is not absolute", from.display());
                self.problem(&Origin::Flag("PROGRAM"), message, Some(hint));
                continue;
            }
            let value = Placed { from: from_folder(folder, from)?, to };
            words.push(Word { value, origin: Origin::Flag("PROGRAM") });
        }
        if words.is_empty() {
            words.extend(file.image.0.programs.iter().map(|program| {
                let value = match program.get_ref() {
                    schema::PathOr::Path(from) => Placed { from: from.into(), to: None },
                    schema::PathOr::Table(placed) => Placed {
                        from: placed.from.get_ref().into(),
                        to: placed.to.as_ref().map(|to| to.get_ref().clone().into_bytes()),
                    },
                };
                Word { value, origin: Origin::File(program.span()) }
            }));
        }
        Ok(words.into_iter().filter_map(|word| self.program(word)).collect())
    }

    fn program(&mut self, Word { value: Placed { from, to }, origin }: Word<Placed>) -> Option<Program> {
        self.from(&from, &origin)?;
        let Some(mut to) = to else { return Some(Program { from, to: None }) };
        if to.ends_with(b"/") {
            to.extend(from.file_name().map(|name| fs::bytes_of(Path::new(name))).unwrap_or_default());
        }
        let path = self.legal(ImagePath::parse(&to), &origin, |_| None)?;
        if path.name().is_none() {
            self.problem(&origin, "a program cannot replace the root directory".into(), None);
            return None;
        }
        Some(Program { from, to: Some(path) })
    }

    pub(super) fn includes(
        &mut self,
        file: &schema::File,
        flags: &Overrides,
        folder: &Path,
    ) -> fs::Result<Vec<Include>> {
        let mut words = Vec::new();
        for text in &flags.includes {
            let Placed { from, to } = split_placed(&fs::bytes_of(Path::new(text)));
            let value = Placed { from: from_folder(folder, from)?, to };
            words.push(Word { value, origin: Origin::Flag("--include") });
        }
        if words.is_empty() {
            words.extend(file.include.iter().map(|schema::Table(include)| {
                let to = include.to.get_ref().clone().into_bytes();
                let value = Placed { from: include.from.get_ref().into(), to: Some(to) };
                Word { value, origin: Origin::File(include.to.span()) }
            }));
        }
        Ok(words.into_iter().filter_map(|word| self.include(word)).collect())
    }

    fn include(&mut self, Word { value: Placed { from, to }, origin }: Word<Placed>) -> Option<Include> {
        self.from(&from, &origin)?;
        let Some(to) = to else {
            let message = format!("`{}` has no path in the image", from.display());
            let hint = "write it as `FROM:TO` with an absolute TO, such as `assets/:/srv/assets`";
            self.problem(&origin, message, Some(hint.into()));
            return None;
        };
        self.legal(ImagePath::parse(&to), &origin, |_| None)?;
        Some(Include { from, to: Spelled::new(to) })
    }

    fn from(&mut self, from: &Path, origin: &Origin) -> Option<()> {
        if from.as_os_str().is_empty() {
            self.problem(origin, "the path of a file is empty".into(), None);
            return None;
        }
        Some(())
    }
}

/// Splits `PROGRAM[:TO]`, unless a file with the whole value as its name exists.
fn split_program(text: &OsStr) -> fs::Result<Placed> {
    let path = Path::new(text);
    let placed = split_placed(&fs::bytes_of(path));
    if placed.to.is_some() && matches!(fs::look(path)?, Some(fs::Found::File(_) | fs::Found::Link(_))) {
        return Ok(Placed { from: path.to_owned(), to: None });
    }
    Ok(placed)
}

/// Returns a hint if `path` looks like `FROM:TO` with a relative TO.
fn half_placed(path: &Path) -> fs::Result<Option<String>> {
    let text = fs::bytes_of(path);
    let Some(colon) = text.iter().rposition(|&byte| byte == b':') else { return Ok(None) };
    let (from, to) = (text.get(..colon).unwrap_or_default(), text.get(colon + 1..).unwrap_or_default());
    if fs::look(path)?.is_some() || !matches!(fs::look(&fs::path_of(from))?, Some(fs::Found::File(_))) {
        return Ok(None);
    }
    Ok(Some(format!("write it with an absolute TO, as in `{}:/{}`", printable(from), printable(to))))
}

/// Splits `FROM:TO` at the last colon before a slash; other colons are part of a file name.
fn split_placed(text: &[u8]) -> Placed {
    match text.windows(2).rposition(|pair| pair == b":/") {
        Some(colon) => {
            let (from, to) = text.split_at(colon);
            Placed { from: fs::path_of(from), to: to.get(1..).map(<[u8]>::to_vec) }
        }
        None => Placed { from: fs::path_of(text), to: None },
    }
}
