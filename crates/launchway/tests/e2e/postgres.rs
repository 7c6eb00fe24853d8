//! A real PostgreSQL for a test.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::harness::text;

/// What passwords begin with; it must be found nowhere.
pub(crate) const PASSWORD: &str = "hunter22-of-planner";

/// A server with a database that ends with the test.
pub(crate) struct Database {
    _running: services::Running,
    pub(crate) url: String,
}

impl Database {
    pub(crate) fn start() -> Database {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let password = format!("{PASSWORD}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let service = json!({"image": "postgres", "ports": ["5432"],
            "env": {"POSTGRES_PASSWORD": password, "POSTGRES_DB": "planner"}});
        let plan = services::plan("db", &service).expect("it can be had").expect("an image");
        let (is_cancelled, say) = (&|| false, &mut |_: &str| {});
        let mut environment =
            services::Environment { tracking: &[], is_cancelled, say, start: &Command::spawn };
        let running = services::start(vec![plan], &mut environment).expect("it starts");
        let port = running.context()["db"]["ports"]["5432"].as_str().expect("a port").to_owned();
        let url = format!("postgresql+asyncpg://postgres:{password}@127.0.0.1:{port}/planner");
        Database { _running: running, url }
    }

    /// As programs of PostgreSQL take it.
    pub(crate) fn plain_url(&self) -> String {
        self.url.replace("+asyncpg", "")
    }

    pub(crate) fn ask_in(&self, database: &str, statement: &str) -> String {
        let url = self.plain_url().replace("/planner", &format!("/{database}"));
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", &url, "-c", statement]);
        let output = psql.output().expect("it is installed");
        assert!(output.status.success(), "{statement}: {}", text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    }

    pub(crate) fn ask(&self, statement: &str) -> String {
        self.ask_in("planner", statement)
    }
}
