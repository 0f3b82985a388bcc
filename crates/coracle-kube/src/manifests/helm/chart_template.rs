//! Converts objects to Helm templates: writes YAML with placeholders, and replaces them by template
//! expressions.
//!
//! A placeholder has a control character, which YAML escapes, so it cannot occur in other text.

use serde_json::Value;

use crate::config::ReloadMethod;
use crate::manifests::application::Application;
use crate::manifests::{application, name_rules, yaml_writer};

/// The input of all templates of a chart.
pub(super) struct ChartContext<'a> {
    pub(super) application: &'a Application<'a>,
    /// Directories of files whose change restarts the pods.
    pub(super) restart_directories: Vec<String>,
}

impl<'a> ChartContext<'a> {
    pub(super) fn new(application: &'a Application<'a>) -> Self {
        Self { application, restart_directories: restart_directories(application) }
    }

    /// Returns whether objects have a version label.
    pub(super) fn has_version_label(&self) -> bool {
        application::object_labels(self.application).get("app.kubernetes.io/version").is_some()
    }
}

/// Returns the directories of public files whose change restarts the pods.
fn restart_directories(application: &Application<'_>) -> Vec<String> {
    let public = application.rendered_mounts.iter().filter(|mount| {
        mount.reload == ReloadMethod::Restart
            && (mount.files.is_empty() || mount.files.iter().any(|file| !file.is_secret))
    });
    public.map(|mount| name_rules::path_label(&mount.path)).collect()
}

/// The placeholder for the prefix of object names.
pub(super) const FULL_NAME_PLACEHOLDER: &str = "fullname";

/// Returns a placeholder inside a string.
pub(super) fn placeholder(word: &str) -> String {
    format!("\u{1}{word}\u{1}")
}

/// Returns the key of a member that is replaced by lines of the template language.
pub(super) fn block_placeholder(word: &str) -> String {
    format!("\u{1}{word}")
}

/// Adds a member that is replaced by lines of the template language.
pub(super) fn insert_block_placeholder(members: &mut Value, word: &str) {
    if let Some(members) = members.as_object_mut() {
        members.insert(block_placeholder(word), Value::Null);
    }
}

/// An object to convert to a template.
pub(super) struct ChartTemplate {
    pub(super) object: Value,
    expressions: Vec<(String, String)>,
}

impl ChartTemplate {
    pub(super) fn new(object: &Value) -> Self {
        Self { object: object.clone(), expressions: Vec::new() }
    }

    /// Replaces the string that consists of the placeholder `word` by `expression`.
    pub(super) fn replace(&mut self, word: &str, expression: String) {
        self.expressions.push((quoted_placeholder(word), expression));
    }

    pub(super) fn render(&self, chart: &ChartContext<'_>) -> String {
        let name = chart.application.name;
        // Braces in the objects are text, not expressions.
        let text = yaml_writer::to_yaml(&self.object).replace("{{", "{{ \"{{\" }}");
        let mut lines: String = text.lines().map(|line| expand_line(line, chart) + "\n").collect();
        for (placeholder, expression) in &self.expressions {
            lines = lines.replace(placeholder, expression);
        }
        for (word, expression) in [
            ("image", format!("{{{{ include \"{name}.image\" . | quote }}}}")),
            ("pullPolicy", "{{ .Values.image.pullPolicy | default \"IfNotPresent\" }}".to_owned()),
            ("schedule", "{{ required \"schedule is not set\" .Values.schedule | quote }}".to_owned()),
        ] {
            lines = lines.replace(&quoted_placeholder(word), &expression);
        }
        lines.replace("\\x01fullname\\x01", &format!("{{{{ include \"{name}.fullname\" . }}}}"))
    }
}

/// Returns a placeholder that is a whole string, as it is written in YAML.
fn quoted_placeholder(word: &str) -> String {
    format!("\"\\x01{word}\\x01\"")
}

/// Returns a line, with a block placeholder replaced.
fn expand_line(line: &str, chart: &ChartContext<'_>) -> String {
    let plain = line.trim_start_matches(' ');
    let indent = line.len() - plain.len();
    let word = plain.strip_prefix("\"\\x01").and_then(|rest| rest.strip_suffix("\": null"));
    word.map_or_else(|| line.to_owned(), |word| expand_block(word, indent, chart))
}

fn expand_block(word: &str, indent: usize, chart: &ChartContext<'_>) -> String {
    let name = chart.application.name;
    let space = " ".repeat(indent);
    let deeper = indent + 2;
    let include = |part: &str| format!("{space}{{{{- include \"{name}.{part}\" . | nindent {indent} }}}}");
    let with = |value: &str, key: &str| {
        format!(
            "{space}{{{{- with {value} }}}}\n{space}{key}:\n{space}  {{{{- toYaml . | nindent {deeper} }}}}\n\
             {space}{{{{- end }}}}"
        )
    };
    match word {
        "labels" => include("labels"),
        "selector" => include("selectorLabels"),
        "podLabels" => include("podLabels"),
        "podAnnotations" if chart.restart_directories.is_empty() => {
            with(".Values.podAnnotations", "annotations")
        }
        "podAnnotations" => {
            let sums: String =
                chart.restart_directories.iter().map(|folder| checksum_annotation(folder, &space)).collect();
            format!(
                "{space}annotations:\n{sums}{space}  {{{{- with .Values.podAnnotations }}}}\n\
                 {space}  {{{{- toYaml . | nindent {deeper} }}}}\n{space}  {{{{- end }}}}"
            )
        }
        "replicas" => format!(
            "{space}{{{{- if not (kindIs \"invalid\" .Values.replicas) }}}}\n\
             {space}replicas: {{{{ .Values.replicas }}}}\n{space}{{{{- end }}}}"
        ),
        "serviceType" => {
            format!("{space}type: {{{{ (.Values.service | default dict).type | default \"ClusterIP\" }}}}")
        }
        "serviceAnnotations" => with("(.Values.service | default dict).annotations", "annotations"),
        key => with(&format!(".Values.{key}"), key),
    }
}

/// Returns the annotation that restarts pods when a file below `folder` changes.
fn checksum_annotation(folder: &str, space: &str) -> String {
    format!(
        "{space}  checksum/{folder}: {{{{ (.Files.Glob \"files/{folder}/**\").AsSecrets | sha256sum }}}}\n"
    )
}

/// Returns the helper templates. Their names are global in a release, so the chart's name is the
/// prefix.
pub(super) fn helper_templates(chart: &ChartContext<'_>) -> String {
    let (name, image) = (chart.application.name, chart.application.image);
    let version = if chart.has_version_label() {
        " \"app.kubernetes.io/version\" (toString .Chart.AppVersion)"
    } else {
        ""
    };
    HELPER_TEMPLATES
        .replace("CHART", name)
        .replace("VERSION", version)
        .replace("IMAGETAG", image.tag.as_deref().unwrap_or_default())
        .replace("IMAGEDIGEST", &image.digest.to_string())
}

const HELPER_TEMPLATES: &str = r#"{{- define "CHART.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "CHART.image" -}}
{{- $digest := .Values.image.digest | default "" -}}
{{- if and (ne (.Values.image.tag | default "" | toString) "IMAGETAG") (eq $digest "IMAGEDIGEST") }}{{ $digest = "" }}{{ end -}}
{{ .Values.image.repository }}{{ with .Values.image.tag }}:{{ . }}{{ end }}{{ with $digest }}@{{ . }}{{ end }}
{{- end }}

{{- define "CHART.requireFile" -}}
{{- $path := last . -}}
{{- if not ((first .).Files.Glob $path) }}{{ fail (printf "the chart has no file %s: write the chart again, and keep every file of it" $path) }}{{ end -}}
{{- end }}

{{- define "CHART.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "CHART.commonLabels" -}}
{{- $labels := dict "app.kubernetes.io/managed-by" .Release.ServiceVERSION -}}
{{ mergeOverwrite $labels (.Values.labels | default dict) (include "CHART.selectorLabels" . | fromYaml) | toYaml }}
{{- end }}

{{- define "CHART.podLabels" -}}
{{ merge (include "CHART.selectorLabels" . | fromYaml) (.Values.podLabels | default dict) (include "CHART.commonLabels" . | fromYaml) | toYaml }}
{{- end }}

{{- define "CHART.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "CHART.commonLabels" . }}
{{- end }}
"#;
