//! The volumes of a run: rendered files and Secrets, with the paths, modes and groups that they have in
//! a pod of the same recipe.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use coracle::recipe::{Recipe, RecipeOverrides};
use coracle_core::fs::{self, FinalLink};
use coracle_core::path::ImagePath;
use coracle_kube::config::{self, MAX_OBJECT_BYTES, ReloadMethod, SecretFile};
use coracle_kube::values::ValueSource;
use coracle_run::{SandboxVolume, VolumeFile};

use super::image::{ImageSubject, PreparedImage};
use super::secret_files::{SecretFiles, missing_secrets};
use crate::cli::args::RunArgs;
use crate::cli::error::CliError;

/// The mode of files of ConfigMaps, and of Secrets as `coracle manifests` mounts them.
const CONFIG_MODE: u32 = 0o644;
const SECRET_MODE: u32 = 0o440;

/// A mounted directory of configuration.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RunVolume {
    pub(super) path: ImagePath,
    /// The name of its directory on this machine.
    pub(super) name: String,
    pub(super) reload: ReloadMethod,
    pub(super) files: Vec<VolumeFile>,
}

impl RunVolume {
    fn has_secrets(&self) -> bool {
        self.files.iter().any(|file| file.mode == SECRET_MODE)
    }
}

/// Everything that a run gets in addition to its image.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RunConfiguration {
    pub(super) volumes: Vec<RunVolume>,
    /// Variables with the text of mounted files.
    pub(super) variables: Vec<(String, String)>,
    pub(super) state: Vec<ImagePath>,
}

impl RunConfiguration {
    /// Renders the configuration of the recipe, and reads the Secrets.
    pub(super) fn render(
        subject: &ImageSubject<'_>,
        prepared: &PreparedImage,
        args: &RunArgs,
    ) -> Result<Self, CliError> {
        let secrets = SecretFiles::parse(&args.secret_files)?;
        let recipe = match secrets.values_of_templates(&prepared.recipe) {
            values if values.is_empty() => None,
            values => Some(subject.read_configuration_again(args, values)?),
        };
        Self::of_recipe(recipe.as_ref().unwrap_or(&prepared.recipe), prepared, &secrets)
    }

    fn of_recipe(recipe: &Recipe, prepared: &PreparedImage, secrets: &SecretFiles) -> Result<Self, CliError> {
        let mut volumes: Vec<RunVolume> = Vec::new();
        let mut names = BTreeSet::new();
        for mount in config::render_all(&recipe.config)? {
            let files = mount.files.into_iter().map(|file| VolumeFile {
                path: file.path,
                bytes: file.bytes,
                mode: if file.is_secret { SECRET_MODE } else { CONFIG_MODE },
            });
            let name = volume_name(&mount.path, &mut names);
            volumes.push(RunVolume { files: files.collect(), name, path: mount.path, reload: mount.reload });
        }
        let mut missing = Vec::new();
        for mount in &recipe.config.secrets {
            let mut files = Vec::new();
            for SecretFile { key, path } in &mount.files {
                match secrets.files.get(key) {
                    Some(file) => {
                        let bytes = fs::read_regular_file(file, FinalLink::Follow, MAX_OBJECT_BYTES as u64)?;
                        files.push(VolumeFile { path: path.clone(), bytes, mode: SECRET_MODE });
                    }
                    None if mount.is_optional => {}
                    None => missing.push(format!("`{key}` for `{}`", mount.path)),
                }
            }
            // A ConfigMap and a Secret at one path are one projected volume.
            match volumes.iter_mut().find(|volume| volume.path == mount.path) {
                Some(volume) => volume.files.extend(files),
                None => {
                    let name = volume_name(&mount.path, &mut names);
                    volumes.push(RunVolume {
                        path: mount.path.clone(),
                        name,
                        reload: mount.reload.clone(),
                        files,
                    });
                }
            }
        }
        if !missing.is_empty() {
            return Err(missing_secrets(&missing, secrets));
        }
        let variables = variables_of_files(recipe, &volumes);
        Ok(Self { volumes, variables, state: state_directories(recipe, prepared) })
    }

    /// Returns the group of all volumes, as `coracle manifests` sets `fsGroup`.
    pub(super) fn volume_group(&self, gid: u32) -> Option<u32> {
        let has_secrets = self.volumes.iter().any(RunVolume::has_secrets);
        (has_secrets || !self.state.is_empty()).then_some(gid)
    }

    /// Returns the volumes for the sandbox.
    pub(super) fn sandbox_volumes(&self, group: Option<u32>) -> Vec<SandboxVolume> {
        let volume = |volume: &RunVolume| SandboxVolume {
            name: volume.name.clone(),
            group,
            has_secrets: volume.has_secrets(),
            nested: self.mount_points().iter().filter_map(|point| path_below(point, &volume.path)).collect(),
            files: volume.files.clone(),
        };
        self.volumes.iter().map(volume).collect()
    }

    /// Returns every path where something is mounted, parents before their children.
    pub(super) fn mount_points(&self) -> Vec<ImagePath> {
        let volumes = self.volumes.iter().map(|volume| volume.path.clone());
        let paths: BTreeSet<ImagePath> = volumes.chain(self.state.iter().cloned()).collect();
        paths.into_iter().collect()
    }
}

impl ImageSubject<'_> {
    /// Reads the recipe with further values from files. Programs are not built again.
    fn read_configuration_again(&self, args: &RunArgs, values: Vec<OsString>) -> Result<Recipe, CliError> {
        let mut flags: RecipeOverrides = args.overrides();
        flags.config.set_files.extend(values);
        self.read_recipe(args, &flags)
    }
}

/// Returns the path of a mount point relative to that of another mount that contains it.
fn path_below(point: &ImagePath, outer: &ImagePath) -> Option<String> {
    let below: Vec<&[u8]> = point.strip_prefix(outer)?.collect();
    let below = String::from_utf8(below.join(b"/".as_slice())).ok()?;
    (!below.is_empty()).then_some(below)
}

/// Returns a name for the directory of a volume.
fn volume_name(path: &ImagePath, taken: &mut BTreeSet<String>) -> String {
    let readable: String = path
        .to_string()
        .trim_start_matches('/')
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let numbered = |number: u32| if number == 1 { readable.clone() } else { format!("{readable}-{number}") };
    let name = (1..).map(numbered).find(|name| !taken.contains(name)).unwrap_or(readable.clone());
    taken.insert(name.clone());
    name
}

fn variables_of_files(recipe: &Recipe, volumes: &[RunVolume]) -> Vec<(String, String)> {
    let content = |path: &ImagePath| {
        let files = volumes.iter().flat_map(|volume| volume.files.iter().map(move |file| (volume, file)));
        let mut found = files.filter(|(volume, file)| {
            let components: Vec<&[u8]> = file.path.split('/').map(str::as_bytes).collect();
            volume.path.join_components(components) == *path
        });
        found.next().map(|(_, file)| String::from_utf8_lossy(&file.bytes).into_owned())
    };
    let variables = recipe.config.variables.iter();
    variables.filter_map(|variable| Some((variable.name.clone(), content(&variable.file)?))).collect()
}

/// Returns the directories that the program writes to: those of the recipe, and those in the image's
/// contract.
pub(super) fn state_directories(recipe: &Recipe, prepared: &PreparedImage) -> Vec<ImagePath> {
    let declared = recipe.config.writable_directories.iter().map(|directory| directory.path.clone());
    let contract = prepared.contract.iter().flat_map(|contract| &contract.writable);
    let of_image = contract.filter_map(|directory| directory.path.parse().ok());
    let temporary = recipe.kubernetes.has_writable_tmp.then(|| "/tmp".parse().ok()).flatten();
    declared.chain(of_image).chain(temporary).collect::<BTreeSet<ImagePath>>().into_iter().collect()
}

/// The files that decide what a run does, for `--watch`.
pub(super) struct WatchedFiles {
    /// Templates, values and the schema.
    pub(super) configuration: BTreeSet<PathBuf>,
    /// Directories whose files are all templates or included in some.
    pub(super) template_directories: BTreeSet<PathBuf>,
    /// The recipe and what is packed.
    pub(super) image: BTreeSet<PathBuf>,
}

impl WatchedFiles {
    /// Returns the files of a recipe.
    pub(super) fn of_recipe(
        recipe: &Recipe,
        recipe_file: Option<&Path>,
        args: &RunArgs,
        is_built: bool,
    ) -> Self {
        let absolute = |path: &Path| fs::absolute_path(path).unwrap_or_else(|_| path.to_owned());
        let sources =
            recipe.config.mounts.iter().flat_map(|mount| &mount.files).map(|file| file.source.clone());
        let values = recipe.config.values.iter().filter_map(|value| match value {
            ValueSource::File(path) | ValueSource::SetFile { path, .. } => Some(path.clone()),
            ValueSource::Set { .. } => None,
        });
        let secrets = SecretFiles::parse(&args.secret_files).map(|secrets| secrets.files).unwrap_or_default();
        let configuration: BTreeSet<PathBuf> = sources
            .chain(values)
            .chain(recipe.config.schema.clone())
            .chain(secrets.into_values())
            .map(|path| absolute(&path))
            .collect();
        let templates =
            recipe.config.mounts.iter().flat_map(|mount| &mount.files).filter(|file| file.syntax.is_some());
        let template_directories =
            templates.filter_map(|file| absolute(&file.source).parent().map(Path::to_owned)).collect();
        let programs = recipe.contents.programs.iter().map(|program| program.from.clone());
        let includes = recipe.contents.includes.iter().map(|include| include.from.clone());
        let packed =
            programs.chain(includes).filter(|_| is_built).map(|path| absolute(&recipe.resolve_path(&path)));
        Self {
            configuration,
            template_directories,
            image: packed.chain(recipe_file.map(&absolute)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_volumes_are_different() {
        let mut taken = BTreeSet::new();
        let mut name = |path: &str| volume_name(&path.parse().unwrap(), &mut taken);
        assert_eq!(
            [name("/etc/shop"), name("/etc-shop"), name("/etc/shop.d")],
            ["etc-shop", "etc-shop-2", "etc-shop-d"]
        );
    }
}
