//! What a job becomes when its needs have ended: skipped, failed, one job, the legs of a matrix.
//!
//! Everything that has expressions is evaluated here, once, in the order of conformance 100; the
//! answers go into [`JobDefinition`]s. A mistake fails the job with its place; others go on.

mod call;
mod fields;

use event::{
    Annotation, AnnotationLevel, CancelReason, Conclusion, ExitKind, JobDefinition, JobKey,
    RunEvent, RunnerDemand, SkipReason, Timestamp, WaitReason,
};
use expr::Value;
use mask::MaskedText;
use syntax::Span;
use workflow::{Job, JobBody, Leg, StepsJob, Strategy, Template, Workflow, matrix};

use crate::contexts::JobContexts;
use crate::definitions::Files;
use crate::gate::is_gated;
use crate::limits::{CANCEL_TIMEOUT_MINUTES, RUN_JOBS_MAX, TIMEOUT_MINUTES};
use crate::state::{NodeId, Run};
use crate::{permissions, secrets};

pub(crate) use call::declare;
pub use call::{Foreseen, foresee_call};
pub(crate) use fields::claim;
pub use fields::host_port;

/// What is wrong with a job's text or with what it evaluates to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub message: String,
    /// Where, in the file that the job stands in.
    pub span: Option<Span>,
}

impl Fault {
    pub(crate) fn at(span: Span, message: impl Into<String>) -> Fault {
        Fault { message: message.into(), span: Some(span) }
    }
}

/// A job and everything that deciding about it looks at.
pub(crate) struct Planning<'s> {
    pub(crate) run: &'s Run,
    pub(crate) files: &'s Files,
    pub(crate) id: NodeId,
    pub(crate) at: Timestamp,
}

/// How a matrix is run.
struct Matrix {
    legs: Vec<Leg>,
    written: bool,
    fail_fast: bool,
    max_parallel: Option<u32>,
}

/// The events that settle a job whose needs have ended.
pub(crate) fn plan(planning: &Planning<'_>) -> Vec<RunEvent> {
    let key = &planning.run.node(planning.id).key;
    match planning.events() {
        Ok(events) => events,
        Err(fault) => failed(planning, key, &fault),
    }
}

/// The end of a job that could not even be planned.
pub(crate) fn failed(planning: &Planning<'_>, key: &JobKey, fault: &Fault) -> Vec<RunEvent> {
    let annotation = planning.annotation(fault);
    vec![
        RunEvent::AnnotationAdded { job: key.clone(), step: None, annotation },
        RunEvent::JobCompleted {
            job: key.clone(),
            fence: None,
            conclusion: Conclusion::Failure,
            exit: ExitKind::UserFailure,
            outputs: Default::default(),
            log: None,
            environment_url: None,
            at: planning.at,
        },
    ]
}

impl<'s> Planning<'s> {
    fn file_key(&self) -> Option<&'s str> {
        self.run.scope(self.run.node(self.id).scope).file.as_deref()
    }

    fn text(&self) -> Result<(&'s Workflow, &'s Job), Fault> {
        let id = &self.run.node(self.id).id;
        self.files.job(self.file_key(), id).ok_or_else(|| Fault {
            message: format!("the job `{id}` is not in its workflow file any more"),
            span: None,
        })
    }

    fn annotation(&self, fault: &Fault) -> Annotation {
        let source = self.files.file(self.file_key()).map(|file| &file.workflow.source);
        let place = source
            .zip(fault.span)
            .map(|(source, span)| (source.place(span.start), source.place(span.end)));
        Annotation {
            level: AnnotationLevel::Error,
            message: MaskedText::without_secrets(fault.message.as_str()),
            title: None,
            file: source.map(|source| MaskedText::without_secrets(source.name())),
            line: place.map(|(start, _)| start.line),
            end_line: place.map(|(_, end)| end.line),
            column: place.map(|(start, _)| start.column),
            end_column: place.map(|(_, end)| end.column),
        }
    }

    fn events(&self) -> Result<Vec<RunEvent>, Fault> {
        let (workflow, job) = self.text()?;
        let mut contexts = JobContexts::of_job(self.run, self.files, self.id);
        if let Some(reason) = self.skipped(job, &contexts)? {
            let job = self.run.node(self.id).key.clone();
            return Ok(vec![RunEvent::JobSkipped { job, reason, at: self.at }]);
        }
        let matrix = self.matrix(job, &contexts)?;
        let mut events = Vec::with_capacity(matrix.legs.len() + 1);
        let (mut children, mut gated) = (Vec::new(), Vec::new());
        for leg in &matrix.legs {
            contexts.with_leg(leg, matrix.fail_fast, matrix.max_parallel);
            let definition = self.definition(workflow, job, &matrix, leg, &contexts)?;
            children.push(definition.key.clone());
            if is_gated(self.run.request(), &definition) {
                gated.push(definition.key.clone());
            }
            events.push(RunEvent::JobPlanned(Box::new(definition)));
        }
        if matrix.written {
            let job = self.run.node(self.id).key.clone();
            let let_out = matrix.max_parallel.map_or(usize::MAX, |max| max as usize);
            let parked = children.iter().skip(let_out).filter(|it| !gated.contains(it));
            let parked: Vec<JobKey> = parked.cloned().collect();
            events.push(RunEvent::JobExpanded { job, children });
            events.extend(parked.into_iter().map(|job| RunEvent::JobWaiting {
                job,
                reason: WaitReason::MaxParallel,
                at: self.at,
            }));
        }
        Ok(events)
    }

    /// Conformance 47, 88, 100.
    fn skipped(&self, job: &Job, contexts: &JobContexts<'_>) -> Result<Option<SkipReason>, Fault> {
        if matches!(self.run.cancel, Some(CancelReason::Forced { .. })) {
            return Ok(Some(SkipReason::Forced));
        }
        if wants_to_run(job, contexts)? {
            return Ok(None);
        }
        let node = self.run.node(self.id);
        let blames = |id: &&NodeId| {
            let need = self.run.node(**id);
            let result = need.ended.as_ref().map(|ended| ended.result);
            result != Some(Conclusion::Success) || need.ancestry != Default::default()
        };
        let implicit = job.condition.as_ref().is_none_or(|it| !fields::asks_status(&it.text.value));
        let blamed = node.needs.iter().find(blames).filter(|_| implicit);
        Ok(Some(match (blamed, &job.condition) {
            (Some(need), _) => SkipReason::Needs { job: self.run.node(*need).key.clone() },
            (None, Some(condition)) => SkipReason::Condition {
                expression: MaskedText::without_secrets(&*condition.text.value),
            },
            // Only a cancelled run skips a job without needs and without a condition.
            (None, None) => {
                SkipReason::Condition { expression: MaskedText::without_secrets("success()") }
            }
        }))
    }

    fn matrix(&self, job: &Job, contexts: &JobContexts<'_>) -> Result<Matrix, Fault> {
        let (value, fail_fast, max_parallel, span) = match &job.strategy {
            None => (Value::Null, None, None, job.id.span),
            Some(Strategy::Written { matrix, fail_fast, max_parallel, span }) => {
                let of = |it: &Option<Template>| fields::optional(it.as_ref(), contexts);
                let value = of(matrix)?.unwrap_or(Value::Null);
                (value, of(fail_fast)?, of(max_parallel)?, *span)
            }
            Some(Strategy::Expression(template)) => {
                let strategy = fields::value(template, contexts)?;
                let Value::Object(strategy) = &strategy else {
                    return Err(Fault::at(template.span(), "strategy: a mapping was expected"));
                };
                let of = |key: &str| strategy.get(key).cloned();
                let value = of("matrix").unwrap_or(Value::Null);
                (value, of("fail-fast"), of("max-parallel"), template.span())
            }
        };
        let written = !matches!(value, Value::Null);
        let wrong = |error: matrix::MatrixError| Fault::at(span, format!("matrix: {error}"));
        let mut legs = matrix::expand(&value).map_err(wrong)?;
        let wanted = &self.run.request().selection.matrix;
        legs.retain(|leg| is_wanted(leg, wanted));
        if legs.is_empty() {
            return Err(Fault::at(span, "no leg of the matrix has the values that were asked for"));
        }
        if self.run.jobs_counted() + legs.len() - 1 > RUN_JOBS_MAX {
            return Err(Fault::at(span, format!("the run has more than {RUN_JOBS_MAX} jobs")));
        }
        let max_parallel = fields::number(max_parallel, "max-parallel", span)?;
        Ok(Matrix {
            legs,
            written,
            fail_fast: fields::boolean(fail_fast, "fail-fast", span)?.unwrap_or(true),
            // GitHub's schema takes any number; less than one leg at a time would never end.
            max_parallel: max_parallel.map(|max| (max as u32).max(1)),
        })
    }

    fn definition(
        &self,
        workflow: &Workflow,
        job: &Job,
        matrix: &Matrix,
        leg: &Leg,
        contexts: &JobContexts<'_>,
    ) -> Result<JobDefinition, Fault> {
        let node = self.run.node(self.id);
        let caller = self.run.scope(node.scope).caller.map(|id| self.run.node(id));
        let granted = caller.map(|caller| &caller.planned().permissions);
        let permissions = permissions::of_job(workflow, job, granted);
        let permissions = if self.run.request.terms.outside {
            // Whatever is asked for, it may read at most (GitHub's way with forks).
            Ok(permissions::reading(permissions.ok().or(granted.cloned()).unwrap_or_default()))
        } else {
            permissions
        };
        let permissions = permissions.map_err(|excess: permissions::Excess| {
            let span = job.permissions.as_ref().or(workflow.permissions.as_ref());
            let (scope, wanted, most) = (excess.scope, excess.wanted, excess.granted);
            let message = format!(
                "the called workflow asks for `{scope}: {wanted}`, its caller grants `{most}`"
            );
            Fault::at(span.map_or(job.id.span, |it| it.span), message)
        })?;
        let own = fields::name(job, leg, matrix.written, contexts)?;
        let name = match caller {
            None => own,
            Some(caller) => format!("{} / {own}", caller.planned().name),
        };
        let key = if matrix.written {
            JobKey::new(format!("{} ({})", node.key, leg.index + 1))
        } else {
            node.key.clone()
        };
        let mut definition = JobDefinition {
            key,
            id: node.id.clone(),
            name: MaskedText::without_secrets(name),
            parent: caller.map(|caller| caller.key.clone()),
            file: self.run.scope(node.scope).file.clone(),
            needs: node.needs.iter().map(|need| self.run.node(*need).key.clone()).collect(),
            matrix: leg.matrix.to_json(),
            index: leg.index as u32,
            total: leg.total as u32,
            fail_fast: matrix.fail_fast,
            max_parallel: matrix.max_parallel,
            queued_at: self.at,
            concurrency: None,
            continue_on_error: false,
            environment: None,
            permissions,
            runner: None,
            call: None,
        };
        if let Some(concurrency) = &job.concurrency {
            let claim = fields::claim(concurrency, contexts)?;
            self.refuse_deadlock(&claim, concurrency.span)?;
            definition.concurrency = Some(claim);
        }
        match &job.body {
            JobBody::Steps(steps) => {
                self.runner(steps, job, workflow, contexts, &mut definition)?;
            }
            JobBody::Call(call) => definition.call = Some(self.call(call, job, contexts)?),
        }
        Ok(definition)
    }

    fn runner(
        &self,
        steps: &StepsJob,
        job: &Job,
        workflow: &Workflow,
        contexts: &JobContexts<'_>,
        definition: &mut JobDefinition,
    ) -> Result<(), Fault> {
        if let Some(span) = steps.snapshot {
            return Err(Fault::at(span, "snapshot: images cannot be made here"));
        }
        let (labels, group) = fields::runs_on(&steps.runs_on, contexts)?;
        let minutes = |template: &Option<Template>, what: &'static str, default: f64| {
            fields::minutes(template.as_ref(), what, default, contexts)
        };
        definition.continue_on_error =
            fields::flag(steps.continue_on_error.as_ref(), "continue-on-error", contexts)?
                .unwrap_or(false);
        definition.environment = match &steps.environment {
            Some(environment) => fields::text(&environment.name, contexts)?,
            None => None,
        };
        let host_ports = steps.services.as_ref();
        let host_ports = host_ports.map_or(Vec::new(), |it| fields::host_ports(it, contexts));
        definition.runner = Some(RunnerDemand {
            host_ports,
            labels,
            group,
            timeout_minutes: minutes(&steps.timeout_minutes, "timeout-minutes", TIMEOUT_MINUTES)?,
            cancel_timeout_minutes: minutes(
                &steps.cancel_timeout_minutes,
                "cancel-timeout-minutes",
                CANCEL_TIMEOUT_MINUTES,
            )?,
            reads_secrets: secrets::are_read(workflow, job),
        });
        Ok(())
    }

    /// A job that waits for a group which its own run or caller holds would wait for itself
    /// (conformance 43, 125).
    fn refuse_deadlock(&self, claim: &event::ConcurrencyClaim, span: Span) -> Result<(), Fault> {
        let same = |other: &Option<event::ConcurrencyClaim>| {
            other.as_ref().is_some_and(|other| {
                other.group.as_str().to_lowercase() == claim.group.as_str().to_lowercase()
            })
        };
        let scope = self.run.node(self.id).scope;
        let holder = if same(&self.run.request.concurrency) {
            Some("its own run")
        } else {
            let mut callers = self.run.callers(scope);
            callers
                .any(|caller| same(&self.run.node(caller).planned().concurrency))
                .then_some("the job that calls its workflow")
        };
        let Some(holder) = holder else { return Ok(()) };
        let group = &claim.group;
        let message = format!(
            "a deadlock: the concurrency group `{group}` is held by {holder} until this job ends"
        );
        Err(Fault::at(span, message))
    }
}

/// A job's condition (conformance 88); none is `success()`.
pub(crate) fn wants_to_run(job: &Job, contexts: &JobContexts<'_>) -> Result<bool, Fault> {
    match &job.condition {
        Some(condition) => match condition.expr.evaluate(contexts) {
            Ok(value) => Ok(value.is_truthy()),
            Err(error) => Err(Fault::at(condition.text.span, format!("if: {error}"))),
        },
        None => {
            let answer =
                expr::Contexts::status(contexts, expr::StatusFunction::Success, &Vec::new());
            Ok(answer.expect("a job's status functions always have an answer"))
        }
    }
}

/// Whether a leg has the values that a person asked for (`Selection::matrix`).
pub fn is_wanted(leg: &Leg, wanted: &std::collections::BTreeMap<String, String>) -> bool {
    let Value::Object(matrix) = &leg.matrix else { return true };
    wanted.iter().all(|(key, value)| matrix.get(key).is_none_or(|it| *it.to_text() == **value))
}
