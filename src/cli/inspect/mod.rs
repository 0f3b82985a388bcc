//! `coracle inspect`: what an image contains, and why.

mod file_text;
mod summary_text;

use std::io::Write as _;

use coracle_core::file_system::{FileSystem as _, FsNode};
use coracle_core::path::{ImagePath, ParseImagePathError};
use coracle_inspect::{
    DependencyGraph, ImageContents, ImageReport, ReadDepth, RunConfigReport, WhyReport, to_mtree,
};
use coracle_oci::layout::{LayoutError, ParsedImage, ParsedPlatform};

use super::args::{InspectArgs, InspectFormat};
use super::error::{CliError, CliExit};
use super::image_reader::{ImageOpener, parse_platform};
use super::progress::ProgressDisplay;
use super::{console_output, environment, interrupt};

/// Runs `coracle inspect`.
pub(super) fn run_inspect(args: &InspectArgs) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    let wanted = parse_platform(args.platform.as_deref())?;
    check_format(args)?;
    let image = ImageOpener::new(&args.registry).open(&args.image)?;
    let platform = image.image_for_platform(wanted.as_ref()).map_err(coracle::Error::from)?;
    if args.no_layers {
        print_report(args, ImageReport::new(&image, platform, None), None)?;
        return Ok(CliExit::Success);
    }
    let contents = read_contents(&image, platform, read_depth(args), args.quiet)?;
    if let Some(path) = &args.file {
        print_file(&image, &contents, &parse_path(path)?)?;
        return Ok(CliExit::Success);
    }
    let mut report = ImageReport::new(&image, platform, Some(&contents));
    let graph = (args.files || args.why.is_some() || args.format == InspectFormat::Html)
        .then(|| DependencyGraph::resolve(&contents.unpacked.file_system, &report.image.config));
    if args.files || args.format == InspectFormat::Html {
        report.image.files = Some(contents.file_reports(graph.as_ref()));
    }
    if let (Some(path), Some(graph)) = (&args.why, &graph) {
        print_why(args, &image, &contents, graph, &parse_path(path)?)?;
    } else if args.format == InspectFormat::Mtree {
        console_output::print_bytes(to_mtree(&contents).as_bytes())?;
    } else {
        print_report(args, report.clone(), graph.as_ref())?;
    }
    damage_error(&report).map_or(Ok(CliExit::Success), Err)
}

/// Reads the layers of an image, with progress on stderr.
pub(super) fn read_contents(
    image: &ParsedImage,
    platform: &ParsedPlatform,
    depth: ReadDepth,
    quiet: bool,
) -> Result<ImageContents, CliError> {
    let progress = ProgressDisplay::with_unknown_total(quiet, "reading");
    let temp_dir = environment::engine_settings().temp_dir;
    let contents = ImageContents::read(image, platform, depth, &temp_dir, &progress);
    progress.finish();
    contents.map_err(read_error)
}

/// Converts the error of reading an image. Nothing was written before an interruption.
pub(super) fn read_error(error: LayoutError) -> CliError {
    match error {
        LayoutError::Cancelled => CliError::interrupted("nothing was written"),
        error => coracle::Error::from(error).into(),
    }
}

fn read_depth(args: &InspectArgs) -> ReadDepth {
    let needs_graph = args.files || args.why.is_some() || args.format == InspectFormat::Html;
    ReadDepth {
        contents: needs_graph || args.file.is_some(),
        digests: args.format == InspectFormat::Mtree || (args.files && args.format == InspectFormat::Json),
    }
}

/// Fails if the format cannot show what the flags select.
fn check_format(args: &InspectArgs) -> Result<(), CliError> {
    let format = match args.format {
        InspectFormat::Text | InspectFormat::Json => return Ok(()),
        InspectFormat::Mtree => "mtree",
        InspectFormat::Html => "html",
    };
    let selected = [
        (args.files && args.format == InspectFormat::Html, "--files"),
        (args.why.is_some(), "--why"),
        (args.packages, "--packages"),
        (args.no_layers, "--no-layers"),
    ];
    match selected.into_iter().find(|(is_set, _)| *is_set) {
        None => Ok(()),
        Some((_, flag)) => Err(CliError::usage(
            format!("`{flag}` does not support `--format {format}`"),
            format!(
                "leave out `{flag}`: the format has everything that it can show, or pass `--format json`"
            ),
        )),
    }
}

fn parse_path(text: &str) -> Result<ImagePath, CliError> {
    text.parse().map_err(|error: ParseImagePathError| {
        CliError::usage(error.to_string(), "write the absolute path of a file in the image")
    })
}

fn print_report(
    args: &InspectArgs,
    report: ImageReport,
    graph: Option<&DependencyGraph>,
) -> Result<(), CliError> {
    match args.format {
        InspectFormat::Json => console_output::print_json(&report),
        InspectFormat::Html => {
            let page = coracle_inspect::image_page(&report, graph)
                .map_err(|error| CliError::internal(&format!("cannot write the page: {error}")))?;
            console_output::print_bytes(page.as_bytes())
        }
        _ if args.packages => console_output::print_data(&file_text::packages_text(&report)),
        _ => match &report.image.files {
            Some(files) => console_output::print_data(&file_text::files_text(files)),
            None => console_output::print_report(&summary_text::summary_text(&report)),
        },
    }
}

fn print_why(
    args: &InspectArgs,
    image: &ParsedImage,
    contents: &ImageContents,
    graph: &DependencyGraph,
    path: &ImagePath,
) -> Result<(), CliError> {
    let report = WhyReport::new(contents, graph, path).map_err(|_| missing_path(image, path))?;
    match args.format {
        InspectFormat::Json => console_output::print_json(&report),
        _ => console_output::print_report(&file_text::why_text(&report)),
    }
}

/// Prints the content of a file, whose links are followed inside the image.
fn print_file(image: &ParsedImage, contents: &ImageContents, path: &ImagePath) -> Result<(), CliError> {
    let file_system = &contents.unpacked.file_system;
    let target = file_system.files().resolve_links(path);
    let content = match file_system.node(&target)? {
        Some(FsNode::File(file)) => file.content,
        Some(FsNode::Directory) => {
            return Err(CliError::failed_with_hint(
                format!("`{path}` is a directory in `{}`", image.source.location),
                "name a file; `coracle inspect IMAGE --files` lists them",
            ));
        }
        Some(FsNode::Special(_) | FsNode::Link(_)) => {
            return Err(CliError::failed(format!(
                "`{path}` in `{}` is not a file: it has no content",
                image.source.location
            )));
        }
        None => return Err(missing_path(image, path)),
    };
    let opened = content.open()?;
    let mut offset = 0;
    while offset < opened.size() {
        let bytes = opened.read_bytes_at(offset, COPY_SIZE)?;
        offset += bytes.len() as u64;
        match std::io::stdout().write_all(&bytes) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(CliError::stdout_error(&error)),
            Ok(()) => {}
        }
    }
    console_output::print_bytes(&[])
}

/// The number of bytes that are copied at once.
const COPY_SIZE: usize = 1 << 20;

fn missing_path(image: &ParsedImage, path: &ImagePath) -> CliError {
    CliError::failed_with_hint(
        format!("`{}` has no `{path}`", image.source.location),
        "`coracle inspect IMAGE --files` lists its paths",
    )
}

/// Returns the error that a layer is damaged, if one is.
fn damage_error(report: &ImageReport) -> Option<CliError> {
    let (number, layer) = report.damaged_layer()?;
    let why = layer.problem.as_deref().unwrap_or_default();
    Some(CliError::failed_with_hint(
        format!("layer {} of `{}` is damaged: {why}", number + 1, report.location),
        "the report lacks its files: push or copy the image again",
    ))
}

/// Returns the config of an image, for `coracle deps`.
pub(super) fn run_config(platform: &ParsedPlatform) -> RunConfigReport {
    RunConfigReport::new(&platform.config)
}
