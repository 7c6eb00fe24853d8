//! The numbers for people.

use std::fmt::Write as _;

use event::{ShippedBy, Timestamp};
use figures::{
    Delivery, Deployment, Duration, Flaky, Pipeline, Rate, Report, ReportPart, SlowTest,
};
use views::length_in_days as length;

use crate::cli::Figure;
use crate::terminal::plural::plural;
use crate::terminal::style::Style;
use crate::terminal::time::moment;

/// Columns of a figure's name.
const NAME: usize = 22;
/// Digits of a commit.
const COMMIT_DIGITS: usize = 7;

/// What the page has; the rest opens by its name.
pub(super) const PAGE: &[ReportPart] =
    &[ReportPart::Delivery, ReportPart::Pipelines, ReportPart::SlowTests, ReportPart::Flaky];

/// The page.
pub(super) fn page(report: &Report, style: Style) -> String {
    let mut text = time(report);
    for it in &report.delivery {
        text.push('\n');
        delivery(&mut text, it, report, style);
    }
    if report.delivery.is_empty() {
        text.push_str("\nnothing was deployed there that this journal knows of\n");
    }
    if report.delivery_left_out > 0 {
        let left_out = report.delivery_left_out;
        let _ = writeln!(
            text,
            "\n{left_out} more services in environments are not shown; ask for one: --environment, --service"
        );
    }
    for it in &report.pipelines {
        text.push('\n');
        pipeline(&mut text, it, report, style);
    }
    if !report.goal_notes.is_empty() {
        text.push('\n');
    }
    for note in &report.goal_notes {
        let _ = writeln!(text, "note: {note}");
    }
    if !report.queues.is_empty() {
        let _ = writeln!(text, "\n{}", style.bold("waiting for a worker"));
        for it in &report.queues {
            let name = if it.labels.is_empty() { "no label" } else { &it.labels };
            let _ = writeln!(text, "  {name:<NAME$}{}", spread(&it.wait, report));
            if it.start.count > 0 {
                line(
                    &mut text,
                    "",
                    &format!("until the first step: {}", spread(&it.start, report)),
                );
            }
        }
        load(&mut text, report);
    }
    slow(&mut text, report, style);
    slow_tests(&mut text, &report.slow_tests, style);
    if !report.flaky.is_empty() {
        let count = report.flaky.len();
        let tests = if count == 1 { "test does" } else { "tests do" };
        let _ = writeln!(text, "\n{count} {tests} not always say the same: --of flaky shows which");
    }
    text
}

/// Of when it tells: up to now, where it does not say until when.
fn time(report: &Report) -> String {
    let since = moment(report.since_ms);
    // The last moment that counts: a day that it ends with is named, and not the one behind it.
    let last = Timestamp(report.until_ms.0.saturating_sub(1));
    let until = if report.is_past { format!(" until {}", moment(last)) } else { String::new() };
    format!("since {since}{until}\n")
}

/// How busy workers were, and what waits.
fn load(text: &mut String, report: &Report) {
    let load = &report.load;
    let (peak, in_all) = (load.peak, length(load.busy_ms));
    let value = match (load.average, load.share, load.places) {
        (Some(average), Some(share), Some(places)) => {
            format!(
                "{:.1} %: {average:.2} of the {places} places of now, {peak} at most, {in_all} in all",
                share * 100.0
            )
        }
        (Some(average), ..) => format!("{average:.2} at a time, {peak} at most, {in_all} in all"),
        _ => return,
    };
    line(text, "busy workers", &value);
    if let Some(it) = &report.oldest_ready {
        let told = format!("{}: {} of run {}.{}", length(it.age_ms), it.job, it.run, it.attempt);
        line(text, "oldest that waits", &told);
    }
}

fn too_few(count: u64, report: &Report) -> String {
    format!("too few to say ({count} of {} needed)", report.samples_min)
}

fn spread(time: &Duration, report: &Report) -> String {
    let (Some(median), Some(p95)) = (time.median_ms, time.p95_ms) else {
        return too_few(time.count as u64, report);
    };
    format!("median {}, 95 % {}, of {}", length(median), length(p95), time.count)
}

fn rate(rate: &Rate, report: &Report) -> String {
    match rate.rate {
        Some(value) => format!("{:.1} % ({} of {})", value * 100.0, rate.part, rate.whole),
        None => too_few(rate.whole, report),
    }
}

/// What is wanted of a figure, and whether it is so.
fn goal(text: &mut String, it: &Pipeline, figure: &str, style: Style) {
    let Some(goal) = it.goals.iter().find(|it| it.figure == figure) else { return };
    let wanted = match (goal.wanted_percent, goal.wanted_ms) {
        (Some(percent), _) => format!("{percent} %"),
        (None, ms) => length(ms.unwrap_or_default()),
    };
    let name = if goal.is_usual { "the usual goal" } else { "goal" };
    let by = goal.missed_by_percent.map(|points| format!("{points:.1} points"));
    let by = by.or_else(|| goal.missed_by_ms.map(length)).unwrap_or_default();
    let told = match goal.is_met {
        Some(true) => style.green(&format!("✓ {name}, {wanted}, is met")),
        Some(false) => style.red(&format!("✗ {name}, {wanted}, is missed by {by}")),
        None => format!("{name}: {wanted}"),
    };
    line(text, "", &told);
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "  {name:<NAME$}{value}");
}

fn delivery(text: &mut String, it: &Delivery, report: &Report, style: Style) {
    let title = format!("{} in {}", it.service, it.environment);
    let by = if it.by_jobs { ", by jobs" } else { "" };
    let _ = writeln!(text, "{} ({}){by}", style.bold(&title), it.project);
    let figure = &it.frequency;
    let mut value = match figure.per_day {
        Some(per_day) if per_day >= 1.0 => format!("{per_day:.1} a day ({})", figure.count),
        Some(per_day) => format!("{:.1} a week ({})", per_day * 7.0, figure.count),
        None => too_few(figure.count as u64, report),
    };
    for (kind, count) in &figure.others {
        let _ = write!(value, ", {count} {}", kind.as_str());
    }
    line(text, "deployment frequency", &value);
    let lead = &it.lead_time;
    let value = match (lead.total.median_ms, lead.total.p90_ms) {
        (Some(median), Some(p90)) => {
            let count = lead.total.count;
            format!("median {}, 90 % {}, of {count} commits", length(median), length(p90))
        }
        _ => too_few(lead.total.count as u64, report),
    };
    let left = match lead.left_out.len() {
        0 => String::new(),
        left => format!("; {left} left out"),
    };
    line(text, "change lead time", &(value + &left));
    if !lead.at_limit.is_empty() {
        let (count, most) = (lead.at_limit.len(), report.commits_per_deployment_max);
        let cut = format!("{count} came with {most} commits, the most that are counted of one");
        line(text, "", &cut);
    }
    let parts: Vec<String> = lead
        .parts
        .iter()
        .filter_map(|it| it.time.median_ms.map(|ms| format!("{} {}", it.part, length(ms))))
        .collect();
    if !parts.is_empty() {
        line(text, "", &parts.join(", "));
    }
    line(text, "change fail rate", &rate(&it.change_failures.rate, report));
    let recovery = &it.recovery;
    let mut value = match recovery.time.median_ms {
        Some(median) => format!("median {}, of {}", length(median), recovery.time.count),
        None => too_few(recovery.time.count as u64, report),
    };
    if !recovery.open.is_empty() {
        let _ = write!(value, "; {} not mended yet", recovery.open.len());
    }
    line(text, "recovery time", &value);
    line(text, "rework rate", &rate(&it.rework.rate, report));
    if !it.in_doubt.is_empty() {
        let count = it.in_doubt.len();
        let told = format!("{count} failed or stopped: whether users met it is not known");
        line(text, "in doubt", &told);
    }
}

fn pipeline(text: &mut String, it: &Pipeline, report: &Report, style: Style) {
    let _ = writeln!(text, "{} ({})", style.bold(&it.workflow), it.repository);
    if let Some(red) = &it.red {
        let since = moment(red.since_ms);
        let is = if report.is_past { "was red at the end of this time," } else { "is red" };
        let told = format!("✗ the default branch {is} since {since}, by run {}", red.run);
        let _ = writeln!(text, "  {}", style.red(&told));
    }
    line(text, "success", &rate(&it.success, report));
    goal(text, it, "success", style);
    line(text, "at the first try", &rate(&it.first_try, report));
    if it.pull_requests.whole > 0 {
        line(text, "pull requests", &rate(&it.pull_requests, report));
    }
    if it.infra.part > 0 {
        line(text, "not the code's fault", &rate(&it.infra, report));
    }
    line(text, "time", &spread(&it.time, report));
    goal(text, it, "time", style);
    if it.trigger.count > 0 {
        line(text, "from push to run", &spread(&it.trigger, report));
    }
    if it.queue.count > 0 {
        line(text, "waiting for a worker", &spread(&it.queue, report));
        goal(text, it, "queue", style);
    }
    if it.repair.count > 0 {
        line(text, "repair", &spread(&it.repair, report));
        goal(text, it, "repair", style);
    }
    let left: Vec<String> =
        it.left_out.iter().map(|(why, count)| format!("{count} {why}")).collect();
    if !left.is_empty() {
        line(text, "not counted", &left.join(", "));
    }
}

fn slow(text: &mut String, report: &Report, style: Style) {
    let all = [("jobs", &report.slow_jobs), ("steps", &report.slow_steps)];
    for (what, rows) in all.into_iter().filter(|(_, rows)| !rows.is_empty()) {
        let _ = writeln!(text, "\n{}", style.bold(&format!("{what} that take the most time")));
        for it in rows {
            let name =
                it.step.as_ref().map_or(it.job.clone(), |step| format!("{}: {step}", it.job));
            let median = it.time.median_ms.map(|ms| format!(", median {}", length(ms)));
            let _ = writeln!(
                text,
                "  {:>12}  {}{}  {name}  {}",
                length(it.total_ms),
                plural(it.time.count, "time"),
                median.unwrap_or_default(),
                it.workflow
            );
        }
    }
}

fn slow_tests(text: &mut String, all: &[SlowTest], style: Style) {
    if !all.is_empty() {
        let _ = writeln!(text, "\n{}", style.bold("tests that take the most time"));
    }
    for it in all {
        let of = [&it.suite, &it.class, &it.name].map(String::as_str);
        let name: Vec<&str> = of.into_iter().filter(|it| !it.is_empty()).collect();
        let median = it.time.median_ms.map(|ms| format!(", median {}", length(ms)));
        let _ = writeln!(
            text,
            "  {:>12}  {}{}, longest {}  {}  ({}, {})",
            length(it.total_ms),
            plural(it.time.count, "time"),
            median.unwrap_or_default(),
            length(it.longest_ms),
            name.join(" "),
            it.job,
            it.workflow
        );
    }
}

/// One figure, with the events that it was counted from.
pub(super) fn opened(report: &Report, figure: Figure, style: Style) -> String {
    let told = opened_into(report, figure, style);
    if report.is_past { time(report) + &told } else { told }
}

fn opened_into(report: &Report, figure: Figure, style: Style) -> String {
    let mut text = String::new();
    if figure == Figure::Pipelines {
        report.pipelines.iter().for_each(|it| opened_pipeline(&mut text, it, style));
        return text;
    }
    if figure == Figure::Flaky {
        report.flaky.iter().for_each(|it| opened_flaky(&mut text, it, style));
        if report.flaky.is_empty() {
            text.push_str("no test is known that does not always say the same\n");
        }
        return text;
    }
    if figure == Figure::Tests {
        return super::series::page(&report.tests, style);
    }
    if figure == Figure::Images {
        return super::images::page(&report.images, style);
    }
    if figure == Figure::Scans {
        return super::scans::page(&report.scans, style);
    }
    for it in &report.delivery {
        let title = format!("{} in {}", it.service, it.environment);
        let _ = writeln!(text, "{}", style.bold(&title));
        let told = |id: &ShippedBy| {
            let found = it.deployments.iter().find(|it| it.deployment == *id);
            found.map_or_else(|| format!("{id}"), deployment)
        };
        let rows: Vec<String> = match figure {
            Figure::Frequency => it.frequency.deployments.iter().map(told).collect(),
            Figure::Failures => {
                let failed = it.change_failures.deployments.iter().map(told);
                let doubted = it.in_doubt.iter().map(|it| deployment(it) + "  in doubt");
                failed.chain(doubted).collect()
            }
            Figure::Rework => it.rework.deployments.iter().map(told).collect(),
            Figure::Recovery => recovered(it, &told),
            Figure::LeadTime => commits(it),
            Figure::Pipelines | Figure::Flaky | Figure::Tests | Figure::Images | Figure::Scans => {
                Vec::new()
            }
        };
        if rows.is_empty() {
            text.push_str("  nothing\n");
        }
        rows.iter().for_each(|row| {
            let _ = writeln!(text, "  {row}");
        });
    }
    text
}

fn deployment(it: &Deployment) -> String {
    let incidents: String = it.incidents.iter().map(|id| format!("  incident {id}")).collect();
    format!(
        "{:>5}  {}  {}  {}  {}  {} {}-{}{incidents}",
        it.deployment,
        moment(it.finished_at_ms),
        it.kind.as_str(),
        it.version,
        it.verdict.as_str().replace('_', " "),
        it.stream,
        it.first_seq,
        it.last_seq
    )
}

fn recovered(it: &Delivery, told: &dyn Fn(&ShippedBy) -> String) -> Vec<String> {
    let mended = it.recovery.recovered.iter().map(|it| {
        let how = match (it.by, it.incident) {
            (Some(by), _) if by == it.deployment => "it went back".to_owned(),
            (Some(by), _) => format!("mended by {by}"),
            (None, Some(incident)) => format!("incident {incident} was over"),
            (None, None) => "mended".to_owned(),
        };
        format!("{}  {how} after {}", told(&it.deployment), length(it.time_ms))
    });
    let open = it.recovery.open.iter().map(|it| format!("{}  not mended yet", told(it)));
    mended.chain(open).collect()
}

fn commits(it: &Delivery) -> Vec<String> {
    let short = |commit: &str| commit.chars().take(COMMIT_DIGITS).collect::<String>();
    let led = it.lead_time.commits.iter().map(|it| {
        let (commit, at) = (short(&it.commit), moment(it.committed_at_ms));
        let parts = it.parts.known().map(|(part, ms)| format!("{part} {}", length(ms)));
        let parts: Vec<String> = parts.collect();
        // A server of before does not say.
        let parts =
            if parts.is_empty() { String::new() } else { format!("  {}", parts.join(", ")) };
        format!("{commit}  {at}  {}  by {}{parts}", length(it.total_ms), it.deployment.named())
    });
    let left = it.lead_time.left_out.iter().map(|it| {
        let why = match it.why.as_str() {
            "clock_skew" => "it is younger than its deployment",
            "no_date" => "nobody told its date",
            _ => "an earlier deployment brought it",
        };
        format!("{}  left out: {why}, {}", short(&it.commit), it.deployment.named())
    });
    let at_limit = it.lead_time.at_limit.iter().map(|by| {
        format!(
            "{}  came with as many commits as are counted; what came besides is not",
            by.named()
        )
    });
    led.chain(left).chain(at_limit).collect()
}

fn opened_pipeline(text: &mut String, it: &Pipeline, style: Style) {
    let _ = writeln!(text, "{} ({})", style.bold(&it.workflow), it.repository);
    for it in &it.failures {
        let _ = writeln!(text, "  ✗ run {}.{}  {} {}", it.run, it.attempt, it.stream, it.seq);
    }
    for it in &it.repairs {
        let ((broken, one), (mended, two)) = (it.broken_by, it.mended_by);
        let took = length(it.time_ms);
        let _ = writeln!(
            text,
            "  ✓ broken by run {broken}.{one}, mended by run {mended}.{two} after {took}"
        );
    }
}

fn opened_flaky(text: &mut String, it: &Flaky, style: Style) {
    let of = [&it.suite, &it.class, &it.name].map(String::as_str);
    let name: Vec<&str> = of.into_iter().filter(|it| !it.is_empty()).collect();
    let sign = if it.state == "flaky" { style.red("↻") } else { style.yellow("?") };
    let state = &it.state;
    let _ = writeln!(text, "{sign} {state}  {}  ({}, {})", name.join(" "), it.job, it.workflow);
    let _ = writeln!(text, "    failed in {} of {} runs", it.failures, it.runs);
    let named = |runs: &[(event::RunId, event::Attempt)]| {
        let names = runs.iter().map(|(run, attempt)| format!("{run}.{attempt}"));
        names.collect::<Vec<_>>().join(", ")
    };
    if !it.retried_in.is_empty() {
        let _ = writeln!(text, "    passed at the second try in run {}", named(&it.retried_in));
    }
    for differs in &it.differs_on {
        let commit: String = differs.commit.chars().take(COMMIT_DIGITS).collect();
        let (passed, failed) = (named(&differs.passed_in), named(&differs.failed_in));
        let _ =
            writeln!(text, "    on {commit} passed in run {passed}, and failed in run {failed}");
    }
    if it.flips > 1 {
        let _ = writeln!(text, "    changed {} times on the default branch", it.flips);
    }
}
