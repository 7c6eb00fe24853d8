//! Words in lines: painted, with dots between the pieces, folded where the terminal ends.

use super::Page;
use crate::terminal::style::{Style, plain_width};

/// The fewest columns that words are folded into.
const FOLD_COLUMNS_MIN: usize = 24;

impl Page {
    /// Words behind an indent.
    pub(super) fn fold(&mut self, indent: &str, pieces: &[(String, Paint)]) {
        self.fold_behind(indent, &format!("{indent}  "), pieces);
    }

    /// Pieces with dots between them, folded where the line ends.
    pub(super) fn fold_behind(&mut self, head: &str, hang: &str, pieces: &[(String, Paint)]) {
        let room = self.columns.max(plain_width(hang) + FOLD_COLUMNS_MIN);
        let mut line = Line::new(head, self.style);
        for (at, (piece, paint)) in pieces.iter().enumerate() {
            if at > 0 && !line.is_fresh {
                // A dot stays at the end of its line, not alone at the start of the next.
                line.push(" ·", Paint::Dim);
            }
            for word in piece.split(' ') {
                if !line.is_fresh && line.used + 1 + word.chars().count() > room {
                    let full = std::mem::replace(&mut line, Line::new(hang, self.style));
                    self.lines.push(full.end());
                }
                let gap = if line.is_fresh { "" } else { " " };
                line.push(&format!("{gap}{word}"), *paint);
                line.is_fresh = false;
            }
        }
        self.lines.push(line.end());
    }
}

/// A line on its way: text of one look is painted at once.
struct Line {
    style: Style,
    text: String,
    open: (String, Paint),
    used: usize,
    /// Nothing stands in it but its indent.
    is_fresh: bool,
}

impl Line {
    fn new(indent: &str, style: Style) -> Line {
        let open = (String::new(), Paint::Plain);
        Line { style, text: indent.to_owned(), open, used: plain_width(indent), is_fresh: true }
    }

    fn push(&mut self, text: &str, paint: Paint) {
        if self.open.1 != paint {
            self.flush();
            self.open.1 = paint;
        }
        self.open.0 += text;
        self.used += text.chars().count();
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.open.0);
        if !text.is_empty() {
            self.text += &self.open.1.on(self.style, &text);
        }
    }

    fn end(mut self) -> String {
        self.flush();
        self.text.trim_end().to_owned()
    }
}

/// How words look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Dim,
    Yellow,
    Red,
}

impl Paint {
    fn on(self, style: Style, text: &str) -> String {
        match self {
            Paint::Plain => text.to_owned(),
            Paint::Dim => style.dim(text),
            Paint::Yellow => style.yellow(text),
            Paint::Red => style.red(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn folded(columns: usize, style: Style, pieces: &[(&str, Paint)]) -> String {
        let mut page = Page { style, columns, lines: Vec::new() };
        let pieces: Vec<(String, Paint)> =
            pieces.iter().map(|(text, paint)| ((*text).to_owned(), *paint)).collect();
        page.fold_behind("* job  ", "       ", &pieces);
        page.lines.join("\n")
    }

    #[test]
    fn lines_are_folded_behind_the_name() {
        let pieces = [
            ("after lint, test", Paint::Dim),
            ("ubuntu-latest", Paint::Plain),
            ("2 steps", Paint::Plain),
        ];
        expect!["* job  after lint, test · ubuntu-latest · 2 steps"].assert_eq(&folded(
            200,
            Style::plain(),
            &pieces,
        ));
        expect![[r#"
              * job  after lint, test ·
                     ubuntu-latest · 2 steps"#]]
        .assert_eq(&folded(36, Style::plain(), &pieces));
        // A terminal can be too narrow for anything; words stay whole.
        expect![[r#"
              * job  after lint, test ·
                     ubuntu-latest · 2 steps"#]]
        .assert_eq(&folded(1, Style::plain(), &pieces));
    }

    #[test]
    fn nothing_to_say_is_the_name_alone() {
        expect!["* job"].assert_eq(&folded(80, Style::plain(), &[]));
    }
}
