//! An identity service that lets everybody in, and a catalogue of services that nobody serves: all that connecting to
//! OpenStack takes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

/// The services of the catalogue, as Keystone calls them.
const SERVICES: [&str; 7] =
    ["compute", "network", "block-storage", "image", "load-balancer", "dns", "object-store"];

/// Starts the service, for as long as the process lives, and says where it is.
pub(crate) fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/v3", listener.local_addr().unwrap());
    let token = token(&address).to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &token);
        }
    });
    address
}

/// Whoever asks for a token, or about one, is given the same.
fn answer(stream: TcpStream, token: &str) {
    let mut request = BufReader::new(stream);
    let mut length = 0;
    for line in request.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
    }
    std::io::copy(&mut request.by_ref().take(length), &mut std::io::sink()).unwrap();
    let head = "HTTP/1.1 201 Created\r\nX-Subject-Token: token\r\nConnection: close\r\nContent-Type: application/json";
    write!(request.get_mut(), "{head}\r\nContent-Length: {}\r\n\r\n{token}", token.len()).unwrap();
}

fn token(identity: &str) -> Value {
    // Nobody listens there: whatever asks a service would fail at once.
    let nowhere = "http://127.0.0.1:9";
    let service = |kind: &str, url: &str| json!({ "type": kind, "endpoints": [{ "interface": "public", "region": "here", "url": url }] });
    let services = SERVICES.iter().map(|kind| service(kind, nowhere));
    let catalog: Vec<_> = services.chain([service("identity", identity)]).collect();
    json!({ "token": {
        "expires_at": "2100-01-01T00:00:00.000000Z", "catalog": catalog, "project": { "id": "0123456789abcdef" },
    } })
}
