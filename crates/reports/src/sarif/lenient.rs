//! JSON that is read as it comes: what is of another kind than it should be counts as not there, and where the text
//! ends in the middle, what stood before that was taken.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::{
    BASES_MAX, Bases, Component, Extensions, Found, Location, Outcome, RULES_MAX, Suppression,
    Suppressions,
};

/// A text or a number.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Scalar {
    Text(String),
    Number(f64),
    #[default]
    Other,
}

impl Scalar {
    pub(super) fn text(&self) -> &str {
        if let Scalar::Text(text) = self { text } else { "" }
    }

    /// Some write numbers as text.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Scalar::Number(number) => Some(*number),
            Scalar::Text(text) => text.trim().parse().ok(),
            Scalar::Other => None,
        }
    }

    /// A number that counts something.
    pub(super) fn whole(&self) -> Option<u64> {
        let number = self.number()?;
        (number >= 0.0 && number <= f64::from(u32::MAX)).then_some(number as u64)
    }
}

/// An object; without anything where it is none.
#[derive(Default)]
pub(super) struct Node<T>(pub(super) T);

/// The first of a list; the others are passed over, so that a list costs as much as one of it.
#[derive(Default)]
pub(super) struct First<T>(pub(super) Option<T>);

/// What stays the same of a finding: of an object with many, the two that are ever looked at.
#[derive(Default)]
pub(super) struct Marks {
    /// `primaryLocationLineHash`
    pub(super) of_github: Option<String>,
    /// The first of the others by its name that says something.
    pub(super) first: Option<(String, String)>,
}

/// A list; empty where it is none.
pub(super) struct List<T> {
    pub(super) all: Vec<T>,
    pub(super) is_cut: bool,
}

impl<T> Default for List<T> {
    fn default() -> List<T> {
        List { all: Vec::new(), is_cut: false }
    }
}

/// Reads a whole text; false where it ends in the middle, or is no JSON from somewhere on.
pub(super) fn read(text: &str, found: &mut Found) -> bool {
    let mut from = serde_json::Deserializer::from_str(text);
    from.deserialize_any(Root(found)).is_ok() && from.end().is_ok()
}

/// A visitor's answers for what it does not want.
macro_rules! other_than {
    (map, $none:expr) => {
        other_than!(scalar, $none);
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok($none)
        }
    };
    (seq, $none:expr) => {
        other_than!(scalar, $none);
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok($none)
        }
    };
    (scalar, $none:expr) => {
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($none)
        }
    };
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Scalar, D::Error> {
        from.deserialize_any(ScalarVisitor)
    }
}

struct NodeVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for NodeVisitor<T> {
    type Value = Node<T>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Node<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Node)
    }

    other_than!(map, Node(T::default()));
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Node<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Node<T>, D::Error> {
        from.deserialize_any(NodeVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("anything")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
        let mut list = List::default();
        while list.all.len() < RULES_MAX {
            match seq.next_element()? {
                Some(it) => list.all.push(it),
                None => return Ok(list),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {
            list.is_cut = true;
        }
        Ok(list)
    }

    other_than!(seq, List::default());
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<List<T>, D::Error> {
        from.deserialize_any(ListVisitor(PhantomData))
    }
}

struct FirstVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FirstVisitor<T> {
    type Value = First<T>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("anything")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<First<T>, A::Error> {
        let first = seq.next_element()?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(First(first))
    }

    other_than!(seq, First(None));
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for First<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<First<T>, D::Error> {
        from.deserialize_any(FirstVisitor(PhantomData))
    }
}

struct SuppressionsVisitor;

impl<'de> Visitor<'de> for SuppressionsVisitor {
    type Value = Suppressions;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("anything")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Suppressions, A::Error> {
        let mut all = Suppressions::default();
        while let Some(it) = seq.next_element::<Node<Suppression>>()? {
            all.is_any = true;
            all.is_any_open |= matches!(it.0.status.text(), "underReview" | "rejected");
        }
        Ok(all)
    }

    other_than!(seq, Suppressions::default());
}

impl<'de> Deserialize<'de> for Suppressions {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Suppressions, D::Error> {
        from.deserialize_any(SuppressionsVisitor)
    }
}

struct ExtensionsVisitor;

impl<'de> Visitor<'de> for ExtensionsVisitor {
    type Value = Extensions;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("anything")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Extensions, A::Error> {
        let mut all = List::default();
        while let Some(it) = seq.next_element::<Node<Component>>()? {
            let rules = it.0.rules;
            let room = RULES_MAX - all.all.len();
            all.is_cut |= rules.is_cut || rules.all.len() > room;
            all.all.extend(rules.all.into_iter().take(room));
        }
        Ok(Extensions(all))
    }

    other_than!(seq, Extensions::default());
}

impl<'de> Deserialize<'de> for Extensions {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Extensions, D::Error> {
        from.deserialize_any(ExtensionsVisitor)
    }
}

struct MarksVisitor;

impl<'de> Visitor<'de> for MarksVisitor {
    type Value = Marks;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Marks, A::Error> {
        let mut marks = Marks::default();
        while let Some((name, mark)) = map.next_entry::<String, Scalar>()? {
            let Scalar::Text(mark) = mark else { continue };
            if name == "primaryLocationLineHash" {
                marks.of_github = Some(mark);
                continue;
            }
            let is_before = marks.first.as_ref().is_none_or(|(first, _)| name < *first);
            if is_before && !mark.is_empty() {
                marks.first = Some((name, mark));
            }
        }
        Ok(marks)
    }

    other_than!(map, Marks::default());
}

impl<'de> Deserialize<'de> for Marks {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Marks, D::Error> {
        from.deserialize_any(MarksVisitor)
    }
}

struct BasesVisitor;

impl<'de> Visitor<'de> for BasesVisitor {
    type Value = Bases;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Bases, A::Error> {
        let mut all = Vec::new();
        while all.len() < BASES_MAX {
            match map.next_entry::<IgnoredAny, Node<Location>>()? {
                Some((_, it)) => all.push(it.0),
                None => return Ok(Bases(all)),
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Bases(all))
    }

    other_than!(map, Bases::default());
}

impl<'de> Deserialize<'de> for Bases {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Bases, D::Error> {
        from.deserialize_any(BasesVisitor)
    }
}

/// The file.
struct Root<'f>(&'f mut Found);

impl<'de> Visitor<'de> for Root<'_> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "version" => {
                    let version: Scalar = map.next_value()?;
                    version.text().clone_into(&mut self.0.version);
                }
                "runs" => map.next_value_seed(Runs(self.0))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    other_than!(map, ());
}

/// Runs of tools.
struct Runs<'f>(&'f mut Found);

impl<'de> DeserializeSeed<'de> for Runs<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Runs<'_> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("anything")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.has_runs = true;
        while seq.next_element_seed(OneRun(self.0))?.is_some() {
            self.0.end_run();
        }
        Ok(())
    }

    other_than!(seq, ());
}

struct OneRun<'f>(&'f mut Found);

impl<'de> DeserializeSeed<'de> for OneRun<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OneRun<'_> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "tool" => self.0.tool = Some(map.next_value::<Node<_>>()?.0),
                "originalUriBaseIds" => self.0.bases = map.next_value()?,
                "results" => map.next_value_seed(Results(self.0))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    other_than!(map, ());
}

struct Results<'f>(&'f mut Found);

impl<'de> DeserializeSeed<'de> for Results<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Results<'_> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("anything")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while self.0.count < super::FINDINGS_MAX {
            match seq.next_element::<Node<Outcome>>()? {
                Some(result) => self.0.result(result.0),
                None => return Ok(()),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {
            self.0.scan.is_cut = true;
        }
        Ok(())
    }

    other_than!(seq, ());
}
