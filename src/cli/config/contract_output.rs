//! `coracle config show` prints an image's contract as text or JSON, and `coracle config diff` the
//! changes between two contracts.

use coracle_core::escape::escape_text;
use coracle_kube::contract::{self, Contract, ContractChange, ContractFile};
use serde::Serialize;

use crate::cli::args::{ConfigDiffArgs, ConfigShowArgs, OutputFormat};
use crate::cli::console_output::{self, BOLD, DIM};
use crate::cli::contract_lookup;
use crate::cli::error::{CliError, CliExit};
use crate::cli::image_reader::{ImageOpener, parse_platform};

/// The changes between two contracts.
#[derive(Serialize)]
struct DiffReport<'a> {
    changes: Vec<ChangeReport<'a>>,
}

#[derive(Serialize)]
struct ChangeReport<'a> {
    part: &'a str,
    name: &'a str,
    message: &'a str,
    breaking: bool,
}

/// Runs `coracle config show`.
pub(super) fn run_config_show(args: &ConfigShowArgs) -> Result<CliExit, CliError> {
    let platform = parse_platform(args.common.platform.as_deref())?;
    let published_at = args.contract.as_deref();
    let reader = ImageOpener::new(&args.common.registry);
    let contract =
        contract_lookup::contract_with_parameters(&args.image, platform.as_ref(), published_at, &reader)?;
    match args.common.format {
        OutputFormat::Text => console_output::print_report(&contract_text(&contract))?,
        OutputFormat::Json => console_output::print_json(&contract)?,
    }
    Ok(CliExit::Success)
}

/// Runs `coracle config diff`.
pub(super) fn run_config_diff(args: &ConfigDiffArgs) -> Result<CliExit, CliError> {
    let platform = parse_platform(args.common.platform.as_deref())?;
    let reader = ImageOpener::new(&args.common.registry);
    let read = |text: &str| contract_lookup::image_or_file_contract(text, platform.as_ref(), &reader);
    let changes = contract::diff_contracts(&read(&args.old)?, &read(&args.new)?);
    let report = DiffReport { changes: changes.iter().map(ChangeReport::from).collect() };
    match args.common.format {
        OutputFormat::Text => {
            console_output::print_report(
                &report.changes.iter().map(ChangeReport::to_line).collect::<String>(),
            )?;
        }
        OutputFormat::Json => console_output::print_json(&report)?,
    }
    let is_breaking = report.changes.iter().any(|change| change.breaking);
    Ok(if is_breaking { CliExit::Findings } else { CliExit::Success })
}

impl<'a> From<&'a ContractChange> for ChangeReport<'a> {
    fn from(change: &'a ContractChange) -> Self {
        let ContractChange { part, name, message, is_breaking } = change;
        Self { part, name, message, breaking: *is_breaking }
    }
}

impl ChangeReport<'_> {
    fn to_line(&self) -> String {
        let Self { part, name, message, breaking } = self;
        let label = if *breaking { "breaking  " } else { "          " };
        escape_text(&format!("{label}{part} {name} {message}")) + "\n"
    }
}

fn contract_text(contract: &Contract) -> String {
    let mut out = String::new();
    for mount in &contract.mounts {
        out += &format!(
            "{BOLD}{}{BOLD:#}  {DIM}reload: {}{DIM:#}\n",
            escape_text(&mount.path),
            escape_text(&mount.reload)
        );
        mount.files.iter().for_each(|file| out += &entry_line(file.path(), &describe_file(file)));
    }
    write_section(
        &mut out,
        "parameters",
        contract.parameters.iter().map(|(key, parameter)| {
            let kind = parameter.kind.clone().unwrap_or_else(|| "anything".into());
            (
                key.clone(),
                join_selected(&[
                    (true, &kind),
                    (parameter.required, "required"),
                    (parameter.secret, "secret"),
                ]),
            )
        }),
    );
    write_section(
        &mut out,
        "environment",
        contract.env.iter().map(|variable| (variable.name.clone(), variable.from.clone())),
    );
    write_section(
        &mut out,
        "writable",
        contract
            .writable
            .iter()
            .map(|writable| (writable.path.clone(), join_selected(&[(writable.persistent, "persistent")]))),
    );
    if !contract.ports.is_empty() {
        out += &format!("{BOLD}ports{BOLD:#}  {}\n", escape_text(&contract.ports.join(", ")));
    }
    if !contract.user.is_empty() {
        out += &format!("{BOLD}user{BOLD:#}  {}\n", escape_text(&contract.user));
    }
    if let Some(schema) = &contract.schema {
        out += &format!("{BOLD}schema{BOLD:#}  {}\n", escape_text(schema));
    }
    if let Some(document) = &contract.document {
        out += &format!(
            "{BOLD}whole contract{BOLD:#}  {}, which also has the parameters, for which the label has no room; pass `--contract` to read it\n",
            escape_text(document)
        );
    }
    out
}

fn write_section(out: &mut String, title: &str, lines: impl Iterator<Item = (String, String)>) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        *out += &format!("{BOLD}{title}{BOLD:#}\n");
        lines.for_each(|(name, details)| *out += &entry_line(&name, &details));
    }
}

fn entry_line(name: &str, details: &str) -> String {
    let (name, details) = (escape_text(name), escape_text(details));
    if details.is_empty() { format!("  {name}\n") } else { format!("  {name}  {DIM}{details}{DIM:#}\n") }
}

fn describe_file(file: &ContractFile) -> String {
    let uses = if file.uses.is_empty() { String::new() } else { format!("uses {}", file.uses.join(", ")) };
    join_selected(&[
        (file.format.is_some(), file.format.as_deref().unwrap_or_default()),
        (file.secret, "secret"),
        (file.optional, "optional"),
        (!uses.is_empty(), &uses),
    ])
}

fn join_selected(words: &[(bool, &str)]) -> String {
    words.iter().filter(|(is_so, _)| *is_so).map(|(_, word)| *word).collect::<Vec<_>>().join("; ")
}
