//! The images that a run built, as a table on its page.

use figures::{RunImage, RunImages};
use views::{decimal_size, length, size_change};

use super::test_results::{Link, link};

/// The table.
pub(super) struct ImageTable {
    pub(super) compared_with: Option<Link>,
    pub(super) rows: Vec<ImageRow>,
}

/// An image.
pub(super) struct ImageRow {
    pub(super) names: Vec<String>,
    /// The platform and the job.
    pub(super) of: String,
    pub(super) size: String,
    pub(super) size_of: String,
    pub(super) change: String,
    pub(super) took: String,
    pub(super) before: String,
}

impl ImageTable {
    /// None where the run built none.
    pub(super) fn of(told: &RunImages) -> Option<ImageTable> {
        (!told.images.is_empty()).then(|| ImageTable {
            compared_with: told.compared_with.map(link),
            rows: told.images.iter().map(ImageRow::of).collect(),
        })
    }
}

impl ImageRow {
    fn of(it: &RunImage) -> ImageRow {
        let of = [it.platform.as_deref().unwrap_or_default(), it.job.as_str()];
        let of: Vec<&str> = of.into_iter().filter(|it| !it.is_empty()).collect();
        let change = it.size_bytes.zip(it.size_before_bytes);
        let change = change
            .map(|(now, before)| size_change(now, before).unwrap_or_else(|| "the same".to_owned()));
        ImageRow {
            names: it.names.clone(),
            of: of.join(" · "),
            size: it.size_bytes.map_or_else(|| "not known".to_owned(), decimal_size),
            size_of: it.size_of.clone().unwrap_or_default(),
            change: change.unwrap_or_default(),
            took: it.build_ms.map(length).unwrap_or_default(),
            before: it.build_before_ms.map(length).unwrap_or_default(),
        }
    }
}
