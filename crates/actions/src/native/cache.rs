//! `actions/cache`, `actions/cache/restore` and `actions/cache/save`.

use super::caching::{Caches, Saved};
use super::step::{Failure, Step};
use super::{Native, NativeAction, Stage};

const MAJORS: &[u32] = &[3, 4, 5];
const COMMITS: &[(&str, u32)] = &[("5a3ec84eff668545956fd18022155c47e93e2684", 4)];

/// The registration of `actions/cache`.
pub(super) const CACHE: Native = Native {
    action: NativeAction {
        name: "cache",
        manifest: include_str!("cache.yml"),
        stages: &[Stage::Main, Stage::Post],
    },
    of: "actions/cache",
    majors: MAJORS,
    refs: &["main"],
    commits: COMMITS,
    run,
};

/// The registration of `actions/cache/restore`.
pub(super) const RESTORE: Native = Native {
    action: NativeAction {
        name: "cache-restore",
        manifest: include_str!("cache_restore.yml"),
        stages: &[Stage::Main],
    },
    of: "actions/cache/restore",
    majors: MAJORS,
    refs: &["main"],
    commits: COMMITS,
    run: |step, _| restore(step),
};

/// The registration of `actions/cache/save`.
pub(super) const SAVE: Native = Native {
    action: NativeAction {
        name: "cache-save",
        manifest: include_str!("cache_save.yml"),
        stages: &[Stage::Main],
    },
    of: "actions/cache/save",
    majors: MAJORS,
    refs: &["main"],
    commits: COMMITS,
    run: |step, _| {
        let key = step.input("key");
        save(step, &key)
    },
};

fn run(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    match stage {
        Stage::Pre => Ok(()),
        Stage::Main => restore(step),
        Stage::Post => {
            // The key as it was: the post stage evaluates its inputs again.
            let key = step.state("CACHE_KEY").unwrap_or_else(|| step.input("key"));
            if step.state("CACHE_RESULT").as_deref() == Some(&key) {
                step.info(&format!(
                    "Cache hit occurred on the primary key {key}, not saving cache."
                ));
                return Ok(());
            }
            save(step, &key)
        }
    }
}

fn paths(step: &Step) -> Result<Vec<String>, Failure> {
    let paths = step.lines("path");
    if paths.is_empty() {
        return Err(Failure::new("Input required and not supplied: path"));
    }
    if step.given("upload-chunk-size").is_some() {
        step.not_enforced("upload-chunk-size", "nothing is uploaded: the cache is on this machine");
    }
    if step.boolean("save-always")? {
        step.not_enforced(
            "save-always",
            "the original's never worked; use actions/cache/save with `if: always()`",
        );
    }
    if step.boolean("enableCrossOsArchive")? {
        step.not_enforced("enableCrossOsArchive", "this machine's caches stay on this machine");
    }
    Ok(paths)
}

fn restore(step: &mut Step) -> Result<(), Failure> {
    let key = step.input("key");
    let paths = paths(step)?;
    let caches = Caches::open(step)?;
    step.save_state("CACHE_KEY", &key);
    step.output("cache-primary-key", &key);
    let restore_keys = step.lines("restore-keys");
    let Some(entry) = caches.find(&paths, &key, &restore_keys)? else {
        return missed(step, &key, &restore_keys);
    };
    let lookup_only = step.boolean("lookup-only")?;
    if !lookup_only {
        // As with the original an entry that cannot be read is no entry; ours makes room for a new one.
        match caches.restore(&entry) {
            Ok(size) => {
                let by = caches.writer(&entry).map(|it| format!(", saved by {}", it.job));
                let by = by.unwrap_or_default();
                step.info(&format!("Cache restored from key: {} ({size} bytes{by})", entry.key));
            }
            Err(failure) => {
                step.warning(&format!("Failed to restore: {}", failure.message));
                caches.discard_spoiled(entry);
                return missed(step, &key, &restore_keys);
            }
        }
    }
    step.save_state("CACHE_RESULT", &entry.key);
    step.output("cache-matched-key", &entry.key);
    step.output("cache-hit", if entry.key == key { "true" } else { "false" });
    if lookup_only {
        step.info(&format!("Cache found and can be restored from key: {}", entry.key));
    }
    Ok(())
}

fn missed(step: &Step, key: &str, restore_keys: &[String]) -> Result<(), Failure> {
    if step.boolean("fail-on-cache-miss")? {
        return Err(Failure::new(format!(
            "Failed to restore cache entry. Exiting as fail-on-cache-miss is set. Input key: {key}"
        )));
    }
    let all: Vec<&str> =
        std::iter::once(key).chain(restore_keys.iter().map(String::as_str)).collect();
    step.info(&format!("Cache not found for input keys: {}", all.join(", ")));
    Ok(())
}

fn save(step: &mut Step, key: &str) -> Result<(), Failure> {
    let paths = paths(step)?;
    if key.is_empty() {
        step.warning("Key is not specified.");
        return Ok(());
    }
    let caches = Caches::open(step)?;
    // A cache that cannot be saved costs time next time; it does not fail the job.
    match caches.save(&paths, key) {
        Ok(Saved::Stored { size_bytes }) => {
            step.info(&format!("Cache saved with key: {key} ({size_bytes} bytes)"));
        }
        Ok(Saved::Exists) => {
            step.info(&format!("there is a cache with the key {key} already: entries never change"));
        }
        Ok(Saved::Nothing) => step.warning(
            "Path Validation Error: Path(s) specified in the action for caching do(es) not exist, hence no cache is being saved.",
        ),
        Err(failure) => step.warning(&format!("Failed to save: {}", failure.message)),
    }
    Ok(())
}
