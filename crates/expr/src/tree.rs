//! The syntax tree, for the evaluator and for those who look for mistakes.

use std::ops::Range;

use crate::value::Value;

/// One piece of an expression.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Where it stands in the expression's text, in bytes, with its parentheses.
    pub span: Range<usize>,
    /// Levels from here down, itself included.
    pub(crate) height: usize,
}

/// What a piece of an expression is.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// `'text'`, `1`, `true`, `null`.
    Literal(Value),
    /// `github`, as written.
    Context(String),
    /// `base.name`, `base[index]`, `base.*`.
    Index {
        /// What is looked into.
        base: Box<Node>,
        /// Which part of it.
        selector: Selector,
    },
    /// `contains(a, b)`.
    Call {
        /// The function.
        function: Function,
        /// Its arguments.
        arguments: Vec<Node>,
    },
    /// `!a`.
    Not(Box<Node>),
    /// `a == b` and its like.
    Compare {
        /// How they are compared.
        comparison: Comparison,
        /// The left side.
        left: Box<Node>,
        /// The right side.
        right: Box<Node>,
    },
    /// `a && b && c`: a chain of one operator is one node.
    Logical {
        /// The operator.
        operator: Logical,
        /// Two or more.
        operands: Vec<Node>,
    },
}

/// Which part of a value is meant.
#[derive(Clone, Debug)]
pub enum Selector {
    /// `.name`, as written.
    Property(String),
    /// `.*` or `[*]`: all of them (conformance 82).
    Wildcard,
    /// `[index]`.
    Index(Box<Node>),
}

/// The operators that compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// The operators that choose an operand (conformance 73).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logical {
    /// `&&`: the first falsy operand, or the last.
    And,
    /// `||`: the first truthy operand, or the last.
    Or,
}

/// Every function there is. Which of them a place has is up to its scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names are the language's own")]
pub enum Function {
    Case,
    Contains,
    EndsWith,
    Format,
    FromJson,
    Join,
    StartsWith,
    ToJson,
    HashFiles,
    Always,
    Cancelled,
    Failure,
    Success,
}

impl Function {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Case,
        Self::Contains,
        Self::EndsWith,
        Self::Format,
        Self::FromJson,
        Self::Join,
        Self::StartsWith,
        Self::ToJson,
        Self::HashFiles,
        Self::Always,
        Self::Cancelled,
        Self::Failure,
        Self::Success,
    ];

    /// The function called `name`, whatever its case (conformance 79).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(name))
    }

    /// The name as GitHub's documentation spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Contains => "contains",
            Self::EndsWith => "endsWith",
            Self::Format => "format",
            Self::FromJson => "fromJSON",
            Self::Join => "join",
            Self::StartsWith => "startsWith",
            Self::ToJson => "toJSON",
            Self::HashFiles => "hashFiles",
            Self::Always => "always",
            Self::Cancelled => "cancelled",
            Self::Failure => "failure",
            Self::Success => "success",
        }
    }

    /// Whether it asks how things went, and so replaces the implied `success()` (conformance 88).
    #[must_use]
    pub fn is_status(self) -> bool {
        matches!(self, Self::Always | Self::Cancelled | Self::Failure | Self::Success)
    }

    /// Least and most arguments of a function that every place has.
    pub(crate) fn general_arity(self) -> Option<(usize, usize)> {
        match self {
            Self::Case => Some((3, 255)),
            Self::Contains | Self::EndsWith | Self::StartsWith => Some((2, 2)),
            Self::Format => Some((1, 255)),
            Self::FromJson | Self::ToJson => Some((1, 1)),
            Self::Join => Some((1, 2)),
            Self::HashFiles | Self::Always | Self::Cancelled | Self::Failure | Self::Success => {
                None
            }
        }
    }
}
