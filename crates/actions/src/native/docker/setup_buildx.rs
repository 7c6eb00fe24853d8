//! `docker/setup-buildx-action`: a builder for the steps that follow. With buildx it is a real one;
//! without, `docker build` stands in for it, and the job remembers what the builder would have
//! kept to itself.

use serde_json::{Value as Json, json};

use super::builders::{Builders, CONTAINER, DOCKER};
use super::list::{Commas, values};
use super::{Daemon, ask, buildx_version, daemon, needs_buildx, program, show};
use crate::native::step::{Failure, Step, random_hex};
use crate::native::{Native, NativeAction, Stage};

/// The registration.
pub(crate) const BUILDX: Native = Native {
    action: NativeAction {
        name: "docker-setup-buildx",
        manifest: include_str!("setup_buildx.yml"),
        stages: &[Stage::Main, Stage::Post],
    },
    of: "docker/setup-buildx-action",
    majors: &[1, 2, 3, 4],
    refs: &["master"],
    commits: &[
        ("885d1462b80bc1c1c7f0b00334ad271f09369c55", 2),
        ("c47758b77c9736f4b2ef4073d4d51994fabfe349", 3),
        ("6524bf65af31da8d45b59e8c27de4bd072b392f5", 3),
        ("b5ca514318bd6ebac0fb2aedd5d36ec1b5c232a2", 3),
        ("e468171a9de216ec08956ac3ada2f0791b6bd435", 3),
        ("8d2750c68a42422c14e847fe6c8ac0403b4cbd6f", 3),
        ("4d04d5d9486b7bd6fa91e7baf45bbb4f8b9deedd", 4),
        ("37fe631027851001ddb9b187196cc803df7f5f0e", 4),
    ],
    run,
};

/// What the original gives every builder whose driver takes flags.
const FLAGS: &str =
    "--allow-insecure-entitlement security.insecure --allow-insecure-entitlement network.host";

fn run(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    match stage {
        Stage::Pre => Ok(()),
        Stage::Main => set_up(step),
        Stage::Post => take_down(step),
    }
}

fn set_up(step: &mut Step) -> Result<(), Failure> {
    let driver = step.given("driver").unwrap_or_else(|| CONTAINER.to_owned());
    if step.boolean("keep-state")? && driver != CONTAINER {
        return Err(Failure::new(format!("Cannot use keep-state with {driver} driver")));
    }
    let daemon = daemon()?;
    step.info(&format!("docker {}, program {}", daemon.version, daemon.client));
    let name = match (&*driver, step.given("name")) {
        (DOCKER, _) => "default".to_owned(),
        (_, Some(name)) => name,
        (_, None) => format!("builder-{}", random_hex()),
    };
    match buildx_version()? {
        Some(version) => with_buildx(step, &version, &name, &driver),
        None => without(step, &daemon, &name, &driver),
    }
}

/// Builders, nodes and flags are buildx's; what is left is where results stay.
fn without(step: &mut Step, daemon: &Daemon, name: &str, driver: &str) -> Result<(), Failure> {
    if ![DOCKER, CONTAINER].contains(&driver) {
        return Err(needs_buildx(&format!("driver `{driver}`")));
    }
    let refused = [
        "append",
        "buildkitd-config",
        "buildkitd-config-inline",
        "config",
        "config-inline",
        "driver-opts",
        "endpoint",
    ];
    if let Some(input) = refused.iter().find(|input| step.given(input).is_some()) {
        return Err(needs_buildx(&format!("input `{input}`")));
    }
    if step.given("buildkitd-flags").is_some_and(|flags| flags != FLAGS) {
        return Err(needs_buildx("input `buildkitd-flags`"));
    }
    if step.boolean("install")? {
        return Err(needs_buildx("input `install`"));
    }
    let platforms = values(&step.input("platforms"), Commas::Part);
    if platforms.iter().any(|platform| *platform != daemon.platform) {
        return Err(needs_buildx("a platform that is not this machine's"));
    }
    if step.given("version").is_some() {
        step.not_enforced("version", "there is no buildx here, and nothing is downloaded");
    }
    let used = step.boolean("use")?;
    Builders::of_job(step)?.add(name, driver, used)?;
    step.info("there is no buildx here: docker build stands in for the builder");
    if driver == CONTAINER {
        step.info("as on GitHub, what it builds is not an image in docker unless `load` says so");
    }
    let node = json!([{"name": name, "endpoint": "default", "status": "running", "platforms": daemon.platform}]);
    step.output("name", name);
    step.output("driver", driver);
    step.output("platforms", &daemon.platform);
    outputs_of_nodes(step, &node);
    Ok(())
}

fn with_buildx(step: &mut Step, version: &str, name: &str, driver: &str) -> Result<(), Failure> {
    step.info(&format!("buildx {version}"));
    if step
        .given("version")
        .is_some_and(|wanted| wanted.trim_start_matches('v') != version.trim_start_matches('v'))
    {
        step.not_enforced("version", &format!("nothing is downloaded, {version} is installed"));
    }
    if step.boolean("install")? {
        buildx(step, &["buildx", "install"])?;
    }
    if driver != DOCKER {
        if ask(&["buildx", "inspect", name])?.ok {
            step.info(&format!("Builder {name} already exists, skipping creation"));
        } else {
            let arguments = create(step, name, driver)?;
            buildx(step, &arguments.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        step.save_state("builder", name);
    }
    for arguments in append(step, name, driver)? {
        buildx(step, &arguments.iter().map(String::as_str).collect::<Vec<_>>())?;
    }
    buildx(step, &["buildx", "inspect", "--bootstrap", "--builder", name])?;
    let said = ask(&["buildx", "inspect", name])?;
    let (driver, nodes) = inspected(&said.out);
    let mut platforms: Vec<&str> = Vec::new();
    let each = nodes.as_array().into_iter().flatten().filter_map(|it| it["platforms"].as_str());
    for platform in each.flat_map(|it| it.split(',')) {
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    step.output("name", name);
    step.output("driver", &driver);
    step.output("platforms", &platforms.join(","));
    outputs_of_nodes(step, &nodes);
    Ok(())
}

fn outputs_of_nodes(step: &mut Step, nodes: &Json) {
    step.output("nodes", &serde_json::to_string_pretty(nodes).expect("JSON can be written"));
    for (output, member) in
        [("endpoint", "endpoint"), ("status", "status"), ("flags", "buildkitd-flags")]
    {
        step.output(output, nodes[0][member].as_str().unwrap_or_default());
    }
}

fn buildx(step: &Step, arguments: &[&str]) -> Result<(), Failure> {
    let said = show(step, &mut program(arguments))?;
    if said.ok { Ok(()) } else { Err(Failure::new(said.why())) }
}

fn words(start: &[&str]) -> Vec<String> {
    start.iter().map(|word| (*word).to_owned()).collect()
}

fn create(step: &Step, name: &str, driver: &str) -> Result<Vec<String>, Failure> {
    let mut arguments = words(&["buildx", "create", "--name", name, "--driver", driver]);
    for option in values(&step.input("driver-opts"), Commas::BelongAndQuotesToo) {
        arguments.extend(["--driver-opt".to_owned(), option]);
    }
    let takes_flags = [CONTAINER, DOCKER, "kubernetes"].contains(&driver);
    let flags = step.given("buildkitd-flags");
    if let Some(flags) = flags.or_else(|| takes_flags.then(|| FLAGS.to_owned())) {
        arguments.extend(["--buildkitd-flags".to_owned(), flags]);
    }
    let platforms = values(&step.input("platforms"), Commas::Part);
    if !platforms.is_empty() {
        arguments.extend(["--platform".to_owned(), platforms.join(",")]);
    }
    if step.boolean("use")? {
        arguments.push("--use".to_owned());
    }
    let file = step.given("buildkitd-config").or_else(|| step.given("config"));
    let inline = step.given("buildkitd-config-inline").or_else(|| step.given("config-inline"));
    if let Some(file) = file {
        arguments.extend(["--config".to_owned(), file]);
    } else if let Some(text) = inline {
        let path = step.folder("RUNNER_TEMP")?.join(format!("buildkitd-{}.toml", random_hex()));
        std::fs::write(&path, text).map_err(crate::native::step::failed_at("written", &path))?;
        arguments.extend(["--config".to_owned(), path.display().to_string()]);
    }
    arguments.extend(step.given("endpoint"));
    Ok(arguments)
}

/// A command for each further node.
fn append(step: &Step, name: &str, driver: &str) -> Result<Vec<Vec<String>>, Failure> {
    let Some(text) = step.given("append") else { return Ok(Vec::new()) };
    let (tree, _) = syntax::yaml::read(&syntax::Source::new("append", text));
    let nodes = tree.map(|tree| tree.to_json());
    let nodes = nodes.as_ref().and_then(Json::as_array);
    let nodes = nodes.ok_or_else(|| Failure::new("input `append` is not a YAML list of nodes"))?;
    let command = |node: &Json| {
        let text = |member: &str| node[member].as_str().filter(|it| !it.is_empty());
        let mut arguments = words(&["buildx", "create", "--name", name, "--append"]);
        let mut option = |flag: &str, value: &str| arguments.extend(words(&[flag, value]));
        if let Some(name) = text("name") {
            option("--node", name);
        }
        let options = node["driver-opts"].as_array().into_iter().flatten();
        options.filter_map(Json::as_str).for_each(|it| option("--driver-opt", it));
        let takes_flags = driver == CONTAINER || driver == "kubernetes";
        let flags = text("buildkitd-flags").or(takes_flags.then_some(FLAGS));
        flags.into_iter().for_each(|it| option("--buildkitd-flags", it));
        text("platforms").into_iter().for_each(|it| option("--platform", it));
        arguments.extend(text("endpoint").map(str::to_owned));
        arguments
    };
    Ok(nodes.iter().map(command).collect())
}

/// Driver and nodes, from the text that `inspect` prints for people.
fn inspected(text: &str) -> (String, Json) {
    let (mut driver, mut nodes) = (String::new(), Vec::new());
    let mut in_nodes = false;
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match key.trim() {
            "Nodes" => in_nodes = true,
            "Driver" if !in_nodes => value.clone_into(&mut driver),
            "Name" if in_nodes => nodes.push(json!({"name": value})),
            key if in_nodes => {
                let member = match key {
                    "Endpoint" => "endpoint",
                    "Status" => "status",
                    "Flags" | "BuildKit daemon flags" => "buildkitd-flags",
                    "Buildkit" | "BuildKit version" => "buildkit",
                    "Platforms" => "platforms",
                    _ => continue,
                };
                if let Some(node) = nodes.last_mut() {
                    node[member] = json!(value.replace(", ", ",").replace('*', ""));
                }
            }
            _ => {}
        }
    }
    (driver, Json::Array(nodes))
}

fn take_down(step: &Step) -> Result<(), Failure> {
    let Some(name) = step.state("builder").filter(|_| step.input("cleanup") != "false") else {
        return Ok(());
    };
    let mut arguments = vec!["buildx", "rm", &name];
    if step.boolean("keep-state")? {
        arguments.push("--keep-state");
    }
    let said = ask(&arguments)?;
    if !said.ok {
        step.warning(&said.why());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_inspect_prints_is_read() {
        let text = "Name:          builder-1\nDriver:        docker-container\nLast Activity: 2026-01-01 10:00:00 +0000 UTC\n\nNodes:\nName:                  builder-10\nEndpoint:              unix:///var/run/docker.sock\nStatus:                running\nBuildKit daemon flags: --allow-insecure-entitlement network.host\nBuildKit version:      v0.12.5\nPlatforms:             linux/amd64*, linux/arm64\nLabels:\n org.mobyproject.buildkit.worker.executor:         oci\n";
        let (driver, nodes) = inspected(text);
        assert_eq!(driver, "docker-container");
        let expected = json!([{
            "name": "builder-10",
            "endpoint": "unix:///var/run/docker.sock",
            "status": "running",
            "buildkitd-flags": "--allow-insecure-entitlement network.host",
            "buildkit": "v0.12.5",
            "platforms": "linux/amd64,linux/arm64",
        }]);
        assert_eq!(nodes, expected);
    }
}
