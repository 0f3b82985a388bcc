//! `coracle config show`: prints an image's contract as text or JSON.

use coracle_kube::contract::{Contract, File};
use serde_json::json;

use crate::cli::args::{Format, ShowArgs};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::plain;
use crate::cli::report::{FAINT, STRONG};
use crate::cli::{image, output};

pub(super) fn run(args: &ShowArgs) -> Result<Exit, Failure> {
    let platform = image::platform(args.platform.as_deref())?;
    let from = args.contract.as_deref();
    let reader = image::Reader::new(&args.registry, [args.image.as_str()].into_iter().chain(from));
    let contract = image::full_contract(&args.image, platform.as_ref(), from, &reader)?;
    match args.format {
        Format::Text => output::print(&text(&contract))?,
        Format::Json => output::print_json(&json!(contract))?,
    }
    Ok(Exit::Done)
}

fn text(contract: &Contract) -> String {
    let mut out = String::new();
    for mount in &contract.mounts {
        out += &format!(
            "{STRONG}{}{STRONG:#}  {FAINT}reload: {}{FAINT:#}\n",
            plain(&mount.path),
            plain(&mount.reload)
        );
        mount.files.iter().for_each(|file| out += &line(&file.key, &about_file(file)));
    }
    section(
        &mut out,
        "parameters",
        contract.parameters.iter().map(|(key, parameter)| {
            let kind = parameter.kind.clone().unwrap_or_else(|| "anything".into());
            (
                key.clone(),
                words(&[(true, &kind), (parameter.required, "required"), (parameter.secret, "secret")]),
            )
        }),
    );
    section(
        &mut out,
        "environment",
        contract.env.iter().map(|variable| (variable.name.clone(), variable.from.clone())),
    );
    section(
        &mut out,
        "writable",
        contract
            .writable
            .iter()
            .map(|writable| (writable.path.clone(), words(&[(writable.persistent, "persistent")]))),
    );
    if !contract.ports.is_empty() {
        out += &format!("{STRONG}ports{STRONG:#}  {}\n", plain(&contract.ports.join(", ")));
    }
    if !contract.user.is_empty() {
        out += &format!("{STRONG}user{STRONG:#}  {}\n", plain(&contract.user));
    }
    if let Some(schema) = &contract.schema {
        out += &format!("{STRONG}schema{STRONG:#}  {}\n", plain(schema));
    }
    if let Some(document) = &contract.document {
        out += &format!(
            "{STRONG}whole contract{STRONG:#}  {}, which also has the parameters, for which the label has no room; pass `--contract` to read it\n",
            plain(document)
        );
    }
    out
}

fn section(out: &mut String, title: &str, lines: impl Iterator<Item = (String, String)>) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        *out += &format!("{STRONG}{title}{STRONG:#}\n");
        lines.for_each(|(name, about)| *out += &line(&name, &about));
    }
}

fn line(name: &str, about: &str) -> String {
    let (name, about) = (plain(name), plain(about));
    if about.is_empty() { format!("  {name}\n") } else { format!("  {name}  {FAINT}{about}{FAINT:#}\n") }
}

fn about_file(file: &File) -> String {
    let uses = if file.uses.is_empty() { String::new() } else { format!("uses {}", file.uses.join(", ")) };
    words(&[
        (file.format.is_some(), file.format.as_deref().unwrap_or_default()),
        (file.secret, "secret"),
        (file.optional, "optional"),
        (!uses.is_empty(), &uses),
    ])
}

fn words(words: &[(bool, &str)]) -> String {
    words.iter().filter(|(is_so, _)| *is_so).map(|(_, word)| *word).collect::<Vec<_>>().join("; ")
}
