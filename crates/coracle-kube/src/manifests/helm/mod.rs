//! A Helm chart: the objects, with values for what differs between clusters. Configuration is not a
//! value: the chart contains the rendered files, which ConfigMaps include with `.Files.Get`, never
//! `tpl`.
mod chart_template;
mod chart_values;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chart_template::{ChartContext, ChartTemplate, FULL_NAME_PLACEHOLDER, placeholder};
use serde_json::{Value, json};

use super::application::{Application, ObjectNaming, OutputFiles};
use super::config_object::ConfigObject;
use super::{
    generate_manifests, generate_with_names, name_rules, object_data, workload_objects, yaml_writer,
};
use crate::located_problem::{LocatedProblem, ManifestsError};
use coracle_core::digest::Digest;
use coracle_core::note::Note;

/// The byte order mark, which Helm strips from every file that it loads.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The folder of files in base64. No key of a ConfigMap has this name.
const ENCODED_FOLDER: &str = "+base64";

/// The size of a chart's files from which Helm may fail to store a release: it keeps the files and the
/// manifest, compressed and in base64, in a Secret of 1 MiB.
const MAX_CHART_FILES: usize = 380_000;

/// Returns every file of the chart.
///
/// # Errors
/// Fails like [`super::generate_manifests`].
pub fn chart_files(application: &Application<'_>) -> Result<(OutputFiles, Vec<Note>), ManifestsError> {
    // A chart never contains secrets.
    let application = Application { has_secrets: false, ..*application };
    let plain = generate_manifests(&application)?;
    if let Some(problem) = plain.objects.iter().find_map(placeholder_conflict) {
        return Err(ManifestsError(vec![problem]));
    }
    let naming = ObjectNaming { name_prefix: placeholder(FULL_NAME_PLACEHOLDER), has_hash_suffixes: true };
    let templated = generate_with_names(&application, &naming)?;
    let chart = ChartContext::new(&application);
    let mut files = OutputFiles::new();
    for (config_object, plain) in templated.config_objects.iter().zip(&plain.config_objects) {
        write_config_map_template(&chart, config_object, &plain.metadata, &mut files);
    }
    let mut values = chart_values::ChartValues::new(&application);
    for mut object in templated.objects {
        let file = workload_objects::object_file_name(&object, &naming.name_prefix);
        chart_values::parameterize_object(&mut object, &chart, &mut values);
        files.insert(format!("templates/{file}"), ChartTemplate::new(&object).render(&chart).into_bytes());
    }
    files.insert("templates/_helpers.tpl".into(), chart_template::helper_templates(&chart).into_bytes());
    // The marker file of the output directory is not part of the chart.
    files.insert(".helmignore".into(), b".coracle\n".to_vec());
    files.insert("values.yaml".into(), values.to_yaml().into_bytes());
    files.insert("values.schema.json".into(), to_json_bytes(&values.to_schema()));
    let chart_yaml = chart_yaml(&application, &content_hash(&files));
    files.insert("Chart.yaml".into(), yaml_writer::to_yaml_bytes(&chart_yaml));
    let notes = templated.notes.iter().map(|note| with_release_name(note, application.name));
    let notes = notes.chain(release_size_warning(&plain.config_objects)).collect();
    Ok((files, notes))
}

/// Returns a warning if Helm may not be able to store a release of the chart.
fn release_size_warning(config_objects: &[ConfigObject]) -> Option<Note> {
    let files = config_objects.iter().flat_map(|config_object| &config_object.files);
    let size: usize = files.map(|(_, bytes)| bytes.len()).sum();
    (size > MAX_CHART_FILES).then(|| {
        Note::Warning(format!(
            "the chart's files have {size} bytes: Helm stores a release in one Secret of 1 MiB, compressed, and fails if \
             files of more than about {MAX_CHART_FILES} bytes do not compress well"
        ))
    })
}

/// Replaces the name placeholder in a note by `RELEASE-CHART`.
fn with_release_name(note: &Note, chart: &str) -> Note {
    let named =
        |text: &String| text.replace(&placeholder(FULL_NAME_PLACEHOLDER), &format!("RELEASE-{chart}"));
    match note {
        Note::Hint(text) => Note::Hint(named(text)),
        Note::Dependency(note) => Note::Dependency(note.clone()),
        Note::Warning(text) => Note::Warning(named(text)),
    }
}

/// Writes a ConfigMap's template and the files that it includes.
fn write_config_map_template(
    chart: &ChartContext<'_>,
    config_object: &ConfigObject,
    metadata: &Value,
    files: &mut OutputFiles,
) {
    let folder = name_rules::path_label(&config_object.mount);
    let mut object = ConfigObject { files: Vec::new(), ..config_object.clone() }.to_object();
    let mut template = ChartTemplate::new(&Value::Null);
    for (key, bytes) in &config_object.files {
        let path = format!("files/{folder}/{key}");
        let (path, content, is_encoded) = match bytes.starts_with(BYTE_ORDER_MARK) {
            true => {
                (format!("files/{folder}/{ENCODED_FOLDER}/{key}"), STANDARD.encode(bytes).into_bytes(), true)
            }
            false => (path, bytes.clone(), false),
        };
        let member = if std::str::from_utf8(bytes).is_ok() { "data" } else { "binaryData" };
        let filters = match (member, is_encoded) {
            ("data", false) => "| quote",
            ("data", true) => "| b64dec | quote",
            (_, false) => "| b64enc",
            (_, true) => "",
        };
        let word = format!("file {path}");
        template.replace(
            &word,
            format!(
                "{{{{ include \"{}.requireFile\" (list . \"{path}\") }}}}{{{{ .Files.Get \"{path}\" {filters} }}}}",
                chart.application.name
            ),
        );
        if let Some(members) = object.as_object_mut() {
            let data = members.entry(member).or_insert_with(|| json!({}));
            if let Some(data) = data.as_object_mut() {
                data.insert(key.clone(), json!(placeholder(&word)));
            }
        }
        files.insert(path, content);
    }
    // Take name and metadata from the real content: here it is replaced by placeholders.
    if let Some(templated) = object.pointer_mut("/metadata") {
        *templated = metadata.clone();
        chart_values::replace_labels(templated, chart.application);
        if let Some(members) = templated.as_object_mut() {
            members.insert("name".into(), json!(config_object.name()));
            if config_object.is_immutable {
                let annotations = members.entry("annotations").or_insert_with(|| json!({}));
                if let Some(annotations) = annotations.as_object_mut() {
                    // Old pods and rollbacks still need the previous ConfigMap.
                    annotations.insert("helm.sh/resource-policy".into(), json!("keep"));
                }
            }
        }
    }
    template.object = object;
    files.insert(format!("templates/configmap-{folder}.yaml"), template.render(chart).into_bytes());
}

/// Returns a problem if an object contains the control character that marks placeholders.
fn placeholder_conflict(object: &Value) -> Option<LocatedProblem> {
    let text = object_data::to_go_json(object);
    (text.contains("\\u0001") || text.contains("\\\\x01")).then(|| {
        LocatedProblem::new(
            "a chart cannot contain the control character `\\x01`, which is in a patch or an argument",
            "remove it, or use another layout",
        )
    })
}

/// Returns a part of the digest of all files, for the chart's version.
fn content_hash(files: &OutputFiles) -> String {
    let digests = files.iter().map(|(path, bytes)| format!("{path} {}\n", Digest::compute(bytes)));
    Digest::compute(digests.collect::<String>().as_bytes()).hex().chars().take(12).collect()
}

fn chart_yaml(application: &Application<'_>, content_hash: &str) -> Value {
    let tag = application.image.tag.as_deref().unwrap_or_default();
    json!({
        "apiVersion": "v2",
        "name": application.name,
        "description": format!("{} on Kubernetes", application.name),
        "type": "application",
        // Charts with other content have another version, also for the same image.
        "version": format!("{}+{content_hash}", chart_version(tag)),
        "appVersion": if tag.is_empty() { "latest" } else { tag },
    })
}

/// Converts the tag to a version of three numbers, which Helm requires.
fn chart_version(tag: &str) -> String {
    let numbers: Vec<&str> = tag.strip_prefix('v').unwrap_or(tag).split('.').collect();
    let is_number = |text: &&str| text.parse::<u32>().is_ok_and(|number| number.to_string() == **text);
    match numbers.as_slice() {
        numbers if numbers.len() <= 3 && numbers.iter().all(is_number) => {
            let zeros = ["0", "0"].into_iter().take(3 - numbers.len());
            numbers.iter().copied().chain(zeros).collect::<Vec<_>>().join(".")
        }
        _ => "0.1.0".into(),
    }
}

fn to_json_bytes(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_tags_to_chart_versions() {
        for (tag, expected) in [
            ("1.2.3", "1.2.3"),
            ("v1.2", "1.2.0"),
            ("7", "7.0.0"),
            ("", "0.1.0"),
            ("latest", "0.1.0"),
            ("1.02", "0.1.0"),
        ] {
            assert_eq!(chart_version(tag), expected);
        }
    }
}
