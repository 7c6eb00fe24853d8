//! Where the two are known to differ. Why stands in `docs/differences.md`: GitHub's runner is written
//! in C#, and conformance says that C# is right.

use super::Outcome;

/// One difference that is meant.
pub(crate) struct Difference {
    /// Its name in the document.
    pub(crate) id: &'static str,
    /// The ways in which it shows. Each wants both the piece of text that brings it about and
    /// outcomes of its own shape.
    pub(crate) shows: &'static [fn(&str, &Outcome, &Outcome) -> bool],
}

impl Difference {
    /// Whether it explains this case.
    pub(crate) fn explains(&self, text: &str, ours: &Outcome, theirs: &Outcome) -> bool {
        self.shows.iter().any(|shows| shows(text, ours, theirs))
    }
}

/// All of them. The first that explains a case is counted.
pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        id: "numbers",
        shows: &[
            // No prefix, or more than 32 bits: refused as a literal.
            |text, ours, theirs| {
                has(text, &["0X", "0x1000", "0xFFFFFFFFF"])
                    && parse_error(ours)
                    && !parse_error(theirs)
            },
            |text, ours, theirs| {
                has(text, &["0xFFFFFFFF", "'0xfffffffff'", "'0b11'", "infinity'"])
                    && values(ours, theirs)
            },
            // Fifteen digits, and exponents like E+19.
            |text, ours, theirs| {
                let long = ["1234567890123", "0.00001", "0.1234567", "0.3000000", "1e21", "1e15"];
                has(text, &long) && !parse_error(ours) && !parse_error(theirs)
            },
        ],
    },
    Difference {
        id: "json",
        shows: &[
            // Read leniently.
            |text, ours, theirs| {
                has(text, &["{a: 1}", "[1,]", "'1 2'"]) && !parse_error(ours) && bad_json(theirs)
            },
            // What toJSON writes is read back.
            |text, ours, theirs| {
                has(text, &["NaN", "Infinity", "1e999"])
                    && has(text, &["toJSON"])
                    && values(ours, theirs)
            },
            // Number-like keys, and keys equal but for case.
            |text, ours, theirs| has(text, &["\": 1, \"1", "\"A\": 2"]) && values(ours, theirs),
            |text, ours, theirs| {
                has(text, &["\u{2028}"]) && has(text, &["toJSON"]) && values(ours, theirs)
            },
        ],
    },
    Difference {
        id: "format-specifiers",
        shows: &[|text, ours, theirs| {
            has(text, &["{0:x}"])
                && matches!(ours, Outcome::EvaluationError(it) if it.contains("specifiers"))
                && matches!(theirs, Outcome::Value(_))
        }],
    },
    Difference {
        id: "laziness",
        shows: &[|text, ours, theirs| {
            has(text, &["format(", "case(", "contains(", "startsWith(", "ENDSWITH(", "join(", "["])
                && matches!(ours, Outcome::Value(_))
                && matches!(theirs, Outcome::EvaluationError(_))
        }],
    },
    Difference {
        id: "letters",
        shows: &[|text, ours, theirs| has(text, &["straße"]) && values(ours, theirs)],
    },
    Difference {
        id: "doubled-quotes",
        shows: &[|text, ours, theirs| text.matches("''").count() > 1 && values(ours, theirs)],
    },
    Difference {
        id: "last-comma",
        shows: &[|text, ours, theirs| {
            has(text, &[",)", ", )"]) && parse_error(ours) && !parse_error(theirs)
        }],
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
