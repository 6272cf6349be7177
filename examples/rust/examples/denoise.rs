//! libcae inside a Rust program: trains a small de-noiser on images that it draws itself, saves and
//! loads it, serves it from four threads, and compresses an image to a few bytes.
//!
//!     cargo run --example denoise
//!
//! Writes denoise.safetensors into the current folder. Copy what you need.
//
// SPDX-License-Identifier: BSD-2-Clause

use cae::{Keep, Model};
use std::thread;

const SIDE: usize = 32;
const SIZE: cae::Size = [SIDE, SIDE];
const SIGMA: f32 = 25.0 / 255.0; // the noise, on the scale [0,1]

/// One layer a line; see docs/architecture-text.md. "cae-denoise" would do as well.
const ARCHITECTURE: &str = "input 1 32 32
conv 16 kernel 3 pad 1 relu
maxpool 2
conv 8 kernel 3 pad 1 relu
code
tconv 16 kernel 2 stride 2 relu
conv 1 kernel 3 pad 1 sigmoid
";

/// A bright bar on a dark ramp, `count` of them one after another; the number decides where.
fn draw(count: usize, first: usize) -> Vec<f32> {
    let pixel = |i: usize| {
        let (number, y, x) = (first + i / (SIDE * SIDE), i / SIDE % SIDE, i % SIDE);
        let left = number * 7 % 27;
        let inside = x >= left && x < left + 5 && y > number * 5 % 13;
        if inside {
            0.9
        } else {
            0.1 + 0.4 * y as f32 / SIDE as f32
        }
    };
    (0..count * SIDE * SIDE).map(pixel).collect()
}

fn mean_squared_error(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>() / a.len() as f32
}

/// The noise is new in every step: the network never sees the same noisy image twice.
fn train(model: &mut Model, steps: usize) -> cae::Result<()> {
    for step in 0..steps {
        let clean = draw(16, step * 16);
        let mut noisy = clean.clone();
        cae::add_noise(&mut noisy, SIGMA, step as u64)?;
        let loss = model.train_step(&noisy, &clean, SIZE)?;
        if (step + 1) % 100 == 0 {
            println!("step {}: loss {loss:.5}", step + 1);
        }
    }
    Ok(())
}

/// Four threads share the model; each has an image and a place for the result.
fn serve(model: &Model) -> cae::Result<()> {
    let clean = draw(4, 123_456);
    let mut noisy = clean.clone();
    cae::add_noise(&mut noisy, SIGMA, 99)?;
    let mut restored = vec![0.0; clean.len()];
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for (from, to) in noisy.chunks(SIDE * SIDE).zip(restored.chunks_mut(SIDE * SIDE)) {
            threads.push(scope.spawn(move || model.denoise_into(from, SIZE, SIGMA, to)));
        }
        threads.into_iter().try_for_each(|thread| thread.join().expect("no thread panics"))
    })?;
    println!(
        "mean squared error: noisy {:.5}, de-noised {:.5}",
        mean_squared_error(&noisy, &clean),
        mean_squared_error(&restored, &clean)
    );
    Ok(())
}

/// Any size will do: 45 x 31 pixels here.
fn compress(model: &Model) -> cae::Result<()> {
    let pixels: Vec<u8> =
        (0..45 * 31).map(|i| if i > 700 { 220 } else { 40 + i % 31 } as u8).collect();
    let data = model.compress(&pixels, [45, 31], 0)?;
    let (restored, [_, height, width]) = model.decompress(&data)?;
    println!(
        "compressed {height} x {width} pixels to {} bytes; pixel (5, 5) was {}, is {}",
        data.len(),
        pixels[5 * 31 + 5],
        restored[5 * 31 + 5]
    );
    Ok(())
}

fn run() -> cae::Result<()> {
    println!("libcae {}", cae::version());
    let mut model = Model::new(ARCHITECTURE, 1)?;
    model.set("threads", 0.0)?; // all processors
    train(&mut model, 300)?;
    model.save("denoise.safetensors", Keep::Weights)?;

    let model = Model::load("denoise.safetensors")?;
    println!("saved and loaded denoise.safetensors");
    serve(&model)?;
    compress(&model)
}

fn main() {
    if let Err(error) = run() {
        eprintln!("denoise: {}: {error}", error.summary());
        std::process::exit(1);
    }
}
