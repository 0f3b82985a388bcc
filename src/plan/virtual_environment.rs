//! A program in a Python virtual environment, whose path exists only on this machine.
//!
//! A script of a virtual environment names its interpreter by an absolute path, such as
//! `/home/u/shop/venv/bin/python3`. The image gets the environment at `/app/NAME`, and the entrypoint
//! starts the interpreter there with the script as its argument. Python finds the environment by the
//! `pyvenv.cfg` above its own directory. Source: `Modules/getpath.py` of CPython.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::platform_base::APP_DIR;
use crate::error::Error;
use crate::recipe::{Recipe, RecipeInclude, RecipeProgram};
use coracle_core::distribution_directories::is_system_path;
use coracle_core::file_system::{FileSystem, ResolutionEnd, resolve_path};
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::closure::{ResolveOptions, Resolver};

/// The largest `pyvenv.cfg` that is read, in bytes.
const MAX_CONFIGURATION_SIZE: usize = 1 << 16;
/// The lines of `pyvenv.cfg` that Python reads. Others have paths of this machine.
const CONFIGURATION_KEYS: [&str; 3] = ["home", "include-system-site-packages", "version"];

/// A recipe whose entrypoint is not in a virtual environment of this machine.
pub(super) struct RelocatedRecipe<'a> {
    pub(super) recipe: Cow<'a, Recipe>,
    /// The path in the image of the script that the entrypoint starts. `None` if the entrypoint is the
    /// program.
    pub(super) script: Option<ImagePath>,
    /// Generated files.
    pub(super) files: Vec<(ImagePath, Vec<u8>)>,
}

/// A virtual environment on this machine and in the image.
struct Environment {
    directory: PathBuf,
    in_image: ImagePath,
    configuration: String,
}

/// Returns `recipe` with the virtual environment of its entrypoint at its path in the image. Unchanged if
/// the entrypoint is in no virtual environment in a private directory.
pub(super) fn relocate<'a>(
    recipe: &'a Recipe,
    host: &dyn FileSystem,
    is_private: impl Fn(&ImagePath) -> bool,
) -> Result<RelocatedRecipe<'a>, Error> {
    let unchanged = RelocatedRecipe { recipe: Cow::Borrowed(recipe), script: None, files: Vec::new() };
    let Some(first) = recipe.contents.programs.first().filter(|first| first.to.is_none()) else {
        return Ok(unchanged);
    };
    if !recipe.contents.root_overrides.is_empty() {
        return Ok(unchanged);
    }
    let program = fs::absolute_path(&recipe.resolve_path(&first.from))?;
    let script_interpreter = interpreter_of_script(host, &program)?;
    let interpreter = script_interpreter.as_ref().unwrap_or(&program);
    let Some(environment) = environment_of(host, interpreter)? else { return Ok(unchanged) };
    let is_outside = |path: &ImagePath| is_private(path) && !is_system_path(path);
    if !ImagePath::parse(&fs::path_to_bytes(&environment.directory)).is_ok_and(|path| is_outside(&path)) {
        return Ok(unchanged);
    }
    let in_bin = |path: &Path| -> Result<ImagePath, Error> {
        let name = path.file_name().ok_or(Error::Internal("a program has no file name"))?;
        Ok(environment.in_image.join(b"bin").join(&fs::path_to_bytes(Path::new(name))))
    };
    let mut relocated = recipe.clone();
    let placed = RecipeProgram { from: interpreter.clone(), to: Some(in_bin(interpreter)?) };
    if let Some(entrypoint) = relocated.contents.programs.first_mut() {
        *entrypoint = placed;
    }
    let script = script_interpreter.map(|_| in_bin(&program)).transpose()?;
    let include = script.as_ref().map(|script| RecipeInclude {
        from: program,
        to: RawPath::from(script),
        ..RecipeInclude::default()
    });
    relocated.contents.includes.extend(include);
    let configuration = environment.in_image.join(b"pyvenv.cfg");
    let files = vec![(configuration, environment.configuration.into_bytes())];
    Ok(RelocatedRecipe { recipe: Cow::Owned(relocated), script, files })
}

/// Returns the interpreter of the script at `program`. `None` if it is no script, or its interpreter cannot
/// be found.
fn interpreter_of_script(host: &dyn FileSystem, program: &Path) -> Result<Option<PathBuf>, Error> {
    let raw_path = RawPath::new(fs::path_to_bytes(program));
    let ResolutionEnd::File(_, file) = resolve_path(host, &ImagePath::root(), raw_path.as_bytes())?.end
    else {
        return Ok(None);
    };
    if file.content.open()?.read_bytes_at(0, 2)? != b"#!" {
        return Ok(None);
    }
    let options = ResolveOptions::default();
    // Errors are reported when the program is planned.
    let Ok(closure) = Resolver::new(host, &options).resolve(&raw_path) else { return Ok(None) };
    Ok(closure.executed.get(1).map(|interpreter| fs::path_from_bytes(interpreter.raw_path.as_bytes())))
}

/// Returns the virtual environment of an interpreter: the directory above its own, if that has a
/// `pyvenv.cfg`.
fn environment_of(host: &dyn FileSystem, interpreter: &Path) -> Result<Option<Environment>, Error> {
    let Some(directory) = interpreter.parent().and_then(Path::parent) else { return Ok(None) };
    let configuration = fs::path_to_bytes(&directory.join("pyvenv.cfg"));
    let walk = resolve_path(host, &ImagePath::root(), &configuration)?;
    let (ResolutionEnd::File(_, file), Some(name)) = (walk.end, directory.file_name()) else {
        return Ok(None);
    };
    let bytes = file.content.open()?.read_bytes_at(0, MAX_CONFIGURATION_SIZE)?;
    let in_image = ImagePath::root().join(APP_DIR.as_bytes()).join(&fs::path_to_bytes(Path::new(name)));
    let configuration = portable_configuration(&String::from_utf8_lossy(&bytes));
    Ok(Some(Environment { directory: directory.to_owned(), in_image, configuration }))
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
    fn keeps_lines_that_python_reads() {
        let text = "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n\
                    executable = /usr/bin/python3.11\ncommand = /usr/bin/python3 -m venv /home/u/venv\n";
        let expected = "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n";
        assert_eq!(portable_configuration(text), expected);
    }
}
