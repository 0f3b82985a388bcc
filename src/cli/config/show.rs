//! `coracle config show`: prints an image's contract as text or JSON.

use coracle_kube::contract::{Contract, ContractFile};
use serde_json::json;

use crate::cli::args::{ConfigShowArgs, OutputFormat};
use crate::cli::error::CliError;
use crate::cli::exit::CliExit;
use crate::cli::stderr::{BOLD, DIM};
use crate::cli::stdout::escape_control;
use crate::cli::{image_reader, stdout};

pub(super) fn run_config_show(args: &ConfigShowArgs) -> Result<CliExit, CliError> {
    let platform = image_reader::parse_platform(args.platform.as_deref())?;
    let from = args.contract.as_deref();
    let reader =
        image_reader::ImageReader::new(&args.registry, [args.image.as_str()].into_iter().chain(from));
    let contract = image_reader::contract_with_parameters(&args.image, platform.as_ref(), from, &reader)?;
    match args.format {
        OutputFormat::Text => stdout::print(&contract_text(&contract))?,
        OutputFormat::Json => stdout::print_json(&json!(contract))?,
    }
    Ok(CliExit::Success)
}

fn contract_text(contract: &Contract) -> String {
    let mut out = String::new();
    for mount in &contract.mounts {
        out += &format!(
            "{BOLD}{}{BOLD:#}  {DIM}reload: {}{DIM:#}\n",
            escape_control(&mount.path),
            escape_control(&mount.reload)
        );
        mount.files.iter().for_each(|file| out += &entry_line(&file.key, &describe_file(file)));
    }
    write_section(
        &mut out,
        "parameters",
        contract.parameters.iter().map(|(key, parameter)| {
            let kind = parameter.kind.clone().unwrap_or_else(|| "anything".into());
            (
                key.clone(),
                join_true(&[(true, &kind), (parameter.required, "required"), (parameter.secret, "secret")]),
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
            .map(|writable| (writable.path.clone(), join_true(&[(writable.persistent, "persistent")]))),
    );
    if !contract.ports.is_empty() {
        out += &format!("{BOLD}ports{BOLD:#}  {}\n", escape_control(&contract.ports.join(", ")));
    }
    if !contract.user.is_empty() {
        out += &format!("{BOLD}user{BOLD:#}  {}\n", escape_control(&contract.user));
    }
    if let Some(schema) = &contract.schema {
        out += &format!("{BOLD}schema{BOLD:#}  {}\n", escape_control(schema));
    }
    if let Some(document) = &contract.document {
        out += &format!(
            "{BOLD}whole contract{BOLD:#}  {}, which also has the parameters, for which the label has no room; pass `--contract` to read it\n",
            escape_control(document)
        );
    }
    out
}

fn write_section(out: &mut String, title: &str, lines: impl Iterator<Item = (String, String)>) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        *out += &format!("{BOLD}{title}{BOLD:#}\n");
        lines.for_each(|(name, about)| *out += &entry_line(&name, &about));
    }
}

fn entry_line(name: &str, about: &str) -> String {
    let (name, about) = (escape_control(name), escape_control(about));
    if about.is_empty() { format!("  {name}\n") } else { format!("  {name}  {DIM}{about}{DIM:#}\n") }
}

fn describe_file(file: &ContractFile) -> String {
    let uses = if file.uses.is_empty() { String::new() } else { format!("uses {}", file.uses.join(", ")) };
    join_true(&[
        (file.format.is_some(), file.format.as_deref().unwrap_or_default()),
        (file.secret, "secret"),
        (file.optional, "optional"),
        (!uses.is_empty(), &uses),
    ])
}

fn join_true(words: &[(bool, &str)]) -> String {
    words.iter().filter(|(is_so, _)| *is_so).map(|(_, word)| *word).collect::<Vec<_>>().join("; ")
}
