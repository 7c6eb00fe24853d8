//! Who is bound to certain repositories sees those, and nothing of others: the one place that says so.
//!
//! ```text
//!   a route ──▶ Reach ──▶ of one repository: who asks is narrowed to it, or told that there is no such thing
//!                     ──▶ of several: the handler's lists go through `Seen`, its forms through `Who::within`
//!                     ──▶ nobody's repository: who asks has what they have
//!                     ──▶ the server's own, and every route that is named nowhere here: refused
//! ```
//!
//! A route that somebody adds is refused to them until it stands here.

use std::sync::Arc;

use event::StreamId;
use views::DeploymentView;

use crate::access::{Proof, Scope, Token};
use crate::api::RUNNER_DOOR;
use crate::app::App;
use crate::approvals::{self, Waiting};
use crate::deployed;
use crate::engine::{ConnectedRepository, HeldPush, Push, Runner, WaitingJob};
use crate::guard::Who;
use crate::problem::Problem;
use crate::words::parse_run;

/// What a route is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// One run.
    Run(String),
    /// One repository.
    Repository(String),
    /// Several, of which its handler shows those that are seen; or one that the request names elsewhere.
    Several,
    /// No repository.
    Nothing,
    /// The server.
    Server,
}

/// Routes whose handlers look by themselves.
const SEVERAL: &[&str] = &[
    "/runs",
    "/repositories",
    "/secrets",
    "/dispatch",
    "/approvals",
    "/environments",
    "/runners",
    "/insights",
    "/insights/pipelines",
    "/insights/images",
    "/insights/scans",
    "/insights/tests",
    "/held/{id}/let-in",
    "/api/v1/runs",
    "/api/v1/repositories",
    "/api/v1/pushes",
    "/api/v1/metrics",
    "/api/v1/events",
    "/api/v1/approvals",
    "/api/v1/runners",
    "/api/v1/connections",
    "/api/v1/environments",
    "/api/v1/tokens",
    "/api/v1/tokens/{id}",
    "/api/v1/held",
    "/api/v1/held/{id}/let-in",
];
/// Routes that show nothing of anybody's. `/live/runs` says that something changed, and not what; a runner that is
/// bound is given jobs of its repositories alone by whoever gives them.
const NOTHING: &[&str] =
    &["/", "/sign-out", "/design", "/docs", "/live/runs", "/api/v1/openapi.json", RUNNER_DOOR];

/// What a route is about, by its pattern and what stands in its braces.
pub(crate) fn reach<'p>(
    pattern: Option<&str>,
    parts: impl IntoIterator<Item = (&'p str, &'p str)>,
) -> Reach {
    // Where nothing answers there is nothing to be seen.
    let Some(pattern) = pattern else { return Reach::Nothing };
    let (mut run, mut owner, mut repository) = (None, None, None);
    for (name, value) in parts {
        match name {
            "run" => run = Some(value.to_owned()),
            "owner" => owner = Some(value),
            "name" => repository = owner.map(|owner| format!("{owner}/{value}")),
            _ => {}
        }
    }
    match (run, repository) {
        (Some(run), None) => Reach::Run(run),
        (None, Some(repository)) => Reach::Repository(repository),
        (None, None) if SEVERAL.contains(&pattern) => Reach::Several,
        (None, None) if NOTHING.contains(&pattern) => Reach::Nothing,
        _ => Reach::Server,
    }
}

impl Token {
    fn has_bounds(&self) -> bool {
        let grants = self.proof.iter().flat_map(|it| &it.grants);
        !self.repositories.is_empty() || grants.into_iter().any(|it| it.repository.is_some())
    }

    /// Whether there are repositories that it is not good for.
    pub fn is_bound(&self) -> bool {
        match &self.proof {
            Some(proof) => proof.grants.iter().all(|it| it.repository.is_some()),
            None => !self.repositories.is_empty(),
        }
    }

    /// Whether it is good for anything of a repository.
    pub fn sees(&self, repository: &str) -> bool {
        match &self.proof {
            Some(proof) => {
                let of = proof.grants.iter().map(|it| it.repository.as_deref());
                of.into_iter().any(|it| it.is_none_or(|it| it == repository))
            }
            None => {
                self.repositories.is_empty() || self.repositories.iter().any(|it| it == repository)
            }
        }
    }

    /// What it is good for there: of a repository, or of the server where none is named.
    fn at(&self, repository: Option<&str>) -> Token {
        let narrowed = |proof: &Proof| {
            let mut proof = proof.clone();
            let fits = |of: &Option<String>| of.is_none() || of.as_deref() == repository;
            proof.grants.retain(|it| fits(&it.repository));
            proof
        };
        let mut token = self.clone();
        token.proof = self.proof.as_ref().map(narrowed);
        token
    }
}

impl Who {
    /// Whether what they may is not the same everywhere.
    pub(crate) fn has_bounds(&self) -> bool {
        self.token.has_bounds()
    }

    /// Narrows who asks to what a request is about.
    pub(crate) fn reaching(self, app: &App, reach: &Reach) -> Result<Who, Problem> {
        match reach {
            Reach::Several | Reach::Nothing => Ok(self),
            Reach::Repository(name) => self.within(name),
            Reach::Run(run) => {
                let known = parse_run(run).map(|it| app.store.run(it.0)).transpose()?.flatten();
                let missing = || Problem::not_found("There is no such run.");
                let known = known.filter(|it| self.token.sees(&it.repository));
                self.within(&known.ok_or_else(missing)?.repository)
            }
            Reach::Server if self.token.is_bound() => Err(Problem::of_scope(format!(
                "This is about the whole server; you may {}.",
                self.token.may()
            ))),
            Reach::Server => Ok(Who { token: self.token.at(None), ..self }),
        }
    }

    /// The same, with what they may in a repository. Of one that is not theirs they hear what everybody hears
    /// of one that is not there.
    pub(crate) fn within(&self, repository: &str) -> Result<Who, Problem> {
        if self.token.sees(repository) {
            return Ok(Who { token: self.token.at(Some(repository)), ..self.clone() });
        }
        Err(Problem::not_found(format!("no repository {repository} is connected")))
    }

    /// Whether they may do something in a repository; for buttons. What is refused is shown to nobody.
    pub(crate) fn may_within(&self, repository: &str, scope: Scope) -> bool {
        self.token.sees(repository) && self.token.at(Some(repository)).holds(scope)
    }

    /// Whether they may do something with the server itself; for buttons.
    pub(crate) fn may_with_server(&self, scope: Scope) -> bool {
        !self.token.is_bound() && self.token.at(None).holds(scope)
    }

    /// What of several repositories they see.
    pub(crate) fn seen<'a>(&'a self, app: &'a App) -> Seen<'a> {
        Seen { app, token: &self.token }
    }
}

/// The lists of a server, as far as somebody sees them.
pub(crate) struct Seen<'a> {
    app: &'a App,
    token: &'a Token,
}

impl Seen<'_> {
    pub(crate) fn repositories(&self) -> Result<Vec<ConnectedRepository>, Problem> {
        let mut all = self.app.engine.repositories()?;
        all.retain(|it| self.token.sees(&it.name));
        Ok(all)
    }

    /// The newest pushes to what they see, however many came to others since.
    pub(crate) fn pushes(&self, limit: usize) -> Result<Vec<Push>, Problem> {
        Ok(self.app.engine.pushes(limit, &|repository| self.token.sees(repository))?)
    }

    /// The machines that take jobs; of the repositories that one is bound to, those that are seen.
    pub(crate) fn runners(&self) -> Vec<Runner> {
        let mut all = self.app.engine.runners();
        for it in all.iter_mut().filter_map(|it| it.repositories.as_mut()) {
            it.retain(|it| self.token.sees(it));
        }
        all
    }

    pub(crate) fn held(&self) -> Result<Vec<HeldPush>, Problem> {
        let mut all = self.app.engine.held()?;
        all.retain(|it| self.token.sees(&it.repository));
        Ok(all)
    }

    /// Jobs that wait for a worker; those of others are not there.
    pub(crate) fn queue(&self) -> Result<Vec<WaitingJob>, Problem> {
        let mut all = Vec::new();
        for it in self.app.engine.queue() {
            if self.stream(it.stream)? {
                all.push(it);
            }
        }
        Ok(all)
    }

    /// Jobs that wait for people.
    pub(crate) fn approvals(&self) -> Result<Vec<Waiting>, Problem> {
        let mut all = approvals::waiting(self.app)?;
        all.retain(|it| self.token.sees(&it.view.header.repository));
        Ok(all)
    }

    /// Deployments that wait for people, the newest first. A deployment is a project's: who is bound sees none.
    pub(crate) fn waiting_deployments(&self) -> Result<Vec<Arc<DeploymentView>>, Problem> {
        if self.token.is_bound() {
            return Ok(Vec::new());
        }
        deployed::waiting(self.app)
    }

    /// Whether they see what happens in a stream: of those who are bound a run's alone.
    pub(crate) fn stream(&self, stream: StreamId) -> Result<bool, Problem> {
        if !self.token.is_bound() {
            return Ok(true);
        }
        let Some((run, _)) = stream.as_run() else { return Ok(false) };
        let known = self.app.store.run(run)?;
        Ok(known.is_some_and(|it| self.token.sees(&it.repository)))
    }

    /// Which repositories figures are of, where somebody named one or none; none: all that there are.
    pub(crate) fn figures_of(&self, named: Option<String>) -> Result<Option<Vec<String>>, Problem> {
        match named {
            Some(named) if self.token.sees(&named) => Ok(Some(vec![named])),
            Some(named) => Err(Problem::not_found(format!("no repository {named} is connected"))),
            None if self.token.is_bound() => {
                Ok(Some(self.repositories()?.into_iter().map(|it| it.name).collect()))
            }
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use event::{Digest, Timestamp};

    use super::*;
    use crate::access::{Access, Grant, Holder, Places};

    #[test]
    fn what_no_route_says_is_the_servers() {
        let check = |pattern: &str, parts: &[(&'static str, &'static str)], expect: Reach| {
            assert_eq!(reach(Some(pattern), parts.iter().copied()), expect, "{pattern}");
        };
        check("/runs/{run}/jobs/{job}", &[("run", "7"), ("job", "a")], Reach::Run("7".to_owned()));
        let repository = [("owner", "octo"), ("name", "app")];
        let path = "/api/v1/repositories/{owner}/{name}/kept";
        check(path, &repository, Reach::Repository("octo/app".to_owned()));
        check("/runners/{name}/drain", &[("name", "octo")], Reach::Server);
        check("/runs", &[], Reach::Several);
        check("/audit", &[], Reach::Server);
        // Deployments are a project's, and no repository's.
        check("/api/v1/deployments", &[], Reach::Server);
        check("/api/v1/deployments/{id}/events", &[("id", "7")], Reach::Server);
        check("/api/v1/status", &[], Reach::Server);
        check("/api/v1/environments", &[], Reach::Several);
        check("/api/v1/tokens/{id}", &[("id", "7")], Reach::Several);
        check("/api/v1/people", &[], Reach::Server);
        check("/api/v1/messages", &[], Reach::Server);
        check("/api/v1/connections", &[], Reach::Several);
        check("/what-somebody-adds", &[], Reach::Server);
        assert_eq!(reach(None, []), Reach::Nothing);
    }

    #[test]
    fn a_session_may_in_each_repository_what_its_grants_say_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::in_folder(folder.path());
        let holder = Holder {
            scope: Scope::Read,
            person: None,
            is_machine: false,
            repositories: &[],
            environments: &[],
        };
        let times = (Timestamp(1), Timestamp(u64::MAX));
        let (token, _) = access.create_for("x", holder, times).unwrap();
        let grant = |scope, environment: Option<&str>, repository: Option<&str>| Grant {
            scope,
            environment: environment.map(str::to_owned),
            repository: repository.map(str::to_owned),
        };
        let grants = vec![
            grant(Scope::Operate, None, Some("octo/app")),
            grant(Scope::Approve, Some("production"), Some("octo/api")),
        ];
        let proof =
            Proof { issuer: String::new(), subject: String::new(), grants, rules: Digest::of(b"") };
        let mut session = token.clone();
        session.proof = Some(proof);
        assert!(session.is_bound() && session.sees("octo/app") && !session.sees("octo/ap"));
        assert_eq!(session.may(), "operate for octo/app, approve in production for octo/api");
        let app = session.at(Some("octo/app"));
        assert!(app.holds(Scope::Operate) && !app.holds(Scope::Approve));
        let api = session.at(Some("octo/api"));
        assert!(!api.holds(Scope::Operate) && api.holds(Scope::Read));
        assert_eq!(api.places(Scope::Approve), Places::Only(vec!["production".to_owned()]));
        assert!(!session.at(None).holds(Scope::Read));
        // Who may look at all is bound to nothing, and may more in one.
        let mut looks = session.clone();
        looks.proof.as_mut().unwrap().grants.push(grant(Scope::Read, None, None));
        assert!(!looks.is_bound() && looks.sees("octo/else"));
        assert!(!looks.at(Some("octo/else")).holds(Scope::Operate));
        // Buttons are of what is done, and not of what they may somewhere.
        let who = Who { token: looks, is_session: true, is_standing_by: false, address: None };
        let may = |repository| who.may_within(repository, Scope::Operate);
        assert_eq!(["octo/app", "octo/api", "octo/else"].map(may), [true, false, false]);
        assert!(who.may(Scope::Operate).is_ok() && !who.may_with_server(Scope::Operate));
        assert!(who.may_with_server(Scope::Read));
        let names = ["octo/app".to_owned()];
        let holder = Holder { scope: Scope::Admin, repositories: &names, ..holder };
        let (admin, text) = access.create_for("x", holder, times).unwrap();
        assert!(admin.is_bound() && !admin.sees("octo/api") && admin.sees("octo/app"));
        // What is begun with it is bound as it is.
        let found = access.token(&text, Timestamp(2)).unwrap().unwrap();
        let cookie = access.begin_session(&found, Timestamp(2)).unwrap();
        assert!(access.session(&cookie, Timestamp(2)).unwrap().unwrap().is_bound());
    }
}
