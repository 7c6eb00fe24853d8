//! Rows of a log as HTML: items of a list, each with its number as a link to itself.

use std::fmt::Write as _;

use crate::ansi::{self, Kind};
use crate::folds::{Part, Row, Wish};
use crate::lines::Line;
use crate::log::{Rows, ShownRow};
use crate::words::{State, grouped};

/// How the time of a line is said where no script says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Clock {
    #[default]
    Silent,
    /// By the clock, UTC.
    Utc,
    /// Since the job began.
    Since(u64),
}

/// A step, as its row shows it.
pub(crate) struct StepShown {
    pub(crate) state: State,
    pub(crate) name: String,
    pub(crate) took: String,
}

/// What rows are shown with.
pub(crate) struct Look<'l> {
    /// The log's page, and the same with a sign behind which a question may follow.
    pub(crate) href: &'l str,
    pub(crate) ask: &'l str,
    /// All steps of the job.
    pub(crate) steps: &'l [StepShown],
    pub(crate) wish: &'l Wish,
    pub(crate) clock: Clock,
    /// Lines that somebody points at, first and last.
    pub(crate) picked: Option<(u64, u64)>,
}

impl Look<'_> {
    pub(crate) fn rows(&self, rows: &Rows) -> Vec<String> {
        rows.rows.iter().map(|row| self.row(row)).collect()
    }

    fn row(&self, shown: &ShownRow) -> String {
        match (shown.row, &shown.line) {
            (Row::Step { lines, is_shut }, _) => {
                self.step(lines.step, lines.from, lines.to, is_shut)
            }
            (Row::Group { from, to, hides, is_shut }, Some(line)) => {
                let fold = Fold { part: Part::Group(from), to, hides, is_shut };
                self.line(line, shown.at_ms, Some(fold))
            }
            (_, Some(line)) => self.line(line, shown.at_ms, None),
            (_, None) => String::new(),
        }
    }

    /// The row that a step begins with.
    fn step(&self, number: usize, from: u64, to: u64, is_shut: bool) -> String {
        let Some(StepShown { state, name, took }) = self.steps.get(number - 1) else {
            return String::new();
        };
        let class = if is_shut { "step shut" } else { "step" };
        let mut html = format!(
            "<li id=\"S{number}\" class=\"{class}\" data-from=\"{from}\" data-to=\"{to}\">"
        );
        let fold = Fold { part: Part::Step(number), to: Some(to), hides: to + 1 - from, is_shut };
        self.open_fold(&fold, from, &format!("S{number}"), &mut html);
        let State { sign, word, class } = state;
        let _ = write!(
            html,
            "<span class=\"state {class}\"><i aria-hidden=\"true\">{sign}</i><span class=\"hidden\">{word}</span></span> <b><bdi>"
        );
        ansi::escape(name, &mut html);
        let lines = to + 1 - from;
        let word = if lines == 1 { "line" } else { "lines" };
        let _ = write!(
            html,
            "</bdi></b></a><span class=\"took\">{} {word} · {took}</span></li>",
            grouped(lines)
        );
        html
    }

    /// A line; `fold` where a group begins in it.
    fn line(&self, line: &Line, at_ms: Option<u64>, fold: Option<Fold>) -> String {
        let (kind, text) = ansi::line(&line.text);
        let mut html = String::with_capacity(text.len() + 160);
        let number = line.number;
        let is_picked = self.picked.is_some_and(|(from, to)| (from..=to).contains(&number));
        let is_shut = fold.as_ref().is_some_and(|it| it.is_shut);
        let words = [
            kind.class(),
            if is_shut { "shut" } else { "" },
            if is_picked { "picked" } else { "" },
        ];
        let words: Vec<&str> = words.into_iter().filter(|it| !it.is_empty()).collect();
        let _ = write!(html, "<li id=\"L{number}\"");
        if !words.is_empty() {
            let _ = write!(html, " class=\"{}\"", words.join(" "));
        }
        if let Some(to) = fold.as_ref().and_then(|it| it.to) {
            let _ = write!(html, " data-to=\"{to}\"");
        }
        if let Some(at_ms) = at_ms {
            let _ = write!(html, " data-ms=\"{at_ms}\"");
        }
        html.push_str("><a href=\"");
        self.address(self.href, &mut html);
        let sign = if self.href.contains('?') { "&amp;" } else { "?" };
        let _ = write!(html, "{sign}line={number}#L{number}\">{number}</a>");
        if let Some(said) = at_ms.and_then(|it| self.clock.say(it)) {
            let _ = write!(html, "<time>{said}</time>");
        }
        html.push_str("<span>");
        match &fold {
            Some(fold) if (fold.to.is_none() || fold.hides > 0) && kind == Kind::Group => {
                self.open_fold(fold, number, &format!("L{number}"), &mut html);
                html.push_str(if text.is_empty() { "…" } else { &text });
                html.push_str("</a>");
                if fold.hides > 0 {
                    let hides = grouped(fold.hides);
                    let _ = write!(html, "<i class=\"count\">{hides}</i>");
                }
            }
            _ => html.push_str(&text),
        }
        if line.cut > 0 {
            let _ = write!(html, "<b class=\"cut\">… {} bytes more</b>", grouped(line.cut));
        }
        html.push_str("</span></li>");
        html
    }

    /// A line that was found, and what of it: the same line stands in the log below, so its place is not
    /// named twice.
    pub(crate) fn hit(&self, line: &Line, part: Option<&str>) -> String {
        let mut begin = "<li ".to_owned();
        if let Some(part) = part {
            begin.push_str("data-found=\"");
            ansi::attribute(part, &mut begin);
            begin.push_str("\" ");
        }
        self.line(line, None, None).replacen("<li id=", &format!("{begin}data-line="), 1)
    }

    fn open_fold(&self, fold: &Fold, line: u64, anchor: &str, html: &mut String) {
        let Fold { part, is_shut, .. } = fold;
        let _ = write!(
            html,
            "<a class=\"fold\" data-part=\"{part}\" aria-expanded=\"{}\" href=\"",
            !is_shut
        );
        self.address(self.ask, html);
        let turned = if *is_shut { self.wish.opening(*part) } else { self.wish.shutting(*part) };
        self.address(&turned.query(), html);
        let _ = write!(html, "near={line}#{anchor}\">");
    }

    fn address(&self, text: &str, html: &mut String) {
        ansi::attribute(text, html);
    }
}

/// What a row opens or shuts.
struct Fold {
    part: Part,
    to: Option<u64>,
    hides: u64,
    is_shut: bool,
}

impl Clock {
    /// What an address says.
    pub(crate) fn parse(text: Option<&str>, began_ms: Option<u64>) -> Clock {
        match (text, began_ms) {
            (Some("utc"), _) => Clock::Utc,
            (Some("since"), Some(began_ms)) => Clock::Since(began_ms),
            _ => Clock::Silent,
        }
    }

    /// For an address; empty, or with a sign behind it.
    pub(crate) fn query(self) -> &'static str {
        match self {
            Clock::Silent => "",
            Clock::Utc => "times=utc&",
            Clock::Since(_) => "times=since&",
        }
    }

    fn say(self, at_ms: u64) -> Option<String> {
        match self {
            Clock::Silent => None,
            Clock::Utc => {
                let at = jiff::Timestamp::from_millisecond(i64::try_from(at_ms).ok()?).ok()?;
                Some(at.strftime("%H:%M:%S%.3f").to_string())
            }
            Clock::Since(began_ms) => {
                let ms = at_ms.saturating_sub(began_ms);
                let (minutes, seconds) = (ms / 60_000, ms / 1000 % 60);
                Some(format!("{minutes}:{seconds:02}.{:03}", ms % 1000))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::folds::StepLines;

    fn check(row: Row, text: &str, clock: Clock, expected: Expect) {
        let wish = Wish::default();
        let steps = [StepShown {
            state: State { sign: "✗", word: "failure", class: "bad" },
            name: "Run <make>".to_owned(),
            took: "3.1 s".to_owned(),
        }];
        let href = "/runs/1.1/jobs/a";
        let look = Look {
            href,
            ask: "/runs/1.1/jobs/a?",
            steps: &steps,
            wish: &wish,
            clock,
            picked: Some((8, 9)),
        };
        let line = row.line().map(|number| Line { number, at: 0, text: text.to_owned(), cut: 3 });
        expected.assert_eq(&look.row(&ShownRow { row, line, at_ms: Some(1_772_366_399_250) }));
    }

    #[test]
    fn a_line_is_escaped_and_linked() {
        check(
            Row::Line(7),
            "##[error]<b>",
            Clock::Silent,
            expect![[
                r#"<li id="L7" class="error" data-ms="1772366399250"><a href="/runs/1.1/jobs/a?line=7#L7">7</a><span>&lt;b&gt;<b class="cut">… 3 bytes more</b></span></li>"#
            ]],
        );
        check(
            Row::Line(8),
            "plain",
            Clock::Utc,
            expect![[
                r#"<li id="L8" class="picked" data-ms="1772366399250"><a href="/runs/1.1/jobs/a?line=8#L8">8</a><time>11:59:59.250</time><span>plain<b class="cut">… 3 bytes more</b></span></li>"#
            ]],
        );
        check(
            Row::Line(7),
            "plain",
            Clock::Since(1_772_366_300_000),
            expect![[
                r#"<li id="L7" data-ms="1772366399250"><a href="/runs/1.1/jobs/a?line=7#L7">7</a><time>1:39.250</time><span>plain<b class="cut">… 3 bytes more</b></span></li>"#
            ]],
        );
    }

    #[test]
    fn what_is_folded_says_how_much_it_is_and_opens_without_a_script() {
        let group = Row::Group { from: 7, to: Some(1207), hides: 1199, is_shut: true };
        check(
            group,
            "##[group]Install \u{1b}[1mall",
            Clock::Silent,
            expect![[
                r#"<li id="L7" class="group shut" data-to="1207" data-ms="1772366399250"><a href="/runs/1.1/jobs/a?line=7#L7">7</a><span><a class="fold" data-part="7" aria-expanded="false" href="/runs/1.1/jobs/a?open=7&amp;near=7#L7">Install <span class="ab">all</span></a><i class="count">1,199</i><b class="cut">… 3 bytes more</b></span></li>"#
            ]],
        );
        let lines = StepLines { step: 1, from: 7, to: 9, is_shut: false };
        check(
            Row::Step { lines, is_shut: false },
            "",
            Clock::Silent,
            expect![[
                r#"<li id="S1" class="step" data-from="7" data-to="9"><a class="fold" data-part="s1" aria-expanded="true" href="/runs/1.1/jobs/a?shut=s1&amp;near=7#S1"><span class="state bad"><i aria-hidden="true">✗</i><span class="hidden">failure</span></span> <b><bdi>Run &lt;make&gt;</bdi></b></a><span class="took">3 lines · 3.1 s</span></li>"#
            ]],
        );
    }
}
