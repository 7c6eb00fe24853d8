//! What workflows and messages read, and whether anybody set it.

use server::{KeptKind, Named, NamedValue};
use settings::SecretReference;
use store::Kept;

use super::WantedNames;

/// What is read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needed {
    /// By workflow files.
    pub(crate) names: WantedNames,
    /// By messages: the rule, and where its secret is.
    pub(crate) messages: Vec<(String, SecretReference)>,
    /// Why that is not known.
    pub(crate) messages_not_known: Option<String>,
}

impl Needed {
    /// What is read, by what is kept.
    pub(crate) fn against(&self, kept: &[Kept]) -> Named {
        let line = |kind: KeptKind, name: &str, used_at: &str| NamedValue {
            kind,
            name: name.to_owned(),
            environment: None,
            used_at: used_at.to_owned(),
            is_missing: false,
        };
        let mut named = Vec::new();
        for ((name, environment), place) in &self.names.in_environments {
            named.push(NamedValue {
                environment: environment.clone(),
                is_missing: !reaches_a_job(kept, name, environment.as_deref()),
                ..line(KeptKind::Secret, name, &place.place())
            });
        }
        for (rule, reference) in &self.messages {
            let (name, is_missing) = match reference {
                SecretReference::Local { name } => (name.clone(), !is_for_all(kept, name)),
                // A server reads no file that somebody names in a repository.
                other => (other.to_string(), true),
            };
            named.push(NamedValue { is_missing, ..line(KeptKind::Secret, &name, rule) });
        }
        for (name, place) in &self.names.vars {
            let is_missing = !kept.iter().any(|it| it.variable.is_some() && it.name == *name);
            named.push(NamedValue { is_missing, ..line(KeptKind::Variable, name, &place.place()) });
        }
        Named { values: named, messages_not_known: self.messages_not_known.clone() }
    }
}

/// A message is told by what is kept for all: an environment's own reach its jobs alone.
fn is_for_all(kept: &[Kept], name: &str) -> bool {
    secrets(kept, name).any(|it| it.scope.environment.is_none())
}

/// Where no environment is known, an expression may give each: one that is kept for any may be the one.
fn reaches_a_job(kept: &[Kept], name: &str, environment: Option<&str>) -> bool {
    secrets(kept, name).any(|it| match (&it.scope.environment, environment) {
        (Some(own), Some(of)) => own.eq_ignore_ascii_case(of),
        (None, _) | (_, None) => true,
    })
}

fn secrets<'k>(kept: &'k [Kept], name: &str) -> impl Iterator<Item = &'k Kept> {
    kept.iter().filter(move |it| it.variable.is_none() && it.name == name)
}
