//! `coracle recipe keys`: every key of a recipe, read from the published JSON Schema.
//!
//! The schema file is embedded, so that the binary, docs/recipe.md and editors show the same text.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use coracle_core::suggest::most_similar;
use serde::{Deserialize, Serialize};

use super::args::{KeysArgs, KeysFormat, RecipeCommand};
use super::error::CliError;
use super::exit::CliExit;
use super::stderr::{BOLD, DIM};
use super::stdout;

const SCHEMA: &str = include_str!("../../templates/coracle.schema.json");

/// The order in which sections are printed: from the image to how it runs. The schema is sorted by name.
const SECTIONS: [&str; 12] = [
    "image",
    "include",
    "runtime",
    "config",
    "values",
    "environments",
    "secret",
    "variable",
    "state",
    "kubernetes",
    "budget",
    "platform",
];

/// How the free part of a section's name is written.
const PLACEHOLDERS: [(&str, &str); 2] = [("environments", "NAME"), ("platform", "\"OS/ARCH\"")];

/// Runs `coracle recipe`.
pub(super) fn run_recipe(command: &RecipeCommand) -> Result<CliExit, CliError> {
    match command {
        RecipeCommand::Keys(args) => keys(args),
    }
}

fn keys(args: &KeysArgs) -> Result<CliExit, CliError> {
    let all = sections().map_err(|error| internal(&error))?;
    let selected = if args.keys.is_empty() { all } else { select(&all, &args.keys)? };
    match args.format {
        KeysFormat::Text => stdout::print(&text(&selected))?,
        KeysFormat::Markdown => stdout::print(&markdown(&selected))?,
        KeysFormat::Json => {
            let keys: Vec<FlatKey<'_>> = selected.iter().flat_map(Section::flat_keys).collect();
            stdout::print_json(&serde_json::to_value(keys).map_err(|error| internal(&error))?)?;
        }
    }
    Ok(CliExit::Success)
}

/// The embedded schema is invalid, which a test excludes.
fn internal(error: &serde_json::Error) -> CliError {
    CliError {
        exit: CliExit::Failed,
        message: format!("cannot read the built-in schema: {error}"),
        hint: None,
    }
}

/// One table of the recipe. Tables with the same keys, such as the three probes, are one section.
#[derive(Clone)]
struct Section {
    /// How each table is written, such as `[[include]]`; empty for the top level.
    headers: Vec<String>,
    /// Dotted path of each table, such as `kubernetes.probes.liveness`; empty for the top level.
    paths: Vec<String>,
    description: String,
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    name: String,
    /// Such as `integer or string`.
    kind: String,
    default: Option<Scalar>,
    is_required: bool,
    description: String,
}

/// A key in `--format json`.
#[derive(Serialize)]
struct FlatKey<'a> {
    key: String,
    #[serde(rename = "type")]
    kind: &'a str,
    default: Option<&'a Scalar>,
    required: bool,
    description: &'a str,
}

impl Section {
    fn flat_keys(&self) -> impl Iterator<Item = FlatKey<'_>> {
        self.paths.iter().flat_map(|path| {
            self.keys.iter().map(move |key| FlatKey {
                key: join(path, &key.name),
                kind: &key.kind,
                default: key.default.as_ref(),
                required: key.is_required,
                description: &key.description,
            })
        })
    }

    /// The part of this section that `path` selects; `None` if there is none.
    fn select(&self, path: &str) -> Option<Self> {
        let below: Vec<usize> = (0..self.paths.len())
            .filter(|&at| self.paths.get(at).is_some_and(|own| !own.is_empty() && starts_with(own, path)))
            .collect();
        if !below.is_empty() {
            return Some(self.with_tables(&below, self.keys.clone()));
        }
        let (table, name) = path.rsplit_once('.').unwrap_or(("", path));
        let at = self.paths.iter().position(|own| is_same(own, table))?;
        let key = self.keys.iter().find(|key| key.name == name)?;
        Some(self.with_tables(&[at], vec![key.clone()]))
    }

    fn with_tables(&self, at: &[usize], keys: Vec<Key>) -> Self {
        let pick = |of: &[String]| at.iter().filter_map(|&at| of.get(at).cloned()).collect();
        Self {
            headers: pick(&self.headers),
            paths: pick(&self.paths),
            description: self.description.clone(),
            keys,
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Whether the dotted path `whole` is `prefix` or below it.
fn starts_with(whole: &str, prefix: &str) -> bool {
    let mut parts = whole.split('.');
    prefix.split('.').all(|wanted| parts.next().is_some_and(|part| matches(part, wanted)))
}

fn is_same(own: &str, path: &str) -> bool {
    own.split('.').count() == path.split('.').count() && starts_with(own, path)
}

/// A placeholder such as `NAME` matches every name.
fn matches(part: &str, wanted: &str) -> bool {
    let is_placeholder = PLACEHOLDERS.iter().any(|(_, placeholder)| part == *placeholder);
    is_placeholder || part == wanted
}

/// The sections and keys that `wanted` selects, in the order of `wanted`.
fn select(sections: &[Section], wanted: &[String]) -> Result<Vec<Section>, CliError> {
    let mut selected = Vec::new();
    for key in wanted {
        let path = key.trim_matches(['[', ']']);
        let before = selected.len();
        selected.extend(sections.iter().filter_map(|section| section.select(path)));
        if selected.len() == before {
            return Err(unknown(sections, path));
        }
    }
    Ok(selected)
}

fn unknown(sections: &[Section], path: &str) -> CliError {
    let keys = sections.iter().flat_map(Section::flat_keys).map(|key| key.key);
    let tables = sections.iter().flat_map(|section| section.paths.iter().cloned());
    let known: Vec<String> = tables.chain(keys).filter(|known| !known.is_empty()).collect();
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    // `user` without its section, then a typing error in the path, then one without a section.
    let near = known
        .iter()
        .find(|known| last(known) == path)
        .cloned()
        .or_else(|| most_similar(path, known.iter().map(String::as_str)).map(str::to_owned));
    let near = near.or_else(|| {
        if path.contains('.') {
            return None;
        }
        let names: Vec<String> = known.iter().map(|known| last(known)).collect();
        let name = most_similar(path, names.iter().map(String::as_str))?;
        known.iter().find(|known| last(known) == name).cloned()
    });
    let hint = near.map_or_else(
        || "`coracle recipe keys` prints all keys".to_owned(),
        |near| format!("did you mean `{near}`? `coracle recipe keys` prints all keys"),
    );
    CliError::usage(format!("the recipe has no key `{path}`"), hint)
}

fn text(sections: &[Section]) -> String {
    let mut text = String::new();
    for (index, section) in sections.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        let headers = section.headers.join(", ");
        let header = if headers.is_empty() { "top level" } else { &headers };
        let _ = writeln!(text, "{BOLD}{header}{BOLD:#}  {DIM}{}{DIM:#}", section.description);
        for key in &section.keys {
            let state = match &key.default {
                _ if key.is_required => "  required".to_owned(),
                Some(default) => format!("  default {default}"),
                None => String::new(),
            };
            let _ = writeln!(
                text,
                "  {BOLD}{}{BOLD:#}  {}{state}\n      {}",
                key.name, key.kind, key.description
            );
        }
    }
    text
}

fn markdown(sections: &[Section]) -> String {
    let mut text = String::new();
    for (index, section) in sections.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        let headers: Vec<String> = section.headers.iter().map(|header| format!("`{header}`")).collect();
        let header = if headers.is_empty() { "Top level".to_owned() } else { headers.join(", ") };
        let _ = writeln!(text, "## {header}\n\n{}\n", section.description);
        text.push_str("| key | type | default | what it does |\n| --- | --- | --- | --- |\n");
        for key in &section.keys {
            let default = match &key.default {
                _ if key.is_required => "required".to_owned(),
                Some(default) => format!("`{default}`"),
                None => String::new(),
            };
            let description = key.description.replace('|', "\\|").replace('\n', " ");
            let _ = writeln!(text, "| `{}` | {} | {default} | {description} |", key.name, key.kind);
        }
    }
    text
}

/// The part of JSON Schema that the recipe's schema uses.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Schema {
    #[serde(rename = "$ref")]
    reference: Option<String>,
    #[serde(rename = "type")]
    types: Types,
    description: String,
    default: Option<Scalar>,
    properties: BTreeMap<String, Schema>,
    required: Vec<String>,
    items: Option<Box<Schema>>,
    additional_properties: AdditionalProperties,
    any_of: Vec<Schema>,
    all_of: Vec<Schema>,
    definitions: BTreeMap<String, Schema>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Types {
    One(String),
    Several(Vec<String>),
}

impl Default for Types {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Types {
    fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum AdditionalProperties {
    Allowed(#[allow(dead_code, reason = "only schemas are read")] bool),
    Schema(Box<Schema>),
}

impl Default for AdditionalProperties {
    fn default() -> Self {
        Self::Allowed(true)
    }
}

#[derive(Deserialize, Serialize, Clone)]
#[serde(untagged)]
enum Scalar {
    Flag(bool),
    Number(i64),
    Text(String),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// All sections of the recipe, the top level first.
fn sections() -> Result<Vec<Section>, serde_json::Error> {
    let root: Schema = serde_json::from_str(SCHEMA)?;
    let definitions = Definitions(&root.definitions);
    let (tables, scalars): (Vec<_>, Vec<_>) =
        root.properties.iter().partition(|(_, schema)| definitions.table(schema).is_some());
    let mut sections = vec![Section {
        headers: vec![],
        paths: vec![String::new()],
        description: "Keys outside of all sections.".into(),
        keys: scalars.into_iter().map(|(name, schema)| definitions.key(name, schema, &root)).collect(),
    }];
    let mut tables = tables;
    tables.sort_by_key(|(name, _)| SECTIONS.iter().position(|known| known == name).unwrap_or(SECTIONS.len()));
    for (name, schema) in tables {
        if let Some(table) = definitions.table(schema) {
            let (path, header) = table.form.written(name);
            definitions.collect(vec![(path, header)], &table, &mut sections);
        }
    }
    Ok(sections)
}

struct Definitions<'a>(&'a BTreeMap<String, Schema>);

/// A value that is a table with its own keys.
struct Table<'a> {
    form: Form,
    reference: &'a str,
    definition: &'a Schema,
    description: &'a str,
}

/// How a table is written in TOML.
#[derive(Clone, Copy)]
enum Form {
    /// `[path]`
    Table,
    /// `[[path]]`
    Array,
    /// `[path.NAME]`
    Map,
    /// `path = [{ … }]`
    Inline,
}

impl Form {
    /// The table's dotted path and its header.
    fn written(self, path: &str) -> (String, String) {
        match self {
            Self::Table => (path.to_owned(), format!("[{path}]")),
            Self::Array => (path.to_owned(), format!("[[{path}]]")),
            Self::Inline => (path.to_owned(), format!("{path} = [{{ … }}]")),
            Self::Map => {
                let placeholder = PLACEHOLDERS.iter().find(|(name, _)| *name == path);
                let path = join(path, placeholder.map_or("NAME", |(_, placeholder)| placeholder));
                let header = format!("[{path}]");
                (path, header)
            }
        }
    }
}

impl<'a> Definitions<'a> {
    /// Adds the section of `table`, and those of the tables below it.
    fn collect(&self, written: Vec<(String, String)>, table: &Table<'a>, sections: &mut Vec<Section>) {
        let definition = table.definition;
        let (paths, headers): (Vec<String>, Vec<String>) = written.into_iter().unzip();
        // Tables with the same definition are one section.
        let mut below: Vec<(Vec<(String, String)>, Table<'a>)> = Vec::new();
        for (name, schema) in &definition.properties {
            let Some(child) = self.table(schema) else { continue };
            let written = paths.iter().map(|path| child.form.written(&join(path, name)));
            match below.iter_mut().find(|(_, known)| known.reference == child.reference) {
                Some((known, _)) => known.extend(written),
                None => below.push((written.collect(), child)),
            }
        }
        sections.push(Section {
            headers,
            paths,
            description: table.description.to_owned(),
            keys: definition
                .properties
                .iter()
                .map(|(name, schema)| self.key(name, schema, definition))
                .collect(),
        });
        for (written, table) in below {
            self.collect(written, &table, sections);
        }
    }

    fn key(&self, name: &str, schema: &Schema, of: &Schema) -> Key {
        Key {
            name: name.to_owned(),
            kind: self.kinds(schema).join(" or "),
            default: schema.default.clone(),
            is_required: of.required.iter().any(|required| required == name),
            description: schema.description.clone(),
        }
    }

    fn definition(&self, schema: &'a Schema) -> Option<(&'a str, &'a Schema)> {
        let reference = schema.reference.as_deref()?.strip_prefix("#/definitions/")?;
        Some((reference, self.0.get(reference)?))
    }

    /// `schema` as a table with keys; `None` if it is a value.
    fn table(&self, schema: &'a Schema) -> Option<Table<'a>> {
        let direct = std::iter::once(schema).chain(&schema.any_of).chain(&schema.all_of);
        let items = schema.items.as_deref();
        let inline = items.into_iter().flat_map(|items| &items.any_of);
        let values = match &schema.additional_properties {
            AdditionalProperties::Schema(values) => Some(&**values),
            AdditionalProperties::Allowed(_) => None,
        };
        let found = (direct.map(|schema| (Form::Table, schema)))
            .chain(items.map(|schema| (Form::Array, schema)))
            .chain(inline.map(|schema| (Form::Inline, schema)))
            .chain(values.map(|schema| (Form::Map, schema)));
        found.into_iter().find_map(|(form, found)| {
            let (reference, definition) = self.definition(found)?;
            // A description that is only the table's header says nothing.
            let own = definition.description.as_str();
            let description = if own.starts_with('`') { &schema.description } else { own };
            (!definition.properties.is_empty()).then_some(Table { form, reference, definition, description })
        })
    }

    /// The types that a value may have, each once.
    fn kinds(&self, schema: &Schema) -> Vec<String> {
        let mut kinds = Vec::new();
        let mut add = |kind: String| {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        };
        if let Some(definition) =
            schema.reference.as_deref().and_then(|name| self.0.get(name.strip_prefix("#/definitions/")?))
        {
            self.kinds(definition).into_iter().for_each(&mut add);
        }
        for schema in schema.any_of.iter().chain(&schema.all_of) {
            self.kinds(schema).into_iter().for_each(&mut add);
        }
        for name in schema.types.names() {
            match (name.as_str(), &schema.items, &schema.additional_properties) {
                ("null", ..) => {}
                ("array", Some(items), _) => add(format!("list of {}", self.plural(items))),
                ("object", _, AdditionalProperties::Schema(values)) => {
                    add(format!("table of {}", self.plural(values)));
                }
                ("object", ..) => add("table".into()),
                (name, ..) => add(name.to_owned()),
            }
        }
        kinds
    }

    fn plural(&self, schema: &Schema) -> String {
        self.kinds(schema).iter().map(|kind| format!("{kind}s")).collect::<Vec<_>>().join(" or ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_every_section_of_the_schema() {
        let sections = sections().unwrap();
        let tables: Vec<&str> =
            sections.iter().flat_map(|section| &section.paths).map(String::as_str).collect();
        for name in SECTIONS {
            assert!(tables.iter().any(|path| starts_with(path, name)), "{name} is not in the schema");
        }
        for path in tables.iter().filter(|path| !path.is_empty()) {
            let first = path.split('.').next().unwrap();
            assert!(SECTIONS.contains(&first), "`{first}` is missing in SECTIONS");
        }
        for key in sections.iter().flat_map(Section::flat_keys) {
            assert!(!key.kind.is_empty() && !key.description.is_empty(), "{}", key.key);
        }
    }

    #[test]
    fn selects_sections_keys_and_names() {
        let sections = sections().unwrap();
        for (wanted, expected) in [
            ("image.user", vec!["image.user"]),
            ("version", vec!["version"]),
            ("[[include]]", vec!["include.from", "include.to"]),
            ("environments.production.values", vec!["environments.NAME.values"]),
            ("platform.linux/arm64.root", vec!["platform.\"OS/ARCH\".root"]),
            ("kubernetes.probes.liveness.http", vec!["kubernetes.probes.liveness.http"]),
            ("image.programs", vec!["image.programs", "image.programs.from", "image.programs.to"]),
        ] {
            let selected = select(&sections, &[wanted.into()]).unwrap();
            let keys: Vec<String> = selected.iter().flat_map(Section::flat_keys).map(|key| key.key).collect();
            assert_eq!(keys, expected, "{wanted}");
        }
    }
}
