//! Mappings that keep the order in which they were filled.

use std::borrow::Cow;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::casing;
use crate::value::Value;

/// An ordered mapping from text to values. Its keys ignore case (conformance 79) unless it was made
/// by [`Object::case_sensitive`].
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// By the key's form for looking up; beside the value, the key as it was written.
    entries: IndexMap<Arc<str>, (Arc<str>, Value)>,
    sensitive: bool,
}

impl Object {
    /// An empty object whose keys ignore case.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty object whose keys do not ignore case: `env`, on Linux.
    #[must_use]
    pub fn case_sensitive() -> Self {
        Self { entries: IndexMap::new(), sensitive: true }
    }

    /// Sets a key. One that is there already keeps its place and spelling; its old value is given
    /// back.
    pub fn insert(&mut self, key: impl Into<Arc<str>>, value: impl Into<Value>) -> Option<Value> {
        let key = key.into();
        let folded: Arc<str> = match self.look_up_form(&key) {
            Cow::Borrowed(_) => Arc::clone(&key),
            Cow::Owned(folded) => Arc::from(folded),
        };
        match self.entries.entry(folded) {
            indexmap::map::Entry::Occupied(mut entry) => {
                Some(std::mem::replace(&mut entry.get_mut().1, value.into()))
            }
            indexmap::map::Entry::Vacant(entry) => {
                entry.insert((key, value.into()));
                None
            }
        }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(self.look_up_form(key).as_ref()).map(|(_, value)| value)
    }

    /// Keys as written and values, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.entries.values().map(|(key, value)| (key.as_ref(), value))
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn look_up_form<'a>(&self, key: &'a str) -> Cow<'a, str> {
        if self.sensitive { Cow::Borrowed(key) } else { casing::fold(key) }
    }
}

impl<K: Into<Arc<str>>, V: Into<Value>> FromIterator<(K, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut object = Self::new();
        object.extend(entries);
        object
    }
}

impl<K: Into<Arc<str>>, V: Into<Value>> Extend<(K, V)> for Object {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves: conformance 79
    #[test]
    fn c79_keys_ignore_case_and_keep_their_order_and_spelling() {
        let mut object: Object = [("Zeta", "1"), ("alpha", "2")].into_iter().collect();
        assert!(object.insert("ZETA", "3").is_some());
        let entries: Vec<_> = object.iter().map(|(key, it)| (key, it.to_text())).collect();
        assert_eq!(entries, [("Zeta", Arc::from("3")), ("alpha", Arc::from("2"))]);
        assert!(object.get("zETA").is_some());
        assert_eq!(object.len(), 2);
    }

    // proves: conformance 79
    #[test]
    fn c79_env_tells_cases_apart() {
        let mut env = Object::case_sensitive();
        env.insert("Path", "a");
        env.insert("PATH", "b");
        assert_eq!(env.len(), 2);
        assert!(env.get("path").is_none());
        assert_eq!(env.get("PATH").map(Value::to_text).as_deref(), Some("b"));
    }
}
