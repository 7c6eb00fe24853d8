//! The one file that knows the parser library: its events become ours, its errors diagnostics.
//!
//! The library's own wording is for people who know YAML's grammar; where a workflow author can do
//! something about it we say what is wrong in their words and add the remedy.

use std::borrow::Cow;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event as Raw, Options, Parser, StrInput, StructureStyle};

use crate::yaml::{RULE, ScalarStyle};
use crate::{Diagnostic, Source, Span};

/// Brackets in brackets, and indentation in indentation. Twice the depth that the tree may have, so
/// that the tree's own limit, which says where, speaks first.
const NESTING_MAX: usize = 100;

/// What the parser saw.
pub(super) enum Event<'t> {
    Scalar { text: Cow<'t, str>, style: ScalarStyle, tag: Option<Tag>, anchor: usize },
    Start { shape: Shape, flow: bool, tag: Option<Tag>, anchor: usize },
    End,
    Alias(usize),
    UnknownAlias(String),
    Document,
    Nothing,
}

/// A collection is one of two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Sequence,
    Mapping,
}

/// An explicit tag.
pub(super) struct Tag {
    /// The name behind `!!`, where it is one of YAML's core tags.
    pub(super) core: Option<String>,
    /// As written.
    pub(super) written: String,
    /// Where.
    pub(super) span: Span,
}

/// The events of one text.
pub(super) struct Events<'t> {
    source: &'t Arc<Source>,
    parser: Parser<'t, StrInput<'t>>,
}

impl<'t> Events<'t> {
    pub(super) fn new(source: &'t Arc<Source>) -> Events<'t> {
        let mut options = Options::default();
        options.set_emit_comments(false);
        options.emit_unresolved_aliases = true;
        options.flow_nesting_limit = NESTING_MAX;
        options.block_nesting_limit = NESTING_MAX;
        Events { source, parser: Parser::new_from_str_with_options(source.text(), options) }
    }

    /// The next event, `None` at the end. After an error there is nothing more.
    ///
    /// `open` is the innermost bracket that is still open: a missing bracket is noticed far from it.
    pub(super) fn next(
        &mut self,
        open: Option<Span>,
    ) -> Option<Result<(Event<'t>, Span), Diagnostic>> {
        match self.parser.next_event()? {
            Ok((raw, span)) => {
                let at = convert_span(span);
                Some(Ok((self.convert(raw, &span), at)))
            }
            Err(error) => {
                let offset = error.marker().byte_offset().unwrap_or(self.source.text().len());
                Some(Err(explain(self.source, error.kind(), offset, open)))
            }
        }
    }

    fn convert(&self, raw: Raw<'t>, span: &granit_parser::Span) -> Event<'t> {
        match raw {
            Raw::Scalar(text, style, anchor, tag) => Event::Scalar {
                text,
                style: convert_style(style),
                tag: tag.map(|tag| self.convert_tag(&tag, span)),
                anchor,
            },
            Raw::SequenceStart(style, anchor, tag) => Event::Start {
                shape: Shape::Sequence,
                flow: style == StructureStyle::Flow,
                tag: tag.map(|tag| self.convert_tag(&tag, span)),
                anchor,
            },
            Raw::MappingStart(style, anchor, tag) => Event::Start {
                shape: Shape::Mapping,
                flow: style == StructureStyle::Flow,
                tag: tag.map(|tag| self.convert_tag(&tag, span)),
                anchor,
            },
            Raw::SequenceEnd | Raw::MappingEnd => Event::End,
            Raw::Alias(anchor) => Event::Alias(anchor),
            Raw::UnresolvedAlias(name) => Event::UnknownAlias(name.into_owned()),
            Raw::DocumentStart(..) => Event::Document,
            _ => Event::Nothing,
        }
    }

    fn convert_tag(&self, tag: &granit_parser::Tag, span: &granit_parser::Span) -> Tag {
        let at = span.tag_span().map_or_else(|| convert_span(*span), convert_span);
        let written = match self.source.slice(at) {
            "" => tag.original(),
            text => text.to_owned(),
        };
        Tag { core: tag.core_suffix().map(ToOwned::to_owned), written, span: at }
    }
}

fn convert_span(span: granit_parser::Span) -> Span {
    let start = span.start.byte_offset().unwrap_or_default();
    Span::new(start, span.end.byte_offset().unwrap_or(start))
}

fn convert_style(style: granit_parser::ScalarStyle) -> ScalarStyle {
    match style {
        granit_parser::ScalarStyle::SingleQuoted => ScalarStyle::SingleQuoted,
        granit_parser::ScalarStyle::DoubleQuoted => ScalarStyle::DoubleQuoted,
        granit_parser::ScalarStyle::Literal => ScalarStyle::Literal,
        granit_parser::ScalarStyle::Folded => ScalarStyle::Folded,
        _ => ScalarStyle::Plain,
    }
}

/// The remedy for a value that begins with `!`: the commonest of all mistakes in an `if`.
pub(super) const TAG_HINT: &str =
    "a value that begins with `!` is a YAML tag; put quotes around it, or write `${{ .. }}`";

fn explain(
    source: &Arc<Source>,
    kind: &ErrorKind,
    offset: usize,
    open: Option<Span>,
) -> Diagnostic {
    let text = source.text();
    let offset = floor_boundary(text, offset.min(text.len()));
    let width = text[offset..].chars().next().filter(|it| *it != '\n').map_or(0, char::len_utf8);
    let at = Span::new(offset, offset + width);
    let error = |message: &str| Diagnostic::error(RULE, source, at, message);
    let line = text[..offset].rfind('\n').map_or(0, |it| it + 1);
    let before = &text[line..offset];
    let rest = text[offset..].lines().next().unwrap_or("");
    if tab_indents(before, rest) || is_tab(kind) {
        return error("a tab may not indent YAML").hint("replace the tab by spaces");
    }
    if let Some(open) = open
        && is_unclosed(kind)
    {
        let bracket = source.slice(Span::new(open.start as usize, open.start as usize + 1));
        let closing = if bracket == "{" { "}" } else { "]" };
        let place = Span::new(open.start as usize, open.start as usize + bracket.len());
        return error(&format!("`{bracket}` is not closed"))
            .label(source, place, "opened here")
            .hint(format!(
                "add `{closing}`, or put quotes around text that begins with `{bracket}`"
            ));
    }
    match kind {
        ErrorKind::RecursionLimitExceeded => {
            error("too deeply nested").hint(format!("at most {} levels are read", super::DEPTH_MAX))
        }
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::DocumentIndicatorInQuotedScalar => error("a quoted text does not end")
            .hint("add the closing quote; inside '..' a quote is written twice"),
        ErrorKind::InvalidTrailingSingleQuotedScalar
        | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            error("the quoted text ended before this")
                .hint("inside '..' a quote is written twice, inside \"..\" as `\\\"`")
        }
        ErrorKind::UnknownQuotedScalarEscape => error("unknown escape in \"..\"")
            .hint("write `\\\\` for a backslash, or use '..', where a backslash is plain text"),
        ErrorKind::MappingValueNotAllowed
        | ErrorKind::InvalidColonPlacement
        | ErrorKind::SimpleKeyExpected
        | ErrorKind::InvalidSimpleKey => error(&kind.to_string())
            .hint("a value that holds `: ` needs quotes; a key and its value stand on one line"),
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::InvalidIndentation => {
            error("this does not fit the indentation of the lines before it")
                .hint("keys of one mapping, and `-` of one list, begin in the same column")
        }
        ErrorKind::UnexpectedCharacter { character } if !character.is_control() => {
            error(&format!("a value may not begin with {character}"))
                .hint("put quotes around the value")
        }
        ErrorKind::MissingAnchorOrAliasName => error("a name is missing behind `*` or `&`")
            .hint("a value that begins with `*` or `&` needs quotes"),
        kind if is_tag(kind) => error("a value may not begin with !").hint(TAG_HINT),
        kind => error(&kind.to_string()),
    }
}

fn floor_boundary(text: &str, mut offset: usize) -> usize {
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// Whether the blanks that begin the line hold a tab.
fn tab_indents(before: &str, rest: &str) -> bool {
    let blank = |text: &str| text.chars().all(|it| it == ' ' || it == '\t');
    blank(before) && (before.contains('\t') || rest.starts_with('\t'))
}

fn is_tab(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar
    )
}

/// The ways in which a missing bracket shows; most name what was found, far away, in its stead.
fn is_unclosed(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::UnclosedFlowCollection { .. }
            | ErrorKind::UnexpectedEofFlowSequence
            | ErrorKind::UnexpectedEofFlowMapping
            | ErrorKind::UnexpectedEofImplicitFlowMapping
            | ErrorKind::UnexpectedEof
            | ErrorKind::ExpectedFlowMappingSeparator
            | ErrorKind::ExpectedFlowSequenceSeparator
            | ErrorKind::MismatchedFlowCollectionEnd { .. }
            | ErrorKind::BlockEntryInFlowCollection
            | ErrorKind::InvalidColonPlacement
            | ErrorKind::InvalidFlowScalarIndent
            | ErrorKind::MappingValueNotAllowed
    )
}

fn is_tag(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ExpectedTagBang
            | ErrorKind::InvalidTagTerminator
            | ErrorKind::MissingTagUri
            | ErrorKind::UndeclaredTagHandle
            | ErrorKind::UnclosedVerbatimTag
            | ErrorKind::InvalidTagEscape
            | ErrorKind::InvalidGlobalTagCharacter
    )
}
