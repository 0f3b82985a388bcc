//! What is run: the image of a recipe or of a program, which is built into the cache, or an image that
//! exists already, which is copied there.

use std::path::{Path, PathBuf};

use coracle::recipe::{self, Recipe, RecipeError, RecipeOverrides};
use coracle_core::digest::Digest;
use coracle_core::fs::Context as _;
use coracle_core::note::Note;
use coracle_kube::contract::{CONTRACT_LABEL, Contract};
use coracle_oci::copy::{self, CopySettings, ImageLocation};
use coracle_oci::layout::{self, DiskLocation, ParsedImage, ParsedPlatform};

use super::CargoRecipe;
use super::platform::choose_platform;
use crate::cli::args::RunArgs;
use crate::cli::concurrent_builds::BuildMonitor;
use crate::cli::error::{CliError, CliExit};
use crate::cli::image_reader::{has_transport, parse_location};
use crate::cli::progress::ProgressDisplay;
use crate::cli::{build_inputs, cache, console_output, environment, manifest_image};

/// What the command line names.
pub(super) struct ImageSubject<'a> {
    kind: SubjectKind,
    cargo_recipe: Option<&'a CargoRecipe<'a>>,
    /// The directory for everything that runs keep or share.
    pub(super) store: PathBuf,
}

enum SubjectKind {
    /// The recipe in this file, or the one that cargo's program has.
    Recipe(PathBuf),
    /// A program without a recipe.
    Program,
    /// An image that is built, with the recipe in this file, if any.
    Image(Box<ImageLocation>, Option<PathBuf>),
}

/// An image in a layout, and the recipe with its configuration.
pub(super) struct PreparedImage {
    pub(super) recipe: Recipe,
    pub(super) parsed: ParsedImage,
    pub(super) platform: ParsedPlatform,
    /// The image's name without registry and tag.
    pub(super) title: String,
    /// Where the image is, for `coracle copy`.
    pub(super) location: String,
    /// What the image expects; `None` if it does not say.
    pub(super) contract: Option<Contract>,
}

impl<'a> ImageSubject<'a> {
    /// Finds out what the arguments name. Nothing is built yet.
    pub(super) fn new(args: &RunArgs, cargo_recipe: Option<&'a CargoRecipe<'a>>) -> Result<Self, CliError> {
        let store = match (&args.cache.cache_dir, args.cache.no_cache) {
            (Some(directory), _) => directory.join("run"),
            (None, false) => {
                cache::default_directory().map_or_else(fallback_store, |cache| cache.join("run"))
            }
            (None, true) => fallback_store(),
        };
        coracle_core::fs::create_private_dir_all(&store).context("create", &store)?;
        let store = store.canonicalize().context("find", &store)?;
        Ok(Self { kind: subject_kind(args)?, cargo_recipe, store })
    }

    /// Returns the file of the recipe, if there is one.
    pub(super) fn recipe_file(&self) -> Option<&Path> {
        match &self.kind {
            SubjectKind::Recipe(file) | SubjectKind::Image(_, Some(file)) => Some(file),
            SubjectKind::Program | SubjectKind::Image(_, None) => None,
        }
    }

    /// Returns whether the image is built from programs.
    pub(super) fn is_built(&self) -> bool {
        !matches!(self.kind, SubjectKind::Image(..))
    }

    /// Reads the recipe again, for new templates; that of cargo's program stays, because cargo would run.
    pub(super) fn reread_recipe(&self, args: &RunArgs, current: &Recipe) -> Result<Recipe, CliError> {
        match self.cargo_recipe {
            Some(_) => Ok(current.clone()),
            None => self.read_recipe(args, &args.overrides()),
        }
    }

    /// Reads the recipe, with these flags.
    pub(super) fn read_recipe(&self, args: &RunArgs, flags: &RecipeOverrides) -> Result<Recipe, CliError> {
        let mut recipe = match (&self.kind, self.cargo_recipe) {
            (SubjectKind::Recipe(_), Some(cargo_recipe)) => cargo_recipe(flags)?,
            (SubjectKind::Recipe(file), None) => {
                recipe::read_recipe(file, flags).map_err(|error| missing_recipe(error, args))?
            }
            (SubjectKind::Program, _) => {
                let programs = args.subject.iter().cloned().collect();
                Recipe::from_flags(&RecipeOverrides { programs, ..flags.clone() })?
            }
            (SubjectKind::Image(_, file), _) => recipe::read_with_optional_programs(file.as_deref(), flags)?,
        };
        recipe.apply_default_name();
        Ok(recipe)
    }

    /// Builds or copies the image, and reads it.
    pub(super) fn prepare(&self, args: &RunArgs) -> Result<PreparedImage, CliError> {
        let recipe = self.read_recipe(args, &args.overrides())?;
        let location = match &self.kind {
            SubjectKind::Image(location, _) => self.copy(location, args)?,
            SubjectKind::Recipe(_) | SubjectKind::Program => self.build(&recipe, args)?,
        };
        let parsed = layout::read_disk_image(&location).map_err(coracle::Error::from)?;
        let platform = choose_platform(&parsed, args)?;
        let label = platform.label(CONTRACT_LABEL).map(Contract::parse).transpose();
        let contract = label.map_err(coracle::Error::from)?;
        let name = recipe.image.names.first().map(ToString::to_string);
        let named = match &self.kind {
            SubjectKind::Image(location, _) => {
                parsed.source.names.first().cloned().unwrap_or_else(|| location.to_string())
            }
            _ => name.unwrap_or_default(),
        };
        let shown = location.to_string();
        Ok(PreparedImage { recipe, title: short_name(&named), parsed, platform, location: shown, contract })
    }

    /// Builds the image into a layout of its own in the cache.
    fn build(&self, recipe: &Recipe, args: &RunArgs) -> Result<DiskLocation, CliError> {
        let here = std::env::current_dir().unwrap_or_default();
        let key = format!(
            "{}\n{:?}\n{:?}\n{:?}",
            here.display(),
            self.recipe_file(),
            args.subject,
            recipe.contents.programs.iter().map(|program| &program.from).collect::<Vec<_>>()
        );
        let layout = self.layout_path(&key)?;
        let mut recipe = recipe.clone();
        let location = DiskLocation::layout(layout);
        recipe.output.destinations = vec![ImageLocation::OnDisk(location.clone())];
        recipe.output.push = false;
        recipe.output.load_engine = None;
        recipe.output.publish_contract = None;
        recipe.checks.budget = Default::default();
        let cache = cache::open_cache(&args.cache, args.quiet)?;
        let client = build_inputs::client_for_reading(std::slice::from_ref(&recipe), &args.registry)?;
        let settings = coracle::Settings {
            durability: coracle_core::fs::Durability::Unsynced,
            ..build_inputs::library_settings(None, cache, client)?
        };
        build_without_hints(&recipe, &settings, args.quiet)?;
        cache::prune_and_report(&settings);
        Ok(location)
    }

    /// Copies an image that is not in a layout to one.
    fn copy(&self, location: &ImageLocation, args: &RunArgs) -> Result<DiskLocation, CliError> {
        if let ImageLocation::OnDisk(on_disk) = location {
            return Ok(on_disk.clone());
        }
        let to = DiskLocation::layout(self.layout_path(&location.to_string())?);
        let client = environment::new_registry_client(&args.registry, &[])?;
        let progress = ProgressDisplay::with_unknown_total(args.quiet, "copying");
        let engines = environment::engine_settings();
        let settings = CopySettings {
            client: &client,
            engines: &engines,
            durability: coracle_core::fs::Durability::Unsynced,
            with_referrers: false,
        };
        let copied = copy::copy_image(location, &ImageLocation::OnDisk(to.clone()), settings, &progress);
        progress.finish();
        copied?;
        Ok(to)
    }

    fn layout_path(&self, key: &str) -> Result<PathBuf, CliError> {
        let directory = self.store.join("layouts");
        coracle_core::fs::create_private_dir_all(&directory).context("create", &directory)?;
        Ok(directory.join(format!("{}.oci", Digest::compute(key.as_bytes()).hex())))
    }
}

/// Builds an image with a progress bar. Hints are about the image, and are those of `coracle build`.
fn build_without_hints(recipe: &Recipe, settings: &coracle::Settings, quiet: bool) -> Result<(), CliError> {
    let progress = ProgressDisplay::new(quiet, "packing");
    let monitor = BuildMonitor::single(&progress);
    let built = coracle::build(recipe, settings, &monitor);
    progress.finish();
    let warnings = |notes: &[Note]| console_output::print_notes(notes, true);
    warnings(&monitor.into_notes());
    warnings(&built?.notes);
    Ok(())
}

/// The store of users without a cache.
fn fallback_store() -> PathBuf {
    std::env::temp_dir().join(format!("coracle-store-{}", super::user_id()))
}

fn subject_kind(args: &RunArgs) -> Result<SubjectKind, CliError> {
    let default = Path::new(recipe::DEFAULT_FILE_NAME);
    let Some(subject) = &args.subject else {
        return Ok(SubjectKind::Recipe(args.file.clone().unwrap_or_else(|| default.to_owned())));
    };
    let text = subject.to_string_lossy();
    if has_transport(&text) {
        let file = args
            .file
            .clone()
            .or_else(|| Some(default.to_owned()).filter(|file| file.exists() && !args.has_mounts()));
        return Ok(SubjectKind::Image(Box::new(parse_location(&text)?), file));
    }
    let path = text.split(':').next().unwrap_or(&text);
    if Path::new(subject).is_dir() {
        return Err(CliError::usage(
            format!("`{text}` is a directory, not a program"),
            format!("for an image layout, write `oci:{text}`; for a recipe, `-f {text}/coracle.toml`"),
        ));
    }
    if !Path::new(path).exists() {
        return Err(CliError::usage(
            format!("there is no program `{text}`"),
            format!(
                "check the path; for an image in a registry, write `docker://{text}`, for one on disk `oci:DIR`"
            ),
        ));
    }
    if args.file.is_some() {
        return Err(CliError::usage(
            format!("`{text}` is a program, and `--file` names a recipe with programs of its own"),
            "leave one of them out",
        ));
    }
    Ok(SubjectKind::Program)
}

/// Explains what to name if the default recipe is missing.
fn missing_recipe(error: RecipeError, args: &RunArgs) -> CliError {
    match error {
        RecipeError::Read(error) if args.file.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            CliError::usage(
                format!(
                    "nothing to run: no PROGRAM or IMAGE is given and `{}` does not exist in this directory",
                    recipe::DEFAULT_FILE_NAME
                ),
                "name a program or an image, as in `coracle run ./app` or `coracle run oci:shop.oci`",
            )
        }
        error => error.into(),
    }
}

/// Returns the last part of an image's name, without tag and digest.
pub(super) fn short_name(name: &str) -> String {
    let name = name.split('@').next().unwrap_or(name);
    let last = name.rsplit('/').next().unwrap_or(name);
    let last = last
        .split(':')
        .find(|part| !part.is_empty() && !["oci", "docker", "oci-archive", "docker-archive"].contains(part));
    let last = last.unwrap_or("app");
    last.strip_suffix(".oci").or_else(|| last.strip_suffix(".tar")).unwrap_or(last).to_owned()
}

impl PreparedImage {
    /// Reads the image again, with this recipe.
    pub(super) fn reopen(&self, recipe: Recipe) -> Result<Self, CliError> {
        let location: DiskLocation = match parse_location(&self.location)? {
            ImageLocation::OnDisk(location) => location,
            ImageLocation::Registry(_) | ImageLocation::Engine(_) => {
                return Err(CliError::internal("an image was not copied to a layout"));
            }
        };
        Ok(Self {
            recipe,
            parsed: layout::read_disk_image(&location).map_err(coracle::Error::from)?,
            platform: self.platform.clone(),
            title: self.title.clone(),
            location: self.location.clone(),
            contract: self.contract.clone(),
        })
    }

    /// Returns the numeric user of the image or of the flags, which are part of the recipe.
    pub(super) fn user(&self) -> Result<(u32, u32), CliError> {
        let user = self.recipe.image.user.or_else(|| manifest_image::image_user(&self.parsed));
        let declared = self.platform.user().unwrap_or("root");
        let (uid, gid) = user.map_or((0, 0), |owner| (owner.uid, owner.gid));
        if uid == 0 {
            return Err(CliError {
                exit: CliExit::Usage,
                message: format!(
                    "the image runs as `{declared}`, which is not a user ID that a restricted pod may use"
                ),
                hint: Some(
                    "choose a user with `--user 65532`, or with `user` in the recipe's `[image]`".into(),
                ),
            });
        }
        Ok((uid, gid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_called_like_their_images() {
        for (name, short) in [
            ("ghcr.io/acme/shop:1.2", "shop"),
            ("docker://localhost:5000/shop@sha256:00", "shop"),
            ("oci:target/shop.oci", "shop"),
            ("oci:shop.oci:1.2", "shop"),
            ("docker-archive:shop.tar", "shop"),
            ("app:latest", "app"),
            ("", "app"),
        ] {
            assert_eq!(short_name(name), short, "{name}");
        }
    }
}
