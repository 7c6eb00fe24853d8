//! Where the two are known to differ, and why ours is what runs steps: GitHub's runner is written in
//! C#, and conformance says that C# is right.

use super::Outcome;

/// One difference that is meant.
pub(crate) struct Difference {
    /// Why.
    pub(crate) reason: &'static str,
    /// Whether it explains this case.
    pub(crate) applies: fn(&str, &Outcome, &Outcome) -> bool,
}

/// All of them. The first that applies is counted; each wants both the piece of text that brings it
/// about and outcomes of its own shape.
pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        reason: "0X is no prefix, and 0x takes 32 bits: C# refuses the literal",
        applies: |text, ours, theirs| {
            has(text, &["0X", "0x1000", "0xFFFFFFFFF"]) && parse_error(ours) && !parse_error(theirs)
        },
    },
    Difference {
        reason: "32-bit patterns are signed in C#; 0b is no prefix there; infinity has any case",
        applies: |text, ours, theirs| {
            has(text, &["0xFFFFFFFF", "'0xfffffffff'", "'0b11'", "'infinity'"])
                && values(ours, theirs)
        },
    },
    Difference {
        reason: "C# reads JSON leniently: names without quotes, a last comma, more behind it",
        applies: |text, ours, theirs| {
            has(text, &["{a: 1}", "[1,]", "'1 2'"]) && !parse_error(ours) && bad_json(theirs)
        },
    },
    Difference {
        reason: "C# reads the NaN and Infinity that its own toJSON writes",
        applies: |text, ours, theirs| {
            has(text, &["NaN", "Infinity", "1e999"])
                && has(text, &["toJSON"])
                && values(ours, theirs)
        },
    },
    Difference {
        reason: "C# knows format specifiers, and no value takes any",
        applies: |text, ours, theirs| {
            has(text, &["{0:x}"])
                && matches!(ours, Outcome::EvaluationError(it) if it.contains("specifiers"))
                && matches!(theirs, Outcome::Value(_))
        },
    },
    Difference {
        reason: "C# evaluates arguments and indexes when they are needed, TypeScript always",
        applies: |text, ours, theirs| {
            has(text, &["format(", "case(", "contains(", "startsWith(", "ENDSWITH(", "join(", "["])
                && matches!(ours, Outcome::Value(_))
                && matches!(theirs, Outcome::EvaluationError(_))
        },
    },
    Difference {
        reason: "C# keeps the order of number-like keys; of keys equal but for case the last wins",
        applies: |text, ours, theirs| {
            has(text, &["\": 1, \"1", "\"A\": 2"]) && values(ours, theirs)
        },
    },
    Difference {
        reason: "C# writes 15 significant digits and exponents like E+19",
        applies: |text, ours, theirs| {
            has(text, &["1e21", "1234567890123", "0.00001", "0.1234567", "0.3000000", "1e15"])
                && !parse_error(ours)
                && !parse_error(theirs)
        },
    },
    Difference {
        reason: "C# compares without case one character at a time: the sharp s is no SS",
        applies: |text, ours, theirs| has(text, &["straße"]) && values(ours, theirs),
    },
    Difference {
        reason: "C# escapes Unicode's line separators in JSON",
        applies: |text, ours, theirs| {
            has(text, &["\u{2028}"]) && has(text, &["toJSON"]) && values(ours, theirs)
        },
    },
    Difference {
        reason: "TypeScript undoubles only the first doubled quote of a string",
        applies: |text, ours, theirs| text.matches("''").count() > 1 && values(ours, theirs),
    },
    Difference {
        reason: "TypeScript lets a comma stand behind the last argument",
        applies: |text, ours, theirs| {
            has(text, &[",)", ", )"]) && parse_error(ours) && !parse_error(theirs)
        },
    },
    Difference {
        reason: "C# counts every comparison of a chain as a level of depth",
        applies: |_, ours, theirs| {
            matches!(ours, Outcome::ParseError(it) if it.contains("depth")) && !parse_error(theirs)
        },
    },
];

fn has(text: &str, any: &[&str]) -> bool {
    any.iter().any(|it| text.contains(it))
}

fn values(ours: &Outcome, theirs: &Outcome) -> bool {
    matches!((ours, theirs), (Outcome::Value(_), Outcome::Value(_)))
}

fn parse_error(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::ParseError(_))
}

fn bad_json(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::EvaluationError(it) if it.contains("fromJson"))
}
