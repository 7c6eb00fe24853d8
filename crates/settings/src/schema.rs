//! The JSON Schema (draft 2020-12) of `launchway.yml`, out of the table of keys.
//!
//! It takes all that the reader takes: an editor must not complain about what works. What only the
//! reader can tell (names that are not there, circles, quorums) it lets through.

use serde_json::{Map, Value as Json, json};

use crate::form::{Also, Form};
use crate::kind::{Kind, Names, Need, Shape, Standing};
use crate::table::ROOT;

/// The schema as JSON.
pub fn schema() -> Json {
    let mut definitions = Map::new();
    let root = of_shape(&ROOT, &mut definitions);
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "launchway.yml",
    });
    let all = schema.as_object_mut().expect("an object");
    all.extend(root.as_object().expect("a shape is an object").clone());
    all.insert("$defs".to_owned(), Json::Object(definitions));
    schema
}

fn of(kind: &Kind, definitions: &mut Map<String, Json>) -> Json {
    match kind {
        Kind::Form(form) => of_form(form),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Duration { .. } => {
            json!({ "type": "string", "pattern": "^([0-9]+(d|h|m|s|ms))+$", "examples": ["30s"] })
        }
        Kind::Size { .. } => {
            let pattern = "^[0-9]+(B|KB|MB|GB|KiB|MiB|GiB)$";
            json!({ "type": "string", "pattern": pattern, "examples": ["512MiB"] })
        }
        Kind::Word(words) => {
            let word = |(word, doc): &(&str, &str)| json!({ "const": word, "description": doc });
            json!({ "oneOf": words.iter().map(word).collect::<Vec<_>>() })
        }
        Kind::Reference(_) => of_form(&crate::form::NAME),
        Kind::List { of: item, min, max, one } => {
            let item = of(item, definitions);
            let list = json!({ "type": "array", "items": item, "minItems": min, "maxItems": max });
            if *one { json!({ "anyOf": [item, list] }) } else { list }
        }
        Kind::Map { names, of: value, min, max } => {
            let names = match names {
                Names::Form(form) => form.pattern,
                Names::Reference(_) => crate::form::NAME.pattern,
            };
            // An empty mapping may be written as nothing at all.
            let kind = if *min == 0 { json!(["object", "null"]) } else { json!("object") };
            json!({
                "type": kind,
                "propertyNames": { "pattern": names },
                "additionalProperties": of(value, definitions),
                "minProperties": min,
                "maxProperties": max,
            })
        }
        Kind::Shape(shape) => {
            let name = shape.name.replace(' ', "_");
            if !definitions.contains_key(&name) {
                // The place is taken first: a shape may be met again inside of itself.
                definitions.insert(name.clone(), Json::Null);
                let schema = with_short_forms(shape, definitions);
                definitions.insert(name.clone(), schema);
            }
            json!({ "$ref": format!("#/$defs/{name}") })
        }
    }
}

fn of_form(form: &Form) -> Json {
    let kind = match form.also {
        Also::Nothing | Also::Hidden => json!("string"),
        Also::Numbers => json!(["string", "number"]),
        Also::Scalars => json!(["string", "number", "boolean", "null"]),
    };
    let mut schema = json!({ "type": kind });
    if !form.pattern.is_empty() {
        schema["pattern"] = json!(form.pattern);
        schema["description"] = json!(format!("{}, such as {}", form.about, form.example));
    }
    schema
}

fn with_short_forms(shape: &Shape, definitions: &mut Map<String, Json>) -> Json {
    let mut forms = vec![of_shape(shape, definitions)];
    let bare: Vec<&str> = shape.bare().map(|key| key.name).collect();
    if !bare.is_empty() {
        forms.push(json!({ "enum": bare }));
    }
    if let Some(key) = shape.short.and_then(|name| shape.key(name)) {
        forms.push(of(&key.kind, definitions));
    }
    if forms.len() == 1 { forms.remove(0) } else { json!({ "anyOf": forms }) }
}

fn of_shape(shape: &Shape, definitions: &mut Map<String, Json>) -> Json {
    let mut properties = Map::new();
    for key in shape.keys {
        let mut description = key.doc.to_owned();
        if key.standing == Standing::NotYet {
            description += " Not acted upon yet.";
        }
        let mut property = json!({ "description": description });
        match key.need {
            Need::Default(text) => property["default"] = default(&key.kind, text),
            Need::Items(items) => property["default"] = json!(items),
            Need::Required | Need::Optional => {}
        }
        property["allOf"] = json!([of(&key.kind, definitions)]);
        properties.insert(key.name.to_owned(), property);
    }
    let required: Vec<&str> =
        shape.keys.iter().filter(|key| key.need == Need::Required).map(|key| key.name).collect();
    // What needs nothing may be written as nothing at all.
    let nothing = required.is_empty() && shape.one_of.is_empty();
    let kind = if nothing { json!(["object", "null"]) } else { json!("object") };
    let mut schema = json!({
        "type": kind,
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if !shape.one_of.is_empty() {
        let one = shape.one_of.iter().map(|name| json!({ "required": [name] }));
        schema["oneOf"] = json!(one.collect::<Vec<_>>());
    }
    schema
}

fn default(kind: &Kind, text: &str) -> Json {
    match kind {
        Kind::Flag => json!(text == "true"),
        Kind::Integer { .. } => json!(text.parse::<u32>().expect("defaults are well written")),
        _ => json!(text),
    }
}

#[cfg(test)]
mod tests;
