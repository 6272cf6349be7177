//! Bad input is an error that names what is wrong, never a crash: a table of it.
//
// SPDX-License-Identifier: BSD-2-Clause

mod common;

use cae::{Error, Keep, Kind, Model, Result};
use common::*;
use std::fs;

/// What was tried, what came of it, and the kind and a word that it should have.
type Case = (&'static str, Option<Error>, Kind, &'static str);

fn expect(cases: impl IntoIterator<Item = Case>) {
    for (what, error, kind, word) in cases {
        let error = error.unwrap_or_else(|| panic!("{what}: no error"));
        assert_eq!(error.kind(), kind, "{what}: {error}");
        assert!(error.message().contains(word), "{what}: '{error}' lacks '{word}'");
        assert!(error.status() < 0 && !error.summary().is_empty());
        assert_eq!(error.to_string(), error.message());
    }
}

#[test]
fn models_that_cannot_be() {
    let bytes = trained(1).to_bytes(Keep::Training).unwrap();
    let cut = &bytes[..bytes.len() - 1];
    let long = format!("input 1 8 8\n{}", "#".repeat(1 << 17));
    expect([
        ("no text", Model::new("", 1).err(), Kind::Syntax, ""),
        ("a word", Model::new("input 1 8 8\nconvolve 3\n", 1).err(), Kind::Syntax, "line 2"),
        (
            "sizes",
            Model::new("input 1 8 8\nconv 1 kernel 9\ncode\nconv 1 kernel 1\n", 1).err(),
            Kind::Shape,
            "line 2",
        ),
        ("a NUL", Model::new("cae-\0denoise", 1).err(), Kind::Argument, "NUL"),
        ("a long text", Model::new(&long, 1).err(), Kind::Limit, ""),
        ("no file", Model::load("/nonexistent/model").err(), Kind::Io, "/nonexistent/model"),
        ("no path", Model::load("").err(), Kind::Io, ""),
        ("a folder", Model::load(env!("CARGO_TARGET_TMPDIR")).err(), Kind::Io, ""),
        ("a path with NUL", Model::load("a\0b").err(), Kind::Argument, "path"),
        ("no bytes", Model::from_bytes(&[]).err(), Kind::Format, ""),
        ("a cut file", Model::from_bytes(cut).err(), Kind::Format, ""),
    ]);
}

#[test]
fn damaged_model_files() {
    let (bytes, path) = (trained(1).to_bytes(Keep::Weights).unwrap(), scratch("bad.safetensors"));
    for place in (0..bytes.len()).step_by(3) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x40;
        assert!(Model::from_bytes(&damaged).is_err(), "byte {place}");
    }
    fs::write(&path, &bytes[..40]).unwrap();
    expect([("the start alone", Model::load(&path).err(), Kind::Format, "")]);
}

#[test]
fn files_that_cannot_be_written() {
    let model = trained(0);
    let keep = Keep::Weights;
    expect([
        ("no folder", model.save("/nonexistent/a", keep).err(), Kind::Io, "/nonexistent/a"),
        ("a folder", model.save(env!("CARGO_TARGET_TMPDIR"), keep).err(), Kind::Io, ""),
        ("no path", model.save("", keep).err(), Kind::Argument, "path"),
        ("a NUL", model.save("a\0b", keep).err(), Kind::Argument, "path"),
    ]);
}

#[test]
fn settings_and_weights() {
    let mut model = trained(0);
    expect([
        ("a key", model.set("rate", 1.0).err(), Kind::Argument, "'rate'"),
        ("a key to read", model.get("rate").err(), Kind::Argument, "'rate'"),
        ("no key", model.get("").err(), Kind::Argument, ""),
        ("a NUL", model.set("threads\0", 1.0).err(), Kind::Argument, "NUL"),
        ("read-only", model.set("step", 1.0).err(), Kind::Argument, "step"),
        ("too much", model.set("beta1", 1.0).err(), Kind::Argument, "beta1"),
        ("NaN", model.set("learning_rate", f64::NAN).err(), Kind::Argument, "learning_rate"),
        ("a fraction", model.set("threads", 1.5).err(), Kind::Argument, "threads"),
        ("past the end", model.set_tensor(4, &[0.0; 3]).err(), Kind::Argument, "4"),
        ("a length", model.set_tensor(0, &[0.0; 4]).err(), Kind::Shape, "4"),
        ("no values", model.set_tensor(0, &[]).err(), Kind::Shape, "0"),
        ("no place", model.tensor_into(0, &mut []).err(), Kind::Shape, "0"),
        ("infinity", model.set_tensor(0, &[f32::INFINITY; 3]).err(), Kind::NonFinite, ""),
        ("weights", model.load_weights("/nonexistent/a").err(), Kind::Io, "/nonexistent/a"),
        ("a gradient", model.set_gradient(&[0.0; 82]).err(), Kind::Shape, "82"),
    ]);
}

/// Each function on images, with images of `len` values and a size.
fn on_images(model: &mut Model, len: usize, size: [usize; 2]) -> Vec<(&'static str, Result<()>)> {
    let (images, mut out) = (vec![0.5; len], vec![0.0; len]);
    let pixels = vec![9u8; len];
    vec![
        ("denoise", model.denoise(&images, size, 0.0).map(drop)),
        ("denoise_into", model.denoise_into(&images, size, 0.0, &mut out)),
        ("encode", model.encode(&images, size).map(drop)),
        ("encode_into", model.encode_into(&images, size, &mut out)),
        ("decode", model.decode(&images, size).map(drop)),
        ("decode_into", model.decode_into(&images, size, &mut out)),
        ("fit_code", model.fit_code(&images, size)),
        ("evaluate", model.evaluate(&images, &images, size).map(drop)),
        ("train_step", model.train_step(&images, &images, size).map(drop)),
        ("train_gradient", model.train_gradient(&images, &images, size).map(drop)),
        ("compress", model.compress(&pixels, size, 0).map(drop)),
    ]
}

#[test]
fn lengths_and_sizes() {
    let mut model = trained(0);
    let most = usize::MAX;
    for (len, size, kind) in [
        (511, SIZE, Kind::Shape),
        (513, SIZE, Kind::Shape),
        (0, [0, 16], Kind::Argument),
        (512, [16, 0], Kind::Argument),
        (512, [0, 0], Kind::Argument),
        (512, [most, most], Kind::Argument),
        (512, [most, 1], Kind::Argument),
    ] {
        for (what, result) in on_images(&mut model, len, size) {
            let error = result.expect_err(what);
            assert_eq!(error.kind(), kind, "{what} of {len}, {size:?}: {error}");
        }
    }
    for (what, result) in on_images(&mut model, 0, SIZE) {
        let kind = if what == "compress" { Kind::Shape } else { Kind::Argument };
        assert_eq!(result.expect_err(what).kind(), kind, "{what} of nothing");
    }
    let images = draw(2, 0, SIZE);
    let short = &images[..512];
    let mut out = vec![0.0; 511];
    expect([
        ("target", model.train_step(&images, short, SIZE).err(), Kind::Shape, "target"),
        ("target", model.evaluate(short, &images, SIZE).err(), Kind::Shape, "target"),
        ("clean", model.denoise_into(short, SIZE, 0.0, &mut out).err(), Kind::Shape, "clean"),
        ("codes", model.encode_into(short, SIZE, &mut out).err(), Kind::Shape, "codes"),
        ("images", model.decode_into(&images[..192], SIZE, &mut out).err(), Kind::Shape, "images"),
        ("code_shape", model.code_shape([0, 1]).err(), Kind::Argument, ""),
    ]);
    assert_eq!(model.compress_bound([0, 1]), 0);
    assert_eq!(model.compress_bound([most, most]), 0);
}

#[test]
fn values() {
    let model = trained(0);
    let (images, nan) = (draw(1, 0, SIZE), vec![f32::NAN; 512]);
    let pixels = [9; 512];
    expect([
        ("NaN", model.encode(&nan, SIZE).err(), Kind::NonFinite, ""),
        ("NaN", model.decode(&nan[..192], SIZE).err(), Kind::NonFinite, ""),
        ("NaN", model.denoise(&nan, SIZE, 0.0).err(), Kind::NonFinite, ""),
        ("NaN", cae::add_noise(&mut nan.clone(), 0.1, 1).err(), Kind::NonFinite, ""),
        ("sigma", model.denoise(&images, SIZE, f32::NAN).err(), Kind::Argument, "sigma"),
        ("sigma", cae::add_noise(&mut images.clone(), -0.1, 1).err(), Kind::Argument, "sigma"),
        ("nothing", cae::add_noise(&mut [], 0.1, 1).err(), Kind::Argument, ""),
        ("NaN", cae::estimate_noise(&nan, [1, 8, 64]).err(), Kind::NonFinite, "images"),
        ("nothing", cae::estimate_noise(&[], [1, 8, 8]).err(), Kind::Argument, "count"),
        ("a part", cae::estimate_noise(&images, [1, 7, 8]).err(), Kind::Shape, "images"),
        ("quality", model.compress(&pixels, SIZE, 101).err(), Kind::Argument, "quality"),
        ("quality", model.compress(&pixels, SIZE, u32::MAX).err(), Kind::Argument, "quality"),
        ("no data", cae::compressed_info(&[]).err(), Kind::Format, ""),
        ("no data", model.decompress(&[]).err(), Kind::Format, ""),
        ("a model's file", model.decompress(&[8; 100]).err(), Kind::Format, ""),
    ]);
    assert_eq!(model.denoise(&[1e30; 512], SIZE, 0.0).map(|clean| clean.len()), Ok(512));
}

#[test]
fn what_a_network_or_a_limit_forbids() {
    let skip = Model::new(SKIP_OVER_CODE, 1).unwrap();
    let dense = Model::new("sae-compress", 1).unwrap();
    let mut small = trained(0);
    small.set("memory_limit", 65536.0).unwrap();
    let large = draw(1, 0, [512, 512]);
    expect([
        ("a skip", skip.encode(&[0.5; 64], [8, 8]).err(), Kind::Unsupported, ""),
        ("a skip", skip.code_shape([8, 8]).err(), Kind::Unsupported, ""),
        ("a skip", skip.compress(&[9; 64], [8, 8], 0).err(), Kind::Unsupported, ""),
        ("a size", dense.denoise(&[0.5; 64], [8, 8], 0.0).err(), Kind::Shape, ""),
        ("memory", small.train_step(&large, &large, [512, 512]).err(), Kind::Limit, "memory_limit"),
    ]);
    assert!(skip.denoise(&[0.5; 64], [8, 8], 0.0).is_ok());
}
