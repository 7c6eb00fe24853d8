//! The journal that several machines share: opened as the settings say, brought up to date, and what
//! becomes of a command that cannot reach it.

use std::sync::Arc;
use std::time::Duration;

use bucket::{BucketError, Holder, Identity, Located, Objects, Shared};
use settings::{Journal, Target};
use store::Store;

use super::targets::Site;
use super::{cloud, owner, person};
use crate::exit::{Exit, Failure};
use crate::settings_file::Found;
use crate::state::StateFolder;
use crate::terminal::style::talk;
use crate::terminal::time::{moment, now};

/// How long the right to deploy is good for between two renewals: who comes behind a dead process
/// waits so long, and who cannot reach the bucket stops by then.
const GOOD_FOR: Duration = Duration::from_secs(60);
/// What may be said instead.
const GOOD_FOR_VARIABLE: &str = "LAUNCHWAY_PLACE_SECONDS";
const GOOD_FOR_MIN_S: u64 = 5;
const GOOD_FOR_MAX_S: u64 = 3_600;
/// A role for the journal is taken for an environment of this name.
pub(crate) const ENVIRONMENT: &str = "journal";
/// Where a bucket is looked for first where nothing says where it is.
const USUAL_REGION: &str = "us-east-1";

/// The bucket of the settings, where the journal is in one.
pub(crate) fn located(found: &Found) -> Option<Located> {
    match &found.settings.journal.value {
        Journal::Bucket(url) => Some(Located::of(url)),
        Journal::Local | Journal::Alone | Journal::Server(_) => None,
    }
}

/// The objects of a journal, as the settings say who asks for them.
pub(crate) fn objects(
    found: &Found,
    state: &StateFolder,
    located: Located,
) -> Result<Objects, Failure> {
    let project = &found.settings.project.value;
    let site = Site { state, project, environment: ENVIRONMENT };
    let credentials = found.settings.journal_credentials.as_ref();
    let sign_in = cloud::sign_in_with(credentials, site, Some(found));
    Ok(Objects::new(located, &region(found), move |region| cloud::client(region, sign_in.clone())))
}

/// Opens it, and reads what is new. `state` is that of this journal.
pub(super) fn open(
    found: &Found,
    state: &StateFolder,
    located: Located,
) -> Result<Arc<Shared>, Failure> {
    let objects = objects(found, state, located)?;
    let missing = |error| Failure::caused(Exit::Missing, anyhow::Error::new(error));
    let copy = Arc::new(Store::open(state.own()).map_err(missing)?);
    let who =
        Identity { owner: format!("{} on {}", person().name, owner()), machine: state.machine()? };
    let heeds = state.own().join("conditional");
    let shared = Arc::new(Shared::new(objects, copy, who, heeds, now));
    let Err(error) = shared.refresh() else { return Ok(shared) };
    match shared.as_of().filter(|_| error.is_out_of_reach()) {
        Some(at) => {
            let failure = failed(error);
            talk(&format!("note: as of {}: {:#}", moment(at), failure.error));
            Ok(shared)
        }
        None => Err(failed(error)),
    }
}

/// With what to do about it.
pub(crate) fn failed(error: BucketError) -> Failure {
    Failure::caused(Exit::Missing, error)
}

/// How long the right to deploy is good for.
pub(super) fn good_for() -> Result<Duration, Failure> {
    let Ok(text) = std::env::var(GOOD_FOR_VARIABLE) else { return Ok(GOOD_FOR) };
    let seconds = text.parse().ok();
    let seconds = seconds.filter(|it| (GOOD_FOR_MIN_S..=GOOD_FOR_MAX_S).contains(it));
    seconds.map(Duration::from_secs).ok_or_else(|| {
        let message = format!("{GOOD_FOR_VARIABLE} is {text:?}");
        Failure::new(Exit::Usage, message)
            .hint(format!("it is seconds, from {GOOD_FOR_MIN_S} to {GOOD_FOR_MAX_S}"))
    })
}

/// Who has the right to deploy, for people.
pub(super) fn told(holder: &Holder) -> String {
    format!(
        "{}, since {}, until {} unless it is renewed",
        holder.owner,
        moment(holder.since),
        moment(holder.until)
    )
}

fn region(found: &Found) -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
    let said = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    said.or_else(|| of_targets(found)).unwrap_or_else(|| USUAL_REGION.to_owned())
}

/// The region of what is deployed: the bucket is likely there, too.
fn of_targets(found: &Found) -> Option<String> {
    let settings = &found.settings;
    let mut all = settings.environments.iter().flat_map(|environment| {
        settings.order.iter().map(move |service| (&environment.name.value, &service.value))
    });
    all.find_map(|(environment, service)| {
        match settings.resolve(environment, service).ok()?.target {
            Target::Ecs(ecs) => Some(ecs.region.value.to_string()),
            Target::Host(_) | Target::Kubernetes(_) => None,
        }
    })
}
