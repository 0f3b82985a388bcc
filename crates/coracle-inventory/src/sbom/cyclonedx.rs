//! CycloneDX 1.6 documents. Source: CycloneDX specification 1.6, JSON schema.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Component, Sbom, SbomFile, SbomPart, timestamp};

/// Returns the document.
pub(super) fn document(sbom: &Sbom) -> Value {
    let image = &sbom.image;
    let image_url = sbom.image_url();
    let mut components: Vec<Value> = sbom
        .distribution
        .iter()
        .map(|distribution| {
            let mut component = json!({
                "type": "operating-system",
                "bom-ref": format!("os:{}", distribution.id),
                "name": distribution.id,
            });
            if let Some(version) = &distribution.version_id {
                insert(&mut component, "version", version.as_str().into());
            }
            component
        })
        .collect();
    let relations = sbom.merged_relations();
    // Scanners take a component for part of the image unless it is optional for all.
    let required: BTreeSet<usize> =
        relations.iter().filter(|(_, (is_optional, _))| !is_optional).map(|((_, to), _)| *to).collect();
    let wanted: BTreeSet<usize> = relations.keys().map(|(_, to)| *to).collect();
    for (index, component) in sbom.components.iter().enumerate() {
        let is_optional = wanted.contains(&index) && !required.contains(&index);
        let reasons =
            relations.iter().filter(|((_, to), _)| *to == index).flat_map(|(_, (_, reasons))| reasons);
        components.push(library(sbom, index, component, is_optional, reasons.copied().collect()));
    }
    components.extend(sbom.files.iter().map(file));
    let mut document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": timestamp(image.created),
            "tools": {"components": [
                {"type": "application", "name": "coracle", "version": env!("CARGO_PKG_VERSION")},
            ]},
            "component": {
                "type": "container",
                "bom-ref": image_url,
                "name": image.name,
                "version": sbom.image_version(),
                "purl": image_url,
                "hashes": [{"alg": "SHA-256", "content": image.digest.rsplit(':').next()}],
            },
        },
        "components": components,
        "dependencies": dependencies(sbom, &image_url),
    });
    let organization = image.authors.as_deref().or(image.vendor.as_deref()).map(organization);
    if let (Some(organization), Some(metadata)) = (organization, document.get_mut("metadata")) {
        insert(metadata, "manufacturer", organization.clone());
        insert(metadata, "supplier", organization);
    }
    document
}

fn library(sbom: &Sbom, index: usize, component: &Component, is_optional: bool, reasons: Vec<&str>) -> Value {
    let mut library = json!({
        "type": "library",
        "bom-ref": component_ref(sbom, index),
        "name": component.name,
        "version": component.version,
        "purl": component.package_url,
        "scope": if is_optional { "optional" } else { "required" },
    });
    if let Some(from) = component.supplier.clone().or_else(|| sbom.image_supplier()) {
        insert(&mut library, "supplier", organization(&from));
    }
    if let Some(licence) = &component.licence {
        insert(&mut library, "licenses", json!([{"license": {"name": licence}}]));
    }
    let source = component.source.iter().map(|source| property("source", source));
    let reasons = reasons.iter().map(|reason| property("reason", reason));
    let properties: Vec<Value> = source.chain(reasons).collect();
    if !properties.is_empty() {
        insert(&mut library, "properties", properties.into());
    }
    if !component.files.is_empty() {
        insert(&mut library, "components", component.files.iter().map(file).collect());
    }
    library
}

fn file(file: &SbomFile) -> Value {
    json!({
        "type": "file",
        "bom-ref": format!("file:{}", file.path),
        "name": file.path,
        "hashes": [{"alg": "SHA-1", "content": file.sha1}, {"alg": "SHA-256", "content": file.sha256}],
    })
}

/// Returns what each part needs; a part that needs nothing has an empty list.
fn dependencies(sbom: &Sbom, image_url: &str) -> Vec<Value> {
    let part_ref = |part: SbomPart| match part {
        SbomPart::Image => image_url.to_owned(),
        SbomPart::Component(index) => component_ref(sbom, index),
    };
    let mut needs: BTreeMap<SbomPart, Vec<String>> = BTreeMap::new();
    needs.insert(SbomPart::Image, Vec::new());
    (0..sbom.components.len()).for_each(|index| drop(needs.insert(SbomPart::Component(index), Vec::new())));
    for (from, to) in sbom.merged_relations().into_keys() {
        needs.entry(from).or_default().push(component_ref(sbom, to));
    }
    needs.into_iter().map(|(part, needs)| json!({"ref": part_ref(part), "dependsOn": needs})).collect()
}

/// Returns the unique name of a component: its URL, which two packages of a damaged database could share.
fn component_ref(sbom: &Sbom, index: usize) -> String {
    let url = |component: &Component| component.package_url.clone();
    let own = sbom.components.get(index).map(url).unwrap_or_default();
    let is_first = sbom.components.iter().position(|component| component.package_url == own) == Some(index);
    if is_first { own } else { format!("{own}#{index}") }
}

/// Returns an organization, with a contact if `name` is `NAME <EMAIL>`.
fn organization(name: &str) -> Value {
    match name.split_once('<').and_then(|(name, rest)| Some((name.trim(), rest.split_once('>')?.0))) {
        Some((name, address)) if address.contains('@') => {
            json!({"name": name, "contact": [{"email": address}]})
        }
        _ => json!({"name": name}),
    }
}

fn property(name: &str, value: &str) -> Value {
    json!({"name": format!("coracle:{name}"), "value": value})
}

fn insert(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(key.to_owned(), value);
    }
}
