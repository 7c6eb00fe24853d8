//! Steps of a deployment that are about its image: it is copied to where the environment has its own
//! repository, and what a scan found in it is looked at. Both come before anything that runs is
//! changed, and both can be done again without harm.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use aws::{Client, EcrScan, FaultKind};
use event::{
    Cause, CauseCode, DeployStepKey, DeployStepKind, EvidenceKind, PlannedStep, Release, Undo,
};
use mask::MaskedText;
use ports::{Order, Performer, Progress};
use registry::{Manifest, RegistryError};
use serde_json::{Value as Json, json};
use settings::{ServiceInEnvironment, Severity};

use super::shelf::{self, IfMissing};
use crate::deploying::targets::Site;
use crate::exit::{Exit, Failure};
use crate::settings_file::Found;
use crate::state::StateFolder;
use crate::terminal::failure;

/// Layers of gigabytes over a slow line.
const COPY_WITHIN: Duration = Duration::from_secs(30 * 60);
/// How often it is looked whether a copy is through, and a scan.
const COPY_LOOK: Duration = Duration::from_millis(200);
const SCAN_LOOK: Duration = Duration::from_secs(5);
/// Findings that a cause shows.
const FINDINGS_SHOWN_MAX: usize = 10;

/// What ECR asks a copy for, from one of its repositories to another.
pub(super) const COPY_CALLS: &[&str] = &[
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:DescribeRepositories",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
];
pub(super) const SCAN_CALLS: &[&str] =
    &["ecr:DescribeImageScanFindings", "ecr:DescribeRepositories", "ecr:StartImageScan"];

/// Where an image is copied from.
#[derive(Clone, Debug)]
pub(crate) struct CopyFrom {
    /// The environment below.
    pub(crate) environment: String,
    /// Its repository.
    pub(crate) location: String,
    /// What names it there for good.
    pub(crate) tags: Vec<String>,
}

/// The step that brings an image into an environment's repository.
pub(crate) fn copy_step(service: &str, release: &Release, from: &CopyFrom) -> PlannedStep {
    let to = release.location.as_deref().unwrap_or_default();
    let body = json!({
        "image_step": "copy", "service": service, "below": from.environment, "tags": from.tags,
        "digest": release.digest,
    });
    step(
        service,
        "copy",
        format!("copies the image from {} to {to}, byte for byte", from.location),
        COPY_WITHIN,
        (COPY_CALLS, body),
    )
}

/// The step that looks at what a scan found, where the settings want one.
pub(crate) fn scan_step(
    resolved: &ServiceInEnvironment,
    release: &Release,
) -> Result<Option<PlannedStep>, Failure> {
    let Some(scan) = &resolved.environment.scan else { return Ok(None) };
    let is_here = matches!(resolved.target, settings::Target::Host(_));
    if is_here && release.location.is_none() {
        // A bundle has no image that could be looked into.
        return Ok(None);
    }
    let (service, environment) = (&resolved.service.name.value, &resolved.environment.name.value);
    let own = shelf::name(resolved);
    let location = release.location.as_deref();
    if location.is_some_and(|it| it.split_once('/').is_none_or(|(_, name)| *name != *own)) {
        let place = location.unwrap_or_default();
        let message =
            format!("{environment} wants a scan of what is in {own}, and this is {place}");
        return Err(Failure::new(Exit::Missing, message)
            .hint(format!("`image` of {service} names its repository")));
    }
    if resolved.environment.registry.as_ref().is_some_and(|it| !it.value.contains(".dkr.ecr.")) {
        let message = format!("{environment} wants a scan, and its registry is none of ECR");
        return Err(Failure::new(Exit::Missing, message)
            .hint(format!("leave `scan` of environments.{environment} out, or `registry`")));
    }
    let word = scan.refuse.value.word();
    let body = json!({
        "image_step": "scan", "service": service, "repository": own, "digest": release.digest,
        "refuse": word, "allows_unsupported": scan.allows_unsupported.value,
    });
    let what = format!("looks at what ECR's scan found; {word} findings and worse refuse it");
    Ok(Some(step(service, "scan", what, scan.within.value, (SCAN_CALLS, body))))
}

fn step(
    service: &str,
    name: &str,
    what: String,
    within: Duration,
    (calls, body): (&[&str], Json),
) -> PlannedStep {
    PlannedStep {
        key: DeployStepKey::new(service, name),
        kind: DeployStepKind::Prepare,
        what: MaskedText::without_secrets(what),
        calls: calls.iter().map(|it| (*it).into()).collect(),
        undo: Undo::Nothing,
        within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX),
        body,
    }
}

/// Whether a step is one of these.
pub(crate) fn is_about_images(step: &PlannedStep) -> bool {
    step.body["image_step"].is_string()
}

/// A copy that goes on beside the deployment's loop.
type Copying = Receiver<Result<Json, Cause>>;

/// Does these steps.
pub(crate) struct Images {
    found: Option<Found>,
    state: StateFolder,
    project: String,
    environment: String,
    copies: BTreeMap<String, Copying>,
    scans: BTreeMap<String, Client>,
}

impl Images {
    /// For the deployments of an environment.
    pub(crate) fn new(site: Site<'_>, found: Option<&Found>) -> Images {
        Images {
            found: found.cloned(),
            state: site.state.clone(),
            project: site.project.to_owned(),
            environment: site.environment.to_owned(),
            copies: BTreeMap::new(),
            scans: BTreeMap::new(),
        }
    }

    fn copy(&mut self, order: &Order<'_>) -> Progress {
        let key = order.step.key.to_string();
        if !self.copies.contains_key(&key) {
            let (sender, receiver) = channel();
            let job = Job {
                found: self.found.clone(),
                state: self.state.clone(),
                project: self.project.clone(),
                environment: self.environment.clone(),
                body: order.step.body.clone(),
            };
            // What it did so far is found there by whoever begins anew.
            std::thread::spawn(move || drop(sender.send(job.copy())));
            self.copies.insert(key.clone(), receiver);
        }
        let said = self.copies[&key].try_recv();
        if said != Err(TryRecvError::Empty) {
            self.copies.remove(&key);
        }
        match said {
            Ok(Ok(effect)) => Progress::Done { effect },
            Ok(Err(cause)) if cause.code == CauseCode::Unavailable => {
                Progress::Unreachable { cause, again_in: SCAN_LOOK }
            }
            Ok(Err(cause)) => Progress::Failed(cause),
            Err(TryRecvError::Empty) => {
                let seen = MaskedText::without_secrets("copying");
                Progress::Underway { seen, again_in: COPY_LOOK }
            }
            Err(TryRecvError::Disconnected) => {
                Progress::Failed(cause(CauseCode::Fault, "the copy ended without a word"))
            }
        }
    }

    fn scan(&mut self, order: &Order<'_>) -> Progress {
        let body = &order.step.body;
        let (repository, digest) = (text(body, "repository"), text(body, "digest"));
        let key = order.step.key.to_string();
        if !self.scans.contains_key(&key) {
            match self.ecr(text(body, "service")) {
                Ok(ecr) => drop(self.scans.insert(key.clone(), ecr)),
                Err(failure) => return refused(&failure),
            }
        }
        let client = &mut self.scans.get_mut(&key).expect("it was just put there");
        let known = client.image_scan(repository, digest);
        let known = match known {
            Ok(None) => {
                if let Err(fault) = client.start_image_scan(repository, digest) {
                    if fault.is("UnsupportedImageTypeException") {
                        return unsupported(body, &fault.message);
                    }
                    return faulty(&fault);
                }
                return waiting("a scan was asked for");
            }
            Ok(Some(scan)) => scan,
            Err(fault) => return faulty(&fault),
        };
        judge(body, &known)
    }

    fn ecr(&self, service: &str) -> Result<Client, Failure> {
        let job = (&self.state, &*self.project, &*self.environment);
        let opened = open(self.found.as_ref(), job, service)?;
        opened.ecr.ok_or_else(|| Failure::new(Exit::Missing, "the registry is none of ECR"))
    }
}

impl Performer for Images {
    fn advance(&mut self, order: &Order<'_>) -> Progress {
        match text(&order.step.body, "image_step") {
            "copy" => self.copy(order),
            "scan" => self.scan(order),
            _ => Progress::Failed(cause(CauseCode::Fault, "this step is about no image")),
        }
    }
}

fn open(
    found: Option<&Found>,
    (state, project, environment): (&StateFolder, &str, &str),
    service: &str,
) -> Result<shelf::Shelf, Failure> {
    let found = found.ok_or_else(|| Failure::new(Exit::Missing, "the settings are not here"))?;
    let resolved = found.settings.resolve(environment, service);
    let resolved = resolved.map_err(|error| Failure::new(Exit::Usage, error))?;
    let site = Site { state, project, environment };
    shelf::open(found, site, &resolved, IfMissing::Refuse)
}

/// A copy, with all that it needs.
struct Job {
    found: Option<Found>,
    state: StateFolder,
    project: String,
    environment: String,
    body: Json,
}

impl Job {
    fn copy(&self) -> Result<Json, Cause> {
        let (service, digest) = (text(&self.body, "service"), text(&self.body, "digest"));
        let opened = |environment: &str| {
            open(self.found.as_ref(), (&self.state, &self.project, environment), service)
        };
        let copied = || -> Result<Json, Failure> {
            let mut from = opened(text(&self.body, "below"))?;
            let mut to = opened(&self.environment)?;
            let (source, goal) = (from.repository.clone(), to.repository.clone());
            let (manifest, copied) =
                registry::copy((&mut from.registry, &source), (&mut to.registry, &goal), digest)
                    .map_err(shelf::failed)?;
            for tag in self.body["tags"].as_array().into_iter().flatten() {
                name(&mut to, &manifest, tag.as_str().unwrap_or_default())?;
            }
            Ok(json!({
                "digest": manifest.digest, "sent": copied.sent, "mounted": copied.mounted,
                "there": copied.there, "sent_bytes": copied.sent_bytes,
            }))
        };
        copied().map_err(|failure| failed(&failure))
    }
}

/// A tag that moves may be held back by the repository; another is never taken from what it names.
fn name(to: &mut shelf::Shelf, manifest: &Manifest, tag: &str) -> Result<(), Failure> {
    let moves = tag == "latest" || tag.ends_with("-latest");
    let there = if moves { None } else { to.manifest(tag)? };
    if let Some(other) = there.filter(|it| it.digest != manifest.digest) {
        let place = to.location();
        let message = format!("{place}:{tag} is there and is another image ({})", other.digest);
        return Err(Failure::new(Exit::Forbidden, message));
    }
    match to.tag(manifest, tag) {
        Err(RegistryError::Immutable { .. }) if moves => Ok(()),
        other => other.map_err(shelf::failed),
    }
}

fn text<'a>(body: &'a Json, key: &str) -> &'a str {
    body[key].as_str().unwrap_or_default()
}

fn cause(code: CauseCode, message: &str) -> Cause {
    Cause::new(code, MaskedText::without_secrets(message))
}

fn failed(failure: &Failure) -> Cause {
    let code = match failure.exit {
        Exit::Missing => CauseCode::Unavailable,
        Exit::Fault => CauseCode::Fault,
        _ => CauseCode::TargetRefused,
    };
    cause(code, &failure::words(failure))
}

fn refused(failure: &Failure) -> Progress {
    Progress::Failed(failed(failure))
}

fn faulty(fault: &aws::Fault) -> Progress {
    match fault.kind {
        _ if fault.may_pass() => {
            Progress::Unreachable { cause: fault.cause(), again_in: SCAN_LOOK }
        }
        FaultKind::Refused if fault.is("ImageNotFoundException") => {
            Progress::Failed(cause(CauseCode::TargetRefused, "ECR does not have the image"))
        }
        _ => Progress::Failed(fault.cause()),
    }
}

fn waiting(seen: &str) -> Progress {
    Progress::Underway { seen: MaskedText::without_secrets(seen), again_in: SCAN_LOOK }
}

/// Not scanned is not clean: somebody has to say that it is enough.
fn unsupported(body: &Json, why: &str) -> Progress {
    if body["allows_unsupported"] == true {
        return Progress::Done { effect: json!({ "scan": "unsupported", "allowed": true }) };
    }
    let message = "ECR cannot scan this image, and the settings do not allow that";
    let said = MaskedText::without_secrets(format!("{why}; `scan: {{ unsupported: allow }}` does"));
    let cause = cause(CauseCode::VerificationFailed, message);
    Progress::Failed(cause.with_evidence(EvidenceKind::Platform, said))
}

fn judge(body: &Json, scan: &EcrScan) -> Progress {
    match scan.status.as_str() {
        "COMPLETE" | "ACTIVE" => {}
        "IN_PROGRESS" | "PENDING" => return waiting("ECR scans it"),
        "UNSUPPORTED_IMAGE" => return unsupported(body, &scan.description),
        other => {
            let message = format!("ECR has no result of a scan: {other}");
            let said = MaskedText::without_secrets(scan.description.clone());
            let cause = cause(CauseCode::VerificationFailed, &message);
            return Progress::Failed(cause.with_evidence(EvidenceKind::Platform, said));
        }
    }
    let from = SEVERITIES.iter().position(|it| it.word() == text(body, "refuse")).unwrap_or(0);
    let bad = &SEVERITIES[from..];
    let counted: Vec<String> = bad
        .iter()
        .rev()
        .filter_map(|it| Some((it, scan.counts.get(it.word()).filter(|count| **count > 0)?)))
        .map(|(it, count)| format!("{count} {}", it.word()))
        .collect();
    if counted.is_empty() {
        return Progress::Done { effect: json!({ "scan": scan.status, "counts": scan.counts }) };
    }
    let message = format!("the scan of the image found {}", counted.join(", "));
    let listed = scan.findings.iter().filter(|it| bad.iter().any(|bad| bad.word() == it.severity));
    let lines: Vec<String> = listed
        .take(FINDINGS_SHOWN_MAX)
        .map(|it| {
            let package = it.package.as_deref().map_or(String::new(), |it| format!(" in {it}"));
            let fixed =
                it.fixed_in.as_deref().map_or(String::new(), |it| format!(", fixed in {it}"));
            format!("{} {}{package}{fixed}", it.severity, it.name)
        })
        .collect();
    let cause = cause(CauseCode::VerificationFailed, &message);
    let evidence = MaskedText::without_secrets(lines.join("\n"));
    Progress::Failed(cause.with_evidence(EvidenceKind::Platform, evidence))
}

/// From the least.
const SEVERITIES: [Severity; 4] =
    [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(status: &str, counts: &[(&str, u64)], body: &Json, expect: &Expect) {
        let scan = EcrScan {
            status: status.to_owned(),
            description: "said so".to_owned(),
            counts: counts.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect(),
            findings: vec![aws::EcrFinding {
                severity: "HIGH".to_owned(),
                name: "CVE-1".to_owned(),
                package: Some("openssl 3.0".to_owned()),
                fixed_in: Some("3.1".to_owned()),
            }],
        };
        expect.assert_eq(&match judge(body, &scan) {
            Progress::Done { effect } => format!("done: {effect}"),
            Progress::Underway { seen, .. } => format!("waits: {seen}"),
            Progress::Failed(cause) => {
                let evidence = cause.evidence.iter().map(|it| it.text.as_str());
                format!("{}: {}", cause.message, evidence.collect::<Vec<_>>().join("; "))
            }
            other => format!("{other:?}"),
        });
    }

    #[test]
    fn findings_refuse_by_severity_and_no_result_is_no_pass() {
        let high = json!({"refuse": "HIGH", "allows_unsupported": false});
        let critical = json!({"refuse": "CRITICAL", "allows_unsupported": true});
        let found = [("HIGH", 2), ("LOW", 40), ("CRITICAL", 0)];
        check(
            "COMPLETE",
            &found,
            &high,
            &expect!["the scan of the image found 2 HIGH: HIGH CVE-1 in openssl 3.0, fixed in 3.1"],
        );
        check(
            "COMPLETE",
            &found,
            &critical,
            &expect![[r#"done: {"scan":"COMPLETE","counts":{"CRITICAL":0,"HIGH":2,"LOW":40}}"#]],
        );
        check("ACTIVE", &[], &high, &expect![[r#"done: {"scan":"ACTIVE","counts":{}}"#]]);
        check("IN_PROGRESS", &[], &high, &expect!["waits: ECR scans it"]);
        check(
            "UNSUPPORTED_IMAGE",
            &[],
            &high,
            &expect![
                "ECR cannot scan this image, and the settings do not allow that: said so; `scan: { unsupported: allow }` does"
            ],
        );
        check(
            "UNSUPPORTED_IMAGE",
            &[],
            &critical,
            &expect![[r#"done: {"scan":"unsupported","allowed":true}"#]],
        );
        check(
            "SCAN_ELIGIBILITY_EXPIRED",
            &[],
            &critical,
            &expect!["ECR has no result of a scan: SCAN_ELIGIBILITY_EXPIRED: said so"],
        );
    }
}
