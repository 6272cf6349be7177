//! Models in use: sizes of all kinds, both forms of each function, compressed images.
//
// SPDX-License-Identifier: BSD-2-Clause

mod common;

use cae::{Kind, Model};
use common::*;

#[test]
fn any_size_and_either_form() {
    let model = trained(20);
    for size in [[16, 16], [1, 1], [1, 7], [13, 2], [33, 31]] {
        let (images, code) = (draw(3, 5, size), model.code_shape(size).unwrap());
        let codes = model.encode(&images, size).unwrap();
        assert_eq!(codes.len(), 3 * code.iter().product::<usize>());
        let clean = model.denoise(&images, size, 0.1).unwrap();
        assert_eq!(model.decode(&codes, size), Ok(clean.clone()));

        let mut into = vec![f32::NAN; codes.len()];
        model.encode_into(&images, size, &mut into).unwrap();
        assert_eq!(bits(&into), bits(&codes));
        let mut into = vec![f32::NAN; images.len()];
        model.denoise_into(&images, size, 0.1, &mut into).unwrap();
        assert_eq!(bits(&into), bits(&clean));
        let mut into = vec![f32::NAN; images.len()];
        model.decode_into(&codes, size, &mut into).unwrap();
        assert_eq!(bits(&into), bits(&clean));
    }
}

#[test]
fn an_image_alone_is_as_in_company() {
    let (model, images) = (trained(5), draw(3, 0, SIZE));
    let together = model.denoise(&images, SIZE, 0.0).unwrap();
    for (from, expected) in images.chunks(512).zip(together.chunks(512)) {
        assert_eq!(bits(&model.denoise(from, SIZE, 0.0).unwrap()), bits(expected));
    }
}

#[test]
fn noise_depends_on_the_seed_alone() {
    let noise = |seed| {
        let mut values = vec![0.5; 1000];
        cae::add_noise(&mut values, 0.1, seed).unwrap();
        values
    };
    assert_eq!(noise(3), noise(3));
    assert_ne!(noise(3), noise(4));
    let mean = noise(3).iter().sum::<f32>() / 1000.0;
    assert!((mean - 0.5).abs() < 0.02, "{mean}");
}

#[test]
fn the_level_of_the_noise_is_found() {
    let mut values = vec![0.5; 2 * 3 * 64 * 64];
    cae::add_noise(&mut values[3 * 64 * 64..], 0.1, 5).unwrap();
    let levels = cae::estimate_noise(&values, [3, 64, 64]).unwrap();
    assert_eq!((levels.len(), levels[0]), (2, 0.0));
    assert!((levels[1] - 0.1).abs() < 0.01, "{levels:?}");
}

#[test]
fn fitting_the_code_changes_its_ranges_alone() {
    let (mut model, images) = (Model::new(NET, 3).unwrap(), draw(4, 0, SIZE));
    let (before, clean) = (pixels(SIZE), model.denoise(&images, SIZE, 0.0).unwrap());
    let old = model.compress(&before, SIZE, 100).unwrap();
    model.fit_code(&images, SIZE).unwrap();
    assert_eq!(bits(&model.denoise(&images, SIZE, 0.0).unwrap()), bits(&clean));
    assert_eq!(model.step(), 0);
    let new = model.compress(&before, SIZE, 100).unwrap();
    assert!(model.decompress(&new).is_ok());
    assert_eq!(model.decompress(&old).unwrap_err().kind(), Kind::Model);
}

fn pixels(size: [usize; 2]) -> Vec<u8> {
    (0..size[0] * size[1] * 2).map(|i| (i / size[1] % 64 * 3 + i % 2 * 50) as u8).collect()
}

#[test]
fn compressed_images_come_back() {
    let model = trained(200);
    for size in [[16, 16], [1, 1], [45, 31]] {
        let before = pixels(size);
        let data = model.compress(&before, size, 100).unwrap();
        assert!(data.len() <= model.compress_bound(size));
        assert_eq!(cae::compressed_info(&data[..16.min(data.len())]), Ok([2, size[0], size[1]]));
        let (after, shape) = model.decompress(&data).unwrap();
        assert_eq!((shape, after.len()), ([2, size[0], size[1]], before.len()));

        let mut into = vec![7; model.compress_bound(size)];
        assert_eq!(model.compress_into(&before, size, 100, &mut into), Ok(data.len()));
        assert_eq!(into[..data.len()], data[..]);
        let mut into = vec![7; before.len()];
        assert_eq!(model.decompress_into(&data, &mut into), Ok(shape));
        assert_eq!(into, after);
    }
    let sizes = [1, 50, 100].map(|q| model.compress(&pixels([45, 31]), [45, 31], q).unwrap().len());
    assert!(sizes[0] < sizes[1] && sizes[1] < sizes[2], "{sizes:?}");
    let standard = model.compress(&pixels([45, 31]), [45, 31], 0).unwrap();
    assert_eq!(standard.len(), sizes[1]);
}

#[test]
fn damage_is_an_error_wherever_it_is() {
    let (model, size) = (trained(5), [45, 31]);
    let data = model.compress(&pixels(size), size, 0).unwrap();
    for end in 0..data.len() {
        assert!(model.decompress(&data[..end]).is_err(), "the first {end} bytes");
    }
    for place in 0..data.len() {
        let mut damaged = data.clone();
        damaged[place] ^= 1 << (place % 8);
        assert!(model.decompress(&damaged).is_err(), "byte {place}");
    }
    let error = Model::new(NET, 2).unwrap().decompress(&data).unwrap_err();
    assert_eq!((error.kind(), error.status()), (Kind::Model, -6));
    let error = Model::new("cae-compress", 1).unwrap().decompress(&data).unwrap_err();
    assert_eq!((error.kind(), error.status()), (Kind::Model, -6));
    let mut short = vec![0; 45 * 31 * 2 - 1];
    assert_eq!(model.decompress_into(&data, &mut short).unwrap_err().kind(), Kind::Shape);
    let mut little = [0; 10];
    let error = model.compress_into(&pixels(size), size, 0, &mut little).unwrap_err();
    assert_eq!((error.kind(), error.status()), (Kind::Buffer, -10));
}
