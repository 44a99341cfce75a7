//! The program on AWS (the emulator moto), with its state in S3.

mod account;
mod bad_input;
mod field;
mod kill;
mod life;
mod locks;
