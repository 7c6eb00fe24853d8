//! The API, as its document says it: every operation with what it needs, takes and gives.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use serde_json::Value as Json;

use super::{Frame, Page, shown};
use crate::api;
use crate::app::Shared;
use crate::guard::Who;

#[derive(Template)]
#[template(path = "docs.html")]
struct DocsPage {
    frame: Frame,
    url: String,
    count: usize,
    groups: Vec<Group>,
    shapes: Vec<Shape>,
}

/// Operations about one thing, by the first word of their paths.
struct Group {
    name: String,
    operations: Vec<Described>,
}

struct Described {
    id: String,
    method: String,
    path: String,
    summary: String,
    needs: String,
    takes: Vec<Taken>,
    body: Option<String>,
    status: String,
    /// The name of a shape, or a kind of file.
    answer: Answer,
}

/// What an operation gives.
enum Answer {
    Shape(String),
    File(String),
}

/// A parameter.
struct Taken {
    name: String,
    /// `query`, `header`
    place: String,
    kind: String,
    what: String,
}

/// What is sent or given, field by field.
struct Shape {
    name: String,
    fields: Vec<Field>,
    /// What it is, where it has no fields.
    kind: Option<String>,
}

struct Field {
    name: String,
    kind: String,
    is_optional: bool,
}

/// The page.
pub(crate) async fn docs(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
) -> Page {
    let host = headers.get(header::HOST).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let document = api::described();
    let groups = groups(&document);
    shown(&DocsPage {
        frame: Frame::new(Some(&who), ""),
        url: app.place.named(host),
        count: groups.iter().map(|it| it.operations.len()).sum(),
        groups,
        shapes: shapes(&document),
    })
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn groups(document: &Json) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        let name = path.trim_start_matches("/api/v1/").split('/').next().unwrap_or_default();
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let described = Described::of(path, method, operation);
            match groups.iter_mut().find(|it| it.name == name) {
                Some(group) => group.operations.push(described),
                None => {
                    groups.push(Group { name: name.to_owned(), operations: vec![described] });
                }
            }
        }
    }
    groups
}

impl Described {
    fn of(path: &str, method: &str, operation: &Json) -> Described {
        // What stands in the path stands there for all to see.
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let takes = parameters.filter(|it| it["in"] != "path").map(|it| Taken {
            name: text(&it["name"]),
            place: text(&it["in"]),
            kind: kind(&it["schema"]),
            what: text(&it["description"]),
        });
        let answers = operation["responses"].as_object().into_iter().flatten();
        let done = answers.into_iter().find(|(status, _)| *status != "default");
        let (status, done) = done.map_or(("", &Json::Null), |(status, it)| (status, it));
        let (file, content) = done["content"]
            .as_object()
            .and_then(|it| it.iter().next())
            .map_or(("", &Json::Null), |(file, it)| (file, it));
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        Described {
            id: text(&operation["operationId"]),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: text(&operation["summary"]),
            needs: text(&operation["description"]),
            takes: takes.collect(),
            body: reference(body),
            status: status.to_owned(),
            answer: match reference(&content["schema"]) {
                Some(shape) => Answer::Shape(shape),
                None => Answer::File(file.to_owned()),
            },
        }
    }
}

fn shapes(document: &Json) -> Vec<Shape> {
    let all = document["components"]["schemas"].as_object().into_iter().flatten();
    let shape = |(name, schema): (&String, &Json)| {
        let required = |field: &str| {
            schema["required"].as_array().is_some_and(|it| it.iter().any(|it| it == field))
        };
        let fields = schema["properties"].as_object().into_iter().flatten();
        let fields = fields.map(|(name, field)| Field {
            name: name.clone(),
            kind: kind(field),
            is_optional: !required(name),
        });
        let fields: Vec<Field> = fields.collect();
        let kind = fields.is_empty().then(|| kind(schema));
        Shape { name: name.clone(), fields, kind }
    };
    all.map(shape).collect()
}

/// The name of the shape that a schema refers to.
fn reference(schema: &Json) -> Option<String> {
    let path = schema["$ref"].as_str()?;
    Some(path.rsplit('/').next().unwrap_or(path).to_owned())
}

/// What a value is, in words.
fn kind(schema: &Json) -> String {
    if let Some(name) = reference(schema) {
        return name;
    }
    if let Some(values) = schema["enum"].as_array() {
        let words: Vec<String> =
            values.iter().map(|it| it.as_str().unwrap_or("null").to_owned()).collect();
        return words.join(", ");
    }
    if let Some(any) = schema["anyOf"].as_array() {
        return any.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    let types: Vec<&str> = match &schema["type"] {
        Json::String(one) => vec![one],
        Json::Array(several) => several.iter().filter_map(Json::as_str).collect(),
        _ => vec!["anything"],
    };
    let word = |it: &&str| match *it {
        "array" => format!("list of {}", kind(&schema["items"])),
        "string" => "text".to_owned(),
        "boolean" => "true or false".to_owned(),
        "integer" => "number".to_owned(),
        "object" => fields(schema),
        other => other.to_owned(),
    };
    types.iter().map(word).collect::<Vec<_>>().join(" or ")
}

/// An object that has no name of its own.
fn fields(schema: &Json) -> String {
    let names: Vec<&str> =
        schema["properties"].as_object().into_iter().flatten().map(|(name, _)| &**name).collect();
    if names.is_empty() { "object".to_owned() } else { format!("{{ {} }}", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_said_in_words() {
        for (schema, expect) in [
            (json!({ "type": "string" }), "text"),
            (json!({ "type": ["integer", "null"] }), "number or null"),
            (json!({ "enum": ["all", "failed", null] }), "all, failed, null"),
            (
                json!({ "type": "array", "items": { "$ref": "#/components/schemas/Step" } }),
                "list of Step",
            ),
            (
                json!({ "anyOf": [{ "type": "object", "properties": { "a": {} } }, { "type": "null" }] }),
                "{ a } or null",
            ),
            (json!({}), "anything"),
        ] {
            assert_eq!(kind(&schema), expect, "{schema}");
        }
    }

    /// Whatever the document names is on the page: an operation that somebody adds needs nothing here.
    #[test]
    fn the_page_has_every_operation_and_every_shape() {
        let document = api::described();
        let groups = groups(&document);
        let paths = document["paths"].as_object().expect("it has some").values();
        let count: usize = paths.map(|it| it.as_object().expect("methods").len()).sum();
        let shown: Vec<&Described> = groups.iter().flat_map(|it| &it.operations).collect();
        assert_eq!(shown.len(), count);
        let shapes = shapes(&document);
        for it in shown {
            assert!(
                !it.summary.is_empty() && !it.needs.is_empty() && !it.status.is_empty(),
                "{}",
                it.path
            );
            let is_there = |name: &String| shapes.iter().any(|shape| shape.name == *name);
            assert!(it.body.iter().all(is_there), "{}", it.path);
            match &it.answer {
                Answer::Shape(name) => assert!(is_there(name), "{}", it.path),
                Answer::File(kind) => assert!(kind.contains('/'), "{}", it.path),
            }
        }
    }
}
