//! What the reader takes, the schema takes: files made from the table, some of them spoilt.

use serde_json::{Value as Json, json};
use syntax::{Source, yaml};

use super::schema;
use crate::form::{Also, Form};
use crate::kind::{Kind, Need, Shape};
use crate::quantity;
use crate::table::ROOT;
use crate::tree::Reader;

/// Files made; a few of them are well, because one spoilt value is enough.
const FILES: u64 = 3_000;
/// One value of so many is something else.
const SPOILT: u64 = 150;

/// Chooses, the same for the same seed.
struct Choice(u64);

impl Choice {
    fn below(&mut self, count: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % count
    }

    fn yes(&mut self) -> bool {
        self.below(2) == 0
    }

    fn of<'i, T>(&mut self, items: &'i [T]) -> &'i T {
        &items[self.below(items.len() as u64) as usize]
    }

    fn value(&mut self, kind: &Kind, depth: usize) -> Json {
        if self.below(SPOILT) == 0 {
            let others = [
                json!(null),
                json!(true),
                json!(0),
                json!(7),
                json!(1.5),
                json!(""),
                json!("a"),
                json!("A/b"),
                json!([]),
                json!(["a"]),
                json!({}),
                json!({ "a": "b" }),
                json!("30s"),
                json!("{env}"),
                json!("a b\nc"),
                json!("ä"),
                json!(123456789012_u64),
            ];
            return self.of(&others).clone();
        }
        match kind {
            Kind::Form(form) => self.text(form),
            Kind::Flag => json!(self.yes()),
            Kind::Integer { min, max } => json!(*self.of(&[*min, *max])),
            Kind::Duration { min_ms, max_ms } => {
                let ms = *self.of(&[*min_ms, *max_ms, (min_ms + max_ms) / 2]);
                json!(quantity::duration_text(std::time::Duration::from_millis(ms)))
            }
            Kind::Size { min_bytes, max_bytes } => {
                json!(quantity::size_text(*self.of(&[*min_bytes, *max_bytes])))
            }
            Kind::Word(words) => json!(self.of(words).0),
            Kind::Reference(_) => json!("api"),
            Kind::List { of, min, one, .. } => {
                if *one && self.yes() {
                    return self.value(of, depth);
                }
                let count = *min + self.below(2) as usize;
                Json::Array((0..count).map(|_| self.value(of, depth + 1)).collect())
            }
            Kind::Map { names, of, min, .. } => {
                if *min == 0 && self.below(4) == 0 {
                    return Json::Null;
                }
                let all = ["api", "web_2", "B"];
                let names: &[&str] =
                    if names.form().example == "LOG_LEVEL" { &["A", "b_2"] } else { &all };
                let count = (*min).max(1 + self.below(2) as usize);
                let value = |name: &&str| ((*name).to_owned(), self.value(of, depth + 1));
                Json::Object(names.iter().take(count).map(value).collect())
            }
            Kind::Shape(shape) => self.shape(shape, depth),
        }
    }

    fn text(&mut self, form: &Form) -> Json {
        match form.also {
            Also::Numbers if form.example.starts_with('"') && self.yes() => {
                json!(111_122_223_333_u64)
            }
            Also::Scalars => {
                self.of(&[json!("a\nb"), json!(""), json!(1.5), json!(true), json!(null)]).clone()
            }
            _ => json!(form.example.trim_matches('"')),
        }
    }

    fn shape(&mut self, shape: &Shape, depth: usize) -> Json {
        let bare: Vec<&str> = shape.bare().map(|key| key.name).collect();
        if !bare.is_empty() && self.yes() {
            return json!(self.of(&bare));
        }
        if let Some(key) = shape.short.and_then(|name| shape.key(name))
            && self.yes()
        {
            return self.value(&key.kind, depth);
        }
        let chosen = (!shape.one_of.is_empty()).then(|| *self.of(shape.one_of));
        let mut mapping = serde_json::Map::new();
        for key in shape.keys {
            let is_one = shape.one_of.contains(&key.name);
            let wanted = match key.need {
                Need::Required => true,
                _ if is_one => chosen == Some(key.name),
                _ => self.below(2 + depth as u64) == 0,
            };
            if wanted {
                mapping.insert(key.name.to_owned(), self.value(&key.kind, depth + 1));
            }
        }
        Json::Object(mapping)
    }
}

#[test]
fn what_the_reader_takes_the_schema_takes() {
    let validator = jsonschema::validator_for(&schema()).expect("it is a schema");
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..FILES {
        let file = Choice(seed).value(&Kind::Shape(&ROOT), 0);
        let source = Source::new("launchway.yml", file.to_string());
        let (node, found) = yaml::read(&source);
        let mut reader = Reader::of(&source, found);
        if let Some(node) = &node {
            reader.clean(node, &Kind::Shape(&ROOT));
        }
        if reader.found.is_empty() {
            accepted += 1;
            if let Err(error) = validator.validate(&file) {
                panic!("seed {seed}: {error} at {}\n{file}", error.instance_path());
            }
        } else {
            refused += 1;
        }
    }
    assert!(
        accepted > FILES / 10 && refused > FILES / 10,
        "{accepted} accepted, {refused} refused"
    );
}

#[test]
fn the_schema_refuses_what_it_can() {
    let validator = jsonschema::validator_for(&schema()).expect("it is a schema");
    let whole = json!({
        "version": 1, "project": "planner",
        "services": { "api": { "run": ["app"], "health": "/health" } },
        "environments": { "dev": { "targets": { "host": "127.0.0.1:8080" } } },
    });
    assert!(validator.is_valid(&whole));
    let wrong = [
        ("/version", json!(2)),
        ("/project", json!("a b")),
        ("/services/api/run", json!("app")),
        ("/services/api/health", json!("health")),
        ("/services/api", json!({ "helth": "/" })),
        ("/environments/dev", json!({ "level": 6 })),
        ("/environments/dev", json!({ "strategy": "big_bang" })),
        ("/environments/dev", json!({ "deploy": { "on": "main", "promote": "a" } })),
    ];
    for (place, value) in wrong {
        let mut file = whole.clone();
        *file.pointer_mut(place).expect("it is there") = value.clone();
        assert!(!validator.is_valid(&file), "{place} {value}");
    }
}
