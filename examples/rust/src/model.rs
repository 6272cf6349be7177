//! A model as a value: made, loaded, saved, copied, freed; its settings and its weights.
//
// SPDX-License-Identifier: BSD-2-Clause

use crate::buffer::{c_path, c_string, product, zeros};
use crate::error::{check, library, text, Result};
use crate::{sys, Shape, Size};
use std::fmt;
use std::os::raw::c_int;
use std::path::Path;
use std::ptr::{self, NonNull};

/// What of a model goes into a file or a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The network and its weights: enough to use it.
    Weights,
    /// The optimizer's moments and step, the seed, the epoch and the settings too: enough to go on
    /// training as if nothing had happened.
    Training,
    /// As `Weights`, stored as 16-bit floats, each rounded to the nearest: half the bytes, for
    /// models that are only to be used. A copy is never rounded: [`Model::copy`] refuses it.
    Half,
}

impl Keep {
    fn flags(self) -> u32 {
        match self {
            Keep::Weights => 0,
            Keep::Training => sys::CAE_SAVE_TRAINING,
            Keep::Half => sys::CAE_SAVE_F16,
        }
    }
}

/// How tolerant [`Model::import_weights`] is of the names in a file; by default not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// Take "module." and "_orig_mod." off the file's names, which PyTorch's DataParallel and
    /// torch.compile put before them.
    pub strip: bool,
    /// Leave out what has no dimension and the model does not have, such as the
    /// `num_batches_tracked` of other layers.
    pub skip: bool,
}

impl Import {
    fn flags(self) -> u32 {
        let flag = |wanted, flag| if wanted { flag } else { 0 };
        flag(self.strip, sys::CAE_IMPORT_STRIP) | flag(self.skip, sys::CAE_IMPORT_SKIP)
    }
}

/// Name and shape of a weight tensor. Layouts are PyTorch's: convolution \[out,in,kh,kw\],
/// transposed convolution \[in,out,kh,kw\], dense \[out,in\], bias \[out\].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TensorInfo<'a> {
    /// Such as "0.weight"; the model's.
    pub name: &'a str,
    /// As many sizes as the tensor has dimensions.
    pub shape: Vec<usize>,
}

impl TensorInfo<'_> {
    /// How many values the tensor has.
    pub fn values(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A network, its weights, its settings and, once it has been trained, the state of the optimizer.
///
/// Any number of threads may use one `&Model` at once; training takes `&mut Model`. That one does
/// not train what others can see is checked by the compiler:
///
/// ```
/// fn train(model: &mut cae::Model, images: &[f32]) -> cae::Result<f32> {
///     model.train_step(images, images, [64, 64])
/// }
/// ```
/// ```compile_fail,E0596
/// fn train(model: &cae::Model, images: &[f32]) -> cae::Result<f32> {
///     model.train_step(images, images, [64, 64]) // a shared model
/// }
/// ```
///
/// Threads may share it, but none may train while another uses it:
///
/// ```
/// fn serve(model: &mut cae::Model, images: &[f32]) {
///     std::thread::scope(|scope| {
///         scope.spawn(|| model.denoise(images, [64, 64], 0.0));
///         scope.spawn(|| model.denoise(images, [64, 64], 0.0));
///     });
/// }
/// ```
/// ```compile_fail,E0502
/// fn serve(model: &mut cae::Model, images: &[f32]) {
///     std::thread::scope(|scope| {
///         scope.spawn(|| model.denoise(images, [64, 64], 0.0));
///         scope.spawn(|| model.train_step(images, images, [64, 64])); // at the same time
///     });
/// }
/// ```
pub struct Model {
    pub(crate) handle: NonNull<sys::cae_model>,
}

// SAFETY: C promises that a model is bound to no thread, and that functions which take a const
// model may run in any number of threads at once. Those are the ones that &self calls.
unsafe impl Send for Model {}
unsafe impl Sync for Model {}

const _: fn() = || {
    fn sent_and_shared<T: Send + Sync>() {}
    sent_and_shared::<Model>();
};

impl Drop for Model {
    fn drop(&mut self) {
        unsafe { sys::cae_model_free(self.as_mut_ptr()) }
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("shape", &self.shape())
            .field("parameters", &self.parameters())
            .field("step", &self.step())
            .finish()
    }
}

/// Making, saving, copying.
impl Model {
    /// Makes a model with fresh weights: uniform in +-1/sqrt(fan_in), equal for equal seeds on
    /// every machine.
    ///
    /// `architecture` is a preset's name (see [`presets`](crate::presets)) or an architecture text
    /// (docs/architecture-text.md).
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::Syntax` (the line and column), `Shape` (the line whose sizes do not
    /// fit), `Limit`, `Argument` (an unknown value in the environment variable `CAE_CPU`),
    /// `NoMemory`, `OldLibrary`.
    #[doc(alias = "cae_model_new")]
    pub fn new(architecture: &str, seed: u64) -> Result<Model> {
        let text = c_string("architecture", architecture)?;
        Model::receive(|out| unsafe { sys::cae_model_new(out, text.as_ptr(), seed) })
    }

    /// Loads a model file, with its training state if it has one. The file is untrusted
    /// input: everything is checked before it is used.
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::Io`, `Format`, `Version`, and whatever else the file may cause.
    #[doc(alias = "cae_model_load")]
    pub fn load(path: impl AsRef<Path>) -> Result<Model> {
        let path = c_path(path.as_ref())?;
        Model::receive(|out| unsafe { sys::cae_model_load(out, path.as_ptr()) })
    }

    /// Loads a model that came with the library: "denoise", "denoise-rgb", ... It is
    /// NAME.safetensors in a folder of the environment variable `CAE_MODEL_PATH`, or where the
    /// library's build installs models. Its licence is in the note "license".
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::Argument` for what cannot be a name, `Io` where no folder has the
    /// file, and as [`Model::load`].
    #[doc(alias = "cae_model_load_shipped")]
    pub fn shipped(name: &str) -> Result<Model> {
        let name = c_string("name", name)?;
        Model::receive(|out| unsafe { sys::cae_model_load_shipped(out, name.as_ptr()) })
    }

    /// The same from the bytes of a model file.
    ///
    /// # Errors
    /// As [`Model::load`].
    #[doc(alias = "cae_model_load_memory")]
    pub fn from_bytes(data: &[u8]) -> Result<Model> {
        Model::receive(|out| unsafe {
            sys::cae_model_load_memory(out, data.as_ptr().cast(), data.len())
        })
    }

    /// A copy, to serve one while the other trains. Settings are always copied; a pending gradient
    /// is not.
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::NoMemory`; `Argument` for [`Keep::Half`].
    #[doc(alias = "cae_model_copy")]
    pub fn copy(&self, keep: Keep) -> Result<Model> {
        Model::receive(|out| unsafe { sys::cae_model_copy(out, self.as_ptr(), keep.flags()) })
    }

    fn receive(make: impl FnOnce(*mut *mut sys::cae_model) -> c_int) -> Result<Model> {
        library()?;
        let mut handle = ptr::null_mut();
        check(make(&mut handle))?;
        // SAFETY: after CAE_OK it is a model, and this one's alone.
        Ok(Model { handle: unsafe { NonNull::new_unchecked(handle) } })
    }

    /// Saves to a file, atomically: whatever fails, an old file there survives whole.
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::Io`, `NoMemory`; `NonFinite` for a weight too large for
    /// [`Keep::Half`].
    #[doc(alias = "cae_model_save")]
    pub fn save(&self, path: impl AsRef<Path>, keep: Keep) -> Result<()> {
        let path = c_path(path.as_ref())?;
        check(unsafe { sys::cae_model_save(self.as_ptr(), path.as_ptr(), keep.flags()) })
    }

    /// The bytes of the file that [`Model::save`] would write.
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::NoMemory`.
    #[doc(alias = "cae_model_save_memory")]
    pub fn to_bytes(&self, keep: Keep) -> Result<Vec<u8>> {
        let (model, flags, mut size) = (self.as_ptr(), keep.flags(), 0);
        check(unsafe { sys::cae_model_save_memory(model, ptr::null_mut(), 0, &mut size, flags) })?;
        let mut data = zeros::<u8>(size)?;
        let (start, capacity) = (data.as_mut_ptr().cast(), data.len());
        check(unsafe { sys::cae_model_save_memory(model, start, capacity, &mut size, flags) })?;
        data.truncate(size);
        Ok(data)
    }

    /// The pointer, for functions of [`sys`] that take a const model. It is valid, and may be used
    /// in any thread, for as long as `self` is borrowed.
    pub fn as_ptr(&self) -> *const sys::cae_model {
        self.handle.as_ptr()
    }

    /// The pointer, for functions of [`sys`] that need the model to themselves.
    pub fn as_mut_ptr(&mut self) -> *mut sys::cae_model {
        self.handle.as_ptr()
    }
}

/// What it is, and its settings.
impl Model {
    /// The architecture as canonical text: one layer a line, defaults left out.
    #[doc(alias = "cae_model_architecture")]
    pub fn architecture(&self) -> &str {
        unsafe { text(sys::cae_model_architecture(self.as_ptr())) }
    }

    /// Channels, height and width of the training size: the line `input`.
    #[doc(alias = "cae_model_shape")]
    pub fn shape(&self) -> Shape {
        let mut shape = [0; 3];
        // A model always has one; should C refuse all the same, zeros let no buffer pass.
        let _ = unsafe { sys::cae_model_shape(self.as_ptr(), shape.as_mut_ptr()) };
        shape
    }

    /// Channels, height and width of the code of one image of that size.
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::Shape` when the network cannot take the size, `Unsupported` when a
    /// skip crosses `code`, `Argument` for a size of 0.
    #[doc(alias = "cae_code_shape")]
    pub fn code_shape(&self, size: Size) -> Result<Shape> {
        let mut shape = [0; 3];
        let [height, width] = size;
        check(unsafe { sys::cae_code_shape(self.as_ptr(), height, width, shape.as_mut_ptr()) })?;
        Ok(shape)
    }

    /// The instruction set in use, one of those that `CAE_CPU` names.
    #[doc(alias = "cae_model_kernels")]
    pub fn kernels(&self) -> &'static str {
        unsafe { text(sys::cae_model_kernels(self.as_ptr())) }
    }

    /// How many weights there are.
    pub fn parameters(&self) -> usize {
        self.get("parameters").map_or(0, |number| number as usize)
    }

    /// How many updates the weights have had.
    pub fn step(&self) -> u64 {
        self.get("step").map_or(0, |number| number as u64)
    }

    /// Reads a setting: `learning_rate`, `beta1`, `beta2`, `epsilon`, `weight_decay`, `threads`,
    /// `reproducible`, `memory_limit`, `epoch`, `kl_weight`.
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::Argument` for an unknown key.
    #[doc(alias = "cae_model_get")]
    pub fn get(&self, key: &str) -> Result<f64> {
        let (key, mut value) = (c_string("key", key)?, 0.0);
        check(unsafe { sys::cae_model_get(self.as_ptr(), key.as_ptr(), &mut value) })?;
        Ok(value)
    }

    /// Sets it. [`settings`](crate::settings) lists keys and ranges; `threads` 0 means all the
    /// processors that this process may use.
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::Argument` for an unknown key or a value out of range, `Unsupported`.
    #[doc(alias = "cae_model_set")]
    pub fn set(&mut self, key: &str, value: f64) -> Result<()> {
        let key = c_string("key", key)?;
        check(unsafe { sys::cae_model_set(self.as_mut_ptr(), key.as_ptr(), value) })
    }
}

/// Notes: text that travels with a model, in its files and copies.
impl Model {
    /// The value of a note, or `None` if there is none of that key.
    #[doc(alias = "cae_model_note")]
    pub fn note(&self, key: &str) -> Option<&str> {
        let key = c_string("key", key).ok()?;
        let value = unsafe { sys::cae_model_note(self.as_ptr(), key.as_ptr()) };
        // SAFETY: the text is the model's, and stays while the model is borrowed.
        (!value.is_null()).then(|| unsafe { text(value) })
    }

    /// All notes, key and value, sorted by key.
    #[doc(alias = "cae_model_note_info")]
    pub fn notes(&self) -> impl Iterator<Item = (&str, &str)> {
        (0..).map_while(move |index| {
            let (mut key, mut value) = (ptr::null(), ptr::null());
            let info =
                unsafe { sys::cae_model_note_info(self.as_ptr(), index, &mut key, &mut value) };
            // SAFETY: as above.
            (info == sys::CAE_OK).then(|| unsafe { (text(key), text(value)) })
        })
    }

    /// Adds a note, replaces the one of that key, or, with `None`, removes it. A key is 1 to 64
    /// bytes of `A-Z a-z 0-9 . _ -` and does not begin with `libcae.`; a value has at most 4096
    /// bytes; a model has at most 32 notes.
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::Argument` for another key or a NUL in the value, `Limit`.
    #[doc(alias = "cae_model_note_set")]
    pub fn set_note(&mut self, key: &str, value: Option<&str>) -> Result<()> {
        let key = c_string("key", key)?;
        let value = value.map(|value| c_string("value", value)).transpose()?;
        let pointer = value.as_ref().map_or(ptr::null(), |value| value.as_ptr());
        check(unsafe { sys::cae_model_note_set(self.as_mut_ptr(), key.as_ptr(), pointer) })
    }
}

/// Weights, tensor by tensor, in file order: names sorted by byte value.
impl Model {
    /// How many tensors there are.
    #[doc(alias = "cae_tensor_count")]
    pub fn tensor_count(&self) -> usize {
        unsafe { sys::cae_tensor_count(self.as_ptr()) }
    }

    /// Name and shape of tensor `index`.
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::Argument` past the end.
    #[doc(alias = "cae_tensor_info")]
    pub fn tensor_info(&self, index: usize) -> Result<TensorInfo<'_>> {
        let (mut name, mut shape, mut rank) = (ptr::null(), [0; 4], 0);
        check(unsafe {
            sys::cae_tensor_info(self.as_ptr(), index, &mut name, shape.as_mut_ptr(), &mut rank)
        })?;
        // SAFETY: the name is the model's, which is borrowed for as long.
        let name = unsafe { text(name) };
        Ok(TensorInfo { name, shape: shape.iter().take(rank).copied().collect() })
    }

    /// A copy of the values of tensor `index`, row-major.
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::Argument` past the end.
    pub fn tensor(&self, index: usize) -> Result<Vec<f32>> {
        let mut values = zeros(product(&self.tensor_info(index)?.shape)?)?;
        self.tensor_into(index, &mut values)?;
        Ok(values)
    }

    /// The same into a slice of the tensor's length.
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::Argument` past the end, `Shape` for another length.
    #[doc(alias = "cae_tensor_get")]
    pub fn tensor_into(&self, index: usize, values: &mut [f32]) -> Result<()> {
        check(unsafe {
            sys::cae_tensor_get(self.as_ptr(), index, values.as_mut_ptr(), values.len())
        })
    }

    /// Replaces the values of tensor `index`. The optimizer's state stays; compressing images needs
    /// [`fit_code`](Model::fit_code) afterwards, or training.
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::Argument` past the end, `Shape` for another length, `NonFinite`.
    #[doc(alias = "cae_tensor_set")]
    pub fn set_tensor(&mut self, index: usize, values: &[f32]) -> Result<()> {
        check(unsafe {
            sys::cae_tensor_set(self.as_mut_ptr(), index, values.as_ptr(), values.len())
        })
    }

    /// Replaces all weights by those of a plain safetensors file, such as PyTorch's
    /// `safetensors.torch.save_file(net.state_dict(), path)` writes for the same layers. The
    /// optimizer starts anew; settings stay; compressing images needs [`fit_code`](Model::fit_code)
    /// afterwards, or training. F16, BF16 and F64 become `f32`.
    ///
    /// # Errors
    /// As [`Model::load`]; [`Kind`](crate::Kind)`::Model` when names or shapes differ,
    /// `Unsupported` for another dtype.
    #[doc(alias = "cae_model_load_weights")]
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = c_path(path.as_ref())?;
        check(unsafe { sys::cae_model_load_weights(self.as_mut_ptr(), path.as_ptr()) })
    }

    /// The same with more tolerance.
    ///
    /// # Errors
    /// As [`load_weights`](Model::load_weights); [`Kind`](crate::Kind)`::Model` also when two names
    /// are equal without their prefixes.
    #[doc(alias = "cae_model_import_weights")]
    pub fn import_weights(&mut self, path: impl AsRef<Path>, how: Import) -> Result<()> {
        let path = c_path(path.as_ref())?;
        let (path, flags) = (path.as_ptr(), how.flags());
        check(unsafe { sys::cae_model_import_weights(self.as_mut_ptr(), path, flags) })
    }
}
