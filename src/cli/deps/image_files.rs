//! `coracle deps IMAGE [FILE]…`: resolves files inside an image.

use std::path::{Path, PathBuf};

use coracle::Error;
use coracle_core::fs;
use coracle_core::path::RawPath;
use coracle_inspect::ReadDepth;
use coracle_ld::closure::{ResolveOptions, Resolver};

use super::DepsRun;
use crate::cli::args::DepsArgs;
use crate::cli::error::{CliError, CliExit};
use crate::cli::image_reader::{ImageOpener, has_transport, parse_platform};
use crate::cli::inspect::{read_contents, run_config};
use crate::cli::interrupt;

/// Returns the image and the files in it, if the first of `files` is the location of an image.
pub(super) fn split_image(files: &[PathBuf]) -> Option<(&str, &[PathBuf])> {
    let (first, files) = files.split_first()?;
    first.to_str().filter(|text| has_transport(text)).map(|image| (image, files))
}

/// Resolves `files` in the image at `location`; without files, the program that the image starts.
/// The image's variables apply where no flag sets them.
pub(super) fn run_deps_in_image(
    args: &DepsArgs,
    location: &str,
    files: &[PathBuf],
    options: ResolveOptions,
) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    if !args.roots.is_empty() || !args.sysroots.is_empty() {
        return Err(CliError::usage(
            format!("`--root` and `--sysroot` have no effect for files in `{location}`"),
            "leave them out: the image is the root file system",
        ));
    }
    let image = ImageOpener::new(&args.registry).open(location)?;
    let wanted = parse_platform(args.platform.as_deref())?;
    let platform = image.image_for_platform(wanted.as_ref()).map_err(Error::from)?;
    let config = run_config(platform);
    let depth = ReadDepth { contents: true, digests: false };
    let contents = read_contents(&image, platform, depth, false)?;
    let options = with_image_variables(options, config.resolve_options(), args);
    let programs = match files {
        [] => vec![config.find_program(&contents.unpacked.file_system).ok_or_else(|| no_program(location))?],
        files => files.iter().map(|file| RawPath::new(path_in_image(file))).collect(),
    };
    let resolver = Resolver::new(&contents.unpacked.file_system, &options);
    let mut run = DepsRun::new(args);
    for program in programs {
        let closure = resolver.resolve_partial(&program).map_err(Error::from);
        run.report_file(&program.to_string(), closure)?;
    }
    run.finish()
}

/// Returns the path of a file in the image; a relative one starts at the root.
fn path_in_image(file: &Path) -> Vec<u8> {
    let path = fs::path_to_bytes(file);
    if path.starts_with(b"/") { path } else { [b"/", path.as_slice()].concat() }
}

/// Returns the options of the flags, with the image's settings for what no flag sets.
fn with_image_variables(flags: ResolveOptions, image: ResolveOptions, args: &DepsArgs) -> ResolveOptions {
    let mut options =
        ResolveOptions { variables: image.variables, path_variable: image.path_variable, ..flags };
    if args.library_path.is_none() {
        options.loader_environment.library_path = image.loader_environment.library_path;
    }
    if args.preload.is_none() {
        options.loader_environment.preload = image.loader_environment.preload;
    }
    if args.working_dir.is_none() {
        options.working_dir = image.working_dir;
    }
    options
}

fn no_program(location: &str) -> CliError {
    CliError::failed_with_hint(
        format!("the program that `{location}` starts is not in it, or it starts none"),
        "name a file: `coracle deps IMAGE FILE`; `coracle inspect IMAGE --files` lists them",
    )
}
