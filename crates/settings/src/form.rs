//! Forms of text: what a path, an address, a name, a reference to a secret looks like.
//!
//! The pattern is for editors (JSON Schema) and takes at least all that the check takes.

use std::net::SocketAddr;

use crate::moment;

/// Characters of one text. Nobody writes more; command lines and addresses have limits near it.
const CHARACTERS_MAX: usize = 4096;
/// Characters of a name: they become parts of names on platforms, where 63 is a common limit.
const NAME_CHARACTERS_MAX: usize = 63;

/// A form of text.
#[derive(Debug)]
pub(crate) struct Form {
    /// What it is, with its article: `a path inside the repository`.
    pub(crate) about: &'static str,
    /// One that is well written.
    pub(crate) example: &'static str,
    /// An ECMAScript expression for the schema.
    pub(crate) pattern: &'static str,
    /// What may stand in braces, and is filled in later.
    pub(crate) placeholders: &'static [&'static str],
    /// What else a plain value may be that is no text in YAML.
    pub(crate) also: Also,
    /// Why a text is not of this form.
    pub(crate) check: fn(&str) -> Result<(), &'static str>,
}

/// YAML values that are taken as the text that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Also {
    Nothing,
    /// `111122223333`
    Numbers,
    /// `true`, `8080`, and nothing at all.
    Scalars,
    /// Text only; and it is not repeated in messages: somebody may have written the secret itself.
    Hidden,
}

const ALL: &[&str] = &["env", "project", "service"];
const ANY: &str = "^[^\\x00]+$";

const fn form(
    about: &'static str,
    example: &'static str,
    pattern: &'static str,
    check: fn(&str) -> Result<(), &'static str>,
) -> Form {
    Form { about, example, pattern, placeholders: &[], also: Also::Nothing, check }
}

const fn filled(mut form: Form) -> Form {
    form.placeholders = ALL;
    form
}

const fn also(mut form: Form, also: Also) -> Form {
    form.also = also;
    form
}

pub(crate) static TEXT: Form = also(form("text", "text", ANY, |_| Ok(())), Also::Numbers);
pub(crate) static NAME: Form =
    form("a name of letters, digits, `-` and `_`", "api", "^[A-Za-z0-9][A-Za-z0-9_-]*$", name);
pub(crate) static PERSON: Form = form("a person's name on the forge", "mona", ANY, person);
pub(crate) static PATH: Form = form("a path inside the repository", "backend", ANY, path);
pub(crate) static PATH_TEMPLATE: Form =
    filled(form("a path inside the repository", "settings/{env}.env", ANY, path));
pub(crate) static GLOB: Form =
    form("a pattern of paths inside the repository", "backend/**", ANY, path);
pub(crate) static REF: Form =
    form("the name of a branch or tag, or a pattern of names", "v*.*.*", ANY, git_ref);
pub(crate) static WORKFLOW: Form =
    form("a file of `.github/workflows`", "ci.yml", "^[^/\\s]+\\.ya?ml$", |text| {
        let is_file = text.ends_with(".yml") || text.ends_with(".yaml");
        let is_plain = !text.contains('/') && !text.contains(char::is_whitespace);
        (is_file && is_plain)
            .then_some(())
            .ok_or("its name ends in `.yml` or `.yaml`, and has no folder")
    });
pub(crate) static URL: Form =
    form("an address of http or https", "https://staging.example.com", "^https?://[^\\s/]+", url);
pub(crate) static URL_PATH: Form = form("the path of an address", "/health", "^/", url_path);
pub(crate) static IMAGE: Form = filled(form(
    "the name of a repository of images, without registry and tag",
    "{project}-{service}",
    "^[a-z0-9._/{}-]+$",
    image,
));
pub(crate) static REGISTRY: Form = form(
    "a registry of images, with what stands before its repositories",
    "ghcr.io/planner",
    "^[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9._/-]+)?$",
    registry,
);
pub(crate) static RESOURCE: Form =
    filled(form("a name on the platform", "{service}-service", "^[A-Za-z0-9._:/{}-]+$", resource));
pub(crate) static ROLE: Form = form(
    "the ARN of a role",
    "arn:aws:iam::111122223333:role/deployer-staging",
    "^arn:[a-z-]+:iam::[0-9]{12}:role/.+$",
    role,
);
pub(crate) static ACCOUNT: Form =
    also(form("an account's 12 digits", "\"111122223333\"", "^[0-9]{12}$", account), Also::Numbers);
pub(crate) static REGION: Form =
    form("a region of AWS", "eu-central-1", "^[a-z]{2,}(-[a-z]+)+-[0-9]+$", region);
pub(crate) static BUCKET: Form =
    form("a bucket, and a prefix in it", "s3://bucket/prefix", "^s3://", bucket);
pub(crate) static JOURNAL: Form = form(
    "`local`, `alone`, or a bucket",
    "s3://bucket/prefix",
    "^(local$|alone$|s3://|https://)",
    journal,
);
pub(crate) static LISTEN: Form =
    form("an address of this machine with its port", "127.0.0.1:8080", ":[0-9]+$", listen);
pub(crate) static USER: Form = also(
    form("a user", "planner", "^([a-z_][a-z0-9_-]*\\$?|[0-9]+(:[0-9]+)?)$", user),
    Also::Numbers,
);
pub(crate) static ENV_NAME: Form =
    form("the name of a variable", "LOG_LEVEL", "^[A-Za-z_][A-Za-z0-9_]*$", env_name);
pub(crate) static ENV_TEXT: Form = also(form("text", "info", "", |_| Ok(())), Also::Scalars);
pub(crate) static SECRET: Form = also(
    form(
        "a reference to a secret (secretsmanager:NAME, ssm:NAME, an ARN of either, \
         kubernetes:SECRET/KEY, local:NAME, file:PATH), never the secret itself",
        "ssm:/planner/token",
        "^(arn:|secretsmanager:|ssm:|kubernetes:|local:|file:)",
        |text| crate::secret::parse(text).map(|_| ()),
    ),
    Also::Hidden,
);
pub(crate) static KEPT_SECRET: Form = also(
    form(
        "where a secret lies on the machine that sends (local:NAME, file:PATH), never the secret itself",
        "local:SLACK_URL",
        "^(local:|file:)",
        |text| match crate::secret::parse(text)? {
            crate::secret::SecretReference::Local { .. }
            | crate::secret::SecretReference::File { .. } => Ok(()),
            _ => Err("it lies on the machine that sends: local:NAME or file:PATH"),
        },
    ),
    Also::Hidden,
);
pub(crate) static HOST: Form =
    form("the name of a host", "smtp.example.com", "^[A-Za-z0-9.:-]+$", |text| {
        only(text, ".-:").then_some(()).ok_or("a host has letters, digits, `.` and `-`")
    });
pub(crate) static MOMENT: Form = form(
    "a date and time with its zone",
    "2026-12-24T18:00:00+01:00",
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]+(Z|[+-][0-9]{2}:[0-9]{2})$",
    |text| moment::parse(text).map(|_| ()),
);
pub(crate) static CLOCK: Form = form("a time of day", "\"09:00\"", "^[0-9]{2}:[0-9]{2}$", |text| {
    moment::clock(text).map(|_| ()).ok_or("hours and minutes are from 00:00 to 24:00")
});
pub(crate) static ZONE: Form = form(
    "a time zone",
    "Europe/Berlin",
    "^(UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+)+|[+-][0-9]{2}:[0-9]{2})$",
    moment::zone,
);
pub(crate) static HEADER: Form =
    form("the name of a header", "strict-transport-security", "^[A-Za-z0-9-]+$", |text| {
        only(text, "-").then_some(()).ok_or("a header has letters, digits and `-`")
    });
pub(crate) static EMAIL: Form =
    form("an address of email", "team@example.com", "^[^@\\s]+@[^@\\s]+$", |text| {
        let parts =
            text.split_once('@').filter(|(user, host)| !user.is_empty() && !host.is_empty());
        let plain = parts.is_some_and(|(_, host)| !host.contains('@'))
            && !text.contains(char::is_whitespace);
        plain.then_some(()).ok_or("it has one `@`, and something before and behind it")
    });

impl Form {
    /// Why a text cannot stand here.
    pub(crate) fn refuse(&self, text: &str) -> Option<String> {
        if text.is_empty() && self.also != Also::Scalars {
            return Some("it is empty".to_owned());
        }
        if text.chars().count() > CHARACTERS_MAX {
            return Some(format!("it has more than {CHARACTERS_MAX} characters"));
        }
        if text.chars().any(|it| it.is_control() && it != '\n' && it != '\t') {
            return Some("it holds a control character".to_owned());
        }
        if !self.placeholders.is_empty()
            && let Err(reason) = crate::template::check(text, self.placeholders)
        {
            return Some(reason);
        }
        (self.check)(text).err().map(str::to_owned)
    }

    /// What to write instead.
    pub(crate) fn hint(&self) -> String {
        format!("write {}, such as {}", self.about, self.example)
    }
}

/// Whether a text is of letters, digits and these.
fn only(text: &str, others: &str) -> bool {
    text.chars().all(|it| it.is_ascii_alphanumeric() || others.contains(it))
}

fn name(text: &str) -> Result<(), &'static str> {
    if text.len() > NAME_CHARACTERS_MAX {
        return Err("a name has at most 63 characters");
    }
    if !only(text, "-_") || text.starts_with(['-', '_']) {
        return Err("a name has letters, digits, `-` and `_`, and begins with a letter or digit");
    }
    Ok(())
}

fn person(text: &str) -> Result<(), &'static str> {
    let plain = !text.contains(|it: char| it.is_whitespace() || it == ',');
    plain.then_some(()).ok_or("a person's name holds no blank and no comma")
}

fn path(text: &str) -> Result<(), &'static str> {
    if text.starts_with('/') || text.starts_with('~') {
        return Err("it leads out of the repository; paths begin at its root, without `/`");
    }
    if text.split('/').any(|part| part == "..") {
        return Err("`..` may lead out of the repository");
    }
    if text.contains('\\') {
        return Err("folders are parted by `/`");
    }
    if text.contains('\n') {
        return Err("a path is one line");
    }
    Ok(())
}

fn git_ref(text: &str) -> Result<(), &'static str> {
    if text.starts_with("refs/") {
        return Err("the name alone is written, without `refs/heads/` or `refs/tags/`");
    }
    if text.contains(char::is_whitespace) || text.contains("..") {
        return Err("a name in git has no blank and no `..`");
    }
    Ok(())
}

fn url(text: &str) -> Result<(), &'static str> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else { return Err("it does not begin with https:// or http://") };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        return Err("a user or password does not belong here");
    }
    if host.is_empty() || text.contains(char::is_whitespace) {
        return Err("it names no host");
    }
    Ok(())
}

fn url_path(text: &str) -> Result<(), &'static str> {
    let plain = text.starts_with('/') && !text.contains(char::is_whitespace);
    plain.then_some(()).ok_or("it does not begin with `/`, or holds a blank")
}

fn image(text: &str) -> Result<(), &'static str> {
    let plain = text
        .chars()
        .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || "._-/{}".contains(it));
    plain
        .then_some(())
        .ok_or("a repository of images has small letters, digits, `.`, `_`, `-` and `/`")
}

fn registry(text: &str) -> Result<(), &'static str> {
    if text.contains("://") {
        return Err("it is written without https://");
    }
    let (host, path) = text.split_once('/').map_or((text, None), |(host, path)| (host, Some(path)));
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    // Without any of these, docker takes the first part for a user of its own hub.
    if !name.contains('.') && port.is_none() && name != "localhost" {
        return Err("it begins with a host: a name with a `.`, `localhost`, or one with a port");
    }
    if name.is_empty() || !only(name, ".-") || port.is_some_and(|it| it.parse::<u16>().is_err()) {
        return Err("its host is none");
    }
    match path {
        Some(path) if path.is_empty() || path.ends_with('/') || path.contains("//") => {
            Err("`/` stands between parts only")
        }
        Some(path) if path.contains(['{', '}']) => Err("nothing is filled in here"),
        Some(path) => image(path),
        None => Ok(()),
    }
}

fn resource(text: &str) -> Result<(), &'static str> {
    let plain = only(text, "._-:/{}");
    plain.then_some(()).ok_or("it has letters, digits, `.`, `_`, `-`, `:` and `/`")
}

fn role(text: &str) -> Result<(), &'static str> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, service, region, number, role] = parts[..] else {
        return Err("an ARN has six parts with `:` between them");
    };
    if arn != "arn" || !partition.starts_with("aws") || !only(partition, "-") {
        return Err("an ARN begins with `arn:aws:`");
    }
    if partition.chars().any(|it| it.is_ascii_digit() || it.is_ascii_uppercase()) {
        return Err("an ARN begins with `arn:aws:`");
    }
    if service != "iam"
        || !region.is_empty()
        || role.strip_prefix("role/").is_none_or(str::is_empty)
    {
        return Err("this ARN names no role");
    }
    account(number)?;
    if role.contains('\n') {
        return Err("an ARN is one line");
    }
    Ok(())
}

fn account(text: &str) -> Result<(), &'static str> {
    let digits = text.len() == 12 && text.bytes().all(|it| it.is_ascii_digit());
    digits.then_some(()).ok_or("an account has 12 digits")
}

fn region(text: &str) -> Result<(), &'static str> {
    let parts: Vec<&str> = text.split('-').collect();
    let (number, words) = parts.split_last().unwrap_or((&"", &[]));
    let is_word = |it: &&str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_lowercase());
    let plain = words.len() >= 2
        && words.iter().all(is_word)
        && words[0].len() >= 2
        && !number.is_empty()
        && number.bytes().all(|it| it.is_ascii_digit());
    plain.then_some(()).ok_or("a region looks like eu-central-1")
}

fn bucket(text: &str) -> Result<(), &'static str> {
    let Some(rest) = text.strip_prefix("s3://") else { return Err("it does not begin with s3://") };
    let name = rest.split('/').next().unwrap_or_default();
    let plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || ".-".contains(it);
    if !(3..=63).contains(&name.len()) || !name.chars().all(plain) {
        return Err("a bucket's name has 3 to 63 small letters, digits, `.` and `-`");
    }
    if rest.contains(char::is_whitespace) {
        return Err("a prefix holds no blank");
    }
    Ok(())
}

fn journal(text: &str) -> Result<(), &'static str> {
    match text {
        "local" | "alone" => Ok(()),
        _ if text.starts_with("s3://") => bucket(text),
        _ if text.starts_with("https://") => url(text),
        _ => Err("it is neither `local`, nor `alone`, nor s3://BUCKET/PREFIX"),
    }
}

fn listen(text: &str) -> Result<(), &'static str> {
    let address: SocketAddr =
        text.parse().map_err(|_| "it is no address of numbers with a port")?;
    if address.port() == 0 { Err("port 0 is none to listen on") } else { Ok(()) }
}

fn user(text: &str) -> Result<(), &'static str> {
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
    let (first, group) = text.split_once(':').unwrap_or((text, "0"));
    if is_number(first) && is_number(group) {
        return Ok(());
    }
    let plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || "_-".contains(it);
    let bare = text.strip_suffix('$').unwrap_or(text);
    let begins = bare.starts_with(|it: char| it.is_ascii_lowercase() || it == '_');
    (begins && bare.chars().all(plain)).then_some(()).ok_or("no user is called so")
}

fn env_name(text: &str) -> Result<(), &'static str> {
    let plain = only(text, "_") && !text.starts_with(|it: char| it.is_ascii_digit());
    plain.then_some(()).ok_or("it has letters, digits and `_`, and begins with no digit")
}
