//! `coracle copy`, and how it is told what a registry was sent.

use coracle::note::Note;
use coracle::transfer::{self, Copied, Named, Place, Sent};
use indicatif::DecimalBytes;
use serde_json::json;

use super::args::{CopyArgs, Format};
use super::exit::Exit;
use super::failure::Failure;
use super::progress::Progress;
use super::{image, interrupt, output, registry, report, table};

pub(super) fn run(args: &CopyArgs) -> Result<Exit, Failure> {
    interrupt::listen();
    let (from, to) = (image::place(&args.from)?, image::place(&args.to)?);
    if args.referrers && named(&to).is_none() {
        return Err(Failure::usage(
            format!("`--referrers`: what is said of an image can't be copied into `{to}`"),
            "leave it out, or copy to a registry: `docker://NAME[:TAG]`",
        ));
    }
    // A login of the environment is for where something is written; only without that for where it is read.
    let remote: Vec<&Named> = [&to, &from].into_iter().filter_map(named).take(1).collect();
    let client = registry::client(&args.registry, &remote)?;
    let progress = Progress::of_unknown(args.quiet, "copying");
    let copied = transfer::copy(&from, &to, &client, &|bytes| {
        progress.advance(bytes);
        interrupt::go_on()
    });
    // Behind the image: nobody asks what is said of one that is not there.
    let referrers = match (&copied, named(&to).filter(|_| args.referrers)) {
        (Ok(_), Some(to)) => transfer::copy_referrers(&from, to, &client, &|bytes| {
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
        report::talk(&format!("{to}: {}\n", told(copied.sent.as_ref())));
        for referrer in &referrers {
            let kind = referrer.artifact_type.as_deref().unwrap_or(&referrer.media_type);
            report::talk(&format!("  about it  {}  {}\n", referrer.digest, output::plain(kind)));
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
            "referrers": referrers.iter().map(|referrer| referrer.digest.to_string()).collect::<Vec<_>>(),
        }))?,
    }
    Ok(Exit::Done)
}

/// What was sent, for people.
pub(super) fn told(sent: Option<&Sent>) -> String {
    match sent {
        None => "copied".into(),
        Some(sent) if sent.is_unchanged => "unchanged".into(),
        Some(Sent { blobs, bytes, present, mounted, .. }) => {
            let mut text = format!("sent {}, {}", table::count(*blobs, "blob"), DecimalBytes(*bytes));
            for (number, how) in [(present, "there already"), (mounted, "from another repository")] {
                if *number > 0 {
                    text.push_str(&format!("; {number} {how}"));
                }
            }
            text
        }
    }
}

/// What was sent, for programs.
pub(super) fn sent_json(sent: &Sent) -> serde_json::Value {
    json!({
        "blobs": sent.blobs,
        "bytes": sent.bytes,
        "present": sent.present,
        "mounted": sent.mounted,
        "unchanged": sent.is_unchanged,
    })
}

/// The image where it is now, by digest.
pub(super) fn reference(to: &Place, copied: &Copied) -> String {
    match to {
        Place::Remote(named) => {
            let name = named.name().map_or_else(|| named.reference.name().to_owned(), ToString::to_string);
            format!("{name}@{}", copied.digest)
        }
        Place::Local(_) => copied.digest.to_string(),
    }
}

pub(super) fn named(place: &Place) -> Option<&Named> {
    match place {
        Place::Remote(named) => Some(named),
        Place::Local(_) => None,
    }
}
