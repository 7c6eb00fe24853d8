//! What the table of keys is written in: shapes, their keys, and what a key takes.
//!
//! ```text
//!   table  --Shape, Key, Kind-->  tree.rs    closed sets, kinds, ranges   (reading)
//!                                 schema.rs  JSON Schema                  (editors)
//!                                 page.rs    docs/settings.md             (people)
//!                                 view.rs    defaults                     (typed settings)
//! ```
//!
//! Nothing about a key is said anywhere else, so the four cannot disagree.

use crate::form::Form;

/// A mapping with a closed set of keys.
#[derive(Debug)]
pub(crate) struct Shape {
    /// What one is called: `service`, `health`.
    pub(crate) name: &'static str,
    pub(crate) keys: &'static [Key],
    /// The key that a plain value or list in place of the mapping stands for.
    pub(crate) short: Option<&'static str>,
    /// Exactly one of these keys is given. Where that is every key, the bare name of one that
    /// needs nothing more will do: `strategy: rolling`.
    pub(crate) one_of: &'static [&'static str],
}

/// One key of a shape.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) need: Need,
    /// One or two sentences for the page and for editors.
    pub(crate) doc: &'static str,
    /// Whether deployments act upon it; a written key on which they do not is refused by them.
    pub(crate) standing: Standing,
}

/// Whether a key must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Required,
    Optional,
    /// What holds where it is not written, as it would be written.
    Default(&'static str),
    /// As `Default`, for lists: the items.
    Items(&'static [&'static str]),
}

/// What becomes of a key that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Done,
    /// Read and checked; a deployment that would need it is refused, with its place.
    NotYet,
}

/// What a key takes.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Text of some form: a path, a duration, an address.
    Form(&'static Form),
    /// `true` or `false`.
    Flag,
    /// A whole number within bounds, both included.
    Integer { min: u32, max: u32 },
    /// A length of time within bounds, both included, in milliseconds.
    Duration { min_ms: u64, max_ms: u64 },
    /// A size within bounds, both included, in bytes.
    Size { min_bytes: u64, max_bytes: u64 },
    /// One of these words, each with what it means.
    Word(&'static [(&'static str, &'static str)]),
    /// The name of something that stands elsewhere in the file.
    Reference(Named),
    /// A list; with `one`, a single item may stand for a list of itself.
    List { of: &'static Kind, min: usize, max: usize, one: bool },
    /// A mapping from names that the user chooses.
    Map { names: Names, of: &'static Kind, min: usize, max: usize },
    /// A mapping with a closed set of keys.
    Shape(&'static Shape),
}

/// What can be referred to by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Service,
    Environment,
    Group,
}

impl Named {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Named::Service => "service",
            Named::Environment => "environment",
            Named::Group => "group",
        }
    }

    /// The key of the root under which they stand.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Named::Service => "services",
            Named::Environment => "environments",
            Named::Group => "groups",
        }
    }
}

/// The keys of a [`Kind::Map`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Names {
    /// New names of a form.
    Form(&'static Form),
    /// Names of what stands elsewhere in the file.
    Reference(Named),
}

impl Names {
    pub(crate) fn form(self) -> &'static Form {
        match self {
            Names::Form(form) => form,
            Names::Reference(_) => &crate::form::NAME,
        }
    }
}

impl Shape {
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// Whether it is a choice: one key, and nothing beside it.
    pub(crate) fn is_choice(&self) -> bool {
        !self.one_of.is_empty() && self.one_of.len() == self.keys.len()
    }

    /// Alternatives that can be given by their bare name.
    pub(crate) fn bare(&self) -> impl Iterator<Item = &'static Key> {
        let choice = self.is_choice();
        self.keys.iter().filter(move |key| choice && key.kind.needs_nothing())
    }
}

impl Kind {
    /// Whether an empty mapping will do.
    fn needs_nothing(&self) -> bool {
        let Kind::Shape(shape) = self else { return false };
        shape.one_of.is_empty() && shape.keys.iter().all(|key| key.need != Need::Required)
    }
}

impl Key {
    pub(crate) const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Key {
        Key { name, kind, need: Need::Required, doc, standing: Standing::Done }
    }

    pub(crate) const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Key {
        Key { name, kind, need: Need::Optional, doc, standing: Standing::Done }
    }

    pub(crate) const fn default(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        doc: &'static str,
    ) -> Key {
        Key { name, kind, need: Need::Default(default), doc, standing: Standing::Done }
    }

    pub(crate) const fn items(
        name: &'static str,
        kind: Kind,
        items: &'static [&'static str],
        doc: &'static str,
    ) -> Key {
        Key { name, kind, need: Need::Items(items), doc, standing: Standing::Done }
    }

    pub(crate) const fn not_yet(mut self) -> Key {
        self.standing = Standing::NotYet;
        self
    }
}
