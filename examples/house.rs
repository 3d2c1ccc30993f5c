//! Draws `docs/house.md`, the picture of the modules, from the code: `cargo run --example house`.

#![allow(clippy::unwrap_used, clippy::string_slice)] // a tool for those who work on the tree

#[path = "../tests/support/house.rs"]
#[allow(dead_code)] // of which this takes the drawing
mod house;

fn main() {
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/house.md"), house::drawn()).unwrap();
}
