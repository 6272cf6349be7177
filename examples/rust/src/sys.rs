//! The C interface as it is: every declaration of cae/cae.h, which is its manual. A rule of the
//! library's tests compares the two, both ways.
//!
//! `size_t` is `usize` wherever both Rust and libcae run. Use this where the safe part of the crate
//! lacks something, such as rows of pixels with gaps; [`crate::Model::as_ptr`] gives the pointer.
//
// SPDX-License-Identifier: BSD-2-Clause

#![allow(missing_docs)] // cae/cae.h has them
#![allow(non_camel_case_types)] // C's names

use std::marker::{PhantomData, PhantomPinned};
use std::os::raw::{c_char, c_int, c_void};

/// Opaque: only C makes one, behind a pointer.
#[repr(C)]
pub struct cae_model {
    _opaque: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

pub const CAE_VERSION_MAJOR: u32 = 0;
pub const CAE_VERSION_MINOR: u32 = 1;
pub const CAE_VERSION_PATCH: u32 = 0;

pub const CAE_OK: c_int = 0;
pub const CAE_E_ARGUMENT: c_int = -1;
pub const CAE_E_NOMEM: c_int = -2;
pub const CAE_E_IO: c_int = -3;
pub const CAE_E_FORMAT: c_int = -4;
pub const CAE_E_VERSION: c_int = -5;
pub const CAE_E_MODEL: c_int = -6;
pub const CAE_E_SHAPE: c_int = -7;
pub const CAE_E_NONFINITE: c_int = -8;
pub const CAE_E_LIMIT: c_int = -9;
pub const CAE_E_BUFFER: c_int = -10;
pub const CAE_E_UNSUPPORTED: c_int = -11;
pub const CAE_E_CANCELLED: c_int = -12;
pub const CAE_E_SYNTAX: c_int = -13;

pub const CAE_U8: u32 = 1;
pub const CAE_U16: u32 = 2;
pub const CAE_F32: u32 = 4;
pub const CAE_IMPORT_STRIP: u32 = 1;
pub const CAE_IMPORT_SKIP: u32 = 2;
pub const CAE_SAVE_TRAINING: u32 = 1;
pub const CAE_SAVE_TRY: u32 = 2;
pub const CAE_SAVE_F16: u32 = 4;

extern "C" {
    pub fn cae_version_string() -> *const c_char;
    pub fn cae_version() -> u32;
    pub fn cae_strerror(status: c_int) -> *const c_char;
    pub fn cae_last_error() -> *const c_char;
    pub fn cae_preset_name(index: usize) -> *const c_char;
    pub fn cae_preset_text(name: *const c_char) -> *const c_char;

    pub fn cae_model_new(out: *mut *mut cae_model, architecture: *const c_char, seed: u64)
        -> c_int;
    pub fn cae_model_load(out: *mut *mut cae_model, path: *const c_char) -> c_int;
    pub fn cae_model_load_memory(
        out: *mut *mut cae_model,
        data: *const c_void,
        size: usize,
    ) -> c_int;
    pub fn cae_model_load_shipped(out: *mut *mut cae_model, name: *const c_char) -> c_int;
    pub fn cae_model_load_weights(m: *mut cae_model, path: *const c_char) -> c_int;
    pub fn cae_model_import_weights(m: *mut cae_model, path: *const c_char, flags: u32) -> c_int;
    pub fn cae_model_save(m: *const cae_model, path: *const c_char, flags: u32) -> c_int;
    pub fn cae_model_save_memory(
        m: *const cae_model,
        data: *mut c_void,
        capacity: usize,
        size: *mut usize,
        flags: u32,
    ) -> c_int;
    pub fn cae_model_copy(out: *mut *mut cae_model, m: *const cae_model, flags: u32) -> c_int;
    pub fn cae_model_free(m: *mut cae_model);

    pub fn cae_model_architecture(m: *const cae_model) -> *const c_char;
    pub fn cae_model_shape(m: *const cae_model, shape: *mut usize) -> c_int;
    pub fn cae_code_shape(
        m: *const cae_model,
        height: usize,
        width: usize,
        shape: *mut usize,
    ) -> c_int;
    pub fn cae_model_set(m: *mut cae_model, key: *const c_char, value: f64) -> c_int;
    pub fn cae_model_get(m: *const cae_model, key: *const c_char, value: *mut f64) -> c_int;
    pub fn cae_setting_info(
        index: usize,
        key: *mut *const c_char,
        min: *mut f64,
        max: *mut f64,
        initial: *mut f64,
    ) -> c_int;
    pub fn cae_model_kernels(m: *const cae_model) -> *const c_char;

    pub fn cae_model_note_set(m: *mut cae_model, key: *const c_char, value: *const c_char)
        -> c_int;
    pub fn cae_model_note(m: *const cae_model, key: *const c_char) -> *const c_char;
    pub fn cae_model_note_info(
        m: *const cae_model,
        index: usize,
        key: *mut *const c_char,
        value: *mut *const c_char,
    ) -> c_int;

    pub fn cae_tensor_count(m: *const cae_model) -> usize;
    pub fn cae_tensor_info(
        m: *const cae_model,
        index: usize,
        name: *mut *const c_char,
        shape: *mut usize,
        rank: *mut usize,
    ) -> c_int;
    pub fn cae_tensor_get(m: *const cae_model, index: usize, values: *mut f32, len: usize)
        -> c_int;
    pub fn cae_tensor_set(m: *mut cae_model, index: usize, values: *const f32, len: usize)
        -> c_int;

    pub fn cae_train_step(
        m: *mut cae_model,
        input: *const f32,
        target: *const f32,
        count: usize,
        height: usize,
        width: usize,
        loss: *mut f32,
    ) -> c_int;
    pub fn cae_train_gradient(
        m: *mut cae_model,
        input: *const f32,
        target: *const f32,
        count: usize,
        height: usize,
        width: usize,
        loss: *mut f32,
    ) -> c_int;
    pub fn cae_gradient_get(m: *const cae_model, values: *mut f32, len: usize) -> c_int;
    pub fn cae_gradient_set(m: *mut cae_model, values: *const f32, len: usize) -> c_int;
    pub fn cae_train_apply(m: *mut cae_model) -> c_int;
    pub fn cae_evaluate(
        m: *const cae_model,
        input: *const f32,
        target: *const f32,
        count: usize,
        height: usize,
        width: usize,
        loss: *mut f32,
    ) -> c_int;

    pub fn cae_train_step_sigma(
        m: *mut cae_model,
        input: *const f32,
        target: *const f32,
        sigma: *const f32,
        count: usize,
        height: usize,
        width: usize,
        loss: *mut f32,
    ) -> c_int;
    pub fn cae_train_gradient_sigma(
        m: *mut cae_model,
        input: *const f32,
        target: *const f32,
        sigma: *const f32,
        count: usize,
        height: usize,
        width: usize,
        loss: *mut f32,
    ) -> c_int;
    pub fn cae_evaluate_sigma(
        m: *const cae_model,
        input: *const f32,
        target: *const f32,
        sigma: *const f32,
        count: usize,
        height: usize,
        width: usize,
        loss: *mut f32,
    ) -> c_int;

    pub fn cae_encode(
        m: *const cae_model,
        images: *const f32,
        count: usize,
        height: usize,
        width: usize,
        codes: *mut f32,
    ) -> c_int;
    pub fn cae_decode(
        m: *const cae_model,
        codes: *const f32,
        count: usize,
        height: usize,
        width: usize,
        images: *mut f32,
    ) -> c_int;
    pub fn cae_denoise(
        m: *const cae_model,
        noisy: *const f32,
        count: usize,
        height: usize,
        width: usize,
        sigma: f32,
        clean: *mut f32,
    ) -> c_int;
    pub fn cae_denoise_pixels(
        m: *const cae_model,
        r#in: *const c_void,
        in_stride: usize,
        out: *mut c_void,
        out_stride: usize,
        format: u32,
        height: usize,
        width: usize,
        channels: usize,
        sigma: f32,
        gain: f32,
        strength: f32,
        progress: Option<unsafe extern "C" fn(user: *mut c_void, done: f64) -> c_int>,
        user: *mut c_void,
    ) -> c_int;
    pub fn cae_add_noise(images: *mut f32, len: usize, sigma: f32, seed: u64) -> c_int;
    pub fn cae_estimate_noise(
        images: *const f32,
        count: usize,
        channels: usize,
        height: usize,
        width: usize,
        sigma: *mut f32,
    ) -> c_int;

    pub fn cae_fit_code(
        m: *mut cae_model,
        images: *const f32,
        count: usize,
        height: usize,
        width: usize,
    ) -> c_int;
    pub fn cae_compress_bound(m: *const cae_model, height: usize, width: usize) -> usize;
    pub fn cae_compress(
        m: *const cae_model,
        pixels: *const u8,
        height: usize,
        width: usize,
        stride: usize,
        quality: u32,
        data: *mut c_void,
        capacity: usize,
        size: *mut usize,
    ) -> c_int;
    pub fn cae_decompress(
        m: *const cae_model,
        data: *const c_void,
        size: usize,
        pixels: *mut u8,
        height: usize,
        width: usize,
        stride: usize,
    ) -> c_int;
    pub fn cae_compressed_info(data: *const c_void, size: usize, shape: *mut usize) -> c_int;
}
