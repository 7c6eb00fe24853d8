//! Services, whatever a workflow says of them.

use serde_json::Value as Json;
use services::plan;

/// An input is a service as JSON: what is left of its YAML once expressions are evaluated.
pub fn check(input: &[u8]) {
    let Ok(service) = serde_json::from_slice::<Json>(input) else { return };
    let plan = match plan("db", &service) {
        Ok(Some(plan)) => plan,
        Ok(None) => return,
        Err(error) => {
            assert!(error.to_string().contains("db"), "an error names the service");
            return;
        }
    };
    assert!(!plan.image.is_empty());
    assert!(plan.version.is_none_or(|it| it.starts_with(|digit: char| digit.is_ascii_digit())));
    let written = service["ports"].as_array().map_or(0, Vec::len);
    assert_eq!(plan.ports.len(), written, "no port is left out");
    if let Some(health) = plan.health {
        assert!(health.retries > 0, "a look has to be taken");
    }
}
