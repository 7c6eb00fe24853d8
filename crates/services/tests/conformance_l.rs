//! What an entry of `services` may be.

use serde_json::{Value, json};

fn program(service: &Value) -> Option<&'static str> {
    let planned = services::plan("db", service).expect("a local program stands for it");
    planned.map(|plan| plan.program.name())
}

// proves: conformance 159
#[test]
fn c159_images_with_a_scheme_and_none_at_all() {
    for image in ["postgres:15", "docker://postgres:15", "docker://postgres"] {
        assert_eq!(program(&json!(image)), Some("PostgreSQL"), "{image}");
        assert_eq!(program(&json!({ "image": image })), Some("PostgreSQL"), "{image}");
    }
    for nothing in [json!(""), json!({ "image": "" }), json!({ "image": null }), json!({})] {
        assert_eq!(program(&nothing), None, "{nothing}");
    }
}
