//! A machine in a directory, whose commands are answered by the test.

use std::path::PathBuf;
use std::sync::Mutex;

use super::{Command, Host, Output, Real};
use crate::error::Result;

type Answer = Box<dyn Fn(&str) -> Option<Output> + Send + Sync>;

pub(crate) struct TestHost {
    root: tempfile::TempDir,
    real: Real,
    answer: Answer,
    ran: Mutex<Vec<String>>,
}

impl std::fmt::Debug for TestHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestHost").field("root", &self.root).finish_non_exhaustive()
    }
}

pub(crate) fn says(stdout: &str) -> Output {
    Output { status: Some(0), stdout: stdout.to_owned(), stderr: String::new() }
}

pub(crate) fn fails(status: i32, stderr: &str) -> Output {
    Output { status: Some(status), stdout: String::new(), stderr: stderr.to_owned() }
}

impl TestHost {
    /// Commands that `answer` does not handle succeed without output.
    pub(crate) fn new(answer: impl Fn(&str) -> Option<Output> + Send + Sync + 'static) -> Self {
        let root = tempfile::tempdir().unwrap();
        let real = Real::new(root.path());
        for program in ["usr/bin", "proc/self", "etc"] {
            std::fs::create_dir_all(root.path().join(program)).unwrap();
        }
        Self { root, real, answer: Box::new(answer), ran: Mutex::default() }
    }

    pub(crate) fn quiet() -> Self {
        Self::new(|_| None)
    }

    pub(crate) fn put(&self, path: &str, text: &str) {
        self.real.write(path, text.as_bytes(), 0o755).unwrap();
    }

    pub(crate) fn text(&self, path: &str) -> String {
        String::from_utf8(self.real.read(path).unwrap().unwrap_or_else(|| panic!("{path} is missing")))
            .unwrap()
    }

    /// The commands since the last call.
    pub(crate) fn ran(&self) -> Vec<String> {
        let root = format!("{}/", self.root.path().display());
        std::mem::take(&mut *self.ran.lock().unwrap()).iter().map(|it| it.replace(&root, "/")).collect()
    }
}

impl Host for TestHost {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        self.real.read(path)
    }

    fn write(&self, path: &str, content: &[u8], mode: u32) -> Result<bool> {
        self.real.write(path, content, mode)
    }

    fn rewrite_in_place(&self, path: &str, change: &dyn Fn(&[u8]) -> Vec<u8>) -> Result<bool> {
        self.real.rewrite_in_place(path, change)
    }

    fn remove(&self, path: &str) -> Result<bool> {
        self.real.remove(path)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.real.rename(from, to)
    }

    fn make_directory(&self, path: &str, mode: u32) -> Result<()> {
        self.real.make_directory(path, mode)
    }

    fn list(&self, path: &str) -> Result<Vec<String>> {
        self.real.list(path)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.real.path(path)
    }

    fn run(&self, command: &Command) -> Result<Output> {
        self.ran.lock().unwrap().push(command.to_string());
        if command.words[0] == "tar" {
            return self.real.run(command);
        }
        Ok((self.answer)(&command.to_string()).unwrap_or_else(|| says("")))
    }
}
