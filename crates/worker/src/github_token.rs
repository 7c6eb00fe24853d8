//! The job's own token of GitHub: asked of the server when the job begins, and held by nobody but the job.
//!
//! What asks is the worker, by a word that is good for this lease alone; the token stands in no file. A job whose
//! text cannot come by it is given none: asking takes a moment.

use std::time::Duration;

use protocol::{IdTokenDoor, JobSpec};
use serde_json::Value as Json;

/// The server asks GitHub meanwhile.
const WITHIN: Duration = Duration::from_secs(40);
/// An answer is a token and a few words.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// A moment that is bad passes;
const TIMES: u32 = 3;
/// it is waited for.
const PAUSE: Duration = Duration::from_secs(2);
/// All of that.
pub(crate) const AT_MOST: Duration = Duration::from_secs(3 * 40 + 2 * 2);
/// The secret.
pub(crate) const NAME: &str = "GITHUB_TOKEN";
/// What is granted where no file says anything: that the app may not do all of it is no news to anybody.
const UNWRITTEN: [(&str, &str); 2] = [("contents", "read"), ("packages", "read")];

/// What became of asking.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Empty where there is none.
    pub(crate) token: String,
    /// What is granted in the file, and not given: said with what is not enforced.
    pub(crate) left_out: Option<String>,
    /// Why there is none, although there was to be one.
    pub(crate) trouble: Option<String>,
}

impl Asked {
    /// What the server said; none where it said nothing in time.
    pub(crate) fn of(spec: &JobSpec, answer: Option<Result<Json, String>>) -> Asked {
        let unanswered = || Err("the job was to end before the server answered".to_owned());
        match answer.unwrap_or_else(unanswered) {
            Ok(json) => given(spec, &json),
            Err(why) => Asked { token: String::new(), left_out: None, trouble: Some(why) },
        }
    }

    /// The job with its token; none where that is none.
    pub(crate) fn given_to(&self, spec: &JobSpec) -> Option<JobSpec> {
        let mut given = (!self.token.is_empty()).then(|| spec.clone())?;
        given.secrets.insert(NAME.to_owned(), self.token.clone());
        Some(given)
    }
}

/// Where it is asked for, where the job may have one and comes by it.
pub(crate) fn door(spec: &JobSpec) -> Option<IdTokenDoor> {
    let door = spec.options.github.as_ref()?.token.as_ref()?;
    let has_one = spec.secrets.get(NAME).is_some_and(|it| !it.is_empty());
    (!has_one && is_read(spec)).then(|| door.clone())
}

/// Asks, and waits; why there is none.
pub(crate) fn answer(door: &IdTokenDoor) -> Result<Json, String> {
    let mut trouble = String::new();
    for time in 0..TIMES {
        if time > 0 {
            std::thread::sleep(PAUSE);
        }
        match answered(door) {
            Ok(json) => return Ok(json),
            Err((why, is_passing)) => {
                trouble = why;
                if !is_passing {
                    break;
                }
            }
        }
    }
    Err(trouble)
}

/// Why there is none, and whether that may pass.
fn answered(door: &IdTokenDoor) -> Result<Json, (String, bool)> {
    let config = https::config().timeout_global(Some(WITHIN));
    let config = if https::is_here(&door.url) { config.proxy(None) } else { config };
    let agent = config.http_status_as_error(false).build().new_agent();
    let request = agent.get(&*door.url).header("authorization", format!("Bearer {}", door.bearer));
    let unanswered = |error: ureq::Error| (format!("the server does not answer: {error}"), true);
    let mut answer = request.call().map_err(unanswered)?;
    let status = answer.status().as_u16();
    let text = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
    let json: Json = serde_json::from_str(&text.map_err(unanswered)?).unwrap_or_default();
    match status {
        200 => Ok(json),
        _ => {
            let why = json["detail"].as_str().unwrap_or("the server does not say why").to_owned();
            Err((why, matches!(status, 429 | 500..)))
        }
    }
}

fn given(spec: &JobSpec, json: &Json) -> Asked {
    let token = json["token"].as_str().unwrap_or_default().to_owned();
    let left_out: Vec<&str> =
        json["left_out"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let granted = spec.permissions.iter().map(|(scope, access)| (&**scope, &**access));
    let is_written = !granted.eq(UNWRITTEN);
    let left_out = (is_written && !left_out.is_empty()).then(|| {
        format!(
            "permissions: the app may not do this here, and so the job may not: {}",
            left_out.join(", ")
        )
    });
    Asked { token, left_out, trouble: None }
}

/// Whether the job can come by the token: an action may have it as a default, a script names it.
fn is_read(spec: &JobSpec) -> bool {
    let steps = spec.definition["steps"].as_array().into_iter().flatten();
    let mut text = spec.workflow_env.to_string();
    text.push_str(&spec.definition.to_string());
    uses(steps) || names_it(&text.to_ascii_lowercase())
}

fn uses<'j>(mut steps: impl Iterator<Item = &'j Json>) -> bool {
    steps.any(|step| {
        let inner = step["parallel"].as_array().into_iter().flatten();
        step.get("uses").is_some() || uses(inner)
    })
}

/// `secrets.GITHUB_TOKEN`, `github.token`; or a whole context, however it is written.
fn names_it(text: &str) -> bool {
    let is_whole = |(at, word): (usize, &str)| {
        let rest = text[at + word.len()..].trim_start();
        let is_longer = |it: char| it.is_ascii_alphanumeric() || "_-/.@".contains(it);
        !rest.starts_with(is_longer)
    };
    text.contains("token")
        || text.match_indices("secrets").any(is_whole)
        || text.match_indices("github").any(is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_cannot_come_by_it_is_given_none() {
        let check = |text: &str, expect: bool| {
            assert_eq!(names_it(&text.to_ascii_lowercase()), expect, "{text}");
        };
        check("echo ${{ github.ref }} $GITHUB_SHA", false);
        check("make -C .github/x; git clone https://github.com/octo/app", false);
        check("gh release create: ${{ secrets.GITHUB_TOKEN }}", true);
        check("${{ github.token }}", true);
        check("${{ github['token'] }}", true);
        check("${{ toJSON(github) }}", true);
        check("${{ toJSON( secrets ) }}", true);
        check("${{ secrets[matrix.name] }}", true);
        check("${{ secrets.NPM_KEY }}", false);
    }
}
