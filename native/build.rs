//! Registers the addon's link arguments.
fn main() {
    napi_build::setup();
}
