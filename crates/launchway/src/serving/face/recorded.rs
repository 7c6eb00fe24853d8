//! What an administrator does is written down before it is done: where that cannot be, nothing is done.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use clap::Parser as _;
use forge::Credentials;
use mask::Secret;
use runners::{Fleet, FleetOptions};
use server::Takes;
use store::Store;

use crate::cli::{Cli, IssuerCommand};
use crate::commands::issuer;
use crate::deploying::cloud;
use crate::exit::Failure;
use crate::kept;
use crate::serving::data::{self, DataFolder};
use crate::serving::drive::places::{Book, HERE, Machines};
use crate::serving::incidents::pagerduty;
use crate::serving::repositories::Connected;
use crate::serving::repositories::switches;
use crate::serving::{github, repositories};

const FILE: &str = ".github/workflows/ci.yml";

/// A server's folder with one connected repository, whose journal may be away.
struct Place {
    folder: tempfile::TempDir,
    data: DataFolder,
    machines: Machines,
    fleet: Arc<Fleet>,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::of(Some(&folder.path().join("data")), None).unwrap();
        let (inputs, _) = channel();
        let machines = Machines::new(data.clone(), Vec::new(), 1, String::new());
        let fleet = Fleet::new(FleetOptions {
            store: Arc::new(Store::open(&folder.path().join("elsewhere")).unwrap()),
            incoming: data.path("incoming"),
            inputs: inputs.clone(),
            book: Box::new(Book { machines: machines.clone(), inputs }),
            away: Duration::from_secs(60),
        });
        let place = Place { folder, data, machines, fleet };
        let path = place.folder.path().join("app.git");
        let known = serde_json::json!([{ "name": "octo/app", "path": path }]);
        data::write(&place.data.path("repositories.json"), &known).unwrap();
        place.git(&["init", "--quiet", "--initial-branch=main", "work"]);
        let file = place.folder.path().join("work").join(FILE);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "on: push\njobs: {}\n").unwrap();
        place.git(&["-C", "work", "add", "--all"]);
        place.git(&["-C", "work", "commit", "--quiet", "--message=x"]);
        place.git(&["clone", "--quiet", "--bare", "work", "app.git"]);
        place
    }

    fn git(&self, args: &[&str]) {
        let who = ["-c", "user.name=Mona", "-c", "user.email=mona@example.com"];
        let git = Command::new("git").current_dir(self.folder.path()).args(who).args(args).status();
        assert!(git.unwrap().success(), "{args:?}");
    }

    fn record(&self, name: &str) -> Result<(), Failure> {
        self.data.record("test", name.to_owned())
    }

    fn takes(&self, takes: Takes) -> Result<(), Failure> {
        self.machines.set(&self.fleet, HERE, takes, &|name| self.record(name))
    }

    fn switch(&self, is_on: bool) -> Result<(), Failure> {
        let switched =
            switches::switch(&self.data, "octo/app", FILE, is_on, &|name| self.record(name));
        switched.map(drop)
    }

    fn connect(&self) -> Result<(), Failure> {
        let path = self.folder.path().join("new.git");
        self.git(&["init", "--quiet", "--bare", "new.git"]);
        let connected: Connected =
            serde_json::from_value(serde_json::json!({ "name": "octo/new", "path": path }))
                .unwrap();
        let record = |_: &Connected| self.record("octo/new");
        let program = std::path::Path::new("/usr/bin/launchway");
        repositories::add(&self.data, &path, program, |_| Ok(connected), record).map(drop)
    }

    /// What is said to the command `repositories`.
    fn says(&self, args: &[&str]) -> Result<(), Failure> {
        let data = self.data.path("").display().to_string();
        let args = [&["launchway", "repositories"], args, &["--data", &data]].concat();
        crate::commands::dispatch(Cli::parse_from(args)).map(drop)
    }

    fn protect(&self) -> Result<(), Failure> {
        let file = self.folder.path().join("rules.yml");
        let rules = "version: 1\nproject: app\nservices: { web: {} }\nenvironments: { production: { level: 3, \
            targets: { ecs: { region: eu-central-1, cluster: c, service: s } } } }\n";
        fs::write(&file, rules).unwrap();
        self.says(&["protect", "octo/new", "--rules", &file.display().to_string()])
    }

    fn connect_pagerduty(&self) -> Result<(), Failure> {
        let services =
            serde_json::json!({ "P1": { "project": "app", "environment": "production" } });
        let services = serde_json::from_value(services).unwrap();
        pagerduty::keep(&self.data, &services, Some(&Secret::new("proof".to_owned())))
    }

    fn connect_github(&self) -> Result<(), Failure> {
        let (url, who) = ("https://github.example.com", "launchway-ci");
        let place = serde_json::json!({ "url": url, "api": url, "who": who });
        let place = serde_json::from_value(place).unwrap();
        let credentials = Credentials::Token(Secret::new("token".to_owned()));
        github::keep(&self.data, &place, &credentials, false).map(drop)
    }

    fn rotate(&self, at_once: bool) -> Result<(), Failure> {
        issuer::run(&IssuerCommand::Rotate { at_once }, &self.data.state).map(drop)
    }

    /// All that somebody may have done.
    fn stands(&self) -> String {
        let machines = self.machines.all(&self.fleet).unwrap();
        let off = switches::off(&self.data, "octo/app").unwrap();
        let keys = cloud::keys(&self.data.state).unwrap();
        let keys = keys.published(crate::terminal::time::now().0 / 1000).unwrap();
        let known: Vec<String> = repositories::all(&self.data)
            .unwrap()
            .into_iter()
            .map(|it| format!("{} {:?}", it.name, it.rules))
            .collect();
        let services = pagerduty::services(&self.data).unwrap();
        let owners = [github::OWNER, pagerduty::OWNER];
        let secrets =
            owners.map(|it| kept::vault(&self.data.state).secrets(it, None).unwrap().len());
        let takes = machines[0].takes;
        format!("{takes:?} {off:?} {keys:?} {known:?} {services:?} {secrets:?}")
    }
}

/// What somebody does.
type Deed = fn(&Place) -> Result<(), Failure>;

#[test]
fn nothing_is_done_that_cannot_be_recorded() {
    let deeds: [(&str, Deed); 13] = [
        ("a runner is drained", |it| it.takes(Takes::Nothing)),
        ("it takes jobs again", |it| it.takes(Takes::Jobs)),
        ("a workflow is switched off", |it| it.switch(false)),
        ("it is switched on", |it| it.switch(true)),
        ("a key is added", |it| it.rotate(false)),
        ("all keys are withdrawn", |it| it.rotate(true)),
        ("a repository is connected", Place::connect),
        ("rules are kept of it", Place::protect),
        ("they are not any more", |it| it.says(&["protect", "octo/new", "--no-rules"])),
        ("it is removed", |it| it.says(&["remove", "octo/new"])),
        ("GitHub is connected", Place::connect_github),
        ("PagerDuty is connected", Place::connect_pagerduty),
        ("it is not any more", |it| pagerduty::forget(&it.data).map(drop)),
    ];
    let place = Place::new();
    let journal = place.data.path("journal.db");
    let aside = place.data.path("aside");
    drop(Store::open(place.data.state.root()).unwrap());
    for (what, deed) in deeds {
        let before = place.stands();
        fs::rename(&journal, &aside).unwrap();
        fs::create_dir(&journal).unwrap();
        assert!(deed(&place).is_err(), "{what}");
        assert_eq!(place.stands(), before, "{what}");
        fs::remove_dir(&journal).unwrap();
        fs::rename(&aside, &journal).unwrap();
        deed(&place).unwrap_or_else(|failure| panic!("{what}: {:#}", failure.error));
        assert_ne!(place.stands(), before, "{what}");
    }
}
