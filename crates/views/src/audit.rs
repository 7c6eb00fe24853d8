//! Decisions of people and of rules, one line each, whichever stream they stand in.

use event::{
    Actor, Asked, AuditEvent, CancelReason, DeploymentEvent, Fact as _, IncidentEvent, RunEvent,
    SshProof, StreamId, Timestamp,
};

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// When.
    pub at: Timestamp,
    /// Who; empty where a rule or the clock did it.
    pub actor: String,
    /// How that is known: `token`, `ssh`, `local`; empty where nobody showed it.
    pub proof: String,
    /// What: `run.create`, `gate.approve`, `secret.set`.
    pub action: String,
    /// To what.
    pub object: String,
    /// Why, in their words, or the rule's.
    pub reason: String,
    /// By which way, where that is known: `page`, `api`, `command`.
    pub source: String,
    /// From which address, where that is known.
    pub address: String,
    /// Whether it was refused.
    pub is_refused: bool,
}

/// Kinds of events that are decisions.
pub const DECISIONS: &[&str] = &[
    "RunCreated",
    "JobApproved",
    "JobRejected",
    "JobApprovalRefused",
    "JobGated",
    "JobGateOpened",
    "JobRequeued",
    "CancelRequested",
    "DeploymentRequested",
    "GateSigned",
    "GateRejected",
    "ApprovalRefused",
    "RulePassed",
    "RulesConfirmed",
    "GateOpened",
    "CancelWanted",
    "DeploymentCompleted",
    "IncidentOpened",
    "IncidentResolved",
    "IncidentReopened",
    "IncidentLinked",
    "IncidentUnlinked",
    "AuditRecorded",
];

impl AuditLine {
    /// The line of an event, as the journal has it; none where it decides nothing.
    pub fn of(stream: StreamId, at: Timestamp, payload: &str) -> Option<AuditLine> {
        let payload = payload.as_bytes();
        let line = match stream {
            StreamId::Run(..) => of_run(&RunEvent::decode(payload).ok()?, &stream.to_string()),
            StreamId::Deployment(_) => {
                of_deployment(&DeploymentEvent::decode(payload).ok()?, &stream.to_string())
            }
            StreamId::Incident(_) => {
                Some(of_incident(&IncidentEvent::decode(payload).ok()?, &stream.to_string()))
            }
            StreamId::Audit => of_record(&AuditEvent::decode(payload).ok()?),
            StreamId::Release(_) => None,
        };
        line.map(|line| AuditLine { at, ..line })
    }

    /// One line of a spreadsheet; the order is that of [`AuditLine::CSV_HEAD`].
    pub fn csv(&self, time: &str) -> String {
        let refused = if self.is_refused { "refused" } else { "done" };
        let fields = [
            time,
            &self.actor,
            &self.proof,
            &self.action,
            &self.object,
            refused,
            &self.reason,
            &self.source,
            &self.address,
        ];
        fields.map(cell).join(",")
    }

    /// The first line of such a file.
    pub const CSV_HEAD: &'static str =
        "time,actor,proof,action,object,outcome,reason,source,address";
}

/// A cell: quoted where it must be, and never taken for a formula.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

fn line(action: &str, object: String) -> AuditLine {
    AuditLine {
        at: Timestamp(0),
        actor: String::new(),
        proof: String::new(),
        action: action.to_owned(),
        object,
        reason: String::new(),
        source: String::new(),
        address: String::new(),
        is_refused: false,
    }
}

fn by(line: AuditLine, actor: &Actor) -> AuditLine {
    let (name, proof) = (actor.name.as_str().to_owned(), actor.proof.to_string());
    let source = actor.source.as_deref().unwrap_or_default().to_owned();
    let address = address(actor.address.as_ref());
    AuditLine { actor: name, proof, source, address, ..line }
}

fn address(said: Option<&std::sync::Arc<str>>) -> String {
    said.map(ToString::to_string).unwrap_or_default()
}

/// The way that somebody came whom the event names by itself, and why.
fn as_asked(line: AuditLine, asked: Option<&Asked>) -> AuditLine {
    let Some(Asked { proof, source, address: from, reason }) = asked else { return line };
    let (proof, source) = (proof.to_string(), source.to_string());
    let line = AuditLine { proof, source, address: address(from.as_ref()), ..line };
    because(line, reason.as_ref())
}

/// Why, as they signed it: a line of the text, which was compared byte for byte when it was judged.
fn signed_reason(proof: Option<&SshProof>) -> String {
    let line = |it: &str| it.strip_prefix("reason: ").map(str::to_owned);
    proof.and_then(|it| it.text.lines().find_map(line)).unwrap_or_default()
}

fn because(line: AuditLine, reason: Option<&mask::MaskedText>) -> AuditLine {
    AuditLine { reason: reason.map(|it| it.as_str().to_owned()).unwrap_or_default(), ..line }
}

fn of_run(event: &RunEvent, stream: &str) -> Option<AuditLine> {
    let of_job = |job: &event::JobKey| format!("{stream} {job}");
    Some(match event {
        RunEvent::RunCreated(request) => {
            let object = format!(
                "{stream} {} {} {} at {}",
                request.repository,
                request.workflow.path,
                request.event.name,
                request.change.commit
            );
            let action = if request.attempt.0 > 1 { "run.again" } else { "run.create" };
            let found = as_asked(line(action, object), request.asked.as_ref());
            AuditLine { actor: request.triggering_actor.to_string(), ..found }
        }
        RunEvent::JobGated { job, gate, .. } => {
            let object = format!("{} {} {}", of_job(job), gate.environment, gate.what);
            line("gate.ask", object)
        }
        RunEvent::JobApproved { job, gate, by: who, what, reason, .. } => {
            let object = format!("{} {gate} {what}", of_job(job));
            because(by(line("gate.approve", object), who), reason.as_ref())
        }
        RunEvent::JobRejected { job, gate, by: who, what, reason, .. } => {
            let object = format!("{} {gate} {what}", of_job(job));
            because(by(line("gate.reject", object), who), reason.as_ref())
        }
        RunEvent::JobApprovalRefused { job, gate, by: who, why, .. } => {
            let gate = gate.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
            let found = by(line("gate.approve", format!("{}{gate}", of_job(job))), who);
            AuditLine { is_refused: true, ..because(found, Some(why)) }
        }
        RunEvent::JobGateOpened { job, commit, .. } => {
            line("gate.open", format!("{} rules at {commit}", of_job(job)))
        }
        RunEvent::JobRequeued { job, by: Some(who), asked, .. } => {
            let found = as_asked(line("job.resume", of_job(job)), asked.as_ref());
            AuditLine { actor: who.as_str().to_owned(), ..found }
        }
        RunEvent::CancelRequested { job, reason, .. } => {
            let (CancelReason::Person { by: who, asked } | CancelReason::Forced { by: who, asked }) =
                reason
            else {
                return None;
            };
            let object = job.as_ref().map_or_else(|| stream.to_owned(), of_job);
            let found = as_asked(line("run.cancel", object), asked.as_ref());
            AuditLine { actor: who.as_str().to_owned(), ..found }
        }
        _ => return None,
    })
}

fn of_deployment(event: &DeploymentEvent, stream: &str) -> Option<AuditLine> {
    use DeploymentEvent as E;
    let object = |more: &str| format!("{stream} {more}").trim_end().to_owned();
    Some(match event {
        E::DeploymentRequested(request) => {
            let what =
                format!("{} {} {}", request.project, request.environment, request.kind.as_str());
            because(
                by(line("deployment.request", object(&what)), &request.by),
                request.reason.as_ref(),
            )
        }
        E::GateSigned { gate, by: who, plan, proof, .. } => {
            let found = by(line("gate.approve", object(&format!("{gate} plan {plan}"))), who);
            AuditLine { reason: signed_reason(proof.as_deref()), ..found }
        }
        E::GateRejected { gate, by: who, reason, .. } => {
            because(by(line("gate.reject", object(gate.as_str())), who), reason.as_ref())
        }
        E::ApprovalRefused { gate, by: who, why, .. } => {
            let gate = gate.as_ref().map(|it| it.as_str().to_owned()).unwrap_or_default();
            let actor = who.as_ref().map(|it| it.as_str().to_owned()).unwrap_or_default();
            let found = because(line("gate.approve", object(&gate)), Some(why));
            AuditLine { actor, is_refused: true, ..found }
        }
        E::RulePassed { rule, by: who, reason, .. } => {
            because(by(line("rule.pass", object(rule)), who), reason.as_ref())
        }
        E::RulesConfirmed { commit, .. } => {
            line("rules.confirm", object(&format!("rules at {commit}")))
        }
        E::GateOpened { gate, by: who, .. } => {
            let found = line("gate.open", object(gate.as_str()));
            who.as_ref().map_or(found.clone(), |who| by(found, who))
        }
        E::CancelWanted { by: who, reason, .. } => {
            because(by(line("deployment.cancel", object("")), who), reason.as_ref())
        }
        E::DeploymentCompleted { verdict, cause, .. } => {
            let why = cause.as_ref().map(|it| &it.message);
            because(line("deployment.end", object(verdict.as_str())), why)
        }
        _ => return None,
    })
}

fn of_incident(event: &IncidentEvent, stream: &str) -> AuditLine {
    use IncidentEvent as E;
    let linked = |shipped: &event::ShippedBy, role: &event::IncidentRole| {
        format!("{stream} {} {}", shipped.stream(), role.as_str())
    };
    match event {
        E::IncidentOpened(it) => {
            let object = format!("{stream} {} {} {}", it.project, it.environment, it.severity);
            because(by(line("incident.open", object), &it.by), Some(&it.title))
        }
        E::IncidentResolved { by: who, reason, .. } => {
            because(by(line("incident.resolve", stream.to_owned()), who), reason.as_ref())
        }
        E::IncidentReopened { by: who, reason, .. } => {
            because(by(line("incident.reopen", stream.to_owned()), who), reason.as_ref())
        }
        E::IncidentLinked { deployment, role, by: who, .. } => {
            by(line("incident.link", linked(deployment, role)), who)
        }
        E::IncidentUnlinked { deployment, role, by: who, .. } => {
            by(line("incident.unlink", linked(deployment, role)), who)
        }
    }
}

fn of_record(event: &AuditEvent) -> Option<AuditLine> {
    let AuditEvent::AuditRecorded(record) = event;
    let found = line(&record.action, record.object.as_str().to_owned());
    let found = record.actor.as_ref().map_or(found.clone(), |who| by(found, who));
    let found = because(found, record.refused.as_ref().or(record.reason.as_ref()));
    let (source, address) = (record.source.to_string(), address(record.address.as_ref()));
    Some(AuditLine { source, address, is_refused: record.refused.is_some(), ..found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula_and_no_second_line() {
        assert_eq!(cell("plain"), "plain");
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("a, \"b\"\nc"), "\"a, \"\"b\"\"\nc\"");
    }

    #[test]
    fn an_incident_is_lines() {
        let golden = include_str!("../../event/golden/incident-v1.jsonl");
        let stream = StreamId::Incident(event::IncidentId(3));
        let told: Vec<String> = golden
            .lines()
            .map(|line| AuditLine::of(stream, Timestamp(7), line).unwrap().csv("now"))
            .collect();
        expect_test::expect![[r#"
            now,mona,github,incident.open,incident/3 planner production critical,done,checkout answers 500,,
            now,mona,local,incident.open,incident/3 planner production minor,done,the site is slow,,
            now,mona,token,incident.resolve,incident/3,done,rolled back,,
            now,hubot,pagerduty,incident.resolve,incident/3,done,,,
            now,mona,github,incident.reopen,incident/3,done,it is back,,
            now,mona,github,incident.reopen,incident/3,done,,,
            now,mona,local,incident.link,incident/3 deployment/7 cause,done,,,
            now,mona,local,incident.link,incident/3 deployment/8 fix,done,,,
            now,mona,local,incident.unlink,incident/3 deployment/8 fix,done,,,"#]].assert_eq(&told.join("\n"));
    }

    #[test]
    fn how_somebody_came_stands_in_the_line_of_a_run_and_of_a_gate() {
        let run = StreamId::Run(event::RunId(1), event::Attempt(1));
        let check = |stream: StreamId, payload: &str, expect: &str| {
            assert_eq!(AuditLine::of(stream, Timestamp(7), payload).unwrap().csv("now"), expect);
        };
        let cancel = |asked: &str| {
            format!(
                r#"{{"type":"CancelRequested","job":null,"reason":{{"kind":"person","by":"mona"{asked}}},"at":1}}"#
            )
        };
        let asked = r#","asked":{"proof":"token","source":"page"}"#;
        check(run, &cancel(asked), "now,mona,token,run.cancel,run/1/1,done,,page,");
        let asked = r#","asked":{"proof":"token","source":"page","address":"2001:db8::8"}"#;
        check(run, &cancel(asked), "now,mona,token,run.cancel,run/1/1,done,,page,2001:db8::8");
        let asked = r#","asked":{"proof":"token","source":"api","reason":"the wrong branch"}"#;
        check(run, &cancel(asked), "now,mona,token,run.cancel,run/1/1,done,the wrong branch,api,");
        let resumed = r#"{"type":"JobRequeued","job":"lint","by":"mona","asked":{"proof":"oidc","source":"page","reason":"it is idempotent"},"at":1}"#;
        let line = "now,mona,oidc,job.resume,run/1/1 lint,done,it is idempotent,page,";
        check(run, resumed, line);
        // As events were before.
        check(run, &cancel(""), "now,mona,,run.cancel,run/1/1,done,,,");
        let what = "0".repeat(64);
        let approved = format!(
            r#"{{"type":"JobApproved","job":"ship","gate":"approval/devops","by":{{"name":"kim","proof":"oidc","source":"api"}},"what":"{what}","reason":"looked at it","id":"1","at":1}}"#
        );
        let line = format!(
            "now,kim,oidc,gate.approve,run/1/1 ship approval/devops {what},done,looked at it,api,"
        );
        check(run, &approved, &line);
        let deployment = StreamId::Deployment(event::DeploymentId(3));
        let text =
            r"launchway deployment approval 1\ndecision: approve\nreason: small\nproject: x\n";
        let signed = format!(
            r#"{{"type":"GateSigned","gate":"approval/devops","by":{{"name":"kim","proof":"ssh"}},"plan":"{what}","proof":{{"text":"{text}","signature":"s","key":"k"}},"until":9,"at":1}}"#
        );
        let line = format!(
            "now,kim,ssh,gate.approve,deployment/3 approval/devops plan {what},done,small,,"
        );
        check(deployment, &signed, &line);
    }

    #[test]
    fn a_record_is_a_line() {
        let payload = r#"{"type":"AuditRecorded","actor":{"name":"mona","proof":"token"},"action":"secret.set","object":"octo/app DB","source":"page","refused":"no","at":1}"#;
        let line = AuditLine::of(StreamId::Audit, Timestamp(7), payload).unwrap();
        assert_eq!(line.csv("now"), "now,mona,token,secret.set,octo/app DB,refused,no,page,");
        let payload = payload.replace(r#""page""#, r#""page","address":"192.0.2.7""#);
        let line = AuditLine::of(StreamId::Audit, Timestamp(7), &payload).unwrap();
        assert_eq!(
            line.csv("now"),
            "now,mona,token,secret.set,octo/app DB,refused,no,page,192.0.2.7"
        );
    }
}
