//! The program on machines.

fn main() {}
