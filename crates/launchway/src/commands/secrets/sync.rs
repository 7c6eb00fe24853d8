//! `launchway secrets sync github`: what would be put there is shown first, agreed to, then done.

mod place;
mod show;

use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;

use forge::{SyncRefusal, SyncState, SyncWish, ValueKind};

use self::place::Place;
use self::show::Shown;
use super::named::Here;
use crate::cli::{SyncArgs, SyncKind};
use crate::exit::{Exit, Failure, Outcome};
use crate::syncing::{Chosen, Looked, Sync};
use crate::terminal::style::talk;
use crate::{given, journal, kept};

pub(super) fn run(args: &SyncArgs, state: Option<&Path>) -> Outcome {
    let here = Here::look(&args.at, state)?;
    for name in &args.environments {
        here.check_environment(Some(name))?;
    }
    let chosen = chosen(args)?;
    let Some((state, _)) = here.folder() else {
        return Err(Failure::new(Exit::Forbidden, "a server gives no value to anybody").hint(
            format!(
                "on its own machine: launchway secrets sync github --repository {} --data DIR",
                here.owner
            ),
        ));
    };
    let place = Place::of(&here, args)?;
    let sync = Sync {
        vault: kept::vault(state),
        owner: &here.owner,
        github: &place.github,
        url: &place.url,
        repository: &place.repository,
        number: place.number,
        chosen,
    };
    let looked = sync.look()?;
    let mut shown = Shown::of(&sync, &looked, args);
    shown.begin();
    let count = looked.lines.iter().filter(|it| it.state.is_put()).count();
    if count > 0 && !args.dry_run {
        agree(args, &shown.question(count))?;
        let record = |action: &str, object: String| journal::record(state, action, object);
        sync.put(&looked, &record, |became| shown.became(&became)).map_err(|failure| {
            let how_far =
                format!("{} of {count} were put there; the same command goes on", shown.put);
            failure.hint(how_far)
        })?;
    }
    shown.end();
    if args.dry_run { Ok(Exit::Done) } else { left(&looked, shown.refused) }
}

fn chosen(args: &SyncArgs) -> Result<Chosen, Failure> {
    let only = args.only.map(|it| match it {
        SyncKind::Secrets => ValueKind::Secret,
        SyncKind::Variables => ValueKind::Variable,
    });
    let names = args.names.iter().map(|it| given::checked_name("secret or a variable", it));
    let wish = SyncWish { all: args.all, makes_environments: args.make_environments };
    let environments = args.environments.clone();
    Ok(Chosen { names: names.collect::<Result<_, _>>()?, environments, only, wish })
}

fn agree(args: &SyncArgs, question: &str) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    let refused =
        || Failure::new(Exit::Forbidden, "nobody agreed to that").hint("agree with --yes");
    if !std::io::stdin().is_terminal() {
        return Err(refused());
    }
    talk(question);
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::caused(Exit::Usage, error))?;
    if line.trim() == "yes" { Ok(()) } else { Err(refused()) }
}

/// What is kept here and is not there is no success.
fn left(looked: &Looked, refused: usize) -> Outcome {
    let is_left = |it: &&forge::SyncLine| matches!(it.state, SyncState::Refused(_));
    let count = looked.lines.iter().filter(is_left).count() + refused;
    if count == 0 {
        return Ok(Exit::Done);
    }
    let values = if count == 1 { "1 value is" } else { &format!("{count} values are") };
    let failure = Failure::new(Exit::Refused, format!("{values} not there"));
    let no_environment = SyncState::Refused(SyncRefusal::NoEnvironment);
    let needs_one = looked.lines.iter().any(|it| it.state == no_environment);
    Err(match needs_one {
        true => failure.hint(format!("--make-environments makes {}", looked.missing.join(", "))),
        false => failure,
    })
}
