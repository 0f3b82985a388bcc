//! `coracle index`: combines images into one image index.

use std::collections::BTreeMap;

use coracle_core::note::Note;
use coracle_oci::copy::{Joined, Named, Place, join};
use serde_json::json;

use super::args::{Format, IndexArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::progress::Progress;
use super::{copy, image, interrupt, output, registry, report};

pub(super) fn run(args: &IndexArgs) -> Result<Exit, Failure> {
    interrupt::listen();
    let to = image::place(&args.to)?;
    if let Place::Remote(Named { digest: Some(_), .. }) = &to {
        return Err(Failure::usage(
            format!("`{to}` includes a digest, but a new index's digest is not known in advance"),
            "use a tag: `docker://NAME:TAG`",
        ));
    }
    let from = args.images.iter().map(|text| image::place(text)).collect::<Result<Vec<_>, _>>()?;
    let annotations = annotations(&args.annotations)?;
    // Credentials from the environment are for the destination, or for the sources if the
    // destination is not in a registry.
    let read = from.iter().filter_map(copy::named);
    let remote: Vec<&Named> = match copy::named(&to) {
        Some(to) => vec![to],
        None => read.collect(),
    };
    let client = registry::client(&args.registry, &remote)?;
    let progress = Progress::of_unknown(args.quiet, "copying");
    let joined = join(&from, &to, &annotations, &client, &|bytes| {
        progress.advance(bytes);
        interrupt::go_on()
    });
    progress.finish();
    let joined = joined.map_err(|error| registry::failure(&error))?;
    report::notes(&notes(&joined), args.quiet);
    if !args.quiet {
        report::talk(&talk(&to, &joined));
    }
    let reference = copy::reference(&to, &joined.copied);
    match args.format {
        Format::Text => output::print(&format!("{reference}\n"))?,
        Format::Json => output::print_json(&json!({
            "reference": reference,
            "digest": joined.copied.digest.to_string(),
            "to": to.to_string(),
            "images": joined.images.iter().map(|image| json!({
                "platform": image.member.to_string(),
                "digest": image.member.descriptor.digest.to_string(),
                "from": image.from.to_string(),
            })).collect::<Vec<_>>(),
            "sent": joined.copied.sent.as_ref().map(copy::sent_json),
        }))?,
    }
    Ok(Exit::Done)
}

fn annotations(texts: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty())?;
        Some((name.to_owned(), value.to_owned()))
    };
    let mut found = BTreeMap::new();
    for text in texts {
        let (name, value) = pair(text).ok_or_else(|| {
            Failure::usage(
                format!("`--annotation`: `{text}` is not NAME=VALUE"),
                "write `--annotation NAME=VALUE`",
            )
        })?;
        if let Some(other) = found.insert(name.clone(), value.clone()).filter(|other| *other != value) {
            return Err(Failure::usage(
                format!("`--annotation`: `{name}` has two values, `{other}` and `{value}`"),
                "give each name one value",
            ));
        }
    }
    Ok(found)
}

fn notes(joined: &Joined) -> Vec<Note> {
    let warnings = joined.copied.warnings.iter().map(ToString::to_string);
    let left_out = (joined.left_out > 0).then(|| {
        let manifests = super::table::count(joined.left_out, "manifest");
        format!("left out {manifests} of other kinds than images, such as attestations")
    });
    warnings.chain(left_out).map(Note::Warning).collect()
}

fn talk(to: &Place, joined: &Joined) -> String {
    let mut text = format!("{to}: {}\n", copy::told(&joined.copied));
    for image in &joined.images {
        text += &format!("  {:<16}  {}\n", image.member.to_string(), image.member.descriptor.digest);
    }
    text
}
