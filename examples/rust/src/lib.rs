//! Train and run small autoencoders on images: libcae from Rust.
//
// SPDX-License-Identifier: BSD-2-Clause
//
//!
//! ```
//! use cae::{Keep, Model};
//!
//! fn main() -> cae::Result<()> {
//!     let clean: Vec<f32> = (0..4 * 64 * 64).map(|i| (i % 64) as f32 / 64.0).collect(); // yours
//!     let mut model = Model::new("cae-denoise", 1)?; // a preset, seed 1
//!     for step in 0..2 {
//!         let mut noisy = clean.clone();
//!         cae::add_noise(&mut noisy, 25.0 / 255.0, step)?;
//!         let loss = model.train_step(&noisy, &clean, [64, 64])?;
//!         println!("step {step}: loss {loss}");
//!     }
//!     let restored = model.denoise(&clean, [64, 64], 0.0)?;
//!     assert_eq!(restored.len(), clean.len());
//!     let file = model.to_bytes(Keep::Training)?;
//!     assert_eq!(Model::from_bytes(&file)?.step(), 2);
//!     Ok(())
//! }
//! ```
//!
//! # Images, codes, pixels
//!
//! *Images* are `f32`, planar and contiguous: count x channels x height x width, nominally in
//! \[0,1\]; nothing is clipped. How many they are follows from the slice's length. *Codes* are
//! count x the shape that [`Model::code_shape`] gives. *Pixels*, those of compressed images, are
//! `u8`, height x width x channels, rows without gaps. Sizes are always \[height, width\]
//! ([`Size`]). `cae/cae.h`, the C header, is the manual of the numbers.
//!
//! # Threads
//!
//! A [`Model`] is `Send` and `Sync`. `&Model` encodes, decodes, de-noises, evaluates, compresses and
//! saves, in any number of threads at once, truly in parallel; `&mut Model` trains and changes
//! settings. The compiler keeps the two apart.
//!
//! # Errors
//!
//! Bad input is an [`Error`] with a [`Kind`] and the library's sentence, never a crash, and a model
//! is as it was before the call. Nothing public is unsafe but [`sys`], the C functions themselves.
//!
//! # Linking
//!
//! The build asks `pkg-config` for libcae (Debian: libcae-dev, pkg-config). `PKG_CONFIG` and
//! `PKG_CONFIG_PATH` are honoured. `LIBCAE_LIB_DIR` names the folder of a library that is not
//! installed, `LIBCAE_STATIC=1` links libcae itself statically. A build for another machine needs one
//! of them set, for that target alone if need be (`PKG_CONFIG_aarch64_unknown_linux_gnu`), lest it be
//! given this machine's library. A shared library in a folder of its
//! own must also be found when the program runs: `LD_LIBRARY_PATH`, or a rpath of yours.
//!
//! A library that is older than the crate needs is refused three times over: by the build; by the
//! dynamic linker, if the program uses a function that it lacks; and by an error of kind
//! [`Kind::OldLibrary`] from whatever would be the first use of a model.

#![warn(missing_docs)]

mod buffer;
mod error;
mod images;
mod model;
mod oldest;
mod pixels;
pub mod sys;
mod train;

pub use error::{Error, Kind, Result};
pub use model::{Import, Keep, Model, TensorInfo};
pub use pixels::{Denoising, PixelValue};
pub use train::Gradient;

use error::{check, library, text};
use std::ptr;

/// Height and width of an image, in this order.
pub type Size = [usize; 2];

/// Channels, height and width of an image or of a code, in this order.
pub type Shape = [usize; 3];

/// The version of the library in use, such as "0.1.0".
#[doc(alias = "cae_version_string")]
pub fn version() -> &'static str {
    unsafe { text(sys::cae_version_string()) }
}

/// A network that the library knows by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preset {
    /// For [`Model::new`].
    pub name: &'static str,
    /// Its architecture text, one layer a line.
    pub text: &'static str,
}

/// All presets, in the library's order.
#[doc(alias = "cae_preset_name")]
#[doc(alias = "cae_preset_text")]
pub fn presets() -> Vec<Preset> {
    let mut presets = Vec::new();
    loop {
        let name = unsafe { sys::cae_preset_name(presets.len()) };
        if name.is_null() {
            return presets;
        }
        presets
            .push(unsafe { Preset { name: text(name), text: text(sys::cae_preset_text(name)) } });
    }
}

/// What [`Model::set`] takes under a name.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Setting {
    /// Its name.
    pub key: &'static str,
    /// The least value allowed.
    pub min: f64,
    /// The greatest value allowed.
    pub max: f64,
    /// The value that a new model has.
    pub initial: f64,
}

/// All settings, in the library's order. `cae/cae.h` says what they do.
#[doc(alias = "cae_setting_info")]
pub fn settings() -> Vec<Setting> {
    let mut settings = Vec::new();
    loop {
        let (mut key, mut min, mut max, mut initial) = (ptr::null(), 0.0, 0.0, 0.0);
        let status = unsafe {
            sys::cae_setting_info(settings.len(), &mut key, &mut min, &mut max, &mut initial)
        };
        if status != sys::CAE_OK {
            return settings;
        }
        settings.push(Setting { key: unsafe { text(key) }, min, max, initial });
    }
}

/// Adds Gaussian noise to `images` in place: value i gets `sigma` x normal(`seed`, i), the same
/// numbers on every machine. Not clipped.
///
/// `sigma` is finite and >= 0, on the scale of the values: 25.0 / 255.0 is the usual 25.
///
/// # Errors
/// [`Kind::Argument`] (nothing to add to, sigma), [`Kind::NonFinite`].
#[doc(alias = "cae_add_noise")]
pub fn add_noise(images: &mut [f32], sigma: f32, seed: u64) -> Result<()> {
    library()?;
    check(unsafe { sys::cae_add_noise(images.as_mut_ptr(), images.len(), sigma, seed) })
}

/// The standard deviation of the noise in each image, on the scale of the values: white noise,
/// alike in all channels. `images` are planar, each of `shape`: channels, height and width.
///
/// # Errors
/// [`Kind::Argument`] (no images, a side of 0), [`Kind::Shape`] (a part of an image),
/// [`Kind::NonFinite`].
#[doc(alias = "cae_estimate_noise")]
pub fn estimate_noise(images: &[f32], shape: [usize; 3]) -> Result<Vec<f32>> {
    library()?;
    let [channels, height, width] = shape;
    let count = buffer::count("images", images.len(), buffer::product(&shape)?)?;
    let mut sigma = buffer::zeros(count)?;
    let (from, to) = (images.as_ptr(), sigma.as_mut_ptr());
    check(unsafe { sys::cae_estimate_noise(from, count, channels, height, width, to) })?;
    Ok(sigma)
}

/// Channels, height and width of a compressed image, from its header alone: the rest may be
/// missing, and nothing but the header has been checked.
///
/// # Errors
/// [`Kind::Argument`] (no bytes), [`Kind::Format`], [`Kind::Version`].
#[doc(alias = "cae_compressed_info")]
pub fn compressed_info(data: &[u8]) -> Result<Shape> {
    library()?;
    let mut shape = [0; 3];
    check(unsafe {
        sys::cae_compressed_info(data.as_ptr().cast(), data.len(), shape.as_mut_ptr())
    })?;
    Ok(shape)
}
