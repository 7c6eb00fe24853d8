//! `launchway environments unit`: a systemd unit, so that services come back with the machine.

use crate::cli::UnitArgs;
use crate::deploying::person;
use crate::deploying::request::environment;
use crate::exit::{Exit, Failure, Outcome};
use crate::settings_file::load;
use crate::state::StateFolder;
use crate::terminal::style::{out, talk};

pub(crate) fn run(args: &UnitArgs, state: &StateFolder) -> Outcome {
    let found = load(args.file.as_deref())?;
    let name = &*environment(&found, &args.environment)?.name.value;
    let is_here = found.settings.order.iter().any(|service| {
        let resolved = found.settings.resolve(name, &service.value);
        resolved.is_ok_and(|it| matches!(it.target, settings::Target::Host(_)))
    });
    if !is_here {
        let message = format!("no service of {name} runs on a machine that systemd starts");
        return Err(Failure::new(Exit::Usage, message)
            .hint("a unit is for the target `host`; ECS starts its services by itself"));
    }
    let project = &found.settings.project.value;
    let missing = |error| Failure::caused(Exit::Missing, anyhow::Error::new(error));
    let program = std::env::current_exe().map_err(missing)?;
    // systemd takes whole paths only.
    let folder = std::path::absolute(state.host(project, name)).map_err(missing)?;
    let user = args.user.clone().unwrap_or_else(|| person().name.to_string());
    out(target_host::systemd_unit(&program, &folder, Some(&user)).trim_end());
    let unit = format!("launchway-{project}-{name}.service");
    talk(&format!(
        "to be put into /etc/systemd/system/{unit}; then: systemctl enable --now {unit}"
    ));
    Ok(Exit::Done)
}
