//! The secrets and variables that workflow files name, with where.

use std::collections::BTreeMap;
use std::sync::Arc;

use expr::{Expr, Scope, Segment};
use syntax::{Node, NodeKind, Source, Span};

/// A name and the first place that wants it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) source: Arc<Source>,
    pub(crate) span: Span,
}

impl Wanted {
    /// `FILE:LINE`
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.source.name(), self.source.place(self.span.start).line)
    }
}

/// Names that files read, in upper case as GitHub keeps them.
#[derive(Clone, Debug, Default)]
pub(crate) struct WantedNames {
    pub(crate) secrets: BTreeMap<String, Wanted>,
    pub(crate) vars: BTreeMap<String, Wanted>,
}

impl WantedNames {
    /// Adds what one file names.
    pub(crate) fn look(&mut self, source: &Arc<Source>) {
        if let (Some(root), _) = syntax::yaml::read(source) {
            self.look_at(source, &root);
        }
    }

    fn look_at(&mut self, source: &Arc<Source>, node: &Node) {
        match &node.kind {
            NodeKind::String(text, _) => self.look_in_text(source, node.span, text),
            NodeKind::Sequence(items) => items.iter().for_each(|item| self.look_at(source, item)),
            NodeKind::Mapping(mapping) => {
                mapping.entries.iter().for_each(|entry| self.look_at(source, &entry.value));
            }
            _ => {}
        }
    }

    fn look_in_text(&mut self, source: &Arc<Source>, span: Span, text: &str) {
        let mut from = 0;
        while let Some(open) = text[from..].find("${{").map(|at| from + at) {
            let Some(close) = expr::find_close(text, open + 3) else { return };
            if let Ok(expr) = Expr::parse(&text[open + 3..close], &Scope::everything()) {
                self.look_in_expression(source, span, &expr);
            }
            from = close;
        }
    }

    fn look_in_expression(&mut self, source: &Arc<Source>, span: Span, expr: &Expr) {
        for reference in expr.references() {
            let names = match reference.context.as_str() {
                "secrets" => &mut self.secrets,
                "vars" => &mut self.vars,
                _ => continue,
            };
            if let Some(Segment::Name(name)) = reference.segments.first() {
                let wanted = || Wanted { source: Arc::clone(source), span };
                names.entry(name.to_uppercase()).or_insert_with(wanted);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_wherever_expressions_stand() {
        let source = Source::new(
            "ci.yml",
            "env:\n  A: ${{ secrets.token }}\njobs:\n  b:\n    steps:\n      - run: echo ${{ vars.REGION }} ${{ secrets['KEY'] }}\n",
        );
        let mut names = WantedNames::default();
        names.look(&source);
        assert_eq!(names.secrets.keys().collect::<Vec<_>>(), ["KEY", "TOKEN"]);
        assert_eq!(names.vars.keys().collect::<Vec<_>>(), ["REGION"]);
        assert_eq!(names.secrets["KEY"].place(), "ci.yml:6");
    }
}
