//! Where a service runs, how a new version takes over, and what must hold then.

use std::net::SocketAddr;
use std::time::Duration;

use syntax::Span;

use super::service::read_if;
use crate::resolve::Gaps;
use crate::view::{Spanned, Text, View};

/// The kinds of targets, as keys of `targets`.
pub(crate) const KINDS: &[&str] = &["ecs", "host", "kubernetes"];

/// Where a service runs.
#[derive(Clone, Debug)]
pub enum Target {
    /// A service of Amazon ECS.
    Ecs(Ecs),
    /// Processes or containers on this machine.
    Host(Host),
    /// A Deployment of Kubernetes.
    Kubernetes(Kubernetes),
}

/// A service of Amazon ECS.
#[derive(Clone, Debug)]
pub struct Ecs {
    /// Where it stands.
    pub span: Span,
    /// Its region.
    pub region: Text,
    /// The cluster.
    pub cluster: Text,
    /// The service.
    pub service: Text,
    /// The container whose image is changed; the only one where absent.
    pub container: Option<Text>,
    /// When it must be stable.
    pub within: Spanned<Duration>,
}

/// What a service is on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunsAs {
    /// Processes, of files that were packed.
    Process,
    /// Containers, of an image.
    Container,
}

/// Processes or containers on this machine.
#[derive(Clone, Debug)]
pub struct Host {
    /// Where it stands.
    pub span: Span,
    /// Where requests arrive.
    pub listen: Spanned<SocketAddr>,
    /// What they are.
    pub runs_as: RunsAs,
    /// Where a container listens, inside.
    pub port: Spanned<u32>,
    /// How many.
    pub instances: Spanned<u32>,
    /// How long an old process may finish what it has begun.
    pub drain: Spanned<Duration>,
    /// The user whose processes they are.
    pub user: Option<Text>,
    /// The most bytes of memory that one may use.
    pub memory_bytes: Option<Spanned<u64>>,
}

/// A Deployment of Kubernetes.
#[derive(Clone, Debug)]
pub struct Kubernetes {
    /// Where it stands.
    pub span: Span,
    /// The region of an EKS cluster.
    pub region: Option<Text>,
    /// The EKS cluster.
    pub cluster: Option<Text>,
    /// The context of a kubeconfig.
    pub context: Option<Text>,
    /// The namespace.
    pub namespace: Text,
    /// The Deployment.
    pub deployment: Text,
    /// The container in it.
    pub container: Option<Text>,
    /// When the rollout must be done.
    pub within: Spanned<Duration>,
}

/// How the new version takes the place of the old one.
#[derive(Clone, Debug)]
pub enum Strategy {
    /// One instance after the other.
    Rolling,
    /// All of the new ones beside the old ones, then all requests at once.
    BlueGreen {
        /// How long the old ones are kept.
        bake: Spanned<Duration>,
    },
    /// A few requests first, then more.
    Canary {
        /// Percents, rising.
        steps: Vec<Spanned<u32>>,
        /// How long each is looked at.
        bake: Spanned<Duration>,
    },
}

/// What must hold before a deployment is called a success.
#[derive(Clone, Debug, Default)]
pub struct Verify {
    /// Requests and commands, in this order.
    pub smoke: Vec<Smoke>,
    /// Headers that answers must have.
    pub headers: Vec<Text>,
    /// CloudWatch alarms that must not go off.
    pub alarms: Vec<Text>,
    /// Texts that must not appear in the logs.
    pub logs: Vec<Text>,
    /// How slow and how faulty it may be.
    pub budget: Option<Budget>,
}

/// One smoke test.
#[derive(Clone, Debug)]
pub struct Smoke {
    /// What it does.
    pub kind: SmokeKind,
    /// How long it may take.
    pub within: Spanned<Duration>,
}

/// What a smoke test does.
#[derive(Clone, Debug)]
pub enum SmokeKind {
    /// Asks for a path.
    Get {
        /// The path.
        path: Text,
        /// The status of the answer.
        status: Spanned<u32>,
        /// What the answer contains.
        contains: Option<Text>,
    },
    /// Runs a command with `URL` in its environment.
    Run {
        /// The command.
        run: Vec<Text>,
    },
}

/// How slow and how faulty a service may be.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Of 20 answers, 19 come within this.
    pub p95: Option<Spanned<Duration>>,
    /// The share of answers with a status from 500 on, in percent.
    pub errors: Option<Spanned<u32>>,
}

impl Target {
    /// `ecs`, `host`, `kubernetes`.
    pub fn kind(&self) -> &'static str {
        match self {
            Target::Ecs(_) => "ecs",
            Target::Host(_) => "host",
            Target::Kubernetes(_) => "kubernetes",
        }
    }

    /// Of `targets` without a mistake; `region` is that of the environment.
    pub(crate) fn read(
        service: View<'_>,
        targets: View<'_>,
        kind: &str,
        region: Option<Text>,
        gaps: &Gaps<'_>,
    ) -> Option<Target> {
        let view = targets.view(kind)?;
        let named = |key| view.text(key).map(|it| gaps.fill(it));
        Some(match kind {
            "ecs" => Target::Ecs(Ecs {
                span: view.span,
                region: view.text("region").or(region)?,
                cluster: named("cluster")?,
                service: named("service")?,
                container: named("container"),
                within: view.duration("within")?,
            }),
            "host" => Target::Host(Host {
                span: view.span,
                listen: listen(view)?,
                runs_as: runs_as(service, view),
                port: view.integer("port")?,
                instances: view.integer("instances")?,
                drain: view.duration("drain")?,
                user: view.text("user"),
                memory_bytes: view.size("memory"),
            }),
            _ => Target::Kubernetes(Kubernetes {
                span: view.span,
                region: view.text("region").or(region),
                cluster: named("cluster"),
                context: view.text("context"),
                namespace: named("namespace")?,
                deployment: named("deployment")?,
                container: named("container"),
                within: view.duration("within")?,
            }),
        })
    }
}

/// What a service is on a host target: what is written, else what the rest of it is written for.
pub(crate) fn runs_as(service: View<'_>, host: View<'_>) -> RunsAs {
    match host.text("as").as_ref().map(|it| &*it.value) {
        Some("container") => RunsAs::Container,
        Some(_) => RunsAs::Process,
        None => {
            let has = |key| service.entry(key).is_some();
            let is_image = !has("run") && (has("build") || has("image"));
            if is_image { RunsAs::Container } else { RunsAs::Process }
        }
    }
}

/// Where a host target listens.
pub(crate) fn listen(view: View<'_>) -> Option<Spanned<SocketAddr>> {
    let text = view.text("listen")?;
    let value = text.parse().ok()?;
    Some(Spanned { value, span: text.span, origin: text.origin })
}

impl Strategy {
    /// The strategy of a service, which is the table's default where nothing is written.
    pub(crate) fn read(service: View<'_>) -> Option<Spanned<Strategy>> {
        let found = service.found("strategy")?;
        let view = View::new(&crate::table::STRATEGY, &found.node);
        let value = if let Some(it) = view.view("blue_green") {
            Strategy::BlueGreen { bake: it.duration("bake")? }
        } else if let Some(it) = view.view("canary") {
            let steps = it.list("steps", crate::view::node_integer);
            Strategy::Canary { steps, bake: it.duration("bake")? }
        } else {
            Strategy::Rolling
        };
        Some(Spanned { value, span: found.node.span, origin: found.origin })
    }
}

impl Verify {
    pub(crate) fn read(service: View<'_>) -> Option<Verify> {
        let Some(view) = service.view("verify") else { return Some(Verify::default()) };
        let smoke = view.node("smoke").and_then(syntax::Node::as_sequence).unwrap_or_default();
        Some(Verify {
            smoke: smoke.iter().map(Smoke::read).collect::<Option<_>>()?,
            headers: view.texts("headers"),
            alarms: view.texts("alarms"),
            logs: view.texts("logs"),
            budget: read_if(view.view("budget"), |it| {
                Some(Budget { p95: it.duration("p95"), errors: it.integer("errors") })
            })?,
        })
    }
}

impl Smoke {
    fn read(node: &syntax::Node) -> Option<Smoke> {
        let view = View::new(&crate::table::SMOKE, node);
        let kind = match view.text("get") {
            Some(path) => {
                let (status, contains) = (view.integer("status")?, view.text("contains"));
                SmokeKind::Get { path, status, contains }
            }
            None => SmokeKind::Run { run: view.texts("run") },
        };
        Some(Smoke { kind, within: view.duration("within")? })
    }
}
