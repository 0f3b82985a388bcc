//! `coracle copy`, and the output about images that were sent to registries and engines.

use coracle_oci::engine::{How, Loaded};
use coracle_core::note::Note;
use coracle_oci::copy::{self, Copied, Named, Place, Sent, Ways};
use indicatif::DecimalBytes;
use serde_json::json;

use super::args::{CopyArgs, Format};
use super::exit::Exit;
use super::failure::Failure;
use super::progress::Progress;
use super::{engine, image, interrupt, output, registry, report, table};

pub(super) fn run(args: &CopyArgs) -> Result<Exit, Failure> {
    interrupt::listen();
    let (from, to) = (image::place(&args.from)?, image::place(&args.to)?);
    if args.referrers && named(&to).is_none() {
        return Err(Failure::usage(
            format!(
                "`--referrers`: `{to}` is not in a registry, and referrers can be copied only to registries"
            ),
            "leave it out, or copy to a registry: `docker://NAME[:TAG]`",
        ));
    }
    // Credentials from the environment are for the destination, or for the source if the
    // destination is not in a registry.
    let remote: Vec<&Named> = [&to, &from].into_iter().filter_map(named).take(1).collect();
    let client = registry::client(&args.registry, &remote)?;
    let progress = Progress::of_unknown(args.quiet, "copying");
    let ways = Ways { client: &client, engines: &engine::settings() };
    let copied = copy::copy(&from, &to, ways, &|bytes| {
        progress.advance(bytes);
        interrupt::go_on()
    });
    // Referrers are copied last, so that the image they refer to exists.
    let referrers = match (&copied, named(&to).filter(|_| args.referrers)) {
        (Ok(_), Some(to)) => copy::copy_referrers(&from, to, &client, &|bytes| {
            progress.advance(bytes);
            interrupt::go_on()
        }),
        _ => Ok(Vec::new()),
    };
    progress.finish();
    let copied = copied.map_err(|error| registry::failure(&error))?;
    let referrers = referrers.map_err(|error| registry::failure(&error))?;
    let warnings: Vec<Note> =
        copied.warnings.iter().map(|warning| Note::Warning(warning.to_string())).collect();
    report::notes(&warnings, args.quiet);
    if !args.quiet {
        report::talk(&format!("{to}: {}\n", told(&copied)));
        for referrer in &referrers {
            let kind = referrer.artifact_type.as_deref().unwrap_or(&referrer.media_type);
            report::talk(&format!("  referrer  {}  {}\n", referrer.digest, output::plain(kind)));
        }
    }
    match args.format {
        Format::Text => output::print(&format!("{}\n", reference(&to, &copied)))?,
        Format::Json => output::print_json(&json!({
            "reference": reference(&to, &copied),
            "digest": copied.digest.to_string(),
            "from": from.to_string(),
            "to": to.to_string(),
            "sent": copied.sent.as_ref().map(sent_json),
            "loaded": copied.loaded.as_ref().map(loaded_json),
            "referrers": referrers.iter().map(|referrer| referrer.digest.to_string()).collect::<Vec<_>>(),
        }))?,
    }
    Ok(Exit::Done)
}

/// Describes in text what was copied.
pub(super) fn told(copied: &Copied) -> String {
    match (&copied.sent, &copied.loaded) {
        (Some(sent), _) => sent_told(sent),
        (_, Some(loaded)) => loaded_told(loaded),
        (None, None) => "copied".into(),
    }
}

pub(super) fn sent_told(sent: &Sent) -> String {
    let Sent { blobs, bytes, present, mounted, is_unchanged } = sent;
    if *is_unchanged {
        return "unchanged".into();
    }
    let mut text = format!("sent {}, {}", table::count(*blobs, "blob"), DecimalBytes(*bytes));
    for (number, how) in [(present, "there already"), (mounted, "mounted from another repository")] {
        if *number > 0 {
            text.push_str(&format!("; {number} {how}"));
        }
    }
    text
}

/// Describes in text how an image was loaded into an engine.
pub(super) fn loaded_told(loaded: &Loaded) -> String {
    let mut text = match loaded.how {
        How::Unchanged => "unchanged".to_owned(),
        How::Named => "there already, name added".to_owned(),
        How::Sent { layers, present: 0, bytes } => {
            format!("sent {}, {}", table::count(layers, "layer"), DecimalBytes(bytes))
        }
        How::Sent { layers, present, bytes } => format!(
            "sent {}, {}; {present} there already",
            table::count(layers, "layer"),
            DecimalBytes(bytes)
        ),
    };
    if let Some(platform) = &loaded.chosen {
        text.push_str(&format!("; only {platform}, the engine's platform"));
    }
    text
}

pub(super) fn loaded_json(loaded: &Loaded) -> serde_json::Value {
    let (layers, present, bytes) = match loaded.how {
        How::Sent { layers, present, bytes } => (layers, present, bytes),
        How::Unchanged | How::Named => (0, 0, 0),
    };
    json!({
        "layers": layers,
        "bytes": bytes,
        "present": present,
        "unchanged": loaded.how == How::Unchanged,
        "platform": loaded.chosen.as_ref().map(ToString::to_string),
    })
}

/// Describes in JSON what was sent to a registry.
pub(super) fn sent_json(sent: &Sent) -> serde_json::Value {
    json!({
        "blobs": sent.blobs,
        "bytes": sent.bytes,
        "present": sent.present,
        "mounted": sent.mounted,
        "unchanged": sent.is_unchanged,
    })
}

/// Returns the copied image's reference with its digest.
pub(super) fn reference(to: &Place, copied: &Copied) -> String {
    match to {
        Place::Remote(named) => {
            let name = named.name().map_or_else(|| named.reference.name().to_owned(), ToString::to_string);
            format!("{name}@{}", copied.digest)
        }
        Place::Engine(named) => format!("{}@{}", named.name, copied.digest),
        Place::Local(_) => copied.digest.to_string(),
    }
}

pub(super) fn named(place: &Place) -> Option<&Named> {
    match place {
        Place::Remote(named) => Some(named),
        Place::Local(_) | Place::Engine(_) => None,
    }
}
