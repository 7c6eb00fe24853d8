//! Rules of environments that a server keeps of a repository itself.

use std::path::Path;

use server::Reason;

use crate::cli::Format;
use crate::exit::{Exit, Failure, Outcome};
use crate::running::files;
use crate::serving::data::DataFolder;
use crate::serving::drive::gates;
use crate::serving::repositories;
use crate::terminal::diagnostics;
use crate::terminal::style::{Style, talk};

/// Keeps the rules of this file; without one, none any more.
pub(super) fn run(data: &DataFolder, which: &str, file: Option<&Path>, reason: &Reason) -> Outcome {
    let Some(found) = repositories::find(data, which)? else {
        return Err(Failure::new(Exit::Usage, format!("{which} is not connected"))
            .hint("launchway repositories list shows what is"));
    };
    let name = found.name.clone();
    let protect = |rules: Option<String>, what: String| {
        let record = || data.record_because("repository.protect", what, reason);
        repositories::protect(data, &found, rules, record)
    };
    let Some(file) = file else {
        protect(None, format!("{name}, no rules are kept any more"))?;
        talk(&format!("{name}: its rules are those of its default branch alone"));
        return Ok(Exit::Done);
    };
    let source = files::read(file, &file.display().to_string())?;
    let (settings, mistakes) = settings::read(&source);
    for text in diagnostics::render(&mistakes, Format::Human, Style::plain()) {
        talk(&text);
    }
    let Some(settings) = settings else {
        return Err(Failure::new(
            Exit::Refused,
            "these rules have mistakes, and nothing was changed",
        ));
    };
    let said = gates::said_of(&settings)?;
    let names: Vec<&str> = said.iter().map(|(name, _)| name.as_str()).collect();
    let digest = event::Digest::of(source.text().as_bytes());
    let what = format!("{name}, rules {digest} of {}", names.join(", "));
    protect(Some(source.text().to_owned()), what)?;
    for (environment, sentences) in &said {
        talk(&format!("{name}: {environment}: {}", sentences.join(" ")));
    }
    Ok(Exit::Done)
}
