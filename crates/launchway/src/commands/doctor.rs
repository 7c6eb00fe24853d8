//! `launchway doctor`: is everything there that a deployment needs?

use serde_json::json;

use crate::cli::{DoctorArgs, Format};
use crate::doctor::{self, Line, State};
use crate::exit::Outcome;
use crate::settings_file::load;
use crate::state::StateFolder;
use crate::terminal::style::{Style, out};

pub(crate) fn run(args: &DoctorArgs, state: &StateFolder) -> Outcome {
    let lines = match &args.environment {
        // Without settings there is this machine all the same.
        None => doctor::machine(state, load(args.settings.file.as_deref()).ok().as_ref()),
        Some(name) => {
            let found = load(args.settings.file.as_deref())?;
            let mut lines = doctor::machine(state, Some(&found));
            lines.extend(doctor::environment(state, &found, name)?);
            lines
        }
    };
    let style = Style::stdout();
    for line in &lines {
        match args.settings.format {
            Format::Json => out(&json(line)),
            Format::Human | Format::Github => human(line, style),
        }
    }
    if args.settings.format != Format::Json {
        out(&closing(&lines));
    }
    Ok(doctor::exit_of(&lines))
}

fn json(line: &Line) -> String {
    let some = |text: &str| if text.is_empty() { None } else { Some(text.to_owned()) };
    json!({
        "check": line.check, "service": some(&line.service), "state": line.state.word(),
        "message": line.said, "hint": some(&line.hint),
    })
    .to_string()
}

fn human(line: &Line, style: Style) {
    let word = line.state.word();
    let word = match line.state {
        State::Fine => style.green(word),
        State::Unseen => word.to_owned(),
        State::Warning => style.yellow(word),
        State::Error(_) => style.red(word),
    };
    let of = if line.service.is_empty() { String::new() } else { format!("{}: ", line.service) };
    out(&format!("{word}  {of}{}: {}", line.check, line.said));
    if line.state != State::Fine && !line.hint.is_empty() {
        out(&format!("    hint: {}", line.hint));
    }
}

fn closing(lines: &[Line]) -> String {
    let count = |is: &dyn Fn(State) -> bool| lines.iter().filter(|it| is(it.state)).count();
    let errors = count(&|it| matches!(it, State::Error(_)));
    let warnings = count(&|it| it == State::Warning);
    match (errors, warnings) {
        (0, 0) => "everything is there".to_owned(),
        (0, _) => format!("a deployment would begin; warnings: {warnings}"),
        _ => format!("a deployment would fail; errors: {errors}, warnings: {warnings}"),
    }
}
