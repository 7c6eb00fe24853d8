//! A run is made: its group is evaluated, its jobs are declared, what is carried over is placed.

use event::{RunEvent, RunRequest, StreamId, WaitReason};
use mask::MaskedText;

use super::{Decided, Refusal};
use crate::contexts::RunContexts;
use crate::definitions::Definitions;
use crate::group::GroupName;
use crate::limits::RUN_JOBS_MAX;
use crate::plan;
use crate::state::State;

pub(super) fn create(
    state: &State,
    definitions: &Definitions,
    mut request: RunRequest,
    carried: Vec<RunEvent>,
) -> Result<Decided, Refusal> {
    let stream = StreamId::Run(request.run, request.attempt);
    if state.run(stream).is_some() {
        return Err(Refusal::RunExists(stream));
    }
    let files = definitions.get(stream).ok_or(Refusal::NoFiles(stream))?;
    let main = files.file(None).ok_or(Refusal::NoFiles(stream))?;
    let place = |fault: plan::Fault| {
        let source = &main.workflow.source;
        Refusal::Workflow(match fault.span {
            Some(span) => {
                let place = source.place(span.start);
                format!("{}:{}:{}: {}", source.name(), place.line, place.column, fault.message)
            }
            None => format!("{}: {}", source.name(), fault.message),
        })
    };
    if let Some(concurrency) = &main.workflow.concurrency {
        let contexts = RunContexts::new(files);
        request.concurrency = Some(plan::claim(concurrency, &contexts).map_err(place)?);
    }
    let waiting = waiting(state, &request);
    let (wanted, at) = (request.selection.jobs.clone(), request.at);
    let declared = plan::declare(main, None, None, &wanted, RUN_JOBS_MAX).map_err(place)?;
    let mut events = vec![RunEvent::RunCreated(Box::new(request))];
    if carried.is_empty() {
        events.push(declared);
    } else {
        events.extend(carried);
    }
    events.extend(waiting.map(|reason| RunEvent::RunWaiting { reason, at }));
    Ok(events.into_iter().map(|event| (stream, event)).collect())
}

/// What the run will find its group to be, for those who watch. Whether it waits is decided later,
/// from the fold.
fn waiting(state: &State, request: &RunRequest) -> Option<WaitReason> {
    let claim = request.concurrency.as_ref()?;
    let group = state.groups.get(&GroupName::new(&request.repository, claim.group.as_str()))?;
    let holder = group.holder()?;
    let holder = MaskedText::without_secrets(holder.stream.to_string());
    Some(WaitReason::Concurrency { group: claim.group.clone(), holder })
}
