//! The values of the language and how one kind becomes another.

use std::fmt;
use std::sync::Arc;

use crate::casing;
use crate::number;
use crate::object::Object;

/// One value (conformance 71). Arrays and objects are shared: equality of these two is identity
/// (conformance 74).
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// Nothing; what a missing property gives.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An IEEE double.
    Number(f64),
    /// Text.
    String(Arc<str>),
    /// A list.
    Array(Arc<Vec<Value>>),
    /// A mapping with keys that ignore case, unless it says otherwise.
    Object(Arc<Object>),
}

/// The kinds of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Boolean,
    /// An IEEE double.
    Number,
    /// Text.
    String,
    /// A list.
    Array,
    /// A mapping.
    Object,
}

impl Kind {
    /// Whether values of this kind have a text of their own.
    #[must_use]
    pub fn is_primitive(self) -> bool {
        !matches!(self, Self::Array | Self::Object)
    }

    /// The kind's name in GitHub's messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "Null",
            Self::Boolean => "Boolean",
            Self::Number => "Number",
            Self::String => "String",
            Self::Array => "Array",
            Self::Object => "Object",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Value {
    /// The value's kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Bool(_) => Kind::Boolean,
            Self::Number(_) => Kind::Number,
            Self::String(_) => Kind::String,
            Self::Array(_) => Kind::Array,
            Self::Object(_) => Kind::Object,
        }
    }

    /// Whether a condition holds: all but null, false, 0, NaN and '' (conformance 73).
    #[must_use]
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Number(value) => *value != 0.0 && !value.is_nan(),
            Self::String(value) => !value.is_empty(),
            Self::Array(_) | Self::Object(_) => true,
        }
    }

    /// The text a value turns into (conformance 77, 78).
    #[must_use]
    pub fn to_text(&self) -> Arc<str> {
        match self {
            Self::Null => Arc::from(""),
            Self::Bool(true) => Arc::from("true"),
            Self::Bool(false) => Arc::from("false"),
            Self::Number(value) => Arc::from(number::to_text(*value)),
            Self::String(value) => Arc::clone(value),
            Self::Array(_) => Arc::from("Array"),
            Self::Object(_) => Arc::from("Object"),
        }
    }

    /// The number a value turns into (conformance 74, 76).
    #[must_use]
    pub fn to_number(&self) -> f64 {
        match self {
            Self::Null => 0.0,
            Self::Bool(value) => f64::from(u8::from(*value)),
            Self::Number(value) => *value,
            Self::String(value) => number::from_text(value),
            Self::Array(_) | Self::Object(_) => f64::NAN,
        }
    }

    /// `==` of the language (conformance 74).
    #[must_use]
    pub fn loosely_equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::String(left), Self::String(right)) => casing::equal(left, right),
            (Self::Array(left), Self::Array(right)) => Arc::ptr_eq(left, right),
            (Self::Object(left), Self::Object(right)) => Arc::ptr_eq(left, right),
            // NaN, which collections become, equals nothing: IEEE says the rest.
            _ => self.to_number() == other.to_number(),
        }
    }

    /// The order of two values, if they have one (conformance 75).
    #[must_use]
    pub fn loosely_compares(&self, other: &Self) -> Option<std::cmp::Ordering> {
        match (self, other) {
            // Nothing is neither before nor after nothing, but `<=` and `>=` ask for equality too.
            (Self::Null, Self::Null) => Some(std::cmp::Ordering::Equal),
            (Self::Bool(left), Self::Bool(right)) => Some(left.cmp(right)),
            (Self::String(left), Self::String(right)) => Some(casing::compare(left, right)),
            (Self::Array(_) | Self::Object(_), _) | (_, Self::Array(_) | Self::Object(_)) => {
                self.loosely_equals(other).then_some(std::cmp::Ordering::Equal)
            }
            _ => self.to_number().partial_cmp(&other.to_number()),
        }
    }

    /// The value that `json` stands for. Objects ignore the case of their keys.
    #[must_use]
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(value) => Self::Number(value.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(value) => Self::String(Arc::from(value.as_str())),
            serde_json::Value::Array(items) => items.iter().map(Self::from_json).collect(),
            serde_json::Value::Object(entries) => {
                let entries = entries.iter().map(|(key, it)| (key.as_str(), Self::from_json(it)));
                Self::from(entries.collect::<Object>())
            }
        }
    }

    /// The value as JSON. Numbers without JSON form (NaN, infinities) become null.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => serde_json::Value::Bool(*value),
            Self::Number(value) => number_to_json(*value),
            Self::String(value) => serde_json::Value::String(value.as_ref().to_owned()),
            Self::Array(items) => items.iter().map(Self::to_json).collect(),
            Self::Object(object) => {
                object.iter().map(|(key, it)| (key.to_owned(), it.to_json())).collect()
            }
        }
    }
}

/// Whole numbers that a double holds exactly are written without a fraction: `1`, not `1.0`.
fn number_to_json(value: f64) -> serde_json::Value {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        return serde_json::Value::from(value as i64);
    }
    serde_json::Value::from(value)
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Number(f64::from(value))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Number(f64::from(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(Arc::from(value))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(Arc::from(value))
    }
}

impl From<Arc<str>> for Value {
    fn from(value: Arc<str>) -> Self {
        Self::String(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::Array(Arc::new(items))
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(Arc::new(object))
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Self::Array(Arc::new(items.into_iter().collect()))
    }
}
