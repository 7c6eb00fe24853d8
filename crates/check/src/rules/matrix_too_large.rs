//! A matrix written out makes more jobs than one may make (conformance 94).
//!
//! What only the run tells (an expression) counts for as little as it can: the rule speaks where the
//! matrix is too large whatever comes of it.

use syntax::{Entry, Mapping, Node, NodeKind};

use crate::findings::Findings;
use crate::subject::{Subject, entries};

/// Jobs of one matrix; GitHub's limit.
const LEGS_MAX: u64 = 256;

/// Pairs of a filter's entry and a vector's value that are looked at, far above any real matrix.
const PAIRS_MAX: usize = 1_000_000;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for job in &subject.jobs {
        let strategy = entries(job.body.get("strategy"));
        let Some(entry) = strategy.iter().find(|entry| &*entry.key.text == "matrix") else {
            continue;
        };
        let Some(matrix) = entry.value.as_mapping() else { continue };
        let legs = legs_at_least(matrix);
        if legs > LEGS_MAX {
            findings.error(
                entry.key.span,
                format!("the matrix makes more than {LEGS_MAX} jobs"),
                format!("it makes at least {legs}: `exclude` some, or split it over two jobs"),
            );
        }
    }
}

/// How many jobs it makes at the least; exactly where nothing is an expression and no two entries of
/// `exclude` take the same away.
fn legs_at_least(matrix: &Mapping) -> u64 {
    let is = |entry: &Entry, name: &str| entry.key.text.eq_ignore_ascii_case(name);
    let special =
        |name: &str| matrix.entries.iter().find(|entry| is(entry, name)).map(|entry| &entry.value);
    let vectors: Vec<&Entry> = matrix
        .entries
        .iter()
        .filter(|entry| !is(entry, "include") && !is(entry, "exclude"))
        .collect();
    let written = |name| special(name).and_then(Node::as_sequence).unwrap_or(&[]);
    let filters = written("exclude").iter().chain(written("include"));
    let said: usize = filters.map(|filter| entries(Some(filter)).len() + 1).sum();
    let offered: usize = vectors.iter().map(|vector| values(&vector.value).len() + 1).sum();
    if said.saturating_mul(offered) > PAIRS_MAX {
        return 0;
    }
    let combinations = match vectors.is_empty() {
        true => 0,
        false => product(vectors.iter().map(|vector| values(&vector.value).len())),
    };
    let excluded = match special("exclude").map(|node| &node.kind) {
        None | Some(NodeKind::Null) => 0,
        Some(NodeKind::Sequence(filters)) => {
            let taken = filters.iter().map(|filter| taken_at_most(filter, &vectors));
            taken.fold(0, u64::saturating_add)
        }
        Some(_) => combinations,
    };
    let added = written("include").iter().filter(|entry| is_added(entry, &vectors)).count() as u64;
    combinations.saturating_sub(excluded).saturating_add(added)
}

fn product(factors: impl Iterator<Item = usize>) -> u64 {
    factors.fold(1, |product, factor| product.saturating_mul(factor as u64))
}

/// The values of a vector. An expression is one: it makes at least that.
fn values(vector: &Node) -> &[Node] {
    match &vector.kind {
        NodeKind::Sequence(items) => items,
        _ => std::slice::from_ref(vector),
    }
}

/// How many combinations an entry of `exclude` takes away, at the most.
fn taken_at_most(filter: &Node, vectors: &[&Entry]) -> u64 {
    product(vectors.iter().map(|vector| {
        let values = values(&vector.value);
        match wanted(filter, vector) {
            Some(wanted) => values.iter().filter(|value| may_equal(wanted, value)).count(),
            None => values.len(),
        }
    }))
}

/// Whether an entry of `include` surely becomes a job of its own: it contradicts every combination,
/// or there is none (conformance 93).
fn is_added(entry: &Node, vectors: &[&Entry]) -> bool {
    let contradicts = |vector: &&Entry| {
        let differs = |wanted| !values(&vector.value).iter().any(|value| may_equal(wanted, value));
        wanted(entry, vector).is_some_and(differs)
    };
    entry.as_mapping().is_some() && (vectors.is_empty() || vectors.iter().any(contradicts))
}

/// What an entry of `include` or `exclude` says about a vector.
fn wanted<'a>(filter: &'a Node, vector: &Entry) -> Option<&'a Node> {
    let said = entries(Some(filter));
    said.iter()
        .find(|entry| entry.key.text.eq_ignore_ascii_case(&vector.key.text))
        .map(|it| &it.value)
}

/// Whether they may be equal when the job runs. Values of different kinds may: `1` equals `'1'`.
fn may_equal(one: &Node, other: &Node) -> bool {
    match (&one.kind, &other.kind) {
        (NodeKind::String(one, _), NodeKind::String(other, _)) => {
            let is_open = |text: &str| text.contains("${{");
            is_open(one) || is_open(other) || one.eq_ignore_ascii_case(other)
        }
        (NodeKind::Number(one), NodeKind::Number(other)) => one == other,
        (NodeKind::Bool(one), NodeKind::Bool(other)) => one == other,
        _ => true,
    }
}
