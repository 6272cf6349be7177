//! libcae from Rust: the declarations of cae/cae.h and a safe wrapper, in one file, without crates.
//!
//! Copy it beside your program, write `mod libcae;`, and link: `rustc main.rs -l cae`.
//!
//! Sizes are checked here before an address goes to C, so that nothing in this file's public
//! interface is unsafe. `&Model` may be shared by threads: everything that does not change a model
//! runs in parallel. `&mut Model` trains. A model is freed when it is dropped.
//!
//! Images are `f32`, planar: count x channels x height x width; the count follows from the length.
//! Pixels are `u8`, channels interleaved, rows without gaps. cae/cae.h is the manual.
//
// SPDX-License-Identifier: BSD-2-Clause

#![allow(dead_code)] // a program uses what it needs

use std::error;
use std::ffi::{CStr, CString};
use std::fmt;
use std::os::raw::{c_char, c_int, c_void};
use std::ptr;
use std::result;

/// The C functions as they are; `size_t` is `usize` wherever both Rust and libcae run.
pub mod sys {
    use super::{c_char, c_int, c_void};

    #[repr(C)]
    pub struct CaeModel {
        _opaque: [u8; 0],
    }

    pub const SAVE_TRAINING: u32 = 1;

    extern "C" {
        pub fn cae_version_string() -> *const c_char;
        pub fn cae_version() -> u32;
        pub fn cae_strerror(status: c_int) -> *const c_char;
        pub fn cae_last_error() -> *const c_char;
        pub fn cae_preset_name(index: usize) -> *const c_char;
        pub fn cae_preset_text(name: *const c_char) -> *const c_char;

        pub fn cae_model_new(
            out: *mut *mut CaeModel,
            architecture: *const c_char,
            seed: u64,
        ) -> c_int;
        pub fn cae_model_load(out: *mut *mut CaeModel, path: *const c_char) -> c_int;
        pub fn cae_model_load_memory(
            out: *mut *mut CaeModel,
            data: *const c_void,
            size: usize,
        ) -> c_int;
        pub fn cae_model_load_weights(m: *mut CaeModel, path: *const c_char) -> c_int;
        pub fn cae_model_save(m: *const CaeModel, path: *const c_char, flags: u32) -> c_int;
        pub fn cae_model_save_memory(
            m: *const CaeModel,
            data: *mut c_void,
            capacity: usize,
            size: *mut usize,
            flags: u32,
        ) -> c_int;
        pub fn cae_model_copy(out: *mut *mut CaeModel, m: *const CaeModel, flags: u32) -> c_int;
        pub fn cae_model_free(m: *mut CaeModel);

        pub fn cae_model_architecture(m: *const CaeModel) -> *const c_char;
        pub fn cae_model_shape(m: *const CaeModel, shape: *mut usize) -> c_int;
        pub fn cae_code_shape(
            m: *const CaeModel,
            height: usize,
            width: usize,
            shape: *mut usize,
        ) -> c_int;
        pub fn cae_model_set(m: *mut CaeModel, key: *const c_char, value: f64) -> c_int;
        pub fn cae_model_get(m: *const CaeModel, key: *const c_char, value: *mut f64) -> c_int;
        pub fn cae_setting_info(
            index: usize,
            key: *mut *const c_char,
            min: *mut f64,
            max: *mut f64,
            initial: *mut f64,
        ) -> c_int;
        pub fn cae_model_kernels(m: *const CaeModel) -> *const c_char;

        pub fn cae_tensor_count(m: *const CaeModel) -> usize;
        pub fn cae_tensor_info(
            m: *const CaeModel,
            index: usize,
            name: *mut *const c_char,
            shape: *mut usize,
            rank: *mut usize,
        ) -> c_int;
        pub fn cae_tensor_get(
            m: *const CaeModel,
            index: usize,
            values: *mut f32,
            len: usize,
        ) -> c_int;
        pub fn cae_tensor_set(
            m: *mut CaeModel,
            index: usize,
            values: *const f32,
            len: usize,
        ) -> c_int;

        pub fn cae_train_step(
            m: *mut CaeModel,
            input: *const f32,
            target: *const f32,
            count: usize,
            height: usize,
            width: usize,
            loss: *mut f32,
        ) -> c_int;
        pub fn cae_train_gradient(
            m: *mut CaeModel,
            input: *const f32,
            target: *const f32,
            count: usize,
            height: usize,
            width: usize,
            loss: *mut f32,
        ) -> c_int;
        pub fn cae_gradient_get(m: *const CaeModel, values: *mut f32, len: usize) -> c_int;
        pub fn cae_gradient_set(m: *mut CaeModel, values: *const f32, len: usize) -> c_int;
        pub fn cae_train_apply(m: *mut CaeModel) -> c_int;
        pub fn cae_evaluate(
            m: *const CaeModel,
            input: *const f32,
            target: *const f32,
            count: usize,
            height: usize,
            width: usize,
            loss: *mut f32,
        ) -> c_int;

        pub fn cae_encode(
            m: *const CaeModel,
            images: *const f32,
            count: usize,
            height: usize,
            width: usize,
            codes: *mut f32,
        ) -> c_int;
        pub fn cae_decode(
            m: *const CaeModel,
            codes: *const f32,
            count: usize,
            height: usize,
            width: usize,
            images: *mut f32,
        ) -> c_int;
        pub fn cae_denoise(
            m: *const CaeModel,
            noisy: *const f32,
            count: usize,
            height: usize,
            width: usize,
            sigma: f32,
            clean: *mut f32,
        ) -> c_int;
        pub fn cae_add_noise(images: *mut f32, len: usize, sigma: f32, seed: u64) -> c_int;

        pub fn cae_compress_bound(m: *const CaeModel, height: usize, width: usize) -> usize;
        pub fn cae_compress(
            m: *const CaeModel,
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
            m: *const CaeModel,
            data: *const c_void,
            size: usize,
            pixels: *mut u8,
            height: usize,
            width: usize,
            stride: usize,
        ) -> c_int;
        pub fn cae_compressed_info(data: *const c_void, size: usize, shape: *mut usize) -> c_int;
    }
}

/// What an error is about; one for each status of C. New ones may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    Argument,
    NoMemory,
    Io,
    Format,
    Version,
    Model,
    Shape,
    NonFinite,
    Limit,
    Buffer,
    Unsupported,
    Cancelled,
    Syntax,
    Unknown,
}

const KINDS: [Kind; 13] = [
    Kind::Argument,
    Kind::NoMemory,
    Kind::Io,
    Kind::Format,
    Kind::Version,
    Kind::Model,
    Kind::Shape,
    Kind::NonFinite,
    Kind::Limit,
    Kind::Buffer,
    Kind::Unsupported,
    Kind::Cancelled,
    Kind::Syntax,
];

/// A refusal: its kind, the status of C, and a sentence that names what was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub kind: Kind,
    pub status: i32,
    pub message: String,
}

pub type Result<T> = result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for Error {}

impl Error {
    /// A refusal of this file's own, in the library's terms.
    fn new(kind: Kind, message: String) -> Error {
        let place = KINDS.iter().position(|k| *k == kind);
        let status = place.map_or(i32::MIN, |index| -1 - index as i32);
        Error { kind, status, message }
    }
}

/// C's words are this thread's last failure, so they are taken at once.
fn check(status: c_int) -> Result<()> {
    if status == 0 {
        return Ok(());
    }
    let kind = usize::try_from(-1 - i64::from(status))
        .ok()
        .and_then(|index| KINDS.get(index).copied())
        .unwrap_or(Kind::Unknown);
    let message = string(unsafe { sys::cae_last_error() });
    Err(Error { kind, status, message })
}

/// For strings that the library promises not to be NULL. They are copied: they may be the model's.
fn string(text: *const c_char) -> String {
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

fn c_string(name: &str, text: &str) -> Result<CString> {
    CString::new(text)
        .map_err(|_| Error::new(Kind::Argument, format!("{name} contains a NUL character")))
}

fn product(factors: &[usize]) -> Result<usize> {
    factors
        .iter()
        .try_fold(1usize, |size, factor| size.checked_mul(*factor))
        .ok_or_else(|| Error::new(Kind::Argument, format!("the sizes {factors:?} overflow")))
}

/// The version of the library in use, such as "0.1.0".
pub fn version() -> String {
    string(unsafe { sys::cae_version_string() })
}

/// A few words for a status.
pub fn status_words(status: i32) -> String {
    string(unsafe { sys::cae_strerror(status) })
}

/// The presets' names and architecture texts.
pub fn presets() -> Vec<(String, String)> {
    let mut presets = Vec::new();
    loop {
        let name = unsafe { sys::cae_preset_name(presets.len()) };
        if name.is_null() {
            return presets;
        }
        presets.push((string(name), string(unsafe { sys::cae_preset_text(name) })));
    }
}

/// A setting's name, range (both ends allowed) and initial value.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    pub key: String,
    pub min: f64,
    pub max: f64,
    pub initial: f64,
}

/// All settings.
pub fn settings() -> Vec<Setting> {
    let mut settings = Vec::new();
    loop {
        let (mut key, mut min, mut max, mut initial) = (ptr::null(), 0.0, 0.0, 0.0);
        let status = unsafe {
            sys::cae_setting_info(settings.len(), &mut key, &mut min, &mut max, &mut initial)
        };
        if status != 0 {
            return settings;
        }
        settings.push(Setting { key: string(key), min, max, initial });
    }
}

/// Adds Gaussian noise in place; the same numbers on every machine, not clipped.
pub fn add_noise(images: &mut [f32], sigma: f32, seed: u64) -> Result<()> {
    check(unsafe { sys::cae_add_noise(images.as_mut_ptr(), images.len(), sigma, seed) })
}

/// Channels, height and width of a compressed image, from its header alone.
pub fn compressed_info(data: &[u8]) -> Result<[usize; 3]> {
    let mut shape = [0; 3];
    check(unsafe {
        sys::cae_compressed_info(data.as_ptr().cast(), data.len(), shape.as_mut_ptr())
    })?;
    Ok(shape)
}

/// One weight tensor: PyTorch's name, shape and layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// A network, its weights, its settings and the state of its training.
pub struct Model {
    handle: *mut sys::CaeModel,
}

// C promises: any number of threads may use a const model, and a model is bound to no thread.
unsafe impl Send for Model {}
unsafe impl Sync for Model {}

impl Drop for Model {
    fn drop(&mut self) {
        unsafe { sys::cae_model_free(self.handle) }
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("shape", &self.shape()).finish()
    }
}

type TrainFunction = unsafe extern "C" fn(
    *mut sys::CaeModel,
    *const f32,
    *const f32,
    usize,
    usize,
    usize,
    *mut f32,
) -> c_int;

impl Model {
    /// Fresh weights for a preset's name or an architecture text.
    pub fn new(architecture: &str, seed: u64) -> Result<Model> {
        let text = c_string("architecture", architecture)?;
        Model::receive(|out| unsafe { sys::cae_model_new(out, text.as_ptr(), seed) })
    }

    /// Loads a model file, with its training state if it has one.
    pub fn load(path: &str) -> Result<Model> {
        let path = c_string("path", path)?;
        Model::receive(|out| unsafe { sys::cae_model_load(out, path.as_ptr()) })
    }

    /// The same from bytes.
    pub fn load_memory(data: &[u8]) -> Result<Model> {
        Model::receive(|out| unsafe {
            sys::cae_model_load_memory(out, data.as_ptr().cast(), data.len())
        })
    }

    /// A copy, to serve one while the other trains; `training`: the optimizer's state too.
    pub fn copy(&self, training: bool) -> Result<Model> {
        Model::receive(|out| unsafe { sys::cae_model_copy(out, self.handle, flags(training)) })
    }

    fn receive(make: impl FnOnce(*mut *mut sys::CaeModel) -> c_int) -> Result<Model> {
        let mut handle = ptr::null_mut();
        check(make(&mut handle))?;
        Ok(Model { handle })
    }

    /// Takes the weights of a plain safetensors file; the optimizer starts anew.
    pub fn load_weights(&mut self, path: &str) -> Result<()> {
        let path = c_string("path", path)?;
        check(unsafe { sys::cae_model_load_weights(self.handle, path.as_ptr()) })
    }

    /// Saves to a file, atomically; `training`: the optimizer's state and settings too.
    pub fn save(&self, path: &str, training: bool) -> Result<()> {
        let path = c_string("path", path)?;
        check(unsafe { sys::cae_model_save(self.handle, path.as_ptr(), flags(training)) })
    }

    /// The same as bytes.
    pub fn save_memory(&self, training: bool) -> Result<Vec<u8>> {
        let (mut size, flags) = (0, flags(training));
        check(unsafe {
            sys::cae_model_save_memory(self.handle, ptr::null_mut(), 0, &mut size, flags)
        })?;
        let mut data = vec![0u8; size];
        check(unsafe {
            let start = data.as_mut_ptr().cast();
            sys::cae_model_save_memory(self.handle, start, data.len(), &mut size, flags)
        })?;
        data.truncate(size);
        Ok(data)
    }

    /// The canonical architecture text.
    pub fn architecture(&self) -> String {
        string(unsafe { sys::cae_model_architecture(self.handle) })
    }

    /// The instruction set in use.
    pub fn kernels(&self) -> String {
        string(unsafe { sys::cae_model_kernels(self.handle) })
    }

    /// Channels, height and width of the training size.
    pub fn shape(&self) -> [usize; 3] {
        let mut shape = [0; 3];
        let status = unsafe { sys::cae_model_shape(self.handle, shape.as_mut_ptr()) };
        debug_assert_eq!(status, 0);
        shape
    }

    /// Channels, height and width of the code of one image of that size.
    pub fn code_shape(&self, height: usize, width: usize) -> Result<[usize; 3]> {
        let mut shape = [0; 3];
        check(unsafe { sys::cae_code_shape(self.handle, height, width, shape.as_mut_ptr()) })?;
        Ok(shape)
    }

    /// A setting, or "parameters" or "step".
    pub fn get(&self, key: &str) -> Result<f64> {
        let (key, mut value) = (c_string("key", key)?, 0.0);
        check(unsafe { sys::cae_model_get(self.handle, key.as_ptr(), &mut value) })?;
        Ok(value)
    }

    pub fn set(&mut self, key: &str, value: f64) -> Result<()> {
        let key = c_string("key", key)?;
        check(unsafe { sys::cae_model_set(self.handle, key.as_ptr(), value) })
    }

    /// All weight tensors, in file order.
    pub fn tensors(&self) -> Result<Vec<Tensor>> {
        let count = unsafe { sys::cae_tensor_count(self.handle) };
        (0..count).map(|index| self.tensor(index)).collect()
    }

    fn tensor(&self, index: usize) -> Result<Tensor> {
        let (mut name, mut shape, mut rank) = (ptr::null(), [0usize; 4], 0);
        check(unsafe {
            sys::cae_tensor_info(self.handle, index, &mut name, shape.as_mut_ptr(), &mut rank)
        })?;
        let mut values = vec![0.0; product(&shape)?];
        check(unsafe {
            sys::cae_tensor_get(self.handle, index, values.as_mut_ptr(), values.len())
        })?;
        Ok(Tensor { name: string(name), shape: shape[..rank].to_vec(), values })
    }

    /// Replaces tensor `index`; the optimizer's state stays.
    pub fn set_tensor(&mut self, index: usize, values: &[f32]) -> Result<()> {
        check(unsafe { sys::cae_tensor_set(self.handle, index, values.as_ptr(), values.len()) })
    }

    /// How many images a buffer holds; C is told no length, so this is where it is checked.
    fn count(&self, name: &str, len: usize, height: usize, width: usize) -> Result<usize> {
        let size = product(&[self.shape()[0], height, width])?;
        whole(name, len, size)
    }

    fn check_target(&self, input: &[f32], target: &[f32]) -> Result<()> {
        if input.len() == target.len() {
            return Ok(());
        }
        let (input, target) = (input.len(), target.len());
        Err(Error::new(Kind::Shape, format!("input has {input} values, target {target}")))
    }

    fn train(
        &mut self,
        function: TrainFunction,
        input: &[f32],
        target: &[f32],
        size: [usize; 2],
    ) -> Result<f32> {
        let count = self.count("input", input.len(), size[0], size[1])?;
        self.check_target(input, target)?;
        let (input, target, mut loss) = (input.as_ptr(), target.as_ptr(), 0.0);
        check(unsafe { function(self.handle, input, target, count, size[0], size[1], &mut loss) })?;
        Ok(loss)
    }

    /// One step of Adam on images of `size` = height, width. Returns the loss before the update.
    pub fn train_step(&mut self, input: &[f32], target: &[f32], size: [usize; 2]) -> Result<f32> {
        self.train(sys::cae_train_step, input, target, size)
    }

    /// The first half of a step: computes the gradient and keeps it.
    pub fn train_gradient(
        &mut self,
        input: &[f32],
        target: &[f32],
        size: [usize; 2],
    ) -> Result<f32> {
        self.train(sys::cae_train_gradient, input, target, size)
    }

    /// The pending gradient, all tensors concatenated in file order.
    pub fn gradient(&self) -> Result<Vec<f32>> {
        let mut values = vec![0.0; self.get("parameters")? as usize];
        check(unsafe { sys::cae_gradient_get(self.handle, values.as_mut_ptr(), values.len()) })?;
        Ok(values)
    }

    pub fn set_gradient(&mut self, values: &[f32]) -> Result<()> {
        check(unsafe { sys::cae_gradient_set(self.handle, values.as_ptr(), values.len()) })
    }

    /// The second half of a step: updates the weights.
    pub fn train_apply(&mut self) -> Result<()> {
        check(unsafe { sys::cae_train_apply(self.handle) })
    }

    /// The loss of the whole network without training.
    pub fn evaluate(&self, input: &[f32], target: &[f32], size: [usize; 2]) -> Result<f32> {
        let count = self.count("input", input.len(), size[0], size[1])?;
        self.check_target(input, target)?;
        let (input, target, mut loss) = (input.as_ptr(), target.as_ptr(), 0.0);
        check(unsafe {
            sys::cae_evaluate(self.handle, input, target, count, size[0], size[1], &mut loss)
        })?;
        Ok(loss)
    }

    /// Images of `size` = height, width -> codes.
    pub fn encode(&self, images: &[f32], size: [usize; 2]) -> Result<Vec<f32>> {
        let [height, width] = size;
        let count = self.count("images", images.len(), height, width)?;
        let code = self.code_shape(height, width)?;
        let mut codes = vec![0.0; product(&[count, code[0], code[1], code[2]])?];
        let out = codes.as_mut_ptr();
        check(unsafe { sys::cae_encode(self.handle, images.as_ptr(), count, height, width, out) })?;
        Ok(codes)
    }

    /// Codes -> images of `size` = height, width.
    pub fn decode(&self, codes: &[f32], size: [usize; 2]) -> Result<Vec<f32>> {
        let [height, width] = size;
        let count = whole("codes", codes.len(), product(&self.code_shape(height, width)?)?)?;
        let mut images = vec![0.0; product(&[count, self.shape()[0], height, width])?];
        let out = images.as_mut_ptr();
        check(unsafe { sys::cae_decode(self.handle, codes.as_ptr(), count, height, width, out) })?;
        Ok(images)
    }

    /// The whole network; `sigma` is the noise's standard deviation on [0,1], 0 if not known.
    pub fn denoise(&self, noisy: &[f32], size: [usize; 2], sigma: f32) -> Result<Vec<f32>> {
        let [height, width] = size;
        let count = self.count("noisy", noisy.len(), height, width)?;
        let mut clean = vec![0.0; noisy.len()];
        let (from, to) = (noisy.as_ptr(), clean.as_mut_ptr());
        check(unsafe { sys::cae_denoise(self.handle, from, count, height, width, sigma, to) })?;
        Ok(clean)
    }

    /// Compresses pixels of `size` = height, width. quality 1 .. 100, 0 = the default.
    pub fn compress(&self, pixels: &[u8], size: [usize; 2], quality: u32) -> Result<Vec<u8>> {
        let [height, width] = size;
        let stride = product(&[width, self.shape()[0]])?;
        let expected = product(&[height, stride])?;
        if pixels.len() != expected {
            let len = pixels.len();
            return Err(Error::new(Kind::Shape, format!("pixels has {len} bytes, not {expected}")));
        }
        let mut data = vec![0u8; unsafe { sys::cae_compress_bound(self.handle, height, width) }];
        let mut used = 0;
        check(unsafe {
            let (from, to) = (pixels.as_ptr(), data.as_mut_ptr().cast());
            let capacity = data.len();
            sys::cae_compress(
                self.handle,
                from,
                height,
                width,
                stride,
                quality,
                to,
                capacity,
                &mut used,
            )
        })?;
        data.truncate(used);
        Ok(data)
    }

    /// Restores pixels; returns them with channels, height and width.
    pub fn decompress(&self, data: &[u8]) -> Result<(Vec<u8>, [usize; 3])> {
        let shape = compressed_info(data)?;
        let [channels, height, width] = shape;
        if channels != self.shape()[0] {
            let message = format!("the image has {channels} channels, not the model's");
            return Err(Error::new(Kind::Model, message));
        }
        let stride = product(&[width, channels])?;
        let mut pixels = vec![0u8; product(&[height, stride])?];
        check(unsafe {
            let (from, to) = (data.as_ptr().cast(), pixels.as_mut_ptr());
            sys::cae_decompress(self.handle, from, data.len(), to, height, width, stride)
        })?;
        Ok((pixels, shape))
    }
}

fn flags(training: bool) -> u32 {
    if training {
        sys::SAVE_TRAINING
    } else {
        0
    }
}

/// How many whole items of `size` values `len` values are.
fn whole(name: &str, len: usize, size: usize) -> Result<usize> {
    if size > 0 && len % size == 0 {
        return Ok(len / size);
    }
    let message = format!("{name} has {len} values, which is no multiple of {size}");
    Err(Error::new(if size > 0 { Kind::Shape } else { Kind::Argument }, message))
}
