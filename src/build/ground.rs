//! The base image of each platform, and the run configuration that is inherited from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::destinations::Destinations;
use super::plan::OWN;
use super::{Error, Observer, Settings};
use coracle_oci::base::{self, Base, BaseTree, Inherited};
use coracle_core::digest::Digest;
use coracle_oci::image::{Descriptor, Root};
use coracle_core::note::Note;
use coracle_core::path::ImagePath;
use coracle_core::platform::Platform;
use crate::recipe::{DEFAULT_USER, Recipe};
use coracle_oci::registry::Client;
use crate::rootfs::Owner;
use coracle_oci::layout::{Destination, Staging};
use coracle_core::file_system::{self, End, Tree};

/// The maximum size of `/etc/passwd` and `/etc/group` that is read, in bytes.
const ACCOUNTS: usize = 1 << 20;

/// Opens the base image of a recipe. `None` if it has none.
pub(super) fn open(recipe: &Recipe, settings: &Settings) -> Result<Option<Arc<Base>>, Error> {
    let Some(place) = &recipe.base else { return Ok(None) };
    Ok(Some(Arc::new(Base::open(
        place,
        &client(settings)?,
        settings.cache.as_deref(),
        settings.scratch.as_deref(),
    )?)))
}

/// Returns the digest of the base image; it is not read if the recipe has the digest.
pub(super) fn pin(recipe: &Recipe, settings: &Settings) -> Result<Option<Digest>, Error> {
    let Some(place) = &recipe.base else { return Ok(None) };
    Ok(Some(base::pin(place, &client(settings)?)?))
}

fn client(settings: &Settings) -> Result<Client, Error> {
    settings.client.clone().map_or_else(|| Ok(Client::new(coracle_oci::registry::Settings::default())?), Ok)
}

/// Puts the layers of the base image that a destination lacks, or an engine may lack, into the
/// staging directory.
pub(super) fn stage(
    base: &Base,
    root: &Root,
    staging: &Staging,
    destinations: &Destinations,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let named: BTreeMap<Digest, &Descriptor> = root.below().map(|layer| (layer.digest, layer)).collect();
    for layer in named.into_values() {
        let has_blob = |destination: &Destination| destination.has_blob(layer);
        if destinations.engines.is_empty() && destinations.local.iter().all(has_blob) {
            continue;
        }
        let taken = match base.blob(layer, &|| observer.packed(0)) {
            Ok(mut reader) => staging.take(layer, &mut reader)?,
            Err(error) => Err(error),
        };
        if let Err(source) = taken {
            if observer.packed(0).is_break() {
                return Err(Error::interrupted());
            }
            return Err(base::Error::Layer { base: base.text(), digest: layer.digest, source }.into());
        }
    }
    Ok(())
}

/// The effective run configuration: the recipe's, else the base image's.
pub(super) struct Taken {
    pub(super) user: Owner,
    pub(super) env: BTreeMap<String, String>,
    pub(super) working_dir: ImagePath,
}

impl Taken {
    /// Returns the run configuration without a base image.
    pub(super) fn nothing(recipe: &Recipe) -> Self {
        Self {
            user: recipe.user.unwrap_or(DEFAULT_USER),
            env: recipe.env.clone(),
            working_dir: recipe.working_dir.clone().unwrap_or_else(ImagePath::root),
        }
    }
}

/// The base image of one platform.
pub(super) struct Ground<'a> {
    base: &'a Base,
    image: base::Image,
}

impl<'a> Ground<'a> {
    pub(super) fn of(base: &'a Base, platform: &Platform) -> Result<Self, Error> {
        Ok(Self { base, image: base.image(platform)? })
    }

    /// Reads the base image's files.
    pub(super) fn tree(&self, observer: &dyn Observer) -> Result<BaseTree, Error> {
        let tree = self.base.tree(&self.image, &|| observer.packed(0));
        tree.map_err(|error| if observer.packed(0).is_break() { Error::interrupted() } else { error.into() })
    }

    /// Whether the base's config mentions [`OWN`]: then the base may have files there.
    pub(super) fn names_own_directory(&self) -> bool {
        self.image.config.contains(&format!("/{OWN}"))
    }

    pub(super) fn into_image(self) -> base::Image {
        self.image
    }

    fn inherited(&self) -> &Inherited {
        &self.image.inherited
    }

    /// Returns the effective run configuration with `user`; the recipe overrides the base image.
    pub(super) fn taken(&self, recipe: &Recipe, user: Owner) -> Result<Taken, Error> {
        let mut env = self.inherited().env.clone();
        env.extend(recipe.env.clone());
        Ok(Taken { user, env, working_dir: self.working_dir(recipe)? })
    }

    fn working_dir(&self, recipe: &Recipe) -> Result<ImagePath, Error> {
        match (&recipe.working_dir, &self.inherited().working_dir) {
            (Some(path), _) => Ok(path.clone()),
            (None, None) => Ok(ImagePath::root()),
            (None, Some(text)) => text.parse().map_err(|_| {
                self.unfit(
                    format!("its working directory `{text}` is not an absolute path"),
                    "set another: `--working-dir PATH`",
                )
            }),
        }
    }

    /// Returns the user and group if the recipe or the base's config has them as numbers. `None` if
    /// they are names.
    pub(super) fn user(&self, recipe: &Recipe) -> Option<Owner> {
        if let Some(user) = recipe.user {
            return Some(user);
        }
        let Some(text) = &self.inherited().user else { return Some(DEFAULT_USER) };
        let (user, group) =
            text.split_once(':').map_or((text.as_str(), None), |(user, group)| (user, Some(group)));
        let uid = user.parse().ok()?;
        // The default GID is the UID, as in recipes.
        let gid = group.map_or(Some(uid), |group| group.parse().ok())?;
        Some(Owner { uid, gid })
    }

    /// Like [`Ground::user`], but looks up names in the base's `/etc/passwd` and `/etc/group`.
    pub(super) fn user_in(&self, recipe: &Recipe, tree: &BaseTree) -> Result<Owner, Error> {
        if let Some(user) = self.user(recipe) {
            return Ok(user);
        }
        let text = self.inherited().user.clone().unwrap_or_default();
        let (user, group) =
            text.split_once(':').map_or((text.as_str(), None), |(user, group)| (user, Some(group)));
        let (passwd, groups) = (lines(tree, "/etc/passwd")?, lines(tree, "/etc/group")?);
        let number = |line: &Vec<String>, at: usize| line.get(at)?.parse::<u32>().ok();
        let named = |lines: &[Vec<String>], name: &str| {
            lines.iter().find(|line| line.first().is_some_and(|first| first == name)).cloned()
        };
        let account = named(&passwd, user);
        let uid = user.parse().ok().or_else(|| number(account.as_ref()?, 2));
        let gid = match group {
            Some(group) => group.parse().ok().or_else(|| number(&named(&groups, group)?, 2)),
            None => account.as_ref().and_then(|account| number(account, 3)),
        };
        let owner = uid.zip(gid).map(|(uid, gid)| Owner { uid, gid });
        owner.ok_or_else(|| {
            self.unfit(
                format!("its user `{text}` is not in its `/etc/passwd` and `/etc/group`"),
                "set the user by number: `--user UID[:GID]`",
            )
        })
    }

    fn unfit(&self, why: String, hint: &str) -> Error {
        base::Error::Unfit { base: self.base.text(), why, hint: hint.to_owned() }.into()
    }
}

/// Returns a hint if the base's `/etc/passwd` lacks the user: runtimes that are given only a UID
/// then use GID 0.
pub(super) fn unknown_user(user: Owner, tree: &BaseTree) -> Result<Option<Note>, Error> {
    let uid = user.uid.to_string();
    let is_known = lines(tree, "/etc/passwd")?.iter().any(|line| line.get(2) == Some(&uid));
    Ok((!is_known && user.gid != 0).then(|| {
        Note::Hint(format!(
            "the base's `/etc/passwd` has no user {uid}: Kubernetes runs it with group 0 unless the pod sets \
             `runAsGroup: {}`, as `coracle manifests` does",
            user.gid
        ))
    }))
}

/// Returns the lines of a colon-separated file, split into fields. Empty if there is no file.
fn lines(tree: &BaseTree, path: &str) -> Result<Vec<Vec<String>>, Error> {
    let End::File(_, file) = file_system::walk(tree as &dyn Tree, &ImagePath::root(), path.as_bytes())?.end else {
        return Ok(Vec::new());
    };
    let bytes = file.content.open()?.bytes_at(0, ACCOUNTS)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect())
}
