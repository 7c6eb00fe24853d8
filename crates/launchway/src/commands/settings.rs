//! `launchway settings`: the schema for editors, and what is in force for each service in each
//! environment, with the place that each value comes from.

use std::sync::Arc;

use serde_json::json;
use settings::{InForce, Text};
use syntax::{Source, Span};

use crate::cli::{Format, SettingsCommand, SettingsShowArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::settings_file::{Found, load, read_env};
use crate::terminal::style::{Style, out, plain_width, talk};

/// Wider values push nothing to the side.
const VALUE_COLUMNS_MAX: usize = 40;

pub(crate) fn run(command: &SettingsCommand) -> Outcome {
    match command {
        SettingsCommand::Schema => {
            let schema = serde_json::to_string_pretty(&settings::schema());
            out(&schema.expect("JSON values have string keys"));
            Ok(Exit::Done)
        }
        SettingsCommand::Show(args) => show(args),
    }
}

/// One line of what is shown.
struct Row {
    key: String,
    value: String,
    /// Where it comes from; nowhere where it is a default.
    place: Option<(Arc<Source>, Span)>,
    acted_upon: bool,
}

fn show(args: &SettingsShowArgs) -> Outcome {
    let found = load(args.file.as_deref())?;
    let settings = &found.settings;
    let known: Vec<Text> = settings.environments.iter().map(|it| it.name.clone()).collect();
    let chosen: Vec<&Text> = match &args.environment {
        Some(name) => known.iter().filter(|it| *it.value == **name).collect(),
        None => known.iter().collect(),
    };
    if let (Some(name), []) = (&args.environment, &chosen[..]) {
        let error = settings.in_force_for_all(name).expect_err("it is not there");
        return Err(Failure::new(Exit::Usage, &error).hint(error.hint()));
    }
    for environment in chosen {
        let all = settings.in_force_for_all(environment).expect("one of its own");
        print(environment, None, &rows(&found, all), args.format);
        for service in &settings.order {
            let mine = settings.in_force(environment, service).expect("names of its own");
            let mut rows = rows(&found, mine);
            rows.extend(variables(&found, environment, service)?);
            print(environment, Some(service), &rows, args.format);
        }
    }
    Ok(Exit::Done)
}

fn rows(found: &Found, all: Vec<InForce>) -> Vec<Row> {
    let source = found.settings.source();
    let row = |it: InForce| Row {
        key: it.key,
        value: it.value,
        place: it.span.map(|span| (Arc::clone(source), span)),
        acted_upon: it.acted_upon,
    };
    all.into_iter().map(row).collect()
}

/// Variables of `.env` files, as far as nothing else wins. Their values may be secret: only that they
/// are there is shown.
fn variables(found: &Found, environment: &str, service: &str) -> Result<Vec<Row>, Failure> {
    let resolved = found.settings.resolve(environment, service).expect("names of its own");
    let service = resolved.service;
    let mut taken: Vec<Arc<str>> = Vec::new();
    taken.extend(service.env.iter().map(|it| Arc::clone(&it.name.value)));
    taken.extend(service.secrets.iter().map(|it| Arc::clone(&it.name.value)));
    let mut rows = Vec::new();
    for path in service.settings.iter().rev() {
        let Some((file, wrong)) = read_env(&found.root.join(&*path.value))? else {
            talk(&format!("{} is not here: what it says is not shown", &*path.value));
            continue;
        };
        if !wrong.is_empty() {
            talk(&format!("{} has mistakes: launchway check shows them", file.source.name()));
        }
        for variable in &file.variables {
            if !taken.contains(&variable.name.value) {
                taken.push(Arc::clone(&variable.name.value));
                let value = if variable.value.is_empty() { "" } else { "***" };
                rows.push(Row {
                    key: format!("env.{}", &*variable.name.value),
                    value: value.to_owned(),
                    place: Some((Arc::clone(&file.source), variable.name.span)),
                    acted_upon: true,
                });
            }
        }
    }
    Ok(rows)
}

fn print(environment: &str, service: Option<&str>, rows: &[Row], format: Format) {
    match format {
        Format::Json => rows.iter().for_each(|row| out(&machine(environment, service, row))),
        Format::Human | Format::Github => human(environment, service, rows),
    }
}

fn machine(environment: &str, service: Option<&str>, row: &Row) -> String {
    let place = row.place.as_ref().map(|(source, span)| (source, source.place(span.start)));
    json!({
        "type": "setting",
        "environment": environment,
        "service": service,
        "key": row.key,
        "value": row.value,
        "file": place.map(|(source, _)| source.name()),
        "line": place.map(|(_, place)| place.line),
        "column": place.map(|(_, place)| place.column),
        "acted_upon": row.acted_upon,
    })
    .to_string()
}

fn human(environment: &str, service: Option<&str>, rows: &[Row]) {
    let style = Style::stdout();
    let title = match service {
        Some(service) => format!("{service} in {environment}"),
        None => environment.to_owned(),
    };
    out(&style.bold(&title));
    let width = |text: &dyn Fn(&Row) -> String, max| {
        rows.iter().map(|row| plain_width(&text(row))).filter(|it| *it <= max).max().unwrap_or(0)
    };
    let keys = width(&|row| row.key.clone(), usize::MAX);
    let values = width(&one_line, VALUE_COLUMNS_MAX);
    for row in rows {
        let value = one_line(row);
        let pad = |text: &str, to: usize| " ".repeat(to.saturating_sub(plain_width(text)));
        let place = match &row.place {
            Some((source, span)) => {
                format!("{}:{}", source.name(), source.place(span.start).line)
            }
            None => "default".to_owned(),
        };
        let not_yet = if row.acted_upon { "" } else { ", not acted upon yet" };
        let (after_key, after_value) = (pad(&row.key, keys), pad(&value, values));
        let place = style.dim(&format!("{place}{not_yet}"));
        out(&format!("  {}{after_key}  {value}{after_value}  {place}", row.key));
    }
}

/// Line ends in a value as they would be written in double quotes.
fn one_line(row: &Row) -> String {
    row.value.replace('\n', "\\n").replace('\t', "\\t")
}
