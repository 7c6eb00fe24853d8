//! Programs in a container that its own first process begins, because the engine takes thirty milliseconds for each,
//! and what they print would go through three processes of its own.
//!
//! ```text
//!   FOLDER/lock        who has the starter: it begins one program at a time
//!   FOLDER/shown/      what the container sees, to read only
//!     ask, up          pipes: what is to be begun; whether the starter is there
//!     begin            a script: what is done for each
//!     N.env            a pipe: the environment, the folder, the words of program N
//!     N.out, N.err     pipes: what it prints
//!     N.over           a pipe: a line once it is begun, its exit code once it is over
//! ```
//!
//! The folder is ours, and read only in there: nobody puts something else in the place of a pipe. The pipes are the worker's
//! alone, as the scripts of steps are: in the container its root opens them, and no user that root became. What is private is
//! in pipes. Whatever cannot be done this way the engine begins as ever: where `setsid` is missing, where the first process
//! is not root's, while the starter is taken, with an environment that a shell would change.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use crate::inside::FAILED;

/// Where the container sees what is shown.
pub const SHOWN: &str = "/__s";

/// A container's first process. It ends with its input, and needs nothing of an image but a shell: the left side begins
/// programs, the right one waits for that end. In front, not with `&`, which would have every program ignore SIGINT. Whoever
/// kills all processes of the container leaves this one, which goes on waiting; where there is no starter, the left side is
/// over at once.
const FIRST: &str = r#"exec 4<&0
if setsid=$(command -v setsid); then
  { echo yes 1<>"$0/up"
    while read -r it; do /bin/sh "$0/begin" "$0/$it" "$setsid" </dev/null 4<&-; done
  } <>"$0/ask" |
  { while read -r _; do :; done <&4; kill -9 0; }
else
  echo no 1<>"$0/up"
fi
while read -r _; do :; done <&4"#;

/// What is done for each: its words come with its environment. They lead a group and a session of their own. What this
/// shell itself has to say of them is nobody's output.
const BEGIN: &str = r#"exec >"$1.out" 4>"$1.err" 3>"$1.over" 2>/dev/null
echo >&3
. "$1.env"
"$@" 3>&-
echo $? >&3
"#;

/// What its words do first: a shell that redirects what it calls would redirect its own words, too.
pub(crate) const OWN_ERRORS: &str = "exec 2>&4 4>&-\n";

/// Said by `FIRST`.
const UP: &[u8] = b"yes\n";

/// How long the first process of a container may take to say so. Where pipes do not reach into a container, because the
/// engine runs in a machine of its own, each job waits that long.
const UP_MAX: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };

/// How long it may take to begin what it is asked for, before the engine is asked instead.
const BEGIN_MAX: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// A variable of more is the engine's: the kernel takes no longer ones (128 KiB with their names), and it says so.
const VALUE_BYTES_MAX: usize = 100 << 10;

/// An environment of more, too: together with arguments a system takes 2 MiB.
const ENVIRONMENT_BYTES_MAX: usize = 1 << 20;

/// The exit code of what was killed.
const KILLED: u8 = 128 + 9;

/// What is read of a pipe in which a number stands.
const NUMBER_BYTES_MAX: u64 = 64;

/// Variables that shells set, refuse, or read before anything else. Those of an image are asked for, too.
const OF_SHELLS: [&str; 23] = [
    "_",
    "COLUMNS",
    "DIRSTACK",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "FUNCNAME",
    "GROUPS",
    "HISTCMD",
    "IFS",
    "LINENO",
    "LINES",
    "OLDPWD",
    "OPTIND",
    "PIPESTATUS",
    "PPID",
    "PWD",
    "RANDOM",
    "SECONDS",
    "SHELLOPTS",
    "SHLVL",
    "SRANDOM",
    "UID",
];

/// What a container's first process begins programs by.
#[derive(Debug)]
pub struct Starter {
    folder: PathBuf,
    up: File,
}

impl Starter {
    /// Makes it in a folder that is not there yet; nobody else sees into it.
    ///
    /// # Errors
    /// The disk's.
    pub fn make(folder: &Path) -> io::Result<Starter> {
        fs::create_dir(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        let shown = folder.join("shown");
        fs::create_dir(&shown)?;
        // Where the umask is stricter, too: the worker may be another user than the container's root.
        fs::set_permissions(&shown, Permissions::from_mode(0o755))?;
        fs::write(shown.join("begin"), BEGIN)?;
        fs::set_permissions(shown.join("begin"), Permissions::from_mode(0o644))?;
        pipe(&shown.join("ask"))?;
        let up = pipe(&shown.join("up"))?;
        let up = open(&up, OpenOptions::new().read(true).write(true))?;
        Ok(Starter { folder: folder.to_owned(), up })
    }

    /// What is to be seen in the container at [`SHOWN`].
    pub fn shown(&self) -> PathBuf {
        self.folder.join("shown")
    }

    /// The container's first process.
    pub fn first_process() -> [&'static str; 4] {
        ["/bin/sh", "-c", FIRST, SHOWN]
    }

    /// The folder, once the container's first process, which is root's, says that it begins programs; none where it does not.
    pub fn is_up(&mut self) -> Option<&Path> {
        let mut said = [0; UP.len()];
        let is_there = waits(&self.up, None, &UP_MAX).is_ok_and(|there| there);
        (is_there && self.up.read(&mut said).is_ok() && said == UP).then_some(&*self.folder)
    }
}

/// What a starter is asked for.
pub(crate) struct Asked<'a> {
    /// The starter's folder.
    pub(crate) folder: &'a Path,
    /// The number of the program, which no other of the container has.
    pub(crate) number: &'a str,
    pub(crate) directory: &'a str,
    /// The program and its arguments; [`OWN_ERRORS`] is done by it.
    pub(crate) words: &'a [String],
    pub(crate) env: &'a BTreeMap<String, String>,
}

/// A program that was begun.
#[derive(Debug)]
pub(crate) struct Begun {
    out: File,
    err: File,
    over: File,
    base: PathBuf,
    /// Nobody else has the starter meanwhile.
    _taken: File,
}

impl Asked<'_> {
    /// Has it begun; none where the engine has to do it.
    pub(crate) fn begin(&self) -> Option<Begun> {
        let bytes: usize = self.env.iter().map(|(name, value)| name.len() + value.len()).sum();
        let is_kept = self.env.iter().all(|(name, value)| is_kept(name, value));
        if !is_kept || bytes > ENVIRONMENT_BYTES_MAX {
            return None;
        }
        let taken = File::create(self.folder.join("lock")).ok()?;
        taken.try_lock().ok()?;
        let shown = self.folder.join("shown");
        let base = shown.join(self.number);
        let begun = self.ask(&shown, &base, taken);
        if begun.is_none() {
            // Read later, the number leads nowhere; and nobody waits for this starter once more.
            clear(&base);
            let _ = fs::remove_file(shown.join("ask"));
        }
        begun
    }

    fn ask(&self, shown: &Path, base: &Path, taken: File) -> Option<Begun> {
        let mut ask = open(&shown.join("ask"), OpenOptions::new().write(true)).ok()?;
        let [out, err, over] = ["out", "err", "over"].map(|end| {
            let path = pipe(&base.with_extension(end)).ok()?;
            open(&path, OpenOptions::new().read(true)).ok()
        });
        let begun =
            Begun { out: out?, err: err?, over: over?, base: base.to_owned(), _taken: taken };
        let env = pipe(&base.with_extension("env")).ok()?;
        ask.write_all(format!("{}\n", self.number).as_bytes()).ok()?;
        if !waits(&begun.over, Some(&ask), &BEGIN_MAX).ok()? {
            return None;
        }
        let said = self.said();
        // Opened once somebody reads it: where nobody does any more, that is heard by `over`.
        std::thread::spawn(move || {
            let flags = (OFlags::NOFOLLOW | OFlags::CLOEXEC).bits().cast_signed();
            let open = OpenOptions::new().write(true).custom_flags(flags).open(env);
            open.and_then(|mut env| env.write_all(said.as_bytes()))
        });
        Some(begun)
    }

    /// As a shell reads it.
    fn said(&self) -> String {
        let mut said = String::new();
        for (name, value) in self.env {
            said += &format!("export {name}={}\n", quoted(value));
        }
        let directory = quoted(self.directory);
        said += &format!(
            "cd -- {directory} || {{ printf '%s is no folder to work in\\n' {directory} >&4; "
        );
        said += &format!("echo {FAILED} >&3; exit; }}\nunset OLDPWD\nset -- \"$2\"");
        for word in self.words {
            said += &format!(" {}", quoted(word));
        }
        said + "\n"
    }
}

impl Begun {
    /// Writes what it prints to `to`, its errors to the second, until it is over, and `drain` longer where somebody whom
    /// it left goes on printing; its exit code.
    pub(crate) fn show(mut self, to: [File; 2], drain: Duration) -> io::Result<u8> {
        for pipe in [&self.out, &self.err, &self.over] {
            rustix::io::ioctl_fionbio(pipe, false)?;
        }
        let (done, is_done) = mpsc::channel();
        for (mut from, mut to) in [self.out, self.err].into_iter().zip(to) {
            let done = done.clone();
            std::thread::spawn(move || done.send(io::copy(&mut from, &mut to)));
        }
        let mut said = String::new();
        (&mut self.over).take(NUMBER_BYTES_MAX).read_to_string(&mut said)?;
        let code = said.split_whitespace().next().and_then(|it| it.parse().ok());
        let until = Instant::now() + drain;
        for _ in 0..2 {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(shown) = is_done.recv_timeout(left) else { break };
            shown?;
        }
        clear(&self.base);
        // Who cannot say so was killed: the shell that waits for it, or the whole container.
        Ok(code.unwrap_or(KILLED))
    }
}

/// Whether a shell hands a variable on as it got it.
fn is_kept(name: &str, value: &str) -> bool {
    let mut letters = name.chars();
    let begins = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let is_name = begins && letters.all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_own = name.starts_with("BASH") || OF_SHELLS.contains(&name);
    is_name && !is_own && value.len() <= VALUE_BYTES_MAX && !value.contains('\0')
}

/// As a shell reads it as one word, whatever stands in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A pipe with a name, for us alone.
fn pipe(path: &Path) -> io::Result<PathBuf> {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?;
    Ok(path.to_owned())
}

/// Opens a pipe without waiting for its other end.
fn open(path: &Path, how: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    how.custom_flags(flags.bits().cast_signed()).open(path)
}

/// Whether something can be read before the time is over, and while somebody reads what is written to `other`.
fn waits(pipe: &File, other: Option<&File>, time: &Timespec) -> io::Result<bool> {
    let mut ends: Vec<PollFd<'_>> = vec![PollFd::new(pipe, PollFlags::IN)];
    ends.extend(other.map(|other| PollFd::new(other, PollFlags::empty())));
    poll(&mut ends, Some(time))?;
    Ok(ends[0].revents().contains(PollFlags::IN))
}

fn clear(base: &Path) {
    for end in ["env", "out", "err", "over"] {
        // What is left goes with the job's folder.
        let _ = fs::remove_file(base.with_extension(end));
    }
}

#[cfg(test)]
mod tests;
