//! `coracle deps`: what the dynamic loader would map, and why.

mod tracers;

use coracle::Error;
use coracle::recipe::{self, RecipeOverrides};
use coracle::roots::RootFileSystems;
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::closure::{self, Closure, ResolveOptions};
use coracle_ld::ldso::{HwcapsSelection, LoaderEnvironment};
use serde_json::{Value, json};

use super::args::{DepsArgs, DepsFormat};
use super::costs::SizeCache;
use super::error::CliError;
use super::exit::CliExit;
use super::{dependencies, stderr, stdout, tree, why};
use tracers::FileSystems;

/// Resolves every file. Errors of single files are reported without ending the command.
pub(super) fn run_deps(args: &DepsArgs) -> Result<CliExit, CliError> {
    if args.why.is_some() && args.format == DepsFormat::Paths {
        return Err(CliError::usage(
            "`--why` does not support `--format paths`",
            "leave `--format` out, or pass `--format json`",
        ));
    }
    let around = resolve_options(args)?;
    let roots = RootFileSystems::new(recipe::root_overrides_from_flags(&RecipeOverrides {
        roots: args.roots.clone(),
        sysroots: args.sysroots.clone(),
        ..RecipeOverrides::default()
    })?);
    roots.check_directories()?;
    let views: Vec<_> = args.files.iter().map(|file| roots.root_of(file)).collect();
    let trees = FileSystems::new(&roots, views.iter().flatten().map(|(view, _)| view));
    let mut tracers = trees.tracers(&around);
    let mut seen = DepsFindings::default();
    let costs = SizeCache::default();
    let mut values = Vec::new();
    for (file, view) in args.files.iter().zip(views) {
        let traced = view.and_then(|(view, spelled)| tracers.trace(&view, &spelled));
        if let Err(error) = &traced
            && error.is_usage_error()
        {
            return Err(CliError::from_closure_error(error));
        }
        let name = file.to_string_lossy().into_owned();
        let value = seen.file_json(args, &name, &traced, &costs)?;
        match args.format {
            DepsFormat::Json => values.push(value),
            DepsFormat::Jsonl => stdout::print_json(&value)?,
            DepsFormat::Paths | DepsFormat::Tree => seen.print_file(args, &name, &traced, &value, &costs)?,
        }
    }
    if args.format == DepsFormat::Json {
        match values.as_slice() {
            [value] => stdout::print_json(value)?,
            values => stdout::print_json(&json!(values))?,
        }
    }
    seen.finish(args)
}

type TraceResult = Result<Closure, Error>;

/// State collected over all files.
#[derive(Default)]
struct DepsFindings {
    has_readable_file: bool,
    has_findings: bool,
    /// Whether an object matches `--why`.
    has_match: bool,
    /// Names similar to the one in `--why`.
    similar_names: Vec<String>,
    hints: Vec<String>,
}

impl DepsFindings {
    /// Returns the file's JSON, and records its findings for the exit code.
    fn file_json(
        &mut self,
        args: &DepsArgs,
        name: &str,
        traced: &TraceResult,
        costs: &SizeCache,
    ) -> Result<Value, CliError> {
        let closure = match traced {
            Ok(closure) => closure,
            Err(error) => {
                let value = dependencies::error_json(name, error);
                let is_finding = value.get("missing").or_else(|| value.get("problems")).is_some();
                self.has_readable_file |= is_finding;
                self.has_findings |= is_finding;
                return Ok(value);
            }
        };
        let value = dependencies::closure_json(name, closure, args.symbols);
        self.has_readable_file = true;
        self.has_findings |= has_findings(&value);
        if args.format == DepsFormat::Tree || args.format == DepsFormat::Paths {
            return Ok(value);
        }
        match &args.why {
            Some(wanted) => {
                let subjects = self.explained_objects(closure, wanted);
                let subjects: Result<Vec<Value>, CliError> =
                    subjects.iter().map(|subject| subject.to_json(costs)).collect();
                Ok(json!({ "file": name, "why": subjects? }))
            }
            None if args.compressed => dependencies::add_sizes(value, closure, costs),
            None => Ok(value),
        }
    }

    /// Returns the objects that `wanted` names in a closure. Records similar names if there are
    /// none.
    fn explained_objects<'a>(&mut self, closure: &'a Closure, wanted: &str) -> Vec<why::ExplainedObject<'a>> {
        let subjects = why::explained_objects(closure, wanted);
        self.has_match |= !subjects.is_empty();
        if !self.has_match && self.similar_names.is_empty() {
            self.similar_names = why::similar_names(closure, wanted);
        }
        subjects
    }

    /// Prints the file as text.
    fn print_file(
        &mut self,
        args: &DepsArgs,
        name: &str,
        traced: &TraceResult,
        value: &Value,
        costs: &SizeCache,
    ) -> Result<(), CliError> {
        let closure = match traced {
            Ok(closure) => closure,
            Err(error) => {
                stderr::print_error(&CliError::from_closure_error(error));
                return Ok(());
            }
        };
        if let Some(wanted) = &args.why {
            for subject in self.explained_objects(closure, wanted) {
                stdout::print(&subject.to_text(costs)?)?;
            }
        } else if args.format == DepsFormat::Paths {
            stdout::print(&dependencies::library_paths(value))?;
        } else if let Some((_, elf)) = dependencies::mapped_program(closure) {
            let costs = costs.object_sizes(&elf.link_map, args.compressed)?;
            let name = RawPath::new(name.as_bytes()).to_string();
            stdout::print(&tree::tree_text(&name, closure, value, &costs))?;
        }
        self.add_hints(args, closure);
        Ok(())
    }

    /// Collects hints about missing libraries, each once for all files.
    fn add_hints(&mut self, args: &DepsArgs, closure: &Closure) {
        let missing = closure.elf_programs().flat_map(|elf| &elf.link_map.missing);
        for missing in missing.filter(|missing| missing.kind != closure::DependencyKind::Preload) {
            let mut hints: Vec<String> = Vec::new();
            if let Some((hint, listed)) = missing.stale_cache_hint().zip(missing.listed_in_conf.as_ref()) {
                hints.push(hint);
                hints.push(format!(
                    "run `ldconfig`; in a root file system of another machine, whose libraries `ldconfig` skips, pass \
                     `--library-path {}`",
                    listed.directory
                ));
            }
            if args.why.is_none() {
                let name = RawPath::new(missing.name.as_slice());
                hints.push(format!("`--why {name}` shows which paths were searched"));
            }
            for hint in hints {
                if !self.hints.contains(&hint) && self.hints.len() < MAX_HINTS {
                    self.hints.push(hint);
                }
            }
        }
    }

    fn finish(self, args: &DepsArgs) -> Result<CliExit, CliError> {
        let hints: Vec<Note> = self.hints.into_iter().map(Note::Hint).collect();
        stderr::print_notes(&hints, false);
        if !self.has_readable_file {
            return Ok(CliExit::Failed);
        }
        if let Some(wanted) = args.why.as_ref().filter(|_| !self.has_match) {
            let wanted = RawPath::new(wanted.as_bytes());
            let near: Vec<String> = self.similar_names.iter().map(|name| format!("`{name}`")).collect();
            let hint = match near.as_slice() {
                [] => "leave out `--why` to list all mapped objects".into(),
                near => format!("did you mean {}?", near.join(" or ")),
            };
            let message = format!("no mapped object is named `{wanted}`");
            return Err(CliError { exit: CliExit::Failed, message, hint: Some(hint) });
        }
        Ok(if self.has_findings { CliExit::Findings } else { CliExit::Success })
    }
}

/// The most hints that are printed for all files.
const MAX_HINTS: usize = 10;

/// Whether a dependency is missing, or a problem is an error.
fn has_findings(value: &Value) -> bool {
    let list = |key: &str| value.get(key).and_then(Value::as_array).into_iter().flatten();
    let is_error = |problem: &Value| problem.get("severity").and_then(Value::as_str) == Some("error");
    list("missing").next().is_some() || list("problems").any(is_error)
}

/// The value of `--hwcaps` for no level.
const NO_HWCAPS: &str = "none";

fn resolve_options(args: &DepsArgs) -> Result<ResolveOptions, CliError> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default().into_bytes();
    let working_dir = match &args.working_dir {
        None => ImagePath::root(),
        Some(path) => path.parse().map_err(|error: coracle_core::path::ParseImagePathError| {
            CliError::usage(error.to_string(), "write the absolute path of a directory in the root")
        })?,
    };
    let loader = LoaderEnvironment {
        library_path: text(&args.library_path),
        preload: text(&args.preload),
        reads_preload_file: true,
        hwcaps: match args.hwcaps.as_deref() {
            None => HwcapsSelection::All,
            Some(NO_HWCAPS) => HwcapsSelection::None,
            Some(level) => HwcapsSelection::UpTo(level.as_bytes().to_vec()),
        },
        platform: args.platform_token.clone().map(String::into_bytes),
    };
    Ok(ResolveOptions { working_dir, loader_environment: loader, ..ResolveOptions::default() })
}
