//! The images that a run built, for people.

use figures::{RunImage, RunImages};
use views::{decimal_size, length, size_change};

use super::style::Style;
use crate::terminal::plural::plural;

/// A line for each: what it is, how large, how long it took, and what is other than in the run before.
pub(crate) fn image_lines(told: &RunImages, style: Style) -> Vec<String> {
    if told.images.is_empty() {
        return Vec::new();
    }
    let since = told.compared_with.map(|(run, _)| format!(" since run {run}")).unwrap_or_default();
    let mut lines = vec![String::new(), style.bold("Images")];
    lines.extend(told.images.iter().map(|it| line(it, &since, style)));
    lines
}

/// `  octo/app:v2 (linux/amd64)  312.4 MB unpacked, +12.0 MB since run 12, built in 1 min 20 s`
fn line(it: &RunImage, since: &str, style: Style) -> String {
    let platform = it.platform.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
    let size = match (it.size_bytes, &it.size_of) {
        (Some(bytes), Some(of)) => format!("{} {of}", decimal_size(bytes)),
        _ => "of a size that nobody knows".to_owned(),
    };
    let change = it.size_bytes.zip(it.size_before_bytes);
    let change = change.and_then(|(now, before)| size_change(now, before));
    let change = change.map(|it| format!("{it}{since}"));
    let time = |ms: u64| length(ms);
    let took = it.build_ms.map(|ms| format!("built in {}", time(ms)));
    let told: Vec<String> = [Some(size), change, took].into_iter().flatten().collect();
    format!("  {}{platform}  {}", name(it), style.dim(&told.join(", ")))
}

/// `octo/app:v2 and 2 names more`
fn name(it: &RunImage) -> String {
    match it.names.as_slice() {
        [] => "an image without a name".to_owned(),
        [one] => one.clone(),
        [first, more @ ..] => format!("{first} and {} more", plural(more.len(), "name")),
    }
}

#[cfg(test)]
mod tests {
    use event::{Attempt, RunId};

    use super::*;

    #[test]
    fn an_image_is_a_line() {
        let image = RunImage {
            job: "build".to_owned(),
            step: "__run".to_owned(),
            names: vec!["octo/app:v2".to_owned()],
            id: None,
            digest: None,
            platform: Some("linux/amd64".to_owned()),
            size_bytes: Some(312_400_000),
            size_of: Some("unpacked".to_owned()),
            build_ms: Some(80_000),
            size_before_bytes: Some(300_400_000),
            build_before_ms: None,
        };
        let names = vec!["a:1".to_owned(), "a:2".to_owned(), "a:3".to_owned()];
        let unknown = RunImage { names, size_bytes: None, build_ms: None, ..image.clone() };
        let images = vec![image, unknown];
        let told = RunImages { compared_with: Some((RunId(12), Attempt(1))), images };
        let expect = [
            "",
            "Images",
            "  octo/app:v2 (linux/amd64)  312.4 MB unpacked, +12.0 MB since run 12, built in 1 min 20 s",
            "  a:1 and 2 names more (linux/amd64)  of a size that nobody knows",
        ];
        assert_eq!(image_lines(&told, Style::plain()), expect);
        assert_eq!(image_lines(&RunImages::default(), Style::plain()), Vec::<String>::new());
    }
}
