//! `coracle manifests`: generates Kubernetes manifests for an image.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use coracle_kube::config::{self, RenderedMount};
use coracle_kube::contract::{self, Contract};
use coracle_kube::manifests::{self, Application, Files, Image, Patch, helm, kustomize, yaml};
use coracle_core::note::Note;
use coracle::recipe::{self, Overrides, Recipe};
use coracle_core::reference::{self, ParseReferenceError, Reference};
use coracle::rootfs::Owner;
use coracle_oci::layout::Stored;
use coracle_oci::copy::Place;
use serde_json::Value;

use super::args::{Layout, ManifestsArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::folder::{self, File};
use super::report::FAINT;
use super::{build, cache, image, interrupt, output, report};

/// Runs cargo and returns the recipe of its program's image.
pub(super) type Build<'a> = dyn Fn(&Overrides) -> Result<Recipe, Failure> + 'a;

/// Generates the manifests. The recipe is returned by `build`, if given, else read from a file.
pub(super) fn run(args: &ManifestsArgs, build: Option<&Build<'_>>) -> Result<Exit, Failure> {
    let directory = check(args)?;
    let reader = image::Reader::new(&args.registry, args.image.as_deref());
    let place = args.image.as_deref().filter(|text| image::is_place(text));
    let stored = place.map(|text| reader.open(text)).transpose()?;
    let mut recipe = match build {
        Some(build) => build(&args.overrides())?,
        None => read(args, &args.overrides(), stored.as_ref())?,
    };
    recipe.user = recipe.user.or_else(|| user_of(stored.as_ref()?));
    let expected = coracle::contract_of(&recipe)?.contract;
    if args.image.is_some() {
        // Otherwise the build prints these notes.
        report::notes(&coracle::judge_configuration(&recipe)?, args.quiet);
    }
    if let Some(stored) = &stored {
        agrees(stored, &expected, args.quiet)?;
    }
    let mounts = match args.with_secrets {
        true => config::render(&recipe.config)?,
        false => config::render_public(&recipe.config)?,
    };
    let environments = match args.layout {
        Layout::Kustomize => {
            // Only cargo knows which package was built.
            let file = build.map_or_else(|| recipe_file(args), |_| recipe.locate(Path::new("Cargo.toml")));
            environments(args, &file)?
        }
        Layout::Yaml | Layout::Helm => Vec::new(),
    };
    let located = |error| recipe.located(error);
    let patches: Vec<PathBuf> = recipe.kubernetes.patches.iter().map(|path| recipe.locate(path)).collect();
    let patches = Patch::read(&patches).map_err(located)?;
    let (image, user) = match &stored {
        Some(stored) => (stored_reference(stored, args)?, None),
        None => image_reference(args, &recipe)?,
    };
    let user = recipe.user.or(user).unwrap_or(recipe::DEFAULT_USER);
    let name = recipe.kubernetes.name.clone().unwrap_or_else(|| image.base_name().replace(['_', '.'], "-"));
    let process = process(&recipe);
    let application = Application {
        name: &name,
        image: &image,
        process: process.as_deref(),
        uid: user.uid,
        gid: user.gid,
        ports: &recipe.expose,
        configuration: &recipe.config,
        mounts: &mounts,
        settings: &recipe.kubernetes,
        patches: &patches,
        contains_secrets: args.with_secrets,
    };
    let (files, notes) = match (args.layout, directory) {
        (Layout::Helm, Some(_)) => helm::files(&application).map_err(located)?,
        (Layout::Kustomize, Some(_)) => kustomize::files(&application, &environments).map_err(located)?,
        _ => {
            let made = manifests::manifests(&application).map_err(located)?;
            report::notes(&made.notes, args.quiet);
            output::print(&yaml::stream(&made.all()))?;
            return Ok(Exit::Done);
        }
    };
    report::notes(&notes, args.quiet);
    directory.map_or(Ok(()), |directory| write(directory, &files, args.quiet))?;
    Ok(Exit::Done)
}

fn write(directory: &Path, files: &Files, quiet: bool) -> Result<(), Failure> {
    let listed = files.iter().map(|(path, bytes)| File { path, bytes, is_secret: false });
    folder::MANIFESTS.write(directory, &listed.collect::<Vec<_>>())?;
    if !quiet {
        report::talk(&format!("{} {FAINT}{} files{FAINT:#}\n", directory.display(), files.len()));
    }
    Ok(())
}

/// Returns the output directory. Fails if flags can't be combined.
fn check(args: &ManifestsArgs) -> Result<Option<&Path>, Failure> {
    match (args.layout, &args.output) {
        (Layout::Yaml, None) => Ok(None),
        (Layout::Yaml, Some(_)) => Err(Failure::usage(
            "`--layout yaml` writes to stdout, not to a directory",
            "leave `--output` out and redirect stdout with `> FILE`, or pass `--layout kustomize` or `--layout helm`",
        )),
        (_, _) if args.with_secrets => Err(Failure::usage(
            "`--with-secrets` requires `--layout yaml`: the other layouts are kept in repositories and registries",
            "leave it out; hints then show how to create each Secret",
        )),
        (_, None) => Err(Failure::usage(
            "`--layout kustomize` and `--layout helm` need a directory to write to",
            "name one, as in `coracle manifests --layout kustomize --output deploy`",
        )),
        (_, Some(directory)) => Ok(Some(directory)),
    }
}

fn recipe_file(args: &ManifestsArgs) -> PathBuf {
    args.file.clone().unwrap_or_else(|| recipe::FILE_NAME.into())
}

/// Reads the recipe. If an image is given, the recipe is optional and needs no program.
fn read(args: &ManifestsArgs, flags: &Overrides, stored: Option<&Stored>) -> Result<Recipe, Failure> {
    let file = recipe_file(args);
    let result = match args.image {
        Some(_) => recipe::application(Some(&file), flags),
        None => recipe::file(&file, flags),
    };
    match result {
        Err(recipe::Error::Read(error)) if args.file.is_none() && error.kind() == ErrorKind::NotFound => {
            match args.image {
                Some(_) => Ok(recipe::application(None, &said_by(stored, flags))?),
                None => Err(Failure::usage(
                    format!(
                        "no IMAGE is given, and `{}` does not exist in this directory",
                        recipe::FILE_NAME
                    ),
                    "name an image with its digest, as printed by `coracle build`, or write a recipe",
                )),
            }
        }
        result => Ok(result?),
    }
}

/// Adds the user and ports of the image's config to the flags, which take precedence.
fn said_by(stored: Option<&Stored>, flags: &Overrides) -> Overrides {
    let mut flags = flags.clone();
    let Some(image) = stored.and_then(|stored| stored.image(None).ok()) else { return flags };
    let ports = image.config.pointer("/config/ExposedPorts").and_then(Value::as_object);
    flags.user = flags.user.or_else(|| image.user().map(str::to_owned));
    flags.expose.extend(ports.into_iter().flat_map(|ports| ports.keys().cloned()));
    flags
}

/// Returns the user in the image's config, if it is numeric.
fn user_of(stored: &Stored) -> Option<Owner> {
    let (uid, gid) = stored.image(None).ok()?.user()?.split_once(':')?;
    Some(Owner { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
}

/// Warns if the image's contract differs from `expected`, because the manifests may not suit the
/// image.
fn agrees(stored: &Stored, expected: &Contract, quiet: bool) -> Result<(), Failure> {
    let label = expected.to_label().map_err(coracle::Error::from)?;
    let found = stored.label(contract::LABEL, None).map_err(coracle::Error::from)?;
    if found.is_some_and(|found| found != label) {
        let warning = format!(
            "the contract of `{}` differs from this configuration; run `coracle config check` for details",
            stored.origin.place
        );
        report::notes(&[Note::Warning(warning)], quiet);
    }
    Ok(())
}

/// Returns the stored image by digest, with the name from `--tag` or its own.
fn stored_reference(stored: &Stored, args: &ManifestsArgs) -> Result<Image, Failure> {
    let Some(digest) = stored.origin.digest() else {
        return Err(Failure::usage(
            format!(
                "`{}` has no digest: the archive contains only Docker's manifest.json",
                stored.origin.place
            ),
            "copy it to a layout first: `skopeo copy docker-archive:FILE oci:DIR:TAG`",
        ));
    };
    let names = stored.origin.names.iter().map(|name| reference::familiar(name));
    let Some(name) = args.tags.iter().map(String::as_str).chain(names).next() else {
        return Err(Failure::usage(
            format!("`{}` has no name, which pods need to pull it", stored.origin.place),
            "pass `--tag NAME[:TAG]`",
        ));
    };
    let name: Reference = name
        .parse()
        .map_err(|error: ParseReferenceError| Failure::usage(format!("`--tag`: {error}"), error.hint()))?;
    let image = Image::new(&name, digest);
    // An image in a registry may be named by its digest only.
    let is_untagged = args.tags.is_empty() && !stored.origin.is_tagged();
    Ok(if is_untagged { Image { tag: None, ..image } } else { image })
}

/// Returns the rendered mounts of each environment of the recipe.
fn environments(args: &ManifestsArgs, file: &Path) -> Result<Vec<(String, Vec<RenderedMount>)>, Failure> {
    let flags = args.overrides();
    if flags.config.environment.is_some() {
        return Err(Failure::usage(
            "`--environment` can't be used with `--layout kustomize`, which writes an overlay for each environment",
            "leave `--environment` out, and apply `DIR/overlays/NAME`",
        ));
    }
    let names = match recipe::environments(file) {
        Err(recipe::Error::Read(error)) if error.kind() == ErrorKind::NotFound => Vec::new(),
        names => names?,
    };
    let mut environments = Vec::new();
    for name in names {
        let mut flags = flags.clone();
        flags.config.environment = Some(name.clone());
        let configuration = recipe::configuration(Some(file), &flags)?;
        environments.push((name, config::render_public(&configuration)?));
    }
    Ok(environments)
}

/// Returns the image that pods run: the one in the arguments, or else the recipe's, which is built
/// to learn its digest and user.
fn image_reference(args: &ManifestsArgs, recipe: &Recipe) -> Result<(Image, Option<Owner>), Failure> {
    if let Some(text) = &args.image {
        if !args.tags.is_empty() {
            return Err(Failure::usage(
                format!("`--tag` can't be used with `{text}`, which is a name already"),
                "leave `--tag` out; it is for images that are built or stored in a layout",
            ));
        }
        let image = text.parse();
        let image = image
            .map_err(|error: manifests::ParseImageError| Failure::usage(error.to_string(), error.hint()))?;
        return Ok((image, None));
    }
    let Some(name) = recipe.names.first() else {
        return Err(Failure::usage(
            "the image has no name, which pods need to pull it",
            "set `name` in `[image]`, or pass `--tag NAME[:TAG]`",
        ));
    };
    interrupt::listen();
    let cache = cache::for_layers(&args.cache, args.quiet)?;
    let client = build::bases(std::slice::from_ref(recipe), &args.registry)?;
    let settings = build::settings(args.epoch.as_deref(), cache, client)?;
    let folder = tempfile::tempdir().map_err(|error| Failure {
        exit: Exit::Failed,
        message: format!("cannot create a temporary directory: {error}"),
        hint: None,
    })?;
    let layout = format!("oci:{}", folder.path().join("image.oci").display());
    let destination = layout.parse().map_err(|error: coracle_oci::layout::ParseDestinationError| {
        Failure::usage(error.to_string(), error.hint())
    })?;
    let recipe = Recipe {
        destinations: vec![Place::Local(destination)],
        push: false,
        publish_contract: None,
        budget: Default::default(),
        ..recipe.clone()
    };
    let built = build::watched(&recipe, &settings, args.quiet)?;
    cache::close(&settings);
    Ok((Image::new(name, built.digest), Some(built.user)))
}

/// Returns the file name of the program in the image.
fn process(recipe: &Recipe) -> Option<String> {
    let program = recipe.programs.first()?;
    let placed = program.to.as_ref().and_then(|to| Some(String::from_utf8_lossy(to.name()?).into_owned()));
    placed.or_else(|| Some(program.from.file_name()?.to_string_lossy().into_owned()))
}
