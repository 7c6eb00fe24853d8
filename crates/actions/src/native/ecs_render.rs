//! `aws-actions/amazon-ecs-render-task-definition`: an image, and a few things more, put into a
//! task definition that lies in a file or at AWS.

use std::fs;

use serde_json::Value as Json;

use super::step::{Failure, Step, failed_at, random_hex};
use super::task_definition::{Changes, rendered};
use super::{Native, NativeAction, Stage, cloud};

/// The registration.
pub(super) const RENDER: Native = Native {
    action: NativeAction {
        name: "ecs-render-task-definition",
        manifest: include_str!("ecs_render.yml"),
        stages: &[Stage::Main],
    },
    of: "aws-actions/amazon-ecs-render-task-definition",
    majors: &[1],
    refs: &["master", "main"],
    commits: &[
        ("64aefa8f68c9083d24d230e3099d046d5964bcba", 1),
        ("5cb8c74c1b1ecaec4c8ea82eff82c009333509ce", 1),
        ("cbed19f1b86bbb18f59cfffde7107b93cc9b75da", 1),
        ("06472d439cb66af6210a6709bfc842c26b053706", 1),
        ("6b89923a897d41e9ad789181d8865b532ecf973c", 1),
        ("77954e213ba1f9f9cb016b86a1d4f6fcdea0d57e", 1),
        ("6853cfae8c3a7d978fbf68b5a55453395541dfbb", 1),
        ("138c24f321fdbdf7edee4a685519d253cae2cdea", 1),
    ],
    run,
};

fn run(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    if stage != Stage::Main {
        return Ok(());
    }
    let changes = Changes {
        containers: step.needed("container-name")?,
        image: step.needed("image")?,
        command: step.input("command"),
        env_files: step.input("env-files"),
        environment: step.input("environment-variables"),
        secrets: step.input("secrets"),
        log_driver: step.input("log-configuration-log-driver"),
        log_options: step.input("log-configuration-options"),
        docker_labels: step.input("docker-labels"),
        task_role: step.input("task-role-arn"),
        execution_role: step.input("execution-role-arn"),
    };
    let definition = definition(step)?;
    let (definition, odd) = rendered(definition, &changes).map_err(Failure::new)?;
    odd.iter().for_each(|line| step.warning(line));
    let temp = step.folder("RUNNER_TEMP")?;
    let path = temp.join(format!("task-definition-{}.json", random_hex()));
    let text = serde_json::to_string_pretty(&definition).expect("JSON can be written");
    fs::write(&path, text).map_err(failed_at("written", &path))?;
    step.output("task-definition", &path.display().to_string());
    step.info(&format!("{} runs {} in {}", changes.containers, changes.image, path.display()));
    Ok(())
}

fn definition(step: &Step) -> Result<Json, Failure> {
    if let Some(name) = step.given("task-definition") {
        step.info("Task definition file will be used.");
        let path = step.folder("GITHUB_WORKSPACE")?.join(&name);
        if !path.exists() {
            return Err(Failure::new(format!("Task definition file does not exist: {name}")));
        }
        let text = fs::read_to_string(&path).map_err(failed_at("read", &path))?;
        let text = text.trim_start_matches('\u{feff}');
        return serde_json::from_str(text).map_err(|error| {
            Failure::new(format!("Task definition file is not JSON: {name}: {error}"))
        });
    }
    let revision = step.given("task-definition-revision");
    let revision = revision.filter(|text| text.parse::<u64>().is_ok_and(|number| number > 0));
    let which = match (
        step.given("task-definition-arn"),
        step.given("task-definition-family"),
        revision,
    ) {
        (Some(arn), ..) => arn,
        (None, Some(family), Some(revision)) => format!("{family}:{revision}"),
        (None, Some(family), None) => {
            step.info("The latest revision of the task definition family will be used to fetch task definition");
            family
        }
        (None, None, Some(_)) => {
            return Err(Failure::new(
                "You can't fetch task definition with just revision: Either use task definition file, arn or family name",
            ));
        }
        (None, None, None) => {
            return Err(Failure::new(
                "Either task definition, task definition arn or task definition family must be provided",
            ));
        }
    };
    let mut client = cloud::client(step)?;
    let found = client.describe_task_definition(&which).map_err(|fault| {
        let words = "Failed to describe task definition in ECS";
        cloud::failed(&fault, words)
    })?;
    let mut definition = found.body;
    definition["tags"] = Json::Array(found.tags);
    Ok(definition)
}
