//! `.launchway/allowed_signers`, in the format of OpenSSH (ssh-keygen(1), ALLOWED SIGNERS): who there
//! is, by which names and keys.

use std::collections::BTreeMap;

use event::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime;

use crate::key::{Key, KeyError};

/// Lines of one file: a team of hundreds fits.
const LINES_MAX: usize = 2_000;

/// A line that does not read. None is passed over: it would be a person who silently cannot agree, or
/// a limit that silently does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct LineError {
    /// Which, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
    /// Why, where it is the key.
    #[source]
    pub source: Option<KeyError>,
}

/// A key with what the line says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerKey {
    /// The key.
    pub key: Key,
    /// What it may sign for; anything where it is empty.
    namespaces: Vec<String>,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
}

impl SignerKey {
    /// All that the file says of it, for a digest.
    fn text(&self) -> String {
        let moment = |at: Option<Timestamp>| at.map_or_else(String::new, |at| at.0.to_string());
        let (after, before) = (moment(self.after), moment(self.before));
        let namespaces = self.namespaces.join(",");
        format!("key {} {namespaces:?} {after:?} {before:?}\n", self.key.openssh())
    }

    /// Whether it counts for that, then.
    pub fn counts(&self, namespace: &str, at: Timestamp) -> bool {
        let named = self.namespaces.is_empty() || self.namespaces.iter().any(|it| it == namespace);
        named
            && self.after.is_none_or(|after| after <= at)
            && self.before.is_none_or(|before| at < before)
    }
}

/// A person: every name and every key that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their names, as written, the first of the file first.
    pub names: Vec<String>,
    /// Their keys.
    pub keys: Vec<SignerKey>,
}

impl Person {
    /// What they are called here: the first name of theirs in the file.
    pub fn name(&self) -> &str {
        self.names.first().expect("a person has a name")
    }

    /// Everything of them, for a digest.
    pub fn text(&self) -> String {
        let names: String = self.names.iter().map(|name| format!("name {name:?}\n")).collect();
        names + &self.keys.iter().map(SignerKey::text).collect::<String>()
    }

    /// Whether a name is theirs. An address that GitHub makes up for somebody who hides theirs is
    /// the name in it.
    pub fn is_called(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let hidden = name.strip_suffix("@users.noreply.github.com");
        let hidden = hidden.map(|it| it.split_once('+').map_or(it, |(_, login)| login));
        let mut own = self.names.iter().map(|it| it.to_lowercase());
        own.any(|it| it == name || Some(&*it) == hidden)
    }
}

/// Everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signers {
    people: Vec<Person>,
}

impl Signers {
    /// Reads the file.
    ///
    /// # Errors
    /// Every line that does not read.
    pub fn read(text: &str) -> Result<Signers, Vec<LineError>> {
        let mut lines = Vec::new();
        let mut errors = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match read_line(line) {
                Ok(read) => lines.push(read),
                Err((what, source)) => errors.push(LineError { line: index + 1, what, source }),
            }
            if index == LINES_MAX {
                let what = format!("there are more than {LINES_MAX} lines");
                errors.push(LineError { line: index + 1, what, source: None });
                break;
            }
        }
        if errors.is_empty() { Ok(Signers { people: people(lines) }) } else { Err(errors) }
    }

    /// Everybody, in the file's order.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// Who is called that.
    pub fn called(&self, name: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.is_called(name))
    }

    /// Whose key it is, with what the file says about it.
    pub fn owner(&self, key: &Key) -> Option<(&Person, Vec<&SignerKey>)> {
        let holds = |person: &&Person| person.keys.iter().any(|it| it.key == *key);
        let person = self.people.iter().find(holds)?;
        Some((person, person.keys.iter().filter(|it| it.key == *key).collect()))
    }
}

struct Line {
    names: Vec<String>,
    key: SignerKey,
}

type Fault = (String, Option<KeyError>);

fn fault<T>(what: impl Into<String>) -> Result<T, Fault> {
    Err((what.into(), None))
}

fn read_line(line: &str) -> Result<Line, Fault> {
    let words = words(line).ok_or_else(|| ("a quote is not closed".to_owned(), None))?;
    let mut words = words.iter().map(String::as_str);
    let names: Vec<String> = match words.next() {
        Some(names) => names.trim_matches('"').split(',').map(|it| it.trim().to_owned()).collect(),
        None => return fault("it is empty"),
    };
    if names.iter().any(String::is_empty) {
        return fault("a name is empty");
    }
    if let Some(name) = names.iter().find(|name| name.contains(['*', '?', '!'])) {
        return fault(format!("`{name}` names nobody: write every name out"));
    }
    let mut second = words.next().unwrap_or_default();
    let (mut namespaces, mut after, mut before) = (Vec::new(), None, None);
    // A kind of key has no `=`, and no option begins like one.
    let is_kind = |word: &str| ["ssh-", "ecdsa-", "sk-"].iter().any(|it| word.starts_with(it));
    if !is_kind(second) {
        for option in options(second) {
            let (key, value) = option.split_once('=').unwrap_or((&option, ""));
            let value = value.trim_matches('"');
            match key.to_ascii_lowercase().as_str() {
                "namespaces" => namespaces = value.split(',').map(str::to_owned).collect(),
                "valid-after" => after = Some(moment(value)?),
                "valid-before" => before = Some(moment(value)?),
                "cert-authority" => return fault("certificates do not count here: name the keys"),
                _ => return fault(format!("`{key}` is no option of this file")),
            }
        }
        if let Some(pattern) = namespaces.iter().find(|it| it.contains(['*', '?', '!'])) {
            return fault(format!("`{pattern}` is a pattern: write every namespace out"));
        }
        second = words.next().unwrap_or_default();
    }
    let Some(base64) = words.next() else { return fault("it has no key") };
    let key = Key::read(second, base64);
    let key = key.map_err(|error| ("its key does not count".to_owned(), Some(error)))?;
    Ok(Line { names, key: SignerKey { key, namespaces, after, before } })
}

/// Words between blanks; blanks inside quotes do not part.
fn words(line: &str) -> Option<Vec<String>> {
    split(line, char::is_whitespace)
}

fn options(word: &str) -> Vec<String> {
    split(word, |it| it == ',').unwrap_or_default()
}

fn split(text: &str, parts: impl Fn(char) -> bool) -> Option<Vec<String>> {
    let mut all = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for letter in text.chars() {
        if letter == '"' {
            quoted = !quoted;
        }
        if parts(letter) && !quoted {
            all.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        } else {
            word.push(letter);
        }
    }
    all.extend((!word.is_empty()).then_some(word));
    (!quoted).then_some(all)
}

/// `YYYYMMDDZ`, `YYYYMMDDHHMMZ` or `YYYYMMDDHHMMSSZ`. Without the Z it would be the time zone of
/// whoever reads it: no two would agree on it.
fn moment(text: &str) -> Result<Timestamp, Fault> {
    let Some(digits) = text.strip_suffix(['Z', 'z']) else {
        return fault(format!("`{text}` is in nobody's time zone: say it in UTC, with a Z behind"));
    };
    let padded = match digits.len() {
        8 | 12 => format!("{digits:0<14}"),
        _ => digits.to_owned(),
    };
    let read = strtime::parse("%Y%m%d%H%M%S", &padded).and_then(|it| it.to_datetime());
    let read = read.ok().filter(|_| padded.len() == 14);
    let at = read.and_then(|it: DateTime| it.to_zoned(jiff::tz::TimeZone::UTC).ok());
    match at.and_then(|it| u64::try_from(it.timestamp().as_millisecond()).ok()) {
        Some(ms) => Ok(Timestamp(ms)),
        None => fault(format!("`{text}` is no moment: YYYYMMDDHHMMZ")),
    }
}

/// Lines that share a name or a key are one person.
fn people(lines: Vec<Line>) -> Vec<Person> {
    let mut groups: Vec<usize> = (0..lines.len()).collect();
    let mut by_name: BTreeMap<String, usize> = BTreeMap::new();
    let mut by_key: BTreeMap<Key, usize> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        let names = line.names.iter().map(|name| name.to_lowercase());
        let mut same: Vec<usize> = names.filter_map(|it| by_name.insert(it, at)).collect();
        same.extend(by_key.insert(line.key.key.clone(), at));
        for other in same {
            let (from, to) = (groups[at].max(groups[other]), groups[at].min(groups[other]));
            groups.iter_mut().filter(|it| **it == from).for_each(|it| *it = to);
        }
    }
    let mut people: BTreeMap<usize, Person> = BTreeMap::new();
    for (group, line) in groups.into_iter().zip(lines) {
        let nobody = || Person { names: Vec::new(), keys: Vec::new() };
        let person = people.entry(group).or_insert_with(nobody);
        for name in line.names {
            if !person.names.iter().any(|it| it.eq_ignore_ascii_case(&name)) {
                person.names.push(name);
            }
        }
        person.keys.push(line.key);
    }
    people.into_values().collect()
}
