//! `coracle config diff`: the changes between two contracts, and which are breaking.

use coracle_kube::contract;
use serde_json::json;

use crate::cli::args::{ConfigDiffArgs, OutputFormat};
use crate::cli::error::CliError;
use crate::cli::exit::CliExit;
use crate::cli::{image_reader, stdout};

pub(super) fn run_config_diff(args: &ConfigDiffArgs) -> Result<CliExit, CliError> {
    let platform = image_reader::parse_platform(args.platform.as_deref())?;
    let reader = image_reader::ImageReader::new(&args.registry, [args.old.as_str(), &args.new]);
    let read = |text: &str| image_reader::image_or_file_contract(text, platform.as_ref(), &reader);
    let changes = contract::diff_contracts(&read(&args.old)?, &read(&args.new)?);
    match args.format {
        OutputFormat::Text => {
            let line = |change: &contract::ContractChange| {
                let word = if change.is_breaking { "breaking  " } else { "          " };
                let line = format!("{word}{} {} {}", change.part, change.name, change.message);
                stdout::escape_control(&line) + "\n"
            };
            stdout::print(&changes.iter().map(line).collect::<String>())?;
        }
        OutputFormat::Json => {
            let change = |change: &contract::ContractChange| json!({"part": change.part, "name": change.name, "message": change.message, "breaking": change.is_breaking});
            stdout::print_json(&json!({"changes": changes.iter().map(change).collect::<Vec<_>>()}))?;
        }
    }
    let is_breaking = changes.iter().any(|change| change.is_breaking);
    Ok(if is_breaking { CliExit::Findings } else { CliExit::Success })
}
