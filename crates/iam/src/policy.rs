//! What a role may do.

use serde_json::{Map, Value as Json, json};

/// A policy that allows some actions; it denies nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What it allows.
    pub statements: Vec<Statement>,
}

/// Some actions on some resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it is for, in letters and digits.
    pub name: String,
    /// `ecs:UpdateService`
    pub actions: Vec<String>,
    /// ARNs, or `*`.
    pub resources: Vec<String>,
    /// What must hold besides, all of it.
    pub conditions: Vec<Condition>,
}

/// Something that must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `StringEquals`
    pub operator: String,
    /// `ecs:cluster`
    pub key: String,
    /// One of these.
    pub values: Vec<String>,
}

impl Condition {
    /// A condition with one value.
    pub fn one(operator: &str, key: &str, value: &str) -> Condition {
        let (operator, key) = (operator.to_owned(), key.to_owned());
        Condition { operator, key, values: vec![value.to_owned()] }
    }
}

impl Policy {
    /// Every action that it allows, each once, in order.
    pub fn actions(&self) -> Vec<&str> {
        let all = self.statements.iter().flat_map(|it| &it.actions);
        let mut all: Vec<&str> = all.map(String::as_str).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The same without one action.
    pub fn without(&self, action: &str) -> Policy {
        let mut statements = self.statements.clone();
        for statement in &mut statements {
            statement.actions.retain(|it| it != action);
        }
        statements.retain(|it| !it.actions.is_empty());
        Policy { statements }
    }

    /// Takes in another policy's statements; those of one name, place and conditions become one.
    pub fn add(&mut self, other: Policy) {
        for statement in other.statements {
            let same = self.statements.iter_mut().find(|it| {
                it.name == statement.name
                    && it.actions == statement.actions
                    && it.conditions == statement.conditions
            });
            match same {
                None => self.statements.push(statement),
                Some(same) => {
                    same.resources.extend(statement.resources);
                    same.resources.sort_unstable();
                    same.resources.dedup();
                }
            }
        }
    }

    /// As AWS has it.
    pub fn json(&self) -> Json {
        let statements = self.statements.iter().map(|it| {
            let mut said = json!({
                "Sid": it.name, "Effect": "Allow",
                "Action": it.actions, "Resource": it.resources,
            });
            if !it.conditions.is_empty() {
                said["Condition"] = conditions(&it.conditions);
            }
            said
        });
        json!({"Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>()})
    }
}

pub(crate) fn conditions(all: &[Condition]) -> Json {
    let mut said = Map::new();
    for it in all {
        let of = said.entry(it.operator.clone()).or_insert_with(|| json!({}));
        of[&it.key] = match &it.values[..] {
            [one] => json!(one),
            many => json!(many),
        };
    }
    Json::Object(said)
}
