//! Training: a step at once, or its two halves with the gradient in hand between them.
//
// SPDX-License-Identifier: BSD-2-Clause

use crate::buffer::{count, exact, zeros};
use crate::error::{check, Result};
use crate::{sys, Model, Size};
use std::os::raw::c_int;

/// What `cae_train_step` and `cae_train_gradient` have in common.
type Function = unsafe extern "C" fn(
    *mut sys::cae_model,
    *const f32,
    *const f32,
    usize,
    usize,
    usize,
    *mut f32,
) -> c_int;

/// What `cae_train_step_sigma` and `cae_train_gradient_sigma` have in common.
type FunctionSigma = unsafe extern "C" fn(
    *mut sys::cae_model,
    *const f32,
    *const f32,
    *const f32,
    usize,
    usize,
    usize,
    *mut f32,
) -> c_int;

/// Training. `input` and `target` are count x channels x height x width, of any `size` that the
/// network takes; they may be the same slice. The loss is the mean of (output - target)^2 over all
/// values (plus the divergence of a sampled code, see `cae/cae.h`), before the update.
impl Model {
    /// One step: the gradient of the loss, then an update by Adam. Returns the loss.
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::Argument`, `Shape`, `NonFinite` (of the images, or a step that would
    /// make a weight so), `Limit`, `NoMemory`. The model is as before then.
    #[doc(alias = "cae_train_step")]
    pub fn train_step(&mut self, input: &[f32], target: &[f32], size: Size) -> Result<f32> {
        self.train(sys::cae_train_step, input, target, size)
    }

    /// The first half of a step: the loss, and the gradient to read, average with those of other
    /// machines, and apply. Both halves equal one [`train_step`](Model::train_step) bit for bit.
    ///
    /// # Errors
    /// As [`train_step`](Model::train_step).
    #[doc(alias = "cae_train_gradient")]
    pub fn train_gradient(
        &mut self,
        input: &[f32],
        target: &[f32],
        size: Size,
    ) -> Result<(f32, Gradient<'_>)> {
        let loss = self.train(sys::cae_train_gradient, input, target, size)?;
        Ok((loss, Gradient { model: self }))
    }

    /// [`train_step`](Model::train_step) of a network whose input line says `noise`: it is told each
    /// image's noise level, `sigma`, on the scale of the images, above 0.
    ///
    /// # Errors
    /// As [`train_step`](Model::train_step); `Shape` also for another number of levels than images,
    /// `Argument` for a level that is not allowed and for a network that takes none.
    #[doc(alias = "cae_train_step_sigma")]
    pub fn train_step_sigma(
        &mut self,
        input: &[f32],
        target: &[f32],
        sigma: &[f32],
        size: Size,
    ) -> Result<f32> {
        self.train_sigma(sys::cae_train_step_sigma, input, target, sigma, size)
    }

    /// [`train_gradient`](Model::train_gradient) of such a network.
    ///
    /// # Errors
    /// As [`train_step_sigma`](Model::train_step_sigma).
    #[doc(alias = "cae_train_gradient_sigma")]
    pub fn train_gradient_sigma(
        &mut self,
        input: &[f32],
        target: &[f32],
        sigma: &[f32],
        size: Size,
    ) -> Result<(f32, Gradient<'_>)> {
        let loss = self.train_sigma(sys::cae_train_gradient_sigma, input, target, sigma, size)?;
        Ok((loss, Gradient { model: self }))
    }

    /// A gradient from elsewhere: [`parameters`](Model::parameters) values, as
    /// [`Gradient::values`] gives them.
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::Shape` for another length, `NonFinite`, `NoMemory`.
    #[doc(alias = "cae_gradient_set")]
    pub fn set_gradient(&mut self, values: &[f32]) -> Result<Gradient<'_>> {
        let mut gradient = Gradient { model: self };
        gradient.set(values)?;
        Ok(gradient)
    }

    fn train(&mut self, step: Function, input: &[f32], target: &[f32], size: Size) -> Result<f32> {
        let count = self.batch(input, target, size)?;
        let ([height, width], mut loss) = (size, 0.0);
        let (input, target) = (input.as_ptr(), target.as_ptr());
        check(unsafe { step(self.as_mut_ptr(), input, target, count, height, width, &mut loss) })?;
        Ok(loss)
    }

    fn train_sigma(
        &mut self,
        step: FunctionSigma,
        input: &[f32],
        target: &[f32],
        sigma: &[f32],
        size: Size,
    ) -> Result<f32> {
        let count = self.batch_sigma(input, target, sigma, size)?;
        let ([height, width], mut loss) = (size, 0.0);
        let (input, target, sigma) = (input.as_ptr(), target.as_ptr(), sigma.as_ptr());
        check(unsafe {
            step(self.as_mut_ptr(), input, target, sigma, count, height, width, &mut loss)
        })?;
        Ok(loss)
    }

    /// The loss of the whole network without training.
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::Argument`, `Shape`, `NonFinite`, `Limit`, `NoMemory`.
    #[doc(alias = "cae_evaluate")]
    pub fn evaluate(&self, input: &[f32], target: &[f32], size: Size) -> Result<f32> {
        let count = self.batch(input, target, size)?;
        let ([height, width], mut loss) = (size, 0.0);
        let (input, target) = (input.as_ptr(), target.as_ptr());
        check(unsafe {
            sys::cae_evaluate(self.as_ptr(), input, target, count, height, width, &mut loss)
        })?;
        Ok(loss)
    }

    /// The same of a network whose input line says `noise`; `sigma` as in
    /// [`train_step_sigma`](Model::train_step_sigma).
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::Argument`, `Shape`, `NonFinite`, `Limit`, `NoMemory`.
    #[doc(alias = "cae_evaluate_sigma")]
    pub fn evaluate_sigma(
        &self,
        input: &[f32],
        target: &[f32],
        sigma: &[f32],
        size: Size,
    ) -> Result<f32> {
        let count = self.batch_sigma(input, target, sigma, size)?;
        let ([height, width], mut loss) = (size, 0.0);
        let (input, target, sigma) = (input.as_ptr(), target.as_ptr(), sigma.as_ptr());
        let model = self.as_ptr();
        check(unsafe {
            sys::cae_evaluate_sigma(model, input, target, sigma, count, height, width, &mut loss)
        })?;
        Ok(loss)
    }

    /// How many images there are, each with a level.
    fn batch_sigma(
        &self,
        input: &[f32],
        target: &[f32],
        sigma: &[f32],
        size: Size,
    ) -> Result<usize> {
        let count = self.batch(input, target, size)?;
        exact("sigma", sigma.len(), count)?;
        Ok(count)
    }

    /// How many images there are, in both.
    fn batch(&self, input: &[f32], target: &[f32], size: Size) -> Result<usize> {
        exact("target", target.len(), input.len())?;
        count("input", input.len(), self.image_len(size)?)
    }
}

/// A gradient that waits to be applied. It holds the model for itself.
///
/// Dropped, it is never applied, and the next one takes its place. The ranges of the code's channels
/// that it gathered (they guide compression) still go with the next update, unless that gathers its
/// own, which [`Model::set_gradient`] does not.
///
/// ```
/// # fn all_reduce(_: &mut [f32]) {}
/// # fn main() -> cae::Result<()> {
/// # let images = vec![0.5; 64 * 64];
/// let mut model = cae::Model::new("cae-compress", 1)?;
/// let (loss, mut gradient) = model.train_gradient(&images, &images, [64, 64])?;
/// let mut values = gradient.values()?;
/// all_reduce(&mut values); // the mean over all machines
/// gradient.set(&values)?;
/// gradient.apply()?;
/// # assert!(loss > 0.0 && model.step() == 1);
/// # Ok(())
/// # }
/// ```
///
/// It can be applied once, and the model does not change in between:
///
/// ```compile_fail,E0382
/// fn apply_twice(gradient: cae::Gradient) {
///     gradient.apply();
///     gradient.apply();
/// }
/// ```
/// ```compile_fail,E0499
/// fn change_between(model: &mut cae::Model, images: &[f32]) -> cae::Result<()> {
///     let (_, gradient) = model.train_gradient(images, images, [64, 64])?;
///     model.set("learning_rate", 1.0)?;
///     gradient.apply()
/// }
/// ```
#[derive(Debug)]
#[must_use = "a gradient does nothing until it is applied"]
pub struct Gradient<'a> {
    model: &'a mut Model,
}

impl Gradient<'_> {
    /// Its values: all tensors concatenated in file order, the mean over the batch.
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::NoMemory`.
    pub fn values(&self) -> Result<Vec<f32>> {
        let mut values = zeros(self.model.parameters())?;
        self.values_into(&mut values)?;
        Ok(values)
    }

    /// The same into a slice of [`Model::parameters`] values.
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::Shape` for another length.
    #[doc(alias = "cae_gradient_get")]
    pub fn values_into(&self, values: &mut [f32]) -> Result<()> {
        check(unsafe {
            sys::cae_gradient_get(self.model.as_ptr(), values.as_mut_ptr(), values.len())
        })
    }

    /// Replaces its values.
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::Shape` for another length, `NonFinite`; the gradient stays then.
    #[doc(alias = "cae_gradient_set")]
    pub fn set(&mut self, values: &[f32]) -> Result<()> {
        check(unsafe {
            sys::cae_gradient_set(self.model.as_mut_ptr(), values.as_ptr(), values.len())
        })
    }

    /// The second half of a step: updates the weights and uses the gradient up.
    ///
    /// # Errors
    /// [`Kind`](crate::Kind)`::NonFinite` for an update that would make a weight so; the weights
    /// are as before then. `NoMemory`.
    #[doc(alias = "cae_train_apply")]
    pub fn apply(self) -> Result<()> {
        check(unsafe { sys::cae_train_apply(self.model.as_mut_ptr()) })
    }

    /// The model, whose weights are those from before the update.
    pub fn model(&self) -> &Model {
        self.model
    }
}
