//! Pieces and the unsealed file.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};

use serde_json::{Value, json};

use crate::child::{DATA, Files, Prover, SECTOR, TICKET, V1_1};

fn read(files: &Files, unsealed: &str, offset: u64, size: u64) -> Value {
    json!({
        "name": "read-unsealed", "proof": files.proof, "unsealed": files.at(unsealed), "offset": offset,
        "size": size, "output": files.at(&format!("read-{offset}-{size}")),
    })
}

#[test]
fn pieces_fill_a_sector_one_behind_the_other() {
    let files = Files::new(V1_1);
    let mut pieces = Vec::new();
    for (at, size) in [508u64, 508, 1016].into_iter().enumerate() {
        let existing = &[508u64, 508][..at];
        let source = if at == 1 {
            json!({ "kind": "zeroes" })
        } else {
            json!({ "kind": "file", "file": files.at("data"), "dataBytes": 300 })
        };
        let mut task = files.add_piece();
        task["existingPieces"] = json!(existing);
        task["pieceBytes"] = json!(size);
        task["source"] = source.clone();
        let piece = files.run(task);
        let alone = json!({ "name": "piece-commitment", "proof": V1_1, "pieceBytes": size, "source": source });
        assert_eq!(files.run(alone), piece);
        pieces.push(piece);
    }
    assert_eq!(files.allocated("unsealed", SECTOR), [(0, SECTOR)]);
    let comm_d = files.run(json!({ "name": "data-commitment", "proof": V1_1, "pieces": pieces }));
    let mut pc1 = files.pc1(&pieces[0], TICKET);
    pc1["pieces"] = json!(pieces);
    let pc1 = files.run(pc1);
    assert_eq!(files.run(files.pc2(&pc1))["commD"], comm_d["commD"]);
}

#[test]
fn a_piece_must_lie_at_a_multiple_of_its_size() {
    let files = Files::new(V1_1);
    let mut task = files.add_piece();
    task["existingPieces"] = json!([508]);
    task["pieceBytes"] = json!(1016);
    assert_eq!(files.refusal(task), "bad-request");
}

#[test]
fn a_source_that_ends_early_is_refused_and_not_filled_up() {
    let files = Files::new(V1_1);
    fs::write(files.at("data"), [1; 100]).unwrap();
    assert_eq!(files.refusal(files.add_piece()), "source-too-short");
}

#[test]
fn data_bytes_are_read_from_any_offset() {
    let files = Files::new(V1_1);
    files.run(files.add_piece());
    for (offset, size) in [(0, DATA), (1, 1), (100, 500), (127, 127), (DATA - 3, 3)] {
        files.run(read(&files, "unsealed", offset, size));
        let found = fs::read(files.at(&format!("read-{offset}-{size}"))).unwrap();
        let range = usize::try_from(offset).unwrap()..usize::try_from(offset + size).unwrap();
        assert_eq!(found, files.data()[range]);
    }
    assert_eq!(
        files.refusal(read(&files, "unsealed", 1, DATA)),
        "bad-request"
    );
}

#[test]
fn what_is_not_kept_is_freed() {
    let files = Files::new("StackedDrg8MiBV1_1");
    let bytes: u64 = 8 << 20;
    let data = bytes / 128 * 127;
    fs::write(files.at("data"), vec![5; usize::try_from(data).unwrap()]).unwrap();
    let mut add = files.add_piece();
    add["pieceBytes"] = json!(data);
    add["source"]["dataBytes"] = json!(data);
    files.run(add);
    let before = files.at("unsealed").metadata().unwrap().blocks();
    let free = files.run(json!({
        "name": "free-unsealed", "proof": files.proof, "unsealed": files.at("unsealed"),
        "keep": [{ "offset": bytes / 4, "size": bytes / 4 }],
    }));
    let file = File::open(files.at("unsealed")).unwrap();
    assert_eq!(files.allocated("unsealed", bytes), [(bytes / 4, bytes / 2)]);
    assert!(free["punched"] == false || file.metadata().unwrap().blocks() < before / 3);
    assert_eq!(
        files.refusal(read(&files, "unsealed", 0, 127)),
        "not-unsealed"
    );
    files.run(read(&files, "unsealed", data / 4, 1000));
}

#[test]
fn zeroes_take_no_blocks_and_overwrite_what_a_killed_task_left() {
    let files = Files::new("StackedDrg8MiBV1_1");
    let size: u64 = (8 << 20) / 2 / 128 * 127;
    let mut task = files.add_piece();
    task["pieceBytes"] = json!(size);
    task["source"] = json!({ "kind": "zeroes" });
    files.run(task.clone());
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(files.at("unsealed"))
        .unwrap();
    assert!(file.metadata().unwrap().blocks() < 100);
    file.write_all_at(&[1; 4096], 5 << 20).unwrap();
    task["existingPieces"] = json!([size]);
    files.run(task);
    let mut found = [1; 4096];
    file.read_exact_at(&mut found, 5 << 20).unwrap();
    assert_eq!(found, [0; 4096]);
}

#[test]
fn an_unsealing_killed_before_the_trailer_leaves_nothing_that_counts_as_data() {
    let files = Files::new(V1_1);
    let (_, pc2) = files.seal();
    let task = files.unseal(&pc2, 0, DATA);
    let mut killed = Prover::start_killed_behind(files.directory.path(), SECTOR / 512);
    killed.say(&json!({ "id": "1", "task": task }).to_string());
    assert_eq!(killed.end(), None, "a signal ended it");
    let left = File::open(files.at("again")).unwrap();
    assert!(unsealed::read(&left, SECTOR).is_err());
    files.run(task);
    files.run(read(&files, "again", 0, DATA));
    assert_eq!(
        fs::read(files.at(&format!("read-0-{DATA}"))).unwrap(),
        files.data()
    );
}
