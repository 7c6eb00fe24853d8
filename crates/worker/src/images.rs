//! Images that steps built, as the journal is told of them.
//!
//! A native version lists what it built. What a script built only the engine knows, and it serves everybody on the
//! machine: of the images that were given a name while the step ran, those are the step's whose names it had
//! ([`Watch`], [`attributed`]). The engine is asked by the hands of the job: one that its steps cannot reach is not
//! asked for them, and a path of theirs leads nowhere else.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use docker::{Engine, EngineError, Named};
use event::{BuiltImage, ImageSize, SizeOf, repository};
use mask::Masker;
use sequencer::{Deed, DeedBody, Program};
use serde_json::Value as Json;

use crate::command_line::Prepared;

/// Images of one step: one that has more builds them by a loop, and nobody reads a table of them.
const STEP_IMAGES_MAX: usize = 20;
/// Names of one image ...
const NAMES_MAX: usize = 20;
/// ... and characters of one: a registry's host, and what OCI lets stand behind it.
const NAME_CHARS_MAX: usize = 512;
/// Characters of a platform, `linux/arm64/v8`.
const PLATFORM_CHARS_MAX: usize = 64;

/// Programs that build images, and what they are told to do it.
const BUILDERS: &[&str] = &["docker", "docker-compose", "podman", "buildx"];
const BUILDING: &[&str] = &["build", "--build", "bake", "load"];

/// An image that was built, in words that nobody masked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Built {
    names: Vec<String>,
    /// What the engine knows it by, which says the rest.
    in_engine: Option<String>,
    digest: Option<String>,
    platform: Option<String>,
    size: Option<ImageSize>,
    build_ms: Option<u64>,
}

/// What a job's native versions have listed so far: a JSON object a line with `names`, `in_engine`, `digest`,
/// `platform`, `size_bytes`, `size_of` and `build_ms`, of which any may be missing.
#[derive(Debug, Default)]
pub(crate) struct Images {
    lines: usize,
}

impl Images {
    /// What was listed since.
    pub(crate) fn read(&mut self, text: &str) -> Vec<Built> {
        let lines = text.lines().skip(self.lines);
        self.lines = text.lines().count().max(self.lines);
        lines.filter_map(|line| Some(listed(&serde_json::from_str(line).ok()?))).collect()
    }
}

fn listed(said: &Json) -> Built {
    let text = |name: &str| said[name].as_str().map(str::to_owned);
    let names = said["names"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let of = match said["size_of"].as_str() {
        Some("unpacked") => Some(SizeOf::Unpacked),
        Some("compressed") => Some(SizeOf::Compressed),
        _ => None,
    };
    let size = said["size_bytes"].as_u64().zip(of);
    Built {
        names: names.map(str::to_owned).collect(),
        in_engine: text("in_engine"),
        digest: text("digest"),
        platform: text("platform"),
        size: size.map(|(bytes, of)| ImageSize { bytes, of }),
        build_ms: said["build_ms"].as_u64(),
    }
}

/// What is looked for once a deed is over.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// The engine that its process reaches.
    engine: Engine,
    since: SystemTime,
    /// Where the names of its images stand; none of a native version, which lists them.
    words: Option<String>,
}

impl Watch {
    /// What to look for; none of a deed that has nothing to do with images.
    pub(crate) fn of(deed: &Deed, prepared: &Prepared) -> Option<Watch> {
        let env = &prepared.line.env;
        let words = match &deed.body {
            DeedBody::Script { script, .. } if builds(script) => {
                let values = env.values().map(String::as_str);
                Some([&**script].into_iter().chain(values).collect::<Vec<_>>().join("\n"))
            }
            DeedBody::Action { program: Program::Native { .. }, .. } => None,
            _ => return None,
        };
        let engine = Engine::of_process(env.get("DOCKER_HOST").map(String::as_str))?;
        Some(Watch { engine, since: SystemTime::now(), words })
    }

    /// Whether the engine says what was built.
    pub(crate) fn is_of_script(&self) -> bool {
        self.words.is_some()
    }

    /// What a script built. Whoever asks may be within walls.
    pub(crate) fn found(&self) -> Result<Vec<Built>, EngineError> {
        let Some(words) = &self.words else { return Ok(Vec::new()) };
        let named = self.engine.named_between(self.since, SystemTime::now())?;
        let since = self.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut found = attributed(&named, words, since);
        found.truncate(STEP_IMAGES_MAX + 1);
        for it in &mut found {
            self.measure(it, words)?;
        }
        // One that brought its names may be another's; one that is gone is nobody's.
        found.retain(|it| !it.names.is_empty() && it.in_engine.is_some());
        Ok(found)
    }

    /// Asks the engine for what it knows of those that it has.
    pub(crate) fn measured(&self, mut listed: Vec<Built>) -> Result<Vec<Built>, EngineError> {
        listed.truncate(STEP_IMAGES_MAX + 1);
        listed.iter_mut().try_for_each(|it| self.measure(it, ""))?;
        Ok(listed)
    }

    fn measure(&self, it: &mut Built, words: &str) -> Result<(), EngineError> {
        // An id, and no path: the list lies where steps may write.
        it.in_engine.take_if(|id| digest(id).is_none());
        let Some(id) = &it.in_engine else { return Ok(()) };
        let Some(image) = self.engine.image(id)? else {
            it.in_engine = None;
            return Ok(());
        };
        it.platform = image.platform;
        it.size = image.unpacked_bytes.map(|bytes| ImageSize { bytes, of: SizeOf::Unpacked });
        if it.names.is_empty() {
            it.names = image.names.into_iter().filter(|name| is_named(name, words)).collect();
        }
        Ok(())
    }
}

/// Whether a script may build an image: a program that does, and a word that has it done.
fn builds(script: &str) -> bool {
    let has = |all: &[&str]| {
        let mut words = script.split(|it: char| it.is_whitespace() || "\"'`;|&()".contains(it));
        words.any(|word| all.contains(&word.rsplit('/').next().unwrap_or(word)))
    };
    has(BUILDERS) && has(BUILDING)
}

/// Of what was named on the whole machine, the images whose names stand in these words: in the script, or in a
/// variable that it has. Where two jobs give the same name at the same time, both have both images: nothing tells
/// whose is whose.
///
/// How long a build took is from where the one before it in the step ended, or the step began.
fn attributed(named: &[Named], words: &str, since: Duration) -> Vec<Built> {
    let (mut found, mut begin) = (Vec::<Built>::new(), since);
    for it in named {
        let name = it.name.as_deref();
        if name.is_some_and(|name| !is_named(name, words)) {
            continue;
        }
        let known = found.iter_mut().find(|built| built.in_engine.as_deref() == Some(&it.id));
        if let Some(known) = known {
            let is_new = |name: &&str| !known.names.iter().any(|known| known == name);
            let name = name.filter(is_new).map(str::to_owned);
            known.names.extend(name);
            continue;
        }
        let took = it.at.saturating_sub(begin).as_millis();
        begin = it.at;
        found.push(Built {
            names: name.into_iter().map(str::to_owned).collect(),
            in_engine: Some(it.id.clone()),
            build_ms: u64::try_from(took).ok(),
            ..Built::default()
        });
    }
    found
}

/// Whether every piece of a name but its tag stands there as a word: scripts put names together.
fn is_named(name: &str, words: &str) -> bool {
    let is_part = |it: char| it.is_alphanumeric() || "_-.".contains(it);
    let stands = |piece: &str| {
        words.match_indices(piece).any(|(at, _)| {
            let before = words[..at].chars().next_back();
            // A full stop ends a sentence, and a name.
            let behind = words[at + piece.len()..].chars().next().filter(|it| *it != '.');
            ![before, behind].into_iter().flatten().any(is_part)
        })
    };
    // Docker's own names leave the registry out, and its first folder.
    let name = repository(name);
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    let name = name.strip_prefix("library/").unwrap_or(name);
    !name.is_empty() && name.split('/').all(stands)
}

/// As the journal has it, and a word about what is left out.
pub(crate) fn recorded(found: Vec<Built>, masker: &Masker) -> (Vec<BuiltImage>, Option<String>) {
    let is_more = found.len() > STEP_IMAGES_MAX;
    let said = is_more.then(|| {
        format!("no more than {STEP_IMAGES_MAX} images of a step are recorded, and it built more")
    });
    let of = |it: Built| {
        let names = it.names.iter().filter(|name| is_word(name, NAME_CHARS_MAX)).take(NAMES_MAX);
        let platform = it.platform.filter(|it| is_word(it, PLATFORM_CHARS_MAX));
        BuiltImage {
            names: names.map(|name| masker.mask(name)).collect(),
            id: it.in_engine.as_deref().and_then(digest),
            digest: it.digest.as_deref().and_then(digest),
            platform: platform.map(|it| masker.mask(&it)),
            size: it.size,
            build_ms: it.build_ms,
        }
    };
    (found.into_iter().take(STEP_IMAGES_MAX).map(of).collect(), said)
}

/// One word that can be shown as it is.
fn is_word(text: &str, chars_max: usize) -> bool {
    !text.is_empty() && text.len() <= chars_max && text.bytes().all(|it| it.is_ascii_graphic())
}

fn digest(text: &str) -> Option<Arc<str>> {
    let hex = text.strip_prefix("sha256:")?;
    let is_hex = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
    (hex.len() == 64 && hex.bytes().all(is_hex)).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use mask::MaskedText;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_listed_is_read_once_and_masked() {
        let mut masker = Masker::new();
        masker.add("123456789012");
        let mut images = Images::default();
        let id = format!("sha256:{}", "0a".repeat(32));
        let first = json!({
            "names": ["123456789012.ecr/app:v1", "two words"], "in_engine": id, "digest": "sha1:00",
            "platform": "linux/amd64", "size_bytes": 7, "size_of": "compressed", "build_ms": 5,
        });
        let found = images.read(&format!("{first}\n"));
        let (found, said) = recorded(found, &masker);
        let [image] = &*found else { panic!("one: {found:?}") };
        assert_eq!(image.names, [MaskedText::without_secrets("***.ecr/app:v1")]);
        assert_eq!((image.id.as_deref(), image.digest.as_deref()), (Some(&*id), None));
        assert_eq!(image.size, Some(ImageSize { bytes: 7, of: SizeOf::Compressed }));
        assert_eq!((image.build_ms, said), (Some(5), None));
        // A size of which nobody knows what it is of is none.
        let more = format!("{first}\n{{\"size_bytes\":7}}\nnonsense\n");
        let found = images.read(&more);
        assert_eq!(found, [Built::default()]);
        assert_eq!(images.read(&more), []);
    }

    #[test]
    fn a_step_has_twenty_images_with_twenty_names() {
        let names = (0..30).map(|at| format!("app:{at}")).collect();
        let built = Built { names, ..Built::default() };
        let (found, said) = recorded(vec![built; 21], &Masker::new());
        assert_eq!((found.len(), found[0].names.len()), (20, 20));
        let expect = "no more than 20 images of a step are recorded, and it built more";
        assert_eq!(said.as_deref(), Some(expect));
    }

    #[test]
    fn a_script_that_builds_has_a_program_and_a_word_for_it() {
        let check = |script: &str, expect: bool| assert_eq!(builds(script), expect, "{script}");
        check("docker build -t app .", true);
        check("docker buildx build --load .", true);
        check("docker buildx bake", true);
        check("/usr/bin/podman build .", true);
        check("docker compose up --build", true);
        check("docker-compose build", true);
        check("(cd api && docker build .)", true);
        check("docker load < image.tar", true);
        check("docker push app", false);
        check("npm run build", false);
        check("cargo build", false);
        check("echo dockerfile build", false);
    }

    #[test]
    fn an_image_is_its_whose_words_have_its_name() {
        let check = |name: &str, words: &str, expect: bool| {
            assert_eq!(is_named(name, words), expect, "{name} in {words}");
        };
        check("app:v1", "docker build -t app:v1 .", true);
        check("app:abc", "docker build -t app:$(git rev-parse HEAD) .", true);
        check("app:v1", "docker build -t application:v1 .", false);
        check("app:v1", "docker build -t my-app .", false);
        check("app:v1", "docker build -t app", true);
        check("docker.io/library/app:v1", "docker build -t app", true);
        let variables = "docker build -t $REGISTRY/$REPO:$TAG .\nghcr.io\nocto/app";
        check("ghcr.io/octo/app:1", variables, true);
        check("ghcr.io/octo/web:1", variables, false);
        check("localhost:5000/app:v1", "docker build -t localhost:5000/app:v1", true);
        check("", "docker build .", false);
    }

    #[test]
    fn what_others_name_meanwhile_is_theirs() {
        let named = |id: &str, name: Option<&str>, at: u64| Named {
            id: id.to_owned(),
            name: name.map(str::to_owned),
            at: Duration::from_secs(at),
        };
        let built = |id: &str, names: &[&str], seconds: u64| Built {
            names: names.iter().map(|&it| it.to_owned()).collect(),
            in_engine: Some(id.to_owned()),
            build_ms: Some(seconds * 1000),
            ..Built::default()
        };
        let check = |named: &[Named], expect: &[Built]| {
            let words = "docker build -t app . && docker build -t octo/web .";
            assert_eq!(attributed(named, words, Duration::from_secs(100)), expect);
        };
        let others = named("c", Some("theirs:1"), 101);
        check(std::slice::from_ref(&others), &[]);
        // Two of the step's own, one with two names; each took from where the one before was there.
        let all = [
            named("a", Some("app:latest"), 107),
            others,
            named("a", Some("app:v1"), 108),
            named("a", Some("app:latest"), 108),
            named("b", Some("octo/web:latest"), 110),
        ];
        let own = [built("a", &["app:latest", "app:v1"], 7), built("b", &["octo/web:latest"], 3)];
        check(&all, &own);
        // The same name at the same time by somebody else: that cannot be told apart.
        let same = [named("a", Some("app:1"), 107), named("d", Some("app:1"), 108)];
        check(&same, &[built("a", &["app:1"], 7), built("d", &["app:1"], 1)]);
        // What was loaded says its names when it is asked.
        check(&[named("a", None, 107)], &[built("a", &[], 7)]);
    }
}
