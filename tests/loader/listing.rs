//! The objects that are mapped for a file, in one form for our closure and for a real loader's
//! output.

use std::process::Output;

use coracle_ld::closure::{DependencyKind, LinkMap, MapReason, MissingLibrary};

/// The result of mapping one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Listing {
    /// The file is mapped with these libraries.
    Maps {
        /// The paths of the libraries in order, as the loader builds them.
        paths: Vec<String>,
        /// Names that were not found, in the order of the first search.
        missing: Vec<String>,
    },
    /// A file that the loader rejects ends the search.
    Refused(String),
}

impl Listing {
    /// Returns our listing. The interpreter is listed where an object needs it, as loaders do.
    pub(crate) fn ours(map: &LinkMap) -> Self {
        let is_fatal =
            |missing: &&MissingLibrary| missing.kind == DependencyKind::Required && missing.trace.is_fatal;
        let fatal = map.missing.iter().filter(is_fatal);
        let mut refused = fatal.filter_map(|missing| Some((missing.trace.rejected.last()?, &missing.name)));
        if let Some(((path, refusal), name)) = refused.next() {
            let name = String::from_utf8_lossy(name);
            return Self::Refused(format!("{path}: {refusal}; wanted as {name}"));
        }
        // A loader lists the objects after the program; a filter may have moved some before it.
        let objects =
            map.objects.iter().enumerate().skip_while(|(_, object)| object.reason != MapReason::Program);
        let objects = objects.skip(1).filter(|(index, _)| map.has_dependents(*index));
        // A rejected `DT_AUXILIARY` library is not reported.
        let is_listed = |missing: &&MissingLibrary| match missing.kind {
            DependencyKind::Required => true,
            DependencyKind::Auxiliary => !missing.trace.is_fatal,
            DependencyKind::Preload => false,
        };
        let missing = map.missing.iter().filter(is_listed);
        Self::Maps {
            paths: objects.map(|(_, object)| object.raw_path.to_string()).collect(),
            missing: unique(missing.map(|missing| String::from_utf8_lossy(&missing.name).into_owned())),
        }
    }

    /// Parses the output of glibc's loader with `LD_TRACE_LOADED_OBJECTS`.
    pub(crate) fn glibc(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            return Self::Refused(complaint(output));
        }
        let lines = || text.lines().map(str::trim).filter(|line| !line.starts_with("linux-"));
        let paths = lines().filter(|line| line.contains(" (0x")).map(|line| {
            let path = line.split_once(" => ").map_or(line, |(_, path)| path);
            path.rsplit_once(" (0x").map_or(path, |(path, _)| path).to_owned()
        });
        let missing = lines().filter_map(|line| line.strip_suffix(" => not found"));
        Self::Maps { paths: paths.collect(), missing: unique(missing.map(str::to_owned)) }
    }

    /// Parses the output of musl's loader with `--list`. The first line is always the loader, which is
    /// listed again for each name that means it.
    pub(crate) fn musl(output: &Output) -> Self {
        let (text, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let missed = |line: &str| {
            let rest = line.strip_prefix("Error loading shared library ")?;
            let (name, why) = rest.split_once(": ")?;
            // If there is no directory to search, `errno` is not set.
            let nowhere = ["No such file", "Not a directory", "Invalid argument", "No error information"]
                .iter()
                .any(|start| why.starts_with(start));
            nowhere.then(|| name.to_owned())
        };
        let missing: Vec<String> = errors.lines().filter_map(missed).collect();
        let is_refusal = |line: &&str| line.contains("loading shared library") && missed(line).is_none();
        if let Some(refusal) = errors.lines().find(is_refusal) {
            return Self::Refused(refusal.to_owned());
        }
        if !output.status.success() && missing.is_empty() {
            return Self::Refused(complaint(output));
        }
        let paths = text.lines().filter_map(|line| line.split_once(" => "));
        let paths = paths.filter_map(|(_, path)| Some(path.rsplit_once(" (0x")?.0.to_owned()));
        Self::Maps { paths: unique(paths), missing: unique(missing.into_iter()) }
    }
}

/// The message for a loader that crashed.
pub(crate) const SILENT: &str = "no reason given";

fn complaint(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    let text = errors.lines().find(|line| line.contains("loading shared")).or_else(|| errors.lines().next());
    text.unwrap_or(SILENT).to_owned()
}

fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    names.fold(Vec::new(), |mut unique, name| {
        if !unique.contains(&name) {
            unique.push(name);
        }
        unique
    })
}
