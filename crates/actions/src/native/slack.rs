//! `slackapi/slack-github-action`: a message to a webhook, or a call of one of Slack's methods.
//!
//! Its first major has an interface of its own: where to comes from the environment.

mod payload;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;

use super::http::{Answer, Http, NoAnswer};
use super::step::{Failure, Step};
use super::{Native, NativeAction, Stage};

/// The registration of the first interface.
pub(super) const SLACK_V1: Native = Native {
    action: NativeAction {
        name: "slack-v1",
        manifest: include_str!("slack_v1.yml"),
        stages: &[Stage::Main],
    },
    of: "slackapi/slack-github-action",
    majors: &[1],
    refs: &[],
    commits: &[
        ("fcfb566f8b0aab22203f066d80ca1d7e4b5d05b3", 1),
        ("37ebaef184d7626c5f204ab8d3baff4262dd30f0", 1),
        ("70cd7be8e40a46e8b0eced40b0de447bdb42f68e", 1),
        ("6c661ce58804a1a20f6dc5fbee7f0381b469e001", 1),
        ("e28cf165c92ffef168d23c5c9000cffc8a25e117", 1),
    ],
    run: run_first,
};

/// The registration.
pub(super) const SLACK: Native = Native {
    action: NativeAction {
        name: "slack",
        manifest: include_str!("slack.yml"),
        stages: &[Stage::Main],
    },
    of: "slackapi/slack-github-action",
    majors: &[2, 3, 4],
    refs: &["main"],
    commits: &[
        ("485a9d42d3a73031f12ec201c457e2162c45d02d", 2),
        ("b0fa283ad8fea605de13dc3f449259339835fc52", 2),
        ("91efab103c0de0a537f72a35f6b8cda0ee76bf0a", 2),
        ("45a88b9581bfab2566dc881e2cd66d334e621e2c", 3),
        ("0d95c9a7becc1e6e297d76df9bc735c44f4cbcbc", 3),
        ("dcb1066f776dd043e64d0e8ba94ca15cc7e1875d", 4),
    ],
    run,
};

/// Where Slack's methods are.
const API: &str = "https://slack.com/api/";
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// Waits between tries; the last one is followed by a last try.
type Waits = Vec<Duration>;

fn run(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    if stage != Stage::Main {
        return Ok(());
    }
    let request = Request::read(step)?;
    let strict = step.boolean("errors")?;
    let outcome = request.send(step);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    step.output("time", &now.as_secs().to_string());
    match outcome {
        Err(failure) if !strict => {
            step.warning(&format!("Failed to send the request: {}", failure.message));
            step.info("hint: `errors: true` fails the step then");
            Ok(())
        }
        outcome => outcome,
    }
}

/// What is to be sent, where to, and how often.
struct Request {
    http: Http,
    to: Address,
    body: Json,
    waits: Waits,
}

enum Address {
    Method { url: String, token: String },
    Incoming(String),
    Trigger(String),
}

impl Request {
    fn read(step: &Step) -> Result<Request, Failure> {
        let waits = waits(&step.input("retries"))?;
        let to = address(step)?;
        let body = body(step)?;
        let http = http(step.given("proxy").as_deref())?;
        Ok(Request { http, to, body, waits })
    }

    fn send(&self, step: &mut Step) -> Result<(), Failure> {
        match &self.to {
            Address::Method { url, token } => self.call(step, url, token),
            Address::Incoming(url) => {
                let body = self.as_message();
                let answer = self.post(step, url, JSON, &body)?;
                took(step, answer.status == 200, &Json::String(answer.body.clone()));
                refused_unless(answer.status == 200, &answer)
            }
            Address::Trigger(url) => {
                let answer = self.post(step, url, JSON, &self.body.to_string())?;
                let said = serde_json::from_str(&answer.body)
                    .unwrap_or_else(|_| Json::String(answer.body.clone()));
                let ok = answer.status == 200 && said["ok"] != Json::Bool(false);
                took(step, ok, &said);
                refused_unless(ok, &answer)
            }
        }
    }

    /// A text alone is a message.
    fn as_message(&self) -> String {
        match &self.body {
            Json::String(text) => serde_json::json!({ "text": text }).to_string(),
            other => other.to_string(),
        }
    }

    fn call(&self, step: &mut Step, url: &str, token: &str) -> Result<(), Failure> {
        let bearer = format!("Bearer {token}");
        let headers =
            [("content-type", "application/x-www-form-urlencoded"), ("authorization", &*bearer)];
        let answer = self.post(step, url, &headers, &payload::form(&self.body))?;
        let said: Json = serde_json::from_str(&answer.body).unwrap_or(Json::Null);
        let ok = said["ok"] == Json::Bool(true);
        took(step, ok, &said);
        if !ok {
            let word = said["error"].as_str().map_or_else(
                || format!("An HTTP protocol error occurred: statusCode = {}", answer.status),
                |word| format!("An API error occurred: {word}"),
            );
            return Err(Failure::new(word));
        }
        let text = |value: &Json| value.as_str().map(str::to_owned);
        let channel = text(&said["channel"]["id"]).or_else(|| text(&said["channel"]));
        for (name, value) in [
            ("channel_id", channel),
            ("thread_ts", text(&said["message"]["thread_ts"])),
            ("ts", text(&said["ts"])),
        ] {
            value.into_iter().for_each(|value| step.output(name, &value));
        }
        Ok(())
    }

    /// Tries again where nothing was answered or Slack wants fewer requests; a method also where
    /// Slack failed. A message that was answered is never sent twice.
    fn post(
        &self,
        step: &mut Step,
        url: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, Failure> {
        let is_method = matches!(self.to, Address::Method { .. });
        let mut waits = self.waits.iter();
        loop {
            let sent = self.http.post(url, headers, body);
            let again = match &sent {
                Ok(answer) => answer.status == 429 || (is_method && answer.status >= 500),
                Err(_) => true,
            };
            let Some(wait) = waits.next().filter(|_| again) else {
                return sent.map_err(|error| {
                    took(step, false, &Json::String(error.to_string()));
                    unanswered(&error)
                });
            };
            let asked = sent.as_ref().ok().and_then(|answer| answer.retry_after);
            let wait = asked.unwrap_or(*wait);
            let why = sent.map_or_else(|error| error.to_string(), |it| it.status.to_string());
            step.info(&format!("{why}; trying again in {:.1} s", wait.as_secs_f64()));
            std::thread::sleep(wait);
        }
    }
}

fn took(step: &mut Step, ok: bool, response: &Json) {
    step.output("ok", if ok { "true" } else { "false" });
    step.output("response", &response.to_string());
}

fn refused_unless(ok: bool, answer: &Answer) -> Result<(), Failure> {
    if ok {
        return Ok(());
    }
    let said = answer.body.trim();
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    Err(Failure::new(format!("Slack answered with {}{said}", answer.status)))
}

fn unanswered(error: &NoAnswer) -> Failure {
    Failure::new(format!("Slack did not answer: {error}"))
}

fn http(proxy: Option<&str>) -> Result<Http, Failure> {
    Http::new(proxy).map_err(|error| Failure::new(error.to_string()))
}

/// The original's four ways to try again.
fn waits(retries: &str) -> Result<Waits, Failure> {
    let growing = |count: u32, factor: f64| {
        (0..count).map(|tried| Duration::from_secs_f64(factor.powf(f64::from(tried)))).collect()
    };
    match retries.to_uppercase().as_str() {
        "0" => Ok(Vec::new()),
        // Five minutes in all, and about half an hour.
        "" | "5" => Ok(growing(5, 3.86)),
        "10" => Ok(growing(10, 1.96821)),
        "RAPID" => Ok(vec![Duration::from_millis(1); 10]),
        _ => Err(Failure::new(format!(
            "Invalid input! An unknown \"retries\" value was used: {retries}"
        ))),
    }
}

fn address(step: &Step) -> Result<Address, Failure> {
    let token = step.given("token").or_else(|| step.variable("SLACK_TOKEN"));
    let webhook = step.given("webhook").or_else(|| step.variable("SLACK_WEBHOOK_URL"));
    token.iter().chain(&webhook).for_each(|secret| step.mask(secret));
    if step.given("token").is_some() && step.given("webhook").is_some() {
        let words = "Invalid input! Either the token or webhook is required - not both.";
        return Err(Failure::new(words));
    }
    if let Some(method) = step.given("method") {
        let words = "Missing input! A token must be provided to use the method decided.";
        let token = token.ok_or_else(|| Failure::new(words))?;
        if method == "files.uploadV2" {
            return Err(Failure::new("the method files.uploadV2 is not done here").hint(
                "files.getUploadURLExternal and files.completeUploadExternal are, or run the original with --no-native",
            ));
        }
        let api = step.given("api").unwrap_or_else(|| API.to_owned());
        return Ok(Address::Method {
            url: format!("{}/{method}", api.trim_end_matches('/')),
            token,
        });
    }
    let words = "Missing input! Either a method or webhook is required to take action.";
    let webhook = webhook.ok_or_else(|| Failure::new(words))?;
    match step.input("webhook-type").as_str() {
        "incoming-webhook" => Ok(Address::Incoming(webhook)),
        "webhook-trigger" => Ok(Address::Trigger(webhook)),
        kind => {
            let word = if kind.is_empty() { "Missing" } else { "Invalid" };
            Err(Failure::new(format!(
                "{word} input! The webhook type must be 'incoming-webhook' or 'webhook-trigger'."
            )))
        }
    }
}

fn body(step: &Step) -> Result<Json, Failure> {
    let mut body = match (step.given("payload"), step.given("payload-file-path")) {
        (Some(_), Some(_)) => {
            let words = "Invalid input! Just the payload or payload file path is required.";
            return Err(Failure::new(words));
        }
        (Some(text), None) => payload::read_text(&text)?,
        (None, Some(name)) => {
            let text = fs::read_to_string(at(step, &name)?)
                .map_err(|error| payload::unreadable_file().hint(format!("{name}: {error}")))?;
            payload::read_file(&name, &text)?
        }
        (None, None) => payload::context(step)["github"].take(),
    };
    if step.boolean("payload-templated")? {
        body = payload::filled_in(body, &payload::context(step))?;
    }
    Ok(match step.given("payload-delimiter") {
        Some(delimiter) => payload::flat(&body, &delimiter),
        None => body,
    })
}

/// A file beside the checkout, where steps stand.
fn at(step: &Step, name: &str) -> Result<PathBuf, Failure> {
    Ok(step.folder("GITHUB_WORKSPACE")?.join(name))
}

/// The first interface.
fn run_first(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    if stage != Stage::Main {
        return Ok(());
    }
    let token = step.variable("SLACK_BOT_TOKEN");
    let webhook = step.variable("SLACK_WEBHOOK_URL");
    token.iter().chain(&webhook).for_each(|secret| step.mask(secret));
    if token.is_none() && webhook.is_none() {
        return Err(Failure::new("Need to provide at least one botToken or webhookUrl").hint(
            "v1 reads the variables SLACK_BOT_TOKEN and SLACK_WEBHOOK_URL: set one with `env:`; from v2 on there are the inputs `token` and `webhook`",
        ));
    }
    let payload = first_payload(step)?;
    if let Some(token) = &token {
        write_as_bot(step, token, payload.as_ref())?;
    }
    if let Some(url) = &webhook {
        send_first(step, url, payload)?;
    }
    // As JavaScript says the time of day where the zone is UTC.
    let now = jiff::Timestamp::now().strftime("%H:%M:%S GMT+0000 (Coordinated Universal Time)");
    step.output("time", &now.to_string());
    Ok(())
}

fn first_payload(step: &Step) -> Result<Option<Json>, Failure> {
    let mut text = step.given("payload");
    let file = step.given("payload-file-path");
    if let Some(name) = file.filter(|_| text.is_none()) {
        let read = fs::read_to_string(at(step, &name)?).map_err(|error| {
            let words = "The payload-file-path may be incorrect. Failed to load the file:";
            Failure::new(format!("{words} {name}")).hint(error.to_string())
        })?;
        let parsed = step.boolean("payload-file-path-parsed")?;
        text = Some(if parsed { payload::fill_in(&read, &payload::context(step))? } else { read });
    }
    let Some(text) = text else { return Ok(None) };
    let value = serde_json::from_str(&text).map_err(|error| {
        Failure::new("Need to provide valid JSON payload").hint(error.to_string())
    })?;
    Ok(Some(value))
}

fn write_as_bot(step: &mut Step, token: &str, given: Option<&Json>) -> Result<(), Failure> {
    let channels = step.given("channel-id").ok_or_else(|| {
        Failure::new("Channel ID is required to run this action. An empty one has been provided")
    })?;
    let message = step.input("slack-message");
    if message.is_empty() && given.is_none() {
        return Err(Failure::new(
            "Missing message content, please input a valid payload or message to send. No Message has been send.",
        ));
    }
    let update = step.given("update-ts");
    let method = if update.is_some() { "chat.update" } else { "chat.postMessage" };
    let bearer = format!("Bearer {token}");
    let headers =
        [("content-type", "application/x-www-form-urlencoded"), ("authorization", &*bearer)];
    for channel in channels.split(',').map(str::trim) {
        let body = bot_message(channel, &message, update.as_deref(), given);
        let sent = http(None)?.post(&format!("{API}{method}"), &headers, &payload::form(&body));
        let answer = sent.map_err(|error| unanswered(&error))?;
        let said: Json = serde_json::from_str(&answer.body).unwrap_or(Json::Null);
        if said["ok"] != Json::Bool(true) {
            let word = said["error"].as_str().unwrap_or("no reason was given");
            return Err(Failure::new(format!("An API error occurred: {word}")));
        }
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let ts = text(&said["ts"]);
        let thread = Some(text(&said["thread_ts"])).filter(|it| !it.is_empty());
        step.output("ts", &ts);
        step.output("thread_ts", &thread.unwrap_or(ts));
        step.output("channel_id", &text(&said["channel"]));
    }
    Ok(())
}

/// What the payload says wins, but for the channel it does not name.
fn bot_message(channel: &str, message: &str, update: Option<&str>, given: Option<&Json>) -> Json {
    let mut body = serde_json::json!({ "channel": channel, "text": message });
    if let Some(ts) = update {
        body["ts"] = Json::from(ts);
    }
    for (key, value) in given.and_then(Json::as_object).into_iter().flatten() {
        body[key] = value.clone();
    }
    body
}

fn send_first(step: &Step, url: &str, given: Option<Json>) -> Result<(), Failure> {
    let is_incoming = step
        .variable("SLACK_WEBHOOK_TYPE")
        .is_some_and(|kind| kind.eq_ignore_ascii_case("INCOMING_WEBHOOK"));
    let body = given.unwrap_or_else(|| {
        step.info(
            "no custom payload was passed in, using default payload that triggered the GitHub Action",
        );
        payload::event(step)
    });
    let delimiter = step.given("payload-delimiter").unwrap_or_else(|| ".".to_owned());
    let body = if is_incoming { body } else { payload::flat(&body, &delimiter) };
    let answer =
        http(None)?.post(url, JSON, &body.to_string()).map_err(|error| unanswered(&error))?;
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    step.info(
        "axios post failed, double check the payload being sent includes the keys Slack expects",
    );
    refused_unless(false, &answer).map_err(|failure| match is_incoming {
        true => failure,
        false => failure.hint(
            "an incoming webhook needs SLACK_WEBHOOK_TYPE: INCOMING_WEBHOOK; without it the payload is sent flat",
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bot_says_what_the_payload_says() {
        let given = json!({"text": "from the payload", "blocks": []});
        let body = bot_message("C1", "message", None, Some(&given));
        assert_eq!(body, json!({"channel": "C1", "text": "from the payload", "blocks": []}));
        let body = bot_message("C1", "message", Some("1.2"), None);
        assert_eq!(body, json!({"channel": "C1", "text": "message", "ts": "1.2"}));
    }

    #[test]
    fn the_waits_are_those_that_the_names_promise() {
        let seconds = |name: &str| {
            let waits = waits(name).unwrap_or_else(|failure| panic!("{}", failure.message));
            waits.iter().map(Duration::as_secs).sum::<u64>()
        };
        assert_eq!((seconds("0"), seconds("rapid")), (0, 0));
        assert!((290..310).contains(&seconds("5")), "{}", seconds("5"));
        assert!((880..1900).contains(&seconds("10")), "{}", seconds("10"));
        assert!(waits("3").is_err());
    }
}
