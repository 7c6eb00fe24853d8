//! Driving a deployment from the command line: the place is taken, what was left open there is
//! finished first, people are asked, signals are heard, and the verdict is told.

use std::io::BufRead as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use bucket::{Hold, Holder, Shared, Taking};
use deployment::{Input, Refusal};
use driver::{
    Deployment, DeploymentEnded, DeploymentError, DeploymentInput, DeploymentObserver,
    DeploymentShell, Place, Taken,
};
use event::{
    Actor, Cause, CauseCode, DeployStepKey, DeploymentEvent, DeploymentId, DeploymentRequest,
    Digest, GateDemand, Way,
};
use mask::MaskedText;
use views::DeploymentView;

use super::book::{Book, Deployments};
use super::doors::{Hands, Nobody};
use super::inbox::{Inbox, Judge};
use super::live::Live;
use super::signals::Signals;
use super::stop::Stops;
use super::wish::Agreement;
use super::{exit_of, owner, shared, show, targets, workflow};
use crate::cli::Format;
use crate::exit::{Exit, Failure, Outcome};
use crate::incidents::Incidents;
use crate::settings_file::Found;
use crate::state::StateFolder;
use crate::telling::Told;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::now;

/// Everything that driving needs.
pub(crate) struct Driver<'a> {
    pub(crate) book: &'a Book,
    pub(crate) state: &'a StateFolder,
    pub(crate) found: &'a Found,
    format: Format,
    signals: Signals,
}

/// The right to deploy to an environment, for as long as the value lives.
pub(crate) struct Ours {
    // Let go before that of this machine, which says that nobody else here has it.
    _shared: Option<Hold>,
    _local: Place,
}

/// Who has the right to deploy to an environment.
pub(crate) enum HeldBy {
    /// A process of this machine.
    Here,
    /// Another machine.
    Elsewhere(Holder),
}

impl<'a> Driver<'a> {
    pub(crate) fn new(
        (book, state): (&'a Book, &'a StateFolder),
        found: &'a Found,
        format: Format,
    ) -> Driver<'a> {
        Driver { book, state, found, format, signals: Signals::default() }
    }
}

impl Driver<'_> {
    /// Takes an environment, or says who has it.
    pub(crate) fn take(&self, environment: &str) -> Result<Ours, Failure> {
        let taken = Place::take(&self.state.places(), &self.book.project, environment);
        match taken.map_err(|error| Failure::caused(Exit::Missing, error))? {
            Taken::Ours(local) => {
                let shared = self.book.shared().map(|it| self.take_shared(it, environment));
                Ok(Ours { _shared: shared.transpose()?, _local: local })
            }
            Taken::By(pid) => {
                let who = pid.map(|pid| format!(" (process {pid})")).unwrap_or_default();
                let message = format!("another deployment goes to {environment} now{who}");
                Err(Failure::new(Exit::Forbidden, message)
                    .hint("launchway deployments watch follows it"))
            }
        }
    }

    fn take_shared(&self, shared: &Arc<Shared>, environment: &str) -> Result<Hold, Failure> {
        let good_for = shared::good_for()?;
        let taken = shared.take(&self.book.project, &environment.into(), good_for);
        match taken.map_err(shared::failed)? {
            Taking::Ours(hold) => Ok(hold),
            Taking::By(holder) => {
                let who = shared::told(&holder);
                let message = format!("another deployment goes to {environment} now: {who}");
                Err(Failure::new(Exit::Forbidden, message)
                    .hint("launchway deployments watch follows it")
                    .hint("once that has expired, the next deploy, or deployments resume, goes on with it"))
            }
        }
    }

    /// Who has an environment now.
    pub(crate) fn holder(&self, environment: &str) -> Result<Option<HeldBy>, Failure> {
        holder(self.book, self.state, environment)
    }

    /// Finishes what was left open. Whoever has the place knows that nobody else drives it.
    ///
    /// # Errors
    /// When it cannot be gone on with, or was told to stop meanwhile: then nothing is to begin after it.
    pub(crate) fn finish_open(&self, environment: &str) -> Result<(), Failure> {
        for view in self.book.open(environment)? {
            talk(&format!("deployment {} was left open; it is finished first", view.id));
            let over = self.go_on(&view, None)?;
            let nothing = |why: &str| {
                let message = format!("nothing new was begun: deployment {} {why}", view.id);
                Err(Failure::new(Exit::Cancelled, message))
            };
            let Some(over) = over else { return nothing("is to be finished first") };
            told(&over, self.format);
            if self.signals.is_told_to_stop() {
                return nothing("is over, and this command was told to stop");
            }
        }
        Ok(())
    }

    /// Does a part of what prepares a deployment.
    ///
    /// # Errors
    /// Those of the part; or, whatever became of it, that this command was told to stop meanwhile: a terminal tells
    /// all programs that it started, and the part may have failed for that.
    pub(crate) fn prepared<T>(
        &self,
        part: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let prepared = part();
        self.signals.may_begin()?;
        prepared
    }

    /// Goes on with a deployment, and tells how it ended. Its place is the caller's.
    pub(crate) fn resume(&self, view: &DeploymentView, first: Option<Input>) -> Outcome {
        Ok(self.told(self.go_on(view, first)?.as_ref()))
    }

    /// Back comes how it ended; nothing where it was left.
    fn go_on(
        &self,
        view: &DeploymentView,
        first: Option<Input>,
    ) -> Result<Option<DeploymentView>, Failure> {
        let hands = self.prepared(|| Hands::open(self.state, &view.request, Some(self.found)))?;
        let hands = hands.under(self.book.shared());
        let told = self.tell();
        let (sender, inputs) = channel();
        let _heeded = self.signals.drive(sender.clone())?;
        let mut watcher = Watcher::new(self.format, &sender, &view.request);
        watcher.wake = told.as_ref().map(Told::wake);
        let ledger = self.book.deployments();
        let driven = Deployment::adopt(view.id, owner(), now(), (ledger, hands, watcher));
        let driven = driven.map_err(failed)?;
        first.into_iter().for_each(|input| {
            // The other end lives in the shell below.
            let _ = sender.send(DeploymentInput::Told(input));
        });
        self.listen(view.id, &view.request, &sender);
        self.run(driven, (sender, inputs))
    }

    /// Tells how it ended, if it did; the exit code says so too.
    pub(crate) fn told(&self, view: Option<&DeploymentView>) -> Exit {
        view.map_or(Exit::Cancelled, |view| told(view, self.format))
    }

    /// Approvals that others hand in are heard while it waits.
    fn listen(
        &self,
        id: DeploymentId,
        request: &DeploymentRequest,
        sender: &Sender<DeploymentInput>,
    ) {
        let is_asked = |gate: &GateDemand| matches!(gate, GateDemand::Approval { .. });
        if request.gates.iter().any(is_asked) {
            let judge = self.judge(id);
            judge.listen(Inbox::of(self.state, id), sender.clone());
            if let Some(shared) = self.book.shared() {
                Inbox::of(self.state, id).fetch(shared, id);
            }
        }
    }

    fn judge(&self, id: DeploymentId) -> Judge {
        Judge { book: self.book.clone(), settings: self.found.file.clone(), id }
    }

    /// What somebody hands in for a deployment that nobody drives: judged and written down here. Its
    /// place is the caller's.
    pub(crate) fn hear(&self, id: DeploymentId, handed: &str) -> Result<(), Failure> {
        let inputs = self.judge(id).inputs(handed)?;
        let ledger = self.book.deployments();
        let driven = Deployment::adopt(id, owner(), now(), (ledger, Nobody, Nobody));
        let mut driven = driven.map_err(failed)?;
        driven.hear(inputs, now(), &mut |_| {}).map_err(failed)
    }

    /// Writes down that the rules refused it: who asks later what was tried finds it.
    pub(crate) fn refuse(&self, request: DeploymentRequest, why: &Failure) -> Result<(), Failure> {
        let _told = self.tell();
        let id = self.book.allocate(&request.environment)?;
        let ledger = self.book.deployments();
        let driven = Deployment::request(id, request, owner(), (ledger, Nobody, Nobody));
        let message = MaskedText::without_secrets(format!("{:#}", why.error));
        let cause = Cause::new(CauseCode::GateShut, message);
        let mut driven = driven.map_err(failed)?;
        driven.hear(vec![Input::RulesForbid { cause }], now(), &mut |_| {}).map_err(failed)
    }

    /// Begins a deployment, and tells how it ended. Its place is the caller's.
    pub(crate) fn begin(&self, request: DeploymentRequest, agreed: Agreement<'_>) -> Outcome {
        Ok(self.told(self.begin_quietly(request, agreed)?.as_ref()))
    }

    /// Begins a deployment. Back comes how it ended; nothing where it was left.
    pub(crate) fn begin_quietly(
        &self,
        request: DeploymentRequest,
        agreed: Agreement<'_>,
    ) -> Result<Option<DeploymentView>, Failure> {
        targets::refuse_without_docker(&request.services)?;
        let told = self.tell();
        let hands = self.prepared(|| Hands::open(self.state, &request, Some(self.found)))?;
        let hands = hands.under(self.book.shared());
        let (sender, inputs) = channel();
        let _heeded = self.signals.drive(sender.clone())?;
        let id = self.book.allocate(&request.environment)?;
        let mut watcher = Watcher::new(self.format, &sender, &request);
        watcher.typed = agreed.word.map(Arc::from);
        watcher.wake = told.as_ref().map(Told::wake);
        let ledger = self.book.deployments();
        self.listen(id, &request, &sender);
        let driven = Deployment::request(id, request, owner(), (ledger, hands, watcher));
        self.run(driven.map_err(failed)?, (sender, inputs))
    }

    /// From here on people are told, until what comes back is dropped.
    fn tell(&self) -> Option<Told> {
        Told::begin(self.found, self.state, self.book.copy(), self.book.shared().is_some())
    }

    fn run(
        &self,
        driven: Deployment<Deployments, Hands, Watcher>,
        (sender, inputs): (Sender<DeploymentInput>, Receiver<DeploymentInput>),
    ) -> Result<Option<DeploymentView>, Failure> {
        let mut shell = DeploymentShell::new(driven, inputs);
        let id = shell.inner().id();
        Stops::of(self.state, id).listen(sender);
        let ended = shell.run(&now, &mut |refusal| match refusal {
            // That somebody may not agree is an event, and told as one.
            Refusal::MayNot { .. } | Refusal::NoGate(_) | Refusal::OtherPlan { .. } => {}
            _ => talk(&format!("not heard: {refusal}")),
        });
        match ended.map_err(failed)? {
            DeploymentEnded::Detached => {
                talk(&format!(
                    "deployment {id} is left as it is; launchway deployments resume {id} goes on with it"
                ));
                Ok(None)
            }
            DeploymentEnded::Over => {
                Inbox::of(self.state, id).close();
                Incidents::of(self.book).look_at_ends_in_passing(&self.book.project);
                let view = shell.inner().observer().live.view().cloned();
                let unseen = || Failure::new(Exit::Fault, "it is over and unseen");
                Ok(Some(view.ok_or_else(unseen)?))
            }
        }
    }
}

/// Who has an environment now.
pub(crate) fn holder(
    book: &Book,
    state: &StateFolder,
    environment: &str,
) -> Result<Option<HeldBy>, Failure> {
    let here = Place::holder(&state.places(), &book.project, environment);
    if here.map_err(|error| Failure::caused(Exit::Missing, error))?.is_some() {
        return Ok(Some(HeldBy::Here));
    }
    let Some(shared) = book.shared() else { return Ok(None) };
    let holder = shared.holder(&book.project, environment).map_err(shared::failed)?;
    // Nobody here has it: who is written there as of this machine is dead.
    Ok(holder.filter(|it| !it.is_here).map(HeldBy::Elsewhere))
}

/// Tells how it ended; the exit code says so too.
pub(crate) fn told(view: &DeploymentView, format: Format) -> Exit {
    let Some(end) = &view.ended else { return Exit::Fault };
    match format {
        Format::Json => {}
        Format::Human => out(show::verdict(view, end, Style::stdout()).trim_end()),
        Format::Github => workflow::told(view, end),
    }
    exit_of(end)
}

fn failed(error: DeploymentError) -> Failure {
    let exit = match &error {
        DeploymentError::Journal(_) => Exit::Missing,
        _ => Exit::Fault,
    };
    Failure::caused(exit, error)
}

/// Shows what happens, and asks the person where a gate wants a word.
struct Watcher {
    live: Live,
    inputs: Sender<DeploymentInput>,
    by: Actor,
    word: Option<Arc<str>>,
    /// What was typed beforehand.
    typed: Option<Arc<str>>,
    plan: Option<Digest>,
    /// Whoever tells people.
    wake: Option<outbox::Wake>,
}

impl Watcher {
    fn new(
        format: Format,
        inputs: &Sender<DeploymentInput>,
        request: &DeploymentRequest,
    ) -> Watcher {
        let word = request.gates.iter().find_map(|gate| match gate {
            GateDemand::Confirm { word } => Some(Arc::clone(word)),
            _ => None,
        });
        let (live, by) = (Live::new(format), request.by.clone());
        Watcher { live, inputs: inputs.clone(), by, word, typed: None, plan: None, wake: None }
    }

    /// Asks on a thread of its own: the deployment hears signals meanwhile.
    fn ask(&self) {
        let (Some(word), Some(plan)) = (&self.word, self.plan) else { return };
        let (word, by, inputs) = (Arc::clone(word), self.by.clone(), self.inputs.clone());
        if self.typed.as_ref() == Some(&word) {
            // It may be over by then.
            let _ = inputs.send(DeploymentInput::Told(Input::Confirm { word, by, plan }));
            return;
        }
        talk(&format!("Type {word} to do this; anything else ends it:"));
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            let input = if read.is_ok() && line.trim() == &*word {
                Input::Confirm { word, by, plan }
            } else {
                let reason = Some(MaskedText::without_secrets("the plan was not agreed to"));
                Input::Cancel { by, reason }
            };
            // It may be over by then.
            let _ = inputs.send(DeploymentInput::Told(input));
        });
    }
}

impl DeploymentObserver for Watcher {
    fn on_event(&mut self, deployment: DeploymentId, event: &DeploymentEvent) {
        self.live.event(deployment, event);
        if let Some(wake) = &self.wake {
            wake.now();
        }
        match event {
            DeploymentEvent::DeploymentPlanned { hash, .. } => self.plan = Some(*hash),
            DeploymentEvent::GateWaiting { gate, .. } if gate.as_str() == "confirm" => self.ask(),
            _ => {}
        }
    }

    fn on_progress(&mut self, step: &DeployStepKey, way: Way, seen: &MaskedText) {
        self.live.progress(step, way, seen);
    }

    fn on_adopted(&mut self, deployment: DeploymentId, events: &[DeploymentEvent]) {
        self.live.past(deployment, events);
        let plan = self.live.view().and_then(|view| view.plan.as_ref());
        self.plan = plan.map(|(_, hash)| *hash);
        let gates = self.live.view().map_or(&[][..], |view| &view.gates);
        let waits =
            |gate: &views::GateView| gate.gate.as_str() == "confirm" && gate.opened_at.is_none();
        // The one who was asked is gone; whoever goes on with it is asked.
        if gates.iter().any(waits) {
            self.ask();
        }
    }
}
