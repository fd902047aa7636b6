//! Layers of settings: defaults < file < environment < flags.
//!
//! The embedded `config/default.toml` is the schema: a key that does not stand there is unknown, a value of another type is wrong.
//! Every value remembers where it came from, so that a violation names file and line.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value as Json;
use toml_edit::{Document, Item, Value};

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// File, `environment` or `flag`.
    pub place: String,
    /// Line in the file, from 1; 0 where there are no lines.
    pub line: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { write!(f, "{}", self.place) } else { write!(f, "{}:{}", self.place, self.line) }
    }
}

/// Something wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where it stands.
    pub origin: Origin,
    /// Dotted key.
    pub key: String,
    /// What is wrong and what would be right.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.origin, self.key, self.text)
    }
}

/// A settings tree with origins.
#[derive(Debug, Clone)]
pub enum Tree {
    /// A scalar or a list of scalars. Numbers with a point stay text, so that no float touches money.
    Leaf(Json, Kind, Origin),
    /// A table.
    Table(BTreeMap<String, Tree>),
    /// A list of tables.
    List(Vec<Tree>),
}

/// Type of a leaf, as the schema compares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "plain words")]
pub enum Kind {
    Text,
    Integer,
    Decimal,
    Switch,
    List,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Integer => "a whole number",
            Self::Decimal => "a number",
            Self::Switch => "true or false",
            Self::List => "a list",
        }
    }
}

fn line_of(text: &str, span: Option<std::ops::Range<usize>>) -> usize {
    span.map_or(0, |span| text.get(..span.start).map_or(0, |before| before.matches('\n').count() + 1))
}

/// Reads one TOML text.
///
/// # Errors
/// The syntax error with its line.
pub fn read(text: &str, place: &str) -> Result<Tree, Violation> {
    let document = Document::parse(text.to_owned()).map_err(|error| Violation {
        origin: Origin { place: place.to_owned(), line: line_of(text, error.span()) },
        key: "(syntax)".to_owned(),
        text: error.message().to_owned(),
    })?;
    let mut table = BTreeMap::new();
    for (key, item) in document.iter() {
        if let Some(tree) = from_item(item, text, place) {
            table.insert(key.to_owned(), tree);
        }
    }
    Ok(Tree::Table(table))
}

fn from_item(item: &Item, text: &str, place: &str) -> Option<Tree> {
    match item {
        Item::None => None,
        Item::Value(Value::InlineTable(table)) => {
            Some(Tree::Table(table.iter().map(|(key, value)| (key.to_owned(), from_value(value, text, place))).collect()))
        }
        Item::Value(value) => Some(from_value(value, text, place)),
        Item::Table(table) => {
            Some(Tree::Table(table.iter().filter_map(|(key, item)| Some((key.to_owned(), from_item(item, text, place)?))).collect()))
        }
        Item::ArrayOfTables(tables) => Some(Tree::List(
            tables
                .iter()
                .map(|table| {
                    Tree::Table(table.iter().filter_map(|(key, item)| Some((key.to_owned(), from_item(item, text, place)?))).collect())
                })
                .collect(),
        )),
    }
}

fn from_value(value: &Value, text: &str, place: &str) -> Tree {
    let origin = Origin { place: place.to_owned(), line: line_of(text, value.span()) };
    if let Value::InlineTable(table) = value {
        return Tree::Table(table.iter().map(|(key, value)| (key.to_owned(), from_value(value, text, place))).collect());
    }
    let (json, kind) = scalar(value);
    Tree::Leaf(json, kind, origin)
}

fn scalar(value: &Value) -> (Json, Kind) {
    match value {
        Value::String(text) => (Json::String(text.value().clone()), Kind::Text),
        Value::Integer(number) => (Json::from(*number.value()), Kind::Integer),
        Value::Float(number) => {
            let written = number.as_repr().and_then(|r| r.as_raw().as_str()).map_or_else(|| number.value().to_string(), str::to_owned);
            (Json::String(written.replace('_', "")), Kind::Decimal)
        }
        Value::Boolean(switch) => (Json::Bool(*switch.value()), Kind::Switch),
        Value::Datetime(date) => (Json::String(date.value().to_string()), Kind::Text),
        Value::Array(list) => (Json::Array(list.iter().map(|v| scalar(v).0).collect()), Kind::List),
        Value::InlineTable(_) => (Json::Null, Kind::List),
    }
}

/// Keys below which anything may stand; their owners check them.
const FREE: [&str; 3] = ["strategy.parameters", "strategy.exits", "risk.strategies"];

fn is_free(key: &str) -> bool {
    FREE.iter().any(|free| key == *free || key.starts_with(&format!("{free}.")))
}

/// Lays `upper` over `lower`, whose shape is the schema. Violations are added to `found`.
pub fn lay(lower: &mut Tree, upper: Tree, schema: &Tree, key: &str, found: &mut Vec<Violation>) {
    match (lower, upper) {
        (Tree::Table(lower), Tree::Table(upper)) => {
            for (name, value) in upper {
                let path = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                let shape = match schema {
                    Tree::Table(table) => table.get(&name),
                    _ => None,
                };
                match (shape, lower.get_mut(&name)) {
                    (Some(shape), Some(below)) => lay(below, value, shape, &path, found),
                    (Some(shape), None) => {
                        let mut below = shape.clone();
                        lay(&mut below, value, shape, &path, found);
                        lower.insert(name, below);
                    }
                    (None, _) if is_free(&path) => {
                        lower.insert(name, value);
                    }
                    (None, _) => found.push(Violation { origin: first_origin(&value), text: unknown(&name, schema), key: path }),
                }
            }
        }
        (below @ Tree::Leaf(..), Tree::Leaf(json, kind, origin)) => {
            let Tree::Leaf(_, wanted, _) = schema else { return };
            let (json, fits) = match (wanted, kind) {
                (Kind::Decimal, Kind::Integer) => (Json::String(json.to_string()), true),
                (Kind::Decimal, Kind::Text) | (Kind::Integer, Kind::Text) if json == "off" => (json, true),
                (Kind::Text, Kind::Decimal | Kind::Integer) if matches!(schema, Tree::Leaf(Json::String(s), ..) if s == "off") => {
                    (if kind == Kind::Integer { Json::String(json.to_string()) } else { json }, true)
                }
                (wanted, kind) => (json, *wanted == kind),
            };
            if fits {
                *below = Tree::Leaf(json, kind, origin);
            } else {
                found.push(Violation {
                    origin,
                    key: key.to_owned(),
                    text: format!("{} is needed here, {} was given", wanted.name(), kind.name()),
                });
            }
        }
        // A limit of several figures is switched off by the word, and one that is off is switched on by its figures.
        (below @ Tree::Table(_), leaf @ Tree::Leaf(..)) if says_off(&leaf) => *below = leaf,
        (below, table @ Tree::Table(_)) if says_off(schema) || says_off(below) => *below = table,
        (below @ Tree::List(_), Tree::List(items)) => {
            let shape = match schema {
                Tree::List(shapes) => shapes.first(),
                _ => None,
            };
            let mut laid = Vec::new();
            for item in items {
                let Some(shape) = shape else { continue };
                let mut base = shape.clone();
                lay(&mut base, item, shape, key, found);
                laid.push(base);
            }
            *below = Tree::List(laid);
        }
        (_, upper) => found.push(Violation {
            origin: first_origin(&upper),
            key: key.to_owned(),
            text: "this has another shape here: see config/default.toml".to_owned(),
        }),
    }
}

fn says_off(tree: &Tree) -> bool {
    matches!(tree, Tree::Leaf(Json::String(word), ..) if word == "off")
}

fn unknown(name: &str, schema: &Tree) -> String {
    let Tree::Table(table) = schema else { return "this key is unknown".to_owned() };
    let near = table.keys().min_by_key(|known| distance(known, name)).filter(|known| distance(known, name) <= 3);
    match near {
        Some(near) => format!("this key is unknown; is `{near}` meant?"),
        None => format!("this key is unknown; known here are: {}", table.keys().cloned().collect::<Vec<_>>().join(", ")),
    }
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, cb) in b.iter().enumerate() {
            let (left, up) = (row.get(j).copied().unwrap_or(0), row.get(j + 1).copied().unwrap_or(0));
            let best = (diagonal + usize::from(ca != *cb)).min(left + 1).min(up + 1);
            diagonal = up;
            if let Some(cell) = row.get_mut(j + 1) {
                *cell = best;
            }
        }
    }
    row.last().copied().unwrap_or(0)
}

fn first_origin(tree: &Tree) -> Origin {
    match tree {
        Tree::Leaf(_, _, origin) => origin.clone(),
        Tree::Table(table) => table.values().next().map_or_else(nowhere, first_origin),
        Tree::List(list) => list.first().map_or_else(nowhere, first_origin),
    }
}

fn nowhere() -> Origin {
    Origin { place: "settings".to_owned(), line: 0 }
}

impl Tree {
    /// The tree without origins, for the typed readers.
    #[must_use]
    pub fn json(&self) -> Json {
        match self {
            Self::Leaf(json, _, _) => json.clone(),
            Self::Table(table) => Json::Object(table.iter().map(|(key, tree)| (key.clone(), tree.json())).collect()),
            Self::List(list) => Json::Array(list.iter().map(Self::json).collect()),
        }
    }

    /// Where the value of a dotted key came from.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        let mut here = self;
        for part in key.split('.') {
            let next = match here {
                Self::Table(table) => table.get(part),
                Self::List(list) => part.parse::<usize>().ok().and_then(|index| list.get(index)),
                Self::Leaf(..) => None,
            };
            match next {
                Some(tree) => here = tree,
                None => break,
            }
        }
        first_origin(here)
    }

    /// A tree of one dotted key, from the environment or a flag. The value is TOML where it reads as such, else a text.
    #[must_use]
    pub fn of_pair(key: &str, value: &str, place: &str) -> Self {
        let parsed = format!("v = {value}");
        let leaf = read(&parsed, place)
            .ok()
            .and_then(|tree| if let Self::Table(mut table) = tree { table.remove("v") } else { None })
            .unwrap_or_else(|| Self::Leaf(Json::String(value.to_owned()), Kind::Text, nowhere()));
        let leaf = match leaf {
            Self::Leaf(json, kind, _) => Self::Leaf(json, kind, Origin { place: format!("{place} {key}"), line: 0 }),
            other => other,
        };
        key.rsplit('.').fold(leaf, |tree, part| Self::Table(BTreeMap::from([(part.to_owned(), tree)])))
    }
}
