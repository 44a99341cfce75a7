//! Graphs of several shapes of clusters.

mod combinations;
mod field;
mod ha;
mod problems;
mod shapes;
mod support;
