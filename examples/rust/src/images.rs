//! Using a model: the network on images, and compressed images. All of it takes `&self`.
//
// SPDX-License-Identifier: BSD-2-Clause

use crate::buffer::{count, exact, product, zeros};
use crate::error::{check, Error, Kind, Result};
use crate::{compressed_info, sys, Model, Shape, Size};

/// The network on images of `size` = \[height, width\], any that it takes. Any count runs in
/// bounded memory. Each function has a form that writes to a slice of yours and allocates nothing
/// for the result.
///
/// All of them refuse with [`Kind::Argument`], [`Kind::Shape`] (a size or a length that does not
/// fit), [`Kind::NonFinite`], [`Kind::Limit`], [`Kind::NoMemory`]; encoding and decoding also with
/// [`Kind::Unsupported`], when a skip crosses `code`.
impl Model {
    /// The whole network of any model: noisy images to clean ones of the same shape.
    ///
    /// `sigma` is the noise's standard deviation on the scale \[0,1\], finite and >= 0; 0 means not
    /// known. Today no network uses it: the result is the same for any value. Networks that take a
    /// noise level come with a later release.
    ///
    /// # Errors
    /// See above.
    pub fn denoise(&self, noisy: &[f32], size: Size, sigma: f32) -> Result<Vec<f32>> {
        let mut clean = zeros(noisy.len())?;
        self.denoise_into(noisy, size, sigma, &mut clean)?;
        Ok(clean)
    }

    /// The same into `clean`, which is as long as `noisy`. What it holds after an error is
    /// unspecified.
    ///
    /// # Errors
    /// See above.
    #[doc(alias = "cae_denoise")]
    pub fn denoise_into(
        &self,
        noisy: &[f32],
        size: Size,
        sigma: f32,
        clean: &mut [f32],
    ) -> Result<()> {
        let count = self.count("noisy", noisy, size)?;
        exact("clean", clean.len(), noisy.len())?;
        let ([height, width], from, to) = (size, noisy.as_ptr(), clean.as_mut_ptr());
        check(unsafe { sys::cae_denoise(self.as_ptr(), from, count, height, width, sigma, to) })
    }

    /// Images to codes: count x [`code_shape`](Model::code_shape); of a sampled code the means.
    ///
    /// # Errors
    /// See above.
    pub fn encode(&self, images: &[f32], size: Size) -> Result<Vec<f32>> {
        let count = self.count("images", images, size)?;
        let mut codes = zeros(product(&[count, self.code_len(size)?])?)?;
        self.encode_into(images, size, &mut codes)?;
        Ok(codes)
    }

    /// The same into `codes`, of just that length.
    ///
    /// # Errors
    /// See above.
    #[doc(alias = "cae_encode")]
    pub fn encode_into(&self, images: &[f32], size: Size, codes: &mut [f32]) -> Result<()> {
        let count = self.count("images", images, size)?;
        exact("codes", codes.len(), product(&[count, self.code_len(size)?])?)?;
        let ([height, width], from, to) = (size, images.as_ptr(), codes.as_mut_ptr());
        check(unsafe { sys::cae_encode(self.as_ptr(), from, count, height, width, to) })
    }

    /// Codes to images; `size` is that of the images. `decode(encode(x))` equals `denoise(x)` bit
    /// for bit.
    ///
    /// # Errors
    /// See above.
    pub fn decode(&self, codes: &[f32], size: Size) -> Result<Vec<f32>> {
        let one = self.image_len(size)?;
        let count = count("codes", codes.len(), self.code_len(size)?)?;
        let mut images = zeros(product(&[count, one])?)?;
        self.decode_into(codes, size, &mut images)?;
        Ok(images)
    }

    /// The same into `images`, of just that length.
    ///
    /// # Errors
    /// See above.
    #[doc(alias = "cae_decode")]
    pub fn decode_into(&self, codes: &[f32], size: Size, images: &mut [f32]) -> Result<()> {
        let one = self.image_len(size)?;
        let count = count("codes", codes.len(), self.code_len(size)?)?;
        exact("images", images.len(), product(&[count, one])?)?;
        let ([height, width], from, to) = (size, codes.as_ptr(), images.as_mut_ptr());
        check(unsafe { sys::cae_decode(self.as_ptr(), from, count, height, width, to) })
    }

    /// How many values one image has: the one place where a caller's size becomes a length.
    pub(crate) fn image_len(&self, size: Size) -> Result<usize> {
        let [height, width] = size;
        if height == 0 || width == 0 {
            let name = if height == 0 { "height" } else { "width" };
            return Err(Error::new(Kind::Argument, format!("{name} is 0")));
        }
        product(&[self.shape()[0], height, width])
    }

    fn code_len(&self, size: Size) -> Result<usize> {
        product(&self.code_shape(size)?)
    }

    fn count(&self, name: &str, images: &[f32], size: Size) -> Result<usize> {
        count(name, images.len(), self.image_len(size)?)
    }
}

/// Compressed images: the code, quantised and entropy-coded into a small container. `pixels` are
/// height x width x channels bytes, value v standing for v/255; any size that the network takes.
/// One file gives one picture on every machine.
impl Model {
    /// Gathers what [`compress`](Model::compress) needs from these images, with the weights as they
    /// are: call it when training ends, with the images trained on or some hundreds like those to be
    /// compressed, and after weights were set from outside. No weight, moment or step changes; what
    /// was compressed before needs the model as it was.
    ///
    /// # Errors
    /// [`Kind::Argument`], [`Kind::Shape`], [`Kind::NonFinite`], [`Kind::Limit`],
    /// [`Kind::NoMemory`]; [`Kind::Unsupported`] when a skip crosses `code`.
    #[doc(alias = "cae_fit_code")]
    pub fn fit_code(&mut self, images: &[f32], size: Size) -> Result<()> {
        let count = self.count("images", images, size)?;
        let ([height, width], from) = (size, images.as_ptr());
        check(unsafe { sys::cae_fit_code(self.as_mut_ptr(), from, count, height, width) })
    }

    /// Compresses an image. `quality` is 1 (smallest) to 100 (best); 0 means the default, 50.
    ///
    /// # Errors
    /// [`Kind::Argument`] (a size, the quality), [`Kind::Shape`], [`Kind::Limit`],
    /// [`Kind::Unsupported`], [`Kind::NonFinite`], [`Kind::NoMemory`].
    pub fn compress(&self, pixels: &[u8], size: Size, quality: u32) -> Result<Vec<u8>> {
        exact("pixels", pixels.len(), self.image_len(size)?)?;
        let mut data = zeros(self.compress_bound(size))?;
        let used = self.compress_into(pixels, size, quality, &mut data)?;
        data.truncate(used);
        Ok(data)
    }

    /// The same into the first bytes of `data`; returns how many. As many as
    /// [`compress_bound`](Model::compress_bound) says always suffice.
    ///
    /// # Errors
    /// As [`compress`](Model::compress); [`Kind::Buffer`] when `data` is too short, and the message
    /// says how much is needed.
    #[doc(alias = "cae_compress")]
    pub fn compress_into(
        &self,
        pixels: &[u8],
        size: Size,
        quality: u32,
        data: &mut [u8],
    ) -> Result<usize> {
        exact("pixels", pixels.len(), self.image_len(size)?)?;
        let ([height, width], mut used) = (size, 0);
        let stride = product(&[width, self.shape()[0]])?;
        let (from, to, capacity) = (pixels.as_ptr(), data.as_mut_ptr().cast(), data.len());
        check(unsafe {
            sys::cae_compress(
                self.as_ptr(),
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
        Ok(used)
    }

    /// How many bytes always suffice for an image of that size; 0 for a size that cannot be.
    #[doc(alias = "cae_compress_bound")]
    pub fn compress_bound(&self, size: Size) -> usize {
        unsafe { sys::cae_compress_bound(self.as_ptr(), size[0], size[1]) }
    }

    /// Restores an image; returns its pixels and its channels, height and width. The data is
    /// untrusted input.
    ///
    /// # Errors
    /// [`Kind::Format`] (damaged), [`Kind::Version`], [`Kind::Model`] (made with another model),
    /// [`Kind::Argument`] (no data), [`Kind::Limit`], [`Kind::Unsupported`], [`Kind::NonFinite`],
    /// [`Kind::NoMemory`].
    pub fn decompress(&self, data: &[u8]) -> Result<(Vec<u8>, Shape)> {
        let mut pixels = zeros(product(&compressed_info(data)?)?)?;
        let shape = self.decompress_into(data, &mut pixels)?;
        Ok((pixels, shape))
    }

    /// The same into `pixels`, of the length that [`compressed_info`] gives: the product of the
    /// shape.
    ///
    /// # Errors
    /// As [`decompress`](Model::decompress); [`Kind::Shape`] for another length.
    #[doc(alias = "cae_decompress")]
    pub fn decompress_into(&self, data: &[u8], pixels: &mut [u8]) -> Result<Shape> {
        let shape = compressed_info(data)?;
        let ([channels, height, width], own) = (shape, self.shape()[0]);
        if channels != own {
            let message = format!("the image has {channels} channels, the model {own}");
            return Err(Error::new(Kind::Model, message));
        }
        exact("pixels", pixels.len(), product(&shape)?)?;
        let stride = product(&[width, channels])?;
        let (from, to) = (data.as_ptr().cast(), pixels.as_mut_ptr());
        check(unsafe {
            sys::cae_decompress(self.as_ptr(), from, data.len(), to, height, width, stride)
        })?;
        Ok(shape)
    }
}
