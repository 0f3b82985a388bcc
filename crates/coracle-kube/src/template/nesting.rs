//! Limits on the nesting of templates. The engine parses, compiles and prints recursively, so deep
//! nesting would overflow the stack.

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;

/// The most operators, calls and brackets that contain each other in one tag, and the most `elif` of
/// one `if`.
const MAX_OPERATORS: usize = 200;
/// The deepest nesting of all values that `set` tags of one template can build together.
const MAX_SET_DEPTH: usize = 1000;

/// The nesting of a template, which the size of the engine's stack limits.
pub(super) struct TemplateNesting {
    /// The first limit that the template exceeds, and the line.
    pub(super) exceeded: Option<(String, usize)>,
    /// `true` if the template may have a namespace, with which loops can nest values.
    pub(super) has_namespace: bool,
}

/// Measures the nesting of `text`. The parser reports syntax errors.
pub(super) fn measure_nesting(text: &str, syntax: SyntaxConfig) -> TemplateNesting {
    let mut scan = Scan::default();
    let mut exceeded = None;
    for (token, span) in tokenize(text, false, syntax).map_while(Result::ok) {
        scan.add(&token);
        if let Some(why) = scan.exceeded_limit() {
            exceeded = Some((why, usize::from(span.start_line)));
            break;
        }
    }
    TemplateNesting { exceeded, has_namespace: scan.has_namespace }
}

#[derive(Default)]
struct Scan {
    /// The number of operators outside and in each open bracket of the tag.
    operators: Vec<usize>,
    /// The number of `elif` of each open `if`.
    conditions: Vec<usize>,
    /// The deepest brackets of this tag.
    depth: usize,
    /// The sum of the depths of `set` tags.
    set_depth: usize,
    /// `true` if the next token is a tag's name, and whether the tag is `set`.
    is_name: bool,
    is_set: bool,
    has_namespace: bool,
}

impl Scan {
    fn add(&mut self, token: &Token<'_>) {
        let is_name = std::mem::take(&mut self.is_name);
        match token {
            Token::BlockStart | Token::VariableStart => {
                (self.operators, self.depth, self.is_set) = (vec![0], 0, false);
                self.is_name = matches!(token, Token::BlockStart);
            }
            Token::BlockEnd if self.is_set => self.set_depth += self.depth,
            Token::Ident(name) if is_name => self.start_tag(name),
            // Items and arguments do not contain each other.
            Token::Comma => self.operators.last_mut().into_iter().for_each(|count| *count = 0),
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => {
                self.add_operator();
                self.operators.push(0);
                self.depth = self.depth.max(self.operators.len());
            }
            Token::ParenClose | Token::BracketClose | Token::BraceClose => drop(self.operators.pop()),
            Token::Ident("not" | "and" | "or" | "in" | "is" | "if" | "else") => self.add_operator(),
            Token::Ident(name) => self.has_namespace |= *name == "namespace",
            Token::TemplateData(_)
            | Token::VariableEnd
            | Token::BlockEnd
            | Token::Str(_)
            | Token::String(_)
            | Token::Int(_)
            | Token::Int128(_)
            | Token::Float(_)
            | Token::Colon
            | Token::Assign => {}
            _ => self.add_operator(),
        }
    }

    fn start_tag(&mut self, name: &str) {
        match name {
            "if" => self.conditions.push(0),
            "elif" => self.conditions.last_mut().into_iter().for_each(|count| *count += 1),
            "endif" => drop(self.conditions.pop()),
            // A `set` block has the rendered text as its value, which a filter may put into a list.
            "set" => (self.is_set, self.depth) = (true, 1),
            _ => {}
        }
    }

    fn add_operator(&mut self) {
        match self.operators.last_mut() {
            Some(count) => *count += 1,
            None => self.operators.push(1),
        }
    }

    fn exceeded_limit(&self) -> Option<String> {
        if self.operators.iter().sum::<usize>() > MAX_OPERATORS {
            Some(format!("the expression has more than {MAX_OPERATORS} operators: use several `set` tags"))
        } else if self.conditions.iter().sum::<usize>() > MAX_OPERATORS {
            Some(format!("the `if` has more than {MAX_OPERATORS} `elif`: use a table in the values"))
        } else if self.set_depth > MAX_SET_DEPTH {
            Some(format!(
                "there are too many `set` tags: they can nest values more than {MAX_SET_DEPTH} times"
            ))
        } else {
            None
        }
    }
}
