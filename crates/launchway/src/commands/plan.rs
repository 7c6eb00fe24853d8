//! `launchway plan`: what an event would run, and why the rest would not. Nothing is run, and
//! nothing is written but called workflows of other repositories, which are fetched once.

use std::collections::BTreeMap;
use std::path::Path;

use actions::WriteLock;
use event::{Selection, Terms};
use protocol::JobOptions;
use repository::{CommittedFile, PrivateStore, Repository, TriggeringEvent};
use syntax::Source;
use workflow::{CallSecrets, JobBody, Workflow};

use crate::cli::{PlanArgs, PlanFormat};
use crate::commands::run;
use crate::exit::{Exit, Failure, Outcome, exit_of_findings};
use crate::kept;
use crate::running::names::{Wanted, WantedNames};
use crate::running::plan::{
    self, Decision, Missing, Plan, PlannedFile, PlannedRun, dot, human, json,
};
use crate::running::prepare::{self, Chosen, Situation, called, inputs};
use crate::running::remote::RemoteFiles;
use crate::running::select::{self, Candidate, Choice, SwitchedOff};
use crate::running::{files, given};
use crate::state::StateFolder;
use crate::terminal::style::{Style, columns, out, talk};
use crate::terminal::time::now;

pub(crate) fn run(args: &PlanArgs, state: &StateFolder) -> Outcome {
    let repository =
        Repository::discover(args.event.repository.as_deref().unwrap_or(Path::new(".")))?;
    // Commits that the event needs go away with the plan.
    let mut store = PrivateStore::passing();
    let request = run::event_request(&args.event)?;
    let event = repository.event(&request, !args.event.committed, &mut store)?;
    let committed = event.committed_files(&repository, &store, files::WORKFLOWS)?;
    let planner = Planner::new(args, state, &repository, &event, committed.as_deref())?;
    let plan = planner.plan(&state.disabled(&repository.full_name())?)?;
    if let Some(note) = plan.note.as_ref().filter(|_| args.format != PlanFormat::Json) {
        talk(&format!("note: {note}"));
    }
    let lines = match args.format {
        PlanFormat::Json => json::lines(&plan),
        PlanFormat::Dot => dot::lines(&plan),
        PlanFormat::Human => human::lines(&plan, columns(), Style::stdout()),
    };
    for line in lines {
        out(&line);
    }
    if args.format == PlanFormat::Human {
        talk(&format!("\n{}", human::closing(&plan)));
    }
    if !plan.is_broken() {
        return Ok(Exit::Done);
    }
    Ok(exit_of_findings(plan.files.iter().flat_map(plan::PlannedFile::mistakes)))
}

/// Everything that planning a file looks at.
struct Planner<'a> {
    args: &'a PlanArgs,
    repository: &'a Repository,
    event: &'a TriggeringEvent,
    committed: Option<&'a [CommittedFile]>,
    selection: Selection,
    vars: BTreeMap<String, String>,
    secrets: Vec<String>,
    terms: Terms,
    remote: RemoteFiles,
}

impl<'a> Planner<'a> {
    fn new(
        args: &'a PlanArgs,
        state: &StateFolder,
        repository: &'a Repository,
        event: &'a TriggeringEvent,
        committed: Option<&'a [CommittedFile]>,
    ) -> Result<Planner<'a>, Failure> {
        let options = JobOptions {
            offline: args.offline,
            mirrors: run::mirrors(&args.mirrors)?,
            ..JobOptions::default()
        };
        let mut vars = given::vars(&args.event.vars)?;
        kept::add_variables(state, &repository.identity, &mut vars)?;
        let mut secrets = kept::secret_names(state, &repository.identity)?;
        secrets.extend(secret_names(args)?);
        let secrets = Vec::from_iter(secrets);
        let remote = RemoteFiles::new(state, &repository.root, &options, WriteLock::Never);
        Ok(Planner {
            args,
            repository,
            event,
            committed,
            selection: prepare::selection(&args.event.jobs, &args.event.matrix)?,
            vars,
            secrets,
            terms: given::terms(&args.environments, &args.labels, committed.is_some())?,
            remote,
        })
    }

    fn plan(&self, disabled: &[String]) -> Result<Plan, Failure> {
        let off = SwitchedOff { paths: disabled, at_server: None };
        let mut plan = Plan::new(self.repository, self.event);
        let is_named = self.args.event.workflows.as_ref().is_some_and(|path| path.is_file());
        let mut to_run = Vec::new();
        for candidate in select::candidates(self.repository, self.committed, &self.args.event)? {
            match select::choose(&candidate, self.event, off, is_named) {
                Choice::Runs => to_run.push(candidate),
                Choice::Not(reason) => plan.files.push(planned(&candidate, Decision::Not(reason))),
                Choice::Broken => {
                    let decision = Decision::Broken(candidate.findings.clone());
                    plan.files.push(planned(&candidate, decision));
                }
            }
        }
        let others = select::keep_those_with(&mut to_run, &self.selection.jobs)?;
        select::check_matrix_keys(&to_run, self.selection.matrix.keys())?;
        for candidate in others {
            let reason = "It has no job that -j asks for.".to_owned();
            plan.files.push(planned(&candidate, Decision::Not(reason)));
        }
        for candidate in to_run {
            let decision = self.file(&candidate)?;
            plan.files.push(planned(&candidate, decision));
        }
        plan.files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(plan)
    }

    fn file(&self, candidate: &Candidate) -> Result<Decision, Failure> {
        let workflow = candidate.workflow.as_ref().expect("what runs could be read");
        let fetch = |uses: &workflow::Uses| self.remote.file(uses);
        let called = called::find(self.repository, workflow, self.committed, &fetch)?;
        if !called.findings.is_empty() {
            return Ok(Decision::Broken(called.findings));
        }
        let files = Files::read(candidate, &called);
        let inputs = inputs::of_event(workflow, self.event, &self.args.event)?;
        let situation = Situation {
            repository: self.repository,
            event: self.event,
            store: None,
            terms: self.terms.clone(),
            vars: &self.vars,
            secret_names: &self.secrets,
            selection: &self.selection,
            now: now(),
        };
        let chosen = Chosen {
            path: &candidate.path,
            source: &candidate.source,
            workflow,
            called: called.files,
            inputs,
        };
        // The journal gives the numbers when the run begins.
        let request = match prepare::request(&situation, chosen, run::NOT_NUMBERED) {
            Ok(request) => request,
            Err(finding) => return Ok(Decision::Broken(vec![*finding])),
        };
        let mut findings = Vec::new();
        let matters = run::look_ahead(std::slice::from_ref(&request), &self.terms, &mut findings);
        // A call that the called workflow does not take is a mistake on GitHub too.
        let (mistakes, refusals): (Vec<_>, Vec<_>) =
            findings.into_iter().partition(|finding| finding.rule == "called-workflow");
        if !mistakes.is_empty() {
            return Ok(Decision::Broken(mistakes));
        }
        Ok(Decision::Runs(Box::new(PlannedRun {
            rehearsal: plan::rehearse(request)?,
            refusals,
            matters: matters.concat(),
            missing_secrets: files.missing_secrets(&self.secrets),
            missing_vars: files.missing_vars(&self.vars),
        })))
    }
}

fn planned(candidate: &Candidate, decision: Decision) -> PlannedFile {
    let name = candidate.workflow.as_ref().and_then(|workflow| workflow.name.as_ref());
    PlannedFile {
        path: candidate.path.clone(),
        name: name.map_or_else(|| candidate.path.clone(), |name| name.value.to_string()),
        decision,
    }
}

/// Names are enough here: nobody is asked for a value.
fn secret_names(args: &PlanArgs) -> Result<Vec<String>, Failure> {
    let name = |flag: &String| flag.split('=').next().unwrap_or(flag).to_owned();
    let flags: Vec<String> = args.secrets.iter().map(|flag| name(flag) + "=").collect();
    let secrets = given::secrets(&flags, args.secret_file.as_deref())?;
    Ok(secrets.into_keys().collect())
}

/// A workflow with the files that it calls.
struct Files {
    main: Workflow,
    called: BTreeMap<String, Workflow>,
}

impl Files {
    fn read(candidate: &Candidate, called: &called::Called) -> Files {
        let read =
            |file: &event::WorkflowFile| workflow::read(&Source::new(&*file.path, &*file.text)).0;
        let called = called.files.iter();
        Files {
            main: candidate.workflow.clone().expect("what runs could be read"),
            called: called.filter_map(|(key, file)| Some((key.clone(), read(file)?))).collect(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Workflow> {
        std::iter::once(&self.main).chain(self.called.values())
    }

    /// A called file has only the secrets it is handed, so what it reads is its caller's business;
    /// with `inherit` it reads the run's own.
    fn missing_secrets(&self, given: &[String]) -> Vec<Missing> {
        let mut wanted = WantedNames::default();
        wanted.look(&self.main.source);
        for (caller, workflow) in std::iter::once((None, &self.main))
            .chain(self.called.iter().map(|(key, it)| (Some(&**key), it)))
        {
            for job in &workflow.jobs {
                let JobBody::Call(call) = &job.body else { continue };
                let key = scheduler::called_key(caller, &call.uses);
                if let (Some(CallSecrets::Inherit), Some(file)) =
                    (&call.secrets, self.called.get(&key))
                {
                    wanted.look(&file.source);
                }
            }
        }
        // GITHUB_TOKEN is taken from `gh` when the run begins.
        let is_missing = |name: &String| *name != "GITHUB_TOKEN" && !given.contains(name);
        wanted.secrets.iter().filter(|(name, _)| is_missing(name)).map(missing).collect()
    }

    fn missing_vars(&self, given: &BTreeMap<String, String>) -> Vec<Missing> {
        let mut wanted = WantedNames::default();
        self.all().for_each(|workflow| wanted.look(&workflow.source));
        let has = |name: &String| given.keys().any(|key| key.eq_ignore_ascii_case(name));
        wanted.vars.iter().filter(|(name, _)| !has(name)).map(missing).collect()
    }
}

fn missing((name, wanted): (&String, &Wanted)) -> Missing {
    Missing {
        name: name.clone(),
        file: wanted.source.name().to_owned(),
        line: wanted.source.place(wanted.span.start).line,
    }
}
