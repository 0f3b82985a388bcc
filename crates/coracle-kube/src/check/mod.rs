//! Checks Kubernetes manifests from any source against an image's contract.
//!
//! Reports all mismatches at once, each with its position in the YAML. What cannot be checked, such
//! as the content of a Secret outside of the manifests, is a note. Needs no cluster.
//! [`pin_images::pin_images`] replaces image names by digests.

mod choose_containers;
mod container_check;
mod container_mount;
mod expectations;
mod file_checks;
mod finding;
mod manifest_object;
mod match_image_names;
mod parsed_config_object;
mod parsed_volume;
pub mod pin_images;
mod pod_checks;
#[cfg(test)]
mod tests;
mod variable_checks;
mod yaml_1_1_number;

pub use expectations::{Expectations, FilesHiddenByMount};
pub use finding::{CheckFinding, CheckReport, CheckRule};
pub use manifest_object::ManifestFile;
pub use match_image_names::IMAGE_SCHEME;

use choose_containers::Container;
use container_check::ContainerCheck;
use expectations::ExpectedFiles;
use parsed_config_object::ParsedConfigObject;

/// Checks manifests against what an image expects.
pub fn check_manifests(inputs: &[ManifestFile], expected: &Expectations<'_>) -> CheckReport {
    let mut report = CheckReport::default();
    let parsed = manifest_object::parse_files(inputs, &mut report);
    let objects = manifest_object::find_objects(&parsed);
    let config_objects: Vec<ParsedConfigObject<'_>> =
        objects.iter().filter_map(|object| ParsedConfigObject::parse(object, &mut report)).collect();
    let containers: Vec<Container<'_>> = objects.iter().flat_map(choose_containers::containers_of).collect();
    let chosen = choose_containers::choose_containers(&containers, expected, inputs, &mut report);
    let expected_files = expected
        .contract_document
        .map(|(document, values)| ExpectedFiles::new(document, values.clone(), &mut report));
    for container in &chosen {
        report.containers.push(container.title());
        let mounts = container_mount::container_mounts(container, &mut report);
        let check = ContainerCheck {
            container,
            mounts: &mounts,
            config_objects: &config_objects,
            expected,
            expected_files: expected_files.as_ref(),
        };
        check.check_files(&mut report);
        check.check_mounts(&mut report);
        check.check_variables(&mut report);
        check.check_user(&mut report);
        check.check_writable(&mut report);
        check.check_ports(&mut report);
        check.check_signals(&mut report);
    }
    report.into_sorted()
}
