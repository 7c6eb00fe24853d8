//! `launchway deploy`: a release goes to an environment; on failure it comes back by itself.

use deployment::compose;
use event::DeploymentRequest;
use mask::MaskedText;
use serde_json::json;

use crate::cli::{DeployArgs, Format};
use crate::deploying::book::Book;
use crate::deploying::by_itself;
use crate::deploying::drive::Driver;
use crate::deploying::foresee::foresee;
use crate::deploying::request::build;
use crate::deploying::show;
use crate::deploying::wish::{What, Wish};
use crate::exit::{Exit, Failure, Outcome};
use crate::images::find::{self, Asked};
use crate::settings_file::{Found, load};
use crate::state::StateFolder;
use crate::terminal::style::{Style, out};

pub(crate) fn run(args: &DeployArgs, state: &StateFolder) -> Outcome {
    let found = load(args.of.settings.file.as_deref())?;
    let (book, state) = Book::of(&found, state)?;
    let state = &state;
    let asked = Asked {
        environment: &args.of.environment,
        services: &args.of.services,
        version: args.version.as_deref(),
        from: args.from.as_deref(),
        images: &args.images,
    };
    let given = find::releases(&found, &book, state, &asked)?;
    let what = What::Ship {
        version: args.version.as_deref(),
        from: args.from.as_deref(),
        images: &args.images,
        given: &given,
        force: args.how.force,
        migrations: !args.how.skip_migrations,
        hotfix: args.how.hotfix,
    };
    let agreed = args.how.agreement();
    let wish = Wish {
        environment: &args.of.environment,
        services: &args.of.services,
        agreed,
        // Who only looks at the plan agrees to nothing.
        only_look: args.how.plan,
        what,
    };
    let format = args.of.settings.format;
    if args.how.plan {
        let request = build(&found, &book, state, &wish)?;
        return plan_of(&request, state, &found, format);
    }
    let driver = Driver::new((&book, state), &found, format);
    let _place = driver.take(&args.of.environment)?;
    driver.finish_open(&args.of.environment)?;
    if let Some(why) = driver.prepared(|| by_itself::untouched(&found, &book, &wish))? {
        return Ok(nothing_deployed(&args.of.environment, &why, format));
    }
    // Behind what was left open: what ran well there last may be another by now.
    let request = driver.prepared(|| build(&found, &book, state, &wish))?;
    driver.begin(request, agreed)
}

/// Nobody asked for a deployment by hand, and none is due by itself.
fn nothing_deployed(environment: &str, why: &str, format: Format) -> Exit {
    if format == Format::Json {
        let line = json!({ "type": "nothing_deployed", "environment": environment, "why": why });
        out(&line.to_string());
    } else {
        out(&format!("nothing is deployed to {environment}: {why}"));
    }
    Exit::Done
}

/// Looks, and says what would be done.
pub(super) fn plan_of(
    request: &DeploymentRequest,
    state: &StateFolder,
    found: &Found,
    format: Format,
) -> Outcome {
    let of = (&*request.project, &*request.environment);
    let services = foresee(state, of, &request.services, found)?;
    let plan = compose(request, services).map_err(|error| Failure::caused(Exit::Fault, error))?;
    let hash = plan.hash();
    if format == Format::Json {
        let gates: Vec<String> = request.gates.iter().map(|it| it.key().to_string()).collect();
        let line = json!({
            "type": "deployment_planned", "deployment": null, "environment": request.environment,
            "hash": hash, "plan": plan, "gates": gates,
        });
        out(&line.to_string());
    } else {
        out(show::plan(&plan, &hash, Style::stdout()).trim_end());
        for gate in &request.gates {
            out(&format!("before it begins: {}", MaskedText::without_secrets(gate.key().as_str())));
        }
    }
    Ok(Exit::Done)
}
