//! What the workflows of a repository say of where it is deployed: environments, clusters, services,
//! regions, roles, names of repositories.

use std::path::Path;

use syntax::{Mapping, Node, Source, yaml};

use crate::running::files;

/// What was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cloud {
    pub(crate) environments: Vec<SeenEnvironment>,
    pub(crate) region: Option<String>,
    pub(crate) container: Option<String>,
    pub(crate) image: Option<String>,
    /// The path that a workflow asks behind a deployment.
    pub(crate) health: Option<String>,
}

/// An environment, as far as workflows name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SeenEnvironment {
    pub(crate) name: String,
    pub(crate) url: Option<String>,
    pub(crate) cluster: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) role: Option<String>,
    /// Nothing names its place.
    pub(crate) guessed: bool,
}

impl Cloud {
    /// Of the workflows in a repository.
    pub(crate) fn read(root: &Path) -> Cloud {
        let mut cloud = Cloud::default();
        let folder = root.join(files::WORKFLOWS);
        let paths = if folder.is_dir() { files::workflow_files(&folder) } else { Ok(Vec::new()) };
        for path in paths.unwrap_or_default() {
            let Ok(source) = files::read(&path, &files::shown(&path)) else { continue };
            cloud.workflow(&source);
        }
        cloud.environments.sort_by_key(|it| (rank(&it.name), it.name.clone()));
        cloud
    }

    /// Places of ECS where nothing names any, for people who say that they ship there.
    pub(crate) fn guess(&mut self, project: &str, environments: &[SeenEnvironment]) {
        let guess = |it: &SeenEnvironment| SeenEnvironment {
            cluster: Some(format!("{project}-{}", it.name)),
            service: Some("\"{service}\"".to_owned()),
            guessed: true,
            ..it.clone()
        };
        self.environments = environments.iter().map(guess).collect();
    }

    /// Whether a service of ECS is named.
    pub(crate) fn has_ecs(&self) -> bool {
        self.environments.iter().any(|it| it.cluster.is_some() && it.service.is_some())
    }

    fn workflow(&mut self, source: &std::sync::Arc<Source>) {
        let Some(root) = yaml::read(source).0 else { return };
        let Some(root) = root.as_mapping() else { return };
        let choices = choices(root);
        let text = source.text();
        self.region = self.region.take().or_else(|| value(text, "aws-region:"));
        self.container = self.container.take().or_else(|| value(text, "container-name:"));
        let image = value(text, "ECR_REPOSITORY:").or_else(|| pushed(text));
        self.image = self.image.take().or(image);
        let jobs = root.get("jobs").and_then(Node::as_mapping);
        for job in jobs.map_or(&[][..], |it| &it.entries) {
            let Some(body) = job.value.as_mapping() else { continue };
            let range = job.value.span.range();
            self.job(&job.key.text, body, &text[range], &choices);
        }
    }

    fn job(&mut self, id: &str, body: &Mapping, text: &str, choices: &[String]) {
        let (name, url) = match body.get("environment") {
            Some(node) => match node.as_mapping() {
                Some(named) => {
                    let of = |key: &str| named.get(key).and_then(Node::as_str);
                    (of("name").map(str::to_owned), of("url").map(str::to_owned))
                }
                None => (node.as_str().map(str::to_owned), None),
            },
            None => (None, None),
        };
        let by_id = id.strip_prefix("deploy-").or_else(|| id.strip_prefix("deploy_"));
        let names: Vec<String> = match name {
            Some(name) if name.contains("${{") => choices.to_vec(),
            Some(name) => vec![name],
            None => by_id.map(str::to_owned).into_iter().collect(),
        };
        let asked = text.split_whitespace().find_map(|word| {
            let word = word.trim_matches(['"', '\'']);
            let rest = word.strip_prefix("https://").or_else(|| word.strip_prefix("http://"))?;
            let (host, path) = rest.split_once('/')?;
            let plain = !host.contains('$') && !path.is_empty() && text.contains("curl");
            plain.then(|| (format!("https://{host}"), format!("/{path}")))
        });
        let cluster = value(text, "cluster:").or_else(|| flag(text, "--cluster"));
        let service = value(text, "service:").or_else(|| flag(text, "--service"));
        let role = value(text, "role-to-assume:").filter(|it| it.starts_with("arn:"));
        for name in names {
            let filled = |text: &Option<String>| text.as_ref().and_then(|it| fill(it, &name));
            let at = self.environments.iter().position(|it| it.name == name);
            let at = at.unwrap_or_else(|| {
                let new = SeenEnvironment { name: name.clone(), ..SeenEnvironment::default() };
                self.environments.push(new);
                self.environments.len() - 1
            });
            let url = url.clone().filter(|it| !it.contains("${{"));
            let url = url.or_else(|| asked.as_ref().map(|(url, _)| url.clone()));
            let there = &mut self.environments[at];
            there.url = there.url.take().or(url);
            there.cluster = there.cluster.take().or_else(|| filled(&cluster));
            there.service = there.service.take().or_else(|| filled(&service));
            there.role = there.role.take().or_else(|| role.clone());
            let path = asked.as_ref().map(|(_, path)| path.clone());
            self.health = self.health.take().or(path);
        }
    }
}

/// From the least to what people see.
fn rank(name: &str) -> u8 {
    match name {
        it if it.starts_with("dev") => 0,
        it if it.starts_with("prod") => 3,
        it if it.starts_with("stag") => 2,
        _ => 1,
    }
}

/// The choices of the input `environment`.
fn choices(root: &Mapping) -> Vec<String> {
    let on = |node: &Node| node.as_mapping().cloned();
    let inputs =
        root.get("on").and_then(on).and_then(|it| it.get("workflow_dispatch").and_then(on));
    let inputs = inputs.and_then(|it| it.get("inputs").and_then(on));
    let options = inputs.and_then(|it| it.get("environment").and_then(on));
    let options =
        options.and_then(|it| it.get("options").and_then(Node::as_sequence).map(<[_]>::to_vec));
    options.into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect()
}

/// The value of the first line with this key.
fn value(text: &str, key: &str) -> Option<String> {
    let of = |line: &str| {
        let value = line.trim().trim_start_matches("- ").strip_prefix(key)?.trim();
        let value = value.trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_owned())
    };
    text.lines().find_map(of)
}

/// What stands behind a flag of a command.
fn flag(text: &str, flag: &str) -> Option<String> {
    let mut words = text.split_whitespace().skip_while(|it| *it != flag);
    words.nth(1).map(|it| it.trim_matches(['"', '\'']).to_owned())
}

/// `docker push .../NAME:TAG`
fn pushed(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.trim_start().starts_with("docker push"))?;
    let (_, rest) = line.rsplit_once('/')?;
    let name = rest.split([':', ' ']).next()?;
    let plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || "._-".contains(it);
    (!name.is_empty() && name.chars().all(plain)).then(|| name.to_owned())
}

/// The name of the environment in the place of the variables that people use for it; nothing where
/// others are left.
fn fill(text: &str, environment: &str) -> Option<String> {
    let variables = [
        "${{ env.ENV }}",
        "${{ inputs.environment }}",
        "${{ github.event.inputs.environment }}",
        "${{ env.ENVIRONMENT }}",
        "${ENV}",
        "$ENV",
    ];
    let filled = variables.iter().fold(text.to_owned(), |text, it| text.replace(it, environment));
    (!filled.contains('$')).then_some(filled)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_seeds_say_where_they_are_deployed() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/seeds");
        let mut said = String::new();
        for name in ["s0-deploy.yml", "s2-main.yml", "s4-deploy.yml"] {
            let text = std::fs::read_to_string(seeds.join(name)).expect("a seed");
            let mut cloud = Cloud::default();
            cloud.workflow(&Source::new(name, text));
            let (region, image) = (cloud.region, cloud.image);
            said += &format!("{name}: {region:?} {image:?} {:?}\n", cloud.health);
            for it in cloud.environments {
                said += &format!("  {} {:?} {:?} {:?}\n", it.name, it.url, it.cluster, it.service);
            }
        }
        expect![[r#"
            s0-deploy.yml: Some("eu-central-1") Some("sandbox-broker-api") Some("/v1/healthz")
              production Some("https://api.example.com") Some("sandbox-broker-cluster") Some("sandbox-broker-api")
            s2-main.yml: Some("us-east-1") Some("company-app") Some("/health")
              dev None Some("dev-cluster") Some("app-service")
              staging Some("https://staging.example.com") Some("staging-cluster") Some("app-service")
              production Some("https://app.example.com") Some("prod-cluster") Some("app-service")
            s4-deploy.yml: Some("us-west-2") None None
              dev None Some("conflicto-dev") Some("conflicto-backend-service-dev")
              staging None Some("conflicto-staging") Some("conflicto-backend-service-staging")
              prod None Some("conflicto-prod") Some("conflicto-backend-service-prod")
        "#]].assert_eq(&said);
    }
}
