//! YAML nodes with their source positions, for diagnostics and for edits in place.

use serde_json::Value;

/// A node of a document.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// The position of the node; for an alias, that of the alias.
    pub span: Span,
    /// The position of the node's text; for an alias, that of the anchored node.
    pub defined_span: Span,
    /// The node's type and content.
    pub kind: NodeKind,
}

/// A node's type and content.
#[derive(Clone, PartialEq, Debug)]
pub enum NodeKind {
    /// Null, a number or a boolean.
    Scalar(Value),
    /// A string.
    Text(String),
    /// A sequence, in source order.
    Sequence(Vec<Node>),
    /// A mapping, in source order.
    Mapping(Vec<(Key, Node)>),
}

/// A mapping key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    /// The position of the key.
    pub place: Span,
    /// The key's text.
    pub name: String,
}

/// A span of a text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Span {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The offset of the first byte.
    pub start: usize,
    /// The offset after the last byte.
    pub end: usize,
}

/// A null node, which is what an empty text parses as.
const NULL_NODE: &Node =
    &Node { span: Span::START, defined_span: Span::START, kind: NodeKind::Scalar(Value::Null) };

impl Span {
    /// The start of a text.
    pub const START: Self = Self { line: 1, column: 1, start: 0, end: 0 };
}

impl Node {
    /// Returns the value at key `name`; `None` if it is missing or null.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.entry(name).map(|(_, node)| node).filter(|node| !node.is_null())
    }

    /// Returns the node at this path of keys; a null node if there is none.
    pub fn at_path(&self, names: &[&str]) -> &Self {
        names.iter().try_fold(self, |node, name| node.get(name)).unwrap_or(NULL_NODE)
    }

    /// Returns the entry at key `name`, even if its value is null.
    pub fn entry(&self, name: &str) -> Option<(&Key, &Self)> {
        self.entries().find(|(key, _)| key.name == name)
    }

    /// Returns the entries of a mapping in order; none for any other node.
    pub fn entries(&self) -> impl Iterator<Item = (&Key, &Self)> {
        let members = match &self.kind {
            NodeKind::Mapping(members) => members.as_slice(),
            _ => &[],
        };
        members.iter().map(|(key, node)| (key, node))
    }

    /// Returns the items of a sequence in order; none for any other node.
    pub fn items(&self) -> &[Self] {
        match &self.kind {
            NodeKind::Sequence(items) => items,
            _ => &[],
        }
    }

    /// Returns the string; `None` for any other node.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the string at key `name`.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name)?.text()
    }

    /// Returns whether the value at key `name` is `true`.
    pub fn is_true(&self, name: &str) -> bool {
        self.bool_of(name) == Some(true)
    }

    /// Returns the boolean at key `name`.
    pub fn bool_of(&self, name: &str) -> Option<bool> {
        match &self.get(name)?.kind {
            NodeKind::Scalar(value) => value.as_bool(),
            _ => None,
        }
    }

    /// Returns the integer at key `name`.
    pub fn number_of(&self, name: &str) -> Option<i64> {
        match &self.get(name)?.kind {
            NodeKind::Scalar(value) => value.as_i64(),
            _ => None,
        }
    }

    /// Converts the node to JSON, without positions.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            NodeKind::Scalar(value) => value.clone(),
            NodeKind::Text(text) => Value::String(text.clone()),
            NodeKind::Sequence(items) => items.iter().map(Self::to_value).collect(),
            NodeKind::Mapping(members) => {
                Value::Object(members.iter().map(|(key, node)| (key.name.clone(), node.to_value())).collect())
            }
        }
    }

    /// Returns whether the node is null.
    pub fn is_null(&self) -> bool {
        self.kind == NodeKind::Scalar(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse_nodes;
    use super::*;

    /// Lists every scalar as `LINE:COLUMN [SOURCE TEXT] VALUE`.
    fn scalars(text: &str, node: &Node, found: &mut Vec<String>) {
        let slice = |place: Span| text.get(place.start..place.end).unwrap_or("?").to_owned();
        match &node.kind {
            NodeKind::Sequence(items) => items.iter().for_each(|item| scalars(text, item, found)),
            NodeKind::Mapping(members) => {
                for (key, node) in members {
                    found.push(format!("{}:{} {}", key.place.line, key.place.column, slice(key.place)));
                    scalars(text, node, found);
                }
            }
            kind => {
                let Span { line, column, .. } = node.span;
                found.push(format!("{line}:{column} [{}] {kind:?}", slice(node.defined_span)));
            }
        }
    }

    fn listed(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        parse_nodes(text).unwrap().iter().for_each(|node| scalars(text, node, &mut found));
        found
    }

    #[test]
    fn records_the_position_of_every_node() {
        let text =
            "# é\na: é b # c\nd:\n  - 'x''y'\n  - \"z\\n\"\n  - &k 0440\n  - *k\n---\n{e: true, f: null}\n";
        let expected = [
            "2:1 a",
            "2:4 [é b] Text(\"é b\")",
            "3:1 d",
            "4:5 ['x''y'] Text(\"x'y\")",
            "5:5 [\"z\\n\"] Text(\"z\\n\")",
            "6:8 [0440] Scalar(Number(440.0))",
            "7:5 [0440] Scalar(Number(440.0))",
            "9:2 e",
            "9:5 [true] Scalar(Bool(true))",
            "9:11 f",
            "9:14 [null] Scalar(Null)",
        ];
        assert_eq!(listed(text), expected);
    }
}
