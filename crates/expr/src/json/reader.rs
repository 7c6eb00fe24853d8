//! JSON as the runner's library reads it: strings in single quotes, names without quotes, comments,
//! a comma behind the last item, `NaN` and `Infinity`, and anything behind the first value.

use std::sync::Arc;

use crate::error::EvalError;
use crate::object::Object;
use crate::value::Value;

/// The deepest nesting the library takes.
const DEPTH_MAX: usize = 64;

/// The first value in a text.
pub(crate) fn read(text: &str) -> Result<Value, EvalError> {
    let mut reader = Reader { text, at: 0 };
    reader.skip_blank();
    if reader.peek().is_none() {
        return Err(reader.error("there is no JSON in an empty text"));
    }
    if let Some(comment) = reader.leading_comment() {
        return Ok(comment);
    }
    reader.value(0)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += character.len_utf8();
        Some(character)
    }

    fn takes(&mut self, text: &str) -> bool {
        let found = self.text[self.at..].starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn error(&self, reason: impl Into<String>) -> EvalError {
        let position = self.text[..self.at].chars().count() + 1;
        EvalError::InvalidJson { reason: reason.into(), position }
    }

    fn unexpected(&self, wanted: &str) -> EvalError {
        // The text itself is not quoted: it may be a secret.
        match self.peek() {
            None => self.error(format!("the text ends where {wanted} should stand")),
            Some(_) => self.error(format!("{wanted} should stand here")),
        }
    }

    fn skip_blank(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches(|it: char| it.is_whitespace()).len();
    }

    /// A comment before the first value is taken for the value, and the runner makes a string of
    /// it.
    fn leading_comment(&self) -> Option<Value> {
        let rest = &self.text[self.at..];
        if let Some(rest) = rest.strip_prefix("/*") {
            return rest.find("*/").map(|end| Value::from(&rest[..end]));
        }
        let rest = rest.strip_prefix("//")?;
        Some(Value::from(&rest[..rest.find(['\n', '\r']).unwrap_or(rest.len())]))
    }

    /// Blanks and comments.
    fn skip(&mut self) -> Result<(), EvalError> {
        loop {
            self.skip_blank();
            let rest = &self.text[self.at..];
            if let Some(comment) = rest.strip_prefix("/*") {
                let end = comment.find("*/").ok_or_else(|| self.error("a comment never ends"))?;
                self.at += end + 4;
            } else if rest.starts_with("//") {
                self.at += rest.find(['\n', '\r']).unwrap_or(rest.len());
            } else {
                return Ok(());
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, EvalError> {
        match self.peek() {
            Some('[' | '{') if depth == DEPTH_MAX => {
                Err(self.error(format!("more than {DEPTH_MAX} levels are nested")))
            }
            Some('[') => self.array(depth + 1),
            Some('{') => self.object(depth + 1),
            Some(quote @ ('"' | '\'')) => Ok(Value::from(self.string(quote)?)),
            Some('-' | '.' | '0'..='9') => self.number(),
            _ => self.word(),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, EvalError> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.skip()?;
            if self.takes("]") {
                return Ok(Value::from(items));
            }
            // Two commas in a row hold an undefined, which the runner makes an empty string.
            if self.takes(",") {
                items.push(Value::from(""));
                continue;
            }
            items.push(self.value(depth)?);
            self.skip()?;
            if !self.takes(",") && self.peek() != Some(']') {
                return Err(self.unexpected("',' or ']'"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, EvalError> {
        self.at += 1;
        let mut object = Object::new();
        loop {
            self.skip()?;
            if self.takes("}") {
                return Ok(Value::Object(Arc::new(object)));
            }
            let name = self.name()?;
            self.skip()?;
            if !self.takes(":") {
                return Err(self.unexpected("':'"));
            }
            self.skip()?;
            let value = self.value(depth)?;
            object.insert(name, value);
            self.skip()?;
            if !self.takes(",") && self.peek() != Some('}') {
                return Err(self.unexpected("',' or '}'"));
            }
        }
    }

    fn name(&mut self) -> Result<String, EvalError> {
        if let Some(quote @ ('"' | '\'')) = self.peek() {
            return self.string(quote);
        }
        let rest = &self.text[self.at..];
        let length = rest.find(|it: char| !(it.is_alphanumeric() || matches!(it, '_' | '$')));
        let name = &rest[..length.unwrap_or(rest.len())];
        if name.is_empty() {
            return Err(self.unexpected("a name"));
        }
        let name = name.to_owned();
        self.at += name.len();
        Ok(name)
    }

    fn string(&mut self, quote: char) -> Result<String, EvalError> {
        self.at += 1;
        let mut content = String::new();
        loop {
            match self.take() {
                None => return Err(self.error("a string is never closed")),
                Some('\\') => content.push(self.escape()?),
                Some(it) if it == quote => return Ok(content),
                Some(it) => content.push(it),
            }
        }
    }

    fn escape(&mut self) -> Result<char, EvalError> {
        Ok(match self.take() {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(it @ ('"' | '\'' | '\\' | '/')) => it,
            Some('u') => {
                let first = self.unit()?;
                let mut units = vec![first];
                // Half a pair waits for its other half, which may be missing.
                if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with("\\u") {
                    let behind = self.at;
                    self.at += 2;
                    let second = self.unit()?;
                    if (0xdc00..0xe000).contains(&second) {
                        units.push(second);
                    } else {
                        self.at = behind;
                    }
                }
                let decoded = char::decode_utf16(units).next();
                decoded.and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return Err(self.error("no such escape")),
        })
    }

    fn unit(&mut self) -> Result<u16, EvalError> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let unit = digits.and_then(|it| u16::from_str_radix(it, 16).ok());
        let unit = unit.ok_or_else(|| self.error("four hexadecimal digits should stand here"))?;
        self.at += 4;
        Ok(unit)
    }

    fn number(&mut self) -> Result<Value, EvalError> {
        if self.takes("-Infinity") {
            return Ok(Value::Number(f64::NEG_INFINITY));
        }
        let rest = &self.text[self.at..];
        let length = rest.find(|it: char| !(it.is_ascii_alphanumeric() || "+-.".contains(it)));
        let text = &rest[..length.unwrap_or(rest.len())];
        let ends = |it: char| it.is_whitespace() || ",]}/)".contains(it);
        let ended = rest[text.len()..].chars().next().is_none_or(ends);
        let value = number(text).filter(|_| ended);
        let value = value.ok_or_else(|| self.error("this is no number"))?;
        self.at += text.len();
        Ok(Value::Number(value))
    }

    fn word(&mut self) -> Result<Value, EvalError> {
        let words = [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("NaN", Value::Number(f64::NAN)),
            ("Infinity", Value::Number(f64::INFINITY)),
            ("undefined", Value::from("")),
        ];
        for (word, value) in words {
            let rest = &self.text[self.at..];
            let Some(behind) = rest.strip_prefix(word) else { continue };
            let ends = |it: char| it.is_whitespace() || ",]}/)".contains(it);
            if behind.is_empty() || behind.starts_with(ends) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.unexpected("a value"))
    }
}

/// A JSON number, and two forms more that the library knows: `0x1F`, and octal behind a zero.
fn number(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let whole = |digits: &str, radix| {
        #[expect(clippy::cast_precision_loss, reason = "the language has doubles only")]
        i64::from_str_radix(digits, radix).ok().map(|it| it as f64)
    };
    if let Some(digits) = unsigned.strip_prefix("0x").or(unsigned.strip_prefix("0X")) {
        return whole(digits, 16).filter(|_| sign > 0.0);
    }
    let digits_only = unsigned.bytes().all(|it| it.is_ascii_digit());
    if unsigned.len() > 1 && unsigned.starts_with('0') && digits_only {
        return whole(unsigned, 8).filter(|_| sign > 0.0);
    }
    let plain = unsigned.starts_with(|it: char| it.is_ascii_digit() || it == '.');
    let value: f64 = unsigned.parse().ok().filter(|_| plain)?;
    Some(sign * value)
}
