//! A deed as a command line: the program that is found, the script that is written, the
//! environment it has.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use protocol::JobSpec;
use sandbox::Hands;
use sequencer::{ActionStage, Deed, DeedBody, Program, Shell};

use crate::environment;
use crate::hash::Workspace;
use crate::native;
use crate::node::Nodes;
use crate::orphans::TRACKING_VARIABLE;
use crate::packages::{self, Places};
use crate::process::{CommandLine, Process, find_program};
use crate::setup::{Actions, Folders, SetupError, text};
use crate::walls::{Walls, Who, natives_file};

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

impl Workbench<'_> {
    /// Makes the folders, and what keeps installed packages in them.
    pub(crate) fn settle(&mut self) -> Result<(), SetupError> {
        self.folders.create(&self.spec.payload)?;
        let own = Path::new(&*self.spec.paths.job).join("packages");
        let downloads = Path::new(&*self.spec.paths.caches).join("downloads");
        let places = Places { own: &own, home: &self.folders.home, downloads: &downloads };
        packages::settle(&places, &mut self.host).map_err(|source| SetupError::Folder {
            action: "cannot make folders for packages in",
            path: own.clone(),
            source,
        })?;
        let Some(wanted) = &self.spec.options.walls else { return Ok(()) };
        // What others can see of `/tmp` is what a job writes there by that name.
        self.host.insert("TMPDIR".to_owned(), text(&self.folders.temp));
        let walls = Walls::around(self.spec, &self.host, wanted).map_err(SetupError::Walls)?;
        self.workspace.hands = walls.hands.clone();
        self.walls = Some(walls);
        Ok(())
    }

    /// Who touches what steps may have changed.
    pub(crate) fn hands(&self) -> &Hands {
        &self.workspace.hands
    }

    /// Starts a process, behind walls where the job has them.
    pub(crate) fn start(&self, prepared: &Prepared) -> io::Result<Process> {
        let process = match &self.walls {
            Some(walls) => walls.start(prepared.who, &prepared.line),
            None => Process::start(&prepared.line),
        }?;
        process.goes_first();
        Ok(process)
    }

    /// Looks for Node, if one of these actions needs it.
    pub(crate) fn find_node(&mut self, actions: &Actions) -> Result<(), SetupError> {
        let path = self.host.get("PATH").map_or("", String::as_str);
        self.nodes.find(actions, path)
    }

    /// Finds the program and writes the script. The error is what the step's log says.
    pub(crate) fn prepare(&mut self, deed: &Deed) -> Result<Prepared, String> {
        let mut env = environment::lay_over(&self.host, &deed.env, &deed.path);
        // Not to be overridden by `env:`, or nobody would find the process again; a script may
        // still change it to detach what it starts (conformance 116).
        env.insert(TRACKING_VARIABLE.to_owned(), self.spec.tracking_id.to_string());
        match &deed.body {
            DeedBody::Script { shell, script, directory } => {
                self.script(deed, env, shell, script, directory.as_deref())
            }
            DeedBody::Action { stage, program } => {
                let title = &*deed.shown.title;
                self.action(env, title.strip_prefix("Run ").unwrap_or(title), *stage, program)
            }
            DeedBody::ReadAction { uses } => Err(format!("{uses} is read, not run")),
        }
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
        let path = env.get("PATH").map_or("", String::as_str);
        let find = |name: &str| find_program(name, path, workspace);
        let program = find(&shell.program)
            .or_else(|| find(shell.fallback.as_deref()?))
            .ok_or_else(|| format!("the shell '{}' was not found on PATH", shell.program))?;
        if !directory.is_dir() {
            // The runner's words (conformance 131).
            return Err(format!(
                "An error occurred trying to start process '{}' with working directory '{}'. No \
                 such file or directory",
                program.display(),
                directory.display()
            ));
        }
        let file = self.folders.temp.join(format!("step_{:08}{}", deed.number, shell.extension));
        let written = {
            let (file, script) = (file.clone(), shell.script(script));
            self.hands().have(move || std::fs::write(file, script))
        };
        written.map_err(|error| {
            format!("the script '{}' cannot be written: {error}", file.display())
        })?;
        let shown = format!("{} {}", program.display(), shell.arguments.join(" "));
        let arguments = shell.arguments_for(&file.to_string_lossy());
        let line = CommandLine { program, arguments, env, directory };
        Ok(Prepared { line, who: Who::Step, shell: Some(shown), notes: Vec::new() })
    }

    fn action(
        &mut self,
        mut env: BTreeMap<String, String>,
        name: &str,
        stage: ActionStage,
        program: &Program,
    ) -> Result<Prepared, String> {
        let mut notes = Vec::new();
        let who = match program {
            Program::Native { .. } => Who::Native,
            Program::Node { .. } => Who::Step,
        };
        let (program, arguments) = match program {
            Program::Native { name } => {
                let artifacts = native::artifacts_file(&self.folders);
                env.extend(native::variables(self.spec, &artifacts));
                // What a job says of loading programs is for its own.
                env.retain(|name, _| !name.starts_with("LD_") && name != "GLIBC_TUNABLES");
                env.remove(actions::WALLS_VARIABLE);
                if self.walls.is_some() {
                    let file = text(&natives_file(self.spec));
                    env.insert(actions::WALLS_VARIABLE.to_owned(), file);
                }
                let stage = stage.as_str().to_owned();
                (native::program(), vec!["native".to_owned(), name.clone(), stage])
            }
            Program::Node { file, version } => {
                let (node, said) = self.nodes.choose(name, *version, &env)?;
                notes = said;
                if !Path::new(file).is_file() {
                    return Err(format!("File not found: '{file}'"));
                }
                (node.program, vec![file.clone()])
            }
        };
        let directory = self.folders.workspace.clone();
        let line = CommandLine { program, arguments, env, directory };
        Ok(Prepared { line, who, shell: None, notes })
    }
}
