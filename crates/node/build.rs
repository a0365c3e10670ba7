//! The page is part of the binary, so a new page makes a new binary. Cargo would not notice when the first page is built.

fn main() {
    println!("cargo::rerun-if-changed=../../web/dist");
}
