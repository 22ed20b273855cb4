//! Which library this is, and which ABI it speaks.

use core::ffi::c_char;

/// The major version of the library that this header is of.
pub const SEAWALL_VERSION_MAJOR: u32 = 0;
/// The minor version.
pub const SEAWALL_VERSION_MINOR: u32 = 1;
/// The patch version.
pub const SEAWALL_VERSION_PATCH: u32 = 0;
/// The number of the ABI: it changes when a program that was built with another header would not run, or when what lies in
/// an object or a workspace would be read otherwise than it was written. It is the number in the name `libseawall.so.1`.
pub const SEAWALL_ABI_VERSION: u32 = 1;

const VERSION: &core::ffi::CStr =
    match core::ffi::CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => panic!("a version holds no zero"),
    };

/// The version of the library that runs, as `"major.minor.patch"`. Never NULL; lives for ever.
///
/// Threads: any, at the same time. Wait-free. Returns: the text.
#[unsafe(no_mangle)]
pub extern "C" fn seawall_version() -> *const c_char {
    VERSION.as_ptr()
}

/// The number of the ABI of the library that runs: where it is not `SEAWALL_ABI_VERSION`, header and library do not go
/// together, and no other function may be called.
///
/// Threads: any, at the same time. Wait-free. Returns: the number.
#[unsafe(no_mangle)]
pub extern "C" fn seawall_abi_version() -> u32 {
    SEAWALL_ABI_VERSION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_the_version_are_those_of_the_package() {
        let parts = std::format!("{SEAWALL_VERSION_MAJOR}.{SEAWALL_VERSION_MINOR}.{SEAWALL_VERSION_PATCH}");
        assert_eq!(parts, env!("CARGO_PKG_VERSION"));
    }
}
