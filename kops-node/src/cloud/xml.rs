//! XML as returned by the clouds: elements and text.

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::error::{Error, Result};

/// An element: its name without prefix, its text, its children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Self>,
}

impl Element {
    /// Reads a document.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let wrong = |why: String| Error::invalid("reading XML", why);
        let mut reader = Reader::from_reader(bytes);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().map_err(|e| wrong(e.to_string()))? {
                Event::Start(start) => open.push(Self::named(start.local_name().as_ref())),
                Event::Empty(start) => {
                    let element = Self::named(start.local_name().as_ref());
                    open.last_mut().ok_or_else(|| wrong("no element".to_owned()))?.children.push(element);
                }
                Event::Text(text) => {
                    let text = text.decode().map_err(|e| wrong(e.to_string()))?;
                    open.last_mut().ok_or_else(|| wrong("no element".to_owned()))?.text.push_str(&text);
                }
                Event::GeneralRef(reference) => {
                    let named = reference.decode().map_err(|e| wrong(e.to_string()))?;
                    let resolved = match reference.resolve_char_ref().map_err(|e| wrong(e.to_string()))? {
                        Some(character) => character.to_string(),
                        None => quick_xml::escape::resolve_predefined_entity(&named)
                            .ok_or_else(|| wrong(format!("unknown entity {named}")))?
                            .to_owned(),
                    };
                    open.last_mut().ok_or_else(|| wrong("no element".to_owned()))?.text.push_str(&resolved);
                }
                Event::End(_) => {
                    let done = open.pop().ok_or_else(|| wrong("an end without a start".to_owned()))?;
                    open.last_mut()
                        .ok_or_else(|| wrong("an end without a start".to_owned()))?
                        .children
                        .push(done);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        let mut root =
            open.pop().filter(|_| open.is_empty()).ok_or_else(|| wrong("it is incomplete".to_owned()))?;
        root.children.pop().ok_or_else(|| wrong("it is empty".to_owned()))
    }

    fn named(name: &[u8]) -> Self {
        Self { name: String::from_utf8_lossy(name).into_owned(), ..Self::default() }
    }

    /// The children of this name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |it| it.name == name)
    }

    /// The text of the element at a path of names, empty if there is none.
    pub(crate) fn at(&self, path: &str) -> &str {
        let found = path.split('/').try_fold(self, |it, name| it.children.iter().find(|it| it.name == name));
        found.map_or("", |it| it.text.trim())
    }

    /// The items of a list in EC2's answers: `<name><item/>…</name>`.
    pub(crate) fn items<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.all(name).flat_map(|it| it.all("item"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_text_and_entities() {
        let root = Element::parse(
            b"<?xml version=\"1.0\"?><a:L xmlns:a=\"x\"><K>a &amp;&#x2F;b</K><K>c</K><E/></a:L>",
        )
        .unwrap();
        assert_eq!(root.name, "L");
        assert_eq!(root.all("K").map(|it| it.text.as_str()).collect::<Vec<_>>(), ["a &/b", "c"]);
        assert_eq!((root.at("K"), root.at("E"), root.at("X/Y")), ("a &/b", "", ""));
        assert!(Element::parse(b"<a><b></a>").is_err());
    }
}
