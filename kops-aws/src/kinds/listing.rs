//! Listings of EC2 objects: the handlers' queries as filters, and one function for each `Describe` call.
//!
//! Identifiers are passed as filters, never as parameters: a call with the identifier of an object that does
//! not exist fails as a whole, whereas a filter just finds nothing.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;

use aws_sdk_ec2::types::{
    Address, DhcpOptions, EgressOnlyInternetGateway, Filter, InternetGateway, NatGateway, RouteTable,
    SecurityGroup, Subnet, Vpc,
};
use futures_util::future::try_join_all;
use ipnet::IpNet;
use kops_core::cloud::{self, Context, Object, Query, Scope};
use kops_core::{Error, ErrorKind, Result};

use crate::clients::Clients;
use crate::tags;

/// The maximum number of values of a filter.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>
const MOST_VALUES: usize = 200;

/// The filters for a query, each for a separate call; `id` is the name of the filter by identifier.
pub(crate) fn filters(query: &Query<'_>, id: &str) -> Vec<Filter> {
    match query.filter {
        cloud::Filter::Scope { shared, dissolving, .. } => {
            let mut all = vec![tags::filter(query.scope)];
            all.extend(any_of(id, shared));
            all.extend(dissolving.then(|| tags::filter_dependents(query.scope)));
            all
        }
        cloud::Filter::Ids(ids) => any_of(id, ids),
    }
}

/// Whether everything of the scope is to go, so that dependents matter.
pub(crate) fn is_dissolving(query: &Query<'_>) -> bool {
    matches!(query.filter, cloud::Filter::Scope { dissolving: true, .. })
}

/// The query ahead of an observation: all objects of the scope, since its graph is not known yet.
pub(crate) fn ahead<'a>(scope: &'a Scope, cx: &'a Context) -> Query<'a> {
    Query::new(scope, cloud::Filter::scope(&[], &[]), cx)
}

/// Filters for objects with one of these values.
pub(crate) fn any_of<T: AsRef<str>>(name: &str, values: &[T]) -> Vec<Filter> {
    let filter = |values: &[T]| {
        let values = values.iter().map(|value| value.as_ref().to_owned()).collect();
        Filter::builder().name(name).set_values(Some(values)).build()
    };
    values.chunks(MOST_VALUES).map(filter).collect()
}

/// The results of all filters, queried concurrently.
pub(crate) async fn find<T, F>(filters: Vec<Filter>, describe: impl Fn(Filter) -> F) -> Result<Vec<T>>
where
    F: Future<Output = Result<Vec<T>>>,
{
    Ok(try_join_all(filters.into_iter().map(describe)).await?.into_iter().flatten().collect())
}

/// What the scope may own, listed once per observation: kinds that use the same call share the result.
pub(crate) async fn of_scope<T, F>(
    query: &Query<'_>,
    call: &str,
    describe: impl FnOnce(Filter) -> F,
) -> Result<Arc<Vec<T>>>
where
    T: Send + Sync + 'static,
    F: Future<Output = Result<Vec<T>>>,
{
    query.cx.memo.get_or_try(call, async || describe(tags::filter(query.scope)).await).await
}

/// A CIDR in AWS's form.
pub(crate) fn cidr(text: Option<&str>) -> Result<IpNet> {
    let text = text.unwrap_or_default();
    text.parse().map_err(|_| Error::internal(format!("AWS returned the invalid CIDR `{text}`")))
}

/// An incomplete response: the call may have been carried out.
pub(crate) fn unanswered(call: &str) -> Error {
    Error::new(ErrorKind::Unavailable, "the response does not contain the new object").with_call(call)
}

/// Each object once, although several filters may have found it.
pub(crate) fn each_once<S>(mut objects: Vec<Object<S>>) -> Vec<Object<S>> {
    let mut seen = HashSet::new();
    objects.retain(|object| seen.insert(object.id.clone()));
    objects
}

/// Defines a function that reads all pages of a listing.
macro_rules! describe {
    ($($(#[$doc:meta])* $function:ident: $call:literal = $operation:ident.$items:ident -> $item:ty, $page:literal a page;)*) => { $(
        $(#[$doc])*
        pub(crate) async fn $function(clients: &Clients, cx: &Context, filter: Filter) -> Result<Vec<$item>> {
            let mut all = Vec::new();
            let mut token = None;
            loop {
                let request = clients.ec2.$operation().filters(filter.clone());
                let request = request.max_results($page).set_next_token(token);
                let page = clients.call(cx, $call, request.send()).await?;
                all.extend(page.$items.unwrap_or_default());
                token = page.next_token.filter(|token| !token.is_empty());
                if token.is_none() {
                    return Ok(all);
                }
            }
        }
    )* };
}

describe! {
    /// VPCs.
    vpcs: "ec2:DescribeVpcs" = describe_vpcs.vpcs -> Vpc, 1000 a page;
    /// DHCP options.
    dhcp_options: "ec2:DescribeDhcpOptions" = describe_dhcp_options.dhcp_options -> DhcpOptions, 1000 a page;
    /// Internet gateways.
    internet_gateways: "ec2:DescribeInternetGateways" = describe_internet_gateways.internet_gateways -> InternetGateway, 1000 a page;
    /// Subnets.
    subnets: "ec2:DescribeSubnets" = describe_subnets.subnets -> Subnet, 1000 a page;
    /// Route tables, with their routes and associations.
    route_tables: "ec2:DescribeRouteTables" = describe_route_tables.route_tables -> RouteTable, 100 a page;
    /// Security groups, with their rules.
    security_groups: "ec2:DescribeSecurityGroups" = describe_security_groups.security_groups -> SecurityGroup, 1000 a page;
}

/// Egress-only internet gateways; the only filters are by tag, so all of them without a filter.
pub(crate) async fn egress_only_gateways(
    clients: &Clients,
    cx: &Context,
    filter: Option<Filter>,
) -> Result<Vec<EgressOnlyInternetGateway>> {
    let mut all = Vec::new();
    let mut token = None;
    loop {
        let call = clients.ec2.describe_egress_only_internet_gateways();
        let call = call.set_filters(filter.clone().map(|filter| vec![filter]));
        let call = call.max_results(255).set_next_token(token);
        let page = clients.call(cx, "ec2:DescribeEgressOnlyInternetGateways", call.send()).await?;
        all.extend(page.egress_only_internet_gateways.unwrap_or_default());
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(all);
        }
    }
}

/// NAT gateways; deleted ones are listed for about an hour.
pub(crate) async fn nat_gateways(clients: &Clients, cx: &Context, filter: Filter) -> Result<Vec<NatGateway>> {
    let mut all = Vec::new();
    let mut token = None;
    loop {
        // `filter`, not `filters`: the call is older than the convention.
        let request = clients.ec2.describe_nat_gateways().filter(filter.clone());
        let request = request.max_results(1000).set_next_token(token);
        let page = clients.call(cx, "ec2:DescribeNatGateways", request.send()).await?;
        all.extend(page.nat_gateways.unwrap_or_default());
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(all);
        }
    }
}

/// Elastic IP addresses; this listing is not paginated.
pub(crate) async fn addresses(clients: &Clients, cx: &Context, filter: Filter) -> Result<Vec<Address>> {
    let request = clients.ec2.describe_addresses().filters(filter);
    let answer = clients.call(cx, "ec2:DescribeAddresses", request.send()).await?;
    Ok(answer.addresses.unwrap_or_default())
}
