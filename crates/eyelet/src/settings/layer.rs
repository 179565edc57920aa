//! One place that settings are said in, as a tree: a file, or one word of the environment or the command line.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use toml::de::{DeTable, DeValue};

use crate::error::Result;
use crate::mistakes::{Mistakes, Said};

/// Values below their keys.
type Table = BTreeMap<String, Node>;

#[derive(Debug)]
struct Node {
    value: Value,
    /// Where it stands, and its key.
    place: String,
}

#[derive(Debug)]
enum Value {
    /// A text, number or truth, as it was written.
    Word(String),
    List(Vec<Node>),
    Table(Table),
    /// What no key takes: a date.
    Other,
}

/// What a mistake in a file is said to be in: `eyelet.toml:12`.
struct Lines<'a> {
    name: &'a str,
    text: &'a str,
}

impl Lines<'_> {
    fn place(&self, at: usize) -> String {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("{}:{line}", self.name)
    }

    fn table(&self, table: DeTable<'_>) -> Table {
        let nodes = table.into_iter().map(|(key, value)| {
            let place = format!("{}: {}", self.place(key.span().start), key.get_ref());
            (key.into_inner().into_owned(), self.node(value.into_inner(), place))
        });
        nodes.collect()
    }

    fn node(&self, value: DeValue<'_>, place: String) -> Node {
        let value = match value {
            DeValue::String(text) => Value::Word(text.into_owned()),
            DeValue::Integer(number) => {
                let whole = i128::from_str_radix(number.as_str(), number.radix());
                Value::Word(whole.map_or(number.as_str().to_owned(), |whole| whole.to_string()))
            }
            DeValue::Float(number) => Value::Word(number.as_str().to_owned()),
            DeValue::Boolean(truth) => Value::Word(truth.to_string()),
            DeValue::Datetime(_) => Value::Other,
            DeValue::Array(all) => {
                let items = all.into_iter().map(|item| {
                    let key = place.rsplit_once(": ").map_or("", |(_, key)| key);
                    let place = format!("{}: {key}", self.place(item.span().start));
                    self.node(item.into_inner(), place)
                });
                Value::List(items.collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node { value, place }
    }
}

/// What is read from, and what was asked for: whatever is there and was not asked for is a mistake.
#[derive(Debug)]
pub(super) struct Layer {
    root: Table,
    /// Words from outside a file have no lists: commas part them.
    is_file: bool,
    pub(super) mistakes: RefCell<Mistakes>,
    /// Every key that was asked for.
    known: RefCell<BTreeSet<Key>>,
}

/// A key that is understood.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// `limits.head-timeout`
    pub(super) path: String,
    /// It stands in one of several items, as `[[source]]`.
    pub(super) is_in_item: bool,
}

impl Layer {
    /// Reads a file; where it is no TOML, the mistakes say so and the rest is there.
    pub(super) fn file(name: &str, text: &str) -> Self {
        let lines = Lines { name, text };
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut mistakes = Mistakes::default();
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            mistakes.add(&lines.place(at), error.message());
        }
        Self::new(lines.table(table.into_inner()), true, mistakes)
    }

    /// Has one word at the end of `path`; `place` says where it is from.
    pub(super) fn word(path: &str, word: &str, place: &str) -> Self {
        let leaf = Node { value: Value::Word(word.to_owned()), place: place.to_owned() };
        let mut keys = path.rsplit('.');
        let last = keys.next().unwrap_or_default();
        let mut root = Table::from([(last.to_owned(), leaf)]);
        for key in keys {
            let node = Node { value: Value::Table(root), place: place.to_owned() };
            root = Table::from([(key.to_owned(), node)]);
        }
        Self::new(root, false, Mistakes::default())
    }

    fn new(root: Table, is_file: bool, mistakes: Mistakes) -> Self {
        Self { root, is_file, mistakes: mistakes.into(), known: RefCell::default() }
    }

    /// Tells whether it is a file; otherwise it is one word, and commas part the values of a list.
    pub(super) fn is_file(&self) -> bool {
        self.is_file
    }

    /// The keys at the top.
    pub(super) fn root(&self) -> Section<'_> {
        Section {
            layer: self,
            path: String::new(),
            table: Some(&self.root),
            place: String::new(),
            is_item: false,
        }
    }

    /// Every key that was asked for.
    pub(super) fn known(&self) -> BTreeSet<Key> {
        self.known.borrow().clone()
    }

    /// Notes every key that nobody asked for, and gives all mistakes.
    pub(super) fn finish(self) -> Mistakes {
        let known = self.known.take();
        let known: BTreeSet<&str> = known.iter().map(|key| key.path.as_str()).collect();
        let mut mistakes = self.mistakes.into_inner();
        note_unknown(&self.root, "", &known, &mut mistakes);
        mistakes
    }
}

fn note_unknown(table: &Table, path: &str, known: &BTreeSet<&str>, mistakes: &mut Mistakes) {
    for (key, node) in table {
        let path = join(path, key);
        if !known.contains(path.as_str()) {
            mistakes.add(&node.place, unknown(&path, known));
            continue;
        }
        match &node.value {
            Value::Table(table) => note_unknown(table, &path, known, mistakes),
            Value::List(items) => {
                for item in items {
                    if let Value::Table(table) = &item.value {
                        note_unknown(table, &path, known, mistakes);
                    }
                }
            }
            Value::Word(_) | Value::Other => {}
        }
    }
}

/// How many letters may differ in what somebody may have meant.
const MOST_SLIPS: usize = 3;

/// Says that a key is none, and which may have been meant.
fn unknown(path: &str, known: &BTreeSet<&str>) -> String {
    match nearest(path, known.iter().copied()) {
        Some(meant) => format!("there is no such key; `{meant}` may be meant"),
        None => "there is no such key; config/reference.toml has them all".to_owned(),
    }
}

/// The known word that is nearest to another one, if one is near.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let slips = known.map(|known| (strsim::damerau_levenshtein(word, known), known));
    slips.min().filter(|(slips, _)| (1..=MOST_SLIPS).contains(slips)).map(|(_, known)| known)
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The keys of one table.
#[derive(Debug)]
pub(super) struct Section<'a> {
    layer: &'a Layer,
    path: String,
    table: Option<&'a Table>,
    /// Where it begins.
    pub(super) place: String,
    is_item: bool,
}

impl<'a> Section<'a> {
    /// Notes that a key is understood, and gives what is there.
    fn node(&self, key: &str) -> Option<&'a Node> {
        let key_there = Key { path: join(&self.path, key), is_in_item: self.is_item };
        self.layer.known.borrow_mut().insert(key_there);
        self.table?.get(key)
    }

    /// Tells whether the table is there.
    pub(super) fn exists(&self) -> bool {
        self.table.is_some()
    }

    /// Tells whether a key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Where a key stands; where the table begins if it is not there.
    pub(super) fn place_of(&self, key: &str) -> String {
        let node = self.table.and_then(|table| table.get(key));
        node.map_or_else(|| self.place.clone(), |node| node.place.clone())
    }

    /// Notes a mistake.
    pub(super) fn mistake(&self, place: &str, text: &str) {
        self.layer.mistakes.borrow_mut().add(place, text);
    }

    /// Notes what went wrong in the whole table, if something did.
    pub(super) fn take<T>(&self, result: Result<T>) -> Option<T> {
        self.take_at(&self.place, result)
    }

    /// Notes what went wrong there, if something did.
    pub(super) fn take_at<T>(&self, place: &str, result: Result<T>) -> Option<T> {
        self.layer.mistakes.borrow_mut().take(place, result)
    }

    /// Reads one value; none if it is not there, or wrong.
    pub(super) fn said<T>(&self, key: &str, read: impl Fn(&str) -> Result<T>) -> Option<Said<T>> {
        let node = self.node(key)?;
        let Value::Word(word) = &node.value else {
            self.mistake(&node.place, "takes one value, a text, a number or true and false");
            return None;
        };
        let value = self.layer.mistakes.borrow_mut().take(&node.place, read(word))?;
        Some(Said::new(value, node.place.as_str()))
    }

    /// The same without its place.
    pub(super) fn one<T>(&self, key: &str, read: impl Fn(&str) -> Result<T>) -> Option<T> {
        self.said(key, read).map(|said| said.value)
    }

    /// Reads a list of values; one alone is a list as well. None if it is not there.
    pub(super) fn list<T>(
        &self,
        key: &str,
        read: impl Fn(&str) -> Result<T>,
    ) -> Option<Vec<Said<T>>> {
        self.values(key, read, !self.layer.is_file)
    }

    /// The same for values that may have commas.
    pub(super) fn list_of_whole<T>(
        &self,
        key: &str,
        read: impl Fn(&str) -> Result<T>,
    ) -> Option<Vec<Said<T>>> {
        self.values(key, read, false)
    }

    fn values<T>(
        &self,
        key: &str,
        read: impl Fn(&str) -> Result<T>,
        has_commas: bool,
    ) -> Option<Vec<Said<T>>> {
        let node = self.node(key)?;
        let words: Vec<(&str, &str)> = match &node.value {
            Value::Word(words) if has_commas => {
                words.split(',').map(|word| (word.trim(), &*node.place)).collect()
            }
            Value::Word(word) => vec![(word, &node.place)],
            Value::List(items) if items.iter().all(|item| matches!(item.value, Value::Word(_))) => {
                let word = |item: &'a Node| match &item.value {
                    Value::Word(word) => Some((word.as_str(), item.place.as_str())),
                    _ => None,
                };
                items.iter().filter_map(word).collect()
            }
            _ => {
                self.mistake(&node.place, "takes a list of values, as [\"a\", \"b\"]");
                return None;
            }
        };
        let mut mistakes = self.layer.mistakes.borrow_mut();
        let read =
            |(word, place): (&str, &str)| Some(Said::new(mistakes.take(place, read(word))?, place));
        Some(words.into_iter().filter_map(read).collect())
    }

    /// Gives a table in this one; an empty one if it is not there.
    pub(super) fn section(&self, key: &str) -> Section<'a> {
        let (table, place) = match self.node(key) {
            Some(Node { value: Value::Table(table), place }) => (Some(table), place.clone()),
            Some(node) => {
                let header =
                    format!("is a table: write [{}] and its keys below", join(&self.path, key));
                self.mistake(&node.place, &header);
                (None, String::new())
            }
            None => (None, String::new()),
        };
        Section {
            layer: self.layer,
            path: join(&self.path, key),
            table,
            place,
            is_item: self.is_item,
        }
    }

    /// Gives the tables of a list of them; none if it is not there.
    pub(super) fn items(&self, key: &str) -> Vec<Section<'a>> {
        let path = join(&self.path, key);
        let item = |table, place: &str| Section {
            layer: self.layer,
            path: path.clone(),
            table,
            place: place.to_owned(),
            is_item: true,
        };
        let Some(node) = self.node(key) else { return Vec::new() };
        let Value::List(nodes) = &node.value else {
            let header = format!("there may be several: write [[{path}]] and its keys below");
            self.mistake(&node.place, &header);
            return Vec::new();
        };
        let items = nodes.iter().filter_map(|node| match &node.value {
            Value::Table(table) => Some(item(Some(table), &node.place)),
            _ => {
                self.mistake(&node.place, "takes tables");
                None
            }
        });
        items.collect()
    }

    /// An item that is not there: to learn which keys it would have.
    pub(super) fn no_item(&self, key: &str) -> Section<'a> {
        let path = join(&self.path, key);
        Section { layer: self.layer, path, table: None, place: String::new(), is_item: true }
    }

    /// Gives every key and word of the table, in the order of the keys; for tables whose keys are somebody else's.
    pub(super) fn words(&self) -> Vec<(String, String)> {
        let mut words = Vec::new();
        for key in self.table.into_iter().flat_map(BTreeMap::keys) {
            if let Some(word) = self.one(key, |word| Ok(word.to_owned())) {
                words.push((key.clone(), word));
            }
        }
        words
    }
}
