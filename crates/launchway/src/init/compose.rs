//! `launchway.yml` for what was seen, with a word on each line that is not plain.

use std::fmt::Write as _;

use super::cloud::{Cloud, SeenEnvironment};
use super::look::{Run, SeenService, Variables};

/// The first port of this machine that a service is given.
const FIRST_PORT: u16 = 8080;

/// What the settings are made of.
pub(crate) struct Seen {
    pub(crate) project: String,
    pub(crate) services: Vec<SeenService>,
    pub(crate) cloud: Cloud,
    /// Files of variables that are there already.
    pub(crate) variables: Option<Variables>,
    /// The folder of Terraform.
    pub(crate) terraform: Option<String>,
    /// Workflows that begin deployments are written too: they run on machines that share nothing.
    pub(crate) has_workflows: bool,
}

impl Seen {
    /// Whether services go to ECS.
    pub(crate) fn is_on_ecs(&self) -> bool {
        self.cloud.has_ecs() && self.services.iter().any(|it| it.dockerfile.is_some())
    }

    /// The environments that are written: those that workflows name, else two of this machine.
    pub(crate) fn environments(&self) -> Vec<SeenEnvironment> {
        let is_whole = |it: &&SeenEnvironment| it.cluster.is_some() && it.service.is_some();
        if self.is_on_ecs() {
            return self.cloud.environments.iter().filter(is_whole).cloned().collect();
        }
        let named = |name: &str| SeenEnvironment { name: name.to_owned(), ..Default::default() };
        match &self.variables {
            Some(there) => there.environments.iter().map(|it| named(it)).collect(),
            None => vec![named("staging"), named("production")],
        }
    }
}

/// The whole file.
pub(crate) fn settings(seen: &Seen) -> String {
    let mut text = "# What is shipped, where to, and what must be so before and after. `launchway check` finds mistakes,\n\
        # `launchway settings show` says what is in force, defaults included; `launchway init` wrote this.\n\
        version: 1\n".to_owned();
    let _ = writeln!(text, "project: {}", seen.project);
    if seen.has_workflows && seen.is_on_ecs() {
        text += "# A guess: a bucket for what was decided and done. Jobs run on machines that share nothing else.\n";
        let _ = writeln!(text, "journal: s3://{}-journal/launchway", seen.project);
        text += "# Jobs ask that bucket with a role of its own, or with that of an environment:\n";
        text += "# journal_credentials: { assume: \"arn:aws:iam::111122223333:role/NAME\" }\n";
    } else if seen.is_on_ecs() {
        text += "# What was deployed is written down on this machine, and no other one deploys. Where others do, it is a\n\
            # bucket that they share: s3://BUCKET/PREFIX (docs/shared-journal.md).\njournal: alone\n";
    }
    text += "\nservices:\n";
    for service in &seen.services {
        text += &service_lines(seen, service);
    }
    text += "\nenvironments:\n";
    let environments = seen.environments();
    for (at, environment) in environments.iter().enumerate() {
        let below = at.checked_sub(1).map(|it| environments[it].name.as_str());
        text += &environment_lines(seen, environment, below, at);
    }
    text
}

fn service_lines(seen: &Seen, service: &SeenService) -> String {
    let mut text = format!("  {}:\n", service.name);
    if let Some(dockerfile) = &service.dockerfile {
        text += "    # `launchway build` makes its image of this.\n";
        let usual = super::look::join(&service.folder, "Dockerfile");
        let more = if *dockerfile == usual {
            String::new()
        } else {
            format!(", dockerfile: {dockerfile}")
        };
        let _ = writeln!(text, "    build: {{ context: {}{more} }}", service.folder);
        if let Some(image) = seen.cloud.image.as_ref().filter(|_| seen.is_on_ecs()) {
            text += "    # The repository that the workflows push to.\n";
            let _ = writeln!(text, "    image: {image}");
        }
    }
    if !seen.is_on_ecs() {
        if service.folder != "." {
            let _ = writeln!(text, "    bundle: {}", service.folder);
        }
        if let Some(Run { words, because, guessed }) = &service.run {
            let guess = if *guessed { "A guess: " } else { "" };
            let _ = writeln!(text, "    # {guess}{because}.");
            let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            let _ = writeln!(text, "    run: [{}]", words.join(", "));
        }
    }
    if !seen.is_on_ecs() || seen.environments().iter().all(|it| it.url.is_some()) {
        text += &health_lines(seen, service, "    ");
    }
    if let Some(migrate) = &service.migrate {
        text += "    # Once for each release, before it starts (alembic.ini).\n";
        let _ = writeln!(text, "    migrate: {{ run: [{}] }}", migrate.join(", "));
    }
    if let Some(there) = &seen.variables {
        text += "    # Variables, as they are written there.\n";
        let _ = writeln!(text, "    settings: \"{}\"", there.pattern);
    } else if service.example.is_some() {
        text += "    # Variables; the example beside each says which.\n";
        text += "    settings: \"settings/{env}.env\"\n";
    }
    text
}

/// A new version counts once it has been well for a while.
fn health_lines(seen: &Seen, service: &SeenService, indent: &str) -> String {
    let asked = seen.cloud.health.as_ref().filter(|_| seen.is_on_ecs());
    let (path, said) = match asked.or(service.health.as_ref()) {
        Some(path) => (path.as_str(), "A new version counts once this has been well for so long."),
        None => ("/", "A guess: no path was found that says whether it is well."),
    };
    let settle = if seen.is_on_ecs() { "30s" } else { "2s" };
    format!("{indent}# {said}\n{indent}health: {{ paths: [{path}], settle: {settle} }}\n")
}

fn environment_lines(
    seen: &Seen,
    environment: &SeenEnvironment,
    below: Option<&str>,
    at: usize,
) -> String {
    let mut text = format!("  {}:\n", environment.name);
    text += "    # A person starts every deployment; at level 5 a push may.\n    level: 4\n";
    if let Some(below) = below {
        text += "    # Only what ran well there, the very same digest: launchway promote\n";
        let _ = writeln!(text, "    deploy: {{ promote: {below} }}");
    }
    if environment.name.starts_with("prod") {
        text += "    # Whoever starts it types this word.\n    protect: { confirm: DEPLOY }\n";
    }
    if !seen.is_on_ecs() {
        return text + &host_lines(seen, at);
    }
    if let Some(url) = &environment.url {
        let _ = writeln!(text, "    url: {url}");
        if seen.environments().iter().any(|it| it.url.is_none()) {
            text += "    services:\n";
            for service in &seen.services {
                let _ = writeln!(text, "      {}:", service.name);
                text += &health_lines(seen, service, "        ");
            }
        }
    }
    let region = seen.cloud.region.clone();
    match region {
        Some(region) => {
            let _ = writeln!(text, "    region: {region}");
        }
        None => text += "    # A guess: no workflow names one.\n    region: us-east-1\n",
    }
    if let Some(role) = &environment.role {
        if let Some(account) = role.split(':').nth(4).filter(|it| it.len() == 12) {
            text += "    # With credentials of another account nothing is touched.\n";
            let _ = writeln!(text, "    account: \"{account}\"");
        }
        let _ = writeln!(text, "    credentials: {{ assume: \"{role}\" }}");
    }
    if environment.role.is_none() && seen.has_workflows {
        text += "    # Jobs sign in without a stored key, for a role that `launchway environments iam` writes:\n";
        text += "    # credentials: { assume: \"arn:aws:iam::111122223333:role/NAME\" }\n";
    }
    let (cluster, service) = (&environment.cluster, &environment.service);
    let (cluster, service) = (cluster.as_deref().unwrap_or(""), service.as_deref().unwrap_or(""));
    let container = seen.cloud.container.as_ref();
    let container = container.map_or(String::new(), |it| format!(", container: {it}"));
    if environment.guessed {
        text += "    # A guess: where its services run.\n";
    }
    let _ = writeln!(
        text,
        "    targets: {{ ecs: {{ cluster: {cluster}, service: {service}{container} }} }}"
    );
    text
}

/// Each service has a port of its own in each environment.
fn host_lines(seen: &Seen, at: usize) -> String {
    let count = u16::try_from(seen.services.len()).unwrap_or(u16::MAX);
    let port = |number: usize| {
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        let block = u16::try_from(at).unwrap_or(u16::MAX).saturating_mul(count);
        FIRST_PORT.saturating_add(block).saturating_add(number)
    };
    if seen.services.len() == 1 {
        return format!(
            "    # This machine, behind Launchway's own proxy.\n    targets: {{ host: 127.0.0.1:{} }}\n",
            port(0)
        );
    }
    let mut text = "    # This machine, behind Launchway's own proxy.\n    services:\n".to_owned();
    for (number, service) in seen.services.iter().enumerate() {
        let _ = writeln!(
            text,
            "      {}: {{ targets: {{ host: 127.0.0.1:{} }} }}",
            service.name,
            port(number)
        );
    }
    text
}

/// A word of a list in YAML.
fn quoted(word: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || "._/-".contains(it);
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('-') {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "''"))
}
