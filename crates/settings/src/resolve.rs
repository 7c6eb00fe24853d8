//! One service in one environment: what is common, what is different, what is by default.

use std::sync::Arc;

use syntax::{Entry, Mapping, Node, NodeKind, Span};
use thiserror::Error;

use crate::kind::{Key, Kind, Named, Shape, Standing};
use crate::merge;
use crate::model::{Environment, KINDS, Service, Settings, Strategy, Target, Verify};
use crate::table::{ENVIRONMENT, OVERRIDE, ROOT, SERVICE};
use crate::template::{self, Names};
use crate::view::{Spanned, Text, View, default_node, key_text};

/// All that a deployment of one service to one environment needs to know.
#[derive(Clone, Debug)]
pub struct ServiceInEnvironment {
    /// The project.
    pub project: Text,
    /// What holds for all services of the environment.
    pub environment: Environment,
    /// The service as it is there.
    pub service: Service,
    /// Where it runs.
    pub target: Target,
    /// How the new version takes over.
    pub strategy: Spanned<Strategy>,
    /// What must hold then.
    pub verify: Verify,
    /// What is written for it and not acted upon yet; a deployment that needs it is refused.
    pub not_yet: Vec<NotYet>,
}

/// A key that is written and on which no deployment acts yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotYet {
    /// The key with those above it: `targets.host.user`.
    pub key: String,
    /// Where it stands.
    pub span: Span,
}

/// One value that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// The key with those above it: `health.within`.
    pub key: String,
    /// As it would be written, gaps in names filled.
    pub value: String,
    /// Where it stands; a default stands nowhere.
    pub span: Option<Span>,
    /// Whether deployments act upon it.
    pub acted_upon: bool,
}

/// There is no such thing in the settings.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResolveError {
    /// No environment has that name.
    #[error("there is no environment {name}")]
    Environment {
        /// What was asked for.
        name: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// No service has that name.
    #[error("there is no service {name}")]
    Service {
        /// What was asked for.
        name: String,
        /// Those there are.
        known: Vec<String>,
    },
}

impl ResolveError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        let (ResolveError::Environment { name, known } | ResolveError::Service { name, known }) =
            self;
        let words: Vec<&str> = known.iter().map(String::as_str).collect();
        match syntax::nearest(name, &words) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("there are: {}", words.join(", ")),
        }
    }
}

/// What gaps in names are filled with.
pub(crate) struct Gaps<'n>(pub(crate) Names<'n>);

impl Gaps<'_> {
    pub(crate) fn fill(&self, text: Text) -> Text {
        text.map(|it| template::fill(&it, self.0))
    }
}

impl Settings {
    /// One service in one environment.
    ///
    /// # Errors
    /// Where there is no environment or service of that name.
    pub fn resolve(
        &self,
        environment: &str,
        service: &str,
    ) -> Result<ServiceInEnvironment, ResolveError> {
        let (env, name, merged) = self.merged(environment, service)?;
        let view = View { shape: &SERVICE, mapping: &merged, span: name.span };
        let gaps = Gaps(self.names(environment, service));
        let region = env.region.clone();
        let target = view.view("targets").and_then(|targets| {
            let kind = targets.mapping.entries.first()?;
            Target::read(view, targets, &kind.key.text, region, &gaps)
        });
        let strategy = Strategy::read(view);
        let mut not_yet = Vec::new();
        written_not_yet(&SERVICE, &merged, "", &mut not_yet);
        let root = View::new(&ROOT, &self.tree);
        let own = root.entries(Named::Environment.key()).iter();
        for entry in own.filter(|it| &*it.key.text == environment) {
            let own = own_keys(&entry.value);
            written_not_yet(&ENVIRONMENT, &own, "", &mut not_yet);
        }
        Ok(ServiceInEnvironment {
            project: self.project.clone(),
            environment: env.clone().filled(&gaps),
            service: Service::read(name, view, &gaps).expect("settings hold no mistake"),
            target: target.expect("every service has a target in every environment"),
            strategy: strategy.expect("settings hold no mistake"),
            verify: Verify::read(view).expect("settings hold no mistake"),
            not_yet,
        })
    }

    /// Every value that is in force for a service in an environment, in the order of the table.
    ///
    /// # Errors
    /// Where there is no environment or service of that name.
    pub fn in_force(&self, environment: &str, service: &str) -> Result<Vec<InForce>, ResolveError> {
        let (_, name, merged) = self.merged(environment, service)?;
        let mut rows = Rows { names: self.names(environment, service), rows: Vec::new() };
        rows.shape(&SERVICE, &merged, name.span, "", true);
        Ok(rows.rows)
    }

    /// Every value that is in force for an environment, whatever the service.
    ///
    /// # Errors
    /// Where there is no environment of that name.
    pub fn in_force_for_all(&self, environment: &str) -> Result<Vec<InForce>, ResolveError> {
        let entry = self.environment_entry(environment)?;
        // Names with gaps belong to services; nothing else has any.
        let mut rows = Rows { names: self.names(environment, ""), rows: Vec::new() };
        let own = own_keys(&entry.value);
        rows.shape(&ENVIRONMENT, &own, entry.key.span, "", true);
        rows.rows.retain(|row| {
            let key = row.key.split('.').next().unwrap_or_default();
            SERVICE.key(key).is_none() && key != "services"
        });
        Ok(rows.rows)
    }

    /// What is written beside services and environments and not acted upon yet.
    pub fn not_yet(&self) -> Vec<NotYet> {
        let mut found = Vec::new();
        let root = View::new(&ROOT, &self.tree);
        for entry in &root.mapping.entries {
            let key = ROOT.key(&entry.key.text);
            if key.is_some_and(|key| key.standing == Standing::NotYet) {
                found.push(NotYet { key: entry.key.text.to_string(), span: entry.key.span });
            }
        }
        found
    }

    fn names<'n>(&'n self, environment: &'n str, service: &'n str) -> Names<'n> {
        Names { project: &self.project.value, environment, service }
    }

    fn environment_entry(&self, name: &str) -> Result<&Entry, ResolveError> {
        let root = View::new(&ROOT, &self.tree);
        let entries = root.entries(Named::Environment.key());
        entries.iter().find(|it| &*it.key.text == name).ok_or_else(|| ResolveError::Environment {
            name: name.to_owned(),
            known: entries.iter().map(|it| it.key.text.to_string()).collect(),
        })
    }

    fn merged(
        &self,
        environment: &str,
        service: &str,
    ) -> Result<(&Environment, Text, Mapping), ResolveError> {
        let entry = self.environment_entry(environment)?;
        let services = View::new(&ROOT, &self.tree).entries(Named::Service.key());
        let found = services.iter().find(|it| &*it.key.text == service);
        let found = found.ok_or_else(|| ResolveError::Service {
            name: service.to_owned(),
            known: services.iter().map(|it| it.key.text.to_string()).collect(),
        })?;
        let typed = self.environment(environment).expect("every entry was read");
        Ok((typed, key_text(found), merged(found, entry)))
    }
}

/// A service with what the environment says of all services, and of this one.
pub(crate) fn merged(service: &Entry, environment: &Entry) -> Mapping {
    let view = View::new(&ENVIRONMENT, &environment.value);
    let shared = view.mapping.entries.iter().filter(|it| SERVICE.key(&it.key.text).is_some());
    let shared = Mapping { entries: shared.cloned().collect() };
    let nothing = Mapping::default();
    let own = view.entries("services").iter().find(|it| it.key.text == service.key.text);
    let own = own.and_then(|it| it.value.as_mapping()).unwrap_or(&nothing);
    let base = service.value.as_mapping().unwrap_or(&nothing);
    let mut merged = merge::shapes(&OVERRIDE, &merge::shapes(&SERVICE, base, &shared), own);
    let named = |mapping: &Mapping| kinds(mapping);
    let mut wanted: Vec<&str> = named(&shared);
    wanted.extend(named(own));
    choose(&mut merged, &wanted);
    merged
}

/// The kinds of targets that a mapping names.
fn kinds(mapping: &Mapping) -> Vec<&'static str> {
    let targets = mapping.get("targets").and_then(Node::as_mapping);
    let there = |kind: &&&str| targets.is_some_and(|it| it.get(kind).is_some());
    KINDS.iter().filter(there).copied().collect()
}

/// Leaves the targets that count: those of kinds that the environment names, where it names any; of
/// several the one that `target` says.
fn choose(merged: &mut Mapping, wanted: &[&str]) {
    let said = merged.get("target").and_then(Node::as_str).map(str::to_owned);
    let targets = merged.entries.iter_mut().find(|it| &*it.key.text == "targets");
    let Some(NodeKind::Mapping(targets)) = targets.map(|it| &mut it.value.kind) else { return };
    if !wanted.is_empty() {
        targets.entries.retain(|it| wanted.contains(&&*it.key.text));
    }
    if targets.entries.len() > 1
        && let Some(said) = said
    {
        targets.entries.retain(|it| *it.key.text == *said);
    }
}

/// What an environment says of itself.
fn own_keys(environment: &Node) -> Mapping {
    let entries = environment.as_mapping().map_or(&[][..], |it| &it.entries);
    let own = entries
        .iter()
        .filter(|it| SERVICE.key(&it.key.text).is_none() && &*it.key.text != "services");
    Mapping { entries: own.cloned().collect() }
}

/// Keys that are written and not acted upon.
pub(crate) fn written_not_yet(
    shape: &Shape,
    mapping: &Mapping,
    above: &str,
    found: &mut Vec<NotYet>,
) {
    for entry in &mapping.entries {
        let Some(key) = shape.key(&entry.key.text) else { continue };
        let path = join(above, key.name);
        match (key.standing, &key.kind) {
            (Standing::NotYet, _) => found.push(NotYet { key: path, span: entry.key.span }),
            (Standing::Done, Kind::Shape(inner)) => {
                if let Some(mapping) = entry.value.as_mapping() {
                    written_not_yet(inner, mapping, &path, found);
                }
            }
            (Standing::Done, _) => {}
        }
    }
}

/// The rows of a mapping, written or not.
struct Rows<'n> {
    names: Names<'n>,
    rows: Vec<InForce>,
}

impl Rows<'_> {
    fn shape(&mut self, shape: &Shape, mapping: &Mapping, span: Span, above: &str, acted: bool) {
        for key in shape.keys {
            let acted = acted && key.standing == Standing::Done;
            let path = join(above, key.name);
            match mapping.get(key.name) {
                Some(node) => self.node(&key.kind, node, &path, true, acted),
                None => {
                    let default = default_node(&key.kind, key.need, span);
                    if let Some(node) = default.filter(|_| !is_other_choice(shape, key)) {
                        self.node(&key.kind, &node, &path, false, acted);
                    }
                }
            }
        }
    }

    fn node(&mut self, kind: &Kind, node: &Node, path: &str, written: bool, acted: bool) {
        match (kind, &node.kind) {
            (Kind::Shape(shape), NodeKind::Mapping(mapping)) => {
                if shape.is_choice()
                    && let [entry] = &mapping.entries[..]
                    && entry.value.as_mapping().is_some_and(|it| it.entries.is_empty())
                {
                    self.push(path, entry.key.text.to_string(), node.span, written, acted);
                    return self.alternative(shape, entry, path, acted);
                }
                self.shape(shape, mapping, node.span, path, acted);
            }
            (Kind::Map { of, .. }, NodeKind::Mapping(mapping)) => {
                for entry in &mapping.entries {
                    let path = join(path, &entry.key.text);
                    self.node(of, &entry.value, &path, true, acted);
                }
            }
            _ => {
                let value = self.text(kind, node);
                self.push(path, value, node.span, written, acted);
            }
        }
    }

    /// The defaults of an alternative that was given by its bare name.
    fn alternative(&mut self, shape: &Shape, entry: &Entry, path: &str, acted: bool) {
        let Some(key) = shape.key(&entry.key.text) else { return };
        let acted = acted && key.standing == Standing::Done;
        self.node(&key.kind, &entry.value, &join(path, key.name), true, acted);
    }

    fn push(&mut self, path: &str, value: String, span: Span, written: bool, acted_upon: bool) {
        let span = written.then_some(span);
        self.rows.push(InForce { key: path.to_owned(), value, span, acted_upon });
    }

    fn text(&self, kind: &Kind, node: &Node) -> String {
        match (&node.kind, kind) {
            (NodeKind::String(text, _), Kind::Form(form)) if !form.placeholders.is_empty() => {
                template::fill(&Arc::clone(text), self.names).to_string()
            }
            (NodeKind::String(text, _), _) => text.to_string(),
            (NodeKind::Sequence(items), Kind::List { of, .. }) => {
                let items: Vec<String> = items.iter().map(|it| self.text(of, it)).collect();
                format!("[{}]", items.join(", "))
            }
            (NodeKind::Mapping(mapping), Kind::Shape(shape)) => {
                let entries = mapping.entries.iter().filter_map(|entry| {
                    let key = shape.key(&entry.key.text)?;
                    Some(format!("{}: {}", key.name, self.text(&key.kind, &entry.value)))
                });
                format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
            }
            (other, _) => match other {
                NodeKind::Bool(value) => value.to_string(),
                NodeKind::Number(number) => syntax::yaml::number_text(*number),
                _ => String::new(),
            },
        }
    }
}

/// Whether a key is one of several of which another was chosen.
fn is_other_choice(shape: &Shape, key: &Key) -> bool {
    shape.one_of.contains(&key.name)
}

fn join(above: &str, key: &str) -> String {
    if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") }
}
