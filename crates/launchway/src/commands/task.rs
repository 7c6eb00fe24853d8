//! `launchway task run` and `launchway migrate`: a command beside what runs, once. A deployment like
//! any other, planned and guarded as one, that leaves what runs as it is.

use event::DeployStepKind;
use ports::StepRan;
use serde_json::{Value as Json, json};
use views::{DeedView, DeploymentView};

use crate::cli::{AgreedArgs, Format, MigrateArgs, SettingsArgs, TaskCommand, TaskRunArgs};
use crate::deploying::book::Book;
use crate::deploying::doors::Hands;
use crate::deploying::drive::Driver;
use crate::deploying::request::{build, environment, running, services};
use crate::deploying::wish::{Task, What, Wish};
use crate::exit::{Exit, Failure, Outcome};
use crate::settings_file::load;
use crate::state::StateFolder;
use crate::terminal::log_line::steered_by_nobody;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::{duration, moment};

pub(crate) fn run(command: &TaskCommand, state: &StateFolder) -> Outcome {
    let TaskCommand::Run(args) = command;
    let TaskRunArgs { environment, service, within, agreed, settings, run } = args;
    let services = Vec::from_iter(service.clone());
    let beside = Beside { environment, services: &services, agreed, settings };
    beside.run(state, Task::Command { run, within: *within })
}

pub(crate) fn migrate(args: &MigrateArgs, state: &StateFolder) -> Outcome {
    let of = &args.of;
    if args.status {
        return status(args, state);
    }
    let beside = Beside {
        environment: &of.environment,
        services: &of.services,
        agreed: &args.agreed,
        settings: &of.settings,
    };
    beside.run(state, Task::Migration)
}

/// Beside what.
struct Beside<'a> {
    environment: &'a str,
    services: &'a [String],
    agreed: &'a AgreedArgs,
    settings: &'a SettingsArgs,
}

impl Beside<'_> {
    fn run(&self, state: &StateFolder, task: Task<'_>) -> Outcome {
        let found = load(self.settings.file.as_deref())?;
        let (book, state) = Book::of(&found, state)?;
        let state = &state;
        environment(&found, self.environment)?;
        let mut names = services(&found, self.services)?;
        if let (Task::Migration, true) = (task, self.services.is_empty()) {
            let has_one = |name: &str| {
                let resolved = found.settings.resolve(self.environment, name);
                resolved.is_ok_and(|it| it.service.migrate.is_some())
            };
            names.retain(|name| has_one(&name.value));
        }
        if names.is_empty() {
            return Err(Failure::new(Exit::Usage, "the settings say no migration of any service")
                .hint("`migrate: {run: [...]}` of a service does"));
        }
        if let (Task::Command { .. }, 2..) = (task, names.len()) {
            let words: Vec<&str> = names.iter().map(|it| &*it.value).collect();
            return Err(Failure::new(Exit::Usage, "beside which service?")
                .hint(format!("--service NAME; there are: {}", words.join(", "))));
        }
        let format = self.settings.format;
        let driver = Driver::new((&book, state), &found, format);
        let _place = driver.take(self.environment)?;
        driver.finish_open(self.environment)?;
        let ledger = book.ledger(self.environment)?;
        let wanted: Vec<String> = names.iter().map(|it| it.value.to_string()).collect();
        let releases = running(&found, &ledger, (self.environment, &wanted))?;
        let agreed = self.agreed.agreement();
        let wish = Wish {
            environment: self.environment,
            services: &wanted,
            agreed,
            only_look: false,
            what: What::Task { releases, task },
        };
        let request = driver.prepared(|| build(&found, &book, state, &wish))?;
        let mut hands = driver.prepared(|| Hands::open(state, &request, Some(&found)))?;
        let view = driver.begin_quietly(request, agreed)?;
        if let Some(view) = &view {
            printed(&book, view, &mut hands, format)?;
        }
        Ok(driver.told(view.as_ref()))
    }
}

/// What the commands said: theirs, so it goes where output goes.
fn printed(
    book: &Book,
    view: &DeploymentView,
    hands: &mut Hands,
    format: Format,
) -> Result<(), Failure> {
    let effects = book.effects(view.id)?;
    let is_task =
        |it: &DeployStepKind| matches!(it, DeployStepKind::Task | DeployStepKind::Migrate);
    for step in view.steps.iter().filter(|it| is_task(&it.kind) && it.forward.is_some()) {
        let Some(service) = view.request.services.iter().find(|it| it.service == step.service)
        else {
            continue;
        };
        let effect = effects.get(&step.key).unwrap_or(&Json::Null);
        let ran = StepRan { deployment: view.id, step: &step.key, service, effect };
        match hands.printed(&ran) {
            Ok(lines) => {
                for line in &lines {
                    out(&match format {
                        Format::Json => json!({
                            "type": "log", "deployment": view.id.to_string(), "step": step.key,
                            "text": line,
                        })
                        .to_string(),
                        _ => steered_by_nobody(line.as_str(), Style::stdout()),
                    });
                }
            }
            Err(cause) => talk(&format!("what {} printed: {}", step.key, cause.message)),
        }
    }
    Ok(())
}

/// Which migrations ran, newest first.
fn status(args: &MigrateArgs, state: &StateFolder) -> Outcome {
    let found = load(args.of.settings.file.as_deref())?;
    let (book, _) = Book::of(&found, state)?;
    let name = &*environment(&found, &args.of.environment)?.name.value;
    let wanted = services(&found, &args.of.services)?;
    let is_json = args.of.settings.format == Format::Json;
    let mut count = 0;
    for view in book.newest(Some(name), STATUS_MAX)? {
        let migrations = view.steps.iter().filter(|step| {
            step.kind == DeployStepKind::Migrate && wanted.iter().any(|it| it.value == step.service)
        });
        for step in migrations {
            let Some(deed) = &step.forward else { continue };
            let service = view.request.services.iter().find(|it| it.service == step.service);
            let version = service.map_or("", |it| &*it.release.version);
            let line = Ran { view: &view, service: &step.service, version, deed };
            out(&if is_json { line.machine() } else { line.human(Style::stdout()) });
            count += 1;
        }
    }
    if count == 0 && !is_json {
        talk(&format!("no migration ran in {name}"));
    }
    Ok(Exit::Done)
}

/// So many deployments back it is looked for migrations.
const STATUS_MAX: usize = 1_000;

/// A migration that was begun.
struct Ran<'a> {
    view: &'a DeploymentView,
    service: &'a str,
    version: &'a str,
    deed: &'a DeedView,
}

impl Ran<'_> {
    fn outcome(&self) -> &'static str {
        match (self.deed.over_at, self.deed.is_done()) {
            (None, _) => "under way",
            (Some(_), true) => "done",
            (Some(_), false) => "failed",
        }
    }

    fn human(&self, style: Style) -> String {
        let outcome = match self.outcome() {
            "done" => style.green("✓ done"),
            "failed" => style.red("✗ failed"),
            other => style.cyan(&format!("… {other}")),
        };
        let took = self.deed.over_at.map(|over| format!(" in {}", duration(self.deed.since, over)));
        let cause = self.deed.cause.as_ref().map(|it| format!(": {}", it.message));
        let (took, cause) = (took.unwrap_or_default(), cause.unwrap_or_default());
        let (service, version, id) = (self.service, self.version, self.view.id);
        let at = moment(self.deed.since);
        format!("{service}  {version}  {outcome}{took}  {at}, deployment {id}{cause}")
    }

    fn machine(&self) -> String {
        json!({
            "type": "migration", "environment": self.view.request.environment,
            "service": self.service, "version": self.version,
            "deployment": self.view.id.to_string(), "outcome": self.outcome().replace(' ', "_"),
            "at_ms": self.deed.since, "cause": self.deed.cause,
        })
        .to_string()
    }
}
