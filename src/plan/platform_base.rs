//! The base image of each platform, and the run configuration that is inherited from it.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::observer::Observer;
use crate::observer::UploadProgress;
use crate::recipe::{DEFAULT_USER, Recipe};
use crate::rootfs::Owner;
use coracle_core::file_system::{self, FileSystem, ResolutionEnd};
use coracle_core::note::Note;
use coracle_core::path::ImagePath;
use coracle_core::platform::Platform;
use coracle_ld::closure::ResolveOptions;
use coracle_ld::ldso::LoaderEnvironment;
use coracle_oci::base::{self, BaseSource, InheritedConfig};
use coracle_oci::layout::ImageFs;

/// The top directory of programs outside system directories; base images do not use it.
pub(super) const APP_DIR: &str = "app";

/// The maximum size of `/etc/passwd` and `/etc/group`, in bytes: half a million accounts.
const MAX_ACCOUNTS_SIZE: u64 = 32 << 20;

/// The effective run configuration: the recipe's settings, else the base image's.
pub(super) struct RunConfig {
    pub(super) user: Owner,
    pub(super) env: BTreeMap<String, String>,
    pub(super) working_dir: ImagePath,
}

impl RunConfig {
    /// Returns the run configuration without a base image.
    pub(super) fn without_base(recipe: &Recipe) -> Self {
        Self {
            user: recipe.image.user.unwrap_or(DEFAULT_USER),
            env: recipe.image.env.clone(),
            working_dir: recipe.image.working_dir.clone().unwrap_or_else(ImagePath::root),
        }
    }

    /// Returns the options of resolution: what programs and their loaders read from the image's config.
    pub(super) fn resolve_options(&self, recipe: &Recipe) -> ResolveOptions {
        let default = ResolveOptions::default();
        let path_variable = self.env.get("PATH").cloned().unwrap_or(default.path_variable);
        let variable = |name: &str| self.env.get(name).cloned().unwrap_or_default().into_bytes();
        let loader = LoaderEnvironment {
            library_path: variable("LD_LIBRARY_PATH"),
            preload: variable("LD_PRELOAD"),
            audit: variable("LD_AUDIT"),
            hwcaps: recipe.contents.hwcaps.clone(),
            ..default.loader_environment
        };
        ResolveOptions {
            working_dir: self.working_dir.clone(),
            path_variable,
            variables: self.env.clone(),
            added_files: default.added_files,
            loader_environment: loader,
        }
    }
}

/// The base image of one platform.
#[derive(Clone)]
pub(super) struct PlatformBase<'a> {
    base: &'a BaseSource,
    image: base::BaseImage,
}

impl<'a> PlatformBase<'a> {
    pub(super) fn new(base: &'a BaseSource, platform: &Platform) -> Result<Self, Error> {
        Ok(Self { base, image: base.image(platform)? })
    }

    /// Reads the base image's files.
    pub(super) fn file_system(&self, observer: &dyn Observer) -> Result<ImageFs, Error> {
        let file_system = self.base.fetch_file_system(&self.image, &UploadProgress(observer));
        file_system.map_err(|error| if observer.is_cancelled() { Error::cancelled() } else { error.into() })
    }

    /// Returns whether the base's config mentions [`APP_DIR`]: then the base may have files there.
    pub(super) fn mentions_app_dir(&self) -> bool {
        self.image.config.contains(&format!("/{APP_DIR}"))
    }

    pub(super) fn into_image(self) -> base::BaseImage {
        self.image
    }

    fn inherited(&self) -> &InheritedConfig {
        &self.image.inherited
    }

    /// Returns the effective run configuration with `user`; the recipe overrides the base image.
    pub(super) fn run_config(&self, recipe: &Recipe, user: Owner) -> Result<RunConfig, Error> {
        let mut env = self.inherited().env.clone();
        env.extend(recipe.image.env.clone());
        Ok(RunConfig { user, env, working_dir: self.working_dir(recipe)? })
    }

    fn working_dir(&self, recipe: &Recipe) -> Result<ImagePath, Error> {
        match (&recipe.image.working_dir, &self.inherited().working_dir) {
            (Some(path), _) => Ok(path.clone()),
            (None, None) => Ok(ImagePath::root()),
            (None, Some(text)) => text.parse().map_err(|_| {
                self.unusable_base(
                    format!("its working directory `{text}` is not an absolute path"),
                    "set another: `--working-dir PATH`",
                )
            }),
        }
    }

    /// Returns the user and group if the recipe or the base's config has them as numbers. `None` if
    /// they are names, or the base's config has no group: it is that of the user's account.
    pub(super) fn numeric_user(&self, recipe: &Recipe) -> Option<Owner> {
        if let Some(user) = recipe.image.user {
            return Some(user);
        }
        let Some(text) = self.inherited().user.as_ref() else { return Some(DEFAULT_USER) };
        Owner::split(text).1.and_then(|_| Owner::from_numbers(text))
    }

    /// Like [`Self::numeric_user`], but looks up names in the base's `/etc/passwd` and `/etc/group`.
    pub(super) fn user_by_name(&self, recipe: &Recipe, file_system: &ImageFs) -> Result<Owner, Error> {
        if let Some(user) = self.numeric_user(recipe) {
            return Ok(user);
        }
        let text = self.inherited().user.clone().unwrap_or_default();
        let (user, group) = Owner::split(&text);
        let (passwd, groups) = (
            colon_separated_lines(file_system, "/etc/passwd")?,
            colon_separated_lines(file_system, "/etc/group")?,
        );
        let number = |line: &Vec<String>, at: usize| line.get(at)?.parse::<u32>().ok();
        let named = |lines: &[Vec<String>], name: &str| {
            lines.iter().find(|line| line.first().is_some_and(|first| first == name)).cloned()
        };
        let uid: Option<u32> = user.parse().ok();
        let of_uid = || passwd.iter().find(|line| uid.is_some() && number(line, 2) == uid).cloned();
        let account = named(&passwd, user).or_else(of_uid);
        let gid = match group {
            Some(group) => group.parse().ok().or_else(|| number(&named(&groups, group)?, 2)),
            None => account.as_ref().map_or(uid, |account| number(account, 3)),
        };
        let uid = uid.or_else(|| number(account.as_ref()?, 2));
        let owner = uid.zip(gid).map(|(uid, gid)| Owner { uid, gid });
        owner.ok_or_else(|| {
            self.unusable_base(
                format!("its user `{text}` is not in its `/etc/passwd` and `/etc/group`"),
                "set the user by number: `--user UID[:GID]`",
            )
        })
    }

    fn unusable_base(&self, why: String, hint: &str) -> Error {
        base::BaseError::Unsupported { base: self.base.location_text(), why, hint: hint.to_owned() }.into()
    }
}

/// Returns a hint if the base's `/etc/passwd` lacks the user: runtimes that are given only a UID
/// then use GID 0.
pub(super) fn unknown_user_hint(user: Owner, file_system: &ImageFs) -> Result<Option<Note>, Error> {
    let uid = user.uid.to_string();
    let is_known =
        colon_separated_lines(file_system, "/etc/passwd")?.iter().any(|line| line.get(2) == Some(&uid));
    Ok((!is_known && user.gid != 0).then(|| {
        Note::Hint(format!(
            "the base's `/etc/passwd` has no user {uid}: Kubernetes runs it with group 0 unless the pod sets \
             `runAsGroup: {}`, as `coracle manifests` does",
            user.gid
        ))
    }))
}

/// Returns the lines of a colon-separated file, split into fields. Empty if there is no file.
fn colon_separated_lines(file_system: &ImageFs, path: &str) -> Result<Vec<Vec<String>>, Error> {
    let ResolutionEnd::File(_, file) =
        file_system::resolve_path(file_system as &dyn FileSystem, &ImagePath::root(), path.as_bytes())?.end
    else {
        return Ok(Vec::new());
    };
    let bytes = file.content.read_whole(path.as_bytes(), MAX_ACCOUNTS_SIZE)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect())
}
