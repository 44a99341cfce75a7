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

    /// The length of its known parts, in bytes.
    pub(super) fn len(&self) -> usize {
        let of = |part: &Part| match part {
            Part::Text(text) => text.len(),
            Part::Secret(secret) => secret.expose().len(),
            Part::Output { .. } => 0,
        };
        self.0.iter().map(of).sum()
    }

    pub(super) fn into_secret(self) -> Input<Secret> {
        Input::secret(self.0)
    }
}

/// A text as a single shell word.
pub(super) fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_quotes() {
        assert_eq!(shell_word("it's $HOME"), r"'it'\''s $HOME'");
    }
}
