//! Deserialization of nodes from the parser.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::Spanned;

use super::node::{Key, Kind, Node, Place};

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
        // JSON has no number for NaN and infinities.
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
        let mut names = BTreeSet::new();
        while let Some(key) = members.next_key::<Key>()? {
            if !names.insert(key.name.clone()) {
                return Err(A::Error::custom(format!("duplicate mapping key: {}", key.name)));
            }
            table.push((key, members.next_value()?));
        }
        Ok(Kind::Table(table))
    }
}
