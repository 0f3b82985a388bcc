//! A program in a Python virtual environment, whose path exists only on this machine.
//!
//! A script of a virtual environment names its interpreter by an absolute path, such as
//! `/home/u/shop/venv/bin/python3`. The image gets the environment at `/app/NAME`, and the entrypoint
//! starts the interpreter there with the script as its argument. The script's first line names the interpreter in the
//! image. Python finds the environment by the
//! `pyvenv.cfg` above its own directory. Source: `Modules/getpath.py` of CPython.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::platform_base::APP_DIR;
use crate::error::Error;
use crate::recipe::{Recipe, RecipeProgram};
use crate::rootfs::{EntryReason, GeneratedFile};
use coracle_core::distribution_directories::is_system_path;
use coracle_core::file_system::{FileSystem, ResolutionEnd, resolve_path};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::closure::{ResolveOptions, Resolver};

/// The largest `pyvenv.cfg` that is read, in bytes.
const MAX_CONFIGURATION_SIZE: u64 = 1 << 16;
/// The largest script that is read, in bytes.
const MAX_SCRIPT_SIZE: u64 = 1 << 26;
/// The lines of `pyvenv.cfg` that Python reads. Other lines have paths of this machine.
const CONFIGURATION_KEYS: [&str; 3] = ["home", "include-system-site-packages", "version"];

/// A recipe whose entrypoint is not in a virtual environment of this machine.
pub(super) struct RelocatedRecipe<'a> {
    pub(super) recipe: Cow<'a, Recipe>,
    /// The path in the image of the script that the entrypoint starts. `None` if the entrypoint is the
    /// program.
    pub(super) script: Option<ImagePath>,
    /// The script, and the environment's configuration.
    pub(super) files: Vec<GeneratedFile>,
}

/// A script that a Python interpreter starts.
struct PythonScript {
    interpreter: PathBuf,
    /// The text after the lines that name the interpreter.
    rest: Vec<u8>,
}

/// A virtual environment on this machine and in the image.
struct VirtualEnvironment {
    directory: PathBuf,
    in_image: ImagePath,
    configuration: String,
}

/// Returns `recipe` with the virtual environment of its entrypoint at its path in the image. Unchanged if
/// the entrypoint is in no virtual environment in a private directory.
pub(super) fn relocate_virtual_environment<'a>(
    recipe: &'a Recipe,
    host: &dyn FileSystem,
    is_private: impl Fn(&ImagePath) -> bool,
) -> Result<RelocatedRecipe<'a>, Error> {
    let unchanged = RelocatedRecipe { recipe: Cow::Borrowed(recipe), script: None, files: Vec::new() };
    let Some(first) = recipe.contents.programs.first() else { return Ok(unchanged) };
    if !recipe.contents.root_overrides.is_empty() {
        return Ok(unchanged);
    }
    let program = fs::absolute_path(&recipe.resolve_path(&first.from))?;
    let script = read_script(host, &program)?;
    if script.is_none() && first.to.is_some() {
        return Ok(unchanged);
    }
    let interpreter = script.as_ref().map_or(&program, |script| &script.interpreter);
    let Some(environment) = virtual_environment_of(host, interpreter)? else { return Ok(unchanged) };
    let is_outside = |path: &ImagePath| is_private(path) && !is_system_path(path);
    if !ImagePath::parse(&fs::path_to_bytes(&environment.directory)).is_ok_and(|path| is_outside(&path)) {
        return Ok(unchanged);
    }
    let in_bin = |path: &Path| -> Result<ImagePath, Error> {
        let name = path.file_name().ok_or(Error::Internal("a program has no file name"))?;
        Ok(environment.in_image.join(b"bin").join(&fs::path_to_bytes(Path::new(name))))
    };
    let mut relocated = recipe.clone();
    let to = in_bin(interpreter)?;
    let placed = RecipeProgram { from: interpreter.clone(), to: Some(to.clone()) };
    if let Some(entrypoint) = relocated.contents.programs.first_mut() {
        *entrypoint = placed;
    }
    let configuration = EntryReason::DataFile("configuration of the virtual environment".into());
    let mut files = vec![GeneratedFile {
        path: environment.in_image.join(b"pyvenv.cfg"),
        bytes: environment.configuration.into_bytes(),
        reason: configuration,
    }];
    let script = match script {
        Some(script) => {
            let path = first.to.clone().map_or_else(|| in_bin(&program), Ok)?;
            let bytes = [b"#!", to.as_bytes(), b"\n", &script.rest].concat();
            let reason = EntryReason::Included(program.display().to_string());
            files.push(GeneratedFile { path: path.clone(), bytes, reason });
            Some(path)
        }
        None => None,
    };
    Ok(RelocatedRecipe { recipe: Cow::Owned(relocated), script, files })
}

/// Reads the script at `program`. `None` if it is no script, or its interpreter cannot be found.
fn read_script(host: &dyn FileSystem, program: &Path) -> Result<Option<PythonScript>, Error> {
    let raw_path = RawPath::new(fs::path_to_bytes(program));
    let ResolutionEnd::File(_, file) = resolve_path(host, &ImagePath::root(), raw_path.as_bytes())?.end
    else {
        return Ok(None);
    };
    let reader = file.content.open()?;
    if file.content.size() > MAX_SCRIPT_SIZE || reader.read_bytes_at(0, 2)? != b"#!" {
        return Ok(None);
    }
    let text = reader.read_bytes_at(0, usize::try_from(file.content.size()).unwrap_or(usize::MAX))?;
    let mut lines = text.splitn(4, |byte| *byte == b'\n');
    let (first, second, third) = (lines.next(), lines.next(), lines.next());
    if let Some(interpreter) = second.and_then(interpreter_of_trampoline) {
        let rest = lines.next().unwrap_or_default().to_vec();
        return Ok(Some(PythonScript { interpreter: fs::path_from_bytes(interpreter), rest }));
    }
    let rest = [second, third, lines.next()].into_iter().flatten().collect::<Vec<_>>().join(&b'\n');
    if first.is_some_and(|first| first.contains(&b' ')) {
        return Ok(None);
    }
    let options = ResolveOptions::default();
    // Errors are reported when the program is planned.
    let Ok(closure) = Resolver::new(host, &options).resolve(&raw_path) else { return Ok(None) };
    let interpreter = closure.executed.get(1);
    Ok(interpreter.map(|interpreter| PythonScript {
        interpreter: fs::path_from_bytes(interpreter.raw_path.as_bytes()),
        rest,
    }))
}

/// Returns the interpreter in the second line of a script that `/bin/sh` starts because the path of the interpreter is long
/// or has spaces: `'''exec' "/long/path/python3" "$0" "$@"`. Source: `ScriptMaker` of distlib, which pip uses.
fn interpreter_of_trampoline(line: &[u8]) -> Option<&[u8]> {
    let command = line.strip_prefix(b"'''exec' ")?.strip_suffix(b" \"$0\" \"$@\"")?;
    let quoted = |quote: &[u8]| command.strip_prefix(quote)?.strip_suffix(quote);
    Some(quoted(b"\"").or_else(|| quoted(b"'")).unwrap_or(command))
}

/// Returns the virtual environment of an interpreter: the directory above its own, if that has a
/// `pyvenv.cfg`.
fn virtual_environment_of(
    host: &dyn FileSystem,
    interpreter: &Path,
) -> Result<Option<VirtualEnvironment>, Error> {
    let Some(directory) = interpreter.parent().and_then(Path::parent) else { return Ok(None) };
    let configuration = fs::path_to_bytes(&directory.join("pyvenv.cfg"));
    let walk = resolve_path(host, &ImagePath::root(), &configuration)?;
    let (ResolutionEnd::File(_, file), Some(name)) = (walk.end, directory.file_name()) else {
        return Ok(None);
    };
    let bytes = file.content.read_whole(&configuration, MAX_CONFIGURATION_SIZE)?;
    let in_image = ImagePath::root().join(APP_DIR.as_bytes()).join(&fs::path_to_bytes(Path::new(name)));
    let configuration = portable_configuration(&String::from_utf8_lossy(&bytes));
    Ok(Some(VirtualEnvironment { directory: directory.to_owned(), in_image, configuration }))
}

/// Returns the lines of `pyvenv.cfg` that Python reads.
fn portable_configuration(text: &str) -> String {
    let is_read = |line: &&str| {
        let key = line.split('=').next().unwrap_or_default().trim();
        CONFIGURATION_KEYS.contains(&key.to_ascii_lowercase().as_str())
    };
    text.lines().filter(is_read).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_interpreter_of_a_trampoline() {
        for (line, interpreter) in [
            ("'''exec' /v/bin/python3 \"$0\" \"$@\"", Some("/v/bin/python3")),
            ("'''exec' \"/a b/bin/python3\" \"$0\" \"$@\"", Some("/a b/bin/python3")),
            ("'''exec' '/a b/bin/python3' \"$0\" \"$@\"", Some("/a b/bin/python3")),
            ("exec /v/bin/python3 \"$0\" \"$@\"", None),
        ] {
            assert_eq!(interpreter_of_trampoline(line.as_bytes()), interpreter.map(str::as_bytes), "{line}");
        }
    }

    #[test]
    fn keeps_lines_that_python_reads() {
        let text = "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n\
                    executable = /usr/bin/python3.11\ncommand = /usr/bin/python3 -m venv /home/u/venv\n";
        let expected = "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n";
        assert_eq!(portable_configuration(text), expected);
    }
}
