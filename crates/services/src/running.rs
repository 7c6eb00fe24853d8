//! Starts services, waits until they are healthy, stops them, leaves nothing behind.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::ServiceError;
use crate::owner;
use crate::plan::{Health, ServicePlan};
use crate::programs::{NoRecipe, Place, Program, Recipe};

/// How long a program may take until it takes connections. A slow disk makes a database in seconds.
const READY_TIME_MAX: Duration = Duration::from_secs(60);
/// Between two looks while it starts: it is there within a fraction of a second as a rule.
const LOOK_INTERVAL: Duration = Duration::from_millis(40);
/// What a program gets to end by itself.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);
/// Lines of a program's log that a failure shows.
const LOG_LINES_SHOWN: usize = 40;

/// What services get from the job that wants them.
pub struct Environment<'a> {
    /// Put into every process, so that a sweep finds what a dead worker left (conformance 116).
    pub tracking: &'a [(String, String)],
    /// Whether the job was cancelled meanwhile.
    pub is_cancelled: &'a dyn Fn() -> bool,
    /// Takes a line for the job's log.
    pub say: &'a mut dyn FnMut(&str),
    /// Starts the program of a service among the job's processes.
    pub start: &'a dyn Fn(&mut Command) -> std::io::Result<Child>,
}

/// Services that are there. They end when this is dropped.
pub struct Running {
    services: Vec<Service>,
}

struct Service {
    plan: ServicePlan,
    ports: Vec<(u16, u16)>,
    process: Child,
    recipe: Recipe,
    folder: TempDir,
    account: Account,
}

/// Whom a program runs as: servers refuse to be root, as they do in their images.
#[derive(Clone)]
struct Account {
    ids: Option<(u32, u32)>,
}

/// Starts all services and waits until all are healthy. On an error those that started are ended.
pub fn start(
    plans: Vec<ServicePlan>,
    environment: &mut Environment<'_>,
) -> Result<Running, ServiceError> {
    let mut running = Running { services: Vec::new() };
    for plan in plans {
        for note in &plan.notes {
            (environment.say)(&format!("not enforced: {note}"));
        }
        let service = Service::launch(plan, environment)?;
        running.services.push(service);
    }
    for service in &mut running.services {
        service.wait_until_ready(environment)?;
        service.wait_until_healthy(environment)?;
    }
    Ok(running)
}

impl Running {
    /// `job.services`: ports by what the image would listen on (conformance 68, 159).
    pub fn context(&self) -> Json {
        let entries = self.services.iter().map(|service| {
            let ports: serde_json::Map<String, Json> = service
                .ports
                .iter()
                .map(|(container, host)| (container.to_string(), json!(host.to_string())))
                .collect();
            let context = json!({ "id": service.process.id().to_string(), "network": "host", "ports": ports });
            (service.plan.id.clone(), context)
        });
        Json::Object(entries.collect())
    }

    /// Ends all services and deletes their data.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        for service in &mut self.services {
            service.ask_to_end();
        }
        for service in &mut self.services {
            service.make_end();
        }
        self.services.clear();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

impl Service {
    fn launch(
        plan: ServicePlan,
        environment: &mut Environment<'_>,
    ) -> Result<Service, ServiceError> {
        let ports = choose_ports(&plan)?;
        let account = Account::for_program(plan.program);
        let folder = account.folder().map_err(|source| system(&plan, "make its folder", source))?;
        let port = ports.first().map(|(_, host)| *host);
        let place = Place { folder: folder.path(), port };
        let recipe =
            plan.program.recipe(&plan, &place).map_err(|reason| no_recipe(&plan, reason))?;
        let mut recipe = recipe;
        write_shims(folder.path(), &recipe)
            .map_err(|source| system(&plan, "write its tools", source))?;
        (environment.say)(&starting_line(&plan, &recipe, &ports));
        for mut command in recipe.prepare.drain(..) {
            run_to_end(&mut command, &account, folder.path(), environment.tracking)
                .map_err(|problem| failed(&plan, folder.path(), &problem))?;
        }
        let log =
            log_file(folder.path()).map_err(|source| system(&plan, "open its log", source))?;
        let errors = log.try_clone().map_err(|source| system(&plan, "open its log", source))?;
        account.dress(&mut recipe.serve, folder.path(), environment.tracking);
        recipe.serve.envs(plan.env.iter().map(|(key, value)| (key, value)));
        recipe.serve.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
        let process = (environment.start)(&mut recipe.serve)
            .map_err(|source| system(&plan, "start its program", source))?;
        Ok(Service { plan, ports, process, recipe, folder, account })
    }

    /// Until it takes connections; then users and databases are made.
    fn wait_until_ready(&mut self, environment: &mut Environment<'_>) -> Result<(), ServiceError> {
        let deadline = Instant::now() + READY_TIME_MAX;
        let folder = self.folder.path().to_path_buf();
        self.account.dress(&mut self.recipe.ready, &folder, environment.tracking);
        loop {
            self.still_runs()?;
            if succeeds(&mut self.recipe.ready) {
                break;
            }
            pause(LOOK_INTERVAL, environment)?;
            if Instant::now() > deadline {
                let problem = format!("takes no connections after {} s", READY_TIME_MAX.as_secs());
                return Err(failed(&self.plan, &folder, &problem));
            }
        }
        for mut command in self.recipe.finish.drain(..) {
            run_to_end(&mut command, &self.account, &folder, environment.tracking)
                .map_err(|problem| failed(&self.plan, &folder, &problem))?;
        }
        Ok(())
    }

    /// Asks at once and then often: Docker would ask for the first time after one interval, and
    /// gives up after `retries` of them, which is the limit here too (conformance 160).
    fn wait_until_healthy(
        &mut self,
        environment: &mut Environment<'_>,
    ) -> Result<(), ServiceError> {
        let Some(health) = self.plan.health.clone() else {
            return Ok(());
        };
        let deadline = Instant::now() + health.start_period + health.interval * health.retries;
        let folder = self.folder.path().to_path_buf();
        let mut command = self.health_command(&health);
        self.account.dress(&mut command, &folder, environment.tracking);
        let mut interval = LOOK_INTERVAL;
        while !succeeds(&mut command) {
            self.still_runs()?;
            if Instant::now() > deadline {
                let problem = format!("is unhealthy: `{}` fails", health.command);
                return Err(failed(&self.plan, &folder, &problem));
            }
            pause(interval, environment)?;
            interval = (interval * 2).min(health.interval);
        }
        (environment.say)(&format!("service {} is healthy", self.plan.id));
        Ok(())
    }

    fn health_command(&self, health: &Health) -> Command {
        // `timeout` is in every coreutils; a look that hangs must not hang the job.
        let mut command = Command::new("timeout");
        command.arg(format!("{}s", health.timeout.as_secs_f64())).args([
            "sh",
            "-c",
            &health.command,
        ]);
        command.envs(self.plan.env.iter().map(|(key, value)| (key, value)));
        command.envs(self.recipe.client_env.iter().map(|(key, value)| (*key, value)));
        let shims = self.folder.path().join("bin");
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", shims.display()));
        command
    }

    fn still_runs(&mut self) -> Result<(), ServiceError> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                let problem = format!("ended by itself with {status}");
                Err(failed(&self.plan, self.folder.path(), &problem))
            }
            Err(source) => Err(system(&self.plan, "look after its process", source)),
        }
    }

    fn ask_to_end(&mut self) {
        // PostgreSQL's fast shutdown is SIGINT; SIGTERM would wait for clients.
        let signal =
            if self.plan.program == Program::Postgres { Signal::INT } else { Signal::TERM };
        if let Some(pid) = self.pid() {
            // It may have ended already; then there is nobody to tell.
            let _ = kill_process(pid, signal);
        }
    }

    fn make_end(&mut self) {
        let deadline = Instant::now() + STOP_TIME_MAX;
        while Instant::now() < deadline {
            if !matches!(self.process.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        if let Some(pid) = self.pid() {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let _ = self.process.wait();
    }

    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.process.id()).ok()?)
    }
}

impl Account {
    /// The person themselves; for root the program's own user as Debian makes it, else nobody.
    fn for_program(program: Program) -> Account {
        if !rustix::process::geteuid().is_root() {
            return Account { ids: None };
        }
        let own = match program {
            Program::Postgres => "postgres",
            Program::Redis => "redis",
            Program::Mariadb | Program::MariadbForMysql => "mysql",
        };
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let find = |name: &str| {
            let row = users.lines().find(|row| row.split(':').next() == Some(name))?;
            let mut fields = row.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        };
        Account { ids: find(own).or_else(|| find("nobody")) }
    }

    /// A folder of its own, under the folder for temporary files: short enough for a socket's path
    /// (107 bytes), and reachable for another user when the job's folder is not.
    fn folder(&self) -> std::io::Result<TempDir> {
        let folder = tempfile::Builder::new().prefix("launchway-service-").tempdir()?;
        if let Some((user, group)) = self.ids {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group))?;
        }
        Ok(folder)
    }

    /// Runs the command as this account, in its folder, known to the sweep.
    fn dress(&self, command: &mut Command, folder: &Path, tracking: &[(String, String)]) {
        if let Some((user, group)) = self.ids {
            command.uid(user).gid(group);
        }
        command.current_dir(folder).env("HOME", folder).env("LC_ALL", "C.UTF-8");
        command.envs(tracking.iter().map(|(key, value)| (key, value)));
    }
}

/// The ports of this machine, as (container, host). The program listens on the first; a second
/// mapping of the same container port would need a forwarder and is refused.
fn choose_ports(plan: &ServicePlan) -> Result<Vec<(u16, u16)>, ServiceError> {
    let own = plan.program.port();
    let mut chosen = Vec::new();
    for mapping in &plan.ports {
        let refused = |reason: String| ServiceError::Refused {
            id: plan.id.clone(),
            reason,
            hint: format!("map the port that {} listens on: {own}:{own}", plan.program.name()),
        };
        if mapping.container != own {
            return Err(refused(format!(
                "nothing listens on port {} in {}",
                mapping.container, plan.image
            )));
        }
        if !chosen.is_empty() {
            return Err(refused(format!(
                "port {own} is mapped twice; a local program has one port"
            )));
        }
        let host = match mapping.host {
            Some(port) if owner::is_free(port) => port,
            Some(port) => {
                let owner = owner::of_port(port);
                return Err(ServiceError::PortTaken { id: plan.id.clone(), port, owner });
            }
            None => owner::any_free().map_err(|source| system(plan, "find a free port", source))?,
        };
        chosen.push((own, host));
    }
    Ok(chosen)
}

fn starting_line(plan: &ServicePlan, recipe: &Recipe, ports: &[(u16, u16)]) -> String {
    let reach = match ports {
        [(container, host), ..] => format!("port {container} is localhost:{host}"),
        [] => "no port is mapped, so the job cannot reach it".to_owned(),
    };
    let server = recipe.server.display();
    format!("service {} ({}): {} from {server}; {reach}", plan.id, plan.image, plan.program.name())
}

fn write_shims(folder: &Path, recipe: &Recipe) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let bin = folder.join("bin");
    std::fs::create_dir(&bin)?;
    std::fs::set_permissions(&bin, std::fs::Permissions::from_mode(0o755))?;
    for (name, script) in &recipe.shims {
        let path = bin.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n"))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("log")
}

fn log_file(folder: &Path) -> std::io::Result<File> {
    File::options().create(true).append(true).open(log_path(folder))
}

/// Runs a short command; its output goes to the service's log.
fn run_to_end(
    command: &mut Command,
    account: &Account,
    folder: &Path,
    tracking: &[(String, String)],
) -> Result<(), String> {
    account.dress(command, folder, tracking);
    let program = command.get_program().to_string_lossy().into_owned();
    let cannot = |error: std::io::Error| format!("cannot run {program}: {error}");
    let log = log_file(folder).map_err(cannot)?;
    let errors = log.try_clone().map_err(cannot)?;
    let status =
        command.stdin(Stdio::null()).stdout(log).stderr(errors).status().map_err(cannot)?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("could not be set up: {program} ended with {status}"))
    }
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn pause(time: Duration, environment: &Environment<'_>) -> Result<(), ServiceError> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        if (environment.is_cancelled)() {
            return Err(ServiceError::Cancelled);
        }
        std::thread::sleep(LOOK_INTERVAL.min(end.saturating_duration_since(Instant::now())));
    }
    Ok(())
}

fn no_recipe(plan: &ServicePlan, reason: NoRecipe) -> ServiceError {
    match reason {
        NoRecipe::Missing(program) => ServiceError::ProgramMissing {
            id: plan.id.clone(),
            image: plan.image.clone(),
            program,
            package: plan.program.package(),
        },
        NoRecipe::Environment(problem) => ServiceError::Failed {
            id: plan.id.clone(),
            problem: format!("cannot start: {problem}"),
            log: String::new(),
        },
    }
}

fn failed(plan: &ServicePlan, folder: &Path, problem: &str) -> ServiceError {
    let log = std::fs::read(log_path(folder)).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    let shown = lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n");
    ServiceError::Failed { id: plan.id.clone(), problem: problem.to_owned(), log: shown }
}

fn system(plan: &ServicePlan, action: &str, source: std::io::Error) -> ServiceError {
    ServiceError::System { id: plan.id.clone(), action: format!("cannot {action}"), source }
}
