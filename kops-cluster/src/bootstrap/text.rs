//! Text that may contain values that are not known yet.

use kops_core::graph::{Input, Part, Secret};

/// A text under construction.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Text(Vec<Part>);

impl Text {
    pub(super) fn push(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(Part::Text(last)) => last.push_str(text),
            _ => self.0.push(text.into()),
        }
    }

    pub(super) fn push_input(&mut self, input: &Input<String>) {
        match input {
            Input::Known(text) => self.push(text),
            Input::Output(output) => self.0.push(Part::Output { output: output.clone() }),
            Input::Concat(parts) => self.append(Self(parts.clone())),
        }
    }

    pub(super) fn push_secret(&mut self, text: &str) {
        self.0.push(Part::Secret(Secret::new(text)));
    }

    pub(super) fn append(&mut self, other: Self) {
        for part in other.0 {
            match part {
                Part::Text(text) => self.push(&text),
                other => self.0.push(other),
            }
        }
    }

    pub(super) fn into_secret(self) -> Input<Secret> {
        Input::secret(self.0)
    }
}

/// A text as a double-quoted YAML scalar in ASCII; every JSON string is one.
pub(super) fn quoted(text: &str) -> String {
    use std::fmt::Write;

    let json = serde_json::Value::from(text).to_string();
    json.chars().fold(String::with_capacity(json.len()), |mut ascii, c| {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string never fails.
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
        ascii
    })
}

/// A text as a single shell word.
pub(super) fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_ascii_and_read_back() {
        let text = "a \"b\"\n\\ é 😀 '";
        let scalar = quoted(text);
        assert!(scalar.is_ascii(), "{scalar}");
        assert_eq!(serde_json::from_str::<String>(&scalar).unwrap(), text);
    }

    #[test]
    fn words_keep_their_quotes() {
        assert_eq!(shell_word("it's $HOME"), r"'it'\''s $HOME'");
    }
}
