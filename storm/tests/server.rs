//! `storm server` from outside: it serves, is slowed down, and ends with who started it.

#![cfg(target_os = "linux")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::{events, signal, storm, wait_for_processes};

/// A server, killed when the test ends, and where it listens.
struct Server(Child, SocketAddr);

impl Server {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().parse().unwrap_or_else(|_| panic!("no address: {line:?}"));
        Self(child, address)
    }

    /// The status and the body of the answer.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.1).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: chat\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_server_alone_stores_a_message_once_and_gives_it_back() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&mut storm(directory.path(), &["server", "--capacity", "1000", "--log", "log.jsonl"]));
    for _ in 0..2 {
        let (status, body) = server.ask("POST", "/messages", r#"{"id": "m", "text": "hello"}"#);
        assert_eq!((status, body.as_str()), (200, r#"{"stored":true}"#));
    }
    assert_eq!(server.ask("GET", "/messages/m", "").0, 200);
    assert_eq!(server.ask("PUT", "/speed", "0.5").0, 200);
    assert_eq!(server.ask("PUT", "/speed", "2").0, 400);
    let log = events(&directory.path().join("log.jsonl"));
    let count = |name: &str| log.iter().filter(|event| event["event"] == name).count();
    assert_eq!((count("arrived"), count("stored"), count("speed")), (2, 1, 1));
}

#[test]
fn it_ends_at_the_end_of_its_input_only_where_that_was_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("log.jsonl").to_string_lossy().into_owned();
    let mut bound = Server::start(&mut storm(directory.path(), &["server", "--log", &place, "--until-end-of-input"]));
    drop(bound.0.stdin.take());
    wait_for_processes(directory.path(), 0);

    let mut free = Server::start(&mut storm(directory.path(), &["server"]));
    drop(free.0.stdin.take());
    let deadline = Instant::now() + Duration::from_millis(200);
    while Instant::now() < deadline {
        assert!(free.0.try_wait().unwrap().is_none(), "it ended");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(free.ask("GET", "/messages/m", "").0, 404);
}

#[test]
fn ctrl_c_ends_it_also_where_a_script_has_started_it_in_the_background() {
    let directory = tempfile::tempdir().unwrap();
    let program = storm(directory.path(), &["server"]).get_program().to_owned();
    let mut in_background = Command::new("sh");
    // As a shell does with what ends with an ampersand.
    in_background.args(["-c", "trap '' INT; exec \"$0\" server"]).arg(program);
    for command in [&mut storm(directory.path(), &["server"]), &mut in_background] {
        let mut server = Server::start(command);
        signal(&server.0, "-INT");
        assert_eq!(server.0.wait().unwrap().code(), Some(130));
        assert!(TcpStream::connect(server.1).is_err());
    }
}

#[test]
fn a_port_that_is_taken_is_an_error_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let first = Server::start(&mut storm(directory.path(), &["server"]));
    let port = first.1.port().to_string();
    let output = storm(directory.path(), &["server", "--port", &port]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains(&format!("127.0.0.1:{port} cannot be listened on")), "{error}");
}
