//! The page for people has every key: its last part is written by this test (`UPDATE_EXPECT=1`).

use expect_test::expect_file;

const PAGE: &str = include_str!("../../../docs/settings.md");
const MARKER: &str = "out of the table of keys. -->\n\n";

#[test]
fn the_page_has_every_key() {
    let (head, _) = PAGE.split_once(MARKER).expect("the page says where the tables begin");
    expect_file!["../../../docs/settings.md"]
        .assert_eq(&format!("{head}{MARKER}{}", settings::page()));
}

/// The examples of the page are read without a finding.
#[test]
fn what_the_page_shows_is_well() {
    let blocks = PAGE.split("```yaml\n").skip(1).filter_map(|it| it.split("```").next());
    for block in blocks {
        let (_, found) = settings::read(&syntax::Source::new("docs/settings.md", block));
        assert!(found.is_empty(), "{found:?}");
    }
}
