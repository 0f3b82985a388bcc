//! `coracle deps`: what the dynamic loader would map, and why.

mod dependency_chains;
mod deps_report;
mod image_files;
mod object_sizes;
mod problem_report;
mod shared_resolvers;
mod tree_text;
mod why_report;

use coracle::Error;
use coracle::recipe::{self, RecipeOverrides};
use coracle::root_file_systems::RootFileSystems;
use coracle_core::note::Note;
use coracle_core::path::RawPath;
use coracle_ld::closure::{self, Closure};

use super::args::{DepsArgs, DepsFormat};
use super::console_output;
use super::error::{CliError, CliExit};
use deps_report::{DepsReport, ExplainedReport, FailureReport, FileReport};
use object_sizes::SizeCache;
use shared_resolvers::SharedFileSystems;
use why_report::{ExplainedObject, explained_objects, similar_names};

/// Resolves every file. Errors of single files are reported without ending the command.
pub(super) fn run_deps(args: &DepsArgs) -> Result<CliExit, CliError> {
    if args.why.is_some() && args.format == DepsFormat::Paths {
        return Err(CliError::usage(
            "`--why` does not support `--format paths`",
            "leave `--format` out, or pass `--format json`",
        ));
    }
    let options = shared_resolvers::resolve_options(args)?;
    if let Some((image, files)) = image_files::split_image(&args.files) {
        return image_files::run_deps_in_image(args, image, files, options);
    }
    let roots = RootFileSystems::new(recipe::root_overrides_from_flags(&RecipeOverrides {
        roots: args.roots.clone(),
        sysroots: args.sysroots.clone(),
        ..RecipeOverrides::default()
    })?);
    roots.check_directories()?;
    let located: Vec<_> = args.files.iter().map(|file| roots.root_of(file)).collect();
    let file_systems = SharedFileSystems::open(&roots, located.iter().flatten().map(|(root, _)| root));
    let mut resolvers = file_systems.resolvers(&options);
    let mut run = DepsRun::new(args);
    for (file, located) in args.files.iter().zip(located) {
        let closure = match located {
            Ok((root, path)) => resolvers.resolve(&root, &path)?,
            Err(error) => Err(error),
        };
        run.report_file(&file.to_string_lossy(), closure)?;
    }
    run.finish()
}

/// State of the command, collected over all files.
struct DepsRun<'a> {
    args: &'a DepsArgs,
    size_cache: SizeCache,
    /// The reports for `--format json`.
    reports: Vec<FileReport>,
    has_readable_file: bool,
    has_findings: bool,
    /// `true` if an object matches `--why`.
    has_match: bool,
    /// Names of objects that are similar to the name in `--why`.
    similar_names: Vec<String>,
    hints: Vec<String>,
}

impl<'a> DepsRun<'a> {
    fn new(args: &'a DepsArgs) -> Self {
        Self {
            args,
            size_cache: SizeCache::default(),
            reports: Vec::new(),
            has_readable_file: false,
            has_findings: false,
            has_match: false,
            similar_names: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// Prints the report of one file; for `--format json` it is kept until [`DepsRun::finish`].
    fn report_file(&mut self, file: &str, closure: Result<Closure, Error>) -> Result<(), CliError> {
        let is_text = matches!(self.args.format, DepsFormat::Tree | DepsFormat::Paths);
        match closure {
            Err(error) if error.is_usage_error() => Err(CliError::from_closure_error(&error)),
            Err(error) => {
                let report = FileReport::Failed(FailureReport::new(file, &error));
                self.has_readable_file |= report.has_findings();
                self.has_findings |= report.has_findings();
                if is_text {
                    console_output::print_error(&CliError::from_closure_error(&error));
                    return Ok(());
                }
                self.print_json(report)
            }
            Ok(closure) => {
                let Some(report) = DepsReport::new(file, &closure, self.args.symbols) else {
                    return Err(CliError::internal("a closure has no ELF program"));
                };
                self.has_readable_file = true;
                self.has_findings |= report.has_findings();
                if is_text {
                    self.print_text(file, &closure, &report)
                } else {
                    let report = self.json_report(file, &closure, report)?;
                    self.print_json(report)
                }
            }
        }
    }

    fn print_json(&mut self, report: FileReport) -> Result<(), CliError> {
        match self.args.format {
            DepsFormat::Jsonl => console_output::print_json(&report)?,
            _ => self.reports.push(report),
        }
        Ok(())
    }

    /// Completes the report of a file with what the flags request.
    fn json_report(
        &mut self,
        file: &str,
        closure: &Closure,
        mut report: DepsReport,
    ) -> Result<FileReport, CliError> {
        if let Some(wanted) = &self.args.why {
            let objects = self.collect_explained(closure, wanted);
            let why =
                objects.iter().map(|object| object.report(&self.size_cache)).collect::<Result<_, _>>()?;
            return Ok(FileReport::Explained(ExplainedReport { file: file.to_owned(), why }));
        }
        if self.args.compressed {
            report.add_sizes(closure, &self.size_cache)?;
        }
        Ok(FileReport::Resolved(report))
    }

    /// Returns the objects that `wanted` names in a closure. Records similar names if there are
    /// none.
    fn collect_explained<'c>(&mut self, closure: &'c Closure, wanted: &str) -> Vec<ExplainedObject<'c>> {
        let objects = explained_objects(closure, wanted);
        self.has_match |= !objects.is_empty();
        if !self.has_match && self.similar_names.is_empty() {
            self.similar_names = similar_names(closure, wanted);
        }
        objects
    }

    /// Prints the file as text.
    fn print_text(&mut self, file: &str, closure: &Closure, report: &DepsReport) -> Result<(), CliError> {
        if let Some(wanted) = &self.args.why {
            for object in self.collect_explained(closure, wanted) {
                console_output::print_data(&object.report(&self.size_cache)?.to_text())?;
            }
        } else if self.args.format == DepsFormat::Paths {
            console_output::print_data(&report.library_lines())?;
        } else if let Some((_, elf)) = deps_report::mapped_program(closure) {
            let sizes = self.size_cache.object_sizes(&elf.link_map, self.args.compressed)?;
            let file = RawPath::new(file.as_bytes()).to_string();
            console_output::print_report(&tree_text::tree_text(&file, closure, report, &sizes))?;
        }
        self.add_hints(closure);
        Ok(())
    }

    /// Collects hints about missing libraries, each once for all files.
    fn add_hints(&mut self, closure: &Closure) {
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
            if self.args.why.is_none() {
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

    /// Prints the collected reports and hints. Returns how the command ends.
    fn finish(self) -> Result<CliExit, CliError> {
        if self.args.format == DepsFormat::Json {
            match self.reports.as_slice() {
                [report] => console_output::print_json(report)?,
                reports => console_output::print_json(&reports)?,
            }
        }
        let hints: Vec<Note> = self.hints.into_iter().map(Note::Hint).collect();
        console_output::print_notes(&hints, self.args.quiet);
        if !self.has_readable_file {
            return Ok(CliExit::Failed);
        }
        if let Some(wanted) = self.args.why.as_ref().filter(|_| !self.has_match) {
            let wanted = RawPath::new(wanted.as_bytes());
            let similar: Vec<String> = self.similar_names.iter().map(|name| format!("`{name}`")).collect();
            let hint = match similar.as_slice() {
                [] => "leave out `--why` to list all mapped objects".into(),
                similar => format!("did you mean {}?", similar.join(" or ")),
            };
            return Err(CliError::failed_with_hint(format!("no mapped object is named `{wanted}`"), hint));
        }
        Ok(if self.has_findings { CliExit::Findings } else { CliExit::Success })
    }
}

/// The most hints that are printed for all files.
const MAX_HINTS: usize = 10;
