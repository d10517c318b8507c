//! Requests of all kinds, sent without waiting, on one connection: each is answered, whole and in order.

mod site;

use proptest::prelude::*;
use remote::FileType::Sealed;
use site::{Client, Site, call, content, get, get_with};

const KNOWN: &str = "/remote/sealed/s-t01000-7";

#[derive(Clone, Debug)]
enum Ask {
    /// Answered by the door.
    File,
    Range(usize, usize),
    FileHead,
    Refused,
    /// Answered through the tunnel.
    Call(String),
    Chunks(Vec<String>),
    CallHead,
    AnsweredInChunks,
    /// Goes through the tunnel and comes back.
    Hidden,
}

fn ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        Just(Ask::File),
        (0..4_000usize, 0..5_000usize).prop_map(|(from, more)| Ask::Range(from, from + more)),
        Just(Ask::FileHead),
        Just(Ask::Refused),
        "[a-z]{0,40}".prop_map(Ask::Call),
        // As long as to fill buffers on its way.
        (200_000..400_000usize).prop_map(|length| Ask::Call("x".repeat(length))),
        proptest::collection::vec("[a-z]{1,20}", 0..4).prop_map(Ask::Chunks),
        Just(Ask::CallHead),
        Just(Ask::AnsweredInChunks),
        Just(Ask::Hidden),
        Just(Ask::Hidden),
    ]
}

fn request(ask: &Ask, index: usize) -> String {
    match ask {
        Ask::File => get(KNOWN),
        Ask::Range(from, to) => get_with(KNOWN, &format!("Range: bytes={from}-{to}")),
        Ask::FileHead => get(KNOWN).replace("GET", "HEAD"),
        Ask::Refused => get(KNOWN).replace("good", "reader"),
        Ask::Call(body) => call(body),
        Ask::Chunks(chunks) => {
            let mut body = String::new();
            for chunk in chunks {
                body += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
            }
            format!("POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{body}0\r\n\r\n")
        }
        Ask::CallHead => get("/healthz").replace("GET", "HEAD"),
        Ask::AnsweredInChunks => get("/chunked"),
        Ask::Hidden => get(&format!("/remote/sealed/s-t01000-{}", 100 + index)),
    }
}

fn check(client: &mut Client, ask: &Ask, index: usize, known: &[u8]) {
    let answer = client.answer(matches!(ask, Ask::FileHead | Ask::CallHead));
    let status = match ask {
        Ask::Range(..) => 206,
        Ask::Refused => 401,
        _ => 200,
    };
    assert_eq!(answer.status, status, "request {index}: {ask:?}");
    let expected = match ask {
        Ask::File => known.to_vec(),
        Ask::Range(from, to) => known[*from..known.len().min(to + 1)].to_vec(),
        Ask::FileHead | Ask::CallHead => Vec::new(),
        Ask::Refused => return,
        Ask::Call(body) => format!("POST /rpc/v0 {body}").into_bytes(),
        Ask::Chunks(chunks) => format!("POST /c {}", chunks.concat()).into_bytes(),
        Ask::AnsweredInChunks => b"GET /chunked ".to_vec(),
        Ask::Hidden => format!("hidden {index}").into_bytes(),
    };
    assert!(answer.body == expected, "request {index}: {ask:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_mix_is_answered_in_order(
        asks in proptest::collection::vec(ask(), 1..12),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
        half_close in any::<bool>(),
    ) {
        let site = Site::open();
        let known = content(5_000);
        site.publish(Sealed, "s-t01000-7", &known);
        let mut text = String::new();
        for (index, ask) in asks.iter().enumerate() {
            site.hide(&format!("s-t01000-{}", 100 + index), format!("hidden {index}").as_bytes());
            text += &request(ask, index);
        }
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len())).collect();
        ends.extend([0, text.len()]);
        ends.sort_unstable();
        let mut client = site.connect();
        let mut writer = client.stream.get_ref().try_clone().unwrap();
        let sending = std::thread::spawn(move || {
            for piece in ends.windows(2) {
                std::io::Write::write_all(&mut writer, &text.as_bytes()[piece[0]..piece[1]]).unwrap();
                std::thread::yield_now();
            }
            if half_close {
                writer.shutdown(std::net::Shutdown::Write).unwrap();
            }
        });
        for (index, ask) in asks.iter().enumerate() {
            check(&mut client, ask, index, &known);
        }
        sending.join().unwrap();
        if half_close {
            prop_assert!(client.is_closed_politely());
        }
        prop_assert_eq!(site.door.stats().accepted, 1);
    }
}
