//! Graphs of several shapes of clusters.

mod ha;
mod problems;
mod shapes;
mod support;
