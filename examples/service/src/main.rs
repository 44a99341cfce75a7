//! Serves clusters of the in-memory cloud: `cargo run -p service`, then
//!
//! ```console
//! $ curl -s localhost:8080/clusters -H 'content-type: application/json' \
//!     -d '{"name": "demo.example.com", "zones": ["zone-a"]}'
//! $ curl -s localhost:8080/clusters/demo.example.com/plan
//! $ curl -sN localhost:8080/clusters/demo.example.com/apply -H 'content-type: application/json' \
//!     -d '{"fingerprint": "…", "by": "ann"}'
//! ```

#![expect(clippy::print_stdout, reason = "a program shows what it does")]

use std::error::Error;
use std::sync::Arc;

use kops_cluster::registry::ClusterRegistry;
use kops_core::clock::SystemClock;
use kops_core::store::Stores;
use kops_core::testing::MemoryCloud;
use service::Service;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // For S3 and AWS, depend on kops-aws: `Aws::from_env().await?` is the cloud, and `s3://…` is opened by
    // `Stores::new().with("s3", S3Stores::new(AwsBuilder::from_env(), Arc::new(SystemClock::new())))`.
    let store = Stores::new().open("memory://clusters").await?;
    let registry = ClusterRegistry::new(store, Arc::new(SystemClock::new()));
    let service = Service::new(registry, Arc::new(MemoryCloud::new()));

    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, service.router()).await?;
    Ok(())
}
