//! Where deployments are written down: whether it answers, and does what a journal needs.

use bucket::Shared;
use settings::{Environment, Journal, Target};

use super::{FORBIDDEN, Line, MISSING, State};
use crate::deploying::book::Book;
use crate::deploying::shared;
use crate::exit::Failure;
use crate::settings_file::Found;

/// Looks at it. `opened` is what came of opening it.
pub(super) fn look(
    found: &Found,
    environment: &Environment,
    opened: Result<&Book, &Failure>,
) -> Vec<Line> {
    match (&found.settings.journal.value, opened) {
        (Journal::Local, _) => local(found, environment),
        (Journal::Alone, _) => Vec::new(),
        (Journal::Server(url), _) => {
            let said = format!("{url} is a server, and none keeps a journal yet");
            let hint = "a bucket does without a server: docs/shared-journal.md";
            vec![Line::new(MISSING, "journal", said).hint(hint)]
        }
        (Journal::Bucket(_), Err(failure)) => {
            let line = Line::new(MISSING, "journal", format!("{:#}", failure.error));
            vec![line.hint(failure.hints.first().cloned().unwrap_or_default())]
        }
        (Journal::Bucket(_), Ok(book)) => book.shared().map_or(Vec::new(), |it| in_bucket(it)),
    }
}

fn local(found: &Found, environment: &Environment) -> Vec<Line> {
    let name = &environment.name.value;
    let is_elsewhere = |service: &settings::Text| {
        let resolved = found.settings.resolve(name, &service.value).ok();
        resolved.is_some_and(|it| !matches!(it.target, Target::Host(_)))
    };
    if environment.protect.is_empty() || !found.settings.order.iter().any(is_elsewhere) {
        return Vec::new();
    }
    let said = "it lies on this machine alone, and what is protected wants one that others see";
    let hint = "`journal: s3://BUCKET/PREFIX` or `journal: alone`: docs/shared-journal.md";
    vec![Line::new(FORBIDDEN, "journal", said).hint(hint)]
}

fn in_bucket(shared: &Shared) -> Vec<Line> {
    let place = shared.objects().located().to_string();
    let line = |state, said: String| Line::new(state, "journal", said);
    if let Err(error) = shared.refresh() {
        let hint = error.hint();
        let failure = shared::failed(error);
        return vec![line(MISSING, format!("{:#}", failure.error)).hint(hint)];
    }
    let entries = shared.copy().cursor().map_or(0, |cursor| cursor.number);
    let mut lines = vec![line(State::Fine, format!("{place} answers; {entries} entries"))];
    lines.push(match shared.heeds() {
        Ok(Some(true)) => {
            line(State::Fine, "it writes over nothing that it is told to leave".into())
        }
        Ok(Some(false)) => {
            let said = "its server writes over what it is told to leave (`If-None-Match: *`)";
            line(MISSING, said.into()).hint("Amazon S3 does it, and others in newer versions")
        }
        Ok(None) => {
            let said =
                "nothing was written there yet: whether it heeds `If-None-Match` is not known";
            line(State::Unseen, said.into()).hint("the first deployment asks before it begins")
        }
        Err(error) => line(State::Unseen, format!("{:#}", shared::failed(error).error)),
    });
    match shared.objects().state() {
        Err(error) => lines.push(line(State::Unseen, format!("{:#}", shared::failed(error).error))),
        Ok(state) => {
            lines.push(match state.versioned {
                Some(true) => line(State::Fine, "old versions of its objects are kept".into()),
                Some(false) => {
                    let said = "what is removed there by mistake is gone for good";
                    let bucket = &shared.objects().located().bucket;
                    line(State::Warning, said.into()).hint(format!(
                        "aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration \
                         Status=Enabled"
                    ))
                }
                None => line(State::Unseen, "whether old versions are kept may not be asked".into()),
            });
            lines.push(match state.encryption.as_deref() {
                Some("") => line(State::Warning, "its objects are not encrypted".into())
                    .hint("set a default encryption for the bucket"),
                Some(how) => line(State::Fine, format!("its objects are encrypted ({how})")),
                None => line(State::Unseen, "how it is encrypted may not be asked".into()),
            });
        }
    }
    lines
}
