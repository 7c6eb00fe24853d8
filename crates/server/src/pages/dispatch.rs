//! Running a workflow by hand: which one, at which branch or tag, with what.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use super::{Frame, Page, shown};
use crate::access::Scope;
use crate::app::{App, Shared, blocking};
use crate::dispatch::{Dispatch, InputForm, OfferedInput, OfferedWorkflow};
use crate::engine::{Refused, Why};
use crate::guard::Who;
use crate::problem::Problem;
use crate::words::{percent, stream_href};

/// What the names of inputs begin with in the form, so that none is taken for a field of ours.
const INPUT: &str = "input.";

#[derive(Template)]
#[template(path = "dispatch.html")]
struct DispatchPage {
    frame: Frame,
    repositories: Vec<Choice>,
    repository: String,
    refs: Vec<Choice>,
    git_ref: String,
    workflows: Vec<WorkflowLine>,
    form: Option<WorkflowForm>,
    refused: Option<String>,
    may: bool,
}

struct Choice {
    value: String,
    name: String,
    is_here: bool,
}

struct WorkflowLine {
    name: String,
    path: String,
    href: String,
    is_here: bool,
}

struct WorkflowForm {
    path: String,
    name: String,
    refused: Option<String>,
    fields: Vec<Field>,
}

struct Field {
    /// Of the input, and of its control in the page.
    name: String,
    id: String,
    label: String,
    required: bool,
    value: String,
    form: &'static str,
    options: Vec<Choice>,
}

#[derive(Default, Deserialize)]
pub(crate) struct Asked {
    repository: Option<String>,
    #[serde(rename = "ref")]
    git_ref: Option<String>,
    workflow: Option<String>,
}

/// The form.
pub(crate) async fn dispatch(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Query(asked): Query<Asked>,
) -> Page {
    let page = blocking(move || DispatchPage::of(&app, &who, &asked, &BTreeMap::new(), None));
    shown(&page.await?)
}

impl DispatchPage {
    fn of(
        app: &App,
        who: &Who,
        asked: &Asked,
        given: &BTreeMap<String, String>,
        refused: Option<&Refused>,
    ) -> Result<DispatchPage, Problem> {
        let connected = who.seen(app).repositories()?;
        let wanted = asked.repository.clone().filter(|it| !it.is_empty());
        let repository = match (wanted, connected.as_slice()) {
            (Some(wanted), _) => wanted,
            // Where there is one, nobody is asked which.
            (None, [only]) => only.name.clone(),
            (None, _) => String::new(),
        };
        let offer = match repository.as_str() {
            "" => crate::dispatch::Offer::default(),
            name => {
                // Of what they do not see nothing is offered.
                who.within(name)?;
                app.engine.offer(name, asked.git_ref.as_deref())?
            }
        };
        let here = |it: &OfferedWorkflow| asked.workflow.as_ref() == Some(&it.path);
        let only = offer.workflows.len() == 1;
        let found = offer.workflows.iter().find(|it| here(it) || only);
        let form = found.map(|it| WorkflowForm::of(it, given));
        let line = |it: &OfferedWorkflow| WorkflowLine {
            name: it.name.clone(),
            path: it.path.clone(),
            href: href(&repository, &offer.git_ref, Some(&it.path)),
            is_here: form.as_ref().is_some_and(|form| form.path == it.path),
        };
        let said = |it: &Refused| match &it.hint {
            Some(hint) => format!("{}. {hint}", it.message),
            None => it.message.clone(),
        };
        Ok(DispatchPage {
            frame: Frame::new(Some(who), "dispatch"),
            repositories: connected
                .iter()
                .map(|it| Choice {
                    value: it.name.clone(),
                    name: it.name.clone(),
                    is_here: it.name == repository,
                })
                .collect(),
            refs: offer.refs.iter().map(|name| of_ref(name, &offer.git_ref)).collect(),
            workflows: offer.workflows.iter().map(line).collect(),
            git_ref: offer.git_ref.clone(),
            form,
            refused: refused.map(said),
            may: repository.is_empty() || who.may_within(&repository, Scope::Operate),
            repository,
        })
    }
}

fn of_ref(name: &str, here: &str) -> Choice {
    let shown = match (name.strip_prefix("refs/heads/"), name.strip_prefix("refs/tags/")) {
        (Some(branch), _) => branch.to_owned(),
        (_, Some(tag)) => format!("{tag} (tag)"),
        _ => name.to_owned(),
    };
    Choice { value: name.to_owned(), name: shown, is_here: name == here }
}

fn href(repository: &str, git_ref: &str, workflow: Option<&str>) -> String {
    let workflow = workflow.map(|it| format!("&workflow={}", percent(it))).unwrap_or_default();
    format!("/dispatch?repository={}&ref={}{workflow}", percent(repository), percent(git_ref))
}

impl WorkflowForm {
    fn of(workflow: &OfferedWorkflow, given: &BTreeMap<String, String>) -> WorkflowForm {
        let field = |input: &OfferedInput| Field::of(input, given.get(&input.name));
        WorkflowForm {
            path: workflow.path.clone(),
            name: workflow.name.clone(),
            refused: workflow.refused.clone(),
            fields: workflow.inputs.iter().map(field).collect(),
        }
    }
}

impl Field {
    fn of(input: &OfferedInput, given: Option<&String>) -> Field {
        let value = given.or(input.default.as_ref()).cloned().unwrap_or_default();
        let mut options: Vec<Choice> = Vec::new();
        let option = |text: &String| Choice {
            value: text.clone(),
            name: text.clone(),
            is_here: *text == value,
        };
        if matches!(input.kind, InputForm::Environment(_)) && value.is_empty() {
            options.push(Choice {
                value: String::new(),
                name: "Choose…".to_owned(),
                is_here: true,
            });
        }
        options.extend(input.kind.options().iter().map(option));
        let form = match &input.kind {
            InputForm::Text => "text",
            InputForm::Boolean => "checkbox",
            InputForm::Number => "number",
            // Without a known environment its name is typed.
            InputForm::Environment(known) if known.is_empty() => "text",
            InputForm::Choice(_) | InputForm::Environment(_) => "select",
        };
        Field {
            id: format!("{INPUT}{}", input.name),
            label: input.description.clone().unwrap_or_else(|| input.name.clone()),
            name: input.name.clone(),
            required: input.required,
            value,
            form,
            options,
        }
    }
}

/// Makes the run that somebody asks for.
pub(crate) async fn dispatched(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    who.may(Scope::Operate)?;
    let mut asked = Asked::default();
    let mut inputs = BTreeMap::new();
    for (name, value) in fields {
        match (name.strip_prefix(INPUT), name.as_str()) {
            // A box that is ticked comes behind the "false" of its hidden twin.
            (Some(input), _) => drop(inputs.insert(input.to_owned(), value)),
            (None, "repository") => asked.repository = Some(value),
            (None, "ref") => asked.git_ref = Some(value),
            (None, "workflow") => asked.workflow = Some(value),
            (None, _) => {}
        }
    }
    blocking(move || {
        let repository = asked.repository.clone().unwrap_or_default();
        let there = who.within(&repository)?;
        there.may(Scope::Operate)?;
        let wanted = Dispatch {
            repository,
            git_ref: asked.git_ref.clone(),
            workflow: asked.workflow.clone().unwrap_or_default(),
            inputs,
            environments: there.token.places(Scope::Deploy),
        };
        match app.engine.dispatch(&wanted, &who.actor(), None) {
            Ok(made) => {
                let place = stream_href(made).unwrap_or_default();
                Ok(Redirect::to(&place).into_response())
            }
            // What somebody typed is not thrown away for a mistake in it.
            Err(refused) if refused.why == Why::Input => {
                let page = DispatchPage::of(&app, &who, &asked, &wanted.inputs, Some(&refused))?;
                let html: Html<String> = shown(&page)?;
                Ok((StatusCode::UNPROCESSABLE_ENTITY, html).into_response())
            }
            Err(refused) => Err(refused.into()),
        }
    })
    .await
}
