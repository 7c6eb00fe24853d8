//! JSON that is read as it comes: what is of another kind than it should be counts as not there, and where the text
//! ends in the middle, what stood before that was taken.

use std::fmt;

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

impl<T> Default for First<T> {
    fn default() -> First<T> {
        First(None)
    }
}

impl<T> Default for List<T> {
    fn default() -> List<T> {
        List { all: Vec::new(), is_cut: false }
    }
}

/// Reads a whole text; false where it ends in the middle, or is no JSON from somewhere on.
pub(super) fn read(text: &str, found: &mut Found) -> bool {
    let mut from = serde_json::Deserializer::from_str(text);
    from.deserialize_any(Members(Root(found))).is_ok() && from.end().is_ok()
}

/// A visitor's answers where there is no object and no list.
macro_rules! no_scalar {
    () => {
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
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

/// What is read out of the members of an object as they come; its default where it is none.
trait OfMembers<'de>: Sized {
    type Read: Default;

    fn members<A: MapAccess<'de>>(self, map: A) -> Result<Self::Read, A::Error>;
}

/// What is read out of the elements of a list as they come; its default where it is none.
trait OfElements<'de>: Sized {
    type Read: Default;

    fn elements<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Read, A::Error>;
}

struct Members<R>(R);

impl<'de, R: OfMembers<'de>> Visitor<'de> for Members<R> {
    type Value = R::Read;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<R::Read, A::Error> {
        self.0.members(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<R::Read, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(R::Read::default())
    }

    no_scalar!();
}

impl<'de, R: OfMembers<'de>> DeserializeSeed<'de> for Members<R> {
    type Value = R::Read;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<R::Read, D::Error> {
        from.deserialize_any(self)
    }
}

struct Elements<R>(R);

impl<'de, R: OfElements<'de>> Visitor<'de> for Elements<R> {
    type Value = R::Read;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("anything")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<R::Read, A::Error> {
        self.0.elements(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<R::Read, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(R::Read::default())
    }

    no_scalar!();
}

impl<'de, R: OfElements<'de>> DeserializeSeed<'de> for Elements<R> {
    type Value = R::Read;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<R::Read, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, T: Deserialize<'de> + Default> OfMembers<'de> for Node<T> {
    type Read = Node<T>;

    fn members<A: MapAccess<'de>>(self, map: A) -> Result<Node<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Node)
    }
}

impl<'de, T: Deserialize<'de>> OfElements<'de> for List<T> {
    type Read = List<T>;

    fn elements<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<List<T>, A::Error> {
        while self.all.len() < RULES_MAX {
            match seq.next_element()? {
                Some(it) => self.all.push(it),
                None => return Ok(self),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {
            self.is_cut = true;
        }
        Ok(self)
    }
}

impl<'de, T: Deserialize<'de>> OfElements<'de> for First<T> {
    type Read = First<T>;

    fn elements<A: SeqAccess<'de>>(self, mut seq: A) -> Result<First<T>, A::Error> {
        let first = seq.next_element()?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(First(first))
    }
}

impl<'de> OfElements<'de> for Suppressions {
    type Read = Suppressions;

    fn elements<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Suppressions, A::Error> {
        while let Some(it) = seq.next_element::<Node<Suppression>>()? {
            self.is_any = true;
            self.is_any_open |= matches!(it.0.status.text(), "underReview" | "rejected");
        }
        Ok(self)
    }
}

impl<'de> OfElements<'de> for Extensions {
    type Read = Extensions;

    fn elements<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Extensions, A::Error> {
        let mut all = self.0;
        while let Some(it) = seq.next_element::<Node<Component>>()? {
            let rules = it.0.rules;
            let room = RULES_MAX - all.all.len();
            all.is_cut |= rules.is_cut || rules.all.len() > room;
            all.all.extend(rules.all.into_iter().take(room));
        }
        Ok(Extensions(all))
    }
}

impl<'de> OfMembers<'de> for Marks {
    type Read = Marks;

    fn members<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Marks, A::Error> {
        while let Some((name, mark)) = map.next_entry::<String, Scalar>()? {
            let Scalar::Text(mark) = mark else { continue };
            if name == "primaryLocationLineHash" {
                self.of_github = Some(mark);
                continue;
            }
            let is_before = self.first.as_ref().is_none_or(|(first, _)| name < *first);
            if is_before && !mark.is_empty() {
                self.first = Some((name, mark));
            }
        }
        Ok(self)
    }
}

impl<'de> OfMembers<'de> for Bases {
    type Read = Bases;

    fn members<A: MapAccess<'de>>(self, mut map: A) -> Result<Bases, A::Error> {
        let mut all = self.0;
        while all.len() < BASES_MAX {
            match map.next_entry::<IgnoredAny, Node<Location>>()? {
                Some((_, it)) => all.push(it.0),
                None => return Ok(Bases(all)),
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Bases(all))
    }
}

/// Values are read from where they stand; their readers begin with nothing.
macro_rules! is_read {
    ($($what:ident $(<$of:ident $(+ $more:ident)?>)? as $how:ident;)*) => {$(
        impl<'de $(, $of: Deserialize<'de> $(+ $more)?)?> Deserialize<'de> for $what $(<$of>)? {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any($how(Self::default()))
            }
        }
    )*};
}

is_read! {
    Node<T + Default> as Members;
    List<T> as Elements;
    First<T> as Elements;
    Suppressions as Elements;
    Extensions as Elements;
    Marks as Members;
    Bases as Members;
}

/// The file.
struct Root<'f>(&'f mut Found);

impl<'de> OfMembers<'de> for Root<'_> {
    type Read = ();

    fn members<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "version" => {
                    let version: Scalar = map.next_value()?;
                    version.text().clone_into(&mut self.0.version);
                }
                "runs" => map.next_value_seed(Elements(Runs(self.0)))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// Runs of tools.
struct Runs<'f>(&'f mut Found);

impl<'de> OfElements<'de> for Runs<'_> {
    type Read = ();

    fn elements<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.has_runs = true;
        while seq.next_element_seed(Members(OneRun(self.0)))?.is_some() {
            self.0.end_run();
        }
        Ok(())
    }
}

struct OneRun<'f>(&'f mut Found);

impl<'de> OfMembers<'de> for OneRun<'_> {
    type Read = ();

    fn members<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "tool" => self.0.tool = Some(map.next_value::<Node<_>>()?.0),
                "originalUriBaseIds" => self.0.bases = map.next_value()?,
                "results" => map.next_value_seed(Elements(Results(self.0)))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

struct Results<'f>(&'f mut Found);

impl<'de> OfElements<'de> for Results<'_> {
    type Read = ();

    fn elements<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
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
}
