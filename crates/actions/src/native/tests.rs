//! Which versions are native, and that every manifest stands on its own.

use super::*;

// proves: conformance 154
#[test]
fn only_known_versions_are_native() {
    let name = |uses: &str| {
        let (path, reference) = uses.split_once('@').expect("a uses");
        let mut parts = path.splitn(3, '/');
        let (owner, repo) = (parts.next().expect("owner"), parts.next().expect("repo"));
        lookup(owner, repo, parts.next(), reference).map(|native| native.name)
    };
    for (uses, expected) in [
        ("actions/checkout@v4", Some("checkout")),
        ("Actions/Checkout@v4.1.7", Some("checkout")),
        ("actions/checkout@v6", Some("checkout")),
        ("actions/checkout@v1", None),
        ("actions/checkout@v99", None),
        ("actions/checkout@v4-beta", None),
        ("actions/checkout@0000000000000000000000000000000000000000", None),
        ("actions/checkout/sub@v4", None),
    ] {
        assert_eq!(name(uses), expected, "{uses}");
    }
}

#[test]
fn every_name_stands_once() {
    let mut names = REGISTER.iter().map(|native| native.action.name).collect::<Vec<_>>();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}
