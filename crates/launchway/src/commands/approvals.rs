//! `launchway approvals`: what waits for people, and what they say to it. A signature is made by the
//! person's own SSH key, and judged by whoever drives the deployment, not here.

mod distant;
mod paper;
mod signed;

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use approval::{DEPLOYMENT, Decision, Handed};
use event::{GateDemand, Timestamp};
use serde_json::{Value as Json, json};
use views::DeploymentView;

pub(crate) use self::paper::Paper;
use crate::cli::{ApprovalsCommand, DeploymentRef, Format, NewestArgs, SigningArgs};
use crate::deploying::book::Book;
use crate::deploying::drive::{Driver, HeldBy};
use crate::deploying::inbox::{self, Answer, Inbox};
use crate::deploying::rules::Where;
use crate::deploying::{show, signing};
use crate::exit::{Exit, Failure, Outcome};
use crate::settings_file::{Found, load, load_if_there};
use crate::state::StateFolder;
use crate::terminal::style::{Style, one_line, out, talk};
use crate::terminal::time::now;

/// How soon the journal is looked at for the answer.
const LOOK: Duration = Duration::from_millis(50);
/// The same for a journal in a bucket, where each look costs calls.
const LOOK_FAR: Duration = Duration::from_secs(1);
/// How long the answer is waited for: reading the rules asks a remote.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than is ever taken: what is too long is refused by name.
const HANDED_BYTES_MAX: u64 = 64 << 10;
/// How long an approval counts where nobody says.
const VALID_S: u64 = 24 * 3_600;
/// Letters of a reason: it stands on one line of what is signed.
const REASON_MAX: usize = 500;

pub(crate) fn run(command: &ApprovalsCommand, state: &StateFolder) -> Outcome {
    if let Some(done) = distant::run(command) {
        return done;
    }
    match command {
        ApprovalsCommand::List { history, .. } => list(history, state),
        ApprovalsCommand::Show { deployment, output, .. } => {
            show(deployment, output.as_deref(), state)
        }
        ApprovalsCommand::Sign { deployment, signing, request, reject, output } => {
            let (found, paper) = match request {
                Some(path) => (None, Paper::read(path)?),
                None => {
                    let (found, _, _, view) = find(deployment, state)?;
                    (Some(found), Paper::of(&view)?)
                }
            };
            talk(paper.shown(Style::stderr()).trim_end());
            let decision = if reject.is_some() { Decision::Reject } else { Decision::Approve };
            if decision == Decision::Approve {
                let found = match (found, deployment.settings.file.as_deref()) {
                    (None, Some(file)) => Some(load(Some(file))?),
                    (None, None) => load_if_there()?,
                    (found, _) => found,
                };
                compare(&paper, found.as_ref(), request.is_some())?;
            }
            let handed = sign(&paper, signing, decision, reject.as_deref())?;
            match output {
                Some(path) => {
                    write(path, &handed.write())?;
                    let (id, path) = (paper.deployment, path.display());
                    talk(&format!(
                        "signed; it is handed in by: launchway approvals approve {id} --signature {path}"
                    ));
                }
                None => out(handed.write().trim_end()),
            }
            Ok(Exit::Done)
        }
        ApprovalsCommand::Approve { deployment, signing, signature, reason, .. } => {
            let (found, book, state, view) = find(deployment, state)?;
            let format = deployment.settings.format;
            let text = match signature {
                Some(path) => read(path, HANDED_BYTES_MAX)?,
                None => {
                    refuse_over(&view)?;
                    let paper = Paper::of(&view)?;
                    talk(paper.shown(Style::stderr()).trim_end());
                    compare(&paper, Some(&found), false)?;
                    sign(&paper, signing, Decision::Approve, reason.as_deref())?.write()
                }
            };
            hand_in(&Driver::new((&book, &state), &found, format), &view, &text)
        }
        ApprovalsCommand::Reject { deployment, signing, reason, .. } => {
            let (found, book, state, view) = find(deployment, state)?;
            refuse_over(&view)?;
            let format = deployment.settings.format;
            let paper = Paper::of(&view)?;
            let handed = sign(&paper, signing, Decision::Reject, Some(reason))?;
            hand_in(&Driver::new((&book, &state), &found, format), &view, &handed.write())
        }
    }
}

fn show(which: &DeploymentRef, output: Option<&Path>, state: &StateFolder) -> Outcome {
    let (.., view) = find(which, state)?;
    let paper = Paper::of(&view)?;
    match output {
        Some(path) => {
            write(path, &paper.encode())?;
            let path = path.display();
            talk(&format!("sign it elsewhere: launchway approvals sign --request {path}"));
        }
        None if which.settings.format == Format::Json => out(&paper.encode()),
        None => out(&paper.shown(Style::stdout())),
    }
    Ok(Exit::Done)
}

/// The deployment that is meant: by its number, else the newest that waits for people.
fn find(
    which: &DeploymentRef,
    state: &StateFolder,
) -> Result<(Found, Book, StateFolder, DeploymentView), Failure> {
    let found = load(which.settings.file.as_deref())?;
    let (book, state) = Book::of(&found, state)?;
    let view = match which.id {
        Some(_) => book.find(which.id)?,
        None => {
            let mut waiting =
                book.newest(None, 100)?.into_iter().filter(DeploymentView::waits_for_people);
            let found = waiting.next();
            found.ok_or_else(|| Failure::new(Exit::Usage, "no deployment waits for people"))?
        }
    };
    Ok((found, book, state, view))
}

fn refuse_over(view: &DeploymentView) -> Result<(), Failure> {
    match &view.ended {
        None => Ok(()),
        Some(end) => {
            let message = format!("deployment {} is over: {}", view.id, end.verdict);
            Err(Failure::new(Exit::Usage, message))
        }
    }
}

fn list(args: &NewestArgs, state: &StateFolder) -> Outcome {
    let found = load(args.of.settings.file.as_deref())?;
    let (book, _) = Book::of(&found, state)?;
    let views = book.newest(args.of.environment.as_deref(), args.limit.max(1))?;
    let mut any = false;
    for line in views.iter().filter(|view| view.waits_for_people()).flat_map(lines) {
        any = true;
        out(&match args.of.settings.format {
            Format::Json => line.to_string(),
            Format::Human | Format::Github => sentence(&line),
        });
    }
    if !any {
        talk("no deployment waits for people");
    }
    Ok(Exit::Done)
}

/// A deployment that waits, once for each group.
pub(crate) fn lines(view: &DeploymentView) -> Vec<Json> {
    let line = |(demand, gate): (&GateDemand, &views::GateView)| {
        let GateDemand::Approval { group, count, members } = demand else { return None };
        let signed: Vec<&str> = gate.signed.iter().map(|it| it.by.name.as_str()).collect();
        Some(json!({
            "deployment": view.id.to_string(), "environment": view.request.environment,
            "by": view.request.by.name, "group": group, "wanted": count,
            "signed": signed, "may": members, "waiting_at_ms": gate.waiting_at,
            "hash": view.plan.as_ref().map(|(_, hash)| hash),
        }))
    };
    view.open_approvals().filter_map(line).collect()
}

/// Of those lines, who has yet to agree: `1 of devops (hubot)`.
fn still_wanted(lines: &[Json]) -> Vec<String> {
    lines
        .iter()
        .map(|it| others(it["wanted"].as_u64(), &it["group"], &it["signed"], &it["may"]))
        .collect()
}

/// How many of a group are still wanted, and who they may be.
fn others(count: Option<u64>, group: &Json, agreed: &Json, may: &Json) -> String {
    let names = |list: &Json| -> Vec<String> {
        let names = list.as_array().map_or(&[][..], Vec::as_slice).iter();
        names.map(|name| one_line(name.as_str().unwrap_or_default())).collect()
    };
    let (agreed, mut may) = (names(agreed), names(may));
    may.retain(|name| !agreed.iter().any(|it| it.eq_ignore_ascii_case(name)));
    let count = count.unwrap_or(1).saturating_sub(agreed.len() as u64);
    let group = one_line(group.as_str().unwrap_or_default());
    format!("{count} of {group} ({})", may.join(", "))
}

/// That somebody's word counts, and who has yet to say theirs.
fn agreed(by: &str, what: &str, others: &[String]) -> String {
    match others {
        [] => format!("{by} agrees to {what}; nobody else is asked"),
        others => format!("{by} agrees to {what}; still asked: {}", others.join(", ")),
    }
}

/// The same for people; what a server says of it does not steer the terminal.
fn sentence(line: &Json) -> String {
    let text = |value: &Json| -> String { one_line(value.as_str().unwrap_or_default()) };
    let names = |list: &Json| {
        let names = list.as_array().map_or(&[][..], Vec::as_slice);
        names.iter().map(text).collect::<Vec<_>>().join(", ")
    };
    let have = names(&line["signed"]);
    let have = if have.is_empty() { "nobody yet".to_owned() } else { have };
    format!(
        "deployment {} to {}, asked for by {}: {} of {} ({}); so far: {have}",
        text(&line["deployment"]),
        text(&line["environment"]),
        text(&line["by"]),
        line["wanted"],
        text(&line["group"]),
        names(&line["may"]),
    )
}

/// Compares the rules that the deployment is held to with those of the signer's own remote: who
/// asked for it could have read them elsewhere.
fn compare(paper: &Paper, found: Option<&Found>, is_elsewhere: bool) -> Result<(), Failure> {
    let Some(found) = found else {
        talk("note: this is no clone of the project: the rules were not compared with its remote");
        return Ok(());
    };
    if found.settings.project.value != paper.project {
        let message =
            format!("this is {}, and it is about {}", found.settings.project.value, paper.project);
        return Err(Failure::new(Exit::Usage, message).hint("sign in a clone of the project"));
    }
    let environment = Arc::clone(&paper.environment);
    let ruling = Where { file: found.file.clone(), environment }.read()?;
    if ruling.rules.digest == paper.rules {
        return Ok(());
    }
    let message = format!(
        "the rules of {} that this deployment is held to are not those of {} of {}",
        paper.environment, ruling.rules.branch, ruling.rules.source
    );
    let hint =
        if is_elsewhere { "it was asked for under other rules" } else { "they were changed" };
    Err(Failure::new(Exit::Forbidden, message).hint(format!("{hint}: ask for it again")))
}

fn sign(
    paper: &Paper,
    args: &SigningArgs,
    decision: Decision,
    reason: Option<&str>,
) -> Result<Handed, Failure> {
    let gate = paper.gate(args.group.as_deref())?;
    let reason: Option<String> =
        reason.map(|reason| one_line(reason).chars().take(REASON_MAX).collect());
    let reason = reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    // Whole seconds, so that one moment has one text.
    let expires = Timestamp((now().0 / 1_000 + args.valid_s.unwrap_or(VALID_S)) * 1_000);
    let text = paper.statement(decision, reason, &gate, expires).text();
    let signature = signing::sign(DEPLOYMENT, &text, args.key.as_deref())?;
    Ok(Handed { text, signature })
}

/// Gives it to whoever drives the deployment and waits for the answer; where nobody does, it is
/// judged and written down here.
fn hand_in(driver: &Driver<'_>, view: &DeploymentView, text: &str) -> Outcome {
    let handed = Handed::read(text);
    let environment = &view.request.environment;
    let inbox = Inbox::of(driver.state, view.id);
    let begin = std::time::Instant::now();
    let mut put = None;
    let before = view.refused.len();
    loop {
        driver.book.refresh()?;
        let holder = driver.holder(environment)?;
        let is_driven = holder.is_some() && view.ended.is_none();
        let place = if is_driven && handed.is_ok() { None } else { driver.take(environment).ok() };
        // Who drove it may have answered and gone. Whoever has the place knows that nobody writes.
        if let Some(digest) = &put {
            let now = driver.book.view(view.id)?;
            if now.as_ref().is_some_and(|now| is_answered(now, digest, before)) {
                inbox.clear(digest);
                if let Some(shared) = driver.book.shared() {
                    // What is known is passed over by whoever finds it there.
                    let _ = shared.clear(view.id, digest);
                }
                return tell(driver, view, Some(digest), before, Driven::Yes);
            }
        }
        match (&handed, &place) {
            (_, Some(_)) => {
                driver.hear(view.id, text)?;
                put.iter().for_each(|digest| inbox.clear(digest));
                let digest = handed.as_ref().ok().map(inbox::digest);
                return tell(driver, view, digest.as_ref(), before, Driven::No);
            }
            (Ok(handed), None) if put.is_none() => match (&holder, driver.book.shared()) {
                (Some(HeldBy::Elsewhere(_)), Some(shared)) => {
                    let digest = inbox::digest(handed);
                    let handed_in = shared.hand_in(view.id, &digest, &handed.write());
                    handed_in.map_err(crate::deploying::shared::failed)?;
                    put = Some(digest);
                }
                _ => put = Some(inbox.put(handed)?),
            },
            (Ok(_), None) => {}
            // Nothing in it that an answer could be found by.
            (Err(error), None) => return Err(Failure::new(Exit::Usage, error)),
        }
        if begin.elapsed() > PATIENCE {
            let message = "whoever drives the deployment does not answer";
            return Err(Failure::new(Exit::Missing, message)
                .hint("it is kept for them; launchway deployments show says what became of it"));
        }
        std::thread::sleep(if driver.book.shared().is_some() { LOOK_FAR } else { LOOK });
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Driven {
    Yes,
    No,
}

pub(crate) fn is_answered(view: &DeploymentView, digest: &event::Digest, before: usize) -> bool {
    match inbox::answer(view, digest) {
        // What was refused before may have been handed in again.
        Some(Answer::Refused(_)) => view.refused.len() > before,
        Some(_) => true,
        None => view.ended.is_some(),
    }
}

fn tell(
    driver: &Driver<'_>,
    view: &DeploymentView,
    digest: Option<&event::Digest>,
    before: usize,
    driven: Driven,
) -> Outcome {
    let id = view.id;
    let view = driver.book.view(id)?;
    let view = view.ok_or_else(|| Failure::new(Exit::Fault, "the deployment is gone"))?;
    let newest = view.refused.get(before..).and_then(<[_]>::last);
    if let Some(refused) = newest.filter(|it| it.handed.as_ref() == digest || digest.is_none()) {
        let message = format!("it does not count: {}", refused.why);
        return Err(Failure::new(Exit::Forbidden, message).hint("it was written down"));
    }
    match digest.and_then(|digest| inbox::answer(&view, digest)) {
        Some(Answer::Taken { by, .. }) => {
            talk(&agreed(by.as_str(), &format!("deployment {id}"), &still_wanted(&lines(&view))));
            if driven == Driven::No && view.ended.is_none() {
                talk(&format!(
                    "nobody drives it; launchway deployments resume {id} goes on with it"
                ));
            }
            Ok(Exit::Done)
        }
        Some(Answer::Rejected) => {
            talk(&format!("deployment {id} is refused"));
            Ok(Exit::Done)
        }
        Some(Answer::Refused(why)) => {
            Err(Failure::new(Exit::Forbidden, format!("it does not count: {why}")))
        }
        None => Err(Failure::new(
            Exit::Forbidden,
            format!("deployment {id} is over: {}", view.standing()),
        )),
    }
}

fn read(path: &Path, bytes_max: u64) -> Result<String, Failure> {
    let mut text = String::new();
    // A byte more than is taken, so that what is too long is not cut into something else.
    let limit = bytes_max + 1;
    let read = if path == Path::new("-") {
        std::io::stdin().take(limit).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit).read_to_string(&mut text))
    };
    read.map_err(|error| {
        let context = format!("cannot read {}", path.display());
        Failure::caused(Exit::Usage, anyhow::Error::new(error).context(context))
    })?;
    Ok(text)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| {
        let context = format!("cannot write {}", path.display());
        Failure::caused(Exit::Missing, anyhow::Error::new(error).context(context))
    })
}

/// The plan, for whoever is asked.
fn plan(plan: &event::DeploymentPlan, hash: &event::Digest, style: Style) -> String {
    show::plan(plan, hash, style)
}
