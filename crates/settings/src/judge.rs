//! What no single key tells: names that must be there, circles, quorums, and whether every service
//! has a place to run in every environment.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use syntax::yaml::DIAGNOSTICS_MAX;
use syntax::{Diagnostic, Entry, Mapping, Node, NodeKind, RuleId, Severity, Span, nearest};

use crate::kind::{Kind, Named, Names, Shape};
use crate::model::{Freeze, KINDS, RunsAs, Window, rule_name};
use crate::quorum::{Bench, Quorum, quorum};
use crate::resolve::{self, merged};
use crate::table::{ENVIRONMENT, NOTIFY, ROOT, SERVICE};
use crate::tree::Reader;
use crate::view::{View, key_text, node_integer, node_text};

const REFERENCE: RuleId = "settings-reference";
const ORDER: RuleId = "settings-order";
const CIRCLE: RuleId = "settings-circle";
const QUORUM: RuleId = "settings-quorum";
const TIME: RuleId = "settings-time";
const TARGET: RuleId = "settings-target";
const LISTENER: RuleId = "settings-listener";
const VARIABLE: RuleId = "settings-variable";
const NOT_YET: RuleId = "settings-not-yet";
const ADVICE: RuleId = "settings-advice";

/// What messages tell of the default branch as a whole, and of none of its jobs.
const NEWS: &[&str] = &["tests_failing", "vulnerability_found"];

/// Judges a tree that the table has cleaned. What needs services put together waits until nothing
/// else is wrong: otherwise it would speak of what is not there.
pub(crate) fn judge(reader: &mut Reader<'_>, tree: &Node) {
    let root = View::new(&ROOT, tree);
    references(reader, root);
    order(reader, root);
    circles(reader, root);
    messages(reader, root);
    for environment in root.entries("environments") {
        let view = View::new(&ENVIRONMENT, &environment.value);
        reviewers(reader, root, view);
        times(reader, view);
    }
    if reader.found.iter().any(|it| it.severity == Severity::Error) {
        return;
    }
    for environment in root.entries("environments") {
        in_environment(reader, root, environment);
    }
    not_yet(reader, root);
}

impl Reader<'_> {
    fn warning(&mut self, rule: RuleId, span: Span, message: String, hint: impl Into<String>) {
        Diagnostic::warning(rule, self.source, span, message).hint(hint).keep(&mut self.found);
    }
}

/// Every name that refers to something, against what there is.
fn references(reader: &mut Reader<'_>, root: View<'_>) {
    let named = |named: Named| -> Vec<&str> {
        root.entries(named.key()).iter().map(|entry| &*entry.key.text).collect()
    };
    let known = Known {
        services: named(Named::Service),
        environments: named(Named::Environment),
        groups: named(Named::Group),
    };
    known.mapping(reader, &ROOT, root.mapping);
}

struct Known<'n> {
    services: Vec<&'n str>,
    environments: Vec<&'n str>,
    groups: Vec<&'n str>,
}

impl Known<'_> {
    fn mapping(&self, reader: &mut Reader<'_>, shape: &Shape, mapping: &Mapping) {
        for entry in &mapping.entries {
            if let Some(key) = shape.key(&entry.key.text) {
                self.node(reader, &key.kind, &entry.value);
            }
        }
    }

    fn node(&self, reader: &mut Reader<'_>, kind: &Kind, node: &Node) {
        match (kind, &node.kind) {
            (Kind::Reference(named), NodeKind::String(text, _)) => {
                self.name(reader, *named, text, node.span);
            }
            (Kind::List { of, .. }, NodeKind::Sequence(items)) => {
                items.iter().for_each(|item| self.node(reader, of, item));
            }
            (Kind::Map { names, of, .. }, NodeKind::Mapping(mapping)) => {
                for entry in &mapping.entries {
                    if let Names::Reference(named) = names {
                        self.name(reader, *named, &entry.key.text, entry.key.span);
                    }
                    self.node(reader, of, &entry.value);
                }
            }
            (Kind::Shape(shape), NodeKind::Mapping(mapping)) => {
                self.mapping(reader, shape, mapping);
            }
            _ => {}
        }
    }

    fn name(&self, reader: &mut Reader<'_>, named: Named, name: &str, span: Span) {
        let known = match named {
            Named::Service => &self.services,
            Named::Environment => &self.environments,
            Named::Group => &self.groups,
        };
        if known.contains(&name) {
            return;
        }
        let hint = match nearest(name, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => format!("write it under `{}`", named.key()),
            None => format!("there are: {}", known.join(", ")),
        };
        reader.error(REFERENCE, span, format!("there is no {} '{name}'", named.word()), hint);
    }
}

/// `order` names each service once.
fn order(reader: &mut Reader<'_>, root: View<'_>) {
    let Some(node) = root.node("order") else { return };
    let mut seen: BTreeMap<Arc<str>, Span> = BTreeMap::new();
    for name in root.texts("order") {
        if let Some(first) = seen.insert(Arc::clone(&name.value), name.span) {
            let message = format!("'{}' stands in `order` twice", &*name.value);
            let finding = Diagnostic::error(ORDER, reader.source, name.span, message)
                .label(reader.source, first, "the first time")
                .hint("a service ships once in a release");
            finding.keep(&mut reader.found);
        }
    }
    for entry in root.entries("services") {
        if !seen.contains_key(&entry.key.text) {
            let message = format!("`order` leaves out the service '{}'", entry.key.text);
            let finding = Diagnostic::error(ORDER, reader.source, node.span, message)
                .label(reader.source, entry.key.span, "this one")
                .hint("name every service, or leave out `order`");
            finding.keep(&mut reader.found);
        }
    }
}

/// Nothing is promoted from itself, however far the way.
fn circles(reader: &mut Reader<'_>, root: View<'_>) {
    let mut below: BTreeMap<&str, (Arc<str>, Span)> = BTreeMap::new();
    for entry in root.entries("environments") {
        let view = View::new(&ENVIRONMENT, &entry.value);
        let promote = view.view("deploy").and_then(|it| it.text("promote"));
        // Where both are written they are two arrows; a circle of either kind is one.
        for from in promote.into_iter().chain(view.text("below")) {
            if from.value == entry.key.text {
                let message = format!("'{}' takes its releases from itself", &*from.value);
                reader.error(CIRCLE, from.span, message, "name the environment before it");
            } else {
                below.entry(&entry.key.text).or_insert((from.value, from.span));
            }
        }
    }
    let mut done: Vec<&str> = Vec::new();
    for start in below.keys() {
        let mut way = vec![*start];
        while let Some((next, span)) = way.last().and_then(|it| below.get(*it)) {
            if done.contains(&&**next) {
                break;
            }
            if let Some(at) = way.iter().position(|it| **it == **next) {
                let circle = [&way[at..], &[&**next]].concat().join(" from ");
                let message = format!("releases go round in a circle: {circle}");
                reader.error(CIRCLE, *span, message, "one of them must get its releases otherwise");
                break;
            }
            way.push(next);
        }
        done.extend(way);
    }
}

/// Enough different people for every approval.
fn reviewers(reader: &mut Reader<'_>, root: View<'_>, environment: View<'_>) {
    let Some(protect) = environment.view("protect") else { return };
    let Some(entry) = protect.entry("reviewers") else { return };
    let mut benches = Vec::new();
    let mut short = false;
    for wanted in protect.entries("reviewers") {
        let group = root.entries("groups").iter().find(|it| it.key.text == wanted.key.text);
        let (Some(group), Some(count)) = (group, node_integer(&wanted.value)) else { return };
        let people = group.value.as_sequence().unwrap_or_default();
        let mut people: Vec<&str> = people.iter().filter_map(node_text).map(|it| &**it).collect();
        people.sort_unstable_by_key(|it| it.to_lowercase());
        people.dedup_by_key(|it| it.to_lowercase());
        if people.len() < count as usize {
            short = true;
            let have = people.len();
            let message =
                format!("{count} of '{}' must approve, which has {have}", wanted.key.text);
            let finding = Diagnostic::error(QUORUM, reader.source, wanted.value.span, message)
                .label(reader.source, group.key.span, "who they are")
                .hint("add people to the group, or ask for fewer");
            finding.keep(&mut reader.found);
        }
        benches.push(Bench { people, count: count as usize });
    }
    if short {
        return;
    }
    match quorum(&benches) {
        Quorum::Never => {
            let message = "the groups share people, and nobody counts twice: too few are left";
            let hint = "add people to the groups, or ask for fewer";
            reader.error(QUORUM, entry.key.span, message, hint);
        }
        Quorum::Without(needed) if !needed.is_empty() => {
            let message = format!(
                "nobody approves their own deployment: when {} asks for one, too few are left",
                needed.join(" or ")
            );
            reader.warning(QUORUM, entry.key.span, message, "add people to the groups");
        }
        Quorum::Without(_) => {}
    }
}

/// Windows and freezes end after they begin.
fn times(reader: &mut Reader<'_>, environment: View<'_>) {
    let Some(protect) = environment.view("protect") else { return };
    let items = |key| protect.node(key).and_then(Node::as_sequence).unwrap_or_default();
    for window in items("windows").iter().filter_map(Window::read) {
        if window.to_minute.value <= window.from_minute.value {
            let hint = "write two windows where it goes past midnight: until 24:00, and from 00:00";
            reader.error(TIME, window.to_minute.span, "this window ends before it begins", hint);
        }
    }
    for freeze in items("freezes").iter().filter_map(Freeze::read) {
        if freeze.to_s.value <= freeze.from_s.value {
            let hint = "write the earlier time under `from`";
            reader.error(TIME, freeze.to_s.span, "this freeze ends before it begins", hint);
        }
    }
}

/// What holds for every service there, put together.
fn in_environment(reader: &mut Reader<'_>, root: View<'_>, environment: &Entry) {
    let view = View::new(&ENVIRONMENT, &environment.value);
    advice(reader, view);
    let mut listeners: Vec<(SocketAddr, Span)> = Vec::new();
    for service in root.entries("services") {
        // Nobody reads more, and what is the same in every environment comes again and again.
        if reader.found.len() >= DIAGNOSTICS_MAX {
            return;
        }
        let mapping = merged(service, environment);
        let span = service.key.span;
        let merged = View { shape: &SERVICE, mapping: &mapping, span };
        let pair = Pair { service, environment, view, merged };
        pair.variables(reader);
        pair.target(reader, &mut listeners);
    }
}

/// One service in one environment, while it is judged.
struct Pair<'n> {
    service: &'n Entry,
    environment: &'n Entry,
    view: View<'n>,
    merged: View<'n>,
}

impl Pair<'_> {
    fn name(&self) -> String {
        format!("'{}' in '{}'", self.service.key.text, self.environment.key.text)
    }

    /// No variable is both a value and a reference.
    fn variables(&self, reader: &mut Reader<'_>) {
        for secret in self.merged.entries("secrets") {
            let plain = self.merged.entries("env").iter();
            for plain in plain.filter(|it| it.key.text == secret.key.text) {
                let message = format!("{} gets {} twice", self.name(), key_text(secret).value);
                let finding = Diagnostic::error(VARIABLE, reader.source, plain.key.span, message)
                    .label(reader.source, secret.key.span, "as a secret")
                    .hint("leave it in one of `env` and `secrets`");
                keep_once(finding, &mut reader.found);
            }
        }
    }

    fn target(&self, reader: &mut Reader<'_>, listeners: &mut Vec<(SocketAddr, Span)>) {
        let targets = self.merged.view("targets");
        let there = targets.map_or(&[][..], |it| &it.mapping.entries);
        match there {
            [] => {
                let message = format!("{} has no target", self.name());
                let hint =
                    format!("say under `targets` where it runs, with one of: {}", KINDS.join(", "));
                self.report(reader, self.environment.key.span, message, &hint);
            }
            [target] => match &*target.key.text {
                "host" => self.host(reader, target, listeners),
                "ecs" => self.ecs(reader, target),
                _ => self.kubernetes(reader, target),
            },
            [first, second, ..] => {
                let message = format!(
                    "{} has the targets {} and {}",
                    self.name(),
                    first.key.text,
                    second.key.text
                );
                let hint = "say which with `target:` in the service";
                self.report(reader, second.key.span, message, hint);
            }
        }
    }

    /// One finding about what several services share is enough.
    fn report(&self, reader: &mut Reader<'_>, span: Span, message: String, hint: &str) {
        let mut finding = Diagnostic::error(TARGET, reader.source, span, message).hint(hint);
        if self.service.key.span != span {
            finding = finding.label(reader.source, self.service.key.span, "this service");
        }
        finding.keep(&mut reader.found);
    }

    fn host(
        &self,
        reader: &mut Reader<'_>,
        target: &Entry,
        listeners: &mut Vec<(SocketAddr, Span)>,
    ) {
        let targets = self.merged.view("targets").and_then(|it| it.view("host"));
        let Some(host) = targets else { return };
        match crate::model::listen(host) {
            Some(listen) => {
                self.listener(reader, listen.value, listen.span, listeners);
                listeners.push((listen.value, listen.span));
            }
            None => {
                let message = format!("{} listens nowhere", self.name());
                let hint = "add `listen: 127.0.0.1:8080`, or another port";
                self.report(reader, target.key.span, message, hint);
            }
        }
        let is_process = crate::model::runs_as(self.merged, host) == RunsAs::Process;
        if is_process && self.merged.entry("run").is_none() {
            let message = format!("{} has nothing to start", self.name());
            let hint = "add `run: [PROGRAM, ARGUMENT]` to the service; or `build` or `image`, \
                        which run as containers";
            self.report(reader, self.service.key.span, message, hint);
        }
        if let Some(memory) = host.entry("memory").filter(|_| is_process) {
            let message = format!("nothing holds the processes of {} to `memory`", self.name());
            let hint = "run its image (`as: container`), or take `memory` out";
            self.report(reader, memory.key.span, message, hint);
        }
        if self.merged.entry("health").is_none() {
            let message = format!("nothing tells when {} is healthy", self.name());
            let hint = "add `health: /path`; without it only that it listens is known";
            let finding =
                Diagnostic::warning(ADVICE, reader.source, self.service.key.span, message);
            keep_once(finding.hint(hint), &mut reader.found);
        }
        self.strategy(reader, "host", &["rolling", "blue_green"]);
        self.references(reader, &["kubernetes"]);
    }

    fn listener(
        &self,
        reader: &mut Reader<'_>,
        address: SocketAddr,
        span: Span,
        listeners: &[(SocketAddr, Span)],
    ) {
        let taken = listeners.iter().find(|(other, _)| overlap(address, *other));
        let Some((_, first)) = taken else { return };
        let message =
            format!("{} listens on {address}, where another service listens", self.name());
        let mut finding = Diagnostic::error(LISTENER, reader.source, span, message).hint(
            "give each service of an environment a port of its own, where the service stands",
        );
        if *first != span {
            finding = finding.label(reader.source, *first, "the other one");
        }
        finding.keep(&mut reader.found);
    }

    fn ecs(&self, reader: &mut Reader<'_>, target: &Entry) {
        let targets = self.merged.view("targets").and_then(|it| it.view("ecs"));
        let Some(ecs) = targets else { return };
        if ecs.entry("region").is_none() && self.view.entry("region").is_none() {
            let message = format!("{} has no region", self.name());
            let hint = "add `region: eu-central-1`, or another, to the environment";
            self.report(reader, target.key.span, message, hint);
        }
        if ecs.entry("cluster").is_none() {
            let message = format!("{} has no cluster", self.name());
            self.report(reader, target.key.span, message, "add `cluster:` to `targets: ecs:`");
        }
        self.asked(reader);
        self.references(reader, &["kubernetes", "file"]);
    }

    fn kubernetes(&self, reader: &mut Reader<'_>, target: &Entry) {
        let targets = self.merged.view("targets").and_then(|it| it.view("kubernetes"));
        let Some(kubernetes) = targets else { return };
        match (kubernetes.entry("cluster"), kubernetes.entry("context")) {
            (None, None) => {
                let message = format!("{} has no cluster", self.name());
                let hint = "add `cluster:` of EKS, or the `context:` of a kubeconfig";
                self.report(reader, target.key.span, message, hint);
            }
            (Some(_), Some(context)) => {
                let message = format!("{} has a cluster and a context", self.name());
                self.report(reader, context.key.span, message, "one of them is enough");
            }
            _ => {}
        }
        self.asked(reader);
        self.references(reader, &["file"]);
    }

    /// What is asked of a service needs an address. A host target has its own.
    fn asked(&self, reader: &mut Reader<'_>) {
        if self.view.entry("url").is_some() {
            return;
        }
        let smoke = self.merged.view("verify").and_then(|it| it.entry("smoke"));
        let asking = [self.merged.entry("health"), self.merged.entry("version"), smoke];
        let Some(first) = asking.into_iter().flatten().next() else { return };
        let message = format!("`{}` of {} asks nobody", first.key.text, self.name());
        let finding = Diagnostic::error(TARGET, reader.source, first.key.span, message)
            .label(reader.source, self.environment.key.span, "this environment has no `url`")
            .hint("add `url:` to the environment");
        finding.keep(&mut reader.found);
    }

    fn strategy(&self, reader: &mut Reader<'_>, target: &str, can: &[&str]) {
        let written = self.merged.node("strategy").and_then(Node::as_mapping);
        let Some(entry) = written.and_then(|it| it.entries.first()) else { return };
        if !can.contains(&&*entry.key.text) {
            let message = format!("the target {target} has no strategy `{}`", entry.key.text);
            let hint = format!("write one of: {}", can.join(", "));
            self.report(reader, entry.key.span, message, &hint);
        }
    }

    /// Where secrets lie is somewhere the target can read.
    fn references(&self, reader: &mut Reader<'_>, cannot: &[&str]) {
        for secret in self.merged.entries("secrets") {
            let scheme = node_text(&secret.value).and_then(|it| it.split_once(':'));
            if let Some((scheme, _)) = scheme.filter(|(scheme, _)| cannot.contains(scheme)) {
                let message = format!("{} cannot read a secret of `{scheme}:`", self.name());
                let hint = "keep it where the target can read it, for this environment";
                self.report(reader, secret.key.span, message, hint);
            }
        }
    }
}

/// Whether two listeners are in one another's way.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let any = |ip: IpAddr| ip.is_unspecified();
    one.port() == other.port() && (one.ip() == other.ip() || any(one.ip()) || any(other.ip()))
}

/// What works and is not wise.
fn advice(reader: &mut Reader<'_>, environment: View<'_>) {
    if let Some(keys) = environment.view("credentials").and_then(|it| it.entry("keys")) {
        let message = "access keys are good until somebody remembers them".to_owned();
        let hint = "`assume:` takes a role by a token of OIDC, and nothing is stored";
        reader.warning(ADVICE, keys.key.span, message, hint);
    }
    let on = environment.view("deploy").and_then(|it| it.entry("on"));
    let level = environment.integer("level").map_or(0, |it| it.value);
    if let Some(on) = on.filter(|_| level < 5) {
        let message = format!("at level {level} a push only asks: a person starts the deployment");
        let hint = "`level: 5` lets it go by itself";
        let finding = Diagnostic::new(ADVICE, Severity::Note, reader.source, on.key.span, message);
        finding.hint(hint).keep(&mut reader.found);
    }
}

/// Rules for messages: names that are one rule's alone, and keys that mean something together.
fn messages(reader: &mut Reader<'_>, root: View<'_>) {
    let rules = root.node("notify").and_then(Node::as_sequence).unwrap_or_default();
    let mut names: Vec<Arc<str>> = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        if rule.as_mapping().is_none() {
            continue;
        }
        let view = View::new(&NOTIFY, rule);
        let mut say = |span, message: String, hint: &str| {
            let finding = Diagnostic::error(REFERENCE, reader.source, span, message);
            finding.hint(hint).keep(&mut reader.found);
        };
        let name = rule_name(view, index);
        if names.contains(&name) {
            say(rule.span, format!("two rules are called {name}"), "give each a `name` of its own");
        }
        names.push(name);
        if let Some(entry) = view.entry("email").filter(|_| root.entry("mail").is_none()) {
            let message = "nothing says by which server email is sent".to_owned();
            say(entry.key.span, message, "write `mail: { host: .., from: .. }` at the root");
        }
        for (key, of) in [("key", "webhook"), ("pagerduty_url", "pagerduty")] {
            if let Some(entry) = view.entry(key).filter(|_| view.entry(of).is_none()) {
                say(
                    entry.key.span,
                    format!("`{key}` means nothing without `{of}`"),
                    "take it away",
                );
            }
        }
        let on = view.texts("on");
        let is_news = |it: &&crate::view::Text| NEWS.contains(&&*it.value);
        let is_of_run = |it: &crate::view::Text| it.value.starts_with("run_") || is_news(&it);
        if let Some(entry) = view.entry("branches").filter(|_| !on.iter().any(is_of_run)) {
            let message = "`branches` chooses runs, and `on` names nothing of a run".to_owned();
            say(entry.key.span, message, "add `run_failed` to `on`, or take `branches` away");
        }
        if let (Some(entry), Some(news)) = (view.entry("environments"), on.iter().find(is_news)) {
            let message = format!("`environments` chooses jobs, and `{}` is of none", news.value);
            say(entry.key.span, message, "write it in a rule of its own, without `environments`");
        }
    }
    let Some(mail) = root.view("mail") else { return };
    for (one, other) in [("user", "password"), ("password", "user")] {
        if let Some(entry) = mail.entry(one).filter(|_| mail.entry(other).is_none()) {
            let message = format!("`{one}` means nothing without `{other}`");
            let finding = Diagnostic::error(REFERENCE, reader.source, entry.key.span, message);
            finding.hint("write both, or neither").keep(&mut reader.found);
        }
    }
}

/// What is written and not acted upon.
fn not_yet(reader: &mut Reader<'_>, root: View<'_>) {
    let mut found = Vec::new();
    resolve::written_not_yet(&ROOT, root.mapping, "", &mut found);
    for service in root.entries("services") {
        let view = View::new(&SERVICE, &service.value);
        resolve::written_not_yet(&SERVICE, view.mapping, "", &mut found);
    }
    for environment in root.entries("environments") {
        let view = View::new(&ENVIRONMENT, &environment.value);
        resolve::written_not_yet(&ENVIRONMENT, view.mapping, "", &mut found);
        for own in view.entries("services") {
            let view = View::new(&SERVICE, &own.value);
            resolve::written_not_yet(&SERVICE, view.mapping, "", &mut found);
        }
    }
    for it in found {
        let message = format!("nothing acts upon `{}` yet", it.key);
        let hint = "a deployment that needs it is refused";
        reader.warning(NOT_YET, it.span, message, hint);
    }
    // Of this key one kind of value is acted upon and another is not.
    let server = root.entry("journal").filter(|it| {
        it.value.as_str().is_some_and(|it| it.starts_with("https://") || it.starts_with("http://"))
    });
    if let Some(entry) = server {
        let message = "no server keeps a journal yet".to_owned();
        let hint =
            "every deployment is refused; a bucket does without a server: s3://BUCKET/PREFIX";
        reader.warning(NOT_YET, entry.value.span, message, hint);
    }
}

/// Several environments see the same two lines; they are told once.
fn keep_once(finding: Diagnostic, found: &mut Vec<Diagnostic>) {
    let same = |it: &Diagnostic| it.rule == finding.rule && it.labels == finding.labels;
    if !found.iter().any(same) {
        finding.keep(found);
    }
}
