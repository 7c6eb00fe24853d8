//! Remembers, from line to line, whether commands are stopped and echoed.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::annotation::{Annotation, Level};
use super::effect::{Effect, Handled, Hidden, MatcherRef, Note};
use super::parse::{Command, holds_legacy_key, is_command_name, may_be_command, parse_known};

/// A longer stop token becomes a mask (conformance 172).
const TOKEN_MASKED_ABOVE: usize = 6;

/// Markers that only the runner may write (conformance 176), and what a step's become.
const RUNNER_MARKERS: [(&str, &str); 2] =
    [("##[start-action", "##[\\start-action"), ("##[end-action", "##[\\end-action")];

/// Are commands shown in the log?
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Echo {
    /// They are.
    On,
    /// They are not, as usual.
    #[default]
    Off,
}

/// What the step's environment permits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Trust {
    /// `ACTIONS_ALLOW_UNSECURE_COMMANDS`: `set-env` and `add-path` work.
    pub unsecure_commands: bool,
    /// `ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS`: any token stops commands.
    pub unsecure_stop_tokens: bool,
}

impl Trust {
    /// Reads the two variables' values as the runner does: `true` in any case; for the second one
    /// also `1` and `$true`.
    pub fn from_values(commands: Option<&str>, stop_tokens: Option<&str>) -> Trust {
        let is = |value: Option<&str>, words: &[&str]| {
            value.is_some_and(|it| words.iter().any(|word| it.trim().eq_ignore_ascii_case(word)))
        };
        Trust {
            unsecure_commands: is(commands, &["true"]),
            unsecure_stop_tokens: is(stop_tokens, &["true", "1", "$true"]),
        }
    }
}

/// One job's commands. Stop and echo end with the step; deprecations are told once in a job.
#[derive(Clone, Default)]
pub struct CommandState {
    echo: Echo,
    stopped_until: Option<String>,
    trust: Trust,
    told: BTreeSet<&'static str>,
}

impl CommandState {
    /// Before the first step.
    pub fn new() -> CommandState {
        CommandState::default()
    }

    /// A step begins. Echo is on at first when the step is being debugged.
    pub fn begin_step(&mut self, echo: Echo, trust: Trust) {
        self.echo = echo;
        self.stopped_until = None;
        self.trust = trust;
    }

    /// Are commands stopped? While they are not, a block without any (see
    /// [`may_hold_command`](super::may_hold_command)) is all text.
    pub fn is_stopped(&self) -> bool {
        self.stopped_until.is_some()
    }

    /// Handles one line, without its line break.
    pub fn handle<'a>(&mut self, line: &'a [u8]) -> Handled<'a> {
        if !may_be_command(line) {
            return text(Cow::Borrowed(line));
        }
        let shown = String::from_utf8_lossy(line);
        let token = self.stopped_until.as_deref();
        let is_known = |name: &str| {
            is_command_name(name) || token.is_some_and(|it| it.eq_ignore_ascii_case(name))
        };
        match (parse_known(&shown, &is_known), token) {
            (None, _) => plain(line),
            (Some(command), Some(token)) => {
                if token.is_empty() || !command.name.eq_ignore_ascii_case(token) {
                    return plain(line);
                }
                self.stopped_until = None;
                echoed(Effect::Resumed, line)
            }
            (Some(command), None) => self.obey(command, line),
        }
    }

    fn obey<'a>(&mut self, command: Command, line: &'a [u8]) -> Handled<'a> {
        if command.name == "stop-commands" {
            return self.stop(command.data, line);
        }
        let echo = match (self.echo, command.name.as_str()) {
            (Echo::Off, _) | (_, "debug" | "warning" | "error" | "notice") => None,
            (Echo::On, "add-mask") if command.data.trim().is_empty() => None,
            (Echo::On, "add-mask") => Some(Cow::Borrowed(b"::add-mask::***".as_slice())),
            (Echo::On, _) => Some(Cow::Borrowed(line)),
        };
        let mut notes = Vec::new();
        notes.extend(self.deprecation(&command.name));
        let name = command.name.clone();
        let effect = match self.effect(command, &mut notes) {
            Ok(effect) => effect,
            Err(reason) => {
                let shown = match name.as_str() {
                    // These may hold what is to be hidden, or are their own message.
                    "add-mask" | "debug" | "warning" | "error" | "notice" => name.into(),
                    _ => String::from_utf8_lossy(line),
                };
                let message = format!("Unable to process command '{shown}' successfully.");
                Effect::Failure { message, reason }
            }
        };
        Handled { effect, echo, notes }
    }

    fn stop<'a>(&mut self, token: String, line: &'a [u8]) -> Handled<'a> {
        let bad = token.is_empty()
            || is_command_name(&token)
            || token.eq_ignore_ascii_case("pause-logging");
        if bad && !self.trust.unsecure_stop_tokens {
            let effect = Effect::Failure {
                message: "Unable to process command 'stop-commands' successfully.".to_owned(),
                reason:
                    "a token that stops commands may be neither empty, nor 'pause-logging', nor \
                         a command's name, unless ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS is \
                         'true'"
                        .to_owned(),
            };
            return Handled { effect, echo: None, notes: Vec::new() };
        }
        let long = token.encode_utf16().count() > TOKEN_MASKED_ABOVE;
        let mask = long.then(|| Hidden(token.clone()));
        self.stopped_until = Some(token);
        echoed(Effect::Stopped(mask), line)
    }

    fn deprecation(&mut self, name: &str) -> Option<Note> {
        let name = ["set-output", "save-state"].into_iter().find(|it| *it == name)?;
        let file = if name == "set-output" { "GITHUB_OUTPUT" } else { "GITHUB_STATE" };
        self.told.insert(name).then(|| {
            Note::Deprecated(format!(
                "The `{name}` command is deprecated: write to the file that {file} names instead."
            ))
        })
    }

    fn effect(
        &mut self,
        command: Command,
        notes: &mut Vec<Note>,
    ) -> Result<Effect<'static>, String> {
        let level = match command.name.as_str() {
            "error" => Some(Level::Error),
            "warning" => Some(Level::Warning),
            "notice" => Some(Level::Notice),
            _ => None,
        };
        if let Some(level) = level {
            let (annotation, said) = Annotation::from_command(command, level);
            notes.extend(said);
            return Ok(Effect::Annotation(annotation));
        }
        Ok(match command.name.as_str() {
            "debug" => Effect::Debug(command.data),
            "group" => Effect::Group(command.data),
            "endgroup" => Effect::EndGroup,
            "echo" => self.set_echo(&command.data)?,
            "set-output" => {
                let (name, value) = named(command)?;
                Effect::SetOutput { name, value }
            }
            "save-state" => {
                let (name, value) = named(command)?;
                Effect::SaveState { name, value }
            }
            "set-env" => self.set_env(command)?,
            "add-path" => self.add_path(command)?,
            "add-mask" => add_mask(command.data),
            "add-matcher" if command.data.is_empty() => {
                Effect::Warning("File path must be specified.".to_owned())
            }
            "add-matcher" => Effect::AddMatcher(command.data),
            "remove-matcher" => remove_matcher(command),
            name => return Err(format!("the command '{name}' has no meaning here")),
        })
    }

    fn set_echo(&mut self, value: &str) -> Result<Effect<'static>, String> {
        self.echo = match value.trim().to_ascii_lowercase().as_str() {
            "on" => Echo::On,
            "off" => Echo::Off,
            _ => {
                return Err(format!(
                    "Invalid echo command value. Possible values can be: 'on', 'off'. Current \
                     value is: '{value}'."
                ));
            }
        };
        Ok(Effect::Echo(self.echo))
    }

    fn set_env(&self, command: Command) -> Result<Effect<'static>, String> {
        self.require_trust(&command.name)?;
        let (name, value) = named(command)?;
        if crate::file_command::is_refused_variable(&name) {
            return Ok(Effect::Error(format!(
                "Can't update {name} environment variable using ::set-env:: command."
            )));
        }
        Ok(Effect::SetEnv { name, value })
    }

    fn add_path(&self, command: Command) -> Result<Effect<'static>, String> {
        self.require_trust(&command.name)?;
        if command.data.is_empty() {
            return Err("the path must not be empty".to_owned());
        }
        Ok(Effect::AddPath(command.data))
    }

    fn require_trust(&self, name: &str) -> Result<(), String> {
        if self.trust.unsecure_commands {
            return Ok(());
        }
        let file = if name == "set-env" { "GITHUB_ENV" } else { "GITHUB_PATH" };
        Err(format!(
            "The `{name}` command is disabled. Write to the file that {file} names, or set \
             ACTIONS_ALLOW_UNSECURE_COMMANDS to `true`."
        ))
    }
}

fn named(command: Command) -> Result<(String, String), String> {
    match command.property("name") {
        Some(name) => Ok((name.to_owned(), command.data)),
        None => Err(format!("Required field 'name' is missing in ##[{}] command.", command.name)),
    }
}

fn add_mask(value: String) -> Effect<'static> {
    if value.trim().is_empty() {
        return Effect::Warning(
            "Can't add secret mask for empty string in ##[add-mask] command.".to_owned(),
        );
    }
    Effect::AddMask(Hidden(value))
}

fn remove_matcher(mut command: Command) -> Effect<'static> {
    match (command.properties.remove("owner"), command.data) {
        (Some(_), file) if !file.is_empty() => {
            Effect::Warning("remove-matcher takes an owner or a file, not both".to_owned())
        }
        (Some(owner), _) => Effect::RemoveMatcher(MatcherRef::Owner(owner)),
        (None, file) if file.is_empty() => {
            Effect::Warning("remove-matcher needs an owner or a file".to_owned())
        }
        (None, file) => Effect::RemoveMatcher(MatcherRef::File(file)),
    }
}

fn plain(line: &[u8]) -> Handled<'_> {
    if !holds_legacy_key(line) {
        return text(Cow::Borrowed(line));
    }
    let mut shown = String::from_utf8_lossy(line);
    let mut changed = false;
    for (marker, harmless) in RUNNER_MARKERS {
        if shown.contains(marker) {
            shown = shown.replace(marker, harmless).into();
            changed = true;
        }
    }
    if !changed {
        // The bytes as they came, even if they are not UTF-8.
        return text(Cow::Borrowed(line));
    }
    text(Cow::Owned(shown.into_owned().into_bytes()))
}

fn text(line: Cow<'_, [u8]>) -> Handled<'_> {
    Handled { effect: Effect::Text(line), echo: None, notes: Vec::new() }
}

fn echoed<'a>(effect: Effect<'a>, line: &'a [u8]) -> Handled<'a> {
    Handled { effect, echo: Some(Cow::Borrowed(line)), notes: Vec::new() }
}
