//! Graphs of several shapes of clusters.

mod combinations;
mod ha;
mod problems;
mod shapes;
mod support;
