//! `github/codeql-action/upload-sarif`: results of scanners, sent to GitHub's code scanning by the job's own token.
//!
//! What is sent again under the same tool, category and commit takes the place of what was there, so a job that runs
//! again says nothing twice.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value as Json, json};

use super::http::{Answer, Http};
use super::step::{Failure, Step, failed_at};
use super::{Native, NativeAction, Stage};

/// The registration.
pub(super) const UPLOAD_SARIF: Native = Native {
    action: NativeAction {
        name: "upload-sarif",
        manifest: include_str!("upload_sarif.yml"),
        stages: &[Stage::Main],
    },
    of: "github/codeql-action/upload-sarif",
    majors: &[3, 4],
    refs: &["main"],
    commits: &[],
    run,
};

/// GitHub takes no more, packed;
const PACKED_BYTES_MAX: usize = 10 << 20;
/// and nobody writes more by hand: a larger file is no result of a scan.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Files of a folder.
const FILES_MAX: usize = 100;
/// GitHub's advice of when it has read what came, and how long is waited for it at most.
const LOOK: Duration = Duration::from_secs(5);
const WAIT: Duration = Duration::from_secs(120);
/// Somebody who does not answer is asked again.
const TIMES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

fn run(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    if stage != Stage::Main {
        return Ok(());
    }
    let (reference, commit) = about(step)?;
    let mut sarif = read(step)?;
    categorize(step, &mut sarif);
    let packed = packed(&sarif)?;
    let Some(token) = step.given("token") else {
        // As on GitHub for code of forks; here also where no app gives tokens.
        step.warning(
            "the results were read and not sent to code scanning: there is no token. Jobs have one on a server that is an app at GitHub (docs/github.md)",
        );
        return Ok(());
    };
    let place = step.given("checkout_path").unwrap_or_default();
    let tool = sarif.pointer("/runs/0/tool/driver/name").and_then(Json::as_str);
    let mut body = json!({
        "commit_sha": commit, "ref": reference, "sarif": packed,
        "checkout_uri": format!("file://{place}"),
    });
    if let Some(tool) = tool {
        body["tool_name"] = tool.into();
    }
    let api = Api::of(step, &token)?;
    let id = api.send(&body)?;
    step.output("sarif-id", &id);
    let runs = sarif["runs"].as_array().into_iter().flatten();
    let results: usize = runs.map(|it| it["results"].as_array().map_or(0, Vec::len)).sum();
    step.info(&format!(
        "{results} results of {} sent to code scanning as {id}",
        tool.unwrap_or("a tool")
    ));
    if step.boolean("wait-for-processing")? {
        api.wait(step, &id)?;
    }
    Ok(())
}

/// The ref and the commit that the results are about.
fn about(step: &Step) -> Result<(String, String), Failure> {
    match (step.given("ref"), step.given("sha")) {
        (Some(reference), Some(commit)) => Ok((reference, commit)),
        (None, None) => Ok((step.required("GITHUB_REF")?, step.required("GITHUB_SHA")?)),
        _ => Err(Failure::new("ref and sha belong together: give both, or neither")),
    }
}

/// The one file, or those of a folder as one.
fn read(step: &Step) -> Result<Json, Failure> {
    let workspace = step.folder("GITHUB_WORKSPACE")?;
    let path = workspace.join(step.needed("sarif_file")?);
    let mut files = if path.is_dir() { files_in(&path)? } else { vec![path.clone()] };
    if files.is_empty() {
        return Err(Failure::new(format!("No SARIF files found to upload in {}.", path.display())));
    }
    let mut all = sarif(&files.remove(0))?;
    for file in files {
        let Json::Array(more) = sarif(&file)?["runs"].take() else { continue };
        if let Some(runs) = all["runs"].as_array_mut() {
            runs.extend(more);
        }
    }
    Ok(all)
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed_at("listed", folder))? {
        let path = entry.map_err(failed_at("listed", folder))?.path();
        if path.extension().is_some_and(|it| it == "sarif") && path.is_file() {
            files.push(path);
        }
    }
    if files.len() > FILES_MAX {
        let message = format!("{} has more than {FILES_MAX} SARIF files", folder.display());
        return Err(Failure::new(message));
    }
    files.sort();
    Ok(files)
}

/// A file of results; what is none is said before anything is sent.
fn sarif(path: &Path) -> Result<Json, Failure> {
    let file = std::fs::File::open(path).map_err(failed_at("read", path))?;
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(failed_at("read", path))?;
    let shown = path.display();
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Failure::new(format!("{shown} has more than {FILE_BYTES_MAX} bytes")));
    }
    // Some tools of Windows begin their files with a mark.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let json: Json = serde_json::from_slice(text).map_err(|error| {
        Failure::new(format!("Invalid SARIF. JSON syntax error in {shown}: {error}"))
    })?;
    match json["runs"].is_array() && json["version"] == "2.1.0" {
        true => Ok(json),
        false => Err(Failure::new(format!("{shown} is no SARIF of version 2.1.0, with `runs`"))),
    }
}

/// A category is what runs say of themselves, where they say nothing yet.
fn categorize(step: &Step, sarif: &mut Json) {
    let category = step.given("category").unwrap_or_else(|| {
        let parts = ["GITHUB_WORKFLOW_REF", "GITHUB_JOB"].map(|it| step.variable(it));
        let [workflow, job] = parts.map(Option::unwrap_or_default);
        // `octo/app/.github/workflows/scan.yml@refs/heads/main`
        let file = workflow.split('@').next().and_then(|it| it.splitn(3, '/').nth(2));
        let matrix: Json = serde_json::from_str(&step.input("matrix")).unwrap_or_default();
        let values = matrix.as_object().into_iter().flatten();
        let values = values.map(|(name, it)| match it.as_str() {
            Some(text) => format!("/{name}:{text}"),
            None => format!("/{name}:{it}"),
        });
        format!("{}:{job}{}", file.unwrap_or_default(), values.collect::<String>())
    });
    for run in sarif["runs"].as_array_mut().into_iter().flatten() {
        if run["automationDetails"]["id"].as_str().is_none() && run.is_object() {
            run["automationDetails"] =
                json!({ "id": format!("{}/", category.trim_end_matches('/')) });
        }
    }
}

/// As GitHub wants it: packed, and as text.
fn packed(sarif: &Json) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("it cannot be packed: {error}"));
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(sarif.to_string().as_bytes()).map_err(failed)?;
    let bytes = packer.finish().map_err(failed)?;
    if bytes.len() > PACKED_BYTES_MAX {
        let message = format!(
            "the results have {} bytes when packed; GitHub takes {PACKED_BYTES_MAX}",
            bytes.len()
        );
        return Err(Failure::new(message).hint("send less: fewer rules, or a part of the files"));
    }
    Ok(base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// Code scanning of a repository.
struct Api {
    http: Http,
    url: String,
    authorization: String,
}

impl Api {
    fn of(step: &Step, token: &str) -> Result<Api, Failure> {
        let api = step.required("GITHUB_API_URL")?;
        let repository = step.required("GITHUB_REPOSITORY")?;
        let http = Http::new(None).map_err(|error| Failure::new(error.to_string()))?;
        let url = format!("{api}/repos/{repository}/code-scanning/sarifs");
        Ok(Api { http, url, authorization: format!("Bearer {token}") })
    }

    fn headers(&self) -> [(&str, &str); 3] {
        [
            ("authorization", &self.authorization),
            ("accept", "application/vnd.github+json"),
            ("content-type", "application/json"),
        ]
    }

    /// Gives what GitHub calls it. The same once more takes the place of the first.
    fn send(&self, body: &Json) -> Result<String, Failure> {
        let body = body.to_string();
        let mut trouble = String::new();
        for time in 0..TIMES {
            if time > 0 {
                std::thread::sleep(PAUSE);
            }
            match self.http.post(&self.url, &self.headers(), &body) {
                Ok(Answer { status: 200..300, body, .. }) => {
                    let said: Json = serde_json::from_str(&body).unwrap_or_default();
                    return Ok(said["id"].as_str().unwrap_or_default().to_owned());
                }
                Ok(answer) if answer.status < 500 => return Err(refused(&answer)),
                Ok(answer) => trouble = format!("it failed with {}", answer.status),
                Err(error) => trouble = error.to_string(),
            }
        }
        Err(Failure::missing(
            format!("code scanning does not take the results: {trouble}"),
            "run the job again",
        ))
    }

    /// Until GitHub has read it; what it cannot read fails the step, what takes long does not.
    fn wait(&self, step: &Step, id: &str) -> Result<(), Failure> {
        let until = Instant::now() + WAIT;
        let url = format!("{}/{id}", self.url);
        while Instant::now() < until {
            if let Ok(answer) = self.http.get(&url, &self.headers())
                && answer.status == 200
            {
                let said: Json = serde_json::from_str(&answer.body).unwrap_or_default();
                match said["processing_status"].as_str() {
                    Some("complete") => return Ok(()),
                    Some("failed") => {
                        let errors = said["errors"].as_array().into_iter().flatten();
                        let errors: Vec<&str> = errors.filter_map(Json::as_str).collect();
                        let why = format!(
                            "Code Scanning could not process the submitted SARIF file: {}",
                            errors.join("; ")
                        );
                        return Err(Failure::new(why));
                    }
                    _ => {}
                }
            }
            std::thread::sleep(LOOK);
        }
        step.warning("GitHub has not read the results yet; it goes on with that");
        Ok(())
    }
}

fn refused(answer: &Answer) -> Failure {
    let said: Json = serde_json::from_str(&answer.body).unwrap_or_default();
    let why = said["message"].as_str().unwrap_or("it does not say why");
    let failure =
        Failure::new(format!("code scanning refused the results ({}): {why}", answer.status));
    match answer.status {
        403 | 404 => failure.hint(
            "the job needs `permissions: { security-events: write }`, and the app that permission; code of forks may not send any; the repository needs code scanning",
        ),
        _ => failure,
    }
}
