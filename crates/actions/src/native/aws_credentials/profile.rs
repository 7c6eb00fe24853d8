//! A profile in the job's own files of AWS's tools.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use aws::Credentials;

use super::file_of;
use crate::native::step::{Failure, Step, failed_at};

/// Credentials and region, in the two files. `again`: this step wrote it itself a moment ago.
pub(super) fn write(
    step: &Step,
    credentials: &Credentials,
    region: &str,
    again: bool,
) -> Result<(), Failure> {
    let name = step.input("aws-profile");
    check(&name)?;
    let overwrite = again || super::is_on(step, "overwrite-aws-profile", false)?;
    let mut lines = format!(
        "aws_access_key_id = {}\naws_secret_access_key = {}\n",
        credentials.key_id,
        credentials.secret.expose()
    );
    if let Some(session) = &credentials.session {
        lines.push_str(&format!("aws_session_token = {}\n", session.expose()));
    }
    let in_config = if name == "default" { name.clone() } else { format!("profile {name}") };
    let region = format!("region = {region}\n");
    for (variable, usual, section, lines) in [
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", &name, &lines),
        ("AWS_CONFIG_FILE", "config", &in_config, &region),
    ] {
        merge(&file_of(step, variable, usual)?, section, lines, overwrite)?;
    }
    step.info(&format!("Successfully configured AWS profile: {name}"));
    Ok(())
}

fn check(name: &str) -> Result<(), Failure> {
    let words = if name.contains(char::is_whitespace) {
        "whitespace"
    } else if name.contains(['[', ']']) {
        "brackets"
    } else if name.contains(['/', '\\']) {
        "path separators"
    } else {
        return Ok(());
    };
    Err(Failure::new(format!(
        "Failed to write AWS profile '{name}': aws-profile must not contain {words}"
    )))
}

fn merge(path: &Path, section: &str, lines: &str, overwrite: bool) -> Result<(), Failure> {
    let before = fs::read_to_string(path).unwrap_or_default();
    let (mut after, mut inside, mut found) = (String::new(), false, false);
    for line in before.lines() {
        if let Some(name) = line.trim().strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            inside = name == section;
            found |= inside;
        }
        if !inside {
            after.push_str(line);
            after.push('\n');
        }
    }
    if found && !overwrite {
        return Err(Failure::new(format!(
            "Profile with name \"{section}\" already exists. Please use the overwrite-aws-profile input if you want to overwrite existing profiles."
        )));
    }
    after.push_str(&format!("[{section}]\n{lines}"));
    if let Some(folder) = path.parent() {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(failed_at("made", folder))?;
    }
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(after.as_bytes()));
    written.map_err(failed_at("written", path))
}
