//! What of a log is folded: its steps, and the groups in them. A window is made of rows, and a part
//! that is shut is one row, however long it is: its lines are neither read nor sent.
//!
//! What is shut and what is open follows from how the steps ended, from where errors stand, from the
//! line that was asked for, and from what somebody opened or shut: the address says it all.

use std::collections::BTreeSet;

use crate::lines::Group;

/// Parts that an address opens or shuts besides; more are not heard.
const WISHES_MAX: usize = 300;

/// The lines of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StepLines {
    /// Which of the job's steps, from 1.
    pub(crate) step: usize,
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// Whether it is shut where nobody wished anything.
    pub(crate) is_shut: bool,
}

/// One row of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    Step {
        lines: StepLines,
        is_shut: bool,
    },
    Line(u64),
    /// A group, and how many lines can be folded away below its title.
    Group {
        from: u64,
        to: Option<u64>,
        hides: u64,
        is_shut: bool,
    },
}

impl Row {
    /// The line that it shows, where it shows one.
    pub(crate) fn line(self) -> Option<u64> {
        match self {
            Row::Step { .. } => None,
            Row::Line(line) | Row::Group { from: line, .. } => Some(line),
        }
    }
}

/// A part that may be folded: `s3`, or the line that a group begins in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Step(usize),
    Group(u64),
}

impl Part {
    fn parse(text: &str) -> Option<Part> {
        match text.strip_prefix('s') {
            Some(step) => step.parse().ok().map(Part::Step),
            None => text.parse().ok().map(Part::Group),
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Part::Step(step) => write!(f, "s{step}"),
            Part::Group(line) => write!(f, "{line}"),
        }
    }
}

/// What somebody opened and shut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// Nothing is folded.
    pub(crate) all_open: bool,
    open: BTreeSet<Part>,
    shut: BTreeSet<Part>,
}

impl Wish {
    /// As an address says it: parts between commas.
    pub(crate) fn parse(all_open: bool, open: &str, shut: &str) -> Wish {
        let parts = |text: &str| text.split(',').filter_map(Part::parse).take(WISHES_MAX).collect();
        Wish { all_open, open: parts(open), shut: parts(shut) }
    }

    /// The same, with this part open.
    pub(crate) fn opening(&self, part: Part) -> Wish {
        let mut wish = self.clone();
        wish.shut.remove(&part);
        wish.open.insert(part);
        wish
    }

    /// The same, with this part shut.
    pub(crate) fn shutting(&self, part: Part) -> Wish {
        let mut wish = self.clone();
        wish.open.remove(&part);
        wish.shut.insert(part);
        wish
    }

    /// For an address; empty, or with a sign behind it.
    pub(crate) fn query(&self) -> String {
        let mut query = String::new();
        if self.all_open {
            query.push_str("folds=off&");
        }
        for (name, parts) in [("open", &self.open), ("shut", &self.shut)] {
            if !parts.is_empty() {
                let parts: Vec<String> = parts.iter().map(Part::to_string).collect();
                query.push_str(&format!("{name}={}&", parts.join(",")));
            }
        }
        query
    }
}

/// What is looked at; a part that holds it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Nothing,
    /// Somebody asked for this line.
    Line(u64),
    /// The rows begin with this line: what holds it and lines before it is open where it is looked at.
    Begin(u64),
    /// The rows end with this line: what holds it and lines behind it is open.
    End(u64),
}

/// The folding of a log.
#[derive(Clone, Debug)]
pub(crate) struct Folds<'l> {
    /// In the order of their lines, none in another.
    pub(crate) steps: &'l [StepLines],
    pub(crate) groups: &'l [Group],
    pub(crate) errors: &'l [u64],
    pub(crate) wish: &'l Wish,
    pub(crate) total: u64,
}

impl Folds<'_> {
    /// Up to `count` rows from a line on.
    pub(crate) fn forward(&self, from: u64, count: usize, held: Held) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut at = from.max(1);
        while at <= self.total && rows.len() < count {
            // A step's row and its first line are never apart.
            if let Some(lines) = self.step(at).filter(|it| it.from == at) {
                let is_shut = self.is_step_shut(&lines, held);
                rows.push(Row::Step { lines, is_shut });
                if is_shut {
                    at = lines.to + 1;
                    continue;
                }
            }
            let row = self.row(at, held);
            at = match row {
                Row::Group { to: Some(to), is_shut: true, .. } => to + 1,
                _ => at + 1,
            };
            rows.push(row);
        }
        rows
    }

    /// Up to `count` rows that end with a line.
    pub(crate) fn backward(&self, to: u64, count: usize, held: Held) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut at = to.min(self.total);
        while at > 0 && rows.len() < count {
            let step = self.step(at);
            if let Some(lines) = step.filter(|it| self.is_step_shut(it, held)) {
                rows.push(Row::Step { lines, is_shut: true });
                at = lines.from - 1;
                continue;
            }
            let group = self.group(at).filter(|it| self.is_group_shut(it, held));
            at = group.map_or(at, |group| group.from);
            rows.push(self.row(at, held));
            if let Some(lines) = step.filter(|it| it.from == at) {
                rows.push(Row::Step { lines, is_shut: false });
            }
            at -= 1;
        }
        rows.reverse();
        rows
    }

    /// The row of a line that is not folded away.
    fn row(&self, line: u64, held: Held) -> Row {
        match self.group(line).filter(|group| group.from == line) {
            Some(group) => {
                let is_shut = self.is_group_shut(&group, held);
                Row::Group { from: line, to: group.to, hides: hides(&group), is_shut }
            }
            None => Row::Line(line),
        }
    }

    /// The step that a line is of.
    fn step(&self, line: u64) -> Option<StepLines> {
        let behind = self.steps.partition_point(|it| it.from <= line);
        let step = self.steps.get(behind.checked_sub(1)?)?;
        (line <= step.to).then_some(*step)
    }

    /// The group that a line is of. It ends with its step, whatever was printed.
    fn group(&self, line: u64) -> Option<Group> {
        let behind = self.groups.partition_point(|it| it.from <= line);
        let group = self.groups.get(behind.checked_sub(1)?)?;
        let end = self.step(group.from).map(|step| step.to).filter(|to| *to < self.total);
        let to = match (group.to, end) {
            (Some(to), Some(end)) => Some(to.min(end)),
            (to, end) => to.or(end),
        };
        to.is_none_or(|to| line <= to).then_some(Group { to, ..*group })
    }

    fn is_step_shut(&self, lines: &StepLines, held: Held) -> bool {
        let (from, to) = (lines.from, lines.to);
        let is_held = match held {
            Held::Nothing => false,
            Held::Line(line) => (from..=to).contains(&line),
            Held::Begin(line) => from < line && line <= to,
            Held::End(line) => from <= line && line < to,
        };
        !is_held && self.wished(Part::Step(lines.step), lines.is_shut)
    }

    fn is_group_shut(&self, group: &Group, held: Held) -> bool {
        let Some(to) = group.to else { return false };
        let from = group.from;
        let is_held = match held {
            Held::Nothing => false,
            Held::Line(line) | Held::Begin(line) => from < line && line <= to,
            Held::End(line) => from <= line && line < to,
        };
        let error = self.errors.partition_point(|error| *error <= from);
        let has_error = self.errors.get(error).is_some_and(|error| *error <= to);
        !is_held && hides(group) > 0 && self.wished(Part::Group(from), !has_error)
    }

    fn wished(&self, part: Part, is_shut: bool) -> bool {
        if self.wish.open.contains(&part) {
            return false;
        }
        self.wish.shut.contains(&part) || (is_shut && !self.wish.all_open)
    }
}

/// The lines below a group's title that say something.
fn hides(group: &Group) -> u64 {
    let last = group.to.unwrap_or(group.from);
    (last - group.from).saturating_sub(u64::from(group.has_end))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Twenty lines: a step of 1 to 8 with the group 2 to 5, one of 9 to 12, one of 13 to 20 with
    /// the groups 13 to 15 and 17 to 19; an error in 18.
    fn rows(wish: &Wish, look: impl Fn(&Folds<'_>) -> Vec<Row>) -> String {
        let step = |step, from, to, is_shut| StepLines { step, from, to, is_shut };
        let steps = [step(1, 1, 8, true), step(3, 9, 12, true), step(4, 13, 20, false)];
        let groups = [(2, 5), (13, 15), (17, 19)].map(|(from, to)| Group {
            from,
            to: Some(to),
            has_end: true,
        });
        let folds = Folds { steps: &steps, groups: &groups, errors: &[18], wish, total: 20 };
        let said = look(&folds).into_iter().map(|row| match row {
            Row::Step { lines, is_shut: true } => format!("[step {}]", lines.step),
            Row::Step { lines, is_shut: false } => format!("step {}:", lines.step),
            Row::Group { from, is_shut: true, .. } => format!("({from})"),
            Row::Group { from, is_shut: false, .. } => format!("{from}:"),
            Row::Line(line) => line.to_string(),
        });
        said.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_ended_well_is_shut_and_errors_are_seen() {
        let none = Wish::default();
        let forward = |from, count, held, expected: Expect| {
            expected.assert_eq(&rows(&none, |folds| folds.forward(from, count, held)));
        };
        let all = expect!["[step 1] [step 3] step 4: (13) 16 17: 18 19 20"];
        forward(1, 100, Held::Nothing, all);
        forward(1, 3, Held::Nothing, expect!["[step 1] [step 3] step 4: (13)"]);
        forward(13, 1, Held::Nothing, expect!["step 4: (13)"]);
        // A line that was asked for is seen.
        forward(1, 6, Held::Line(9), expect!["[step 1] step 3: 9 10 11 12"]);
        forward(1, 8, Held::Line(4), expect!["step 1: 1 2: 3 4 5 6 7"]);
        forward(1, 3, Held::Line(2), expect!["step 1: 1 (2)"]);
        // Whoever goes on in the middle of a part goes on.
        forward(4, 7, Held::Begin(4), expect!["4 5 6 7 8 [step 3] step 4: (13)"]);
        forward(9, 1, Held::Begin(9), expect!["[step 3]"]);
        forward(21, 9, Held::Begin(21), expect![""]);
    }

    #[test]
    fn backwards_it_is_the_same() {
        let none = Wish::default();
        let backward = |to, count, held, expected: Expect| {
            expected.assert_eq(&rows(&none, |folds| folds.backward(to, count, held)));
        };
        backward(20, 100, Held::Nothing, expect!["[step 1] [step 3] step 4: (13) 16 17: 18 19 20"]);
        backward(20, 2, Held::Nothing, expect!["19 20"]);
        backward(15, 1, Held::End(15), expect!["step 4: (13)"]);
        backward(14, 5, Held::End(14), expect!["[step 1] [step 3] step 4: 13: 14"]);
        backward(4, 9, Held::End(4), expect!["step 1: 1 2: 3 4"]);
        backward(8, 9, Held::End(8), expect!["[step 1]"]);
        backward(0, 9, Held::Nothing, expect![""]);
    }

    #[test]
    fn what_somebody_opens_is_open() {
        let wish = Wish::parse(false, "s1,17,x,", "s4");
        let all = rows(&wish, |folds| folds.forward(1, 99, Held::Nothing));
        expect!["step 1: 1 (2) 6 7 8 [step 3] [step 4]"].assert_eq(&all);
        expect!["open=s1,17&shut=s4&"].assert_eq(&wish.query());
        let turned = wish.shutting(Part::Step(1)).opening(Part::Step(3));
        expect!["open=s3,17&shut=s1,s4&"].assert_eq(&turned.query());
        let open = Wish::parse(true, "", "17");
        let all = rows(&open, |folds| folds.forward(12, 99, Held::Nothing));
        expect!["12 step 4: 13: 14 15 16 (17) 20"].assert_eq(&all);
    }

    #[test]
    fn what_has_no_end_ends_with_its_step_or_is_open() {
        let step = |step, from, to| StepLines { step, from, to, is_shut: false };
        let steps = [step(1, 1, 4), step(2, 5, 8)];
        let open = |from| Group { from, to: None, has_end: false };
        let groups = [open(2), open(6)];
        let wish = Wish::default();
        let folds = Folds { steps: &steps, groups: &groups, errors: &[], wish: &wish, total: 8 };
        assert_eq!(
            folds.row(2, Held::Nothing),
            Row::Group { from: 2, to: Some(4), hides: 2, is_shut: true }
        );
        assert_eq!(
            folds.row(6, Held::Nothing),
            Row::Group { from: 6, to: None, hides: 0, is_shut: false }
        );
    }
}
