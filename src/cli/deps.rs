//! `coracle deps`: what the dynamic loader would map, and why.

mod trees;

use coracle_ld::closure::{self, Closure, Surroundings};
use coracle_ld::ldso::{Environment, Hwcaps};
use coracle_core::note::Note;
use coracle_core::path::{ImagePath, Spelled};
use coracle::recipe::{self, Overrides};
use coracle::{Error, Roots};
use serde_json::{Value, json};

use super::args::{DepsArgs, DepsFormat};
use super::costs::Costs;
use super::exit::Exit;
use super::failure::Failure;
use super::{dependencies, output, report, tree, why};
use trees::Trees;

/// Resolves every file. Errors of single files are reported without ending the command.
pub(super) fn run(args: &DepsArgs) -> Result<Exit, Failure> {
    if args.why.is_some() && args.format == DepsFormat::Paths {
        return Err(Failure::usage(
            "`--why` does not support `--format paths`",
            "leave `--format` out, or pass `--format json`",
        ));
    }
    let around = surroundings(args)?;
    let roots = Roots::new(recipe::roots(&Overrides {
        roots: args.roots.clone(),
        sysroots: args.sysroots.clone(),
        ..Overrides::default()
    })?);
    roots.check()?;
    let views: Vec<_> = args.files.iter().map(|file| roots.view(file)).collect();
    let trees = Trees::new(&roots, views.iter().flatten().map(|(view, _)| view));
    let mut tracers = trees.tracers(&around);
    let mut seen = Seen::default();
    let costs = Costs::default();
    let mut values = Vec::new();
    for (file, view) in args.files.iter().zip(views) {
        let traced = view.and_then(|(view, spelled)| tracers.trace(&view, &spelled));
        if let Err(error) = &traced
            && error.is_usage()
        {
            return Err(Failure::from_file(error));
        }
        let name = file.to_string_lossy().into_owned();
        let value = seen.value(args, &name, &traced, &costs)?;
        match args.format {
            DepsFormat::Json => values.push(value),
            DepsFormat::Jsonl => output::print_json(&value)?,
            DepsFormat::Paths | DepsFormat::Tree => seen.print(args, &name, &traced, &value, &costs)?,
        }
    }
    if args.format == DepsFormat::Json {
        match values.as_slice() {
            [value] => output::print_json(value)?,
            values => output::print_json(&json!(values))?,
        }
    }
    seen.finish(args)
}

type Traced = Result<Closure, Error>;

/// State collected over all files.
#[derive(Default)]
struct Seen {
    is_readable: bool,
    has_findings: bool,
    /// Whether an object matches `--why`.
    has_subject: bool,
    /// Names similar to the one in `--why`.
    near: Vec<String>,
    hints: Vec<String>,
}

impl Seen {
    /// Returns the file's JSON, and records its findings for the exit code.
    fn value(
        &mut self,
        args: &DepsArgs,
        name: &str,
        traced: &Traced,
        costs: &Costs,
    ) -> Result<Value, Failure> {
        let closure = match traced {
            Ok(closure) => closure,
            Err(error) => {
                let value = dependencies::failed(name, error);
                let is_finding = value.get("missing").or_else(|| value.get("problems")).is_some();
                self.is_readable |= is_finding;
                self.has_findings |= is_finding;
                return Ok(value);
            }
        };
        let value = dependencies::json(name, closure, args.symbols);
        self.is_readable = true;
        self.has_findings |= has_findings(&value);
        if args.format == DepsFormat::Tree || args.format == DepsFormat::Paths {
            return Ok(value);
        }
        match &args.why {
            Some(wanted) => {
                let subjects = self.subjects(closure, wanted);
                let subjects: Result<Vec<Value>, Failure> =
                    subjects.iter().map(|subject| subject.json(costs)).collect();
                Ok(json!({ "file": name, "why": subjects? }))
            }
            None if args.compressed => dependencies::with_costs(value, closure, costs),
            None => Ok(value),
        }
    }

    /// Returns the objects that `wanted` names in a closure. Records similar names if there are
    /// none.
    fn subjects<'a>(&mut self, closure: &'a Closure, wanted: &str) -> Vec<why::Subject<'a>> {
        let subjects = why::subjects(closure, wanted);
        self.has_subject |= !subjects.is_empty();
        if !self.has_subject && self.near.is_empty() {
            self.near = why::near(closure, wanted);
        }
        subjects
    }

    /// Prints the file as text.
    fn print(
        &mut self,
        args: &DepsArgs,
        name: &str,
        traced: &Traced,
        value: &Value,
        costs: &Costs,
    ) -> Result<(), Failure> {
        let closure = match traced {
            Ok(closure) => closure,
            Err(error) => {
                report::failure(&Failure::from_file(error));
                return Ok(());
            }
        };
        if let Some(wanted) = &args.why {
            for subject in self.subjects(closure, wanted) {
                output::print(&subject.text(costs)?)?;
            }
        } else if args.format == DepsFormat::Paths {
            output::print(&dependencies::paths(value))?;
        } else if let Some((_, elf)) = dependencies::program(closure) {
            let costs = costs.all(&elf.objects, args.compressed)?;
            let name = Spelled::new(name.as_bytes()).to_string();
            output::print(&tree::text(&name, closure, value, &costs))?;
        }
        self.advise(args, closure);
        Ok(())
    }

    /// Collects hints about missing libraries, each once for all files.
    fn advise(&mut self, args: &DepsArgs, closure: &Closure) {
        let missing = closure.elves().flat_map(|elf| &elf.objects.missing);
        for missing in missing.filter(|missing| missing.absence != closure::Absence::Preload) {
            let mut hints: Vec<String> = Vec::new();
            if let Some((hint, listed)) = missing.listed_hint().zip(missing.listed.as_ref()) {
                hints.push(hint);
                hints.push(format!(
                    "run `ldconfig`; in a root file system of another machine, whose libraries `ldconfig` skips, pass \
                     `--library-path {}`",
                    listed.directory
                ));
            }
            if args.why.is_none() {
                let name = Spelled::new(missing.name.as_slice());
                hints.push(format!("`--why {name}` shows which paths were searched"));
            }
            for hint in hints {
                if !self.hints.contains(&hint) && self.hints.len() < MOST_HINTS {
                    self.hints.push(hint);
                }
            }
        }
    }

    fn finish(self, args: &DepsArgs) -> Result<Exit, Failure> {
        let hints: Vec<Note> = self.hints.into_iter().map(Note::Hint).collect();
        report::notes(&hints, false);
        if !self.is_readable {
            return Ok(Exit::Failed);
        }
        if let Some(wanted) = args.why.as_ref().filter(|_| !self.has_subject) {
            let wanted = Spelled::new(wanted.as_bytes());
            let near: Vec<String> = self.near.iter().map(|name| format!("`{name}`")).collect();
            let hint = match near.as_slice() {
                [] => "leave out `--why` to list all mapped objects".into(),
                near => format!("did you mean {}?", near.join(" or ")),
            };
            let message = format!("no mapped object is named `{wanted}`");
            return Err(Failure { exit: Exit::Failed, message, hint: Some(hint) });
        }
        Ok(if self.has_findings { Exit::Findings } else { Exit::Done })
    }
}

/// The most hints that are printed for all files.
const MOST_HINTS: usize = 10;

/// Whether a dependency is missing, or a problem is an error.
fn has_findings(value: &Value) -> bool {
    let list = |key: &str| value.get(key).and_then(Value::as_array).into_iter().flatten();
    let is_error = |problem: &Value| problem.get("severity").and_then(Value::as_str) == Some("error");
    list("missing").next().is_some() || list("problems").any(is_error)
}

/// The value of `--hwcaps` for no level.
const NO_HWCAPS: &str = "none";

fn surroundings(args: &DepsArgs) -> Result<Surroundings, Failure> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default().into_bytes();
    let working_dir = match &args.working_dir {
        None => ImagePath::root(),
        Some(path) => path.parse().map_err(|error: coracle_core::path::ParsePathError| {
            Failure::usage(error.to_string(), "write the absolute path of a directory in the root")
        })?,
    };
    let loader = Environment {
        library_path: text(&args.library_path),
        preload: text(&args.preload),
        preload_file: true,
        hwcaps: match args.hwcaps.as_deref() {
            None => Hwcaps::All,
            Some(NO_HWCAPS) => Hwcaps::None,
            Some(level) => Hwcaps::UpTo(level.as_bytes().to_vec()),
        },
        platform: args.platform_token.clone().map(String::into_bytes),
    };
    Ok(Surroundings { working_dir, loader, ..Surroundings::default() })
}
