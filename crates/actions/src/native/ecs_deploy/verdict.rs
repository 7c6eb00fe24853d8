//! What became of a deployment, by looking at its service. Pure: it is told what a look found.

use aws::{EcsDeployment, EcsService, ServiceDeployment};

/// What a look says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    Waiting,
    Done(String),
    /// It is done, and no task is wanted.
    DoneWithNothing(String),
    Failed(String),
    /// Another deployment counts now. Who began it, the list of service deployments may say.
    Replaced {
        words: String,
        /// When ours began, in seconds since 1970.
        since: f64,
    },
}

/// One deployment, watched.
pub(super) struct Watch {
    /// None where the update changed nothing that starts one.
    mine: Option<EcsDeployment>,
    /// What is read right after an update may be from before it.
    seen: bool,
    /// Events up to this time are known.
    told: f64,
}

impl Watch {
    pub(super) fn of(mine: Option<EcsDeployment>, service: &EcsService) -> Watch {
        let told = service.events.iter().map(|it| it.created_at).fold(0.0, f64::max);
        Watch { mine, seen: false, told }
    }

    /// New events of the service, oldest first, and the verdict.
    pub(super) fn look(&mut self, service: Option<&EcsService>) -> (Vec<String>, Verdict) {
        let Some(service) = service else {
            return (Vec::new(), Verdict::Failed("Service is MISSING".to_owned()));
        };
        let new = service.events.iter().filter(|it| it.created_at > self.told);
        let mut news: Vec<String> = new.map(|it| it.message.clone()).collect();
        news.reverse();
        self.told = service.events.iter().map(|it| it.created_at).fold(self.told, f64::max);
        (news, self.verdict(service))
    }

    fn verdict(&mut self, service: &EcsService) -> Verdict {
        if service.status != "ACTIVE" {
            return Verdict::Failed(format!("Service is {}", service.status));
        }
        let Some(mine) = &self.mine else { return steady(service, "the service is stable") };
        let id = &mine.id;
        let found = service.deployments.iter().find(|it| it.id == *id);
        self.seen |= found.is_some();
        let primary = service.deployments.iter().find(|it| it.status == "PRIMARY");
        if let Some(found) = found {
            let reason = found.rollout_state_reason.as_deref().unwrap_or("unknown reason");
            match found.rollout_state.as_deref() {
                Some("FAILED") => {
                    return Verdict::Failed(format!("Deployment {id} FAILED: {reason}"));
                }
                Some("COMPLETED") if found.status == "PRIMARY" => {
                    return completed(
                        service,
                        &format!("Deployment {id} verified: rolloutState=COMPLETED"),
                    );
                }
                // Services that ECS tells no state of.
                None if found.status == "PRIMARY" => {
                    return steady(service, &format!("Deployment {id} is stable"));
                }
                _ => {}
            }
        }
        match primary.filter(|it| it.id != *id) {
            // From before the update.
            Some(other) if !self.seen && other.created_at <= mine.created_at => Verdict::Waiting,
            Some(other) => taken_over(mine, other),
            None => Verdict::Waiting,
        }
    }
}

/// Another deployment is the one that counts: ECS's own way back, or somebody else's.
fn taken_over(mine: &EcsDeployment, other: &EcsDeployment) -> Verdict {
    let (id, to) = (&mine.id, &other.task_definition);
    let reason = other.rollout_state_reason.as_deref().unwrap_or_default();
    let said = reason.to_lowercase();
    if said.contains("rollback") || said.contains("rolling back") {
        return Verdict::Failed(format!(
            "Deployment {id} was rolled back by ECS to {to}: {reason}"
        ));
    }
    let words = format!(
        "Deployment {id} not found after stabilization. It was replaced by {}, which runs {to}",
        other.id
    );
    Verdict::Replaced { words, since: mine.created_at }
}

/// What the list of service deployments says of one that was replaced.
pub(super) fn replaced(words: &str, since: f64, history: &[ServiceDeployment]) -> String {
    let is_back =
        |it: &&ServiceDeployment| it.created_at + 1.0 >= since && it.status.starts_with("ROLLBACK");
    // Newest first: ours is the oldest of those since.
    let back = history.iter().rfind(is_back);
    match back {
        Some(it) => {
            let reason = it.status_reason.as_deref().unwrap_or("no reason was given");
            format!("{words}: it was rolled back by ECS, {}: {reason}", it.status)
        }
        None => format!("{words}: somebody deployed meanwhile, or ECS took it back"),
    }
}

fn completed(service: &EcsService, words: &str) -> Verdict {
    if service.desired_count == 0 {
        return Verdict::DoneWithNothing(format!(
            "{words}, but the service wants 0 tasks: nothing runs"
        ));
    }
    Verdict::Done(words.to_owned())
}

/// AWS's own rule for a stable service.
fn steady(service: &EcsService, words: &str) -> Verdict {
    let steady = service.deployments.len() == 1 && service.running_count == service.desired_count;
    if steady { completed(service, words) } else { Verdict::Waiting }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn deployment(id: &str, status: &str, state: Json, at: u64) -> Json {
        json!({"id": id, "status": status, "taskDefinition": format!("td-{id}"), "createdAt": at,
               "rolloutState": state, "rolloutStateReason": format!("reason of {id}")})
    }

    fn service(deployments: &[Json], desired: u64) -> EcsService {
        let service = json!({
            "serviceArn": "s", "clusterArn": "c", "status": "ACTIVE", "desiredCount": desired,
            "runningCount": desired, "taskDefinition": "t", "deployments": deployments,
            "events": [{"createdAt": 20.0, "message": "new"}, {"createdAt": 1.0, "message": "old"}],
        });
        serde_json::from_value(service).expect("a service")
    }

    /// What is said of `mine`, which began at 10, after looks at services of two tasks.
    fn verdict(looks: &[&[Json]]) -> Verdict {
        let mine = deployment("mine", "PRIMARY", json!("IN_PROGRESS"), 10);
        let mine = serde_json::from_value(mine).expect("a deployment");
        let mut watch = Watch { mine: Some(mine), seen: false, told: 5.0 };
        let mut last = Verdict::Waiting;
        for look in looks {
            assert_eq!(last, Verdict::Waiting);
            last = watch.look(Some(&service(look, 2))).1;
        }
        last
    }

    fn failed(words: &str) -> Verdict {
        Verdict::Failed(words.to_owned())
    }

    #[test]
    fn a_deployment_is_judged_by_itself() {
        let mine = |state: &str| deployment("mine", "PRIMARY", json!(state), 10);
        let old = |status: &str| deployment("old", status, json!("COMPLETED"), 1);
        let done = Verdict::Done("Deployment mine verified: rolloutState=COMPLETED".to_owned());
        assert_eq!(verdict(&[&[mine("IN_PROGRESS"), old("ACTIVE")]]), Verdict::Waiting);
        assert_eq!(verdict(&[&[mine("COMPLETED")]]), done);
        // Old tasks drain for minutes after that.
        assert_eq!(verdict(&[&[mine("COMPLETED"), old("ACTIVE")]]), done);
        assert_eq!(
            verdict(&[&[mine("FAILED"), old("ACTIVE")]]),
            failed("Deployment mine FAILED: reason of mine")
        );
        // A look from before the update says nothing.
        assert_eq!(verdict(&[&[old("PRIMARY")], &[mine("COMPLETED")]]), done);
        let back = json!({"id": "back", "status": "PRIMARY", "taskDefinition": "td-1", "createdAt": 30,
            "rolloutState": "IN_PROGRESS",
            "rolloutStateReason": "ECS deployment circuit breaker: rolling back to deploymentId old."});
        assert_eq!(
            verdict(&[&[mine("IN_PROGRESS")], &[back]]),
            failed(
                "Deployment mine was rolled back by ECS to td-1: ECS deployment circuit breaker: rolling back to deploymentId old."
            )
        );
        let other = deployment("other", "PRIMARY", json!("COMPLETED"), 30);
        let words = "Deployment mine not found after stabilization. It was replaced by other, which runs td-other";
        let replaced_by_other = Verdict::Replaced { words: words.to_owned(), since: 10.0 };
        assert_eq!(verdict(&[&[other]]), replaced_by_other);
        assert!(
            replaced(words, 10.0, &[])
                .ends_with("somebody deployed meanwhile, or ECS took it back")
        );
        let unknown = deployment("mine", "PRIMARY", Json::Null, 10);
        assert_eq!(verdict(&[&[unknown.clone(), old("ACTIVE")]]), Verdict::Waiting);
        assert_eq!(verdict(&[&[unknown]]), Verdict::Done("Deployment mine is stable".to_owned()));
    }

    #[test]
    fn an_update_that_starts_nothing_waits_for_a_stable_service() {
        let old = deployment("old", "PRIMARY", json!("COMPLETED"), 1);
        let mut watch = Watch::of(None, &service(&[], 0));
        watch.told = 5.0;
        let (news, verdict) = watch.look(Some(&service(std::slice::from_ref(&old), 2)));
        assert_eq!(
            (news, verdict),
            (vec!["new".to_owned()], Verdict::Done("the service is stable".to_owned()))
        );
        let (news, verdict) = watch.look(Some(&service(&[old], 0)));
        assert!(news.is_empty() && matches!(verdict, Verdict::DoneWithNothing(_)));
        assert_eq!(watch.look(None).1, failed("Service is MISSING"));
    }
}
