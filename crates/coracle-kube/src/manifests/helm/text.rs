//! From objects to templates: the object is written as YAML with marks in it, and Helm's language takes their places.
//!
//! A mark has a control character, which is written as an escape, so that it can't be mistaken for anybody's text.

use serde_json::Value;

use super::Chart;
use crate::manifests::yaml;

/// What stands in front of the names of objects.
pub(super) const FULL_NAME: &str = "fullname";

/// A mark inside of a string.
pub(super) fn mark(word: &str) -> String {
    format!("\u{1}{word}\u{1}")
}

/// The key of a member that is lines of Helm's language.
pub(super) fn block(word: &str) -> String {
    format!("\u{1}{word}")
}

/// An object that becomes a template.
pub(super) struct Template {
    pub(super) object: Value,
    expressions: Vec<(String, String)>,
}

impl Template {
    pub(super) fn of(object: &Value) -> Self {
        Self { object: object.clone(), expressions: Vec::new() }
    }

    /// The string that is the mark `word` becomes `expression`.
    pub(super) fn replace(&mut self, word: &str, expression: String) {
        self.expressions.push((written(word), expression));
    }

    pub(super) fn written(&self, chart: &Chart<'_>) -> String {
        let name = chart.application.name;
        // Whatever somebody wrote is text.
        let text = yaml::text(&self.object).replace("{{", "{{ \"{{\" }}");
        let mut lines: String = text.lines().map(|line| expanded(line, chart) + "\n").collect();
        for (mark, expression) in &self.expressions {
            lines = lines.replace(mark, expression);
        }
        for (word, expression) in [
            ("image", format!("{{{{ include \"{name}.image\" . | quote }}}}")),
            ("pullPolicy", "{{ .Values.image.pullPolicy }}".to_owned()),
            ("schedule", "{{ .Values.schedule | quote }}".to_owned()),
        ] {
            lines = lines.replace(&written(word), &expression);
        }
        lines.replace("\\x01fullname\\x01", &format!("{{{{ include \"{name}.fullname\" . }}}}"))
    }
}

/// A mark that is a whole string, as it is written.
fn written(word: &str) -> String {
    format!("\"\\x01{word}\\x01\"")
}

/// A line as it is, or what stands in its place.
fn expanded(line: &str, chart: &Chart<'_>) -> String {
    let plain = line.trim_start_matches(' ');
    let indent = line.len() - plain.len();
    let word = plain.strip_prefix("\"\\x01").and_then(|rest| rest.strip_suffix("\": null"));
    word.map_or_else(|| line.to_owned(), |word| lines_of(word, indent, chart))
}

fn lines_of(word: &str, indent: usize, chart: &Chart<'_>) -> String {
    let name = chart.application.name;
    let space = " ".repeat(indent);
    let deeper = indent + 2;
    let include = |part: &str| format!("{space}{{{{- include \"{name}.{part}\" . | nindent {indent} }}}}");
    let with = |value: &str, key: &str| {
        format!(
            "{space}{{{{- with .Values.{value} }}}}\n{space}{key}:\n{space}  {{{{- toYaml . | nindent {deeper} }}}}\n\
             {space}{{{{- end }}}}"
        )
    };
    match word {
        "labels" => include("labels"),
        "selector" => include("selectorLabels"),
        "podLabels" => include("podLabels"),
        "podAnnotations" if chart.restarts.is_empty() => with("podAnnotations", "annotations"),
        "podAnnotations" => {
            let sums: String = chart.restarts.iter().map(|folder| checksum(folder, &space)).collect();
            format!(
                "{space}annotations:\n{sums}{space}  {{{{- with .Values.podAnnotations }}}}\n\
                 {space}  {{{{- toYaml . | nindent {deeper} }}}}\n{space}  {{{{- end }}}}"
            )
        }
        "replicas" => format!(
            "{space}{{{{- if not (kindIs \"invalid\" .Values.replicas) }}}}\n\
             {space}replicas: {{{{ .Values.replicas }}}}\n{space}{{{{- end }}}}"
        ),
        "serviceType" => format!("{space}type: {{{{ .Values.service.type }}}}"),
        "serviceAnnotations" => with("service.annotations", "annotations"),
        key => with(key, key),
    }
}

/// Pods start anew when a file below `folder` is another.
fn checksum(folder: &str, space: &str) -> String {
    format!(
        "{space}  checksum/{folder}: {{{{ (.Files.Glob \"files/{folder}/*\").AsSecrets | sha256sum }}}}\n"
    )
}

/// What templates include. Their names hold for all charts of a release, so the chart's own stands in front.
pub(super) fn helpers(name: &str, has_version: bool) -> String {
    let version =
        if has_version { " \"app.kubernetes.io/version\" (toString .Chart.AppVersion)" } else { "" };
    HELPERS.replace("CHART", name).replace("VERSION", version)
}

const HELPERS: &str = r#"{{- define "CHART.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "CHART.image" -}}
{{ .Values.image.repository }}{{ with .Values.image.tag }}:{{ . }}{{ end }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- define "CHART.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "CHART.commonLabels" -}}
{{- $labels := dict "app.kubernetes.io/managed-by" .Release.ServiceVERSION -}}
{{ mergeOverwrite $labels .Values.labels (include "CHART.selectorLabels" . | fromYaml) | toYaml }}
{{- end }}

{{- define "CHART.podLabels" -}}
{{ merge (include "CHART.selectorLabels" . | fromYaml) .Values.podLabels (include "CHART.commonLabels" . | fromYaml) | toYaml }}
{{- end }}

{{- define "CHART.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "CHART.commonLabels" . }}
{{- end }}
"#;
