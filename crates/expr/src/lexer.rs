//! Text to tokens. As in GitHub's runner, this is also where nearly every mistake is found: whether
//! a token may follow the one before, whether brackets match, and whether names are known here.

use std::ops::Range;

use crate::LENGTH_MAX;
use crate::error::ParseError;
use crate::number;
use crate::scope::Scope;
use crate::tree::{Comparison, Function, Logical};
use crate::value::Value;

/// One token and its place in the text.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Range<usize>,
}

#[derive(Clone, Debug)]
pub(crate) enum TokenKind {
    Literal(Value),
    Context(String),
    Property(String),
    Function(Function),
    Wildcard,
    /// The star of `[*]`.
    IndexStar,
    Dot,
    OpenGroup,
    OpenIndex,
    OpenArguments,
    CloseGroup,
    CloseIndex,
    CloseArguments,
    Comma,
    Not,
    Compare(Comparison),
    Logical(Logical),
}

impl TokenKind {
    /// Whether a value is complete behind this token.
    fn ends_value(&self) -> bool {
        matches!(self, Self::Literal(_)) || self.may_be_looked_into()
    }

    /// Whether `.` or `[` may follow. Not behind a literal: `'a'.b` is no expression.
    fn may_be_looked_into(&self) -> bool {
        matches!(
            self,
            Self::Context(_)
                | Self::Property(_)
                | Self::Wildcard
                | Self::IndexStar
                | Self::CloseGroup
                | Self::CloseIndex
                | Self::CloseArguments
        )
    }
}

/// A bracket that waits for its other half.
struct Open {
    kind: OpenKind,
    span: Range<usize>,
}

#[derive(Clone, Copy)]
enum OpenKind {
    Group,
    Index,
    Arguments { function: Function, commas: usize },
}

/// Reads the whole text.
pub(crate) fn tokens(text: &str, scope: &Scope) -> Result<Vec<Token>, ParseError> {
    if text.encode_utf16().count() > LENGTH_MAX {
        return Err(ParseError {
            offset: 0,
            message: format!("Exceeded max expression length {LENGTH_MAX}"),
            hint: None,
        });
    }
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new(), open: Vec::new(), scope };
    while lexer.next()? {}
    lexer.finish()
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    open: Vec<Open>,
    scope: &'a Scope,
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<bool, ParseError> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        let start = self.at;
        let Some(first) = self.peek(0) else { return Ok(false) };
        let kind = match first {
            '(' if matches!(self.last(), Some(TokenKind::Function(_))) => {
                self.single(TokenKind::OpenArguments)
            }
            '(' => self.single(TokenKind::OpenGroup),
            '[' => self.single(TokenKind::OpenIndex),
            ')' if matches!(self.innermost(), Some(OpenKind::Arguments { .. })) => {
                self.single(TokenKind::CloseArguments)
            }
            ')' => self.single(TokenKind::CloseGroup),
            ']' => self.single(TokenKind::CloseIndex),
            ',' => self.single(TokenKind::Comma),
            '*' if matches!(self.last(), Some(TokenKind::OpenIndex)) => {
                self.single(TokenKind::IndexStar)
            }
            '*' => self.single(TokenKind::Wildcard),
            '\'' => self.string()?,
            '!' | '<' | '>' | '=' | '&' | '|' => self.operator()?,
            '.' if !self.may_begin_value() => self.single(TokenKind::Dot),
            '.' | '-' | '+' | '0'..='9' => self.number()?,
            _ => self.word()?,
        };
        if !self.is_legal(&kind) {
            return Err(self.unexpected(start));
        }
        self.track(&kind, start)?;
        self.tokens.push(Token { kind, span: start..self.at });
        Ok(true)
    }

    fn finish(self) -> Result<Vec<Token>, ParseError> {
        let Some(last) = self.tokens.last() else { return Ok(self.tokens) };
        if last.kind.ends_value() && self.open.is_empty() {
            return Ok(self.tokens);
        }
        let hint = self.open.last().map(|open| {
            format!(
                "'{}' at position {} is never closed",
                &self.text[open.span.clone()],
                position(self.text, open.span.start)
            )
        });
        Err(located("Unexpected end of expression", self.text, &last.span, hint))
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.text[self.at..].chars().nth(ahead)
    }

    fn last(&self) -> Option<&TokenKind> {
        self.tokens.last().map(|token| &token.kind)
    }

    fn innermost(&self) -> Option<OpenKind> {
        self.open.last().map(|open| open.kind)
    }

    fn single(&mut self, kind: TokenKind) -> TokenKind {
        self.at += 1;
        kind
    }

    fn unexpected(&self, start: usize) -> ParseError {
        let symbol = &self.text[start..self.at];
        let hint = match symbol.chars().next() {
            Some('"') => Some("strings stand in single quotes: 'text'".to_owned()),
            Some('\'') if symbol.len() == 1 || !symbol.ends_with('\'') => {
                Some("the string is never closed; a quote inside is doubled: ''".to_owned())
            }
            _ if matches!(symbol, "==" | "&&" | "||") => None,
            Some('=') => Some("to compare, write ==".to_owned()),
            Some('&') => Some("for 'and', write &&".to_owned()),
            Some('|') => Some("for 'or', write ||".to_owned()),
            _ => None,
        };
        located("Unexpected symbol", self.text, &(start..self.at), hint)
    }

    /// Goes on to the next boundary.
    fn skip_word(&mut self, points_too: bool) {
        let rest = &self.text[self.at..];
        let end = rest.find(|it| is_boundary(it) && !(points_too && it == '.'));
        self.at += end.unwrap_or(rest.len());
    }

    fn number(&mut self) -> Result<TokenKind, ParseError> {
        let start = self.at;
        self.at += 1;
        self.skip_word(true);
        let value = number::from_text(&self.text[start..self.at]);
        if value.is_nan() {
            return Err(self.unexpected(start));
        }
        Ok(TokenKind::Literal(Value::Number(value)))
    }

    fn string(&mut self) -> Result<TokenKind, ParseError> {
        let start = self.at;
        let mut value = String::new();
        self.at += 1;
        loop {
            let rest = &self.text[self.at..];
            let Some(quote) = rest.find('\'') else {
                self.at = self.text.len();
                return Err(self.unexpected(start));
            };
            value.push_str(&rest[..quote]);
            self.at += quote + 1;
            if self.peek(0) != Some('\'') {
                return Ok(TokenKind::Literal(Value::from(value)));
            }
            value.push('\'');
            self.at += 1;
        }
    }

    fn operator(&mut self) -> Result<TokenKind, ParseError> {
        let start = self.at;
        let double = match self.text.as_bytes().get(start..start + 2) {
            Some(b"!=") => Some(TokenKind::Compare(Comparison::NotEqual)),
            Some(b"==") => Some(TokenKind::Compare(Comparison::Equal)),
            Some(b"<=") => Some(TokenKind::Compare(Comparison::LessOrEqual)),
            Some(b">=") => Some(TokenKind::Compare(Comparison::GreaterOrEqual)),
            Some(b"&&") => Some(TokenKind::Logical(Logical::And)),
            Some(b"||") => Some(TokenKind::Logical(Logical::Or)),
            _ => None,
        };
        if let Some(kind) = double {
            self.at += 2;
            return Ok(kind);
        }
        self.at += 1;
        match self.text.as_bytes()[start] {
            b'!' => Ok(TokenKind::Not),
            b'<' => Ok(TokenKind::Compare(Comparison::Less)),
            b'>' => Ok(TokenKind::Compare(Comparison::Greater)),
            _ => {
                self.skip_word(false);
                Err(self.unexpected(start))
            }
        }
    }

    fn word(&mut self) -> Result<TokenKind, ParseError> {
        let start = self.at;
        self.at += self.peek(0).map_or(0, char::len_utf8);
        self.skip_word(false);
        let word = &self.text[start..self.at];
        if !is_name(word) {
            return Err(self.unexpected(start));
        }
        if matches!(self.last(), Some(TokenKind::Dot)) {
            return Ok(TokenKind::Property(word.to_owned()));
        }
        Ok(match word {
            "null" => TokenKind::Literal(Value::Null),
            "true" => TokenKind::Literal(Value::Bool(true)),
            "false" => TokenKind::Literal(Value::Bool(false)),
            "NaN" => TokenKind::Literal(Value::Number(f64::NAN)),
            "Infinity" => TokenKind::Literal(Value::Number(f64::INFINITY)),
            _ if self.text[self.at..].trim_start().starts_with('(') => self.function(start)?,
            _ => TokenKind::Context(word.to_owned()),
        })
    }

    fn function(&self, start: usize) -> Result<TokenKind, ParseError> {
        // A word where none may stand is the first mistake, known or not.
        if !self.may_begin_value() {
            return Err(self.unexpected(start));
        }
        let function = Function::named(&self.text[start..self.at]);
        if let Some(known) = function.filter(|it| self.scope.arity(*it).is_some()) {
            return Ok(TokenKind::Function(known));
        }
        let span = start..self.at;
        let hint = function.map(|it| format!("'{}' exists, but not in this place", it.name()));
        Err(located("Unrecognized function", self.text, &span, hint))
    }

    fn may_begin_value(&self) -> bool {
        self.last().is_none_or(|last| {
            matches!(
                last,
                TokenKind::Comma
                    | TokenKind::OpenGroup
                    | TokenKind::OpenIndex
                    | TokenKind::OpenArguments
                    | TokenKind::Not
                    | TokenKind::Compare(_)
                    | TokenKind::Logical(_)
            )
        })
    }

    /// Whether the token may stand behind the last one.
    fn is_legal(&self, kind: &TokenKind) -> bool {
        let last = self.last();
        let after_value = last.is_some_and(TokenKind::ends_value);
        // `[*]` is a whole: GitHub's lexer lets `[* == 1]` pass and then has no meaning for it.
        if matches!(last, Some(TokenKind::IndexStar)) && !matches!(kind, TokenKind::CloseIndex) {
            return false;
        }
        match kind {
            TokenKind::Literal(_)
            | TokenKind::Context(_)
            | TokenKind::Function(_)
            | TokenKind::OpenGroup
            | TokenKind::Not => self.may_begin_value(),
            TokenKind::Property(_) => matches!(last, Some(TokenKind::Dot)),
            TokenKind::Wildcard => matches!(last, Some(TokenKind::Dot)),
            TokenKind::IndexStar => matches!(last, Some(TokenKind::OpenIndex)),
            TokenKind::Dot | TokenKind::OpenIndex => {
                last.is_some_and(TokenKind::may_be_looked_into)
            }
            TokenKind::OpenArguments => matches!(last, Some(TokenKind::Function(_))),
            TokenKind::CloseGroup => {
                after_value && matches!(self.innermost(), Some(OpenKind::Group))
            }
            TokenKind::CloseIndex => {
                after_value && matches!(self.innermost(), Some(OpenKind::Index))
            }
            TokenKind::CloseArguments => {
                after_value || matches!(last, Some(TokenKind::OpenArguments))
            }
            TokenKind::Comma => {
                after_value && matches!(self.innermost(), Some(OpenKind::Arguments { .. }))
            }
            TokenKind::Compare(_) | TokenKind::Logical(_) => after_value,
        }
    }

    /// Keeps the brackets, and checks what only the whole of names and brackets can tell.
    fn track(&mut self, kind: &TokenKind, start: usize) -> Result<(), ParseError> {
        let open = match kind {
            TokenKind::OpenGroup => OpenKind::Group,
            TokenKind::OpenIndex => OpenKind::Index,
            TokenKind::OpenArguments => match self.last() {
                Some(TokenKind::Function(function)) => {
                    OpenKind::Arguments { function: *function, commas: 0 }
                }
                _ => return Ok(()),
            },
            TokenKind::Comma => {
                if let Some(Open { kind: OpenKind::Arguments { commas, .. }, .. }) =
                    self.open.last_mut()
                {
                    *commas += 1;
                }
                return Ok(());
            }
            TokenKind::CloseArguments => return self.close_arguments(),
            TokenKind::CloseGroup | TokenKind::CloseIndex => {
                self.open.pop();
                return Ok(());
            }
            TokenKind::Context(name) => return self.check_context(name, start),
            _ => return Ok(()),
        };
        self.open.push(Open { kind: open, span: start..self.at });
        Ok(())
    }

    fn check_context(&self, name: &str, start: usize) -> Result<(), ParseError> {
        if self.scope.has_context(name) {
            return Ok(());
        }
        let known = Scope::everything();
        let hint = if known.has_context(name) && self.scope.contexts.is_empty() {
            format!("'{name}' is not available in this place, which has no contexts at all")
        } else if known.has_context(name) {
            let here = self.scope.contexts.join(", ");
            format!("'{name}' is not available in this place; these are: {here}")
        } else if Function::named(name).is_some() {
            format!("to call a function, write {name}()")
        } else if name.eq_ignore_ascii_case("true") || name.eq_ignore_ascii_case("false") {
            format!("write {}", name.to_ascii_lowercase())
        } else {
            format!("text stands in single quotes: '{name}'")
        };
        let span = start..start + name.len();
        Err(located("Unrecognized named-value", self.text, &span, Some(hint)))
    }

    /// Conformance 83, 84: wrong counts are mistakes of the text. GitHub's runner points at the
    /// opening bracket.
    fn close_arguments(&mut self) -> Result<(), ParseError> {
        let Some(Open { kind: OpenKind::Arguments { function, commas }, span }) = self.open.pop()
        else {
            return Ok(());
        };
        let empty = matches!(self.last(), Some(TokenKind::OpenArguments));
        let count = if empty { 0 } else { commas + 1 };
        let (min, max) = self.scope.arity(function).unwrap_or((0, 0));
        let description = if count < min {
            "Too few parameters supplied"
        } else if count > max {
            "Too many parameters supplied"
        } else if function == Function::Case && count % 2 == 0 {
            "Even number of parameters supplied, requires an odd number of parameters"
        } else {
            return Ok(());
        };
        let wanted = match (min, max) {
            (min, max) if min == max => format!("{min}"),
            (min, usize::MAX) => format!("{min} or more"),
            (min, max) => format!("{min} to {max}"),
        };
        let hint = format!("{} takes {wanted} arguments, not {count}", function.name());
        Err(located(description, self.text, &span, Some(hint)))
    }
}

fn located(description: &str, text: &str, span: &Range<usize>, hint: Option<String>) -> ParseError {
    let symbol = &text[span.clone()];
    let position = position(text, span.start);
    ParseError {
        offset: span.start,
        message: format!(
            "{description}: '{symbol}'. Located at position {position} within expression: {text}"
        ),
        hint,
    }
}

/// GitHub counts UTF-16 units, from 1.
fn position(text: &str, offset: usize) -> usize {
    text[..offset].encode_utf16().count() + 1
}

fn is_boundary(character: char) -> bool {
    matches!(character, '(' | '[' | ')' | ']' | ',' | '.' | '!' | '>' | '<' | '=' | '&' | '|')
        || character.is_whitespace()
}

fn is_name(word: &str) -> bool {
    let mut bytes = word.bytes();
    bytes.next().is_some_and(|it| it.is_ascii_alphabetic() || it == b'_')
        && bytes.all(|it| it.is_ascii_alphanumeric() || it == b'_' || it == b'-')
}
