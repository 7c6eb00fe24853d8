//! Networks: containers on one reach each other by name, and nobody on another.

use serde_json::{Value as Json, json};

use crate::engine::{Engine, EngineError};
use crate::wire::escaped;

impl Engine {
    /// Makes a network of its own; its id. `labels` are an object of texts.
    ///
    /// # Errors
    /// When the engine is away, or refuses it.
    pub fn make_network(&self, name: &str, labels: &Json) -> Result<String, EngineError> {
        let body = json!({ "Name": name, "Driver": "bridge", "Labels": labels });
        let made = self.json("POST", "/networks/create", Some(&body))?;
        Ok(made["Id"].as_str().unwrap_or_default().to_owned())
    }

    /// Whether there is a network of this name.
    ///
    /// # Errors
    /// When the engine is away, or refuses it.
    pub fn has_network(&self, name: &str) -> Result<bool, EngineError> {
        match self.json("GET", &format!("/networks/{name}"), None) {
            Err(error) if error.is_absent() => Ok(false),
            other => other.map(|_| true),
        }
    }

    /// Takes a network away; one that is gone is.
    ///
    /// # Errors
    /// When the engine is away, or somebody is on it.
    pub fn remove_network(&self, id: &str) -> Result<(), EngineError> {
        match self.json("DELETE", &format!("/networks/{id}"), None) {
            Err(error) if error.is_absent() => Ok(()),
            other => other.map(drop),
        }
    }

    /// Takes away every container and network with a label of this value.
    ///
    /// # Errors
    /// When the engine is away, or does not let go of one.
    pub fn remove_labelled(&self, label: &str, value: &str) -> Result<(), EngineError> {
        let removed =
            self.labelled(label, value)?.iter().map(|(id, _)| self.remove(id)).collect::<Vec<_>>();
        let filters = json!({ "label": [format!("{label}={value}")] }).to_string();
        let found = self.json("GET", &format!("/networks?filters={}", escaped(&filters)), None)?;
        for network in found.as_array().into_iter().flatten() {
            self.remove_network(network["Id"].as_str().unwrap_or_default())?;
        }
        removed.into_iter().collect()
    }

    /// Takes away the networks with this label that nobody is on and that were made before `age`, as
    /// Docker writes it: `10m`.
    ///
    /// # Errors
    /// When the engine is away, or refuses it.
    pub fn prune_networks(&self, label: &str, age: &str) -> Result<(), EngineError> {
        let filters = json!({ "label": [label], "until": [age] }).to_string();
        let path = format!("/networks/prune?filters={}", escaped(&filters));
        self.json("POST", &path, None).map(drop)
    }
}
