//! What a step prints, on its way to the log: lines, then commands, then masks.
//!
//! Most output holds no command. A block of whole lines is asked once whether it may hold one, and
//! goes on as a block if not; only otherwise is it taken line by line. Both streams of a process
//! come here, whole lines at a time, so that they never mix within a line.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use commands::matcher::{MatchOutcome, MatcherFile, Matchers};
use commands::workflow_command::{
    Annotation, AnnotationLimits, CommandState, Echo, Effect, Level, MatcherRef, Note, Trust,
    may_be_command, may_hold_command,
};
use event::{AnnotationLevel, StepKey};
use mask::{Added, Masker, StreamMasker};
use protocol::Report;
use sandbox::Hands;
use sequencer::Effects;

use crate::annotate;
use crate::container::Mounts;
use crate::log::Log;
use crate::process::Stream;

/// A longer line is not looked at for commands and matchers, and goes to the log in pieces; masks
/// still hold across them. Outputs, the longest thing a command carries, have 1 MB at most.
const LINE_BYTES_MAX: usize = 2 << 20;

/// A line that by now cannot be a command, and that no matcher waits for, goes to the log in pieces
/// from here on. (The old form `##[..]` may stand anywhere in a line: it is looked for this far.)
const TEXT_BYTES_MAX: usize = 32 << 10;

/// The way from the steps' streams to the job's logs. Masks are the job's; the rest belongs to a
/// voice: that of the job's own steps, or that of one background step. All that is said is said by
/// the voice that one turned to last.
pub(crate) struct Output {
    pub(crate) masker: Masker,
    pub(crate) voice: Voice,
    /// Whose it is: the key of a background step; none is the job's own.
    speaker: Option<StepKey>,
    /// The others.
    silent: BTreeMap<Option<StepKey>, Voice>,
    is_debugged: bool,
    /// Whether what the worker itself does is said.
    pub(crate) is_diagnosed: bool,
    workspace: PathBuf,
    /// Who reads what steps name.
    pub(crate) hands: Hands,
    /// The paths that steps speak of, where they run in a container.
    mounts: Mounts,
    reports: Vec<Report>,
    /// The disk's answer, once it was no.
    error: Option<std::io::Error>,
}

/// What the steps of one line have to themselves: they go one after the other.
pub(crate) struct Voice {
    pub(crate) log: Log,
    /// Which background step's own file the log is; none is the job's.
    pub(crate) own: Option<u32>,
    commands: CommandState,
    matchers: Matchers,
    stdout: Lines,
    stderr: Lines,
    limits: AnnotationLimits,
    step: Option<StepKey>,
    effects: Effects,
    has_failed: bool,
}

impl Voice {
    fn new(log: Log, own: Option<u32>, matchers: Matchers) -> Voice {
        Voice {
            log,
            own,
            commands: CommandState::new(),
            matchers,
            stdout: Lines::default(),
            stderr: Lines::default(),
            limits: AnnotationLimits::new(),
            step: None,
            effects: Effects::default(),
            has_failed: false,
        }
    }
}

/// One stream: what of its last line has come so far.
#[derive(Default)]
struct Lines {
    unfinished: Vec<u8>,
    masker: StreamMasker,
    /// The line is over the limit and its beginning is in the log already.
    is_long: bool,
}

impl Output {
    pub(crate) fn new(log: Log, masker: Masker, workspace: PathBuf, is_debugged: bool) -> Output {
        Output {
            masker,
            voice: Voice::new(log, None, Matchers::new()),
            speaker: None,
            silent: BTreeMap::new(),
            is_debugged,
            is_diagnosed: false,
            workspace,
            hands: Hands::default(),
            mounts: Mounts::default(),
            reports: Vec::new(),
            error: None,
        }
    }

    /// Steps speak of paths as their container has them.
    pub(crate) fn hear_paths_of(&mut self, mounts: Mounts) {
        self.mounts = mounts;
    }

    /// A path that a step said, as this machine has it.
    fn here(&self, path: String) -> String {
        self.mounts.here(&path).map_or(path, |it| crate::setup::text(&it))
    }

    /// A background step gets a voice of its own, with the matchers there are now.
    pub(crate) fn open(&mut self, step: &StepKey, log: Log, number: u32) {
        let voice = Voice::new(log, Some(number), self.voice.matchers.clone());
        self.silent.insert(Some(step.clone()), voice);
    }

    /// Its voice, when it is over; none where this is no background step. The job's own speaks on.
    pub(crate) fn close(&mut self, step: &StepKey) -> Option<Voice> {
        if self.speaker.as_ref() == Some(step) {
            self.turn_to(None);
        }
        self.silent.remove(&Some(step.clone()))
    }

    /// Whose voice a step speaks with: that of the background step that it is or is inside of.
    pub(crate) fn speaker_of(&self, step: &StepKey) -> Option<StepKey> {
        // Nearly always there is one voice.
        if self.speaker.is_none() && self.silent.is_empty() {
            return None;
        }
        let root = Some(StepKey::new(step.as_str().split('/').next().unwrap_or_default()));
        (self.speaker == root || self.silent.contains_key(&root)).then_some(root).flatten()
    }

    /// From now on the voice of this background step speaks, or the job's own.
    pub(crate) fn turn_to(&mut self, speaker: Option<StepKey>) {
        if self.speaker == speaker {
            return;
        }
        let Some(voice) = self.silent.remove(&speaker) else { return };
        let before = std::mem::replace(&mut self.voice, voice);
        let speaker = std::mem::replace(&mut self.speaker, speaker);
        self.silent.insert(speaker, before);
    }

    /// Who speaks.
    pub(crate) fn speaker(&self) -> Option<&StepKey> {
        self.speaker.as_ref()
    }

    /// When a log wants to be flushed.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.voices().filter_map(|(_, voice)| voice.log.deadline()).min()
    }

    /// Whose logs want to be flushed now.
    pub(crate) fn due(&self, now: Instant) -> Vec<Option<StepKey>> {
        let is_due = |voice: &Voice| voice.log.deadline().is_some_and(|at| at <= now);
        let due = self.voices().filter(|(_, voice)| is_due(voice));
        due.map(|(speaker, _)| speaker.clone()).collect()
    }

    fn voices(&self) -> impl Iterator<Item = (&Option<StepKey>, &Voice)> {
        [(&self.speaker, &self.voice)].into_iter().chain(&self.silent)
    }

    /// A step begins: its annotations are counted anew.
    pub(crate) fn begin_step(&mut self, step: StepKey) {
        self.voice.step = Some(step);
        self.voice.limits = AnnotationLimits::new();
    }

    /// A process of the step begins.
    pub(crate) fn begin_process(&mut self, trust: Trust) {
        let echo = if self.is_debugged { Echo::On } else { Echo::Off };
        self.voice.commands.begin_step(echo, trust);
        self.voice.effects = Effects::default();
        self.voice.has_failed = false;
    }

    /// The process is over: what it changed by commands, and whether a command of it failed.
    pub(crate) fn end_process(&mut self) -> (Effects, bool) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = std::mem::take(&mut self.lines(stream).unfinished);
            let is_long = std::mem::take(&mut self.lines(stream).is_long);
            if is_long {
                self.text(stream, &rest);
                self.text(stream, b"\n");
            } else if !rest.is_empty() {
                self.line(stream, &rest);
            }
            let lines = match stream {
                Stream::Stdout => &mut self.voice.stdout,
                Stream::Stderr => &mut self.voice.stderr,
            };
            std::mem::take(&mut lines.masker).finish(&self.masker, self.voice.log.buffer());
            self.wrote(0);
        }
        (std::mem::take(&mut self.voice.effects), self.voice.has_failed)
    }

    /// What is to be reported since the last time.
    pub(crate) fn take_reports(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.reports)
    }

    /// The disk's refusal, once.
    pub(crate) fn take_error(&mut self) -> Option<std::io::Error> {
        self.error.take()
    }

    /// Bytes of a stream, cut anywhere.
    pub(crate) fn push(&mut self, stream: Stream, chunk: &[u8]) {
        let Some(last_break) = memchr::memrchr(b'\n', chunk) else {
            return self.push_unfinished(stream, chunk);
        };
        let (whole, rest) = chunk.split_at(last_break + 1);
        let mut whole = whole;
        if !self.lines(stream).unfinished.is_empty() || self.lines(stream).is_long {
            let first_break = memchr::memchr(b'\n', whole).expect("there is a last one") + 1;
            let (first, others) = whole.split_at(first_break);
            self.finish_line(stream, first);
            whole = others;
        }
        self.block(stream, whole);
        self.push_unfinished(stream, rest);
    }

    fn push_unfinished(&mut self, stream: Stream, rest: &[u8]) {
        if rest.is_empty() {
            return;
        }
        if self.lines(stream).is_long {
            return self.text(stream, rest);
        }
        let all_is_text = self.all_is_text();
        let lines = self.lines(stream);
        lines.unfinished.extend_from_slice(rest);
        let length = lines.unfinished.len();
        let is_text = || all_is_text && !may_be_command(&lines.unfinished);
        if length > LINE_BYTES_MAX || length > TEXT_BYTES_MAX && is_text() {
            lines.is_long = true;
            let begun = std::mem::take(&mut lines.unfinished);
            self.text(stream, &begun);
        }
    }

    fn finish_line(&mut self, stream: Stream, end: &[u8]) {
        if std::mem::take(&mut self.lines(stream).is_long) {
            return self.text(stream, end);
        }
        let mut line = std::mem::take(&mut self.lines(stream).unfinished);
        line.extend_from_slice(end);
        self.block(stream, &line);
        // Its memory is used again, but a long line's is not kept.
        line.clear();
        line.shrink_to(64 << 10);
        self.lines(stream).unfinished = line;
    }

    /// Whole lines.
    fn block(&mut self, stream: Stream, block: &[u8]) {
        if block.is_empty() {
            return;
        }
        if self.all_is_text() && !may_hold_command(block) {
            return self.text(stream, block);
        }
        // Runs of lines that are text go on together.
        let mut run = 0;
        let mut start = 0;
        for line_break in memchr::memchr_iter(b'\n', block) {
            let line = &block[start..line_break];
            if !self.all_is_text() || may_be_command(line) {
                if run < start {
                    self.text(stream, &block[run..start]);
                }
                self.line(stream, line);
                run = line_break + 1;
            }
            start = line_break + 1;
        }
        if run < start {
            self.text(stream, &block[run..start]);
        }
    }

    fn all_is_text(&self) -> bool {
        self.voice.matchers.is_empty() && !self.voice.commands.is_stopped()
    }

    /// One line, without its break.
    fn line(&mut self, stream: Stream, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut commands = std::mem::take(&mut self.voice.commands);
        let handled = commands.handle(line);
        self.voice.commands = commands;
        // A stop token must be a mask before it is echoed (conformance 172).
        if let Effect::Stopped(Some(token)) = &handled.effect {
            self.masker.add(token.expose());
        }
        if let Some(echo) = &handled.echo {
            self.show(echo);
        }
        for note in handled.notes {
            match note {
                Note::Debug(text) => self.debug(&text),
                Note::Deprecated(text) => self.annotate(Annotation::new(Level::Warning, text)),
            }
        }
        self.carry_out(stream, handled.effect);
    }

    fn carry_out(&mut self, stream: Stream, effect: Effect<'_>) {
        match effect {
            Effect::Text(text) => match self.voice.matchers.look(&text) {
                MatchOutcome::Text => {
                    self.text(stream, &text);
                    self.text(stream, b"\n");
                }
                MatchOutcome::Problem { mut annotation, line } => {
                    self.show(format!("##[{}]{line}", word(annotation.level)).as_bytes());
                    annotation.file = annotation.file.map(|file| self.here(file));
                    annotate::drop_what_is_no_file(&mut annotation, &self.workspace);
                    self.keep(&annotation);
                }
            },
            Effect::Annotation(mut annotation) => {
                annotation.file = annotation.file.map(|file| self.here(file));
                self.annotate(annotation);
            }
            Effect::Debug(text) => self.debug(&text),
            Effect::Group(title) => self.show(format!("##[group]{title}").as_bytes()),
            Effect::EndGroup => self.show(b"##[endgroup]"),
            Effect::SetOutput { name, value } => {
                drop(self.voice.effects.outputs.insert(name, value));
            }
            Effect::SaveState { name, value } => drop(self.voice.effects.state.insert(name, value)),
            Effect::SetEnv { name, value } => drop(self.voice.effects.env.insert(name, value)),
            Effect::AddPath(entry) => self.voice.effects.path.push(entry),
            Effect::AddMask(value) => {
                if self.masker.add(value.expose()) == Added::Short {
                    let text = "a value of fewer than 6 characters was added as a mask: it will \
                                hide ordinary words in the log";
                    self.annotate(Annotation::new(Level::Warning, text));
                }
            }
            Effect::AddMatcher(file) => self.add_matchers(&file),
            Effect::RemoveMatcher(MatcherRef::Owner(owner)) => self.remove_matcher(&owner),
            Effect::RemoveMatcher(MatcherRef::File(file)) => {
                if let Some(file) = self.matcher_file(&file) {
                    file.matchers.iter().for_each(|it| self.remove_matcher(it.owner()));
                }
            }
            Effect::Echo(_) | Effect::Stopped(_) | Effect::Resumed => {}
            Effect::Warning(text) => self.annotate(Annotation::new(Level::Warning, text)),
            Effect::Error(text) => self.annotate(Annotation::new(Level::Error, text)),
            Effect::Failure { message, reason } => {
                self.voice.has_failed = true;
                self.annotate(Annotation::new(Level::Error, message));
                self.annotate(Annotation::new(Level::Error, reason));
            }
        }
    }

    fn add_matchers(&mut self, file: &str) {
        if let Some(file) = self.matcher_file(file) {
            for matcher in file.matchers {
                self.silent.values_mut().for_each(|voice| voice.matchers.add(matcher.clone()));
                self.voice.matchers.add(matcher);
            }
        }
    }

    /// Matchers are the job's; how far they have come in a problem of several lines is a voice's.
    fn remove_matcher(&mut self, owner: &str) {
        self.silent.values_mut().for_each(|voice| voice.matchers.remove(owner));
        self.voice.matchers.remove(owner);
    }

    fn matcher_file(&mut self, file: &str) -> Option<MatcherFile> {
        let path = self.workspace.join(self.here(file.to_owned()));
        let read = self.hands.have(move || {
            // A pipe would be waited for.
            let is_file = std::fs::metadata(&path)?.is_file();
            if is_file { std::fs::read_to_string(&path) } else { Err(no_file()) }
        });
        let read = read
            .map_err(|error| error.to_string())
            .and_then(|text| MatcherFile::parse(&text).map_err(|error| error.to_string()));
        read.inspect_err(|error| {
            self.voice.has_failed = true;
            let text = format!("the problem matcher file '{file}' cannot be used: {error}");
            self.annotate(Annotation::new(Level::Error, text));
        })
        .ok()
    }

    /// Something of ours to say about the step: a line in the log and an annotation.
    pub(crate) fn note(&mut self, level: AnnotationLevel, text: &str) {
        let level = match level {
            AnnotationLevel::Notice => Level::Notice,
            AnnotationLevel::Warning => Level::Warning,
            AnnotationLevel::Error => Level::Error,
        };
        self.annotate(Annotation::new(level, text));
    }

    fn annotate(&mut self, annotation: Annotation) {
        self.show(format!("##[{}]{}", word(annotation.level), annotation.message).as_bytes());
        self.keep(&annotation);
    }

    fn keep(&mut self, annotation: &Annotation) {
        if self.voice.limits.admit(annotation.level) {
            let annotation = annotate::for_report(annotation, &self.masker, &self.workspace);
            self.reports
                .push(Report::AnnotationAdded { step: self.voice.step.clone(), annotation });
        }
    }

    /// Said only while a step is debugged (conformance 114).
    pub(crate) fn debug(&mut self, text: &str) {
        if self.is_debugged {
            self.show(format!("##[debug]{text}").as_bytes());
        }
    }

    /// Said only where the worker itself is looked at (conformance 114).
    pub(crate) fn diagnose(&mut self, text: &str) {
        if self.is_diagnosed {
            self.show(format!("##[debug]runner: {text}").as_bytes());
        }
    }

    /// A line of ours, or one that stands for a command.
    pub(crate) fn show(&mut self, line: &[u8]) {
        self.masker.mask_bytes(line, self.voice.log.buffer());
        self.voice.log.buffer().push(b'\n');
        let lines = 1 + memchr::memchr_iter(b'\n', line).count() as u64;
        self.wrote(lines);
    }

    /// Bytes of the step, masked.
    fn text(&mut self, stream: Stream, bytes: &[u8]) {
        let lines = match stream {
            Stream::Stdout => &mut self.voice.stdout,
            Stream::Stderr => &mut self.voice.stderr,
        };
        lines.masker.push(&self.masker, bytes, self.voice.log.buffer());
        self.wrote(memchr::memchr_iter(b'\n', bytes).count() as u64);
    }

    fn wrote(&mut self, lines: u64) {
        if let Err(error) = self.voice.log.wrote(lines) {
            self.error = Some(error);
        }
    }

    fn lines(&mut self, stream: Stream) -> &mut Lines {
        match stream {
            Stream::Stdout => &mut self.voice.stdout,
            Stream::Stderr => &mut self.voice.stderr,
        }
    }
}

/// The level's name in a log.
fn word(level: Level) -> &'static str {
    match level {
        Level::Notice => "notice",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}
fn no_file() -> std::io::Error {
    std::io::Error::other("it is no file")
}
