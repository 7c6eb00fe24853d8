//! A deed as a command line: the program that is found, the script that is written, the
//! environment it has.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::{JobSpec, JobUser};
use sandbox::Hands;
use sequencer::{ActionStage, Deed, DeedBody, Program, Shell};

use crate::bounds::Bounds;
use crate::container::{Container, ContainerLine};
use crate::environment;
use crate::hash::Workspace;
use crate::native;
use crate::node::Nodes;
use crate::orphans::TRACKING_VARIABLE;
use crate::packages::{self, Places};
use crate::process::{CommandLine, Process, find_program};
use crate::setup::{Actions, Folders, SetupError, text};
use crate::shared::SharedFolder;
use crate::user;
use crate::walls::{Walls, Who, natives_file, stand_in};

/// What command lines are made from.
#[derive(Debug)]
pub(crate) struct Workbench<'a> {
    pub(crate) spec: &'a JobSpec,
    pub(crate) folders: Folders,
    /// The lowest layer of the environment.
    pub(crate) host: BTreeMap<String, String>,
    /// What expressions see of the disk.
    pub(crate) workspace: Workspace,
    /// Found at set-up, where an action needs them.
    pub(crate) nodes: Nodes,
    /// Made at set-up, where the job is kept in.
    pub(crate) walls: Option<Walls>,
    /// Made at set-up, where what the job takes is limited.
    pub(crate) bounds: Option<Bounds>,
    /// Started at set-up, where the steps run in one.
    pub(crate) container: Option<Container>,
    /// Where scripts are written; there from set-up on.
    pub(crate) temp: Option<Arc<SharedFolder>>,
}

/// A command line, and how the log shows what runs it.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) line: CommandLine,
    /// Who that is, to the walls of its job.
    pub(crate) who: Who,
    /// `/usr/bin/bash -e {0}`, for scripts.
    pub(crate) shell: Option<String>,
    /// What its log should say before it runs: whether that is a warning, and what.
    pub(crate) notes: Vec<(bool, String)>,
}

impl<'a> Workbench<'a> {
    /// Before set-up: nothing is made or found yet.
    pub(crate) fn new(
        spec: &'a JobSpec,
        folders: Folders,
        host: BTreeMap<String, String>,
    ) -> Workbench<'a> {
        let workspace = Workspace { root: folders.workspace.clone(), hands: Hands::default() };
        let nodes = Nodes::default();
        Workbench {
            spec,
            folders,
            host,
            workspace,
            nodes,
            walls: None,
            bounds: None,
            container: None,
            temp: None,
        }
    }

    /// Makes the folders, the walls around them, and within these what keeps installed packages in them.
    pub(crate) fn settle(&mut self) -> Result<(), SetupError> {
        user::make_folders(self.spec)?;
        let temp = SharedFolder::open(&self.folders.temp).map_err(|source| SetupError::Folder {
            action: "cannot open the folder",
            path: self.folders.temp.clone(),
            source,
        })?;
        self.temp = Some(Arc::new(temp));
        self.bounds = Bounds::around(self.spec)?;
        self.raise_walls()?;
        self.furnish()
    }

    fn raise_walls(&mut self) -> Result<(), SetupError> {
        let Some(wanted) = &self.spec.options.walls else { return Ok(()) };
        // What others can see of `/tmp` is what a job writes there by that name.
        self.host.insert("TMPDIR".to_owned(), text(&self.folders.temp));
        let walls = Walls::around(self.spec, &self.host, wanted).map_err(SetupError::Walls)?;
        self.workspace.hands = walls.hands.clone();
        self.walls = Some(walls);
        Ok(())
    }

    /// Lays into the job's folders what steps find there, as they could.
    fn furnish(&mut self) -> Result<(), SetupError> {
        let user = self.user().cloned();
        let (folders, payload) = (self.folders.clone(), self.spec.payload.clone());
        let paths = &self.spec.paths;
        let own = Path::new(&*paths.job).join("packages");
        let downloads = PathBuf::from(&*paths.downloads);
        let repository = PathBuf::from(&*paths.repository);
        let mut host = std::mem::take(&mut self.host);
        let furnished = self.hands().have(move || {
            folders.create(&payload)?;
            if let Some(user) = user {
                user::furnish(&user, &repository, &folders.home, &mut host)?;
            }
            let places = Places { own: &own, home: &folders.home, downloads: &downloads };
            let settled = packages::settle(&places, &mut host);
            settled.map(|()| host).map_err(|source| SetupError::Folder {
                action: "cannot make folders for packages in",
                path: own,
                source,
            })
        });
        self.host = furnished?;
        Ok(())
    }

    /// Whose its processes are, where they are not the worker's own user's.
    pub(crate) fn user(&self) -> Option<&JobUser> {
        self.spec.options.walls.as_ref()?.user.as_ref()
    }

    /// Who touches what steps may have changed.
    pub(crate) fn hands(&self) -> &Hands {
        &self.workspace.hands
    }

    /// Starts a process, behind walls where the job has them, and within its bounds.
    pub(crate) fn start(&self, prepared: &Prepared) -> io::Result<Process> {
        let start = || match &self.walls {
            Some(walls) => walls.start(prepared.who, &prepared.line),
            None if prepared.who == Who::StandIn => stand_in(&prepared.line),
            None => Process::start(&prepared.line),
        };
        let process = match prepared.who {
            // It holds what the engine keeps within bounds, and has to live to hear of its end.
            Who::StandIn => start()?,
            Who::Step | Who::Native => self.within_bounds(start)?,
        };
        process.goes_first();
        Ok(process)
    }

    /// Does something that starts a process of the job.
    pub(crate) fn within_bounds<T>(&self, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match &self.bounds {
            Some(bounds) => bounds.within(start),
            None => start(),
        }
    }

    /// Looks for Node, if one of these actions needs it.
    pub(crate) fn find_node(&mut self, actions: &Actions) -> Result<(), SetupError> {
        let path = self.host.get("PATH").map_or("", String::as_str);
        self.nodes.find(actions, path)
    }

    /// Finds the program and writes the script. The error is what the step's log says.
    pub(crate) fn prepare(&mut self, deed: &Deed) -> Result<Prepared, String> {
        let runs_here = self.container.is_none() || stays_outside(deed);
        let mut env = match &self.container {
            Some(container) if runs_here => self.env_outside(deed, container),
            Some(container) => environment::lay_over(&container.env, &deed.env, &deed.path),
            None => environment::lay_over(&self.host, &deed.env, &deed.path),
        };
        // Not to be overridden by `env:`, or nobody would find the process again; a script may
        // still change it to detach what it starts (conformance 116).
        env.insert(TRACKING_VARIABLE.to_owned(), self.spec.tracking_id.to_string());
        match &deed.body {
            DeedBody::Script { shell, script, directory } if runs_here => {
                self.script(deed, env, shell, script, directory.as_deref())
            }
            DeedBody::Script { shell, script, directory } => {
                self.contained_script(deed, env, shell, script, directory.as_deref())
            }
            DeedBody::Action { stage, program } => {
                let title = &*deed.shown.title;
                let name = title.strip_prefix("Run ").unwrap_or(title);
                self.action(deed.number, env, name, *stage, program)
            }
            DeedBody::ReadAction { uses } => Err(format!("{uses} is read, not run")),
        }
    }

    /// The environment of what runs here for a job in a container: its paths are those of this machine.
    fn env_outside(&self, deed: &Deed, container: &Container) -> BTreeMap<String, String> {
        let here =
            |(name, value): (&String, &String)| (name.clone(), container.mounts.text_here(value));
        let env = deed.env.iter().map(here).collect();
        // What steps put before PATH is the container's.
        environment::lay_over(&self.host, &env, &[])
    }

    fn contained_script(
        &self,
        deed: &Deed,
        env: BTreeMap<String, String>,
        shell: &Shell,
        script: &str,
        directory: Option<&str>,
    ) -> Result<Prepared, String> {
        let container = self.container.as_ref().expect("the step runs in one");
        let file = self.write_script(deed, shell, script)?;
        let workspace = container.mounts.inside(&self.folders.workspace);
        let directory = match directory {
            Some(path) if path.starts_with('/') => path.to_owned(),
            Some(path) => format!("{workspace}/{path}"),
            None => workspace,
        };
        let (mounts, asked) = (container.mounts.clone(), directory.clone());
        if self.hands().have(move || mounts.lacks_folder(&asked)) {
            return Err(no_directory(&shell.program, &directory));
        }
        let mut command = vec![shell.program.clone()];
        command.extend(shell.arguments_for(&container.mounts.inside(&file)));
        let shown = shell.line.clone();
        let line = container.stand_for(ContainerLine { command, env, directory }, deed.number);
        Ok(Prepared { line, who: Who::StandIn, shell: Some(shown), notes: Vec::new() })
    }

    fn write_script(&self, deed: &Deed, shell: &Shell, script: &str) -> Result<PathBuf, String> {
        let name = format!("step_{:08}{}", deed.number, shell.extension);
        let folder = Arc::clone(self.temp.as_ref().expect("no step runs before set-up"));
        let (file, text) = (self.folders.temp.join(&name), shell.script(script));
        // Whoever runs it has it.
        let written = self.hands().have(move || folder.make(&name)?.write_all(text.as_bytes()));
        written.map_err(|error| {
            format!("the script '{}' cannot be written: {error}", file.display())
        })?;
        Ok(file)
    }

    fn script(
        &self,
        deed: &Deed,
        env: BTreeMap<String, String>,
        shell: &Shell,
        script: &str,
        directory: Option<&str>,
    ) -> Result<Prepared, String> {
        let workspace = &self.folders.workspace;
        let directory = directory.map_or_else(|| workspace.clone(), |it| workspace.join(it));
        let path = env.get("PATH").cloned().unwrap_or_default();
        let (asked, workspace) = (directory.clone(), workspace.clone());
        let shells = [Some(shell.program.clone()), shell.fallback.clone()];
        // As the step will see them.
        let (program, is_there) = self.hands().have(move || {
            let mut shells = shells.iter().flatten();
            let program = shells.find_map(|name| find_program(name, &path, &workspace));
            (program, asked.is_dir())
        });
        let program = program
            .ok_or_else(|| format!("the shell '{}' was not found on PATH", shell.program))?;
        if !is_there {
            return Err(no_directory(&text(&program), &text(&directory)));
        }
        let file = self.write_script(deed, shell, script)?;
        let shown = format!("{} {}", program.display(), shell.arguments.join(" "));
        let arguments = shell.arguments_for(&file.to_string_lossy());
        let line = CommandLine { program, arguments, env, directory, input: None };
        Ok(Prepared { line, who: Who::Step, shell: Some(shown), notes: Vec::new() })
    }

    fn action(
        &mut self,
        number: u64,
        mut env: BTreeMap<String, String>,
        name: &str,
        stage: ActionStage,
        program: &Program,
    ) -> Result<Prepared, String> {
        let mut directory = self.folders.workspace.clone();
        let (program, arguments, who, notes) = match program {
            Program::Native { name } => {
                if self.user().is_some() {
                    // It goes there as he; what it is before may not.
                    directory = PathBuf::from("/");
                }
                env.extend(native::variables(self.spec, &self.folders));
                // What a job says of loading programs is for its own.
                env.retain(|name, _| !name.starts_with("LD_") && name != "GLIBC_TUNABLES");
                env.remove(actions::WALLS_VARIABLE);
                if self.walls.is_some() {
                    let file = text(&natives_file(self.spec));
                    env.insert(actions::WALLS_VARIABLE.to_owned(), file);
                }
                let stage = stage.as_str().to_owned();
                let arguments = vec!["native".to_owned(), name.clone(), stage];
                (native::program(), arguments, Who::Native, Vec::new())
            }
            Program::Node { file, version } => {
                let (node, notes) = self.nodes.choose(name, *version, &env)?;
                if !self.here(file).is_file() {
                    return Err(format!("File not found: '{file}'"));
                }
                if let Some(container) = &self.container {
                    let node = container.node(&node.program).expect("every Node is mounted");
                    let command = vec![node.to_owned(), file.clone()];
                    let directory = container.mounts.inside(&directory);
                    let line =
                        container.stand_for(ContainerLine { command, env, directory }, number);
                    return Ok(Prepared { line, who: Who::StandIn, shell: None, notes });
                }
                (node.program, vec![file.clone()], Who::Step, notes)
            }
        };
        let line = CommandLine { program, arguments, env, directory, input: None };
        Ok(Prepared { line, who, shell: None, notes })
    }

    /// A path as steps have it, as this machine has it.
    pub(crate) fn here(&self, path: &str) -> PathBuf {
        let container = self.container.as_ref();
        container.and_then(|it| it.mounts.here(path)).unwrap_or_else(|| PathBuf::from(path))
    }
}

/// Whether it runs on this machine although the steps have a container: what is ours, and scripts of the
/// machine's owner.
fn stays_outside(deed: &Deed) -> bool {
    matches!(deed.body, DeedBody::Action { program: Program::Native { .. }, .. })
        || deed.key.as_str().starts_with(sequencer::HOOKS)
}

/// The runner's words (conformance 131).
fn no_directory(program: &str, directory: &str) -> String {
    format!(
        "An error occurred trying to start process '{program}' with working directory '{directory}'. No \
         such file or directory"
    )
}
