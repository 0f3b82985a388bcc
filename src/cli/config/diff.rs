//! `coracle config diff`: the changes between two contracts, and which are breaking.

use coracle_kube::contract;
use serde_json::json;

use crate::cli::args::{DiffArgs, Format};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::{image, output};

pub(super) fn run(args: &DiffArgs) -> Result<Exit, Failure> {
    let platform = image::platform(args.platform.as_deref())?;
    let reader = image::Reader::new(&args.registry, [args.old.as_str(), &args.new]);
    let read = |text: &str| image::contract_or_file(text, platform.as_ref(), &reader);
    let changes = contract::changes(&read(&args.old)?, &read(&args.new)?);
    match args.format {
        Format::Text => {
            let line = |change: &contract::Change| {
                let word = if change.is_breaking { "breaking  " } else { "          " };
                let line = format!("{word}{} {} {}", change.part, change.name, change.message);
                output::plain(&line) + "\n"
            };
            output::print(&changes.iter().map(line).collect::<String>())?;
        }
        Format::Json => {
            let change = |change: &contract::Change| json!({"part": change.part, "name": change.name, "message": change.message, "breaking": change.is_breaking});
            output::print_json(&json!({"changes": changes.iter().map(change).collect::<Vec<_>>()}))?;
        }
    }
    let is_breaking = changes.iter().any(|change| change.is_breaking);
    Ok(if is_breaking { Exit::Findings } else { Exit::Done })
}
