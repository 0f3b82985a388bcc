//! The image that the recipe plans, and whether it has a file that a run opened.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use coracle::recipe::{Recipe, RecipeOverrides};
use coracle::rootfs::EntryNode;
use coracle::{Plan, Settings};
use coracle_core::distribution_directories::is_system_path;
use coracle_core::file_system::{FileSystem, OverlayFs, ResolutionEnd, resolve_path};
use coracle_core::fs::{self, FileId};
use coracle_core::path::ImagePath;
use coracle_core::platform::Platform;
use coracle_kube::config::{self, Configuration, WritableDirectory};
use coracle_oci::base::BaseSource;
use coracle_oci::layout::ImageFs;
use coracle_trace::RecordedPath;

use super::recipe_file::RecipeFile;
use crate::cli::args::RecordArgs;
use crate::cli::environment::new_registry_client;
use crate::cli::error::CliError;
use crate::cli::{build_inputs, cache};

/// The planned image for this machine's platform.
pub(super) struct PlannedImage {
    pub(super) recipe: Recipe,
    /// The text of the recipe. A path in it, even in a comment, is not proposed.
    pub(super) recipe_text: String,
    /// The recipe's directory, absolute.
    pub(super) recipe_dir: PathBuf,
    /// The directory that relative paths of the program start at.
    pub(super) working_dir: PathBuf,
    /// The directories of programs on this machine, and in the image.
    program_dirs: Vec<(PathBuf, PathBuf)>,
    plan: Plan,
    base: Option<ImageFs>,
    /// The files of this machine that are in the image, at any path.
    sources: BTreeSet<FileId>,
}

impl PlannedImage {
    /// Plans the image of the recipe, or without a recipe the image of `program` alone.
    pub(super) fn plan_image(
        recipe_file: &RecipeFile,
        program: &Path,
        args: &RecordArgs,
    ) -> Result<Self, CliError> {
        let recipe = match recipe_file.recipe()? {
            Some(recipe) => recipe,
            None => Recipe::from_flags(&RecipeOverrides {
                programs: vec![program.into()],
                ..RecipeOverrides::default()
            })?,
        };
        Self::plan_recipe(recipe, recipe_file.text(), args)
    }

    /// Plans the image of `recipe`, whose text is `recipe_text`.
    pub(super) fn plan_recipe(
        recipe: Recipe,
        recipe_text: &str,
        args: &RecordArgs,
    ) -> Result<Self, CliError> {
        let settings = settings_for_plan(&recipe, args)?;
        let plans = coracle::plan_with_missing_files(&recipe, &settings)?;
        let plan = plan_for_this_machine(plans)?;
        let base = open_base(&recipe, &plan, &settings, args)?;
        let contents = plan.rootfs.iter().filter_map(|(_, entry)| match &entry.node {
            EntryNode::File(content) => content.host_file_id(),
            _ => None,
        });
        // The content of a stripped program is another one.
        let programs = recipe
            .contents
            .programs
            .iter()
            .filter_map(|program| Some(fs::stat(&recipe.resolve_path(&program.from)).ok()?.file_id));
        let sources = contents.chain(programs).collect();
        let program_dirs = program_dirs(&recipe, &plan);
        let working_dir = recipe.image.working_dir.as_ref().map_or("/".into(), host_path);
        Ok(Self {
            recipe_text: recipe_text.to_owned(),
            recipe_dir: fs::absolute_path(&recipe.resolve_path(Path::new(".")))?.components().collect(),
            working_dir,
            program_dirs,
            recipe,
            plan,
            base,
            sources,
        })
    }

    /// Fails if files are missing without which a program does not start.
    pub(super) fn check_required_files(&self) -> Result<(), CliError> {
        Ok(coracle::check_required_files(&self.plan)?)
    }

    /// Returns the path at which the program in the image opens `path`. Absolute paths beside a program
    /// are relative to the program's place there.
    pub(super) fn image_path(&self, path: &RecordedPath) -> PathBuf {
        if let Some(relative) = &path.relative {
            return self.working_dir.join(relative);
        }
        let beside = self.program_dirs.iter().find_map(|(host, image)| {
            let rest = path.path.strip_prefix(host).ok()?;
            Some(if rest.as_os_str().is_empty() { image.clone() } else { image.join(rest) })
        });
        beside.unwrap_or_else(|| path.path.clone())
    }

    /// Returns whether a directory that the program writes to can be mounted at `path`: a recipe could have it,
    /// and it hides nothing that the programs need.
    pub(super) fn can_mount(&self, path: &Path) -> bool {
        let Ok(path) = ImagePath::parse(&fs::path_to_bytes(path)) else { return false };
        let real = match self.resolve(&host_path(&path)) {
            Some(ResolutionEnd::Directory(real)) => real,
            _ => path.clone(),
        };
        let mut files =
            self.plan.rootfs.iter().filter(|(_, entry)| !matches!(entry.node, EntryNode::Directory));
        let hides =
            files.any(|(file, entry)| entry.is_needed() && (file.is_within(&path) || file.is_within(&real)));
        // The programs of a base image are not among the planned files.
        let hides_base = self.base.is_some() && is_system_path(&real);
        let directory = WritableDirectory { path, size: None, is_shared: false };
        let config = Configuration { writable_directories: vec![directory], ..Configuration::default() };
        !hides && !hides_base && config::configuration_problems(&config).is_empty()
    }

    /// Returns whether the image has a file or directory at `path`.
    pub(super) fn has_path(&self, path: &Path) -> bool {
        matches!(
            self.resolve(path),
            Some(ResolutionEnd::File(..) | ResolutionEnd::Directory(_) | ResolutionEnd::Special(..))
        )
    }

    /// Returns whether the image has, at any path, this machine's file at `path`.
    pub(super) fn has_source(&self, path: &Path) -> bool {
        fs::stat(path).is_ok_and(|stat| self.sources.contains(&stat.file_id))
    }

    /// Returns `path` with the links of the image on the way to it replaced, so that a file can be added
    /// there.
    pub(super) fn without_links(&self, path: &Path) -> PathBuf {
        for above in path.ancestors().skip(1) {
            if let (Some(ResolutionEnd::Directory(real)), Ok(rest)) =
                (self.resolve(above), path.strip_prefix(above))
            {
                return host_path(&real).join(rest);
            }
        }
        path.to_owned()
    }

    /// Returns whether `path` is mounted: configuration, Secrets and writable directories.
    pub(super) fn is_mounted(&self, path: &Path) -> bool {
        let config = &self.recipe.config;
        let mounts = config.mounts.iter().map(|mount| &mount.path);
        let mounts = mounts.chain(config.secrets.iter().map(|secret| &secret.path));
        mounts.map(host_path).any(|mount| path.starts_with(mount)) || self.is_writable(path)
    }

    /// Returns whether the program can write to `path`: it is in a directory of `[[state]]`, or in `/tmp` with
    /// `tmp = true`.
    pub(super) fn is_writable(&self, path: &Path) -> bool {
        let state = self.recipe.config.writable_directories.iter();
        state.map(|directory| host_path(&directory.path)).any(|directory| path.starts_with(directory))
            || (self.recipe.kubernetes.has_writable_tmp && path.starts_with("/tmp"))
    }

    /// Returns whether the recipe names `path`, even in a comment.
    pub(super) fn is_named_in_recipe(&self, path: &Path) -> bool {
        let path = path.to_string_lossy();
        self.recipe_text.match_indices(&*path).any(|(at, _)| {
            let next = self.recipe_text.get(at + path.len()..).and_then(|rest| rest.chars().next());
            let previous = self.recipe_text.get(..at).and_then(|text| text.chars().next_back());
            let is_part = |c: char| c.is_alphanumeric() || "/._-".contains(c);
            !next.is_some_and(is_part) && !previous.is_some_and(is_part)
        })
    }

    fn resolve(&self, path: &Path) -> Option<ResolutionEnd> {
        let rootfs: &dyn FileSystem = &self.plan.rootfs;
        let overlay = self.base.as_ref().map(|base| OverlayFs { upper: rootfs, lower: base });
        let view = overlay.as_ref().map_or(rootfs, |overlay| overlay);
        Some(resolve_path(view, &ImagePath::root(), &fs::path_to_bytes(path)).ok()?.end)
    }
}

/// Returns the directories of programs on this machine and in the image, the innermost first. Programs
/// that keep their paths have none.
fn program_dirs(recipe: &Recipe, plan: &Plan) -> Vec<(PathBuf, PathBuf)> {
    let pairs = recipe.contents.programs.iter().zip(plan.rootfs.programs());
    let directories = pairs.filter_map(|(program, in_image)| {
        let host = recipe.resolve_path(&program.from).canonicalize().ok()?;
        Some((host.parent()?.to_owned(), host_path(in_image).parent()?.to_owned()))
    });
    let mut directories: Vec<_> =
        directories.filter(|(host, image)| host != image && host.parent().is_some()).collect();
    directories.sort_by_key(|(host, _)| std::cmp::Reverse(host.components().count()));
    directories
}

fn settings_for_plan(recipe: &Recipe, args: &RecordArgs) -> Result<Settings, CliError> {
    let cache = match recipe.image.base.is_some() {
        true => cache::open_cache_without_records(&args.cache, args.quiet)?,
        false => None,
    };
    let client = build_inputs::client_for_reading(std::slice::from_ref(recipe), &args.registry)?;
    build_inputs::library_settings(None, cache, client)
}

/// Returns the plan for the platform of this machine, on which the program runs.
fn plan_for_this_machine(plans: Vec<Plan>) -> Result<Plan, CliError> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let platforms: Vec<String> = plans.iter().map(|plan| plan.platform.to_string()).collect();
    let is_own = |platform: &Platform| platform.architecture == architecture;
    plans.into_iter().find(|plan| is_own(&plan.platform)).ok_or_else(|| {
        CliError::usage(
            format!(
                "cannot record the program: the image is for {}, but this machine is linux/{architecture}",
                platforms.join(", ")
            ),
            "run this command on such a machine",
        )
    })
}

/// Returns the file system of the recipe's base image, if it has one.
fn open_base(
    recipe: &Recipe,
    plan: &Plan,
    settings: &Settings,
    args: &RecordArgs,
) -> Result<Option<ImageFs>, CliError> {
    let Some(location) = &recipe.image.base else { return Ok(None) };
    let client = match &settings.registry_client {
        Some(client) => client.clone(),
        None => new_registry_client(&args.registry, &[])?,
    };
    let source =
        BaseSource::open(location, &client, settings.cache.as_deref(), settings.scratch_dir.as_deref())
            .map_err(coracle::Error::from)?;
    let image = source.image(&plan.platform).map_err(coracle::Error::from)?;
    Ok(Some(source.fetch_file_system(&image, &()).map_err(coracle::Error::from)?))
}

fn host_path(path: &ImagePath) -> PathBuf {
    fs::path_from_bytes(path.as_bytes())
}
