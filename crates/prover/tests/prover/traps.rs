//! What the proofs crates would do wrong without a word, and what this prover says instead.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use serde_json::json;

use crate::child::{DATA, Files, OTHER_TICKET, SECTOR, TICKET, V1_1};

#[test]
fn pc2_does_not_run_over_its_own_output() {
    let files = Files::new(V1_1);
    let piece = files.run(files.add_piece());
    let pc1 = files.run(files.pc1(&piece, TICKET));
    let good = files.run(files.pc2(&pc1));
    assert_eq!(files.refusal(files.pc2(&pc1)), "not-restartable");
    // Nor when only the encoded sealed file is left of it.
    for (name, _) in files.cache() {
        if name.contains("tree-c") || name.contains("r-last") || name.ends_with("aux") {
            fs::remove_file(files.at("cache").join(name)).unwrap();
        }
    }
    assert_eq!(files.refusal(files.pc2(&pc1)), "not-restartable");
    let pc1 = files.run(files.pc1(&piece, TICKET));
    assert_eq!(files.run(files.pc2(&pc1)), good);
}

#[test]
fn pc1_does_not_believe_a_stale_tree_d() {
    let files = Files::new(V1_1);
    let piece = files.run(files.add_piece());
    fs::create_dir(files.at("cache")).unwrap();
    let tree = files.at("cache").join("sc-02-data-tree-d.dat");
    fs::write(&tree, [9; 4064]).unwrap();
    files.run(files.pc1(&piece, TICKET));
    fs::write(&tree, [9; 10]).unwrap();
    files.run(files.pc1(&piece, TICKET));
}

#[test]
fn layers_of_another_ticket_are_found_by_c1() {
    let files = Files::new(V1_1);
    let piece = files.run(files.add_piece());
    files.run(files.pc1(&piece, OTHER_TICKET));
    // What a cache was made from is recorded by whoever calls; the prover cannot see it.
    let pc1 = files.run(files.pc1(&piece, TICKET));
    let pc2 = files.run(files.pc2(&pc1));
    assert_eq!(files.refusal(files.c1(&piece, TICKET, &pc2)), "bad-sector");
}

#[test]
fn unsealing_leaves_the_sectors_cache_alone() {
    let files = Files::new(V1_1);
    let (piece, pc2) = files.seal();
    let before = files.cache();
    files.run(files.unseal(&pc2, 508, 508));
    assert_eq!(files.cache(), before);
    assert_eq!(files.allocated("again", SECTOR), [(512, 1024)]);
    assert!(!files.at("scratch").exists());
    files.run(files.c1(&piece, TICKET, &pc2));
}

#[test]
fn noise_from_a_damaged_replica_is_not_taken_for_data() {
    let files = Files::new(V1_1);
    let (_, pc2) = files.seal();
    let file = OpenOptions::new()
        .write(true)
        .open(files.at("sealed"))
        .unwrap();
    file.write_all_at(&[3; 32], 1024).unwrap();
    assert_eq!(files.refusal(files.unseal(&pc2, 0, DATA)), "bad-sector");
    assert_eq!(files.allocated("again", SECTOR), []);
}

#[test]
fn finalize_does_not_empty_the_cache_of_an_unfinished_seal() {
    let files = Files::new(V1_1);
    let piece = files.run(files.add_piece());
    files.run(files.pc1(&piece, TICKET));
    let task = json!({ "name": "finalize", "sector": files.sector(), "cache": files.at("cache") });
    assert_eq!(files.refusal(task.clone()), "missing-file");
    // As a power cut leaves a file that was never synced.
    fs::write(files.at("cache").join("p_aux"), "").unwrap();
    assert_eq!(files.refusal(task), "bad-sector");
    assert_eq!(files.cache().len(), 4);
}
