//! Nodes that know where they stand, for who points at lines or edits a text in place.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::Spanned;

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

impl Place {
    fn of(location: &serde_saphyr::Location) -> Self {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let span = location.span();
        let start = number(span.byte_offset().unwrap_or_default());
        Self {
            line: number(location.line()),
            column: number(location.column()),
            start,
            end: start.saturating_add(number(span.byte_len().unwrap_or_default())),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(deserializer)?;
        let (place, defined) = (Place::of(&spanned.referenced), Place::of(&spanned.defined));
        Ok(Self { place, defined, kind: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<String>::deserialize(deserializer)?;
        Ok(Self { place: Place::of(&spanned.referenced), name: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node of YAML")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Plain(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Plain(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Plain(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Kind, E> {
        Ok(Kind::Plain(Value::String(value.to_string())))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Kind, E> {
        Ok(Kind::Plain(Value::String(value.to_string())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
        // What JSON has no number for is still no text.
        let number = serde_json::Number::from_f64(value).map(Value::Number);
        Ok(Kind::Plain(number.unwrap_or_else(|| Value::String(value.to_string()))))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Kind, E> {
        Ok(Kind::Text(value))
    }

    fn visit_bytes<E: serde::de::Error>(self, value: &[u8]) -> Result<Kind, E> {
        String::from_utf8(value.to_vec()).map(Kind::Text).map_err(|_| E::custom("not UTF-8"))
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Plain(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Plain(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        Kind::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Kind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Kind, A::Error> {
        let mut table: Vec<(Key, Node)> = Vec::new();
        let mut names = std::collections::BTreeSet::new();
        while let Some(key) = members.next_key::<Key>()? {
            if !names.insert(key.name.clone()) {
                return Err(A::Error::custom(format!("duplicate mapping key: {}", key.name)));
            }
            table.push((key, members.next_value()?));
        }
        Ok(Kind::Table(table))
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
