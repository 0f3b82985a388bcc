//! Nodes that know where they stand, for who points at lines or edits a text in place.

use serde_json::Value;

/// A node of a document.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// Where it is referred to: for an alias the alias itself.
    pub place: Place,
    /// Where its text stands: for an alias that of its anchor.
    pub defined: Place,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Clone, PartialEq, Debug)]
pub enum Kind {
    /// `null`, a number or a truth.
    Plain(Value),
    /// Text.
    Text(String),
    /// Items in their order.
    List(Vec<Node>),
    /// Members in their order.
    Table(Vec<(Key, Node)>),
}

/// The name of a member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    /// Where it stands.
    pub place: Place,
    /// The name.
    pub name: String,
}

/// A place in a text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The first byte.
    pub start: usize,
    /// The byte behind the last.
    pub end: usize,
}

/// Nothing, which is what an empty text is.
const NOTHING: &Node = &Node { place: Place::START, defined: Place::START, kind: Kind::Plain(Value::Null) };

impl Place {
    /// The beginning of a text.
    pub const START: Self = Self { line: 1, column: 1, start: 0, end: 0 };
}

impl Node {
    /// The member of this name; nothing where there is none, or it is null.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.member(name).map(|(_, node)| node).filter(|node| !node.is_null())
    }

    /// What stands below these names; an empty node where nothing does.
    pub fn at(&self, names: &[&str]) -> &Self {
        names.iter().try_fold(self, |node, name| node.get(name)).unwrap_or(NOTHING)
    }

    /// The member of this name with its key, whatever it is.
    pub fn member(&self, name: &str) -> Option<(&Key, &Self)> {
        self.members().find(|(key, _)| key.name == name)
    }

    /// Members in their order; none of what is no table.
    pub fn members(&self) -> impl Iterator<Item = (&Key, &Self)> {
        let members = match &self.kind {
            Kind::Table(members) => members.as_slice(),
            _ => &[],
        };
        members.iter().map(|(key, node)| (key, node))
    }

    /// Items in their order; none of what is no list.
    pub fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// Text, and nothing else.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of the member of this name.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name)?.text()
    }

    /// Whether the member of this name is `true`.
    pub fn is(&self, name: &str) -> bool {
        self.flag(name) == Some(true)
    }

    /// What the member of this name says, yes or no.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match &self.get(name)?.kind {
            Kind::Plain(value) => value.as_bool(),
            _ => None,
        }
    }

    /// The number of the member of this name.
    pub fn number_of(&self, name: &str) -> Option<i64> {
        match &self.get(name)?.kind {
            Kind::Plain(value) => value.as_i64(),
            _ => None,
        }
    }

    /// The same without places.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Plain(value) => value.clone(),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => items.iter().map(Self::to_value).collect(),
            Kind::Table(members) => {
                Value::Object(members.iter().map(|(key, node)| (key.name.clone(), node.to_value())).collect())
            }
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        self.kind == Kind::Plain(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::super::nodes;
    use super::*;

    /// Every scalar with its place: `LINE:COLUMN [TEXT AS IT STANDS] VALUE`.
    fn scalars(text: &str, node: &Node, found: &mut Vec<String>) {
        let slice = |place: Place| text.get(place.start..place.end).unwrap_or("?").to_owned();
        match &node.kind {
            Kind::List(items) => items.iter().for_each(|item| scalars(text, item, found)),
            Kind::Table(members) => {
                for (key, node) in members {
                    found.push(format!("{}:{} {}", key.place.line, key.place.column, slice(key.place)));
                    scalars(text, node, found);
                }
            }
            kind => {
                let Place { line, column, .. } = node.place;
                found.push(format!("{line}:{column} [{}] {kind:?}", slice(node.defined)));
            }
        }
    }

    fn listed(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        nodes(text).unwrap().iter().for_each(|node| scalars(text, node, &mut found));
        found
    }

    #[test]
    fn every_node_knows_its_place() {
        let text =
            "# é\na: é b # c\nd:\n  - 'x''y'\n  - \"z\\n\"\n  - &k 0440\n  - *k\n---\n{e: true, f: null}\n";
        let expected = [
            "2:1 a",
            "2:4 [é b] Text(\"é b\")",
            "3:1 d",
            "4:5 ['x''y'] Text(\"x'y\")",
            "5:5 [\"z\\n\"] Text(\"z\\n\")",
            "6:8 [0440] Plain(Number(440.0))",
            "7:5 [0440] Plain(Number(440.0))",
            "9:2 e",
            "9:5 [true] Plain(Bool(true))",
            "9:11 f",
            "9:14 [null] Plain(Null)",
        ];
        assert_eq!(listed(text), expected);
    }
}
