//! One file for each command; this one sends a command line to its file.

pub(crate) mod approvals;
mod audit;
mod backups;
mod build;
mod check;
mod completions;
mod demo;
mod deploy;
mod deployments;
mod diff;
mod dispatch;
mod doctor;
mod environments;
mod eval;
mod github;
mod history;
mod host;
mod iam;
mod incidents;
mod init;
pub(crate) mod issuer;
mod logs;
mod man;
mod metrics;
mod notify;
mod pagerduty;
mod people;
mod plan;
mod promote;
mod prune;
mod releases;
mod repositories;
mod rollback;
mod run;
mod runner;
mod runners;
pub(crate) mod runs;
mod scale;
mod secrets;
mod serve;
mod settings;
mod status;
mod task;
mod tokens;
mod unit;
mod vars;
mod verify;
mod versions;
mod whose;
mod workflows;

pub(crate) use check::check_sources;
pub(crate) use history::nothing_went;
pub(crate) use run::{NOT_NUMBERED, look_ahead};
pub(crate) use runs::carried;
pub(crate) use secrets::day;

use std::path::Path;
use std::process::ExitCode;

use crate::cli::{Cli, Command, EnvironmentsCommand, HookArgs, HookName};
use crate::exit::{Failure, Outcome};
use crate::serving::arriving::hook;
use crate::serving::data::DataFolder;
use crate::state::StateFolder;
use crate::state::acting;
use target_host::IfTaken;

/// Does what the command line says.
pub(crate) fn dispatch(cli: Cli) -> Result<ExitCode, Failure> {
    let state = || state_folder(cli.global.state.as_deref());
    let exit = match cli.command {
        Command::Run(args) => run::run(&args, &state()?)?,
        Command::Check(args) => check::run(&args)?,
        Command::Plan(args) => plan::run(&args, &state()?)?,
        Command::Eval(args) => eval::run(&args)?,
        Command::Runs(command) => runs::run(command, &state()?)?,
        Command::Versions(command) => versions::run(&command, cli.global.state.as_deref())?,
        Command::Workflows(command) => workflows::run(&command, cli.global.state.as_deref())?,
        Command::Secrets(command) => secrets::run(&command, cli.global.state.as_deref())?,
        Command::Vars(command) => vars::run(&command, cli.global.state.as_deref())?,
        Command::Settings(command) => settings::run(&command)?,
        Command::Build(args) => build::run(&args, &state()?)?,
        Command::Promote(args) => promote::run(&args, &state()?)?,
        Command::Deploy(args) => deploy::run(&args, &state()?)?,
        Command::Rollback(args) => rollback::run(&args, &state()?)?,
        Command::Scale(args) => scale::run(&args, &state()?)?,
        Command::Migrate(args) => task::migrate(&args, &state()?)?,
        Command::Task(command) => task::run(&command, &state()?)?,
        Command::Verify(args) => verify::run(&args, &state()?)?,
        Command::Diff(args) => diff::run(&args, &state()?)?,
        Command::Status(args) => status::run(&args, &state()?)?,
        Command::Logs(args) => logs::run(&args, &state()?)?,
        Command::History(args) => history::run(&args, &state()?)?,
        Command::Metrics(args) => metrics::run(&args, &state()?)?,
        Command::Incidents(command) => incidents::run(&command, &state()?)?,
        Command::Approvals(command) => approvals::run(&command, &state()?)?,
        Command::Deployments(command) => deployments::run(&command, &state()?)?,
        Command::Releases(args) => releases::run(&args, &state()?)?,
        Command::Backups(command) => backups::run(&command, &state()?)?,
        Command::Environments(args) => match &args.command {
            Some(EnvironmentsCommand::Iam(args)) => iam::run(args, &state()?)?,
            Some(EnvironmentsCommand::Unit(args)) => unit::run(args, &state()?)?,
            None => environments::run(&args, &state()?)?,
        },
        Command::Doctor(args) => doctor::run(&args, &state()?)?,
        Command::Runner(args) => runner::run(&args, cli.global.state.as_deref())?,
        Command::Runners(command) => runners::run(&command)?,
        Command::Notify(command) => notify::run(&command, cli.global.state.as_deref())?,
        Command::Issuer(command) => issuer::run(&command, &state()?)?,
        Command::Init(args) => init::run(&args)?,
        Command::Demo(args) => demo::run(&args, &state()?)?,
        Command::Serve(args) => serve::run(&args, cli.global.state.as_deref())?,
        Command::Repositories(command) => repositories::run(&command, cli.global.state.as_deref())?,
        Command::Github(command) => github::run(&command, cli.global.state.as_deref())?,
        Command::Pagerduty(command) => pagerduty::run(&command, cli.global.state.as_deref())?,
        Command::People(command) => people::run(&command, cli.global.state.as_deref())?,
        Command::Tokens(command) => tokens::run(&command, cli.global.state.as_deref())?,
        Command::Hook(args) => called_by_git(&args)?,
        Command::Audit(command) => audit::run(&command, cli.global.state.as_deref())?,
        Command::Prune(args) => prune::run(&args, &state()?)?,
        Command::Man { dir } => man::run(&dir)?,
        Command::Completions { shell } => completions::run(shell)?,
        Command::Supervise { folder: Some(folder), wait, .. } => {
            let if_taken = if wait { IfTaken::Wait } else { IfTaken::Leave };
            return host::supervise(&folder, if_taken);
        }
        Command::Supervise { task, .. } => return host::task(&task.unwrap_or_default()),
        Command::Proxy { folder } => return host::proxy(&folder),
        Command::Page => return Ok(demo::page::run()?.into()),
    };
    Ok(exit.into())
}

/// In a server's folder root acts as its owner.
fn state_folder(flag: Option<&Path>) -> Result<StateFolder, Failure> {
    let state = StateFolder::locate(flag)?;
    if (DataFolder { state: state.clone() }).is_servers() {
        acting::as_owner(state.root())?;
    }
    Ok(state)
}

fn called_by_git(args: &HookArgs) -> Outcome {
    // git asks whose a repository is: what is read of it is read as whoever pushes.
    let data = DataFolder::of(args.data.data.as_deref(), None)?;
    match args.hook {
        HookName::PreReceive => hook::pre_receive(&data, &args.repository),
        HookName::PostReceive => hook::post_receive(&data, &args.repository),
    }
}
