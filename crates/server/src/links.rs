//! Where links lead: to the page of an environment, to the console of a cloud, and to addresses that
//! others wrote.

use std::sync::Arc;

use views::{DeploymentView, JobView, RunView};

use crate::app::App;
use crate::wire::ConsolePage;
use crate::words::percent;

/// Of an address that others wrote so much is linked: no browser takes more.
const LINK_BYTES_MAX: usize = 2_048;

/// An environment, as a page names it.
pub(crate) struct NamedPlace {
    pub(crate) name: String,
    /// Its card on the page of environments.
    pub(crate) href: String,
    /// Where it is reached, as the job said at its end.
    pub(crate) url: Option<Address>,
}

impl NamedPlace {
    /// Where a job runs; none where it names no environment.
    pub(crate) fn of(view: &RunView, job: &JobView) -> Option<NamedPlace> {
        let name = job.named_environment()?;
        Some(NamedPlace {
            href: format!("/environments#{}", environment_anchor(&view.header.repository, &name)),
            url: job.environment_url.as_ref().map(|it| Address::of(it.as_str())),
            name: name.to_string(),
        })
    }
}

/// An address that others wrote.
pub(crate) struct Address {
    pub(crate) text: String,
    /// The same where it is a link.
    pub(crate) href: Option<String>,
}

impl Address {
    pub(crate) fn of(text: &str) -> Address {
        Address { text: text.to_owned(), href: is_web(text).then(|| text.to_owned()) }
    }
}

/// A page of the console of a cloud.
pub(crate) struct ConsoleLink {
    pub(crate) service: Arc<str>,
    /// Of what, in words.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) url: String,
}

/// Where a cloud shows what was deployed. What is no address of the web is none of a console.
pub(crate) fn console(app: &App, view: &DeploymentView) -> Vec<ConsoleLink> {
    let link = |it: ConsolePage| {
        let kind = match &*it.what {
            "ecs_service" => "ECS service",
            "log_group" => "CloudWatch logs",
            _ => return None,
        };
        is_web(&it.url).then_some(ConsoleLink {
            service: it.service,
            kind,
            name: it.name,
            url: it.url,
        })
    };
    app.engine.console(view).into_iter().filter_map(link).collect()
}

/// What an environment's card is called in an address. Names are the same in any case, as on GitHub.
pub(crate) fn environment_anchor(repository: &str, environment: &str) -> String {
    let part = |text: &str| percent(&text.to_lowercase());
    format!("environment-{}-{}", part(repository), part(environment))
}

/// Whether a text is the whole address of something in the web. Everything else stays text: what a script would run,
/// what leads into this server, and what looks as if it led elsewhere than it does. A `*` may be what a secret was
/// masked by.
fn is_web(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    ["http", "https"].iter().any(|it| scheme.eq_ignore_ascii_case(it))
        && text.len() <= LINK_BYTES_MAX
        && text.chars().all(|it| !it.is_whitespace() && !it.is_control() && it != '\\')
        && !host.is_empty()
        && !host.contains(['@', '*'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_an_address_of_the_web_is_a_link() {
        let check = |text: &str, expect: bool| assert_eq!(is_web(text), expect, "{text}");
        check("https://app.example.com", true);
        check("HTTP://app.example.com:8080/a?b=c#d", true);
        check("https://app.example.com/@octo", true);
        let others = [
            "javascript:alert(1)",
            "javascript://app.example.com/%0aalert(1)",
            "data:text/html,<b>",
            "//app.example.com",
            "/environments",
            "app.example.com",
            "https://",
            "https:///x",
            "https:\\\\app.example.com",
            "https://github.com@app.example.com",
            "https://***.example.com",
            " https://app.example.com",
            "https://app.example.com/a b",
            "https://app.example.com/\u{85}",
            "ftp://app.example.com",
            "",
        ];
        others.into_iter().for_each(|it| check(it, false));
        check(&format!("https://a.example/{}", "a".repeat(LINK_BYTES_MAX)), false);
    }

    #[test]
    fn a_card_has_one_name_however_its_environment_is_written() {
        let expect = "environment-octo%2Fapp-pr%20%E2%80%BA%201";
        assert_eq!(environment_anchor("Octo/App", "PR › 1"), expect);
    }
}
