//! `coracle build`

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use coracle::recipe::{self, Recipe};
use coracle::rootfs::Node;
use coracle::{Built, Observer, Plan, Settings};
use serde_json::{Value, json};

use super::args::{BuildArgs, Format};
use super::exit::Exit;
use super::failure::Failure;
use super::interrupt;
use super::progress::Progress;
use super::{output, report, table};

/// The last second of the year 9999, which RFC 3339 can still write.
const LAST_SECOND: u64 = 253_402_300_799;

/// Builds, or plans, one image a recipe. One that fails does not hide the others.
pub(super) fn run(args: &BuildArgs) -> Result<Exit, Failure> {
    interrupt::listen();
    let settings = settings(args.epoch.as_deref())?;
    let mut images = Vec::new();
    let mut failures = Vec::new();
    for recipe in recipes(args)? {
        let result =
            if args.dry_run { plan(&recipe, &settings, args) } else { build(&recipe, &settings, args) };
        match result {
            Ok(described) => images.extend(described),
            Err(failure) => failures.push(failure),
        }
    }
    if args.format == Format::Json && !images.is_empty() {
        output::print_json(&json!({ "images": images }))?;
    }
    first(failures).map_or(Ok(Exit::Done), Err)
}

/// Lists what would be packed; a description for each platform.
fn plan(recipe: &Recipe, settings: &Settings, args: &BuildArgs) -> Result<Vec<Value>, Failure> {
    coracle::contract_of(recipe)?;
    let plans = coracle::plan(recipe, settings)?;
    say(&plans, args.quiet);
    let foreseen = coracle::foresee(recipe, &plans);
    if let Ok(notes) = &foreseen {
        report::notes(notes, args.quiet);
    }
    if args.format == Format::Text {
        plans.iter().try_for_each(|plan| output::print(&table::plan(plan)))?;
    }
    foreseen?;
    Ok(plans.iter().map(|plan| table::plan_json(recipe, plan)).collect())
}

fn build(recipe: &Recipe, settings: &Settings, args: &BuildArgs) -> Result<Vec<Value>, Failure> {
    let (built, files) = watched(recipe, settings, args.quiet)?;
    report::notes(&built.notes, args.quiet);
    if !args.quiet {
        report::talk(&table::built(&title(recipe, &built), &built, files));
    }
    if args.format == Format::Text {
        output::print(&(table::reference(&built) + "\n"))?;
    }
    Ok(vec![table::built_json(&built)])
}

/// Builds while progress is shown; the image, and how many files are in it.
pub(super) fn watched(recipe: &Recipe, settings: &Settings, quiet: bool) -> Result<(Built, usize), Failure> {
    let watch = Watch { quiet, progress: Progress::new(quiet), files: OnceLock::new() };
    let built = coracle::build(recipe, settings, &watch);
    watch.progress.finish();
    Ok((built?, watch.files.get().copied().unwrap_or_default()))
}

/// What an image is called in talk: its name, or its program's.
fn title(recipe: &Recipe, built: &Built) -> String {
    let program = || recipe.programs.first().and_then(|program| program.from.file_name());
    match built.references.first() {
        Some(reference) => reference.to_string(),
        None => program().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
    }
}

fn say(plans: &[Plan], quiet: bool) {
    plans.iter().for_each(|plan| report::notes(&plan.notes, quiet));
}

/// Turns what the library reports into talk.
struct Watch {
    quiet: bool,
    progress: Progress,
    files: OnceLock<usize>,
}

impl Observer for Watch {
    fn planned(&self, plans: &[Plan]) {
        say(plans, self.quiet);
        let sizes =
            plans.iter().flat_map(|plan| plan.rootfs.iter()).filter_map(|(_, entry)| match &entry.node {
                Node::File(content) => Some(content.size()),
                _ => None,
            });
        let (files, total) = sizes.fold((0, 0), |(files, total), size| (files + 1, total + size));
        let _ = self.files.set(files);
        self.progress.start(total);
    }

    fn packed(&self, bytes: u64) -> ControlFlow<()> {
        self.progress.advance(bytes);
        if interrupt::asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// The recipes that the arguments name. All of them must be right before any is built.
fn recipes(args: &BuildArgs) -> Result<Vec<Recipe>, Failure> {
    let flags = args.overrides();
    if args.files.is_empty() {
        let recipe = if flags.programs.is_empty() {
            recipe::file(Path::new(recipe::FILE_NAME), &flags).map_err(nothing_named)?
        } else {
            Recipe::from_flags(&flags)?
        };
        return Ok(vec![recipe]);
    }
    let one_image = |dest: &String| dest.contains("-archive:");
    let of_one =
        !flags.programs.is_empty() || !flags.names.is_empty() || flags.destinations.iter().any(one_image);
    if args.files.len() > 1 && of_one {
        return Err(Failure::usage(
            "several recipes are several images: PROGRAM, `--tag` or an archive can't be the same for all of them",
            "write programs and names in the recipes, or build one recipe at a time",
        ));
    }
    let (mut recipes, mut failures) = (Vec::new(), Vec::new());
    for path in &args.files {
        match recipe::file(path, &flags) {
            Ok(recipe) => recipes.push(recipe),
            Err(error) => failures.push(Failure::from(error)),
        }
    }
    first(failures).map_or(Ok(recipes), Err)
}

/// Without a PROGRAM, a missing recipe most likely means that nobody knew it was needed.
fn nothing_named(error: recipe::Error) -> Failure {
    match error {
        recipe::Error::Read(error) if error.kind() == std::io::ErrorKind::NotFound => Failure::usage(
            format!("nothing to build: no PROGRAM is named, and there is no `{}` here", recipe::FILE_NAME),
            format!("name a program, as in `coracle build ./app`, or write a `{}`", recipe::FILE_NAME),
        ),
        error => error.into(),
    }
}

/// Reports all failures but the last, which ends the command; its exit code is the first's.
fn first(failures: Vec<Failure>) -> Option<Failure> {
    let exit = failures.first()?.exit;
    let mut failures = failures.into_iter().rev();
    let last = failures.next().map(|failure| Failure { exit, ..failure });
    for failure in failures.rev() {
        report::failure(&failure);
        report::talk("\n");
    }
    last
}

/// What the environment decides, read here and nowhere else.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the environment, into `Settings`")]
pub(super) fn settings(epoch_flag: Option<&str>) -> Result<Settings, Failure> {
    let variable = std::env::var_os("SOURCE_DATE_EPOCH").map(|value| value.to_string_lossy().into_owned());
    let epoch = match (epoch_flag, &variable) {
        (Some(text), _) => epoch("--epoch", text)?,
        (None, Some(text)) => epoch("SOURCE_DATE_EPOCH", text)?,
        (None, None) => 0,
    };
    // A root directory, or one relative to wherever this runs, is nobody's own.
    let private = |directory: &PathBuf| directory.is_absolute() && directory.parent().is_some();
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let private_dirs = home.into_iter().chain([std::env::temp_dir()]).filter(private).collect();
    Ok(Settings { epoch, private_dirs })
}

fn epoch(source: &str, text: &str) -> Result<u64, Failure> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&seconds| digits && seconds <= LAST_SECOND).ok_or_else(|| {
        Failure::usage(
            format!("`{source}`: `{text}` is not a time in seconds since 1970"),
            "write a whole number, such as the commit's: `git log -1 --format=%ct`",
        )
    })
}
