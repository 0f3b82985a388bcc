//! The sections of a recipe with their keys, from its JSON Schema.

use std::collections::BTreeMap;

use serde::Serialize;

use super::json_schema::{AdditionalProperties, DefaultValue, RecipeSchema, read_recipe_schema};

/// The order in which sections are printed: from the image to how it runs. The schema is sorted by
/// name.
pub(super) const SECTION_ORDER: [&str; 12] = [
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

/// The sections whose names have a free part, and how that is written.
const PLACEHOLDERS: [(&str, &str); 2] = [("environments", "NAME"), ("platform", "\"OS/ARCH\"")];

/// One table of the recipe. Tables with the same keys, such as the three probes, are one section.
#[derive(Clone)]
pub(super) struct RecipeSection {
    /// How each table is written, such as `[[include]]`; empty for the top level.
    pub(super) headers: Vec<String>,
    /// The dotted path of each table, such as `kubernetes.probes.liveness`; empty for the top level.
    pub(super) paths: Vec<String>,
    pub(super) description: String,
    pub(super) keys: Vec<RecipeKey>,
}

/// A key of a section.
#[derive(Clone)]
pub(super) struct RecipeKey {
    pub(super) name: String,
    /// The types of the value, such as `integer or string`.
    pub(super) value_type: String,
    pub(super) default: Option<DefaultValue>,
    pub(super) is_required: bool,
    pub(super) description: String,
}

/// A key with its dotted path, for `--format json`.
#[derive(Serialize)]
pub(super) struct KeyReport<'a> {
    /// The dotted path of the key, such as `image.user`.
    pub(super) key: String,
    #[serde(rename = "type")]
    pub(super) value_type: &'a str,
    default: Option<&'a DefaultValue>,
    required: bool,
    pub(super) description: &'a str,
}

impl RecipeSection {
    /// Returns the keys of each of the section's tables.
    pub(super) fn key_reports(&self) -> impl Iterator<Item = KeyReport<'_>> {
        self.paths.iter().flat_map(|path| {
            self.keys.iter().map(move |key| KeyReport {
                key: join_path(path, &key.name),
                value_type: &key.value_type,
                default: key.default.as_ref(),
                required: key.is_required,
                description: &key.description,
            })
        })
    }

    /// Returns the tables or the key of this section that `path` names; `None` if there are none.
    pub(super) fn select(&self, path: &str) -> Option<Self> {
        let is_selected = |table: &String| !table.is_empty() && is_at_or_below(table, path);
        let tables: Vec<usize> = self.table_indices(is_selected);
        if !tables.is_empty() {
            return Some(self.with_tables(&tables, self.keys.clone()));
        }
        let (table, name) = path.rsplit_once('.').unwrap_or(("", path));
        let index = self.paths.iter().position(|known| matches_path(known, table))?;
        let key = self.keys.iter().find(|key| key.name == name)?;
        Some(self.with_tables(&[index], vec![key.clone()]))
    }

    fn table_indices(&self, is_selected: impl Fn(&String) -> bool) -> Vec<usize> {
        let tables = self.paths.iter().enumerate();
        tables.filter(|(_, path)| is_selected(path)).map(|(index, _)| index).collect()
    }

    /// Returns the section with only the tables `indices`, and with `keys`.
    fn with_tables(&self, indices: &[usize], keys: Vec<RecipeKey>) -> Self {
        let pick = |texts: &[String]| indices.iter().filter_map(|&index| texts.get(index).cloned()).collect();
        Self {
            headers: pick(&self.headers),
            paths: pick(&self.paths),
            description: self.description.clone(),
            keys,
        }
    }
}

/// Returns the dotted path of the key or table `name` in the table `path`.
fn join_path(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Returns whether the dotted path `path` is `ancestor` or below it.
pub(super) fn is_at_or_below(path: &str, ancestor: &str) -> bool {
    let mut parts = path.split('.');
    ancestor.split('.').all(|wanted| parts.next().is_some_and(|part| matches_part(part, wanted)))
}

fn matches_path(known: &str, path: &str) -> bool {
    known.split('.').count() == path.split('.').count() && is_at_or_below(known, path)
}

/// Returns whether a part of a path is `wanted`. A placeholder such as `NAME` matches every name.
fn matches_part(part: &str, wanted: &str) -> bool {
    let is_placeholder = PLACEHOLDERS.iter().any(|(_, placeholder)| part == *placeholder);
    is_placeholder || part == wanted
}

/// Returns all sections of the recipe, the top level first.
pub(super) fn recipe_sections() -> Result<Vec<RecipeSection>, serde_json::Error> {
    let root = read_recipe_schema()?;
    let definitions = SchemaDefinitions(&root.definitions);
    let (mut tables, values): (Vec<_>, Vec<_>) =
        root.properties.iter().partition(|(_, schema)| definitions.find_table(schema).is_some());
    let mut sections = vec![RecipeSection {
        headers: vec![],
        paths: vec![String::new()],
        description: "Keys outside of all sections.".into(),
        keys: values.into_iter().map(|(name, schema)| definitions.recipe_key(name, schema, &root)).collect(),
    }];
    let position = |name: &str| SECTION_ORDER.iter().position(|known| *known == name);
    tables.sort_by_key(|(name, _)| position(name).unwrap_or(SECTION_ORDER.len()));
    for (name, schema) in tables {
        if let Some(table) = definitions.find_table(schema) {
            definitions.add_sections(vec![table.form.path_and_header(name)], &table, &mut sections);
        }
    }
    Ok(sections)
}

/// The schema's definitions, by name.
struct SchemaDefinitions<'a>(&'a BTreeMap<String, RecipeSchema>);

/// A value that is a table with its own keys.
struct Table<'a> {
    form: TableForm,
    /// The name of its definition.
    definition_name: &'a str,
    definition: &'a RecipeSchema,
    description: &'a str,
}

/// How a table is written in TOML.
#[derive(Clone, Copy)]
enum TableForm {
    /// `[path]`
    Table,
    /// `[[path]]`
    Array,
    /// `[path.NAME]`
    Map,
    /// `path = [{ … }]`
    Inline,
}

impl TableForm {
    /// Returns the table's dotted path, and its header.
    fn path_and_header(self, path: &str) -> (String, String) {
        match self {
            Self::Table => (path.to_owned(), format!("[{path}]")),
            Self::Array => (path.to_owned(), format!("[[{path}]]")),
            Self::Inline => (path.to_owned(), format!("{path} = [{{ … }}]")),
            Self::Map => {
                let placeholder = PLACEHOLDERS.iter().find(|(section, _)| *section == path);
                let path = join_path(path, placeholder.map_or("NAME", |(_, placeholder)| placeholder));
                let header = format!("[{path}]");
                (path, header)
            }
        }
    }
}

impl<'a> SchemaDefinitions<'a> {
    /// Adds the section of `table`, and the sections of the tables below it. `written` has the path
    /// and header of each place where the table is used.
    fn add_sections(
        &self,
        written: Vec<(String, String)>,
        table: &Table<'a>,
        sections: &mut Vec<RecipeSection>,
    ) {
        let definition = table.definition;
        let (paths, headers): (Vec<String>, Vec<String>) = written.into_iter().unzip();
        // Tables with the same definition are one section.
        let mut children: Vec<(Vec<(String, String)>, Table<'a>)> = Vec::new();
        for (name, schema) in &definition.properties {
            let Some(child) = self.find_table(schema) else { continue };
            let written = paths.iter().map(|path| child.form.path_and_header(&join_path(path, name)));
            match children.iter_mut().find(|(_, known)| known.definition_name == child.definition_name) {
                Some((known, _)) => known.extend(written),
                None => children.push((written.collect(), child)),
            }
        }
        let keys = definition.properties.iter();
        sections.push(RecipeSection {
            headers,
            paths,
            description: table.description.to_owned(),
            keys: keys.map(|(name, schema)| self.recipe_key(name, schema, definition)).collect(),
        });
        for (written, child) in children {
            self.add_sections(written, &child, sections);
        }
    }

    fn recipe_key(&self, name: &str, schema: &RecipeSchema, table: &RecipeSchema) -> RecipeKey {
        RecipeKey {
            name: name.to_owned(),
            value_type: self.type_names(schema).join(" or "),
            default: schema.default.clone(),
            is_required: table.required.iter().any(|required| required == name),
            description: schema.description.clone(),
        }
    }

    /// Returns the definition that `schema` refers to, with its name.
    fn find_definition(&self, schema: &RecipeSchema) -> Option<(&'a str, &'a RecipeSchema)> {
        let name = schema.reference.as_deref()?.strip_prefix("#/definitions/")?;
        self.0.get_key_value(name).map(|(name, definition)| (name.as_str(), definition))
    }

    /// Returns `schema` as a table with keys; `None` if it is a value.
    fn find_table(&self, schema: &'a RecipeSchema) -> Option<Table<'a>> {
        let direct = std::iter::once(schema).chain(&schema.any_of).chain(&schema.all_of);
        let items = schema.items.as_deref();
        let inline = items.into_iter().flat_map(|items| &items.any_of);
        let values = match &schema.additional_properties {
            AdditionalProperties::Schema(values) => Some(&**values),
            AdditionalProperties::Allowed(_) => None,
        };
        let mut candidates = (direct.map(|schema| (TableForm::Table, schema)))
            .chain(items.map(|schema| (TableForm::Array, schema)))
            .chain(inline.map(|schema| (TableForm::Inline, schema)))
            .chain(values.map(|schema| (TableForm::Map, schema)));
        candidates.find_map(|(form, candidate)| {
            let (definition_name, definition) = self.find_definition(candidate)?;
            // A description that only repeats the table's header is replaced by that of the key.
            let repeats_header = definition.description.starts_with('`');
            let description = if repeats_header { &schema.description } else { &definition.description };
            let has_keys = !definition.properties.is_empty();
            has_keys.then_some(Table { form, definition_name, definition, description })
        })
    }

    /// Returns the types that a value may have, each once, such as `list of strings`.
    fn type_names(&self, schema: &RecipeSchema) -> Vec<String> {
        let mut types: Vec<String> = Vec::new();
        if let Some((_, definition)) = self.find_definition(schema) {
            types.extend(self.type_names(definition));
        }
        for alternative in schema.any_of.iter().chain(&schema.all_of) {
            types.extend(self.type_names(alternative));
        }
        for name in schema.type_names() {
            match (name.as_str(), &schema.items, &schema.additional_properties) {
                ("null", ..) => {}
                ("array", Some(items), _) => types.push(format!("list of {}", self.plural_type(items))),
                ("object", _, AdditionalProperties::Schema(values)) => {
                    types.push(format!("table of {}", self.plural_type(values)));
                }
                ("object", ..) => types.push("table".into()),
                (name, ..) => types.push(name.to_owned()),
            }
        }
        let mut unique: Vec<String> = Vec::new();
        for name in types {
            if !unique.contains(&name) {
                unique.push(name);
            }
        }
        unique
    }

    fn plural_type(&self, schema: &RecipeSchema) -> String {
        self.type_names(schema).iter().map(|name| format!("{name}s")).collect::<Vec<_>>().join(" or ")
    }
}
