//! Tokens to a tree, by operator precedence (conformance 72). It keeps its own stacks: ten thousand
//! parentheses cost memory of the heap and no stack, so no text can end the process.

use std::ops::Range;

use crate::DEPTH_MAX;
use crate::error::ParseError;
use crate::lexer::{self, Token, TokenKind};
use crate::scope::Scope;
use crate::tree::{Comparison, Function, Logical, Node, NodeKind, Selector};

/// Reads a text. `None` when it is empty.
pub(crate) fn parse(text: &str, scope: &Scope) -> Result<Option<Node>, ParseError> {
    let tokens = lexer::tokens(text, scope)?;
    let mut parser = Parser { operands: Vec::new(), operators: Vec::new() };
    for Token { kind, span } in tokens {
        parser.push(kind, span)?;
    }
    parser.reduce_to(0)?;
    Ok(parser.operands.pop())
}

struct Parser {
    operands: Vec<Node>,
    operators: Vec<Operator>,
}

enum Operator {
    Group { start: usize },
    Index { star: bool },
    Arguments { function: Function, start: usize, operands: usize },
    Not { start: usize },
    Compare(Comparison),
    Logical(Logical),
}

impl Operator {
    /// Higher binds tighter; brackets are never reduced by what follows them.
    fn precedence(&self) -> u8 {
        match self {
            Self::Group { .. } | Self::Index { .. } | Self::Arguments { .. } => 0,
            Self::Logical(Logical::Or) => 1,
            Self::Logical(Logical::And) => 2,
            Self::Compare(Comparison::Equal | Comparison::NotEqual) => 3,
            Self::Compare(_) => 4,
            Self::Not { .. } => 5,
        }
    }
}

const INVARIANT: &str = "the lexer lets only complete operations pass";

impl Parser {
    fn push(&mut self, kind: TokenKind, span: Range<usize>) -> Result<(), ParseError> {
        let start = span.start;
        match kind {
            TokenKind::Literal(value) => self.operand(NodeKind::Literal(value), span),
            TokenKind::Context(name) => self.operand(NodeKind::Context(name), span),
            TokenKind::Property(name) => self.look_into(Selector::Property(name), span.end),
            TokenKind::Wildcard => self.look_into(Selector::Wildcard, span.end),
            TokenKind::Function(function) => {
                let operands = self.operands.len();
                self.operators.push(Operator::Arguments { function, start, operands });
                Ok(())
            }
            // A dot has done its work in the lexer; so has the bracket of a function.
            TokenKind::Dot | TokenKind::OpenArguments => Ok(()),
            TokenKind::OpenGroup => self.operator(Operator::Group { start }),
            TokenKind::OpenIndex => self.operator(Operator::Index { star: false }),
            TokenKind::IndexStar => {
                self.operators.pop();
                self.operator(Operator::Index { star: true })
            }
            TokenKind::Not => self.operator(Operator::Not { start }),
            TokenKind::Compare(comparison) => self.binary(Operator::Compare(comparison)),
            TokenKind::Logical(logical) => self.binary(Operator::Logical(logical)),
            TokenKind::Comma => self.reduce_to(1),
            TokenKind::CloseGroup => self.close_group(span.end),
            TokenKind::CloseIndex => self.close_index(span.end),
            TokenKind::CloseArguments => self.close_arguments(span.end),
        }
    }

    fn operand(&mut self, kind: NodeKind, span: Range<usize>) -> Result<(), ParseError> {
        let node = Node { kind, span, height: 1 };
        let below = match &node.kind {
            // GitHub's tree has a node for a property's name and for a star as well.
            NodeKind::Index { selector: Selector::Property(_) | Selector::Wildcard, .. } => 1,
            _ => 0,
        };
        let below = node.children().map(|child| child.height).max().unwrap_or(0).max(below);
        let height = below + 1;
        if height > DEPTH_MAX {
            return Err(ParseError {
                offset: node.span.start,
                message: format!("Exceeded max expression depth {DEPTH_MAX}"),
                hint: None,
            });
        }
        self.operands.push(Node { height, ..node });
        Ok(())
    }

    fn operator(&mut self, operator: Operator) -> Result<(), ParseError> {
        self.operators.push(operator);
        Ok(())
    }

    /// An operator between two values first finishes what binds at least as tightly.
    fn binary(&mut self, operator: Operator) -> Result<(), ParseError> {
        self.reduce_to(operator.precedence())?;
        self.operator(operator)
    }

    fn take(&mut self) -> Node {
        self.operands.pop().expect(INVARIANT)
    }

    fn look_into(&mut self, selector: Selector, end: usize) -> Result<(), ParseError> {
        let base = self.take();
        let span = base.span.start..end;
        self.operand(NodeKind::Index { base: Box::new(base), selector }, span)
    }

    /// Finishes waiting operators down to a precedence, or to the innermost bracket.
    fn reduce_to(&mut self, precedence: u8) -> Result<(), ParseError> {
        while let Some(top) = self.operators.last() {
            if top.precedence() == 0 || top.precedence() < precedence {
                break;
            }
            let operator = self.operators.pop().expect(INVARIANT);
            self.reduce(operator)?;
        }
        Ok(())
    }

    fn reduce(&mut self, operator: Operator) -> Result<(), ParseError> {
        let right = self.take();
        match operator {
            Operator::Not { start } => {
                let span = start..right.span.end;
                self.operand(NodeKind::Not(Box::new(right)), span)
            }
            Operator::Compare(comparison) => {
                let left = self.take();
                let span = left.span.start..right.span.end;
                let (left, right) = (Box::new(left), Box::new(right));
                self.operand(NodeKind::Compare { comparison, left, right }, span)
            }
            Operator::Logical(operator) => {
                let left = self.take();
                let span = left.span.start..right.span.end;
                let mut operands = chain(left, operator);
                operands.extend(chain(right, operator));
                self.operand(NodeKind::Logical { operator, operands }, span)
            }
            Operator::Group { .. } | Operator::Index { .. } | Operator::Arguments { .. } => Ok(()),
        }
    }

    fn close_group(&mut self, end: usize) -> Result<(), ParseError> {
        self.reduce_to(1)?;
        if let Some(Operator::Group { start }) = self.operators.pop() {
            self.operands.last_mut().expect(INVARIANT).span = start..end;
        }
        Ok(())
    }

    fn close_index(&mut self, end: usize) -> Result<(), ParseError> {
        self.reduce_to(1)?;
        if let Some(Operator::Index { star: true }) = self.operators.pop() {
            return self.look_into(Selector::Wildcard, end);
        }
        let index = self.take();
        self.look_into(Selector::Index(Box::new(index)), end)
    }

    fn close_arguments(&mut self, end: usize) -> Result<(), ParseError> {
        self.reduce_to(1)?;
        let Some(Operator::Arguments { function, start, operands }) = self.operators.pop() else {
            return Ok(());
        };
        let arguments = self.operands.drain(operands..).collect();
        self.operand(NodeKind::Call { function, arguments }, start..end)
    }
}

/// The operands of a chain of this operator; any other node is its own single operand.
fn chain(node: Node, operator: Logical) -> Vec<Node> {
    match node.kind {
        NodeKind::Logical { operator: found, operands } if found == operator => operands,
        _ => vec![node],
    }
}
