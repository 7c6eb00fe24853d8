//! `launchway secrets sync github`: what would be put there is shown first, agreed to, then done: by this command,
//! or by the server that keeps the values.

mod place;
mod show;

use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;

use forge::{SyncWish, ValueKind};
use server::{SYNCED_MAX, SyncId, SyncOrder, SyncPlan, SyncValue};

use self::place::Place;
use self::show::Shown;
use super::named::Here;
use crate::cli::{SyncArgs, SyncKind};
use crate::distant::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::kept::syncing::{Became, Chosen, Sync};
use crate::running::given;
use crate::state::StateFolder;
use crate::terminal::style::talk;
use crate::{journal, kept};

pub(super) fn run(args: &SyncArgs, state: Option<&Path>) -> Outcome {
    let here = Here::look(&args.at, state)?;
    for name in &args.environments {
        here.check_environment(Some(name))?;
    }
    let names = args.names.iter().map(|it| given::checked_name("secret or a variable", it));
    let names = names.collect::<Result<_, _>>()?;
    match here.keeper() {
        Ok((folder, _)) => from_here(&here, folder, names, args),
        Err(client) => by_server(client, &here.owner, names, args),
    }
}

fn from_here(here: &Here, folder: &StateFolder, names: Vec<String>, args: &SyncArgs) -> Outcome {
    let place = Place::of(here, args)?;
    let wish = SyncWish { all: args.all, makes_environments: args.make_environments };
    let sync = Sync {
        vault: kept::vault(folder),
        owner: &here.owner,
        github: &place.github,
        url: &place.url,
        repository: &place.repository,
        number: place.number,
        chosen: Chosen { names, environments: args.environments.clone(), only: only(args), wish },
    };
    let looked = sync.look()?;
    carry_out(&sync.plan(&looked), args, |shown, _| {
        let reason = args.reason.said();
        let record = |action: &str, object: String| {
            journal::record_because(folder, (action, object), reason)
        };
        sync.put(&looked, &record, |became| shown.became(&became))
    })
}

/// The server does it; this only says what, some at a time.
fn by_server(client: &Client, owner: &str, names: Vec<String>, args: &SyncArgs) -> Outcome {
    let wish = server::SyncWish {
        names,
        environments: args.environments.clone(),
        only: only(args).map(|it| it.word().to_owned()),
        all: args.all,
        make_environments: args.make_environments,
    };
    let plan = client.plan_sync(owner, &wish)?;
    carry_out(&plan, args, |shown, values| {
        for some in values.chunks(SYNCED_MAX) {
            let id = |it: &&SyncValue| SyncId {
                kind: it.kind.clone(),
                name: it.name.clone(),
                environment: it.environment.clone(),
            };
            let values = some.iter().map(id).collect();
            let reason = args.reason.said().as_str().map(str::to_owned);
            let order = SyncOrder { values, make_environments: args.make_environments, reason };
            let done = client.sync(owner, &order)?;
            done.environments.into_iter().for_each(|it| shown.became(&Became::Environment(it)));
            done.values.into_iter().for_each(|it| shown.became(&Became::Value(it)));
            if let Some(why) = done.stopped {
                let failure = Failure::new(Exit::Missing, why);
                return Err(done.hint.into_iter().fold(failure, Failure::hint));
            }
        }
        Ok(())
    })
}

fn only(args: &SyncArgs) -> Option<ValueKind> {
    args.only.map(|it| match it {
        SyncKind::Secrets => ValueKind::Secret,
        SyncKind::Variables => ValueKind::Variable,
    })
}

/// Shows a plan, has it agreed to, and does it.
fn carry_out<'p>(
    plan: &'p SyncPlan,
    args: &SyncArgs,
    put: impl FnOnce(&mut Shown<'p>, &[&SyncValue]) -> Result<(), Failure>,
) -> Outcome {
    let mut shown = Shown::of(plan, args);
    shown.begin();
    let values: Vec<&SyncValue> = plan.values.iter().filter(|it| show::is_put(it)).collect();
    if !values.is_empty() && !args.dry_run {
        agree(args, &shown.question(values.len()))?;
        put(&mut shown, &values).map_err(|failure| {
            let (put, count) = (shown.put, values.len());
            failure.hint(format!("{put} of {count} were put there; the same command goes on"))
        })?;
    }
    shown.end();
    if args.dry_run { Ok(Exit::Done) } else { left(plan, &shown, args) }
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
fn left(plan: &SyncPlan, shown: &Shown<'_>, args: &SyncArgs) -> Outcome {
    let count = shown.refused();
    if count == 0 {
        return Ok(Exit::Done);
    }
    let values = if count == 1 { "1 value is" } else { &format!("{count} values are") };
    let failure = Failure::new(Exit::Refused, format!("{values} not there"));
    Err(match plan.missing.is_empty() || args.make_environments {
        true => failure,
        false => failure.hint(format!("--make-environments makes {}", plan.missing.join(", "))),
    })
}
