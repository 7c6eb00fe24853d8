//! Containers, whatever a workflow says of them.

use serde_json::Value as Json;

/// An input is a `container` as JSON: what is left of its YAML once expressions are evaluated.
pub fn check(input: &[u8]) {
    let Ok(written) = serde_json::from_slice::<Json>(input) else { return };
    let wanted = match docker::wanted(&written) {
        Ok(Some(wanted)) => wanted,
        Ok(None) => return,
        Err(error) => {
            assert!(!error.to_string().is_empty(), "an error says something");
            return;
        }
    };
    assert_eq!(wanted.body["Image"], wanted.image.as_str());
    assert!(!wanted.image.is_empty());
    let config = &wanted.body["HostConfig"];
    if config["Privileged"] == true || config["Devices"].is_array() || config["CapAdd"].is_array() {
        assert!(!wanted.beyond.is_empty(), "what reaches beyond the container is named");
    }
    let binds = config["Binds"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let of_machine = binds.filter(|it| it.starts_with('/')).count();
    assert!(wanted.beyond.len() >= of_machine, "every folder of the machine is named");
}
