//! What would be another in a file, line by line, with a few lines around.

use crate::terminal::style::Style;

/// Lines of what stays that are shown around a change.
const AROUND: usize = 3;
/// Above so many pairs of lines the whole of both is shown.
const PAIRS_MAX: usize = 4_000_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Stays,
    Goes,
    Comes,
}

/// The difference as people read it.
pub(crate) fn between(before: &str, after: &str, style: Style) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let lines = compared(&old, &new);
    let is_near = |at: usize| {
        let near = at.saturating_sub(AROUND)..(at + AROUND + 1).min(lines.len());
        lines[near].iter().any(|(kind, _)| *kind != Kind::Stays)
    };
    let mut text = String::new();
    let mut left_out = false;
    for (at, (kind, line)) in lines.iter().enumerate() {
        if !is_near(at) {
            if !left_out {
                text += &format!("{}\n", style.dim("  ..."));
            }
            left_out = true;
            continue;
        }
        left_out = false;
        text += &match kind {
            Kind::Stays => format!("  {line}\n"),
            Kind::Goes => format!("{}\n", style.red(&format!("- {line}"))),
            Kind::Comes => format!("{}\n", style.green(&format!("+ {line}"))),
        };
    }
    text
}

/// The longest common lines stay.
fn compared<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<(Kind, &'t str)> {
    if old.len().saturating_mul(new.len()) > PAIRS_MAX {
        let gone = old.iter().map(|line| (Kind::Goes, *line));
        return gone.chain(new.iter().map(|line| (Kind::Comes, *line))).collect();
    }
    let width = new.len() + 1;
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for at in (0..old.len()).rev() {
        for by in (0..new.len()).rev() {
            common[at * width + by] = if old[at] == new[by] {
                common[(at + 1) * width + by + 1] + 1
            } else {
                common[(at + 1) * width + by].max(common[at * width + by + 1])
            };
        }
    }
    let (mut at, mut by, mut lines) = (0, 0, Vec::new());
    while at < old.len() || by < new.len() {
        if at < old.len() && by < new.len() && old[at] == new[by] {
            lines.push((Kind::Stays, old[at]));
            (at, by) = (at + 1, by + 1);
        } else if at < old.len()
            && (by == new.len() || common[(at + 1) * width + by] >= common[at * width + by + 1])
        {
            lines.push((Kind::Goes, old[at]));
            at += 1;
        } else {
            lines.push((Kind::Comes, new[by]));
            by += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_difference_shows_what_is_around_it() {
        let before = "a\nb\nc\nd\ne\nf\ng\nh\n";
        let after = "a\nb\nc\nd\ne\nx\nf\nh\n";
        expect![[r#"
              ...
              c
              d
              e
            + x
              f
            - g
              h
        "#]]
        .assert_eq(&between(before, after, Style::plain()));
    }
}
