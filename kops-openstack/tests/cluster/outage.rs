//! A service that dies while a cluster is made, and comes back.

use std::time::Duration;

use kops_core::ErrorKind;
use kops_core::cloud::Cloud as _;
use kops_openstack_lab::{Call, Lab};

use crate::lab::Site;

/// After how many of the calls that change something it happens.
const MOMENT: usize = 30;

async fn dies(service: &'static str) {
    let Some(site) = Site::alone().await else { return };
    let graph = site.graph();
    let crash = async {
        while site.lab.calls().iter().filter(|call| Call::mutates(call)).count() < MOMENT {
            site.cloud.clock().sleep(Duration::from_millis(50)).await;
        }
        // It is back when this is over, whatever becomes of the rest.
        tokio::task::spawn_blocking(move || Lab::crash(service)).await.unwrap();
    };
    let (outcome, ()) = tokio::join!(site.try_apply(&graph), crash);
    // Either it was ridden out, or the run says what it could not do, and the next one does the rest.
    if let Err(error) = outcome {
        assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Failed), "{error}");
    }
    site.apply().await;
    let made = site.lab.inventory();
    assert_eq!((made.count("servers"), made.count("loadbalancers")), (7, 2), "{made:?}");
    site.delete().await;
}

#[tokio::test]
async fn networking_dies_and_comes_back() {
    dies("neutron").await;
}

#[tokio::test]
async fn compute_dies_and_comes_back() {
    dies("nova").await;
}
