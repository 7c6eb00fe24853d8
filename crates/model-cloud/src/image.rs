//! How an image behaves, scripted.

/// How a container of an image behaves. By default it starts, is healthy at once, and runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Why it cannot be pulled.
    pub pull_error: Option<String>,
    /// It ends by itself: so long after it started, with this code.
    pub exits: Option<(u64, i64)>,
    /// How it is with its health.
    pub health: Health,
    /// What it prints when it starts.
    pub prints: Vec<String>,
    /// It does not hear SIGTERM: stopping it takes its whole time.
    pub deaf: bool,
}

/// What a health check finds, in milliseconds after the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Healthy from then on.
    After(u64),
    /// Never.
    Never,
    /// Healthy from the first until the second.
    Between(u64, u64),
}

impl Default for Health {
    fn default() -> Health {
        Health::After(0)
    }
}

impl Image {
    /// It runs and is healthy.
    pub fn good() -> Image {
        Image::default()
    }

    /// It ends so long after it started, with this code.
    pub fn exits(after_ms: u64, code: i64) -> Image {
        Image { exits: Some((after_ms, code)), ..Image::default() }
    }

    /// It cannot be pulled.
    pub fn missing() -> Image {
        let said = "CannotPullContainerError: pull image manifest has been retried 1 time(s): \
                    failed to resolve ref: not found";
        Image { pull_error: Some(said.to_owned()), ..Image::default() }
    }

    /// Its health is so.
    pub fn with_health(health: Health) -> Image {
        Image { health, ..Image::default() }
    }

    /// It prints this when it starts.
    pub fn printing(mut self, lines: &[&str]) -> Image {
        self.prints = lines.iter().map(|it| (*it).to_owned()).collect();
        self
    }

    pub(crate) fn is_healthy(&self, elapsed: u64) -> bool {
        match self.health {
            Health::After(from) => elapsed >= from,
            Health::Never => false,
            Health::Between(from, until) => (from..until).contains(&elapsed),
        }
    }

    /// Whether it was healthy and is not any more.
    pub(crate) fn is_past_health(&self, elapsed: u64) -> bool {
        matches!(self.health, Health::Between(_, until) if elapsed >= until)
    }
}
