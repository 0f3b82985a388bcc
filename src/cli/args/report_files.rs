//! The flags of report files, which other programs read.

use std::path::PathBuf;

use clap::Args;

#[derive(Args)]
pub(in crate::cli) struct ReportFileArgs {
    /// Write the output of `--format json` to FILE
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(in crate::cli) metadata_file: Option<PathBuf>,

    /// Append the results to FILE as NAME=VALUE lines: CORACLE_REFERENCE, CORACLE_DIGEST and
    /// CORACLE_SIZE if one image was built, CORACLE_IMAGES with all images as JSON
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run", help_heading = "Reports")]
    pub(in crate::cli) dotenv: Option<PathBuf>,

    /// Append the results, or the errors, to FILE as Markdown
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run", help_heading = "Reports")]
    pub(in crate::cli) summary: Option<PathBuf>,
}
