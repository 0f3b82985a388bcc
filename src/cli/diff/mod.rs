//! `coracle diff`: how two images differ.

mod diff_markdown;
mod diff_text;

use coracle_inspect::{DiffOptions, ImageDiff};

use super::args::{DiffArgs, DiffFormat};
use super::error::{CliError, CliExit};
use super::image_reader::{ImageOpener, parse_platform};
use super::inspect::read_error;
use super::progress::ProgressDisplay;
use super::{console_output, environment, interrupt};

/// Runs `coracle diff`.
pub(super) fn run_diff(args: &DiffArgs) -> Result<CliExit, CliError> {
    interrupt::handle_signals();
    let platform = parse_platform(args.platform.as_deref())?;
    let opener = ImageOpener::new(&args.registry);
    let (old, new) = (opener.open(&args.old)?, opener.open(&args.new)?);
    let progress = ProgressDisplay::with_unknown_total(args.quiet, "reading");
    let temp_dir = environment::engine_settings().temp_dir;
    let options = DiffOptions { platform: platform.as_ref(), temp_dir: &temp_dir, progress: &progress };
    let diff = ImageDiff::compare(&old, &new, &options);
    progress.finish();
    let diff = diff.map_err(read_error)?;
    match args.format {
        DiffFormat::Text => console_output::print_report(&diff_text::diff_text(&diff))?,
        DiffFormat::Json => console_output::print_json(&diff)?,
        DiffFormat::Markdown => console_output::print_bytes(diff_markdown::diff_markdown(&diff).as_bytes())?,
        DiffFormat::Html => {
            let page = coracle_inspect::diff_page(&diff)
                .map_err(|error| CliError::internal(&format!("cannot write the page: {error}")))?;
            console_output::print_bytes(page.as_bytes())?;
        }
    }
    if let Some(problem) = diff.platforms.iter().flat_map(|platform| &platform.problems).next() {
        return Err(CliError::failed_with_hint(
            format!("the images cannot be compared completely: {problem}"),
            "copy or push the image again, or compare images whose layers can be read",
        ));
    }
    Ok(if diff.same { CliExit::Success } else { CliExit::Findings })
}
