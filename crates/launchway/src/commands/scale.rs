//! `launchway scale`: what runs, with another number of instances.

use std::sync::Arc;

use event::KnownRelease;
use views::Ledger;

use crate::cli::ScaleArgs;
use crate::deploying::book::Book;
use crate::deploying::drive::Driver;
use crate::deploying::request::{build, environment, services};
use crate::deploying::wish::{What, Wish};
use crate::exit::{Exit, Failure, Outcome};
use crate::settings_file::{Found, load};
use crate::state::StateFolder;

pub(crate) fn run(args: &ScaleArgs, state: &StateFolder) -> Outcome {
    let found = load(args.settings.file.as_deref())?;
    let (book, state) = Book::of(&found, state)?;
    let state = &state;
    environment(&found, &args.environment)?;
    let names = services(&found, &args.services)?;
    for name in &names {
        refuse_elsewhere(&found, &args.environment, &name.value)?;
    }
    let driver = Driver::new((&book, state), &found, args.settings.format);
    let _place = driver.take(&args.environment)?;
    driver.finish_open(&args.environment)?;
    let ledger = book.ledger(&args.environment)?;
    let releases = names.iter().map(|it| Ok((Arc::clone(&it.value), running(&ledger, &it.value)?)));
    let releases = releases.collect::<Result<_, Failure>>()?;
    let agreed = args.agreed.agreement();
    let wish = Wish {
        environment: &args.environment,
        services: &args.services,
        agreed,
        only_look: false,
        what: What::Scale { releases, to: args.to, force: args.force },
    };
    let request = driver.prepared(|| build(&found, &book, state, &wish))?;
    driver.begin(request, agreed)
}

/// Of Kubernetes this version knows no number.
fn refuse_elsewhere(found: &Found, environment: &str, service: &str) -> Result<(), Failure> {
    let resolved = found.settings.resolve(environment, service);
    let resolved = resolved.map_err(|error| Failure::new(Exit::Usage, error))?;
    let (place, remedy) = match &resolved.target {
        settings::Target::Host(_) | settings::Target::Ecs(_) => return Ok(()),
        settings::Target::Kubernetes(_) => ("Kubernetes", "kubectl scale".to_owned()),
    };
    let message = format!("{service} runs on {place}, and this version does not scale there");
    Err(Failure::new(Exit::Missing, message).hint(format!("{remedy} does it")))
}

/// What runs; where that was scaled to nothing, what ran well last.
fn running(ledger: &Ledger, service: &str) -> Result<KnownRelease, Failure> {
    let of = ledger.services.get(service);
    let runs = of.and_then(|it| it.runs.as_ref());
    if runs.is_some_and(|it| it.is_unsure) {
        let message =
            format!("nobody knows what runs of {service}: a way back stuck, or another came");
        return Err(
            Failure::new(Exit::Forbidden, message).hint("ship what shall run: launchway deploy")
        );
    }
    let emptied = of.filter(|it| it.emptied_by.is_some());
    let known = runs.map(|it| &it.release).or_else(|| emptied.and_then(|it| it.last_good.as_ref()));
    known.cloned().ok_or_else(|| {
        Failure::new(Exit::Usage, format!("nothing of {service} was deployed there"))
            .hint("launchway deploy brings a release first")
    })
}
