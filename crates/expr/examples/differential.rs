//! Ours against GitHub's own npm package, on generated expressions.
//!
//! `cargo run -p expr --example differential -- FOLDER [COUNT] [SEED]`: FOLDER holds a copy of
//! `crates/expr/differential` in which `npm install` has run. Prints counts and every difference,
//! and fails on one that `docs/differences.md` does not explain, and on an example there that no
//! longer differs as it says.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use expr::{Contexts, Expr, Scope, Value};
use serde_json::{Value as Json, json};

#[path = "differential/document.rs"]
mod document;
#[path = "differential/generator.rs"]
mod generator;
#[path = "differential/known.rs"]
mod known;

/// Expressions of a run that names no count.
const COUNT: usize = 20_000;
const SEED: u64 = 20_251_121;
/// Differences shown of each kind.
const SHOWN_MAX: usize = 40;

struct Fixed(Value);

impl Contexts for Fixed {
    fn context(&self, name: &str) -> Option<Value> {
        match &self.0 {
            Value::Object(contexts) => contexts.get(name).cloned(),
            _ => None,
        }
    }
}

/// What an implementation makes of an expression, in a form that can be compared.
pub(crate) enum Outcome {
    Value(Json),
    ParseError(String),
    EvaluationError(String),
}

impl Outcome {
    fn text(&self) -> String {
        match self {
            Self::Value(value) => format!("value {value}"),
            Self::ParseError(message) => format!("refused: {message}"),
            Self::EvaluationError(message) => format!("failed: {message}"),
        }
    }

    /// As the document writes it.
    fn cell(&self) -> String {
        match self {
            Self::Value(value) => match value["n"].as_str() {
                Some(number) => number.to_owned(),
                None => value.to_string(),
            },
            Self::ParseError(_) => "refused".to_owned(),
            Self::EvaluationError(_) => "fails".to_owned(),
        }
    }
}

#[expect(clippy::print_stdout, reason = "a report is what this program is for")]
fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().context("name the folder in which npm install has run")?;
    let count = arguments.next().map_or(Ok(COUNT), |it| it.parse())?;
    let seed = arguments.next().map_or(Ok(SEED), |it| it.parse())?;

    let contexts = generator::contexts();
    let world = Fixed(Value::from_json(&contexts));
    let wrong_examples = check_document(&folder, &contexts, &world)?;
    let expressions = generator::expressions(seed, count);
    let theirs = ask(&folder, &expressions, &contexts)?;

    let mut tally = Tally { explained: vec![0; known::DIFFERENCES.len()], ..Tally::default() };
    for (text, theirs) in expressions.iter().zip(&theirs) {
        tally.count(text, &evaluate(text, &world), theirs);
    }
    println!("{count} expressions, seed {seed}");
    println!(
        "same value {}, both refuse to parse {}, both fail {}",
        tally.values, tally.parse_errors, tally.evaluation_errors
    );
    for (difference, count) in known::DIFFERENCES.iter().zip(&tally.explained) {
        println!("known {count:6} {}", difference.id);
    }
    println!("unexplained {}, wrong examples {wrong_examples}", tally.unexplained);
    let enough = tally.values * 5 >= count * 2;
    if !enough {
        println!("too few expressions have a value for this to prove much");
    }
    let proven = tally.unexplained == 0 && wrong_examples == 0 && enough;
    Ok(if proven { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What came of the generated expressions.
#[derive(Default)]
struct Tally {
    values: usize,
    parse_errors: usize,
    evaluation_errors: usize,
    /// By the place of the difference in the table.
    explained: Vec<usize>,
    unexplained: usize,
}

impl Tally {
    #[expect(clippy::print_stdout, reason = "a report is what this program is for")]
    fn count(&mut self, text: &str, ours: &Outcome, theirs: &Outcome) {
        if agree(ours, theirs) {
            match ours {
                Outcome::Value(_) => self.values += 1,
                Outcome::ParseError(_) => self.parse_errors += 1,
                Outcome::EvaluationError(_) => self.evaluation_errors += 1,
            }
        } else if let Some(index) = explanation(text, ours, theirs) {
            self.explained[index] += 1;
        } else {
            self.unexplained += 1;
            if self.unexplained <= SHOWN_MAX {
                println!("DIFFERS {text}\n  ours   {}\n  theirs {}", ours.text(), theirs.text());
            }
        }
    }
}

fn agree(ours: &Outcome, theirs: &Outcome) -> bool {
    match (ours, theirs) {
        (Outcome::Value(ours), Outcome::Value(theirs)) => same(ours, theirs),
        (Outcome::ParseError(_), Outcome::ParseError(_)) => true,
        (Outcome::EvaluationError(_), Outcome::EvaluationError(_)) => true,
        _ => false,
    }
}

/// The known difference, by its place in the table.
fn explanation(text: &str, ours: &Outcome, theirs: &Outcome) -> Option<usize> {
    known::DIFFERENCES.iter().position(|it| it.explains(text, ours, theirs))
}

/// How many examples of the document do not hold.
#[expect(clippy::print_stdout, reason = "a report is what this program is for")]
fn check_document(folder: &str, contexts: &Json, world: &Fixed) -> anyhow::Result<usize> {
    let (ids, examples) = document::read()?;
    let known: Vec<&str> = known::DIFFERENCES.iter().map(|it| it.id).collect();
    if ids != known {
        bail!("docs/differences.md explains {ids:?}; known are {known:?}");
    }
    let expressions: Vec<String> = examples.iter().map(|it| it.expression.to_owned()).collect();
    let answers = ask(folder, &expressions, contexts)?;
    let mut wrong = 0;
    for (example, theirs) in examples.iter().zip(&answers) {
        let ours = evaluate(example.expression, world);
        let explained = explanation(example.expression, &ours, theirs).map(|it| known[it]);
        let cells = (ours.cell(), theirs.cell());
        let holds = (example.ours, example.theirs) == (cells.0.as_str(), cells.1.as_str());
        if !holds || agree(&ours, theirs) || explained != Some(example.id) {
            wrong += 1;
            println!(
                "WRONG in docs/differences.md, {}: {}\n  ours   {}\n  theirs {}\n  by {explained:?}",
                example.id, example.expression, cells.0, cells.1
            );
        }
    }
    Ok(wrong)
}

fn evaluate(text: &str, world: &Fixed) -> Outcome {
    const SCOPE: Scope = Scope::new(generator::CONTEXTS, &[]);
    match Expr::parse(text, &SCOPE) {
        Err(error) => Outcome::ParseError(error.message),
        Ok(parsed) => match parsed.evaluate(world) {
            Ok(value) => Outcome::Value(encode(&value)),
            Err(error) => Outcome::EvaluationError(error.to_string()),
        },
    }
}

/// As `oracle.js` encodes.
fn encode(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Number(value) if value.is_infinite() && *value > 0.0 => json!({"n": "Infinity"}),
        Value::Number(value) if value.is_infinite() => json!({"n": "-Infinity"}),
        Value::Number(value) => json!({"n": value.to_string()}),
        Value::String(value) => json!(value.as_ref()),
        Value::Array(items) => items.iter().map(encode).collect(),
        Value::Object(object) => {
            let entries: Vec<_> = object.iter().map(|(key, it)| json!([key, encode(it)])).collect();
            json!({"o": entries})
        }
    }
}

/// Equal, where numbers are equal as numbers: the two sides spell them differently.
fn same(ours: &Json, theirs: &Json) -> bool {
    match (ours, theirs) {
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Json::Object(left), Json::Object(right)) => match (left.get("n"), right.get("n")) {
            (Some(left), Some(right)) => same_number(left, right),
            (None, None) => same(&left["o"], &right["o"]),
            _ => false,
        },
        _ => ours == theirs,
    }
}

fn same_number(ours: &Json, theirs: &Json) -> bool {
    let parse = |it: &Json| it.as_str().and_then(|it| it.parse::<f64>().ok());
    match (parse(ours), parse(theirs)) {
        (Some(ours), Some(theirs)) => ours == theirs || (ours.is_nan() && theirs.is_nan()),
        _ => false,
    }
}

#[expect(clippy::disallowed_types, reason = "this program asks another one; the crate does not")]
fn ask(folder: &str, expressions: &[String], contexts: &Json) -> anyhow::Result<Vec<Outcome>> {
    use std::process::{Command, Stdio};

    let mut node = Command::new("node")
        .arg("oracle.js")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start node")?;
    let mut questions = node.stdin.take().context("node has a standard input")?;
    // The oracle reads everything before it writes anything, so neither side waits for the other.
    for text in expressions {
        writeln!(questions, "{}", json!({"expr": text, "contexts": contexts}))?;
    }
    drop(questions);
    let output = node.wait_with_output()?;
    if !output.status.success() {
        bail!("the oracle ended with {}", output.status);
    }
    let text = String::from_utf8(output.stdout)?;
    let answers: Vec<Outcome> = text.lines().map(read_answer).collect::<anyhow::Result<_>>()?;
    if answers.len() != expressions.len() {
        bail!("asked {} times, but got {} answers", expressions.len(), answers.len());
    }
    Ok(answers)
}

fn read_answer(line: &str) -> anyhow::Result<Outcome> {
    let answer: Json = serde_json::from_str(line)?;
    let message = || answer["message"].as_str().unwrap_or_default().to_owned();
    Ok(match answer["error"].as_str() {
        Some("parse") => Outcome::ParseError(message()),
        Some(_) => Outcome::EvaluationError(message()),
        None => Outcome::Value(answer["value"].clone()),
    })
}
