//! Plans the image of one platform: resolves its programs and plans its file tree.

use std::path::{Path, PathBuf};

use super::platform_base::{self, APP_DIR, PlatformBase, RunConfig};
use super::platform_groups::{LocatedPrograms, closure_platform};
use super::{linkage, start_check, stop_signal_hint, web_file_times};
use crate::contract;
use crate::error::Error;
use crate::image_plan::Plan;
use crate::inventory::InventoryPlanner;
use crate::observer::{Observer, UploadProgress};
use crate::recipe::{Contents, FileTimes, Recipe, RecipeInclude, RecipeProgram, RootOverrideKind};
use crate::root_file_systems::RootFileSystems;
use crate::rootfs::{
    self, BaseFiles, GeneratedFile, IncludedFs, PlanRequest, PlannedProgram, ResolvedInclude,
};
use crate::settings::Settings;
use coracle_core::file_system::{CancellableFs, FileSystem, OverlayFs, UntrackedFs};
use coracle_core::fs;
use coracle_core::note::{DependencyNote, Note};
use coracle_core::path::{ImagePath, RawPath};
use coracle_core::platform::Platform;
use coracle_ld::closure::{ResolveOptions, Resolver};
use coracle_ld::implicit::{self, DataSources, DependencyHint, ImplicitDependencies, ProgramRole, Remedy};

/// Directories that are private on every machine.
const PRIVATE_DIRS: [&str; 5] = ["/home", "/root", "/tmp", "/var/tmp", "/Users"];

/// Plans the image of one platform.
pub(super) struct ImagePlanner<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) settings: &'a Settings,
    pub(super) observer: &'a dyn Observer,
    pub(super) roots: &'a RootFileSystems,
    /// The file system that the programs are resolved in.
    pub(super) file_system: &'a dyn FileSystem,
    pub(super) programs: LocatedPrograms<'a>,
    pub(super) platform: Platform,
    /// The additions of hints to the recipe.
    pub(super) added: EntriesFromHints<'a>,
}

/// The additions of hints to a recipe, besides includes and options.
#[derive(Clone, Copy, Default)]
pub(super) struct EntriesFromHints<'a> {
    /// Programs that others may start.
    pub(super) programs: &'a [(RawPath, RecipeProgram)],
    /// Directories that the program writes to.
    pub(super) state_dirs: &'a [ImagePath],
    /// Generated files.
    pub(super) files: &'a [GeneratedFile],
}

impl ImagePlanner<'_> {
    /// Plans the image on its base image, or from scratch.
    pub(super) fn plan_image(&self, base: Option<PlatformBase<'_>>) -> Result<Plan, Error> {
        match base {
            Some(base) => self.plan_on_base(base),
            None => {
                let run_config = RunConfig::without_base(self.recipe);
                self.plan_files(self.file_system, BaseFiles::NoBase, &run_config)
            }
        }
    }

    /// Plans the image on its base image. The base's files are not read if all entries are below
    /// [`APP_DIR`] and the base's config does not mention that directory.
    fn plan_on_base(&self, base: PlatformBase<'_>) -> Result<Plan, Error> {
        // An SBOM lists the packages of the base.
        let may_be_unread = !base.mentions_app_dir() && !self.recipe.output.sbom.is_wanted();
        if let Some(user) = base.numeric_user(self.recipe).filter(|_| may_be_unread) {
            let run_config = base.run_config(self.recipe, user)?;
            if self.are_static(&run_config)? {
                let plan = self.plan_files(self.file_system, BaseFiles::Unread, &run_config)?;
                if plan.rootfs.iter().all(|(path, _)| path.components().next() == Some(APP_DIR.as_bytes())) {
                    return Ok(Plan { base: Some(base.into_image()), ..plan });
                }
            }
        }
        let base_fs = base.file_system(self.observer)?;
        let run_config = base.run_config(self.recipe, base.user_by_name(self.recipe, &base_fs)?)?;
        let overlay = OverlayFs { upper: self.file_system, lower: &base_fs };
        let mut plan = self.plan_files(&overlay, BaseFiles::Read(&base_fs), &run_config)?;
        plan.notes.extend(platform_base::unknown_user_hint(run_config.user, &base_fs)?);
        Ok(Plan { base: Some(base.into_image()), ..plan })
    }

    /// Returns whether all programs are static ELF files.
    fn are_static(&self, run_config: &RunConfig) -> Result<bool, Error> {
        let options = run_config.resolve_options(self.recipe);
        let resolver = Resolver::new(self.file_system, &options);
        for (raw_path, _) in &self.programs {
            // Errors are reported when the program is planned.
            let Ok(closure) = resolver.resolve(raw_path) else { return Ok(false) };
            let has_none = closure.executed.len() == 1
                && closure.elf_programs().all(|elf| elf.link_map.loader.is_none());
            if !has_none {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn plan_files(
        &self,
        file_system: &dyn FileSystem,
        base: BaseFiles<'_>,
        run_config: &RunConfig,
    ) -> Result<Plan, Error> {
        let recipe = self.recipe;
        let progress = UploadProgress(self.observer);
        let file_system = &CancellableFs { inner: file_system, progress: &progress };
        let host = &CancellableFs { inner: self.roots.host(), progress: &progress };
        let includes = resolved_includes(recipe, self.settings.epoch)?;
        let programs = self.programs.iter().map(|(raw_path, program)| (raw_path, program.to.as_ref()));
        let included = match includes.as_slice() {
            [] => None,
            _ => Some(IncludedFs::new(file_system, host, &includes, &programs.collect::<Vec<_>>())?),
        };
        let file_system =
            included.as_ref().map_or(file_system as &dyn FileSystem, |included| included as &dyn FileSystem);
        let options = ResolveOptions {
            added_files: included.as_ref().map(IncludedFs::files).unwrap_or_default(),
            ..run_config.resolve_options(recipe)
        };
        let is_sysroot =
            recipe.contents.root_overrides.iter().any(|root| root.kind == RootOverrideKind::Sysroot);
        let untracked = UntrackedFs(file_system);
        let data_sources = DataSources {
            tree: file_system,
            fallback: is_sysroot.then_some(host as &dyn FileSystem),
            // What a complete image adds depends on what exists.
            untracked: if recipe.contents.complete { file_system } else { &untracked },
            options: &options,
        };
        let (programs, requirements) = self.resolve_programs(data_sources)?;
        let mut notes = start_check::check_programs_start(&programs)?;
        linkage::check_linkage(recipe, &programs, &self.platform)?;
        let request = PlanRequest {
            host,
            includes: &includes,
            private_dirs: &private_dirs(recipe, self.settings)?,
            allowed_private_dirs: &recipe.checks.allowed_paths.keys().cloned().collect::<Vec<_>>(),
            programs: &programs,
            resolve_options: &options,
            user: run_config.user,
            generated_files: self.added.files,
            mount_points: &contract::mount_points(recipe),
            state_dirs: &[&contract::writable_directories(recipe), self.added.state_dirs].concat(),
            strip: recipe.contents.strip,
            requirements,
            is_complete: recipe.contents.complete,
            policy: &recipe.contents.implicit,
            data_sources,
            base,
        };
        let planned = rootfs::plan_rootfs(file_system, &request)?;
        notes.extend(planned.notes);
        notes.extend(linkage::linkage_advice(recipe, &programs, &self.platform, &planned.rootfs)?);
        notes.extend(stop_signal_hint::stop_signal_hint(recipe, &programs)?);
        notes.extend(web_file_times::file_times_note(
            recipe,
            self.settings.epoch,
            &programs,
            &planned.rootfs,
        )?);
        notes.extend(planned.hints.iter().map(|hint| Note::Dependency(self.dependency_note(hint))));
        let inventory = InventoryPlanner { recipe, roots: self.roots, base: request.base };
        let (rootfs, inventory, inventory_notes) = inventory.add_inventory(planned.rootfs)?;
        notes.extend(inventory_notes);
        Ok(Plan {
            platform: self.platform.clone(),
            rootfs,
            inventory,
            hints: planned.hints,
            entrypoint_script: None,
            added_state_dirs: self.added.state_dirs.to_vec(),
            notes,
            shared_files: planned.shared_files,
            user: run_config.user,
            base: None,
            working_dir: run_config.working_dir.clone(),
            needs_path_variable: programs.iter().any(|program| program.closure.depends_on_path_variable()),
        })
    }

    /// Returns the host directory of the file system that the programs are resolved in, for arguments; empty
    /// for the host. With `--root`, arguments name paths inside of it.
    pub(super) fn hint_root(&self) -> String {
        let overrides = &self.recipe.contents.root_overrides;
        let root = overrides.iter().find(|root| {
            root.platform.as_ref().is_none_or(|platform| platform.matches_ignoring_variant(&self.platform))
        });
        root.map(|root| self.recipe.resolve_path(&root.directory).display().to_string()).unwrap_or_default()
    }

    fn dependency_note(&self, hint: &DependencyHint) -> DependencyNote {
        let advice = match &hint.remedy {
            Remedy::Manual(advice) => Some(advice.clone()),
            _ => None,
        };
        let root = self.hint_root();
        DependencyNote {
            kind: hint.kind.name().to_owned(),
            subject: hint.subject.clone(),
            reason: hint.reason.clone(),
            size: hint.size,
            args: hint.remedy.args(&root),
            advice,
        }
    }

    /// Returns the programs with all libraries that they map and open, and their implicit
    /// dependencies.
    fn resolve_programs(
        &self,
        data_sources: DataSources<'_>,
    ) -> Result<(Vec<PlannedProgram>, ImplicitDependencies), Error> {
        let resolver = Resolver::new(data_sources.tree, data_sources.options);
        let (mut programs, mut requirements) = (Vec::new(), ImplicitDependencies::default());
        let added = self.added.programs.iter().map(|(raw_path, program)| (raw_path, program, true));
        let named = self.programs.iter().map(|(raw_path, program)| (raw_path, *program, false));
        for (raw_path, program, is_added) in named.chain(added) {
            let mut closure = resolver.resolve(raw_path)?;
            closure_platform(&closure)?;
            let last = closure.executed.len().saturating_sub(1);
            for (index, executed) in closure.executed.iter_mut().enumerate() {
                let role = match (programs.is_empty(), index) {
                    (true, 0) if last == 0 => ProgramRole::Entrypoint,
                    (true, _) if index == last => ProgramRole::EntrypointInterpreter,
                    (_, 0) if !is_added => ProgramRole::Program,
                    _ => ProgramRole::Helper,
                };
                requirements.merge(implicit::add_implicit_dependencies(
                    &resolver,
                    data_sources,
                    &self.recipe.contents.implicit,
                    executed,
                    role,
                )?);
            }
            programs.push(PlannedProgram { closure, to: program.to.clone() });
        }
        Ok((programs, requirements))
    }
}

/// Returns the includes of the recipe with absolute paths. `epoch` is the modification time of the
/// files of includes with `times = "epoch"`.
pub(super) fn resolved_includes(recipe: &Recipe, epoch: u64) -> Result<Vec<ResolvedInclude>, Error> {
    let Contents { exclude, include_times, .. } = &recipe.contents;
    let include = |include: &RecipeInclude| {
        Ok(ResolvedInclude {
            from: fs::absolute_path(&recipe.resolve_path(&include.from))?,
            to: include.to.clone(),
            exclude: include.exclude.iter().chain(exclude).cloned().collect(),
            modified: match include_times.unwrap_or(include.times) {
                FileTimes::Zero => 0,
                FileTimes::Epoch => epoch,
            },
        })
    };
    recipe.contents.includes.iter().map(include).collect()
}

/// Returns the private directories: no library may be found there by its absolute path.
pub(super) fn private_dirs(recipe: &Recipe, settings: &Settings) -> Result<Vec<ImagePath>, Error> {
    let folder = fs::absolute_path(&recipe.source.recipe_dir)?;
    let directories =
        PRIVATE_DIRS.iter().map(PathBuf::from).chain(settings.private_dirs.iter().cloned()).chain([folder]);
    Ok(directories.filter_map(|directory| image_path(&directory)).collect())
}

/// Converts a host directory to a path of the host's file system. `None` if it is not a normal
/// path.
fn image_path(directory: &Path) -> Option<ImagePath> {
    ImagePath::parse(&fs::path_to_bytes(directory)).ok()
}
