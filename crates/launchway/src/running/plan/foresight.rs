//! What of an expression is known before anything ran.
//!
//! `needs`, the ids of the run and how things end are known later; everything else is known now. A
//! part that is known decides where it can: `github.ref == 'x' && needs.a.outputs.b` is false on
//! another ref, whatever `a` will say.

use std::collections::{BTreeMap, BTreeSet};

use event::{Conclusion, JobKey};
use expr::{
    Contexts, Expr, Function, Logical, Node, NodeKind, Object, Reference, Scope, Segment,
    StatusFunction, Value,
};
use workflow::Template;

/// What has to end before something is known; empty: the run has to begin.
pub(crate) type After = BTreeSet<JobKey>;

/// What a condition will say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outlook {
    /// Yes, if what comes before goes well.
    Yes,
    /// No, whatever happens.
    No,
    /// That is decided when these have ended.
    Later(After),
}

/// A job that is needed, and how it is certain to end; none: that is known later.
pub(crate) struct Need {
    pub(crate) id: String,
    pub(crate) key: JobKey,
    pub(crate) certain: Option<Conclusion>,
}

/// What a job's expressions can be told now.
pub(crate) struct Foresight {
    pub(crate) github: Value,
    pub(crate) vars: Value,
    pub(crate) inputs: Value,
    pub(crate) matrix: Value,
    pub(crate) strategy: Value,
    pub(crate) needs: Vec<Need>,
    /// Inputs that the caller knows later, in lower case.
    pub(crate) inputs_later: BTreeMap<String, After>,
    /// Where the matrix is known later.
    pub(crate) matrix_later: Option<After>,
    /// Something before this job is certain to fail, or certain to be skipped.
    pub(crate) fails_before: bool,
    pub(crate) skips_before: bool,
    /// Something before it ends nobody knows how.
    pub(crate) open_before: bool,
}

/// Why an expression has no value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// It hangs on what is known later.
    Later,
    /// It cannot be evaluated, now or ever.
    Fault,
}

/// How far status functions are believed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Assume {
    /// All that is not certain goes well.
    Well,
    /// Nothing.
    Nothing,
}

impl Foresight {
    /// A job's condition; none is `success()`.
    pub(crate) fn condition(&self, condition: Option<&Expr>) -> Outlook {
        let Some(expr) = condition else {
            let fails = self.fails_before || self.skips_before;
            return if fails { Outlook::No } else { Outlook::Yes };
        };
        let Some(tree) = expr.tree() else { return Outlook::No };
        let known = |assume| Look { foresight: self, text: expr.text(), assume }.truth(tree);
        match known(Assume::Well) {
            // A fault is the scheduler's to tell.
            Ok(true) | Err(Open::Fault) => Outlook::Yes,
            Ok(false) if known(Assume::Nothing) == Ok(false) => Outlook::No,
            _ => Outlook::Later(self.after(expr)),
        }
    }

    /// What a template waits for; none where all of it is known.
    pub(crate) fn later(&self, template: &Template) -> Option<After> {
        let mut after = None;
        for embedded in template.expressions() {
            let expr = &embedded.expr;
            let Some(tree) = expr.tree() else { continue };
            let look = Look { foresight: self, text: expr.text(), assume: Assume::Well };
            if look.value(tree).is_err_and(|open| open == Open::Later) {
                after.get_or_insert_with(After::new).extend(self.after(expr));
            }
        }
        after
    }

    fn after(&self, expr: &Expr) -> After {
        let references = expr.references();
        let mut after: After =
            references.iter().filter_map(|it| self.later_of(it)).flatten().collect();
        let asks =
            |call: &expr::Call| matches!(call.function, Function::Failure | Function::Cancelled);
        if expr.calls().iter().any(asks) {
            after.extend(self.open_needs());
        }
        after
    }

    fn open_needs(&self) -> impl Iterator<Item = JobKey> {
        self.needs.iter().filter(|need| need.certain.is_none()).map(|need| need.key.clone())
    }

    /// What a reference waits for; none where it is known.
    fn later_of(&self, reference: &Reference) -> Option<After> {
        let name = reference.segments.first().map(|segment| match segment {
            Segment::Name(name) => Some(name.to_lowercase()),
            Segment::Wildcard | Segment::Unknown => None,
        });
        match (reference.context.as_str(), name) {
            ("needs", Some(Some(name))) => {
                let need = self.needs.iter().find(|it| it.id.eq_ignore_ascii_case(&name))?;
                need.certain.is_none().then(|| After::from([need.key.clone()]))
            }
            ("needs", _) => {
                let open: After = self.open_needs().collect();
                (!open.is_empty()).then_some(open)
            }
            ("inputs", Some(Some(name))) => self.inputs_later.get(&name).cloned(),
            ("inputs", _) if !self.inputs_later.is_empty() => {
                Some(self.inputs_later.values().flatten().cloned().collect())
            }
            ("matrix" | "strategy", _) => self.matrix_later.clone(),
            ("github", Some(Some(name))) if name == "run_id" || name == "run_number" => {
                Some(After::new())
            }
            _ => None,
        }
    }
}

/// One look at an expression.
struct Look<'f> {
    foresight: &'f Foresight,
    text: &'f str,
    assume: Assume,
}

impl Look<'_> {
    /// Whether it is true, where that is known: a later operand may decide what an earlier one
    /// leaves open. A tree is at most as deep as the parser lets it be.
    fn truth(&self, node: &Node) -> Result<bool, Open> {
        match &node.kind {
            NodeKind::Not(inner) => Ok(!self.truth(inner)?),
            NodeKind::Logical { operator, operands } => {
                let decides = *operator == Logical::Or;
                let truths: Vec<_> = operands.iter().map(|operand| self.truth(operand)).collect();
                if truths.contains(&Ok(decides)) {
                    return Ok(decides);
                }
                truths.into_iter().find(Result::is_err).unwrap_or(Ok(!decides))
            }
            _ => Ok(self.plain(node)?.is_truthy()),
        }
    }

    /// The value, where it is known: that of the operand that decides.
    fn value(&self, node: &Node) -> Result<Value, Open> {
        let NodeKind::Logical { operator, operands } = &node.kind else {
            return self.plain(node);
        };
        let mut last = Value::Null;
        for operand in operands {
            last = self.value(operand)?;
            if last.is_truthy() == (*operator == Logical::Or) {
                break;
            }
        }
        Ok(last)
    }

    /// Anything else is known if all in it is.
    fn plain(&self, node: &Node) -> Result<Value, Open> {
        let text = &self.text[node.span.clone()];
        let expr = Expr::parse(text, &Scope::everything()).map_err(|_| Open::Fault)?;
        let is_later = expr.references().iter().any(|it| self.foresight.later_of(it).is_some());
        let asks = |call: &expr::Call| match call.function {
            Function::Failure => self.assume == Assume::Nothing && self.foresight.open_before,
            Function::Cancelled => self.assume == Assume::Nothing,
            _ => false,
        };
        if is_later || expr.calls().iter().any(asks) {
            return Err(Open::Later);
        }
        expr.evaluate(self.foresight).map_err(|_| Open::Fault)
    }
}

impl Contexts for Foresight {
    fn context(&self, name: &str) -> Option<Value> {
        let value = match name {
            "github" => self.github.clone(),
            "vars" => self.vars.clone(),
            "inputs" => self.inputs.clone(),
            "matrix" => self.matrix.clone(),
            "strategy" => self.strategy.clone(),
            "needs" => needs(&self.needs),
            _ => return None,
        };
        (!matches!(value, Value::Null)).then_some(value)
    }

    fn status(&self, function: StatusFunction, names: &[String]) -> Result<bool, String> {
        let named = |wanted: Conclusion| {
            let of = |name: &String| {
                let need = self.needs.iter().find(|need| need.id.eq_ignore_ascii_case(name));
                need.map(|need| need.certain.unwrap_or(Conclusion::Success)) == Some(wanted)
            };
            (names.iter().all(of), names.iter().any(of))
        };
        Ok(match function {
            StatusFunction::Always => true,
            StatusFunction::Cancelled => false,
            StatusFunction::Success if names.is_empty() => !self.fails_before && !self.skips_before,
            StatusFunction::Success => named(Conclusion::Success).0,
            StatusFunction::Failure if names.is_empty() => self.fails_before,
            StatusFunction::Failure => named(Conclusion::Failure).1,
        })
    }
}

/// `needs`, as far as it is certain.
fn needs(needs: &[Need]) -> Value {
    let mut object = Object::new();
    for need in needs {
        let Some(certain) = need.certain else { continue };
        let mut entry = Object::new();
        entry.insert("result", certain.as_str());
        entry.insert("outputs", Object::new());
        object.insert(need.id.as_str(), entry);
    }
    object.into()
}
