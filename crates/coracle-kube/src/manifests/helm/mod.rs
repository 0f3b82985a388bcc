//! A Helm chart: the objects, with values for what differs between clusters. Configuration is not a
//! value: the chart contains the rendered files, which ConfigMaps include with `.Files.Get`, never
//! `tpl`.

mod knobs;
mod text;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::map::Map;
use super::object::Names;
use super::{Application, Error, Files, Problem, hash, name, workload, yaml};
use crate::config::Reload;
use coracle_core::note::Note;
use text::{FULL_NAME, Template, block, mark};

/// The byte order mark, which Helm strips from every file that it loads.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Returns every file of the chart.
///
/// # Errors
/// Fails like [`super::manifests`].
pub fn files(application: &Application<'_>) -> Result<(Files, Vec<Note>), Error> {
    // A chart never contains secrets.
    let application = Application { contains_secrets: false, ..*application };
    let plain = super::manifests(&application)?;
    if let Some(problem) = plain.objects.iter().find_map(marked_already) {
        return Err(Error(vec![problem]));
    }
    let names = Names { app: mark(FULL_NAME), are_hashed: true };
    let made = super::manifests_named(&application, &names)?;
    let chart = Chart { application: &application, restarts: restarts(&application) };
    let mut files = Files::new();
    for (map, plain) in made.maps.iter().zip(&plain.maps) {
        chart.put_map(map, &plain.metadata, &mut files);
    }
    let mut values = knobs::Values::new(&application);
    for mut object in made.objects {
        let file = workload::file_name(&object, &application);
        knobs::turn(&mut object, &chart, &mut values);
        files.insert(format!("templates/{file}"), Template::of(&object).written(&chart).into_bytes());
    }
    files.insert(
        "templates/_helpers.tpl".into(),
        text::helpers(application.name, has_version(&application)).into_bytes(),
    );
    // The marker file of the output directory is not part of the chart.
    files.insert(".helmignore".into(), b".coracle\n".to_vec());
    files.insert("Chart.yaml".into(), document(&chart_yaml(&application)));
    files.insert("values.yaml".into(), document(&values.document()));
    files.insert("values.schema.json".into(), pretty(&values.schema()));
    let notes = made.notes.iter().map(|note| in_release(note, application.name)).collect();
    Ok((files, notes))
}

/// Replaces the name placeholder in a note by `RELEASE-CHART`.
fn in_release(note: &Note, chart: &str) -> Note {
    let named = |text: &String| text.replace(&mark(FULL_NAME), &format!("RELEASE-{chart}"));
    match note {
        Note::Hint(text) => Note::Hint(named(text)),
        Note::Warning(text) => Note::Warning(named(text)),
    }
}

/// The context of a chart's templates.
pub(super) struct Chart<'a> {
    pub(super) application: &'a Application<'a>,
    /// Directories of files whose change restarts the pods.
    pub(super) restarts: Vec<String>,
}

impl Chart<'_> {
    /// Writes a ConfigMap's template and the files that it includes.
    fn put_map(&self, map: &Map, metadata: &Value, files: &mut Files) {
        let folder = name::label(&map.mount);
        let mut object = Map { files: Vec::new(), ..map.clone() }.object();
        let mut template = Template::of(&Value::Null);
        for (key, bytes) in &map.files {
            let path = format!("files/{folder}/{key}");
            let (path, content, is_encoded) = match bytes.starts_with(BYTE_ORDER_MARK) {
                true => (format!("{path}.b64"), STANDARD.encode(bytes).into_bytes(), true),
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
            template.replace(&word, format!("{{{{ .Files.Get \"{path}\" {filters} }}}}"));
            if let Some(members) = object.as_object_mut() {
                let data = members.entry(member).or_insert_with(|| json!({}));
                if let Some(data) = data.as_object_mut() {
                    data.insert(key.clone(), json!(mark(&word)));
                }
            }
            files.insert(path, content);
        }
        // Take name and metadata from the real content: here it is replaced by placeholders.
        if let Some(made) = object.pointer_mut("/metadata") {
            *made = metadata.clone();
            knobs::label(made, self.application);
            if let Some(made) = made.as_object_mut() {
                made.insert("name".into(), json!(map.name()));
                if map.is_immutable {
                    let annotations = made.entry("annotations").or_insert_with(|| json!({}));
                    if let Some(annotations) = annotations.as_object_mut() {
                        // Old pods and rollbacks still need the previous ConfigMap.
                        annotations.insert("helm.sh/resource-policy".into(), json!("keep"));
                    }
                }
            }
        }
        template.object = object;
        files.insert(format!("templates/configmap-{folder}.yaml"), template.written(self).into_bytes());
    }
}

fn restarts(application: &Application<'_>) -> Vec<String> {
    let public = application.mounts.iter().filter(|mount| {
        mount.reload == Reload::Restart
            && (mount.files.is_empty() || mount.files.iter().any(|file| !file.is_secret))
    });
    public.map(|mount| name::label(&mount.path)).collect()
}

fn has_version(application: &Application<'_>) -> bool {
    super::object::labels(application).get("app.kubernetes.io/version").is_some()
}

/// Returns a problem if an object contains the control character that marks placeholders.
fn marked_already(object: &Value) -> Option<Problem> {
    let text = hash::go_json(object);
    (text.contains("\\u0001") || text.contains("\\\\x01")).then(|| {
        Problem::new(
            "a chart cannot contain the control character `\\x01`, which is in a patch or an argument",
            "remove it, or use another layout",
        )
    })
}

fn chart_yaml(application: &Application<'_>) -> Value {
    let tag = application.image.tag.as_deref().unwrap_or_default();
    json!({
        "apiVersion": "v2",
        "name": application.name,
        "description": format!("{} on Kubernetes", application.name),
        "type": "application",
        "version": version(tag),
        "appVersion": if tag.is_empty() { "latest" } else { tag },
    })
}

/// Converts the tag to a version of three numbers, which Helm requires.
fn version(tag: &str) -> String {
    let numbers: Vec<&str> = tag.strip_prefix('v').unwrap_or(tag).split('.').collect();
    let is_number = |text: &&str| text.parse::<u32>().is_ok_and(|number| number.to_string() == **text);
    match numbers.as_slice() {
        some if some.len() <= 3 && some.iter().all(is_number) => {
            let zeros = ["0", "0"].into_iter().take(3 - some.len());
            some.iter().copied().chain(zeros).collect::<Vec<_>>().join(".")
        }
        _ => "0.1.0".into(),
    }
}

fn document(value: &Value) -> Vec<u8> {
    yaml::text(value).into_bytes()
}

fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// Adds a member that is replaced by lines of the template language.
pub(super) fn put_block(members: &mut Value, word: &str) {
    if let Some(members) = members.as_object_mut() {
        members.insert(block(word), Value::Null);
    }
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
            assert_eq!(version(tag), expected);
        }
    }
}
