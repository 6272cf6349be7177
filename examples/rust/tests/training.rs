//! Training: it learns, its halves are the whole, and what it refuses changes nothing.
//
// SPDX-License-Identifier: BSD-2-Clause

mod common;

use cae::{Keep, Kind, Model};
use common::*;

#[test]
fn steps_learn() {
    let images = draw(4, 100, SIZE);
    let loss = |model: &Model| model.evaluate(&images, &images, SIZE).unwrap();
    assert!(loss(&trained(200)) < 0.5 * loss(&Model::new(NET, 1).unwrap()));
}

#[test]
fn two_halves_are_one_step() {
    let (mut whole, images, target) = (trained(2), draw(3, 7, [9, 5]), draw(3, 1, [9, 5]));
    let mut halves = whole.copy(Keep::Training).unwrap();
    let evaluated = whole.evaluate(&images, &target, [9, 5]).unwrap();
    let expected = whole.train_step(&images, &target, [9, 5]).unwrap();
    let (loss, gradient) = halves.train_gradient(&images, &target, [9, 5]).unwrap();
    assert_eq!((loss, evaluated), (expected, expected));
    assert_eq!(gradient.model().step(), 2);
    gradient.apply().unwrap();
    let keep = Keep::Training;
    assert_eq!(halves.to_bytes(keep).unwrap(), whole.to_bytes(keep).unwrap());
}

#[test]
fn a_gradient_travels() {
    let (mut first, images) = (trained(2), draw(2, 3, SIZE));
    let mut second = first.copy(Keep::Training).unwrap();
    let (_, gradient) = first.train_gradient(&images, &images, SIZE).unwrap();
    let values = gradient.values().unwrap();
    assert!(values.len() == 83 && values.iter().any(|value| *value != 0.0));
    gradient.apply().unwrap();

    second.set_gradient(&values).unwrap().apply().unwrap();
    for index in 0..first.tensor_count() {
        assert_eq!(first.tensor(index), second.tensor(index));
    }
    let mut gradient = second.set_gradient(&vec![1.0; 83]).unwrap();
    gradient.set(&values).unwrap();
    assert_eq!(gradient.values().unwrap(), values);
    for len in [0, 82, 84] {
        assert_eq!(gradient.set(&vec![0.0; len]).unwrap_err().kind(), Kind::Shape);
        assert_eq!(gradient.values_into(&mut vec![0.0; len]).unwrap_err().kind(), Kind::Shape);
    }
    assert_eq!(gradient.set(&[f32::NAN; 83]).unwrap_err().kind(), Kind::NonFinite);
    assert_eq!(gradient.values().unwrap(), values);
}

#[test]
fn a_gradient_that_is_dropped_is_gone() {
    let (mut model, images) = (trained(1), draw(2, 3, SIZE));
    let before = model.to_bytes(Keep::Training).unwrap();
    drop(model.train_gradient(&images, &images, SIZE).unwrap());
    assert_eq!(model.to_bytes(Keep::Training).unwrap(), before);
}

#[test]
fn a_refused_step_changes_nothing() {
    let mut model = trained(1);
    let before = model.to_bytes(Keep::Training).unwrap();
    let good = draw(1, 0, SIZE);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut images = good.clone();
        images[17] = bad;
        for (input, target) in [(&images, &good), (&good, &images)] {
            let error = model.train_step(input, target, SIZE).unwrap_err();
            assert_eq!((error.kind(), error.status()), (Kind::NonFinite, -8));
            assert!(error.message().contains("17"), "{error}");
        }
    }
    let huge = model.set_gradient(&[f32::MAX; 83]).unwrap().apply();
    assert_eq!(huge.unwrap_err().kind(), Kind::NonFinite);
    assert_eq!(model.to_bytes(Keep::Training).unwrap(), before);
}

/// One that is told each image's noise level.
const TOLD: &str = "input 2 16 16 noise\nmark noisy\nconv 3 kernel 3 pad 1 relu\n\
                    conv 2 kernel 3 pad 1\nadd noisy\n";

#[test]
fn levels_go_with_the_images() {
    let mut whole = Model::new(TOLD, 1).unwrap();
    let mut halves = whole.copy(Keep::Training).unwrap();
    let (clean, sigma) = (draw(3, 7, SIZE), [0.02, 0.1, 0.3]);
    let mut noisy = clean.clone();
    let len = clean.len() / 3;
    for (i, level) in sigma.iter().enumerate() {
        cae::add_noise(&mut noisy[i * len..(i + 1) * len], *level, i as u64).unwrap();
    }
    let evaluated = whole.evaluate_sigma(&noisy, &clean, &sigma, SIZE).unwrap();
    let expected = whole.train_step_sigma(&noisy, &clean, &sigma, SIZE).unwrap();
    let (loss, gradient) = halves.train_gradient_sigma(&noisy, &clean, &sigma, SIZE).unwrap();
    assert_eq!((loss, evaluated), (expected, expected));
    gradient.apply().unwrap();
    let keep = Keep::Training;
    assert_eq!(halves.to_bytes(keep).unwrap(), whole.to_bytes(keep).unwrap());
    let other = whole.evaluate_sigma(&noisy, &clean, &[0.3, 0.1, 0.02], SIZE).unwrap();
    assert_ne!(other, whole.evaluate_sigma(&noisy, &clean, &sigma, SIZE).unwrap());

    let kind =
        |sigma: &[f32]| whole.evaluate_sigma(&noisy, &clean, sigma, SIZE).unwrap_err().kind();
    assert_eq!(kind(&sigma[..2]), Kind::Shape);
    assert_eq!(kind(&[0.1; 4]), Kind::Shape);
    for bad in [0.0, -0.1, f32::NAN, f32::INFINITY] {
        assert_eq!(kind(&[0.1, bad, 0.1]), Kind::Argument);
    }
    assert_eq!(whole.evaluate(&noisy, &clean, SIZE).unwrap_err().kind(), Kind::Argument);
    let plain = trained(1).train_step_sigma(&noisy, &clean, &sigma, SIZE).unwrap_err();
    assert_eq!(plain.kind(), Kind::Argument);
}
