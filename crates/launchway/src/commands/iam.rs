//! `launchway environments iam`: the role with which deployments to an environment sign in, written
//! from the settings, or one that is there looked at.

use std::path::Path;

use ::iam::{Finding, Named, Weight, commands, lint_policy, lint_trust, terraform};
use serde_json::{Value as Json, json};

use crate::cli::{Format, IamArgs, IamForm};
use crate::deploying::access::{self, Role};
use crate::deploying::request;
use crate::deploying::targets::Site;
use crate::exit::{Exit, Failure, Outcome};
use crate::settings_file::load;
use crate::state::StateFolder;
use crate::terminal::style::{Style, out, talk};

pub(crate) fn run(args: &IamArgs, state: &StateFolder) -> Outcome {
    let found = load(args.settings.file.as_deref())?;
    let environment = request::environment(&found, &args.environment)?;
    let project = &found.settings.project.value;
    let site = Site { state, project, environment: &args.environment };
    let role = access::role(&found, site, environment, args.exact)?;
    if args.check_trust.is_none() && args.check_policy.is_none() {
        write(args, &role);
        return Ok(Exit::Done);
    }
    let mut findings = Vec::new();
    if let Some(path) = &args.check_trust {
        findings.extend(lint_trust(&document(path)?, &role.trust));
    }
    if let Some(path) = &args.check_policy {
        findings.extend(lint_policy(&document(path)?, &role.policy.actions()));
    }
    Ok(tell(args, &findings))
}

/// A policy document: AWS's own tool prints it alone, or inside of what it says of a role.
fn document(path: &Path) -> Result<Json, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::caused(Exit::Usage, error).hint(path.display()))?;
    let json: Json = serde_json::from_str(&text).map_err(|error| {
        Failure::new(Exit::Refused, format!("{} is no JSON: {error}", path.display()))
    })?;
    let inside = ["/Role/AssumeRolePolicyDocument", "/PolicyDocument", "/PolicyVersion/Document"];
    let found = inside.iter().find_map(|it| json.pointer(it)).cloned().unwrap_or(json);
    if found.get("Statement").is_none() {
        let message = format!("{} is no policy: it has no Statement", path.display());
        return Err(Failure::new(Exit::Refused, message));
    }
    Ok(found)
}

fn write(args: &IamArgs, role: &Role) {
    let Role { name, seconds, trust, policy, notes } = role;
    let named = Named { role: name, seconds: *seconds, trust, policy };
    for note in notes {
        talk(&format!("note: {note}"));
    }
    match (args.form, args.settings.format) {
        (IamForm::Commands, _) => out(commands(&named).trim_end()),
        (IamForm::Terraform, _) => out(terraform(&named).trim_end()),
        (IamForm::Documents, Format::Json) => {
            let line = json!({
                "environment": args.environment, "role": name, "provider": trust.provider(),
                "trust": trust.json(), "policy": policy.json(),
            });
            out(&line.to_string());
        }
        (IamForm::Documents, _) => {
            let style = Style::stdout();
            out(&style.bold(&format!("who may take {name}")));
            out(&format!("{:#}", trust.json()));
            out(&style.bold(&format!("what {name} may do")));
            out(&format!("{:#}", policy.json()));
        }
    }
}

fn tell(args: &IamArgs, findings: &[Finding]) -> Exit {
    for it in findings {
        let weight = if it.weight == Weight::Error { "error" } else { "warning" };
        if args.settings.format == Format::Json {
            let line = json!({"severity": weight, "message": it.said, "hint": it.remedy});
            out(&line.to_string());
            continue;
        }
        out(&format!("{weight}: {}", it.said));
        out(&format!("  hint: {}", it.remedy));
    }
    if findings.is_empty() && args.settings.format != Format::Json {
        out("nothing is wrong with it");
    }
    let wrong = findings.iter().any(|it| it.weight == Weight::Error);
    if wrong { Exit::Refused } else { Exit::Done }
}
