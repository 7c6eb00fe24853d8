//! This machine as a target: what the settings say of it, bundles, and values that nobody else reads.

use std::collections::BTreeMap;
use std::path::Path;

use event::{Cause, Release, ServiceRequest};
use mask::{Masker, Secret};
use serde_json::Value as Json;
use settings::RunsAs;
use settings::{SecretReference, ServiceInEnvironment};
use target_host::{
    ContainerConfig, Folder, Health, HostConfig, HostTarget, PackOptions, Strategy, pack,
};

use super::shelves::Shelves;
use super::sources::{self, Sources, missing};
use super::{Shipped, Site, image};
use crate::exit::{Exit, Failure};
use crate::settings_file::{Found, read_env};

/// Where releases of an environment live.
fn folder(site: Site<'_>) -> Folder {
    Folder::new(site.state.host(site.project, site.environment))
}

pub(super) fn open(site: Site<'_>, found: Option<&Found>) -> Result<HostTarget, Failure> {
    let own = std::env::current_exe().map_err(|error| Failure::caused(Exit::Fault, error))?;
    let environment = site.environment.to_owned();
    let sources = found.map(|it| sources::of(it, &environment, site.state)).transpose()?;
    let sources = sources.unwrap_or_default();
    let mut masker = Masker::new();
    // What cannot be read now is said when it is needed.
    for value in sources.values().filter_map(|it| values(it).ok()).flatten() {
        masker.add(value.1.expose());
    }
    let values = move |request: &ServiceRequest| -> Result<BTreeMap<String, Secret>, Cause> {
        sources.get(&request.service).map_or_else(|| Ok(BTreeMap::new()), values)
    };
    let program = vec![own.into_os_string()];
    let registries = Box::new(Shelves::of(site, found));
    let target = HostTarget::new(folder(site), program, masker, Box::new(values));
    Ok(target.with_registries(registries))
}

/// What files and references say; a reference wins over every file.
fn values(sources: &Sources) -> Result<BTreeMap<String, Secret>, Cause> {
    let mut values = sources.of_files()?;
    for (name, reference) in &sources.secrets {
        values.insert(name.clone(), lookup(sources, reference).map_err(missing)?);
    }
    Ok(values)
}

/// What this machine can look up by itself: a file, and what is kept here.
fn lookup(sources: &Sources, reference: &SecretReference) -> Result<Secret, String> {
    match reference {
        SecretReference::File { path } => std::fs::read_to_string(sources.root.join(path))
            .map(|text| Secret::new(text.trim_end_matches('\n')))
            .map_err(|error| format!("the secret in {path} cannot be read: {error}")),
        SecretReference::Local { name } => sources.kept.get(name).cloned().ok_or_else(|| {
            format!("the secret {name} is not kept here: launchway secrets set {name} keeps it")
        }),
        SecretReference::SecretsManager { id: name, .. }
        | SecretReference::Ssm { name }
        | SecretReference::Kubernetes { secret: name, .. } => {
            Err(format!("the secret {name} cannot be looked up from here by this version"))
        }
    }
}

/// `ServiceRequest::config`: what everybody may read, and the names of what not.
pub(super) fn config(
    resolved: &ServiceInEnvironment,
    target: &settings::Host,
    found: &Found,
) -> Result<Json, Failure> {
    let service = &resolved.service;
    let ms =
        |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let env: BTreeMap<String, String> = service
        .env
        .iter()
        .map(|it| (it.name.value.to_string(), it.value.value.to_string()))
        .collect();
    let mut private: Vec<String> =
        service.secrets.iter().map(|it| it.name.value.to_string()).collect();
    for path in &service.settings {
        let path = found.root.join(&*path.value);
        let Some((file, _)) = read_env(&path)? else {
            return Err(Failure::new(Exit::Missing, format!("{} is not here", path.display()))
                .hint("its example says what it holds; launchway check compares them"));
        };
        private.extend(file.variables.iter().map(|it| it.name.value.to_string()));
    }
    private.retain(|name| !env.contains_key(name));
    private.sort();
    private.dedup();
    let health = service.health.as_ref().map(|health| Health {
        paths: health.paths.iter().map(|path| path.value.to_string()).collect(),
        settle_ms: ms(health.settle.value),
        within_ms: ms(health.within.value),
        timeout_ms: ms(health.timeout.value),
        every_ms: ms(health.every.value),
    });
    let strategy = match &resolved.strategy.value {
        settings::Strategy::Rolling => Strategy::Rolling,
        settings::Strategy::BlueGreen { bake } => Strategy::BlueGreen { bake_ms: ms(bake.value) },
        settings::Strategy::Canary { .. } => {
            return Err(Failure::new(Exit::Missing, "this version does no canary on this machine"));
        }
    };
    let config = HostConfig {
        listen: target.listen.value,
        test_listen: None,
        instances: target.instances.value,
        drain_ms: ms(target.drain.value),
        run: service.run.iter().map(|word| word.value.to_string()).collect(),
        env,
        private,
        health,
        strategy,
        user: target.user.as_ref().map(|user| user.value.to_string()),
        memory_bytes: target.memory_bytes.as_ref().map(|it| it.value),
        container: container(resolved, target)?,
    };
    Ok(serde_json::to_value(config).expect("it has text keys only"))
}

/// How an image of it runs; a service that never is one says nothing of it.
fn container(
    resolved: &ServiceInEnvironment,
    target: &settings::Host,
) -> Result<Option<ContainerConfig>, Failure> {
    let service = &resolved.service;
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    if target.runs_as == RunsAs::Process && service.build.is_none() && host.is_empty() {
        return Ok(None);
    }
    let socket = host.strip_prefix("unix://").map(Into::into);
    if !host.is_empty() && socket.is_none() && target.runs_as == RunsAs::Container {
        let message = format!("DOCKER_HOST is {host}, and containers of this target run here");
        return Err(Failure::new(Exit::Missing, message)
            .hint("unset it, or name a socket of this machine: DOCKER_HOST=unix:///PATH"));
    }
    let owns_command = service.owns.iter().any(|it| it.value == settings::Owned::Command);
    let command = service.run.iter().filter(|_| owns_command);
    let labels = [
        ("launchway.project", &resolved.project.value),
        ("launchway.environment", &resolved.environment.name.value),
    ];
    Ok(Some(ContainerConfig {
        port: u16::try_from(target.port.value).unwrap_or(u16::MAX),
        command: command.map(|it| it.value.to_string()).collect(),
        socket,
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_string())).into(),
    }))
}

/// Copies a bundle, written beside and renamed, so that nobody sees half of it. Its digest is checked by
/// whoever unpacks it.
pub(super) fn bring_bundle(from: Site<'_>, to: Site<'_>, digest: &str) -> Result<(), Failure> {
    let name = format!("{}.tar", digest.trim_start_matches("sha256:"));
    let (from, to) = (folder(from).bundles().join(&name), folder(to).bundles());
    if to.join(&name).exists() {
        return Ok(());
    }
    if !from.exists() {
        let message = format!("the bundle {digest} is not on this machine any more");
        return Err(Failure::new(Exit::Missing, message)
            .hint("four releases of an environment are kept; deploy it there once more"));
    }
    let beside = to.join(format!("{name}.{}", std::process::id()));
    let copied = std::fs::create_dir_all(&to)
        .and_then(|()| std::fs::copy(&from, &beside))
        .and_then(|_| std::fs::rename(&beside, to.join(&name)));
    copied.map_err(|error| {
        let error = anyhow::Error::new(error).context(format!("cannot copy {}", from.display()));
        Failure::caused(Exit::Missing, error)
    })
}

/// Packs what lies here; the digest names it.
pub(super) fn release(
    resolved: &ServiceInEnvironment,
    found: &Found,
    site: Site<'_>,
    shipped: &Shipped<'_>,
) -> Result<Release, Failure> {
    if shipped.image.is_some() {
        let release = image::release(resolved, shipped)?;
        if release.location.is_none() {
            let name = &resolved.service.name.value;
            let message = format!("nothing says where the image of {name} comes from");
            return Err(Failure::new(Exit::Usage, message)
                .hint(format!("--image {name}=REPOSITORY@{}", release.digest)));
        }
        return Ok(release);
    }
    if let (settings::Target::Host(target), true) = (&resolved.target, shipped.from.is_some())
        && target.runs_as == RunsAs::Container
    {
        let name = &resolved.service.name.value;
        let message = format!("{name} runs as containers, and --from ships files");
        return Err(Failure::new(Exit::Usage, message)
            .hint(format!("--image {name}=REPOSITORY@sha256:..., or `as: process`")));
    }
    let bundle = &resolved.service.bundle;
    let texts = |texts: &[settings::Text]| texts.iter().map(|it| it.value.to_string()).collect();
    let own = found.root.join(&*bundle.path.value);
    let folder_of = shipped.from.map_or(own, Path::to_path_buf);
    let options = PackOptions {
        folder: folder_of,
        include: texts(&bundle.include),
        exclude: texts(&bundle.exclude),
        limit_bytes: bundle.limit_bytes.value,
    };
    let packed = pack(&options, &folder(site).bundles()).map_err(|error| {
        let context = format!("{} cannot be packed", resolved.service.name.value);
        Failure::caused(Exit::Refused, anyhow::Error::new(error).context(context))
            .hint("`bundle` of the settings says which files belong to it")
    })?;
    Ok(Release {
        version: shipped.version.into(),
        digest: packed.digest.into(),
        location: None,
        commit: shipped.commit.map(Into::into),
    })
}
