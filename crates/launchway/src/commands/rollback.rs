//! `launchway rollback`: back to a release that ran well; without one, the releases there are.

use std::sync::Arc;

use event::KnownRelease;
use views::{Ledger, ServiceLedger};

use super::releases;
use crate::cli::RollbackArgs;
use crate::deploying::book::Book;
use crate::deploying::drive::Driver;
use crate::deploying::request::{build, environment, services};
use crate::deploying::wish::{What, Wish};
use crate::exit::{Exit, Failure, Outcome};
use crate::settings_file::load;
use crate::state::StateFolder;
use crate::terminal::style::talk;

/// Digits that are enough to name a digest or a commit.
const DIGITS_MIN: usize = 7;

pub(crate) fn run(args: &RollbackArgs, state: &StateFolder) -> Outcome {
    let found = load(args.settings.file.as_deref())?;
    let (book, state) = Book::of(&found, state)?;
    let state = &state;
    environment(&found, &args.environment)?;
    let format = args.settings.format;
    let Some(to) = &args.to else {
        let ledger = book.ledger(&args.environment)?;
        let place = (&book.project, &Arc::from(&*args.environment));
        releases::show_ledger(place, &ledger, format);
        const NAME_ONE: &str = "name one that is good: --to RELEASE, or --to previous";
        if args.agreed.yes || args.agreed.reason.is_some() {
            return Err(Failure::new(Exit::Usage, "to which release?").hint(NAME_ONE));
        }
        talk(NAME_ONE);
        return Ok(Exit::Done);
    };
    let driver = Driver::new((&book, state), &found, format);
    let _place = driver.take(&args.environment)?;
    driver.finish_open(&args.environment)?;
    let ledger = book.ledger(&args.environment)?;
    let wanted = services(&found, &args.services)?;
    let names: Vec<Arc<str>> = wanted.iter().map(|it| Arc::clone(&it.value)).collect();
    let releases = choose(&ledger, &names, to, !args.services.is_empty()).map_err(|failure| {
        failure.hint(format!("launchway rollback {} lists them", args.environment))
    })?;
    let agreed = args.agreed.agreement();
    let wish = Wish {
        environment: &args.environment,
        services: &args.services,
        agreed,
        only_look: false,
        what: What::Restore(releases),
    };
    let request = driver.prepared(|| build(&found, &book, state, &wish))?;
    driver.begin(request, agreed)
}

/// What each service goes back to. Of services that nobody named, those that have no such release
/// stay as they are.
fn choose(
    ledger: &Ledger,
    services: &[Arc<str>],
    to: &str,
    named: bool,
) -> Result<Vec<(Arc<str>, KnownRelease)>, Failure> {
    let nothing = ServiceLedger::default();
    let mut chosen = Vec::new();
    let mut bad = None;
    for name in services {
        let service = ledger.services.get(name).unwrap_or(&nothing);
        if to == "previous"
            && let Some(known) = service.previous()
        {
            chosen.push((Arc::clone(name), known.clone()));
            continue;
        }
        let line = service.releases.iter().filter(|_| to != "previous").find(|line| {
            let release = &line.release;
            let begins = |text: &str| to.len() >= DIGITS_MIN && text.starts_with(to);
            *release.version == *to
                || line.deployment.to_string() == to
                || begins(release.digest.trim_start_matches("sha256:"))
                || begins(&release.digest)
                || release.commit.as_deref().is_some_and(begins)
        });
        match line {
            Some(line) => match &line.known {
                Some(known) => chosen.push((Arc::clone(name), known.clone())),
                None => bad = Some(format!("{name} {} never ran well there", line.release.version)),
            },
            None if named => {
                return Err(Failure::new(Exit::Usage, format!("{name} has no release {to}")));
            }
            None => {}
        }
    }
    match (bad, chosen.is_empty()) {
        (Some(bad), _) => Err(Failure::new(Exit::Forbidden, bad)),
        (None, true) => Err(Failure::new(Exit::Usage, format!("there is no release {to}"))),
        (None, false) => Ok(chosen),
    }
}
