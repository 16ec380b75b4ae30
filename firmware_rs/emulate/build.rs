//! Gives the linker the memory map of the machine that QEMU emulates.

fn main() {
    println!("cargo::rerun-if-changed=link");
    let of = |name| std::env::var(name).unwrap_or_default();
    if of("CARGO_CFG_TARGET_OS") == "none" && of("CARGO_CFG_TARGET_ARCH") != "xtensa" {
        let (folder, arch) = (of("CARGO_MANIFEST_DIR"), of("CARGO_CFG_TARGET_ARCH"));
        println!("cargo::rustc-link-arg-bins=-T{folder}/link/{arch}.ld");
    }
}
