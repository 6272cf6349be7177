//! What the tests draw and train.
//
// SPDX-License-Identifier: BSD-2-Clause

#![allow(dead_code)] // each test uses a part

use cae::{Model, Size};
use std::path::PathBuf;

pub const SIZE: Size = [16, 16];

/// Two channels, one of its sizes a small prime: what is mixed up does not fit.
pub const NET: &str = "input 2 16 16
conv 3 kernel 3 pad 1 relu
maxpool 2
code
tconv 2 kernel 2 stride 2 sigmoid
";

/// The code alone does not describe its images.
pub const SKIP_OVER_CODE: &str = "input 1 8 8
conv 2 kernel 3 pad 1 relu
mark a
conv 2 kernel 3 pad 1 relu
code
add a
conv 1 kernel 3 pad 1 sigmoid
";

/// `count` images of two channels: ramps with an edge whose place `first` decides.
pub fn draw(count: usize, first: usize, size: Size) -> Vec<f32> {
    let [height, width] = size;
    let value = |i: usize| {
        let (image, y, x) = (first + i / (height * width), i / width % height, i % width);
        let edge = if x > image * 5 % width { 0.4 } else { 0.0 };
        edge + 0.5 * y as f32 / height as f32
    };
    (0..count * 2 * height * width).map(value).collect()
}

pub fn trained(steps: usize) -> Model {
    let mut model = Model::new(NET, 1).unwrap();
    model.set("learning_rate", 0.01).unwrap();
    for step in 0..steps {
        let images = draw(4, step, SIZE);
        model.train_step(&images, &images, SIZE).unwrap();
    }
    model
}

/// A path in cargo's folder for tests, where nothing is.
pub fn scratch(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    path
}

/// Equal to the last bit, NaN or not.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}
