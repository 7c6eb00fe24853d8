//! Deployments of a server that wait for people (`--server --deployment`): what is to be signed comes from there,
//! the signature is made here by the person's own key, and whoever drives the deployment judges it, as everywhere.

use std::path::Path;

use approval::Decision;
use event::DeploymentId;
use serde_json::{Value as Json, json};

use super::paper::Paper;
use super::{HANDED_BYTES_MAX, agreed, compare, read, sign, still_wanted, write};
use crate::cli::{DeploymentRef, Format, SigningArgs};
use crate::distant::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::settings_file::load_if_there;
use crate::terminal::style::{Style, out, talk};

/// What is handed in.
pub(super) enum Wanted<'a> {
    /// Yes, or no with a reason, signed here.
    Signed { signing: &'a SigningArgs, decision: Decision, reason: Option<&'a str> },
    /// What was signed elsewhere.
    File(&'a Path),
}

/// Shows a plan, or writes it to a file that can be signed elsewhere.
pub(super) fn show(url: &str, which: &DeploymentRef, output: Option<&Path>) -> Outcome {
    let (_, id, paper) = find(url, which)?;
    match output {
        Some(path) => {
            write(path, &paper.encode())?;
            let path = path.display();
            talk(&format!(
                "sign it: launchway approvals sign --request {path} --output {id}.approval"
            ));
        }
        None if which.settings.format == Format::Json => out(&paper.encode()),
        None => out(&paper.shown(Style::stdout())),
    }
    Ok(Exit::Done)
}

/// Hands in what somebody says.
pub(super) fn hand_in(url: &str, which: &DeploymentRef, wanted: &Wanted<'_>) -> Outcome {
    let (client, id, paper) = find(url, which)?;
    let text = match wanted {
        Wanted::File(path) => read(path, HANDED_BYTES_MAX)?,
        Wanted::Signed { signing, decision, reason } => {
            talk(paper.shown(Style::stderr()).trim_end());
            // The server is somebody else's word: the rules are compared with the signer's own remote.
            // Whoever says no may do so for the rules' sake.
            if *decision == Decision::Approve {
                compare(&paper, load_if_there()?.as_ref(), true)?;
            }
            sign(&paper, signing, *decision, *reason)?.write()
        }
    };
    let said = client.hand_in(id, &text)?;
    if said["decision"] == "rejected" {
        talk(&format!("deployment {id} is refused"));
        return Ok(Exit::Done);
    }
    let by: String =
        said["by"].as_str().unwrap_or_default().chars().filter(|it| !it.is_control()).collect();
    let what = format!("deployment {id}");
    talk(&match client.waiting_deployments() {
        Ok(Some(waiting)) => {
            let is_of = |it: &Json| it["deployment"] == json!(id.to_string());
            agreed(
                &by,
                &what,
                &still_wanted(&waiting.into_iter().filter(is_of).collect::<Vec<_>>()),
            )
        }
        // It counts all the same; who else is asked is not to be had.
        Ok(None) | Err(_) => format!("{by} agrees to {what}"),
    });
    Ok(Exit::Done)
}

/// The deployment that is meant: by its number, else the newest that waits.
fn find(url: &str, which: &DeploymentRef) -> Result<(Client, u64, Paper), Failure> {
    let client = Client::of(url)?;
    let id = match which.id {
        Some(id) => id,
        None => {
            let waiting = client.waiting_deployments()?.ok_or_else(|| {
                Failure::new(Exit::Usage, "the server is of an earlier version, and does not tell")
                    .hint("which deployments wait for people: update it")
            })?;
            let newest = waiting.first().and_then(|it| it["deployment"].as_str()?.parse().ok());
            newest.ok_or_else(|| Failure::new(Exit::Usage, "no deployment waits for people"))?
        }
    };
    let paper = Paper::parse(&client.approval_request(id)?, url)?;
    if paper.deployment != DeploymentId(id) {
        let message = format!("the server was asked for deployment {id}, and speaks of another");
        return Err(Failure::new(Exit::Refused, message));
    }
    Ok((client, id, paper))
}
