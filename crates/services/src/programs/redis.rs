//! Redis, or Valkey where that is what the machine has.

use std::process::Command;

use super::{NoRecipe, Place, Recipe, find};
use crate::plan::ServicePlan;

pub(super) fn recipe(plan: &ServicePlan, place: &Place<'_>) -> Result<Recipe, NoRecipe> {
    let one_of = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| find(name, &[]));
        found.ok_or_else(|| NoRecipe::Missing(names[0].to_owned()))
    };
    let server = one_of(["redis-server", "valkey-server"])?;
    let client = one_of(["redis-cli", "valkey-cli"])?;
    let socket = place.folder.join("redis.sock");
    let mut serve = Command::new(&server);
    serve.arg("--dir").arg(place.folder).arg("--unixsocket").arg(&socket);
    serve.args([
        "--save",
        "",
        "--daemonize",
        "no",
        "--protected-mode",
        "no",
        "--bind",
        "127.0.0.1",
        "-::1",
    ]);
    serve.args(["--port", &place.port.unwrap_or(0).to_string()]);
    serve.args(plan.arguments.iter().skip_while(|argument| *argument == "redis-server"));
    let mut ready = Command::new(&client);
    ready.arg("-s").arg(&socket).arg("-e").arg("ping");
    // A health command says `redis-cli ping` and means the server of its container.
    let shim = format!("exec '{}' -s '{}' \"$@\"", client.display(), socket.display());
    Ok(Recipe {
        server,
        prepare: Vec::new(),
        serve,
        ready,
        finish: Vec::new(),
        client_env: Vec::new(),
        shims: vec![("redis-cli", shim.clone()), ("valkey-cli", shim)],
    })
}
