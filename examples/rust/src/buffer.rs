//! Lengths and memory: C gets counts and sizes but no lengths, so a slice is checked here
//! before its address goes there. What this file lets pass, C may touch.
//
// SPDX-License-Identifier: BSD-2-Clause

use crate::error::{Error, Kind, Result};
use std::alloc::{self, Layout};
use std::ffi::CString;
use std::path::Path;

/// The product, which is a buffer's length.
pub(crate) fn product(factors: &[usize]) -> Result<usize> {
    factors
        .iter()
        .try_fold(1usize, |size, factor| size.checked_mul(*factor))
        .ok_or_else(|| Error::new(Kind::Argument, format!("the sizes {factors:?} overflow")))
}

/// How many whole items of `size` values, one at least, a buffer of `len` values holds.
pub(crate) fn count(name: &str, len: usize, size: usize) -> Result<usize> {
    if size == 0 || len % size != 0 {
        let message = format!("{name} has {len} values, which is no multiple of {size}");
        return Err(Error::new(Kind::Shape, message));
    }
    Ok(len / size)
}

/// That a buffer has the length which the others ask for.
pub(crate) fn exact(name: &str, len: usize, needed: usize) -> Result<()> {
    if len == needed {
        return Ok(());
    }
    let message = format!("{name} has {len} values, but {needed} are needed");
    Err(Error::new(Kind::Shape, message))
}

/// Numbers that are 0 when all their bytes are.
pub(crate) trait Zero: Copy {}
impl Zero for f32 {}
impl Zero for u8 {}

/// `vec![0; len]` for a length from untrusted input: out of memory is an error, not the end of the
/// program.
pub(crate) fn zeros<T: Zero>(len: usize) -> Result<Vec<T>> {
    let refused = || Error::new(Kind::NoMemory, format!("no memory for {len} values"));
    let layout = Layout::array::<T>(len).map_err(|_| refused())?;
    if layout.size() == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the layout is that of `len` values, not empty; zeros are values of T.
    unsafe {
        let start = alloc::alloc_zeroed(layout).cast::<T>();
        if start.is_null() {
            return Err(refused());
        }
        Ok(Vec::from_raw_parts(start, len, len))
    }
}

/// A text for C, which takes the first NUL for its end.
pub(crate) fn c_string(name: &str, text: impl Into<Vec<u8>>) -> Result<CString> {
    CString::new(text)
        .map_err(|_| Error::new(Kind::Argument, format!("{name} contains a NUL character")))
}

/// A path for C: its bytes, whatever they are.
#[cfg(unix)]
pub(crate) fn c_path(path: &Path) -> Result<CString> {
    use std::os::unix::ffi::OsStrExt;
    c_string("path", path.as_os_str().as_bytes())
}

/// A path for C.
#[cfg(not(unix))]
pub(crate) fn c_path(path: &Path) -> Result<CString> {
    match path.to_str() {
        Some(text) => c_string("path", text),
        None => Err(Error::new(Kind::Argument, format!("path is no text: {path:?}"))),
    }
}
