//! What a dump needs: PostgreSQL's programs, the database, the bucket.

use backup::{Dump, Programs};
use settings::ServiceInEnvironment;

use super::{Line, State};
use crate::deploying::dumps::{self, Here};
use crate::deploying::targets::Site;
use crate::exit::{Exit, Failure};
use crate::settings_file::Found;
use crate::terminal::plural::plural;

const MISSING: State = State::Error(Exit::Missing);

/// Nothing where no dump is wanted.
pub(super) fn look(found: &Found, site: Site<'_>, resolved: &ServiceInEnvironment) -> Vec<Line> {
    let dump = match dumps::of(resolved, site.project) {
        Ok(Some(dump)) => dump,
        Ok(None) => return Vec::new(),
        Err(failure) => return vec![failed("backup", &failure)],
    };
    let mut lines = Vec::new();
    match Programs::find() {
        Ok(programs) => {
            let said = format!("pg_dump {}", programs.version);
            lines.push(Line::new(State::Fine, "pg_dump", said));
        }
        Err(error) => {
            let line = Line::new(MISSING, "pg_dump", error.to_string());
            return vec![line.hint(error.hint())];
        }
    }
    let here = Here::of(site, Some(found));
    lines.push(database(&here, &dump, "database", &dump.url));
    if let Some(scratch) = &dump.scratch {
        lines.push(database(&here, &dump, "scratch", scratch));
    }
    lines.push(match here.bucket(&dump) {
        Ok(()) => {
            let said = format!("s3://{}/{} can be looked at", dump.bucket, dump.prefix);
            Line::new(State::Fine, "bucket", said)
        }
        Err(failure) => failed("bucket", &failure),
    });
    lines
}

fn database(here: &Here, dump: &Dump, check: &str, reference: &str) -> Line {
    match here.survey(dump, reference) {
        Ok(survey) => {
            let size = backup::size(survey.size_bytes);
            let (version, tables) = (&survey.version, survey.tables);
            let tables = plural(tables, "table");
            let said = format!("{reference}: PostgreSQL {version}, {tables}, {size} on its disk");
            Line::new(State::Fine, check, said)
        }
        Err(failure) => failed(check, &failure),
    }
}

fn failed(check: &str, failure: &Failure) -> Line {
    let line = Line::new(State::Error(failure.exit), check, failure.error.to_string());
    line.hint(failure.hints.join("; "))
}
