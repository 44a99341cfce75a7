//! Parsing of a page of a blob listing, which is XML.

use quick_xml::events::Event;

/// The content of a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Blobs and their ETags.
    pub(super) blobs: Vec<(String, String)>,
    /// Prefixes that stand for all blobs below a slash.
    pub(super) prefixes: Vec<String>,
    /// The marker of the next page; empty if there is none.
    pub(super) next: String,
}

impl Page {
    /// Parses the response of List Blobs.
    pub(super) fn read(bytes: &[u8]) -> quick_xml::Result<Self> {
        let mut reader = quick_xml::Reader::from_reader(bytes);
        let (mut page, mut path) = (Self::default(), Vec::<String>::new());
        let (mut name, mut tag, mut buffer) = (String::new(), String::new(), Vec::new());
        loop {
            match reader.read_event_into(&mut buffer)? {
                Event::Eof => return Ok(page),
                Event::Start(start) => {
                    path.push(String::from_utf8_lossy(start.name().as_ref()).into_owned());
                }
                Event::End(end) => {
                    match end.name().as_ref() {
                        b"Blob" => {
                            page.blobs.push((std::mem::take(&mut name), std::mem::take(&mut tag)));
                        }
                        b"BlobPrefix" => page.prefixes.push(std::mem::take(&mut name)),
                        _ => {}
                    }
                    path.pop();
                }
                Event::Text(text) => {
                    let text = text.decode()?;
                    Self::put(&path, &text, &mut page.next, &mut name, &mut tag);
                }
                // `&amp;` and the like are separate events.
                Event::GeneralRef(entity) => {
                    let entity = entity.decode()?;
                    let text = match &*entity {
                        "amp" => "&",
                        "lt" => "<",
                        "gt" => ">",
                        "quot" => "\"",
                        "apos" => "'",
                        _ => continue,
                    };
                    Self::put(&path, text, &mut page.next, &mut name, &mut tag);
                }
                _ => {}
            }
            buffer.clear();
        }
    }

    fn put(path: &[String], text: &str, next: &mut String, name: &mut String, tag: &mut String) {
        match path.last().map(String::as_str) {
            Some("NextMarker") => next.push_str(text),
            Some("Name") => name.push_str(text),
            Some("Etag") => tag.push_str(text),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Page;

    #[test]
    fn a_page_is_read() {
        let xml =
            b"<?xml version=\"1.0\"?><EnumerationResults><Blobs><Blob><Name>a&amp;b/c</Name><Properties>\
            <Etag>0x1</Etag></Properties></Blob><BlobPrefix><Name>x/</Name></BlobPrefix></Blobs>\
            <NextMarker>n</NextMarker></EnumerationResults>";
        let page = Page::read(xml).unwrap();
        assert_eq!(page.blobs, [("a&b/c".to_owned(), "0x1".to_owned())]);
        assert_eq!((page.prefixes, page.next), (vec!["x/".to_owned()], "n".to_owned()));
    }
}
