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

    /// Answers every connection until it is dropped, as `answer` says to the request.
    pub fn answering(mut answer: impl FnMut(&str) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, requests) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            for socket in listener.incoming() {
                let mut socket = socket.unwrap();
                let request = read_request(&mut socket);
                if request.is_empty() {
                    return;
                }
                let answer = answer(&request);
                let _ = tell.send(request);
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

    /// Ends the silence of all that hold.
    pub fn release(&mut self) {
        self.release.take();
    }

    /// The next request that came in.
    pub fn request(&self) -> String {
        self.requests.recv().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.release.take();
        // An empty request ends the one that answers everything; the others have ended by themselves.
        let _ = TcpStream::connect(self.address);
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

/// What Go's file server makes of a request for a file: ranges from a start on, `If-Range`, no `ETag`.
pub fn as_lotus(request: &str, content: &[u8], modified: &str) -> Vec<u8> {
    let field = |name: &str| {
        let mut lines = request.split("\r\n");
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let fields = format!(
        "Content-Type: {FILE}\r\nLast-Modified: {modified}\r\nDate: Sun, 06 Nov 1994 09:00:00 GMT"
    );
    let start: Option<usize> = field("Range")
        .and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse()
                .ok()
        })
        .filter(|_| field("If-Range").is_none_or(|validator| validator == modified));
    let size = content.len();
    match start {
        Some(start) if start >= size => with_head(
            &format!("416 Range\r\nContent-Range: bytes */{size}\r\nContent-Length: 0"),
            b"",
        ),
        Some(start) => with_head(
            &format!(
                "206 Partial Content\r\n{fields}\r\nContent-Range: bytes {start}-{}/{size}\r\nContent-Length: {}",
                size - 1,
                size - start
            ),
            &content[start..],
        ),
        None => with_head(
            &format!("200 OK\r\n{fields}\r\nContent-Length: {size}"),
            content,
        ),
    }
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
