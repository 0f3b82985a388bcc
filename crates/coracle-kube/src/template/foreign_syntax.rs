//! Advice for names and syntax of Jinja, Ansible, Helm and Python that templates do not have.

/// Syntax of other template languages, and the advice for it.
const ADVICE: &[(&[&str], &str)] = &[
    (&["items"], "write `{% for key, value in table|items %}`"),
    (&["keys"], "a loop over a table gives its keys: `{% for key in table %}`"),
    (&["values"], "write `{% for key, value in table|items %}`"),
    (&["get"], "write `table.key|default(\"x\")`, or `table[\"the-key\"]`"),
    (
        &["join", "split", "replace", "upper", "lower", "title", "capitalize"],
        "it is a filter: `x|join(\", \")`, `x|replace(\"a\", \"b\")`, `x|upper`",
    ),
    (
        &["strip", "lstrip", "rstrip", "trimAll", "trimSuffix", "trimPrefix"],
        "write `x|trim`, or `x|trim(\"/\")`",
    ),
    (&["startswith", "hasPrefix"], "write `x is startingwith(\"a\")`"),
    (&["endswith", "hasSuffix"], "write `x is endingwith(\"a\")`"),
    (&["format", "printf", "print"], "write `a ~ \"-\" ~ b`"),
    (
        &["append", "extend", "update", "merge", "combine"],
        "values do not change: put them together in the values files",
    ),
    (&["tojson", "to_json", "to_nice_json", "toJson", "toPrettyJson", "mustToJson"], "write `|json`"),
    (&["toyaml", "to_yaml", "to_nice_yaml", "toYaml", "mustToYaml"], "write `|yaml`, which prints one line"),
    (&["totoml", "to_toml", "toToml"], "write `|toml`"),
    (
        &["quote", "squote", "shellquote"],
        "write `|json`, `|yaml`, `|toml` or `|sh`: quotes depend on the file's format",
    ),
    (&["b64enc", "base64", "base64encode", "b64_encode"], "write `|b64encode`"),
    (&["b64dec", "base64decode", "b64_decode"], "write `|b64decode`"),
    (&["urlquery", "url_encode", "urlescape", "urlquote"], "write `|urlencode`"),
    (&["nindent"], "write `|indent(4)` behind a line feed"),
    (&["default", "dfault", "d", "coalesce", "empty"], "write `x|default(\"y\")`"),
    (&["ternary"], "write `a if condition else b`"),
    (
        &["required", "mandatory", "fail"],
        "an undefined name is an error by itself: write `{{ x }}`; the schema can require it",
    ),
    (&["include", "tpl", "template"], "write `{% include \"part.j2\" %}`"),
    (
        &[
            "env",
            "getenv",
            "expandenv",
            "now",
            "date",
            "lookup",
            "uuidv4",
            "randAlphaNum",
            "genCA",
            "random",
            "password_hash",
            "hash",
        ],
        "templates have no environment, clock or random numbers: give the result as a value",
    ),
    (
        &["regex_replace", "regexReplaceAll", "regex_search", "regexMatch"],
        "there are no regular expressions: write `|replace(\"a\", \"b\")`",
    ),
];

/// Advice for a line of a template that has a syntax error.
const SYNTAX_ADVICE: &[(&[&str], &str)] = &[
    (
        &[
            "{{ if ",
            "{{- if ",
            "{{ range ",
            "{{- range ",
            "{{ with ",
            "{{- with ",
            "{{ end ",
            "{{- end ",
            "{{ else ",
            "{{- else ",
        ],
        "write `{% if x %}…{% endif %}` and `{% for x in list %}…{% endfor %}`",
    ),
    (&[".Values", ".Release", ".Chart"], "write `{{ image.tag }}` for `{{ .Values.image.tag }}`"),
    (&["{{ .", "{{- .", "{{ $", "{{- $"], "write `{{ name }}`: a name has no `.` or `$` in front"),
    (&[":=", "{{ define", "{{- define"], "write `{% set x = 1 %}`, and `{% macro f(x) %}…{% endmacro %}`"),
    (
        &["default \"", "default '", "indent ", "default ."],
        "arguments of a filter are in parentheses: `x|default(\"y\")`, `x|indent(4)`",
    ),
];

/// Returns advice for an unknown filter, function, method or test.
pub(super) fn advice_for_name(name: &str) -> Option<&'static str> {
    ADVICE.iter().find(|(names, _)| names.contains(&name)).map(|(_, advice)| *advice)
}

/// Returns advice for a line with a syntax error.
pub(super) fn advice_for_line(line: &str) -> Option<&'static str> {
    SYNTAX_ADVICE
        .iter()
        .find(|(parts, _)| parts.iter().any(|part| line.contains(part)))
        .map(|(_, advice)| *advice)
}
