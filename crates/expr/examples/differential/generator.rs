//! Expressions from a seed: every operator, every general function, every kind of operand.

use serde_json::{Value as Json, json};

/// The contexts that generated expressions name.
pub(crate) const CONTEXTS: &[&str] = &["github", "matrix", "env"];

/// What is in them.
pub(crate) fn contexts() -> Json {
    json!({
        "github": {
            "ref": "refs/heads/main",
            "Actor": "Mona",
            "run_number": 17,
            "empty": "",
            "nothing": null,
            "event": {
                "labels": [
                    {"name": "bug", "id": 1, "tags": ["x", "Y"]},
                    {"name": "Docs", "id": 2.5, "tags": []},
                    {"id": 3, "nested": {"name": "deep"}},
                    "plain",
                    ["in", {"name": "list"}],
                ],
                "draft": false,
                "forced": true,
            },
            "json": "{\"a\": [1, 2, {\"b\": null}], \"c\": \"d\"}",
        },
        "matrix": {
            "os": ["ubuntu", "macos", "Windows"],
            "n": [0, 1, 2, -3.5, "4", true, null],
            "version": 3.1,
            "none": [],
            "void": {},
        },
        "env": {"PATH_": "/usr/bin", "COUNT": "12", "HEX": "0x1F", "WORD": "abc", "FLAG": "true"},
    })
}

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "-1",
    "+3",
    ".5",
    "2.25",
    "-.75",
    "1e3",
    "0x1F",
    "0o17",
    "100",
    "3.14159",
    "1e-3",
    "12345678901",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e21",
    "12345678901234567890.0",
    "0.00001",
    "0.1234567890123456",
    "-0",
    "5.",
    "0.30000000000000004",
    "1e15",
    "0xFFFFFFFF",
    "0x100000000",
    "0X1f",
    "123456789012345",
];
const STRINGS: &[&str] = &[
    "''",
    "'a'",
    "'ABC'",
    "'abc'",
    "'b'",
    "'refs/heads/'",
    "'main'",
    "'0'",
    "'1'",
    "' 12 '",
    "'0x10'",
    "'0o7'",
    "'1e2'",
    "'Infinity'",
    "'x1'",
    "'true'",
    "'null'",
    "'it''s'",
    "'é'",
    "'É'",
    "'name'",
    "'ID'",
    "'a''b''c'",
    "'straße'",
    "'STRASSE'",
    "'1e'",
    "'+5'",
    "'.'",
    "'0b11'",
    "'-Infinity'",
    "'\u{1f600}'",
    "'_'",
    "'Z'",
    "'line\nend'",
    "'\u{2028}'",
    "'quote\"d\\'",
    "'ubuntu'",
    "'infinity'",
    "'0xfffffffff'",
    "'{0}'",
];
const JSON_TEXTS: &[&str] = &[
    "'[1, 2, 3]'",
    "'{\"a\": 1}'",
    "'[]'",
    "'{}'",
    "'null'",
    "'true'",
    "'\"text\"'",
    "'1.5'",
    "'[[\"a\", {\"b\": [true]}], null]'",
    "'{\"name\": \"N\", \"Id\": {\"x\": [0]}}'",
    "'nope'",
    "''",
    "'{'",
    "'[1,]'",
    "'{a: 1}'",
    "'1e999'",
    "'{\"a\": 1, \"A\": 2}'",
    "'-'",
    "'\"\\u00e9\"'",
    "' [ 1 ] '",
    "'1 2'",
    "'{\"2\": 1, \"1\": 2}'",
    "github.json",
];
const COLLECTIONS: &[&str] = &[
    "github",
    "matrix",
    "env",
    "github.event",
    "github.event.labels",
    "matrix.os",
    "matrix.n",
    "matrix.none",
    "matrix.void",
    "github.event.labels[0]",
    "github.event.labels.*",
    "github.event.labels.*.name",
    "github.event.*",
    "matrix.*",
    "matrix.os[*]",
    "github.event.labels.*.tags",
    "github.event.labels.*.*",
    "github.event.labels.*.tags[0]",
];
const VALUES: &[&str] = &[
    "github.ref",
    "github.ACTOR",
    "github['run_number']",
    "github.nothing",
    "github.missing.x",
    "matrix.os[1]",
    "matrix.n[3]",
    "matrix.os[1.9]",
    "matrix.os['2']",
    "matrix.version",
    "env.COUNT",
    "env.hex",
    "env.WORD",
    "github.event.draft",
    "github.event.forced",
    "github.event.labels[0].tags[1]",
    "github.event.labels.*.name[0]",
    "null",
    "true",
    "false",
];
const FORMATS: &[&str] = &[
    "'{0}'",
    "'{0}-{1}'",
    "'{{{0}}}'",
    "'{1}{1}'",
    "'plain'",
    "'{'",
    "'}'",
    "'{0'",
    "'{a}'",
    "'{{}}'",
    "'{2}'",
    "'{0} {{x}} {1}'",
    "'{00}'",
    "'{0:x}'",
    "'{256}'",
    "'{-1}'",
];
const COMPARISONS: &[&str] = &["==", "!=", "<", "<=", ">", ">="];
const PROPERTIES: &[&str] = &["name", "ID", "tags", "a", "b", "nested", "length", "x-y", "_z"];

/// `count` expressions; the same seed gives the same ones.
pub(crate) fn expressions(seed: u64, count: usize) -> Vec<String> {
    let mut generator = Generator { state: seed };
    (0..count).map(|_| generator.expression()).collect()
}

struct Generator {
    state: u64,
}

impl Generator {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("a usize fits");
        usize::try_from(self.next() % bound).expect("below a usize")
    }

    fn pick(&mut self, from: &[&str]) -> String {
        let index = self.below(from.len());
        from[index].to_owned()
    }

    fn expression(&mut self) -> String {
        let depth = 1 + self.below(4);
        let mut text = self.value(depth);
        // One in sixteen gets a mistake: a character lost, doubled or swapped for another.
        if self.below(16) == 0 {
            let characters: Vec<char> = text.chars().collect();
            let at = self.below(characters.len());
            // Not inside a string: broken JSON and formats have their own tables above.
            if characters[..at].iter().filter(|it| **it == '\'').count() % 2 == 1 {
                return text;
            }
            let mut changed = characters.clone();
            match self.below(3) {
                0 => drop(changed.remove(at)),
                1 => changed.insert(at, characters[at]),
                _ => {
                    changed[at] =
                        ['(', ')', '.', '*', '\'', ',', '[', '!', ' ', '"'][self.below(10)];
                }
            }
            text = changed.into_iter().collect();
        }
        text
    }

    fn value(&mut self, depth: usize) -> String {
        if depth == 0 {
            return match self.below(8) {
                0 | 1 => self.pick(NUMBERS),
                2..=4 => self.pick(STRINGS),
                5 => self.pick(COLLECTIONS),
                _ => self.pick(VALUES),
            };
        }
        let depth = depth - 1;
        match self.below(20) {
            0 => format!("!{}", self.grouped(depth)),
            1..=4 => {
                let (left, right) = (self.grouped(depth), self.grouped(depth));
                format!("{left} {} {right}", self.pick(COMPARISONS))
            }
            5 | 6 => format!("{} && {}", self.value(depth), self.value(depth)),
            7 | 8 => format!("{} || {}", self.value(depth), self.value(depth)),
            9 => {
                let (base, index) = (self.collection(depth), self.value(depth));
                format!("{base}[{index}]")
            }
            10 => {
                let base = self.collection(depth);
                format!("{base}.{}", self.pick(PROPERTIES))
            }
            11 => self.collection(depth),
            12 => format!("({})", self.value(depth)),
            _ => self.call(depth),
        }
    }

    fn grouped(&mut self, depth: usize) -> String {
        let text = self.value(depth);
        if self.below(3) == 0 { text } else { format!("({text})") }
    }

    fn collection(&mut self, depth: usize) -> String {
        match self.below(6) {
            0 => format!("fromJSON({})", self.pick(JSON_TEXTS)),
            1 => format!("(({}).*)", self.value(depth)),
            2 => format!("({})[*]", self.value(depth)),
            _ => self.pick(COLLECTIONS),
        }
    }

    fn call(&mut self, depth: usize) -> String {
        match self.below(13) {
            0 | 1 => format!("contains({}, {})", self.value(depth), self.value(depth)),
            2 => format!("contains({}, {})", self.collection(depth), self.value(0)),
            3 => format!("startsWith({}, {})", self.value(depth), self.value(0)),
            4 => format!("ENDSWITH({}, {})", self.value(depth), self.value(0)),
            5 | 6 => {
                let format = self.pick(FORMATS);
                format!("format({format}, {}, {})", self.value(depth), self.value(depth))
            }
            7 => format!("join({})", self.collection(depth)),
            8 => format!("join({}, {})", self.value(depth), self.value(0)),
            9 => format!("toJSON({})", self.value(depth)),
            10 => format!("fromJSON({})", self.pick(JSON_TEXTS)),
            11 => format!("fromJSON(toJSON({}))", self.value(depth)),
            _ => {
                let predicate = format!("{} == {}", self.value(0), self.value(0));
                format!("case({predicate}, {}, {})", self.value(depth), self.value(depth))
            }
        }
    }
}
