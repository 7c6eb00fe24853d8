//! What is common, and what is different: two trees of one shape laid over one another.

use syntax::{Entry, Mapping, Node, NodeKind};

use crate::kind::{Kind, Shape};

/// `base` with everything that `over` says: mappings entry by entry, everything else as a whole.
/// Of alternatives, the one that `over` names ends the others.
pub(crate) fn shapes(shape: &Shape, base: &Mapping, over: &Mapping) -> Mapping {
    let chooses = over.entries.iter().any(|it| shape.one_of.contains(&&*it.key.text));
    let mut entries: Vec<Entry> = base.entries.clone();
    if chooses {
        entries.retain(|it| {
            !shape.one_of.contains(&&*it.key.text) || over.get(&it.key.text).is_some()
        });
    }
    for entry in &over.entries {
        let kind = shape.key(&entry.key.text).map(|key| &key.kind);
        lay(&mut entries, entry, kind);
    }
    Mapping { entries }
}

fn lay(entries: &mut Vec<Entry>, over: &Entry, kind: Option<&Kind>) {
    let Some(there) = entries.iter_mut().find(|it| it.key.text == over.key.text) else {
        entries.push(over.clone());
        return;
    };
    let merged = match (kind, &there.value.kind, &over.value.kind) {
        (Some(Kind::Shape(shape)), NodeKind::Mapping(one), NodeKind::Mapping(other)) => {
            shapes(shape, one, other)
        }
        (Some(Kind::Map { of, .. }), NodeKind::Mapping(one), NodeKind::Mapping(other)) => {
            let mut merged = one.entries.clone();
            other.entries.iter().for_each(|entry| lay(&mut merged, entry, Some(of)));
            Mapping { entries: merged }
        }
        _ => {
            *there = over.clone();
            return;
        }
    };
    there.key = over.key.clone();
    there.value = Node { span: over.value.span, kind: NodeKind::Mapping(merged) };
}
