//! What the crate asks of the library, for build.rs and for the programs that it builds.
//
// SPDX-License-Identifier: BSD-2-Clause

/// The oldest release of libcae that has all that this crate uses: major, minor, patch.
pub const OLDEST: [u32; 3] = [0, 1, 0];
