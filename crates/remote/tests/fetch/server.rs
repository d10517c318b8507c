//! A server that answers each connection as its script says, whatever it was asked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

/// How a connection ends after its answer.
pub enum End {
    Close,
    /// Nothing more is sent until the server is dropped.
    Hold,
}

pub struct Answer {
    pub bytes: Vec<u8>,
    pub end: End,
}

/// An answer that is followed by a close.
pub fn closing(bytes: impl Into<Vec<u8>>) -> Answer {
    Answer {
        bytes: bytes.into(),
        end: End::Close,
    }
}

/// An answer after which the server falls silent.
pub fn holding(bytes: impl Into<Vec<u8>>) -> Answer {
    Answer {
        bytes: bytes.into(),
        end: End::Hold,
    }
}

pub struct Server {
    pub address: SocketAddr,
    requests: Receiver<String>,
    release: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(answers: Vec<Answer>) -> Self {
        Self::start_on("127.0.0.1:0", answers)
    }

    pub fn start_on(address: &str, answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, requests) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            for answer in answers {
                let (mut socket, _) = listener.accept().unwrap();
                let _ = tell.send(read_request(&mut socket));
                // The client may have seen enough and be gone.
                let _ = socket.write_all(&answer.bytes);
                if matches!(answer.end, End::Hold) {
                    let _ = released.recv();
                }
            }
        });
        Self {
            address,
            requests,
            release: Some(release),
            thread: Some(thread),
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request that came in.
    pub fn request(&self) -> String {
        self.requests.recv().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.release.take();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(
                thread::panicking() || ended.is_ok(),
                "the server's script failed"
            );
        }
    }
}

fn read_request(socket: &mut TcpStream) -> String {
    let (mut text, mut byte) = (Vec::new(), [0u8]);
    while !text.ends_with(b"\r\n\r\n") && socket.read(&mut byte).unwrap_or(0) == 1 {
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

/// A head and a body, with the body's length.
pub fn counted(media_type: &str, body: &[u8]) -> Vec<u8> {
    with_head(
        &format!(
            "200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {}",
            body.len()
        ),
        body,
    )
}

/// A head and what stands behind it.
pub fn with_head(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {head}\r\n\r\n").as_bytes(), body].concat()
}

/// A chunked answer in Go's pieces of 32 KiB, with `last` behind the data.
pub fn chunked(media_type: &str, body: &[u8], last: &str) -> Vec<u8> {
    let mut bytes = with_head(
        &format!("200 OK\r\nContent-Type: {media_type}\r\nTransfer-Encoding: chunked"),
        b"",
    );
    for piece in body.chunks(32 << 10) {
        bytes.extend(format!("{:x}\r\n", piece.len()).bytes());
        bytes.extend(piece);
        bytes.extend(b"\r\n");
    }
    bytes.extend(last.bytes());
    bytes
}

pub const LAST: &str = "0\r\n\r\n";
pub const FILE: &str = "application/octet-stream";
pub const TAR: &str = "application/x-tar";
