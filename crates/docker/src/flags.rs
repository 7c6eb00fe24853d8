//! The flags of `docker create` as its API has them (conformance 162). What is not known is refused:
//! nothing is left out in silence.

use serde_json::{Value as Json, json};

/// Why flags cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// Quotes, words.
    #[error("{0}")]
    Words(String),
    /// Not one that is known here.
    #[error("the flag {0} is not supported")]
    Unknown(String),
    /// One that GitHub does not allow either.
    #[error("{0} is not allowed in options")]
    NotAllowed(String),
    /// Its value is missing, or makes no sense.
    #[error("{flag} takes {takes}, not `{value}`")]
    Value {
        /// The flag.
        flag: String,
        /// What it takes.
        takes: &'static str,
        /// What was written.
        value: String,
    },
}

/// What takes a value, by its names.
#[derive(Clone, Copy)]
enum Kind {
    /// A text at this place of the body.
    Text(&'static str),
    /// One more text in a list.
    Item(&'static str),
    /// `NAME=VALUE`, or `NAME:VALUE`, in an object.
    Pair(&'static str, char),
    Bytes(&'static str),
    Number(&'static str),
    Cpus,
    Time(&'static str),
    HealthCommand,
    Volume,
    Device,
    Limit,
    Name,
    /// What GitHub refuses.
    Refused,
}

const VALUES: &[(&[&str], Kind)] = &[
    (&["--add-host"], Kind::Item("/HostConfig/ExtraHosts")),
    (&["--cap-add"], Kind::Item("/HostConfig/CapAdd")),
    (&["--cap-drop"], Kind::Item("/HostConfig/CapDrop")),
    (&["--cpu-shares", "-c"], Kind::Number("/HostConfig/CpuShares")),
    (&["--cpus"], Kind::Cpus),
    (&["--cpuset-cpus"], Kind::Text("/HostConfig/CpusetCpus")),
    (&["--device"], Kind::Device),
    (&["--dns"], Kind::Item("/HostConfig/Dns")),
    (&["--entrypoint", "--net", "--network"], Kind::Refused),
    (&["--env", "-e"], Kind::Item("/Env")),
    (&["--group-add"], Kind::Item("/HostConfig/GroupAdd")),
    (&["--health-cmd"], Kind::HealthCommand),
    (&["--health-interval"], Kind::Time("/Healthcheck/Interval")),
    (&["--health-retries"], Kind::Number("/Healthcheck/Retries")),
    (&["--health-start-period"], Kind::Time("/Healthcheck/StartPeriod")),
    (&["--health-timeout"], Kind::Time("/Healthcheck/Timeout")),
    (&["--hostname", "-h"], Kind::Text("/Hostname")),
    (&["--ipc"], Kind::Text("/HostConfig/IpcMode")),
    (&["--label", "-l"], Kind::Pair("/Labels", '=')),
    (&["--memory", "-m"], Kind::Bytes("/HostConfig/Memory")),
    (&["--memory-reservation"], Kind::Bytes("/HostConfig/MemoryReservation")),
    (&["--memory-swap"], Kind::Bytes("/HostConfig/MemorySwap")),
    (&["--name"], Kind::Name),
    (&["--pid"], Kind::Text("/HostConfig/PidMode")),
    (&["--pids-limit"], Kind::Number("/HostConfig/PidsLimit")),
    (&["--security-opt"], Kind::Item("/HostConfig/SecurityOpt")),
    (&["--shm-size"], Kind::Bytes("/HostConfig/ShmSize")),
    (&["--sysctl"], Kind::Pair("/HostConfig/Sysctls", '=')),
    (&["--tmpfs"], Kind::Pair("/HostConfig/Tmpfs", ':')),
    (&["--ulimit"], Kind::Limit),
    (&["--user", "-u"], Kind::Text("/User")),
    (&["--volume", "-v"], Kind::Volume),
    (&["--workdir", "-w"], Kind::Text("/WorkingDir")),
];

const SWITCHES: &[(&str, &str, bool)] = &[
    ("--init", "/HostConfig/Init", true),
    ("--privileged", "/HostConfig/Privileged", true),
    ("--read-only", "/HostConfig/ReadonlyRootfs", true),
    // It always is.
    ("--rm", "/HostConfig/AutoRemove", true),
];

/// Flags that give a container what is not its own.
const BEYOND: &[&str] = &[
    "--cap-add",
    "--device",
    "--group-add",
    "--ipc",
    "--name",
    "--pid",
    "--privileged",
    "--security-opt",
    "--sysctl",
];

/// What flags say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Flags {
    /// `--name`
    pub(crate) name: Option<String>,
    /// Those that reach beyond the container, as written.
    pub(crate) beyond: Vec<String>,
}

/// Puts what the flags say into the body.
pub(crate) fn apply(text: &str, body: &mut Json) -> Result<Flags, FlagError> {
    let mut flags = Flags::default();
    let mut words = split(text).map_err(FlagError::Words)?.into_iter();
    while let Some(word) = words.next() {
        let (flag, attached) = match word.split_once('=') {
            Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
            None => (word, None),
        };
        if BEYOND.contains(&&*flag) {
            flags.beyond.push(flag.clone());
        }
        if flag == "--no-healthcheck" {
            *at(body, "/Healthcheck/Test") = json!(["NONE"]);
        } else if let Some((_, place, is)) = SWITCHES.iter().find(|(name, ..)| *name == flag) {
            *at(body, place) = json!(attached.as_deref() != Some("false") && *is);
        } else if let Some((_, kind)) = VALUES.iter().find(|(names, _)| names.contains(&&*flag)) {
            let missing =
                || FlagError::Value { flag: flag.clone(), takes: "a value", value: String::new() };
            let value = attached.or_else(|| words.next()).ok_or_else(missing)?;
            take(*kind, &flag, value, body, &mut flags)?;
        } else {
            return Err(FlagError::Unknown(flag));
        }
    }
    Ok(flags)
}

fn take(
    kind: Kind,
    flag: &str,
    value: String,
    body: &mut Json,
    flags: &mut Flags,
) -> Result<(), FlagError> {
    let wrong = |takes: &'static str, value: &str| FlagError::Value {
        flag: flag.to_owned(),
        takes,
        value: value.to_owned(),
    };
    match kind {
        Kind::Refused => return Err(FlagError::NotAllowed(flag.to_owned())),
        Kind::Text(place) => *at(body, place) = value.into(),
        Kind::Item("/Env") if !value.contains('=') => return Err(wrong("NAME=VALUE", &value)),
        Kind::Item(place) => push(body, place, value.into()),
        Kind::Pair("/Labels", _) if value.starts_with("launchway.") => {
            return Err(wrong("a label of one's own", &value));
        }
        Kind::Pair(place, between) => {
            let (name, value) = value.split_once(between).unwrap_or((&value, ""));
            at(body, place)[name] = value.into();
        }
        Kind::Bytes(place) => {
            let bytes = bytes(&value).ok_or_else(|| wrong("a size such as 512m", &value))?;
            *at(body, place) = bytes.into();
        }
        Kind::Number(place) => {
            let number: i64 = value.parse().map_err(|_| wrong("a number", &value))?;
            *at(body, place) = number.into();
        }
        Kind::Cpus => {
            let count = value.parse().ok().filter(|count: &f64| *count > 0.0 && *count < 1e6);
            let count = count.ok_or_else(|| wrong("a number of processors", &value))?;
            #[expect(clippy::cast_possible_truncation, reason = "it is below 1e15")]
            let nanos = (count * 1e9) as i64;
            *at(body, "/HostConfig/NanoCpus") = nanos.into();
        }
        Kind::Time(place) => {
            let nanos = nanoseconds(&value).ok_or_else(|| wrong("a time such as 10s", &value))?;
            *at(body, place) = nanos.into();
        }
        Kind::HealthCommand => *at(body, "/Healthcheck/Test") = json!(["CMD-SHELL", value]),
        Kind::Volume => volume(&value, body, &mut flags.beyond),
        Kind::Device => {
            let mut parts = value.splitn(3, ':');
            let outside = parts.next().unwrap_or_default();
            let inside = parts.next().unwrap_or(outside);
            let device = json!({ "PathOnHost": outside, "PathInContainer": inside,
                "CgroupPermissions": parts.next().unwrap_or("rwm") });
            push(body, "/HostConfig/Devices", device);
        }
        Kind::Limit => {
            let limit = limit(&value).ok_or_else(|| wrong("NAME=SOFT:HARD", &value))?;
            push(body, "/HostConfig/Ulimits", limit);
        }
        Kind::Name => flags.name = Some(value),
    }
    Ok(())
}

/// A volume as `docker create -v` takes it: `NAME:/IN`, `/OUT:/IN:ro`, `/IN`. What has a source
/// reaches beyond the container.
pub(crate) fn volume(text: &str, body: &mut Json, beyond: &mut Vec<String>) {
    match text.split_once(':') {
        None => at(body, "/Volumes")[text] = json!({}),
        Some((source, _)) => {
            // One with a name is the machine's, too: others use it, and it stays.
            if !source.is_empty() {
                beyond.push(format!("the volume {text}"));
            }
            push(body, "/HostConfig/Binds", text.into());
        }
    }
}

/// The place in a body, made where it is not there yet.
pub(crate) fn at<'j>(body: &'j mut Json, pointer: &str) -> &'j mut Json {
    pointer.split('/').skip(1).fold(body, |it, key| &mut it[key])
}

pub(crate) fn push(body: &mut Json, pointer: &str, item: Json) {
    let list = at(body, pointer);
    match list.as_array_mut() {
        Some(list) => list.push(item),
        None => *list = json!([item]),
    }
}

fn bytes(text: &str) -> Option<i64> {
    if text == "-1" {
        return Some(-1);
    }
    let lower = text.to_ascii_lowercase();
    let digits = lower.find(|c: char| !c.is_ascii_digit()).unwrap_or(lower.len());
    let number: i64 = lower[..digits].parse().ok()?;
    let unit = match &lower[digits..] {
        "" | "b" => 1,
        "k" | "kb" => 1 << 10,
        "m" | "mb" => 1 << 20,
        "g" | "gb" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// Docker's durations: `1m30s`, `500ms`, `10s`.
fn nanoseconds(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 6e10,
            "h" => 3.6e12,
            _ => return None,
        };
        // A century is more than anybody waits, and less than 64 bits hold.
        let part = Some(number * unit).filter(|part| *part < 3.2e18)?;
        #[expect(clippy::cast_possible_truncation, reason = "it was looked at")]
        let part = part as i64;
        total = total.checked_add(part)?;
        rest = &rest[end..];
    }
    (!text.is_empty()).then_some(total)
}

fn limit(text: &str) -> Option<Json> {
    let (name, values) = text.split_once('=')?;
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let (soft, hard): (i64, i64) = (soft.parse().ok()?, hard.parse().ok()?);
    Some(json!({ "Name": name, "Soft": soft, "Hard": hard }))
}

/// Words as a shell would see them: quotes and backslashes, nothing else. The error says what is wrong.
pub fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => {
                word.get_or_insert_default().extend(characters.next());
            }
            (None, blank) if blank.is_whitespace() => words.extend(word.take()),
            (_, other) => word.get_or_insert_default().push(other),
        }
    }
    if let Some(open) = quote {
        return Err(format!("a {open} is never closed"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: &Expect) {
        let mut body = json!({});
        let shown = match apply(text, &mut body) {
            Ok(flags) => format!("{body} {:?} {:?}", flags.name, flags.beyond),
            Err(error) => format!("error: {error}"),
        };
        expected.assert_eq(&shown);
    }

    // proves: conformance 162
    #[test]
    fn c162_options_are_flags_of_docker_create() {
        check(
            "--cpus 1.5 -m 512m --shm-size=1g --user 1001:121 -e A=b --init",
            &expect![[
                r#"{"HostConfig":{"NanoCpus":1500000000,"Memory":536870912,"ShmSize":1073741824,"Init":true},"User":"1001:121","Env":["A=b"]} None []"#
            ]],
        );
        check(
            r#"--health-cmd "pg_isready -U app" --health-interval 1m30s --health-retries 5"#,
            &expect![[
                r#"{"Healthcheck":{"Test":["CMD-SHELL","pg_isready -U app"],"Interval":90000000000,"Retries":5}} None []"#
            ]],
        );
        check(
            "--ulimit nofile=1024:4096 --tmpfs /run:size=64m --add-host db:10.0.0.7 --name web --hostname web",
            &expect![[
                r#"{"HostConfig":{"Ulimits":[{"Name":"nofile","Soft":1024,"Hard":4096}],"Tmpfs":{"/run":"size=64m"},"ExtraHosts":["db:10.0.0.7"]},"Hostname":"web"} Some("web") ["--name"]"#
            ]],
        );
    }

    #[test]
    fn what_reaches_beyond_the_container_is_named() {
        check(
            "--privileged --device /dev/kvm -v /srv:/srv:ro -v data:/data",
            &expect![[
                r#"{"HostConfig":{"Privileged":true,"Devices":[{"PathOnHost":"/dev/kvm","PathInContainer":"/dev/kvm","CgroupPermissions":"rwm"}],"Binds":["/srv:/srv:ro","data:/data"]}} None ["--privileged", "--device", "the volume /srv:/srv:ro", "the volume data:/data"]"#
            ]],
        );
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        check("--gpus all", &expect!["error: the flag --gpus is not supported"]);
        check("--network host", &expect!["error: --network is not allowed in options"]);
        check("--memory lots", &expect!["error: --memory takes a size such as 512m, not `lots`"]);
        check("--cpus", &expect!["error: --cpus takes a value, not ``"]);
        check("--health-cmd 'x", &expect!["error: a ' is never closed"]);
        check("web", &expect!["error: the flag web is not supported"]);
    }
}
