//! A job's own container (conformance 155 to 158): made before its first step, and gone after its last.
//!
//! Steps run in it, each as a process outside that stands for one inside (`docker::Inside`), so that a
//! step is heard, ended and counted as any other. What is ours stays outside: native versions of actions,
//! scripts of the machine's owner, file commands; the paths that they are given are translated.
//!
//! The container's first process reads its standard input, which the worker holds: a worker that ends,
//! however that comes about, leaves no container behind.

mod mounts;
mod services;

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use docker::{Engine, EngineError, Inside, JOB_LABEL as LABEL, Starter, Wait, Wanted};
use expr::{Object, Value};
use protocol::{JobSpec, JobUser};
use sequencer::{ActionHome, Effects};
use serde_json::{Value as Json, json};

pub(crate) use self::mounts::Mounts;
use self::mounts::{Given, Tools};
use crate::bounds;
use crate::native;
use crate::node::Nodes;
use crate::process::CommandLine;
use crate::setup::{Actions, Folders, SetupError};

/// Docker's own network, which is there: making one, and putting a container on it, takes more than half as long
/// as all else of a start. Who is on it can be reached from other containers, as a job without a container can from
/// the whole machine.
const SHARED_NETWORK: &str = "bridge";

/// A network that nobody was on for so long is nobody's: its job was killed.
const STALE: &str = "10m";

/// A pull that failed is tried again this often (conformance 161).
const PULLS_MAX: usize = 3;

/// What a container has of the machine's environment: how the network is reached, and tokens.
const PASSED_IN: &[&str] = &[
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// A job's container that runs.
#[derive(Debug)]
pub(crate) struct Container {
    engine: Engine,
    id: String,
    network: String,
    pub(crate) mounts: Mounts,
    /// The lowest layer of the steps' environment.
    pub(crate) env: BTreeMap<String, String>,
    /// The job's tracking id, by which the engine finds what is its.
    job: String,
    /// Nodes of this machine by their place here.
    nodes: BTreeMap<PathBuf, String>,
    /// The folder of what begins programs in it; none where the engine does.
    starter: Option<PathBuf>,
    /// Dropped, the container ends.
    held: Option<docker::Held>,
}

/// What a container is made for.
pub(crate) struct Setting<'a> {
    pub(crate) spec: &'a JobSpec,
    pub(crate) folders: &'a Folders,
    pub(crate) host: &'a BTreeMap<String, String>,
    pub(crate) nodes: &'a Nodes,
    /// Where git keeps what checkout borrows.
    pub(crate) borrowed: Vec<PathBuf>,
    /// Whether containers come beside it.
    pub(crate) has_services: bool,
}

/// Who is told what takes time, and waits meanwhile.
pub(crate) struct Meanwhile<'a, 'w> {
    pub(crate) say: &'a mut dyn FnMut(&str),
    /// Also heeds who tells the job to stop.
    pub(crate) wait: &'a mut Wait<'w>,
}

impl Container {
    /// Makes it and starts it.
    pub(crate) fn start(
        wanted: Wanted,
        setting: &Setting<'_>,
        meanwhile: &mut Meanwhile<'_, '_>,
    ) -> Result<Container, SetupError> {
        let spec = setting.spec;
        refuse_beyond("container", &wanted, spec)?;
        let engine = Engine::of(None).map_err(SetupError::Refused)?;
        let failed = |action: &str| {
            let action = action.to_owned();
            move |source: EngineError| SetupError::Container { action, source }
        };
        bring(&engine, &wanted, meanwhile)?;

        let (mut mounts, nodes) = mounts(setting);
        for folder in &setting.borrowed {
            mounts.show(folder, &folder.to_string_lossy());
        }
        // Where there can be none, the engine begins the steps.
        let starter = Starter::make(&Path::new(&*spec.paths.job).join("starter")).ok();
        starter.iter().for_each(|starter| mounts.show(&starter.shown(), docker::SHOWN));
        mounts.make_points().map_err(|source| SetupError::Folder {
            action: "cannot make places for a container in",
            path: setting.folders.runner_workspace.clone(),
            source,
        })?;
        let name = format!("launchway-{}", spec.tracking_id);
        let labels = json!({ LABEL: &*spec.tracking_id });
        let network = if needs_network(&wanted, setting)
            || !engine.has_network(SHARED_NETWORK).unwrap_or(false)
        {
            engine.make_network(&name, &labels).map_err(failed("the job's network"))?
        } else {
            SHARED_NETWORK.to_owned()
        };
        let body = body(&wanted, setting, &mounts, &network);
        let mut container = Container {
            id: String::new(),
            job: spec.tracking_id.to_string(),
            network,
            mounts,
            env: BTreeMap::new(),
            nodes,
            starter: None,
            held: None,
            engine,
        };
        let started = container.begin(wanted.name.as_deref().unwrap_or(&name), &body, starter);
        if let Err(error) = started {
            container.end();
            return Err(failed("the job's container")(error));
        }
        container.env.extend([("HOME".to_owned(), mounts::HOME.to_owned())]);
        let passed = PASSED_IN.iter().filter_map(|name| setting.host.get_key_value(*name));
        for (name, value) in passed {
            // What the image or the workflow says comes first.
            container.env.entry(name.clone()).or_insert_with(|| value.clone());
        }
        (meanwhile.say)(&format!("Container {} of {}", short(&container.id), wanted.image));
        Ok(container)
    }

    fn begin(
        &mut self,
        name: &str,
        body: &Json,
        starter: Option<Starter>,
    ) -> Result<(), EngineError> {
        self.id = self.engine.make(name, body)?;
        self.held = Some(self.engine.hold(&self.id)?);
        self.engine.start(&self.id)?;
        let surroundings = self.engine.surroundings(&self.id)?;
        let starter = starter.filter(|_| surroundings.is_roots);
        self.starter = starter.and_then(|mut it| it.is_up().map(Path::to_owned));
        self.env = surroundings.env.into_iter().collect();
        Ok(())
    }

    /// `job.container`
    pub(crate) fn context(&self) -> Value {
        let mut context = Object::new();
        context.insert("id", self.id.as_str());
        context.insert("network", self.network.as_str());
        Value::from(context)
    }

    /// A command line of the container as one of this machine that stands for it.
    pub(crate) fn stand_for(&self, inside: ContainerLine, number: u64) -> CommandLine {
        let folder = self.mounts.inside(&self.temp());
        let pid_file = format!("_pid_{number:08}");
        // Whoever the container's programs are writes his number there. Where that cannot be, he says so in the log, and no
        // signal reaches him.
        let _ = make_for_everybody(&self.temp().join(&pid_file));
        let inside_line = Inside {
            socket: self.engine.socket().to_owned(),
            container: self.id.clone(),
            directory: inside.directory,
            pid_file: format!("{folder}/{pid_file}"),
            starter: self.starter.clone(),
            command: inside.command,
        };
        let mut arguments = vec!["inside".to_owned()];
        arguments.extend(inside_line.arguments());
        let env = serde_json::to_vec(&inside.env).expect("texts are JSON");
        CommandLine {
            program: native::program(),
            arguments,
            env: BTreeMap::new(),
            directory: PathBuf::from("/"),
            input: Some(env),
        }
    }

    /// Says where actions are, as the container sees it.
    pub(crate) fn place(&self, actions: &mut Actions) {
        for action in actions.values_mut() {
            if let ActionHome::Folder(folder) = &mut action.home {
                *folder = self.mounts.inside(Path::new(&**folder)).into();
            }
        }
    }

    /// What was said here, with the container's paths.
    pub(crate) fn translate(&self, effects: &mut Effects) {
        let pairs = [&mut effects.outputs, &mut effects.env, &mut effects.state];
        for (_, value) in pairs.into_iter().flatten() {
            *value = self.mounts.text_inside(value);
        }
        effects.path.iter_mut().for_each(|path| *path = self.mounts.text_inside(path));
    }

    fn temp(&self) -> PathBuf {
        self.mounts.here("/__w/_temp").expect("it is mounted")
    }

    /// Where a Node of this machine is in the container.
    pub(crate) fn node(&self, here: &Path) -> Option<&str> {
        self.nodes.get(here).map(String::as_str)
    }

    /// Takes it away, with its services and their network.
    pub(crate) fn end(mut self) {
        self.held = None;
        // By its label: what the engine made without saying so is found, too. Where the engine does not let go
        // of something, that stays, and bears the label.
        let _ = self.engine.remove_labelled(LABEL, &self.job);
        // Those of jobs that were killed; one that is in use is left alone.
        let _ = self.engine.prune_networks(LABEL, STALE);
    }

    /// What the container's root made in the job's folders, and in the tools that jobs share, becomes his whose the code
    /// is that works on it outside. The error is what the log says.
    pub(crate) fn give_to(&self, user: &JobUser, wait: &mut Wait<'_>) -> Result<(), String> {
        self.give(Given::All, (user.id, user.group), Some(wait))
    }

    /// After the last step it becomes theirs who work on it next: the tools the jobs' user's, who could not change them
    /// otherwise; where the jobs are nobody's but ours, all of it ours, because whoever is not root could not remove
    /// it. The error is what the log says.
    pub(crate) fn give_back(&self, jobs: Option<&JobUser>) -> Result<(), String> {
        let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
        match jobs {
            Some(jobs) => self.give(Given::Tools, (jobs.id, jobs.group), None),
            None if user.is_root() => Ok(()),
            None => self.give(Given::All, (user.as_raw(), group.as_raw()), None),
        }
    }

    fn give(
        &self,
        folders: Given,
        owner: (u32, u32),
        wait: Option<&mut Wait<'_>>,
    ) -> Result<(), String> {
        let Some(command) = self.mounts.give(folders, owner) else { return Ok(()) };
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let why = match self.engine.run(&self.id, &command, wait) {
            Ok(0) => return Ok(()),
            // Who says so knows.
            Err(EngineError::Stopped) => return Ok(()),
            Ok(code) => format!("find and chown end with exit code {code} in the container"),
            Err(error) => error.to_string(),
        };
        Err(format!(
            "what the container's root made may stay its own, and be out of reach of others: {why} (docs/containers.md)"
        ))
    }
}

/// A command line of the container.
#[derive(Debug)]
pub(crate) struct ContainerLine {
    pub(crate) command: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) directory: String,
}

/// Whether the job has a network of its own (conformance 156): where nobody else may reach it, where somebody
/// else is on it, and where its steps can bring somebody there, because the engine's socket, or more, was given
/// to them.
fn needs_network(wanted: &Wanted, setting: &Setting<'_>) -> bool {
    setting.spec.options.walls.is_some() || setting.has_services || !wanted.beyond.is_empty()
}

fn mounts(setting: &Setting<'_>) -> (Mounts, BTreeMap<PathBuf, String>) {
    let actions = Path::new(&*setting.spec.paths.actions);
    let is_outside = setting.spec.options.walls.as_ref().is_some_and(|walls| walls.outside);
    let tools = if is_outside { Tools::Readable } else { Tools::Changeable };
    let mut mounts = Mounts::of(setting.folders, actions, tools);
    let mut nodes = BTreeMap::new();
    for (program, major) in setting.nodes.programs() {
        let real = program.canonicalize().unwrap_or_else(|_| program.to_owned());
        nodes.insert(program.to_owned(), mounts.show_node(&real, major));
    }
    (mounts, nodes)
}

fn body(wanted: &Wanted, setting: &Setting<'_>, mounts: &Mounts, network: &str) -> Json {
    let mut body = wanted.body.clone();
    body["Entrypoint"] = json!(Starter::first_process());
    body["Cmd"] = json!([]);
    body["OpenStdin"] = true.into();
    body["AttachStdin"] = true.into();
    body["StdinOnce"] = true.into();
    body["WorkingDir"] = mounts.inside(&setting.folders.workspace).into();
    body["Labels"][LABEL] = (&*setting.spec.tracking_id).into();
    let config = &mut body["HostConfig"];
    config["AutoRemove"] = true.into();
    config["NetworkMode"] = network.into();
    let mut binds: Vec<Json> = mounts.binds().map(Json::from).collect();
    binds.extend(config["Binds"].as_array().into_iter().flatten().cloned());
    config["Binds"] = binds.into();
    keep_in(&mut body, setting.spec);
    bounds::of_containers(setting.spec).hold(&mut body);
    body
}

/// In a job that is kept in, root of a container makes no device that the machine sees in shared folders.
fn keep_in(body: &mut Json, spec: &JobSpec) {
    if spec.options.walls.is_some() {
        let dropped = &mut body["HostConfig"]["CapDrop"];
        let mut all = dropped.as_array().cloned().unwrap_or_default();
        all.push("MKNOD".into());
        *dropped = all.into();
    }
}

/// Where a job is kept in, its containers are.
fn refuse_beyond(what: &str, wanted: &Wanted, spec: &JobSpec) -> Result<(), SetupError> {
    if spec.options.walls.is_none() || wanted.beyond.is_empty() {
        return Ok(());
    }
    Err(SetupError::Refused(format!(
        "{what}: {} reaches beyond the container, which only jobs with a trusted label may \
         (docs/containers.md)",
        wanted.beyond.join(", ")
    )))
}

/// Has the image here. Whether the engine answers at all shows here, too.
fn bring(
    engine: &Engine,
    wanted: &Wanted,
    meanwhile: &mut Meanwhile<'_, '_>,
) -> Result<(), SetupError> {
    let failed = |source: EngineError| {
        let action = match source {
            EngineError::Unanswered { .. } | EngineError::Closed(_) => {
                "the job runs in a container, which needs Docker".to_owned()
            }
            _ => format!("the image {}", wanted.image),
        };
        SetupError::Container { action, source }
    };
    if engine.has_image(&wanted.image).map_err(failed)? {
        return Ok(());
    }
    (meanwhile.say)(&format!("Pulling {}", wanted.image));
    let mut tries = 0;
    loop {
        tries += 1;
        match engine.pull_image(&wanted.image, wanted.login.as_ref(), meanwhile.wait) {
            Ok(()) => return Ok(()),
            Err(error @ EngineError::Stopped) => return Err(failed(error)),
            Err(error) if tries == PULLS_MAX || error.is_absent() => return Err(failed(error)),
            Err(error) => (meanwhile.say)(&format!("{error}; once more")),
        }
    }
}

/// An empty file, where nothing is: no link that somebody put there is followed.
fn make_for_everybody(path: &Path) -> std::io::Result<()> {
    let file = File::options().write(true).create_new(true).open(path)?;
    file.set_permissions(Permissions::from_mode(0o666))
}

/// What people read of an id.
fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
