//! The house rules as a program: which crate may know which, that every file says what it is, and
//! that nothing grows without anyone noticing. Runs inside `cargo test` too.

mod arrows;
mod files;

use anyhow::{Result, bail};

use crate::shell;

/// Checks every rule and shows every breach.
pub(crate) fn run() -> Result<()> {
    let breaches = breaches()?;
    for breach in &breaches {
        shell::say(breach);
    }
    if breaches.is_empty() {
        return Ok(());
    }
    bail!("{} house rules are broken", breaches.len())
}

fn breaches() -> Result<Vec<String>> {
    let mut breaches = arrows::breaches()?;
    breaches.extend(files::breaches()?);
    Ok(breaches)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_house_is_tidy() {
        let breaches = super::breaches().expect("the rules can be checked");
        assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
    }
}
