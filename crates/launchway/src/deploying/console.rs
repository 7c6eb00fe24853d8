//! Where a cloud shows what was deployed, in its console.

use serde_json::Value as Json;
use server::ConsolePage;
use views::DeploymentView;

/// The pages about all services of a deployment; nothing of what is in no cloud.
pub(crate) fn pages(view: &DeploymentView) -> Vec<ConsolePage> {
    let mut all = Vec::new();
    for wanted in &view.request.services {
        let steps = view.steps.iter().filter(|it| it.service == wanted.service);
        let effects = steps.filter_map(|it| it.forward.as_ref().map(|deed| &deed.effect));
        let effects = effects.filter(|it| **it != Json::Null);
        all.extend(target_ecs::console(wanted, effects).into_iter().map(|it| ConsolePage {
            service: wanted.service.clone(),
            what: it.what.to_owned(),
            name: it.name,
            url: it.url,
        }));
    }
    all
}

/// The pages, a line each.
pub(crate) fn lines(pages: &[ConsolePage]) -> Vec<String> {
    let line = |it: &ConsolePage| {
        let what = if it.what == "log_group" { "logs" } else { "service" };
        format!("{}: {what} {} at AWS: {}", it.service, it.name, it.url)
    };
    pages.iter().map(line).collect()
}
