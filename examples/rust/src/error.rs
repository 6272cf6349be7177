//! What a refusal is, and the two places where C is asked for its reasons: [`check`] after every
//! call that can fail, [`library`] before the first.
//
// SPDX-License-Identifier: BSD-2-Clause

use crate::oldest::OLDEST;
use crate::sys::{self, *};
use std::ffi::CStr;
use std::os::raw::{c_char, c_int};
use std::{error, fmt, result};

/// What an error is about: one kind for each status of C, and one of this crate's own. There may
/// be more of them in a later release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// An argument is wrong; the message says which and why.
    Argument,
    /// Out of memory.
    NoMemory,
    /// The system refused to read or write a file.
    Io,
    /// A file or a buffer is damaged or is not libcae's.
    Format,
    /// Made by a newer format than this library reads.
    Version,
    /// A compressed image made with another model; weights of another network.
    Model,
    /// Sizes that do not fit the model or each other.
    Shape,
    /// NaN or infinity, in the input or where the result would have been.
    NonFinite,
    /// Over a limit: the setting `memory_limit` or a cap of the format.
    Limit,
    /// The output buffer is too small: for [`Model::compress_into`](crate::Model::compress_into).
    Buffer,
    /// Not possible for this model or on this machine.
    Unsupported,
    /// The caller's own function asked to stop.
    Cancelled,
    /// An architecture text is wrong; the message says where.
    Syntax,
    /// The library in use is older than this crate needs. Its status is that of `Unsupported`.
    OldLibrary,
    /// A status that a newer library than this crate knows has returned.
    Unknown,
}

const KINDS: [(c_int, Kind); 13] = [
    (CAE_E_ARGUMENT, Kind::Argument),
    (CAE_E_NOMEM, Kind::NoMemory),
    (CAE_E_IO, Kind::Io),
    (CAE_E_FORMAT, Kind::Format),
    (CAE_E_VERSION, Kind::Version),
    (CAE_E_MODEL, Kind::Model),
    (CAE_E_SHAPE, Kind::Shape),
    (CAE_E_NONFINITE, Kind::NonFinite),
    (CAE_E_LIMIT, Kind::Limit),
    (CAE_E_BUFFER, Kind::Buffer),
    (CAE_E_UNSUPPORTED, Kind::Unsupported),
    (CAE_E_CANCELLED, Kind::Cancelled),
    (CAE_E_SYNTAX, Kind::Syntax),
];

/// A refusal. Decide by its [`kind`](Error::kind); show its words, which name the argument, line,
/// field, offset or limit that was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    status: c_int,
    message: String,
}

/// What every function that can fail returns.
pub type Result<T> = result::Result<T, Error>;

impl Error {
    /// What it is about.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// C's status: one of the negative `CAE_E_` values of [`crate::sys`].
    pub fn status(&self) -> i32 {
        self.status
    }

    /// The library's sentence, the same as `to_string()` gives.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// C's few words for the kind, such as "file is damaged".
    pub fn summary(&self) -> &'static str {
        unsafe { text(sys::cae_strerror(self.status)) }
    }

    /// A refusal of this crate's own, made before C is called.
    pub(crate) fn new(kind: Kind, message: String) -> Error {
        let own = KINDS.iter().find(|(_, of)| *of == kind);
        Error { kind, status: own.map_or(CAE_E_UNSUPPORTED, |(status, _)| *status), message }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for Error {}

/// C's words are this thread's last failure, so they are taken at once.
pub(crate) fn check(status: c_int) -> Result<()> {
    if status == CAE_OK {
        return Ok(());
    }
    let kind = KINDS.iter().find(|(of, _)| *of == status).map_or(Kind::Unknown, |(_, kind)| *kind);
    let message = unsafe { CStr::from_ptr(sys::cae_last_error()) };
    Err(Error { kind, status, message: message.to_string_lossy().into_owned() })
}

/// Refuses a library that is older than the crate needs. The linker looks at names alone, and only
/// on the machine that builds. Every way to a model comes by here; asking costs one call that
/// returns a constant.
pub(crate) fn library() -> Result<()> {
    let [major, minor, patch] = OLDEST;
    if unsafe { sys::cae_version() } >= major << 16 | minor << 8 | patch {
        return Ok(());
    }
    let message = format!(
        "the library in use is libcae {}, this program needs {major}.{minor}.{patch} or newer: \
         install that, or see which folder LD_LIBRARY_PATH names first",
        crate::version()
    );
    Err(Error::new(Kind::OldLibrary, message))
}

/// C's names and texts are ASCII.
///
/// # Safety
/// The string is not NULL, and lives and stays as it is for as long as `'a`.
pub(crate) unsafe fn text<'a>(string: *const c_char) -> &'a str {
    CStr::from_ptr(string).to_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_c_has_its_kind_and_no_other_has() {
        for (status, kind) in KINDS {
            assert_eq!(check(status).unwrap_err().kind(), kind);
            assert_eq!(Error::new(kind, String::new()).status(), status);
        }
        for status in [1, CAE_E_SYNTAX - 1, c_int::MIN, c_int::MAX] {
            let error = check(status).unwrap_err();
            assert_eq!((error.kind(), error.status()), (Kind::Unknown, status));
            assert_eq!(error.summary(), "unknown status");
        }
        assert_eq!(check(CAE_OK), Ok(()));
    }
}
