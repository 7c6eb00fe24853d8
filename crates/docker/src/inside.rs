//! A program in a container that runs, as if it were a process of ours: a process outside stands for
//! it, prints what it prints, hands on the signals that it gets, and ends as it
//! ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value as Json, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::engine::{Engine, EngineError};
use crate::heed::Wait;
use crate::starter::{Asked, Begun, OWN_ERRORS};
use crate::wire::{Call, escaped};

/// The exit code where the program could not be started; what a shell says of one that it cannot run.
pub const FAILED: u8 = 126;

/// After SIGTERM a program has this long; whoever stands for it is killed half a second later.
const KILL_AFTER: Duration = Duration::from_secs(2);

/// How long its streams may stay open behind it: a daemon may hold them.
const DRAIN: Duration = Duration::from_secs(5);

/// How long a program of ours may take in a container whose programs are the job's.
const RUN_MAX: Duration = Duration::from_secs(60);

/// Leaves its number for whoever hands on a signal, and becomes the program.
const BECOME: &str = r#"echo $$ >"$0"; exec "$@""#;

/// To the whole group of the program: the engine gives each program one of its own.
const SIGNAL: &str = r#"kill -s "$1" -- "-$(cat "$0")""#;

/// The largest environment that is read: what a system allows, several times over.
const ENVIRONMENT_BYTES_MAX: u64 = 16 << 20;

/// What is to be run, and where. Its environment comes by standard input, as an object of texts: in that
/// of the process that stands for it, it could steer that process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    /// Where the engine listens.
    pub socket: PathBuf,
    /// The container's id.
    pub container: String,
    /// Where it runs, in the container.
    pub directory: String,
    /// A file in the container that its number is written to; nobody else's.
    pub pid_file: String,
    /// The folder of what begins programs in the container ([`crate::Starter`]); none where the engine does.
    pub starter: Option<PathBuf>,
    /// The program and its arguments; looked up in the container.
    pub command: Vec<String>,
}

impl Inside {
    /// As arguments that [`main`] takes.
    pub fn arguments(&self) -> Vec<String> {
        let Inside { socket, container, directory, pid_file, starter, command } = self;
        let socket = socket.to_string_lossy().into_owned();
        let starter = starter.as_deref().map(Path::to_string_lossy).unwrap_or_default();
        let fixed =
            [socket, container.clone(), directory.clone(), pid_file.clone(), starter.into_owned()];
        fixed.into_iter().chain(command.iter().cloned()).collect()
    }

    /// What is begun in the container: a shell, which does this and becomes the program.
    fn words(&self, before: &str) -> Vec<String> {
        let script = format!("{before}{BECOME}");
        let start = ["/bin/sh", "-c", &script, &self.pid_file].map(str::to_owned);
        start.into_iter().chain(self.command.iter().cloned()).collect()
    }

    /// By the container's own first process, where that does it.
    fn begin(&self, env: &BTreeMap<String, String>) -> Option<Begun> {
        let number = Path::new(&self.pid_file).file_name()?.to_str()?;
        let folder = self.starter.as_deref()?;
        let (directory, words) = (&*self.directory, &*self.words(OWN_ERRORS));
        Asked { folder, number, directory, words, env }.begin()
    }

    fn from_arguments(arguments: Vec<String>) -> Option<Inside> {
        let mut arguments = arguments.into_iter();
        let mut next = || arguments.next();
        let (socket, container, directory, pid_file) =
            (PathBuf::from(next()?), next()?, next()?, next()?);
        let starter = Some(next()?).filter(|it| !it.is_empty()).map(PathBuf::from);
        let command: Vec<String> = arguments.collect();
        (!command.is_empty()).then_some(Inside {
            socket,
            container,
            directory,
            pid_file,
            starter,
            command,
        })
    }
}

/// The whole life of a process that stands for one in a container. What it says itself goes to its
/// standard error.
pub fn main(arguments: Vec<String>) -> u8 {
    let Some(inside) = Inside::from_arguments(arguments) else { return FAILED };
    match run(&inside) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            FAILED
        }
    }
}

fn run(inside: &Inside) -> Result<u8, EngineError> {
    let engine = Engine::at(inside.socket.clone());
    let wrong = |error: io::Error| engine.unanswered(&error);
    let env = serde_json::from_reader(io::stdin().take(ENVIRONMENT_BYTES_MAX));
    let env: BTreeMap<String, String> = env.map_err(|error| wrong(error.into()))?;
    // Before there is anything to hand a signal to: none is lost.
    let signals = Signals::new([SIGINT, SIGTERM]).map_err(wrong)?;
    if let Some(begun) = inside.begin(&env) {
        hand_on(signals, &engine, inside);
        return own_ends().and_then(|ends| begun.show(ends, DRAIN)).map_err(wrong);
    }
    let ends = engine.ends_of(&inside.container)?;
    let id = engine.exec(&inside.container, &body(inside, &env))?;
    let path = format!("/exec/{id}/start");
    let body = json!({ "Detach": false, "Tty": false });
    let call = Call { method: "POST", path: &path, headers: &[], body: Some(&body), silence: None };
    let answer = engine.ask(&call)?;
    hand_on(signals, &engine, inside);
    leave_behind(ends, &engine, &id);
    show(answer.body).map_err(wrong)?;
    engine.exit_of(&id)
}

/// Where this process prints, without the buffers of its own words.
fn own_ends() -> io::Result<[File; 2]> {
    let (out, errors) = (io::stdout(), io::stderr());
    Ok([out.as_fd().try_clone_to_owned()?.into(), errors.as_fd().try_clone_to_owned()?.into()])
}

fn body(inside: &Inside, env: &BTreeMap<String, String>) -> Json {
    let env: Vec<String> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    json!({
        "AttachStdout": true,
        "AttachStderr": true,
        "Env": env,
        "WorkingDir": inside.directory,
        "Cmd": inside.words(""),
    })
}

/// What the program prints, to where it would print it: frames of a kind, three zeros, a length.
fn show(mut stream: impl Read) -> io::Result<()> {
    let (mut out, mut errors) = (io::stdout(), io::stderr());
    let mut head = [0; 8];
    loop {
        match stream.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        let mut part = (&mut stream).take(u64::from(length));
        if head[0] == 2 {
            io::copy(&mut part, &mut errors)?;
            errors.flush()?;
        } else {
            io::copy(&mut part, &mut out)?;
            out.flush()?;
        }
    }
}

/// Signals that this process gets go to the program.
fn hand_on(mut signals: Signals, engine: &Engine, inside: &Inside) {
    let (engine, inside) = (engine.clone(), inside.clone());
    std::thread::spawn(move || {
        for signal in signals.forever() {
            let name = if signal == SIGINT { "INT" } else { "TERM" };
            // One that has ended already hears nothing, and nothing is missing.
            let _ = engine.signal(&inside, name);
            if signal == SIGTERM {
                std::thread::sleep(KILL_AFTER);
                let _ = engine.signal(&inside, "KILL");
            }
        }
    });
}

/// Where the program ended and somebody whom it left holds its streams: this process ends after a while.
#[expect(
    clippy::exit,
    reason = "the thread that shows what is printed waits for what may never come"
)]
fn leave_behind(ends: impl Read + Send + 'static, engine: &Engine, id: &str) {
    let (engine, id) = (engine.clone(), id.to_owned());
    std::thread::spawn(move || {
        let events = serde_json::Deserializer::from_reader(ends).into_iter::<Json>();
        for event in events.map_while(Result::ok) {
            if event["Actor"]["Attributes"]["execID"].as_str() == Some(&id) {
                std::thread::sleep(DRAIN);
                std::process::exit(engine.exit_of(&id).unwrap_or(FAILED).into());
            }
        }
    });
}

impl Engine {
    /// What is told when programs in a container end.
    fn ends_of(&self, container: &str) -> Result<impl Read + Send + use<>, EngineError> {
        let filters = json!({ "container": [container], "event": ["exec_die"] }).to_string();
        let path = format!("/events?filters={}", escaped(&filters));
        let call = Call { method: "GET", path: &path, headers: &[], body: None, silence: None };
        Ok(self.ask(&call)?.body)
    }

    fn exec(&self, container: &str, body: &Json) -> Result<String, EngineError> {
        let made = self.json("POST", &format!("/containers/{container}/exec"), Some(body))?;
        Ok(made["Id"].as_str().unwrap_or_default().to_owned())
    }

    fn exit_of(&self, id: &str) -> Result<u8, EngineError> {
        let found = self.json("GET", &format!("/exec/{id}/json"), None)?;
        let code = found["ExitCode"].as_i64().and_then(|code| u8::try_from(code).ok());
        Ok(code.unwrap_or(FAILED))
    }

    /// Runs a program as a container's root and waits for its end, or its first word, a minute at most; whoever has
    /// more to heed than the engine brings a `wait`. Given up, it is left to itself.
    ///
    /// # Errors
    /// When the engine is away, or cannot start it; when it takes too long, or is given up.
    pub fn run(
        &self,
        container: &str,
        command: &[&str],
        wait: Option<&mut Wait<'_>>,
    ) -> Result<u8, EngineError> {
        let body = json!({ "Cmd": command, "User": "0", "AttachStdout": true });
        let id = self.exec(container, &body)?;
        let path = format!("/exec/{id}/start");
        let body = json!({ "Detach": false, "Tty": false });
        let silence = Some(RUN_MAX);
        let call = Call { method: "POST", path: &path, headers: &[], body: Some(&body), silence };
        // What it prints is not read: then it cannot be kept up by that either.
        let mut byte = [0];
        let read = match wait {
            Some(wait) => self.ask_heeding(&call, wait)?.body.read(&mut byte),
            None => self.ask(&call)?.body.read(&mut byte),
        };
        read.map_err(|error| self.unanswered(&error))?;
        self.exit_of(&id)
    }

    fn signal(&self, inside: &Inside, signal: &str) -> Result<(), EngineError> {
        let body = json!({ "Cmd": ["/bin/sh", "-c", SIGNAL, inside.pid_file, signal] });
        let id = self.exec(&inside.container, &body)?;
        let detached = json!({ "Detach": true });
        self.json("POST", &format!("/exec/{id}/start"), Some(&detached)).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_there_and_back() {
        let inside = Inside {
            socket: "/run/docker.sock".into(),
            container: "abc".to_owned(),
            directory: "/__w/app/app".to_owned(),
            pid_file: "/__w/_temp/pid_1".to_owned(),
            starter: Some("/state/job/starter".into()),
            command: vec!["sh".to_owned(), "-e".to_owned(), "/__w/_temp/step.sh".to_owned()],
        };
        assert_eq!(Inside::from_arguments(inside.arguments()), Some(inside.clone()));
        assert_eq!(Inside::from_arguments(inside.arguments()[..5].to_vec()), None);
        let by_the_engine = Inside { starter: None, ..inside };
        assert_eq!(Inside::from_arguments(by_the_engine.arguments()), Some(by_the_engine));
    }
}
