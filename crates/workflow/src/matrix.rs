//! `strategy.matrix`: from its evaluated value to the jobs it makes (conformance 91 to 95, 98, 99).

use std::collections::BTreeMap;
use std::sync::Arc;

use expr::{Object, Value};

/// Jobs of one matrix (conformance 94, 225).
pub const LEGS_MAX: usize = 256;
/// Characters of a job's name before it is cut (conformance 95).
pub const NAME_CHARACTERS_MAX: usize = 100;

/// One job of a matrix.
#[derive(Clone, Debug)]
pub struct Leg {
    /// The `matrix` context.
    pub matrix: Value,
    /// `strategy.job-index`
    pub index: usize,
    /// `strategy.job-total`
    pub total: usize,
    /// What tells this leg from the others: the scalar leaves of its vectors.
    pub labels: Vec<String>,
}

/// Why a matrix makes no jobs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatrixError {
    /// Not a mapping.
    #[error("a matrix is a mapping of lists")]
    NotAMapping,
    /// A vector that is no list.
    #[error("the matrix vector '{0}' is not a list")]
    NotAList(String),
    /// A vector without values.
    #[error("Matrix vector '{0}' does not contain any values")]
    EmptyVector(String),
    /// An entry of `include` or `exclude` that is no mapping.
    #[error("an entry of '{0}' is not a mapping")]
    FilterNotAMapping(&'static str),
    /// An entry of `include` or `exclude` without keys.
    #[error("an entry of '{0}' is empty")]
    EmptyFilter(&'static str),
    /// An `exclude` that names no vector.
    #[error("Matrix exclude key '{0}' does not match any key within the matrix")]
    UnknownExclude(String),
    /// Nothing is left.
    #[error("the matrix makes no job")]
    NoLegs,
    /// More jobs than a matrix may make.
    #[error("the matrix makes more than {LEGS_MAX} jobs")]
    TooMany,
}

/// A combination while it is put together.
struct Combination {
    /// Values of the vectors, in their order.
    vectors: Vec<(Arc<str>, Value)>,
    /// What `include` added, in the order it came.
    extras: Vec<(Arc<str>, Value)>,
}

/// The legs of a matrix, in GitHub's order: first vector outermost, then what `include` appends.
/// No matrix (null) makes one leg with no name.
pub fn expand(matrix: &Value) -> Result<Vec<Leg>, MatrixError> {
    let object = match matrix {
        Value::Null => {
            return Ok(vec![Leg { matrix: Value::Null, index: 0, total: 1, labels: Vec::new() }]);
        }
        Value::Object(object) => object,
        _ => return Err(MatrixError::NotAMapping),
    };
    let mut vectors: Vec<(Arc<str>, Arc<Vec<Value>>)> = Vec::new();
    let (mut include, mut exclude) = (Vec::new(), Vec::new());
    for (name, value) in object.iter() {
        if name.eq_ignore_ascii_case("include") {
            include = filters("include", value)?;
        } else if name.eq_ignore_ascii_case("exclude") {
            exclude = filters("exclude", value)?;
        } else {
            let Value::Array(items) = value else {
                return Err(MatrixError::NotAList(name.to_owned()));
            };
            if items.is_empty() {
                return Err(MatrixError::EmptyVector(name.to_owned()));
            }
            vectors.push((Arc::from(name), Arc::clone(items)));
        }
    }
    let is_vector = |key: &str| vectors.iter().any(|(name, _)| name.eq_ignore_ascii_case(key));
    for filter in &exclude {
        if let Some((key, _)) = filter.iter().find(|(key, _)| !is_vector(key)) {
            return Err(MatrixError::UnknownExclude(key.to_owned()));
        }
    }
    let mut combinations = multiply(&vectors, &exclude)?;
    add_includes(&mut combinations, &include, is_vector)?;
    if combinations.is_empty() {
        return Err(MatrixError::NoLegs);
    }
    let total = combinations.len();
    Ok(combinations.into_iter().enumerate().map(|(at, it)| it.into_leg(at, total)).collect())
}

/// The name of a leg's job, as checks know it: `job (v1, v2)`.
pub fn leg_name(job: &str, leg: &Leg) -> String {
    if leg.labels.is_empty() {
        return cut(job);
    }
    cut(&format!("{job} ({})", leg.labels.join(", ")))
}

fn cut(name: &str) -> String {
    const DOTS: &str = "...";
    if name.chars().count() <= NAME_CHARACTERS_MAX {
        return name.to_owned();
    }
    let head: String = name.chars().take(NAME_CHARACTERS_MAX - DOTS.len()).collect();
    format!("{head}{DOTS}")
}

fn filters(key: &'static str, value: &Value) -> Result<Vec<Arc<Object>>, MatrixError> {
    let items = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) => items,
        _ => return Err(MatrixError::NotAList(key.to_owned())),
    };
    let mut filters = Vec::with_capacity(items.len());
    for item in items.iter() {
        match item {
            Value::Object(object) if object.is_empty() => {
                return Err(MatrixError::EmptyFilter(key));
            }
            Value::Object(object) => filters.push(Arc::clone(object)),
            _ => return Err(MatrixError::FilterNotAMapping(key)),
        }
    }
    Ok(filters)
}

/// Counts through the vectors like an odometer, the last one fastest.
fn multiply(
    vectors: &[(Arc<str>, Arc<Vec<Value>>)],
    exclude: &[Arc<Object>],
) -> Result<Vec<Combination>, MatrixError> {
    /// Combinations looked at, excluded ones included: a bound on the work, far above any real use.
    const LOOKED_AT_MAX: usize = 1_000_000;
    let mut combinations = Vec::new();
    if vectors.is_empty() {
        return Ok(combinations);
    }
    let mut at = vec![0; vectors.len()];
    for _ in 0..LOOKED_AT_MAX {
        let values: Vec<(Arc<str>, Value)> = vectors
            .iter()
            .zip(&at)
            .map(|((name, items), at)| (Arc::clone(name), items[*at].clone()))
            .collect();
        if !exclude.iter().any(|filter| filter.iter().all(|(key, value)| has(&values, key, value)))
        {
            if combinations.len() == LEGS_MAX {
                return Err(MatrixError::TooMany);
            }
            combinations.push(Combination { vectors: values, extras: Vec::new() });
        }
        let mut digit = vectors.len();
        loop {
            if digit == 0 {
                return Ok(combinations);
            }
            digit -= 1;
            at[digit] += 1;
            if at[digit] < vectors[digit].1.len() {
                break;
            }
            at[digit] = 0;
        }
    }
    Err(MatrixError::TooMany)
}

fn has(values: &[(Arc<str>, Value)], key: &str, wanted: &Value) -> bool {
    let found = values.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
    found.is_some_and(|(_, value)| fits(wanted, value))
}

/// Whether a filter's value fits: leaf by leaf, and a mapping needs only the keys that it names
/// (conformance 92).
fn fits(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            wanted.iter().all(|(key, value)| found.get(key).is_some_and(|found| fits(value, found)))
        }
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() <= found.len()
                && wanted.iter().zip(found.iter()).all(|(wanted, found)| fits(wanted, found))
        }
        _ => wanted.loosely_equals(found),
    }
}

/// Conformance 93: an include fills in every combination that it does not contradict, and where
/// there is none it becomes one.
fn add_includes(
    combinations: &mut Vec<Combination>,
    include: &[Arc<Object>],
    is_vector: impl Fn(&str) -> bool,
) -> Result<(), MatrixError> {
    let multiplied = combinations.len();
    for entry in include {
        let filter: Vec<(Arc<str>, Value)> =
            entry.iter().filter(|(key, _)| is_vector(key)).map(own_pair).collect();
        let extras: Vec<(Arc<str>, Value)> =
            entry.iter().filter(|(key, _)| !is_vector(key)).map(own_pair).collect();
        let mut matched = false;
        for combination in &mut combinations[..multiplied] {
            if filter.iter().all(|(key, value)| has(&combination.vectors, key, value)) {
                matched = true;
                combination.extras.extend(extras.iter().cloned());
            }
        }
        if !matched {
            if combinations.len() == LEGS_MAX {
                return Err(MatrixError::TooMany);
            }
            let all = entry.iter().map(own_pair).collect();
            combinations.push(Combination { vectors: all, extras: Vec::new() });
        }
    }
    Ok(())
}

fn own_pair((key, value): (&str, &Value)) -> (Arc<str>, Value) {
    (Arc::from(key), value.clone())
}

impl Combination {
    fn into_leg(self, index: usize, total: usize) -> Leg {
        let mut labels = Vec::new();
        for (_, value) in &self.vectors {
            leaves(value, &mut labels);
        }
        // A later include may overwrite an earlier one's extra, never a vector's value.
        let mut extras: BTreeMap<String, usize> = BTreeMap::new();
        let mut object = Object::new();
        for (key, value) in self.vectors {
            object.insert(key, value);
        }
        for (at, (key, _)) in self.extras.iter().enumerate() {
            extras.insert(key.to_lowercase(), at);
        }
        for (at, (key, value)) in self.extras.into_iter().enumerate() {
            if extras.get(&key.to_lowercase()) == Some(&at) {
                object.insert(key, value);
            }
        }
        Leg { matrix: Value::Object(Arc::new(object)), index, total, labels }
    }
}

fn leaves(value: &Value, labels: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| leaves(item, labels)),
        Value::Object(object) => object.iter().for_each(|(_, value)| leaves(value, labels)),
        Value::Null => {}
        scalar => {
            let text = scalar.to_text();
            if !text.is_empty() {
                labels.push(text.as_ref().to_owned());
            }
        }
    }
}
