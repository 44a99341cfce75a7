//! The program runs, and prints what it did.

use std::process::Command;

#[test]
fn the_user_is_planned_made_and_deleted_with_the_machine() {
    let output = Command::new(env!("CARGO_BIN_EXE_own_kind")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("shop on memory: 4 to create"), "{text}");
    assert!(text.contains("postgres://ada@10."), "{text}");
    assert!(text.trim_end().ends_with("4 done"), "{text}");
}
