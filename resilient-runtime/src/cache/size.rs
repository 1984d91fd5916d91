//! The size of an answer.

use std::fmt::{self, Display, Write as _};

use serde::ser::{self, Serialize, Serializer};

/// What a text or a list uses besides its contents, and what a null or a scalar uses that may be a dynamic value: Serde
/// does not show the type of an element.
const DYNAMIC: usize = size_of::<serde_json::Value>();

/// Returns the approximate size of a value in bytes: what it owns, and the value itself. A text counts as its length,
/// without a look at its characters.
pub(crate) fn serialized<T: Serialize>(value: &T) -> u64 {
    let mut counted = Count(0);
    // What was counted before an error is a lower bound.
    let _ = value.serialize(&mut counted);
    counted.0.saturating_add(size_of_val(value) as u64)
}

/// Counts what is serialized.
struct Count(u64);

impl Count {
    fn add(&mut self, bytes: usize) {
        self.0 = self.0.saturating_add(bytes as u64);
    }

    /// Begins a text or a list.
    fn begin(&mut self) -> &mut Self {
        self.add(DYNAMIC);
        self
    }
}

impl fmt::Write for Count {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.add(text.len());
        Ok(())
    }
}

/// The methods for types that always have the same size.
macro_rules! fixed {
    ($($method:ident: $ty:ty = $size:expr),+) => {
        $(fn $method(self, _: $ty) -> fmt::Result {
            self.add($size);
            Ok(())
        })+
    };
}

/// The parts of a compound value, each with this method.
macro_rules! parts {
    ($($compound:ident: $method:ident($($name:ident)?)),+) => {
        $(impl ser::$compound for &mut Count {
            type Ok = ();
            type Error = fmt::Error;

            fn $method<T: ?Sized + Serialize>(&mut self, $($name: &'static str,)? value: &T) -> fmt::Result {
                value.serialize(&mut **self)
            }

            fn end(self) -> fmt::Result {
                Ok(())
            }
        })+
    };
}

parts! {
    SerializeSeq: serialize_element(),
    SerializeTuple: serialize_element(),
    SerializeTupleStruct: serialize_field(),
    SerializeTupleVariant: serialize_field(),
    SerializeStruct: serialize_field(_name),
    SerializeStructVariant: serialize_field(_name)
}

impl ser::SerializeMap for &mut Count {
    type Ok = ();
    type Error = fmt::Error;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> fmt::Result {
        key.serialize(&mut **self)
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> fmt::Result {
        value.serialize(&mut **self)
    }

    fn end(self) -> fmt::Result {
        Ok(())
    }
}

impl Serializer for &mut Count {
    type Ok = ();
    type Error = fmt::Error;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fixed! {
        serialize_bool: bool = DYNAMIC,
        serialize_i64: i64 = DYNAMIC,
        serialize_u64: u64 = DYNAMIC,
        serialize_f64: f64 = DYNAMIC,
        serialize_char: char = size_of::<char>(),
        serialize_f32: f32 = size_of::<f32>(),
        serialize_i8: i8 = size_of::<i8>(),
        serialize_i16: i16 = size_of::<i16>(),
        serialize_i32: i32 = size_of::<i32>(),
        serialize_i128: i128 = size_of::<i128>(),
        serialize_u8: u8 = size_of::<u8>(),
        serialize_u16: u16 = size_of::<u16>(),
        serialize_u32: u32 = size_of::<u32>(),
        serialize_u128: u128 = size_of::<u128>()
    }

    fn serialize_str(self, text: &str) -> fmt::Result {
        self.add(DYNAMIC + text.len());
        Ok(())
    }

    fn collect_str<T: ?Sized + Display>(self, value: &T) -> fmt::Result {
        write!(self.begin(), "{value}")
    }

    fn serialize_bytes(self, bytes: &[u8]) -> fmt::Result {
        self.add(DYNAMIC + bytes.len());
        Ok(())
    }

    fn serialize_none(self) -> fmt::Result {
        self.add(DYNAMIC);
        Ok(())
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> fmt::Result {
        value.serialize(self)
    }

    fn serialize_unit(self) -> fmt::Result {
        self.add(DYNAMIC);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> fmt::Result {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> fmt::Result {
        self.add(1);
        Ok(())
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, _: &'static str, value: &T) -> fmt::Result {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> fmt::Result {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, fmt::Error> {
        Ok(self.begin())
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, fmt::Error> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, fmt::Error> {
        Ok(self)
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, fmt::Error> {
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, fmt::Error> {
        Ok(self.begin())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, fmt::Error> {
        Ok(self)
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, fmt::Error> {
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_value_owns_counts_at_least_with_its_length() {
        let text = "é\n".repeat(1_000);
        assert_eq!(serialized(&text), (text.len() + DYNAMIC + size_of::<String>()) as u64);
        assert!(serialized(&vec![1_u64; 100]) >= 800);
        assert!(serialized(&vec![text.clone(), text.clone()]) >= 6_000);
        assert!(serialized(&json!({ "a name": [text.clone(), { "another": 1 }] })) >= 3_000);
        assert!(serialized(&BTreeMap::from([(vec![1_u8, 2], Some(&text))])) >= 3_000);
        assert!(serialized(&std::net::Ipv4Addr::LOCALHOST) >= 9, "by its text");
    }

    #[test]
    fn each_dynamic_value_counts_at_least_with_its_memory() {
        use serde_json::Value;
        for value in [Value::Null, json!(true), json!(7), json!(""), json!([])] {
            let all = vec![value.clone(); 1_000];
            assert!(serialized(&all) >= (1_000 * size_of::<Value>()) as u64, "{value}");
            assert!(serialized(&Value::Array(all)) >= (1_000 * size_of::<Value>()) as u64, "{value}");
            let members: BTreeMap<_, _> = (0..1_000_u32).map(|key| (key, value.clone())).collect();
            assert!(serialized(&members) >= (1_000 * (4 + size_of::<Value>())) as u64, "{value}");
        }
        assert!(serialized(&vec![None::<u64>; 100]) >= 1_600);
        assert!(serialized(&vec![1_u8; 1_000]) < 1_100, "no dynamic value has this type");
    }

    #[test]
    fn an_error_leaves_what_was_counted() {
        struct Broken;
        impl Serialize for Broken {
            fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(ser::Error::custom("no"))
            }
        }
        assert!(serialized(&("x".repeat(500), Broken)) >= 500);
    }
}
