//! Specifications as kOps writes them: read, written back the same, converted between versions.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use kops_core::cluster::{Manifest, Mode, Object, Problems, write_manifest};
use serde_json::Value;

const HA_PRIVATE: &str = include_str!("cluster/ha-private.yaml");

fn read(text: &str) -> Vec<Object> {
    let manifest = Manifest::read(text, Mode::Strict).unwrap();
    assert_eq!(manifest.problems, Problems::new(), "{}", manifest.problems);
    manifest.into_objects().unwrap().0
}

fn values(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

#[test]
fn what_kops_writes_comes_back() {
    let written = write_manifest(&read(HA_PRIVATE)).unwrap();
    assert_eq!(values(&written), values(HA_PRIVATE));
    assert_eq!(write_manifest(&read(&written)).unwrap(), written, "a second round changes nothing");
}
