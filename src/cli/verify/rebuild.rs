//! Builds an image again from its recipe, and compares: equal digests prove that the image is what the
//! recipe and the files of this machine make. Otherwise every difference is listed.

use std::collections::BTreeMap;
use std::path::Path;

use coracle::Recipe;
use coracle::recipe::{self, RecipeOverrides};
use coracle_core::json;
use coracle_core::progress::Progress;
use coracle_inspect::{ImageContents, ReadDepth};
use coracle_oci::copy::ImageLocation;
use coracle_oci::layout::{DiskLocation, LayerMember, ParsedImage, ParsedPlatform, read_disk_image};
use serde_json::Value;

use super::Verification;
use super::report::CheckReport;
use crate::cli::build::build_with_progress;
use crate::cli::build_inputs::{library_settings, reads_registry};
use crate::cli::error::CliError;

/// The maximum number of differences that are listed.
const MAX_LISTED: usize = 100;
/// Members of manifests and indexes that differ if a blob differs, which is listed by itself.
const DERIVED: [&str; 2] = ["digest", "size"];

/// Reads the recipe to build again.
pub(super) fn read_recipe(file: Option<&Path>) -> Result<Recipe, CliError> {
    let file = file.unwrap_or(Path::new(recipe::DEFAULT_FILE_NAME));
    Ok(recipe::read_recipe(file, &RecipeOverrides::default())?)
}

/// Builds the image of `recipe` and compares it with `image`.
pub(super) fn check(
    image: &ParsedImage,
    recipe: &Recipe,
    context: &Verification<'_>,
) -> Result<CheckReport, CliError> {
    let directory = tempfile::Builder::new()
        .prefix("coracle-verify-")
        .tempdir_in(&context.engines.temp_dir)
        .map_err(|error| CliError::failed(format!("cannot create a temporary directory: {error}")))?;
    let location = DiskLocation::layout(directory.path().join("rebuilt.oci"));
    let rebuilt = rebuild(recipe, &location, context)?;
    if image.source.digest() == rebuilt.source.digest() {
        let note = "the image that is built here has the same digest".to_owned();
        return Ok(CheckReport::new("rebuild", Vec::new()).with_notes(vec![note]));
    }
    let mut findings = Vec::new();
    compare_images(image, &rebuilt, context, &mut findings)?;
    let rest = findings.len().saturating_sub(MAX_LISTED);
    findings.truncate(MAX_LISTED);
    if rest > 0 {
        findings.push(format!("and {rest} more differences"));
    }
    Ok(CheckReport::new("rebuild", findings))
}

/// Builds into a layout of its own, without caches and without writing anything else.
fn rebuild(
    recipe: &Recipe,
    location: &DiskLocation,
    context: &Verification<'_>,
) -> Result<ParsedImage, CliError> {
    let mut recipe = recipe.clone();
    recipe.output.destinations = vec![ImageLocation::OnDisk(location.clone())];
    recipe.output.push = false;
    recipe.output.load_engine = None;
    recipe.output.publish_contract = None;
    recipe.checks.budget = recipe::Budget::default();
    let client = reads_registry(&recipe).then(|| context.client.clone());
    let settings = library_settings(context.args.epoch.as_deref(), None, client)?;
    build_with_progress(&recipe, &settings, true)?;
    Ok(read_disk_image(location).map_err(coracle::Error::from)?)
}

fn compare_images(
    image: &ParsedImage,
    rebuilt: &ParsedImage,
    context: &Verification<'_>,
    findings: &mut Vec<String>,
) -> Result<(), CliError> {
    let platforms = |image: &ParsedImage| {
        let images = image.images.iter().enumerate();
        images.map(|(index, image)| (image.platform.to_string(), index)).collect::<BTreeMap<_, _>>()
    };
    let (theirs, ours) = (platforms(image), platforms(rebuilt));
    for platform in theirs.keys().filter(|platform| !ours.contains_key(*platform)) {
        findings.push(format!("{platform}: not built here"));
    }
    for platform in ours.keys().filter(|platform| !theirs.contains_key(*platform)) {
        findings.push(format!("{platform}: built here, but not in the image"));
    }
    for (platform, index) in &theirs {
        let pair =
            ours.get(platform).and_then(|ours| rebuilt.images.get(*ours)).zip(image.images.get(*index));
        let Some((ours, theirs)) = pair else { continue };
        let prefix = if image.images.len() > 1 { format!("{platform}: ") } else { String::new() };
        let mut found = Vec::new();
        compare_platforms((image, theirs), (rebuilt, ours), context, &mut found)?;
        findings.extend(found.into_iter().map(|finding| format!("{prefix}{finding}")));
    }
    if findings.is_empty() {
        compare_roots(image, rebuilt, findings);
    }
    Ok(())
}

/// Compares the manifests or indexes of images whose platforms are equal.
fn compare_roots(image: &ParsedImage, rebuilt: &ParsedImage, findings: &mut Vec<String>) {
    let root =
        |image: &ParsedImage| image.source.root_manifest().map(|root| root.bytes.clone()).unwrap_or_default();
    compare_json("index", &root(image), &root(rebuilt), &[], findings);
    if findings.is_empty() {
        findings.push("the digests differ, and no difference was found".into());
    }
}

fn compare_platforms(
    (image, theirs): (&ParsedImage, &ParsedPlatform),
    (rebuilt, ours): (&ParsedImage, &ParsedPlatform),
    context: &Verification<'_>,
    findings: &mut Vec<String>,
) -> Result<(), CliError> {
    let bytes = |platform: &ParsedPlatform| {
        platform.manifest.as_ref().map(|manifest| manifest.bytes.clone()).unwrap_or_default()
    };
    if bytes(theirs) == bytes(ours) {
        return Ok(());
    }
    let diff_ids = |platform: &ParsedPlatform| {
        let ids = platform.config.pointer("/rootfs/diff_ids").and_then(Value::as_array).cloned();
        ids.unwrap_or_default()
    };
    if theirs.layers.len() != ours.layers.len() {
        findings.push(format!(
            "it has {} layers, and {} when built here",
            theirs.layers.len(),
            ours.layers.len()
        ));
    }
    if diff_ids(theirs) != diff_ids(ours) {
        let read = |image, platform| {
            let depth = ReadDepth { contents: true, digests: true };
            ImageContents::read(image, platform, depth, &context.engines.temp_dir, context.progress)
                .map_err(coracle::Error::from)
        };
        let (their_contents, our_contents) = (read(image, theirs)?, read(rebuilt, ours)?);
        let layers = their_contents.unpacked.layers.iter().zip(&our_contents.unpacked.layers);
        for (index, (their_layer, our_layer)) in layers.enumerate() {
            if let Some(problem) = &their_layer.problem {
                findings.push(format!("layer {}: {}", index + 1, problem.why));
            } else if diff_ids(theirs).get(index) != diff_ids(ours).get(index) {
                compare_members(index + 1, &their_layer.members, &our_layer.members, findings);
            }
        }
        if context.progress.is_cancelled() {
            return Err(CliError::interrupted("nothing was written"));
        }
    }
    compare_compression(theirs, ours, &diff_ids(theirs), &diff_ids(ours), findings);
    compare_configs(theirs, ours, findings);
    compare_json("manifest", &bytes(theirs), &bytes(ours), &DERIVED, findings);
    if findings.is_empty() {
        findings.push("manifest: the same values, written differently".into());
    }
    Ok(())
}

/// Lists layers with the same tar and another blob.
fn compare_compression(
    theirs: &ParsedPlatform,
    ours: &ParsedPlatform,
    their_ids: &[Value],
    our_ids: &[Value],
    findings: &mut Vec<String>,
) {
    for (index, (their_layer, our_layer)) in theirs.layers.iter().zip(&ours.layers).enumerate() {
        let (Some(their_blob), Some(our_blob)) = (&their_layer.descriptor, &our_layer.descriptor) else {
            continue;
        };
        if their_blob.digest != our_blob.digest && their_ids.get(index) == our_ids.get(index) {
            findings.push(format!(
                "layer {}: the same files, compressed differently: {} bytes, and {} when built here",
                index + 1,
                their_blob.size,
                our_blob.size
            ));
        }
    }
}

/// Compares the configs, without the diff IDs of layers, whose files are compared.
fn compare_configs(theirs: &ParsedPlatform, ours: &ParsedPlatform, findings: &mut Vec<String>) {
    let before = findings.len();
    let without_ids = |config: &Value| {
        let mut config = config.clone();
        if let Some(rootfs) = config.get_mut("rootfs").and_then(Value::as_object_mut) {
            rootfs.remove("diff_ids");
        }
        config
    };
    compare_values("config", "", &without_ids(&theirs.config), &without_ids(&ours.config), &[], findings);
    let digest = |platform: &ParsedPlatform| {
        let manifest = platform.manifest.as_ref().and_then(|manifest| json::parse(&manifest.bytes).ok());
        manifest.and_then(|manifest| manifest.pointer("/config/digest").cloned())
    };
    let same_values = theirs.config == ours.config;
    if findings.len() == before && same_values && digest(theirs) != digest(ours) {
        findings.push("config: the same values, written differently".into());
    }
}

/// Compares two JSON documents by their values.
fn compare_json(name: &str, theirs: &[u8], ours: &[u8], ignored: &[&str], findings: &mut Vec<String>) {
    match (json::parse(theirs), json::parse(ours)) {
        (Ok(theirs), Ok(ours)) => compare_values(name, "", &theirs, &ours, ignored, findings),
        _ => findings.push(format!("{name}: it is not JSON")),
    }
}

fn compare_values(
    name: &str,
    pointer: &str,
    theirs: &Value,
    ours: &Value,
    ignored: &[&str],
    findings: &mut Vec<String>,
) {
    match (theirs, ours) {
        _ if theirs == ours => {}
        (Value::Object(theirs), Value::Object(ours)) => {
            let mut keys: Vec<&String> = theirs.keys().chain(ours.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys.into_iter().filter(|key| !ignored.contains(&key.as_str())) {
                let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                let value =
                    |members: &serde_json::Map<String, Value>| members.get(key).cloned().unwrap_or_default();
                compare_values(name, &pointer, &value(theirs), &value(ours), ignored, findings);
            }
        }
        (Value::Array(theirs), Value::Array(ours)) if theirs.len() == ours.len() => {
            for (index, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
                compare_values(name, &format!("{pointer}/{index}"), theirs, ours, ignored, findings);
            }
        }
        _ => findings.push(format!("{name}: `{pointer}` is {theirs}, and {ours} when built here")),
    }
}

/// Compares the members of two tars.
fn compare_members(layer: usize, theirs: &[LayerMember], ours: &[LayerMember], findings: &mut Vec<String>) {
    let by_path = |members: &[LayerMember]| {
        members.iter().map(|member| (member.path.clone(), member.clone())).collect::<BTreeMap<_, _>>()
    };
    let before = findings.len();
    let (their_paths, our_paths) = (by_path(theirs), by_path(ours));
    for path in our_paths.keys().filter(|path| !their_paths.contains_key(*path)) {
        findings.push(format!("`{path}` is missing from layer {layer}"));
    }
    for (path, their_member) in &their_paths {
        match our_paths.get(path) {
            None => findings.push(format!("`{path}` in layer {layer} is not packed when built here")),
            Some(our_member) => {
                for what in member_differences(their_member, our_member) {
                    findings.push(format!("`{path}` {what}"));
                }
            }
        }
    }
    if findings.len() > before {
        return;
    }
    let order =
        |members: &[LayerMember]| members.iter().map(|member| member.path.clone()).collect::<Vec<_>>();
    let (their_order, our_order) = (order(theirs), order(ours));
    let moved = their_order.iter().zip(&our_order).find(|(theirs, ours)| theirs != ours);
    findings.push(match moved {
        Some((path, _)) => format!("layer {layer}: its entries are in another order, from `{path}` on"),
        None if their_order.len() != our_order.len() => format!("layer {layer}: an entry is there twice"),
        None => format!("layer {layer}: the same files, but other bytes of the tar between them"),
    });
}

/// Returns what is different between two entries of a path.
fn member_differences(theirs: &LayerMember, ours: &LayerMember) -> Vec<String> {
    let (their, our) = (&theirs.header, &ours.header);
    let mut found = Vec::new();
    if their.kind != our.kind {
        found.push(format!("is a {:?}, and a {:?} when built here", their.kind, our.kind).to_lowercase());
    }
    if their.size != our.size {
        found.push(format!("has {} bytes, and {} when built here", their.size, our.size));
    } else if let (Some(theirs), Some(ours)) = (theirs.digest, ours.digest)
        && theirs != ours
    {
        found.push(format!("has the digest {theirs}, and {ours} when built here"));
    }
    if their.mode != our.mode {
        found.push(format!("has the mode {:04o}, and {:04o} when built here", their.mode, our.mode));
    }
    if their.owner != our.owner || their.owner_names != our.owner_names {
        let ((uid, gid), (our_uid, our_gid)) = (their.owner, our.owner);
        found.push(format!("has the owner {uid}:{gid}, and {our_uid}:{our_gid} when built here"));
    }
    if their.modified != our.modified {
        found.push(format!("has the time {}, and {} when built here", their.modified, our.modified));
    }
    if their.link != our.link {
        let text = |link: &[u8]| String::from_utf8_lossy(link).into_owned();
        found.push(format!("links to `{}`, and to `{}` when built here", text(&their.link), text(&our.link)));
    }
    if their.other_records != our.other_records {
        found.push("has other extended attributes".into());
    }
    found
}
