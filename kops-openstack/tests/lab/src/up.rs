//! Bringing the services up, once for a process.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

const HERE: &str = env!("CARGO_MANIFEST_DIR");
/// As in `up.sh`.
const FIRST_PORT: u16 = 17_000;

/// The running lab.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) folder: PathBuf,
    /// Holds the lab for as long as its standard input is open, which ends with this process.
    _keeper: Child,
}

impl Home {
    pub(crate) fn auth_url() -> String {
        format!("http://127.0.0.1:{}/v3", first_port())
    }

    /// The address of a service.
    pub(crate) fn endpoint(service: &str) -> String {
        let order =
            ["keystone", "glance", "placement", "nova", "neutron", "cinder", "octavia", "designate", "swift"];
        let at = order.iter().position(|it| *it == service).unwrap_or_else(|| panic!("no service {service}"));
        format!("http://127.0.0.1:{}", first_port() + u16::try_from(at).unwrap_or_default())
    }
}

/// The lab, brought up on first demand; or why it cannot be had.
pub(crate) fn home() -> Result<&'static Home, String> {
    static HOME: OnceLock<Result<Home, String>> = OnceLock::new();
    HOME.get_or_init(bring_up).as_ref().map_err(Clone::clone)
}

pub(crate) fn first_port() -> u16 {
    let Some(given) = std::env::var_os("OSLAB_PORT") else { return FIRST_PORT };
    let port = given.to_str().and_then(|port| port.parse().ok());
    port.unwrap_or_else(|| panic!("OSLAB_PORT is no port: {}", given.display()))
}

fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("OSLAB_DIR") {
        return PathBuf::from(folder);
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    cache.or_else(home).unwrap_or_else(std::env::temp_dir).join("kops-openstack")
}

fn bring_up() -> Result<Home, String> {
    let folder = folder();
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    // One at a time: the next finds it up.
    let lock = lock(&folder)?;
    let mut keeper = script("keep.sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("keep.sh: {error}"))?;
    let mut held = String::new();
    if let Some(output) = keeper.stdout.take() {
        let _ = BufReader::new(output).read_line(&mut held);
    }
    if held.trim() != "held" {
        return Err("the lab cannot be held: is there `flock` (of util-linux)?".to_owned());
    }
    let log = folder.join("up.log");
    let output = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let errors = output.try_clone().map_err(|error| error.to_string())?;
    // What an earlier run has left is of no use; with others at work it is.
    let mut up = script("up.sh");
    if !is_up() {
        up.arg("--reset");
    }
    let status = up.stdin(Stdio::null()).stdout(output).stderr(errors).status();
    let told = || fs::read_to_string(&log).unwrap_or_default();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(format!("up.sh: {status}; {}:\n{}", log.display(), told())),
        Err(error) => return Err(format!("up.sh: {error}")),
    }
    drop(lock);
    Ok(Home { folder, _keeper: keeper })
}

/// Nobody else starts or ends services meanwhile.
fn lock(folder: &Path) -> Result<File, String> {
    let lock = File::create(folder.join("start.lock")).and_then(|file| file.lock().map(|()| file));
    lock.map_err(|error| format!("{}: {error}", folder.display()))
}

fn is_up() -> bool {
    std::net::TcpStream::connect(("127.0.0.1", first_port())).is_ok()
}

/// A program of the lab in Python, for the services that run.
pub(crate) fn python(module: &str) -> Command {
    let folder = folder();
    let venv = std::env::var_os("OSLAB_VENV").map_or_else(|| folder.join("venv"), PathBuf::from);
    let mut command = Command::new(venv.join("bin/python"));
    command.args(["-m", module]).env("PYTHONPATH", HERE).env("OSLAB_DIR", &folder);
    command.env("OS_CLIENT_CONFIG_FILE", folder.join("clouds.yaml")).env_remove("OS_CLOUD");
    for name in ["no_proxy", "NO_PROXY"] {
        command.env(name, "127.0.0.1,localhost");
    }
    command
}

fn script(name: &str) -> Command {
    let mut command = Command::new("bash");
    command.arg(format!("{HERE}/{name}")).env("OSLAB_DIR", folder());
    command
}

/// Kills a service and starts it again.
pub(crate) fn crash(service: &str) {
    // Otherwise a process that comes to the lab just now would start it, too.
    let _lock = lock(&folder()).unwrap_or_else(|why| panic!("{why}"));
    for (name, arguments) in [("down.sh", vec!["--kill", service]), ("up.sh", vec!["--only", service])] {
        let output = script(name).args(arguments).stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
