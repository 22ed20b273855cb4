//! How the shared library is linked.

fn main() {
    // The name under which the dynamic linker looks for it: with the number of seawall_abi_version. scripts/c-tests holds
    // them together.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libseawall.so.1");
    // Memory is filled and copied by the C library, as compilers expect of every environment; nothing else is missing, or
    // it is missing now and not when a program is linked.
    println!("cargo:rustc-cdylib-link-arg=-lc");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,defs");
    // Nothing is to run when the library is loaded.
    println!("cargo:rustc-cdylib-link-arg=-nostartfiles");
    println!("cargo:rerun-if-changed=build.rs");
}
