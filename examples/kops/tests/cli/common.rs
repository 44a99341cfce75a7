//! Runs the program as a user does: arguments in; exit code, standard output and standard error out.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A user with a directory of their own, and nothing in the environment but what is said here.
#[derive(Debug)]
pub(crate) struct Desk {
    directory: TempDir,
    pub(crate) environment: Vec<(String, String)>,
}

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A program's machine in its header: <https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html>.
pub(crate) const X86_64: u8 = 62;

impl Desk {
    /// With an empty state store in a directory.
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("kops-test-").tempdir().unwrap();
        fs::create_dir(directory.path().join("state")).unwrap();
        let state = format!("file://{}", directory.path().join("state").display());
        let mut desk = Self { directory, environment: Vec::new() };
        let program = desk.write_program("kops-node", X86_64);
        for (name, value) in [
            ("KOPS_STATE_STORE", state.as_str()),
            ("KOPS_NODE_PROGRAM", program.as_str()),
            ("USER", "ann"),
            ("PATH", env!("PATH")),
        ] {
            desk.set(name, value);
        }
        desk
    }

    /// Sets a variable of the environment.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(other, _)| other != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file and gives its path as text.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Writes the header of a program for machines, which none of these tests runs, and gives its path as text.
    pub(crate) fn write_program(&self, name: &str, machine: u8) -> String {
        let mut header = vec![0_u8; 64];
        header[..6].copy_from_slice(b"\x7fELF\x02\x01");
        header[18] = machine;
        let path = self.path(name);
        fs::write(&path, header).unwrap();
        path.display().to_string()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kops"));
        command
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("HOME", self.directory.path())
            .env("TMPDIR", self.directory.path())
            .current_dir(self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, "")
    }

    /// Runs a command with something on its standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Run {
        let mut child = self.start(arguments);
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Run::of(child)
    }

    /// Runs a command that must succeed; gives its standard output.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        assert_eq!(run.code, Some(0), "kops {}: {run:#?}", arguments.join(" "));
        run.out
    }

    /// Runs a command that must fail with exit code 1 and one error; gives the error.
    #[track_caller]
    pub(crate) fn fails(&self, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        assert_eq!(run.code, Some(1), "kops {}: {run:#?}", arguments.join(" "));
        run.err
    }

    /// The plan of a cluster.
    #[track_caller]
    pub(crate) fn plan(&self, cluster: &str, more: &[&str]) -> Value {
        let mut arguments = vec!["update", "cluster", cluster, "-o", "json"];
        arguments.extend(more);
        serde_json::from_str(&self.ok(&arguments)).unwrap()
    }

    /// All files below a directory, with their content: what must not change.
    pub(crate) fn files(&self, directory: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        collect(&self.path(directory), &mut found);
        found.sort();
        found
    }
}

impl Run {
    pub(crate) fn of(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn collect(directory: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_none_or(|extension| extension != "lock") && !path.ends_with("lock") {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
}

/// How many of what, as in a plan's summary.
pub(crate) fn summary(plan: &Value) -> [u64; 5] {
    ["create", "update", "replace", "delete", "unchanged"]
        .map(|what| plan["summary"][what].as_u64().unwrap_or_else(|| panic!("no {what} in {plan}")))
}

/// The actions of a plan with their tasks.
pub(crate) fn changes(plan: &Value) -> Vec<String> {
    let changes = plan["changes"].as_array().unwrap().iter();
    changes.map(|it| format!("{} {}", it["action"].as_str().unwrap(), it["task"].as_str().unwrap())).collect()
}
