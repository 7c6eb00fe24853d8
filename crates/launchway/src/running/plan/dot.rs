//! The plan for Graphviz: a box for each job, an arrow for each need, a frame for each workflow.
//!
//! Solid boxes run, dashed ones are decided later, grey ones are skipped, red ones are refused.

use event::JobKey;

use super::{Decision, Fate, Plan, PlannedRun, Rehearsed};
use crate::terminal::plural::plural;

/// The graph, line by line.
pub(crate) fn lines(plan: &Plan) -> Vec<String> {
    let mut graph = Graph { lines: Vec::new(), depth: 1, frames: 0 };
    graph.lines.push("digraph plan {".to_owned());
    for setting in [
        "rankdir=LR",
        "fontname=\"sans-serif\"",
        "node [shape=box, style=rounded, fontname=\"sans-serif\"]",
    ] {
        graph.line(&format!("{setting};"));
    }
    for file in &plan.files {
        if let Decision::Runs(run) = &file.decision {
            graph.open(&file.name);
            graph.scope(run, None, &file.path);
            graph.close();
        }
    }
    graph.lines.push("}".to_owned());
    graph.lines
}

struct Graph {
    lines: Vec<String>,
    depth: usize,
    frames: usize,
}

impl Graph {
    fn line(&mut self, text: &str) {
        self.lines.push(format!("{}{text}", "  ".repeat(self.depth)));
    }

    fn open(&mut self, label: &str) {
        // Only a name that begins so is drawn as a frame.
        self.line(&format!("subgraph cluster_{} {{", self.frames));
        self.frames += 1;
        self.depth += 1;
        self.line(&format!("label={};", quoted(label)));
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.line("}");
    }

    fn scope(&mut self, run: &PlannedRun, parent: Option<&JobKey>, path: &str) {
        let jobs: Vec<&Rehearsed> =
            run.rehearsal.jobs.iter().filter(|it| it.parent.as_ref() == parent).collect();
        for job in &jobs {
            self.job(run, job, path);
        }
        for job in &jobs {
            for need in &job.needs {
                self.line(&format!("{} -> {};", node(path, need), node(path, &job.key)));
            }
        }
    }

    fn job(&mut self, run: &PlannedRun, job: &Rehearsed, path: &str) {
        let mut label = vec![job.id.to_string()];
        if job.is_matrix {
            label.push(plural(job.legs.len(), "leg"));
            label.extend(job.legs.iter().map(|leg| leg.name.to_string()));
        }
        let is_refused = run.refusals_of(job).next().is_some();
        let look = match &job.fate {
            Fate::Skipped(_) => ", color=gray, fontcolor=gray",
            _ if is_refused => ", color=red, fontcolor=red",
            Fate::Fails(_) => ", color=red, fontcolor=red",
            Fate::Later(_) => ", style=\"rounded,dashed\"",
            Fate::Runs => "",
        };
        let text = quoted(&label.join("\n"));
        self.line(&format!("{} [label={text}{look}];", node(path, &job.key)));
        for leg in &job.legs {
            let inner = run.rehearsal.jobs.iter().filter(|it| it.parent.as_ref() == Some(&leg.key));
            let first: Vec<&Rehearsed> = inner.filter(|it| it.needs.is_empty()).collect();
            if first.is_empty() {
                continue;
            }
            self.open(leg.name.as_str());
            self.scope(run, Some(&leg.key), path);
            self.close();
            for inner in first {
                let (from, to) = (node(path, &job.key), node(path, &inner.key));
                self.line(&format!("{from} -> {to} [style=dotted];"));
            }
        }
    }
}

/// A job's name in the graph: keys are unique in a run only.
fn node(path: &str, key: &JobKey) -> String {
    quoted(&format!("{path}#{key}"))
}

/// A text as Graphviz reads it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
