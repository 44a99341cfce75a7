//! Connecting to AWS, and what its failures become: on the emulator and on places where nothing answers.

use std::net::TcpListener;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use kops_aws::{Aws, AwsBuilder};
use kops_core::ErrorKind;
use kops_moto::{Fault, Moto};

const IDENTITY: &str = "sts:GetCallerIdentity";

fn builder(moto: &Moto) -> AwsBuilder {
    Aws::builder().region(kops_moto::REGION).endpoint(moto.endpoint()).static_credentials(
        moto.access_key(),
        "secret",
        None,
    )
}

#[tokio::test]
async fn connects_with_what_is_given() {
    let moto = Moto::start();
    let aws = builder(&moto).build().await.unwrap();
    assert_eq!(aws.region(), kops_moto::REGION);
    assert!(aws.identity().await.unwrap().contains(moto.account()));
    assert_eq!(moto.calls().by_action().into_iter().collect::<Vec<_>>(), [(IDENTITY, 1)]);
}

#[tokio::test]
async fn failures_are_told_apart_and_not_repeated() {
    let cases = [
        (Fault::throttle(IDENTITY), ErrorKind::Throttled),
        (Fault::unavailable(IDENTITY), ErrorKind::Unavailable),
        (Fault::drop(IDENTITY), ErrorKind::Unavailable),
        (Fault::lose(IDENTITY), ErrorKind::Unavailable),
        (Fault::fail(IDENTITY, "ExpiredToken", 403), ErrorKind::Unauthenticated),
        (Fault::fail(IDENTITY, "AccessDenied", 403), ErrorKind::Denied),
    ];
    for (fault, kind) in cases {
        let moto = Moto::start();
        let aws = builder(&moto).build().await.unwrap();
        moto.inject(fault.clone());
        let error = aws.identity().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{fault:?}: {error}");
        assert_eq!(error.call(), Some(IDENTITY));
        assert_eq!(moto.calls().total(), 1, "the SDK repeated a call after {fault:?}");
        moto.clear_faults();
        aws.identity().await.unwrap();
    }
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_is_named() {
    // A port that nobody listens on: it was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap().port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let aws = Aws::builder()
        .region("eu-central-1")
        .endpoint(&endpoint)
        .static_credentials("key", "secret", None)
        .build()
        .await
        .unwrap();
    let error = aws.identity().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&endpoint), "{error}");
    assert!(error.to_string().contains("Connection refused"), "{error}");
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn an_answer_that_is_not_aws_is_unavailable() {
    let moto = Moto::start();
    let aws =
        builder(&moto).endpoint(format!("{}/moto-api/data.json", moto.endpoint())).build().await.unwrap();
    let error = aws.identity().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[derive(Debug)]
struct Nobody;

impl ProvideCredentials for Nobody {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("looked everywhere")))
    }
}

#[tokio::test]
async fn a_lack_of_credentials_says_where_they_were_looked_for() {
    let with_a_chain = Aws::builder().region("eu-central-1").credentials(Nobody);
    let with_nothing = Aws::builder().region("eu-central-1");
    for builder in [with_a_chain, with_nothing] {
        let error = builder.build().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
        for place in ["AWS_ACCESS_KEY_ID", "~/.aws/credentials", "AWS_PROFILE"] {
            assert!(error.to_string().contains(place), "{error}");
        }
    }
}

#[tokio::test]
async fn wrong_settings_are_refused() {
    let given = || Aws::builder().static_credentials("key", "secret", None);
    for builder in [
        given(),
        given().region(""),
        given().region("eu-central-1/.."),
        given().region("eu-central-1").endpoint("127.0.0.1:5000"),
        given().region("eu-central-1").endpoint("http://"),
    ] {
        let error = builder.clone().build().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{builder:?}: {error}");
    }
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let moto = Moto::start();
    let builder = builder(&moto).static_credentials("AKIAKEY", "TOPSECRET", Some("TOPTOKEN".to_owned()));
    let shown = format!("{builder:?} {:?}", builder.clone().build().await.unwrap());
    assert!(!shown.contains("TOPSECRET") && !shown.contains("TOPTOKEN"), "{shown}");
}
