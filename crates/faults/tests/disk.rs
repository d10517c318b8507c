//! The disk in user space does what a disk does.

use std::fs;

use faults::disk::Disk;
use faults::disk::userspace::Userspace;
use faults::tell::{Random, skip};

#[test]
fn a_disk_in_user_space_keeps_what_was_synced_and_may_lose_the_rest() {
    for (kind, size) in [("btrfs", 128), ("ext4", 64), ("xfs", 320)] {
        let title = format!("a {kind} on a disk in user space");
        let made = Userspace::make(kind, size).inspect_err(|reason| skip(&title, reason));
        let Ok(mut disk) = made else { continue };
        let mut lost = 0;
        for seed in 0..6 {
            let [synced, not] = ["synced", "not"].map(|name| disk.at().join(name));
            fs::write(&synced, [seed as u8; 100_000]).unwrap();
            rustix::fs::syncfs(fs::File::open(&synced).unwrap()).unwrap();
            fs::write(&not, [9; 100_000]).unwrap();
            disk.cut(&mut Random::new(seed)).unwrap();
            disk.restart().unwrap();
            assert_eq!(fs::read(&synced).unwrap(), [seed as u8; 100_000], "{kind}");
            lost += usize::from(!fs::read(&not).is_ok_and(|bytes| bytes == [9; 100_000]));
            let _ = fs::remove_file(&not);
        }
        assert!(lost > 0, "{kind} never lost what was not synced");
    }
}
