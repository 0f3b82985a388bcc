//! What is told of a build to other programs, besides stdout.

use std::path::PathBuf;

use clap::Args;

#[derive(Args)]
pub(in crate::cli) struct ReportArgs {
    /// Write to FILE what `--format json` prints
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub(in crate::cli) metadata_file: Option<PathBuf>,

    /// Append to FILE what was built, as lines NAME=VALUE: CORACLE_REFERENCE, CORACLE_DIGEST and CORACLE_SIZE of one image,
    /// CORACLE_IMAGES of all as JSON
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run", help_heading = "Reports")]
    pub(in crate::cli) dotenv: Option<PathBuf>,

    /// Append to FILE what was built, or why not, in Markdown
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run", help_heading = "Reports")]
    pub(in crate::cli) summary: Option<PathBuf>,
}
