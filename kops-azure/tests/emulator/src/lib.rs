//! Test support: the Azure emulator as a library.
