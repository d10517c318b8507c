//! A door over loopback, with a small HTTP/1.1 server behind it as the control plane.
#![allow(dead_code)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use remote::FileType;
use remote::door::{Event, FrontDoor, Observer, Options, ServeEngine, Verdict};
use rustix::net::{AddressFamily, SocketType};
use tempfile::TempDir;

pub const UUID: &str = "0c6a3c5e-5a2b-4b0e-9d8a-0123456789ab";
const PATIENCE: Duration = Duration::from_secs(10);

struct Judge {
    door: OnceLock<Weak<FrontDoor>>,
    events: Mutex<Sender<Event>>,
    asked: Mutex<Sender<String>>,
}

impl Observer for Judge {
    fn authorize(&self, ticket: u64, token: &str) {
        self.asked.lock().unwrap().send(token.to_owned()).ok();
        let verdict = match token {
            "good" => Verdict::Allowed,
            "reader" => Verdict::Forbidden,
            "early" => Verdict::Unavailable,
            scope if scope.contains("-storage") => {
                Verdict::Scoped(Arc::new([scope].iter().collect()))
            }
            "silence" => return,
            _ => Verdict::Denied,
        };
        if let Some(door) = self.door.get().and_then(Weak::upgrade) {
            door.verdict(ticket, verdict, Duration::from_secs(60));
        }
    }

    fn event(&self, event: Event) {
        self.events.lock().unwrap().send(event).ok();
    }
}

/// A door, its files, and what it told.
pub struct Site {
    pub door: Arc<FrontDoor>,
    pub port: u16,
    pub root: TempDir,
    pub events: Receiver<Event>,
    pub asked: Receiver<String>,
    hidden: Hidden,
}

/// Sector files that only the control plane knows of, by the last word of their URL.
type Hidden = Arc<Mutex<HashMap<String, PathBuf>>>;

impl Site {
    pub fn open() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Options)) -> Self {
        let plane = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut options = options(plane.local_addr().unwrap().port());
        change(&mut options);
        let ((events, told), (questions, asked)) = (channel(), channel());
        let judge = Arc::new(Judge {
            door: OnceLock::new(),
            events: Mutex::new(events),
            asked: Mutex::new(questions),
        });
        let door = Arc::new(FrontDoor::new(options, judge.clone()).unwrap());
        judge.door.set(Arc::downgrade(&door)).unwrap();
        let port = door.start().unwrap();
        let hidden = Hidden::default();
        let (behind, known) = (Arc::downgrade(&door), hidden.clone());
        std::thread::spawn(move || serve_control_plane(&plane, &behind, &known));
        Self {
            door,
            port,
            root: tempfile::tempdir().unwrap(),
            events: told,
            asked,
            hidden,
        }
    }

    /// Writes a sector file that the control plane publishes when it is asked for.
    pub fn hide(&self, name: &str, bytes: &[u8]) {
        let path = self.root.path().join("sealed").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        self.hidden.lock().unwrap().insert(name.to_owned(), path);
    }

    /// Writes a sector file and publishes it.
    pub fn publish(&self, kind: FileType, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.root.path().join(kind.word()).join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        self.door
            .publish("path-1", kind, name.parse().unwrap(), path.clone());
        path
    }

    /// Writes a cache directory and publishes it.
    pub fn publish_cache(&self, name: &str, files: &[(&str, &[u8])]) -> PathBuf {
        let path = self.root.path().join("cache").join(name);
        std::fs::create_dir_all(&path).unwrap();
        for (file, bytes) in files {
            std::fs::write(path.join(file), bytes).unwrap();
        }
        self.door.publish(
            "path-1",
            FileType::Cache,
            name.parse().unwrap(),
            path.clone(),
        );
        path
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.port)
    }

    /// From another address of this machine.
    pub fn connect_from(&self, address: &str) -> Client {
        let address: Ipv4Addr = address.parse().unwrap();
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddrV4::new(address, 0)).unwrap();
        let door = SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port);
        rustix::net::connect(&socket, &door).unwrap();
        Client::over(socket.into())
    }

    /// Waits until the door has told an event of this name.
    pub fn event(&self, name: &str) -> Event {
        loop {
            let event = self
                .events
                .recv_timeout(PATIENCE)
                .expect("the door tells it");
            if event.event == name {
                return event;
            }
        }
    }
}

pub fn options(upstream_port: u16) -> Options {
    Options {
        host: "127.0.0.1".into(),
        port: 0,
        upstream_port,
        max_transfers: 2,
        max_connections: 64,
        max_connections_per_address: 64,
        head_timeout: PATIENCE,
        idle_timeout: PATIENCE,
        progress_timeout: PATIENCE,
        min_rate: 0,
        verdict_timeout: PATIENCE,
        upload_wait: PATIENCE,
        serve_engine: ServeEngine::Auto,
    }
}

/// Bytes that differ from their neighbours at every distance that matters.
pub fn content(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        let fits = |line: &&str| {
            line.split(':')
                .next()
                .is_some_and(|word| word.eq_ignore_ascii_case(name))
        };
        self.head
            .lines()
            .skip(1)
            .find(fits)
            .and_then(|line| line.split_once(": "))
            .map(|(_, value)| value)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// One connection to the door.
pub struct Client {
    pub stream: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(port: u16) -> Self {
        Self::over(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap())
    }

    pub fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    pub fn ask(&mut self, request: &str) -> Answer {
        self.send(request);
        self.answer(request.starts_with("HEAD"))
    }

    pub fn head(&mut self) -> Option<String> {
        let mut head = String::new();
        loop {
            match self.stream.read_line(&mut head) {
                Ok(0) => return None,
                Ok(_) if head.ends_with("\r\n\r\n") => return Some(head),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub fn answer(&mut self, head_only: bool) -> Answer {
        let head = self.head().expect("an answer");
        let mut answer = Answer {
            status: head[9..12].parse().unwrap(),
            head,
            body: Vec::new(),
        };
        let length = answer
            .field("content-length")
            .map_or(0, |text| text.parse().unwrap());
        if answer.field("transfer-encoding").is_some() {
            answer.body = read_chunks(&mut self.stream);
        } else if !head_only && answer.status != 304 {
            answer.body = vec![0; length];
            self.stream.read_exact(&mut answer.body).unwrap();
        }
        answer
    }

    /// Whether the server has closed politely; false when it reset the connection.
    pub fn is_closed_politely(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}"),
        }
    }

    pub fn end(&mut self) {
        self.stream.get_mut().shutdown(Shutdown::Write).unwrap();
    }
}

/// A request of a caller with a good token.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n")
}

pub fn get_with(path: &str, field: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n{field}\r\n\r\n")
}

pub fn call(body: &str) -> String {
    format!(
        "POST /rpc/v0 HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn serve_control_plane(plane: &TcpListener, door: &Weak<FrontDoor>, hidden: &Hidden) {
    for stream in plane.incoming() {
        let (Ok(stream), door, hidden) = (stream, door.clone(), hidden.clone()) else {
            return;
        };
        std::thread::spawn(move || {
            let address = stream.peer_addr();
            if let Ok(SocketAddr::V4(address)) = address {
                serve_tunnel(stream, *address.ip(), &door, &hidden);
            }
        });
    }
}

/// Answers each request with its method, path and body; a hidden sector file is published and handed back;
/// `/slow` is never answered; `/peer` tells who calls; `/chunked` is answered in chunks; after `/upgrade`
/// every byte comes back. Like uWebSockets it
/// takes no request before it has answered the one before.
fn serve_tunnel(stream: TcpStream, address: Ipv4Addr, door: &Weak<FrontDoor>, hidden: &Hidden) {
    assert_eq!(
        address.octets()[..2],
        [127, 64],
        "a tunnel comes from the tunnels' network"
    );
    let mut reader = BufReader::new(stream);
    while let Some((head, body)) = read_request(&mut reader) {
        let mut words = head.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        assert!(reader.buffer().is_empty(), "one request at a time");
        let text = match path {
            "/slow" => continue,
            "/peer" => peer(door, address),
            "/upgrade" => {
                let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n\r\n";
                reader.get_mut().write_all(answer).unwrap();
                let mut back = reader.get_ref().try_clone().unwrap();
                std::io::copy(&mut reader, &mut back).ok();
                return;
            }
            _ if path.starts_with("/remote/sealed/") => {
                let name = path.rsplit('/').next().unwrap();
                let door = door.upgrade().unwrap();
                let path = hidden.lock().unwrap()[name].clone();
                door.publish("path-1", FileType::Sealed, name.parse().unwrap(), path);
                assert!(door.hand_back(address, head.as_bytes()));
                return;
            }
            _ => format!("{method} {path} {}", String::from_utf8_lossy(&body)),
        };
        let answer = if path == "/chunked" {
            format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{text}\r\n0\r\n\r\n",
                text.len()
            )
        } else {
            let body = if method == "HEAD" { "" } else { &text };
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                text.len()
            )
        };
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if !reader.read_line(&mut head).is_ok_and(|bytes| bytes > 0) {
            return None;
        }
    }
    if head.contains("Transfer-Encoding: chunked") {
        let body = read_chunks(reader);
        return Some((head, body));
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .map(str::parse);
    let mut body = vec![0; length.map_or(0, Result::unwrap)];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn read_chunks(reader: &mut impl BufRead) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
        let from = body.len();
        body.resize(from + size, 0);
        reader.read_exact(&mut body[from..]).unwrap();
        reader.read_line(&mut line).unwrap();
        if size == 0 {
            return body;
        }
    }
}

fn peer(door: &Weak<FrontDoor>, address: Ipv4Addr) -> String {
    let peer = door.upgrade().and_then(|door| door.peer_of(address));
    assert!(peer.is_none_or(|peer| peer.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST)));
    peer.map_or_else(|| "nobody".into(), |peer| peer.to_string())
}
