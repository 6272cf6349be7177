//! libcae inside a Rust program: trains a small de-noiser on images that it draws itself, serves it
//! from four threads, saves, loads and compresses. Also the test of libcae.rs: it fails loudly.
//!
//!     rustc -O main.rs -l cae && ./main
//
// SPDX-License-Identifier: BSD-2-Clause

mod libcae;

use libcae::{Kind, Model};
use std::thread;

const SIDE: usize = 32;
const SIZE: [usize; 2] = [SIDE, SIDE];
const SIGMA: f32 = 25.0 / 255.0;
const ARCHITECTURE: &str = "input 1 32 32
conv 16 kernel 3 pad 1 relu
maxpool 2
conv 8 kernel 3 pad 1 relu
code
tconv 16 kernel 2 stride 2 relu
conv 1 kernel 3 pad 1 sigmoid
";

/// A bright bar on a dark ramp, `count` of them one after another.
fn draw(count: usize, first: usize) -> Vec<f32> {
    (0..count * SIDE * SIDE)
        .map(|i| {
            let (number, y, x) = (first + i / (SIDE * SIDE), i / SIDE % SIDE, i % SIDE);
            let left = number * 7 % 27;
            let inside = x >= left && x < left + 5 && y > number * 5 % 13;
            if inside {
                0.9
            } else {
                0.1 + 0.4 * y as f32 / SIDE as f32
            }
        })
        .collect()
}

fn mean_squared_error(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>() / a.len() as f32
}

fn train(model: &mut Model, steps: usize) -> libcae::Result<f32> {
    let mut loss = 0.0;
    for step in 0..steps {
        let clean = draw(16, step * 16);
        let mut noisy = clean.clone();
        libcae::add_noise(&mut noisy, SIGMA, step as u64)?;
        loss = model.train_step(&noisy, &clean, SIZE)?;
    }
    Ok(loss)
}

/// One model, many threads: each gets what a single thread gets.
fn serve(model: &Model) -> libcae::Result<()> {
    let clean = draw(4, 123_456);
    let mut noisy = clean.clone();
    libcae::add_noise(&mut noisy, SIGMA, 99)?;
    let restored = model.denoise(&noisy, SIZE, SIGMA)?;
    let (before, after) =
        (mean_squared_error(&noisy, &clean), mean_squared_error(&restored, &clean));
    println!("mean squared error: noisy {before:.5}, de-noised {after:.5}");
    assert!(after < before);
    thread::scope(|scope| {
        let workers: Vec<_> =
            (0..4).map(|_| scope.spawn(|| model.denoise(&noisy, SIZE, SIGMA))).collect();
        for worker in workers {
            assert_eq!(worker.join().unwrap().as_ref(), Ok(&restored));
        }
    });
    let codes = model.encode(&noisy, SIZE)?;
    assert_eq!(model.decode(&codes, SIZE)?, restored);
    Ok(())
}

fn compress(model: &Model) -> libcae::Result<()> {
    let size = [45, 31]; // any will do
    let pixels: Vec<u8> =
        (0..45 * 31).map(|i| if i > 700 { 220 } else { 40 + (i % 31) as u8 }).collect();
    let data = model.compress(&pixels, size, 0)?;
    let (restored, shape) = model.decompress(&data)?;
    assert_eq!((shape, restored.len()), ([1, 45, 31], pixels.len()));
    println!("compressed {} bytes of pixels to {}", pixels.len(), data.len());
    let error = model.decompress(&data[..data.len() - 1]).unwrap_err();
    assert_eq!((error.kind, error.status), (Kind::Format, -4));
    Ok(())
}

fn save_and_load(model: &Model) -> libcae::Result<()> {
    let path = "rust.safetensors";
    model.save(path, true)?;
    let mut loaded = Model::load(path)?;
    assert_eq!(loaded.get("step")?, model.get("step")?);
    assert_eq!(loaded.save_memory(true)?, model.save_memory(true)?);
    let from_memory = Model::load_memory(&model.save_memory(false)?)?;
    assert_eq!(from_memory.tensors()?, model.tensors()?);
    let (mut copy, images) = (model.copy(true)?, draw(2, 0));
    let loss = copy.train_step(&images, &images, SIZE)?;
    assert_eq!(loaded.train_gradient(&images, &images, SIZE)?, loss);
    let gradient = loaded.gradient()?;
    loaded.set_gradient(&gradient)?;
    loaded.train_apply()?;
    assert_eq!(loaded.save_memory(true)?, copy.save_memory(true)?);
    let bias = vec![0.5; loaded.tensors()?[0].values.len()];
    loaded.set_tensor(0, &bias)?;
    assert_eq!(loaded.tensors()?[0].values, bias);
    println!("saved and loaded {path}");
    Ok(())
}

/// Bad input is an Err with words, never a crash.
fn refuse(model: &mut Model) {
    let error = Model::new("input 1 8 8\nconvolve 3\n", 1).unwrap_err();
    assert_eq!((error.kind, error.status), (Kind::Syntax, -13));
    println!("refused, as it should be: {error}");
    assert_eq!(Model::new("nul\0", 1).unwrap_err().kind, Kind::Argument);
    assert_eq!(Model::load("/nonexistent/model").unwrap_err().kind, Kind::Io);
    assert_eq!(model.load_weights("/nonexistent/model").unwrap_err().kind, Kind::Io);
    assert_eq!(model.set("rate", 1.0).unwrap_err().kind, Kind::Argument);
    assert_eq!(model.encode(&[0.0; 1000], SIZE).unwrap_err().kind, Kind::Shape);
    assert_eq!(model.decode(&[0.0; 1000], SIZE).unwrap_err().kind, Kind::Shape);
    assert_eq!(model.compress(&[0; 1000], SIZE, 0).unwrap_err().kind, Kind::Shape);
    assert_eq!(model.denoise(&[], SIZE, 0.0).unwrap_err().kind, Kind::Argument);
    assert_eq!(model.denoise(&[], [0, 7], 0.0).unwrap_err().kind, Kind::Argument);
    assert_eq!(model.denoise(&[], [usize::MAX, 7], 0.0).unwrap_err().kind, Kind::Argument);
    let nan = vec![f32::NAN; SIDE * SIDE];
    assert_eq!(model.encode(&nan, SIZE).unwrap_err().kind, Kind::NonFinite);
    let target = &nan[1..];
    assert_eq!(model.train_step(&nan, target, SIZE).unwrap_err().kind, Kind::Shape);
}

fn main() -> libcae::Result<()> {
    println!("libcae {} ({} presets)", libcae::version(), libcae::presets().len());
    assert_eq!(libcae::presets().len(), 5);
    assert!(libcae::settings().iter().any(|setting| setting.key == "threads"));
    assert!(!libcae::status_words(-1).is_empty());
    let mut model = Model::new(ARCHITECTURE, 1)?;
    assert_eq!(model.shape(), [1, 32, 32]);
    assert!(model.architecture().starts_with("input 1 32 32\n"));
    model.set("threads", 0.0)?;
    let loss = train(&mut model, 300)?;
    println!("after 300 steps on {:?}: loss {loss:.5}", model.kernels());
    assert!(model.evaluate(&draw(1, 0), &draw(1, 0), SIZE)? < 0.02);
    serve(&model)?;
    compress(&model)?;
    save_and_load(&model)?;
    refuse(&mut model);
    println!("{:?}", model);
    Ok(())
}
