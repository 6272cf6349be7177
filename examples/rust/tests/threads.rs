//! One model in many threads, and whose error is whose.
//
// SPDX-License-Identifier: BSD-2-Clause

mod common;

use cae::Model;
use common::*;
use std::sync::{Arc, Barrier};
use std::thread;

#[test]
fn four_threads_get_what_one_gets() {
    let (model, images) = (trained(10), draw(8, 0, [33, 31]));
    let expected = bits(&model.denoise(&images, [33, 31], 0.0).unwrap());
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                for _ in 0..10 {
                    let codes = model.encode(&images, [33, 31]).unwrap();
                    assert_eq!(bits(&model.decode(&codes, [33, 31]).unwrap()), expected);
                }
            });
        }
    });
}

#[test]
fn a_model_outlives_the_thread_that_made_it() {
    let model = thread::spawn(|| Arc::new(trained(3))).join().unwrap();
    let images = draw(1, 0, SIZE);
    let loss = model.evaluate(&images, &images, SIZE);
    let shared = Arc::clone(&model);
    drop(model);
    let other = thread::spawn(move || shared.evaluate(&images, &images, SIZE)).join().unwrap();
    assert!(loss.is_ok() && loss == other);
}

#[test]
fn errors_stay_in_their_threads() {
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for number in 0..4 {
            let start = &start;
            scope.spawn(move || {
                let key = format!("setting-{number}");
                let mut model = Model::new(NET, number).unwrap();
                start.wait();
                for _ in 0..1000 {
                    let error = model.set(&key, 1.0).unwrap_err();
                    assert!(error.message().contains(&key), "{number}: {error}");
                }
            });
        }
    });
}
