//! Times, their medians, and the table of what came out.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// One thing, measured several times.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    sorted: Vec<Duration>,
}

impl Sample {
    fn new(mut times: Vec<Duration>) -> Sample {
        times.sort_unstable();
        Sample { sorted: times }
    }

    /// The one in the middle: a moment in which the machine was busy does not count.
    pub(crate) fn median(&self) -> Duration {
        self.sorted.get(self.sorted.len() / 2).copied().unwrap_or_default()
    }

    /// From the fastest to the slowest, in percent of the median.
    fn spread(&self) -> f64 {
        let (Some(first), Some(last)) = (self.sorted.first(), self.sorted.last()) else {
            return 0.0;
        };
        let median = self.median().as_secs_f64().max(f64::MIN_POSITIVE);
        100.0 * (last.as_secs_f64() - first.as_secs_f64()) / median
    }
}

/// Measures one thing some times. The first go warms the caches and does not count.
pub(crate) fn alone(rounds: usize, thing: &mut dyn FnMut() -> Result<Duration>) -> Result<Sample> {
    if rounds > 1 {
        thing()?;
    }
    Ok(Sample::new((0..rounds).map(|_| thing()).collect::<Result<_>>()?))
}

/// Measures two things in turns, so that a machine that slows down meanwhile slows both.
pub(crate) fn in_turns(
    rounds: usize,
    bare: &mut dyn FnMut() -> Result<Duration>,
    ours: &mut dyn FnMut() -> Result<Duration>,
) -> Result<(Sample, Sample)> {
    if rounds > 1 {
        bare()?;
        ours()?;
    }
    let (mut bares, mut others) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        bares.push(bare()?);
        others.push(ours()?);
    }
    Ok((Sample::new(bares), Sample::new(others)))
}

/// How long it takes; it must succeed. What it prints is thrown away unless redirected.
pub(crate) fn time(command: &mut Command) -> Result<Duration> {
    let began = Instant::now();
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    let took = began.elapsed();
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(took)
}

/// A command without input and output.
pub(crate) fn quiet(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    what: String,
    bare: String,
    ours: String,
    noise: String,
    figure: String,
    target: String,
    verdict: &'static str,
}

impl Row {
    /// Ours may take so many times the bare one.
    pub(crate) fn times(what: impl Into<String>, bare: &Sample, ours: &Sample, most: f64) -> Row {
        let ratio = ours.median().as_secs_f64() / bare.median().as_secs_f64();
        Row::of(what, Some(bare), ours).judged(
            format!("{ratio:.2} times"),
            format!("at most {most} times"),
            ratio <= most,
        )
    }

    /// Ours may take so many milliseconds more than the bare one.
    pub(crate) fn over(what: impl Into<String>, bare: &Sample, ours: &Sample, most: f64) -> Row {
        let over = milliseconds(ours.median()) - milliseconds(bare.median());
        Row::of(what, Some(bare), ours).judged(
            format!("{over:.1} ms more"),
            format!("at most {most} ms more"),
            over <= most,
        )
    }

    /// Ours may take so many milliseconds.
    pub(crate) fn within(what: impl Into<String>, ours: &Sample, most: f64) -> Row {
        let took = milliseconds(ours.median());
        Row::of(what, None, ours).judged(
            format!("{took:.1} ms"),
            format!("at most {most} ms"),
            took <= most,
        )
    }

    /// A line whose figure is worked out elsewhere.
    pub(crate) fn of(what: impl Into<String>, bare: Option<&Sample>, ours: &Sample) -> Row {
        let bare_text = bare.map_or(String::new(), |bare| shown(bare.median()));
        let noise = bare.unwrap_or(ours).spread();
        Row {
            what: what.into(),
            bare: bare_text,
            ours: shown(ours.median()),
            noise: format!("{noise:.0} %"),
            figure: String::new(),
            target: String::new(),
            verdict: "",
        }
    }

    /// A figure with its target.
    pub(crate) fn judged(self, figure: String, target: String, is_met: bool) -> Row {
        Row { figure, target, verdict: if is_met { "met" } else { "MISSED" }, ..self }
    }

    /// A figure that nothing is demanded of.
    pub(crate) fn told(self, figure: String) -> Row {
        Row { figure, ..self }
    }

    /// How often in a second, bare and ours, measured elsewhere.
    pub(crate) fn rates(what: impl Into<String>, (bare, ours): (String, String)) -> Row {
        Row { bare, ours, verdict: "", ..Row::missing(what, "") }
    }

    /// What could not be measured, and why.
    pub(crate) fn missing(what: impl Into<String>, why: impl Into<String>) -> Row {
        Row {
            what: what.into(),
            bare: String::new(),
            ours: String::new(),
            noise: String::new(),
            figure: why.into(),
            target: String::new(),
            verdict: "not measured",
        }
    }
}

/// Milliseconds with their fraction.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    1000.0 * duration.as_secs_f64()
}

fn shown(duration: Duration) -> String {
    match milliseconds(duration) {
        ms if ms < 100.0 => format!("{ms:.1} ms"),
        ms if ms < 10_000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1000.0),
    }
}

/// The rows as a Markdown table, aligned for reading in a terminal.
pub(crate) fn table(rows: &[Row]) -> String {
    const HEAD: [&str; 7] = ["measurement", "bare", "ours", "noise", "figure", "target", "verdict"];
    let head = HEAD.map(str::to_owned);
    let mut lines: Vec<[String; 7]> = vec![head];
    lines.extend(rows.iter().map(|row| {
        let Row { what, bare, ours, noise, figure, target, verdict } = row;
        let cells: [&str; 7] = [what, bare, ours, noise, figure, target, verdict];
        cells.map(str::to_owned)
    }));
    let width = |column: usize| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!(" {cell:width$} "));
        text += &format!("|{}|\n", cells.collect::<Vec<_>>().join("|"));
        if at == 0 {
            let rule = widths.iter().map(|width| "-".repeat(width + 2));
            text += &format!("|{}|\n", rule.collect::<Vec<_>>().join("|"));
        }
    }
    text
}
