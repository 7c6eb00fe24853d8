//! Commands that are run once, whatever becomes of whoever runs them.
//!
//! Each has a folder of its own. A shell makes `claimed` in it before it begins, which only one can;
//! then writes `pid`, lets the command write into `output`, and leaves its exit code in `status`.
//! Whoever comes after a crash finds the exit code, or the process, or that it is gone: it is never
//! begun a second time, because nobody knows what half of a migration did.

use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mask::{MaskedText, Masker};
use rustix::process::{Pid, Signal, kill_process_group};

/// Bytes of output that are evidence: the end, where failures say why.
const OUTPUT_BYTES_MAX: u64 = 4 << 10;
/// What a command gets of the environment, besides what is given to it: enough to find programs.
const ENVIRONMENT: &[&str] = &["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER"];
/// `cd` is done by whoever begins it; "$@" is the command.
const SCRIPT: &str = r#"mkdir "$LAUNCHWAY_ONCE/claimed" 2>/dev/null || exit 0
once=$LAUNCHWAY_ONCE; unset LAUNCHWAY_ONCE
echo $$ > "$once/pid.new" && mv "$once/pid.new" "$once/pid"
"$@" > "$once/output" 2>&1
echo $? > "$once/status.new" && mv "$once/status.new" "$once/status""#;

/// Runs commands in folders below one.
#[derive(Clone)]
pub struct Commands {
    folder: PathBuf,
    masker: Masker,
    /// Where they run whose own folder is not here: another machine planned them.
    otherwise: Option<PathBuf>,
}

/// How far a command is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// It runs.
    Underway,
    /// It ended so, having said this at last.
    Ended(i32, MaskedText),
    /// It was begun and is gone without an exit code.
    Lost(MaskedText),
}

/// What is run.
pub(crate) struct Once<'a> {
    /// The same on every try.
    pub(crate) token: String,
    pub(crate) run: &'a [String],
    pub(crate) folder: &'a str,
    pub(crate) environment: Vec<(String, String)>,
}

impl Commands {
    /// Keeps what it knows of commands in a folder; output is masked.
    pub fn new(folder: &Path, masker: Masker) -> Commands {
        Commands { folder: folder.to_owned(), masker, otherwise: None }
    }

    /// What was planned for a folder that is not on this machine runs in this one.
    pub fn otherwise_in(mut self, folder: &Path) -> Commands {
        self.otherwise = Some(folder.to_owned());
        self
    }

    /// Text that a command or an answer held.
    pub(crate) fn masked(&self, text: &str) -> MaskedText {
        self.masker.mask(text)
    }

    fn of(&self, token: &str) -> PathBuf {
        self.folder.join(token)
    }

    /// Begins it, or looks how far it is.
    pub(crate) fn advance(&self, once: &Once<'_>) -> io::Result<Ran> {
        let folder = self.of(&once.token);
        if let Some(status) = read_number(&folder.join("status"))? {
            return Ok(Ran::Ended(status, self.output(&folder)));
        }
        if let Some(pid) = read_number(&folder.join("pid"))? {
            if is_alive(pid) {
                return Ok(Ran::Underway);
            }
            // It may have ended between the two looks.
            return Ok(match read_number(&folder.join("status"))? {
                Some(status) => Ran::Ended(status, self.output(&folder)),
                None => Ran::Lost(self.output(&folder)),
            });
        }
        if folder.join("claimed").exists() {
            // It is about to say who it is.
            return Ok(Ran::Underway);
        }
        fs::create_dir_all(&folder)?;
        self.begin(&folder, once)?;
        Ok(Ran::Underway)
    }

    /// In a process group of its own, so that Ctrl-C on the terminal does not end a migration.
    fn begin(&self, folder: &Path, once: &Once<'_>) -> io::Result<()> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "launchway"]).args(once.run);
        let own = Path::new(once.folder);
        let otherwise = self.otherwise.as_deref().filter(|_| !own.is_dir());
        command.current_dir(otherwise.unwrap_or(own)).env_clear().process_group(0);
        let kept = ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        command.envs(kept).envs(once.environment.iter().cloned()).env("LAUNCHWAY_ONCE", folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        // Somebody has to take its exit code from the kernel; what counts stands in the file.
        std::thread::spawn(move || child.wait());
        Ok(())
    }

    /// Ends it and all that it started.
    pub(crate) fn end(&self, token: &str) {
        let folder = self.of(token);
        if let Ok(Some(pid)) = read_number(&folder.join("pid"))
            && is_alive(pid)
            && let Some(pid) = Pid::from_raw(pid)
        {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    fn output(&self, folder: &Path) -> MaskedText {
        let read = || -> io::Result<String> {
            let mut file = fs::File::open(folder.join("output"))?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(OUTPUT_BYTES_MAX)))?;
            let mut bytes = Vec::new();
            file.take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
        };
        self.masked(&read().unwrap_or_default())
    }
}

fn read_number(path: &Path) -> io::Result<Option<i32>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the process is there and is ours: a number may be given again. The shell's command line
/// holds the script, which nobody else's does.
fn is_alive(pid: i32) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let is_zombie = state.rsplit(')').next().is_some_and(|it| it.trim_start().starts_with('Z'));
    String::from_utf8_lossy(&line).contains("LAUNCHWAY_ONCE") && !is_zombie
}
