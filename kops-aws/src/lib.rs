//! kops-aws
