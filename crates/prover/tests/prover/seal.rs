//! One sector of 2 KiB through every phase that needs no parameters.

use std::fs;

use serde_json::json;

use crate::child::{DATA, Files, SEED, TICKET, V1_1};

#[test]
fn what_is_sealed_comes_out_again() {
    for proof in [
        V1_1,
        "StackedDrg2KiBV1",
        "StackedDrg2KiBV1_1_Feat_SyntheticPoRep",
        "StackedDrg2KiBV1_2_Feat_NonInteractivePoRep",
    ] {
        let files = Files::new(proof);
        let (piece, pc2) = files.seal();
        assert_eq!(pc2["commD"], piece["commitment"]);
        files.run(files.c1(&piece, TICKET, &pc2));
        assert!(files.at("c1.json").metadata().unwrap().len() > 10_000);
        files.run(
            json!({ "name": "finalize", "sector": files.sector(), "cache": files.at("cache") }),
        );
        let names: Vec<_> = files.cache().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["p_aux", "sc-02-data-tree-r-last.dat", "t_aux"]);
        files.run(files.unseal(&pc2, 0, DATA));
        assert_eq!(
            fs::read(files.at("again")).unwrap(),
            fs::read(files.at("unsealed")).unwrap()
        );
    }
}

#[test]
fn a_vanilla_post_is_made_from_a_finalized_sector() {
    let files = Files::new(V1_1);
    let (_, pc2) = files.seal();
    files.run(json!({ "name": "finalize", "sector": files.sector(), "cache": files.at("cache") }));
    for kind in ["window", "winning"] {
        let output = files.run(json!({
            "name": "post-challenges", "kind": kind, "proof": V1_1, "miner": 1000, "randomness": SEED,
            "sectors": [7],
        }));
        assert_eq!(output["challenges"][0]["sector"], 7);
        let challenges = &output["challenges"][0]["challenges"];
        let vanilla = json!({
            "name": "vanilla-post", "kind": kind, "sector": files.sector(), "sealed": files.at("sealed"),
            "cache": files.at("cache"), "commR": pc2["commR"], "challenges": challenges,
        });
        assert!(files.run(vanilla)["vanillaProof"].as_str().unwrap().len() > 1000);
    }
}

#[test]
fn snarks_without_parameters_are_refused_in_words() {
    let files = Files::new(V1_1);
    fs::write(files.at("c1.json"), "{}").unwrap();
    let c2 = json!({ "name": "commit-2", "sector": files.sector(), "input": files.at("c1.json") });
    assert_eq!(files.refusal(c2), "missing-parameters");
    let there = files.run(json!({ "name": "parameters", "circuit": "porep", "proof": V1_1 }));
    assert_eq!(there["canProve"], false);
    assert!(!files.at("no-parameters").exists());
}
