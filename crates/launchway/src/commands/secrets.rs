//! `launchway secrets`: which are named and where, which are set, and setting them.

mod groups;
pub(super) mod named;
mod rekey;
mod sync;

use std::io::{IsTerminal as _, Read};
use std::path::Path;

use event::Timestamp;
use mask::Secret;
use serde_json::json;
use server::{Reason, VALUE_BYTES_MAX};

use self::named::{Given, Here, Line, Lines, State};
use crate::cli::{AtServerArgs, Format, GroupArgs, SecretsCommand, SyncCommand};
use crate::exit::{Exit, Failure, Outcome};
use crate::running::given;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::{moment, now};

/// Bytes of standard input that are read: the longest secret (GitHub's limit), with the end of its line.
const INPUT_BYTES_MAX: u64 = VALUE_BYTES_MAX as u64 + 2;

/// How a value is given that no terminal hands on as a whole.
const ON_STANDARD_INPUT: &str = "give it on standard input: launchway secrets set NAME < FILE";

pub(crate) fn run(command: &SecretsCommand, state: Option<&Path>) -> Outcome {
    let here = |at: &AtServerArgs| Here::look(at, state);
    match command {
        SecretsCommand::List(args) => list(&here(&args.at)?.secrets()?, args.format),
        SecretsCommand::Set { name, kept_for, rotate_by, at, reason } => {
            let here = here(at)?;
            let environment = kept_for.environment.as_deref();
            here.check_environment(environment)?;
            let name = given::checked_name("secret", name)?;
            // A slip is said before the value is asked for.
            rotate_by.as_deref().map(day).transpose()?;
            let value = value_of(&name)?;
            keep(&here, (environment, &name), value, (rotate_by.as_deref(), reason.said()))
        }
        SecretsCommand::Remove { name, kept_for, at, reason } => {
            let here = here(at)?;
            let name = given::checked_name("secret", name)?;
            let environment = kept_for.environment.as_deref();
            let was_there = here.forget((environment, &name), true, reason.said())?;
            removed_or_not("secret", &name, was_there)
        }
        SecretsCommand::Setup { groups, kept_for, at, reason } => {
            let here = here(at)?;
            let environment = kept_for.environment.as_deref();
            here.check_environment(environment)?;
            setup(&here, groups, (environment, reason.said()))
        }
        SecretsCommand::Sync(SyncCommand::Github(args)) => sync::run(args, state),
        SecretsCommand::Rekey { data } => rekey::run(data.as_deref(), state),
    }
}

/// Said of secrets and of variables.
pub(super) fn removed_or_not(what: &str, name: &str, was_there: bool) -> Outcome {
    if was_there {
        talk(&format!("the {what} {name} is forgotten"));
        return Ok(Exit::Done);
    }
    Err(Failure::new(Exit::Usage, format!("no {what} {name} is kept here"))
        .hint(format!("launchway {what}s list shows what there is").replace("variables", "vars")))
}

fn keep(
    here: &Here,
    (environment, name): (Option<&str>, &str),
    value: String,
    (rotate_by, reason): (Option<&str>, &Reason),
) -> Outcome {
    if value.is_empty() {
        return Err(Failure::new(Exit::Usage, format!("the value of {name} is empty"))
            .hint(format!("launchway secrets remove {name} forgets one")));
    }
    let value = Secret::new(value);
    let replaced = here.keep((environment, name), Given::Secret(&value, rotate_by), reason)?;
    let owner = &here.owner;
    let place =
        environment.map_or_else(|| format!("for {owner}"), |it| format!("for {it} of {owner}"));
    let what = if replaced { "has another value" } else { "is kept" };
    talk(&format!("the secret {name} {what} {place}"));
    Ok(Exit::Done)
}

/// From standard input where that is none of a person's, else asked for.
pub(super) fn value_of(name: &str) -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        return given::from_person(name, ON_STANDARD_INPUT);
    }
    value_from(std::io::stdin().lock(), name)
}

/// What is read to its end, or refused: never a part of it.
fn value_from(input: impl Read, name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = input.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::caused(Exit::Usage, error))?;
    if bytes.len() as u64 > INPUT_BYTES_MAX {
        let message = format!(
            "secret {name} has more than {VALUE_BYTES_MAX} bytes, which is the most that is kept"
        );
        return Err(Failure::new(Exit::Refused, message)
            .hint("a larger one is kept as a file, encrypted with a key that is the secret"));
    }
    let text = given::text(name, bytes)?;
    // The end of the line is echo's, not the secret's.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    given::checked_value("secret", name, text.strip_suffix('\r').unwrap_or(text))
}

/// The end of a day, in UTC.
pub(crate) fn day(text: &str) -> Result<Timestamp, Failure> {
    let end = text.parse::<jiff::civil::Date>().ok().and_then(|day| {
        let end = day.tomorrow().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        u64::try_from(end.timestamp().as_millisecond()).ok()
    });
    end.map(Timestamp).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("`{text}` is no day")).hint("YYYY-MM-DD, as 2027-03-31")
    })
}

/// The day that ends then, in UTC.
fn last_day(end: Timestamp) -> String {
    let ms = i64::try_from(end.0.saturating_sub(1)).unwrap_or(i64::MAX);
    let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
    moment.strftime("%Y-%m-%d").to_string()
}

fn list(lines: &Lines, format: Format) -> Outcome {
    let style = Style::stdout();
    for line in lines.all() {
        out(&if format == Format::Json { machine(line) } else { human(line, style) });
    }
    if lines.all().next().is_none() && format != Format::Json {
        talk("no workflow, no settings and no message name a secret, and none is kept");
    }
    if let (Some(why), Format::Json) = (&lines.messages_not_known, format) {
        out(&json!({ "type": "messages_not_known", "why": why }).to_string());
    }
    tell_not_known(lines);
    Ok(Exit::Done)
}

fn tell_not_known(lines: &Lines) {
    if let Some(why) = &lines.messages_not_known {
        talk(&format!("warning: what messages read is not known: {why}"));
    }
}

fn human(line: &Line, style: Style) -> String {
    let place = line.environment.as_ref().map_or_else(String::new, |it| format!("  ({it})"));
    let state = match &line.state {
        State::Set { at, rotate_by } => {
            let late = rotate_by.filter(|by| *by <= now());
            let late =
                late.map(|by| style.yellow(&format!(", to be rotated since {}", last_day(by))));
            format!("{} {}{}", style.green("set"), moment(*at), late.unwrap_or_default())
        }
        State::Missing => style.yellow("missing"),
        State::Elsewhere { reference, is_there } => match is_there {
            Some(false) => format!("{} {reference}", style.yellow("missing")),
            _ => format!("in {reference}"),
        },
    };
    let used = line.used_at.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let used = if used.is_empty() { "named nowhere".to_owned() } else { used };
    format!("{}{place}  {state}  {}", style.bold(&line.name), style.dim(&used))
}

fn machine(line: &Line) -> String {
    let (state, reference, set_at, rotate_by) = match &line.state {
        State::Set { at, rotate_by } => ("set", None, Some(*at), *rotate_by),
        State::Missing => ("missing", None, None, None),
        State::Elsewhere { reference, is_there: Some(false) } => {
            ("missing", Some(reference), None, None)
        }
        State::Elsewhere { reference, .. } => ("elsewhere", Some(reference), None, None),
    };
    json!({
        "type": "secret", "name": line.name, "environment": line.environment, "state": state,
        "reference": reference, "used_at": line.used_at, "set_at_ms": set_at,
        "rotate_by_ms": rotate_by,
    })
    .to_string()
}

/// A secret that is asked for, and why.
struct Asked {
    name: String,
    why: String,
}

/// Those that are missing: named by workflows or settings, or of a group that was asked for.
fn missing(lines: &Lines, groups: &GroupArgs, environment: Option<&str>) -> Vec<Asked> {
    let mut asked: Vec<Asked> = Vec::new();
    for usual in groups.wanted().into_iter().flat_map(groups::of) {
        let is_set = lines.all().any(|line| {
            let is_there = !matches!(line.state, State::Missing);
            line.name == usual.name && is_there && line.environment.as_deref() == environment
        });
        if !is_set {
            asked.push(Asked { name: usual.name.to_owned(), why: usual.what.to_owned() });
        }
    }
    let named = lines.all().filter(|line| {
        let own = line.environment.as_deref();
        let is_meant = own.is_none() || own == environment;
        matches!(line.state, State::Missing) && is_meant
    });
    for line in named.filter(|_| groups.has_named()) {
        if !asked.iter().any(|it| it.name == line.name) {
            asked.push(Asked { name: line.name.clone(), why: line.used_at.join(", ") });
        }
    }
    asked
}

fn setup(
    here: &Here,
    groups: &GroupArgs,
    (environment, reason): (Option<&str>, &Reason),
) -> Outcome {
    let lines = here.secrets()?;
    tell_not_known(&lines);
    let wanted = missing(&lines, groups, environment);
    if wanted.is_empty() {
        talk(match groups.has_named() {
            true => "every secret that is named is set",
            false => "every secret of that group is set",
        });
        return Ok(Exit::Done);
    }
    let names: Vec<&str> = wanted.iter().map(|it| it.name.as_str()).collect();
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Usage, "there is nobody to ask for values").hint(format!(
            "launchway secrets set NAME{} < FILE, for each of {}",
            environment.map(|it| format!(" --environment {it}")).unwrap_or_default(),
            names.join(", ")
        )));
    }
    talk(&format!("missing: {}", names.join(", ")));
    talk("an empty value leaves one out");
    let mut left_out = Vec::new();
    for Asked { name, why } in &wanted {
        talk(&format!("{name}: {why}"));
        match asked_for(name)? {
            None => left_out.push(name.as_str()),
            Some(value) => drop(keep(here, (environment, name), value, (None, reason))?),
        }
    }
    if !left_out.is_empty() {
        talk(&format!("still missing: {}", left_out.join(", ")));
    }
    Ok(Exit::Done)
}

/// The value that a person gives, once it looks like what it is; none where they leave it out.
fn asked_for(name: &str) -> Result<Option<String>, Failure> {
    loop {
        let value = given::from_person(name, ON_STANDARD_INPUT)?;
        if value.is_empty() {
            return Ok(None);
        }
        match groups::usual(name).and_then(|usual| usual.complaint(&value)) {
            None => return Ok(Some(value)),
            Some(looks) => talk(&format!("that is none: {looks}; once more, or nothing")),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(input: &[u8], expect: Expect) {
        let said = match value_from(input, "KEY") {
            Ok(value) => format!("{} bytes", value.len()),
            Err(failure) => {
                assert_eq!(failure.exit, Exit::Refused);
                failure.error.to_string()
            }
        };
        expect.assert_eq(&said);
    }

    #[test]
    fn a_value_is_read_whole_or_refused() {
        let long = |bytes: usize, end: &str| ["x".repeat(bytes), end.to_owned()].concat();
        check(b"abc\r\n", expect!["3 bytes"]);
        check(b"abc\n\n", expect!["4 bytes"]);
        check(long(VALUE_BYTES_MAX, "\r\n").as_bytes(), expect!["49152 bytes"]);
        check(
            long(VALUE_BYTES_MAX, "x").as_bytes(),
            expect!["secret KEY has 49153 bytes; GitHub takes 49152"],
        );
        let too_long = "secret KEY has more than 49152 bytes, which is the most that is kept";
        for more in ["xxx", "\r\n\n", "éé"] {
            let value = long(VALUE_BYTES_MAX, more);
            assert_eq!(
                value_from(value.as_bytes(), "KEY").unwrap_err().error.to_string(),
                too_long
            );
        }
        assert_eq!(
            value_from(&*vec![0xff; 10 << 20], "KEY").unwrap_err().error.to_string(),
            too_long
        );
        check(&[0xff, 0xfe], expect!["secret KEY is no text: it has bytes that are not UTF-8"]);
    }
}
