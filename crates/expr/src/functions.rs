//! The functions (conformance 83-86). Arguments are evaluated only when they are needed: a wrong
//! `format` argument that no `{N}` names does no harm, as in the runner.

use std::sync::Arc;

use crate::contexts::StatusFunction;
use crate::error::EvalError;
use crate::evaluator::{Evaluated, Evaluator};
use crate::tree::{Function, Node};
use crate::value::{Kind, Value};
use crate::{MEMORY_BYTES_MAX, casing, json};

pub(crate) fn call(
    evaluator: &Evaluator<'_>,
    node: &Node,
    function: Function,
    arguments: &[Node],
) -> Result<Evaluated, EvalError> {
    let call = Call { evaluator, node, arguments };
    let value = match function {
        Function::Case => return call.case(),
        Function::Contains => call.contains()?,
        Function::EndsWith => call.compare_texts(casing::ends_with)?,
        Function::StartsWith => call.compare_texts(casing::starts_with)?,
        Function::Format => call.format()?,
        Function::FromJson => json::read(&call.text(0)?)?,
        Function::ToJson => call.to_json()?,
        Function::Join => call.join()?,
        Function::HashFiles => call.hash_files()?,
        Function::Always => call.status(StatusFunction::Always)?,
        Function::Cancelled => call.status(StatusFunction::Cancelled)?,
        Function::Failure => call.status(StatusFunction::Failure)?,
        Function::Success => call.status(StatusFunction::Success)?,
    };
    Ok(Evaluated { value, filtered: false })
}

/// Counts a growing text as the runner does: two bytes a UTF-16 unit and an object's header for
/// each piece (conformance 87).
pub(crate) struct Text {
    text: String,
    bytes: usize,
}

/// The text grew beyond the limit.
pub(crate) struct TooBig;

impl Text {
    /// What .NET adds to a string's characters.
    const PIECE_BYTES: usize = 26;

    pub(crate) fn new() -> Self {
        Self { text: String::new(), bytes: 0 }
    }

    pub(crate) fn push(&mut self, piece: &str) -> Result<(), TooBig> {
        let units = if piece.is_ascii() { piece.len() } else { piece.encode_utf16().count() };
        self.bytes += Self::PIECE_BYTES + units * 2;
        if self.bytes > MEMORY_BYTES_MAX {
            return Err(TooBig);
        }
        self.text.push_str(piece);
        Ok(())
    }

    pub(crate) fn finish(self) -> Value {
        Value::from(self.text)
    }
}

struct Call<'a> {
    evaluator: &'a Evaluator<'a>,
    node: &'a Node,
    arguments: &'a [Node],
}

impl Call<'_> {
    fn value(&self, index: usize) -> Result<Value, EvalError> {
        self.evaluator.value(&self.arguments[index])
    }

    fn text(&self, index: usize) -> Result<Arc<str>, EvalError> {
        Ok(self.value(index)?.to_text())
    }

    fn push(&self, text: &mut Text, piece: &str) -> Result<(), EvalError> {
        text.push(piece).map_err(|TooBig| self.evaluator.too_big(self.node))
    }

    fn case(&self) -> Result<Evaluated, EvalError> {
        let (default, branches) =
            self.arguments.split_last().expect("the lexer counts case's arguments");
        for branch in branches.chunks_exact(2) {
            match self.evaluator.value(&branch[0])? {
                Value::Bool(true) => return self.evaluator.evaluated(&branch[1]),
                Value::Bool(false) => {}
                other => return Err(EvalError::CasePredicate(other.kind())),
            }
        }
        self.evaluator.evaluated(default)
    }

    fn contains(&self) -> Result<Value, EvalError> {
        let left = self.value(0)?;
        match &left {
            Value::Array(items) if items.is_empty() => Ok(Value::Bool(false)),
            Value::Array(items) => {
                let right = self.value(1)?;
                Ok(Value::Bool(items.iter().any(|item| right.loosely_equals(item))))
            }
            Value::Object(_) => Ok(Value::Bool(false)),
            _ => self.compare_texts(casing::contains),
        }
    }

    /// Only values that have a text of their own are compared.
    fn compare_texts(&self, holds: fn(&str, &str) -> bool) -> Result<Value, EvalError> {
        let left = self.value(0)?;
        if !left.kind().is_primitive() {
            return Ok(Value::Bool(false));
        }
        let right = self.value(1)?;
        let holds = right.kind().is_primitive() && holds(&left.to_text(), &right.to_text());
        Ok(Value::Bool(holds))
    }

    fn join(&self) -> Result<Value, EvalError> {
        let items = match self.value(0)? {
            Value::Array(items) => items,
            Value::Object(_) => return Ok(Value::from("")),
            primitive => return Ok(Value::String(primitive.to_text())),
        };
        let separator = match self.arguments.get(1) {
            Some(node) if items.len() > 1 => {
                let separator = self.evaluator.value(node)?;
                separator.kind().is_primitive().then(|| separator.to_text())
            }
            _ => None,
        };
        let separator = separator.as_deref().unwrap_or(",");
        let mut text = Text::new();
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.push(&mut text, separator)?;
            }
            self.push(&mut text, &item.to_text())?;
        }
        Ok(text.finish())
    }

    fn to_json(&self) -> Result<Value, EvalError> {
        let value = self.value(0)?;
        json::write(&value).map_err(|TooBig| self.evaluator.too_big(self.node))
    }

    fn hash_files(&self) -> Result<Value, EvalError> {
        let mut patterns = Vec::with_capacity(self.arguments.len());
        for index in 0..self.arguments.len() {
            patterns.push(self.text(index)?.as_ref().to_owned());
        }
        let option = patterns.first().filter(|it| it.starts_with("--"));
        if let Some(option) = option
            && !option.eq_ignore_ascii_case("--follow-symbolic-links")
        {
            return Err(EvalError::HashFilesOption(option.clone()));
        }
        let digest = self.evaluator.contexts.hash_files(&patterns);
        digest
            .map(Value::from)
            .map_err(|reason| EvalError::Refused { function: Function::HashFiles.name(), reason })
    }

    fn status(&self, function: StatusFunction) -> Result<Value, EvalError> {
        let mut names = Vec::with_capacity(self.arguments.len());
        for index in 0..self.arguments.len() {
            names.push(self.text(index)?.as_ref().to_owned());
        }
        let answer = self.evaluator.contexts.status(function, &names);
        answer
            .map(Value::Bool)
            .map_err(|reason| EvalError::Refused { function: function.name(), reason })
    }

    fn format(&self) -> Result<Value, EvalError> {
        let format = self.text(0)?;
        // All braces are looked at before any argument is evaluated, as in the runner.
        let pieces = pieces(&format, self.arguments.len() - 1)?;
        let mut cache: Vec<Option<Value>> = vec![None; self.arguments.len() - 1];
        let mut text = Text::new();
        for piece in pieces {
            match piece {
                Piece::Text(piece) => self.push(&mut text, piece)?,
                Piece::Argument { index, specifiers } => {
                    if cache[index].is_none() {
                        cache[index] = Some(self.value(index + 1)?);
                    }
                    let value = cache[index].as_ref().expect("filled just above");
                    if !specifiers.is_empty() {
                        let kind: Kind = value.kind();
                        return Err(EvalError::InvalidFormatSpecifiers { specifiers, kind });
                    }
                    self.push(&mut text, &value.to_text())?;
                }
            }
        }
        Ok(text.finish())
    }
}

enum Piece<'a> {
    Text(&'a str),
    Argument { index: usize, specifiers: String },
}

/// Takes a format text apart (conformance 83).
fn pieces(format: &str, arguments: usize) -> Result<Vec<Piece<'_>>, EvalError> {
    let invalid = || EvalError::InvalidFormat(format.to_owned());
    let mut pieces = Vec::new();
    let mut rest = format;
    while let Some(brace) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(brace);
        let (inside, behind) = (&from[..1], &from[1..]);
        if behind.starts_with(inside) {
            pieces.push(Piece::Text(&rest[..=brace]));
            rest = &behind[1..];
            continue;
        }
        if inside == "}" {
            return Err(invalid());
        }
        pieces.push(Piece::Text(before));
        let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
        // .NET reads the number into a byte.
        let index: u8 = behind[..digits].parse().map_err(|_| invalid())?;
        let (specifiers, length) = specifiers(&behind[digits..]).ok_or_else(invalid)?;
        let index = usize::from(index);
        if index >= arguments {
            return Err(EvalError::MissingFormatArgument(format.to_owned()));
        }
        pieces.push(Piece::Argument { index, specifiers });
        rest = &behind[digits + length..];
    }
    pieces.push(Piece::Text(rest));
    pieces.retain(|piece| !matches!(piece, Piece::Text("")));
    Ok(pieces)
}

/// `}` or `:specifiers}`, in which a doubled `}` stands for one. Also how long that was.
fn specifiers(text: &str) -> Option<(String, usize)> {
    if text.starts_with('}') {
        return Some((String::new(), 1));
    }
    let mut found = String::new();
    let mut at = text.strip_prefix(':').map(|_| 1)?;
    loop {
        let close = at + text[at..].find('}')?;
        found.push_str(&text[at..close]);
        if !text[close + 1..].starts_with('}') {
            return Some((found, close + 1));
        }
        found.push('}');
        at = close + 2;
    }
}
