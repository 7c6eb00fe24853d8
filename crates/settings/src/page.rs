//! The tables of `docs/settings.md`, out of the table of keys.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use crate::kind::{Key, Kind, Need, Shape, Standing};
use crate::quantity::{duration_text, size_text};
use crate::table::ROOT;

/// Every key, a heading for each mapping that has a closed set of them, as Markdown.
pub fn page() -> String {
    let mut page = Page { text: String::new(), told: BTreeSet::new(), left: Vec::new() };
    page.left.push(("launchway.yml".to_owned(), &ROOT));
    while !page.left.is_empty() {
        let (path, shape) = page.left.remove(0);
        page.shape(&path, shape);
    }
    page.text
}

struct Page {
    text: String,
    told: BTreeSet<&'static str>,
    left: Vec<(String, &'static Shape)>,
}

impl Page {
    fn shape(&mut self, path: &str, shape: &'static Shape) {
        if shape.keys.is_empty() || !self.told.insert(shape.name) {
            return;
        }
        let _ = writeln!(self.text, "## `{path}`\n");
        if let Some(short) = shape.short {
            let _ = writeln!(self.text, "A plain value in its place stands for `{short}`.\n");
        }
        if !shape.one_of.is_empty() {
            let names = shape.one_of.join("`, `");
            let _ = write!(self.text, "Exactly one of `{names}`");
            let bare: Vec<&str> = shape.bare().map(|key| key.name).collect();
            let _ = match &bare[..] {
                [] => writeln!(self.text, ".\n"),
                bare => {
                    writeln!(self.text, "; its name alone will do for `{}`.\n", bare.join("`, `"))
                }
            };
        }
        if shape.name == crate::table::OVERRIDE.name {
            let _ = writeln!(self.text, "The keys of a service, all of them optional.\n");
            return;
        }
        let _ = writeln!(self.text, "| key | takes | default | meaning |\n|---|---|---|---|");
        let base = if path == "launchway.yml" { String::new() } else { format!("{path}.") };
        for key in shape.keys {
            self.row(key);
            self.follow(&format!("{base}{}", key.name), &key.kind);
        }
        self.text.push('\n');
    }

    fn row(&mut self, key: &Key) {
        let default = match key.need {
            Need::Required => "**needed**".to_owned(),
            Need::Optional => String::new(),
            Need::Default(text) => format!("`{text}`"),
            Need::Items(items) => format!("`[{}]`", items.join(", ")),
        };
        let standing = match key.standing {
            Standing::Done => "",
            Standing::NotYet => " **Not acted upon yet.**",
        };
        let takes = takes(&key.kind);
        let _ =
            writeln!(self.text, "| `{}` | {takes} | {default} | {}{standing} |", key.name, key.doc);
    }

    /// Shapes inside get headings of their own, behind this one.
    fn follow(&mut self, path: &str, kind: &Kind) {
        match kind {
            Kind::Shape(shape) => self.left.push((path.to_owned(), shape)),
            Kind::List { of, .. } => self.follow(&format!("{path}[]"), of),
            Kind::Map { of, .. } => self.follow(&format!("{path}.NAME"), of),
            _ => {}
        }
    }
}

fn takes(kind: &Kind) -> String {
    match kind {
        Kind::Form(form) if form.placeholders.is_empty() => form.about.to_owned(),
        Kind::Form(form) => format!(
            "{}; {} are filled in",
            form.about,
            form.placeholders.iter().map(|it| format!("`{{{it}}}`")).collect::<Vec<_>>().join(", ")
        ),
        Kind::Flag => "`true` or `false`".to_owned(),
        Kind::Integer { min, max } if min == max => format!("{min}"),
        Kind::Integer { min, max } => format!("{min} to {max}"),
        Kind::Duration { min_ms, max_ms } => {
            let text = |ms: &u64| duration_text(Duration::from_millis(*ms));
            format!("a time from {} to {}", text(min_ms), text(max_ms))
        }
        Kind::Size { min_bytes, max_bytes } => {
            format!("a size from {} to {}", size_text(*min_bytes), size_text(*max_bytes))
        }
        Kind::Word(words) => {
            let words = words.iter().map(|(word, doc)| format!("`{word}` ({doc})"));
            words.collect::<Vec<_>>().join(", ")
        }
        Kind::Reference(named) => format!("the name of a {}", named.word()).replace("a e", "an e"),
        Kind::List { of, one: true, .. } => format!("{}; or a list", takes(of)),
        Kind::List { of, .. } => format!("a list: {}", takes(of)),
        Kind::Map { names, of, .. } => format!("{} → {}", names.form().about, takes(of)),
        Kind::Shape(_) => "a mapping".to_owned(),
    }
}
