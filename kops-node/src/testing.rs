//! For tests: an HTTP server that answers as told, and a clock that only sleeps on paper.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::http::{Http, Tls};

/// A request as the server sees it: method, path with query, headers in lower case, body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(it, _)| it == name).map_or("", |(_, value)| value)
    }
}

/// Status, headers, body.
pub(crate) type Answer = (u16, Vec<(String, String)>, Vec<u8>);

pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Answer {
    (200, Vec::new(), body.into())
}

/// Serves on the loopback until the test ends, and gives the URL.
pub(crate) fn serve(answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = std::sync::Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || while one(&stream, &*answer).is_some() {});
        }
    });
    url
}

fn one(stream: &TcpStream, answer: &dyn Fn(&Seen) -> Answer) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let mut words = line.split_whitespace();
    let mut seen =
        Seen { method: words.next()?.to_owned(), path: words.next()?.to_owned(), ..Seen::default() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        seen.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    if let Ok(length) = seen.header("content-length").parse::<usize>() {
        seen.body = vec![0; length];
        reader.read_exact(&mut seen.body).ok()?;
    }
    let (status, headers, body) = answer(&seen);
    let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = headers.concat();
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status} x\r\ncontent-length: {}\r\n{headers}\r\n", body.len()).ok()?;
    stream.write_all(&body).ok()
}

pub(crate) fn http() -> Http {
    Http::direct(&Tls::default()).unwrap()
}

/// Time that passes only by sleeping.
#[derive(Debug)]
pub(crate) struct TestClock {
    start: Timestamp,
    slept: Mutex<Duration>,
}

impl TestClock {
    pub(crate) fn at(start: Timestamp) -> Self {
        Self { start, slept: Mutex::default() }
    }

    /// Starts at the machine's time, for services that compare it with their own.
    pub(crate) fn real() -> Self {
        Self::at(Timestamp::now())
    }
}

impl Clock for TestClock {
    fn elapsed(&self) -> Duration {
        *self.slept.lock().unwrap()
    }

    fn now(&self) -> Timestamp {
        self.start + self.elapsed()
    }

    fn sleep(&self, wait: Duration) {
        *self.slept.lock().unwrap() += wait;
    }
}

/// Whether the machine lacks one of these programs, which is told loudly; with `KOPS_CI` set it is a failure.
pub(crate) fn lacks(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has = |it: &&&str| std::env::split_paths(&path).any(|directory| directory.join(it).is_file());
    let missing: Vec<_> = programs.iter().filter(|it| !has(it)).copied().collect();
    if missing.is_empty() {
        return false;
    }
    let why = format!("NOT TESTED: this machine lacks {}", missing.join(", "));
    assert!(std::env::var_os("KOPS_CI").is_none(), "{why}");
    // not eprintln!, which is not shown of a test that passes
    drop(writeln!(std::io::stderr(), "{why}"));
    true
}
