//! A registry as Debian has it, for tests here and in other crates.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};

/// A registry that ends with the value, or with the tests.
pub(crate) struct Server {
    process: u32,
    /// Its host and port.
    pub(crate) host: String,
}

impl Server {
    /// What it keeps is in `folder`; `more` are further settings. It takes a port itself: one that is chosen for
    /// it may be somebody else's by then, and whoever asks would be answered by them.
    pub(crate) fn start(folder: &Path, more: &str) -> Server {
        let config = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:0'}}\n\
             log: {{level: info, accesslog: {{disabled: true}}}}\n{more}",
            folder.join("data").display()
        );
        std::fs::create_dir_all(folder).expect("a folder");
        let path = folder.join("config.yml");
        std::fs::write(&path, config).expect("written");
        let (tell, told) = channel();
        // It ends with the thread that asked for it: that one hears it out.
        std::thread::spawn(move || hear(&path, tell));
        let (process, host) = told.recv().expect("it listens");
        Server { process, host }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(Command::new("kill").arg(self.process.to_string()).status());
    }
}

/// Runs it to its end, and tells once where it listens.
fn hear(config: &Path, tell: Sender<(u32, String)>) {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "docker-registry", "serve"]).arg(config);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("setpriv is there");
    let mut tell = Some(tell);
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().expect("it is piped")).lines() {
        let line = line.expect("it writes text");
        let host = line.split_once("listening on ").and_then(|(_, rest)| rest.split('"').next());
        if let Some((tell, host)) = host.and_then(|host| Some((tell.take()?, host))) {
            drop(tell.send((child.id(), host.to_owned())));
            said.clear();
        } else if tell.is_some() {
            said = said + &line + "\n";
        }
    }
    let status = child.wait().expect("it was started");
    assert!(tell.is_none(), "docker-registry ended with {status}:\n{said}");
}
