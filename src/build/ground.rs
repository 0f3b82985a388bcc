//! What the image of one platform stands on, and what it takes over from there where the recipe is silent.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::destinations::Destinations;
use super::plan::OWN;
use super::{Error, Observer, Settings};
use crate::base::{self, Base, BaseTree, Inherited};
use crate::digest::Digest;
use crate::image::{Descriptor, Root};
use crate::note::Note;
use crate::path::ImagePath;
use crate::platform::Platform;
use crate::recipe::{DEFAULT_USER, Recipe};
use crate::registry::Client;
use crate::rootfs::Owner;
use crate::store::{Destination, Staging};
use crate::tree::{self, End, Tree};

/// The most bytes of a list of accounts.
const ACCOUNTS: usize = 1 << 20;

/// The base of a recipe; nothing where it has none.
pub(super) fn open(recipe: &Recipe, settings: &Settings) -> Result<Option<Arc<Base>>, Error> {
    let Some(place) = &recipe.base else { return Ok(None) };
    Ok(Some(Arc::new(Base::open(
        place,
        &client(settings)?,
        settings.cache.as_deref(),
        settings.scratch.as_deref(),
    )?)))
}

/// Which base it is, without reading it where the recipe says so itself.
pub(super) fn pin(recipe: &Recipe, settings: &Settings) -> Result<Option<Digest>, Error> {
    let Some(place) = &recipe.base else { return Ok(None) };
    Ok(Some(base::pin(place, &client(settings)?)?))
}

fn client(settings: &Settings) -> Result<Client, Error> {
    settings.client.clone().map_or_else(|| Ok(Client::new(crate::registry::Settings::default())?), Ok)
}

/// Lets the layers of bases wait beside an image's own, as far as one of its destinations lacks them, or an engine may.
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

/// How a program is run, once recipe and base are taken together.
pub(super) struct Taken {
    pub(super) user: Owner,
    pub(super) env: BTreeMap<String, String>,
    pub(super) working_dir: ImagePath,
}

impl Taken {
    /// Without a base.
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

    /// Its files.
    pub(super) fn tree(&self, observer: &dyn Observer) -> Result<BaseTree, Error> {
        let tree = self.base.tree(&self.image, &|| observer.packed(0));
        tree.map_err(|error| if observer.packed(0).is_break() { Error::interrupted() } else { error.into() })
    }

    /// Whether the base's config speaks of the directory that is an image's own: then something may be there.
    pub(super) fn names_own_directory(&self) -> bool {
        self.image.config.contains(&format!("/{OWN}"))
    }

    pub(super) fn into_image(self) -> base::Image {
        self.image
    }

    fn inherited(&self) -> &Inherited {
        &self.image.inherited
    }

    /// How the program is run as `user`; where both say something, the recipe counts.
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

    /// Who runs the program, as far as numbers say; nothing where the files of the base have to.
    pub(super) fn user(&self, recipe: &Recipe) -> Option<Owner> {
        if let Some(user) = recipe.user {
            return Some(user);
        }
        let Some(text) = &self.inherited().user else { return Some(DEFAULT_USER) };
        let (user, group) =
            text.split_once(':').map_or((text.as_str(), None), |(user, group)| (user, Some(group)));
        let uid = user.parse().ok()?;
        // As everywhere here, a user that is alone has a group of its own number.
        let gid = group.map_or(Some(uid), |group| group.parse().ok())?;
        Some(Owner { uid, gid })
    }

    /// The same, by the names in the base's accounts.
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

/// A user that the base's accounts do not know is run with the group 0 by who passes on the user alone.
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

/// The lines of a file with fields between colons; none where there is no file.
fn lines(tree: &BaseTree, path: &str) -> Result<Vec<Vec<String>>, Error> {
    let End::File(_, file) = tree::walk(tree as &dyn Tree, &ImagePath::root(), path.as_bytes())?.end else {
        return Ok(Vec::new());
    };
    let bytes = file.content.open()?.bytes_at(0, ACCOUNTS)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect())
}
