//! What follows from an input. May change any day: only its events are kept.

mod gates;
mod heard;
mod plan;
mod verdict;

use std::sync::Arc;

use event::{
    Actor, Cause, DeployStepKey, DeploymentEvent, DeploymentRequest, Digest, Fence, GateKey,
    KnownRelease, ServicePlan, SshProof, Timestamp, Way,
};
use mask::MaskedText;
use serde_json::Value as Json;

use crate::limits::REFUSED_MAX;
use crate::pending::{Next, next};
use crate::state::State;

/// An input, who hands it in, and when.
#[derive(Clone, Debug)]
pub struct Told {
    /// The ownership under which it comes.
    pub fence: Fence,
    /// When.
    pub at: Timestamp,
    /// What.
    pub input: Input,
}

/// Everything that can happen to a deployment.
#[derive(Clone, Debug)]
pub enum Input {
    /// Somebody wants it.
    Request(Box<DeploymentRequest>),
    /// A process has it from now on, under the fence that it says.
    Own {
        /// Who: a host and a process.
        owner: MaskedText,
    },
    /// Targets were looked at: what each would do, with its own steps, in the request's order.
    Proposed {
        /// Each service.
        services: Vec<ServicePlan>,
    },
    /// A target says that it cannot be done there.
    Infeasible {
        /// Which service.
        service: Arc<str>,
        /// What stands against it.
        cause: Cause,
    },
    /// A target could not be looked at.
    Unseen {
        /// Which service.
        service: Arc<str>,
        /// Why.
        cause: Cause,
    },
    /// Targets were looked at once more.
    Looked {
        /// Each.
        services: Vec<Looked>,
    },
    /// Somebody agrees to the plan.
    Sign {
        /// At which gate.
        gate: GateKey,
        /// Who.
        by: Actor,
        /// To which plan.
        plan: Digest,
        /// What proves it, verified by whoever hands it in.
        proof: Option<Box<SshProof>>,
        /// Until when it counts.
        until: Option<Timestamp>,
    },
    /// The person who started it typed the word.
    Confirm {
        /// Which.
        word: Arc<str>,
        /// Who.
        by: Actor,
        /// For which plan.
        plan: Digest,
    },
    /// Somebody says no to the plan.
    Reject {
        /// At which gate.
        gate: GateKey,
        /// Who.
        by: Actor,
        /// Why, in their words.
        reason: Option<MaskedText>,
        /// What proves it, verified by whoever hands it in.
        proof: Option<Box<SshProof>>,
    },
    /// Somebody tried to agree or to say no, and may not, or nothing proves it. It is written down,
    /// also when the deployment is over.
    Refuse {
        /// At which gate, where they said so.
        gate: Option<GateKey>,
        /// Who it was said to be.
        by: Option<MaskedText>,
        /// The fingerprint of the key that signed.
        key: Option<Arc<str>>,
        /// Of what was handed in.
        handed: Option<Digest>,
        /// Why not.
        why: MaskedText,
    },
    /// The rules were read once more: they are what they were.
    RulesHold {
        /// The tip that they were read from.
        commit: Arc<str>,
    },
    /// They are not, or somebody forbids it altogether.
    RulesForbid {
        /// Why.
        cause: Cause,
    },
    /// They could not be read.
    RulesUnread {
        /// Why.
        cause: Cause,
    },
    /// How far the step under way is.
    Heard {
        /// Which.
        step: DeployStepKey,
        /// Forward or back.
        way: Way,
        /// How far.
        news: News,
    },
    /// Something that people should know.
    Note {
        /// About which step.
        step: Option<DeployStepKey>,
        /// What.
        text: MaskedText,
    },
    /// Somebody wants it to end.
    Cancel {
        /// Who.
        by: Actor,
        /// Why, in their words.
        reason: Option<MaskedText>,
    },
    /// Decide what is due by itself. Repeated until it gives nothing.
    Advance,
}

/// What stands at a service's target.
#[derive(Clone, Debug, PartialEq)]
pub struct Looked {
    /// The service.
    pub service: Arc<str>,
    /// All that a plan rests on.
    pub seen: Json,
    /// What runs there.
    pub running: Option<KnownRelease>,
}

/// How far a step is.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// Not over.
    Underway,
    /// Whoever does it could not be asked.
    Unreachable(Cause),
    /// Done, or undone.
    Done {
        /// What came out of it.
        effect: Json,
        /// Nothing runs: the wanted number is 0.
        vacuous: bool,
    },
    /// It cannot be done.
    Failed(Cause),
    /// Another deployment took its place.
    Superseded(Cause),
    /// The platform went back by itself.
    WentBack(Cause),
}

/// Why an input changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Somebody else owns it by now.
    #[error("the deployment is owned under fence {found}, this came under {given}")]
    StaleFence {
        /// Its fence.
        given: Fence,
        /// The one that holds.
        found: Fence,
    },
    /// It does not fit where the deployment stands.
    #[error("the deployment is {phase}: {what} does not fit")]
    Misplaced {
        /// Where it stands.
        phase: &'static str,
        /// What came.
        what: &'static str,
    },
    /// There is no such gate, or it is open.
    #[error("no gate `{0}` is waited for")]
    NoGate(GateKey),
    /// The plan is another than the one that was agreed to.
    #[error("the plan is {found}, not {given}")]
    OtherPlan {
        /// What was agreed to.
        given: Digest,
        /// What the plan is.
        found: Digest,
    },
    /// The wrong word.
    #[error("the word is `{0}`")]
    OtherWord(Arc<str>),
    /// They may not agree to it.
    #[error("{name} may not: {why}")]
    MayNot {
        /// Who.
        name: MaskedText,
        /// Why.
        why: String,
    },
}

/// What follows from an input. `Ok` with no event: it was right and changes nothing.
///
/// # Errors
/// When the input does not fit; the state is as it was.
pub fn decide(state: &State, told: Told) -> Result<Vec<DeploymentEvent>, Refusal> {
    let Told { fence, at, input } = told;
    match input {
        Input::Request(request) => {
            return match state.request {
                None => Ok(vec![DeploymentEvent::DeploymentRequested(request)]),
                Some(_) => Err(misplaced(state, "a request")),
            };
        }
        Input::Own { owner } if fence > state.fence && state.ended.is_none() => {
            let owned = DeploymentEvent::DeploymentOwned { fence, owner, at };
            // Once: with the first owner.
            let passed = (state.fence == Fence(0)).then(|| gates::passed(state, at));
            return Ok([owned].into_iter().chain(passed.into_iter().flatten()).collect());
        }
        _ => {}
    }
    if fence != state.fence {
        return Err(Refusal::StaleFence { given: fence, found: state.fence });
    }
    if let (Input::Refuse { gate, by, key, handed, why }, true) = (&input, state.request.is_some())
    {
        if state.refused >= REFUSED_MAX {
            return Err(misplaced(state, "one more refused approval"));
        }
        let (gate, by, key) = (gate.clone(), by.clone(), key.clone());
        let (handed, why) = (*handed, why.clone());
        return Ok(vec![DeploymentEvent::ApprovalRefused { gate, by, key, handed, why, at }]);
    }
    if state.request.is_none() || state.ended.is_some() {
        return Err(misplaced(state, "anything"));
    }
    match input {
        Input::Refuse { .. } => Err(misplaced(state, "a refused approval")),
        Input::Request(_) | Input::Own { .. } => Err(misplaced(state, "an owner")),
        Input::Proposed { services } => plan::proposed(state, services, at),
        Input::Infeasible { service, cause } => plan::infeasible(state, &service, cause, at),
        Input::Unseen { service, cause } => plan::unseen(state, &service, cause, at),
        Input::Looked { services } => plan::looked(state, &services, at),
        Input::Sign { gate, by, plan, proof, until } => {
            gates::sign(state, gates::Signature { gate, by, plan, proof, until }, at)
        }
        Input::Confirm { word, by, plan } => gates::confirm(state, &word, by, plan, at),
        Input::Reject { gate, by, reason, proof } => {
            gates::reject(state, gate, by, reason, proof, at)
        }
        Input::RulesHold { commit } => gates::rules_hold(state, commit, at),
        Input::RulesForbid { cause } => gates::rules_forbid(state, cause, at),
        Input::RulesUnread { cause } => gates::rules_unread(state, cause, at),
        Input::Heard { step, way, news } => heard::heard(state, step, way, news, at),
        Input::Note { step, text } => Ok(vec![DeploymentEvent::DeploymentNoted { step, text, at }]),
        Input::Cancel { by, reason } => {
            let is_news = state.cancel.is_none() && state.turned.is_none();
            let wanted = DeploymentEvent::CancelWanted { by, reason, at };
            Ok(is_news.then_some(wanted).into_iter().collect())
        }
        Input::Advance => Ok(advance(state, at)),
    }
}

fn misplaced(state: &State, what: &'static str) -> Refusal {
    Refusal::Misplaced { phase: state.phase(), what }
}

fn advance(state: &State, at: Timestamp) -> Vec<DeploymentEvent> {
    match next(state) {
        Next::Cancelled(cause) => vec![verdict::cancelled(cause, at)],
        Next::Unchanged => vec![verdict::unchanged(state, at)],
        Next::Announce => gates::announce(state, at),
        Next::Gates(Some(opens)) if opens <= at => gates::clock(state, at),
        Next::Intend(step, way) => vec![DeploymentEvent::StepIntended { step, way, at }],
        Next::TurnBack(cause) => verdict::turn_back(state, cause, at),
        Next::Back => vec![verdict::back(state, at)],
        Next::Stuck(step, cause) => vec![verdict::stuck(state, &step, cause, at)],
        Next::Nothing
        | Next::Propose
        | Next::Gates(_)
        | Next::ReadRules
        | Next::Look(..)
        | Next::Carry(..)
        | Next::LastLook(_) => Vec::new(),
    }
}
