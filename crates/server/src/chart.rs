//! Charts as SVG: drawn here, readable in both themes, and told in words beside the picture.
//!
//! Nothing is said by colour alone: what failed has a sign and a number.

use std::fmt::Write as _;

use crate::ansi::attribute;

/// Wider than this on a page; beyond it a bar is thinner, never the picture wider.
const WIDTH: usize = 720;
const HEIGHT: usize = 120;
/// What stands above the bars: the sign of what failed.
const HEAD: usize = 18;
/// What stands below them: when they began.
const FOOT: usize = 20;
const GAP: usize = 3;
/// Days that are named below the bars.
const LABELS: usize = 6;
/// What such a name takes at most, in the larger letters of a phone.
const LABEL_WIDTH: usize = 96;

/// A bar.
pub(crate) struct Bar {
    pub(crate) value: u64,
    /// What failed of it, or beside it.
    pub(crate) failed: u64,
    /// When it begins, shortly.
    pub(crate) label: String,
    /// All of it, in words.
    pub(crate) told: String,
}

/// Bars side by side; none where there is nothing to show.
pub(crate) fn bars(what: &str, bars: &[Bar]) -> Option<String> {
    let highest = bars.iter().map(|it| it.value).max().filter(|it| *it > 0)?;
    let step = (WIDTH / bars.len()).max(1);
    let width = step.saturating_sub(GAP).max(1);
    let base = HEAD + HEIGHT;
    let total = base + FOOT;
    let mut svg = String::from("<svg class=\"chart\" role=\"img\" aria-label=\"");
    attribute(what, &mut svg);
    let _ = write!(
        svg,
        "\" viewBox=\"0 0 {WIDTH} {total}\"><path class=\"axis\" d=\"M0 {base}H{WIDTH}\"/>"
    );
    let every = bars.len().div_ceil(LABELS).max(1);
    for (at, bar) in bars.iter().enumerate() {
        let x = at * step;
        let height =
            usize::try_from(bar.value.saturating_mul(HEIGHT as u64) / highest).unwrap_or(0);
        // What is there is seen, however small beside the others.
        let height = if bar.value > 0 { height.max(3) } else { 0 };
        let top = base - height;
        let class = if bar.failed > 0 { "bar bad" } else { "bar" };
        let _ = write!(svg, "<g class=\"{class}\"><title>");
        attribute(&bar.told, &mut svg);
        let _ = write!(
            svg,
            "</title><rect x=\"{x}\" y=\"{HEAD}\" width=\"{width}\" height=\"{HEIGHT}\" class=\"ground\"/>\
             <rect x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{height}\"/>"
        );
        if bar.failed > 0 {
            let middle = x + width / 2;
            let _ = write!(svg, "<text class=\"sign\" x=\"{middle}\" y=\"{}\">✗</text>", top - 4);
        }
        svg.push_str("</g>");
        if at.is_multiple_of(every) {
            // The last one ends with its bar, where it has no room before the edge.
            let (class, x) = match x + LABEL_WIDTH > WIDTH {
                true => ("label end", x + width),
                false => ("label", x),
            };
            let _ = write!(svg, "<text class=\"{class}\" x=\"{x}\" y=\"{}\">", total - 5);
            attribute(&bar.label, &mut svg);
            svg.push_str("</text>");
        }
    }
    svg.push_str("</svg>");
    Some(svg)
}

/// A point of a line.
pub(crate) struct Point {
    /// None where nothing was measured: the line goes on behind it.
    pub(crate) value: Option<f64>,
    /// Where it leads.
    pub(crate) href: String,
    /// When it was, shortly.
    pub(crate) label: String,
    /// All of it, in words.
    pub(crate) told: String,
}

/// A line from point to point, between the lowest and the highest; none where fewer than two have a value.
pub(crate) fn line(what: &str, points: &[Point]) -> Option<String> {
    let values: Vec<f64> = points.iter().filter_map(|it| it.value).collect();
    if values.len() < 2 {
        return None;
    }
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // A line that never changes runs through the middle.
    let (from, span) = match highest - lowest {
        span if span < 0.001 => (lowest - 0.5, 1.0),
        span => (lowest, span),
    };
    let (base, total) = (HEAD + HEIGHT, HEAD + HEIGHT + FOOT);
    let step = WIDTH / points.len();
    let place = |at: usize, value: f64| {
        let x = at * step + step / 2;
        let y = base as f64 - 6.0 - (value - from) / span * (HEIGHT as f64 - 12.0);
        (x, y.round() as usize)
    };
    let mut svg = String::from("<svg class=\"chart\" role=\"img\" aria-label=\"");
    attribute(what, &mut svg);
    let _ = write!(
        svg,
        "\" viewBox=\"0 0 {WIDTH} {total}\"><path class=\"axis\" d=\"M0 {base}H{WIDTH}\"/><path class=\"trace\" d=\""
    );
    let known = points.iter().enumerate().filter_map(|(at, it)| Some(place(at, it.value?)));
    for (at, (x, y)) in known.enumerate() {
        let _ = write!(svg, "{}{x} {y}", if at == 0 { "M" } else { "L" });
    }
    svg.push_str("\"/>");
    let every = points.len().div_ceil(LABELS).max(1);
    for (at, point) in points.iter().enumerate() {
        if let Some(value) = point.value {
            let (x, y) = place(at, value);
            svg.push_str("<a tabindex=\"-1\" href=\"");
            attribute(&point.href, &mut svg);
            svg.push_str("\"><title>");
            attribute(&point.told, &mut svg);
            let _ = write!(svg, "</title><circle cx=\"{x}\" cy=\"{y}\" r=\"5\"/></a>");
        }
        let x = at * step;
        if at.is_multiple_of(every) && x + LABEL_WIDTH <= WIDTH {
            let _ = write!(svg, "<text class=\"label\" x=\"{x}\" y=\"{}\">", total - 5);
            attribute(&point.label, &mut svg);
            svg.push_str("</text>");
        }
    }
    svg.push_str("</svg>");
    Some(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(value: u64, failed: u64) -> Bar {
        Bar { value, failed, label: "1 Mar".to_owned(), told: "<b>".to_owned() }
    }

    #[test]
    fn nothing_is_drawn_of_nothing_and_what_failed_has_a_sign() {
        assert_eq!(bars("none", &[]), None);
        assert_eq!(bars("none", &[bar(0, 0)]), None);
        let svg = bars("two & two", &[bar(2, 1), bar(1, 0)]).unwrap();
        assert_eq!(svg.matches('✗').count(), 1);
        assert!(svg.contains("aria-label=\"two &amp; two\""), "{svg}");
        assert!(svg.contains("<title>&lt;b&gt;</title>"), "{svg}");
    }

    #[test]
    fn a_line_goes_on_behind_what_was_not_measured() {
        let point = |value: Option<f64>| Point {
            value,
            href: "/runs/1.1".to_owned(),
            label: "1 Mar".to_owned(),
            told: "<b>".to_owned(),
        };
        assert_eq!(line("one", &[point(Some(1.0)), point(None)]), None);
        let svg = line("l", &[point(Some(80.0)), point(None), point(Some(90.0))]).unwrap();
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.contains("class=\"trace\" d=\"M120 132L600 24\""), "{svg}");
        assert!(svg.contains("<title>&lt;b&gt;</title>"), "{svg}");
        let flat = line("l", &[point(Some(5.0)), point(Some(5.0))]).unwrap();
        assert!(flat.contains("d=\"M180 78L540 78\""), "{flat}");
    }

    #[test]
    fn many_bars_stay_in_the_picture() {
        let many: Vec<Bar> = (0..523).map(|at| bar(at, 0)).collect();
        let svg = bars("ten years", &many).unwrap();
        assert!(svg.contains("x=\"522\""), "one for each, side by side");
        assert!(svg.matches("class=\"label").count() <= LABELS);
    }
}
