//! `options:` of a service: flags of `docker create`, as GitHub passes them on (conformance 162).

use std::time::Duration;

use docker::split;

/// What the options say, as far as a local program can do it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `--health-cmd`; `NONE` switches a check off.
    pub(crate) health_command: Option<String>,
    pub(crate) interval: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) start_period: Option<Duration>,
    pub(crate) retries: Option<u32>,
    /// `-e`, `--env`
    pub(crate) env: Vec<(String, String)>,
    /// Flags that a local program cannot follow; said on the run.
    pub(crate) not_enforced: Vec<String>,
}

/// Reads the options, or says which word cannot be read.
pub(crate) fn parse(text: &str) -> Result<Options, String> {
    let mut options = Options::default();
    let mut words = split(text)?.into_iter();
    while let Some(word) = words.next() {
        let (flag, attached) = match word.split_once('=') {
            Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
            None => (word, None),
        };
        if !flag.starts_with('-') {
            return Err(format!("`{flag}` is not a flag"));
        }
        if flag == "--no-healthcheck" {
            options.health_command = Some("NONE".to_owned());
            continue;
        }
        let Some(value) = attached.or_else(|| words.next()) else {
            return Err(format!("{flag} has no value"));
        };
        options.take(&flag, value)?;
    }
    Ok(options)
}

impl Options {
    fn take(&mut self, flag: &str, value: String) -> Result<(), String> {
        let time = |value: &str| {
            duration(value).ok_or_else(|| format!("{flag} takes a time such as 10s, not `{value}`"))
        };
        match flag {
            "--health-cmd" => self.health_command = Some(value),
            "--health-interval" => self.interval = Some(time(&value)?),
            "--health-timeout" => self.timeout = Some(time(&value)?),
            "--health-start-period" => self.start_period = Some(time(&value)?),
            "--health-retries" => {
                let number =
                    value.parse().map_err(|_| format!("{flag} takes a number, not `{value}`"))?;
                self.retries = Some(number);
            }
            "-e" | "--env" => {
                let (key, value) = value.split_once('=').unwrap_or((&value, ""));
                self.env.push((key.to_owned(), value.to_owned()));
            }
            // The runner refuses these two itself.
            "--network" | "--entrypoint" => {
                return Err(format!("{flag} is not allowed in options"));
            }
            _ => self.not_enforced.push(format!("{flag} {value}")),
        }
        Ok(())
    }
}

/// Docker counts nanoseconds in 64 bits with a sign; longer than that it takes no time.
const DURATION_MAX: Duration = Duration::from_nanos(i64::MAX as u64);

/// Docker's durations: `1m30s`, `500ms`, `10s`.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let seconds = match &rest[..unit_end] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = &rest[unit_end..];
    }
    (!text.is_empty() && total <= DURATION_MAX).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expect: Expect) {
        let shown = match parse(text) {
            Ok(options) => format!("{options:?}"),
            Err(error) => format!("error: {error}"),
        };
        expect.assert_eq(&shown);
    }

    #[test]
    fn health_env_and_the_rest() {
        check(
            r#"--health-cmd "redis-cli ping" --health-interval 10s --health-timeout=1m30s --health-retries 5"#,
            expect![[
                r#"Options { health_command: Some("redis-cli ping"), interval: Some(10s), timeout: Some(90s), start_period: None, retries: Some(5), env: [], not_enforced: [] }"#
            ]],
        );
        check(
            "--env A=b=c --memory 512m",
            expect![[
                r#"Options { health_command: None, interval: None, timeout: None, start_period: None, retries: None, env: [("A", "b=c")], not_enforced: ["--memory 512m"] }"#
            ]],
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        check(
            "--health-interval soon",
            expect!["error: --health-interval takes a time such as 10s, not `soon`"],
        );
        check(
            "--health-timeout 10000000000000000000s10000000000000000000s",
            expect![
                "error: --health-timeout takes a time such as 10s, not `10000000000000000000s10000000000000000000s`"
            ],
        );
        check("--health-cmd 'pg_isready", expect!["error: a ' is never closed"]);
        check("--health-cmd", expect!["error: --health-cmd has no value"]);
        check("pg_isready", expect!["error: `pg_isready` is not a flag"]);
        check("--network host", expect!["error: --network is not allowed in options"]);
    }
}
