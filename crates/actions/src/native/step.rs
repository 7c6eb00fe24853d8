//! The contract of a JavaScript action, from the inside: inputs and state from the environment,
//! answers into the file commands, everything else as lines on standard output.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sandbox::Hands;

/// Why a native action failed: what the log shows, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) exit_code: u8,
}

/// Exit code of a step that failed.
const FAILED: u8 = 1;
/// Exit code where something is not installed or cannot be reached.
const MISSING: u8 = 5;

impl Failure {
    /// It did not work.
    pub(crate) fn new(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), hint: None, exit_code: FAILED }
    }

    /// Something it needs is not there.
    pub(crate) fn missing(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure { message: message.into(), hint: Some(hint.into()), exit_code: MISSING }
    }

    /// Adds the remedy.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }
}

impl From<crate::git::GitError> for Failure {
    fn from(error: crate::git::GitError) -> Failure {
        match &error {
            crate::git::GitError::Start(_) => {
                Failure::missing(error.to_string(), "install git (Debian: apt-get install git)")
            }
            crate::git::GitError::Failed { .. } => Failure::new(error.to_string()),
        }
    }
}

/// Turns an I/O error into a failure that says what was tried and where.
pub(crate) fn failed_at(verb: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    let path = path.display().to_string();
    move |error| Failure::new(format!("{path} could not be {verb}: {error}"))
}

/// The step that runs.
pub(crate) struct Step {
    /// A file command that could not be written; told at the end, because it fails the step.
    broken: Option<Failure>,
    /// Which major version of the original was asked for, where that is known.
    major: Option<u32>,
    /// Who reaches more than a step.
    pub(super) hands: Hands,
}

impl Step {
    /// The step whose environment this process has.
    pub(crate) fn new(major: Option<u32>) -> Step {
        Step { broken: None, major, hands: Hands::default() }
    }

    /// The same, with hands that reach more.
    pub(crate) fn with_hands(self, hands: Hands) -> Step {
        Step { hands, ..self }
    }

    /// The first file command that could not be written.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.broken.take().map_or(Ok(()), Err)
    }

    /// Does something that steps may not (`trusted.rs`): no path in it is a step's to choose.
    pub(crate) fn trusted<T: Send + 'static>(
        &self,
        deed: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        self.hands.have(deed)
    }

    /// A variable, if it is there and not empty.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    /// A variable that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<String, Failure> {
        self.variable(name).ok_or_else(|| Failure::new(format!("{name} is not set")))
    }

    /// A variable that names a place.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, Failure> {
        self.required(name).map(PathBuf::from)
    }

    /// Whether a switch of the worker's is on.
    pub(crate) fn switch(&self, name: &str) -> bool {
        self.variable(name).is_some_and(|value| value != "0" && value != "false")
    }

    /// An input, trimmed; empty where it was not given (conformance 145).
    pub(crate) fn input(&self, name: &str) -> String {
        let variable = format!("INPUT_{}", name.replace(' ', "_").to_uppercase());
        std::env::var(variable).unwrap_or_default().trim().to_owned()
    }

    /// An input, where it was given.
    pub(crate) fn given(&self, name: &str) -> Option<String> {
        Some(self.input(name)).filter(|text| !text.is_empty())
    }

    /// An input that must be given.
    pub(crate) fn needed(&self, name: &str) -> Result<String, Failure> {
        let words = "Input required and not supplied:";
        self.given(name).ok_or_else(|| Failure::new(format!("{words} {name}")))
    }

    /// The lines of an input, without blank ones.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = self.input(name);
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// A yes-or-no input in the spellings of YAML 1.2; anything else fails the step.
    pub(crate) fn boolean(&self, name: &str) -> Result<bool, Failure> {
        match self.input(name).as_str() {
            "true" | "True" | "TRUE" => Ok(true),
            "" | "false" | "False" | "FALSE" => Ok(false),
            other => {
                Err(Failure::new(format!("input `{name}` is `{other}`: it must be true or false")))
            }
        }
    }

    /// Major version of the `uses` that brought us here; the newest known where nobody says.
    pub(crate) fn major(&self, newest: u32) -> u32 {
        self.major.unwrap_or(newest)
    }

    /// State that an earlier stage saved.
    pub(crate) fn state(&self, name: &str) -> Option<String> {
        self.variable(&format!("STATE_{name}"))
    }

    /// Saves state for a later stage.
    pub(crate) fn save_state(&mut self, name: &str, value: &str) {
        self.file_command("GITHUB_STATE", name, value);
    }

    /// Sets an output.
    pub(crate) fn output(&mut self, name: &str, value: &str) {
        self.file_command("GITHUB_OUTPUT", name, value);
    }

    /// Sets a variable for the steps that follow.
    pub(crate) fn export(&mut self, name: &str, value: &str) {
        self.file_command("GITHUB_ENV", name, value);
    }

    /// Puts a folder in front of `PATH` for the steps that follow.
    pub(crate) fn add_path(&mut self, folder: &Path) {
        self.append("GITHUB_PATH", format!("{}\n", folder.display()).as_bytes());
    }

    /// Adds to the step's summary.
    pub(crate) fn summary(&mut self, markdown: &str) {
        self.append("GITHUB_STEP_SUMMARY", markdown.as_bytes());
    }

    /// Says which image was built, for whoever records it. A list that cannot be written costs the record alone.
    pub(crate) fn built_image(&self, image: &serde_json::Value) {
        let Some(path) = self.variable("LAUNCHWAY_IMAGES_FILE") else { return };
        let file = OpenOptions::new().append(true).create(true).open(&path);
        let line = format!("{image}\n");
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            self.debug(&format!("the list of images could not be written: {error}"));
        }
    }

    /// A plain line.
    pub(crate) fn info(&self, text: &str) {
        print(&format!("{text}\n"));
    }

    /// A line that is only shown when debugging.
    pub(crate) fn debug(&self, text: &str) {
        self.command("debug", &[], text);
    }

    /// A notice.
    pub(crate) fn notice(&self, text: &str) {
        self.command("notice", &[], text);
    }

    /// A warning.
    pub(crate) fn warning(&self, text: &str) {
        self.command("warning", &[], text);
    }

    /// An error.
    pub(crate) fn error(&self, text: &str) {
        self.command("error", &[], text);
    }

    /// An input that is accepted and has no effect here: never in silence.
    pub(crate) fn not_enforced(&self, input: &str, reason: &str) {
        self.warning(&format!("input `{input}` is not enforced: {reason}"));
    }

    /// Hides a value from every log.
    pub(crate) fn mask(&self, secret: &str) {
        self.command("add-mask", &[], secret);
    }

    /// A workflow command (conformance 165, 166).
    pub(crate) fn command(&self, name: &str, properties: &[(&str, &str)], data: &str) {
        let mut line = format!("::{name}");
        for (index, (key, value)) in properties.iter().enumerate() {
            let value = escape_data(value).replace(':', "%3A").replace(',', "%2C");
            let separator = if index == 0 { ' ' } else { ',' };
            write!(line, "{separator}{key}={value}").expect("writing to a string does not fail");
        }
        print(&format!("{line}::{}\n", escape_data(data)));
    }

    /// `NAME<<DELIMITER` (conformance 178). The delimiter is random: a value cannot contain it.
    fn file_command(&mut self, variable: &str, name: &str, value: &str) {
        let delimiter = format!("end_{}", random_hex());
        let entry = format!("{name}<<{delimiter}\n{value}\n{delimiter}\n");
        self.append(variable, entry.as_bytes());
    }

    fn append(&mut self, variable: &str, bytes: &[u8]) {
        let path = std::env::var_os(variable).unwrap_or_default();
        let written = OpenOptions::new().append(true).create(true).open(&path);
        if let Err(error) = written.and_then(|mut file| file.write_all(bytes)) {
            let message = format!("the file of {variable} could not be written: {error}");
            self.broken.get_or_insert(Failure::new(message));
        }
    }
}

/// Sixteen random bytes as hex: names and delimiters that nobody guesses.
pub(crate) fn random_hex() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes");
    hex(&bytes)
}

/// Bytes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}

fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A step whose reader is gone goes on: its files still count.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}
