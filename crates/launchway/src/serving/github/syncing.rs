//! Values that the server keeps, put into GitHub's by the server itself, as whom it is connected: whoever asks for it
//! is given none.

use forge::{SyncLine, SyncState, SyncWish, ValueKind};
use server::{SyncDone, SyncId, SyncOrder, SyncPlan, SyncWish as Wish};

use crate::exit::{Exit, Failure};
use crate::kept;
use crate::kept::syncing::{Became, Chosen, Looked, Recorded, Sync, said};
use crate::serving::data::DataFolder;
use crate::serving::github::{Link, Links};
use crate::serving::repositories::keeping;

/// What would be put there.
pub(crate) fn plan(data: &DataFolder, repository: &str, wish: &Wish) -> Result<SyncPlan, Failure> {
    let origin = origin(data, repository)?;
    let only = wish.only.as_deref().map(kind_of);
    let Wish { names, environments, all, make_environments, .. } = wish.clone();
    let names = names.iter().map(|it| it.to_uppercase()).collect();
    let wish = SyncWish { all, makes_environments: make_environments };
    let sync = sync(data, &origin, repository, Chosen { names, environments, only, wish });
    let looked = sync.look()?;
    Ok(sync.plan(&looked))
}

/// Puts these there, whatever is there.
pub(crate) fn put(
    data: &DataFolder,
    repository: &str,
    order: &SyncOrder,
    record: Recorded<'_>,
) -> Result<SyncDone, Failure> {
    let origin = origin(data, repository)?;
    let names = order.values.iter().map(|it| it.name.clone()).collect();
    let wish = SyncWish { all: true, makes_environments: order.make_environments };
    let sync = sync(data, &origin, repository, Chosen { names, wish, ..Chosen::default() });
    let Looked { mut lines, missing } = sync.look()?;
    let is_kept = |id: &&SyncId| lines.iter().any(|it| is_it(it, id));
    if let Some(id) = order.values.iter().find(|it| !is_kept(it)) {
        let place = id.environment.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
        let message = format!("no {} {}{place} is kept for {repository}", id.kind, id.name);
        return Err(Failure::new(Exit::Usage, message));
    }
    lines.retain(|line| order.values.iter().any(|id| is_it(line, id)));
    let mut done = SyncDone::default();
    done.values.extend(lines.iter().filter(|it| !it.state.is_put()).map(said));
    let stopped = sync.put(&Looked { lines, missing }, record, |became| match became {
        Became::Environment(name) => done.environments.push(name),
        Became::Value(value) => done.values.push(value),
    });
    if let Err(failure) = stopped {
        done.stopped = Some(format!("{:#}", failure.error));
        done.hint = (!failure.hints.is_empty()).then(|| failure.hints.join("; "));
    }
    Ok(done)
}

fn kind_of(word: &str) -> ValueKind {
    if word == "variable" { ValueKind::Variable } else { ValueKind::Secret }
}

/// What is only at GitHub is none of what is kept.
fn is_it(line: &SyncLine, id: &SyncId) -> bool {
    line.state != SyncState::OnlyThere
        && line.id.kind.word() == id.kind
        && line.id.name == id.name
        && line.id.environment == id.environment
}

/// Where a repository comes from.
struct Origin {
    link: Link,
    /// Its number there, where it is known.
    number: Option<u64>,
}

/// GitHub, asked anew what we may do there.
fn origin(data: &DataFolder, repository: &str) -> Result<Origin, Failure> {
    let mirror = keeping::connected(data, repository)?.github;
    let link = if mirror.is_some() { Links::of(data.clone()).get()? } else { None };
    let link = link.ok_or_else(|| {
        Failure::new(Exit::Usage, format!("{repository} is no mirror of a repository at GitHub"))
    })?;
    let number = mirror.and_then(|it| it.numbers).map(|it| it.repository);
    Ok(Origin { link, number })
}

fn sync<'s>(
    data: &DataFolder,
    origin: &'s Origin,
    repository: &'s str,
    chosen: Chosen,
) -> Sync<'s> {
    Sync {
        vault: kept::vault(&data.state),
        owner: repository,
        github: &origin.link.github,
        url: &origin.link.place.url,
        repository,
        number: origin.number,
        chosen,
    }
}
