//! Whether the images that a run built are small enough, as `images` of the settings asks.

use event::{ImageSize, SizeOf, StreamId};
use figures::{Figures, FiguresError, KeptImage};
use serde_json::json;
use settings::{MaximumImages, size_text};
use store::Store;
use views::{RunView, decimal_size};

use crate::held::Finding;

/// What was found of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// Its name without a tag, or what the settings call those that were not built; none of one without a name, and
    /// of a run that built none.
    image: Option<String>,
    maximum: u64,
    built: Built,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Built {
    /// How large; none where nobody knows.
    Here(Option<ImageSize>),
    /// The run built none of that name, or none at all.
    Not,
}

/// What is found of a run that is over; nothing where it has to do with no image.
pub(crate) fn found(
    asked: &MaximumImages,
    (figures, store): (&Figures, &Store),
    (view, stream): (&RunView, StreamId),
) -> Result<Vec<Held>, FiguresError> {
    let kept = figures.images_kept(store, view)?;
    let had_images = figures.had_images(stream)?;
    Ok(held(asked, &kept, had_images))
}

/// Every image that a maximum is asked of. A run that builds none, where the one before built some, is told to have
/// none: that is not too large.
fn held(asked: &MaximumImages, kept: &[KeptImage], had_images: bool) -> Vec<Held> {
    if kept.is_empty() && !had_images {
        return Vec::new();
    }
    let mut all = Vec::new();
    for image in kept {
        if let Some(maximum) = maximum(asked, &image.names) {
            let name = image.names.first().map(|name| event::repository(name).to_owned());
            all.push(Held { image: name, maximum, built: Built::Here(image.size) });
        }
    }
    for (name, maximum) in &asked.names {
        let is_built = |it: &KeptImage| it.names.iter().any(|it| is_called(it, &name.value));
        if !kept.iter().any(is_built) {
            let image = Some(name.value.to_string());
            all.push(Held { image, maximum: *maximum, built: Built::Not });
        }
    }
    if let (true, Some(each)) = (kept.is_empty(), &asked.each) {
        all.push(Held { image: None, maximum: each.value, built: Built::Not });
    }
    all
}

/// What is asked of an image: by the longest name that is one of its own, else of each.
fn maximum(asked: &MaximumImages, names: &[String]) -> Option<u64> {
    let called =
        |(name, _): &&(settings::Text, u64)| names.iter().any(|it| is_called(it, &name.value));
    let named = asked.names.iter().filter(called).max_by_key(|(name, _)| name.value.len());
    named.map(|(_, maximum)| *maximum).or(asked.each.as_ref().map(|it| it.value))
}

/// Whether that is the name of the image, or its end from a `/` on.
fn is_called(image: &str, name: &str) -> bool {
    let image = event::repository(image);
    let before = image.strip_suffix(name);
    before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

impl Held {
    fn is_over(&self) -> bool {
        // What is packed is more once it is unpacked.
        matches!(self.built, Built::Here(Some(size)) if size.bytes > self.maximum)
    }

    fn is_known(&self) -> bool {
        let is_whole = |size: ImageSize| size.of == SizeOf::Unpacked || self.is_over();
        matches!(self.built, Built::Here(Some(size)) if is_whole(size))
    }

    /// As it is said.
    pub(crate) fn finding(&self, view: &RunView) -> Finding {
        let size = match self.built {
            Built::Here(size) => size,
            Built::Not => None,
        };
        Finding {
            line: self.line(),
            is_broken: self.is_over(),
            is_known: self.is_known(),
            json: json!({
                "type": "maximum_image_size", "run": view.header.run,
                "attempt": view.header.attempt, "image": self.image,
                "maximum_bytes": self.maximum, "size_bytes": size.map(|it| it.bytes),
                "size_of": size.map(|it| it.of.as_str()), "over": self.is_over(),
            }),
        }
    }

    /// `image octo/app: 512.3 MB is over the maximum of 500MB`
    fn line(&self) -> String {
        let maximum = size_text(self.maximum);
        let Some(name) = &self.image else {
            return match self.built {
                Built::Not => format!("images: the run built none; the maximum is {maximum}"),
                Built::Here(_) => self.of_built("image without a name", &maximum),
            };
        };
        match self.built {
            Built::Not => format!("image {name}: the run built none; the maximum is {maximum}"),
            Built::Here(_) => self.of_built(&format!("image {name}"), &maximum),
        }
    }

    fn of_built(&self, name: &str, maximum: &str) -> String {
        let Built::Here(Some(size)) = self.built else {
            return format!(
                "{name}: nobody knows how large it is; the maximum is {maximum} (docs/built-images.md)"
            );
        };
        let told = match decimal_size(size.bytes) {
            // A byte more is more.
            told if told == decimal_size(self.maximum) && self.is_over() => {
                format!("{} bytes", size.bytes)
            }
            told => told,
        };
        match (size.of, self.is_over()) {
            (SizeOf::Unpacked, true) => format!("{name}: {told} is over the maximum of {maximum}"),
            (SizeOf::Unpacked, false) => {
                format!("{name}: {told} is within the maximum of {maximum}")
            }
            (SizeOf::Compressed, true) => {
                format!("{name}: {told} compressed is over the maximum of {maximum} already")
            }
            (SizeOf::Compressed, false) => format!(
                "{name}: {told} compressed, nobody knows how large its files are; the maximum is \
                 {maximum} (docs/built-images.md)"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use syntax::Source;

    use super::*;

    #[test]
    fn what_is_too_large_is_said() {
        let check = |asked: &str, kept: &[(&str, &str)], had: bool, expect: &[&str]| {
            let text = format!("version: 1\nproject: a\nimages: {asked}\n");
            let (settings, found) = settings::read(&Source::new(settings::FILE, text));
            let asked = settings.unwrap_or_else(|| panic!("{found:?}")).images;
            let image = |(names, size): &(&str, &str)| {
                let size = size.split_once(' ').map(|(bytes, of)| ImageSize {
                    bytes: bytes.parse().expect("a number"),
                    of: if of == "packed" { SizeOf::Compressed } else { SizeOf::Unpacked },
                });
                KeptImage { names: names.split_whitespace().map(str::to_owned).collect(), size }
            };
            let kept: Vec<KeptImage> = kept.iter().map(image).collect();
            let line = |it: &Held| {
                let sign = if it.is_over() {
                    "✗"
                } else if it.is_known() {
                    "✓"
                } else {
                    "?"
                };
                format!("{sign} {}", it.line())
            };
            let lines: Vec<String> = held(&asked, &kept, had).iter().map(line).collect();
            assert_eq!(lines, expect);
        };
        let app = |size: &'static str| [("ghcr.io/octo/app:v2", size)];
        check(
            "{ maximum: 500MB }",
            &app("500000000 files"),
            false,
            &["✓ image ghcr.io/octo/app: 500.0 MB is within the maximum of 500MB"],
        );
        check(
            "{ maximum: 500MB }",
            &app("500000001 files"),
            false,
            &["✗ image ghcr.io/octo/app: 500000001 bytes is over the maximum of 500MB"],
        );
        check(
            "{ maximum: 500MB }",
            &app("612000000 files"),
            false,
            &["✗ image ghcr.io/octo/app: 612.0 MB is over the maximum of 500MB"],
        );
        // Packed it is smaller than it is.
        check(
            "{ maximum: 500MB }",
            &app("300000000 packed"),
            false,
            &[
                "? image ghcr.io/octo/app: 300.0 MB compressed, nobody knows how large its files are; the maximum is 500MB (docs/built-images.md)",
            ],
        );
        check(
            "{ maximum: 500MB }",
            &app("600000000 packed"),
            false,
            &["✗ image ghcr.io/octo/app: 600.0 MB compressed is over the maximum of 500MB already"],
        );
        check(
            "{ maximum: 500MB }",
            &app(""),
            false,
            &[
                "? image ghcr.io/octo/app: nobody knows how large it is; the maximum is 500MB (docs/built-images.md)",
            ],
        );
        // The name goes before, and is no part of a word.
        check(
            "{ maximum: 1MB, names: { app: 2GB, octo/app: 1GB } }",
            &app("700000000 files"),
            false,
            &["✓ image ghcr.io/octo/app: 700.0 MB is within the maximum of 1GB"],
        );
        check(
            "{ names: { pp: 1MB } }",
            &app("700000000 files"),
            false,
            &["? image pp: the run built none; the maximum is 1MB"],
        );
        check(
            "{ maximum: 1MB }",
            &[("", "2000000 files")],
            false,
            &["✗ image without a name: 2.0 MB is over the maximum of 1MB"],
        );
        // Whoever builds no image, and never did, has nothing to do with it.
        check("{ maximum: 1MB, names: { app: 2MB } }", &[], false, &[]);
        check("{ maximum: 1MB }", &[], true, &["? images: the run built none; the maximum is 1MB"]);
        check("{}", &app("700000000 files"), true, &[]);
    }
}
