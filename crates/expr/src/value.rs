//! The values of the language.

use std::sync::Arc;

/// One value (conformance 71). Arrays and objects are shared: equality of these two is identity
/// (conformance 74).
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing; what a missing property gives.
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
