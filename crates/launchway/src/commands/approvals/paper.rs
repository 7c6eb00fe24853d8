//! What somebody is asked to agree to, whole: as the journal has it, or as a file that travels to
//! where their key is. The plan's hash is computed anew from the plan that is shown.

use std::path::Path;
use std::sync::Arc;

use approval::{Decision, Statement};
use event::{DeploymentId, DeploymentPlan, Digest, GateDemand, Timestamp};
use mask::MaskedText;
use serde_json::{Value as Json, json};
use views::DeploymentView;

use crate::exit::{Exit, Failure};
use crate::terminal::style::Style;
use crate::terminal::time::moment;

/// What the file says that it is.
const KIND: &str = "launchway approval request 1";

/// The longest: a plan of thousands of steps fits.
const PAPER_BYTES_MAX: u64 = 16 << 20;

/// A group that is asked.
#[derive(Debug)]
struct Group {
    name: Arc<str>,
    /// How many of it.
    count: u32,
    /// Who may.
    members: Vec<Arc<str>>,
    /// Who agreed when this was written.
    agreed: Vec<Arc<str>>,
}

impl Group {
    fn is_asked(&self) -> bool {
        self.agreed.len() < self.count as usize
    }
}

#[derive(Debug)]
pub(crate) struct Paper {
    pub(super) project: Arc<str>,
    pub(super) environment: Arc<str>,
    pub(super) deployment: DeploymentId,
    by: MaskedText,
    reason: Option<MaskedText>,
    requested_at: Timestamp,
    pub(super) rules: Digest,
    rules_at: String,
    groups: Vec<Group>,
    plan: DeploymentPlan,
}

impl Paper {
    pub(crate) fn of(view: &DeploymentView) -> Result<Paper, Failure> {
        let request = &view.request;
        let nobody = || {
            let message = format!("deployment {} waits for nobody's agreement", view.id);
            Failure::new(Exit::Usage, message)
        };
        let (plan, _) = view.plan.clone().ok_or_else(nobody)?;
        let protection = request.protection.as_ref().ok_or_else(nobody)?;
        let groups: Vec<Group> = request.gates.iter().filter_map(|it| group(view, it)).collect();
        if groups.is_empty() {
            return Err(nobody());
        }
        let rules = &protection.rules;
        Ok(Paper {
            project: Arc::clone(&request.project),
            environment: Arc::clone(&request.environment),
            deployment: view.id,
            by: request.by.name.clone(),
            reason: request.reason.clone(),
            requested_at: request.at,
            rules: rules.digest,
            rules_at: format!("{} of {}, {}", rules.branch, rules.source, rules.commit),
            groups,
            plan,
        })
    }

    /// The file that travels.
    pub(super) fn encode(&self) -> String {
        self.json().to_string()
    }

    pub(crate) fn json(&self) -> Json {
        let groups = self.groups.iter().map(|it| {
            json!({ "group": it.name, "wanted": it.count, "may": it.members, "signed": it.agreed })
        });
        json!({
            "type": KIND, "project": self.project, "environment": self.environment,
            "deployment": self.deployment, "by": self.by, "reason": self.reason,
            "requested_at_ms": self.requested_at, "rules": self.rules, "rules_at": self.rules_at,
            "groups": groups.collect::<Vec<_>>(), "hash": self.plan.hash(), "plan": self.plan,
        })
    }

    pub(super) fn read(path: &Path) -> Result<Paper, Failure> {
        let text = super::read(path, PAPER_BYTES_MAX)?;
        // What is no JSON is no request either.
        let json = serde_json::from_str(&text).unwrap_or_default();
        Paper::parse(&json, &path.display().to_string())
    }

    /// What a file or a server says is to be signed.
    pub(super) fn parse(json: &Json, from: &str) -> Result<Paper, Failure> {
        let wrong = || {
            let message = format!("{from} is not what approvals show --output writes");
            Failure::new(Exit::Refused, message)
        };
        if json["type"] != json!(KIND) || !is_plain(json) {
            return Err(wrong());
        }
        let text = |key: &str| json[key].as_str().map(str::to_owned).ok_or_else(wrong);
        let words = |key: &str| text(key).map(MaskedText::without_secrets);
        let plan: DeploymentPlan =
            serde_json::from_value(json["plan"].clone()).map_err(|_| wrong())?;
        if plan.hash().to_string() != text("hash")? {
            let message = format!("the plan in {from} is not the one of its hash");
            return Err(Failure::new(Exit::Refused, message));
        }
        let groups = json["groups"].as_array().ok_or_else(wrong)?.iter().map(|it| {
            let names = |list: &[Json]| -> Option<Vec<Arc<str>>> {
                list.iter().map(|name| Some(name.as_str()?.into())).collect()
            };
            Some(Group {
                name: it["group"].as_str()?.into(),
                count: u32::try_from(it["wanted"].as_u64()?).ok()?,
                members: names(it["may"].as_array()?)?,
                // Older papers do not say.
                agreed: names(it["signed"].as_array().map_or(&[], Vec::as_slice))?,
            })
        });
        Ok(Paper {
            project: text("project")?.into(),
            environment: text("environment")?.into(),
            deployment: DeploymentId(json["deployment"].as_u64().ok_or_else(wrong)?),
            by: words("by")?,
            reason: words("reason").ok(),
            requested_at: Timestamp(json["requested_at_ms"].as_u64().ok_or_else(wrong)?),
            rules: text("rules")?.parse().map_err(|_| wrong())?,
            rules_at: text("rules_at")?,
            groups: groups.collect::<Option<_>>().ok_or_else(wrong)?,
            plan,
        })
    }

    /// For whoever is asked.
    pub(super) fn shown(&self, style: Style) -> String {
        let mut text = format!(
            "{} of {} to {}, asked for by {} {}\n",
            style.bold(&format!("deployment {}", self.deployment)),
            self.project,
            self.environment,
            self.by,
            moment(self.requested_at),
        );
        if let Some(reason) = &self.reason {
            text += &format!("reason: {reason}\n");
        }
        text += &format!("rules: {}\n", self.rules_at);
        text += &super::plan(&self.plan, &self.plan.hash(), style);
        for Group { name, count, members, agreed } in &self.groups {
            let so_far = if agreed.is_empty() { "nobody yet".into() } else { agreed.join(", ") };
            let may = members.join(", ");
            text += &format!("{count} of {name} ({may}) agree to it; so far: {so_far}\n");
        }
        text
    }

    /// The gate of a group, or of the only one that is still asked.
    pub(super) fn gate(&self, group: Option<&str>) -> Result<String, Failure> {
        let names: Vec<&str> = self.groups.iter().map(|it| &*it.name).collect();
        let open = self.groups.iter().filter(|it| it.is_asked());
        let open: Vec<&str> = open.map(|it| &*it.name).collect();
        let known = || format!("there are: {}", names.join(", "));
        match (group, open.as_slice(), names.as_slice()) {
            (Some(group), _, names) if names.contains(&group) => Ok(format!("approval/{group}")),
            (Some(group), ..) => {
                let message = format!("nobody of {group} is asked");
                Err(Failure::new(Exit::Usage, message).hint(known()))
            }
            (None, [one], _) | (None, _, [one]) => Ok(format!("approval/{one}")),
            (None, open, _) => {
                let which = Failure::new(Exit::Usage, "for which group? --group GROUP");
                Err(match open {
                    [] => which.hint(known()),
                    open => which.hint(format!("still asked: {}", open.join(", "))),
                })
            }
        }
    }

    pub(super) fn statement<'a>(
        &'a self,
        decision: Decision,
        reason: Option<&'a str>,
        gate: &'a str,
        expires: Timestamp,
    ) -> Statement<'a> {
        Statement {
            decision,
            reason,
            project: &self.project,
            environment: &self.environment,
            deployment: self.deployment,
            by: self.by.as_str(),
            requested_at: self.requested_at,
            plan: self.plan.hash(),
            rules: self.rules,
            gate,
            expires,
        }
    }
}

/// Whether nothing in it steers the terminal that it is shown on.
fn is_plain(json: &Json) -> bool {
    let plain = |text: &str| !text.chars().any(|it| it.is_control() && !"\n\t".contains(it));
    match json {
        Json::String(text) => plain(text),
        Json::Array(items) => items.iter().all(is_plain),
        Json::Object(entries) => entries.iter().all(|(key, it)| plain(key) && is_plain(it)),
        Json::Null | Json::Bool(_) | Json::Number(_) => true,
    }
}

fn group(view: &DeploymentView, demand: &GateDemand) -> Option<Group> {
    match demand {
        GateDemand::Approval { group, count, members } => {
            let gate = view.gates.iter().find(|it| it.gate == demand.key());
            let signed = gate.map_or(&[][..], |it| it.signed.as_slice()).iter();
            Some(Group {
                name: Arc::clone(group),
                count: *count,
                members: members.clone(),
                agreed: signed.map(|it| it.by.name.as_str().into()).collect(),
            })
        }
        GateDemand::Wait { .. } | GateDemand::Confirm { .. } | GateDemand::Start => None,
    }
}
