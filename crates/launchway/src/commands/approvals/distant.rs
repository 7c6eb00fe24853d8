//! Approvals of a server (`--server`): its jobs that wait at the gate of an environment. Who agrees is the person
//! that the token belongs to; the server judges, and writes down what does not count.

use serde_json::{Value as Json, json};

use approval::Decision;

use super::signed::{self, Wanted};
use super::{REASON_MAX, agreed, others, out, sentence, talk};
use crate::cli::{ApprovalsCommand, DeploymentRef, Format, JobAtServer, NewestArgs, SigningArgs};
use crate::distant::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal::plural::plural;
use crate::terminal::style::{Style, one_line};

/// The gate at which a person starts a job that nobody started by hand.
const START: &str = "start";
/// Commits that are named of those that a job brings.
const CHANGES_SHOWN: usize = 5;
/// Digits of a commit, for people.
const COMMIT_DIGITS: usize = 7;
/// What is to be done by who meant another.
const OF_DEPLOYMENT: &str = "for a deployment of the server: --deployment";

/// Where the job is, and which is meant.
struct Meant<'a> {
    url: &'a str,
    deployment: &'a DeploymentRef,
    job: Option<&'a str>,
}

impl<'a> Meant<'a> {
    fn of(deployment: &'a DeploymentRef, at: &'a JobAtServer) -> Option<Meant<'a>> {
        at.server.as_deref().map(|url| Meant { url, deployment, job: at.job.as_deref() })
    }
}

/// What is said at a gate.
#[derive(Clone, Copy)]
enum Said<'a> {
    /// Yes, for a group.
    Yes { group: Option<&'a str>, reason: Option<&'a str> },
    /// The word that was asked for.
    Word { word: &'a str, reason: Option<&'a str> },
    /// No.
    No { group: Option<&'a str>, reason: &'a str },
}

/// What is asked of a server; none where it is asked of no server.
pub(super) fn run(command: &ApprovalsCommand) -> Option<Outcome> {
    match command {
        ApprovalsCommand::List { history, server } => {
            server.as_deref().map(|url| list(history, url))
        }
        ApprovalsCommand::Show { at, output: Some(_), .. } if is_job(at) => {
            let message =
                "what is agreed to of a server's job is not signed, so there is no file for that";
            Some(Err(Failure::new(Exit::Usage, message).hint(OF_DEPLOYMENT)))
        }
        ApprovalsCommand::Show { deployment, at, output } => Some(match deployment_at(at) {
            Some(url) => signed::show(url, deployment, output.as_deref()),
            None => Meant::of(deployment, at).map(|meant| show(&meant))?,
        }),
        ApprovalsCommand::Sign { .. } => None,
        ApprovalsCommand::Approve { deployment, at, signing, signature, reason, .. }
            if at.deployment =>
        {
            let (decision, reason) = (Decision::Approve, reason.as_deref());
            let own = Wanted::Signed { signing, decision, reason };
            let wanted = signature.as_deref().map_or(own, Wanted::File);
            deployment_at(at).map(|url| signed::hand_in(url, deployment, &wanted))
        }
        ApprovalsCommand::Reject { deployment, at, signing, reason } if at.deployment => {
            let wanted =
                Wanted::Signed { signing, decision: Decision::Reject, reason: Some(reason) };
            deployment_at(at).map(|url| signed::hand_in(url, deployment, &wanted))
        }
        ApprovalsCommand::Approve { at, signature: Some(_), .. } if is_job(at) => {
            let message =
                "a job of a server is agreed to without a signature: your token says who you are";
            Some(Err(Failure::new(Exit::Usage, message).hint(OF_DEPLOYMENT)))
        }
        ApprovalsCommand::Approve { deployment, at, signing, confirm, reason, .. } => {
            let (group, reason) = (signing.group.as_deref(), reason.as_deref());
            let word = |word| Said::Word { word, reason };
            let said = confirm.as_deref().map_or(Said::Yes { group, reason }, word);
            Meant::of(deployment, at).map(|meant| agree(&meant, signing, said))
        }
        ApprovalsCommand::Reject { deployment, at, signing, reason } => {
            let said = Said::No { group: signing.group.as_deref(), reason: reason.as_str() };
            Meant::of(deployment, at).map(|meant| agree(&meant, signing, said))
        }
    }
}

/// Whether a job of a server is meant.
fn is_job(at: &JobAtServer) -> bool {
    at.server.is_some() && !at.deployment
}

/// The server, where one of its deployments is meant.
fn deployment_at(at: &JobAtServer) -> Option<&str> {
    at.server.as_deref().filter(|_| at.deployment)
}

fn list(args: &NewestArgs, url: &str) -> Outcome {
    let client = Client::of(url)?;
    let waiting = client.approvals()?;
    let is_wanted = |it: &&Json| {
        args.of.environment.as_deref().is_none_or(|wanted| it["environment"] == wanted)
    };
    let mut any = false;
    for it in waiting.iter().filter(is_wanted).take(args.limit.max(1)) {
        for gate in people(it) {
            any = true;
            if args.of.settings.format == Format::Json {
                out(&line(it, gate).to_string());
                continue;
            }
            let (run, job) = (&it["run"], text(&it["job"]));
            let (environment, by) = (text(&it["environment"]), names(&it["asked_by"]));
            out(&format!(
                "job {job} of run {run} to {environment}, asked for by {by}: {}",
                wanted(gate)
            ));
        }
    }
    let deployments = match client.waiting_deployments() {
        Ok(Some(all)) => all,
        Ok(None) => {
            talk("note: deployments are not listed: the server is of an earlier version");
            Vec::new()
        }
        // Who is bound to repositories sees none: a deployment is a project's.
        Err(failure) if failure.exit == Exit::Forbidden => {
            talk(&format!("note: deployments are not listed: {}", failure.error));
            Vec::new()
        }
        Err(failure) => return Err(failure),
    };
    for it in deployments.iter().filter(is_wanted).take(args.limit.max(1)) {
        any = true;
        out(&match args.of.settings.format {
            Format::Json => it.to_string(),
            Format::Human | Format::Github => sentence(it),
        });
    }
    if !any {
        talk("nothing waits for people");
    }
    Ok(Exit::Done)
}

fn show(meant: &Meant<'_>) -> Outcome {
    let (_, gate) = find(meant)?;
    match meant.deployment.settings.format {
        Format::Json => out(&gate.to_string()),
        Format::Human | Format::Github => out(shown(&gate, Style::stdout()).trim_end()),
    }
    Ok(Exit::Done)
}

/// Shows what waits, and says what the person says about exactly that.
fn agree(meant: &Meant<'_>, signing: &SigningArgs, said: Said<'_>) -> Outcome {
    refuse_key(signing)?;
    let (client, waiting) = find(meant)?;
    let (run, job) = (format!("{}.{}", waiting["run"], waiting["attempt"]), text(&waiting["job"]));
    let key = match said {
        Said::Yes { group, .. } | Said::No { group, .. } => gate_of(&waiting, group)?,
        Said::Word { .. } => asks_for_word(&waiting)?,
    };
    let mut body = json!({ "gate": key, "what": waiting["what"] });
    let reason = match said {
        Said::Yes { reason, .. } => {
            body["decision"] = json!("approve");
            reason
        }
        Said::Word { word, reason } => {
            body["decision"] = json!("confirm");
            body["word"] = json!(word);
            reason
        }
        Said::No { reason, .. } => {
            body["decision"] = json!("reject");
            Some(reason)
        }
    };
    if let Some(reason) = reason {
        body["reason"] = json!(reason.chars().take(REASON_MAX).collect::<String>());
    }
    talk(shown(&waiting, Style::stderr()).trim_end());
    let job_of_run = format!("{job} of run {}", waiting["run"]);
    let now = client.answer(&run, &job, &body)?;
    if matches!(said, Said::No { .. }) {
        talk(&format!("{job_of_run} is refused"));
        return Ok(Exit::Done);
    }
    let gate = people(&now).find(|it| it["gate"] == json!(key));
    let by = gate.and_then(|it| it["agreed"].as_array()?.last().map(text)).unwrap_or_default();
    if key == START {
        talk(&format!("{by} starts {job_of_run}"));
        return Ok(Exit::Done);
    }
    let open = people(&now).filter(|it| have(it) < count(it));
    let others: Vec<String> = open.map(others_at).collect();
    talk(&agreed(&by, &job_of_run, &others));
    Ok(Exit::Done)
}

/// Who agrees on a server is whose token it is; nothing is signed.
fn refuse_key(signing: &SigningArgs) -> Result<(), Failure> {
    for (is_given, flag, why) in [
        (signing.key.is_some(), "--key", "your token says who you are"),
        (signing.valid_s.is_some(), "--for", "what is said there counts until the job begins"),
    ] {
        if is_given {
            let message = format!("{flag} cannot be used with --server: {why}");
            return Err(Failure::new(Exit::Usage, message));
        }
    }
    Ok(())
}

/// The job that is meant, as its gate is now.
fn find(meant: &Meant<'_>) -> Result<(Client, Json), Failure> {
    let client = Client::of(meant.url)?;
    if let (Some(run), Some(job)) = (meant.deployment.id, meant.job) {
        let gate = client.approval(&run.to_string(), job)?;
        return Ok((client, gate));
    }
    let is_of = |it: &Json| {
        meant.deployment.id.is_none_or(|run| it["run"] == run)
            && meant.job.is_none_or(|job| it["job"] == job)
    };
    let waiting: Vec<Json> = client.approvals()?.into_iter().filter(is_of).collect();
    let none = || {
        let which = meant.deployment.id.map(|run| format!(" of run {run}")).unwrap_or_default();
        Failure::new(Exit::Usage, format!("no job{which} waits for people"))
            .hint("launchway approvals list --server URL says which do")
    };
    // Of one run, none is as good as the other; of all, the newest, as with deployments.
    if let (Some(_), [_, _, ..]) = (meant.deployment.id, waiting.as_slice()) {
        let jobs: Vec<String> = waiting.iter().map(|it| text(&it["job"])).collect();
        return Err(Failure::new(Exit::Usage, "which job? --job JOB")
            .hint(format!("there are: {}", jobs.join(", "))));
    }
    let newest = waiting.into_iter().next_back().ok_or_else(none)?;
    // Asked for alone, it says what it brings, too.
    let run = format!("{}.{}", newest["run"], newest["attempt"]);
    let gate = client.approval(&run, newest["job"].as_str().unwrap_or_default())?;
    Ok((client, gate))
}

/// The gate of a group; where none is named, of the only one of those that still wait that asks whoever the token
/// is of, or the one at which a person starts it. Where none does, nothing is handed in: what does not count is
/// written down for good.
fn gate_of(waiting: &Json, group: Option<&str>) -> Result<String, Failure> {
    let start = people(waiting).find(|it| it["kind"] == START).filter(|_| group.is_none());
    if let Some(start) = start {
        return Ok(text(&start["gate"]));
    }
    let groups: Vec<&Json> = people(waiting).filter(|it| it["kind"] == "approval").collect();
    if let (true, Some(why)) = (groups.is_empty(), waiting["shut"].as_str()) {
        // As where its rules cannot be read: nobody is asked until that is over.
        return Err(Failure::new(Exit::Forbidden, format!("no group is asked: {why}")));
    }
    let named = |what: &str, groups: &[&Json]| {
        let names: Vec<String> = groups.iter().map(|it| text(&it["group"])).collect();
        if names.is_empty() {
            "no group is asked".to_owned()
        } else {
            format!("{what}: {}", names.join(", "))
        }
    };
    if let Some(group) = group {
        // Whether it still waits is the server's to say, and is written down there.
        let gate = groups.iter().find(|it| it["group"] == group).map(|it| text(&it["gate"]));
        let none = || Failure::new(Exit::Usage, format!("nobody of {group} is asked"));
        return gate.ok_or_else(|| none().hint(named("there are", &groups)));
    }
    let open: Vec<&Json> = groups.iter().copied().filter(|it| have(it) < count(it)).collect();
    let own: Vec<&Json> = open.iter().copied().filter(|it| it["asks_you"] == true).collect();
    let which = || Failure::new(Exit::Usage, "for which group? --group GROUP");
    match own.as_slice() {
        [one] => Ok(text(&one["gate"])),
        [] if open.is_empty() => Err(which().hint(named("there are", &groups))),
        [] => {
            let others: Vec<String> = open.iter().map(|it| others_at(it)).collect();
            let message =
                format!("you are not among those who are still asked: {}", others.join(", "));
            Err(Failure::new(Exit::Forbidden, message).hint(
                "who started it, agreed already or is in no such group is not; with --group the server says which, and writes it down",
            ))
        }
        own => Err(which().hint(named("you are in several that are still asked", own))),
    }
}

fn asks_for_word(waiting: &Json) -> Result<String, Failure> {
    let gate = people(waiting).find(|it| it["kind"] == "confirm");
    let none = || Failure::new(Exit::Usage, "that job asks nobody for a word");
    gate.map(|it| text(&it["gate"])).ok_or_else(none)
}

/// Gates at which people say something; the clock opens the others.
fn people(waiting: &Json) -> impl Iterator<Item = &Json> {
    let gates = waiting["gates"].as_array().map_or(&[][..], Vec::as_slice);
    gates.iter().filter(|it| it["kind"] != "wait")
}

fn have(gate: &Json) -> u64 {
    gate["agreed"].as_array().map_or(0, |it| it.len() as u64)
}

fn count(gate: &Json) -> u64 {
    gate["count"].as_u64().unwrap_or(1)
}

/// Who has yet to say something at a gate.
fn others_at(gate: &Json) -> String {
    match gate["kind"].as_str() {
        Some("confirm") => "the word of who asked for it".to_owned(),
        Some(START) => "a person to start it".to_owned(),
        _ => others(gate["count"].as_u64(), &gate["group"], &gate["agreed"], &gate["members"]),
    }
}

/// What a gate wants, and what it has.
fn wanted(gate: &Json) -> String {
    let have = if have(gate) == 0 { "nobody yet".to_owned() } else { names(&gate["agreed"]) };
    if gate["kind"] == "confirm" {
        return format!("who asked for it confirms; so far: {have}");
    }
    if gate["kind"] == START {
        return format!("a person starts it; so far: {have}");
    }
    let (group, members) = (text(&gate["group"]), names(&gate["members"]));
    format!("{} of {group} ({members}); so far: {have}", count(gate))
}

/// A line of JSON, with the names that a deployment's has.
fn line(it: &Json, gate: &Json) -> Json {
    json!({
        "run": it["run"], "attempt": it["attempt"], "job": it["job"], "repository": it["repository"],
        "environment": it["environment"], "by": names(&it["asked_by"]), "gate": gate["gate"],
        "group": gate["group"], "wanted": count(gate), "signed": gate["agreed"],
        "may": gate["members"], "waiting_at_ms": it["since_ms"], "hash": it["what"],
    })
}

fn shown(it: &Json, style: Style) -> String {
    let job = style.bold(&format!("{} of run {}", text(&it["job"]), it["run"]));
    let mut lines = vec![
        format!(
            "{job} of {} to {}, asked for by {}",
            text(&it["repository"]),
            text(&it["environment"]),
            names(&it["asked_by"])
        ),
        format!("commit: {}, {}", text(&it["commit"]), text(&it["workflow"])),
        format!("rules: {}", text(&it["rules"])),
        format!("what is agreed to: {}", text(&it["what"])),
    ];
    lines.extend(brought(&it["changes"]));
    lines.extend(it["shut"].as_str().map(|why| format!("shut: {}", one_line(why))));
    lines.extend(people(it).map(wanted));
    let answers = it["answers"].as_array().map_or(&[][..], Vec::as_slice);
    lines.extend(answers.iter().map(|said| {
        let why = ["reason", "why"].iter().find_map(|key| said[key].as_str());
        let why = why.map(|why| format!(": {}", one_line(why))).unwrap_or_default();
        format!("{} {}{why}", text(&said["by"]), text(&said["said"]))
    }));
    if !it["opened_at_ms"].is_null() {
        lines.push("its gate is open".to_owned());
    }
    lines.join("\n")
}

/// What it brings: `3 commits since 1a2b3c4`, and the newest of them.
fn brought(changes: &Json) -> Vec<String> {
    let (Some(count), Some(lost)) = (changes["count"].as_u64(), changes["lost"].as_u64()) else {
        return Vec::new();
    };
    let short = |it: &Json| text(it).chars().take(COMMIT_DIGITS).collect::<String>();
    let since = match &changes["since"] {
        Json::Null => "what ran there before is not known".to_owned(),
        since => format!("{} since {}", plural(count, "commit"), short(since)),
    };
    let commits = changes["commits"].as_array().map_or(&[][..], Vec::as_slice);
    let shown = commits.iter().take(CHANGES_SHOWN);
    let mut lines = vec![format!("brings: {since}")];
    lines.extend(shown.map(|it| {
        format!("  {} {} ({})", short(&it["commit"]), text(&it["subject"]), text(&it["by"]))
    }));
    let more = count.saturating_sub(CHANGES_SHOWN as u64);
    lines.extend((more > 0).then(|| format!("  and {more} more")));
    lines.extend((lost > 0).then(|| format!("takes back: {}", plural(lost, "commit"))));
    lines
}

fn names(list: &Json) -> String {
    let names = list.as_array().map_or(&[][..], Vec::as_slice);
    names.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn text(value: &Json) -> String {
    one_line(value.as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Groups as `NAME agreed/count`, with a star where the token's person is asked.
    fn check(groups: &[&str], group: Option<&str>, expect: &Expect) {
        let gate = |it: &&str| {
            let (name, rest) = it.split_once(' ').unwrap();
            let (have, count) = rest.trim_end_matches('*').split_once('/').unwrap();
            let agreed = vec!["x"; have.parse().unwrap()];
            json!({
                "gate": format!("approval/{name}"), "kind": "approval", "group": name,
                "count": count.parse::<u64>().unwrap(), "agreed": agreed, "asks_you": it.ends_with('*'),
            })
        };
        let waiting = json!({ "gates": groups.iter().map(gate).collect::<Vec<_>>() });
        expect.assert_eq(&match gate_of(&waiting, group) {
            Ok(gate) => gate,
            Err(failure) => format!("{} | {}", failure.error, failure.hints.join(" | ")),
        });
    }

    #[test]
    fn the_group_is_the_one_that_can_be_meant() {
        let devops = expect!["approval/devops"];
        check(&["devops 0/1*"], None, &devops);
        check(&["devops 0/1*", "leads 2/2"], None, &devops);
        check(&["devops 0/1*", "leads 0/2"], None, &devops);
        check(&["devops 1/1*", "leads 0/2"], Some("devops"), &devops);
        check(
            &["devops 0/1*", "leads 0/2*", "qa 0/1"],
            None,
            &expect![
                "for which group? --group GROUP | you are in several that are still asked: devops, leads"
            ],
        );
        check(
            &["devops 0/1", "leads 0/2"],
            None,
            &expect![
                "you are not among those who are still asked: 1 of devops (), 2 of leads () | who started it, agreed already or is in no such group is not; with --group the server says which, and writes it down"
            ],
        );
        // Whoever agreed for leads, or is in neither, would be refused for good there.
        check(
            &["devops 0/1", "leads 2/2"],
            None,
            &expect![
                "you are not among those who are still asked: 1 of devops () | who started it, agreed already or is in no such group is not; with --group the server says which, and writes it down"
            ],
        );
        check(
            &["devops 1/1"],
            None,
            &expect!["for which group? --group GROUP | there are: devops"],
        );
        check(&[], Some("ops"), &expect!["nobody of ops is asked | no group is asked"]);
        check(&["devops 0/1"], Some("ops"), &expect!["nobody of ops is asked | there are: devops"]);
        check(&[], None, &expect!["for which group? --group GROUP | no group is asked"]);
    }
}
