//! The subschemas that apply to each value, as the validator finds them: also those behind
//! references, in branches that hold, and below `then` and `dependentSchemas`.

use std::collections::BTreeSet;

use jsonschema::OutputUnit;
use serde_json::{Map, Value};

/// Keywords whose subschemas do not describe the value.
const OTHER_KEYWORDS: [&str; 3] = ["not", "contains", "propertyNames"];

/// A subschema that applies to a value.
pub(super) struct AppliedSchema<'s> {
    pub(super) schema: &'s Map<String, Value>,
    /// The JSON pointer of the value.
    pub(super) pointer: &'s str,
    /// `true` if it is below `if`: a condition has no defaults.
    pub(super) is_condition: bool,
}

/// A branch of `anyOf` or `oneOf` for one value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ChoiceBranch {
    /// The path of keywords to the branch.
    path: String,
    /// The JSON pointer of the value.
    pointer: String,
}

/// An `anyOf` or `oneOf` that a value violates.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ViolatedChoice {
    path: String,
    pointer: String,
    /// All branches if the value violates each; none if it matches too many.
    pub(super) branches: Vec<ChoiceBranch>,
}

/// The subschemas that apply to the values of a document.
#[derive(Default)]
pub(super) struct AppliedSchemas<'s> {
    pub(super) schemas: Vec<AppliedSchema<'s>>,
    /// The JSON pointers of all values that a subschema applies to.
    pub(super) described: BTreeSet<&'s str>,
    pub(super) violated_choices: Vec<ViolatedChoice>,
}

/// Which branches apply if a value violates all of them.
#[derive(Clone, Copy)]
pub(super) enum ViolatedBranches<'a> {
    All,
    Only(&'a [ChoiceBranch]),
}

impl<'s> AppliedSchemas<'s> {
    /// Collects the subschemas below `root`, the evaluation of a value by the schema `document`.
    pub(super) fn collect(document: &'s Value, root: OutputUnit<'s>, branches: ViolatedBranches<'_>) -> Self {
        let mut collector = Collector { document, branches, is_condition: false, found: Self::default() };
        collector.visit_schema(root);
        collector.found
    }

    /// Returns whether the value violates `choice`, too.
    pub(super) fn violates(&self, choice: &ViolatedChoice) -> bool {
        self.violated_choices.iter().any(|other| other.path == choice.path && other.pointer == choice.pointer)
    }
}

struct Collector<'s, 'b> {
    document: &'s Value,
    branches: ViolatedBranches<'b>,
    is_condition: bool,
    found: AppliedSchemas<'s>,
}

impl<'s> Collector<'s, '_> {
    /// Visits the unit of a schema. Its children are units of keywords.
    fn visit_schema(&mut self, unit: OutputUnit<'s>) {
        let pointer = unit.instance_location().as_str();
        self.found.described.insert(pointer);
        if let Some(schema) = self.document.pointer(unit.schema_location()).and_then(Value::as_object) {
            let is_condition = self.is_condition;
            self.found.schemas.push(AppliedSchema { schema, pointer, is_condition });
        }
        unit.children().for_each(|keyword| self.visit_keyword(keyword));
    }

    /// Visits the unit of a keyword. Its children are units of schemas.
    fn visit_keyword(&mut self, unit: OutputUnit<'s>) {
        match last_segment(unit.evaluation_path().as_str()) {
            name if OTHER_KEYWORDS.contains(&name) => {}
            // The unit represents the target of the reference.
            "$ref" => self.visit_schema(unit),
            "anyOf" | "oneOf" if !unit.valid() => self.visit_violated_choice(unit),
            "if" => unit.children().for_each(|child| {
                let was_condition = self.is_condition;
                self.is_condition |= last_segment(child.evaluation_path().as_str()) == "if";
                self.visit_schema(child);
                self.is_condition = was_condition;
            }),
            _ => unit.children().for_each(|child| self.visit_schema(child)),
        }
    }

    fn visit_violated_choice(&mut self, unit: OutputUnit<'s>) {
        let is_any_valid = unit.children().any(|child| child.valid());
        let mut choice = ViolatedChoice {
            path: unit.evaluation_path().as_str().to_owned(),
            pointer: unit.instance_location().as_str().to_owned(),
            branches: Vec::new(),
        };
        for child in unit.children() {
            let branch = ChoiceBranch {
                path: child.evaluation_path().as_str().to_owned(),
                pointer: choice.pointer.clone(),
            };
            let applies = match self.branches {
                ViolatedBranches::All => true,
                ViolatedBranches::Only(branches) => is_any_valid || branches.contains(&branch),
            };
            if applies {
                self.visit_schema(child);
            }
            if !is_any_valid {
                choice.branches.push(branch);
            }
        }
        self.found.violated_choices.push(choice);
    }
}

fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}
