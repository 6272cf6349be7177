//! Pixels of every kind, de-noised in place: the result of `denoise`, alpha, progress, refusals.
//
// SPDX-License-Identifier: BSD-2-Clause

mod common;

use cae::{Denoising, Kind, Model};
use common::bits;

const LEVELS: &str = "input 1 16 16 noise
mark noisy
conv 4 kernel 2 stride 2 relu
tconv 1 kernel 2 stride 2
add noisy
";

fn model() -> Model {
    Model::new(LEVELS, 2).unwrap()
}

fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 7919 % 1000) as f32 / 1000.0).collect()
}

#[test]
fn floats_are_those_of_denoise() {
    let (model, mut pixels) = (model(), values(13 * 9));
    let wanted = model.denoise(&pixels, [13, 9], 0.1).unwrap();
    model.denoise_pixels(&mut pixels, [13, 9], 1, Denoising::level(0.1)).unwrap();
    assert_eq!(bits(&pixels), bits(&wanted));
}

#[test]
fn integers_are_rounded_and_alpha_stays() {
    let (model, planar) = (model(), values(13 * 9));
    let bytes: Vec<u8> = planar.iter().map(|v| (v * 255.0 + 0.5) as u8).collect();
    let floats: Vec<f32> = bytes.iter().map(|v| f32::from(*v) / 255.0).collect();
    let clean = model.denoise(&floats, [13, 9], 0.1).unwrap();
    let round = |v: &f32| (f64::from(*v) * 255.0 + 0.5).clamp(0.0, 255.0) as u8;
    let mut pixels: Vec<u8> = bytes.iter().flat_map(|v| [*v, v ^ 85]).collect();
    model.denoise_pixels(&mut pixels, [13, 9], 2, Denoising::level(0.1)).unwrap();
    let wanted: Vec<u8> =
        clean.iter().zip(&bytes).flat_map(|(v, before)| [round(v), before ^ 85]).collect();
    assert_eq!(pixels, wanted);

    let deep: Vec<u16> = bytes.iter().map(|v| u16::from(*v) * 257).collect();
    let mut pixels = deep.clone();
    model.denoise_pixels(&mut pixels, [13, 9], 1, Denoising::level(0.1)).unwrap();
    assert!(pixels
        .iter()
        .zip(&clean)
        .all(|(a, b)| (f32::from(*a) / 65535.0 - b).abs() < 1e-4 || !(0.0..=1.0).contains(b)));
    let nothing = Denoising { sigma: 0.1, gain: 0.01, strength: 0.0 };
    let mut pixels = deep.clone();
    model.denoise_pixels(&mut pixels, [13, 9], 1, nothing).unwrap();
    assert_eq!(pixels, deep);
}

#[test]
fn progress_tells_and_stops() {
    let (model, mut told) = (model(), Vec::new());
    let (mut pixels, size) = (values(300 * 40), [300, 40]);
    let what = Denoising::level(0.1);
    model
        .denoise_pixels_with(&mut pixels, size, 1, what, |done| {
            told.push(done);
            true
        })
        .unwrap();
    assert_eq!((told[0], *told.last().unwrap()), (0.0, 1.0));
    assert!(told.windows(2).all(|pair| pair[0] <= pair[1]));
    let mut pixels = values(300 * 40);
    let error = model.denoise_pixels_with(&mut pixels, size, 1, what, |_| false).unwrap_err();
    assert_eq!(error.kind(), Kind::Cancelled);
    assert_eq!(bits(&pixels), bits(&values(300 * 40))); // told of 0 first
}

#[test]
#[should_panic(expected = "in between")]
fn a_panic_passes_through() {
    let mut pixels = values(300 * 40);
    let _ = model().denoise_pixels_with(&mut pixels, [300, 40], 1, Denoising::level(0.1), |_| {
        panic!("in between")
    });
}

#[test]
fn what_is_refused() {
    let model = model();
    let what = Denoising::level(0.1);
    let kind = |size, channels, what| {
        model.denoise_pixels(&mut values(12 * 4), size, channels, what).unwrap_err().kind()
    };
    assert_eq!(kind([12, 3], 1, what), Kind::Shape);
    assert_eq!(kind([0, 4], 1, what), Kind::Shape);
    assert_eq!(kind([usize::MAX, 4], 1, what), Kind::Argument);
    assert_eq!(kind([12, 4], 1, Denoising::level(-1.0)), Kind::Argument);
    assert_eq!(kind([12, 4], 1, Denoising { strength: f32::NAN, ..what }), Kind::Argument);
    let mut empty: [u8; 0] = [];
    assert_eq!(
        model.denoise_pixels(&mut empty, [0, 4], 1, what).unwrap_err().kind(),
        Kind::Argument
    );
    let colour = Model::new("unet-denoise-rgb", 1).unwrap();
    let error = colour.denoise_pixels(&mut [0u8; 10], [1, 2], 5, what).unwrap_err();
    assert_eq!(error.kind(), Kind::Shape);
    assert!(error.message().contains("3, or 4 with alpha"), "{error}");
}
