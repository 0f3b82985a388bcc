//! The known keys of a table, taken from its serde implementation.

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// Returns the keys that serde deserializes for `T`.
pub(in crate::recipe) fn known_keys_of<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let mut keys = KeyRecorder(&[]);
    // Always fails: there is no data. The keys have been recorded by then.
    let _ = T::deserialize(&mut keys);
    keys.0
}

/// A deserializer without data that records the field names of the requested struct.
struct KeyRecorder(&'static [&'static str]);

impl<'de> Deserializer<'de> for &mut KeyRecorder {
    type Error = de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("no data"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0 = keys;
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
