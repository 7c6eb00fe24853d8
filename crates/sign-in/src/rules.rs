//! What claims give: a claim that has a value gives what the administrator said, and nothing else does.

use serde_json::{Map, Value as Json};

/// A list of groups that is longer is not looked through.
const VALUES_MAX: usize = 10_000;

/// What a provider says of a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims(Map<String, Json>);

impl Claims {
    /// Those of an object.
    pub fn of(value: Json) -> Option<Claims> {
        match value {
            Json::Object(said) => Some(Claims(said)),
            _ => None,
        }
    }

    /// Who it is, at the provider: its `sub`, which never becomes another's.
    pub fn subject(&self) -> &str {
        self.value("sub").and_then(Json::as_str).unwrap_or_default()
    }

    /// A claim as it is.
    pub(crate) fn value(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }

    /// A claim that may be relied upon: by its whole name, else the way into an object
    /// (`realm_access.roles`). An address that the provider did not verify anybody may have written
    /// there: it is not there.
    pub(crate) fn find(&self, name: &str) -> Option<&Json> {
        if name == "email" && self.value("email_verified") != Some(&Json::Bool(true)) {
            return None;
        }
        self.value(name).or_else(|| {
            let (first, rest) = name.split_once('.')?;
            rest.split('.').try_fold(self.value(first)?, |it, part| it.get(part))
        })
    }

    /// A claim that is a line of text.
    pub fn line(&self, name: &str) -> Option<&str> {
        let text = self.find(name)?.as_str()?.trim();
        (!text.is_empty() && !text.contains(char::is_control)).then_some(text)
    }

    /// Whether a claim is this value, or a list that has it.
    pub fn has(&self, name: &str, value: &str) -> bool {
        let is_it = |it: &Json| match it {
            Json::String(text) => text == value,
            Json::Bool(it) => value == if *it { "true" } else { "false" },
            Json::Number(it) => value == it.to_string(),
            _ => false,
        };
        match self.find(name) {
            Some(Json::Array(all)) => all.iter().take(VALUES_MAX).any(is_it),
            Some(one) => is_it(one),
            None => false,
        }
    }

    /// The same, with what another source says of the same person where these say nothing.
    pub(crate) fn with(mut self, mut more: Claims) -> Claims {
        // An address goes with whether it was verified, from one source.
        if self.value("email").is_some() {
            more.0.shift_remove("email");
            more.0.shift_remove("email_verified");
        } else {
            self.0.shift_remove("email_verified");
        }
        for (name, value) in more.0 {
            self.0.entry(name).or_insert(value);
        }
        self
    }
}

/// What a claim with a value gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule<G> {
    /// The claim.
    pub claim: String,
    /// Its value, or one of its values.
    pub value: String,
    /// What whoever has it gets.
    pub gives: G,
}

/// What these claims give; none where no rule is about them.
pub fn given<'r, G>(rules: &'r [Rule<G>], claims: &Claims) -> Vec<&'r G> {
    let holds = |rule: &&Rule<G>| claims.has(&rule.claim, &rule.value);
    rules.iter().filter(holds).map(|rule| &rule.gives).collect()
}
