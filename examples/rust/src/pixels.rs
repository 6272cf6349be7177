//! Pixels as applications have them, de-noised in place.
//
// SPDX-License-Identifier: BSD-2-Clause

use crate::buffer::{exact, product};
use crate::error::{check, Result};
use crate::{sys, Model, Size};
use std::any::Any;
use std::os::raw::{c_int, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

mod sealed {
    pub trait Sealed {}
    impl Sealed for u8 {}
    impl Sealed for u16 {}
    impl Sealed for f32 {}
}

/// What a pixel's values can be: `u8` for v/255, `u16` for v/65535, `f32` as it is, nominally in
/// \[0,1\] and not clipped.
pub trait PixelValue: Copy + sealed::Sealed {
    #[doc(hidden)]
    const FORMAT: u32;
}

impl PixelValue for u8 {
    const FORMAT: u32 = sys::CAE_U8;
}

impl PixelValue for u16 {
    const FORMAT: u32 = sys::CAE_U16;
}

impl PixelValue for f32 {
    const FORMAT: u32 = sys::CAE_F32;
}

/// What [`Model::denoise_pixels`] is to remove.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Denoising {
    /// The noise's standard deviation on the scale \[0,1\].
    pub sigma: f32,
    /// Of a sensor: the noise's variance at value x is `sigma`^2 + `gain` x. With both 0 the noise is
    /// estimated.
    pub gain: f32,
    /// 1: all of the noise. Below: so much of the way to it; 0 changes nothing. Up to 10: more, and
    /// detail too.
    pub strength: f32,
}

impl Denoising {
    /// All of a noise that is the same everywhere.
    pub fn level(sigma: f32) -> Denoising {
        Denoising { sigma, gain: 0.0, strength: 1.0 }
    }
}

/// The caller's function, and what it panicked with: that must not pass through C.
struct Watch<'a> {
    progress: &'a mut dyn FnMut(f64) -> bool,
    panic: Option<Box<dyn Any + Send>>,
}

extern "C" fn tell(user: *mut c_void, done: f64) -> c_int {
    // SAFETY: `user` is the watch of the call that this runs in, which C does not share.
    let watch = unsafe { &mut *user.cast::<Watch>() };
    match catch_unwind(AssertUnwindSafe(|| (watch.progress)(done))) {
        Ok(go_on) => c_int::from(!go_on),
        Err(panic) => {
            watch.panic = Some(panic);
            1
        }
    }
}

/// Interleaved pixels: height x width x channels values, rows without gaps, in place.
impl Model {
    /// Removes noise from an image. `channels` are the model's, or one more, alpha, which comes last
    /// and stays as it is; a model of one channel takes any number and runs each by itself, and of 2
    /// and 4 the last one is alpha. Networks whose input line says `noise` use the level; others do
    /// what they were trained for.
    ///
    /// # Errors
    /// [`Kind::Argument`](crate::Kind::Argument), [`Kind::Shape`](crate::Kind::Shape) (channels or a
    /// size that do not fit), [`Kind::NonFinite`](crate::Kind::NonFinite),
    /// [`Kind::Limit`](crate::Kind::Limit), [`Kind::NoMemory`](crate::Kind::NoMemory). After an
    /// overflow pixels may be written, after others none is.
    pub fn denoise_pixels<V: PixelValue>(
        &self,
        pixels: &mut [V],
        size: Size,
        channels: usize,
        what: Denoising,
    ) -> Result<()> {
        self.run_pixels(pixels, size, channels, what, None)
    }

    /// The same, calling `progress` in this thread with what is done: 0 before anything is written,
    /// then now and then, at last 1. `false` stops the call.
    ///
    /// # Errors
    /// As [`denoise_pixels`](Model::denoise_pixels); [`Kind::Cancelled`](crate::Kind::Cancelled)
    /// after `false`, which leaves pixels of both kinds.
    #[doc(alias = "cae_denoise_pixels")]
    pub fn denoise_pixels_with<V: PixelValue>(
        &self,
        pixels: &mut [V],
        size: Size,
        channels: usize,
        what: Denoising,
        mut progress: impl FnMut(f64) -> bool,
    ) -> Result<()> {
        self.run_pixels(pixels, size, channels, what, Some(&mut progress))
    }

    fn run_pixels<V: PixelValue>(
        &self,
        pixels: &mut [V],
        [height, width]: Size,
        channels: usize,
        what: Denoising,
        progress: Option<&mut dyn FnMut(f64) -> bool>,
    ) -> Result<()> {
        exact("pixels", pixels.len(), product(&[height, width, channels])?)?;
        let stride = product(&[width, channels, std::mem::size_of::<V>()])?;
        let at = pixels.as_mut_ptr().cast::<c_void>();
        let mut watch = progress.map(|progress| Watch { progress, panic: None });
        let (told, user): (Option<unsafe extern "C" fn(*mut c_void, f64) -> c_int>, *mut c_void) =
            match &mut watch {
                Some(watch) => (Some(tell), (watch as *mut Watch).cast()),
                None => (None, std::ptr::null_mut()),
            };
        let status = unsafe {
            sys::cae_denoise_pixels(
                self.as_ptr(),
                at,
                stride,
                at,
                stride,
                V::FORMAT,
                height,
                width,
                channels,
                what.sigma,
                what.gain,
                what.strength,
                told,
                user,
            )
        };
        if let Some(panic) = watch.and_then(|watch| watch.panic) {
            resume_unwind(panic);
        }
        check(status)
    }
}
